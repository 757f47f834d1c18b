"""The web server on loopback, as a guest of the running loop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from contextlib import suppress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from simulator.web import FAREWELL_S, HEAD_BYTES_MAX, IDLE_S, WebServer
from tests.support.waiting import soon, until

TOKEN = "a-token-that-nobody-may-see"


async def echo(request: Request) -> Response:
    """Answer with the body."""
    return PlainTextResponse(await request.body())


async def scheme(request: Request) -> Response:
    """Answer with the scheme and who asks."""
    assert request.client is not None
    return PlainTextResponse(f"{request.url.scheme} {request.client.host}")


async def large(_: Request) -> Response:
    """Answer with more than fits into the buffers of a connection."""
    return PlainTextResponse(b"x" * 2**25)


async def wait(_: Request) -> Response:
    """Answer never."""
    await asyncio.Event().wait()
    raise AssertionError


async def broken(_: Request) -> Response:
    """Fail, in a frame that has seen the request."""
    raise RuntimeError("this is broken")


APP = Starlette(
    routes=[
        Route("/echo", echo, methods=["POST"]),
        Route("/scheme", scheme),
        Route("/large", large),
        Route("/wait", wait),
        Route("/broken", broken),
    ]
)


async def test_it_serves_and_ends() -> None:
    """At its address while the block runs; no task, timer or open connection stays behind."""
    before = asyncio.all_tasks()
    async with WebServer(APP) as web, httpx.AsyncClient() as client:
        assert web.url.startswith("http://127.0.0.1:")
        answer = await client.post(f"{web.url}/echo", content=b"hello")
        assert answer.text == "hello"
        url = web.url
    assert asyncio.all_tasks() == before
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
    gc.collect()  # a socket left open would warn, and warnings are errors


async def test_two_serve_side_by_side() -> None:
    """Each with its port."""
    async with WebServer(APP) as one, WebServer(APP) as other, httpx.AsyncClient() as client:
        for web in (one, other):
            assert (await client.post(f"{web.url}/echo", content=b"x")).text == "x"


async def test_a_taken_port_is_an_error_and_no_exit() -> None:
    """OSError to whoever starts it; the one that is there goes on."""
    async with WebServer(APP) as web, httpx.AsyncClient() as client:
        port = int(web.url.rpartition(":")[2])
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            async with WebServer(APP, port=port):
                pass
        assert (await client.post(f"{web.url}/echo", content=b"x")).text == "x"
    async with WebServer(APP, port=port) as web:  # it is free at once
        assert web.url.endswith(f":{port}")
    gc.collect()


async def test_small_answers_are_sent_at_once() -> None:
    """Nagle's algorithm is off: an answer does not wait for the client's acknowledgement."""
    async with WebServer(APP) as web:
        _, writer = await _connect(web)
        await until(lambda: web.connections)
        (connection,) = web._server.server_state.connections
        served = connection.transport.get_extra_info("socket")
        assert served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await _close(writer)


async def test_it_listens_on_ipv6() -> None:
    """An IPv6 address has brackets in the URL."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    async with WebServer(APP, host="::1") as web, httpx.AsyncClient() as client:
        assert web.url.startswith("http://[::1]:")
        assert (await client.get(f"{web.url}/scheme")).text == "http ::1"


async def test_signals_and_logging_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Handlers stay as they were, and requests are not logged."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access")]
    levels = [logger.level for logger in loggers]
    caplog.set_level(logging.INFO)
    async with WebServer(APP) as web, httpx.AsyncClient() as client:
        assert handlers == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
        await client.post(f"{web.url}/echo", content=b"x")
    assert [logger.level for logger in loggers] == levels
    assert all(not logger.handlers for logger in loggers)
    assert not [record for record in caplog.records if record.name == "uvicorn.access"]


async def test_no_log_level_shows_headers(caplog: pytest.LogCaptureFixture) -> None:
    """Not even uvicorn's TRACE, nor the traceback of what is broken."""
    caplog.set_level(1)
    caplog.set_level(1, "uvicorn.error")
    caplog.set_level(1, "uvicorn.asgi")
    async with WebServer(APP) as web, httpx.AsyncClient() as client:
        answer = await client.get(f"{web.url}/broken", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 500
    assert "this is broken" in caplog.text
    own = [record for record in caplog.records if not record.name.startswith(("httpcore", "httpx"))]
    assert TOKEN not in "".join(f"{record.getMessage()} {record.__dict__}" for record in own)


async def test_who_forwards_is_not_believed() -> None:
    """Headers of proxies change neither the scheme nor the client."""
    forged = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.1"}
    async with WebServer(APP) as web, httpx.AsyncClient() as client:
        assert (await client.get(f"{web.url}/scheme", headers=forged)).text == "http 127.0.0.1"


async def test_the_environment_does_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one worker here, whatever a variable that uvicorn reads says."""
    monkeypatch.setenv("WEB_CONCURRENCY", "many")
    async with WebServer(APP) as web, httpx.AsyncClient() as client:
        assert (await client.get(f"{web.url}/scheme")).status_code == 200


async def test_a_head_without_end_is_cut_off() -> None:
    """Headers have a bound."""
    async with WebServer(APP) as web:
        reader, writer = await _connect(web)
        writer.write(b"GET /scheme HTTP/1.1\r\nx: ".ljust(HEAD_BYTES_MAX + 1, b"x"))
        answer = await soon(reader.read())
        assert answer.startswith(b"HTTP/1.1 400 ")
        await _close(writer)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /scheme HTT",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf",
        b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=["silent", "half a head", "half a body", "does not read"],
)
async def test_nobody_holds_up_the_end(sent: bytes) -> None:
    """Who is slow with a request is cut off after a moment, and leaves nothing behind."""
    before = asyncio.all_tasks()
    web = WebServer(APP)
    await web.__aenter__()
    reader, writer = await _connect(web)
    writer.write(sent)
    await until(lambda: web.connections)
    async with asyncio.timeout(FAREWELL_S + 5.0):
        await web.__aexit__(None, None, None)
    assert asyncio.all_tasks() == before
    assert web.connections == 0
    with suppress(ConnectionError):
        assert len(await soon(reader.read())) < 2**25
    await _close(writer)
    gc.collect()


async def test_an_answer_that_nobody_waits_for_ends_too() -> None:
    """Its client is gone, and it is not done: it is cancelled."""
    before = asyncio.all_tasks()
    async with WebServer(APP) as web:
        _, writer = await _connect(web)
        writer.write(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        await until(lambda: web._server.server_state.tasks)
        await _close(writer)
        await until(lambda: not web.connections)
    assert asyncio.all_tasks() == before


async def test_connections_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes beyond it is turned away; and who asks nothing is not kept for ever."""
    monkeypatch.setattr("simulator.web.CONNECTIONS_MAX", 2)
    async with WebServer(APP) as web, httpx.AsyncClient() as client:
        assert (await client.get(f"{web.url}/scheme")).status_code == 200
        _, writer = await _connect(web)
        await until(lambda: web.connections == 2)
        assert (await client.get(f"{web.url}/scheme")).status_code == 503
        await _close(writer)
        assert web._server.config.timeout_keep_alive == IDLE_S


@pytest.mark.parametrize("sent", [b"", b"GET /scheme HTT"], ids=["nothing", "half a head"])
async def test_who_does_not_ask_is_cut_off(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """In time, however it drips, and also on a connection that has asked before."""
    monkeypatch.setattr("simulator.web.IDLE_S", 0.05)
    async with WebServer(APP) as web:
        for before in (b"", b"GET /scheme HTTP/1.1\r\nhost: x\r\n\r\n"):
            reader, writer = await _connect(web)
            writer.write(before)
            if before:
                assert (await soon(reader.readuntil(b"127.0.0.1"))).startswith(b"HTTP/1.1 200")
            writer.write(sent)
            dripping = asyncio.create_task(_drip(writer if sent else None))
            with suppress(ConnectionError):
                assert await soon(reader.read()) == b""
            dripping.cancel()
            await _close(writer)


async def test_who_asks_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that takes its time is no idle connection."""
    monkeypatch.setattr("simulator.web.IDLE_S", 0.01)
    async with WebServer(APP) as web:
        reader, writer = await _connect(web)
        writer.write(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        await until(lambda: web._server.server_state.tasks)
        await asyncio.sleep(0.05)
        assert web.connections == 1
        assert not reader.at_eof()
        await _close(writer)


async def test_who_holds_connections_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one more than may be idle, the longest idle gives way."""
    monkeypatch.setattr("simulator.web.IDLE_MAX", 2)
    async with WebServer(APP) as web, httpx.AsyncClient() as client:
        held = []
        for number in range(3):
            held.append(await _connect(web))
            await until(lambda number=number: web.connections == min(number + 1, 2))  # type: ignore[misc]
        with suppress(ConnectionError):
            assert await soon(held[0][0].read()) == b""
        assert (await client.get(f"{web.url}/scheme")).status_code == 200
        for _, writer in held:
            await _close(writer)


async def _drip(writer: asyncio.StreamWriter | None) -> None:
    while writer is not None:
        writer.write(b"P")
        await asyncio.sleep(0.01)


async def test_there_are_no_websockets() -> None:
    """An upgrade is not offered: the request is answered as it is."""
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-key": "x"}
    async with WebServer(APP) as web, httpx.AsyncClient() as client:
        assert (await client.get(f"{web.url}/scheme", headers=upgrade)).status_code == 200


async def _connect(web: WebServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = httpx.URL(web.url)
    return await asyncio.open_connection(url.host, url.port)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
