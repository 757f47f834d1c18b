"""What the README says is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.diagram import README, diagram, in_readme

TEXT = README.read_text(encoding="utf-8")


def test_the_state_diagram_is_drawn_from_the_table() -> None:
    """The README's diagram is the machine's table; `python -m tests.support.diagram` redraws it."""
    assert in_readme() == diagram()


def test_the_code_can_be_copied() -> None:
    """Every Python block of the README is whole: it compiles."""
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert blocks
    for block in blocks:
        ast.parse(block)


def test_links_lead_somewhere() -> None:
    """Every relative link of the README leads to a file of the repository."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert links
    missing = [link for link in links if not (README.parent / link).exists()]
    assert missing == []


def test_there_are_two_commands() -> None:
    """The first bash block runs the main job, the second the tests, each set-up included."""
    first, second = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    assert first.endswith("-m simulator\n")
    assert second.endswith("-m pytest\n")
    assert all(command.startswith("python3 -m venv .venv && ") for command in (first, second))


def test_no_lock_or_configuration_carries_an_address() -> None:
    """Packages are named, not hosts."""
    assert "://" not in (Path(README.parent) / "pyproject.toml").read_text(encoding="utf-8")
