"""The Control API on loopback beside the live channel: one platform, and what neither may tell."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from poll_counter.wire import SUBPROTOCOL
from simulator.content import Content
from simulator.control_api import control_api
from simulator.control_api.tokens import Tokens
from simulator.emulator import Emulator
from simulator.server import LiveServer
from simulator.web import WebServer
from tests.support.http_site import JSON_API, PLENTY, POLL, PRODUCER, element_body, event_body
from tests.support.waiting import soon

STATS = {
    "interactions": 0,
    "peak_concurrency": 1,
    "current_concurrency": 1,
    "unique_users": 1,
    "average_session_length": 0,
    "elements_count": 0,
}
"""Of an event with one client, who has just come."""


class Together:
    """The live channel and the Control API over one emulator, and a producer."""

    def __init__(self, live: LiveServer, web: WebServer, content: Content) -> None:
        self.live = live
        self.web = web
        self.content = content
        self.project_id = content.add_project("Quiz night")
        self.client = httpx.AsyncClient(
            base_url=f"{web.url}/api/v2/",
            headers={"authorization": f"Bearer {PRODUCER}", "content-type": JSON_API},
        )

    async def post(self, path: str, body: dict[str, Any]) -> str:
        """Make something; returns its id."""
        made = await self.client.post(path, content=json.dumps(body))
        assert made.status_code == 201, made.text
        return str(made.json()["data"]["id"])

    async def patch(self, type_: str, id_: str, **attributes: Any) -> None:
        """Change something, or act on it."""
        body = {"data": {"id": id_, "type": type_, "attributes": attributes}}
        answer = await self.client.patch(f"{type_}/{id_}", content=json.dumps(body))
        assert answer.status_code == 204, answer.text


@asynccontextmanager
async def together() -> AsyncGenerator[Together]:
    """Serve both while the block runs."""
    emulator, tokens = Emulator(results_interval_s=0.01), Tokens(PLENTY)
    tokens.add(PRODUCER)
    content = Content(emulator, PLENTY)
    async with LiveServer(emulator) as live:
        app = control_api(content, now=live.now, tell=live.tell, tokens=tokens)
        async with WebServer(app) as web:
            both = Together(live, web, content)
            async with both.client:
                yield both


@asynccontextmanager
async def client_of(url: str, event: str) -> AsyncGenerator[ClientConnection]:
    """A client of the live channel that has its welcome."""
    async with connect(url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None) as client:
        await client.send(json.dumps({"type": "hello", "event": event, "user": "Ada"}))
        assert (await frame(client))["type"] == "welcome"
        yield client


async def frame(client: ClientConnection) -> dict[str, Any]:
    """The next frame."""
    received: dict[str, Any] = json.loads(await soon(client.recv()))
    return received


async def test_what_the_producer_does_reaches_a_client_at_once() -> None:
    """An element published over HTTP, and fields written there."""
    async with together() as both:
        event = await both.post("events", event_body(both.project_id, {"name": "Friday"}))
        async with client_of(both.live.url, event) as client:
            await both.patch("events", event, action="start")
            assert (await frame(client))["state"] == "active"
            poll = await both.post("elements", element_body(event, {**POLL, "action": "publish"}))
            published = await frame(client)
            assert (published["type"], published["element"]["id"]) == ("element_published", poll)
            assert (await frame(client))["type"] == "results"
            field = [{"key": "players", "values": {"all": 12431}}]
            await both.patch("events", event, settings=field)
            updated = await frame(client)
            assert (updated["type"], updated["fields"]) == ("event_updated", {"players": 12431})
            await both.patch("elements", poll, custom_fields=field)
            updated = await frame(client)
            assert updated["type"] == "element_updated"
            assert updated["element"]["custom_fields"] == {"players": 12431}
            await both.patch("elements", poll, action="revoke")
            assert (await frame(client))["type"] == "element_revoked"


async def test_the_documented_call_counts_who_is_connected() -> None:
    """GET /events/{id}?include=stats, with its bearer token."""
    async with together() as both:
        event = await both.post("events", event_body(both.project_id, {"name": "Friday"}))
        await both.patch("events", event, action="start")
        async with client_of(both.live.url, event):
            answer = await both.client.get(f"events/{event}?include=stats")
            assert answer.json()["included"] == [
                {"id": event, "type": "stats", "attributes": STATS}
            ]


async def test_votes_over_the_live_channel_are_read_over_http() -> None:
    """As the stats of the element."""
    async with together() as both:
        event = await both.post("events", event_body(both.project_id, {"name": "Friday"}))
        await both.patch("events", event, action="start")
        poll = await both.post("elements", element_body(event, {**POLL, "action": "publish"}))
        async with client_of(both.live.url, event) as client:
            vote = {"type": "answer", "id": "1", "element": poll, "options": [1]}
            await client.send(json.dumps(vote))
            while (await frame(client))["type"] != "answer_accepted":
                pass
            answer = await both.client.get(f"elements/{poll}?include=stats")
            assert answer.json()["included"][0]["attributes"]["results"][1]["votes"] == 1


async def test_no_token_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """By no log at any level, no answer, and no traceback with local variables, on loopback."""
    secret = "a-secret-token-0123456789"

    def now() -> float:
        raise ArithmeticError("the clock is broken")

    tokens = Tokens()
    tokens.add(secret)
    app = control_api(Content(Emulator()), now=now, tell=lambda _: None, tokens=tokens)
    caplog.set_level(1)
    caplog.set_level(1, "uvicorn.error")
    logging.getLogger("httpcore").setLevel(logging.WARNING)  # the client logs what it sends
    try:
        async with WebServer(app) as web, httpx.AsyncClient() as client:
            answers = [
                await client.request(
                    method, f"{web.url}{path}", headers={"authorization": f"Bearer {token}"}
                )
                for method, path in [("GET", "/api/v2/me"), ("POST", "/api/v2/events")]
                for token in (secret, f"x{secret}")
            ]
    finally:
        logging.getLogger("httpcore").setLevel(logging.NOTSET)
    assert [answer.status_code for answer in answers] == [500, 401, 400, 401]
    assert all(secret not in f"{answer.headers} {answer.text}" for answer in answers)
    failures = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [str(failure) for failure in failures] == ["the clock is broken"]
    assert failures[0] is not None
    told = traceback.TracebackException.from_exception(failures[0], capture_locals=True)
    shown = "".join(told.format())
    assert "scope = " in shown
    assert secret not in shown + caplog.text
    assert secret not in "".join(repr(vars(record)) for record in caplog.records)
