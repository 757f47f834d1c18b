"""How calls are sent, repeated and understood; and that nothing tells the token."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from poll_counter.control.api import ControlApi
from poll_counter.control.http import RETRY_AFTER_MAX_S, retry_after_s
from poll_counter.errors import ControlApiError, MisuseError, Problem

from .support import TOKEN, Logged, Step, api_on, everything_about

EVENT = {"data": {"id": "e1", "type": "events", "attributes": {"name": "Final"}}}
REFUSED = httpx.ConnectError("connection refused")
TIMEOUT = httpx.ReadTimeout("")


def status(code: int, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    """An answer without a body; a new one for each request."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(code, headers=names)


async def test_requests_look_like_those_of_the_platforms_own_tools() -> None:
    """Bearer, Content-Type also on reads, an Accept that no server refuses (contract 2 and 18)."""
    api, platform, _ = api_on(EVENT, status(204))
    await api.event("e1", include=["stats", "project"])
    await api.update_event("e1", {"name": "Final"})
    for request in platform.requests:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert request.headers["Content-Type"] == "application/vnd.api+json"
        assert request.headers["Accept"] == "application/json"
    read, written = platform.requests
    assert str(read.url) == "https://platform.example/api/v2/events/e1?include=stats%2Cproject"
    assert read.content == b""
    assert written.method == "PATCH"


# Repeating


def answer_to(job: str) -> Step:
    """What fits."""
    return {"data": []} if job == "events" else EVENT


Job = Callable[[ControlApi], Awaitable[object]]
SAFE: dict[str, Job] = {
    "event": lambda api: api.event("e1"),
    "events": lambda api: api.elements("e1"),
    "update_event": lambda api: api.update_event("e1", {"name": "Final"}),
    "update_element": lambda api: api.update_element("e1", {}),
    "delete_element": lambda api: api.delete_element("e1"),
}
UNSAFE: dict[str, Job] = {
    "create_event": lambda api: api.create_event("p1", {"name": "Final"}),
    "create_element": lambda api: api.create_element("e1", {"content_type": "trivia"}),
    "publish": lambda api: api.publish("e1"),
    "start_event": lambda api: api.start_event("e1"),
    "stop": lambda api: api.update_element("e1", {"label": "x", "action": "stop"}),
}
UNSURE: dict[str, Step] = {
    **{str(code): status(code) for code in (500, 502, 503, 504)},
    "timeout": TIMEOUT,
    "reset": httpx.ReadError("reset"),
}
UNTOUCHED: dict[str, Step] = {
    "429": status(429),
    "refused": REFUSED,
    "connect timeout": httpx.ConnectTimeout(""),
}


@pytest.mark.parametrize("job", [*SAFE, *UNSAFE])
@pytest.mark.parametrize("failure", UNTOUCHED.values(), ids=UNTOUCHED)
async def test_what_was_not_carried_out_is_repeated_whatever_it_is(job: str, failure: Step) -> None:
    """Refused for its rate, or no connection: nothing has happened yet."""
    api, platform, naps = api_on(failure, failure, answer_to(job))
    await {**SAFE, **UNSAFE}[job](api)
    assert len(platform.requests) == 3
    assert naps.taken == [1.0, 2.0]


@pytest.mark.parametrize("job", SAFE)
@pytest.mark.parametrize("failure", UNSURE.values(), ids=UNSURE)
async def test_what_may_have_been_carried_out_is_repeated_if_that_is_safe(
    job: str, failure: Step
) -> None:
    """A read, attributes, a deletion: twice does no more than once."""
    api, platform, _ = api_on(failure, answer_to(job))
    await {**SAFE, **UNSAFE}[job](api)
    assert len(platform.requests) == 2


@pytest.mark.parametrize("job", UNSAFE)
@pytest.mark.parametrize("failure", UNSURE.values(), ids=UNSURE)
async def test_a_creation_or_an_action_is_never_sent_twice(job: str, failure: Step) -> None:
    """It might make two, or act on what somebody has done meanwhile."""
    api, platform, _ = api_on(failure)
    with pytest.raises(ControlApiError):
        await {**SAFE, **UNSAFE}[job](api)
    assert len(platform.requests) == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 422, 501])
async def test_what_will_be_the_same_the_next_time_is_not_repeated(code: int) -> None:
    """A refusal is final."""
    api, platform, _ = api_on(status(code))
    with pytest.raises(ControlApiError) as caught:
        await api.event("e1")
    assert caught.value.status == code
    assert len(platform.requests) == 1


async def test_attempts_are_bounded_and_jittered() -> None:
    """Uniform on [0, 1 s], then on [1, 2^n], 20 s at most; the last failure is raised."""
    draws = iter([0.5, 1.0, 0.25, 1.0, 1.0, 1.0])
    api, platform, naps = api_on(always=status(503), attempts=7, draw=lambda: next(draws))
    with pytest.raises(ControlApiError, match="status 503"):
        await api.event("e1")
    assert len(platform.requests) == 7
    assert naps.taken == [0.5, 2.0, 1.75, 8.0, 16.0, 20.0]


async def test_one_call_may_have_its_own_number_of_attempts() -> None:
    """The reads of the stats are never repeated at once (contract 1.1)."""
    api, platform, _ = api_on(always=status(429))
    with pytest.raises(ControlApiError):
        await api.event("e1", attempts=1)
    assert len(platform.requests) == 1


async def test_retry_after_is_waited_for() -> None:
    """The jitter comes on top, so that those who were told the same do not come at once."""
    api, _, naps = api_on(status(429, Retry_After="7"), status(503, retry_after="2"), EVENT)
    await api.event("e1")
    assert naps.taken == [8.0, 4.0]


NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def _http(date: datetime) -> str:
    return format_datetime(date, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", 0.0),
        ("3", 3.0),
        (" 0.5 ", 0.5),
        ("9" * 5000, RETRY_AFTER_MAX_S),
        ("-3", 0.0),
        ("nan", 0.0),
        ("\u00b2", 0.0),
        ("soon", 0.0),
        (_http(NOW + timedelta(seconds=12)), 12.0),
        (_http(NOW - timedelta(seconds=12)), 0.0),
        (_http(NOW + timedelta(days=1)), RETRY_AFTER_MAX_S),
        ("Tue, 24 Nov 2026 03:00:05 -0000", 5.0),
        ("Tue, 99 Nov 2026 03:00:05 GMT", 0.0),
    ],
    ids=lambda value: str(value)[:30],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float) -> None:
    """A date is compared with the answer's own; what cannot be read asks for nothing."""
    assert retry_after_s({"Retry-After": value, "Date": _http(NOW)}) == seconds


def test_a_retry_after_date_without_a_date_of_the_answer() -> None:
    """Then this machine's clock has to do."""
    assert retry_after_s({"Retry-After": _http(datetime(2999, 1, 1, tzinfo=UTC))}) == 60.0
    assert retry_after_s({"Retry-After": _http(datetime(1999, 1, 1, tzinfo=UTC))}) == 0.0


async def test_a_deletion_whose_answer_was_lost_is_done() -> None:
    """The repeat finds nothing to delete; that is what was wanted."""
    api, platform, _ = api_on(TIMEOUT, status(404))
    await api.delete_element("e1")
    assert platform.asked == ["DELETE /api/v2/elements/e1"] * 2


@pytest.mark.parametrize("steps", [[status(404)], [status(429), status(404)]])
async def test_a_deletion_of_what_was_never_there_is_an_error(steps: list[Step]) -> None:
    """A 429 has deleted nothing."""
    api, _, _ = api_on(*steps)
    with pytest.raises(ControlApiError, match="status 404"):
        await api.delete_element("e1")


# What is told


@pytest.mark.parametrize(
    ("body", "problems", "message"),
    [
        (
            '{"errors":[{"source":{"pointer":"/data/attributes/action"},"detail":"is over"}]}',
            [Problem("/data/attributes/action", "is over")],
            "status 422, /data/attributes/action: is over",
        ),
        (
            '{"errors":[{"title":"no"},{"source":{"parameter":"sort"},"detail":"which?"}]}',
            [Problem("", "no"), Problem("sort", "which?")],
            "status 422, no; sort: which?",
        ),
        (
            '{"errors":[{"source":{"pointer":"/data"}},{},7,{"detail":7,"source":7}]}',
            [Problem("/data", "refused")],
            "status 422, /data: refused",
        ),
        ('{"error":"bad"}', [Problem("", "bad")], "status 422, bad"),
        ('{"errors":[],"message":"worse"}', [Problem("", "worse")], "status 422, worse"),
        ('{"errors":{"a":1},"error":{}}', [], "status 422"),
        ("[1]", [], "status 422"),
        ("", [], "status 422"),
        (
            "<h1>Not\n\x1b[31m here</h1>",
            [Problem("", "<h1>Not [31m here</h1>")],
            "status 422, <h1>Not [31m here</h1>",
        ),
        ("x" * 1000, [Problem("", "x" * 200)], "status 422, " + "x" * 200),
        ("[" * 100_000, [Problem("", "[" * 200)], "status 422, " + "[" * 200),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), None, None),
    ],
    ids=range(12),
)
async def test_problems_are_read_in_every_shape(
    body: str, problems: list[Problem] | None, message: str | None
) -> None:
    """Contract section 3: detail else title, the pointer; error; message; else the text."""
    api, _, _ = api_on(httpx.Response(422, content=body.encode("latin-1")))
    with pytest.raises(ControlApiError) as caught:
        await api.stop_event("e1")
    if problems is not None:
        assert list(caught.value.problems) == problems
        assert str(caught.value) == f"PATCH /api/v2/events/e1: {message}"
    assert caught.value.status == 422


async def test_many_problems_are_cut() -> None:
    """A page of a thousand errors makes no message of a thousand lines."""
    api, _, _ = api_on(httpx.Response(422, json={"errors": [{"detail": "no"}] * 1000}))
    with pytest.raises(ControlApiError) as caught:
        await api.stop_event("e1")
    assert len(caught.value.problems) == 20


@pytest.mark.parametrize(
    ("code", "advice"), [(401, "is the token right"), (403, "the token's user")]
)
async def test_refused_tokens_come_with_advice(code: int, advice: str) -> None:
    """The bodies of these are not documented, so say what to look at."""
    api, _, _ = api_on(status(code))
    with pytest.raises(ControlApiError, match=advice):
        await api.me()


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (REFUSED, "GET /api/v2/me: cannot connect: connection refused"),
        (httpx.ConnectTimeout(""), "GET /api/v2/me: no connection within 10 s"),
        (TIMEOUT, "GET /api/v2/me: no answer within 10 s"),
        (
            httpx.RemoteProtocolError("gone"),
            "GET /api/v2/me: no answer (RemoteProtocolError): gone",
        ),
        (httpx.ReadError(""), "GET /api/v2/me: no answer (ReadError)"),
    ],
)
async def test_trouble_with_the_network_is_told_in_a_sentence(
    failure: Exception, message: str
) -> None:
    """There is no status then."""
    api, _, _ = api_on(failure, attempts=1)
    with pytest.raises(ControlApiError) as caught:
        await api.me()
    assert str(caught.value) == message
    assert caught.value.status is None
    assert caught.value.problems == ()


async def test_a_broken_encoding_is_not_repeated() -> None:
    """It would be broken the next time as well."""
    broken = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=_Raw(b"no gzip"))
    api, platform, _ = api_on(broken)
    with pytest.raises(ControlApiError, match="DecodingError"):
        await api.me()
    assert len(platform.requests) == 1


class _Raw(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        yield self._content


@pytest.mark.parametrize("body", ["<html>", '{"data":', "[" * 100_000, '{"a":"\\ud800"}'])
async def test_an_answer_that_is_no_json_is_the_platforms_error(body: str) -> None:
    """Never a bare error of a JSON parser."""
    api, _, _ = api_on(httpx.Response(200, text=body))
    with pytest.raises(ControlApiError, match="status 200, but the answer is no JSON"):
        await api.event("e1")


async def test_redirects_are_not_followed() -> None:
    """The token is for one host."""
    api, platform, _ = api_on(status(302, Location="https://elsewhere.example/api/v2/me"))
    with pytest.raises(ControlApiError, match="redirect, which is not followed") as caught:
        await api.me()
    assert caught.value.status == 302
    assert len(platform.requests) == 1


@pytest.mark.parametrize("attributes", [{"a": {1}}, {"a": float("nan")}, {1j: 2}])
async def test_what_is_no_json_is_not_sent(attributes: dict[Any, Any]) -> None:
    """Misuse raises before anything is sent."""
    api, platform, _ = api_on()
    with pytest.raises(MisuseError, match="have to be JSON"):
        await api.update_event("e1", attributes)
    assert platform.requests == []


async def test_a_closed_api_sends_nothing() -> None:
    """It says so."""
    api, platform, _ = api_on()
    async with api:
        pass
    with pytest.raises(MisuseError, match="was closed"):
        await api.me()
    assert platform.requests == []


@pytest.mark.parametrize("attempts", [0, -1])
async def test_attempts_begin_at_one(attempts: int) -> None:
    """For the object and for a call."""
    with pytest.raises(MisuseError, match="attempts"):
        api_on(attempts=attempts)
    api, _, _ = api_on()
    with pytest.raises(MisuseError, match="attempts"):
        await api.event("e1", attempts=attempts)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan"), float("inf")])
def test_timeouts_are_above_zero(timeout_s: float) -> None:
    """And finite."""
    with pytest.raises(MisuseError, match="timeout_s"):
        ControlApi("dev", token=TOKEN, timeout_s=timeout_s)


def test_a_proxy_sees_only_what_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http, allowed for this machine, does not go to the proxy of the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    plain = ControlApi("http://127.0.0.1:1", token=TOKEN)
    encrypted = ControlApi("https://platform.example", token=TOKEN)
    assert plain._sender._client._mounts == {}
    assert len(encrypted._sender._client._mounts) == 2


# The token


def _echo(request: httpx.Request) -> httpx.Response:
    said = request.headers["Authorization"]
    error = {"detail": f"what is {said}?", "source": {"pointer": said}}
    return httpx.Response(401, json={"errors": [error]})


def _tell_all(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError(f"sent: {request.headers['Authorization']}")


def _bug(request: httpx.Request) -> httpx.Response:
    try:
        return _tell_all(request)
    except httpx.ReadError as error:
        raise ValueError("a bug of a transport") from error


@pytest.mark.parametrize(
    "step",
    [
        REFUSED,
        TIMEOUT,
        _tell_all,
        status(401),
        status(500),
        status(302, Location=f"https://elsewhere.example/?{TOKEN}"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"data": []}),
        _echo,
        _bug,
    ],
    ids=range(10),
)
async def test_no_failure_tells_the_token(
    step: Step, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """Not the message, not the chain behind it, not the local variables of any frame, not a log."""
    logged = Logged(caplog)
    api, _, _ = api_on(always=step, attempts=2)
    with pytest.raises((ControlApiError, ValueError)) as caught:
        await api.event("e1")
    assert TOKEN not in everything_about(caught.value)
    assert TOKEN not in logged.text
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    if isinstance(caught.value, ControlApiError):
        assert TOKEN not in repr(caught.value.problems)
    assert TOKEN not in repr(api)
    assert TOKEN not in repr(api._sender.token) + str(api._sender.token)
    assert TOKEN not in "".join(api.key)


@asynccontextmanager
async def _serving(reply: bytes | None) -> AsyncGenerator[str, None]:
    """A server on this machine that answers every request so, or hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if reply is not None:
            writer.write(reply)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield _address(server)


def _address(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _raw(code: int, body: str) -> bytes:
    length = len(body.encode())
    return f"HTTP/1.1 {code} X\r\nContent-Length: {length}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    "reply",
    [None, b"not http\r\n\r\n", _raw(401, "{}"), _raw(500, ""), _raw(200, "<"), _raw(302, "")],
    ids=["hang up", "no http", "401", "500", "broken json", "redirect"],
)
async def test_no_failure_on_real_sockets_tells_the_token(
    reply: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The frames of httpx and httpcore hold the request's headers; none of them is kept."""
    logged = Logged(caplog)
    async with _serving(reply) as url, ControlApi(url, token=TOKEN, attempts=1) as api:
        with pytest.raises(ControlApiError) as caught:
            await api.event("e1")
    assert TOKEN not in everything_about(caught.value)
    assert "httpcore" in logged.text or "connect_tcp" in logged.text
    assert TOKEN not in logged.text


async def test_a_refused_connection_and_a_timeout_do_not_tell_the_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody listens; then somebody who never answers."""
    logged = Logged(caplog)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with ControlApi(url, token=TOKEN, attempts=1, timeout_s=0.05) as api:
            with pytest.raises(ControlApiError, match=r"no answer within 0.05 s") as slow:
                await api.me()
    async with ControlApi(url, token=TOKEN, attempts=1) as api:
        with pytest.raises(ControlApiError, match="cannot connect") as refused:
            await api.me()
    for caught in (slow, refused):
        assert TOKEN not in everything_about(caught.value)
    assert TOKEN not in logged.text


async def test_a_cancelled_call_does_not_tell_the_token() -> None:
    """A crash report of a cancelled task has no frame of httpx either."""
    asked = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    async with server, ControlApi(_address(server), token=TOKEN) as api:
        task = asyncio.create_task(api.me())
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert TOKEN not in everything_about(caught.value)
    files = [str(entry.path) for entry in caught.traceback]
    assert any("control" in file for file in files)
    assert not any("httpx" in file or "httpcore" in file for file in files)
