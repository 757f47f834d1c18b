"""The truth, read off hand-written logs: who may and who must be counted in which round."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.checks import Truth
from simulator.checks.truth import Waiting, waitings
from simulator.scenario import Scenario

from .stories import evidence, log

NEVER = float("inf")
TRIVIA = ("T1", "T2", "T3")
SCENARIO = Scenario(players=1, rounds=3, round_time=2.0, spread=0.8)
"""A span of 1 s is enough: a spread of 0.8 s, and g 0.2 s. Latencies are 0.1 s."""
SHOW = """
    0.0 event active
    0.0 published P
    2.0 published T1
    4.0 closed T1
    6.0 published T2
    8.0 closed T2
    9.0 event finished
"""
"""Waiting 0 to 2, round 1 over at 4; waiting 4 to 6, round 2 over at 8; waiting 8 to 9."""
LAGGING = (0.0, 100.0), (1.0, 100.0)
"""Edge 1 is a second behind."""


def lines(*told: str) -> str:
    """Write a story on one line: separated by semicolons."""
    return "\n".join(told).replace(";", "\n")


def truth(told: str, show: str = SHOW, scenario: Scenario = SCENARIO, **changed: Any) -> str:
    """Tell in which rounds ann must (!), or only may (?), be counted."""
    found = Truth.of(evidence(lines(show, told), scenario, **changed))
    assert found.may.keys() == found.must.keys()
    assert all(found.must[number] <= found.may[number].keys() for number in found.may)
    assert all(users.keys() <= {"ann"} for users in found.may.values())
    return " ".join(
        f"{number}{'!' if found.must[number] else '?'}"
        for number in sorted(found.may)
        if found.may[number]
    )


def check(cases: dict[str, tuple[str, str]]) -> pytest.MarkDecorator:
    """Parametrize a test: name -> what happens, and the rounds that ann is in."""
    return pytest.mark.parametrize(("told", "rounds"), cases.values(), ids=cases.keys())


@check(
    {
        "all the time": ("-1 joined ann", "1! 2! 3!"),
        "as the event begins": ("0.0 joined ann", "1! 2! 3!"),
        "late in the waiting phase": ("1.9 joined ann", "1! 2! 3!"),
        "as the trivia is published": ("2.0 joined ann", "1? 2! 3!"),
        "while playing": ("2.5 joined ann", "2! 3!"),
        "as the trivia is closed": ("4.0 joined ann", "2! 3!"),
        "just before the last phase": ("7.9 joined ann", "3!"),
        "too late in the last phase": ("8.5 joined ann", "3?"),
        "as the event is stopped": ("9.0 joined ann", "3?"),
        "after the event": ("9.5 joined ann", ""),
    }
)
def test_who_joins_is_counted_from_the_waiting_phase_that_was_sent(told: str, rounds: str) -> None:
    """What must be enough is the time until the trivia is closed, not until it is published.

    Of two things at one time nobody knows which was first: such a player may be counted.
    """
    assert truth(told) == rounds


@check(
    {
        "before the event": ("-2 joined ann; -1 left ann", ""),
        "as the event begins": ("-2 joined ann; 0.0 left ann", "1?"),
        "before its vote had to arrive": ("-1 joined ann; 0.9 left ann", "1?"),
        "when its vote had arrived": ("-1 joined ann; 1.0 left ann", "1!"),
        "while playing, too soon": ("1.75 joined ann; 2.70 left ann", "1?"),
        "while playing, in time": ("1.75 joined ann; 2.75 left ann", "1!"),
        "as the next phase begins": ("-1 joined ann; 4.0 left ann", "1! 2?"),
    }
)
def test_who_leaves_must_be_counted_if_it_was_there_long_enough(told: str, rounds: str) -> None:
    """Its vote may have been drawn early; nothing says that it was not."""
    assert truth(told) == rounds


@check(
    {
        "short and short": ("0 joined ann; 0.6 left ann; 1.4 joined ann/2; 2.2 left ann/2", "1?"),
        "long while playing": ("1.0 joined ann; 1.5 left ann; 2.5 joined ann/2", "1! 2! 3!"),
        "just long enough": ("1.0 joined ann; 1.5 left ann; 3.0 joined ann/2", "1! 2! 3!"),
        "short while playing": ("1.0 joined ann; 1.5 left ann; 3.5 joined ann/2", "1? 2! 3!"),
        "gone for a whole phase": ("0 joined ann; 3.0 left ann; 7.0 joined ann/2", "1! 3!"),
        "long, but before it saw": (
            "-1 joined ann; 3.9 left ann; 5.8 joined ann/2; 5.95 left ann/2",
            "1! 2?",
        ),
        "two connections at a time": (
            "0 joined ann; 0.1 joined ann/2; 0.2 left ann; 1.5 left ann/2",
            "1!",
        ),
        "third time lucky": (
            "0 joined ann; 0.5 left ann; 0.6 joined ann/2; 1.1 left ann/2; 2.9 joined ann/3",
            "1! 2! 3!",
        ),
    }
)
def test_who_drops_needs_one_span_that_is_long_enough(told: str, rounds: str) -> None:
    """Two short spans do not make a long one; it may come while playing, after it saw."""
    assert truth(told) == rounds


@check(
    {
        "cut off at once": ("1.0 joined ann; 1.05 left ann; 2.5 joined ann/2", "1? 2! 3!"),
        "alive for the latency": ("1.0 joined ann; 1.1 left ann; 2.5 joined ann/2", "1! 2! 3!"),
        "cut off as it begins": ("3.0 joined ann; 4.05 left ann; 6.5 joined ann/2", "2? 3!"),
        "published as it joins": ("2.0 joined ann; 2.5 left ann; 2.6 joined ann/2", "1? 2! 3!"),
    }
)
def test_a_phase_is_seen_if_the_connection_lives_until_it_has_arrived(
    told: str, rounds: str
) -> None:
    """What was sent to a connection that was then cut may never have been seen."""
    assert truth(told) == rounds


def test_the_truth_says_when_a_waiting_phase_was_first_sent() -> None:
    """At its beginning to who was there, else on joining; to who comes back, the first time."""
    story = "-1 joined ann; 0.5 joined bob; 0.7 left bob; 1.0 joined bob/2"
    found = Truth.of(evidence(lines(SHOW, story), SCENARIO))
    assert found.may == {
        1: {"ann": 0.0, "bob": 0.5},
        2: {"ann": 4.0, "bob": 4.0},
        3: {"ann": 8.0, "bob": 8.0},
    }
    assert found.must == dict.fromkeys((1, 2, 3), frozenset({"ann", "bob"}))


def test_of_a_phase_that_comes_again_the_first_time_is_told() -> None:
    """Ann saw round 1 before its trivia was pulled back, and again after it."""
    found = Truth.of(evidence(lines(PULLED, "-1 joined ann; 4.0 joined bob"), SCENARIO))
    assert found.may[1] == {"ann": 0.0, "bob": 4.0}


@pytest.mark.parametrize("others", ["hostile", "inactive"])
def test_hostile_peers_and_who_only_watches_are_in_neither(others: str) -> None:
    """Ann alone takes part."""
    story = "-1 joined ann; -1 joined eve"
    but: dict[str, Any] = {others: {"eve"}}
    assert truth(story, **but) == "1! 2! 3!"


# Faults


@pytest.mark.parametrize(
    ("told", "since", "rounds"),
    [
        ("-1 joined ann", 0.9, "1? 2? 3?"),
        ("-1 joined ann", 1.0, "1! 2? 3?"),
        ("-1 joined ann", 5.0, "1! 2! 3?"),
        ("-1 joined ann; 2.5 left ann; 2.6 joined ann/2", 0.50, "1! 2! 3!"),
        ("-1 joined ann; 2.5 left ann; 2.6 joined ann/2", 0.05, "1? 2! 3!"),
    ],
    ids=["too soon", "in time", "in round 2", "calm again", "before it saw"],
)
def test_a_fault_ends_the_span_that_a_vote_had_to_arrive_in(
    told: str, since: float, rounds: str
) -> None:
    """What was sent is still sent, so such a player may be counted; its next connection is calm."""
    assert truth(told, disturbed={"ann": since}) == rounds


def test_a_fault_on_the_later_connection_ends_that_one() -> None:
    """Of several spans, too, only what no fault touched counts."""
    story = "1.0 joined ann; 1.5 left ann; 2.5 joined ann/2"
    assert truth(story, disturbed={"ann/2": 3.4}) == "1? 2? 3?"
    assert truth(story, disturbed={"ann/2": 3.5}) == "1! 2? 3?"


TWICE = "0 joined ann; 0.5 left ann; 2.5 joined ann/2"
THRICE = "0 joined ann; 0.5 left ann; 1.5 joined ann/2; 1.8 left ann/2; 2.5 joined ann/3"


@pytest.mark.parametrize(
    ("told", "restarts", "rounds"),
    [
        (TWICE, [], "1! 2! 3!"),
        (TWICE, [1.0], "1? 2! 3!"),
        (TWICE, [2.5], "1? 2! 3!"),
        (TWICE, [2.6], "1! 2! 3!"),
        (THRICE, [1.0], "1! 2! 3!"),
        (THRICE, [2.2], "1? 2! 3!"),
        (THRICE, [1.0, 2.2], "1? 2! 3!"),
    ],
    ids=["none", "between", "at the join", "later", "saw it anew", "after both", "twice"],
)
def test_a_restart_forgets_what_was_seen(told: str, restarts: list[float], rounds: str) -> None:
    """Only spans of the life that saw a round must bring its vote."""
    assert truth(told, restarts={"ann": restarts}) == rounds


def test_a_restart_of_somebody_else_changes_nothing() -> None:
    """Lives are told by user."""
    assert truth(TWICE, restarts={"bob": [1.0]}) == "1! 2! 3!"


@check(
    {
        "edge 1 still waits": ("2.5 joined ann@1", "1! 2! 3?"),
        "edge 1 plays at last": ("3.5 joined ann@1", "2! 3?"),
        "edge 1 is stopped later": ("9.5 joined ann@1", "3?"),
        "edge 0 is on time": ("2.5 joined ann@0", "2! 3!"),
        "seen on edge 0, votes on edge 1": (
            "1.0 joined ann@0; 1.5 left ann; 2.9 joined ann/2@1",
            "1! 2! 3?",
        ),
        "edge 0 has told that it plays": (
            "2.1 joined ann@0; 2.3 left ann; 2.5 joined ann/2@1",
            "1? 2! 3?",
        ),
        "edge 0 told it to another": ("2.1 joined bob@0; 2.5 joined ann@1", "1! 2! 3?"),
        "the round is over when it is, not when told": ("2.9 joined ann@1; 4.1 left ann", "1!"),
        "too late for the platform": ("2.9 joined ann@1; 3.8 left ann", "1?"),
        "sent after it left": ("3.5 joined ann@1; 4.9 left ann", ""),
    }
)
def test_an_edge_that_is_behind_sends_what_it_knows(told: str, rounds: str) -> None:
    """The phases of a lagging edge come later; its votes have to arrive in time all the same."""
    assert truth(told, lags=LAGGING, inactive={"bob"}) == rounds


def test_over_at_a_lagging_edge_is_over_at_the_platform() -> None:
    """Edge 1 waits until 3.0 and plays until 5.0; a second before 4.0 is needed, not before 5.0."""
    late = "0.0 event active; 0.0 published P; 2.5 published T1; 4.0 closed T1; 9.0 event finished"
    assert truth("3.0 joined ann@1; 7.0 left ann", late, lags=LAGGING) == "1! 2!"
    assert truth("3.2 joined ann@1; 7.0 left ann", late, lags=LAGGING) == "1? 2!"


def test_a_vote_is_due_when_every_edge_knows_the_poll() -> None:
    """Edge 1 tells of the poll at 1.0, and who is on edge 0 may roam."""
    assert truth("-1 joined ann; 1.5 left ann", lags=LAGGING) == "1?"
    assert truth("-1 joined ann; 2.0 left ann", lags=LAGGING) == "1!"


def test_a_healed_edge_is_on_time() -> None:
    """Edge 1 is behind until 0.5 only."""
    lags = (0.0, 0.5), (1.0, 0.5)
    assert truth("2.5 joined ann@1", lags=lags) == "2! 3!"
    assert truth("-1 joined ann@1; 1.4 left ann", lags=lags) == "1?"
    assert truth("-1 joined ann@1; 1.5 left ann", lags=lags) == "1!"


# Polls

TWO_POLLS: dict[str, Any] = {"pages": [["P", "Q"]]}


@pytest.mark.parametrize(("left", "rounds"), [("2.4", "1?"), ("2.5", "1!")])
def test_a_replaced_poll_has_its_votes_due_anew(left: str, rounds: str) -> None:
    """Round 1 is counted by Q, which comes at 1.5."""
    story = f"1.5 revoked P; 1.5 published Q; -1 joined ann; {left} left ann"
    assert truth(story, **TWO_POLLS) == rounds


def test_a_round_that_was_over_keeps_the_poll_that_counted_it() -> None:
    """Q comes in round 2."""
    story = "5.0 revoked P; 5.0 published Q; -1 joined ann; 1.0 left ann"
    assert truth(story, **TWO_POLLS) == "1!"


@pytest.mark.parametrize(
    ("replaced", "told", "rounds"),
    [
        ("6.0", "-1 joined ann", "1! 2?"),
        ("6.0", "-1 joined ann; 3.0 left ann", "1?"),
        ("6.0", "-1 joined ann; 6.9 left ann", "1? 2?"),
        ("8.0", "-1 joined ann", "1! 2?"),
        ("8.0", "-1 joined ann; 8.5 left ann", "1? 2?"),
        ("9.0", "-1 joined ann", "1? 2?"),
    ],
    ids=["stays", "leaves before", "leaves after", "while playing", "too late", "as it ends"],
)
def test_a_round_played_again_is_counted_by_the_poll_that_it_ends_with(
    replaced: str, told: str, rounds: str
) -> None:
    """Trivia 1 is taken back at 5.0, and played again from 7.0 to 9.0; meanwhile Q replaces P."""
    show = f"""
        0.0 event active
        0.0 published P
        2.0 published T1
        4.0 closed T1
        5.0 revoked T1
        7.0 published T1
        9.0 closed T1
        9.5 event finished
        {replaced} revoked P
        {replaced} published Q
    """
    assert truth(told, show, **TWO_POLLS) == rounds


def test_without_a_poll_nobody_must_be_counted() -> None:
    """The phases are sent all the same."""
    assert truth("-1 joined ann", SHOW.replace("0.0 published P", "")) == "1? 2? 3?"
    assert truth(TWICE, SHOW.replace("0.0 published P", "")) == "1? 2? 3?"


@pytest.mark.parametrize(("left", "rounds"), [("6.4", "1! 2?"), ("6.5", "1! 2!")])
def test_every_page_has_its_own_poll(left: str, rounds: str) -> None:
    """With one option to a poll, round 2 is counted by Q, which comes at 5.5."""
    single = SCENARIO.model_copy(update={"options_per_poll": 1})
    story = f"5.5 published Q; -1 joined ann; {left} left ann"
    assert truth(story, scenario=single, pages=[["P"], ["Q"], ["R"]]) == rounds


def test_a_page_without_polls_counts_nobody() -> None:
    """Round 3 has a poll that is never published, or none at all."""
    single = SCENARIO.model_copy(update={"options_per_poll": 1})
    story = "4.0 published Q; -1 joined ann"
    for pages in ([["P"], ["Q"], ["R"]], [["P"], ["Q"]]):
        assert truth(story, scenario=single, pages=pages) == "1! 2! 3?"


# Waiting phases

PULLED = """
    0.0 event active
    0.0 published P
    2.0 published T1
    3.0 revoked T1
    5.0 published T1
    7.0 closed T1
    9.0 event finished
"""
TAKEN_BACK = """
    0.0 event active
    0.0 published P
    2.0 published T1
    4.0 closed T1
    5.0 revoked T1
    7.0 published T1
    8.0 closed T1
    9.0 event finished
"""


@pytest.mark.parametrize(
    ("show", "found"),
    [
        (SHOW, [Waiting(1, 0, 2, 4), Waiting(2, 4, 6, 8), Waiting(3, 8, 9, 9)]),
        (PULLED, [Waiting(1, 0, 2, 7), Waiting(1, 3, 5, 7), Waiting(2, 7, 9, 9)]),
        (
            TAKEN_BACK,
            [Waiting(1, 0, 2, 4), Waiting(2, 4, 5, 5), Waiting(1, 5, 7, 8), Waiting(2, 8, 9, 9)],
        ),
        (
            "0 event active; 2 published T1; 4 closed T1; 6 published T2; 7 revoked T1;8 closed T2",
            [Waiting(1, 0, 2, 4), Waiting(2, 4, 6, 7), Waiting(2, 8, NEVER, NEVER)],
        ),
        (
            "0 event active; 2 published T1; 3 published T2; 4 closed T1; 6 closed T2",
            [Waiting(1, 0, 2, 4), Waiting(3, 6, NEVER, NEVER)],
        ),
        (
            "0 event active; 2 published T1; 4 closed T1; 4 published T2; 5 event finished",
            [Waiting(1, 0, 2, 4), Waiting(2, 4, 4, 5)],
        ),
        (
            "0 event active; 2 published T1; 3 event finished; 3 closed T1; 4 revoked T1",
            [Waiting(1, 0, 2, 3)],
        ),
        ("0 event upcoming; 2 published T1; 4 closed T1", []),
        ("", []),
        ("0 event active", [Waiting(1, 0, NEVER, NEVER)]),
        ("0 event active; 2 published T1", [Waiting(1, 0, 2, NEVER)]),
        (
            "0 event active; 1 published X; 2 closed X; 3 revoked X; 4 joined ann; 5 left ann",
            [Waiting(1, 0, NEVER, NEVER)],
        ),
        (
            "0 event active; 0 joined ann; 1 revoked T1; 2 published T1; 3 accepted ann T1 0",
            [Waiting(1, 0, 2, NEVER)],
        ),
    ],
    ids=[
        "played one by one",
        "revoked while open",
        "revoked when finished, played again",
        "revoked while the next is open",
        "two open",
        "published as the one before is closed",
        "stopped while open",
        "never active",
        "nothing happened",
        "breaks off while waiting",
        "breaks off while playing",
        "no trivia",
        "revoked before it was published, and answered",
    ],
)
def test_a_phase_waits_while_the_event_is_active_and_no_trivia_open(
    show: str, found: list[Waiting]
) -> None:
    """Each with its round, its beginning and end, and when the round was over."""
    assert waitings(log(lines(show)), TRIVIA) == found


@check(
    {
        "sees the phase that came back": ("4.5 joined ann", "1! 2!"),
        "while open": ("2.5 joined ann; 2.9 left ann", ""),
        "saw the first phase alone": ("1.0 joined ann; 1.5 left ann; 5.5 joined ann/2", "1! 2!"),
    }
)
def test_a_trivia_revoked_while_open_brings_its_waiting_phase_back(told: str, rounds: str) -> None:
    """The round goes on: it is over when its trivia is finished, and none was that was pulled."""
    assert truth(told, PULLED) == rounds


@check(
    {
        "sees the phase that came back": ("6.0 joined ann", "1! 2!"),
        "saw round 2 alone": ("4.2 joined ann; 4.8 left ann", "2?"),
        "round 2 was too short, twice": ("4.2 joined ann; 8.5 left ann", "1! 2?"),
        "stays": ("4.2 joined ann", "1! 2!"),
    }
)
def test_a_finished_trivia_that_is_revoked_steps_back(told: str, rounds: str) -> None:
    """Round 1 waits once more, and who joins then may be counted in it."""
    assert truth(told, TAKEN_BACK) == rounds


@check(
    {
        "all the time": ("0.0 joined ann", "1! 3!"),
        "while the first is open": ("2.5 joined ann", "3!"),
        "until both are open": ("1.5 joined ann; 3.5 left ann", "1!"),
    }
)
def test_a_round_without_a_waiting_phase_counts_nobody(told: str, rounds: str) -> None:
    """With two trivia open, round 2 is playing as soon as one of them closes."""
    show = (
        "0 event active; 0 published P; 2 published T1; 3 published T2; 4 closed T1; 6 closed T2;"
        "9 event finished"
    )
    assert truth(told, show) == rounds


def test_an_event_stopped_while_a_trivia_is_open_ends_its_round() -> None:
    """No vote is cast in a finished event."""
    show = "0 event active; 0 published P; 2 published T1; 2.5 event finished"
    assert truth("1.5 joined ann", show) == "1!"
    assert truth("1.6 joined ann", show) == "1?"


def test_an_event_that_is_never_active_has_no_rounds() -> None:
    """Nor has an empty log."""
    joined = evidence(lines("-1 joined ann; 2 published T1; 4 closed T1"), SCENARIO)
    assert Truth.of(joined) == Truth.of(evidence("", SCENARIO)) == Truth({}, {})


def test_a_log_that_breaks_off_keeps_its_last_round() -> None:
    """The event was never stopped: whoever is there must be counted."""
    assert truth("1.0 joined ann", "0 event active; 0 published P") == "1!"
    assert truth("1.0 joined ann", "0 event active; 0 published P; 2 published T1") == "1!"
