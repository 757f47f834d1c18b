"""A server restarts under a crowd: how many clients come back in the same second.

Real clients on sockets, with the delays that an app has unless it says otherwise, against a server
in a process of its own, which is stopped and started again at the same port. The first delay
spreads N clients over 5 s, N / 5 in a second; who came too early, while the server was down, comes
again after them. So on paper it is N / 5 in a second at most, whatever the outage; the rule is: in
no second more than 1.3 times N / 5, which leaves room for luck, and for a machine that is late.

Each outage begins as a round begins, amid its votes: afterwards every client must have counted
every other.

A process that is 2,000 clients is late as no player's machine would be: a sweep of Python's garbage
collector through all that they are made of takes 0.2 s, in which nobody comes; then all come who
were due. So both processes sweep before an outage, not amid it.

    python -m tests.benchmarks.restart_herd [--clients N] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from inspect import signature
from multiprocessing.connection import Connection
from typing import NamedTuple

from poll_counter import MEMORY, PollCounter, State, WebSocketTransport
from poll_counter.transport import backoff_s
from simulator.emulator import Emulator, Entry
from simulator.loops import allow_descriptors, run
from simulator.scenario import Scenario
from simulator.server import LiveServer
from simulator.show import prepare

OUTAGES_S: tuple[float, ...] = (0.5, 2.0, 4.0, 10.0, 30.0)
"""4 s: nearly as long as the first delay, where full jitter would bring 1.45 times N / 5."""
QUICK_OUTAGES_S: tuple[float, ...] = (0.5, 4.0)
LIMIT = 1.3
"""The most connects in a second, in times of a fifth of the clients."""
WINDOW_S = 1.0
ARRIVALS_PER_S = 300
NEVER = 1_000_000
"""So many sweeps of the younger objects before one of the oldest."""
RESULTS_S = 2.0
"""How often results are told: more often, thousands of clients in one process would read all the
time, and come back when they have time rather than when they should."""
PATIENCE_S = 90.0
"""How long everything may take to be well again."""
AWAY = {State.OFFLINE, State.FINISHED}
EVENT = "show"


class Delays(NamedTuple):
    """The delays of an app that does not say otherwise."""

    first_s: float
    cap_s: float


_PARAMETERS = signature(WebSocketTransport).parameters
DELAYS = Delays(*(_PARAMETERS[f"reconnect_{name}"].default for name in Delays._fields))


def comes_back_at(
    outage_s: float, draw: Callable[[], float], delays: Delays = DELAYS
) -> tuple[float, int]:
    """When a client that lost its server at 0 is connected again, and how often it tried.

    As on paper: whatever is tried while the server is down fails at once.
    """
    at, attempt = 0.0, 0
    while True:
        at += backoff_s(attempt, first_s=delays.first_s, cap_s=delays.cap_s, draw=draw)
        attempt += 1
        if at >= outage_s:
            return at, attempt


def peak(times_s: Iterable[float], window_s: float = WINDOW_S) -> int:
    """The most that fall into any window of that length."""
    times = sorted(times_s)
    most = first = 0
    for place, at in enumerate(times):
        while times[first] <= at - window_s:
            first += 1
        most = max(most, place - first + 1)
    return most


class Herd(NamedTuple):
    """What came of one outage."""

    outage_s: float
    was_down_s: float
    clients: int
    peak: int
    last_s: float
    """From the server's return to that of the last client."""
    wrong: int
    """Clients that did not count every client in that round."""

    @property
    def ratio(self) -> float:
        """The peak in times of a fifth of the clients."""
        return self.peak / (self.clients / DELAYS.first_s)

    @property
    def ok(self) -> bool:
        """Whether the rule holds, and the counts are right."""
        return self.ratio <= LIMIT and not self.wrong

    def __str__(self) -> str:
        return (
            f"{self.outage_s:>6g} {self.was_down_s:>8.1f} {self.clients:>8,} {self.peak:>7,} "
            f"{self.ratio:>6.2f} {self.last_s:>7.1f}   "
            + (f"{self.wrong} clients are wrong" if self.wrong else "right")
        )


HEADINGS = "outage was down  clients  peak/s  ratio    last   count"


def sweep() -> None:
    """Sweep garbage now, and then no more than what is young, which takes milliseconds."""
    gc.set_threshold(*gc.get_threshold()[:2], NEVER)
    gc.collect()


# The server, in a process of its own


def serve(orders: Connection, rounds: int) -> None:
    """Serve a show, and do what is ordered, until there is nobody to order."""
    run(_serve(orders, rounds))


async def _serve(orders: Connection, rounds: int) -> None:
    log: list[Entry] = []
    emulator = Emulator(results_interval_s=RESULTS_S, log=log)
    show = prepare(emulator, Scenario(rounds=rounds, spread=3.0), EVENT)
    loop = asyncio.get_running_loop()
    server = LiveServer(emulator)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        server.act(emulator.start, EVENT)
        server.act(emulator.publish, show.polls[0])
        orders.send(server.url)
        while True:
            try:
                order, number = await loop.run_in_executor(None, orders.recv)
            except EOFError:
                return
            if order == "play":
                server.act(emulator.publish, show.trivia[int(number) - 1])
                server.act(emulator.close, show.trivia[int(number) - 1])
                orders.send([])
            elif order == "be down for":
                log.clear()
                sweep()
                down_at = loop.time()
                await stack.aclose()
                await asyncio.sleep(down_at + number - loop.time())
                await stack.enter_async_context(server)
                orders.send([down_at, loop.time()])
            else:
                orders.send([each.at - server.epoch for each in log if each.kind == "joined"])


# The clients


async def herd(
    url: str, orders: Connection, clients: int, outages_s: Sequence[float]
) -> list[Herd]:
    """Let everybody come, take the server down again and again, and see who comes back when."""
    loop = asyncio.get_running_loop()

    async def ask(order: str, number: float = 0.0) -> list[float]:
        orders.send((order, number))
        told: list[float] = await loop.run_in_executor(None, orders.recv)
        return told

    counters = [PollCounter(url, event_id=EVENT, journal=MEMORY) for _ in range(clients)]
    found: list[Herd] = []
    async with AsyncExitStack() as stack:
        for counter in counters:
            await stack.enter_async_context(counter)
            await asyncio.sleep(1.0 / ARRIVALS_PER_S)
        await _until(lambda: all(c.state not in AWAY for c in counters))
        for number, outage_s in enumerate(outages_s, start=1):
            if number > 1:
                await ask("play", number - 1)
            sweep()
            down_at, up_at = await ask("be down for", outage_s)
            await _until(lambda: all(c.state not in AWAY for c in counters))
            joined = await ask("who joined, and when?")
            wrong = await _wrong(counters, number)
            last_s = max(joined) - up_at
            found.append(Herd(outage_s, up_at - down_at, clients, peak(joined), last_s, wrong))
            print(found[-1], flush=True)
    return found


async def _wrong(counters: Sequence[PollCounter], number: int) -> int:
    """How many do not read the count of all, in the end."""

    def wrong() -> int:
        counts = (counter.history.get(number) for counter in counters)
        return sum(count is None or count.players != len(counters) for count in counts)

    await _until(lambda: not wrong())
    return wrong()


async def _until(condition: Callable[[], bool]) -> None:
    """Wait for something, as long as there is patience."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_S
    while not condition() and loop.time() < end:  # noqa: ASYNC110 - thousands of states, no event
        await asyncio.sleep(0.25)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and tell whether the limit holds."""
    parser = argparse.ArgumentParser(description="A server restarts under a crowd.")
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="1,000 clients, two outages")
    options = parser.parse_args(arguments)
    clients = 1000 if options.quick else options.clients
    outages_s = QUICK_OUTAGES_S if options.quick else OUTAGES_S
    allow_descriptors(clients)
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(theirs, len(outages_s) + 1), daemon=True)
    server.start()
    theirs.close()
    print(HEADINGS)
    found = run(herd(ours.recv(), ours, clients, outages_s))
    ours.close()
    server.join(10.0)
    worst = max(each.ratio for each in found)
    print(f"restart herd: at most {worst:.2f} times a fifth of the clients a second, limit {LIMIT}")
    return 0 if all(each.ok for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
