"""The rules of votes, each shown to bite on a hand-written log, and to be silent when right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator.checks import Evidence, Truth
from simulator.checks.evidence import Breach
from simulator.checks.votes import (
    answered_again,
    counted_twice,
    missing,
    over,
    too_many,
    unseen,
    wavering,
)
from simulator.scenario import Scenario

from .stories import SCENARIO, STORY, evidence, show

UNSEEN = "no vote for a round whose waiting phase was not seen"
TWICE = "nobody is counted twice"
OVER = "no vote for a round that is over"
ONCE = "once per (poll, option)"
VOTES = "votes per player are bounded"
DELIVERIES = "deliveries per player are bounded"
MISSING = "who must be counted has voted"
WAVERING = "who votes in one round of a sampled poll votes in all"


def found_unseen(made: Evidence) -> list[Breach]:
    """Look for votes for rounds that were not seen."""
    return unseen(made, Truth.of(made))


def found_missing(made: Evidence) -> list[Breach]:
    """Look for players who must be counted and have not voted."""
    return missing(made, Truth.of(made))


def found_wavering(made: Evidence) -> list[Breach]:
    """Look for players who vote in one round and not in another."""
    return wavering(made, Truth.of(made))


RULES = [found_unseen, found_missing, counted_twice, over, answered_again, too_many, found_wavering]


@pytest.mark.parametrize("rule", RULES)
def test_right_evidence_breaks_no_rule(rule: Callable[[Evidence], list[Breach]]) -> None:
    """Whether all vote or only a sample."""
    assert rule(evidence()) == []
    assert rule(evidence(scenario=SCENARIO.model_copy(update={"sample_rate": 0.5}))) == []
    assert rule(evidence("")) == []


@pytest.mark.parametrize("rule", RULES)
def test_votes_for_what_is_no_hidden_poll_are_no_business_of_the_rules(
    rule: Callable[[Evidence], list[Breach]],
) -> None:
    """Players may answer the trivia too."""
    story = f"{STORY} 7.0 accepted ann T1 0\n 8.0 accepted cyd T1 1\n 8.5 accepted cyd T1 2"
    assert rule(evidence(story)) == []


# Unseen


@pytest.mark.parametrize(
    ("story", "found"),
    [
        (f"{STORY} 8.0 accepted cyd P 0", [Breach(1, UNSEEN, 1, "by player cyd")]),
        (f"{STORY} 1.5 accepted ann P 1", [Breach(2, UNSEEN, 1, "by player ann")]),
        (f"{STORY} 9.9 accepted ann P 1", [Breach(2, UNSEEN, 1, "by player ann")]),
        (f"{STORY} 10.0 accepted ann P 1", []),
        (f"{STORY} 15.0 accepted ann P 4", [Breach(5, UNSEEN, 1, "by player ann")]),
        (f"{STORY} 8.0 refused cyd P 0", []),
        (
            f"{STORY} 8.0 accepted cyd P 0\n 8.1 accepted cyd P 0\n 8.1 accepted cyd P 1",
            [Breach(1, UNSEEN, 2, "by player cyd"), Breach(2, UNSEEN, 1, "by player cyd")],
        ),
    ],
    ids=["joined later", "not yet", "just not yet", "at once", "no such round", "refused", "many"],
)
def test_a_vote_for_a_round_that_was_not_seen(story: str, found: list[Breach]) -> None:
    """Of a round whose waiting phase was never sent to the player, or not yet."""
    assert found_unseen(evidence(story)) == found


def test_what_hostile_peers_vote_for_is_theirs() -> None:
    """The truth knows nothing of them."""
    story = f"{STORY} 8.0 accepted cyd P 0"
    assert found_unseen(evidence(story, hostile={"cyd"})) == []


def test_who_only_watches_votes_for_nothing() -> None:
    """Watchers are in neither bound, so that each of their votes is wrong."""
    assert found_unseen(evidence(inactive={"cyd"})) == [Breach(2, UNSEEN, 1, "by player cyd")]


def test_a_lagging_edge_sends_the_phase_later() -> None:
    """Edge 1 is a second behind: round 2 begins there at 11.0."""
    story = "-1 joined ann@1\n" + show(2)
    lags = (0.0, 99.0), (1.0, 99.0)
    for at, times in ("10.9", 1), ("11.0", 0):
        found = found_unseen(evidence(f"{story}\n {at} accepted ann P 1", lags=lags))
        assert [breach.times for breach in found] == [1] * times


# Missing


@pytest.mark.parametrize(
    ("left_out", "found"),
    [
        (["2.0 accepted bob P 0"], [Breach(1, MISSING, 1, "player bob")]),
        (
            ["12.0 accepted bob P 1", "13.0 accepted cyd P 1", "1.0 accepted ann P 0"],
            [Breach(1, MISSING, 1, "player ann"), Breach(2, MISSING, 2, "player bob")],
        ),
        (["11.0 accepted ann P 1"], [Breach(2, MISSING, 1, "player ann")]),
    ],
)
def test_who_must_be_counted_has_voted(left_out: list[str], found: list[Breach]) -> None:
    """Though another might have voted too often, so that the number is right."""
    story = STORY
    for line in left_out:
        story = story.replace(line, line.replace("accepted", "refused"))
    assert found_missing(evidence(story)) == found
    sampled = SCENARIO.model_copy(update={"sample_rate": 0.5})
    assert found_missing(evidence(story, sampled)) == []


def test_who_may_be_counted_need_not_have_voted() -> None:
    """Nor does anybody vote in a round that is not played any more."""
    story = f"{STORY} 5.0 joined dan\n 8.0 left dan"
    assert found_missing(evidence(story)) == []


def test_a_vote_for_the_poll_that_was_replaced_is_not_enough() -> None:
    """Q counts round 2: it came in time to be voted in."""
    scenario = SCENARIO.model_copy(update={"replaced": (2,)})
    story = f"{STORY} 13.1 revoked P\n 13.1 published Q\n 14 accepted cyd Q 1"
    polls: dict[str, Any] = {"pages": [["P", "Q"]]}
    assert found_missing(evidence(story, scenario, **polls)) == [
        Breach(2, MISSING, 2, "player ann")
    ]


# Counted twice


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("3 accepted ann P 0", [Breach(1, TWICE, 1, "two votes of player ann")]),
        (
            "3 accepted ann P 0\n 4 accepted ann P 0\n 5 accepted bob P 0",
            [Breach(1, TWICE, 3, "two votes of player ann")],
        ),
        ("3 refused ann P 0", []),
        ("3 accepted ann Q 0", []),
        ("3 accepted ann X 0\n 4 accepted ann X 0", []),
        ("3 joined ann/2\n 4 accepted ann/2 P 0", [Breach(1, TWICE, 1, "two votes of player ann")]),
    ],
    ids=["again", "and again", "refused", "the next poll", "another element", "after a reconnect"],
)
def test_a_second_vote_of_a_player(more: str, found: list[Breach]) -> None:
    """For one option of one poll the platform accepts one vote of each, whoever it is."""
    for hostile in set[str](), {"ann"}:
        made = evidence(f"{STORY} {more}", pages=[["P", "Q"]], hostile=hostile)
        assert counted_twice(made) == found


# Over

LATE = "-1 joined ann\n -1 joined bob@1\n" + show(2)
BEHIND = (0.0, 99.0), (1.0, 99.0)


@pytest.mark.parametrize(
    ("vote", "rounds"),
    [
        ("10.2 accepted ann P 0", []),
        ("10.3 accepted ann P 0", [1]),
        ("11.2 accepted bob P 0", []),
        ("11.3 accepted bob P 0", [1]),
        ("20.2 accepted ann P 1", []),
        ("20.3 accepted ann P 1", [2]),
        ("1.0 accepted ann P 4", [5]),
        ("10.3 refused ann P 0", []),
        ("10.3 accepted ann X 0", []),
    ],
)
def test_a_vote_after_its_round_was_over(vote: str, rounds: list[int]) -> None:
    """Ann's edge is on time, bob's a second behind; twice the latency passes, 0.2 s."""
    found = over(evidence(f"{LATE}\n {vote}", lags=BEHIND))
    assert [(breach.round, breach.rule) for breach in found] == [(n, OVER) for n in rounds]
    user = vote.split()[2]
    assert all(breach == (breach.round, OVER, 1, f"by player {user}") for breach in found)


@pytest.mark.parametrize(
    "but",
    [{"disturbed": {"ann": 3.0}}, {"repeated": {"ann"}}, {"hostile": {"ann"}}],
    ids=["disturbed", "repeated", "hostile"],
)
def test_a_vote_that_the_network_delayed_is_let_be(but: dict[str, Any]) -> None:
    """So are the votes of hostile peers; bob's is not."""
    story = f"{LATE}\n 15.0 accepted ann P 0\n 15.0 accepted bob P 0"
    assert over(evidence(story, lags=BEHIND, **but)) == [Breach(1, OVER, 1, "by player bob")]


def test_a_round_that_is_played_again_is_over_when_it_is_finished_again() -> None:
    """Trivia 1 is revoked at 12, and finished anew at 18."""
    back = "12.0 revoked T1\n 14.0 published T1\n 18.0 closed T1\n -1 joined ann"
    story = f"0 event active\n 6.0 published T1\n 10.0 closed T1\n 30 event finished\n {back}"
    assert over(evidence(f"{story}\n 18.1 accepted ann P 0")) == []
    assert over(evidence(f"{story}\n 18.3 accepted ann P 0")) == [
        Breach(1, OVER, 1, "by player ann")
    ]


def test_a_round_that_never_ended_is_not_over() -> None:
    """A log may break off."""
    assert over(evidence("0 event active\n 0 joined ann\n 99 accepted ann P 0")) == []


# Answered again


@pytest.mark.parametrize(
    ("again", "times"),
    [
        ("1.1 refused ann P 0", 1),
        ("1.5 refused ann P 0", 1),
        ("7.0 refused ann P 0", 1),
        ("7.0 accepted ann P 0", 1),
        ("1.5 refused ann P 0\n 2.5 refused ann P 0", 2),
        ("1.5 refused bob P 0", 1),
        ("1.5 refused ann P 5", 0),
        ("1.5 refused ann Q 0", 0),
        ("1.10 left ann\n 1.5 joined ann/2\n 1.6 refused ann/2 P 0", 1),
        ("1.05 left ann\n 1.5 joined ann/2\n 1.6 refused ann/2 P 0", 0),
        ("1.10 left ann\n 1.12 joined ann/2\n 1.15 refused ann/2 P 0", 0),
        ("1.5 refused ann P 0 busy\n 3.0 refused ann P 0", 0),
        ("1.5 refused ann P 0 busy\n 3.0 refused ann P 0\n 4.5 refused ann P 0", 1),
    ],
    ids=[
        "before the answer arrived",
        "after it arrived",
        "after the answer timeout",
        "accepted again",
        "twice again",
        "refused first",
        "another option",
        "another poll",
        "answered, then cut",
        "cut before the answer arrived",
        "on the way when it arrived",
        "the platform was busy, and may not have answered",
        "busy, answered and again",
    ],
)
def test_a_vote_that_was_answered_is_not_cast_again(again: str, times: int) -> None:
    """Ann's vote was answered at 1.0, so it knows at 1.1; without an answer it may repeat it."""
    found = answered_again(evidence(f"{STORY} {again}", pages=[["P", "Q"]]))
    if not times:
        assert found == []
    else:
        ((round_, rule, many, example),) = found
        assert (round_, rule, many) == (1, ONCE, times)
        assert example.partition(",")[0] in {"by player ann", "by player bob"}


@pytest.mark.parametrize(("at", "times"), [("3.9", 1), ("4.0", 0), ("5.0", 0), ("5.1", 1)])
def test_on_one_connection_a_vote_is_repeated_after_the_answer_timeout(at: str, times: int) -> None:
    """With a latency of 2 s: before 3 s it is too soon, after 4 s it has been answered."""
    found = answered_again(evidence(f"{STORY} {at} refused ann P 0", latency_s=2.0))
    assert [breach.times for breach in found] == [1] * times


def test_an_answer_that_came_too_late_may_be_the_machine_s_doing() -> None:
    """Who runs a crowd that is too large for the machine reads what to look for."""
    (soon,) = answered_again(evidence(f"{STORY} 3.9 refused ann P 0", latency_s=2.0))
    assert soon.example == "by player ann"
    (late,) = answered_again(evidence(f"{STORY} 6.3 refused ann P 0", latency_s=2.0))
    assert late.example == (
        "by player ann, 5.3 s after it was answered: who has no answer after 5 s asks again; "
        "is this machine too slow for the crowd?"
    )
    again = f"{STORY} 1.9 left ann\n 2.0 joined ann/2\n 6.3 refused ann/2 P 0"
    (elsewhere,) = answered_again(evidence(again, latency_s=0.2))
    assert elsewhere.example == "by player ann"


@pytest.mark.parametrize(
    "but",
    [
        {"disturbed": {"ann": 0.5}},
        {"disturbed": {"ann/2": 2.0}},
        {"repeated": {"ann"}},
        {"repeated": {"ann/2"}},
        {"hostile": {"ann"}},
    ],
    ids=["disturbed", "disturbed later", "repeated", "repeated later", "hostile"],
)
def test_what_the_network_did_is_not_the_player_s_doing(but: dict[str, Any]) -> None:
    """An answer may be lost, a vote be late or delivered twice; hostile peers vote as they like."""
    story = f"{STORY} 1.5 left ann\n 1.6 joined ann/2\n 1.9 refused ann/2 P 0"
    assert answered_again(evidence(story)) == [Breach(1, ONCE, 1, "by player ann")]
    bob = f"{story}\n 3.0 refused bob P 0"
    assert answered_again(evidence(bob)) == [Breach(1, ONCE, 2, "by player ann")]
    assert answered_again(evidence(bob, **but)) == [Breach(1, ONCE, 1, "by player bob")]


def test_nothing_is_cast_again_for_what_is_no_poll_either() -> None:
    """It is no round's."""
    story = f"{STORY} 7.0 accepted ann T1 0\n 7.1 refused ann T1 0"
    assert answered_again(evidence(story)) == [Breach(0, ONCE, 1, "by player ann")]


# Too many


def many(votes: int, connects: int) -> str:
    """Tell of dan, who connects so often, and has so many votes refused."""
    told = [f"0.0 joined dan{f'/{n}' if n else ''}" for n in range(connects)]
    return "\n".join([STORY, *told, *["2.0 refused dan P 3"] * votes])


def test_votes_are_bounded() -> None:
    """Ten options, four repeats in 20 s, and one for each connect; twice, if repeated."""
    assert too_many(evidence(many(30, connects=1))) == []
    assert too_many(evidence(many(31, connects=1))) == [
        Breach(0, VOTES, 1, "31 votes of player dan")
    ]
    assert too_many(evidence(many(34, connects=3))) == []
    assert too_many(evidence(many(31, connects=1), hostile={"dan"})) == []


def test_votes_accepted_count_too() -> None:
    """Whatever the platform answered."""
    story = many(30, connects=1) + "\n 3.0 accepted dan P 3"
    assert too_many(evidence(story)) == [Breach(0, VOTES, 1, "31 votes of player dan")]


@pytest.mark.parametrize(("delivered", "times"), [(16, 0), (17, 1)])
def test_deliveries_are_bounded(delivered: int, times: int) -> None:
    """A welcome, what is told to everybody, and answers; twice, if repeated."""
    found = too_many(evidence(broadcasts=5, deliveries={"ann": delivered, "bob": 16, "cyd": 14}))
    assert found == [Breach(0, DELIVERIES, 1, "17 deliveries to player ann")] * times


# Wavering

SAMPLED = Scenario(players=3, rounds=4, round_time=10.0, sample_rate=0.5)


def wavers(votes: str, scenario: Scenario = SAMPLED, **changed: Any) -> list[tuple[int, str]]:
    """Tell who should have voted, and when: of ann, there all the time, and bob, until 12.0."""
    story = show(4, "-1 joined ann", "-1 joined bob", "12.0 left bob", *votes.split(";"))
    found = found_wavering(evidence(story, scenario, **changed))
    assert all(breach.rule == WAVERING and breach.times == 1 for breach in found)
    return [(breach.round, breach.example) for breach in found]


ALL_BUT_2 = "1 accepted ann P 0; 21 accepted ann P 2; 31 accepted ann P 3"


def test_who_is_in_the_sample_votes_in_every_round() -> None:
    """Who is not in it in none, and who leaves in those that it must be counted in."""
    assert wavers(f"{ALL_BUT_2}; 11 accepted ann P 1") == []
    assert wavers(ALL_BUT_2) == [(2, "not by player ann")]
    assert wavers("1 accepted bob P 0") == []
    assert wavers("11 accepted bob P 1") == [(1, "not by player bob")]
    assert wavers("") == []


def test_refused_votes_are_none() -> None:
    """Only what was counted tells of the sample."""
    assert wavers("1 refused ann P 0") == []
    assert wavers(f"{ALL_BUT_2}; 11 refused ann P 1") == [(2, "not by player ann")]


def test_where_everybody_votes_nobody_is_in_a_sample() -> None:
    """A vote that is missing breaks another rule."""
    assert wavers(ALL_BUT_2, SAMPLED.model_copy(update={"sample_rate": 1.0})) == []


def test_hostile_peers_may_waver() -> None:
    """They vote as they like."""
    assert wavers(ALL_BUT_2, hostile={"ann"}) == []


def test_a_poll_that_replaced_another_has_a_sample_of_its_own() -> None:
    """Replaced in round 3, so that P counts rounds 1 and 2, and Q rounds 3 and 4."""
    scenario = SAMPLED.model_copy(update={"replaced": (3,)})
    new = "23 revoked P; 23 published Q"
    first = "1 accepted ann P 0; 11 accepted ann P 1"
    second = "24 accepted ann Q 2; 31 accepted ann Q 3"

    def found(*votes: str) -> list[tuple[int, str]]:
        return wavers("; ".join((new, *votes)), scenario, pages=[["P", "Q"]])

    assert found(first, second) == []
    assert found(first) == found(second) == []
    assert found(first, "21 accepted ann P 2") == []
    assert found("11 accepted ann P 1", second) == [(1, "not by player ann")]
    assert found(first, "24 accepted ann Q 2") == [(4, "not by player ann")]


def test_every_page_has_samples_of_its_own() -> None:
    """Two rounds to a page; page 0 is replaced in round 1, page 1 in round 3."""
    changed = {"replaced": (1, 3), "options_per_poll": 2}
    scenario = SAMPLED.model_copy(update=changed)
    new = "3 published P2; 3 published Q; 23 published Q2"

    def found(*votes: str) -> list[tuple[int, str]]:
        return wavers("; ".join((new, *votes)), scenario, pages=[["P", "P2"], ["Q", "Q2"]])

    assert found("11 accepted ann P2 1") == [(1, "not by player ann")]
    assert found("31 accepted ann Q2 1") == [(3, "not by player ann")]
    assert found("4 accepted ann P2 0", "11 accepted ann P2 1") == []
