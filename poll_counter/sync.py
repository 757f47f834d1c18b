"""The same for blocking apps: `PollCounter` without `await`.

```python
from poll_counter.sync import PollCounter

with PollCounter(url, event_id="...", journal="player.json") as counter:
    for count in counter:
        print(f"{count.players} players are in round {count.round}")
```

One background thread runs the asyncio counters of the whole process (see `portal`). Everything may
be called from any thread. A GUI either polls `latest`, or is called back on its own thread by
way of `call_in`.
"""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

from . import client
from .client import Stats
from .counts import RoundCount
from .elements import CONCURRENCY_FIELD, Element, FieldValue, Recognise
from .errors import MisuseError
from .journal import JournalLike
from .machine import DEFAULT_SPREAD_S, State
from .player_token import PlayerToken
from .portal import background, is_current, wait
from .transport import Transport

__all__ = ["PollCounter"]

T = TypeVar("T")


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
        token: the player's token, or a function that gets one; it may block.
        on_count: called with each new `RoundCount`.
        on_state: called with each new `State`.
        on_warning: called with a sentence when the producer spoils the count.
        concurrency_field: the custom field with the number of connected users.
        on_concurrency: called with each new number from that field.
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
        url: str | Sequence[str] | None = None,
        *,
        event_id: str,
        journal: JournalLike,
        recognise: Recognise | None = None,
        transport: Transport | None = None,
        spread_s: float = DEFAULT_SPREAD_S,
        ssl: ssl_module.SSLContext | None = None,
        allow_plain: bool = False,
        token: PlayerToken | None = None,
        on_count: Callable[[RoundCount], object] | None = None,
        on_state: Callable[[State], object] | None = None,
        on_warning: Callable[[str], object] | None = None,
        concurrency_field: str = CONCURRENCY_FIELD,
        on_concurrency: Callable[[int], object] | None = None,
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
            token=token,
            on_count=_called_in(call_in, on_count),
            on_state=_called_in(call_in, on_state),
            on_warning=_called_in(call_in, on_warning),
            concurrency_field=concurrency_field,
            on_concurrency=_called_in(call_in, on_concurrency),
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        """Begin to connect; does not wait for the network."""
        self._loop = background.enter()
        try:
            wait(self._loop, self._counter.__aenter__())
        except BaseException:
            self._loop = None
            background.leave()
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
            wait(loop, self._counter.__aexit__(exc_type, exc, traceback))
        finally:
            background.leave()

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
            return wait(self._loop, self._counter.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def player_id(self) -> str:
        """The player's id, made once and kept in the journal; for the app's backend alone."""
        return self._counter.player_id

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
    def concurrency(self) -> int | None:
        """The connected users, from the field that the producer writes them into; None without."""
        return self._ask(lambda: self._counter.concurrency)

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
        if loop is None or is_current(loop):
            return question()
        return wait(loop, _answer(question))


async def _answer(question: Callable[[], T]) -> T:
    return question()


def _called_in(
    call_in: Callable[[Callable[[], object]], object] | None,
    callback: Callable[[T], object] | None,
) -> Callable[[T], object] | None:
    if call_in is None or callback is None:
        return callback
    return lambda value: call_in(lambda: callback(value))
