"""Exploring: what is drawn from a seed, what is covered, and how a failing seed is told."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from rich.console import Console

from simulator import explore as exploring
from simulator.checks import Violation
from simulator.explore import (
    COVERED,
    Exploration,
    Tried,
    covered,
    explore,
    print_exploration,
    random_scenario,
    replay_line,
    try_seed,
)

SEEDS = range(1, 2001)


def test_a_seed_is_a_scenario() -> None:
    """The same seed draws the same, another draws another; each has at least 50 players."""
    assert random_scenario(7) == random_scenario(7)
    scenarios = [random_scenario(seed) for seed in range(1, 101)]
    assert len({scenario.model_dump_json(exclude={"seed"}) for scenario in scenarios}) == 100
    assert all(scenario.players >= 50 for scenario in scenarios)
    assert all(scenario.gives_time and scenario.healed >= 2 for scenario in scenarios)


def test_whatever_there_is_occurs_often_enough() -> None:
    """In 2,000 seeds each fault, preset and trait occurs in at least 5 % of the scenarios."""
    times = Counter[str]()
    for scenario in map(random_scenario, SEEDS):
        verdicts = Counter[str](fault.verdict for fault in scenario.faults)
        times.update(covered(scenario, verdicts))
    assert set(times) == set(COVERED)
    assert min(times.values()) >= 0.05 * len(SEEDS)


@pytest.mark.untraced
def test_a_slice_of_the_seeds_breaks_no_rule() -> None:
    """Forty seeds; `.ci/run` tries more, and the command as many as one likes."""
    exploration = explore(1, 40)
    assert exploration.failed == []
    assert len(exploration.tried) == 40
    assert sum(one.votes for one in exploration.tried) > 10_000


@pytest.mark.untraced
def test_several_processes_try_the_same() -> None:
    """Whoever tries a seed, what comes of it is the same."""
    one = explore(5, 3)
    two = explore(5, 3, processes=2)
    assert [tried._replace(covered=set()) for tried in two.tried] == [
        tried._replace(covered=set()) for tried in one.tried
    ]
    assert [tried.covered for tried in two.tried] == [tried.covered for tried in one.tried]


@pytest.mark.parametrize("processes", [1, 2])
def test_no_seed_is_begun_when_the_time_is_up(processes: int) -> None:
    """A limit of no minutes leaves no time for any seed."""
    exploration = explore(1, 3, minutes=0.0, processes=processes)
    assert exploration.tried == []
    assert exploration.ok


def test_a_seed_that_is_tried_says_what_it_had() -> None:
    """What the scenario has in it, and what the network really did."""
    tried = try_seed(3)
    scenario = random_scenario(3)
    assert f"preset {scenario.name}" in tried.covered
    assert ("sampled" in tried.covered) == (scenario.sample_rate < 1.0)
    assert ("chained" in tried.covered) == (scenario.rounds > scenario.options_per_poll)
    assert tried.votes > 0


def an_exploration() -> Exploration:
    """Two seeds, one of which fails."""
    broken = Violation(3, "a rule", "how")
    return Exploration(
        [Tried(8, {"late", "burst"}, [], 100), Tried(9, {"late"}, [broken], 50)], wall_s=1.25
    )


def test_a_failing_seed_has_a_line_that_replays_it() -> None:
    """For scripts: which seeds failed, what was broken, how to run each again."""
    exploration = an_exploration()
    told = json.loads(exploration.as_json())
    assert (told["ok"], told["seeds"], told["votes"], told["wall_s"]) == (False, 2, 150, 1.25)
    assert told["failed"] == [
        {
            "seed": 9,
            "violations": [{"round": 3, "rule": "a rule", "text": "how"}],
            "replay": "python -m simulator explore --first 9 --seeds 1",
        }
    ]
    assert replay_line(9) == told["failed"][0]["replay"]


def test_shares_are_of_the_seeds_tried() -> None:
    """What occurs in fewer than 5 % of the seeds is called rare."""
    told = json.loads(an_exploration().as_json())
    assert (told["covered"]["late"], told["covered"]["burst"]) == (1.0, 0.5)
    assert "sampled" in told["rare"]
    assert "burst" not in told["rare"]
    assert json.loads(Exploration([], 0.0).as_json())["ok"] is True


def test_for_people_it_is_a_table_and_a_verdict() -> None:
    """Every line of what was covered, and which seeds failed."""
    console = Console(width=80, record=True, file=None, force_terminal=False, quiet=False)
    with console.capture() as capture:
        print_exploration(an_exploration(), console)
    lines = capture.get().splitlines()
    assert any(line.split() == ["late", "100.0%"] for line in lines)
    assert lines[-2] == "2 seeds in 1.2 s"
    assert lines[-1] == "FAILED with seed 9"
    with console.capture() as capture:
        print_exploration(Exploration([Tried(8, set(), [], 1)], 2.0), console)
    assert capture.get().splitlines()[-1] == "OK: no rule is broken"


def test_progress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who watches learns what came of each seed, in order."""
    tried = [Tried(seed, set(), [], 1) for seed in (1, 2, 3)]
    monkeypatch.setattr(exploring, "try_seed", lambda seed: tried[seed - 1])
    told: list[Tried] = []
    assert explore(1, 3, show_progress=told.append).tried == tried == told
