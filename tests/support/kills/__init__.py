"""Kills a player's process again and again; `python -m tests.support.kills` does so often.

The player is a process of its own, with its journal in a file and a socket to a platform that is
served here. It is killed and started again, and the show waits for it: however often that happens,
the player is counted once in every round. Where the platform takes several votes a player may be
lost, and is never counted twice.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from poll_counter.elements import POLL_MARK
from simulator.emulator import Emulator, Settings
from simulator.limits import Limits
from simulator.server import LiveServer
from tests.support.mortal import live

EVENT, POLL = "show", "P"
OPTIONS: Final = 10
GUARD_S: Final = 60.0
"""What has not happened by then will not."""
START_S: Final = 0.1
"""Some processes live for up to this: they die while they start, or when all is done."""
VOTE_S: Final = 0.0001, 0.01
"""Others live this long once they are connected: they die while they vote."""

_processes = get_context("forkserver")  # a process is there in milliseconds, all modules loaded
_processes.set_forkserver_preload(["tests.support.mortal"])


@dataclass(slots=True)
class Outcome:
    """What became of the votes of one player, over all rounds played."""

    rounds: int = 0
    kills: int = 0
    lost: int = 0
    doubled: int = 0
    died_with: Counter[str] = field(default_factory=Counter)
    """How far the round's vote was when a process was killed -> how often."""

    def add(self, other: Outcome) -> None:
        """Take in what became of another player."""
        self.rounds += other.rounds
        self.kills += other.kills
        self.lost += other.lost
        self.doubled += other.doubled
        self.died_with += other.died_with


class Stage:
    """A show with one player, who is a process that can be killed and started again.

    Args:
        journal: the player's file.
        limit: the votes that the platform takes of a player per option.
    """

    def __init__(self, journal: Path, *, limit: int) -> None:
        self.journal = journal
        self.outcome = Outcome()
        self._limit = limit
        self._emulator = Emulator(results_interval_s=0.0)
        often = Limits(hellos_burst=100_000)  # an app that is killed says hello again and again
        self._server = LiveServer(self._emulator, limits=often)
        self._process: ForkServerProcess | None = None
        self._round = 1
        self._gave_up = False

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        poll = Settings(
            "hidden-poll",
            "poll",
            options=tuple(f"Round {n + 1}" for n in range(OPTIONS)),
            custom_fields={POLL_MARK: 1, "poll_counter_spread_s": 0},
            max_votes_per_user=OPTIONS * self._limit,
            max_votes_per_option=self._limit,
        )
        self._emulator.add_event(EVENT)
        self._emulator.add_element(EVENT, POLL, poll)
        for n in range(OPTIONS):
            trivia = Settings("trivia", "trivia", options=("yes", "no"))
            self._emulator.add_element(EVENT, f"T{n + 1}", trivia)
        self._server.act(self._emulator.start, EVENT)
        self._server.act(self._emulator.publish, POLL)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.kill()
        await self._server.__aexit__(exc_type, exc, traceback)

    def start(self, step: str = "", nth: int = 0) -> None:
        """Start the player's process, if there is none; it may be one that dies at a step."""
        if self._process is not None:
            return
        self._gave_up = self._limit > 1 and self.stage == "cast"
        arguments = self._server.url, EVENT, str(self.journal), step, nth
        self._process = _processes.Process(target=live, args=arguments, daemon=True)
        self._process.start()

    async def kill(self, after_s: float = 0.0, *, connected: bool = False) -> None:
        """Kill the process, if there is one: after a while, at once, or once it is connected."""
        process = self._process
        if process is None:
            return
        if connected:
            await until(lambda: self._emulator.connected(EVENT) > 0)
        if after_s:  # in a thread, which keeps time much better than an event loop does
            await asyncio.to_thread(time.sleep, after_s)
        process.kill()
        await until(self._is_dead)
        await until(lambda: self._emulator.connected(EVENT) == 0)

    @property
    def stage(self) -> str:
        """How far the round's vote is, by the journal: nothing, `cast` or `answered`."""
        try:
            held = json.loads(self.journal.read_bytes())
        except FileNotFoundError:
            return "nothing"
        stages = held["events"].get(EVENT, {}).get(POLL, {})
        return str(stages.get(str(self._round - 1), "nothing"))

    async def play(self) -> None:
        """Wait until the player has voted in this round, starting it when dead; end the round."""
        await until(self._is_settled)
        for act in self._emulator.publish, self._emulator.close:
            self._server.act(act, f"T{self._round}")
        self._round += 1
        self._gave_up = False

    async def end(self) -> Outcome:
        """Stop the event, wait for the player's process to end by itself, and count."""
        self.start()
        self._server.act(self._emulator.stop, EVENT)
        process = self._process
        assert process is not None
        await until(lambda: process.exitcode is not None)
        assert process.exitcode == 0, f"the player ended with {process.exitcode}"
        self._process = None
        self.outcome.rounds = self._round - 1
        for votes in self._emulator.votes(POLL)[: self.outcome.rounds]:
            self.outcome.lost += votes == 0
            self.outcome.doubled += votes > 1
        return self.outcome

    def _is_dead(self) -> bool:
        """Whether there is no process; one that has just died leaves the stage."""
        if self._process is not None and self._process.exitcode is not None:
            assert self._process.exitcode < 0, "the player failed"
            self._process.close()
            self._process = None
            self.outcome.kills += 1
            self.outcome.died_with[self.stage] += 1
        return self._process is None

    def _is_settled(self) -> bool:
        """Whether the round's vote was answered, or never will be, and a process goes on."""
        if self._is_dead():
            self.start()
        connected = self._emulator.connected(EVENT) > 0
        return self.stage == "answered" or (self._gave_up and connected)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another process."""
    async with asyncio.timeout(GUARD_S):
        while not condition():  # noqa: ASYNC110 - another process sets no event of this loop
            await asyncio.sleep(0.002)


async def die_at(journal: Path, step: str, nth: int, *, limit: int) -> Outcome:
    """Play three rounds with a process that dies when it takes a step for the n-th time.

    What it hands over, it does in order: when the vote of the third round has come, so has
    whatever was handed over in the rounds before.
    """
    async with Stage(journal, limit=limit) as stage:
        stage.start(step, nth)
        for _ in range(3):
            await stage.play()
        return await stage.end()


async def die_at_random(journal: Path, seed: int, *, limit: int, times: int) -> Outcome:
    """Kill the process at random moments, twice in a round, and play one round in peace."""
    draw = random.Random(seed)
    low, high = map(math.log, VOTE_S)
    async with Stage(journal, limit=limit) as stage:
        for number in range(times):
            stage.start()
            if draw.random() < 0.5:
                await stage.kill(draw.uniform(0.0, START_S))
            else:
                await stage.kill(math.exp(draw.uniform(low, high)), connected=True)
            if number % 2:
                await stage.play()
        await stage.play()
        return await stage.end()


KILLS_MAX: Final = 2 * (OPTIONS - 1)
"""How often one player may be killed: twice in each round but the last."""


async def many(times: int, seed: int, *, limit: int) -> Outcome:
    """Kill some players' processes, as often as asked for in all."""
    total = Outcome()
    with tempfile.TemporaryDirectory() as folder:
        for number, before in enumerate(range(0, times, KILLS_MAX)):
            journal, some = Path(folder, f"{number}.json"), min(KILLS_MAX, times - before)
            total.add(await die_at_random(journal, seed + number, limit=limit, times=some))
    return total
