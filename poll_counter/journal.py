"""Who the player is and what was voted: in memory, or in one small file that outlives the app.

A vote is written down before it is handed over, so that a restarted app never casts it twice
(rule 5). The standard library is enough: JSON, replaced atomically and synced to the disk.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import threading
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias
from weakref import WeakValueDictionary

from .commands import Remember, RememberRate
from .errors import JournalError
from .sampling import is_rate

__all__ = [
    "MEMORY",
    "Entry",
    "FileJournal",
    "Journal",
    "JournalLike",
    "MemoryJournal",
    "open_journal",
]

logger = logging.getLogger(__name__)

_FORMAT: Final = 1
_PLAYER_ID: Final = re.compile(r"[0-9a-f]{32}")
_OPTION: Final = re.compile(r"[0-9]{1,4}")


Entry: TypeAlias = Remember | RememberRate
"""What is remembered: how far a vote is, or the sample rate of a poll."""


class Journal(Protocol):
    """What a counter needs to remember; anything with these three may be passed as `journal=`.

    For example:

    ```python
    class Shelf:
        player_id = "0f9ab3c2d4e5f60718293a4b5c6d7e8f"

        def recall(self, event_id: str) -> tuple[Entry, ...]:
            return tuple(database.entries(event_id))

        def remember(self, event_id: str, entry: Entry) -> None:
            database.store(event_id, entry)  # durable when this returns
    ```
    """

    @property
    def player_id(self) -> str:
        """The player's id: 128 random bits in hexadecimal, made once, sent to nobody else."""
        ...

    def recall(self, event_id: str) -> tuple[Entry, ...]:
        """What was remembered of an event: votes, and sample rates of polls."""
        ...

    def remember(self, event_id: str, entry: Entry) -> None:
        """Write an entry down; returns when a crash could no longer undo it.

        Raises OSError when it cannot be written: the vote is then not handed over.
        """
        ...


def _new_id() -> str:
    return secrets.token_hex(16)


class _Event:
    """What is remembered of one event."""

    __slots__ = ("rates", "votes")

    def __init__(self) -> None:
        self.votes: dict[tuple[str, int], bool] = {}
        """(poll id, option) -> whether the vote was answered for good."""
        self.rates: dict[str, float] = {}
        """Poll id -> its sample rate."""

    def remember(self, entry: Entry) -> None:
        if isinstance(entry, RememberRate):
            self.rates[entry.poll_id] = entry.sample_rate
        else:
            self.votes[entry.poll_id, entry.option] = entry.answered

    def recall(self) -> tuple[Entry, ...]:
        rates = (RememberRate(*each) for each in self.rates.items())
        return *rates, *(Remember(*key, answered) for key, answered in self.votes.items())


_NEVER_HEARD_OF: Final = _Event()


class MemoryJournal:
    """Remembers for as long as it lives; a restarted process is a new player.

    Hand the same one to two counters, one after the other, to rehearse a restart.

    For example:

    ```python
    journal = MemoryJournal()
    for _ in range(2):
        async with PollCounter(url, event_id="...", journal=journal) as counter:
            ...
    ```
    """

    def __init__(self) -> None:
        self.player_id: str = _new_id()
        self._events: dict[str, _Event] = {}

    def recall(self, event_id: str) -> tuple[Entry, ...]:
        """What was remembered of an event: votes, and sample rates of polls."""
        return self._events.get(event_id, _NEVER_HEARD_OF).recall()

    def remember(self, event_id: str, entry: Entry) -> None:
        """Keep how far a vote is, or a poll's sample rate."""
        self._events.setdefault(event_id, _Event()).remember(entry)


class Memory(Enum):
    """The type of `MEMORY`."""

    MEMORY = "memory"


MEMORY: Final = Memory.MEMORY
"""Pass as `journal=` to remember nothing beyond the counter's own life.

An app that restarts is then a new player, and may be counted twice.
"""


class FileJournal:
    """Remembers in one JSON file.

    Args:
        path: the file; made when missing, in a folder that exists.

    A file that cannot be read as a journal is set aside under another name, with a warning, and
    a new one begun. Raises `JournalError` when the file cannot be made.

    For example:

    ```python
    PollCounter(url, event_id="...", journal=FileJournal("player.json"))  # or just the path
    ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.player_id: str = _new_id()
        self._events: dict[str, _Event] = {}
        self._lock = threading.Lock()  # it is written from the threads of several counters
        try:
            held = self.path.read_bytes()
        except FileNotFoundError:
            held = b""
        except (OSError, ValueError) as error:  # ValueError: a path that no file can have
            raise JournalError(f"the journal {str(self.path)!r} cannot be read: {error}") from error
        if held:
            try:
                self.player_id, self._events = _read(held)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                self._begin(set_aside=True)
        else:
            self._begin(set_aside=False)

    def _begin(self, *, set_aside: bool) -> None:
        """Write a new journal; raises JournalError."""
        try:
            if set_aside:
                self._set_aside()
            self._write()
        except OSError as error:
            raise JournalError(
                f"the journal {self.path} cannot be written: {error}; name a file in a folder "
                "that exists and may be written, or pass journal=MEMORY"
            ) from error

    def recall(self, event_id: str) -> tuple[Entry, ...]:
        """What was remembered of an event: votes, and sample rates of polls."""
        return self._events.get(event_id, _NEVER_HEARD_OF).recall()

    def remember(self, event_id: str, entry: Entry) -> None:
        """Write down how far a vote is, or a poll's sample rate; wait until it is on the disk."""
        with self._lock:
            self._events.setdefault(event_id, _Event()).remember(entry)
            self._write()

    def _set_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.broken")
        self.path.replace(aside)
        logger.warning(
            "the journal %s cannot be read and is set aside as %s; this app is a new player now "
            "and may be counted twice in the present round",
            self.path,
            aside.name,
        )

    def _write(self) -> None:
        held = {
            "format": _FORMAT,
            "player_id": self.player_id,
            "events": {event_id: _packed(event.votes) for event_id, event in self._events.items()},
            "rates": {
                event_id: event.rates for event_id, event in self._events.items() if event.rates
            },
        }
        text = json.dumps(held)
        temporary = self.path.with_name(self.path.name + ".new")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
        if os.name == "posix":  # pragma: no branch - elsewhere a folder cannot be opened
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _packed(votes: dict[tuple[str, int], bool]) -> dict[str, dict[str, str]]:
    polls: dict[str, dict[str, str]] = {}
    for (poll_id, option), answered in votes.items():
        polls.setdefault(poll_id, {})[str(option)] = "answered" if answered else "cast"
    return polls


def _read(text: bytes) -> tuple[str, dict[str, _Event]]:
    """Read a journal; raises ValueError, TypeError, KeyError or AttributeError if it is none."""
    held: Any = json.loads(text)
    player_id: Any = held["player_id"]
    if held["format"] != _FORMAT or not _PLAYER_ID.fullmatch(player_id):
        raise ValueError("another format")
    events: dict[str, _Event] = {}
    for event_id, polls in held["events"].items():
        events.setdefault(event_id, _Event()).votes.update(_unpacked(polls))
    for event_id, rates in held.get("rates", {}).items():  # a file of before has none
        events.setdefault(event_id, _Event()).rates.update(_rates(rates))
    return player_id, events


def _unpacked(polls: dict[str, dict[str, str]]) -> Iterator[tuple[tuple[str, int], bool]]:
    for poll_id, options in polls.items():
        for option, stage in options.items():
            if stage not in {"cast", "answered"} or not _OPTION.fullmatch(option):
                raise ValueError("another format")
            yield (poll_id, int(option)), stage == "answered"


def _rates(rates: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for poll_id, rate in rates.items():
        if isinstance(rate, bool) or not is_rate(rate):
            raise ValueError("another format")
        yield poll_id, float(rate)


JournalLike: TypeAlias = str | os.PathLike[str] | Journal | Memory
"""What may be passed as `journal=`: a path, a journal, or MEMORY."""


_opening = threading.Lock()
_open: Final[WeakValueDictionary[str, FileJournal]] = WeakValueDictionary()


def open_journal(journal: JournalLike) -> Journal:
    """Open what was passed as `journal=`; the counters of a process share one per file."""
    if isinstance(journal, Memory):
        return MemoryJournal()
    if not isinstance(journal, str | os.PathLike):
        return journal
    path = os.path.abspath(journal)  # noqa: PTH100 - a Path would not take every string
    with _opening:
        opened = _open.get(path)
        if opened is None:
            opened = _open[path] = FileJournal(journal)
        return opened
