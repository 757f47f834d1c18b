"""Who may come in by way of loopback: whoever has the token, from where it may be used.

Every program and every web page on this machine can knock at a port of loopback. The token keeps
other programs out; the origin, which a browser tells by itself, keeps out a page that got hold of
a token; the `Host` keeps out one that had its own name point to this machine (DNS rebinding).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

__all__ = ["LOOPBACK", "Door", "File"]

LOOPBACK = "127.0.0.1"
"""The one address that a bridge is listened for on."""


class File(NamedTuple):
    """Something to be loaded."""

    media_type: str
    content: bytes


@dataclass(frozen=True)
class Door:
    """Answers what is asked of a port: a file, a refusal, or nothing, for a bridge that may enter.

    Args:
        port: the port listened on.
        origins: where a bridge may come from: what a browser sends as `Origin`; None stands for
            a program that is no browser, and sends none.
        files: name -> what may be loaded by whoever has the token.
    """

    port: int
    origins: frozenset[str | None]
    files: Mapping[str, File]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """Made anew for every run: an old one opens nothing."""

    @property
    def host(self) -> str:
        """Host and port."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def path(self) -> str:
        """What every path begins with."""
        return f"/{self.token}"

    def answer(self, request: Request) -> Response | None:
        """Answer a request; None lets a bridge in."""
        origin, hosts = request.headers.get("Origin"), request.headers.get_all("Host")
        token, _, name = request.path.partition("?")[0].lstrip("/").partition("/")
        if hosts not in ([self.host], [f"localhost:{self.port}"]):
            return _refusal(HTTPStatus.MISDIRECTED_REQUEST, "this is no name of mine")
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return _refusal(HTTPStatus.FORBIDDEN, "the token is wrong: it is new in every run")
        if "Upgrade" in request.headers:
            if origin in self.origins:
                return None
            told = "from no page" if origin is None else f"from {origin}"
            return _refusal(HTTPStatus.FORBIDDEN, f"a bridge {told} is not let in")
        if name not in self.files:
            return _refusal(HTTPStatus.NOT_FOUND, "there is no such file")
        headers = Headers({"Content-Type": self.files[name].media_type, "Vary": "Origin"})
        if origin is not None and origin in self.origins:  # a page's own modules need no leave
            headers["Access-Control-Allow-Origin"] = origin
        return _response(HTTPStatus.OK, headers, self.files[name].content)


def _refusal(status: HTTPStatus, why: str) -> Response:
    headers = Headers({"Content-Type": "text/plain; charset=utf-8"})
    return _response(status, headers, f"{why}\n".encode())


def _response(status: HTTPStatus, headers: Headers, content: bytes) -> Response:
    headers["Content-Length"] = str(len(content))
    headers["Connection"] = "close"
    headers["Cache-Control"] = "no-store"
    headers["Referrer-Policy"] = "no-referrer"  # the address has the token in it
    headers["X-Content-Type-Options"] = "nosniff"
    return Response(status.value, status.phrase, headers, content)
