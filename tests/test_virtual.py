"""Runs in virtual time: who lives where, the same report from any number of processes."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poll_counter.commands import CastVote, Command
from poll_counter.facts import Fact
from poll_counter.machine import Machine
from simulator import virtual
from simulator.emulator import Emulator
from simulator.records import RESULTS_INTERVAL_S
from simulator.report import Report
from simulator.scenario import PRESETS, Scenario
from simulator.virtual import parts, run_virtual

ROOT = Path(__file__).parents[1]
MIXED: dict[str, Any] = {
    "players": 170,
    "rounds": 4,
    "round_time": 4.0,
    "late": 0.2,
    "leave": 0.1,
    "drop": 0.3,
    "roam": 0.5,
    "restart": 0.1,
    "reinstall": 0.1,
    "hostile": 0.05,
    "edges": 3,
    "edge_restarts": 2,
    "lag": 0.5,
    "healed": 1,
    "faults": [
        {"verdict": verdict, "share": 0.05} for verdict in ("drop", "later", "repeat", "reorder")
    ],
}
"""A bit of everything."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make worlds small, so that a small crowd lives in several."""
    monkeypatch.setattr(virtual, "WATCHED_MAX", 20)
    monkeypatch.setattr(virtual, "WORLD_PLAYERS", 50)


def told(report: Report) -> dict[str, Any]:
    """What a report tells scripts, but for what depends on the machine."""
    held: dict[str, Any] = json.loads(report.as_json())
    return {key: value for key, value in held.items() if key not in {"wall_s", "peak_rss_mb"}}


# Who lives where


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    players=st.integers(0, 400), watched_max=st.integers(1, 60), world_players=st.integers(1, 90)
)
def test_everybody_lives_in_one_world(players: int, watched_max: int, world_players: int) -> None:
    """The watched ones are spread over all; a world has no more than it may."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(virtual, "WATCHED_MAX", watched_max)
        patch.setattr(virtual, "WORLD_PLAYERS", world_players)
        watched, worlds = parts(Scenario(players=players))
    everybody = [*watched, *(player for world in worlds for player in world)]
    assert sorted(everybody) == list(range(players))
    assert len(watched) == min(players, watched_max)
    assert all(len(world) <= world_players for world in worlds)
    if len(watched) > 1 and worlds:
        gaps = {two - one for one, two in pairwise(watched)}
        assert max(gaps) - min(gaps) <= 1


def test_a_small_crowd_is_watched_as_a_whole() -> None:
    """Nobody else lives anywhere."""
    most = virtual.WATCHED_MAX
    watched, worlds = parts(Scenario(players=most))
    assert (list(watched), worlds) == (list(range(most)), [])
    watched, worlds = parts(Scenario(players=60_000))
    assert (len(watched), len(worlds)) == (most, -(-60_000 // virtual.WORLD_PLAYERS))


# The report


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS.iterdir()))
def test_every_preset_is_counted_right(name: str) -> None:
    """Whatever happens in it, with few players."""
    report = run_virtual(Scenario.load(name, players=60))
    assert report.violations == []
    assert (report.mode, report.scenario.name) == ("virtual", name)
    assert len(report.rows) == report.scenario.rounds
    if name in {"calm", "herd", "late-joiners", "prime-time", "revoked"}:
        assert {(row.must == row.may == row.counted) for row in report.rows} == {True}
    if report.scenario.is_calm:
        assert {row.shown for row in report.rows} == {60}


def test_what_a_calm_run_reports() -> None:
    """One vote of everybody in every round, and how long it took to be seen."""
    report = run_virtual(Scenario(players=50, rounds=3, round_time=10.0, latency_ms=(20, 60)))
    assert report.ok
    assert [(r.must, r.may, r.counted, r.shown) for r in report.rows] == [(50, 50, 50, 50)] * 3
    assert report.votes_sent == report.votes_accepted == 150
    assert report.reconnects == 0
    assert report.wall_s > 0.0
    assert report.peak_rss_mb > 10.0
    assert report.freshness_ms is not None
    assert (
        20.0
        <= report.freshness_ms["p50"]
        <= report.freshness_ms["p99"]
        <= 1000.0 * RESULTS_INTERVAL_S + 61.0
    )
    assert sum(report.latencies.values()) == 150
    assert min(report.latencies) >= 40
    assert max(report.latencies) <= 120
    assert report.verdicts == {}


@pytest.mark.usefixtures("small")
def test_a_crowd_in_several_worlds_is_counted_as_one() -> None:
    """Observers are told the votes of all; figures of all worlds are added up."""
    scenario = Scenario(players=170, rounds=3, round_time=10.0, drop=0.5)
    report = run_virtual(scenario)
    assert report.violations == []
    assert [row.counted for row in report.rows] == [170] * 3
    assert report.reconnects == 85
    assert report.votes_sent >= report.votes_accepted >= 170 * 3
    assert report.findings.staying == 170
    assert report.freshness_ms is not None
    assert sum(report.latencies.values()) < 100, "of those who are watched"


@pytest.mark.usefixtures("small")
def test_what_the_network_did_in_all_worlds_is_added_up() -> None:
    """Here every vote is repeated."""
    faults = [{"verdict": "repeat", "share": 1.0, "way": "up"}]
    scenario: dict[str, Any] = {"players": 100, "rounds": 3, "healed": 1, "faults": faults}
    report = run_virtual(Scenario(round_time=10.0, **scenario))
    assert report.violations == []
    assert report.verdicts == {"repeat": 2 * 100}


@pytest.mark.usefixtures("small")
def test_one_world_or_several_count_the_same() -> None:
    """Also of a crowd that things happen to: players do not act on each other."""
    scenario = Scenario(**{**MIXED, "faults": (), "lag": 0.0, "hostile": 0.0})
    several = run_virtual(scenario)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(virtual, "WORLD_PLAYERS", 1000)
        one = run_virtual(scenario)
    assert told(one) == told(several)


@pytest.mark.usefixtures("small")
def test_the_report_does_not_depend_on_the_number_of_processes() -> None:
    """Nor does how far it is told to be."""
    progress: dict[int, list[tuple[int, int]]] = {1: [], 2: []}
    reports = [
        run_virtual(
            Scenario(**MIXED),
            processes=processes,
            show_progress=lambda done, total, it=notes: it.append((done, total)),  # type: ignore[misc] # bound now
        )
        for processes, notes in progress.items()
    ]
    assert told(reports[0]) == told(reports[1])
    assert reports[0].findings == reports[1].findings
    assert reports[0].freshness == reports[1].freshness
    assert reports[0].latencies == reports[1].latencies
    assert reports[0].verdicts == reports[1].verdicts
    assert set(reports[0].verdicts) == {"drop", "later", "repeat", "reorder"}
    assert progress[1] == progress[2] == [(44, 170), (88, 170), (132, 170), (150, 170), (170, 170)]


SCRIPT = """
import json, sys
from simulator import virtual
from simulator.scenario import Scenario
virtual.WATCHED_MAX, virtual.WORLD_PLAYERS = 20, 50
report = virtual.run_virtual(Scenario(**json.loads(sys.argv[1])))
held = {**json.loads(report.as_json()), "wall_s": 0, "peak_rss_mb": 0}
print(json.dumps(held), report.findings, report.verdicts, report.freshness)
"""


def test_the_same_seed_gives_the_same_bytes() -> None:
    """In another process, with another order of sets: nothing depends on it."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, json.dumps(MIXED)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    first, second = (process.communicate(timeout=60)[0] for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert first == second
    assert len(first) > 1000


@pytest.mark.usefixtures("small")
def test_another_seed_is_another_run() -> None:
    """The same scenario, other moments."""
    one, other = (run_virtual(Scenario(**MIXED, seed=seed)) for seed in (1, 2))
    assert told(one) != told(other)


@pytest.mark.usefixtures("small")
def test_the_watched_are_told_of_the_crowd_in_time() -> None:
    """A vote of the crowd is in the count that they read as soon as one of their own."""
    report = run_virtual(Scenario(players=170, rounds=3, round_time=20.0))
    assert report.freshness_ms is not None
    assert report.freshness_ms["p99"] <= 1000.0 * RESULTS_INTERVAL_S + 61.0
    assert min(report.freshness) >= 20


def test_a_sampled_crowd_is_estimated() -> None:
    """A tenth votes, and the interval meets the truth."""
    report = run_virtual(Scenario(players=200, rounds=3, round_time=10.0, sample_rate=0.1))
    assert report.violations == []
    assert report.votes_accepted < 150
    for row in report.rows:
        assert (row.must, row.sample_rate, row.difference) == (200, 0.1, 0)
        assert row.high is not None
        assert row.low < 200 < row.high


@pytest.mark.usefixtures("small")
def test_hostile_peers_are_there_once() -> None:
    """However many worlds there are."""
    report = run_virtual(Scenario(players=170, rounds=3, round_time=10.0, hostile=0.05))
    assert report.violations == []
    assert [(row.must, row.may) for row in report.rows] == [
        (row.counted,) * 2 for row in report.rows
    ]
    admitted = [report.findings.admitted["show-poll-0", k] for k in range(3)]
    assert all(0 < votes <= 9 for votes in admitted)
    assert [row.counted for row in report.rows] == [170 + votes for votes in admitted]


def test_nobody_at_all_is_counted_right() -> None:
    """No players, no counts, no violations."""
    report = run_virtual(Scenario(players=0, rounds=1))
    assert report.ok
    assert (report.votes_sent, report.freshness_ms) == (0, None)


# Planted bugs are found


class Mute(Machine):
    """Never casts a vote."""

    def receive(self, fact: Fact, now: float) -> tuple[Command, ...]:
        """Leave votes out."""
        return tuple(c for c in super().receive(fact, now) if not isinstance(c, CastVote))


class Deaf(Emulator):
    """Accepts votes, and does not add up those of other nodes."""

    def count_elsewhere(self, element_id: str, option: int, votes: int) -> None:
        """Do nothing."""


@pytest.mark.usefixtures("small")
def test_a_crowd_that_never_votes_is_found_out() -> None:
    """All must be counted, and nobody is."""
    report = run_virtual(Scenario(players=60, rounds=2, round_time=10.0), make=Mute)
    assert [(r.must, r.counted, r.difference) for r in report.rows] == [(60, 0, -60)] * 2
    assert {v.round for v in report.violations} == {1, 2}
    assert not report.ok


@pytest.mark.usefixtures("small")
def test_a_platform_that_forgets_other_nodes_is_found_out() -> None:
    """The watched are told their own votes only."""
    report = run_virtual(Scenario(players=60, rounds=2, round_time=10.0), make_emulator=Deaf)
    assert [row.counted for row in report.rows] == [20, 20]
    assert not report.ok


@pytest.mark.parametrize("collecting", [True, False])
def test_the_garbage_collector_is_left_as_it_was(*, collecting: bool) -> None:
    """It is off while a world runs."""
    seen = list[bool]()

    def make(**given: Any) -> Machine:
        seen.append(gc.isenabled())
        return Machine(**given)

    was = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        run_virtual(Scenario(players=3, rounds=1), make=make)
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if was else gc.disable)()
    assert seen == [False] * 3
