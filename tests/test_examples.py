"""The examples: short, and they print what the file beside them says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_its_golden_output(script: Path) -> None:
    """Every script prints exactly its `.out`, and warns of nothing."""
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == (script.with_suffix(".out").read_text(), "")


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_on_a_page(script: Path) -> None:
    """Every script has at most 40 lines."""
    assert len(script.read_text().splitlines()) <= 40
