"""What a run prints: the live table, the table of rounds, the verdict, or one JSON object."""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .checks.evidence import Violation
from .checks.findings import Findings
from .checks.freshness import percentiles
from .checks.judge import Row
from .scenario import Scenario
from .show import Publication

__all__ = [
    "CrowdReport",
    "Report",
    "by_round",
    "live_table",
    "options_line",
    "peak_rss_mb",
    "print_crowd",
    "print_report",
]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run."""

    scenario: Scenario
    mode: Literal["virtual", "sockets"]
    rows: list[Row]
    violations: list[Violation]
    findings: Findings
    """Of all players; the picture is drawn from it."""
    votes_sent: int
    reconnects: int
    wall_s: float
    """How long the run took, in seconds, the arrival of the crowd included."""
    peak_rss_mb: float
    """The most memory of a process that ran it, megabytes."""
    freshness: Counter[int] = field(default_factory=Counter)
    """From a vote's acceptance to the count that includes it at a client: ms -> votes."""
    latencies: Counter[int] = field(default_factory=Counter)
    """From a vote's cast to its answer, where it was measured: ms -> votes."""
    verdicts: Counter[str] = field(default_factory=Counter)
    """What the network did to messages: verdict -> messages."""
    publications: Sequence[Publication] = ()
    """What the host published through the Control API; nothing in virtual time."""
    loop: str | None = None
    """The event loop that it ran on; None in virtual time."""
    processes: int = 1
    """Over how many processes a crowd on sockets was spread."""

    @property
    def votes_accepted(self) -> int:
        """Of all players, in all rounds."""
        return self.findings.votes_accepted

    @property
    def freshness_ms(self) -> Mapping[str, float] | None:
        """The median and the 99th percentile of the freshness; None where it is unknown."""
        return percentiles(self.freshness)

    @property
    def ok(self) -> bool:
        """Whether all checks held."""
        return not self.violations

    def as_json(self) -> str:
        """One JSON object, for scripts."""
        fresh = self.freshness_ms
        content: dict[str, Any] = {
            "ok": self.ok,
            "mode": self.mode,
            "scenario": self.scenario.name,
            "seed": self.scenario.seed,
            "players": self.scenario.players,
            "rounds": [row._asdict() for row in self.rows],
            "violations": [violation._asdict() for violation in self.violations],
            "votes_sent": self.votes_sent,
            "votes_accepted": self.votes_accepted,
            "reconnects": self.reconnects,
            "loop": self.loop,
            "processes": self.processes,
            "wall_s": round(self.wall_s, 3),
            "peak_rss_mb": round(self.peak_rss_mb, 1),
            "publications": [
                {**each._asdict(), "late_ms": round(each.late_ms, 1)} for each in self.publications
            ],
            "freshness_ms": fresh and {name: round(ms, 1) for name, ms in fresh.items()},
        }
        return json.dumps(content)


@dataclass(frozen=True, slots=True)
class CrowdReport:
    """What a crowd saw of somebody else's show; only the platform knows the truth of that."""

    counts: Mapping[int, int]
    """Round -> players, as every observer that stayed to the end holds them."""
    violations: list[Violation]
    stats: Mapping[str, int]
    """`players`, `votes_sent`, `votes_accepted`, `reconnects`."""

    @property
    def ok(self) -> bool:
        """Whether all checks held."""
        return not self.violations

    def as_json(self) -> str:
        """One JSON object, for scripts."""
        content: dict[str, Any] = {
            "ok": self.ok,
            "mode": "crowd",
            "rounds": [{"round": r, "counted": n} for r, n in self.counts.items()],
            "violations": [violation._asdict() for violation in self.violations],
            **self.stats,
        }
        return json.dumps(content)


def by_round(
    scenario: Scenario, pages: Sequence[Sequence[str]], findings: Findings
) -> dict[int, dict[int, int]]:
    """Round -> millisecond -> votes accepted, of the last polls of every page."""
    size = scenario.options_per_poll
    rounds = {
        (polls[-1], option): page * size + option + 1
        for page, polls in enumerate(pages)
        for option in range(size)
    }
    return {
        rounds[option]: dict(times)
        for option, times in findings.accepted.items()
        if option in rounds
    }


def peak_rss_mb() -> float:
    """The most memory that this process has had, megabytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here


def options_line(scenario: Scenario, processes: int = 1) -> str:
    """The command line that runs this scenario again."""
    options = {
        "players": scenario.players,
        "rounds": scenario.rounds,
        "seed": scenario.seed,
        "round-time": scenario.round_time,
        "leave": scenario.leave,
        "drop": scenario.drop,
        "late": scenario.late,
    }
    if processes > 1:
        options["processes"] = processes
    shown = " ".join(f"--{name} {str(value).removesuffix('.0')}" for name, value in options.items())
    return f"python -m simulator {shown}"


def live_table(
    *, phase: str, elapsed_s: float, total_s: float, connected: int, votes: int, counts: list[str]
) -> Table:
    """The table that is shown while a show goes on.

    Args:
        phase: what is going on.
        elapsed_s: seconds since the show began.
        total_s: seconds that it takes.
        connected: players connected now.
        votes: votes accepted so far.
        counts: what an observer reads, one text per round so far.
    """
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="dim")
    table.add_column()
    share = min(1.0, max(0.0, elapsed_s / total_s)) if total_s else 1.0
    table.add_row("show", Text("#" * round(30 * share) + "-" * (30 - round(30 * share))))
    table.add_row("", f"{phase}, {max(0.0, elapsed_s):.0f} of {total_s:.0f} s")
    table.add_row("connected", f"{connected:,}")
    table.add_row("votes", f"{votes:,}")
    table.add_row("players", " ".join(counts) or "-")
    return table


def print_report(report: Report, console: Console, replay: str | None = None) -> None:
    """Print the table of rounds, what was broken, and the verdict.

    `replay` is the command line that runs it again, if it is not the main job's.
    """
    table = Table(box=None, header_style="bold")
    for heading in ("round", "must", "may", "counted", "shown", "difference"):
        table.add_column(heading, justify="right")
    for row in report.rows:
        figures = (row.must, row.may, row.counted, row.shown, row.difference)
        style = "red" if row.difference else ""
        table.add_row(str(row.round), *(f"{figure:,}" for figure in figures), style=style)
    console.print(table)
    console.print()
    for violation in report.violations:
        console.print(f"round {violation.round}: broken: {violation.rule}", style="red")
        console.print(f"    {violation.text}")
    where = f" on {report.loop}" if report.loop else ""
    if report.processes > 1:
        where += f" in {report.processes} processes"
    console.print(
        f"{report.votes_accepted:,} votes accepted of {report.votes_sent:,} sent, "
        f"{report.reconnects:,} reconnects, {report.wall_s:.1f} s{where}",
        soft_wrap=True,
    )
    if report.freshness_ms is not None:
        p50, p99 = (report.freshness_ms[name] for name in ("p50", "p99"))
        console.print(
            f"a vote is in the count that players read after {p50:.0f} ms, p99 {p99:.0f} ms"
        )
    late = sorted(each.late_ms for each in report.publications)
    if late:
        console.print(
            f"{len(late)} publications through the Control API, {late[len(late) // 2]:.0f} ms "
            f"late, {late[-1]:.0f} ms at most"
        )
    if report.ok:
        console.print("OK: every round is counted right", style="bold green")
    else:
        rounds = sorted({violation.round for violation in report.violations})
        told = ", ".join(map(str, rounds))
        console.print(f"FAILED in round {told}; run it again with", style="bold red")
        again = replay or options_line(report.scenario, report.processes)
        console.print(f"    {again}", soft_wrap=True, markup=False)  # a path may have brackets


def print_crowd(report: CrowdReport, console: Console) -> None:
    """Print what a crowd saw."""
    table = Table(box=None, header_style="bold")
    table.add_column("round", justify="right")
    table.add_column("players counted", justify="right")
    for round_, players in report.counts.items():
        table.add_row(str(round_), f"{players:,}")
    console.print(table)
    for violation in report.violations:
        console.print(f"round {violation.round}: broken: {violation.rule}", style="red")
        console.print(f"    {violation.text}")
    told = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in report.stats.items())
    console.print(told)
