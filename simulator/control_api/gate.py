"""The gate of the Control API: who asks with which token, and not too often.

The bearer token is taken out of the request before anything else sees it, so that no traceback of
what comes after, not even one with local variables, can tell it. On the specs and the feeds it is
taken out as well and otherwise ignored: the platform's tools send it there (contract section 18.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil

from starlette.types import ASGIApp, Receive, Scope, Send

from .documents import API, Refusal
from .tokens import Grant, Tokens

__all__ = ["Gate", "grant_of"]

GRANT = "poll_counter.grant"
"""Where the scope of a request has what it may do."""


def grant_of(scope: Scope) -> Grant | None:
    """What a request may do; None outside of the Control API."""
    grant: Grant | None = scope.get(GRANT)
    return grant


class Gate:
    """Lets a request of the Control API through whose token is known and has requests left.

    Args:
        app: what is behind the gate.
        tokens: those that are known.
        monotonic: the clock of their buckets, in seconds.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._tokens = tokens
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 429, or leave the grant in the scope and go on."""
        if scope["type"] == "http":
            try:
                scope[GRANT] = self._grant(scope)
            except Refusal as refusal:
                await refusal.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _grant(self, scope: Scope) -> Grant | None:
        """Take the token out of a request, and the request out of the token's bucket."""
        now = self._monotonic()
        headers = scope["headers"]
        scope["headers"] = [pair for pair in headers if pair[0] != b"authorization"]
        if not f"{scope['path']}/".startswith(f"{API}/"):
            return None
        sent = len(headers) > len(scope["headers"])
        grant = self._tokens.take(_token(headers), now)
        if grant is None:
            challenge = 'Bearer error="invalid_token"' if sent else "Bearer"
            detail = "send a token that is known here: Authorization: Bearer <token>"
            raise Refusal(401, detail, headers={"www-authenticate": challenge})
        if grant.wait_s > 0.0:
            detail = "this token's bucket of requests is empty"
            raise Refusal(429, detail, headers={"retry-after": str(ceil(grant.wait_s))})
        return grant


def _token(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The bearer token of a request; empty, which is no token, unless there is exactly one."""
    given = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""  # RFC 9110, section 11.1
