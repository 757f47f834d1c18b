"""What an observer notes: what it was told and shown, and whether it saw the event end."""

from __future__ import annotations

import pytest

from poll_counter import RoundCount, State
from simulator.observer import Observer


def count(round_: int, players: int | None, as_of: float | None = 1.0) -> RoundCount:
    """Make a count."""
    votes = players or 0
    return RoundCount(round_, players, votes, votes, None, 1.0, settled=False, as_of=as_of)


def test_what_was_told_is_noted_with_its_time() -> None:
    """When, which round, how many votes; a count without a tally was not told by the platform."""
    one = Observer()
    one.on_count(count(1, None, as_of=None))
    one.on_count(count(1, 3, as_of=7.5))
    one.on_count(count(2, None, as_of=8.0))
    assert one.told == [(7.5, 1, 3), (8.0, 2, 0)]


def test_what_is_shown_is_what_is_held_when_the_trivia_is_published() -> None:
    """The last count of the waiting phase, not what comes while playing."""
    one = Observer()
    one.on_state(State.WAITING)
    one.on_count(count(1, 3))
    one.on_count(count(1, 5))
    one.on_state(State.PLAYING)
    one.on_count(count(1, 6))
    assert one.shown == {1: 5}
    one.on_state(State.WAITING)
    one.on_count(count(2, None))
    one.on_state(State.PLAYING)
    assert one.shown == {1: 5, 2: 0}


def test_a_state_may_be_told_again() -> None:
    """In virtual time it is told with everything that happens."""
    one = Observer()
    for state in (State.WAITING, State.WAITING):
        one.on_state(state)
        one.on_count(count(1, 4))
    for state in (State.PLAYING, State.PLAYING, State.FINISHED, State.FINISHED):
        one.on_state(state)
        one.on_count(count(1, 7))
    assert one.shown == {1: 4}
    assert one.connected


def test_nothing_is_shown_to_who_comes_while_a_trivia_is_open() -> None:
    """On the first connection, and on the way back: it did not see the publication."""
    one = Observer()
    one.on_state(State.PLAYING)
    one.on_count(count(1, 4))
    one.on_state(State.WAITING)
    one.on_state(State.PLAYING)
    assert one.shown == {}, "nothing was told in the waiting phase"
    one.on_state(State.WAITING)
    one.on_count(count(3, 4))
    one.on_state(State.OFFLINE)
    one.on_state(State.PLAYING)
    assert one.shown == {}


@pytest.mark.parametrize(
    ("states", "connected"),
    [
        ([State.WAITING, State.PLAYING, State.ENDING, State.FINISHED], True),
        ([State.WAITING, State.FINISHED], True),
        ([State.WAITING, State.ENDING, State.OFFLINE, State.FINISHED], True),
        ([State.WAITING, State.OFFLINE, State.ENDING, State.FINISHED], False),
        ([State.ENDING], False),
        ([State.WAITING, State.OFFLINE], False),
    ],
)
def test_who_saw_the_event_end_is_an_observer(states: list[State], *, connected: bool) -> None:
    """Those who come, or come back, to an event that is over do not know when it ended."""
    one = Observer()
    for state in states:
        one.on_state(state)
    assert one.connected is connected


def test_an_app_that_ended_forgets_what_it_was_told() -> None:
    """What it is told when started again may be older; what it was shown is history."""
    one = Observer()
    one.on_state(State.WAITING)
    one.on_count(count(1, 5))
    one.on_state(State.PLAYING)
    one.on_state(State.WAITING)
    one.on_count(count(2, 5))
    one.forget()
    assert (one.told, one.shown, one.connected) == ([], {1: 5}, False)
    one.on_state(State.WAITING)
    one.on_state(State.PLAYING)
    assert one.shown == {1: 5}, "what it held then is gone, too"
    one.on_state(State.ENDING)
    assert one.connected


def test_an_observation_is_all_that_was_noted() -> None:
    """With the counts that are held now, and whether anything was to happen to the player."""
    one = Observer()
    one.on_state(State.WAITING)
    one.on_count(count(1, 5, as_of=2.5))
    one.on_state(State.PLAYING)
    one.on_state(State.FINISHED)
    counts = {1: count(1, 6)}
    observation = one.observation(counts, undisturbed=True)
    assert observation == (True, True, counts, {1: 5}, [(2.5, 1, 5)])
    assert not one.observation(counts, undisturbed=False).undisturbed
