"""The table of trials: what every kind of fault does to the counts, each measured in a run.

A trial is a small show with one kind of fault, in virtual time or on real sockets. What is lost
and what is doubled is read off the platform's own log, and held against the truth of `checks`.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

from rich.console import Console
from rich.table import Table

from poll_counter.machine import Machine

from .checks.evidence import Evidence, Observation, Violation
from .checks.findings import Findings, examine
from .checks.judge import Row, judge
from .checks.recovery import Kind, Moment, moments, recoveries
from .checks.truth import Truth, waitings
from .person import MakeMachine
from .platform import Platform
from .scenario import Fault, Scenario, Verdict
from .sockets import play
from .world import World

__all__ = ["TRIALS", "Outcome", "Trial", "Trials", "outcome", "print_trials", "run_trials", "try_"]

Mode = Literal["virtual", "sockets"]
SEEDS = 10
"""How many shows a trial in virtual time has; one where it has to be quick."""
_MISSING = "who must be counted has voted"
_TWICE = "nobody is counted twice"

_SHOW: Mapping[str, Any] = {"players": 60, "rounds": 6, "round_time": 10.0, "spread": 1.0}
_QUICK_ON_SOCKETS: Mapping[str, Any] = {"players": 30, "rounds": 3, "round_time": 2.0}
_ON_SOCKETS: Mapping[str, Any] = {"players": 100, "rounds": 6, "round_time": 2.0}


class Trial(NamedTuple):
    """One kind of fault."""

    fault: str
    scenario: Mapping[str, Any]
    """What is changed about the show."""
    ends: Kind
    """What ends the fault: recovery is measured from there."""
    mode: Mode = "virtual"
    make: MakeMachine = Machine
    """The player's machine (virtual time)."""
    acknowledged: bool = True
    """Whether votes are: without that they are sent once, and may be lost with their app."""
    outage_s: float | None = None
    """For how long the server is down, amid the second round (sockets)."""


def _messages(*verdicts: Verdict, delay_s: float = 2.0) -> dict[str, Any]:
    faults = [Fault(verdict=verdict, share=0.05, delay_s=delay_s) for verdict in verdicts]
    return {"faults": faults, "healed": 2}


TRIALS = (
    Trial("messages lost", _messages("drop"), "heal"),
    Trial("messages late", _messages("later"), "heal"),
    Trial("messages repeated", _messages("repeat"), "heal"),
    Trial("messages overtaken", _messages("reorder"), "heal"),
    Trial("connections lost", {"drop": 0.5, "drops": 2}, "losses"),
    Trial("edges restart", {"edges": 3, "edge_restarts": 4}, "losses"),
    Trial("an edge behind by 2 s", {"edges": 2, "lag": 2.0, "healed": 2}, "heal"),
    Trial(
        "roaming between edges",
        {"edges": 3, "lag": 1.0, "drop": 0.5, "roam": 0.5, "healed": 2},
        "losses",
    ),
    Trial("slow links", {"latency_ms": (40, 250), "tail": 8.0, "slow": 0.2}, "rounds"),
    Trial("apps restart", {"restart": 0.5}, "losses"),
    Trial(
        "apps restart, unacknowledged",
        {"restart": 0.5},
        "losses",
        make=partial(Machine, acknowledges=False),
        acknowledged=False,
    ),
    Trial("apps installed anew", {"reinstall": 0.3}, "joins"),
    Trial("players come late", {"late": 0.5}, "joins"),
    Trial("open trivia revoked", {"pulled": (2, 4)}, "revocations"),
    Trial("finished trivia revoked", {"taken_back": (2, 4)}, "revocations"),
    Trial("poll replaced", {"replaced": (2, 4)}, "replacements"),
    Trial("all vote at once", {"spread": 0.0}, "rounds"),
    Trial("hostile peers", {"hostile": 0.1, "drop": 0.1}, "rounds"),
    Trial("connections cut", {"drop": 0.5, "drops": 2}, "losses", "sockets"),
    Trial(
        "messages, all four at once",
        _messages("drop", "later", "repeat", "reorder", delay_s=0.5),
        "heal",
        "sockets",
    ),
    Trial("all connections cut at once", {"edge_restarts": 3, "healed": 1}, "losses", "sockets"),
    Trial("apps restart", {"restart": 0.5}, "losses", "sockets"),
    Trial("server restarts", {}, "losses", "sockets", outage_s=0.0),
    Trial("server down for 2 s", {}, "losses", "sockets", outage_s=2.0),
)
"""All of them. A proxy's faults (half-open links, drips, corrupted frames) are in the tests."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial; outcomes of one trial add up."""

    fault: str
    mode: Mode
    times: int
    """How often the fault happened."""
    lost: int
    """Votes that had to be counted and were not."""
    excused: int
    """Votes that are missing beside the lost ones, of players whose app ended in that very round,
    where votes are not acknowledged: one that was on its way is not sent again (counting rule 5).
    Which of them were on their way is not told apart."""
    doubled: int
    """Votes beyond one of a player for one option of one poll."""
    count_error: int
    """The most that a round's count was off the nearest number that it may have."""
    recovery_s: Sequence[float]
    """From the end of each fault to the right count; the spread of the votes is in it."""
    broken: Sequence[Violation]
    """All rules that were broken."""

    @property
    def ok(self) -> bool:
        """Whether the fault happened, and did no harm."""
        harm = self.lost or self.doubled or self.count_error or self.broken
        return bool(self.times and self.recovery_s) and not harm

    def as_dict(self) -> dict[str, Any]:
        """For scripts; `recovery_s` is the longest."""
        known = self.recovery_s
        return {
            "fault": self.fault,
            "mode": self.mode,
            "times": self.times,
            "lost": self.lost,
            "excused": self.excused,
            "doubled": self.doubled,
            "count_error": self.count_error,
            "recovery_s": round(max(known), 3) if known else None,
            "recovery_median_s": round(statistics.median(known), 3) if known else None,
            "broken": [violation._asdict() for violation in self.broken],
            "ok": self.ok,
        }

    def __add__(self, other: Outcome) -> Outcome:
        """Add what came of another run of the same trial."""
        return Outcome(
            fault=self.fault,
            mode=self.mode,
            times=self.times + other.times,
            lost=self.lost + other.lost,
            excused=self.excused + other.excused,
            doubled=self.doubled + other.doubled,
            count_error=max(self.count_error, other.count_error),
            recovery_s=[*self.recovery_s, *other.recovery_s],
            broken=[*self.broken, *other.broken],
        )


@dataclass(frozen=True, slots=True)
class Trials:
    """What came of all trials."""

    outcomes: Sequence[Outcome]
    wall_s: float

    @property
    def ok(self) -> bool:
        """Whether no fault did harm."""
        return all(outcome.ok for outcome in self.outcomes)

    def as_json(self) -> str:
        """One JSON object, for scripts."""
        told = [outcome.as_dict() for outcome in self.outcomes]
        return json.dumps({"ok": self.ok, "trials": told, "wall_s": round(self.wall_s, 1)})


def outcome(
    trial: Trial,
    evidence: Evidence,
    observations: Mapping[str, Observation],
    findings: Findings,
    verdicts: Counter[str],
    *,
    back: Sequence[Moment] = (),
) -> Outcome:
    """Measure what came of a run.

    Args:
        trial: what was tried.
        evidence: what the platform and the network wrote down.
        observations: user -> what it read.
        findings: what `examine` found in the evidence.
        verdicts: what the network did to messages.
        back: when the server was there again, if it was down: the end of the fault then.
    """
    excused = 0
    if not trial.acknowledged:
        findings, excused = _excuse(evidence, findings)
    rows: list[Row]
    rows, broken = judge(evidence.scenario, evidence.pages, findings, [*observations.values()])
    breaches = Counter[str]()
    for breach in findings.breaches:
        breaches[breach.rule] += breach.times
    ends = back or moments(evidence, trial.ends)
    return Outcome(
        fault=trial.fault,
        mode=trial.mode,
        # A heal ends many faults at once, and a lag one for every thing that came too late.
        times=verdicts.total() or len(ends),
        lost=breaches[_MISSING],
        excused=excused,
        doubled=breaches[_TWICE],
        count_error=max((abs(row.difference) for row in rows), default=0),
        recovery_s=recoveries(evidence, observations, ends),
        broken=broken,
    )


def _excuse(evidence: Evidence, findings: Findings) -> tuple[Findings, int]:
    """Leave out, of who must be counted, those whose app ended in the round before they were."""
    truth, scenario = Truth.of(evidence), evidence.scenario
    excused = Counter[int]()
    for number in range(1, scenario.rounds + 1):
        page, copy, option = scenario.counted_by(number)
        votes = evidence.accepted.get((evidence.pages[page][copy], option), ())
        absent = truth.must[number] - {entry.user for entry in votes}
        spans = [p for p in waitings(evidence.log, evidence.trivia) if p.round == number]
        excused[number] = sum(
            any(p.start <= at < p.over for p in spans for at in evidence.restarts.get(user, ()))
            for user in absent
        )
    breaches = [
        each._replace(times=each.times - excused[each.round]) if each.rule == _MISSING else each
        for each in findings.breaches
    ]
    must = {number: many - excused[number] for number, many in findings.must.items()}
    left = [breach for breach in breaches if breach.times]
    return replace(findings, must=must, breaches=left), excused.total()


def _in_virtual_time(trial: Trial, seed: int) -> Outcome:
    scenario = Scenario(**{**_SHOW, **trial.scenario, "seed": seed})
    world = World(scenario, range(scenario.players), watched=True, make=trial.make)
    world.run()
    evidence = world.evidence()
    observations = dict(zip((p.user for p in world.people), world.observations(), strict=True))
    findings = examine(evidence, world.staying)
    return outcome(trial, evidence, observations, findings, world.network.verdicts)


async def _on_sockets(trial: Trial, *, quick: bool) -> Outcome:
    scenario = Scenario(**{**(_QUICK_ON_SOCKETS if quick else _ON_SOCKETS), **trial.scenario})
    if scenario.faults:
        scenario = scenario.model_copy(update={"rounds": scenario.rounds + 1})  # to recover in
    back: list[Moment] = []

    async def take_down(platform: Platform) -> None:
        """Stop the live channel amid a waiting phase, and start it again at the same port."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(1.2 * scenario.round_time)
        await platform.live.__aexit__(None, None, None)
        await asyncio.sleep(trial.outage_s or 0.0)
        await platform.live.__aenter__()
        back.append(Moment(loop.time()))

    disturb = None if trial.outage_s is None else take_down
    played = await play(scenario, disturb=disturb)
    evidence, told = played.evidence, played.statement
    findings = examine(evidence, told.staying)
    return outcome(trial, evidence, told.observations, findings, told.verdicts, back=back)


def try_(trial: Trial, *, quick: bool = False) -> Outcome:
    """Run a trial; where it has to be `quick`, only one show of it, and a small one on sockets."""
    if trial.mode == "sockets":
        return asyncio.run(_on_sockets(trial, quick=quick))
    first, *others = (_in_virtual_time(trial, seed) for seed in range(1, 2 if quick else SEEDS + 1))
    return sum(others, first)


def run_trials(
    trials: Sequence[Trial] = TRIALS,
    *,
    quick: bool = False,
    show_progress: Callable[[Outcome], object] = lambda _: None,
) -> Trials:
    """Run trials one after the other; `show_progress` is told what came of each."""
    started = time.monotonic()
    outcomes = []
    for trial in trials:
        outcomes.append(try_(trial, quick=quick))
        show_progress(outcomes[-1])
    return Trials(outcomes, time.monotonic() - started)


def print_trials(trials: Trials, console: Console) -> None:
    """Print the table, what was broken, and the verdict."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("fault", no_wrap=True)
    table.add_column("on")
    for heading in ("times", "lost", "doubled", "error", "recovery", "most"):
        table.add_column(heading, justify="right")
    for each in trials.outcomes:
        known = each.recovery_s
        told = (f"{statistics.median(known):.2f}", f"{max(known):.2f}") if known else ("-", "-")
        numbers = (each.times, each.lost, each.doubled, each.count_error)
        figures = (f"{number:,}" for number in numbers)
        table.add_row(each.fault, each.mode, *figures, *told, style="" if each.ok else "red")
    console.print(table)
    console.print()
    for each in trials.outcomes:
        for violation in each.broken:
            console.print(
                f"{each.fault}, round {violation.round}: broken: {violation.rule}: "
                f"{violation.text}",
                style="red",
                soft_wrap=True,
            )
    for each in trials.outcomes:
        if each.excused:
            console.print(
                f"{each.fault}: {each.excused} missing beside, of players whose app ended in that "
                "round: without an acknowledgement no vote is sent again"
            )
    console.print("error: the most that a count was off; recovery: seconds, median and most,")
    console.print("from the fault's end to the right count, the spread of the votes included")
    console.print(f"{len(trials.outcomes)} faults tried in {trials.wall_s:.1f} s")
    if trials.ok:
        but = " but what is said above" if any(each.excused for each in trials.outcomes) else ""
        console.print(f"OK: nothing is lost{but} and nothing is doubled", style="bold green")
    else:
        names = ", ".join(f"{each.fault} ({each.mode})" for each in trials.outcomes if not each.ok)
        console.print(f"FAILED: {names}", style="bold red")
