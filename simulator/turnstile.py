"""What stands between a socket of the live channel and websockets: it counts, and may cut off.

websockets sees a connection only when its handshake has been read, and frames only when they have
been parsed. Here a peer that may not come in is turned away before anything of it is read, and one
that sends too much is cut off before that is parsed. It is an asyncio protocol around another one,
handed to `serve` by way of its `create_connection`; of websockets nothing is overridden.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil
from typing import cast

from websockets.asyncio.server import ServerConnection

from .door import Door, Refused
from .limits import Bucket, Limits

__all__ = ["Turnstile"]

FAREWELL_S = 1.0
"""How long it takes at most to tell a peer that it may not come in."""


class Turnstile(asyncio.Protocol):
    """Hands on what a connection's socket says, as long as the door and the limits let it.

    Args:
        connection: what is behind it, not yet connected.
        door: decides who comes in.
        limits: say how many bytes a connection may send.
        now: the clock of both, in seconds.
    """

    def __init__(
        self, connection: ServerConnection, door: Door, limits: Limits, now: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._door = door
        self._bytes = Bucket(limits.bytes_burst, limits.bytes_per_s)
        self._now = now
        self._refused: Refused | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket was accepted: hand it on, or turn it away."""
        self._transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername") or ("gone",)
        self._refused = self._door.knock(self._connection, str(address[0]), self._now())
        if self._refused is None:
            self._connection.connection_made(transport)
            longest = self._door.give_way()
            if longest is not None:
                cast("ServerConnection", longest).transport.abort()
        elif self._refused.told:  # as soon as it has asked: see data_received
            asyncio.get_running_loop().call_later(FAREWELL_S, self._transport.abort)
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """The peer has sent something."""
        if self._refused is not None:
            self._transport.write(_response(self._refused))
            self._transport.close()
        elif self._bytes.take(self._now(), len(data)):
            self._transport.abort()
        else:
            self._connection.data_received(data)

    def eof_received(self) -> None:
        """The peer will send nothing more; the transport closes itself."""
        if self._refused is None:
            self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._door.gone(self._connection)
        if self._refused is None:
            self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """What waits to be sent is much."""
        if self._refused is None:
            self._connection.pause_writing()

    def resume_writing(self) -> None:
        """It is less again."""
        if self._refused is None:
            self._connection.resume_writing()


def _response(refused: Refused) -> bytes:
    """Write what HTTP says of a refusal; nothing of the request was read for it."""
    phrase = {429: "Too Many Requests", 503: "Service Unavailable"}[refused.status]
    body = f"{refused.text}\n"
    return (
        f"HTTP/1.1 {refused.status} {phrase}\r\n"
        f"Retry-After: {ceil(refused.retry_after_s)}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n"
        "\r\n"
        f"{body}"
    ).encode()
