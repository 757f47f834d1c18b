"""A child process as Locust's side sees it: talked to from greenlets, in words over its pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.queue import Queue

from .words import Word, decode

__all__ = ["Child"]

ROOT = Path(__file__).parents[2]
"""Where `simulator` is imported from."""
ENDING_S = 5.0
"""How long a child may take to end when it is left alone."""


class Child:
    """A process with an asyncio loop of its own, to be talked to from greenlets.

    Args:
        module: what it runs.
        arguments: on its command line.
        take: takes a word that it says.
        gone: told how it ended, unless it was to.
    """

    def __init__(
        self,
        module: str,
        arguments: list[str],
        take: Callable[[Word], object],
        gone: Callable[[str], object],
    ) -> None:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._take = take
        self._gone = gone
        self._ending = False
        self._to_say: Queue[str | None] = Queue()
        gevent.spawn(self._write)
        gevent.spawn(self._read)

    def tell(self, word: Word) -> None:
        """Say a word; waits for nobody."""
        self._to_say.put(word.line)

    def end(self) -> None:
        """Leave it alone; it ends by itself, or is made to."""
        if not self._ending:
            self._ending = True
            self._to_say.put(None)
            try:
                self._process.wait(ENDING_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            while (line := self._to_say.get()) is not None:
                pipe.write(line.encode() + b"\n")
                pipe.flush()
            pipe.close()
        except OSError:
            pass  # it is gone: that is read on the other pipe

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._take(decode(line))
        code = self._process.wait()
        if not self._ending:
            self._gone(f"its process ended with code {code}")
