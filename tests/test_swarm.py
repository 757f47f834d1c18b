"""The crowd's book-keeping: who is in, and what each player was told and shown."""

from __future__ import annotations

import pytest

from poll_counter import RoundCount, State
from simulator.scenario import Plan, Scenario
from simulator.swarm import Player, PlayerTransport, Swarm

NOWHERE = "ws://127.0.0.1:1"


def player(plan: Plan | None = None) -> Player:
    """Make a player that has not been told anything yet."""
    return Player(plan or Plan(0, -0.1, None, None), PlayerTransport(NOWHERE))


def count(round_: int, players: int | None, as_of: float | None = 1.0) -> RoundCount:
    """Make a count."""
    votes = players or 0
    return RoundCount(round_, players, votes, votes, None, 1.0, settled=False, as_of=as_of)


def swarm_of(scenario: Scenario) -> Swarm:
    """Make a crowd for a platform that is not there."""
    return Swarm(NOWHERE, "show", scenario)


# What a player was told and shown


def test_what_was_told_is_noted_with_its_time() -> None:
    """When, which round, how many votes; a count without a tally was not told by the platform."""
    one = player()
    one.on_count(count(1, None, as_of=None))
    one.on_count(count(1, 3, as_of=7.5))
    one.on_count(count(2, None, as_of=8.0))
    assert one.told == [(7.5, 1, 3), (8.0, 2, 0)]


def test_what_is_shown_is_what_is_held_when_the_trivia_is_published() -> None:
    """The last count of the waiting phase, not what comes while playing."""
    one = player()
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


def test_nothing_is_shown_to_who_comes_while_a_trivia_is_open() -> None:
    """On the first connection, and on the way back: it did not see the publication."""
    one = player()
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
    one = player()
    for state in states:
        one.on_state(state)
    assert one.connected is connected


@pytest.mark.parametrize(
    ("plan", "undisturbed"),
    [
        (Plan(4, -0.2, None, None), True),
        (Plan(4, 0.2, None, None), False),
        (Plan(4, -0.2, 3.0, None), False),
        (Plan(4, -0.2, None, 3.0), False),
    ],
    ids=["stays", "late", "leaves", "drops"],
)
async def test_who_is_there_all_the_time_is_undisturbed(plan: Plan, *, undisturbed: bool) -> None:
    """Freshness is measured at those to whom nothing was to happen."""
    one = swarm_of(Scenario(players=1)).players[0]
    one.plan = plan
    assert one.observation().undisturbed is undisturbed


# Who is in


async def test_a_crowd_has_arrived_when_all_who_are_not_late_are_connected() -> None:
    """Late players are not waited for, and do not stand in for those who are."""
    swarm = swarm_of(Scenario(players=4, late=0.5))
    late = [one for one in swarm.players if one.plan.join_at >= 0.0]
    first, second = (one for one in swarm.players if one.plan.join_at < 0.0)
    for one in late:
        swarm._on_state(one)(State.UPCOMING)
    swarm._on_state(first)(State.UPCOMING)
    swarm._on_state(first)(State.OFFLINE)
    swarm._on_state(first)(State.UPCOMING)
    assert not swarm.arrived.is_set()
    assert swarm.phase == "players arrive"
    swarm._on_state(second)(State.UPCOMING)
    assert swarm.arrived.is_set()


async def test_the_show_begins_once_a_player_sees_it() -> None:
    """A crowd at somebody else's platform takes its time from there, and only once."""
    swarm = swarm_of(Scenario(players=2))
    begin = swarm._on_state(swarm.players[0])
    begin(State.UPCOMING)
    assert not swarm._began.is_set()
    begin(State.WAITING)
    assert swarm._began.is_set()
    start = swarm._start
    begin(State.PLAYING)
    swarm.begin()
    assert swarm._start == start


async def test_a_crowd_of_nobody_is_in_at_once() -> None:
    """There is nobody to wait for, and no observer to ask."""
    swarm = swarm_of(Scenario(players=0))
    assert swarm.arrived.is_set()
    assert (swarm.phase, swarm.connected) == ("nobody is in", 0)
    assert (swarm.counts, swarm.elapsed_s) == ([], 0.0)
    await swarm.run()


def test_a_player_who_is_not_connected_can_be_cut() -> None:
    """Cutting a connection that is not there is harmless."""
    player().transport.cut()
