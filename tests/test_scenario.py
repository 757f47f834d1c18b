"""Scenarios: what happens to whom is drawn from the seed, in exact shares."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.scenario import Plan, Scenario, draw

# Draws


def test_a_draw_depends_on_its_arguments_alone() -> None:
    """The same arguments give the same number, whatever was drawn before; pinned for ever."""
    first = draw(1, "late", 7)
    draw(1, "late", 8)
    assert draw(1, "late", 7) == first == pytest.approx(0.6898966902299449)


def test_every_argument_matters() -> None:
    """Another seed, purpose or number is another draw."""
    drawn = {draw(1, "late", 7), draw(2, "late", 7), draw(1, "drop", 7), draw(1, "late", 8)}
    assert len(drawn) == 4
    assert draw(1, "late", 11) != draw(11, "late", 1)


@pytest.mark.parametrize("seed", [0, 1, 2, 2**40])
def test_draws_are_spread_evenly(seed: int) -> None:
    """Of 4,000 draws each tenth of [0, 1) gets its share, within four standard deviations."""
    drawn = [draw(seed, "even", number) for number in range(4000)]
    assert all(0.0 <= value < 1.0 for value in drawn)
    tenths = Counter(int(10 * value) for value in drawn)
    assert all(abs(tenths[tenth] - 400) < 4 * 19 for tenth in range(10))


# Plans


def test_without_rates_everybody_stays_from_the_beginning_to_the_end() -> None:
    """All join before round 1, within the arrival time, and nothing happens to them."""
    scenario = Scenario(players=50)
    plans = scenario.plans()
    assert [plan.player for plan in plans] == list(range(50))
    assert all(-scenario.arrive_s <= plan.join_at < 0.0 for plan in plans)
    assert {plan[2:] for plan in plans} == {(None, None)}
    assert len({plan.join_at for plan in plans}) == 50


def test_the_same_scenario_gives_the_same_plans() -> None:
    """Plans come from the seed: the same again, others with another."""
    rates: dict[str, Any] = {"late": 0.3, "leave": 0.3, "drop": 0.3}
    plans = Scenario(players=50, seed=3, **rates).plans()
    assert plans == Scenario(players=50, seed=3, **rates).plans()
    assert plans != Scenario(players=50, seed=4, **rates).plans()


@pytest.mark.parametrize(
    ("share", "of_twenty"), [(0.0, 0), (0.05, 1), (0.1, 2), (0.33, 7), (0.5, 10), (1.0, 20)]
)
def test_shares_are_exact(share: float, of_twenty: int) -> None:
    """A share of the players is that share, rounded, and not a coin tossed for each."""
    plans = Scenario(players=20, late=share, leave=share, drop=share).plans()
    assert sum(plan.join_at >= 0.0 for plan in plans) == of_twenty
    assert sum(plan.leave_at is not None for plan in plans) == of_twenty
    assert sum(plan.drop_at is not None for plan in plans) == of_twenty


def test_shares_are_drawn_apart() -> None:
    """Who is late, who leaves and who drops has nothing to do with each other."""
    plans = Scenario(players=100, late=0.5, leave=0.5, drop=0.5).plans()
    kinds = Counter(
        (plan.join_at >= 0.0, plan.leave_at is not None, plan.drop_at is not None) for plan in plans
    )
    assert len(kinds) == 8


@settings(max_examples=50, derandomize=True, deadline=None)
@given(
    scenario=st.builds(
        Scenario,
        players=st.integers(1, 60),
        rounds=st.integers(1, 12),
        seed=st.integers(0, 2**32),
        late=st.floats(0.0, 1.0),
        leave=st.floats(0.0, 1.0),
        drop=st.floats(0.0, 1.0),
    )
)
def test_everything_happens_in_its_time(scenario: Scenario) -> None:
    """Nobody leaves or drops before joining, leaves before round 2, or drops when gone."""
    for plan in scenario.plans():
        here = max(0.0, plan.join_at)
        assert -scenario.arrive_s <= plan.join_at <= scenario.show_s
        if plan.leave_at is not None:
            assert max(here, scenario.round_time) <= plan.leave_at <= scenario.show_s
        if plan.drop_at is not None:
            gone = scenario.show_s if plan.leave_at is None else plan.leave_at
            assert here <= plan.drop_at <= gone


def test_leaving_and_joining_are_spread_over_the_show() -> None:
    """Moments are uniform: of 400 players about a quarter falls into each quarter of the time."""
    scenario = Scenario(players=400, rounds=10, late=1.0, leave=1.0)
    plans = scenario.plans()
    joins = Counter(int(4 * plan.join_at / scenario.show_s) for plan in plans)
    assert all(60 < joins[quarter] < 140 for quarter in range(4))
    staying = Scenario(players=400, rounds=9, leave=1.0).plans()
    leaves = Counter(int((plan.leave_at or 0.0) / 4.0 - 0.5) for plan in staying)  # 2 to 18 s
    assert all(60 < leaves[quarter] < 140 for quarter in range(4))


def test_moments_are_drawn_apart() -> None:
    """When a player joins says nothing of when in the rest of the show it leaves and drops."""
    scenario = Scenario(players=100, rounds=10, late=1.0, leave=1.0, drop=1.0)
    early = Counter[tuple[bool, ...]]()
    for join_at, leave_at, drop_at in (plan[1:] for plan in scenario.plans()):
        assert leave_at is not None
        assert drop_at is not None
        since = max(join_at, scenario.round_time)
        leaves_early = leave_at - since < (scenario.show_s - since) / 2
        drops_early = drop_at - join_at < (leave_at - join_at) / 2
        early[join_at < scenario.show_s / 2, leaves_early, drops_early] += 1
    assert len(early) == 8


def test_a_players_fate_does_not_depend_on_who_else_is_there() -> None:
    """Where everybody is chosen, the plans of the first ten are the same among ten or a hundred."""
    rates: dict[str, Any] = {"late": 1.0, "leave": 1.0, "drop": 1.0}
    few, many = Scenario(players=10, **rates).plans(), Scenario(players=100, **rates).plans()
    assert few == many[:10]


def test_when_a_player_drops_does_not_depend_on_what_else_is_drawn() -> None:
    """That others, or it, may also be late does not shift the moments drawn."""
    drops = Scenario(players=50, drop=0.5).plans()
    with_leaves = Scenario(players=50, drop=0.5, late=0.3, leave=0.3).plans()
    alone = [(a, b) for a, b in zip(drops, with_leaves, strict=True) if b.leave_at is None]
    on_time = [(a.drop_at, b.drop_at) for a, b in alone if b.join_at < 0.0]
    assert [a for a, _ in on_time] == [b for _, b in on_time]
    assert any(a is not None for a, _ in on_time)


# What follows from the options


def test_the_times_of_a_round_follow_from_its_length() -> None:
    """Waiting and playing fill the round; the rest are shares of it."""
    scenario = Scenario(rounds=5, round_time=10.0)
    times = (scenario.waiting_s, scenario.playing_s, scenario.spread_s)
    assert times == (6.0, 4.0, 3.0)
    assert (scenario.reconnect_s, scenario.margin_s, scenario.show_s) == (1.0, 1.0, 50.0)


@pytest.mark.parametrize(("players", "seconds"), [(0, 0.3), (120, 0.3), (400, 1.0), (2000, 5.0)])
def test_a_crowd_arrives_at_most_400_a_second(players: int, seconds: float) -> None:
    """A large crowd takes its time."""
    assert Scenario(players=players).arrive_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("changed", "calm"),
    [
        ({}, True),
        ({"round_time": 3.5}, True),  # waiting 2.1 s, spread 1.05 s
        ({"round_time": 3.3}, False),  # waiting 1.98 s, spread 0.99 s
        ({"leave": 0.1}, False),
        ({"drop": 0.1}, False),
        ({"late": 0.1}, False),
    ],
)
def test_a_show_is_calm_if_nothing_disturbs_it_and_votes_have_time(
    changed: dict[str, Any], *, calm: bool
) -> None:
    """Calm: no faults, and a waiting phase of at least the spread and a second."""
    assert Scenario(**{"round_time": 10.0, **changed}).is_calm is calm


@pytest.mark.parametrize(
    "wrong",
    [
        {"players": -1},
        {"players": 100_001},
        {"players": 1.5},
        {"rounds": 0},
        {"rounds": 101},
        {"seed": -1},
        {"round_time": 0.1},
        {"round_time": 3601.0},
        {"round_time": float("nan")},
        {"leave": -0.1},
        {"drop": 1.1},
        {"late": float("nan")},
        {"lat": 0.1},
    ],
    ids=str,
)
def test_bad_values_are_refused(wrong: dict[str, Any]) -> None:
    """A scenario that cannot be run cannot be made."""
    with pytest.raises(ValidationError):
        Scenario(**wrong)


def test_the_bounds_are_allowed() -> None:
    """The least and the most of every option."""
    Scenario(players=0, rounds=1, seed=0, round_time=0.2, leave=0.0, drop=0.0, late=0.0)
    Scenario(players=100_000, rounds=100, round_time=3600.0, leave=1.0, drop=1.0, late=1.0)


def test_a_scenario_does_not_change() -> None:
    """It is what the report says was run."""
    with pytest.raises(ValidationError):
        Scenario().players = 3


def test_a_plan_reads_by_name() -> None:
    """A plan is a player, when it joins, and when it leaves or drops, if it does."""
    plan = Plan(3, -0.1, None, 2.5)
    assert (plan.player, plan.join_at, plan.leave_at, plan.drop_at) == (3, -0.1, None, 2.5)
