"""The gate: who is let in, who has to wait, and that the token goes no further."""

from __future__ import annotations

import io
import logging
import traceback
from typing import Any

import httpx
import pytest
from rich.console import Console
from rich.traceback import Traceback
from starlette.types import Receive, Scope, Send

from simulator.choices import Choices
from simulator.control_api.gate import Gate, grant_of
from simulator.control_api.tokens import Tokens

SECRET = "secret-token-0123456789abcdef"
BEARER = f"Bearer {SECRET}"


class Behind:
    """What is behind the gate: keeps the scopes that it is given, and answers or fails."""

    def __init__(self, failure: str = "") -> None:
        self.scopes: list[Scope] = []
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or fail."""
        self.scopes.append(scope)
        if self._failure:
            raise RuntimeError(self._failure)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})


def gate(behind: Behind, **choices: Any) -> Gate:
    """A gate that knows one token; its clock stands still."""
    tokens = Tokens(Choices(**choices))
    tokens.add(SECRET, "viewer", name="Vic")
    return Gate(behind, tokens, lambda: 0.0)


async def ask(app: Gate, *authorizations: str, path: str = "/api/v2/me") -> httpx.Response:
    """Ask for something."""
    headers = [("authorization", each) for each in authorizations]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        return await client.get(f"http://emulator.test{path}", headers=headers)


@pytest.mark.parametrize("authorization", [BEARER, f"bearer {SECRET}", f"BEARER   {SECRET} "])
async def test_a_known_token_is_let_in(authorization: str) -> None:
    """The scheme's case does not matter; what it may do is known further on."""
    behind = Behind()
    assert (await ask(gate(behind), authorization)).status_code == 200
    grant = grant_of(behind.scopes[0])
    assert grant is not None
    assert (grant.name, grant.rights) == ("Vic", "viewer")


@pytest.mark.parametrize(
    ("authorizations", "challenge"),
    [
        ([], "Bearer"),
        ([""], 'Bearer error="invalid_token"'),
        (["Bearer"], 'Bearer error="invalid_token"'),
        (["Bearer unknown"], 'Bearer error="invalid_token"'),
        ([f"Basic {SECRET}"], 'Bearer error="invalid_token"'),
        ([SECRET], 'Bearer error="invalid_token"'),
        ([f"Bearer{SECRET}"], 'Bearer error="invalid_token"'),
        ([BEARER, BEARER], 'Bearer error="invalid_token"'),
    ],
)
async def test_nobody_else_is(authorizations: list[str], challenge: str) -> None:
    """401, with a challenge that tells a missing token from an unknown one."""
    behind = Behind()
    answer = await ask(gate(behind), *authorizations)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == challenge
    assert "bearer" in answer.json()["errors"][0]["detail"].lower()
    assert behind.scopes == []


@pytest.mark.parametrize("path", ["/api/v2", "/api/v2/", "/api/v2/nothing", "/api/v2/events/x"])
async def test_all_of_the_control_api_is_behind_it(path: str) -> None:
    """Also what is not there: who has no token does not learn even that."""
    assert (await ask(gate(Behind()), path=path)).status_code == 401


@pytest.mark.parametrize("path", ["/", "/api", "/api/v2x", "/projects/ab/abc/listings.json"])
@pytest.mark.parametrize("authorizations", [[], [BEARER], ["Bearer unknown"]])
async def test_elsewhere_a_token_is_ignored(path: str, authorizations: list[str]) -> None:
    """It takes nothing from the bucket either, and is not passed on."""
    behind = Behind()
    app = gate(behind, bucket=1)
    for _ in range(3):
        assert (await ask(app, *authorizations, path=path)).status_code == 200
    assert (await ask(app, BEARER)).status_code == 200
    assert grant_of(behind.scopes[0]) is None
    assert all(name != b"authorization" for scope in behind.scopes for name, _ in scope["headers"])


@pytest.mark.parametrize(
    ("refill_per_s", "retry_after"), [(5.0, "1"), (1.0, "1"), (0.5, "2"), (0.3, "4")]
)
async def test_an_empty_bucket_is_told(refill_per_s: float, retry_after: str) -> None:
    """429, with the whole seconds to wait; waiting them is enough."""
    app = gate(Behind(), bucket=2, refill_per_s=refill_per_s)
    assert [(await ask(app, BEARER)).status_code for _ in range(2)] == [200, 200]
    answer = await ask(app, BEARER)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == retry_after
    assert answer.json()["errors"][0]["status"] == "429"


async def test_other_headers_are_kept() -> None:
    """In their order; only the token is taken out."""
    behind = Behind()
    await ask(gate(behind), BEARER)
    names = [name for name, _ in behind.scopes[0]["headers"]]
    assert names[0] == b"host"
    assert b"user-agent" in names
    assert b"authorization" not in names


async def test_what_is_no_request_passes() -> None:
    """The lifespan of the application, for one."""
    seen: list[Scope] = []

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def nothing(*_: Any) -> Any: ...

    await Gate(behind, Tokens(), lambda: 0.0)({"type": "lifespan"}, nothing, nothing)
    assert seen == [{"type": "lifespan"}]


async def test_no_traceback_tells_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """Not of what fails behind the gate, local variables and all; nor is it logged."""
    caplog.set_level(logging.DEBUG)

    async def nothing(*_: Any) -> Any: ...

    for path in ("/api/v2/me", "/elsewhere"):
        headers = [(b"host", b"x"), (b"authorization", BEARER.encode())]
        scope = {"type": "http", "path": path, "headers": headers}
        with pytest.raises(RuntimeError, match="it is broken") as caught:
            await gate(Behind("it is broken"))(scope, nothing, nothing)
        frames = caught.tb.tb_next  # without this test's own, which has what it sends
        plain = traceback.TracebackException(
            caught.type, caught.value, frames, capture_locals=True
        ).format()
        screen = Console(file=io.StringIO(), width=10_000)
        screen.print(Traceback.from_exception(caught.type, caught.value, frames, show_locals=True))
        assert isinstance(screen.file, io.StringIO)
        for shown in ("".join(plain), screen.file.getvalue()):
            assert "it is broken" in shown
            assert "scope" in shown  # local variables are shown
            assert SECRET not in shown
    assert SECRET not in caplog.text
