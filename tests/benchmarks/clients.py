"""Memory and processor time of a client over a whole show, against a bare connection's.

The clients live in a process of their own; the served platform, which is the same for both, in
this one. A bare client is `websockets`, reads every frame as JSON and votes in every round.

    python -m tests.benchmarks.clients KIND URL CLIENTS

is that process; it prints KiB and microseconds per client.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from poll_counter import MEMORY, PollCounter, RoundCount
from poll_counter.wire import SUBPROTOCOL
from simulator.server import LiveServer

from .figures import Figure
from .rounds.script import EVENT, ROUNDS, answer, open_poll, started

__all__ = ["measure"]

MEMORY_MAX = 2.5
"""The most that a client may take, in times of a bare connection."""
TURNS = 5


class Clients:
    """As many clients as are asked for, until all of them hold the last round's count."""

    def __init__(self, url: str, clients: int) -> None:
        self.url, self.clients = url, clients
        self.left = clients
        self.over = asyncio.Event()
        self.kept: list[object] = []

    def done(self) -> None:
        """One of them holds the last count."""
        self.left -= 1
        if not self.left:
            self.over.set()

    async def ours(self, _number: int) -> None:
        """Let a `PollCounter` in."""
        welcomed = asyncio.Event()

        def on_count(count: RoundCount) -> None:
            if (count.round, count.votes) == (ROUNDS, self.clients):
                self.done()

        counter = PollCounter(
            self.url,
            event_id=EVENT,
            journal=MEMORY,
            on_state=lambda _: welcomed.set(),
            on_count=on_count,
        )
        self.kept.append(await counter.__aenter__())
        await welcomed.wait()

    async def bare(self, number: int) -> None:
        """Let a bare client in."""
        welcomed = asyncio.Event()
        self.kept.append(asyncio.create_task(self._read(number, welcomed)))
        await welcomed.wait()

    async def _read(self, number: int, welcomed: asyncio.Event) -> None:
        rounds, poll = 0, ""
        async with connect(
            self.url, compression=None, proxy=None, subprotocols=[Subprotocol(SUBPROTOCOL)]
        ) as connection:
            hello = {"type": "hello", "event": EVENT, "user": f"{number:032x}"}
            await connection.send(json.dumps(hello))
            async for frame in connection:
                message = json.loads(frame)
                if message["type"] == "welcome":
                    poll = message["elements"][0]["id"]
                    welcomed.set()
                if message["type"] in {"welcome", "element_state"} and rounds < ROUNDS:
                    await connection.send(json.dumps(answer(rounds + 1, poll, rounds)))
                    rounds += 1
                told = message["type"] == "results" and message["element"] == poll
                if told and message["votes"][-1] == self.clients:
                    self.done()


def _private_kib() -> int:
    text = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8")
    return int(text.split("Private_Dirty:")[1].split()[0])


async def _be(kind: str, url: str, clients: int) -> None:
    crowd = Clients(url, clients)
    some = asyncio.Semaphore(100)

    async def come(number: int) -> None:
        async with some:
            await (crowd.ours if kind == "ours" else crowd.bare)(number)

    gc.collect()
    before = _private_kib()
    await asyncio.gather(*map(come, range(clients)))
    cpu = time.process_time()
    print("joined", flush=True)
    await crowd.over.wait()
    cpu = time.process_time() - cpu
    gc.collect()
    print(json.dumps([(_private_kib() - before) / clients, 1e6 * cpu / clients]), flush=True)
    os._exit(0)  # without goodbyes


async def _show(kind: str, clients: int) -> tuple[float, float]:
    """Run a show for clients of a kind; gives KiB and microseconds per client."""
    emulator, show = started()
    open_poll(emulator, show)
    (poll,) = show.polls
    async with LiveServer(emulator) as server:
        arguments = ("-m", "tests.benchmarks.clients", kind, server.url, str(clients))
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
        assert process.stdout is not None
        async with asyncio.timeout(120.0):
            await process.stdout.readline()
            for number, trivia in enumerate(show.trivia, start=1):
                while sum(emulator.votes(poll)) < clients * number:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)
                server.tell(emulator.wake(emulator.deadline or 0.0))
                if number < ROUNDS:
                    server.act(emulator.publish, trivia)
                    server.act(emulator.close, trivia)
            kib, us = json.loads(await process.stdout.readline())
            await process.wait()
    return kib, us


def measure(*, quick: bool) -> list[Figure]:
    """Measure in turns."""
    clients = 200 if quick else 1000
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
    for turn in range(TURNS):
        for kind in ("ours", "bare") if turn % 2 else ("bare", "ours"):
            found[kind].append(asyncio.run(_show(kind, clients)))
    kib, us = (statistics.median(each) for each in zip(*found["ours"], strict=True))
    bare_kib, bare_us = (statistics.median(each) for each in zip(*found["bare"], strict=True))
    floor = "bare websockets"
    memory = f"{kib:.1f} KiB", f"{bare_kib:.1f} KiB, {floor}", kib / bare_kib
    work = f"{us / 1000:.2f} ms", f"{bare_us / 1000:.2f} ms, {floor}", us / bare_us
    return [
        Figure("memory of a client after a show", *memory, MEMORY_MAX),
        Figure("processor time of a client, whole show", *work),
    ]


if __name__ == "__main__":
    asyncio.run(_be(sys.argv[1], sys.argv[2], int(sys.argv[3])))
