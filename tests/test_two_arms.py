"""One crowd, two arms: a scenario counts the same in virtual time and on real sockets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from simulator.report import Report
from simulator.scenario import Scenario
from simulator.sockets import SLACK_S, run_sockets
from simulator.virtual import run_virtual

pytestmark = pytest.mark.untraced

PLAYERS = 30
STALL_S = 0.25
"""A machine that stops for longer may put a player into the next phase of the show."""
TRIES_MORE = 2
"""How often a machine that was not quick enough may try again."""
ARRIVAL_S = 2.0
"""It may as long as the crowds arrive."""


def preset(name: str, **changed: Any) -> Scenario:
    """Make a preset small and quick."""
    quick: dict[str, Any] = {"players": PLAYERS, "rounds": 4, "round_time": 4.0}
    return Scenario.load(name, **{**quick, **changed})


def scenario(**changed: Any) -> Scenario:
    """Make a scenario, small and quick."""
    return preset("calm", **changed)


PULLED: dict[str, Any] = {"rounds": 3, "pulled": (1,), "taken_back": (2,), "replaced": (3,)}
FAULTS = [
    {"verdict": verdict, "share": 0.05, "delay_s": 0.5}
    for verdict in ("drop", "later", "repeat", "reorder")
]

UNHURRIED: dict[str, Any] = {"round_time": 5.0, "spread": 1.0}
"""What is shown must be exact: results have two seconds to come before a trivia does."""

EXACT: Mapping[str, Scenario] = {
    "calm": preset("calm", seed=1, **UNHURRIED),
    "calm, another seed": preset("calm", seed=2, **UNHURRIED),
    "late joiners": preset("late-joiners", seed=1),
    "late joiners, another seed": preset("late-joiners", seed=2),
    "revoked": preset("revoked", seed=1, round_time=3.5, **PULLED),
    "revoked, another seed": preset(
        "revoked", seed=2, round_time=3.5, **{**PULLED, "pulled": (2,), "replaced": (1, 3)}
    ),
    "long show": preset("long-show", rounds=5, options_per_poll=2, late=0.3, leave=0.0),
    "watchers": scenario(watch=0.4, **UNHURRIED),
    "hostile": preset("hostile", drop=0.0, hostile=0.2),
}
"""Built so that who must be counted is who may be."""
BOUNDED: Mapping[str, Scenario] = {
    "dropping": scenario(drop=0.7, drops=2, leave=0.2, seed=3),
    "restarting": scenario(restart=0.5, reinstall=0.3, seed=4),
    "sampled": scenario(sample_rate=0.5, late=0.3, seed=5),
    "hostile and dropping": preset("hostile", hostile=0.2, drop=0.5, seed=6),
    "bad network": scenario(faults=FAULTS, healed=2, drop=0.3, seed=7),
    "edges": scenario(edges=3, edge_restarts=2, roam=0.5, drop=0.3, seed=8),
    "bad network, restarting": scenario(
        faults=FAULTS, healed=2, restart=0.5, reinstall=0.3, leave=0.2, watch=0.2, seed=9
    ),
}
"""Where a vote may arrive or not."""
ALL = {**EXACT, **BOUNDED}


class Arms(NamedTuple):
    """The reports of all scenarios."""

    virtual: Mapping[str, Report]
    sockets: Mapping[str, Report]
    stalled_s: float
    """The longest that the machine stood still while sockets ran."""


async def on_sockets() -> tuple[Mapping[str, Report], float]:
    """Run all scenarios on sockets, at the same time."""
    longest_s = 0.0

    async def watch() -> None:
        nonlocal longest_s
        loop = asyncio.get_running_loop()
        await asyncio.sleep(ARRIVAL_S)
        while True:
            before = loop.time()
            await asyncio.sleep(0.05)
            longest_s = max(longest_s, loop.time() - before - 0.05)

    watching = asyncio.create_task(watch())
    reports = await asyncio.gather(*(run_sockets(scenario) for scenario in ALL.values()))
    watching.cancel()
    return dict(zip(ALL, reports, strict=True)), longest_s


@pytest.fixture(scope="module")
def arms() -> Arms:
    """Run all scenarios in both arms; on sockets again where the machine stood still.

    The truth allows a message `SLACK_S`: of a machine that takes longer nothing can be said.
    """
    virtual = {name: run_virtual(scenario) for name, scenario in ALL.items()}
    sockets, stalled_s = asyncio.run(on_sockets())
    for _ in range(TRIES_MORE):
        if stalled_s >= SLACK_S:
            sockets, stalled_s = asyncio.run(on_sockets())
    return Arms(virtual, sockets, stalled_s)


@pytest.mark.parametrize("name", ALL)
def test_both_arms_are_right(arms: Arms, name: str) -> None:
    """Every round is counted within its bounds, and nothing else is broken."""
    for report in (arms.virtual[name], arms.sockets[name]):
        assert report.violations == []
        assert len(report.rows) == report.scenario.rounds
        assert all(row.difference == 0 for row in report.rows)
        assert any(row.may for row in report.rows)
    assert (arms.virtual[name].mode, arms.sockets[name].mode) == ("virtual", "sockets")


@pytest.mark.parametrize("name", EXACT)
def test_both_arms_count_the_same(arms: Arms, name: str) -> None:
    """Where must is may there is one right number, and it is the same in both arms."""
    virtual, sockets = arms.virtual[name].rows, arms.sockets[name].rows
    assert all(row.must == row.may == row.counted for row in virtual)
    if arms.stalled_s < STALL_S:
        assert all(row.must == row.may for row in sockets)
    pairs = zip(virtual, sockets, strict=True)
    exact = [(one, two) for one, two in pairs if two.must == two.may]
    if arms.stalled_s < STALL_S or not ALL[name].late:
        assert [one.counted for one, _ in exact] == [two.counted for _, two in exact]


@pytest.mark.parametrize("name", BOUNDED)
def test_both_arms_have_the_same_bounds_where_they_can(arms: Arms, name: str) -> None:
    """Rounds that are exact in both arms, and in which the same players are, count the same."""
    rows = zip(arms.virtual[name].rows, arms.sockets[name].rows, strict=True)
    exact = [
        (one, two)
        for one, two in rows
        if one.must == one.may and two.must == two.may and one.sample_rate == 1.0
    ]
    if arms.stalled_s < STALL_S or not ALL[name].late:
        hostile = arms.virtual[name].scenario.hostile_peers > 0
        assert hostile or all(one.counted == two.counted for one, two in exact)


def test_what_happens_to_players_happens_on_sockets(arms: Arms) -> None:
    """Connections are cut, apps restarted, messages lost; as often as in virtual time."""
    dropping = ALL["dropping"].plans()
    for report in (arms.virtual["dropping"], arms.sockets["dropping"]):
        cuts = sum(len(plan.cuts) for plan in dropping)
        assert cuts - 6 <= report.reconnects <= cuts, "a cut of who is on the way back is none"
    for name in ("bad network", "bad network, restarting"):
        for report in (arms.virtual[name], arms.sockets[name]):
            assert set(report.verdicts) == {"drop", "later", "repeat", "reorder"}
            assert all(report.verdicts[verdict] >= 10 for verdict in report.verdicts)
            assert report.reconnects > 5, "the heal makes connections anew"
    for report in (arms.virtual["edges"], arms.sockets["edges"]):
        assert report.reconnects > sum(len(plan.cuts) for plan in ALL["edges"].plans())
    assert arms.sockets["calm"].verdicts == {}
    assert arms.sockets["calm"].reconnects == arms.virtual["calm"].reconnects == 0


def test_a_reinstalled_app_is_a_new_player_in_both_arms(arms: Arms) -> None:
    """So more may be counted than there are players."""
    for report in (arms.virtual["restarting"], arms.sockets["restarting"]):
        assert max(row.may for row in report.rows) > PLAYERS


def test_watchers_are_not_counted_in_either_arm(arms: Arms) -> None:
    """They read the counts of the others."""
    for report in (arms.virtual["watchers"], arms.sockets["watchers"]):
        assert [row.counted for row in report.rows] == [18] * 4
        assert report.findings.staying == 18


def test_a_sample_is_estimated_in_both_arms(arms: Arms) -> None:
    """Other players are in it, for their ids are drawn anew on sockets."""
    for report in (arms.virtual["sampled"], arms.sockets["sampled"]):
        for row in report.rows:
            assert row.sample_rate == 0.5
            assert row.high is not None
            assert row.low <= row.counted <= row.high
        assert report.votes_accepted < 100


@pytest.mark.parametrize("name", ["hostile", "hostile and dropping"])
def test_hostile_votes_are_admitted_once_in_both_arms(arms: Arms, name: str) -> None:
    """Refused by the hundred; those that are admitted are known."""
    for report in (arms.virtual[name], arms.sockets[name]):
        admitted = Counter[int]()
        for (_, option), votes in report.findings.admitted.items():
            admitted[option] += votes
        most = 2 * report.scenario.hostile_peers
        assert all(0 < admitted[option] <= most for option in range(4))


def test_what_the_audience_is_shown_is_the_same(arms: Arms) -> None:
    """On a calm network it is the whole crowd."""
    for report in (arms.virtual["calm"], arms.sockets["calm"]):
        assert report.scenario.is_calm
        assert [row.shown for row in report.rows] == [PLAYERS] * 4
        assert report.freshness_ms is not None
        assert report.freshness_ms["p50"] < 1000.0
