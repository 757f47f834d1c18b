"""The verdict: every rule about counts bites, and a right count is left in peace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from poll_counter import RoundCount
from simulator.checks import Findings, Observation, Row, Violation, examine, judge
from simulator.checks.evidence import Breach
from simulator.scenario import Scenario

from .stories import SCENARIO, STORY, count, evidence, observed

IN_BOUNDS = "must <= counted <= may"
SAME = "all observers hold the same count"
SHOWN = "on a calm network shown = counted"
ACCEPTED = "the count is what was accepted"
VOTED = "players = votes / sample rate"
CONVERGED = "after the heal nobody is missing"
ASKED = "an observer stays to the end"
IDS = "there are no more ids than players"

RIGHT = (observed(2, 3), observed(2, 3), observed(2, 3, shown={2: 3}))


def findings(*bounds: tuple[int, int], accepted: Sequence[int] = (), **changed: Any) -> Findings:
    """Make findings: must and may of round 1, 2, ...; the votes accepted by poll P in each."""
    content: dict[str, Any] = {
        "must": {number: must for number, (must, _) in enumerate(bounds, start=1)},
        "may": {number: may for number, (_, may) in enumerate(bounds, start=1)},
        "staying": 3,
    }
    return with_votes(
        Findings(**{**content, **changed}),
        {("P", option): many for option, many in enumerate(accepted)},
    )


def with_votes(found: Findings, votes: Mapping[tuple[str, int], int]) -> Findings:
    """Add votes accepted: poll and option -> how many, half of them later."""
    times = {key: {1000: many // 2, 2000: many - many // 2} for key, many in votes.items()}
    return replace(found, accepted={**found.accepted, **times})


EXACT = findings((2, 2), (3, 3), accepted=(2, 3))
"""What examine finds of STORY."""


def judged(
    observations: Sequence[Observation] = RIGHT,
    found: Findings = EXACT,
    scenario: Scenario = SCENARIO,
    pages: Sequence[Sequence[str]] = (("P",),),
) -> tuple[list[Row], list[Violation]]:
    """Hold observations against findings."""
    return judge(scenario, pages, found, observations)


def broken(*arguments: Any, **changed: Any) -> list[tuple[int, str]]:
    """Tell which rules were broken, and in which rounds."""
    return [violation[:2] for violation in judged(*arguments, **changed)[1]]


def test_right_evidence_breaks_no_rule() -> None:
    """Every rule is silent, and the rows say what was found."""
    rows, violations = judge(SCENARIO, [["P"]], examine(evidence(), staying=3), RIGHT)
    assert violations == []
    assert rows == [
        Row(1, 2, 2, 2, 2, low=2, high=2, sample_rate=1.0, difference=0),
        Row(2, 3, 3, 3, 3, low=3, high=3, sample_rate=1.0, difference=0),
    ]
    assert judged() == (rows, [])


def test_a_crowd_that_never_votes_is_found_out() -> None:
    """Must is what it was, and nobody is counted."""
    silent = "\n".join(line for line in STORY.splitlines() if "accepted" not in line)
    found = examine(evidence(silent), staying=3)
    rows, violations = judged([observed(None, None)] * 3, found)
    assert [(row.must, row.counted, row.difference) for row in rows] == [(2, 0, -2), (3, 0, -3)]
    assert [v[:2] for v in violations] == [
        (number, rule) for number in (1, 2) for rule in (IN_BOUNDS, "who must be counted has voted")
    ]


# Bounds


@pytest.mark.parametrize(
    ("counted", "difference"), [(0, -2), (1, -1), (2, 0), (3, 0), (5, 0), (6, 1), (9, 4)]
)
def test_a_count_is_right_from_must_to_may(counted: int, difference: int) -> None:
    """Else the difference says how many are missing, or were made up."""
    found = findings((2, 5), (3, 3), accepted=(counted, 3))
    rows, violations = judged([observed(counted, 3)], found)
    assert (rows[0].must, rows[0].may, rows[0].counted) == (2, 5, counted)
    assert rows[0].difference == difference
    text = f"counted {counted}, must be 2 to 5"
    assert violations == ([Violation(1, IN_BOUNDS, text)] if difference else [])


def test_the_least_count_is_held_against_must() -> None:
    """What one of the observers is missing is missing."""
    rows, violations = judged([observed(2, 3), observed(2, 2)])
    assert (rows[1].counted, rows[1].difference) == (2, -1)
    assert [v[:2] for v in violations] == [(2, SAME), (2, IN_BOUNDS), (2, ACCEPTED)]


def test_an_uncounted_round_counts_as_nobody() -> None:
    """None, and no count at all, are 0 where somebody must be counted."""
    for silent in (observed(2, None), observed(2)):
        rows, violations = judged([silent], findings((2, 2), (3, 3), accepted=(2,)))
        assert (rows[1].counted, rows[1].difference) == (0, -3)
        assert [violation[:2] for violation in violations] == [(2, IN_BOUNDS)]
    assert judged([observed(2)])[0][1] == Row(
        2, 3, 3, 0, 0, low=0, high=None, sample_rate=1.0, difference=-3
    )


def test_every_round_of_the_scenario_has_its_row() -> None:
    """A round that never came has a row of zeros."""
    longer = SCENARIO.model_copy(update={"rounds": 4})
    rows, violations = judged(scenario=longer)
    assert [row.round for row in rows] == [1, 2, 3, 4]
    assert rows[3] == Row(4, 0, 0, 0, 0, low=0, high=None, sample_rate=1.0, difference=0)
    assert violations == []


def test_the_row_has_the_interval_of_the_count_it_shows() -> None:
    """Low, high and the rate are those of the least count held."""
    least = replace(count(2, 2), low=1, high=7)
    other = Observation(
        connected=True,
        undisturbed=True,
        counts={1: count(1, 2), 2: least},
        shown={2: 1},
        told=(),
    )
    rows, _ = judged([observed(2, 3), other])
    assert (rows[1].low, rows[1].high, rows[1].sample_rate, rows[1].shown) == (1, 7, 1.0, 1)


def test_who_is_not_connected_in_the_end_is_not_asked() -> None:
    """It cannot know the last counts, or what was shown."""
    gone = observed(1, 1, connected=False, shown={1: 1, 2: 1})
    assert broken([*RIGHT, gone]) == []


def test_somebody_has_to_stay() -> None:
    """Nothing is known if nobody is left; an empty crowd needs nobody."""
    for observations in ([], [observed(2, 3, connected=False)]):
        assert broken(observations) == [(2, ASKED)]
    nobody = SCENARIO.model_copy(update={"players": 0})
    assert broken([], Findings(), nobody) == []


@pytest.mark.parametrize(("reinstall", "most"), [(0.0, 3), (0.7, 5)])
def test_who_plays_under_an_id_more_is_found_out(reinstall: float, most: int) -> None:
    """Its votes are a player's like any other; but the scenario says how many ids there are."""
    scenario = SCENARIO.model_copy(update={"reinstall": reinstall})
    for ids, wrong in ((0, []), (most, []), (most + 1, [(0, IDS)])):
        found = replace(EXACT, ids=ids)
        assert [v[:2] for v in judged(found=found, scenario=scenario)[1] if v.rule == IDS] == wrong


def test_what_the_log_says_is_passed_on() -> None:
    """With how often it happened, and an example."""
    breaches = [Breach(2, "a rule", 3, "by ann"), Breach(1, "another", 1, "by bob")]
    assert judged(found=replace(EXACT, breaches=breaches))[1] == [
        Violation(1, "another", "1 times, once by bob"),
        Violation(2, "a rule", "3 times, once by ann"),
    ]


def test_what_observers_are_told_is_checked_too() -> None:
    """A tally that shrinks, in a round whose poll is not replaced."""
    told = [(1.0, 2, 3), (2.0, 2, 2)]
    assert broken([observed(2, 3, told=told)]) == [(2, "tallies only grow")]


def test_violations_are_sorted_by_round() -> None:
    """What went wrong first is read first."""
    violations = judged([observed(1, 1), observed(0, 0)])[1]
    assert violations == sorted(violations)
    assert {violation.round for violation in violations} == {1, 2}


# Shown, accepted, converged


def test_on_a_calm_network_what_was_shown_is_what_was_counted() -> None:
    """The row has the lowest that any observer showed; a show that is not calm is let be."""
    late = observed(2, 3, shown={1: 2, 2: 2})
    rows, violations = judged([*RIGHT, late])
    assert rows[1].shown == 2
    assert violations == [Violation(2, SHOWN, "shown 2, counted 3")]
    assert broken([*RIGHT, late], scenario=SCENARIO.model_copy(update={"drop": 0.1})) == []


def test_observers_hold_what_the_platform_accepted() -> None:
    """Also where the bounds would let another count pass; who holds nothing holds no votes."""
    found = findings((0, 5), (3, 3), accepted=(3, 3))
    assert judged([observed(2, 3)], found)[1] == [Violation(1, ACCEPTED, "held 2 votes of 3")]
    assert judged([observed(None, 3)], found)[1] == [Violation(1, ACCEPTED, "held 0 votes of 3")]
    assert judged([observed(3, 3)], found)[1] == []
    nothing = Observation(
        connected=True, undisturbed=True, counts={2: count(2, 3)}, shown={2: 3}, told=()
    )
    assert judged([nothing], found)[1] == [Violation(1, ACCEPTED, "held 0 votes of 3")]
    both = Violation(1, ACCEPTED, "held 2, 3 votes of 3")
    assert both in judged([observed(3, 3), observed(2, 3)], found)[1]


HEALED = Scenario(players=3, rounds=4, round_time=10.0, healed=3, drop=0.5)


@pytest.mark.parametrize(
    ("bounds", "staying", "rounds"),
    [
        ([(1, 3), (1, 3), (3, 3), (3, 3)], 3, []),
        ([(1, 3), (1, 3), (2, 3), (3, 3)], 3, [3]),
        ([(1, 3), (1, 3), (3, 3), (2, 2)], 3, [4]),
        ([(1, 3), (1, 3), (3, 4), (3, 3)], 3, [3]),
        ([(1, 3), (1, 3), (3, 3), (3, 3)], 4, [3, 4]),
        ([(1, 3), (1, 3), (3, 3)], 3, [4]),
    ],
    ids=["all there", "one is unsure", "one is gone", "one too many", "one never came", "no round"],
)
def test_after_the_heal_and_a_round_nobody_is_missing(
    bounds: list[tuple[int, int]], staying: int, rounds: list[int]
) -> None:
    """Three rounds are healed, the first of them to recover in."""
    found = findings(*bounds, accepted=[3] * 4, staying=staying)
    violations = judged([observed(3, 3, 3, 3)], found, HEALED)[1]
    assert [v.round for v in violations if v.rule == CONVERGED] == rounds
    assert not [v for v in violations if v.rule not in {CONVERGED, IN_BOUNDS}]
    if len(bounds) < HEALED.rounds:
        assert Violation(4, CONVERGED, "3 stay, must 0, may 0") in violations


def test_what_is_missing_after_the_heal_is_told() -> None:
    """Who stays, and the bounds."""
    found = findings((0, 3), (0, 3), (2, 3), (3, 3), accepted=[3] * 4)
    assert judged([observed(3, 3, 3, 3)], found, HEALED)[1] == [
        Violation(3, CONVERGED, "3 stay, must 2, may 3")
    ]


@pytest.mark.parametrize("healed", [0, 1])
def test_without_a_healed_round_but_one_nothing_need_converge(healed: int) -> None:
    """One round is to recover in."""
    found = findings((0, 3), (0, 3), (0, 3), (0, 3), accepted=[3] * 4)
    scenario = HEALED.model_copy(update={"healed": healed})
    assert broken([observed(3, 3, 3, 3)], found, scenario) == []


def test_a_show_that_leaves_no_time_to_vote_need_not_converge() -> None:
    """With a spread as long as a round, less g, nobody must be counted."""
    found = findings(*[(0, 3)] * 4, accepted=[3] * 4)
    for spread, rounds in (8.9, [3, 4]), (9.0, []):
        scenario = HEALED.model_copy(update={"spread": spread})
        assert broken([observed(3, 3, 3, 3)], found, scenario) == [(n, CONVERGED) for n in rounds]


# Hostile peers


def test_hostile_votes_that_were_admitted_are_in_both_bounds() -> None:
    """Of the round's option; other options' have no bearing."""
    hostile: Mapping[tuple[str, int], int] = {("P", 0): 2, ("P", 7): 9}
    found = findings((2, 3), (3, 3), accepted=(4, 3), admitted=hostile)
    rows, violations = judged([observed(4, 3)], found)
    assert [(row.must, row.may) for row in rows] == [(4, 5), (3, 3)]
    assert violations == []
    assert judged([observed(3, 3)], found)[0][0].difference == -1
    assert judged([observed(6, 3)], found)[0][0].difference == 1


# Sampled rounds

SAMPLED = SCENARIO.model_copy(update={"sample_rate": 0.1, "rounds": 1})


@pytest.mark.parametrize(
    ("votes", "must", "may", "difference"),
    [
        (1000, 10000, 10000, 0),
        (819, 10000, 10000, -10),
        (820, 10000, 10000, 0),
        (1180, 10000, 10000, 0),
        (1181, 10000, 10000, 9),
        (1181, 9000, 10009, 0),
        (819, 9990, 10500, 0),
        (0, 325, 325, 0),
        (0, 326, 400, -1),
    ],
)
def test_a_sampled_round_is_right_within_six_standard_deviations(
    votes: int, must: int, may: int, difference: int
) -> None:
    """Of 10,000 players 1000 vote, give or take 6 * 30: if the interval meets the bounds."""
    found = findings((must, may), accepted=[votes])
    rows, violations = judged([observed(votes * 10, rate=0.1)], found, SAMPLED)
    assert (rows[0].difference, rows[0].sample_rate) == (difference, 0.1)
    assert [v[:2] for v in violations] == ([(1, IN_BOUNDS)] if difference else [])


def test_hostile_votes_are_no_sample() -> None:
    """Each stands for ten players in the count; the truth has it once."""
    found = findings((10000, 10000), accepted=[2000], admitted={("P", 0): 1000})
    rows, violations = judged([observed(20000, rate=0.1)], found, SAMPLED)
    assert (rows[0].must, rows[0].counted, rows[0].difference) == (11000, 20000, 0)
    assert violations == []
    more = replace(found, admitted={("P", 0): 100})
    assert broken([observed(20000, rate=0.1)], more, SAMPLED) == [(1, IN_BOUNDS)]


def test_more_hostile_votes_than_are_held_leave_none() -> None:
    """Of a sample that says little; where everybody votes, some are missing."""
    found = findings((0, 300), accepted=[2], admitted={("P", 0): 5})
    assert judged([observed(20, rate=0.1)], found, SAMPLED)[0][0].difference == 0
    assert judged([observed(2)], found)[0][0].difference == -3


def test_a_sampled_round_that_nobody_holds_is_not_counted() -> None:
    """That few vote is no reason to hold nothing."""
    nothing = Observation(connected=True, undisturbed=True, counts={}, shown={}, told=())
    rows, _ = judged([nothing], findings((20, 30)), SAMPLED)
    assert (rows[0].counted, rows[0].difference) == (0, -20)


@pytest.mark.parametrize(
    ("held", "text"),
    [
        (count(1, 10000, rate=0.1), None),
        (replace(count(1, 10000, rate=0.1), players=1000), "held 1000 players of 1000 votes"),
        (replace(count(1, 10000, rate=0.1), players=None), "held 0 players of 1000 votes"),
        (count(1, 1000), "held 1000 players of 1000 votes"),
        (count(1, 2000, rate=0.5), "held 2000 players of 1000 votes"),
        (replace(count(1, 10000, rate=0.1), sample_rate=0.2), "held 10000 players of 1000 votes"),
    ],
    ids=["right", "not scaled", "unknown", "as if all voted", "another rate", "rate untrue"],
)
def test_a_count_is_what_its_votes_stand_for(held: RoundCount, text: str | None) -> None:
    """Else the bounds hold for what nobody is shown: they are those of the votes."""
    found = findings((10000, 10000), accepted=[1000])
    shown = {1: held.players or 0}
    observation = Observation(
        connected=True, undisturbed=True, counts={1: held}, shown=shown, told=()
    )
    violations = judged([observation, observation], found, SAMPLED)[1]
    assert violations == ([] if text is None else [Violation(1, VOTED, text)])


@pytest.mark.parametrize("players", [None, 0])
def test_without_votes_nobody_stands_for_anything(players: int | None) -> None:
    """Of a round without a poll not even the rate is known; nor can it have players."""
    unknown = replace(count(1, None), sample_rate=1.0, players=players)
    held = Observation(connected=True, undisturbed=True, counts={1: unknown}, shown={}, told=())
    assert broken([held], findings((0, 0)), SAMPLED) == []
    made_up = held._replace(counts={1: replace(unknown, players=7)}, shown={1: 7})
    assert broken([made_up], findings((0, 9)), SAMPLED) == [(1, VOTED)]


def test_where_everybody_votes_players_are_votes() -> None:
    """The same rule, at a rate of 1."""
    wrong = Observation(
        connected=True,
        undisturbed=True,
        counts={1: replace(count(1, 2), players=3), 2: count(2, 3)},
        shown={1: 3, 2: 3},
        told=(),
    )
    found = findings((2, 3), (3, 3), accepted=(2, 3))
    assert judged([wrong], found)[1] == [Violation(1, VOTED, "held 3 players of 2 votes")]


# Polls


def test_rounds_go_on_over_chained_polls() -> None:
    """Option 0 of the second poll counts round 11."""
    longer = SCENARIO.model_copy(update={"rounds": 11})
    found = findings(*[(1, 1)] * 10, (4, 4), accepted=[1] * 10, admitted={("Q", 0): 1})
    found = with_votes(found, {("Q", 0): 4})
    rows, violations = judged([observed(*[1] * 10, 4)], found, longer, (("P",), ("Q",)))
    assert (rows[10].must, rows[10].counted, rows[10].difference) == (5, 4, -1)
    assert [v[:2] for v in violations] == [(11, IN_BOUNDS)]


REPLACED = Scenario(players=3, rounds=3, round_time=10.0, replaced=(2,))
POLLS = (("P", "Q"),)
ON_TWO_POLLS = with_votes(
    findings((2, 2), (3, 3), (3, 3)), {("P", 0): 2, ("P", 1): 1, ("Q", 1): 3, ("Q", 2): 3}
)


def test_a_round_is_counted_by_the_last_poll_before_its_end() -> None:
    """Round 1 by P; round 2, in which Q replaced it, and round 3 by Q."""
    hostile = {("P", 0): 1, ("P", 1): 10, ("Q", 0): 20, ("Q", 1): 2, ("Q", 2): 3}
    rows, _ = judged([observed(3, 5, 6)], replace(ON_TWO_POLLS, admitted=hostile), REPLACED, POLLS)
    assert [row.must for row in rows] == [3, 5, 6]
    twice = REPLACED.model_copy(update={"replaced": (2, 2)})
    assert judged([observed(2, 3, 3)], ON_TWO_POLLS, twice, POLLS)[1] == []


def test_a_poll_replaced_twice_counts_the_rounds_between() -> None:
    """P counts round 1, Q round 2 and R round 3; of another page nothing is counted."""
    scenario = REPLACED.model_copy(update={"replaced": (2, 3, 11), "rounds": 12})
    hostile = {("P", 0): 1, ("Q", 1): 2, ("R", 2): 3, ("S", 0): 9, ("T", 0): 4, ("T", 1): 5}
    found = findings(*[(0, 0)] * 12, admitted=hostile)
    rows, _ = judged([observed()], found, scenario, (("P", "Q", "R"), ("S", "T")))
    assert [row.must for row in rows] == [1, 2, 3, *[0] * 7, 4, 5]


def test_of_a_poll_since_replaced_who_was_there_all_the_time_is_asked() -> None:
    """Who came later may read the new poll, which knows nothing of the rounds before."""
    late = observed(None, 3, 3, undisturbed=False)
    assert judged([observed(2, 3, 3), late], ON_TWO_POLLS, REPLACED, POLLS)[1] == []
    assert broken([observed(1, 3, 3), late], ON_TWO_POLLS, REPLACED, POLLS) == [(1, IN_BOUNDS)]
    dropped, blank = observed(2, 3, 3, undisturbed=False), observed(None, undisturbed=False)
    assert judged([late, dropped], ON_TWO_POLLS, REPLACED, POLLS)[1] == []
    assert broken([observed(1, 3, 3), dropped], ON_TWO_POLLS, REPLACED, POLLS) == [(1, IN_BOUNDS)]
    nothing = blank._replace(counts={2: count(2, 3), 3: count(3, 3)})
    assert judged([nothing, dropped], ON_TWO_POLLS, REPLACED, POLLS)[1] == []
    assert broken([late, late], ON_TWO_POLLS, REPLACED, POLLS) == [(1, IN_BOUNDS)]
    later = observed(2, 3, None, undisturbed=False)
    assert (3, IN_BOUNDS) in broken([observed(2, 3, 3), later], ON_TWO_POLLS, REPLACED, POLLS)


def test_where_nobody_was_there_all_the_time_who_holds_what_was_accepted_is_asked() -> None:
    """The others may have learned of a poll too late, and hold the count of another."""
    stuck, right = observed(9, 3, 3, undisturbed=False), observed(2, 3, 3, undisturbed=False)
    for observers in ([stuck, right], [right, stuck]):
        assert judged(observers, ON_TWO_POLLS, REPLACED, POLLS)[1] == []
    assert broken([stuck], ON_TWO_POLLS, REPLACED, POLLS) == [(1, IN_BOUNDS)]


def test_who_learns_too_late_of_a_new_poll_keeps_what_it_had() -> None:
    """Of the round in which it came; who was there all the time has the new poll's count."""
    stuck = observed(2, 1, 3, undisturbed=False)
    assert judged([observed(2, 3, 3), stuck], ON_TWO_POLLS, REPLACED, POLLS)[1] == []
    steady = observed(2, 1, 3)
    assert (2, IN_BOUNDS) in broken([steady, stuck], ON_TWO_POLLS, REPLACED, POLLS)


def test_the_last_results_of_a_replaced_poll_may_never_be_told() -> None:
    """Of rounds counted by a poll that was there to the end, all are."""
    more = with_votes(findings((2, 3), (3, 3), (3, 4)), {("P", 0): 3, ("Q", 1): 3, ("Q", 2): 4})
    assert judged([observed(2, 3, 3)], more, REPLACED, POLLS)[1] == [
        Violation(3, ACCEPTED, "held 3 votes of 4")
    ]


def test_a_round_whose_poll_is_replaced_begins_again() -> None:
    """Its tally may shrink, and those before it; no other may."""
    told = [(1.0, number, many) for number in (1, 2, 3) for many in (3, 1)]
    assert broken([observed(2, 3, 3, told=told)], ON_TWO_POLLS, REPLACED, POLLS) == [
        (3, "tallies only grow")
    ]
