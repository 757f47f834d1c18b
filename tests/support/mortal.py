"""A player's process that dies: at a step that a test names, as by `kill -9`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from typing import IO, Any, Final

from poll_counter import CastVote, PollCounter, WebSocketTransport, wire

assert wire  # loaded before the first process is forked from the one that has this module

WRITE_STEPS: Final = ("opened", "written", "synced", "replaced", "done")
"""The steps of writing the journal once; the process dies after what is named.

`opened`: a new file is there, and empty; `written`: it is full; `synced`: and on the disk;
`replaced`: it is the journal; `done`: and the folder is on the disk, too.
"""
SEND_STEPS: Final = ("sending", "sent")
"""The steps of handing over a vote: before, and after."""


def live(url: str, event_id: str, journal: str, step: str = "", nth: int = 0) -> None:
    """Count players until the event ends, or until a step is taken for the n-th time."""
    if step:
        _die_at(step, nth)
    asyncio.run(_count(url, event_id, journal))


async def _count(url: str, event_id: str, journal: str) -> None:
    transport = WebSocketTransport(url, reconnect_first_s=0.0)
    async with PollCounter(transport=transport, event_id=event_id, journal=journal) as counter:
        async for _ in counter:
            pass


def _die_at(step: str, nth: int) -> None:
    """Have this process kill itself at a step. It is a process of its own: nothing is put back."""
    taken: Counter[str] = Counter()
    fsync, path_open, replace, send = os.fsync, Path.open, Path.replace, WebSocketTransport.send

    def take(now: str) -> None:
        taken[now] += 1
        if now == step and taken[now] == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    def opening(path: Path, mode: str = "r", *options: Any, **more: Any) -> IO[Any]:
        file = path_open(path, mode, *options, **more)
        if mode == "wb":
            take("opened")
        return file

    def syncing(descriptor: Any) -> None:
        folder = taken["synced"] > taken["done"]  # it is synced after the file
        if not folder:
            take("written")
        fsync(descriptor)
        take("done" if folder else "synced")

    def replacing(path: Path, target: Path) -> Path:
        replaced = replace(path, target)
        take("replaced")
        return replaced

    async def sending(transport: WebSocketTransport, vote: CastVote) -> None:
        take("sending")
        await send(transport, vote)
        take("sent")

    os.fsync = syncing  # type: ignore[assignment] # its argument has another name
    Path.open = opening  # type: ignore[method-assign, assignment]
    Path.replace = replacing  # type: ignore[method-assign, assignment]
    WebSocketTransport.send = sending  # type: ignore[method-assign, assignment]
