"""`import poll_counter` is light: what only some apps need comes when they need it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that are loaded after `import poll_counter`, in a process of its own."""
    code = "import json, sys, poll_counter; print(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-W", "error", "-c", code]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    assert not done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "name",
    [
        "httpx",
        "rich",
        "starlette",
        "uvicorn",
        "simulator",
        "pydantic.main",
        "poll_counter.bridge",
        "poll_counter.control",
        "poll_counter.testing",
        "poll_counter.wire",
        "pytest",
    ],
)
def test_import_does_not_load(name: str, loaded: set[str]) -> None:
    """The producer's side, the simulator, test tools and the wire's models are left out."""
    assert name not in loaded
    assert not [other for other in loaded if other.startswith(f"{name}.")]


@pytest.mark.parametrize("name", ["client", "facts", "journal", "machine", "transport"])
def test_import_loads_the_client(name: str, loaded: set[str]) -> None:
    """The client side is there."""
    assert f"poll_counter.{name}" in loaded


def test_wire_loads_without_the_producers_side() -> None:
    """A connection needs the wire's models, and still nothing of the producer's side."""
    code = (
        "import sys, poll_counter.wire; print({'httpx', 'poll_counter.control'} & set(sys.modules))"
    )
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout == "set()\n"
