"""A terminal with colours, tables and bars, by `rich`.

Imported where there is a terminal, and done without where `rich` is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

__all__ = ["RichScreen"]

BAR_WIDTH = 40
"""Of the longest bar, in characters."""


class RichScreen:
    """What is printed to one terminal.

    Args:
        out: the terminal.
    """

    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out, highlight=False)

    def say(self, text: str, style: str) -> None:
        """Print a paragraph."""
        self._console.print(text, style=style, markup=False, soft_wrap=True)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""
        table = Table(box=None, header_style="bold")
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self._console.print(table)

    @contextmanager
    def bars(self) -> Generator[Callable[[Sequence[tuple[str, int, str]], str], None]]:
        """Give what shows bars, each time in the place of those before; the last ones stay."""
        with Live(console=self._console, auto_refresh=False) as live:

            def show(bars: Sequence[tuple[str, int, str]], caption: str) -> None:
                table = Table.grid(padding=(0, 1))
                longest = max([1, *(length for _, length, _ in bars)])
                for name, length, text in bars:
                    bar = "━" * round(BAR_WIDTH * length / longest)
                    table.add_row(Text(name), Text(bar.ljust(BAR_WIDTH), "green"), Text(text))
                table.add_row(Text(""), Text(caption, style="dim"), Text(""))
                live.update(table, refresh=True)

            yield show
