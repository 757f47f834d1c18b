"""An ASGI application, served on the running event loop: uvicorn without its habits.

uvicorn is made to own a process: it takes over signals, sets up logging and ends the program when
its port is taken. Here it is a guest of a loop that also carries the live channel and a crowd, so
only its server is used, on a socket that is bound beforehand.
"""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from .patience import Patience

__all__ = ["WebServer"]

CONNECTIONS_MAX = 2048
"""Requests beyond this are answered 503 by uvicorn."""
HEAD_BYTES_MAX = 2**16
"""The most that a request's line and headers may take."""
IDLE_S = 30
"""How long a connection is kept that asks nothing, or does not come to the end of its question."""
IDLE_MAX = 1024
"""Connections that ask nothing; with one more the longest idle is cut off, before the bound for all
is reached: who only holds connections keeps nobody out."""
FAREWELL_S = 1
"""How long requests under way may take when the server ends."""


class WebServer:
    """Serves an application over HTTP while its block runs.

        async with WebServer(app) as web:
            print(web.url)

    Args:
        app: the ASGI application; its lifespan is not run.
        host: the address to listen on.
        port: the port; 0 for any that is free.
    """

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = app
        self._host = host
        self._port = port

    async def __aenter__(self) -> Self:
        """Listen; raises OSError when the port is taken or the host has no address here."""
        listening = self._bind()
        self._port = listening.getsockname()[1]
        patience = Patience(self._app, patience_s=IDLE_S, idle_max=IDLE_MAX)
        config = uvicorn.Config(
            patience,
            http=patience.protocol,  # type: ignore[arg-type] # it only makes connections of it
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            workers=1,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=FAREWELL_S,
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._sockets = [listening]
        await self._server.startup(sockets=self._sockets)
        self._ticking = asyncio.create_task(self._server.main_loop())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening, let requests under way end, and close every connection."""
        self._server.should_exit = True
        await self._ticking
        await self._server.shutdown(sockets=self._sockets)
        state = self._server.server_state
        for connection in list(state.connections):  # who has not sent all of a request by now
            connection.transport.abort()
        while state.connections or state.tasks:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0)

    @property
    def url(self) -> str:
        """The address for clients, without a path."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._server.server_state.connections)

    def _bind(self) -> socket.socket:
        """Bind to the port, or to any that is free.

        The protocol is named because asyncio sends small answers at once only where it is.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self._host, self._port))
            listening.listen()  # a port that is bound alone may still be lost
        except OSError as error:
            listening.close()
            where = f"{self._host}:{self._port}"
            raise OSError(error.errno, f"{error.strerror}: {where}") from error
        return listening
