"""What one player costs the platform on sockets: processor time and memory, by what is done.

The platform is in this process, the crowd of real clients in another. Processor time is measured,
not wall time, so that other programs on the machine decide less:

* a connection: from the first player's arrival to the last one's, a handshake, hello and welcome;
* a tally: results told to everybody who is connected, a frame each;
* a vote: taken, answered, and logged, without the tallies that follow.

Medians of several tallies; of connections and votes there is one each to a player.

    python -m tests.benchmarks.platform_costs [--players N] [--tallies N]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from poll_counter.facts import ResultsTold
from simulator.choices import Choices
from simulator.emulator import Delivery
from simulator.host import make_show
from simulator.loops import allow_descriptors, run, running
from simulator.platform import Platform
from simulator.scenario import Scenario
from simulator.shards import Shards
from simulator.sockets import arrival, end_task
from simulator.swarm import make_transport

DRAIN_S = 1.0
"""What a crowd has to read a tally, and to be idle again."""
QUIET = 3600.0
"""Seconds between results of the platform's own accord: none while votes are measured."""


def memory_mb() -> float:
    """What this process holds now, megabytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def measure(players: int, tallies: int) -> dict[str, float | str]:
    """Measure a platform with so many players; microseconds of processor time each."""
    scenario = Scenario(players=players, rounds=1, round_time=60.0, spread=10.0)
    allow_descriptors(players)
    platform = Platform(Choices(results_interval_s=QUIET))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(platform)
        api = await stack.enter_async_context(platform.api())
        show = await make_show(api, platform.project_id, scenario)
        (poll,) = show.polls
        shards = Shards(platform.live.url, show.event_id, scenario, make_transport, 1)
        crowd = await stack.enter_async_context(shards)
        gc.collect()
        memory, spent = memory_mb(), time.process_time()
        coming = asyncio.create_task(crowd.run())
        stack.push_async_callback(end_task, coming)
        await arrival(crowd, coming)
        connecting = time.process_time() - spent
        await asyncio.sleep(DRAIN_S)
        memory = memory_mb() - memory
        tally = ResultsTold("another-poll", (players,) * 10)
        idle = await _spent(lambda: None)
        told = [
            await _spent(lambda: platform.live.tell([Delivery(show.event_id, None, tally)]))
            for _ in range(tallies)
        ]
        platform.live.act(platform.emulator.start, show.event_id)
        spent, began = time.process_time(), time.monotonic()
        platform.live.act(platform.emulator.publish, poll)
        while sum(platform.emulator.votes(poll)) < players:  # noqa: ASYNC110 - it is pure
            await asyncio.sleep(0.2)
        voting = time.process_time() - spent - idle * (time.monotonic() - began) / DRAIN_S
    us = 1e6 / players
    return {
        "players": players,
        "loop": running(),
        "connection_us": round(connecting * us, 1),
        "connection_kib": round(memory * 1024.0 / players, 1),
        "tally_us": round((statistics.median(told) - idle) * us, 2),
        "vote_us": round(voting * us, 1),
    }


async def _spent(act: Callable[[], object]) -> float:
    """Processor time from an act until it has drained."""
    before = time.process_time()
    act()
    await asyncio.sleep(DRAIN_S)
    return time.process_time() - before


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--players", type=int, default=2000, help="default: 2000")
    parser.add_argument("--tallies", type=int, default=20, help="default: 20")
    options = parser.parse_args()
    print(json.dumps(run(measure(options.players, options.tallies))))


if __name__ == "__main__":
    main()
