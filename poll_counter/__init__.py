"""Count the players of every round of a live trivia show, by an unseen vote in a hidden poll.

```python
from poll_counter import PollCounter

async with PollCounter("wss://...", event_id="...", journal="player.json") as counter:
    async for count in counter:
        print(f"{count.players} players are in round {count.round}")
```
"""

from . import commands, facts, machine, sync
from .client import PollCounter, Stats
from .commands import CastVote
from .counts import RoundCount
from .elements import ContentType, Element, Ids, Mark, Recognise, is_hidden
from .errors import JournalError, MisuseError, PlatformError, PollCounterError
from .journal import MEMORY, FileJournal, Journal, MemoryJournal
from .machine import Machine, State
from .transport import Transport, WebSocketTransport

__docformat__ = "google"

__all__ = [
    "MEMORY",
    "CastVote",
    "ContentType",
    "Element",
    "FileJournal",
    "Ids",
    "Journal",
    "JournalError",
    "Machine",
    "Mark",
    "MemoryJournal",
    "MisuseError",
    "PlatformError",
    "PollCounter",
    "PollCounterError",
    "Recognise",
    "RoundCount",
    "State",
    "Stats",
    "Transport",
    "WebSocketTransport",
    "commands",
    "facts",
    "is_hidden",
    "machine",
    "sync",
]
