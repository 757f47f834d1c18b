"""A crowd in several processes, each with a slice of the players, led by the one that counts.

The leader has the platform and the host. Every worker makes its slice from the scenario, whose
draws depend on (seed, player) alone; so the crowd is the same in any number of processes. Leader
and workers talk over pipes: orders one way, what the workers see the other. A worker whose leader
is gone ends, and the run of a leader whose worker is gone fails.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeAlias

from poll_counter import PollCounterError

from .loops import allow_descriptors, at_rest, run
from .scenario import Scenario
from .statement import Statement
from .swarm import Crowd, Slice, Swarm, TransportFactory, make_transport

__all__ = ["Shards", "WorkerLostError", "gathered"]

GLANCE_S = 0.5
"""How often a worker tells how its players are."""
GLANCE_SHARE = 0.02
"""The share of its time that it looks at them, at most."""

Order: TypeAlias = tuple[Literal["run", "began", "statement"], float]
"""What a leader tells: to let the players come; when round 1 began, on the loop's clock; to end,
and say what became of them."""
Word: TypeAlias = Literal["ready", "glance", "arrived", "over", "statement"]
"""What a worker tells: that it can begin, how its players are, that all are in, that all have
left, and what they say."""


class WorkerLostError(PollCounterError):
    """A process with some of the crowd ended before its time: nothing can be said of the run."""


class Glance(NamedTuple):
    """How some of the crowd are."""

    connected: int
    votes_accepted: int
    phase: str
    elapsed_s: float
    counts: list[str]


@asynccontextmanager
async def gathered(
    url: str | Sequence[str],
    event_id: str,
    scenario: Scenario,
    make_transport: TransportFactory = make_transport,
    processes: int = 1,
) -> AsyncGenerator[Crowd]:
    """Give a crowd while the block runs: on this loop, or spread over several processes.

    Args:
        url: the live channel; of several nodes, all of them.
        event_id: the event.
        scenario: how many players, and what happens to them.
        make_transport: makes a player's transport; with several processes it has to be pickled.
        processes: over how many processes the players are spread.
    """
    if processes == 1:
        yield Swarm(url, event_id, scenario, make_transport)
        return
    async with Shards(url, event_id, scenario, make_transport, processes) as shards:
        yield shards


def listen(
    connection: Connection, take: Callable[[Any], object], gone: Callable[[], object]
) -> threading.Thread:
    """Have the running loop told what comes over a pipe, and that its other end is gone.

    A thread reads: libuv would make the pipe one that does not wait for the rest of a message.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know
            with suppress(EOFError, OSError):
                while True:
                    loop.call_soon_threadsafe(take, connection.recv())
            loop.call_soon_threadsafe(gone)

    thread = threading.Thread(target=read, name="pipe", daemon=True)
    thread.start()
    return thread


# The leader


class _Link:
    """A worker, as its leader sees it."""

    def __init__(self, name: str, process: BaseProcess, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.process = process
        self.connection = connection
        self.glance = Glance(0, 0, "players arrive", 0.0, [])
        said: tuple[Word, ...] = "ready", "arrived", "over", "statement"
        self.said: dict[Word, asyncio.Future[Any]] = {word: loop.create_future() for word in said}
        self._listening = listen(connection, self._take, self._lose)

    def tell(self, order: Order) -> None:
        """Give an order; one that is gone is found out by listening."""
        with suppress(OSError):
            self.connection.send(order)

    def end(self) -> None:
        """End it, if it has not ended; the leader is done with it."""
        self.process.terminate()
        self.process.join()
        self._listening.join()  # it hears the end of the process
        self.connection.close()
        for future in self.said.values():
            future.cancel()

    def _take(self, message: tuple[Word, Any]) -> None:
        word, value = message
        if word == "glance":
            self.glance = value
        elif not self.said[word].done():
            self.said[word].set_result(value)

    def _lose(self) -> None:
        self.process.join(1.0)
        code = self.process.exitcode
        how = "its pipe broke" if code is None else f"exit code {code}"
        if code is not None and code < 0:
            how = f"killed by {signal.Signals(-code).name}"
        lost = WorkerLostError(
            f"{self.name} of the crowd is gone ({how}), and with it what its players saw, so that "
            "this run says nothing; run it again, with fewer players if memory was short"
        )
        for future in self.said.values():
            if not future.done():
                future.set_exception(lost)
                future.exception()  # not everything is waited for


class Shards:
    """A crowd in several processes; ends them with its block. See `Crowd`, and `gathered`."""

    def __init__(
        self,
        url: str | Sequence[str],
        event_id: str,
        scenario: Scenario,
        make_transport: TransportFactory,
        processes: int,
    ) -> None:
        self.scenario = scenario
        self.arrived = asyncio.Event()
        self._what = url, event_id, scenario, make_transport
        self._processes = processes
        self._workers: list[_Link] = []
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start the processes, and wait until they can begin."""
        context = multiprocessing.get_context("spawn")
        level = logging.getLogger("poll_counter").level
        try:
            for number in range(self._processes):
                part = Slice.of(self.scenario, number, self._processes)
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=work,
                    args=(theirs, partial(Swarm, *self._what, part), level),
                    daemon=True,
                )
                process.start()
                theirs.close()
                name = f"process {number + 1} of the {self._processes}"
                self._workers.append(_Link(name, process, ours))
            await self._all("ready")
        except BaseException:
            await self._end()
            raise
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the processes."""
        await self._end()

    @property
    def connected(self) -> int:
        """How many players are connected now."""
        return sum(worker.glance.connected for worker in self._workers)

    @property
    def votes_accepted(self) -> int:
        """How many of their votes were said to be counted, so far."""
        return sum(worker.glance.votes_accepted for worker in self._workers)

    @property
    def phase(self) -> str:
        """What is going on, as an observer sees it."""
        return self._workers[0].glance.phase if self.arrived.is_set() else "players arrive"

    @property
    def elapsed_s(self) -> float:
        """Seconds since round 1 began; 0 before."""
        return self._workers[0].glance.elapsed_s

    @property
    def counts(self) -> list[str]:
        """The players of each round so far, as an observer holds them."""
        return max((worker.glance.counts for worker in self._workers), key=len)

    def keep_time(self, at: float) -> None:
        """The show is there now, in seconds from the beginning of round 1, as planned."""
        began = asyncio.get_running_loop().time() - at
        self._tell(("began", began))  # the same clock in all processes

    async def run(self) -> None:
        """Let everybody join, play, drop and leave, until all have left or the event is over.

        Raises `WorkerLostError` as soon as one of the processes is gone.
        """
        self._tell(("run", 0.0))
        await self._all("over")

    async def make_statement(self) -> Statement:
        """End what is left of the crowd, and tell what became of everybody."""
        self._tell(("statement", 0.0))
        return Statement.together(await self._all("statement"))

    def _tell(self, order: Order) -> None:
        for worker in self._workers:
            worker.tell(order)

    async def _all(self, word: Word) -> list[Any]:
        return await asyncio.gather(*(worker.said[word] for worker in self._workers))

    async def _watch(self) -> None:
        with suppress(WorkerLostError):  # `run` says so
            await self._all("arrived")
            self.arrived.set()

    async def _end(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        for worker in self._workers:
            worker.end()


# The worker


def work(connection: Connection, make: Callable[[], Swarm], log_level: int) -> None:
    """Be a worker: the main function of its process.

    Args:
        connection: the pipe to the leader.
        make: makes the slice of the crowd.
        log_level: of the library.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the leader, who ends its workers
    logging.getLogger("poll_counter").setLevel(log_level)

    async def obey() -> None:
        swarm = make()
        allow_descriptors(len(swarm.players) + len(swarm.hostile))
        await Worker(connection, swarm).run()

    run(obey())


class Worker:
    """Drives a slice of the crowd as the leader says, until it wants to know all or is gone.

    Args:
        connection: the pipe to the leader.
        swarm: the slice.
    """

    def __init__(self, connection: Connection, swarm: Swarm) -> None:
        self._connection = connection
        self._swarm = swarm
        self._begin = asyncio.Event()
        self._end = asyncio.Event()
        self._must_state = False

    async def run(self) -> None:
        """Obey; raises what breaks the crowd."""
        listen(self._connection, self._take, self._end.set)  # until the leader is gone
        self._tell("ready")
        async with asyncio.TaskGroup() as group:
            doings = self._play(), self._tell_arrival(), self._glance()
            tasks = [group.create_task(doing) for doing in doings]
            await self._end.wait()
            for task in tasks:
                task.cancel()
        if self._must_state:
            self._tell("statement", await self._swarm.make_statement())

    async def _play(self) -> None:
        await self._begin.wait()
        await self._swarm.run()
        self._tell("over")

    async def _tell_arrival(self) -> None:
        await self._swarm.arrived.wait()
        with at_rest():
            self._tell("arrived")
            await self._end.wait()

    async def _glance(self) -> None:
        swarm, took_s = self._swarm, 0.0
        while True:
            await asyncio.sleep(max(GLANCE_S, took_s / GLANCE_SHARE))
            began = time.perf_counter()
            glance = Glance(
                swarm.connected, swarm.votes_accepted, swarm.phase, swarm.elapsed_s, swarm.counts
            )
            took_s = time.perf_counter() - began
            self._tell("glance", glance)

    def _tell(self, word: Word, value: object = None) -> None:
        with suppress(OSError):  # the leader is gone, and whoever listens learns it
            self._connection.send((word, value))

    def _take(self, message: Order) -> None:
        order, at = message
        if order == "run":
            self._begin.set()
        elif order == "began":
            self._swarm.keep_time(asyncio.get_running_loop().time() - at)
        else:
            self._must_state = True
            self._end.set()
