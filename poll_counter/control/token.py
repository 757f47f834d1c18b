"""The bearer token: read once, sent to one place, told to nobody.

A token has the rights of the user who made it (contract section 2), so it must not get into a log
or a crash report, not even into one that keeps local variables.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from hashlib import blake2b
from secrets import token_bytes

import httpx

from poll_counter.errors import MisuseError

__all__ = ["TOKEN_VARIABLE", "Token"]

TOKEN_VARIABLE = "POLL_COUNTER_TOKEN"  # noqa: S105 - where it is, not what it is
"""The environment variable that holds the token where none is passed."""

_SALT = token_bytes(32)


class Token(httpx.Auth):
    """Holds the token so that nothing shows it.

    Args:
        value: the token; None for the environment variable `POLL_COUNTER_TOKEN`.

    `check` says whether it can be sent: to raise here would keep the value in the traceback.
    """

    def __init__(self, value: str | None = None) -> None:
        self._value = os.environ.get(TOKEN_VARIABLE) if value is None else value

    def __repr__(self) -> str:
        return "<Token, not shown>"

    def check(self) -> None:
        """Raise `MisuseError` for a token that cannot be one; it does not repeat it."""
        if self._value is None:
            raise MisuseError(
                f"there is no token: set the environment variable {TOKEN_VARIABLE}, or pass token="
            )
        if not self._value:
            raise MisuseError("the token is empty; make one in Studio, Account Settings")
        if not all("!" <= character <= "~" for character in self._value):
            raise MisuseError(
                "the token has a space, a line break or a character beyond ASCII in it; pass the "
                "token alone, as Studio shows it, without the word Bearer"
            )

    @property
    def key(self) -> str:
        """Tells tokens apart, in this process only; the token cannot be had from it."""
        return blake2b((self._value or "").encode(), key=_SALT, digest_size=16).hexdigest()

    def hide(self, text: str) -> str:
        """Take the token out of a text, should the platform have repeated it."""
        return text.replace(self._value, "[token]") if self._value else text

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send it along (RFC 6750); httpx calls this."""
        request.headers["Authorization"] = f"Bearer {self._value}"
        yield request
