"""One background thread with an event loop, for apps that block.

It runs the asyncio counterparts of the whole process: it starts with the first who uses it and
ends with the last.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from .errors import MisuseError

__all__ = ["background", "is_current", "wait"]

T = TypeVar("T")


class _Background:
    """One event loop in one thread, as long as somebody uses it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def enter(self) -> asyncio.AbstractEventLoop:
        """Use the loop; the first one starts it."""
        with self._lock:
            if self._loop is None:
                started: Future[asyncio.AbstractEventLoop] = Future()
                self._thread = threading.Thread(
                    target=_run, args=(started,), name="poll_counter", daemon=True
                )
                self._thread.start()
                self._loop = started.result()
            self._users += 1
            return self._loop

    def leave(self) -> None:
        """Use the loop no longer; the last one ends it, and waits until it is gone."""
        with self._lock:
            self._users -= 1
            if not self._users and self._loop is not None and self._thread is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop = self._thread = None


def _run(started: Future[asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        started.set_result(loop)
        loop.run_forever()


background = _Background()
"""The one of this process."""


def is_current(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether the caller runs on that loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the background loop, and wait for what comes of it.

    Raises `MisuseError` when called on that loop itself.
    """
    if is_current(loop):
        work.close()
        raise MisuseError("this would wait for itself: a callback must not block; use call_in=")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:  # Ctrl-C, too, leaves nothing behind
        future.cancel()
        raise
