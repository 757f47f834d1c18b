"""What a command prints: for people, in colours where there are any, and for scripts.

On a terminal, and with `rich` installed, there are tables and bars; else plain text, the same
words.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Protocol, TextIO, TypeAlias

__all__ = ["Bar", "ShowBars", "Terminal"]

Bar: TypeAlias = tuple[str, int, str]
"""A bar: what it is, how long, and what is written behind it."""
ShowBars: TypeAlias = Callable[[Sequence[Bar], str], None]
"""Shows bars with a caption, in the place of those before."""


class Screen(Protocol):
    """A terminal with colours; see `screen.py`."""

    def say(self, text: str, style: str) -> None:
        """Print a paragraph."""
        ...

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""
        ...

    def bars(self) -> AbstractContextManager[ShowBars]:
        """Give what shows bars; those of the last time stay."""
        ...


class Terminal:
    """Standard output and standard error of one command.

    Args:
        out: for what was asked for; standard output unless told.
        err: for what went wrong, and for what people should know besides.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out
        self._err = err
        self._screen = _screen(self._out)

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph; the style is `rich`'s, such as `red`."""
        if self._screen is None:
            print(text, file=self._out, flush=True)
        else:
            self._screen.say(text, style)

    def note(self, text: str) -> None:
        """Tell people something that is not the answer."""
        # Bars that move let standard error through, as long as they are shown: it is another then.
        print(text, file=self._err or sys.stderr, flush=True)

    def json(self, value: Any, *, indent: int | None = None) -> None:
        """Print a value as JSON; on one line unless indented."""
        print(json.dumps(value, indent=indent, ensure_ascii=False), file=self._out, flush=True)

    def close(self) -> None:
        """Let standard output go, for nobody reads it any more; what it still holds is lost."""
        with suppress(OSError):
            self._out.close()

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""
        if self._screen is not None:
            self._screen.table(headings, rows)
            return
        lines = [headings, *rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print("  ".join(cells).rstrip(), file=self._out, flush=True)

    def bars(self) -> AbstractContextManager[ShowBars | None]:
        """Give what shows bars while the block runs; None where there is no screen for them."""
        return nullcontext() if self._screen is None else self._screen.bars()


def _screen(out: TextIO) -> Screen | None:
    """A screen, if there is a terminal, and rich is installed."""
    if not out.isatty():
        return None
    try:
        from .screen import RichScreen  # noqa: PLC0415 - rich may not be installed
    except ImportError:
        return None
    return RichScreen(out)
