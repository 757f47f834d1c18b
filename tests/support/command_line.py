"""The command line in tests: what was printed, and a terminal that is none."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

from poll_counter.cli import main
from poll_counter.cli.terminal import Terminal


class Screen(io.StringIO):
    """A terminal, as far as programs can tell."""

    def isatty(self) -> bool:
        """Say so."""
        return True


class CommandLine:
    """Runs `poll-counter`, and keeps what it printed.

    Args:
        url: the Control API's address, for every command that takes one.
    """

    def __init__(self, url: str = "") -> None:
        self._url = url
        self._out = self._err = io.StringIO()

    async def run(self, *words: str, screen: bool = False, **options: Any) -> int:
        """Run a command in a thread of its own; returns the exit code."""
        self._out, self._err = Screen() if screen else io.StringIO(), io.StringIO()
        arguments = [*words, "--url", self._url] if self._url else [*words]
        terminal = Terminal(self._out, self._err)
        return await asyncio.to_thread(main, arguments, terminal, **options)

    @property
    def out(self) -> str:
        """What the last command printed to standard output, so far."""
        return self._out.getvalue()

    @property
    def err(self) -> str:
        """What the last command printed to standard error, so far."""
        return self._err.getvalue()

    @property
    def json(self) -> Any:
        """What was printed, as JSON."""
        return json.loads(self.out)
