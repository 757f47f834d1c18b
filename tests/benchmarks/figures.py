"""What benchmarks find: ratios measured side by side, in turns, and the machine they are of."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

__all__ = ["TURNS_MIN", "Figure", "as_json", "in_turns", "machine", "print_figures"]

TURNS_MIN = 5
"""The fewest turns that a median is taken of."""
PACKAGES = "websockets", "pydantic", "pydantic-core", "uvloop", "picows", "python-socketio"


class Figure(NamedTuple):
    """One thing measured against another, in the same run."""

    what: str
    ours: str
    """With its unit."""
    floor: str
    """What it is held against, with its unit."""
    ratio: float
    """Ours in times of the other."""
    limit: float | None = None
    """What the ratio may be at most, or at least; None: it is only told."""
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Whether the limit holds."""
        if self.limit is None:
            return True
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit

    @property
    def bound(self) -> str:
        """The limit, for people."""
        return "" if self.limit is None else f"{'>=' if self.at_least else '<='} {self.limit:g}"


def in_turns(
    ours: Callable[[], float], other: Callable[[], float], turns: int
) -> tuple[float, float, float]:
    """Measure two things A B, B A, A B, ...; gives both medians, and that of their ratios."""
    pairs = []
    for turn in range(max(TURNS_MIN, turns)):
        if turn % 2:
            second, first = other(), ours()
        else:
            first, second = ours(), other()
        pairs.append((first, second))
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    return a, b, statistics.median(first / second for first, second in pairs)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    found = {
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "-"
    return found


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def as_json(figures: Sequence[Figure]) -> str:
    """One JSON object, for scripts."""
    told = [{**each._asdict(), "ok": each.ok} for each in figures]
    return json.dumps({"machine": machine(), "figures": told})


def print_figures(figures: Sequence[Figure], console: Console) -> None:
    """Print the machine and the table."""
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("what", "ours", "against"):
        table.add_column(heading)
    for heading in ("ratio", "limit"):
        table.add_column(heading, justify="right")
    for each in figures:
        style = "" if each.ok else "red"
        row = each.what, each.ours, each.floor, f"{each.ratio:.2f}", each.bound
        table.add_row(*row, style=style)
    console.print(table)
