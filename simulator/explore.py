"""Random scenarios, one per seed: whatever is drawn, no rule may be broken.

As in VOPR, TigerBeetle's simulator, even the configuration is drawn from the seed: a preset, and
what is changed about it. Faults come first; then the network heals, and nobody may be missing.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, NamedTuple, TypeVar, get_args

from rich.console import Console
from rich.table import Table

from poll_counter.machine import Machine

from .checks.evidence import Violation
from .emulator import Emulator
from .network import Draws
from .person import MakeMachine
from .scenario import LINK_SLOWER, Fault, Scenario, Verdict, preset_names
from .virtual import run_virtual
from .world import MakeEmulator

__all__ = [
    "COVERED",
    "Exploration",
    "Tried",
    "covered",
    "explore",
    "print_exploration",
    "random_scenario",
    "replay_line",
    "try_seed",
]

RARE = 0.05
"""What occurs in a smaller share of the seeds is hardly covered."""

T = TypeVar("T")

_TRAITS: dict[str, Callable[[Scenario], object]] = {
    "disconnects": lambda s: s.drop,
    "edge restarts": lambda s: s.edge_restarts,
    "lagging edge": lambda s: s.lag and s.edges > 1,
    "roaming": lambda s: s.roam and s.edges > 1,
    "slow links": lambda s: s.slow,
    "long tail": lambda s: s.tail > 1.0,
    "burst": lambda s: s.spread == 0.0,
    "late": lambda s: s.late,
    "leaving": lambda s: s.leave,
    "watching": lambda s: s.watch,
    "restarted": lambda s: s.restart,
    "reinstalled": lambda s: s.reinstall,
    "chained": lambda s: s.rounds > s.options_per_poll,
    "sampled": lambda s: s.sample_rate < 1.0,
    "pulled": lambda s: s.pulled,
    "taken back": lambda s: s.taken_back,
    "replaced": lambda s: s.replaced,
    "hostile peers": lambda s: s.hostile,
}
COVERED = (
    *(f"preset {name}" for name in preset_names()),
    *(f"messages {verdict}" for verdict in get_args(Verdict)),
    *_TRAITS,
)
"""What a scenario may have in it."""


class _Drawer:
    """Draws a scenario's values."""

    def __init__(self, seed: int) -> None:
        self.draw = Draws(seed, "explore")

    def chance(self, share: float) -> bool:
        """True in that share of all cases."""
        return self.draw() < share

    def among(self, choices: tuple[T, ...]) -> T:
        """One of these."""
        return choices[int(self.draw() * len(choices))]

    def number(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.draw() * (high - low + 1))

    def share(self, low: float, high: float) -> float:
        """A number between, to three digits: what is printed is what was run."""
        return round(low + self.draw() * (high - low), 3)


def random_scenario(seed: int) -> Scenario:
    """The scenario of a seed: a preset, with much about it changed."""
    draw = _Drawer(seed)
    name = draw.among(tuple(preset_names()))
    base = Scenario.load(name).model_dump(exclude_unset=True)
    rounds = min(base.get("rounds", 10), draw.number(4, 12))
    round_time = draw.among((4.0, 10.0, 20.0))
    network = _random_network(draw, round_time)
    # In what is healed everybody must have the time to vote.
    margin_s = max(0.1 * round_time, network["latency_ms"][1] * LINK_SLOWER / 500.0)
    longest_s = max(0.0, 0.95 * round_time - margin_s)
    changed: dict[str, Any] = {
        **_random_show(draw, rounds, base),
        **_random_crowd(draw),
        **network,
        "name": name,
        "seed": seed,
        "rounds": rounds,
        "round_time": round_time,
        "spread": 0.0 if draw.chance(0.15) else draw.share(0.0, min(10.0, longest_s)),
        "healed": draw.number(2, 3),
        "without_spread": False,
    }
    return Scenario(**{**base, **changed})


def _random_show(draw: _Drawer, rounds: int, base: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {"waiting": draw.among((0.6, 0.6, 0.2, 0.8))}
    if rounds > 4 and draw.chance(0.4):  # noqa: PLR2004 - of four options, so that polls chain
        changed["options_per_poll"] = draw.number(3, 4)
    if draw.chance(0.25):
        changed["sample_rate"] = draw.share(0.2, 0.9)
    for kind in ("pulled", "taken_back", "replaced"):
        chosen = {k for k in base.get(kind, ()) if k <= rounds}
        if draw.chance(0.2):
            chosen |= {draw.number(1, rounds), draw.number(1, rounds)}
        changed[kind] = tuple(sorted(chosen))
    return changed


def _random_crowd(draw: _Drawer) -> dict[str, Any]:
    changed: dict[str, Any] = {
        "players": draw.number(50, 100),
        "arrive": draw.among((0.5, 5.0)),
        "drops": draw.number(1, 3),
    }
    for share in ("late", "leave", "drop", "restart", "reinstall", "watch", "roam", "slow"):
        if draw.chance(0.25):
            changed[share] = draw.share(0.02, 0.4)
    if draw.chance(0.1):
        changed["hostile"] = draw.share(0.02, 0.2)
    return changed


def _random_network(draw: _Drawer, round_time: float) -> dict[str, Any]:
    low = draw.number(1, 100)
    changed: dict[str, Any] = {
        "latency_ms": (low, low + draw.number(0, int(50 * round_time) - low)),
        "tail": draw.among((1.0, 1.0, 6.0)),
        "edges": draw.number(1, 5),
    }
    if draw.chance(0.3):
        changed["edge_restarts"] = draw.number(1, 4)
    if draw.chance(0.25):
        changed["lag"] = draw.share(0.1, 3.0)
    if draw.chance(0.6):
        changed["faults"] = [
            Fault(
                verdict=verdict,
                share=draw.share(0.002, 0.03),
                way=draw.among(("up", "down", "both", "both")),
                delay_s=draw.share(0.1, 4.0),
            )
            for verdict in get_args(Verdict)
            if draw.chance(0.5)
        ]
    return changed


def covered(scenario: Scenario, verdicts: Counter[str]) -> set[str]:
    """What a scenario had in it, and the network did."""
    traits = {name for name, has in _TRAITS.items() if has(scenario)}
    return {f"preset {scenario.name}", *(f"messages {v}" for v in verdicts), *traits}


class Tried(NamedTuple):
    """What came of one seed."""

    seed: int
    covered: set[str]
    violations: list[Violation]
    votes: int


@dataclass(frozen=True, slots=True)
class Exploration:
    """What came of many seeds."""

    tried: list[Tried]
    wall_s: float

    @property
    def failed(self) -> list[Tried]:
        """The seeds in which a rule was broken."""
        return [one for one in self.tried if one.violations]

    @property
    def ok(self) -> bool:
        """Whether no rule was broken."""
        return not self.failed

    @property
    def shares(self) -> dict[str, float]:
        """What was covered -> in which share of the seeds."""
        times = Counter(name for one in self.tried for name in one.covered)
        return {name: times[name] / max(1, len(self.tried)) for name in COVERED}

    def as_json(self) -> str:
        """One JSON object, for scripts."""
        content: dict[str, Any] = {
            "ok": self.ok,
            "seeds": len(self.tried),
            "failed": [
                {
                    "seed": one.seed,
                    "violations": [violation._asdict() for violation in one.violations],
                    "replay": replay_line(one.seed),
                }
                for one in self.failed
            ],
            "votes": sum(one.votes for one in self.tried),
            "covered": {name: round(share, 4) for name, share in self.shares.items()},
            "rare": [name for name, share in self.shares.items() if share < RARE],
            "wall_s": round(self.wall_s, 3),
        }
        return json.dumps(content)


def print_exploration(exploration: Exploration, console: Console) -> None:
    """Print what was covered, and the verdict."""
    table = Table(box=None, header_style="bold")
    table.add_column("covered")
    table.add_column("of the seeds", justify="right")
    for name, share in exploration.shares.items():
        table.add_row(name, f"{share:.1%}", style="yellow" if share < RARE else "")
    console.print(table)
    seeds, failed = len(exploration.tried), exploration.failed
    console.print(f"\n{seeds:,} seeds in {exploration.wall_s:.1f} s")
    if exploration.ok:
        console.print("OK: no rule is broken", style="bold green")
    else:
        told = ", ".join(str(one.seed) for one in failed)
        console.print(f"FAILED with seed {told}", style="bold red")


def replay_line(seed: int) -> str:
    """The command line that runs a seed again."""
    return f"python -m simulator explore --first {seed} --seeds 1"


def try_seed(
    seed: int, make: MakeMachine = Machine, make_emulator: MakeEmulator = Emulator
) -> Tried:
    """Run the scenario of a seed, and check it."""
    scenario = random_scenario(seed)
    report = run_virtual(scenario, make=make, make_emulator=make_emulator)
    return Tried(seed, covered(scenario, report.verdicts), report.violations, report.votes_accepted)


def explore(
    first: int,
    seeds: int,
    *,
    minutes: float | None = None,
    processes: int = 1,
    show_progress: Callable[[Tried], object] = lambda _: None,
) -> Exploration:
    """Run the scenarios of many seeds.

    Args:
        first: the first seed.
        seeds: how many.
        minutes: no seed is begun after so long; None for no limit.
        processes: over how many processes the seeds are spread.
        show_progress: told what came of each.
    """
    started = time.monotonic()
    until = float("inf") if minutes is None else started + 60.0 * minutes
    tried: list[Tried] = []
    for one in _try_all(range(first, first + seeds), processes, until):
        tried.append(one)
        show_progress(one)
    return Exploration(tried, time.monotonic() - started)


def _try_all(seeds: range, processes: int, until: float) -> Iterator[Tried]:
    if processes == 1:
        for seed in seeds:
            if time.monotonic() >= until:
                return
            yield try_seed(seed)
        return
    some = 8 * processes  # at a time, so that the time limit is kept
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for place in range(0, len(seeds), some):
            if time.monotonic() >= until:
                return
            yield from pool.map(try_seed, seeds[place : place + some])
