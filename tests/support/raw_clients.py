"""A served event, and raw WebSocket clients that say to it what a test wants said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from poll_counter.wire import SUBPROTOCOL
from simulator.emulator import Emulator, Entry, Settings
from simulator.server import LiveServer

from .waiting import GUARD_S

__all__ = [
    "Served",
    "dismissed",
    "hear",
    "joined",
    "knocking",
    "say",
    "serving",
]

POLL = Settings(
    content_type="poll-custom",
    type="poll",
    question="Who is in?",
    options=("a", "b"),
    custom_fields={"poll_counter": 1},
    max_votes_per_user=2,
)
TRIVIA = Settings(content_type="trivia", type="trivia", reveal_results_mode="never")
INTERVAL_S = 0.01


class Served:
    """An emulator with an active event E, poll P published in it, and trivia T to come."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self.log: list[Entry] = []
        self.emulator = Emulator(results_interval_s=interval_s, log=self.log)
        self.emulator.add_event("E", "The show", {"host": "Ada"})
        self.emulator.add_element("E", "P", POLL)
        self.emulator.add_element("E", "T", TRIVIA)
        self.emulator.start("E", 0.0)
        self.emulator.publish("P", 0.0)
        self.emulator.wake(0.0)

    def kinds(self, user: str) -> list[str]:
        """What the log has of a user."""
        return [entry.kind for entry in self.log if entry.user == user]


@asynccontextmanager
async def serving(
    interval_s: float = INTERVAL_S, **options: Any
) -> AsyncGenerator[tuple[LiveServer, Served]]:
    """Serve on loopback while the block runs; `options` are the server's."""
    served = Served(interval_s)
    async with LiveServer(served.emulator, **options) as server:
        yield server, served


@asynccontextmanager
async def knocking(
    server: LiveServer,
    subprotocols: Sequence[str] | None = (SUBPROTOCOL,),
    *,
    origin: str | None = None,
    address: str = "127.0.0.1",
) -> AsyncGenerator[ClientConnection]:
    """Open a connection, without a hello, as a page of an origin and from an address."""
    async with connect(
        server.url,
        subprotocols=None if subprotocols is None else [Subprotocol(name) for name in subprotocols],
        origin=None if origin is None else Origin(origin),
        local_addr=(address, 0) if server.url.startswith("ws://127.") else None,
        proxy=None,
        open_timeout=GUARD_S,
    ) as connection:
        yield connection


@asynccontextmanager
async def joined(
    server: LiveServer, user: str = "ann", event: str = "E", **hello: str
) -> AsyncGenerator[ClientConnection]:
    """Open a connection, say hello and take the welcome."""
    async with knocking(server) as connection:
        await say(connection, type="hello", event=event, user=user, **hello)
        assert (await hear(connection))["type"] == "welcome"
        yield connection


async def say(connection: ClientConnection, **message: Any) -> None:
    """Send a message."""
    await connection.send(json.dumps(message))


async def hear(connection: ClientConnection) -> dict[str, Any]:
    """Receive the next message."""
    async with asyncio.timeout(GUARD_S):
        frame = await connection.recv()
    assert isinstance(frame, str), "text frames only"
    message = json.loads(frame)
    assert isinstance(message, dict)
    return message


async def dismissed(connection: ClientConnection) -> tuple[int, str]:
    """Wait until the server has closed the connection; returns its code and the error before."""
    error = await hear(connection)
    assert error["type"] == "error"
    with pytest.raises(ConnectionClosed):
        await hear(connection)
    assert connection.close_code is not None
    return connection.close_code, error["code"]
