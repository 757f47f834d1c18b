"""The same without asyncio: one background thread does the work, your code may block."""

from rehearsal import Rehearsal

from poll_counter import MEMORY
from poll_counter.sync import PollCounter

with PollCounter(transport=Rehearsal(), event_id="show", journal=MEMORY) as counter:
    for count in counter:  # the latest, whenever the number or the round changes
        assert count.players is None or count.players <= 42
    # a GUI would not iterate, but read counter.latest when it draws
    for count in counter.history.values():
        print(f"{count.players} players were in round {count.round}")
