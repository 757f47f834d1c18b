"""How facts reach a counter and votes leave it: the seam, and the live channel over WebSocket.

Another platform is one more `Transport`: a few dozen lines that turn its messages into facts.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import ssl as ssl_module
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import broadcast
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    InvalidURI,
    SecurityError,
    WebSocketException,
)
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from .commands import CastVote
from .errors import MisuseError
from .facts import Disconnected, Fact, FrameSkipped, Welcomed
from .player_token import PlayerToken, TokenSource

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Transport", "WebSocketTransport", "backoff_s", "is_loopback"]

logger = logging.getLogger(__name__)
QUIET = logging.getLogger(f"{__name__}.frames")
"""For websockets, which at level DEBUG would write down the player's id and token."""
QUIET.setLevel(logging.WARNING)

SUBJECTS_MAX = 20
"""Of how many things a transport warns."""
CLOSE_S = 1.0
"""How long a server may take to say goodbye."""
WRONG_PEER = 1002
"""The close code for a peer that does not speak the live channel (RFC 6455: protocol error)."""
FRAME_TOO_LONG = 1009
"""The close code for a frame over the limit."""
RETRY_AFTER_S_MAX = 300.0
"""The longest that a server may keep a client away: one that errs does not end a show for it."""
QUEUE_FRAMES = 16
"""How many frames wait here for an app that is busy; the next ones wait at the server."""


class Transport(Protocol):
    """Brings facts from a platform to one counter, and its votes to the platform.

    For example:

    ```python
    class MyPlatform:
        acknowledges = False

        async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
            async for message in my_sdk.subscribe(event_id):
                yield as_fact(message)

        async def send(self, vote: CastVote) -> None:
            await my_sdk.answer(vote.poll_id, vote.option)

    PollCounter(transport=MyPlatform(), event_id="...", journal="player.json")
    ```
    """

    acknowledges: bool
    """Whether the platform tells if an answer was accepted; if not, no vote is ever repeated."""

    def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Connect, and reconnect for ever; give every fact as it comes.

        The first fact of a connection is `Welcomed`, a snapshot; a lost one ends with
        `Disconnected`. Closing the generator closes the connection. `player_id` is the same
        over restarts, so that the platform can refuse a second vote.
        """
        ...

    async def send(self, vote: CastVote) -> None:
        """Hand a vote to the platform; may raise whatever it likes, the vote counts as cast."""
        ...


def backoff_s(
    attempt: int, *, first_s: float, cap_s: float, draw: Callable[[], float] = random.random
) -> float:
    """The seconds to wait before another try: [0, first], then [first, min(cap, first * 2^n)].

    Of a row the first (`attempt` 0) is uniform on [0, first], which spreads the crowd that a
    restarted server would otherwise meet all at once. Later ones are uniform on [first, min(cap,
    first * 2^attempt)]: who came too early does not come again among those who come for the first
    time. With full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015), where
    all begin at 0, an outage nearly as long as the first delay is followed by almost half as many
    again in a second. Under a cap below twice the first the least is half of the most.
    """
    if attempt == 0:
        return draw() * first_s
    most_s = min(max(cap_s, first_s), first_s * 2.0 ** min(attempt, 32))
    least_s = min(first_s, most_s / 2.0)
    return least_s + draw() * (most_s - least_s)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its spelling alone: a resolver may be lied to.

    Of the spellings that only a resolver understands (127.1, 0x7f000001) none is taken.
    """
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback  # Python 3.13 looks into a mapped one by itself


class _WrongPeerError(Exception):
    """Who was reached is not what was meant: `reason`, in a word, and what it is told."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class _Connect(connect):
    """Connects, and follows a redirect only to where the app itself might have connected."""

    def __init__(self, uri: str, *, allow_plain: bool, **options: Any) -> None:
        super().__init__(uri, **options)
        self._allow_plain = allow_plain

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Tell where to go instead, if anywhere."""
        told = super().process_redirect(exc)
        if isinstance(told, str):
            to = parse_uri(told)
            if not (to.secure or self._allow_plain or is_loopback(to.host)):
                return SecurityError(f"a redirect to plain ws://{to.host} is not followed")
        return told


class _Address(NamedTuple):
    """Where a server is, and how it is reached."""

    url: str
    host: str
    """For the log: an address may carry a token."""
    secure: bool
    loopback: bool

    @classmethod
    def read(cls, url: str, *, allow_plain: bool) -> _Address:
        """Take a URL apart; raises MisuseError for one that cannot work."""
        try:
            parsed = parse_uri(url)
        except (InvalidURI, ValueError) as error:
            # Never the address itself, nor a part of it: it may carry a token or a password.
            why = error.msg if isinstance(error, InvalidURI) else "its host or port is malformed"
            raise MisuseError(
                f"that is no WebSocket address ({why}); pass one such as 'wss://host/path'"
            ) from None
        loopback = is_loopback(parsed.host)
        if not parsed.secure and not (loopback or allow_plain):
            raise MisuseError(
                f"ws:// is not encrypted, and {parsed.host} is not this machine; use wss://, or "
                "pass allow_plain=True where the network between can be trusted"
            )
        return cls(url, parsed.host, parsed.secure, loopback)


class WebSocketTransport:
    """The live channel: subprotocol `poll-counter.v1`, one JSON object per text frame.

    Args:
        url: `wss://...`; plain `ws://` reaches loopback only, unless `allow_plain`. A sequence
            of them names servers of one platform that are equal: their order is drawn, and after
            every lost or failed connection the next one has its turn. So a crowd begins at all of
            them, and the clients of one that dies go to all the others.
        ssl: a TLS context, for an own certificate authority; verified defaults else.
        allow_plain: allow `ws://` to other hosts: anybody on the way can read and vote.
        token: where the platform asks who the player is, the token that the app's backend made,
            or a function that gets one, (event id, player id) -> token. It is asked for every
            connection, so that a token may be over after a while. A coroutine function is
            awaited; any other one is called in a thread, and may block.
        max_frame_bytes: a longer frame ends the connection. All elements of an event come in one
            frame with every connect, so that an event must not be larger.
        open_timeout_s: how long a connection may take to open, from the name's look-up through
            TLS to the end of the handshake.
        welcome_timeout_s: how long a server may take to answer `hello`.
        dead_after_s: a link that nothing comes through is given up within this time and a
            second: every half of it a ping is sent, and has as long to come back.
        reconnect_first_s: the first reconnect is delayed uniformly on [0, this]; after the n-th
            failure in a row the next on [this, this * 2^n], see `backoff_s`.
        reconnect_cap_s: the most that the doubling leads to.

    Raises `MisuseError` for a URL or a token that cannot work.

    For example:

    ```python
    transport = WebSocketTransport("wss://live.example/show", reconnect_cap_s=60.0)
    PollCounter(transport=transport, event_id="...", journal="player.json")
    ```
    """

    acknowledges = True

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        ssl: ssl_module.SSLContext | None = None,
        allow_plain: bool = False,
        token: PlayerToken | None = None,
        max_frame_bytes: int = 2**20,
        open_timeout_s: float = 10.0,
        welcome_timeout_s: float = 10.0,
        dead_after_s: float = 20.0,
        reconnect_first_s: float = 5.0,
        reconnect_cap_s: float = 20.0,
    ) -> None:
        urls = [url] if isinstance(url, str) else url
        self._addresses = [_Address.read(each, allow_plain=allow_plain) for each in urls]
        if not self._addresses:
            raise MisuseError("there is no address to connect to; pass one, or several")
        if ssl is not None and not any(address.secure for address in self._addresses):
            raise MisuseError("ws:// is not encrypted, so ssl= has no use; make it wss://")
        random.shuffle(self._addresses)
        self._turn = 0
        self._ssl = ssl
        self._allow_plain = allow_plain
        self._token = None if token is None else TokenSource(token, welcome_timeout_s)
        self._max_frame_bytes = max_frame_bytes
        self._open_timeout_s = open_timeout_s
        self._dead_after_s = dead_after_s
        self._welcome_timeout_s = welcome_timeout_s
        self._reconnect_first_s = reconnect_first_s
        self._reconnect_cap_s = reconnect_cap_s
        self._connection: ClientConnection | None = None
        self._answers = 0
        self._said: set[str] = set()
        self._retry_after_s = 0.0

    @property
    def url(self) -> str:
        """The address that is connected to, or is next."""
        return self._address.url

    @property
    def _address(self) -> _Address:
        return self._addresses[self._turn]

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Connect, and reconnect for ever, little by little; give every fact as it comes."""
        attempt = 0
        while True:
            try:
                async with self._connected(event_id, player_id) as connection:
                    welcome_by = asyncio.get_running_loop().time() + self._welcome_timeout_s
                    welcomed = False
                    while True:
                        if welcomed:
                            frame = await connection.recv()
                        else:
                            async with asyncio.timeout_at(welcome_by):
                                frame = await connection.recv()
                        for fact in self._read(frame, event_id):
                            if isinstance(fact, Welcomed):
                                welcomed, attempt = True, 0
                            yield fact
            except _WrongPeerError as error:
                yield FrameSkipped(error.reason)
            except Exception as error:  # noqa: BLE001 - whatever breaks a connection, the next may work
                self._log_loss(error)
                if _is_too_long(error):
                    yield FrameSkipped("too_long")
                if isinstance(error, InvalidStatus):
                    self._retry_after_s = _retry_after(error.response)
            yield Disconnected()
            self._turn = (self._turn + 1) % len(self._addresses)
            delay_s = backoff_s(
                attempt, first_s=self._reconnect_first_s, cap_s=self._reconnect_cap_s
            )
            attempt += 1
            delay_s, self._retry_after_s = delay_s + self._retry_after_s, 0.0
            logger.debug("connecting to %s again in %.1f s", self._address.host, delay_s)
            await asyncio.sleep(delay_s)

    async def send(self, vote: CastVote) -> None:
        """Send an answer; raises ConnectionError when there is no connection."""
        connection = self._connection
        if connection is None or connection.state is not State.OPEN:
            raise ConnectionError("not connected")
        self._answers += 1
        wire = _wire()
        answer = wire.Answer(id=str(self._answers), element=vote.poll_id, options=[vote.option])
        # At once, and without waiting for room: one short frame a round needs none.
        broadcast([connection], wire.encode(answer))

    @asynccontextmanager
    async def _connected(self, event_id: str, player_id: str) -> AsyncGenerator[ClientConnection]:
        """A connection on which hello is said; closed with the block."""
        wire, address = _wire(), self._address
        tls: dict[str, Any] = {"ssl": self._ssl} if self._ssl and address.secure else {}
        connection = await _Connect(
            address.url,
            allow_plain=self._allow_plain,
            subprotocols=[Subprotocol(wire.SUBPROTOCOL)],
            compression=None,  # a frame is some hundred bytes, a compressor a hundred kilobytes
            proxy=None if address.loopback else True,
            max_size=self._max_frame_bytes,
            max_queue=QUEUE_FRAMES,
            open_timeout=self._open_timeout_s,
            ping_interval=self._dead_after_s / 2.0,
            ping_timeout=self._dead_after_s / 2.0,
            close_timeout=CLOSE_S,
            logger=QUIET,
            **tls,
        )
        try:
            if connection.subprotocol != wire.SUBPROTOCOL:
                speak = "speak " + wire.SUBPROTOCOL
                raise _WrongPeerError("wrong_subprotocol", speak)  # noqa: TRY301 - caught by all
            # Asked for now, so that a platform that is down does not load the app's backend.
            token = None if self._token is None else await self._token.get(event_id, player_id)
            hello = wire.Hello(event=event_id, user=player_id, token=token)
            with suppress(ConnectionClosed):  # what the server said before is read all the same
                await connection.send(wire.encode(hello))
            self._connection = connection
            yield connection
        except _WrongPeerError as error:
            await connection.close(WRONG_PEER, str(error))
            raise
        finally:
            self._connection = None
            try:
                await connection.close()
            finally:  # also when cancelled while the server takes its time to say goodbye
                connection.transport.abort()

    def _read(self, frame: str | bytes, event_id: str) -> Iterator[Fact]:
        """Read what the server tells: facts, and what is for the transport alone."""
        wire = _wire()
        for told in wire.decode_server(frame):
            if isinstance(told, wire.RetryAfter):
                self._retry_after_s = min(told.seconds, RETRY_AFTER_S_MAX)
            elif isinstance(told, wire.Error):
                self._log_error(told.code, told.message)
            elif isinstance(told, Welcomed) and told.event_id != event_id:
                raise _WrongPeerError("wrong_event", "welcome for another event")
            else:
                yield told

    def _log_loss(self, error: Exception) -> None:
        """Log why there is no connection: networks fail, anything else may have to be mended."""
        told = repr(error)
        usual = isinstance(error, OSError | WebSocketException)
        if isinstance(error, ssl_module.SSLCertVerificationError):
            usual = False
        if _is_too_long(error):
            usual, told = False, _TOO_LONG.format(self._max_frame_bytes)
        level = logging.DEBUG if usual else self._once(type(error).__name__)
        logger.log(level, "no connection to %s: %s", self._address.host, told)

    def _log_error(self, code: str, message: str) -> None:
        """Log what the server says is wrong."""
        logger.log(self._once(code), "the server says: %s (%s)", message[:200], code[:50])

    def _once(self, subject: str) -> int:
        """Warn of a subject once, then speak quietly; of a server that invents ever more, too."""
        if subject in self._said or len(self._said) >= SUBJECTS_MAX:
            return logging.DEBUG
        self._said.add(subject)
        return logging.WARNING


_TOO_LONG = (
    "it sent a frame of more than {:,} bytes, which is as much as max_frame_bytes allows; an event "
    "whose elements do not fit into one frame together cannot be joined: let it have fewer, or "
    "pass WebSocketTransport(..., max_frame_bytes=...) as transport="
)


def _is_too_long(error: Exception) -> bool:
    """Tell whether a connection was closed from here for a frame over the limit."""
    sent = error.sent if isinstance(error, ConnectionClosed) else None
    return sent is not None and sent.code == FRAME_TOO_LONG


def _retry_after(response: Response) -> float:
    """The seconds that a server, or what balances its load, says with HTTP to stay away for."""
    for told in response.headers.get_all("Retry-After"):
        if told.isdecimal():  # else a date, by a clock that is not ours
            return min(float(told), RETRY_AFTER_S_MAX)
    return 0.0


@cache
def _wire() -> ModuleType:
    """The wire models: imported with the first connection, for they take as long as the rest."""
    from . import wire  # noqa: PLC0415 - keeps `import poll_counter` quick

    return wire
