"""The bridge in a page, in Chromium: emulator -> stand-in SDK -> bridge.mjs -> PollCounter."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from poll_counter import PollCounter, State
from poll_counter.bridge import BridgeTransport, PageHost
from tests.support.bridged import BridgedShow, counter_of, players, until
from tests.support.browser import chromium

if TYPE_CHECKING:
    from playwright.async_api import Browser

SDK = Path(__file__).parent / "support" / "fake_sdk.mjs"
CONNECTS = """(url) => new Promise((resolve) => {
  const socket = new WebSocket(url, ["poll-counter.v1"]);
  socket.onopen = () => resolve(true);
  socket.onclose = () => resolve(false);
})"""
"""Whether a page can connect, whatever it knows."""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser."""
    async with chromium() as browser:
        yield browser


def page_host(show: BridgedShow, **knobs: object) -> PageHost:
    """Host the stand-in SDK in the bridge's own page."""
    return PageHost(SDK, configure=show.configure(**knobs))


async def test_a_whole_show_with_three_players(browser: Browser) -> None:
    """Ten rounds, three pages: everybody reads 3, every time."""
    async with BridgedShow(10, limit=2) as show, AsyncExitStack() as stack:
        counters = list[PollCounter]()
        for _ in range(3):
            transport = BridgeTransport(page_host(show))
            counters.append(await stack.enter_async_context(counter_of(transport)))
            await (await browser.new_page()).goto(transport.url)
        await until(lambda: all(each.state is State.UPCOMING for each in counters))
        show.begin()
        for _ in range(10):
            await show.play(*counters)
        await show.end(*counters)
        assert show.votes == (3,) * 10
        assert [players(each.history) for each in counters] == [[3] * 10] * 3


async def test_a_page_is_closed_and_loaded_again(browser: Browser) -> None:
    """The counter is offline meanwhile; the platform knows the user again, no vote is doubled."""
    context = await browser.new_context()
    async with BridgedShow(limit=2) as show:
        transport = BridgeTransport(page_host(show))
        async with counter_of(transport) as counter:
            page = await context.new_page()
            await page.goto(transport.url)
            await until(lambda: counter.state is State.UPCOMING)
            (user,) = show.emulator.event("show").users.values()
            show.begin()
            for again in ("closed", "reloaded", "again"):
                await show.voted(1)
                if again == "closed":
                    await page.close()
                    await until(lambda: counter.state is State.OFFLINE)
                    page = await context.new_page()
                    await page.goto(transport.url)
                else:
                    await page.reload()
                await until(lambda: counter.state is State.WAITING and show.connected == 1)
                await show.play(counter)
            await show.end(counter)
        assert show.votes == (1, 1, 1)
        assert players(counter.history) == [1, 1, 1]
        users = {e.user for e in show.log if e.kind == "joined"}
        assert users == {user}
        assert transport.problems == ()


async def test_the_platform_is_restarted(browser: Browser) -> None:
    """The SDK in the page comes back by itself, and tells what it missed."""
    async with BridgedShow(limit=2) as show:
        transport = BridgeTransport(page_host(show))
        async with counter_of(transport) as counter:
            await (await browser.new_page()).goto(transport.url)
            await until(lambda: counter.state is State.UPCOMING)
            show.begin()
            for _ in range(3):
                await show.voted(1)
                await show.stop_serving()
                await show.serve_again()
                await until(lambda: show.connected == 1)
                await show.play(counter)
            await show.end(counter)
        assert show.votes == (1, 1, 1)
        assert players(counter.history) == [1, 1, 1]


async def count_one_round(show: BridgedShow, counter: PollCounter) -> None:
    """Play a round with one player."""
    await until(lambda: counter.state is State.UPCOMING)
    show.begin()
    await show.play(counter)
    assert players(counter.history) == [1]


class Files(SimpleHTTPRequestHandler):
    """Serves an app's own page, and says nothing about it."""

    def log_message(self, *_: object, **__: object) -> None:
        """Keep quiet."""


@contextmanager
def served(folder: Path) -> Generator[str]:
    """Serve a folder on loopback; gives the origin of its pages."""
    handler = partial(Files, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def test_a_page_of_the_apps_own(browser: Browser, tmp_path: Path) -> None:
    """It loads the bridge from the counter, if its origin was named; another one may not."""
    with served(tmp_path) as own, served(tmp_path) as foreign:
        async with BridgedShow() as show:
            transport = BridgeTransport(PageHost(configure=show.configure(), origins=[own]))
            tmp_path.joinpath("sdk.mjs").write_bytes(SDK.read_bytes())
            tmp_path.joinpath("index.html").write_text(transport.snippet, encoding="utf-8")
            async with counter_of(transport) as counter:
                page = await browser.new_page()
                await page.goto(foreign)
                assert not await page.evaluate(CONNECTS, transport.websocket_url)
                assert counter.state is State.OFFLINE
                await page.goto(own)
                await count_one_round(show, counter)
                await page.close()


@pytest.mark.parametrize("named", [True, False])
async def test_a_page_without_an_origin(browser: Browser, tmp_path: Path, named: bool) -> None:  # noqa: FBT001 - a parameter
    """A page loaded from a file says `Origin: null`, as many others may: it has to be named."""
    async with BridgedShow() as show:
        origins = ["https://app.example", *(["null"] if named else [])]
        host = PageHost(configure=show.configure(), origins=origins)
        transport = BridgeTransport(host)
        async with counter_of(transport) as counter:
            sdk = f"data:text/javascript;base64,{b64encode(SDK.read_bytes()).decode()}"
            file = tmp_path / "page.html"
            file.write_text(transport.snippet.replace("./sdk.mjs", sdk), encoding="utf-8")
            page = await browser.new_page()
            await page.goto(file.as_uri())
            if named:
                await count_one_round(show, counter)
            else:
                assert not await page.evaluate(CONNECTS, transport.websocket_url)
                assert counter.state is State.OFFLINE
