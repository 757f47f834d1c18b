"""The counter's end of the bridge: it listens on loopback, and knows one bridge at a time."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from weakref import finalize

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from poll_counter.commands import CastVote
from poll_counter.errors import MisuseError
from poll_counter.facts import (
    Disconnected,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
    EventUpdated,
    Fact,
    Welcomed,
)
from poll_counter.wire import SUBPROTOCOL, Answer, Error, Hello, RetryAfter, decode_server, encode

from .closed import ClosedKept
from .door import LOOPBACK, Door
from .node import NodeHost
from .page import PageHost

__all__ = ["BridgeTransport"]

logger = logging.getLogger(__name__)

CLOSE_S = 1.0
"""How long a bridge may take to say goodbye."""
FRAME_BYTES_MAX = 2**20
"""A longer frame ends the connection."""
PROBLEMS_MAX = 20
"""Of how many problems a transport warns."""
ONE_BRIDGE = 4409
"""Close code: there is another bridge."""
NO_WELCOME = 4408
"""Close code: the snapshot did not come in time."""


class BridgeTransport:
    """Reaches the platform by way of its own JavaScript SDK, which a bridge brings here.

    It listens on loopback from the moment it is made, for one bridge at a time, which has to know
    a token that is new in every run. It serves one counter. The SDK does not say whether a vote
    was counted, so none is repeated (counting rule 5).

    Args:
        host: what runs the JavaScript: a page, or a Node.js process.
        port: the port, 0 for any that is free. A page's storage belongs to its port: with a fixed
            one, the platform knows the user again after a restart.
        welcome_timeout_s: how long the SDK may take to find the event.
        dead_after_s: a bridge that nothing comes from is given up within this time and a second.
        lists_closed: whether the SDK's `getElements` has the closed elements too. With False,
            a counter that comes after the event has begun sits it out, for it cannot know the
            round.

    Raises `MisuseError` where the port is taken.

    For example:

    ```python
    transport = BridgeTransport(PageHost("sdk.mjs", configure={"projectId": "..."}), port=41234)
    webview.load(transport.url)
    PollCounter(transport=transport, event_id="...", journal="player.json", recognise=...)
    ```
    """

    acknowledges = False

    def __init__(
        self,
        host: PageHost | NodeHost,
        *,
        port: int = 0,
        welcome_timeout_s: float = 30.0,
        dead_after_s: float = 20.0,
        lists_closed: bool = True,
    ) -> None:
        try:
            self._socket = socket.create_server((LOOPBACK, port))
        except OSError as error:
            raise MisuseError(
                f"port {port} cannot be listened on ({error}); pass another"
            ) from None
        self._let_go = finalize(self, self._socket.close)
        port = self._socket.getsockname()[1]
        own = f"http://{LOOPBACK}:{port}"
        if isinstance(host, PageHost):
            origins = frozenset[str | None]([*host.origins, *([own] if host.sdk else [])])
            self._door = Door(port, origins, {})
            files = host.files(self.websocket_url)
            self._door = replace(self._door, files=files)
        else:
            self._door = Door(port, frozenset({None}), {})
        self._host = host
        self._welcome_timeout_s = welcome_timeout_s
        self._dead_after_s = dead_after_s
        self._kept = None if lists_closed else ClosedKept()
        self._bridge: ServerConnection | None = None
        self._arrived = asyncio.Event()
        self._answers = 0
        self._entered = False
        self._problems: dict[str, None] = {}

    @property
    def url(self) -> str:
        """The address of the bridge's own page, to be loaded by the app; it is a secret."""
        if not (isinstance(self._host, PageHost) and self._host.sdk):
            raise MisuseError("there is no page; make the transport with PageHost(sdk=...)")
        return f"{self._base}/"

    @property
    def snippet(self) -> str:
        """HTML for a page of the app, with the token in it; the page has to import the SDK."""
        if not isinstance(self._host, PageHost):
            raise MisuseError("there is no page; make the transport with a PageHost")
        return self._host.snippet(f"{self._base}/", self.websocket_url)

    @property
    def websocket_url(self) -> str:
        """Where a bridge connects to, with the token; it is a secret."""
        return f"ws://{self._door.host}{self._door.path}"

    @property
    def problems(self) -> tuple[str, ...]:
        """What the bridge, its host or the SDK said was wrong: sentences, the last one newest."""
        return tuple(self._problems)

    @property
    def connected(self) -> bool:
        """Whether a bridge is there."""
        return self._bridge is not None

    def close(self) -> None:
        """Stop listening, if no counter was entered; a counter that is left does it by itself."""
        self._let_go()

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:  # noqa: ARG002 - the SDK has its own id of the user, and the player's is nobody's business
        """Let bridges in, one after the other; give every fact as it comes."""
        if self._entered or not self._let_go.alive:
            raise MisuseError("a BridgeTransport serves one counter, once; make a new one")
        self._entered = True
        hosting: asyncio.Task[None] | None = None
        server = await serve(
            self._converse,
            sock=self._socket,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            process_request=self._enter,
            max_size=FRAME_BYTES_MAX,
            ping_interval=self._dead_after_s / 2.0,
            ping_timeout=self._dead_after_s / 2.0,
            close_timeout=CLOSE_S,
        )
        try:
            if isinstance(self._host, NodeHost) and self._host.supervised:
                running = self._host.run(self.websocket_url, self._tell_problem)
                hosting = asyncio.create_task(running, name="poll_counter bridge")
            while True:
                await self._arrived.wait()
                async with aclosing(self._visit(event_id)) as facts:
                    async for fact in facts:
                        yield fact
        finally:
            server.close()
            closing = asyncio.create_task(server.wait_closed())
            if hosting is not None:
                hosting.cancel()
            try:
                await _until_done(closing, lambda: _hang_up(server))
            finally:
                self._let_go()
                if hosting is not None:
                    await _until_done(hosting, hosting.cancel)

    async def send(self, vote: CastVote) -> None:
        """Hand a vote to the bridge; raises ConnectionError when there is none."""
        if self._bridge is None:
            raise ConnectionError("no bridge")
        self._answers += 1
        answer = Answer(id=str(self._answers), element=vote.poll_id, options=[vote.option])
        await self._bridge.send(encode(answer))

    @property
    def _base(self) -> str:
        return f"http://{self._door.host}{self._door.path}"

    def _enter(self, _connection: ServerConnection, request: Request) -> Response | None:
        return self._door.answer(request)

    async def _converse(self, connection: ServerConnection) -> None:
        """Take a bridge that has come in, unless there is one."""
        if self._bridge is not None:
            await connection.close(ONE_BRIDGE, "there is another bridge")
            return
        self._bridge = connection
        self._arrived.set()
        await connection.wait_closed()

    async def _visit(self, event_id: str) -> AsyncGenerator[Fact, None]:
        """One bridge, from its arrival until it is gone."""
        connection = self._bridge
        assert connection is not None
        self._arrived.clear()
        try:
            async with aclosing(self._told(connection, event_id)) as facts:
                async for fact in facts:
                    yield fact
        except ConnectionClosed as gone:
            logger.debug("the bridge is gone: %s", gone)
        except TimeoutError:
            self._tell_problem(
                f"the SDK has not found the event {event_id} in {self._welcome_timeout_s:g} s"
            )
            await connection.close(NO_WELCOME, "no welcome in time")
        finally:
            self._bridge = None
        yield Disconnected()

    async def _told(
        self, connection: ServerConnection, event_id: str
    ) -> AsyncGenerator[Fact, None]:
        await connection.send(encode(Hello(event=event_id, user="bridge")))
        timeout_s = self._welcome_timeout_s
        welcome_by: float | None = asyncio.get_running_loop().time() + timeout_s
        while True:
            async with asyncio.timeout_at(welcome_by):
                frame = await connection.recv()
            for told in decode_server(frame):
                if isinstance(told, Error):
                    self._tell_problem(told.message)
                elif not isinstance(told, RetryAfter):  # on loopback nobody is asked to wait
                    if isinstance(told, Welcomed):
                        welcome_by = None
                    fact = _in_order(told)
                    yield fact if self._kept is None else self._kept.complete(fact)

    def _tell_problem(self, text: str) -> None:
        """Warn of a problem once; of ever more of them, quietly."""
        new = text not in self._problems and len(self._problems) < PROBLEMS_MAX
        if new:
            self._problems[text] = None
        logger.log(logging.WARNING if new else logging.DEBUG, "%s", text[:500])


async def _until_done(task: asyncio.Task[None], hurry: Callable[[], object]) -> None:
    """Wait for a task in any case; who is cancelled meanwhile is in a hurry, and passes it on."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
            hurry()
    if cancelled is not None:
        raise cancelled


def _hang_up(server: Server) -> None:
    for connection in server.connections:
        connection.transport.abort()


def _in_order(fact: Fact) -> Fact:
    """The same without revisions: the SDK has none, and tells changes in order."""
    match fact:
        case Welcomed():
            elements = tuple(replace(element, rev=None) for element in fact.elements)
            return replace(fact, elements=elements, rev=None, event_rev=None)
        case ElementPublished() | ElementUpdated():
            return replace(fact, element=replace(fact.element, rev=None))
        case ElementStateChanged() | ElementRevoked() | EventStateChanged() | EventUpdated():
            return replace(fact, rev=None)
        case _:
            return fact
