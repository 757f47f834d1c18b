"""The studio's page in a real Chromium: by clicks, by keys, and as it looks."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from simulator.studio import crowd, frames
from simulator.studio.app import StudioServer
from simulator.studio.frame import frame
from simulator.studio.frames import PAGES_MAX
from simulator.studio.studio import Studio
from tests.support.browser import PHONE, WIDE, chromium, open_page, overflowing, overlapping
from tests.support.waiting import until

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

pytestmark = pytest.mark.asyncio(loop_scope="module")  # a browser takes long to start: one for all

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SIZES = pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])


def expect(thing: Any) -> Any:
    """Playwright's `expect`, which waits until what is said is so."""
    from playwright.async_api import expect as said  # noqa: PLC0415 - it may be missing

    return said(thing)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncGenerator[Browser]:
    """A browser, in which every page has a context of its own."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def studio(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Studio]:
    """A studio to which players come at once."""
    monkeypatch.setattr(crowd, "JOINS_PER_S", 1e6)
    async with Studio() as studio:
        yield studio


@pytest_asyncio.fixture(loop_scope="module")
async def server(studio: Studio) -> AsyncGenerator[StudioServer]:
    """The studio, served."""
    async with StudioServer(studio) as server:
        yield server


@asynccontextmanager
async def live_page(
    browser: Browser, url: str, size: tuple[int, int] = WIDE, **options: Any
) -> AsyncGenerator[Page]:
    """Open the studio's page, and wait for its first frame; arguments as for `open_page`."""
    async with open_page(browser, url, size, **options) as page:
        await expect(page.locator("#link")).to_have_text("live")
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, server: StudioServer) -> AsyncGenerator[Page]:
    """The studio's page."""
    async with live_page(browser, server.url) as page:
        yield page


async def clicks(page: Page, *names: str) -> None:
    """Click buttons by their names."""
    for name in names:
        await page.get_by_role("button", name=name, exact=True).click()


async def set_field(page: Page, name: str, value: str) -> None:
    """Type into a field, and leave it."""
    await page.get_by_label(name).fill(value)
    await page.get_by_label(name).press("Tab")


# A show


async def test_a_show_takes_ten_clicks(page: Page, studio: Studio) -> None:
    """Three rounds from an empty house to the end, each counted right."""
    await set_field(page, "Spread", "0")
    await page.get_by_label("How many players").fill("20")
    await clicks(page, "Add")
    await expect(page.locator("#connected")).to_have_text("21")
    await clicks(page, "Start the event", "Publish the hidden poll")
    for number in (1, 2, 3):
        await expect(page.locator("#players")).to_have_text("21")
        await clicks(page, f"Publish trivia {number}")
        await expect(page.locator("#question")).to_be_visible()
        await clicks(page, f"Close trivia {number}")
        verdict = page.locator(f"#rounds tr:nth-child({number}) .verdict")
        await expect(verdict).to_contain_text("✓")
    counted = page.locator("#rounds tr .strong")
    await expect(counted.nth(3)).to_have_text("21")
    await clicks(page, "Stop the event")
    await expect(page.locator("#show")).to_have_text("Show 1: finished")
    await expect(page.locator("#phone-title-line")).to_have_text("That was the show")
    assert studio.stage.event.state == "finished"
    assert (await counted.all_inner_texts())[:4] == ["21"] * 4


async def test_the_hidden_poll_is_hidden(page: Page, studio: Studio) -> None:
    """The phone shows its question nowhere; what the host sees of it is how it was made."""
    await set_field(page, "Spread", "0")
    await clicks(page, "Start the event", "Publish the hidden poll")
    await expect(page.locator("#players")).to_have_text("1")
    await expect(page.locator("#players-line")).to_have_text("player is in")
    poll = studio.stage.poll
    assert poll is not None
    assert poll.settings.question not in await page.locator("body").inner_text()
    await expect(page.locator("#made-spread")).to_have_text("0 s")
    await expect(page.locator("#findings")).to_have_text("Nothing would spoil the count.")
    await clicks(page, "Revoke poll")
    await expect(page.locator("#findings")).to_contain_text("Error.")


async def test_a_show_by_keys_alone(page: Page, studio: Studio) -> None:
    """Single keys press the buttons; in a field they are typed, and they can be switched off."""
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.get_by_label("Spread").focus()
    await page.keyboard.press("Control+A")
    await page.keyboard.type("0")
    await page.keyboard.press("s")  # goes to the field, which takes no letter
    await page.keyboard.press("Tab")
    await until(lambda: studio.stage.settings.spread_s == 0.0, 0.01)
    assert studio.stage.event.state == "upcoming"
    await page.get_by_role("heading", name="poll_counter studio").click()
    for key in "+sp":
        await page.keyboard.press(key)
    await expect(page.locator("#players")).to_have_text("201")
    for label in ("Close trivia 1", "Publish trivia 2"):
        await page.keyboard.press("t")
        await expect(page.locator("#trivia-label")).to_have_text(label)
    await page.keyboard.press("w")
    await expect(page.get_by_role("button", name="Slow links")).to_have_attribute(
        "aria-pressed", "true"
    )
    await page.keyboard.press("?")
    await page.get_by_label("Single keys do that").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("x")
    await page.get_by_role("button", name="Stop the event").focus()
    await page.keyboard.press("Enter")  # a button is a button
    await expect(page.locator("#show")).to_have_text("Show 1: finished")
    await expect(page.locator("#said")).to_have_text(
        "The event is over. Its final results are told, and apps leave."
    )


async def test_a_button_is_sent_when_the_one_before_is_answered(page: Page) -> None:
    """A browser has several connections: on those of their own, one could overtake the other."""
    is_seen = asyncio.Event()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))

    async def slow(route: Route) -> None:
        await is_seen.wait()
        await route.continue_()

    await page.route("**/actions/start", slow)
    await clicks(page, "Start the event", "Publish the hidden poll")
    await page.evaluate("fetch('/static/icon.svg').then((told) => told.text())")
    assert asked == ["start", "icon.svg"]
    is_seen.set()
    await expect(page.locator("#said")).to_contain_text("The hidden poll is out.")
    assert asked == ["start", "icon.svg", "publish_poll"]


async def test_tab_reaches_every_button_in_the_order_of_the_page(page: Page) -> None:
    """And what has the focus is outlined."""
    order: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll("button, input, [tabindex='0'], .skip")]
            .filter((e) => e.checkVisibility()).map((e) => e.id || e.textContent.trim())"""
    )
    reached = []
    for _ in order:
        await page.keyboard.press("Tab")
        name, outline = await page.evaluate(
            """() => [document.activeElement.id || document.activeElement.textContent.trim(),
                getComputedStyle(document.activeElement).outlineStyle]"""
        )
        reached.append(name)
        assert outline == "solid", name
    assert reached == order


async def test_what_is_refused_is_a_sentence_on_the_page(page: Page) -> None:
    """Of the platform, and of the studio; the page goes on."""
    said = page.locator("#said")
    await clicks(page, "Publish the hidden poll")
    await expect(said).to_have_text(
        "The platform refused (422): can't publish unless the event is active."
    )
    await page.get_by_label("How many players").fill("9999")
    await clicks(page, "Add late")
    await expect(said).to_contain_text("Players cannot be")
    assert "refused" in (await said.get_attribute("class") or "")
    await clicks(page, "Start the event")
    await expect(said).to_contain_text("The event is on.")
    assert "refused" not in (await said.get_attribute("class") or "")


async def test_autoplay_is_a_switch(page: Page, studio: Studio) -> None:
    """It starts the show, and leaves it to the host again."""
    button = page.get_by_role("button", name="Autoplay")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("#show")).to_have_text("Show 1: active")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "false")
    await clicks(page, "New show")
    await expect(page.locator("#show")).to_have_text("Show 2: upcoming")
    assert not studio.autoplay


# Connections


async def test_a_lost_connection_is_told_and_made_again(browser: Browser, studio: Studio) -> None:
    """The page says so both times, and shows the show where it is by then."""
    async with StudioServer(studio) as first:
        port = int(first.url.rpartition(":")[2])
        context = live_page(browser, first.url)
        page = await context.__aenter__()
    await expect(page.locator("#link")).to_have_text("lost")
    await expect(page.locator("#said")).to_contain_text("The connection to the studio is lost.")
    await clicks(page, "Start the event")
    await expect(page.locator("#said")).to_contain_text("The studio does not answer.")
    await studio.stage.start()
    async with StudioServer(studio, port):
        await expect(page.locator("#link")).to_have_text("live")
        await expect(page.locator("#said")).to_contain_text("is back, and the show where it was")
        await expect(page.locator("#show")).to_have_text("Show 1: active")
        await context.__aexit__(None, None, None)


async def test_another_studio_is_told_from_the_one_before(browser: Browser) -> None:
    """Its show is a new one: the program was started again."""
    async with Studio() as one, StudioServer(one) as server:
        await one.stage.start()
        port = int(server.url.rpartition(":")[2])
        context = live_page(browser, server.url)
        page = await context.__aenter__()
        await expect(page.locator("#show")).to_have_text("Show 1: active")
    async with Studio() as other, StudioServer(other, port):
        await expect(page.locator("#said")).to_contain_text("The studio was started anew")
        await expect(page.locator("#show")).to_have_text("Show 1: upcoming")
        await context.__aexit__(None, None, None)


async def test_one_page_too_many_is_told_so(browser: Browser, server: StudioServer) -> None:
    """It says what to do."""
    server.frames.pages = PAGES_MAX
    async with open_page(browser, server.url) as page:
        await expect(page.locator("#said")).to_contain_text("Close one of them")
        server.frames.pages = 0
        await expect(page.locator("#link")).to_have_text("live")


# For everybody


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(
    browser: Browser, server: StudioServer, size: tuple[int, int], scheme: str
) -> None:
    """No violation of any weight, before a show, amid a trivia, in the dialog."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `npm ci` in tests/studio")
    still = {"color_scheme": scheme, "reduced_motion": "reduce"}  # no colour is on its way
    async with live_page(browser, server.url, size, **still) as page:
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        for names in (
            (),
            ("Revoke trivia",),
            ("Start the event", "Publish trivia 1", "Slow links", "Autoplay"),
            ("Shortcuts",),
        ):
            await clicks(page, *names)
            found = await page.evaluate("axe.run().then((told) => told.violations)")
            told = [(v["impact"], v["id"], [n["html"] for n in v["nodes"]]) for v in found]
            assert told == []


async def test_screen_readers_are_told_what_happens_and_not_every_number(
    page: Page, studio: Studio
) -> None:
    """Landmarks have names; a live region tells of phases, and of counts that have settled."""
    for name in ("Host", "Phone", "Truth", "Crowd"):
        region = page.get_by_role("region", name=name)
        await expect(region).to_be_visible()
    await expect(page.get_by_role("table", name="Players of each round")).to_be_visible()
    told = page.locator("#announce")
    await expect(told).to_have_text("The event has not begun.")
    await clicks(page, "Start the event")
    await expect(told).to_have_text("Round 1 waits.")
    await set_field(page, "Spread", "0")
    await clicks(page, "Publish the hidden poll", "Publish trivia 1")
    await expect(told).to_have_text("Trivia 1 is open. 1 player in round 1.")
    await clicks(page, "Stop the event")
    await expect(told).to_contain_text("The event is over.")
    assert studio.stage.event.state == "finished"


async def test_nothing_moves_for_who_wants_no_motion(
    browser: Browser, server: StudioServer
) -> None:
    """Elsewhere the bars do."""
    for wish, moves in (("reduce", False), ("no-preference", True)):
        async with live_page(browser, server.url, reduced_motion=wish) as page:
            running = await page.evaluate(
                """() => [...document.querySelectorAll("*")].some(
                    (e) => getComputedStyle(e).transitionDuration !== "0s")"""
            )
            assert running is moves


# As it looks

HUGE = 1_234_567


def inflated(told: dict[str, Any]) -> dict[str, Any]:
    """The same frame of a show with more than a million players."""
    made = copy.deepcopy(told)
    made["host"] |= {"round": 10, "findings": [FINDING] * 5, "next_trivia": None}
    made["phone"] |= {"state": "waiting", "round": 10, "count": COUNT}
    rows = [ROW | {"round": number} for number in range(1, 11)]
    votes = {"votes": 10 * HUGE, "over_time": [HUGE // 10] * 120, "rounds": rows}
    made["truth"] |= votes | {"connected": HUGE, "freshness_ms": {"p50": 1250.0, "p99": 9999.0}}
    made["crowd"] |= {"players": 1000, "connected": 1000, "waits": 1000, "hostile": 100}
    return made


FINDING = {"severity": "warning", "reason": "Something long is wrong. " * 4, "mend": "Mend it."}
COUNT = {
    "round": 10,
    "players": HUGE,
    "low": HUGE - 9000,
    "high": HUGE + 9000,
    "sampled": True,
    "settled": True,
}
ROW = {
    "must": HUGE - 99_999,
    "may": HUGE,
    "players": HUGE,
    "low": HUGE - 9000,
    "high": HUGE + 9000,
    "settled": True,
    "off_by": -HUGE,
}
FIXED = (
    "header, #link, #host, .steps button, .pair button, #said, .made > div, .check, #phone, "
    ".device, .screen, .count, #truth, .tiles > div, .spark, tbody tr, tbody th, tbody td, "
    "#crowd, fieldset, fieldset button, input, .attach"
)


async def boxes(page: Page) -> list[list[float]]:
    """Where everything is that must not move."""
    found: list[list[float]] = await page.evaluate(
        """(selector) => [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility())
            .map((e) => { const b = e.getBoundingClientRect();
                return [b.x, b.y, b.width, b.height].map((n) => Math.round(n)); })""",
        FIXED,
    )
    return found


@SIZES
async def test_nothing_jumps_while_numbers_change(
    browser: Browser,
    server: StudioServer,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From an empty house over a trivia to a million players everything stays where it is."""
    async with live_page(browser, server.url, size) as page:
        await page.evaluate("scrollTo(0, 0)")
        before = await boxes(page)
        assert len(before) > 60
        await clicks(page, "Start the event", "Publish the hidden poll", "Publish trivia 1")
        await expect(page.locator("#question")).to_be_visible()
        await page.evaluate("scrollTo(0, 0)")
        assert await boxes(page) == before
        monkeypatch.setattr(frames, "frame", lambda *given: inflated(frame(*given)))
        await expect(page.locator("#connected")).to_have_text(f"{HUGE:,}")
        assert await boxes(page) == before


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_overlaps_or_sticks_out(
    browser: Browser,
    server: StudioServer,
    size: tuple[int, int],
    scheme: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Words lie on no other words, nothing is wider than the window, whatever is shown."""
    async with live_page(browser, server.url, size, color_scheme=scheme) as page:

        async def is_tidy() -> None:
            assert await overflowing(page) == []
            assert await overlapping(page) == []

        await is_tidy()
        await clicks(page, "Start the event", "Publish the hidden poll", "Publish trivia 1")
        await expect(page.locator("#question")).to_be_visible()
        await is_tidy()
        monkeypatch.setattr(frames, "frame", lambda *given: inflated(frame(*given)))
        await expect(page.locator("#connected")).to_have_text(f"{HUGE:,}")
        await is_tidy()
        if size == WIDE:
            tall = await page.evaluate("document.documentElement.scrollHeight")
            assert tall <= size[1], "all of it is seen at once"


async def test_what_lies_on_another_is_found(browser: Browser, server: StudioServer) -> None:
    """The two looks at the page can fail: they see what was moved."""
    async with live_page(browser, server.url) as page:
        await page.evaluate("document.getElementById('round').style.marginLeft = '-80px'")
        assert await overlapping(page) != []
        assert await overflowing(page) == []
        await page.evaluate("document.getElementById('crowd').style.width = '1400px'")
        assert await overflowing(page) != []
