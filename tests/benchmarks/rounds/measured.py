"""The rounds of all peers, in turns."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import NamedTuple

from simulator.loops import run, running
from tests.benchmarks.figures import Figure

from .bare import Bare
from .ours import Ours
from .raw import Raw
from .script import ROUNDS, Peer

__all__ = ["measure"]

WHOLE_ROUND_MIN = 0.55
"""Of the votes per second of bare `websockets`: 0.67 where nothing else runs."""
CONNECT_MIN = 0.5
"""Of the connects per second of bare `websockets`."""


class _Measured(NamedTuple):
    connect_s: float
    rounds_s: list[float]


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


async def _play(clients: int) -> tuple[dict[str, _Measured], str]:
    """Connect all peers, then let them play in turns; processor time, as all share one thread."""
    found: dict[str, _Measured] = {}
    async with AsyncExitStack() as stack:
        peers: dict[str, Peer] = {}
        for name, make in _peers().items():
            peer = make(clients)
            gc.collect()
            begin = time.process_time()
            peers[name] = await stack.enter_async_context(peer)
            found[name] = _Measured(time.process_time() - begin, [])
        for number in range(1, ROUNDS):
            names = [*peers] if number % 2 else [*reversed(peers)]
            for name in names:
                await peers[name].prepare(number)
                await asyncio.sleep(0.05)  # what the peers before left to do
                gc.collect()
                begin = time.process_time()
                await peers[name].play(number)
                found[name].rounds_s.append(time.process_time() - begin)
        return found, running()


def measure(*, quick: bool) -> list[Figure]:
    """Measure the round, in votes per second of one core for both ends; and connecting."""
    clients = 200 if quick else 1000
    found, loop = run(_play(clients))
    ours = found.pop("ours")
    per_s = clients / statistics.median(ours.rounds_s)
    figures = []
    for name, other in found.items():
        pairs = zip(ours.rounds_s, other.rounds_s, strict=True)
        ratio = statistics.median(theirs / mine for mine, theirs in pairs)
        limit = WHOLE_ROUND_MIN if name.startswith("bare") else None
        their_per_s = clients / statistics.median(other.rounds_s)
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
    bare = found["bare websockets, plain JSON"]
    figures.append(
        Figure(
            "connecting, both ends",
            f"{clients / ours.connect_s:,.0f}/s",
            f"{clients / bare.connect_s:,.0f}/s, bare websockets",
            bare.connect_s / ours.connect_s,
            CONNECT_MIN,
            at_least=True,
        )
    )
    return figures
