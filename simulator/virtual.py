"""A run in virtual time: worlds of some thousands of players each, their findings added up.

First the crowd, who only vote; then the watched players, who are told the results of all. Which
player lives in which world depends on the scenario alone, so that the report does, too: it is the
same from one process and from several.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from poll_counter.machine import Machine

from .checks.evidence import Observation
from .checks.findings import Findings, examine, merge
from .checks.freshness import freshness
from .checks.judge import judge
from .emulator import Emulator
from .person import MakeMachine
from .report import Report, by_round, peak_rss_mb
from .scenario import Scenario
from .world import Elsewhere, MakeEmulator, World

__all__ = ["Part", "conclude", "parts", "run_virtual", "run_world"]

WATCHED_MAX = 100
"""How many players are told results, and asked for their counts."""
WORLD_PLAYERS = 250
"""How many players live in one world: so few that a processor's cache holds most of them, which
makes a run half again as fast; and memory does not grow with the crowd."""
PARTS_MAX = 256
"""After so many worlds what came of them is put together: most of it is the times of votes."""


@dataclass(frozen=True, slots=True)
class Part:
    """What came of one world."""

    findings: Findings
    votes_sent: int
    reconnects: int
    verdicts: Counter[str]
    """Verdict of the network -> messages."""
    peak_rss_mb: float
    """Of the process that ran it, so far."""


def parts(scenario: Scenario) -> tuple[Sequence[int], list[Sequence[int]]]:
    """Who lives where: the watched players, spaced evenly, and the crowd's worlds."""
    total = scenario.players
    if total <= WATCHED_MAX:
        return range(total), []
    watched = sorted({place * total // WATCHED_MAX for place in range(WATCHED_MAX)})
    known = frozenset(watched)
    worlds: list[Sequence[int]] = [
        [n for n in range(begin, min(begin + WORLD_PLAYERS, total)) if n not in known]
        for begin in range(0, total, WORLD_PLAYERS)
    ]
    return watched, worlds


def run_virtual(
    scenario: Scenario,
    *,
    processes: int = 1,
    make: MakeMachine = Machine,
    make_emulator: MakeEmulator = Emulator,
    show_progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> Report:
    """Run a scenario in virtual time, and check the counts.

    Args:
        scenario: the show and its crowd.
        processes: over how many processes the crowd's worlds are spread.
        make: makes a player's machine; planted bugs go in here, with one process.
        make_emulator: makes the platform; the same.
        show_progress: told how many players are done, and how many there are.
    """
    started = time.monotonic()
    _, worlds = parts(scenario)
    done: list[Part] = []
    players_done = 0
    crowd = _crowd(scenario, worlds, processes, make, make_emulator)
    for world, part in zip(worlds, crowd, strict=True):
        done.append(part)
        if len(done) >= PARTS_MAX:
            done = [together(done)]
        players_done += len(world)
        show_progress(players_done, scenario.players)
    report = conclude(scenario, done, started, make=make, make_emulator=make_emulator)
    show_progress(scenario.players, scenario.players)
    return report


def conclude(
    scenario: Scenario,
    done: Sequence[Part],
    started: float,
    *,
    make: MakeMachine = Machine,
    make_emulator: MakeEmulator = Emulator,
) -> Report:
    """Run the watched players, who are told the votes of the crowd, and give the verdict.

    Args:
        scenario: the show and its crowd.
        done: what came of the crowd's worlds.
        started: when the run was, on the clock of `time.monotonic`.
        make: makes a player's machine.
        make_emulator: makes the platform.
    """
    crowd = together(done)
    watched, _ = parts(scenario)
    part, observations, latencies, pages = _watch(
        scenario, watched, crowd.findings, make, make_emulator
    )
    every = together([crowd, part])
    rows, violations = judge(scenario, pages, every.findings, observations)
    return Report(
        scenario=scenario,
        mode="virtual",
        rows=rows,
        violations=violations,
        findings=every.findings,
        votes_sent=every.votes_sent,
        reconnects=every.reconnects,
        wall_s=time.monotonic() - started,
        peak_rss_mb=max(every.peak_rss_mb, peak_rss_mb()),
        freshness=freshness(by_round(scenario, pages, every.findings), observations),
        latencies=Counter(latencies),
        verdicts=every.verdicts,
    )


def together(parts: Sequence[Part]) -> Part:
    """What came of several worlds, as if they had been one."""
    verdicts = Counter[str]()
    for part in parts:
        verdicts.update(part.verdicts)
    return Part(
        findings=merge([part.findings for part in parts]),
        votes_sent=sum(part.votes_sent for part in parts),
        reconnects=sum(part.reconnects for part in parts),
        verdicts=verdicts,
        peak_rss_mb=max((part.peak_rss_mb for part in parts), default=0.0),
    )


def _crowd(
    scenario: Scenario,
    worlds: Sequence[Sequence[int]],
    processes: int,
    make: MakeMachine,
    make_emulator: MakeEmulator,
) -> Iterator[Part]:
    if processes == 1 or len(worlds) < 2:  # noqa: PLR2004 - one world has no use for a pool
        for players in worlds:
            yield run_world(scenario, players, make, make_emulator)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(run_world, [scenario] * len(worlds), worlds)


def run_world(
    scenario: Scenario,
    players: Sequence[int],
    make: MakeMachine = Machine,
    make_emulator: MakeEmulator = Emulator,
) -> Part:
    """Run the world of some of the crowd, and find out what its evidence says."""
    with _collecting_nothing():
        world = World(scenario, players, watched=False, make=make, make_emulator=make_emulator)
        part = _run(world)
        world.close()
    return part


def _watch(
    scenario: Scenario,
    watched: Sequence[int],
    crowd: Findings,
    make: MakeMachine,
    make_emulator: MakeEmulator,
) -> tuple[Part, list[Observation], list[int], Sequence[Sequence[str]]]:
    """Run the world of the watched players, who are told the votes of all."""
    elsewhere: list[Elsewhere] = [
        (tick, poll, option, votes)
        for (poll, option), times in crowd.accepted.items()
        for tick, votes in times.items()
    ]
    with _collecting_nothing():
        world = World(
            scenario,
            watched,
            watched=True,
            elsewhere=elsewhere,
            make=make,
            make_emulator=make_emulator,
        )
        part = _run(world)
    return part, world.observations(), world.latencies, world.show.pages


@contextmanager
def _collecting_nothing() -> Iterator[None]:
    """Let the collector of garbage rest: nothing becomes garbage in circles while a world lives."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _run(world: World) -> Part:
    world.run()
    return Part(
        findings=examine(world.evidence(), world.staying),
        votes_sent=sum(person.votes_sent for person in world.people),
        reconnects=sum(max(0, person.connects - 1) for person in world.people),
        verdicts=world.network.verdicts,
        peak_rss_mb=peak_rss_mb(),
    )
