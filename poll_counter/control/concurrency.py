"""`ConcurrencyPublisher`: the number of connected users, from the Control API into a field.

The first of the two documented ways to a number (contract 1.1): a server-side program reads the
stats of an event and writes one of them into a field of the event or of an element; the platform
republishes it, and apps read it (`PollCounter.concurrency`). It is coarse, at most one number a
minute, and counts connections; the hidden poll counts the players of a round.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from math import isfinite

from poll_counter.elements import CONCURRENCY_FIELD
from poll_counter.errors import ControlApiError, MisuseError

from .address import segment
from .api import ControlApi
from .fields import ALL, localised
from .http import Sleep
from .resources import Event
from .stats import EVENT_STATS, EventStatName
from .turns import Turn, Turns

__all__ = ["READ_INTERVAL_S", "ConcurrencyPublisher", "Published"]

READ_INTERVAL_S = 60.0
"""The platform allows no more than one read of the stats in this time (contract 1.1)."""

logger = logging.getLogger(__name__)

_turns = Turns()
"""Those of this process."""


@dataclass(frozen=True, slots=True)
class Published:
    """What one turn of a publisher came to.

    For example:

    ```python
    Published(at=1546290060.0, stat="current_concurrency", value=12431, written=True)
    ```
    """

    at: float
    """When the stats were read, unix seconds."""
    stat: EventStatName
    """The stat that was read."""
    value: int | None
    """Its value; None where it could not be read."""
    written: bool
    """Whether the value was written into the field."""
    why: str = ""
    """Why it was not written; empty where it was."""
    error: ControlApiError | None = None
    """The error that was in the way, if one was; the next turn tries again."""


class ConcurrencyPublisher:
    """Writes a stat of an event into a field that apps read, once a minute at most.

    The iterator gives a `Published` for each turn, and ends when the event is past. Errors of the
    platform or the network are reported and survived; a number that has not changed is not
    written again.

    The first read waits out a full interval, so that a program that is restarted cannot read
    twice in a minute. All publishers of a process that have the same token take turns: two of them
    read every two minutes each.

    Args:
        api: reads and writes; its token needs the right to write.
        event_id: the event whose stats are read.
        field: the key of the field, as the App Spec names it.
        element_id: write into a custom field of this element, instead of one of the event.
        stat: one of the six stats of an event (contract 1.1).
        interval_s: from the end of one read to the next, in seconds; 60 at least.
        locale: of the field; `all` where it is not localised.
        dry_run: read and report, but write nothing.
        testing_interval_s: for tests against an emulator alone, instead of `interval_s` and of the
            platform's minute: shorter than that breaks the platform's rule.
        clock: for tests, a monotonic clock; the same for all publishers of a token.
        sleep: for tests, waits on that clock.
        now: for tests, unix time.

    Raises `MisuseError` for what cannot work, an interval under a minute above all.

    For example:

    ```python
    async with ControlApi("eu") as api:
        async for report in ConcurrencyPublisher(api, event_id):
            print(report.value, report.why or "written")
    ```

    A blocking program runs it by way of `poll_counter.control.sync.ControlApi`:

    ```python
    with ControlApi("eu") as api:
        api.call(lambda api: ConcurrencyPublisher(api, event_id).run(print))
    ```
    """

    def __init__(
        self,
        api: ControlApi,
        event_id: str,
        *,
        field: str = CONCURRENCY_FIELD,
        element_id: str | None = None,
        stat: EventStatName = "current_concurrency",
        interval_s: float = READ_INTERVAL_S,
        locale: str = ALL,
        dry_run: bool = False,
        testing_interval_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        if stat not in EVENT_STATS:
            raise MisuseError(f"{stat!r} is no stat; take one of {', '.join(EVENT_STATS)}")
        if not (interval_s >= READ_INTERVAL_S and isfinite(interval_s)):
            raise MisuseError(
                f"interval_s is {interval_s}; the platform allows one read of the stats in "
                f"{READ_INTERVAL_S:g} s, so pass that or more"
            )
        if testing_interval_s is not None and not (
            testing_interval_s > 0.0 and isfinite(testing_interval_s)
        ):
            raise MisuseError(f"testing_interval_s is {testing_interval_s}; pass seconds above 0")
        for name, value in (("field", field), ("locale", locale)):
            if not value:
                raise MisuseError(f"{name} is empty; leave it out, or take it from the App Spec")
        segment(event_id, "an event")
        if element_id is not None:
            segment(element_id, "an element")
        self._api = api
        self._event_id = event_id
        self._field = field
        self._element_id = element_id
        self._stat: EventStatName = stat
        self._interval_s = interval_s if testing_interval_s is None else testing_interval_s
        self._gap_s = READ_INTERVAL_S if testing_interval_s is None else testing_interval_s
        self._locale = locale
        self._dry_run = dry_run
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self._held: int | None = None  # what the field is known to hold

    def __aiter__(self) -> AsyncIterator[Published]:
        """Begin, with a full interval before the first read."""
        return self._reports()

    async def run(self, on_report: Callable[[Published], object] | None = None) -> None:
        """Publish until the event is past.

        Args:
            on_report: called with each report, on the event loop's thread.
        """
        async for report in self:
            if on_report is not None:
                on_report(report)

    async def _reports(self) -> AsyncGenerator[Published, None]:
        read_at = self._clock()
        over = False
        while not over:
            turn = Turn(self._api.key, read_at + self._interval_s, self._gap_s)
            await self._wait(turn)
            at = self._now()
            event: Event | ControlApiError
            try:
                event = await self._api.event(self._event_id, include=["stats"], attempts=1)
            except ControlApiError as error:
                event = error
            finally:
                read_at = self._clock()
                _turns.end(turn, read_at)
            over = isinstance(event, Event) and event.state == "past"
            report = await self._report(at, event)
            logger.info("%s: %s, %s", self._stat, report.value, report.why or "written")
            yield report

    async def _wait(self, turn: Turn) -> None:
        """Wait until it is the publisher's turn to read."""
        _turns.ask(turn)
        try:
            while (wait_s := _turns.take(turn, self._clock())) > 0.0:
                await self._sleep(wait_s)
        finally:
            _turns.leave(turn)

    async def _report(self, at: float, event: Event | ControlApiError) -> Published:
        """Write what was read, unless there is a reason not to."""
        if isinstance(event, ControlApiError):
            return Published(at, self._stat, None, written=False, why=str(event), error=event)
        value = _whole(getattr(event.stats, self._stat, None))
        error = None
        if event.state == "past":
            why = "the event is over"
        elif value is None:
            why = f"the platform told no {self._stat}"
        elif value == self._held:
            why = "it has not changed"
        else:
            self._held = value
            why = "dry run" if self._dry_run else ""
            error = None if self._dry_run else await self._write(value)
            why = str(error) if error else why
        return Published(at, self._stat, value, written=not why, why=why, error=error)

    async def _write(self, value: int) -> ControlApiError | None:
        """Write into the field; the error, if it did not work."""
        field = localised(self._field, value, self._locale)
        try:
            if self._element_id is None:
                await self._api.update_event(self._event_id, {"settings": [field]})
            else:
                await self._api.update_element(self._element_id, {"custom_fields": [field]})
        except ControlApiError as error:
            self._held = None  # nobody knows what the field holds now
            return error
        return None


def _whole(value: float | None) -> int | None:
    """A number of users; None for what cannot be one."""
    return round(value) if value is not None and isfinite(value) and value >= 0 else None
