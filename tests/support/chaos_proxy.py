"""A TCP proxy that does to connections what networks do; what it does is switched as it runs."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl as ssl_module
import struct
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Literal, Self, TypeAlias

__all__ = [
    "BlackHole",
    "ChaosProxy",
    "Corrupt",
    "Drip",
    "Latency",
    "Link",
    "Stall",
    "Toxic",
    "Truncate",
]

Direction: TypeAlias = Literal["up", "down"]
"""From the client to the server, and back."""
CHUNK = 2**16
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for 0 s: closing a socket then sends RST, as when a machine is gone."""


class Link:
    """A client's connection to the proxy, and the proxy's own to the server."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.is_dead = False
        """Neither end will hear of the other again, nor that it is gone."""
        self._ends = client, server

    def reset(self) -> None:
        """Send RST to both ends."""
        for end in self._ends:
            if not end.transport.is_closing():
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.transport.abort()

    def finish(self) -> None:
        """Send FIN to both ends, after what was already passed on."""
        for end in self._ends:
            end.close()


class Toxic:
    """What happens to the bytes of a direction, for as long as it is on."""

    def pieces(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        """Give what becomes of bytes that arrived, when it is to be passed on."""
        raise NotImplementedError


class Latency(Toxic):
    """Passes bytes on later, by a time drawn for each arrival; their order is kept."""

    def __init__(self, least_s: float, most_s: float) -> None:
        self._least_s, self._most_s = least_s, most_s
        self._draws = random.Random(1)

    async def pieces(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        """Give all, later."""
        await asyncio.sleep(self._draws.uniform(self._least_s, self._most_s))
        yield data


class Drip(Toxic):
    """Passes a few bytes at a time."""

    def __init__(self, size: int, every_s: float) -> None:
        self._size, self._every_s = size, every_s

    async def pieces(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        """Give all, drop by drop."""
        for start in range(0, len(data), self._size):
            await asyncio.sleep(self._every_s)
            yield data[start : start + self._size]


class BlackHole(Toxic):
    """Swallows bytes. A link that lost some stays dead and open, as behind a forgetful NAT."""

    async def pieces(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        """Give nothing, now and later."""
        link.is_dead = True
        return
        yield  # makes this a generator


class Stall(Toxic):
    """Holds bytes back, and lets them go all at once."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def let_go(self) -> None:
        """Hold nothing back any more."""
        self._over.set()

    async def pieces(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        """Give all, when it is over."""
        await self._over.wait()
        yield data


class Truncate(Toxic):
    """Passes the first bytes of what arrives next, then ends the link."""

    def __init__(self, size: int, ends: Literal["reset", "finish"]) -> None:
        self._size, self._ends = size, ends

    async def pieces(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        """Give the beginning."""
        yield data[: self._size]
        await asyncio.sleep(0.01)  # a reset takes along what is not yet delivered
        link.reset() if self._ends == "reset" else link.finish()


class Corrupt(Toxic):
    """Flips the highest bit of one byte in every so many: ASCII is then no UTF-8 any more."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._passed = 0

    async def pieces(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        """Give all, some of it wrong."""
        spoiled = bytearray(data)
        for place in range(-self._passed % self._every, len(data), self._every):
            spoiled[place] ^= 0x80
        self._passed += len(data)
        yield bytes(spoiled)


class ChaosProxy:
    """Stands between clients and a server on loopback.

        async with ChaosProxy(port_of_the_server) as proxy:
            client = connect(f"ws://127.0.0.1:{proxy.port}")
            with proxy.poisoned(Latency(0.1, 0.3), "down"):
                ...

    Args:
        to: the server's port on 127.0.0.1.
        ssl: speak TLS with the clients, by this context, and plainly with the server.
    """

    def __init__(self, to: int, *, ssl: ssl_module.SSLContext | None = None) -> None:
        self.port = 0
        """Where it listens on 127.0.0.1; the same after `shut` and `open`."""
        self.accepted = 0
        """How many connections clients have made."""
        self._to = to
        self._ssl = ssl
        self._server: asyncio.Server | None = None
        self._toxics: dict[Direction, list[Toxic]] = {"up": [], "down": []}
        self._links: set[Link] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    @contextmanager
    def poisoned(self, toxic: Toxic, *directions: Direction) -> Generator[None]:
        """Put a toxic into one direction or both, for all links, while the block runs."""
        for direction in directions:
            self._toxics[direction].append(toxic)
        try:
            yield
        finally:
            for direction in directions:
                self._toxics[direction].remove(toxic)

    def reset(self) -> None:
        """Reset every link."""
        for link in tuple(self._links):
            link.reset()

    def finish(self) -> None:
        """End every link in order."""
        for link in tuple(self._links):
            link.finish()

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, ssl=self._ssl
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Listen no longer: who connects is refused. Links that are there stay."""
        assert self._server is not None, "shut() goes with open()"
        self._server.close()
        self._server = None

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            client.transport.abort()
            return
        link = Link(client, server)
        self._links.add(link)
        pumps = {
            asyncio.create_task(self._pump("up", reader, server, link)),
            asyncio.create_task(self._pump("down", answers, client, link)),
        }
        self._pumps |= pumps
        await asyncio.wait(pumps)
        self._pumps -= pumps
        if not link.is_dead:
            self._links.remove(link)
            link.finish()

    async def _pump(
        self,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        link: Link,
    ) -> None:
        try:
            while data := await reader.read(CHUNK):
                await self._pass_on(data, tuple(self._toxics[direction]), writer, link)
            if not link.is_dead and not writer.transport.is_closing():
                # TLS cannot be closed by half.
                writer.write_eof() if writer.can_write_eof() else writer.close()
        except OSError:
            if not link.is_dead:
                link.reset()

    async def _pass_on(
        self, data: bytes, toxics: tuple[Toxic, ...], writer: asyncio.StreamWriter, link: Link
    ) -> None:
        if toxics:
            async for piece in toxics[0].pieces(data, link):
                await self._pass_on(piece, toxics[1:], writer, link)
        elif not link.is_dead:
            writer.write(data)
            await writer.drain()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self.shut()
        for pump in self._pumps:
            pump.cancel()
        self.reset()
        if self._pumps:
            await asyncio.wait(self._pumps)
