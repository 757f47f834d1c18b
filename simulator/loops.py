"""The event loop that carries a crowd: uvloop where it is installed, else asyncio's own."""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from poll_counter import MisuseError

__all__ = ["allow_descriptors", "at_rest", "run", "running"]

T = TypeVar("T")

OTHERS = 100
"""Descriptors of a process that are no connections of players."""
NEW_OBJECTS = 100_000
"""After so many the collector of garbage looks for some: after 700, as it is unless told, it takes
a quarter of the time of a process with 5,000 clients, and finds next to none."""


def _quickest() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return asyncio.new_event_loop
    make: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return make


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new loop, as `asyncio.run` does.

    Meanwhile garbage is seldom looked for.
    """
    seldom, *others = gc.get_threshold()
    gc.set_threshold(max(seldom, NEW_OBJECTS) if seldom else 0, *others)
    try:
        with asyncio.Runner(loop_factory=_quickest()) as runner:
            return runner.run(main)
    finally:
        gc.set_threshold(seldom, *others)


def running() -> str:
    """The name of the loop that is running: `asyncio` or `uvloop`."""
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


@contextmanager
def at_rest() -> Generator[None]:
    """Spare the collector of garbage what there is by now, as long as the block runs.

    To look through all of a crowd of thousands stops its process for a second each time.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def allow_descriptors(connections: int) -> None:
    """Let this process have so many connections, as far as the system allows.

    Raises `MisuseError` where it does not.
    """
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHERS
    if now == resource.RLIM_INFINITY or now >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    except (ValueError, OSError):
        raise MisuseError(
            f"{connections:,} connections in one process are more than this machine allows "
            f"({most:,} descriptors): take fewer players, spread them over --processes, or raise "
            "the limit (ulimit -n)"
        ) from None
