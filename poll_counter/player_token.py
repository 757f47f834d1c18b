"""The player's token: had whenever a connection needs one, shown to nobody.

Where the platform asks for one, an app's own backend, which knows who is signed in, makes it for
one event and one player id. It is sent to the platform in `hello` and goes nowhere else: not into
a log, an error or a repr.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from .errors import MisuseError

__all__ = ["PlayerToken", "TokenError", "TokenSource"]

TOKEN_LENGTH_MAX = 1000
"""A longer token cannot be sent."""

PlayerToken: TypeAlias = str | Callable[[str, str], str | Awaitable[str]]
"""The token itself, or how to get one: (event id, player id) -> token."""


class TokenError(Exception):
    """There is no token to connect with; says why, and never what it is."""


class TokenSource:
    """Gets the player's token.

    A coroutine function is awaited on the event loop. Any other function is called in a thread,
    so that it may block.

    Args:
        source: the token, or how to get one.
        timeout_s: how long that may take.

    Raises `MisuseError` for a token that cannot be one.
    """

    def __init__(self, source: PlayerToken, timeout_s: float) -> None:
        self._source = source
        self._timeout_s = timeout_s
        wrong = _wrong(source) if isinstance(source, str) else ""
        del source  # a traceback with local variables does not have it
        if wrong:
            raise MisuseError(f"the player's token {wrong}; pass it as the backend gave it")

    async def get(self, event_id: str, player_id: str) -> str:
        """Get the token for a connection; raises TokenError."""
        try:
            async with asyncio.timeout(self._timeout_s):
                token = await self._ask(event_id, player_id)
        except Exception as error:  # noqa: BLE001 - the app's function may raise anything
            raise TokenError(f"the app's function raised {type(error).__name__}") from None
        wrong = _wrong(token)
        if wrong:
            del token
            raise TokenError(f"what the app's function gave {wrong}")
        return token

    async def _ask(self, event_id: str, player_id: str) -> str:
        source = self._source
        if isinstance(source, str):
            return source
        if inspect.iscoroutinefunction(source):
            token: str = await source(event_id, player_id)
            return token
        told = await asyncio.to_thread(source, event_id, player_id)
        return await told if inspect.isawaitable(told) else told


def _wrong(token: object) -> str:
    """Say why something cannot be a token, without repeating it; empty if it can."""
    if not isinstance(token, str):
        return f"is of type {type(token).__name__}, not str"
    if not 0 < len(token) <= TOKEN_LENGTH_MAX:
        return f"has {len(token)} characters, not 1 to {TOKEN_LENGTH_MAX}"
    return ""
