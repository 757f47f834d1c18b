"""RFC 6455 by hand on an asyncio Protocol: what Python could do with nothing between.

It knows text frames below 64 KiB, unmasked or masked, and nothing else; for this benchmark alone.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any, Self, cast

from .bare import Tally, dumps
from .script import EVENT, Script, answer

__all__ = ["Raw"]

UPGRADE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
HELLO = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SMALL, MEDIUM = 126, 2**16


def frame(text: str, mask: bytes = b"") -> bytes:
    """Make a text frame."""
    data = text.encode()
    bit = 128 if mask else 0
    if len(data) < SMALL:
        head = bytes((129, bit | len(data)))
    else:
        head = bytes((129, bit | SMALL)) + len(data).to_bytes(2, "big")
    return head + mask + (_masked(data, mask) if mask else data)


def _masked(data: bytes, mask: bytes) -> bytes:
    length = len(data)
    pad = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(length, "big")


class End(asyncio.Protocol):
    """One end of a connection: a handshake, then frames."""

    def __init__(self, first: bytes, reply: bytes, take: Callable[[End, bytes], None]) -> None:
        self._first, self._reply, self._take = first, reply, take
        self._buffer = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._first)

    def data_received(self, data: bytes) -> None:
        """Take the frames that are whole."""
        data = self._buffer + data
        at = 0
        if not self._open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return
            at, self._open = end + 4, True
            self.transport.write(self._reply)
        while len(data) - at >= 2:
            length, start = data[at + 1] & 127, at + 2
            if length == SMALL:
                length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            mask = b""
            if data[at + 1] & 128:
                mask, start = data[start : start + 4], start + 4
            if len(data) < start + length or start > len(data):
                break
            body = data[start : start + length]
            at = start + length
            self._take(self, _masked(body, mask) if mask else body)
        self._buffer = data[at:]


class Raw:
    """A server and clients of raw frames."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._script = Script.of(clients)
        self._tally = Tally(clients)
        self._number = self._told = self._welcomed = 0
        self._all = asyncio.Event()
        self._members: dict[End, int] = {}
        self._ends: list[End] = []

    async def __aenter__(self) -> Self:
        """Serve, and connect all clients."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: End(b"", UPGRADE, self._serve), "127.0.0.1", 0, backlog=4096
        )
        port = self._server.sockets[0].getsockname()[1]
        for number in range(self._clients):
            hello = {"type": "hello", "event": EVENT, "user": f"{number:032x}"}
            reply = frame(dumps(hello), os.urandom(4))
            _, end = await loop.create_connection(
                lambda reply=reply: End(HELLO, reply, self._read),  # type: ignore[misc]
                "127.0.0.1",
                port,
            )
            self._ends.append(end)
        await self._all.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        for end in (*self._ends, *self._members):
            end.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    async def prepare(self, number: int) -> None:
        """Nothing comes before a round."""

    async def play(self, number: int) -> None:
        """Push the close, and wait until all hold the tally."""
        self._number, self._told = number, 0
        self._all.clear()
        for text in self._script.rounds[number - 1].pushes:
            self._broadcast(text)
        await self._all.wait()

    def _broadcast(self, text: str) -> None:
        data = frame(text)
        for member in self._members:
            member.transport.write(data)

    def _serve(self, end: End, data: bytes) -> None:
        if end not in self._members:
            json.loads(data)
            self._members[end] = len(self._members)
            end.transport.write(frame(self._script.welcome))
            return
        reply, is_last = self._tally.take(data, self._members[end])
        end.transport.write(frame(reply))
        if is_last:
            self._broadcast(self._script.rounds[self._number - 1].tally)

    def _read(self, end: End, data: bytes) -> None:
        message: dict[str, Any] = json.loads(data)
        if message["type"] == "welcome":
            self._welcomed += 1
            if self._welcomed == self._clients:
                self._all.set()
        elif message["type"] == "element_state":
            vote = dumps(answer(self._number, self._script.poll, self._number))
            end.transport.write(frame(vote, os.urandom(4)))
        elif message["type"] == "results" and message["element"] == self._script.poll:
            self._told += 1
            if self._told == self._clients:
                self._all.set()
