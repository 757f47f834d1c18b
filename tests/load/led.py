"""A whole load test in one process: stage and guests talk over real pipes, without Locust."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from simulator.load.guests import attend
from simulator.load.leader import Leader
from simulator.load.pipes import Pipe, pipe
from simulator.load.stage import set_stage
from simulator.load.words import Here, Prepare, Sample, Samples, Seats, Verdict, Word
from simulator.scenario import Scenario
from simulator.swarm import TransportFactory, make_transport

__all__ = ["GUARD_S", "Outcome", "conversation", "led", "next_word"]

GUARD_S = 60.0
"""A test that waits longer has failed."""


@asynccontextmanager
async def conversation() -> AsyncGenerator[tuple[Pipe, Pipe], None]:
    """Give the two ends of a talk over pipes: the parent's, and the child's."""
    down, up = os.pipe(), os.pipe()
    async with AsyncExitStack() as stack:
        ends = [
            await stack.enter_async_context(
                pipe(os.fdopen(source, "rb", 0), os.fdopen(sink, "wb", 0))
            )
            for source, sink in ((up[0], down[1]), (down[0], up[1]))
        ]
        yield ends[0], ends[1]


async def next_word(talk: Pipe, *kinds: type[Word]) -> Word:
    """The next word of these kinds; others are left out."""
    async with asyncio.timeout(GUARD_S):
        while not isinstance(word := await talk.word(), kinds):
            assert word is not None, "the other end is gone"
    assert word is not None
    return word


class Outcome:
    """What came of a load test."""

    def __init__(self) -> None:
        self.verdict = Verdict(text="")
        self.samples: list[Sample] = []
        self.invited: dict[str, int] = {}

    @property
    def rules(self) -> set[str]:
        """The rules that were broken, without their rounds."""
        return {failure.rule.partition(": ")[2] for failure in self.verdict.failures}

    def times(self, name: str) -> list[float]:
        """Milliseconds of what has this name."""
        return [sample.ms for sample in self.samples if sample.name == name]


async def led(
    scenario: Scenario, factories: Sequence[TransportFactory] = (make_transport, make_transport)
) -> Outcome:
    """Play a whole show with a follower for each of the factories."""
    outcome = Outcome()
    async with asyncio.timeout(GUARD_S), AsyncExitStack() as stack:
        stage, stage_child = await stack.enter_async_context(conversation())
        talks: dict[str, Pipe] = {}
        children = [asyncio.create_task(set_stage(stage_child))]
        for number, factory in enumerate(factories):
            talks[f"F{number}"], child = await stack.enter_async_context(conversation())
            children.append(asyncio.create_task(attend(child, factory)))
        leader = Leader(
            scenario, len(factories), lambda name, word: talks[name].tell(word), stage.tell
        )

        async def read(name: str, talk: Pipe) -> None:
            while (word := await talk.word()) is not None:
                if isinstance(word, Samples):
                    outcome.samples += word.samples
                else:
                    leader.heard(name, word, time.monotonic(), time.time())

        async def read_stage() -> None:
            while (word := await stage.word()) is not None:
                leader.staged(word, time.monotonic())

        reading = [asyncio.create_task(read(name, talk)) for name, talk in talks.items()]
        reading.append(asyncio.create_task(read_stage()))
        for name in talks:
            leader.heard(name, Here(at=time.time()), time.monotonic(), time.time())
        stage.tell(Prepare(scenario=scenario, listen="127.0.0.1", replay="the same again"))
        outcome.verdict = await _seat(leader, list(talks), outcome.invited)
        for task in reading:
            task.cancel()
        await asyncio.wait(children)
        for task in children:
            task.result()
    return outcome


async def _seat(leader: Leader, names: Sequence[str], invited: dict[str, int]) -> Verdict:
    """Start users by turns, as many as are due, until the verdict."""
    turns = itertools.cycle(names)
    while leader.verdict is None:
        await asyncio.sleep(0.05)
        for name in itertools.islice(turns, leader.due(time.monotonic()) - sum(invited.values())):
            invited[name] = invited.get(name, 0) + 1
            leader.heard(name, Seats(more=1), time.monotonic(), time.time())
    return leader.verdict
