"""Hostile peers of the live channel, in a process of their own.

Each offers at least a hundred frames a second, of one bad kind, until it is refused, and is back
within a second. They write bytes on sockets: what a good client never sends, no library does.

The process reads one line of JSON from standard input, an `Order`, and attacks until its input
ends. Then it prints what it has done, as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from websockets.frames import Frame, Opcode

from poll_counter.wire import SUBPROTOCOL

__all__ = ["MANNERS", "Order", "Outcome", "attacking"]

Manner = Literal[
    "votes", "others", "forged", "hellos", "garbage", "oversize", "pings", "pieces", "deaf", "slow"
]
MANNERS: Final[tuple[Manner, ...]] = get_args(Manner)
"""Votes for all options as itself; votes that name another user; hellos as another user; hellos
again and again; frames that are no JSON; frames that are too long; pings; messages in pieces of a
byte; votes, and never reads an answer; handshakes that drip."""

TICK_S: Final = 0.05
FRAMES_PER_S: Final = 160.0
"""What is offered: a late tick offers as much more."""
PAUSE_S: Final = 1.0
"""Who is refused is back within this."""
UNSENT_MAX: Final = 2**16
"""With so many bytes that the server does not take, what is offered is not written any more."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to attack, and as whom."""

    url: str
    event: str
    poll: str
    options: int
    peers: list[tuple[str, str]]
    """(user, token) of each hostile peer: players of the platform, who turned against it."""
    victims: list[str]
    """Ids of others, should somebody have found them out."""


@dataclass(slots=True)
class Outcome:
    """What the attackers have done."""

    offered: Counter[str] = field(default_factory=Counter)
    """Manner -> frames."""
    connected_s: dict[str, float] = field(default_factory=dict)
    """Manner -> seconds for which peers were connected."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Manner -> how often a connection was refused, or ended by the server."""

    @property
    def frames_per_s(self) -> float:
        """Frames that a peer offered in a second, as long as it was connected."""
        return self.offered.total() / max(sum(self.connected_s.values()), 1e-9)


@asynccontextmanager
async def attacking(order: Order, outcome: Outcome) -> AsyncGenerator[None]:
    """Attack from another process while the block runs; `outcome` then has what was done."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.attackers"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        yield
    finally:
        process.stdin.close()
        told, _ = await process.communicate()
        for name, counts in json.loads(told).items():
            getattr(outcome, name).update(counts)


def _frame(data: bytes | str, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return Frame(opcode, raw, fin).serialize(mask=True)


class Attacker:
    """One hostile peer.

    Args:
        number: which; its manner follows from it.
        order: what to attack.
        outcome: takes what it has done.
    """

    def __init__(self, number: int, order: Order, outcome: Outcome) -> None:
        self.manner = MANNERS[number % len(MANNERS)]
        self._order = order
        self._outcome = outcome
        user, token = order.peers[number]
        self._victim = order.victims[number % len(order.victims)]
        if self.manner == "forged":
            user = self._victim
        hello = {"type": "hello", "event": order.event, "user": user, "token": token}
        self._hello = _frame(json.dumps(hello))
        self._frames = list(self._offers())

    async def run(self) -> None:
        """Attack for ever."""
        while True:
            begin = time.monotonic()
            try:
                with suppress(OSError):
                    await self._attack()
            finally:
                spent = self._outcome.connected_s
                spent[self.manner] = spent.get(self.manner, 0.0) + time.monotonic() - begin
            self._outcome.refusals[self.manner] += 1
            await asyncio.sleep(PAUSE_S * random.random())

    def _offers(self) -> Iterator[bytes]:
        """What it sends, in turn."""
        order = self._order
        more = {"user": self._victim} if self.manner == "others" else {}
        for option in range(order.options):
            answer = {"type": "answer", "id": "1", "element": order.poll, "options": [option]}
            vote = _frame(json.dumps({**answer, **more}))
            match self.manner:
                case "votes" | "others" | "deaf" | "forged":
                    yield vote
                case "hellos":
                    yield self._hello
                case "garbage":
                    yield _frame(base64.b64encode(os.urandom(60)))
                case "oversize":
                    yield _frame("x" * 10_000)
                case "pings":
                    yield _frame(b"ping", Opcode.PING)
                case "pieces":
                    yield _frame(b" ", Opcode.CONT if option else Opcode.TEXT, fin=False)
                case "slow":
                    yield b"X"

    async def _attack(self) -> None:
        """Connect once, and offer frames until the server ends it."""
        address = urlsplit(self._order.url)
        # A small limit: who never reads takes little into its own memory.
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1024)
        try:
            writer.write(
                f"GET / HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
                f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n".encode()
            )
            if self.manner != "slow":
                writer.write(b"\r\n")
                if b" 101 " not in await reader.readline():
                    return
                writer.write(self._hello)
            reading = asyncio.create_task(self._read(reader))
            try:
                await self._offer(reading, writer)
            finally:
                reading.cancel()
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        if self.manner == "deaf":
            await asyncio.Event().wait()
        with suppress(OSError):
            while await reader.read(2**16):
                pass

    async def _offer(self, reading: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        begin, offered = time.monotonic() - TICK_S, 0
        while not (reading.done() or writer.transport.is_closing()):
            due = int((time.monotonic() - begin) * FRAMES_PER_S)
            chosen = [self._frames[n % len(self._frames)] for n in range(offered, due)]
            self._outcome.offered[self.manner] += len(chosen)
            offered = due
            if writer.transport.get_write_buffer_size() < UNSENT_MAX:
                writer.write(b"".join(chosen))
            await asyncio.sleep(TICK_S)


async def _main() -> None:
    order, outcome = Order(**json.loads(sys.stdin.readline())), Outcome()
    attackers = [Attacker(number, order, outcome) for number in range(len(order.peers))]
    tasks = [asyncio.create_task(attacker.run()) for attacker in attackers]
    await asyncio.to_thread(sys.stdin.read)  # until there is no more
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    print(json.dumps({each.name: getattr(outcome, each.name) for each in fields(outcome)}))


if __name__ == "__main__":
    asyncio.run(_main())
