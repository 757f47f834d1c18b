"""A server on loopback that a test scripts frame by frame, with real sockets."""

from __future__ import annotations

import asyncio
import gc
import json
import ssl as ssl_module
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.protocol import State
from websockets.typing import Subprotocol

from .waiting import GUARD_S

__all__ = ["ScriptedServer", "frame", "open_connections", "welcome"]


def frame(kind: str, **fields: object) -> str:
    """Write a frame of the live channel by hand: the tests do not trust `wire` to."""
    return json.dumps({"type": kind, **fields})


def welcome(event_id: str = "demo", *, rev: int = 1, state: str = "active") -> str:
    """Write a welcome to an event without elements."""
    event = {"id": event_id, "state": state, "rev": rev}
    return frame("welcome", rev=rev, server_time=0, event=event, elements=[])


def open_connections() -> list[ClientConnection]:
    """The client connections of this process that are not closed."""
    gc.collect()  # a connection that never came about is only garbage
    connections = [each for each in gc.get_objects() if type(each) is ClientConnection]
    return [each for each in connections if each.state is not State.CLOSED]


class ScriptedServer:
    """Accepts connections, and leaves all that is said on them to the test.

        async with ScriptedServer() as server:
            peer = await server.accept()          # the next client that connects
            hello = await server.read(peer)       # its next frame, from JSON
            await peer.send(welcome())

    Args:
        subprotocol: what it speaks; None for a server of something else.
        ssl: serve `wss://` with this context.
    """

    def __init__(
        self,
        *,
        subprotocol: str | None = "poll-counter.v1",
        ssl: ssl_module.SSLContext | None = None,
    ) -> None:
        self.accepted = 0
        """How many connections clients have made."""
        self._subprotocols = None if subprotocol is None else [Subprotocol(subprotocol)]
        self._ssl = ssl
        self._port = 0
        self._server: Server | None = None
        self._peers: asyncio.Queue[ServerConnection] = asyncio.Queue()

    @property
    def url(self) -> str:
        """The address for clients; the same after `stop` and `start`."""
        return f"{'ws' if self._ssl is None else 'wss'}://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen: the first time on a port that is free, then on the same one."""
        self._server = await serve(
            self._converse,
            "127.0.0.1",
            self._port,
            subprotocols=self._subprotocols,
            ssl=self._ssl,
            compression=None,
            ping_interval=None,  # all frames are the test's
            close_timeout=1.0,
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection, and stop listening: who connects now is refused."""
        assert self._server is not None, "stop() goes with start()"
        self._server.close()
        await self._server.wait_closed()
        self._server = None

    async def accept(self) -> ServerConnection:
        """Wait for the next client."""
        async with asyncio.timeout(GUARD_S):
            return await self._peers.get()

    async def read(self, peer: ServerConnection) -> Any:
        """Wait for a client's next frame."""
        async with asyncio.timeout(GUARD_S):
            return json.loads(await peer.recv())

    async def welcome(self, event_id: str = "demo") -> ServerConnection:
        """Wait for the next client, read its hello, and welcome it."""
        peer = await self.accept()
        hello = await self.read(peer)
        assert hello["type"] == "hello"
        await peer.send(welcome(event_id))
        return peer

    async def _converse(self, peer: ServerConnection) -> None:
        self.accepted += 1
        self._peers.put_nowait(peer)
        await peer.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            await self.stop()
