"""Both documented ways to a number, end to end on loopback: publisher, platform, 200 apps."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from poll_counter import MEMORY, PollCounter
from poll_counter.control import ConcurrencyPublisher, ControlApi, Published, hidden_poll
from poll_counter.elements import CONCURRENCY_FIELD
from simulator.platform import Platform
from tests.support.waiting import soon, until

PLAYERS = 200


async def started_event(platform: Platform, api: ControlApi) -> str:
    """Make an event, and start it; returns its id."""
    attributes = {"name": "A show", "start_mode": "manual", "duration": 3600, "settings": []}
    event = await api.create_event(platform.project_id, attributes)
    await api.start_event(event.id)
    return event.id


async def crowd(stack: AsyncExitStack, platform: Platform, event_id: str) -> list[PollCounter]:
    """Let 200 apps connect."""
    url = platform.live.url
    counters = [
        await stack.enter_async_context(PollCounter(url, event_id=event_id, journal=MEMORY))
        for _ in range(PLAYERS)
    ]
    await until(lambda: platform.emulator.connected(event_id) == PLAYERS)
    return counters


async def test_every_app_reads_the_concurrency_from_the_events_field() -> None:
    """The number is read from the Control API, written into a field, and republished to all."""
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(Platform())
        api = await stack.enter_async_context(platform.api())
        event_id = await started_event(platform, api)
        counters = await crowd(stack, platform, event_id)
        publisher = ConcurrencyPublisher(api, event_id, testing_interval_s=0.05)
        report = await soon(anext(aiter(publisher)))
        assert (report.value, report.written) == (PLAYERS, True)
        await until(lambda: all(counter.concurrency == PLAYERS for counter in counters))
        event = await api.event(event_id)
        assert event.fields == {CONCURRENCY_FIELD: PLAYERS}


async def test_every_app_reads_the_concurrency_from_an_elements_field() -> None:
    """The same with a field of a published element, here the hidden poll."""
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(Platform())
        api = await stack.enter_async_context(platform.api())
        event_id = await started_event(platform, api)
        counters = await crowd(stack, platform, event_id)
        (poll,) = await hidden_poll.create(api, event_id, publish=True)
        publisher = ConcurrencyPublisher(api, event_id, element_id=poll.id, testing_interval_s=0.05)
        assert (await soon(anext(aiter(publisher)))).written
        await until(lambda: all(counter.concurrency == PLAYERS for counter in counters))


class Clock:
    """A clock that stands still until somebody waits."""

    def __init__(self) -> None:
        self.now = 5000.0

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.now += seconds
        await asyncio.sleep(0)


async def test_no_second_read_within_a_minute() -> None:
    """By default the reads are a minute apart, and a restart waits a minute before the first."""
    clock, began = Clock(), 5000.0
    reports = list[tuple[float, Published]]()
    async with Platform() as platform, platform.api() as api:
        event_id = await started_event(platform, api)
        for _ in range(2):  # the second is a program that was started again
            publisher = ConcurrencyPublisher(
                api, event_id, clock=lambda: clock.now, sleep=clock.sleep
            )
            async for report in publisher:
                reports.append((clock.now - began, report))
                if len(reports) % 3 == 0:
                    break
    assert [at for at, _ in reports] == [60.0, 120.0, 180.0, 240.0, 300.0, 360.0]
    assert all(report.value == 0 for _, report in reports)
