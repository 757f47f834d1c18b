"""The statistics of an event's connections."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.audience import Audience


class Hall:
    """An audience that counts its connections itself."""

    def __init__(self, sample_s: float = 5.0) -> None:
        self.audience = Audience(sample_s)
        self.connected = 0

    def join(self, user: str, now: float) -> None:
        """Somebody connects."""
        self.audience.joined(user, self.connected, now)
        self.connected += 1

    def leave(self, now: float) -> None:
        """Somebody disconnects."""
        self.audience.left(self.connected, now)
        self.connected -= 1

    @property
    def peak(self) -> int:
        """The peak as a reader has it."""
        return self.audience.peak_now(self.connected)


def test_nobody_has_been_there_yet() -> None:
    """Without a session there is no average, and no division by it."""
    hall = Hall()
    assert (hall.peak, hall.audience.unique_users, hall.audience.sessions) == (0, 0, 0)
    assert hall.audience.average_session_s(0, 100.0) == 0.0


def test_users_are_counted_once_and_sessions_each_time() -> None:
    """A reconnect is a second session of the same user (contract section 6.6)."""
    hall = Hall()
    hall.join("ann", 1.0)
    hall.leave(2.0)
    hall.join("ann", 3.0)
    hall.join("bob", 3.0)
    assert (hall.audience.unique_users, hall.audience.sessions) == (2, 3)


def test_the_average_session_counts_those_that_still_run() -> None:
    """Total duration over the number of sessions."""
    hall = Hall()
    hall.join("ann", 10.0)
    hall.join("bob", 14.0)
    hall.leave(16.0)
    assert hall.audience.average_session_s(hall.connected, 20.0) == (10 + 2) / 2
    hall.leave(20.0)
    assert hall.audience.average_session_s(hall.connected, 99.0) == (10 + 2) / 2


def test_the_peak_is_what_the_samples_saw() -> None:
    """A crowd that came and went between two samples was not seen; the next one is."""
    hall = Hall(sample_s=5.0)
    hall.join("ann", 1.0)
    hall.join("bob", 2.0)
    hall.leave(4.0)
    assert hall.audience.peak == 0
    hall.join("eve", 4.5)
    hall.leave(5.0)  # the sample at 5 saw two
    assert hall.audience.peak == 2
    hall.leave(9.9)
    assert hall.peak == 2


def test_a_quiet_time_is_sampled_too() -> None:
    """The samples of a time in which nobody came or went are made up for by the next change."""
    hall = Hall(sample_s=5.0)
    for name in "abc":
        hall.join(name, 1.0)
    hall.leave(100.0)
    hall.leave(101.0)
    hall.leave(102.0)
    assert hall.peak == 3


def test_a_read_is_a_sample() -> None:
    """The peak is never under the number that stands beside it, and what was read stays."""
    hall = Hall()
    hall.join("ann", 1.0)
    hall.join("bob", 1.0)
    assert hall.peak == 2
    hall.leave(2.0)
    hall.leave(2.0)
    assert hall.peak == 2


@settings(derandomize=True, deadline=None)
@given(
    sample_s=st.sampled_from([0.5, 5.0]),
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=40),
)
def test_the_peak_and_the_sessions_are_those_of_a_sampler_that_looks(
    sample_s: float, steps: list[tuple[bool, int]]
) -> None:
    """Lazily found, they are those found by stepping through time and looking."""
    hall, now, seen, lived = Hall(sample_s), 0.0, 0, 0.0
    tick = 0.25
    for joins, ticks in steps:
        for _ in range(ticks):
            now += tick
            lived += tick * hall.connected
            if now % sample_s == 0:
                seen = max(seen, hall.connected)
        if joins:
            hall.join("somebody", now)
        elif hall.connected:
            hall.leave(now)
    hall.audience.left(hall.connected, now)  # so that the last samples are made up for
    assert hall.audience.peak == seen
    sessions = hall.audience.sessions
    average = hall.audience.average_session_s(hall.connected, now)
    assert average == pytest.approx(lived / sessions if sessions else 0.0)
