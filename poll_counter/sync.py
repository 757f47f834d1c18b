"""The same for blocking apps: `PollCounter` without `await`.

```python
from poll_counter.sync import PollCounter

with PollCounter(url, event_id="...", journal="player.json") as counter:
    for count in counter:
        print(f"{count.players} players are in round {count.round}")
```

One background thread runs the asyncio counters of the whole process; it starts with the first and
ends with the last. Everything may be called from any thread. A GUI either polls `latest`, or is
called back on its own thread by way of `call_in`.
"""

from __future__ import annotations

import asyncio
import ssl as ssl_module
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from . import client
from .client import Stats
from .counts import RoundCount
from .elements import Element, FieldValue, Recognise
from .errors import MisuseError
from .journal import JournalLike
from .machine import DEFAULT_SPREAD_S, State
from .transport import Transport

__all__ = ["PollCounter"]

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


_background = _Background()


class PollCounter:
    """Counts the players of every round; the blocking counterpart of `poll_counter.PollCounter`.

    It takes the same arguments and has the same names; `call_in` is its own.

    Args:
        url: see `poll_counter.PollCounter`, for this and the others.
        event_id: the platform's id of the event.
        journal: where this player's id and votes are kept: a path, or MEMORY.
        recognise: how hidden poll and trivia are told.
        transport: instead of a URL, another way to the platform.
        spread_s: seconds over which votes are spread for a poll that names no spread.
        ssl: a TLS context, for an own certificate authority.
        allow_plain: allow `ws://` to hosts other than this machine.
        on_count: called with each new `RoundCount`.
        on_state: called with each new `State`.
        on_warning: called with a sentence when the producer spoils the count.
        call_in: how to call back, given a function without arguments; by default callbacks run
            on the background thread, and must not block. For tkinter:
            `call_in=lambda callback: root.after(0, callback)`.

    Raises `MisuseError` and `JournalError` as the other does.

    For example:

    ```python
    with PollCounter(url, event_id="...", journal="player.json") as counter:
        while playing:
            draw(counter.latest)
    ```
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        event_id: str,
        journal: JournalLike,
        recognise: Recognise | None = None,
        transport: Transport | None = None,
        spread_s: float = DEFAULT_SPREAD_S,
        ssl: ssl_module.SSLContext | None = None,
        allow_plain: bool = False,
        on_count: Callable[[RoundCount], object] | None = None,
        on_state: Callable[[State], object] | None = None,
        on_warning: Callable[[str], object] | None = None,
        call_in: Callable[[Callable[[], object]], object] | None = None,
    ) -> None:
        self._counter = client.PollCounter(
            url,
            event_id=event_id,
            journal=journal,
            recognise=recognise,
            transport=transport,
            spread_s=spread_s,
            ssl=ssl,
            allow_plain=allow_plain,
            on_count=_called_in(call_in, on_count),
            on_state=_called_in(call_in, on_state),
            on_warning=_called_in(call_in, on_warning),
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        """Begin to connect; does not wait for the network."""
        self._loop = _background.enter()
        try:
            _wait(self._loop, self._counter.__aenter__())
        except BaseException:
            self._loop = None
            _background.leave()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection; leaves no thread behind with the last counter."""
        loop, self._loop = self._loop, None
        assert loop is not None  # it was entered
        try:
            _wait(loop, self._counter.__aexit__(exc_type, exc, traceback))
        finally:
            _background.leave()

    def __iter__(self) -> Self:
        """Give a `RoundCount` whenever the number or the round changes, until the event ends.

        Raises `MisuseError` when the counter is closed.
        """
        self._counter.__aiter__()
        return self

    def __next__(self) -> RoundCount:
        """Wait for the next count; raises what the other's `__anext__` raises."""
        if self.closed:
            raise StopIteration
        if self._loop is None:
            raise MisuseError("enter the counter first: with PollCounter(...) as counter")
        try:
            return _wait(self._loop, self._counter.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def latest(self) -> RoundCount | None:
        """The count that was last reported, as it stands now; None before the first."""
        return self._ask(lambda: self._counter.latest)

    @property
    def history(self) -> dict[int, RoundCount]:
        """The counts of all rounds so far, round -> count, as they stand now."""
        return self._ask(lambda: self._counter.history)

    @property
    def state(self) -> State:
        """Where the counter stands."""
        return self._counter.state

    @property
    def elements(self) -> tuple[Element, ...]:
        """The event's elements, in the order of their publication; see `is_hidden`."""
        return self._ask(lambda: self._counter.elements)

    @property
    def fields(self) -> Mapping[str, FieldValue]:
        """The event's custom fields, key -> value."""
        return self._counter.fields

    @property
    def closed(self) -> bool:
        """Whether the counter was left; `latest` and `history` can still be read."""
        return self._counter.closed

    @property
    def active(self) -> bool:
        """Whether the player takes part; set it to False for one who only watches (rule 11)."""
        return self._counter.active

    @active.setter
    def active(self, value: bool) -> None:
        self._ask(lambda: setattr(self._counter, "active", value))

    def is_hidden(self, element: Element) -> bool:
        """Tell whether an element is the hidden poll, as this counter recognises it."""
        return self._counter.is_hidden(element)

    def stats(self) -> Stats:
        """What the counter has done so far."""
        return self._ask(self._counter.stats)

    def _ask(self, question: Callable[[], T]) -> T:
        """Ask on the loop's thread, where nothing changes meanwhile."""
        loop = self._loop
        if loop is None or _is_current(loop):
            return question()
        return _wait(loop, _answer(question))


async def _answer(question: Callable[[], T]) -> T:
    return question()


def _is_current(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the background loop, and wait for what comes of it."""
    if _is_current(loop):
        work.close()
        raise MisuseError("this would wait for itself: a callback must not block; use call_in=")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:  # Ctrl-C, too, leaves nothing behind
        future.cancel()
        raise


def _called_in(
    call_in: Callable[[Callable[[], object]], object] | None,
    callback: Callable[[T], object] | None,
) -> Callable[[T], object] | None:
    if call_in is None or callback is None:
        return callback
    return lambda value: call_in(lambda: callback(value))
