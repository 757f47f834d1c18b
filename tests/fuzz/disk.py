"""Target on the disk: `journal` opens whatever the file holds."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from poll_counter.commands import Remember, RememberRate
from poll_counter.journal import FileJournal
from poll_counter.machine import Machine

__all__ = ["journal"]

_MEMORY = Path("/dev/shm")
_CAST = Remember("fuzz P", 3)
_RATE = RememberRate("fuzz P", 0.5)


@cache
def _folder() -> TemporaryDirectory[str]:
    """A folder in memory where there is one: the disk is not what is tried."""
    return TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)


def journal(data: bytes) -> None:
    """Open a journal whose file holds the input: it works, and remembers from then on."""
    logging.disable()
    try:
        _open(Path(_folder().name), data)
    finally:
        logging.disable(logging.NOTSET)


def _open(folder: Path, data: bytes) -> None:
    path = folder / "player.json"
    path.write_bytes(data)
    opened = FileJournal(path)
    broken = list(folder.glob("*.broken"))
    assert [each.read_bytes() for each in broken] in ([], [data]), "set aside as it was"
    for each in broken:
        each.unlink()
    assert len(opened.player_id) == 32
    before = {event_id: opened.recall(event_id) for event_id in opened._book.events}
    for entries in before.values():
        Machine(draw=lambda: 0.5, remembered=entries)
    opened.remember("fuzz", _RATE)
    opened.remember("fuzz", _CAST)
    held = opened.recall("fuzz")
    assert {_CAST, _RATE} <= set(held)
    player_id = opened.player_id
    del opened
    again = FileJournal(path)
    assert not list(folder.glob("*.broken")), "what it wrote, it can read"
    assert again.writable
    assert again.player_id == player_id
    assert set(again.recall("fuzz")) == set(held)
    for event_id in list(before)[-8:]:
        if event_id != "fuzz":
            assert set(again.recall(event_id)) <= set(before[event_id])
