"""The rounds of all peers, in turns."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec

from simulator.loops import run, running
from tests.benchmarks.figures import TURNS_MIN, Figure, in_turns

from .bare import Bare
from .ours import Ours
from .raw import Raw
from .script import ROUNDS, Peer

__all__ = ["measure"]

WHOLE_ROUND_MIN = 0.55
"""Of the votes per second of bare `websockets`: 0.67 where nothing else runs."""
CONNECT_MIN = 0.5
"""Of the connects per second of bare `websockets`."""
SHOWS = 3
"""All peers play so many: beside other work the median of one show's rounds is a tenth off."""


def _peers() -> dict[str, Callable[[int], Peer]]:
    peers: dict[str, Callable[[int], Peer]] = {
        "ours": Ours,
        "bare websockets, plain JSON": Bare,
        "raw RFC 6455 frames, plain JSON": Raw,
    }
    if find_spec("picows") is not None:
        from .with_picows import WithPicows  # noqa: PLC0415 - a peer, where it is installed

        peers["picows, plain JSON"] = WithPicows
    return peers


async def _play(clients: int) -> tuple[dict[str, list[float]], str]:
    """Let all peers play in turns; processor time, as all share one thread."""
    async with AsyncExitStack() as stack:
        peers: dict[str, Peer] = {}
        for name, make in _peers().items():
            peers[name] = await stack.enter_async_context(make(clients))
        found: dict[str, list[float]] = {name: [] for name in peers}
        for number in range(1, ROUNDS):
            names = [*peers] if number % 2 else [*reversed(peers)]
            for name in names:
                await peers[name].prepare(number)
                await asyncio.sleep(0.05)  # what the peers before left to do
                gc.collect()
                begin = time.process_time()
                await peers[name].play(number)
                found[name].append(time.process_time() - begin)
        return found, running()


async def _connect(peer: Peer) -> float:
    """Connect the clients of a peer; returns the processor time of both ends."""
    gc.collect()
    begin = time.process_time()
    async with peer:
        return time.process_time() - begin


def measure(*, quick: bool) -> list[Figure]:
    """Measure the round, in votes per second of one core for both ends; and connecting."""
    clients = 200 if quick else 1000
    shows = [run(_play(clients)) for _ in range(SHOWS)]
    loop = shows[0][1]
    found = {name: [took for show, _ in shows for took in show[name]] for name in shows[0][0]}
    ours = found.pop("ours")
    per_s = clients / statistics.median(ours)
    figures = []
    for name, other in found.items():
        pairs = zip(ours, other, strict=True)
        ratio = statistics.median(theirs / mine for mine, theirs in pairs)
        limit = WHOLE_ROUND_MIN if name.startswith("bare") else None
        their_per_s = clients / statistics.median(other)
        figures.append(
            Figure(
                f"a round of {clients}, both ends, {loop}",
                f"{per_s:,.0f} votes/s",
                f"{their_per_s:,.0f}/s, {name}",
                ratio,
                limit,
                at_least=True,
            )
        )
    ours_s, bare_s, ratio = in_turns(
        lambda: run(_connect(Ours(clients))), lambda: run(_connect(Bare(clients))), TURNS_MIN
    )
    figures.append(
        Figure(
            "connecting, both ends",
            f"{clients / ours_s:,.0f}/s",
            f"{clients / bare_s:,.0f}/s, bare websockets",
            1.0 / ratio,
            CONNECT_MIN,
            at_least=True,
        )
    )
    return figures
