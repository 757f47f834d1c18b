"""Scenarios: what happens to whom is drawn from the seed, in exact shares."""

from __future__ import annotations

import pickle
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.scenario import PRESETS, Fault, Plan, Restart, Scenario, Step, draw, preset_names

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
    assert {plan[2:] for plan in plans} == {(None, (), (), 0, False, False, False)}
    assert all(plan.undisturbed for plan in plans)
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
    names = ("late", "leave", "drop", "restart", "reinstall", "roam", "slow", "watch")
    shares: dict[str, Any] = dict.fromkeys(names, share)
    plans = Scenario(players=20, edges=2, **shares).plans()
    chosen: list[Callable[[Plan], object]] = [
        lambda plan: plan.join_at >= 0.0,
        lambda plan: plan.leave_at is not None,
        lambda plan: plan.cuts,
        lambda plan: any(restart.keeps_journal for restart in plan.restarts),
        lambda plan: any(not restart.keeps_journal for restart in plan.restarts),
        lambda plan: plan.roams,
        lambda plan: plan.slow,
        lambda plan: plan.watches,
    ]
    for is_chosen in chosen:
        assert sum(bool(is_chosen(plan)) for plan in plans) == of_twenty


def test_shares_are_drawn_apart() -> None:
    """Who is late, who leaves and who drops has nothing to do with each other."""
    plans = Scenario(players=100, late=0.5, leave=0.5, drop=0.5).plans()
    kinds = Counter(
        (plan.join_at >= 0.0, plan.leave_at is not None, bool(plan.cuts)) for plan in plans
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
        drops=st.integers(1, 3),
        restart=st.floats(0.0, 1.0),
        reinstall=st.floats(0.0, 1.0),
        edge_restarts=st.integers(0, 3),
    )
)
def test_everything_happens_in_its_time(scenario: Scenario) -> None:
    """Nobody leaves, drops or restarts before joining, leaves before round 2, drops when gone."""
    for plan in scenario.plans():
        here = max(0.0, plan.join_at)
        assert -scenario.arrive_s <= plan.join_at <= scenario.show_s
        if plan.leave_at is not None:
            assert max(here, scenario.round_time) <= plan.leave_at <= scenario.show_s
        gone = scenario.show_s if plan.leave_at is None else plan.leave_at
        happens = [*plan.cuts, *(restart.at for restart in plan.restarts)]
        assert all(here <= at <= gone for at in happens)
        assert list(plan.cuts) == sorted(plan.cuts)
        assert list(plan.restarts) == sorted(plan.restarts)
        assert len(plan.cuts) in {0, scenario.drops}
    assert all(0.0 <= at <= scenario.heal_s for at, _ in scenario.edge_failures)


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
    for _, join_at, leave_at, (drop_at,), *_ in scenario.plans():
        assert leave_at is not None
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
    on_time = [(a.cuts, b.cuts) for a, b in alone if b.join_at < 0.0]
    assert [a for a, _ in on_time] == [b for _, b in on_time]
    assert any(a for a, _ in on_time)


# What follows from the options


def test_the_times_of_a_round_follow_from_its_length() -> None:
    """Waiting and playing fill the round; the rest are shares of it."""
    scenario = Scenario(rounds=5, round_time=10.0)
    times = (scenario.waiting_s, scenario.playing_s, scenario.spread_s)
    assert times == (6.0, 4.0, 3.0)
    assert (scenario.reconnect_s, scenario.margin_s, scenario.show_s) == (1.0, 1.0, 50.0)


def test_a_round_may_wait_longer_and_play_shorter() -> None:
    """The steps follow; the rest are shares of the round as before."""
    scenario = Scenario(rounds=1, round_time=10.0, waiting=0.8)
    assert (scenario.waiting_s, scenario.playing_s, scenario.spread_s) == (8.0, 2.0, 3.0)
    assert [step.after_s for step in scenario.steps] == [0.0, 0.0, 8.0, 2.0, 0.0]


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
        ({"restart": 0.1}, False),
        ({"reinstall": 0.1}, False),
        ({"hostile": 0.1}, False),
        ({"pulled": (1,)}, False),
        ({"taken_back": (1,)}, False),
        ({"replaced": (1,)}, False),
        ({"edge_restarts": 1}, False),
        ({"lag": 1.0}, False),
        ({"slow": 0.1}, False),
        ({"faults": (Fault(verdict="repeat", share=0.1),), "healed": 1}, False),
        ({"watch": 0.1, "sample_rate": 0.5, "edges": 3, "tail": 8.0}, True),
        ({"latency_ms": (20, 830)}, True),  # 6 s of waiting, 3 s of spread, 3 s on its way
        ({"latency_ms": (20, 840)}, False),
    ],
)
def test_a_show_is_calm_if_nothing_disturbs_it_and_votes_have_time(
    changed: dict[str, Any], *, calm: bool
) -> None:
    """Calm: no faults, and a waiting phase of at least the spread, a second, and the way."""
    assert Scenario(**{"round_time": 10.0, **changed}).is_calm is calm


@pytest.mark.parametrize(
    "wrong",
    [
        {"players": -1},
        {"players": 100_000_001},
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
        {"waiting": 0.0},
        {"waiting": 1.0},
        {"spread": 121.0},
        {"sample_rate": 0.0},
        {"options_per_poll": 0},
        {"pulled": [0]},
        {"drops": 0},
        {"latency_ms": [-1, 3]},
        {"latency_ms": [0, 60_001]},
        {"tail": 0.9},
        {"edges": 0},
        {"edges": 1001},
        {"faults": [{"verdict": "gone", "share": 0.1}]},
        {"faults": [{"verdict": "drop", "share": 1.1}]},
        {"faults": [{"verdict": "later", "share": 0.1, "delay_s": 0.0}]},
        {"faults": [{"verdict": "drop", "share": 0.1, "ways": "up"}]},
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
    Scenario(players=100_000_000, rounds=100, round_time=3600.0, leave=1.0, drop=1.0, late=1.0)


def test_a_scenario_does_not_change() -> None:
    """It is what the report says was run."""
    with pytest.raises(ValidationError):
        Scenario().players = 3


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"latency_ms": (30, 20)}, r"latency_ms is \(30, 20\): the least comes first"),
        ({"rounds": 3, "pulled": (1, 4)}, "there is no round 4: the show has 3"),
        ({"rounds": 3, "taken_back": (5,), "replaced": (4,)}, "there is no round 5: the show has"),
        ({"rounds": 3, "healed": 3}, "all 3 rounds are healed: let at least one be broken"),
        ({"faults": [{"verdict": "drop", "share": 0.1}]}, "let at least one round be healed"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(wrong: dict[str, Any], sentence: str) -> None:
    """Values that are right each for itself, and not together."""
    with pytest.raises(ValidationError, match=sentence):
        Scenario(**wrong)


def test_a_plan_reads_by_name() -> None:
    """A plan is a player, when it joins, and what else happens to it."""
    plan = Plan(3, -0.1, cuts=(2.5,), restarts=(Restart(3.5, keeps_journal=True),))
    assert (plan.player, plan.join_at, plan.leave_at, plan.cuts) == (3, -0.1, None, (2.5,))
    assert (plan.restarts[0].at, plan.restarts[0].keeps_journal) == (3.5, True)


@pytest.mark.parametrize(
    ("plan", "undisturbed"),
    [
        (Plan(4, -0.2), True),
        (Plan(4, -0.2, watches=True, slow=True, edge=3), True),
        (Plan(4, 0.2), False),
        (Plan(4, -0.2, 3.0), False),
        (Plan(4, -0.2, cuts=(3.0,)), False),
        (Plan(4, -0.2, restarts=(Restart(3.0, keeps_journal=True),)), False),
    ],
    ids=["stays", "watches", "late", "leaves", "drops", "restarts"],
)
def test_who_is_there_all_the_time_is_undisturbed(plan: Plan, *, undisturbed: bool) -> None:
    """From the beginning to the end, with nothing planned against it."""
    assert plan.undisturbed is undisturbed


# Who arrives when


def test_a_rush_is_in_the_last_two_minutes() -> None:
    """That share of those who are not late joins then, the others in all the time."""
    plans = Scenario(players=400, arrive=1200.0, rush=0.75).plans()
    assert 300 <= sum(plan.join_at >= -120.0 for plan in plans) <= 325
    assert all(-1200.0 <= plan.join_at < 0.0 for plan in plans)
    short = Scenario(players=50, arrive=3.0, rush=1.0).plans()
    assert all(-3.0 <= plan.join_at < 0.0 for plan in short)


def test_who_is_late_joins_amid_a_phase() -> None:
    """A fifth of the phase away from its ends, where nobody could tell which came first."""
    scenario = Scenario(
        players=400,
        rounds=4,
        round_time=10.0,
        late=1.0,
        pulled=(2,),
        taken_back=(3,),
        replaced=(4,),
    )
    times = scenario.step_times
    phases = Counter[int]()
    for plan in scenario.plans():
        place = bisect_right(times, plan.join_at) - 1
        start, end = times[place], times[place + 1]
        assert start + 0.2 * (end - start) <= plan.join_at <= start + 0.8 * (end - start)
        phases[place] += 1
    assert len(phases) == sum(start < end for start, end in pairwise(times)), "in every phase"


def test_a_moment_after_all_phases_is_left_where_it_is() -> None:
    """There is nothing to be amid of."""
    scenario = Scenario(rounds=1)
    assert scenario._amid_a_phase(scenario.show_s) == scenario.show_s


# The show


def story(scenario: Scenario) -> list[str]:
    """The steps in words, with the time since the step before."""
    return [
        f"{step.after_s:g} {step.action} {step.kind} {step.number}"
        + (f" copy {step.copy}" if step.copy else "")
        for step in scenario.steps
    ]


def test_the_steps_of_a_show() -> None:
    """Polls first, then trivia by trivia."""
    assert story(Scenario(rounds=2, round_time=10.0)) == [
        "0 start event 0",
        "0 publish poll 0",
        "6 publish trivia 1",
        "4 close trivia 1",
        "6 publish trivia 2",
        "4 close trivia 2",
        "0 stop event 0",
    ]


def test_more_rounds_than_options_take_more_polls() -> None:
    """All are published in the beginning; ten rounds are one poll, eleven are two."""
    assert [len(_polls(Scenario(rounds=rounds))) for rounds in (10, 11, 21)] == [1, 2, 3]
    assert len(_polls(Scenario(rounds=10, options_per_poll=3))) == 4


def _polls(scenario: Scenario) -> list[Step]:
    return [step for step in scenario.steps if step.kind == "poll"]


def test_a_trivia_that_is_pulled_is_published_again() -> None:
    """Revoked in the middle of being open; then a whole waiting phase, and it is played."""
    assert story(Scenario(rounds=1, round_time=10.0, pulled=(1,)))[2:] == [
        "6 publish trivia 1",
        "2 revoke trivia 1",
        "6 publish trivia 1",
        "4 close trivia 1",
        "0 stop event 0",
    ]


def test_a_trivia_that_is_taken_back_is_played_again() -> None:
    """Revoked when it is finished."""
    assert story(Scenario(rounds=1, round_time=10.0, taken_back=(1,)))[2:] == [
        "6 publish trivia 1",
        "4 close trivia 1",
        "3 revoke trivia 1",
        "6 publish trivia 1",
        "4 close trivia 1",
        "0 stop event 0",
    ]


def test_a_poll_is_replaced_in_the_waiting_phase() -> None:
    """Then another waiting phase, so that everybody can vote anew; each copy has its number."""
    scenario = Scenario(rounds=3, round_time=10.0, options_per_poll=2, replaced=(1, 2, 3))
    assert story(scenario) == [
        "0 start event 0",
        "0 publish poll 0",
        "0 publish poll 1",
        "3 revoke poll 0",
        "0 publish poll 0 copy 1",
        "6 publish trivia 1",
        "4 close trivia 1",
        "3 revoke poll 0 copy 1",
        "0 publish poll 0 copy 2",
        "6 publish trivia 2",
        "4 close trivia 2",
        "3 revoke poll 1",
        "0 publish poll 1 copy 1",
        "6 publish trivia 3",
        "4 close trivia 3",
        "0 stop event 0",
    ]
    assert scenario.step_times[-1] == scenario.show_s == 39.0


@pytest.mark.parametrize(
    ("changed", "heal_s"),
    [
        ({}, 30.0),
        ({"healed": 1}, 20.0),
        ({"healed": 2}, 10.0),
        ({"healed": 2, "taken_back": (1,)}, 23.0),  # played again, and only then over
        ({"healed": 2, "pulled": (1,), "replaced": (3,)}, 18.0),
    ],
)
def test_the_heal_is_before_the_rounds_that_are_left_in_peace(
    changed: dict[str, Any], heal_s: float
) -> None:
    """Everything that is planned against players is before it."""
    scenario = Scenario(
        players=50, rounds=3, round_time=10.0, late=0.5, leave=0.5, drop=0.5, restart=0.5, **changed
    )
    assert scenario.heal_s == heal_s
    for plan in scenario.plans():
        happens = [plan.join_at, *plan.cuts, *(restart.at for restart in plan.restarts)]
        assert max([*happens, plan.leave_at or 0.0]) <= heal_s


# The network


def test_players_are_spread_over_the_edges() -> None:
    """About as many to each, whoever else is there; of one edge there is nothing to draw."""
    plans = Scenario(players=600, edges=3).plans()
    assert all(150 < many < 250 for many in Counter(plan.edge for plan in plans).values())
    assert {plan.edge for plan in plans} == {0, 1, 2}
    assert {plan.edge for plan in Scenario(players=9).plans()} == {0}


def test_who_roams_comes_back_to_the_next_edge() -> None:
    """The others to the same."""
    scenario = Scenario(edges=3)
    roams, stays = Plan(0, -1.0, edge=1, roams=True), Plan(0, -1.0, edge=1)
    assert [scenario.edge_after(roams, connects) for connects in (1, 2, 3, 4)] == [1, 2, 0, 1]
    assert [scenario.edge_after(stays, connects) for connects in (1, 2, 3, 4)] == [1, 1, 1, 1]


def test_edges_fail_as_often_as_told() -> None:
    """In the order of time, any of the edges."""
    failures = Scenario(edges=3, edge_restarts=40).edge_failures
    assert len(failures) == 40
    assert list(failures) == sorted(failures)
    assert {edge for _, edge in failures} == {0, 1, 2}


def test_the_last_edge_lags() -> None:
    """Until the heal; the others never."""
    scenario = Scenario(rounds=2, round_time=10.0, healed=1, edges=3, lag=2.5)
    assert [scenario.lag_of(edge) for edge in range(3)] == [0.0, 0.0, 2.5]
    assert scenario.heal_s == 10.0


def test_slow_links_loosen_the_latency_bound() -> None:
    """Four times the latency; the margin is at least twice the bound."""
    assert Scenario(latency_ms=(20, 500)).latency_s_max == 0.5
    slow = Scenario(latency_ms=(20, 500), slow=0.01)
    assert (slow.latency_s_max, slow.margin_s) == (2.0, 4.0)


def test_sockets_leave_out_what_they_have_of_their_own() -> None:
    """Latency, and one server that lags behind nobody."""
    mobile = Scenario.load("mobile")
    there = mobile.on_sockets()
    plain = Scenario()
    assert (there.latency_ms, there.tail) == (plain.latency_ms, plain.tail)
    assert (there.slow, there.lag) == (0.0, 0.0)
    assert (there.faults, there.edges, there.drop) == (mobile.faults, mobile.edges, mobile.drop)
    assert mobile.lag > 0.0


@pytest.mark.parametrize(
    ("changed", "gives_time"),
    [
        ({}, True),
        ({"spread": 8.9}, True),
        ({"spread": 9.0}, False),
        ({"latency_ms": (0, 3400)}, True),
        ({"latency_ms": (0, 3500)}, False),
    ],
)
def test_a_round_gives_time_if_a_vote_can_come_there(
    changed: dict[str, Any], *, gives_time: bool
) -> None:
    """It is longer than the spread and the margin."""
    assert Scenario(round_time=10.0, **changed).gives_time is gives_time


@pytest.mark.parametrize("reinstall", [0.0, 0.13, 1.0])
def test_who_starts_anew_has_an_id_more(reinstall: float) -> None:
    """As many as are drawn to do so."""
    scenario = Scenario(players=50, reinstall=reinstall)
    restarts = [restart for plan in scenario.plans() for restart in plan.restarts]
    assert scenario.reinstalls == sum(not restart.keeps_journal for restart in restarts)


@pytest.mark.parametrize(("players", "hostile", "peers"), [(200, 0.05, 10), (3, 0.1, 1), (3, 0, 0)])
def test_hostile_peers_come_on_top(players: int, hostile: float, peers: int) -> None:
    """So many as that share of the players, at least one if there are any at all."""
    assert Scenario(players=players, hostile=hostile).hostile_peers == peers


# Presets


def test_every_preset_loads_and_says_what_it_is() -> None:
    """By its name, with a sentence for those who choose."""
    names = set(preset_names())
    assert names == {path.stem for path in PRESETS.iterdir()}
    assert preset_names() == sorted(names)
    assert {path.suffix for path in PRESETS.iterdir()} == {".toml"}
    assert names == {
        *("calm", "herd", "hostile", "late-joiners", "long-show", "mobile", "prime-time", "revoked")
    }
    for name in names:
        scenario = Scenario.load(name)
        assert scenario.name == name
        assert scenario.description.endswith(".")


def test_what_is_changed_is_set_on_top_of_a_preset() -> None:
    """The rest stays as it is in the file."""
    scenario = Scenario.load("mobile", players=7, seed=9)
    assert (scenario.players, scenario.seed, scenario.name) == (7, 9, "mobile")
    assert scenario.faults[0] == Fault(verdict="drop", share=0.005)
    assert scenario.healed == 3


def test_a_preset_may_be_made_shorter() -> None:
    """What was to happen in rounds that are left out is left out, too."""
    revoked = Scenario.load("revoked", rounds=3)
    assert (revoked.pulled, revoked.taken_back, revoked.replaced) == ((2,), (3,), ())
    assert Scenario.load("revoked").replaced == (4, 7)
    assert Scenario.load("mobile", rounds=2).healed == 1
    with pytest.raises(ValidationError, match="rounds\n"):
        Scenario.load("mobile", rounds=0)
    with pytest.raises(ValidationError, match="there is no round 9"):
        Scenario.load("revoked", rounds=3, pulled=(9,))


def test_a_scenario_is_loaded_by_path(tmp_path: Path) -> None:
    """Also one that is called like a preset; its name is the file's unless it says another."""
    path = tmp_path / "calm.toml"
    path.write_text("rounds = 3\n", encoding="utf-8")
    assert Scenario.load(str(path)) == Scenario(name="calm", rounds=3)
    path.write_text('name = "mine"\nrounds = 3\n', encoding="utf-8")
    assert Scenario.load(str(path)).name == "mine"


def test_what_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    """No such file; no TOML; a field that is none; a value that cannot be."""
    with pytest.raises(FileNotFoundError):
        Scenario.load("no-such-preset")
    with pytest.raises(OSError, match="directory"):
        Scenario.load(str(tmp_path))
    path = tmp_path / "bad.toml"
    path.write_text("rounds = \n", encoding="utf-8")
    with pytest.raises(ValueError, match="Invalid value"):
        Scenario.load(str(path))
    path.write_text("round = 3\n", encoding="utf-8")
    with pytest.raises(ValidationError, match="round\n"):
        Scenario.load(str(path))
    with pytest.raises(ValidationError, match="rounds\n"):
        Scenario.load("calm", rounds=0)


def test_a_scenario_survives_the_way_to_another_process() -> None:
    """What spawned processes are sent; plans are the same there, one by one or all together."""
    scenario = Scenario.load("mobile", players=40)
    there = pickle.loads(pickle.dumps(scenario))
    assert there == scenario
    assert [there.plan(n) for n in reversed(range(40))] == scenario.plans()[::-1]
