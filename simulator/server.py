"""The emulator, served: the live channel on WebSocket, loopback unless told otherwise."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request
from websockets.protocol import State
from websockets.typing import Subprotocol

from poll_counter.facts import AnswerRefused, Fact
from poll_counter.wire import (
    SUBPROTOCOL,
    Answer,
    Error,
    Hello,
    RetryAfter,
    decode_request,
    encode,
    encode_fact,
)

from .door import Door, acceptable_origins
from .emulator import Delivery, Emulator, EmulatorError
from .limits import Bucket, Limits
from .player_tokens import PlayerTokens
from .turnstile import Turnstile

__all__ = ["LiveServer"]

QUIET = logging.getLogger(f"{__name__}.frames")
"""For websockets, which at level DEBUG would write down what users say of themselves."""
QUIET.setLevel(logging.WARNING)

WRONG_PEER = 1002
"""Close code: it did not say hello."""
BAD_FRAMES = 4400
"""Close code: it sent too much that cannot be understood."""
BAD_TOKEN = 4401
"""Close code: its token does not say that it is this user."""
UNKNOWN_EVENT = 4404
"""Close code: there is no such event."""
TOO_OFTEN = 4429
"""Close code: this user says hello too often."""
CLOSE_S = 1.0
"""How long a peer may take to say goodbye."""
QUEUE_FRAMES = 4
"""How many frames of a connection wait here to be read; the next ones wait at their sender."""


class LiveServer:
    """Serves an emulator on the live channel.

        async with LiveServer(emulator) as server:
            server.act(emulator.publish, element_id)

    Args:
        emulator: the platform to serve; act on it through `act` alone, so that all are told.
        host: the address to listen on.
        port: the port; 0 for any that is free.
        limits: what one peer may ask of it.
        tokens: tells whether somebody is the user it says; None: everybody is believed.
    """

    def __init__(
        self,
        emulator: Emulator,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        tokens: PlayerTokens | None = None,
    ) -> None:
        self.emulator = emulator
        self.epoch = 0.0
        """The unix time at which the event loop's clock stood at 0."""
        self.count: Callable[[int, Answer], object] = self._count
        """Takes a connection's answer; what becomes of it is told by `tell`, now or later."""
        self._host = host
        self._port = port
        self._limits = limits
        self._door = Door(limits)
        self._tokens = tokens
        self._members: dict[str, dict[int, ServerConnection]] = {}  # event id -> connections
        self._numbers = itertools.count()
        self._encoded: tuple[Fact | None, str] = None, ""  # what was told to somebody last
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
            origins=acceptable_origins(self._limits),  # type: ignore[arg-type] # a NewType of str
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            process_request=self._shaken,
            open_timeout=self._limits.handshake_timeout_s,
            max_size=self._limits.frame_bytes_max,
            max_queue=QUEUE_FRAMES,
            close_timeout=CLOSE_S,
            logger=QUIET,
            create_connection=self._accept,  # type: ignore[arg-type] # as documented: a wrapper
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
                if fact is not self._encoded[0]:  # all who vote alike are told alike
                    self._encoded = fact, encode_fact(fact)
                self._send([members[number]], self._encoded[1])
        self._set_timer()

    def _accept(self, *arguments: Any, **options: Any) -> Turnstile:
        """Make what a connection that is accepted has to pass."""
        connection = ServerConnection(*arguments, **options)
        return Turnstile(connection, self._door, self._limits, self._loop.time)

    def _shaken(self, connection: ServerConnection, _: Request) -> None:
        """All of a connection's handshake is there."""
        self._door.let_in(connection)

    async def _converse(self, connection: ServerConnection) -> None:
        number = next(self._numbers)
        try:
            hello = await self._hello(connection)
            if hello is None:
                return
            try:
                self._welcome(number, connection, hello)
            except EmulatorError as error:
                await self._dismiss(connection, UNKNOWN_EVENT, "unknown_event", str(error))
                return
            await self._listen(number, connection, hello.user)
        except ConnectionClosed:
            pass
        finally:
            self.emulator.disconnect(number, self.now())
            for members in self._members.values():
                members.pop(number, None)

    async def _hello(self, connection: ServerConnection) -> Hello | None:
        """Wait for a hello that is to be answered; dismisses who says something else."""
        request: Hello | Answer | str = "nothing"
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.hello_timeout_s):
                request = decode_request(await connection.recv())
        if not isinstance(request, Hello):
            await self._dismiss(connection, WRONG_PEER, "no_hello", "say hello first")
            return None
        if self._tokens is not None:  # before all that is counted for a user
            refusal = self._tokens.refusal(request.token, request.event, request.user, self.now())
            if refusal:
                await self._dismiss(connection, BAD_TOKEN, "bad_token", refusal)
                return None
        wait_s = self._door.hello(request.user, self._loop.time())
        if wait_s:
            self._send([connection], encode(RetryAfter(seconds=wait_s)))
            await self._dismiss(connection, TOO_OFTEN, "too_many_hellos", "come back later")
            return None
        return request

    def _welcome(self, number: int, connection: ServerConnection, hello: Hello) -> None:
        """Let somebody into an event, and tell it where that stands; may raise EmulatorError."""
        welcome = self.emulator.connect(number, hello.event, hello.user, self.now())
        self._members.setdefault(hello.event, {})[number] = connection
        self.tell(welcome)

    async def _listen(self, number: int, connection: ServerConnection, user: str) -> None:
        """Take in what a member says, as fast as it may speak."""
        frames = Bucket(self._limits.frames_burst, self._limits.frames_per_s)
        bad = 0
        async for frame in connection:
            wait_s = frames.turn(self._loop.time())
            if wait_s:  # meanwhile nothing is read from it: it waits as well
                await asyncio.sleep(wait_s)
                if connection.state is not State.OPEN:
                    return
            request = decode_request(frame)
            if isinstance(request, Answer):
                self._vote(number, connection, user, request)
                continue
            bad += 1
            code = request if isinstance(request, str) else "second_hello"
            self._send([connection], encode(Error(code=code, message="this frame was left out")))
            if bad >= self._limits.bad_frames_max:
                text = "too many frames were left out"
                await self._dismiss(connection, BAD_FRAMES, "too_many_bad_frames", text)
                return

    def _vote(self, number: int, connection: ServerConnection, user: str, vote: Answer) -> None:
        """Take a vote in, unless this user votes too often."""
        wait_s = self._door.vote(user, self._loop.time())
        if wait_s:
            busy = AnswerRefused(vote.element, vote.options[0], "busy", wait_s, vote.id)
            self._send([connection], encode_fact(busy))
            return
        self.count(number, vote)

    def _count(self, number: int, answer: Answer) -> None:
        emulator, now = self.emulator, self.now()
        self.tell(emulator.answer(number, answer.element, answer.options, answer.id, now))

    async def _dismiss(
        self, connection: ServerConnection, close_code: int, code: str, message: str
    ) -> None:
        """Say why, and close the connection, whether or not its peer listens."""
        self._send([connection], encode(Error(code=code, message=message)))
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await connection.close(close_code, message[:100])

    def _send(self, connections: Collection[ServerConnection], frame: str) -> None:
        """Send a frame at once, in order, waiting for nobody; who does not read is cut off."""
        most, there = self._limits.send_bytes_max, list[ServerConnection]()
        for connection in connections:
            transport = connection.transport
            if transport.get_write_buffer_size() > most:
                transport.abort()
            elif not transport.is_closing():  # else asyncio complains of every write
                there.append(connection)
        broadcast(there, frame)

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
