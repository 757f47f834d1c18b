"""The same round with `picows`, a WebSocket library in Cython, and plain JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_connect,
    ws_create_server,
)

from .bare import Tally, dumps
from .script import EVENT, Script, answer

__all__ = ["WithPicows"]


class WithPicows:
    """A server and clients of `picows`."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self.script = Script.of(clients)
        self.tally = Tally(clients)
        self.number = self._told = self._welcomed = 0
        self._all = asyncio.Event()
        self.members: dict[WSTransport, int] = {}
        self._ends: list[WSTransport] = []

    async def __aenter__(self) -> Self:
        """Serve, and connect all clients."""

        def listen(_: WSUpgradeRequest) -> WSListener:
            return _Server(self)

        self._server = await ws_create_server(listen, "127.0.0.1", 0, backlog=4096)
        port = self._server.sockets[0].getsockname()[1]
        for number in range(self._clients):
            transport, _ = await ws_connect(lambda: _Client(self), f"ws://127.0.0.1:{port}/")
            hello = {"type": "hello", "event": EVENT, "user": f"{number:032x}"}
            transport.send(WSMsgType.TEXT, dumps(hello).encode())
            self._ends.append(transport)
        await self._all.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        for transport in (*self._ends, *self.members):
            transport.disconnect()
        self._server.close()
        await self._server.wait_closed()

    async def prepare(self, number: int) -> None:
        """Nothing comes before a round."""

    async def play(self, number: int) -> None:
        """Push the close, and wait until all hold the tally."""
        self.number, self._told = number, 0
        self._all.clear()
        for text in self.script.rounds[number - 1].pushes:
            self.broadcast(text)
        await self._all.wait()

    def broadcast(self, text: str) -> None:
        """Send everybody a frame."""
        data = text.encode()
        for member in self.members:
            member.send(WSMsgType.TEXT, data)

    def read(self, transport: WSTransport, message: dict[str, Any]) -> None:
        """Let a client read a frame."""
        if message["type"] == "welcome":
            self._welcomed += 1
            if self._welcomed == self._clients:
                self._all.set()
        elif message["type"] == "element_state":
            vote = answer(self.number, self.script.poll, self.number)
            transport.send(WSMsgType.TEXT, dumps(vote).encode())
        elif message["type"] == "results" and message["element"] == self.script.poll:
            self._told += 1
            if self._told == self._clients:
                self._all.set()


class _Server(WSListener):
    def __init__(self, peer: WithPicows) -> None:
        super().__init__()
        self._peer = peer

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a hello or a vote."""
        peer = self._peer
        if frame.msg_type != WSMsgType.TEXT:
            return
        if transport not in peer.members:
            peer.members[transport] = len(peer.members)
            transport.send(WSMsgType.TEXT, peer.script.welcome.encode())
            return
        reply, is_last = peer.tally.take(frame.get_payload_as_bytes(), peer.members[transport])
        transport.send(WSMsgType.TEXT, reply.encode())
        if is_last:
            peer.broadcast(peer.script.rounds[peer.number - 1].tally)


class _Client(WSListener):
    def __init__(self, peer: WithPicows) -> None:
        super().__init__()
        self._peer = peer

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Read a frame."""
        if frame.msg_type == WSMsgType.TEXT:
            self._peer.read(transport, json.loads(frame.get_payload_as_bytes()))
