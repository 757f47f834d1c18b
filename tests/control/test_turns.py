"""Turns: reads of one token never come too close, and nobody starves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poll_counter.control.turns import Turn, Turns


def ask(turns: Turns, ready_at: float, *, key: str = "token", gap_s: float = 60.0) -> Turn:
    """Queue up."""
    turn = Turn(key, ready_at, gap_s)
    turns.ask(turn)
    return turn


def test_a_turn_is_not_taken_before_it_is_ready() -> None:
    """It is told how long to wait."""
    turns = Turns()
    turn = ask(turns, 60.0)
    assert turns.take(turn, 10.0) == 50.0
    assert turns.take(turn, 60.0) == 0.0


def test_the_next_begins_a_gap_after_the_end_of_the_last() -> None:
    """A slow read counts with its end, one that has not ended with its beginning."""
    turns = Turns()
    first, second = ask(turns, 0.0), ask(turns, 0.0)
    assert turns.take(first, 5.0) == 0.0
    assert turns.take(second, 5.0) == 60.0
    turns.end(first, 12.0)
    assert turns.take(second, 65.0) == 7.0
    assert turns.take(second, 72.0) == 0.0


def test_who_is_ready_for_longest_comes_first() -> None:
    """One that waits for long does not hold up those that are ready before it."""
    turns = Turns()
    slow, late, early = ask(turns, 300.0), ask(turns, 61.0), ask(turns, 60.0)
    assert turns.take(early, 60.0) == 0.0
    assert turns.take(late, 60.0) == 60.0
    assert turns.take(slow, 60.0) == 240.0


def test_who_stays_away_loses_its_turn_only() -> None:
    """A publisher that hangs does not keep the others from reading."""
    turns = Turns()
    first, second = ask(turns, 60.0), ask(turns, 60.0)
    assert turns.take(second, 119.0) == 1.0
    assert turns.take(second, 120.0) == 0.0
    assert turns.take(first, 120.0) == 60.0


def test_nobody_waits_for_who_has_left() -> None:
    """Leaving twice, or after the turn, does nothing."""
    turns = Turns()
    first, second = ask(turns, 60.0), ask(turns, 60.0)
    turns.leave(first)
    turns.leave(first)
    assert turns.take(second, 60.0) == 0.0
    turns.leave(second)


def test_tokens_do_not_wait_for_each_other() -> None:
    """Each has its own schedule."""
    turns = Turns()
    one, other = ask(turns, 0.0), ask(turns, 0.0, key="other")
    assert turns.take(one, 0.0) == 0.0
    assert turns.take(other, 0.0) == 0.0


@pytest.mark.parametrize("publishers", [2, 3, 7])
def test_equal_publishers_read_equally_often(publishers: int) -> None:
    """In the order in which they began."""
    turns, now, reads = Turns(), 0.0, list[int]()
    waiting = {index: ask(turns, 60.0) for index in range(publishers)}
    while len(reads) < 5 * publishers:
        waits = {index: turns.take(turn, now) for index, turn in waiting.items()}
        for index, wait_s in waits.items():
            if wait_s == 0.0:
                reads.append(index)
                turns.end(waiting[index], now)
                waiting[index] = ask(turns, now + 60.0)
        now += min(wait_s or 60.0 for wait_s in waits.values())
    assert reads == [*range(publishers)] * 5


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from(["ask", "take", "end", "leave"]),
            st.floats(0.0, 100.0),
        ),
        max_size=60,
    )
)
def test_reads_are_never_closer_than_the_gap(steps: list[tuple[int, str, float]]) -> None:
    """Whatever publishers do, and whenever."""
    turns, now, last = Turns(), 0.0, float("-inf")
    waiting, reading = dict[int, Turn](), dict[int, Turn]()
    for who, step, passed in steps:
        now += passed
        if step == "ask" and who not in waiting:
            waiting[who] = ask(turns, now + passed)
        elif step == "take" and who in waiting and turns.take(waiting[who], now) == 0.0:
            assert now >= last + 60.0
            assert now >= waiting[who].ready_at
            last, reading[who] = now, waiting.pop(who)
        elif step == "end" and who in reading:
            turns.end(reading.pop(who), now)
            last = now
        elif step == "leave" and who in waiting:
            turns.leave(waiting.pop(who))
