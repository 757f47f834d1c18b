"""The examples: short, and they print what the file beside them says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LONGER = {"web_backend": 100, "web_transport": 100}
"""A page and its other half: the most lines of the scripts that are a platform and the way to it."""
EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_its_golden_output(script: Path) -> None:
    """Every script prints exactly its `.out`, and warns of nothing."""
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == (script.with_suffix(".out").read_text(), "")


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_on_a_page(script: Path) -> None:
    """Every script has at most 40 lines, but for those named."""
    assert len(script.read_text().splitlines()) <= LONGER.get(script.stem, 40)


def test_a_transport_is_a_few_dozen_lines() -> None:
    """All that another platform needs, with what reads its messages, is at most 80 lines."""
    (script,) = (each for each in EXAMPLES if each.stem == "web_transport")
    before_the_show, _ = script.read_text().split("\nasync def count(")
    assert len(before_the_show.strip().splitlines()) <= 80
