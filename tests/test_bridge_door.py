"""Who may come in: by the door alone, and over real sockets."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request
from websockets.typing import Origin, Subprotocol

from poll_counter.bridge import BridgeTransport, NodeHost, PageHost
from poll_counter.bridge.door import Door, File
from poll_counter.errors import MisuseError
from tests.support.listener import Listener
from tests.support.waiting import soon

OWN = "http://127.0.0.1:80"


def ask(door: Door, path: str, **headers: str) -> tuple[int, str]:
    """What the door answers: status and text; (101, "") for a bridge that may enter."""
    told = Headers({"Host": door.host, **headers})
    answer = door.answer(Request(path, told))
    return (101, "") if answer is None else (answer.status_code, (answer.body or b"").decode())


def door_of(*origins: str | None) -> Door:
    """A door with one file behind it."""
    return Door(80, frozenset(origins), {"a.mjs": File("text/javascript", b"a()")})


def test_the_token_is_asked_first() -> None:
    """A path without the token, or with another, is told nothing of what is there."""
    door = door_of(OWN)
    for path in ("/", "/a.mjs", "/wrong/a.mjs", "/wrong", f"/{door.token[:-1]}/a.mjs", "//a.mjs"):
        for headers in ({}, {"Upgrade": "websocket", "Origin": OWN}):
            assert ask(door, path, **headers)[0] == HTTPStatus.FORBIDDEN
    assert ask(door, f"{door.path}/a.mjs") == (HTTPStatus.OK, "a()")
    assert ask(door, f"{door.path}/b.mjs")[0] == HTTPStatus.NOT_FOUND
    assert ask(door, f"{door.path}/../a.mjs")[0] == HTTPStatus.NOT_FOUND


def test_a_token_is_new_in_every_run() -> None:
    """256 random bits, and none that a repr would tell to a log."""
    door = door_of(None)
    assert door.token != door_of(None).token
    assert len(door.token) >= 43
    assert door.token not in repr(door)


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        ((OWN,), OWN, 101),
        ((OWN,), "https://evil.example", 403),
        ((OWN,), "null", 403),
        ((OWN,), None, 403),
        ((OWN, "null"), "null", 101),
        ((None,), None, 101),
        ((None,), OWN, 403),
        ((None,), "null", 403),
    ],
)
def test_the_origin_of_a_bridge(
    origins: tuple[str | None, ...], origin: str | None, status: int
) -> None:
    """A page comes from where it may, and a program that is no browser from no page at all."""
    door = door_of(*origins)
    headers = {"Upgrade": "websocket"} | ({} if origin is None else {"Origin": origin})
    assert ask(door, door.path, **headers)[0] == status


def test_a_name_that_leads_here() -> None:
    """A page of another name that was made to mean this machine is not answered."""
    door = door_of(OWN)
    path = f"{door.path}/a.mjs"
    for host in ("evil.example", "127.0.0.1:81", "127.0.0.1"):
        answer = door.answer(Request(path, Headers({"Host": host})))
        assert answer is not None
        assert answer.status_code == HTTPStatus.MISDIRECTED_REQUEST
    assert door.answer(Request(path, Headers())).status_code == 421  # type: ignore[union-attr]
    local = door.answer(Request(path, Headers({"Host": "localhost:80"})))
    assert local is not None
    assert local.status_code == HTTPStatus.OK


def test_modules_are_shared_with_the_apps_own_pages_alone() -> None:
    """A page of another origin needs leave to import a module, and gets it if it is the app's."""
    door = door_of("https://app.example")
    for origin, leave in (("https://app.example", "https://app.example"), ("https://evil", None)):
        request = Request(f"{door.path}/a.mjs", Headers({"Host": door.host, "Origin": origin}))
        answer = door.answer(request)
        assert answer is not None
        assert answer.headers.get("Access-Control-Allow-Origin") == leave
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


# Over sockets


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[BridgeTransport]:
    """A transport for a page, listened to."""
    sdk = tmp_path / "sdk.mjs"
    sdk.write_text("export const answer = 1;")
    transport = BridgeTransport(PageHost(sdk, {"host": "</script>"}, origins=["https://app"]))
    async with Listener(transport):
        yield transport


def bridge(transport: BridgeTransport, origin: str | None = None, path: str = "") -> connect:
    """Connect as a bridge does."""
    own = transport.websocket_url.rpartition("/")[0].replace("ws:", "http:")
    return connect(
        path or transport.websocket_url,
        subprotocols=[Subprotocol("poll-counter.v1")],
        origin=Origin(own if origin is None else origin) if origin != "" else None,
        proxy=None,
    )


async def test_one_bridge_at_a_time(page: BridgeTransport) -> None:
    """A second one is sent away; when the first is gone another may come, with the same token."""
    for _ in range(2):
        async with bridge(page) as first:
            assert '"hello"' in str(await soon(first.recv()))
            async with bridge(page) as second:
                await soon(second.wait_closed())
                assert (second.close_code, second.close_reason) == (4409, "there is another bridge")
            assert not is_closed(first)


def is_closed(connection: ClientConnection) -> bool:
    """Whether a connection was closed."""
    return connection.close_code is not None


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
async def test_a_foreign_origin(page: BridgeTransport, origin: str) -> None:
    """The token alone does not let a page in."""
    with pytest.raises(InvalidStatus, match="403"):
        async with bridge(page, origin):
            pass


async def test_the_apps_own_origin(page: BridgeTransport) -> None:
    """A page of the app is let in."""
    async with bridge(page, "https://app") as connection:
        assert '"hello"' in str(await soon(connection.recv()))


async def test_a_wrong_token(page: BridgeTransport) -> None:
    """Also one that was right in another run."""
    for token in ("", "wrong"):
        base = page.websocket_url.rpartition("/")[0]
        with pytest.raises(InvalidStatus, match="403"):
            async with bridge(page, path=f"{base}/{token}"):
                pass


async def test_another_subprotocol(page: BridgeTransport) -> None:
    """What does not speak the live channel is refused by the handshake."""
    own = page.websocket_url.rpartition("/")[0].replace("ws:", "http:")
    with pytest.raises(InvalidStatus, match="400"):
        async with connect(page.websocket_url, origin=Origin(own), proxy=None):
            pass


@pytest.mark.parametrize("address", ["127.0.0.2", "own"])
async def test_another_address(page: BridgeTransport, address: str) -> None:
    """The port is listened on at 127.0.0.1 and nowhere else."""
    if address == "own":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # sends nothing: asks for the way there
            except OSError:
                pytest.skip("this machine has no address but loopback")
            address = probe.getsockname()[0]
    port = int(page.websocket_url.rpartition("/")[0].rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError), socket.create_connection((address, port), 5):
        pass


async def test_the_page_and_its_modules(page: BridgeTransport) -> None:
    """The page is one that can be loaded as it is, and its scripts cannot be broken out of."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(page.url)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.text.count("</script>") == 1
        assert r"\u003c/script>" in answer.text
        modules = re.findall(r'from "(.*?)"', answer.text)
        assert modules == ["./bridge.mjs", "./sdk.mjs"]
        for name in modules:
            module = await client.get(page.url + name)
            assert module.headers["content-type"].startswith("text/javascript")
            assert "export" in module.text
        assert (await client.get(page.url.replace("127.0.0.1", "localhost"))).is_success
        assert (await client.get(page.url + "door.py")).status_code == HTTPStatus.NOT_FOUND


async def test_the_snippet(page: BridgeTransport) -> None:
    """A page of the app loads the bridge from here, and has the SDK from where it has it."""
    assert f'from "{page.url}bridge.mjs"' in page.snippet
    assert page.websocket_url in page.snippet
    assert 'from "./sdk.mjs"' in page.snippet


def test_hosts_that_cannot_work(tmp_path: Path) -> None:
    """What is missing is said before anything is listened on."""
    for make, match in (
        (PageHost, "pass sdk=, a module for the bridge's own page, or origins= of"),
        (lambda: PageHost(tmp_path / "none.mjs"), "there is no file .*none.mjs; name one ES"),
        (lambda: PageHost(origins="https://app"), "origins= is a list of origins, such as"),
        (lambda: NodeHost(tmp_path / "none", ["sdk"]), "there is no folder .*none; name the"),
        (lambda: NodeHost(tmp_path, "sdk"), "sdk= is the list of the packages"),
        (lambda: NodeHost(tmp_path, []), "sdk= is the list of the packages"),
        (lambda: NodeHost(tmp_path, ["s"], node="no-node"), "there is no program no-node; inst"),
    ):
        with pytest.raises(MisuseError, match=match):
            make()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """Another may be passed; a fixed one keeps a page's storage."""
    first = BridgeTransport(PageHost(origins=["https://app"]))
    port = int(first.websocket_url.rpartition("/")[0].rpartition(":")[2])
    with pytest.raises(MisuseError, match=rf"port {port} cannot be listened on .*; pass another"):
        BridgeTransport(PageHost(origins=["https://app"]), port=port)
    first.close()
    again = BridgeTransport(PageHost(origins=["https://app"]), port=port)
    again.close()


def test_there_is_no_page_without_one(tmp_path: Path) -> None:
    """What is asked for a page that there is not says what to pass."""
    own = BridgeTransport(PageHost(origins=["https://app"]))
    assert "Token" not in own.snippet
    with pytest.raises(MisuseError, match=r"make the transport with PageHost\(sdk="):
        _ = own.url
    own.close()
    node = BridgeTransport(NodeHost(tmp_path, ["sdk"], node="/bin/sh"))
    with pytest.raises(MisuseError, match=r"make the transport with PageHost\(sdk="):
        _ = node.url
    with pytest.raises(MisuseError, match="make the transport with a PageHost"):
        _ = node.snippet
    node.close()
