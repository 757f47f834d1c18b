"""The platform's own number: connected users, read on a server, written into a field for apps."""

import asyncio
from contextlib import AsyncExitStack

from poll_counter import MEMORY, PollCounter, State
from poll_counter.control import ConcurrencyPublisher
from simulator.platform import Platform

EVENT = {"name": "Friday's show", "start_mode": "manual", "duration": 3600, "settings": []}


async def main() -> None:
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(Platform())  # instead of the real one
        api = await stack.enter_async_context(platform.api())
        event = await api.create_event(platform.project_id, EVENT)
        await api.start_event(event.id)

        # Three apps. Each reads the field as it comes.
        connected, told = asyncio.Queue[State](), asyncio.Queue[int]()
        for _ in range(3):
            app = PollCounter(
                platform.live.url,
                event_id=event.id,
                journal=MEMORY,
                on_state=connected.put_nowait,
                on_concurrency=told.put_nowait,
            )
            await stack.enter_async_context(app)
            await connected.get()
        # The producer's script. Yours: no testing_interval_s, the platform allows one read a minute
        async for report in ConcurrencyPublisher(api, event.id, testing_interval_s=0.05):
            print(f"{report.value} users are connected, {report.why or 'written'}")
            if report.written:
                break
        print("the apps read", [await told.get() for _ in range(3)])


asyncio.run(main())
