"""Who the player is and what was voted: in memory, or in one small file that outlives the app.

A vote is written down before it is handed over, so that a restarted app never casts it twice
(rule 5). The standard library is enough: JSON, replaced atomically and synced to the disk.

One process at a time may write a file: it holds a lock on an empty file beside it, which the
system takes back when the process ends, however it ends. The lock's file stays: were it removed,
two processes could each lock one of the same name.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import secrets
import sys
import threading
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, TypeVar
from weakref import WeakValueDictionary, finalize

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

if sys.platform == "win32":  # pragma: no cover - one of the two is there
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


logger = logging.getLogger(__name__)

EVENTS_MAX: Final = 32
"""Events that a journal remembers: those in which something was last remembered."""
ENTRIES_MAX: Final = 500
"""Votes that it remembers of an event, and sample rates: the last ones."""
FILE_BYTES_MAX: Final = 2**22
"""The largest file that is read; a larger one is never written."""

_FORMAT: Final = 1
_PLAYER_ID: Final = re.compile(r"[0-9a-f]{32}")
_OPTION: Final = re.compile(r"[0-9]{1,4}")


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Entry: TypeAlias = Remember | RememberRate
"""What is remembered: how far a vote is, or the sample rate of a poll."""


class Journal(Protocol):
    """What a counter needs to remember; anything with these three may be passed as `journal=`.

    It may also have `writable`, a bool. A counter that is given a journal that is not writable
    reads counts and casts no vote; one without that name is writable.

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
    """What is remembered of one event; not changed once it is made."""

    __slots__ = ("rates", "votes")

    def __init__(
        self,
        votes: Mapping[tuple[str, int], bool] | None = None,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.votes: Mapping[tuple[str, int], bool] = votes or {}
        """(poll id, option) -> whether the vote was answered for good."""
        self.rates: Mapping[str, float] = rates or {}
        """Poll id -> its sample rate."""

    def with_entry(self, entry: Entry) -> _Event:
        """The same, and one entry more; the oldest of very many is forgotten."""
        if isinstance(entry, RememberRate):
            rates = {**self.rates, entry.poll_id: entry.sample_rate}
            return _Event(self.votes, _last(rates, ENTRIES_MAX))
        votes = {**self.votes, (entry.poll_id, entry.option): entry.answered}
        return _Event(_last(votes, ENTRIES_MAX), self.rates)

    def recall(self) -> tuple[Entry, ...]:
        rates = (RememberRate(*each) for each in self.rates.items())
        return *rates, *(Remember(*key, answered) for key, answered in self.votes.items())


_Events: TypeAlias = Mapping[str, _Event]
"""Event id -> what is remembered of it; the event used last is the last. Never changed."""

_NEVER_HEARD_OF: Final = _Event()


def _with_entry(events: _Events, event_id: str, entry: Entry) -> _Events:
    """The same events, and one entry more; the event that was not used longest is forgotten."""
    event = events.get(event_id, _NEVER_HEARD_OF).with_entry(entry)
    others = {each: events[each] for each in events if each != event_id}
    return _last({**others, event_id: event}, EVENTS_MAX)


def _last(held: Mapping[_Key, _Value], most: int) -> Mapping[_Key, _Value]:
    return held if len(held) <= most else dict(list(held.items())[-most:])


def _forget(held: dict[Any, Any], most: int) -> None:
    """Forget the oldest of very many."""
    while len(held) > most:
        del held[next(iter(held))]


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
        self._events: dict[str, tuple[dict[tuple[str, int], bool], dict[str, float]]] = {}

    def recall(self, event_id: str) -> tuple[Entry, ...]:
        """What was remembered of an event: votes, and sample rates of polls."""
        votes, rates = self._events.get(event_id, ({}, {}))
        return _Event(votes, rates).recall()

    def remember(self, event_id: str, entry: Entry) -> None:
        """Keep how far a vote is, or a poll's sample rate; as much as a file would hold."""
        votes, rates = self._events.pop(event_id, ({}, {}))
        self._events[event_id] = votes, rates
        if isinstance(entry, RememberRate):
            rates[entry.poll_id] = entry.sample_rate
        else:
            votes[entry.poll_id, entry.option] = entry.answered
        _forget(votes, ENTRIES_MAX)
        _forget(rates, ENTRIES_MAX)
        _forget(self._events, EVENTS_MAX)


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

    All journals of one file in a process are one. While another process uses the file, this one
    is not `writable`, which is logged: a counter then reads counts and casts no vote. The file is
    free again when the other process, or all its counters on the file, are gone; open it anew then.

    The file stays small: it remembers the 32 events that were used last, and of each the last
    500 votes.

    For example:

    ```python
    PollCounter(url, event_id="...", journal=FileJournal("player.json"))  # or just the path
    ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._book = _open_book(path)

    @property
    def path(self) -> Path:
        """The file, where symbolic links lead."""
        return self._book.path

    @property
    def player_id(self) -> str:
        """The player's id: 128 random bits in hexadecimal, made once."""
        return self._book.player_id

    @property
    def writable(self) -> bool:
        """Whether this process may write: no other one used the file when it was opened."""
        return self._book.writable

    def recall(self, event_id: str) -> tuple[Entry, ...]:
        """What was remembered of an event: votes, and sample rates of polls."""
        return self._book.events.get(event_id, _NEVER_HEARD_OF).recall()

    def remember(self, event_id: str, entry: Entry) -> None:
        """Write down how far a vote is, or a poll's sample rate; wait until it is on the disk.

        Raises OSError when it cannot be written: nothing is remembered then.
        """
        self._book.remember(event_id, entry)


class _Book:
    """What the journals of one file have in common in a process: the lock, and what is held."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.player_id = _new_id()
        self.events: _Events = {}
        self._mutex = threading.Lock()  # it is written from the threads of several counters
        try:
            if path.exists() and not path.is_file():  # to read a pipe is to wait for ever
                raise JournalError(f"the journal {path} cannot be read: it is no file")
            descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise self._unusable(error) from error
        self.let_go = finalize(self, os.close, descriptor)
        """Give the lock back; this happens by itself when the last journal of the file is gone."""
        self.writable = self._lock(descriptor)
        try:
            self._take_in()
        except OSError as error:
            self.writable = False
            raise self._unusable(error) from error
        finally:
            if not self.writable:
                self.let_go()

    def remember(self, event_id: str, entry: Entry) -> None:
        """Write down an entry; what is held changes only when that has succeeded."""
        if not self.writable:
            raise OSError(errno.EACCES, "another process uses the journal", str(self.path))
        with self._mutex:
            self._write(_with_entry(self.events, event_id, entry))

    def _lock(self, descriptor: int) -> bool:
        """Lock the file for as long as this process lives; False if another process has."""
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno in _TAKEN:
                logger.warning(
                    "another process uses the journal %s: this one reads counts and casts no "
                    "vote, for both would vote as one player; close the other and open the "
                    "journal again, or name another file",
                    self.path,
                )
                return False
            logger.warning(
                "the journal %s cannot be locked (%s): take care that no other process uses it, "
                "for both would vote as one player",
                self.path,
                error,
            )
        return True

    def _take_in(self) -> None:
        """Read the file, or begin a new one; raises OSError."""
        try:
            with self.path.open("rb") as file:
                text = file.read(FILE_BYTES_MAX + 1)
        except FileNotFoundError:
            text = b""
        try:
            if text:
                self.player_id, self.events = _read(text)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            if self.writable:
                self._set_aside()
                text = b""
        if self.writable and not text:
            self._write({})

    def _unusable(self, error: OSError) -> JournalError:
        return JournalError(
            f"the journal {self.path} cannot be written or read: {error}; name a file in a folder "
            "that exists and may be written, or pass journal=MEMORY"
        )

    def _set_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.broken")
        self.path.replace(aside)
        logger.warning(
            "the journal %s cannot be read and is set aside as %s; this app is a new player now "
            "and may be counted twice in the present round",
            self.path,
            aside.name,
        )

    def _write(self, events: _Events) -> None:
        """Put events on the disk, then hold them; if that fails, hold what was held before.

        A failure in the very end, to sync the folder, leaves the new file in its place: it says
        more than was done then, which can lose a vote after a restart and not double one.
        """
        text = _packed(self.player_id, events)
        while len(text) > FILE_BYTES_MAX:
            if len(events) == 1:
                raise OSError(errno.EFBIG, "too much to remember", str(self.path))
            events = _last(events, len(events) - 1)
            text = _packed(self.player_id, events)
        temporary = self.path.with_name(self.path.name + ".new")
        with temporary.open("wb") as file:
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
        self.events = events


_TAKEN: Final = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
"""What the systems say of a lock that another process holds."""
_opening = threading.Lock()
_books: Final[WeakValueDictionary[str, _Book]] = WeakValueDictionary()


def _open_book(path: str | os.PathLike[str]) -> _Book:
    try:
        real = os.path.realpath(path)
        with _opening:
            book = _books.get(real)
            if book is None or not book.writable:  # the other process may be gone by now
                book = _books[real] = _Book(Path(real))
            return book
    except ValueError as error:  # a path that no file can have
        raise JournalError(f"the journal {str(path)!r} cannot be read: {error}") from error


def _after_fork() -> None:
    """A forked child has the parent's lock in hand, and would keep it beyond the parent's end."""
    for book in list(_books.values()):
        book.writable = False
        book.let_go()
    _books.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)


def _packed(player_id: str, events: _Events) -> bytes:
    held = {
        "format": _FORMAT,
        "player_id": player_id,
        "events": {event_id: _packed_votes(event.votes) for event_id, event in events.items()},
        "rates": {event_id: event.rates for event_id, event in events.items() if event.rates},
    }
    return json.dumps(held).encode()


def _packed_votes(votes: Mapping[tuple[str, int], bool]) -> dict[str, dict[str, str]]:
    polls: dict[str, dict[str, str]] = {}
    for (poll_id, option), answered in votes.items():
        polls.setdefault(poll_id, {})[str(option)] = "answered" if answered else "cast"
    return polls


def _read(text: bytes) -> tuple[str, _Events]:
    """Read a journal; raises ValueError, TypeError, KeyError or AttributeError if it is none."""
    if len(text) > FILE_BYTES_MAX:
        raise ValueError("too large")
    held: Any = json.loads(text)
    player_id: Any = held["player_id"]
    if held["format"] != _FORMAT or not _PLAYER_ID.fullmatch(player_id):
        raise ValueError("another format")
    votes = {event_id: dict(_unpacked(polls)) for event_id, polls in held["events"].items()}
    rates = {  # a file of before has none
        event_id: dict(_rates(rates)) for event_id, rates in held.get("rates", {}).items()
    }
    each = dict.fromkeys([*votes, *rates])
    return player_id, {key: _Event(votes.get(key), rates.get(key)) for key in each}


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


def open_journal(journal: JournalLike) -> Journal:
    """Open what was passed as `journal=`; the counters of a process share one per file."""
    if isinstance(journal, Memory):
        return MemoryJournal()
    return FileJournal(journal) if isinstance(journal, str | os.PathLike) else journal
