"""What the README says is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.diagram import README, diagram, in_readme

ROOT = README.parent
TEXT = README.read_text(encoding="utf-8")
FOLDERS = ("poll_counter", "simulator", "examples")
PAGES = [README, *sorted(page for each in FOLDERS for page in (ROOT / each).rglob("*.md"))]
"""The pages for people."""


def test_the_state_diagram_is_drawn_from_the_table() -> None:
    """The README's diagram is the machine's table; `python -m tests.support.diagram` redraws it."""
    assert in_readme() == diagram()


def test_the_code_can_be_copied() -> None:
    """Every Python block of the README is whole: it compiles."""
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert blocks
    for block in blocks:
        ast.parse(block)


def anchors(page: Path) -> set[str]:
    """What a link can name in a page: its headings, in small letters, with hyphens."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file of the repository, and to a heading of it."""
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert links or page.name == "PROTOCOL.md"
    for link in links:
        if "://" not in link:
            file, _, heading = link.partition("#")
            target = page.parent / file if file else page
            assert target.exists(), f"{page.name}: {link}"
            assert not heading or heading in anchors(target), f"{page.name}: {link}"


def test_a_reader_decides_in_a_minute() -> None:
    """Depth is in other pages: the README stays short, and leads to every tutorial."""
    assert len(TEXT.split()) <= 2600
    tutorials = {path.name for path in (ROOT / "examples").glob("[0-9]*.md")}
    assert tutorials == set(re.findall(r"\]\(examples/(\d\d_\w+\.md)\)", TEXT))


def test_there_are_two_commands() -> None:
    """The first bash block runs the main job, the second the tests, each set-up included."""
    first, second = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    assert first.endswith("-m simulator\n")
    assert second.endswith("-m pytest\n")
    assert all(command.startswith("python3 -m venv .venv && ") for command in (first, second))


def test_no_lock_or_configuration_carries_an_address() -> None:
    """Packages are named, not hosts."""
    assert "://" not in (Path(README.parent) / "pyproject.toml").read_text(encoding="utf-8")
