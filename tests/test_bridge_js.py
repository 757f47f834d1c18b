"""The JavaScript of the bridge: it parses, and does what its own tests say."""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

SCRIPTS = ("bridge.mjs", "bridge-node.mjs", "storage.mjs")
TESTS = Path(__file__).parent / "support" / "node" / "bridge.test.mjs"


@pytest.fixture(scope="module")
def node() -> str:
    """Node.js."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("there is no Node.js to run JavaScript with")
    return found


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_parses(node: str, name: str) -> None:
    """Node.js takes it as it is: there is no build step."""
    script = files("poll_counter.bridge").joinpath(name)
    subprocess.run([node, "--check", str(script)], check=True, timeout=60)


def test_the_bridge_by_itself(node: str) -> None:
    """Its own tests, a scripted SDK on one side and a scripted socket on the other, all pass."""
    done = subprocess.run(
        [node, "--test", str(TESTS)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "# fail 0" in done.stdout or "ℹ fail 0" in done.stdout  # noqa: RUF001 - Node.js's words
