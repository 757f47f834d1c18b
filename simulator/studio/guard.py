"""Who may use the studio: the page that it served, in a browser on this machine, and nobody else.

The studio listens on loopback, where every web page that the user has open can knock as well. What
comes under another name than this machine's (DNS rebinding) or from another page (cross-site
request forgery) is refused, and the page itself may load and call only what is served here.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard"]

NAMES = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine."""
POLICY: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
"""What a browser is told about every answer."""


class Guard:
    """Refuses who may not use the studio, and says to browsers what the page may do.

    Args:
        app: what is behind the guard.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 or 421, or go on."""

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(POLICY)
            await send(message)

        status, why = _refusal(scope)
        if status:
            answer = JSONResponse({"refused": why}, status)
            await answer(scope, receive, send_with_policy)
        else:
            await self._app(scope, receive, send_with_policy)


def _refusal(scope: Scope) -> tuple[int, str]:
    """Say why a request is not let through; (0, "") where it is."""
    headers, (_, port) = Headers(scope=scope), scope["server"]
    host = headers.get("host", "")
    if host not in {f"{name}:{port}" for name in NAMES}:
        return 421, f"The studio is at http://127.0.0.1:{port}, and under no other name."
    if scope["method"] not in {"GET", "HEAD"}:
        if headers.get("origin") != f"http://{host}":
            return 403, "Only the studio's own page may do that."
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return 403, "The studio takes JSON alone."
    elif scope["path"] != "/" and headers.get("sec-fetch-site", "none") not in {
        "none",
        "same-origin",
    }:
        return 403, "Only the studio's own page may load that."
    return 0, ""
