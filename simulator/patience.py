"""Cuts off who takes too long to ask: peers of HTTP that hold connections and send no request.

uvicorn gives a connection up that is idle, but one more byte begins its time anew; so who drips a
request's head, a byte now and then, keeps a connection for ever, and who does so on all of them
keeps everybody else out. Here time runs from the connection's beginning, or from its last answer,
to the end of the next request's head, whatever comes meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Patience"]


class Patience:
    """An application whose server does not wait for ever, and makes that server's connections.

    Args:
        app: the ASGI application.
        patience_s: how long a connection may be without a request.
        idle_max: how many connections may be; with one more the longest idle is cut off.
    """

    def __init__(self, app: ASGIApp, *, patience_s: float, idle_max: int) -> None:
        self._app = app
        self._patience_s = patience_s
        self._idle_max = idle_max
        self._connections: dict[tuple[str, int], _Connection] = {}  # by their peer's address
        self._idle: dict[_Connection, asyncio.TimerHandle] = {}  # the longest idle first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whose head is complete: its connection is not idle meanwhile."""
        peer: tuple[str, int] = scope.get("client") or ("", 0)
        connection = self._connections.get(peer)
        if connection is not None:
            self.busy(connection)
        try:
            await self._app(scope, receive, send)
        finally:
            if connection is not None and connection.address in self._connections:
                self.idle(connection)

    def protocol(self, **options: Any) -> asyncio.Protocol:
        """Make what uvicorn has for a connection, and what stands before it."""
        return _Connection(H11Protocol(**options), self)

    def came(self, connection: _Connection) -> None:
        """A connection is there."""
        self._connections[connection.address] = connection
        self.idle(connection)

    def gone(self, connection: _Connection) -> None:
        """A connection is there no more."""
        self.busy(connection)
        self._connections.pop(connection.address, None)

    def idle(self, connection: _Connection) -> None:
        """A connection has no request, from now on."""
        self.busy(connection)
        loop = asyncio.get_running_loop()
        self._idle[connection] = loop.call_later(self._patience_s, connection.cut_off)
        if len(self._idle) > self._idle_max:
            next(iter(self._idle)).cut_off()

    def busy(self, connection: _Connection) -> None:
        """It has one."""
        timer = self._idle.pop(connection, None)
        if timer is not None:
            timer.cancel()


class _Connection(asyncio.Protocol):
    """Hands on what the socket says, and tells of its beginning and its end."""

    def __init__(self, behind: asyncio.Protocol, patience: Patience) -> None:
        self._behind = behind
        self._patience = patience
        self.pause_writing = behind.pause_writing  # type: ignore[method-assign]
        self.resume_writing = behind.resume_writing  # type: ignore[method-assign]
        self.data_received = behind.data_received  # type: ignore[method-assign]
        self.eof_received = behind.eof_received  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are none of asyncio's classes, and do what those do
        self._transport = cast("asyncio.Transport", transport)
        self.address: tuple[str, int] = (transport.get_extra_info("peername") or ("", 0))[:2]
        self._behind.connection_made(transport)
        self._patience.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.gone(self)
        self._behind.connection_lost(exc)

    def cut_off(self) -> None:
        self._patience.gone(self)
        self._transport.abort()
