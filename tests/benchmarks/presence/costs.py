"""What a show costs: messages, bytes and processor time."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from poll_counter.wire import encode_fact
from tests.benchmarks.rounds.script import ROUNDS, open_poll, started

__all__ = ["Bytes", "Cost", "Plan", "little_by_little", "pushes"]

BYTES_SENT, BYTES_RECEIVED = 120, 128
"""Where Linux says, in `struct tcp_info`, how many bytes were acknowledged, and how many came."""


class Plan(NamedTuple):
    """A show, as all play it."""

    players: int = 1000
    rounds: int = ROUNDS
    ramp_s: float = 5.0
    """In which all players come, and in which they leave."""


class Cost(NamedTuple):
    """What a whole show costs."""

    up: int
    """Messages of clients: but for the protocols' pings, and the show's own pushes."""
    down: int
    """The server's."""
    wire_bytes: int
    """Of TCP's payload, both ways: with handshakes, frames' headers and the show's own pushes."""
    cpu_s: float
    """Processor time of both ends."""

    @property
    def messages(self) -> int:
        """Both ways."""
        return self.up + self.down


class Bytes:
    """Sums up what went through connections, each of which is read before its end."""

    def __init__(self) -> None:
        self.total = 0

    def read(self, connection: socket.socket) -> None:
        """Add what went through a connection so far, as the system counts it."""
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        for at in (BYTES_SENT, BYTES_RECEIVED):
            self.total += struct.unpack_from("=Q", info, at)[0]


async def little_by_little(actions: Sequence[Callable[[], Awaitable[Any]]], over_s: float) -> None:
    """Begin with each at its time, or as soon as the loop has time; wait for all."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    tasks = list[asyncio.Future[Any]]()
    for number, action in enumerate(actions):
        await asyncio.sleep(began + over_s * number / len(actions) - loop.time())
        tasks.append(asyncio.ensure_future(action()))
    await asyncio.gather(*tasks)


def pushes(rounds: int) -> list[str]:
    """The show's own frames: what everybody is told as each trivia is published and closed."""
    emulator, show = started()
    open_poll(emulator, show)
    told = [
        each
        for trivia in show.trivia[:rounds]
        for each in emulator.publish(trivia, 0.0) + emulator.close(trivia, 0.0)
    ]
    return [encode_fact(each.fact) for each in told]
