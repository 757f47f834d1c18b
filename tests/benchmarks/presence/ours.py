"""The show by this library: the served emulator, and `PollCounter`s."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Collection
from functools import partial

from websockets.asyncio.server import ServerConnection

from poll_counter import MEMORY, PollCounter, RoundCount, WebSocketTransport
from poll_counter.machine import DEFAULT_SPREAD_S
from poll_counter.wire import Answer, Hello
from simulator.emulator import Emulator
from simulator.scenario import Scenario
from simulator.server import LiveServer
from simulator.show import prepare
from tests.benchmarks.rounds.script import EVENT

from .costs import Bytes, Cost, Plan, little_by_little

__all__ = ["play"]


class _Counted(LiveServer):
    """Counts what is said for the sake of the count."""

    poll = ""
    up = down = 0

    def _send(self, connections: Collection[ServerConnection], frame: str) -> None:
        if json.loads(frame).get("element", self.poll) == self.poll:  # else it is the show's own
            self.down += len(connections)
        super()._send(connections, frame)

    async def _hello(self, connection: ServerConnection) -> Hello | None:
        self.up += 1
        return await super()._hello(connection)

    def _vote(self, number: int, connection: ServerConnection, user: str, vote: Answer) -> None:
        self.up += 1
        super()._vote(number, connection, user, vote)


async def play(plan: Plan, interval_s: float) -> Cost:
    """Play a whole show, with the spread that apps have; results are told once an interval."""
    emulator = Emulator(results_interval_s=interval_s)
    show = prepare(emulator, Scenario(rounds=plan.rounds, spread=DEFAULT_SPREAD_S), EVENT)
    told = Counter[int]()
    all_told = [asyncio.Event() for _ in range(plan.rounds + 1)]

    def on_count(count: RoundCount) -> None:
        if count.players == plan.players:
            told[count.round] += 1
            if told[count.round] == plan.players:
                all_told[count.round].set()

    began, on_wire = time.process_time(), Bytes()
    async with _Counted(emulator) as server:
        (server.poll,) = show.polls
        server.act(emulator.start, EVENT)
        server.act(emulator.publish, server.poll)

        transports = [WebSocketTransport(server.url) for _ in range(plan.players)]
        counters = [
            PollCounter(transport=each, event_id=EVENT, journal=MEMORY, on_count=on_count)
            for each in transports
        ]

        async def leave(transport: WebSocketTransport, counter: PollCounter) -> None:
            assert transport._connection is not None
            on_wire.read(transport._connection.transport.get_extra_info("socket"))
            await counter.__aexit__(None, None, None)

        await little_by_little([each.__aenter__ for each in counters], plan.ramp_s)
        for number, trivia in enumerate(show.trivia, start=1):
            await all_told[number].wait()  # all know of all
            server.act(emulator.publish, trivia)
            server.act(emulator.close, trivia)
        await asyncio.sleep(2.0 * interval_s)
        leaving = [partial(leave, *each) for each in zip(transports, counters, strict=True)]
        await little_by_little(leaving, plan.ramp_s)
    return Cost(server.up, server.down, on_wire.total, time.process_time() - began)
