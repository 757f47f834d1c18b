"""The studio over HTTP: what it serves, and whom it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from simulator.studio import frames as module
from simulator.studio.app import BODY_BYTES_MAX, STATIC, StudioServer
from simulator.studio.frames import PAGES_MAX
from simulator.studio.studio import Studio
from tests.support.waiting import soon, until

JSON = {"content-type": "application/json"}


@pytest.fixture
async def server() -> AsyncGenerator[StudioServer]:
    """A studio that is served on a free port."""
    async with Studio() as studio, StudioServer(studio) as server:
        yield server


@pytest.fixture
async def client(server: StudioServer) -> AsyncGenerator[httpx.AsyncClient]:
    """The studio's own page, as far as headers go."""
    async with httpx.AsyncClient(base_url=server.url, headers={"origin": server.url}) as client:
        yield client


@asynccontextmanager
async def looking(client: httpx.AsyncClient) -> AsyncGenerator[Any]:
    """Look on; gives what reads the next event: its name and its data."""
    async with client.stream("GET", "/frames") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()

        async def read() -> tuple[str, Any]:
            name = "message"
            while True:
                key, _, value = (await soon(anext(lines))).partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    return name, json.loads(value)

        yield read


async def press(
    client: httpx.AsyncClient, name: str, body: bytes = b"{}", /, **headers: str
) -> httpx.Response:
    """Press a button."""
    sent = JSON | {key.replace("_", "-"): value for key, value in headers.items()}
    return await client.post(f"/actions/{name}", content=body, headers=sent)


# What is served


async def test_the_page_and_all_that_it_loads(client: httpx.AsyncClient) -> None:
    """Every file that the page, the style sheet and the scripts name is there, with its type."""
    page = await client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    named = set(re.findall(r'(?:href|src)="/static/([^"]+)"', page.text))
    for script in STATIC.glob("*.js"):
        named |= set(re.findall(r'from "\./([^"]+)"', script.read_text(encoding="utf-8")))
    assert named == {path.name for path in STATIC.iterdir()} - {"index.html"}
    for name in named:
        answer = await client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.content == (STATIC / name).read_bytes()
    assert (
        (await client.get("/static/studio.js"))
        .headers["content-type"]
        .startswith("text/javascript")
    )


@pytest.mark.parametrize("path", ["/static/nothing.js", "/static/..%2fapp.py", "/nothing"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    """No file but those of the page, whatever the path says."""
    assert (await client.get(path)).status_code == 404


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """No address of another host is in it, and no script or style within the page."""
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn|@import|url\(", text), path.name
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src=)", page)


# Frames


async def test_frames_come_one_after_the_other(client: httpx.AsyncClient) -> None:
    """The latest at once, then each that is made."""
    async with looking(client) as read:
        numbers = [(await read())[1]["number"] for _ in range(3)]
    assert numbers == list(range(numbers[0], numbers[0] + 3))


async def test_a_button_is_seen_at_once(
    server: StudioServer, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it did is in a frame of its own, before the next is due."""
    async with looking(client) as read:
        await read()
        monkeypatch.setattr(module, "FRAME_S", 3600.0)
        await read()  # the one that was under way
        made = server.frames.made
        assert (await press(client, "start")).json()["told"].startswith("The event is on.")
        assert server.frames.made == made + 1
        assert (await read())[1]["event"]["state"] == "active"


async def test_more_pages_than_a_browser_has_connections_are_told_so(
    server: StudioServer, client: httpx.AsyncClient
) -> None:
    """Else the buttons of all of them would hang; who leaves makes room."""
    async with looking(client) as read:
        await read()
        server.frames.pages += PAGES_MAX - 1
        async with looking(client) as other:
            name, told = await other()
            assert (name, told[:20]) == ("refused", "The studio is open i")
    server.frames.pages -= PAGES_MAX - 1
    await until(lambda: server.frames.pages == 0)


async def test_who_looks_on_does_not_hold_up_the_end() -> None:
    """Streams end with the studio."""
    async with httpx.AsyncClient() as client:
        async with Studio() as studio, StudioServer(studio) as server:
            client.base_url = httpx.URL(server.url)
            stream = client.stream("GET", "/frames")
            answer = await stream.__aenter__()
            lines = answer.aiter_lines()
            await soon(anext(lines))
        rest = [line async for line in lines]
        assert all(line.startswith("data: ") or not line for line in rest)
        await stream.__aexit__(None, None, None)


# Buttons


async def test_a_button_answers_with_a_sentence(client: httpx.AsyncClient) -> None:
    """What was done, or why it was not."""
    assert (await press(client, "add", b'{"players": 2}')).json() == {
        "told": "2 players joining: 2 run in this process."
    }
    refused = await press(client, "publish_trivia")
    assert (refused.status_code, refused.json()) == (
        422,
        {"refused": "The platform refused (422): can't publish unless the event is active."},
    )
    assert (await press(client, "add", b'{"players": "many"}')).status_code == 422


async def test_what_is_no_button_is_refused(client: httpx.AsyncClient) -> None:
    """A name that is none, a body that is too long, and another method."""
    assert (await press(client, "dance")).status_code == 404
    assert (await press(client, "add", b" " * (BODY_BYTES_MAX + 1))).status_code == 413
    assert (await client.get("/actions/start")).status_code == 405


# The guard


async def test_another_page_cannot_press_buttons(
    server: StudioServer, client: httpx.AsyncClient
) -> None:
    """A form, a script or an image of another origin: nothing happens, and it is told nothing."""
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": server.url.replace("127.0.0.1", "localhost")},
        {"origin": server.url, "content_type": "text/plain"},
    ):
        assert (await press(client, "start", **headers)).status_code == 403
    del client.headers["origin"]
    assert (await press(client, "start")).status_code == 403
    assert (
        await client.get("/frames", headers={"sec-fetch-site": "cross-site"})
    ).status_code == 403
    assert "access-control-allow-origin" not in (await client.get("/")).headers


async def test_another_name_for_this_machine_is_refused(
    server: StudioServer, client: httpx.AsyncClient
) -> None:
    """Whoever rebinds a name of theirs to loopback is not the studio's page."""
    port = server.url.rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port}1"):
        answer = await client.get("/", headers={"host": host})
        assert (answer.status_code, answer.json()["refused"][:13]) == (421, "The studio is")
    for host in (f"localhost:{port}", f"[::1]:{port}"):
        assert (await client.get("/", headers={"host": host})).status_code == 200
        again = await press(client, "settings", b"{}", host=host, origin=f"http://{host}")
        assert again.status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/studio.js", "/nothing"])
async def test_browsers_are_told_what_the_page_may_do(client: httpx.AsyncClient, path: str) -> None:
    """Load and call what is served here, be framed by nobody; also where something is refused."""
    for headers in ({}, {"host": "evil.example"}):
        answer = await client.get(path, headers=headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
