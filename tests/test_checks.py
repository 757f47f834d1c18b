"""The checks: the truth read off hand-written logs, and every rule shown to bite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from poll_counter import RoundCount
from simulator.checks import (
    Observation,
    Row,
    Truth,
    Violation,
    check,
    check_observers,
    freshness_ms,
)
from simulator.emulator import Entry
from simulator.scenario import Scenario

IN_BOUNDS = "must <= counted <= may"
SAME = "all observers hold the same count"
UNSEEN = "no vote for a round whose waiting phase was not seen"
ONCE = "once per (poll, option)"
GROWING = "tallies only grow"
SHOWN = "on a calm network shown = counted"


def log(story: str) -> list[Entry]:
    """Write a log: on each line the time, what happened, to whom or what.

    `0.0 event active`, `1.5 published T1`, `0.2 joined ann`, `0.2 left ann`; a user's second
    connection is `ann/2`. `0.3 accepted ann P 0` and `refused`: the poll and the option. Lines
    may stand in any order; those of the same time keep theirs.
    """
    entries, numbers, tallies = list[Entry](), dict[str, int](), dict[tuple[str, str], int]()
    lines = [line.split() for line in story.splitlines() if line.strip()]
    for at, kind, *rest in sorted(lines, key=lambda words: float(words[0])):
        made: dict[str, Any]
        if kind == "event":
            made = {"detail": rest[0]}
        elif kind in {"published", "closed", "revoked"}:
            made = {"element_id": rest[0]}
        else:
            number = numbers.setdefault(rest[0], len(numbers))
            made = {"connection": number, "user": rest[0].split("/")[0]}
            if kind in {"accepted", "refused"}:
                made |= {"element_id": rest[1], "option": int(rest[2])}
            if kind == "accepted":
                key = rest[1], rest[2]
                made["tally"] = tallies[key] = tallies.get(key, 0) + 1
        entries.append(Entry(float(at), kind, "E", **made))  # type: ignore[arg-type] # a Kind
    return entries


# The truth

TRIVIA = ("T1", "T2", "T3")
SPAN_S = 1.0
ROUNDS = """
    0.0 event active
    0.0 published P
    2.0 published T1
    4.0 closed T1
    6.0 published T2
    8.0 closed T2
    9.0 event finished
"""
"""Waiting 0 to 2, round 1 over at 4; waiting 4 to 6, round 2 over at 8; waiting 8 to 9."""


def truth(story: str, rounds: str = ROUNDS) -> dict[str, str]:
    """Tell of every user in which rounds it must (!), or only may (?), be counted."""
    entries = log(f"{rounds}\n{story}")
    found = Truth.of(entries, TRIVIA, SPAN_S)
    assert all(found.must.get(k, frozenset()) <= set(found.may[k]) for k in found.may)
    users = {entry.user for entry in entries if entry.user}
    return {
        user: " ".join(
            f"{round_}{'!' if user in found.must.get(round_, ()) else '?'}"
            for round_ in sorted(found.may)
            if user in found.may[round_]
        )
        for user in users
    }


def test_who_is_there_all_the_time_must_be_counted_in_every_round() -> None:
    """Joined before the event began: the waiting phases are sent as they come."""
    assert truth("-1 joined ann") == {"ann": "1! 2! 3!"}


def test_who_joins_in_the_waiting_phase_must_be_counted_if_its_vote_can_arrive() -> None:
    """What counts is the time until the trivia is closed, not until it is published."""
    assert truth("1.9 joined ann") == {"ann": "1! 2! 3!"}


def test_who_joins_while_playing_is_not_counted_before_the_next_round() -> None:
    """The waiting phase of round 1 was never sent to it."""
    assert truth("2.5 joined ann") == {"ann": "2! 3!"}
    assert truth("2.0 joined ann") == {"ann": "2! 3!"}


def test_who_joins_at_the_very_end_may_be_counted() -> None:
    """Less than the span is left before the event is stopped: its vote may arrive or not."""
    assert truth("8.5 joined ann") == {"ann": "3?"}


def test_a_stopped_event_ends_its_last_waiting_phase() -> None:
    """The round that was waited for counts as long as the event was active."""
    assert truth("7.9 joined ann") == {"ann": "3!"}
    assert truth("9.0 joined ann") == {"ann": ""}
    assert truth("9.5 joined ann") == {"ann": ""}


def test_who_leaves_too_early_may_be_counted() -> None:
    """Its vote may have been drawn early; nothing says that it was not."""
    assert truth("-1 joined ann\n 0.9 left ann") == {"ann": "1?"}
    assert truth("-1 joined ann\n 1.0 left ann") == {"ann": "1!"}


def test_who_leaves_before_the_event_begins_is_not_counted() -> None:
    """It was sent no waiting phase."""
    assert truth("-2 joined ann\n -1 left ann") == {"ann": ""}


def test_who_leaves_while_playing_must_be_counted_if_there_long_enough() -> None:
    """The span may run into the trivia."""
    assert truth("1.75 joined ann\n 2.75 left ann") == {"ann": "1!"}
    assert truth("1.75 joined ann\n 2.7 left ann") == {"ann": "1?"}


def test_who_drops_and_comes_back_needs_one_span_that_is_long_enough() -> None:
    """Two short spans do not make a long one; a long one while playing is enough."""
    back_in_waiting = "0.0 joined ann\n 0.6 left ann\n 1.4 joined ann/2\n 2.2 left ann/2"
    assert truth(back_in_waiting) == {"ann": "1?"}
    assert truth("1.0 joined ann\n 1.5 left ann\n 2.5 joined ann/2") == {"ann": "1! 2! 3!"}
    assert truth("1.0 joined ann\n 1.5 left ann\n 3.5 joined ann/2") == {"ann": "1? 2! 3!"}


def test_who_drops_and_misses_a_waiting_phase_is_not_counted_in_it() -> None:
    """Gone for the whole of waiting 2, and back when trivia 2 is open."""
    assert truth("0.0 joined ann\n 3.0 left ann\n 7.0 joined ann/2") == {"ann": "1! 3!"}


def test_one_user_on_two_connections_is_one_user() -> None:
    """Either connection may give the span."""
    assert truth("0.0 joined ann\n 0.1 joined ann/2\n 0.2 left ann\n 1.5 left ann/2") == {
        "ann": "1!"
    }


def test_the_truth_says_when_a_waiting_phase_was_first_sent() -> None:
    """At its beginning to who was there, else on joining; to who comes back, the first time."""
    story = "-1 joined ann\n 0.5 joined bob\n 0.7 left bob\n 1.0 joined bob/2"
    found = Truth.of(log(ROUNDS + story), TRIVIA, SPAN_S)
    assert found.may[1] == {"ann": 0.0, "bob": 0.5}
    assert found.may[2] == {"ann": 4.0, "bob": 4.0}


def test_what_is_no_trivia_ends_no_waiting_phase() -> None:
    """Polls and other elements come and go without a bearing on the rounds."""
    others = "0.5 published X\n 1.0 closed X\n 1.1 closed P\n 1.2 revoked X"
    assert truth("0.0 joined ann\n" + others) == {"ann": "1! 2! 3!"}


REVOKED_OPEN = """
    0.0 event active
    2.0 published T1
    3.0 revoked T1
    5.0 published T1
    7.0 closed T1
    9.0 event finished
"""


def test_a_trivia_revoked_while_open_brings_its_waiting_phase_back() -> None:
    """Who comes after the revocation sees the waiting phase of round 1 too."""
    assert truth("4.5 joined ann", REVOKED_OPEN) == {"ann": "1! 2!"}
    assert truth("2.5 joined ann\n 2.9 left ann", REVOKED_OPEN) == {"ann": ""}
    assert truth("0.0 joined ann", REVOKED_OPEN) == {"ann": "1! 2!"}


def test_a_span_runs_on_over_a_revoked_trivia() -> None:
    """The round is over when its trivia is finished: a trivia that was pulled back was not it."""
    rounds = """
        0.0 event active
        0.5 published T1
        0.6 revoked T1
        0.8 published T1
        1.2 closed T1
        9.0 event finished
    """
    assert truth("0.0 joined ann", rounds) == {"ann": "1! 2!"}
    assert truth("0.1 joined ann\n 0.9 left ann", rounds) == {"ann": "1?"}


def test_a_finished_trivia_that_is_revoked_steps_back() -> None:
    """Round 1 waits once more, and who joins then may be counted in it."""
    rounds = """
        0.0 event active
        2.0 published T1
        4.0 closed T1
        5.0 revoked T1
        7.0 published T1
        8.0 closed T1
        9.0 event finished
    """
    assert truth("6.0 joined ann", rounds) == {"ann": "1! 2!"}
    assert truth("4.2 joined ann\n 4.8 left ann", rounds) == {"ann": "2?"}
    assert truth("4.2 joined ann", rounds) == {"ann": "1! 2!"}


def test_a_round_without_a_waiting_phase_counts_nobody() -> None:
    """With two trivia open, round 2 is playing as soon as one of them closes."""
    rounds = """
        0.0 event active
        2.0 published T1
        3.0 published T2
        4.0 closed T1
        6.0 closed T2
        9.0 event finished
    """
    assert truth("0.0 joined ann", rounds) == {"ann": "1! 3!"}
    assert truth("2.5 joined ann", rounds) == {"ann": "3!"}
    assert truth("1.5 joined ann\n 3.5 left ann", rounds) == {"ann": "1!"}


def test_an_event_stopped_while_a_trivia_is_open_ends_its_round() -> None:
    """No vote is cast in a finished event."""
    rounds = """
        0.0 event active
        2.0 published T1
        2.5 event finished
    """
    assert truth("1.5 joined ann", rounds) == {"ann": "1!"}
    assert truth("1.6 joined ann", rounds) == {"ann": "1?"}


@pytest.mark.parametrize(
    "rounds",
    ["0.0 event active", "0.0 event active\n 2.0 published T1"],
    ids=["waiting", "playing"],
)
def test_a_log_that_breaks_off_keeps_its_last_round(rounds: str) -> None:
    """Who was sent the waiting phase may be counted, though the event was never stopped."""
    assert truth("1.0 joined ann", rounds)["ann"] in {"1!", "1?"}


def test_nothing_is_known_from_an_empty_log() -> None:
    """No event, no rounds."""
    assert Truth.of([], TRIVIA, SPAN_S) == Truth({}, {})


# Right evidence: two rounds, ann and bob there all the time, cyd in round 2 only

SCENARIO = Scenario(players=3, rounds=2, round_time=10.0)
"""Calm: 6 s of waiting, a spread of 3 s, g 1 s."""
EVIDENCE = """
    -1.0 joined ann
    -1.0 joined bob
    0.0 event active
    0.0 published P
    1.0 accepted ann P 0
    2.0 accepted bob P 0
    6.0 published T1
    7.0 joined cyd
    10.0 closed T1
    11.0 accepted ann P 1
    12.0 accepted bob P 1
    13.0 accepted cyd P 1
    16.0 published T2
    20.0 closed T2
    21.0 event finished
"""


def count(round_: int, players: int | None) -> RoundCount:
    """Make a settled count."""
    votes = players or 0
    return RoundCount(round_, players, votes, votes, players, 1.0, settled=True, as_of=20.0)


def observed(
    *counts: int | None,
    connected: bool = True,
    undisturbed: bool = True,
    shown: Mapping[int, int] | None = None,
    told: Sequence[tuple[float, int, int]] = (),
) -> Observation:
    """What a player was told: the players of round 1, 2, ...; shown alike unless given."""
    held = {round_: count(round_, players) for round_, players in enumerate(counts, start=1)}
    seen = {r: c.players or 0 for r, c in held.items()} if shown is None else shown
    return Observation(connected, undisturbed, held, seen, told)


RIGHT = (observed(2, 3), observed(2, 3), observed(2, 3, shown={2: 3}))


def checked(
    evidence: str = EVIDENCE,
    observations: Sequence[Observation] = RIGHT,
    scenario: Scenario = SCENARIO,
) -> tuple[list[Row], list[Violation]]:
    """Hold observations against a log."""
    return check(scenario, log(evidence), ["P"], ["T1", "T2"], observations)


def broken(
    evidence: str = EVIDENCE,
    observations: Sequence[Observation] = RIGHT,
    scenario: Scenario = SCENARIO,
) -> list[tuple[int, str]]:
    """Tell which rules were broken, and in which rounds."""
    return [violation[:2] for violation in checked(evidence, observations, scenario)[1]]


def test_right_evidence_breaks_no_rule() -> None:
    """Every rule is silent, and the rows say what was found."""
    rows, violations = checked()
    assert violations == []
    assert rows == [
        Row(1, 2, 2, 2, 2, low=2, high=2, sample_rate=1.0, difference=0),
        Row(2, 3, 3, 3, 3, low=3, high=3, sample_rate=1.0, difference=0),
    ]


def test_too_few_counted_is_a_negative_difference() -> None:
    """Below must: how many are missing."""
    rows, violations = checked(observations=[observed(2, 1)])
    assert rows[1].difference == -2
    assert violations == [Violation(2, IN_BOUNDS, "counted 1, must be 3 to 3")]


def test_too_many_counted_is_a_positive_difference() -> None:
    """Above may: how many were made up."""
    rows, violations = checked(observations=[observed(6, 3)])
    assert rows[0].difference == 4
    assert violations == [Violation(1, IN_BOUNDS, "counted 6, must be 2 to 2")]


def test_between_must_and_may_everything_is_right() -> None:
    """Who leaves early may be counted or not."""
    hasty = EVIDENCE + "-1.0 joined eve\n 0.5 left eve"
    for counted in (2, 3):
        rows, violations = checked(hasty, [observed(counted, 3)])
        assert (rows[0].must, rows[0].may, rows[0].difference) == (2, 3, 0)
        assert violations == []
    for counted, difference in ((1, -1), (4, 1)):
        assert checked(hasty, [observed(counted, 3)])[0][0].difference == difference


def test_the_span_that_makes_a_must_is_spread_plus_margin() -> None:
    """With a spread of 3 s and a margin of 1 s, 4 s are enough and less are not."""
    for left, must in ((4.0, 3), (3.9, 2)):
        rows, _ = checked(f"{EVIDENCE} -1.0 joined eve\n {left} left eve")
        assert rows[0].must == must


def test_an_uncounted_round_counts_as_nobody() -> None:
    """None, and no count at all, are 0 where somebody must be counted."""
    for silent in (observed(2, None), observed(2)):
        rows, violations = checked(observations=[silent])
        assert (rows[1].counted, rows[1].difference) == (0, -3)
        assert [violation[:2] for violation in violations] == [(2, IN_BOUNDS)]
    assert checked(observations=[observed(2)])[0][1] == Row(
        2, 3, 3, 0, 0, low=0, high=None, sample_rate=1.0, difference=-3
    )


def test_observers_who_disagree_are_named() -> None:
    """All that were connected to the end hold the same; the row has the least of them."""
    rows, violations = checked(observations=[observed(2, 3), observed(2, 2)])
    assert rows[1].counted == 2
    assert Violation(2, SAME, "held 2, 3") in violations
    assert not any(v.round == 1 for v in violations)


def test_an_observer_without_a_count_disagrees() -> None:
    """To hold nothing is not to hold the same."""
    assert check_observers([observed(2, 3), observed(2)]) == [Violation(2, SAME, "held 0, 3")]


def test_who_was_not_connected_at_the_end_is_not_asked() -> None:
    """It cannot know the last counts, or what was shown."""
    gone = observed(1, 1, connected=False, shown={1: 1, 2: 1})
    assert broken(observations=[*RIGHT, gone]) == []


def test_a_vote_for_a_round_not_seen_is_named() -> None:
    """Cyd came while trivia 1 was open, and yet its vote for round 1 was accepted."""
    _, violations = checked(EVIDENCE + "8.0 accepted cyd P 0")
    assert violations == [Violation(1, UNSEEN, "1 votes, one by player cyd")]


def test_a_vote_for_a_round_not_seen_yet_is_named() -> None:
    """Ann voted for round 2 in the waiting phase of round 1."""
    assert broken(EVIDENCE.replace("11.0 accepted ann P 1", "1.5 accepted ann P 1")) == [
        (2, UNSEEN)
    ]


def test_a_vote_at_the_moment_of_the_welcome_is_right() -> None:
    """Seen and voted at once, with a spread of nothing."""
    assert broken(EVIDENCE.replace("    1.0 accepted ann", "    0.0 accepted ann")) == []


def test_votes_for_other_elements_are_no_business_of_the_checks() -> None:
    """Players answer the trivia too."""
    assert broken(EVIDENCE + "7.0 accepted ann T1 0\n 7.1 refused ann T1 0") == []


@pytest.mark.parametrize(
    ("again", "found"),
    [
        ("1.5 refused ann P 0", [(1, ONCE)]),
        ("5.9 refused ann P 0", [(1, ONCE)]),
        ("6.0 refused ann P 0", []),
        ("1.5 refused bob P 0", [(1, ONCE)]),
        ("1.5 joined ann/2\n 1.5 refused ann/2 P 0", []),
    ],
    ids=["at once", "too soon", "after the answer timeout", "refused first", "after a reconnect"],
)
def test_a_vote_cast_again_too_soon_is_named(again: str, found: list[tuple[int, str]]) -> None:
    """On one connection a vote is repeated no sooner than the answer timeout, refused or not."""
    assert broken(EVIDENCE + again) == found


def test_a_repeated_vote_says_whose_it_was() -> None:
    """One player is named, by its id."""
    (violation,) = checked(EVIDENCE + "1.5 refused ann P 0")[1]
    assert violation.text == "1 votes cast again on the same connection, one by player ann"


def test_a_tally_that_shrinks_is_named() -> None:
    """An observer was told less than before; another round's tally has nothing to do with it."""
    told = [(1.0, 1, 2), (2.0, 2, 0), (3.0, 2, 3), (4.0, 2, 2)]
    assert broken(observations=[observed(2, 3, told=told)]) == [(2, GROWING)]
    told = [(1.0, 1, 2), (2.0, 2, 0), (3.0, 2, 3), (4.0, 2, 3)]
    assert broken(observations=[observed(2, 3, told=told)]) == []


def test_also_those_who_left_must_not_be_told_less() -> None:
    """What was told to a player counts, whether or not it was there at the end."""
    gone = observed(connected=False, told=[(1.0, 1, 2), (2.0, 1, 1)])
    assert broken(observations=[*RIGHT, gone]) == [(1, GROWING)]


def test_on_a_calm_network_what_was_shown_is_what_was_counted() -> None:
    """The row has the lowest that any observer showed; a show that is not calm is let be."""
    late = observed(2, 3, shown={1: 2, 2: 2})
    rows, violations = checked(observations=[*RIGHT, late])
    assert rows[1].shown == 2
    assert violations == [Violation(2, SHOWN, "shown 2, counted 3")]
    hasty = Scenario(players=3, rounds=2, round_time=10.0, drop=0.1)
    assert broken(observations=[*RIGHT, late], scenario=hasty) == []


def test_every_round_of_the_scenario_has_its_row() -> None:
    """A round that never came has a row of zeros."""
    longer = Scenario(players=3, rounds=4, round_time=10.0)
    rows, violations = checked(scenario=longer)
    assert rows[3] == Row(4, 0, 0, 0, 0, low=0, high=None, sample_rate=1.0, difference=0)
    assert violations == []
    assert [row.round for row in rows] == [1, 2, 3, 4]


def test_the_row_has_the_interval_of_the_count_it_shows() -> None:
    """Low, high and the rate are those of the least count held."""
    least = replace(count(2, 3), low=1, high=7, sample_rate=0.5)
    rows, _ = checked(observations=[Observation(True, True, {1: count(1, 2), 2: least}, {}, ())])  # noqa: FBT003 - a tuple
    assert (rows[1].low, rows[1].high, rows[1].sample_rate) == (1, 7, 0.5)


def test_violations_are_sorted_by_round() -> None:
    """What went wrong first is read first."""
    violations = broken(observations=[observed(1, 1), observed(0, 0)])
    assert violations == sorted(violations)
    assert {round_ for round_, _ in violations} == {1, 2}


def test_rounds_go_on_over_chained_polls() -> None:
    """Option 0 of the second poll counts round 11."""
    story = ["-1 joined ann", "0 event active"]
    for number in range(1, 11):
        story += [f"{number}.0 published X{number}", f"{number}.5 closed X{number}"]
    story += ["10.7 accepted ann Q 0", "10.8 refused ann Q 0", "12 event finished"]
    trivia = [f"X{number}" for number in range(1, 11)]
    longer = Scenario(players=1, rounds=11, round_time=0.2)
    observations = [Observation(True, True, {11: count(11, 1)}, {}, ())]  # noqa: FBT003 - a tuple
    rows, violations = check(longer, log("\n".join(story)), ["P", "Q"], trivia, observations)
    assert (rows[10].must, rows[10].counted, rows[10].difference) == (1, 1, 0)
    assert [v[:2] for v in violations if v.round == 11] == [(11, ONCE)]


# Freshness

VOTES = """
    1.000 accepted ann P 0
    1.010 accepted bob P 0
    1.020 accepted cyd P 0
    2.000 accepted ann P 1
    2.100 refused ann P 1
    3.000 accepted ann T1 1
"""


def test_freshness_is_from_acceptance_to_the_count_that_includes_the_vote() -> None:
    """The n-th vote of a round is in the first count of at least n."""
    told = [(1.050, 1, 2), (1.100, 1, 3), (2.200, 2, 1)]
    fresh = freshness_ms(log(VOTES), ["P"], [observed(told=told)])
    # ages: 50 (ann), 40 (bob), 80 (cyd), 200 (ann, round 2)
    assert fresh == pytest.approx({"p50": 50.0, "p99": 80.0})


def test_freshness_is_taken_over_all_undisturbed_observers() -> None:
    """Two observers give twice as many ages; the disturbed and the disconnected give none."""
    observations = [
        observed(told=[(1.030, 1, 3)]),  # ages: 30, 20, 10
        observed(told=[(1.060, 1, 3)]),  # ages: 60, 50, 40
        observed(told=[(9.0, 1, 3)], undisturbed=False),
        observed(told=[(9.0, 1, 3)], connected=False),
    ]
    fresh = freshness_ms(log(VOTES), ["P"], observations)
    assert fresh == pytest.approx({"p50": 30.0, "p99": 50.0})


def test_a_count_that_goes_back_is_not_new() -> None:
    """A vote is told once; a lower number, and the same again, bring nothing."""
    told = [(1.030, 1, 3), (5.0, 1, 1), (6.0, 1, 3)]
    fresh = freshness_ms(log(VOTES), ["P"], [observed(told=told)])
    assert fresh == pytest.approx({"p50": 20.0, "p99": 20.0})


def test_without_counts_there_is_no_freshness() -> None:
    """Nobody was told anything, or nobody was there to be told."""
    assert freshness_ms(log(VOTES), ["P"], []) is None
    assert freshness_ms(log(VOTES), ["P"], [observed()]) is None
    assert freshness_ms([], ["P"], [observed(told=[(1.0, 1, 3)])]) is None


@pytest.mark.parametrize(("observers", "most"), [(1, 1), (25, 25), (26, 25), (49, 25), (500, 25)])
def test_freshness_asks_no_more_than_25_observers(observers: int, most: int) -> None:
    """A sample is enough: a hundred thousand votes told to each of thousands would be too many."""
    asked = list[int]()

    class Told(list[tuple[float, int, int]]):
        def __iter__(self) -> Iterator[tuple[float, int, int]]:
            asked.append(1)
            return super().__iter__()

    freshness_ms(log(VOTES), ["P"], [observed(told=Told([(2.0, 1, 3)]))] * observers)
    assert 1 <= len(asked) <= most
