"""Makes the README's pictures: `python -m tests.support.pictures`, into `examples/pictures`.

The studio is photographed in a real Chromium, amid a show that is played for it; the terminal is
drawn from what a run of `python -m simulator` printed. Both are of this day's run: the numbers
are real, so another run makes another picture.
"""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from simulator.report import Report, options_line, print_report
from simulator.scenario import Scenario
from simulator.sockets import run_sockets
from simulator.studio.app import StudioServer
from simulator.studio.studio import Studio
from tests.support.browser import WIDE, chromium, open_page

if TYPE_CHECKING:
    from playwright.async_api import Page

PICTURES = Path(__file__).parents[2] / "examples" / "pictures"
COLUMNS = 98
"""The terminal's width."""
ROUNDS = 6
"""So many rounds are over when the picture is taken."""


async def show(page: Page) -> None:
    """Play a show, with players who come late, and a network that fails, up to an open trivia."""

    async def click(name: str) -> None:
        await page.get_by_role("button", name=name, exact=True).click()

    await page.get_by_label("Spread").fill("2")
    await page.get_by_label("How many players").fill("412")
    await click("Add")
    await page.get_by_text("412 connected").wait_for()
    await click("Start the event")
    await click("Publish the hidden poll")
    await page.get_by_label("How many players").fill("36")
    for number in range(1, ROUNDS + 2):
        if number == 4:
            await asyncio.sleep(1.0)
            await click("Drop 30 %")
        await asyncio.sleep(3.4)
        await click(f"Publish trivia {number}")
        if number in {1, 2, 5}:
            await click("Add late")
        await asyncio.sleep(1.8)
        if number <= ROUNDS:
            await click(f"Close trivia {number}")


async def photograph() -> None:
    """Take the studio's picture, in light and dark."""
    async with (
        Studio() as studio,
        StudioServer(studio) as server,
        chromium() as browser,
        open_page(browser, server.url, WIDE, color_scheme="light") as page,
    ):
        await show(page)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await page.screenshot(path=PICTURES / f"studio-{scheme}.png")


def draw(report: Report) -> str:
    """Draw what a run printed, as a terminal shows it."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False
    )
    console.print("$ python -m simulator", style="bold")
    console.print(options_line(report.scenario))
    print_report(report, console)
    return console.export_svg(
        title="a show of ten rounds, counted", theme=DIMMED_MONOKAI, code_format=FORMAT
    )


FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}"
  height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own drawing, without its fonts from elsewhere."""


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(exist_ok=True)
    asyncio.run(photograph())
    report = asyncio.run(run_sockets(Scenario()))
    assert report.ok, "a picture of a run that failed is not for the README"
    (PICTURES / "terminal.svg").write_text(draw(report), encoding="utf-8")
    for path in sorted(PICTURES.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
