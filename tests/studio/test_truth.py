"""The truth beside the count, from a log told line by line."""

from __future__ import annotations

from dataclasses import replace

from poll_counter.elements import EventState
from simulator.studio.settings import Settings
from simulator.studio.stage import Poll, Standing
from simulator.studio.truth import BUCKETS, Ledger, Told, TruthRow
from tests.checks.stories import count, log


def ledger(story: str) -> Ledger:
    """Take in a story; reading the truth takes no time."""
    made = Ledger(clock=lambda: 0.0)
    tell(made, story)
    return made


def tell(made: Ledger, story: str, *, after: str = "") -> None:
    """Tell a story, of which what comes `after` another is new."""
    made.log.extend(log(after + story)[len(log(after)) :])
    made.read("E")


def standing(round_: int, *polls: Poll, state: EventState = "active") -> Standing:
    """Where the show of the story stands; counted by P unless told."""
    trivia = [f"T{number}" for number in range(1, 11)]
    return Standing("E", state, round_, trivia, polls or (Poll("P", Settings(), 1),))


def rows(made: Ledger, now: float, show: Standing, **players: int | None) -> list[TruthRow]:
    """Judge the counts that the phone holds: r1=2, r2=3."""
    held = {int(name[1:]): count(int(name[1:]), many) for name, many in players.items()}
    made.judge(now, show, Told(held, ()))
    return made.rows


CALM = """
    -1.0 joined ann
    -1.0 joined bob
    0.0 event active
    0.0 published P
    1.0 accepted ann P 0
    2.0 accepted bob P 0
    6.0 published T1
    10.0 closed T1
"""


def bounds(made: Ledger) -> list[tuple[int, int, int | None]]:
    """Of every round: must, may, and by how many the count is off."""
    return [(row.must, row.may, row.off_by) for row in made.rows]


def test_a_round_that_is_over_is_judged() -> None:
    """Right when the count lies from must to may; else it is told by how many it does not."""
    made = ledger(CALM)
    rows(made, 10.5, standing(2), r1=2)
    assert bounds(made)[0] == (2, 2, 0)
    assert rows(made, 10.5, standing(2), r1=5)[0].off_by == 3
    assert rows(made, 10.5, standing(2), r1=1)[0].off_by == -1


def test_a_round_that_goes_on_is_not_judged() -> None:
    """Its bounds are those that it would have if the show ended now."""
    made = ledger(CALM)
    rows(made, 10.5, standing(2), r1=2, r2=1)
    assert bounds(made) == [(2, 2, 0), (0, 2, None)]
    rows(made, 14.5, standing(2), r1=2, r2=1)
    assert bounds(made) == [(2, 2, 0), (2, 2, None)]
    tell(made, "15.0 event finished", after=CALM)
    rows(made, 15.0, standing(2, state="finished"), r1=2, r2=1)
    assert bounds(made) == [(2, 2, 0), (2, 2, -1)]


def test_nothing_is_judged_without_a_count_that_has_settled() -> None:
    """Nor is anything told of an event that has not begun."""
    made = ledger(CALM)
    assert rows(made, 10.5, standing(2))[0].off_by is None
    late = replace(count(1, 1), settled=False)
    made.judge(10.5, standing(2), Told({1: late}, ()))
    assert made.rows[0].off_by is None
    assert made.rows[0].count == late
    assert rows(made, 10.5, standing(1, state="upcoming")) == []


def test_rounds_without_a_poll_have_no_count() -> None:
    """Nobody must be counted where there was nothing to vote in."""
    made = ledger(CALM.replace("0.0 published P", "10.2 published P"))
    rows(made, 15.0, standing(2, Poll("P", Settings(), 2)), r2=2)
    assert bounds(made) == [(0, 2, None), (2, 2, None)]
    rows(made, 15.0, Standing("E", "active", 2, ["T1"], ()))
    assert bounds(made) == [(0, 2, None), (0, 2, None)]


def test_the_last_poll_before_its_end_counts_a_round() -> None:
    """With the sample rate that it has: the other one's would tell another interval."""
    story = """
        10.5 revoked P
        10.5 published Q
        16.0 published T2
        20.0 closed T2
    """
    made = ledger(CALM + story)
    sampled = Poll("Q", Settings(sample_rate=0.1), 2)
    held = {1: count(1, 2), 2: count(2, 20, rate=0.1)}
    made.judge(20.5, standing(3, Poll("P", Settings(), 1), sampled), Told(held, ()))
    assert bounds(made)[:2] == [(2, 2, 0), (2, 2, 0)]
    unsampled = Poll("Q", Settings(), 2)
    made.judge(20.5, standing(3, Poll("P", Settings(), 1), unsampled), Told(held, ()))
    assert made.rows[1].off_by == 18


def test_votes_of_hostile_peers_are_part_of_the_truth() -> None:
    """Those that the platform admitted: nobody can keep them out of a count."""
    made = ledger("-1.0 joined eve" + CALM + "3.0 accepted eve P 0\n3.1 refused eve P 0")
    held = Told({1: count(1, 3)}, ())
    made.judge(10.5, standing(2), held, hostile={"eve"})
    assert bounds(made)[0] == (3, 3, 0)
    assert made.votes_accepted == 3


def test_who_was_disturbed_need_not_be_counted() -> None:
    """Its messages were late, so nobody knows whether its vote had to arrive."""
    made = ledger(CALM)
    made.judge(10.5, standing(2), Told({1: count(1, 1)}, ()), disturbances={"bob": [0.1]})
    assert bounds(made)[0] == (1, 2, 0)


def test_another_show_begins_anew() -> None:
    """What the platform still writes of the one before is left out."""
    made = ledger(CALM)
    rows(made, 10.5, standing(2), r1=2)
    made.log.extend(log(CALM))
    made.read("F")
    assert (made.votes_accepted, made.rows, made.log) == (0, [], [])
    assert sum(made.votes_over_time(11.0)) == 0


def test_votes_over_time_end_with_the_last_whole_bucket() -> None:
    """Half a minute of them, a quarter second each."""
    made = ledger(
        "0.0 joined ann\n1.0 accepted ann P 0\n1.2 accepted ann P 1\n1.3 accepted ann P 2"
    )
    assert made.votes_over_time(1.3)[-2:] == [0, 2]
    assert made.votes_over_time(1.5)[-3:] == [0, 2, 1]
    assert len(made.votes_over_time(1.5)) == BUCKETS
    assert sum(made.votes_over_time(31.6)) == 0


def test_freshness_is_that_of_the_last_round_with_votes() -> None:
    """From the acceptance of a vote to the count of the phone that has it."""
    made = ledger(CALM)
    reports = [(1.1, 1, 1), (2.3, 1, 2)]
    made.judge(3.0, standing(1), Told({1: count(1, 2)}, reports))
    assert made.freshness_ms == {"p50": 100.0, "p99": 100.0}
    ahead = "11.0 accepted ann P 1\n11.0 accepted bob P 2"  # bob is a round ahead
    tell(made, ahead, after=CALM)
    made.judge(12.0, standing(2), Told({1: count(1, 2), 2: count(2, 1)}, [*reports, (11.2, 2, 1)]))
    assert made.freshness_ms == {"p50": 200.0, "p99": 200.0}


def test_the_truth_takes_a_tenth_of_the_time_at_most() -> None:
    """While players come and go it is read when that allows it; a change of the show at once."""
    times = iter([0.0, 0.5, 0.0, 0.5, 0.0, 0.5])
    made = Ledger(clock=lambda: next(times))
    begin, then = "0.0 joined ann\n0.0 event active\n0.0 published P\n", "1.5 joined bob\n"
    tell(made, begin)
    assert rows(made, 1.0, standing(1))[0].may == 1
    tell(made, then, after=begin)
    assert rows(made, 5.9, standing(1))[0].may == 1
    assert rows(made, 6.0, standing(1))[0].may == 2
    tell(made, "6.1 joined cyd\n6.1 published T1", after=begin + then)
    assert rows(made, 6.2, standing(1))[0].may == 3
    assert next(times, None) is None
