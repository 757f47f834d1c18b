"""Searches guided by coverage: atheris in a process of its own, which is read and ended from here.

libFuzzer, inside atheris, leaves its process without a word to Python; so what it says is read by
another one, which tells at the end how long no new branch has been found.

    python -m tests.fuzz.guided TARGET [options of libFuzzer] FOLDER    # that other process
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["Search", "follow", "guided", "watched"]

TOLD_EVERY: Final = 10_000
"""After so many executions the searching process says that it goes on."""
ENDED: Final = (72, -signal.SIGTERM)
"""How libFuzzer leaves when it is asked to, and how a process that does not yet listen."""
ROOT: Final = Path(__file__).parents[2]
_STATUS: Final = re.compile(r"#(\d+)\t?\s*(\w+)(?:.*? cov: (\d+))?")
_NOISE: Final = re.compile(r'stat::|INFO: |"|#####|\s*$|Done \d')


class Search:
    """What is known of a search, from the lines that it prints."""

    def __init__(self) -> None:
        self.executions = 0
        self.branches = 0
        """How many were ever reached; libFuzzer counts edges of the bytecode."""
        self.found_at = 0
        """The execution that last reached a new one; what the corpus reaches is not new."""
        self.other: list[str] = []
        """What it said that is no status: what broke, above all."""

    @property
    def quiet_for(self) -> int:
        """The executions since the last new branch."""
        return self.executions - self.found_at

    def read(self, line: str) -> None:
        """Take a line of its output."""
        status = _STATUS.match(line)
        if status is None:
            if not _NOISE.match(line):
                self.other.append(line.rstrip("\n"))
            return
        executions, kind, branches = status.groups()
        self.executions = max(self.executions, int(executions))
        if branches is not None and int(branches) > self.branches:
            self.branches = int(branches)
            if kind in {"INITED", "NEW"}:
                self.found_at = int(executions)

    def as_text(self, name: str) -> str:
        """One line for people."""
        return (
            f"{name}: {self.executions:,} executions, {self.branches:,} branches, no new one in "
            f"the last {self.quiet_for:,}"
        )


def follow(
    lines: Iterable[str],
    until_quiet: int | None,
    end: Callable[[], object],
    tell: Callable[[Search], object] = lambda _: None,
) -> Search:
    """Read a search to its end; have it ended after so many executions without a new branch."""
    search, ending = Search(), False
    for line in lines:
        before = search.branches
        search.read(line)
        if search.branches > before:
            tell(search)
        if until_quiet is not None and search.quiet_for >= until_quiet and not ending:
            ending = True
            end()
    return search


def watched(command: Sequence[str], name: str, until_quiet: int | None) -> int:
    """Run a search and say what it found; returns 1 if something broke."""
    # Sets are walked in the same order every time, so that a seed finds nearly the same again.
    surroundings = {**os.environ, "PYTHONHASHSEED": "0"}
    with subprocess.Popen(
        command, cwd=ROOT, env=surroundings, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stderr is not None
        told = follow(process.stderr, until_quiet, process.terminate, lambda s: _say(s, name))
    _say(told, name)
    quiet = until_quiet is not None and told.quiet_for >= until_quiet
    if process.returncode in ({0, *ENDED} if quiet else {0}):
        return 0
    print("\n".join(told.other), file=sys.stderr)
    return 1


def _say(search: Search, name: str) -> None:
    print(search.as_text(name), flush=True)


def guided(name: str, corpus: Path, options: Sequence[str], until_quiet: int | None) -> int:
    """Search until the options or `until_quiet` end it; returns 1 if something broke."""
    command = [sys.executable, "-m", "tests.fuzz.guided", name, *options, str(corpus)]
    return watched(command, name, until_quiet)


def _search(name: str, arguments: Sequence[str]) -> None:
    """What the other process does; libFuzzer ends it."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["poll_counter", "simulator"]):
        from .targets import TARGETS  # noqa: PLC0415 - atheris watches what is imported after it
    target, executions = TARGETS[name], 0

    def counted(data: bytes) -> None:
        nonlocal executions
        executions += 1
        if not executions % TOLD_EVERY:
            os.write(2, f"#{executions} ran\n".encode())
        target(data)

    atheris.Setup([sys.argv[0], *arguments], counted)
    atheris.Fuzz()


if __name__ == "__main__":
    _search(sys.argv[1], sys.argv[2:])
