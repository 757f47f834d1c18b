"""The emulator, served: the live channel on WebSocket, loopback unless told otherwise."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from poll_counter.wire import SUBPROTOCOL, Answer, Error, Hello, decode_request, encode, encode_fact

from .emulator import Delivery, Emulator, EmulatorError

__all__ = ["LiveServer"]

logger = logging.getLogger(__name__)

WRONG_PEER = 1002
"""Close code: it did not say hello."""
UNKNOWN_EVENT = 4404
"""Close code: there is no such event."""


class LiveServer:
    """Serves an emulator on the live channel.

        async with LiveServer(emulator) as server:
            server.act(emulator.publish, element_id)

    Args:
        emulator: the platform to serve; act on it through `act` alone, so that all are told.
        host: the address to listen on.
        port: the port; 0 for any that is free.
        hello_timeout_s: how long a client may take to say hello.
    """

    def __init__(
        self,
        emulator: Emulator,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        hello_timeout_s: float = 10.0,
    ) -> None:
        self.emulator = emulator
        self.epoch = 0.0
        """The unix time at which the event loop's clock stood at 0."""
        self._host = host
        self._port = port
        self._hello_timeout_s = hello_timeout_s
        self._members: dict[str, dict[int, ServerConnection]] = {}  # event id -> connections
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        """Listen; raises OSError when the port is taken."""
        self._loop = asyncio.get_running_loop()
        self.epoch = time.time() - self._loop.time()
        self._server = await serve(
            self._converse,
            self._host,
            self._port,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            max_size=2**16,
            close_timeout=1.0,
            backlog=4096,  # a whole crowd may knock at once
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every connection and stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def url(self) -> str:
        """The address for clients."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}"

    def now(self) -> float:
        """The emulator's clock: unix seconds, as steady as the event loop's clock."""
        return self.epoch + self._loop.time()

    def act(self, action: Callable[[str, float], list[Delivery]], subject: str) -> None:
        """Let the producer act on the emulator, now, and tell everybody.

        `action` is one of the emulator's methods that take an event's or an element's id and the
        time: `start`, `stop`, `publish`, `close`, `revoke`.
        """
        self.tell(action(subject, self.now()))

    def tell(self, deliveries: list[Delivery]) -> None:
        """Tell the clients what came of something that was done to the emulator."""
        for event_id, number, fact in deliveries:
            members = self._members.get(event_id, {})
            if number is None:
                self._send(members.values(), encode_fact(fact))
            elif number in members:
                self._send([members[number]], encode_fact(fact))
        self._set_timer()

    async def _converse(self, connection: ServerConnection) -> None:
        number = next(self._numbers)
        try:
            hello = await self._hello(connection)
            if hello is None:
                return
            try:
                welcome = self.emulator.connect(number, hello.event, hello.user, self.now())
            except EmulatorError as error:
                await self._dismiss(connection, UNKNOWN_EVENT, "unknown_event", str(error))
                return
            self._members.setdefault(hello.event, {})[number] = connection
            self.tell(welcome)
            async for frame in connection:
                self._take(number, connection, decode_request(frame))
        except ConnectionClosed:
            pass
        finally:
            self.emulator.disconnect(number, self.now())
            for members in self._members.values():
                members.pop(number, None)

    async def _hello(self, connection: ServerConnection) -> Hello | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._hello_timeout_s):
                request = decode_request(await connection.recv())
            if isinstance(request, Hello):
                return request
        await self._dismiss(connection, WRONG_PEER, "no_hello", "say hello first")
        return None

    def _take(
        self, number: int, connection: ServerConnection, request: Hello | Answer | str
    ) -> None:
        if isinstance(request, Answer):
            self.tell(
                self.emulator.answer(
                    number, request.element, request.options, request.id, self.now()
                )
            )
        else:
            code = request if isinstance(request, str) else "second_hello"
            self._send([connection], encode(Error(code=code, message="this frame was left out")))

    async def _dismiss(
        self, connection: ServerConnection, close_code: int, code: str, message: str
    ) -> None:
        await connection.send(encode(Error(code=code, message=message)))
        await connection.close(close_code, message[:100])

    def _send(self, connections: Iterable[ServerConnection], frame: str) -> None:
        broadcast(connections, frame)  # written at once, in order, waiting for nobody

    def _set_timer(self) -> None:
        deadline = self.emulator.deadline
        if self._timer is not None:
            if self._timer_at == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            at = deadline - self.epoch
            self._timer, self._timer_at = self._loop.call_at(at, self._wake), deadline

    def _wake(self) -> None:
        self._timer = None
        deadline = self.emulator.deadline
        now = self.now() if deadline is None else max(self.now(), deadline)
        self.tell(self.emulator.wake(now))
