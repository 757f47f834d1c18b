"""A soak: show after show in one process, which must hold no more at the end than at first.

Memory, tasks, file descriptors and objects per type are read at the end of every show, when all
that belonged to it has to be gone; and every show is held against the truth, like any other.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import time
import urllib.parse
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rich.console import Console, Group, RenderableType
from rich.table import Table

from poll_counter import MisuseError

from .leaks import ENDS_MIN, Holdings, Ledger
from .report import Report, options_line
from .scenario import Scenario
from .sockets import run_sockets
from .virtual import run_virtual

__all__ = ["KINDS", "Kind", "Soaked", "held_now", "print_soak", "soak"]

Kind: TypeAlias = Literal["virtual", "sockets"]
KINDS: tuple[Kind, ...] = ("virtual", "sockets")
ShowLive: TypeAlias = Callable[[RenderableType], object]
RunShow: TypeAlias = Callable[[Scenario, Callable[[Table], object] | None], Awaitable[Report]]
"""Runs one show; shows its live table where there is one."""

PROCESS = Path("/proc/self")
"""Where Linux tells what a process holds."""
WARM_UP = 1 / 6
"""The share of the time in which all warms up; and every kind of show has to have run twice."""
SETTLE_S = 5.0
"""What is gone within this after a show does not leak: a socket may take a moment to close."""
SETTLE_STEP_S = 0.1
WRONG_MAX = 20
"""So many shows that went wrong are told of; the rest is counted."""


@dataclass(slots=True)
class Soaked:
    """What came of a soak so far."""

    scenario: Scenario
    ledger: Ledger
    shows: Counter[Kind] = field(default_factory=Counter)
    """How many shows ended."""
    spent_s: dict[Kind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    """How long they took."""
    votes: int = 0
    """Accepted, in all shows."""
    wrong: list[str] = field(default_factory=list)
    """The shows that went wrong, and what was broken first in each."""
    wrong_shows: int = 0
    wall_s: float = 0.0

    def add(self, kind: Kind, took_s: float, report: Report) -> None:
        """Take down what came of a show."""
        self.shows[kind] += 1
        self.spent_s[kind] += took_s
        self.votes += report.votes_accepted
        if not report.ok:
            self.wrong_shows += 1
            if self.wrong_shows <= WRONG_MAX:
                self.wrong.append(_told(kind, report))

    @property
    def ok(self) -> bool:
        """Whether every show was right, and nothing leaks."""
        return not self.wrong_shows and not self.ledger.leaks()

    def as_json(self) -> str:
        """One JSON object, for scripts; of what was held, first is after the warm-up."""
        ledger = self.ledger
        content: dict[str, Any] = {
            "ok": self.ok,
            "shows": {kind: self.shows[kind] for kind in KINDS},
            "votes": self.votes,
            "wrong_shows": self.wrong_shows,
            "wrong": self.wrong,
            "ends": ledger.ends,
            "leaks": ledger.leaks(),
            "memory_growth": round(ledger.memory_growth, 4),
            "changed_objects": ledger.changed,
            "wall_s": round(self.wall_s, 1),
        }
        for name, held in (("first", ledger.first), ("last", ledger.last)):
            content[name] = held and {
                "rss_mb": round(held.rss_mb, 1),
                "tasks": held.tasks,
                "descriptors": held.descriptors,
                "objects": sum(held.objects.values()),
            }
        return json.dumps(content)


def held_now() -> Holdings:
    """Read what this process holds, inside its event loop.

    Raises `MisuseError` where the system does not tell.
    """
    _forget_addresses()
    gc.collect()
    gc.collect()  # a dict that the first has emptied is one that the second leaves out
    try:
        pages = int((PROCESS / "statm").read_text().split()[1])
        descriptors = len(os.listdir(PROCESS / "fd"))  # noqa: PTH208 - Path makes more objects
    except OSError as error:
        raise MisuseError(
            f"a soak reads {PROCESS}, which this system does not have: run it on Linux"
        ) from error
    objects: Counter[str] = Counter()
    for each in gc.get_objects():
        kind = type(each)
        objects[f"{kind.__module__}.{kind.__qualname__}"] += 1
    return Holdings(
        rss_mb=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        tasks=len(asyncio.all_tasks()) - 1,
        descriptors=descriptors,
        objects=objects,
    )


def _forget_addresses() -> None:
    """Empty the one cache of the standard library that keeps objects, of the last 128 addresses."""
    urllib.parse.clear_cache()  # type: ignore[attr-defined] # documented in its source alone


async def soak(
    scenario: Scenario,
    *,
    minutes: float,
    kinds: Sequence[Kind] = KINDS,
    run: Mapping[Kind, RunShow] | None = None,
    show_live: ShowLive | None = None,
    now: Callable[[], float] = time.monotonic,
    settle_s: float = SETTLE_S,
) -> Soaked:
    """Run show after show on this event loop, and take down what is held at the end of each.

    Args:
        scenario: the show; every one has its own seed, from the scenario's on.
        minutes: no show begins after so long; the one that is on then is played to its end.
        kinds: where shows run; of two the time is shared.
        run: how shows of a kind are run; test doubles go in here.
        show_live: takes the live table.
        now: tells the time, in seconds.
        settle_s: how long what belonged to a show may take to be gone.
    """
    runners = run or {"virtual": _in_virtual_time, "sockets": _on_sockets}
    began = now()
    soaked = Soaked(scenario, Ledger())

    async def one_show(kind: Kind) -> None:
        """In a function of its own, so that nothing of the show is held here."""
        live = None if show_live is None else _beside(soaked, show_live)
        seed = scenario.seed + soaked.shows.total()
        started = now()
        report = await runners[kind](scenario.model_copy(update={"seed": seed}), live)
        soaked.add(kind, now() - started, report)

    while not soaked.shows or now() - began < 60.0 * minutes:
        await one_show(min(kinds, key=lambda kind: soaked.spent_s[kind]))
        soaked.wall_s = now() - began
        if show_live is not None:
            show_live(_table(soaked))  # of one size: a live display holds what it shows
        held = await _settled(soaked.ledger, settle_s)
        at_s, twice = now() - began, min(soaked.shows[kind] for kind in kinds) > 1
        warming_up = at_s < 60.0 * minutes * WARM_UP or not twice
        soaked.ledger.add(at_s, held, warming_up=warming_up)
    return soaked


async def _settled(ledger: Ledger, settle_s: float) -> Holdings:
    """Read what is held, once no more is than at first, or in vain for so long."""
    tries = max(1, round(settle_s / SETTLE_STEP_S))
    while True:
        await asyncio.sleep(0)  # so that the loop holds the same, whatever was waited for before
        held, tries = held_now(), tries - 1
        if not tries or ledger.is_back_at_first(held):
            return held
        del held  # or the next one would find it
        await asyncio.sleep(SETTLE_STEP_S)


async def _on_sockets(scenario: Scenario, show_live: Callable[[Table], object] | None) -> Report:
    return await run_sockets(scenario, show_live=show_live)


async def _in_virtual_time(scenario: Scenario, _live: Callable[[Table], object] | None) -> Report:
    return run_virtual(scenario)


def _told(kind: Kind, report: Report) -> str:
    """A show that went wrong: what was broken first, and the line that runs it again."""
    first, (python, options) = report.violations[0], options_line(report.scenario).split(" --", 1)
    return (
        f"{kind}, round {first.round}: broken: {first.rule}: {first.text}\n"
        f"    {python} soak --mode {kind} --minutes 0 --{options}"
    )


def _beside(soaked: Soaked, show_live: ShowLive) -> Callable[[Table], object]:
    """Show the table of the show that is on below that of the soak."""
    return lambda table: show_live(Group(_table(soaked), "", table))


def _table(soaked: Soaked) -> Table:
    """What was held at the ends of shows: at first after the warm-up, and last."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("at the end of a show")
    table.add_column("first", justify="right")
    table.add_column("last", justify="right")
    held = soaked.ledger.first, soaked.ledger.last
    for name, tell in _ROWS:
        table.add_row(name, *("-" if each is None else tell(each) for each in held))
    for kind in KINDS:
        table.add_row(f"shows, {kind}", "", f"{soaked.shows[kind]:,}")
    table.add_row("shows that went wrong", "", f"{soaked.wrong_shows:,}")
    table.add_row("minutes", "", f"{soaked.wall_s / 60.0:.1f}")
    return table


_ROWS: tuple[tuple[str, Callable[[Holdings], str]], ...] = (
    ("memory, MB", lambda held: f"{held.rss_mb:.1f}"),
    ("tasks", lambda held: f"{held.tasks:,}"),
    ("file descriptors", lambda held: f"{held.descriptors:,}"),
    ("objects", lambda held: f"{sum(held.objects.values()):,}"),
)


def print_soak(soaked: Soaked, console: Console) -> None:
    """Print the table, what went wrong, what leaks, and the verdict."""
    console.print(_table(soaked))
    console.print()
    for line in soaked.wrong:
        console.print(line, style="red", soft_wrap=True, markup=False)
    leaks = soaked.ledger.leaks()
    for leak in leaks:
        console.print(leak, style="red", soft_wrap=True, markup=False)
    ledger = soaked.ledger
    equal = "" if ledger.changed else "; as many objects of every type"
    console.print(
        f"{soaked.shows.total():,} shows and {soaked.votes:,} votes in {soaked.wall_s / 60.0:.1f} "
        f"minutes; from the warm-up on memory grew by {ledger.memory_growth:.1%}{equal}"
    )
    if soaked.ok:
        console.print("OK: every count is right, and nothing leaks", style="bold green")
        return
    told = [f"{soaked.wrong_shows:,} shows went wrong"] if soaked.wrong_shows else []
    if ledger.ends < ENDS_MIN:
        told.append("too few shows ended to tell a leak")
    elif leaks:
        told.append("more is held at the end")
    console.print(f"FAILED: {'; '.join(told)}", style="bold red")
