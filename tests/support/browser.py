"""A real Chromium without a screen, driven by Playwright, for tests of pages on this machine.

The browser is the machine's own (`chromium` on the path); Playwright brings none. A test that has
not got both is skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

__all__ = ["PHONE", "WIDE", "chromium", "open_page", "overflowing", "overlapping"]

WIDE, PHONE = (1280, 800), (390, 844)
"""Two screens, width and height in CSS pixels."""
ALONE = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # it asks nobody but the page's server
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
GUARD_MS = 20_000.0
"""What should happen at once and has not by then will not."""


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """Run a browser while the block runs; skips where there is none."""
    api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    api.expect.set_options(timeout=GUARD_MS)
    async with api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ALONE)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_page(
    browser: Browser, url: str, size: tuple[int, int] = WIDE, **options: Any
) -> AsyncGenerator[Page]:
    """Open a page in a context of its own; an error in its scripts or its console fails the test.

    Args:
        browser: see `chromium`.
        url: the page's address.
        size: of the window: width and height in CSS pixels.
        options: of Playwright's contexts, such as `color_scheme`.
    """
    viewport = {"width": size[0], "height": size[1]}
    context = await browser.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
    context.set_default_timeout(GUARD_MS)
    page, errors = await context.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    try:
        await page.goto(url)
        yield page
    finally:
        await context.close()
    # That a connection was refused is told to the console by the browser itself.
    assert [
        each for each in errors if "net::ERR_" not in each and "Failed to load" not in each
    ] == []


async def overflowing(page: Page) -> list[str]:
    """What is wider than the window, or sticks out of it sideways; names of elements."""
    found: list[str] = await page.evaluate(
        """() => {
          const wide = document.documentElement.clientWidth;
          const shown = (e) => e.checkVisibility() && !e.closest(".hidden, .skip, svg, code");
          const out = [...document.body.querySelectorAll("*")].filter(shown).filter((e) => {
            const box = e.getBoundingClientRect();
            return box.width > 0 && (box.left < -0.5 || box.right > wide + 0.5);
          }).map((e) => `${e.tagName} ${e.id} ${e.textContent.slice(0, 30)}`);
          return document.documentElement.scrollWidth > wide ? ["the page", ...out] : out;
        }"""
    )
    return found


async def overlapping(page: Page) -> list[str]:
    """Pairs of words, fields and buttons that lie on each other; also words beyond their box."""
    found: list[str] = await page.evaluate(
        """() => {
          const boxes = [];
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          const name = (e) => `${e.tagName}#${e.id} "${e.textContent.trim().slice(0, 24)}"`;
          while (walker.nextNode()) {
            const node = walker.currentNode;
            const parent = node.parentElement;
            if (!node.data.trim() || !parent.checkVisibility()) continue;
            if (parent.closest(".hidden, .skip, script, noscript, dialog:not([open])")) continue;
            const range = document.createRange();
            range.selectNodeContents(node);
            const clip = parent.closest(".check, .said, code")?.getBoundingClientRect();
            for (const r of range.getClientRects()) {
              const left = Math.max(r.left, clip?.left ?? -1e9);
              const right = Math.min(r.right, clip?.right ?? 1e9);
              const top = Math.max(r.top, clip?.top ?? -1e9);
              const bottom = Math.min(r.bottom, clip?.bottom ?? 1e9);
              if (right > left && bottom > top) boxes.push({ e: parent, left, right, top, bottom });
            }
          }
          for (const e of document.querySelectorAll("input")) {
            const { left, right, top, bottom } = e.getBoundingClientRect();
            if (e.checkVisibility()) boxes.push({ e, left, right, top, bottom });
          }
          const found = [];
          boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
            const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (a.e !== b.e && x > 1 && y > 3) found.push(`${name(a.e)} on ${name(b.e)}`);
          }));
          for (const e of document.querySelectorAll("button, dt")) {
            const cut = e.checkVisibility() && e.scrollWidth > e.clientWidth + 1;
            if (cut) found.push(`${name(e)} is cut`);
          }
          return found;
        }"""
    )
    return found
