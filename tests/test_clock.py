"""Virtual time: what is called when, and what comes first."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.clock import TICKS_PER_S, Clock, ticks


class Diary:
    """Notes what is called, and at which tick."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.notes: list[tuple[int, Any]] = []

    def note(self, what: Any, *_: object) -> None:
        """Note a call."""
        self.notes.append((self.clock.now, what))

    def at(self, tick: int, what: Any) -> None:
        """Enter a note."""
        self.clock.at(tick, (self.note, what, None, None))


def test_ticks_come_in_order_whatever_was_entered_first() -> None:
    """And within a tick who was entered first is first."""
    diary = Diary()
    for tick, what in ((7, "a"), (3, "b"), (7, "c"), (5, "d"), (3, "e"), (7, "a")):
        diary.at(tick, what)
    diary.clock.run()
    assert diary.notes == [(3, "b"), (3, "e"), (5, "d"), (7, "a"), (7, "c"), (7, "a")]


def test_a_call_gets_its_three_arguments() -> None:
    """A function and what to call it with."""
    clock, got = Clock(), list[tuple[object, ...]]()
    clock.at(1, (lambda *given: got.append(given), "one", 2, None))
    clock.run()
    assert got == [("one", 2, None)]


def test_a_tick_may_grow_while_it_is() -> None:
    """What is entered for the present tick is called in it, after all that was there before."""
    diary = Diary()

    def grow(times: int, *_: object) -> None:
        diary.note(f"grow {times}")
        if times:
            diary.clock.at(diary.clock.now, (grow, times - 1, None, None))

    diary.clock.at(4, (grow, 2, None, None))
    diary.at(4, "was there")
    diary.at(5, "later")
    diary.clock.run()
    assert [what for _, what in diary.notes] == ["grow 2", "was there", "grow 1", "grow 0", "later"]
    assert [tick for tick, _ in diary.notes] == [4, 4, 4, 4, 5]


def test_a_tick_may_be_entered_again_after_it_was_emptied() -> None:
    """A run that has ended can go on, from the tick that it is."""
    diary = Diary()
    diary.at(4, "first")
    diary.clock.run()
    diary.at(4, "second")
    diary.at(6, "third")
    diary.clock.run()
    assert diary.notes == [(4, "first"), (4, "second"), (6, "third")]


def test_calls_are_counted() -> None:
    """Those that were entered meanwhile, too."""
    diary = Diary()
    diary.at(1, "a")
    diary.clock.at(1, (lambda *_: diary.at(1, "b"), None, None, None))
    diary.at(9, "c")
    assert diary.clock.calls == 0
    diary.clock.run()
    assert (diary.clock.calls, diary.clock.now) == (4, 9)


def test_a_clock_without_calls_stands_still() -> None:
    """There is nothing to jump to."""
    clock = Clock()
    clock.run()
    assert (clock.now, clock.calls) == (0, 0)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.lists(st.integers(0, 20), max_size=3))))
def test_calls_are_in_the_order_of_tick_and_entry(plan: list[tuple[int, list[int]]]) -> None:
    """Whatever enters what: time never goes back, and a tick is first in, first out."""
    clock, entered, called = Clock(), list[tuple[int, int]](), list[tuple[int, int]]()

    def enter(tick: int, more: list[int]) -> None:
        key = tick, len(entered)
        entered.append(key)
        clock.at(tick, (partial(call, key), more, None, None))

    def call(key: tuple[int, int], more: list[int], *_: object) -> None:
        assert clock.now == key[0]
        called.append(key)
        for delay in more:
            enter(clock.now + delay, [])

    for tick, more in plan:
        enter(tick, more)
    clock.run()
    assert called == sorted(entered)
    assert clock.calls == len(entered)


@pytest.mark.parametrize(
    ("seconds", "tick"), [(0.0, 0), (1.0, 1000), (0.0004, 0), (0.0006, 1), (-0.25, -250)]
)
def test_a_tick_is_a_millisecond(seconds: float, tick: int) -> None:
    """Seconds are rounded to it."""
    assert ticks(seconds) == tick
    assert TICKS_PER_S == 1000
