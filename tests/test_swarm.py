"""The crowd's book-keeping: who is in, and what each player was told and shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest

from poll_counter import State, WebSocketTransport
from poll_counter.commands import CastVote
from poll_counter.facts import Disconnected, Fact, ResultsTold, Welcomed
from simulator.scenario import Fault, Plan, Scenario
from simulator.swarm import Player, PlayerTransport, Swarm

NOWHERE = "ws://127.0.0.1:1"


def player(plan: Plan | None = None) -> Player:
    """Make a player that has not been told anything yet."""
    return Player(plan or Plan(0, -0.1), PlayerTransport(NOWHERE))


def swarm_of(scenario: Scenario) -> Swarm:
    """Make a crowd for a platform that is not there."""
    return Swarm(NOWHERE, "show", scenario)


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


async def test_who_has_left_is_not_connected_any_more() -> None:
    """Nor is it asked what is going on."""
    swarm = swarm_of(Scenario(players=2))
    for one in swarm.players:
        one.counter._machine.state = State.WAITING
    assert swarm.connected == 2
    async with swarm.players[0].counter:
        pass
    swarm.players[0].counter._machine.state = State.WAITING
    assert swarm.connected == 1
    assert swarm._observer() is swarm.players[1].counter


async def test_a_crowd_keeps_the_time_of_the_show() -> None:
    """What is planned for a moment happens then, also of a show that is late."""
    swarm = swarm_of(Scenario(players=0))
    loop, came = asyncio.get_running_loop(), list[float]()

    async def wait() -> None:
        await swarm._until(0.15)
        came.append(loop.time())

    async with asyncio.TaskGroup() as group:
        group.create_task(wait())
        await asyncio.sleep(0)
        assert not came, "the show has not begun"
        swarm.keep_time(0.0)
        await asyncio.sleep(0.1)
        swarm.keep_time(0.05)
        began = loop.time()
    assert came[0] - began >= 0.1 - 0.002
    assert swarm.elapsed_s >= 0.15 - 0.002
    await swarm._until(0.01)


# An app that is started again


async def test_a_player_is_the_sum_of_its_apps() -> None:
    """What it did before it was started again counts; who it was, and by which network."""
    swarm = swarm_of(Scenario(players=1, round_time=0.2))
    (one,) = swarm.players
    first = one.transport
    one.counter._sent, one.counter._connects = 3, 2
    await swarm._start_again(one, keeps_journal=True)
    one.counter._sent, one.counter._connects = 4, 1
    (user,) = one.users
    assert (one.total("votes_sent"), one.total("connects"), one.reconnects) == (7, 3, 2)
    assert [restarted for restarted, _ in one.restarts] == [user]
    await swarm._start_again(one, keeps_journal=False)
    assert len(one.restarts) == 1
    assert one.users == [user, one.journal.player_id]
    assert one.users[1] != user
    assert one.total("votes_sent") == swarm.total("votes_sent") == 7
    assert [whose for whose, _ in one.transports] == [user, user, one.users[1]]
    assert one.transports[0][1] is first
    assert one.transports[2][1] is one.transport


async def test_who_watches_does_so_again() -> None:
    """Inactive from the start, whenever that is."""
    swarm = swarm_of(Scenario(players=1, round_time=0.2, watch=1.0))
    (one,) = swarm.players
    assert not one.counter.active
    await swarm._start_again(one, keeps_journal=False)
    assert not one.counter.active


async def test_an_app_that_is_started_after_the_heal_has_a_good_network() -> None:
    """Nobody would heal it any more."""
    faults = (Fault(verdict="drop", share=1.0),)
    swarm = swarm_of(Scenario(players=1, rounds=2, round_time=0.2, faults=faults, healed=1))
    (one,) = swarm.players
    assert one.transport.faults == faults
    swarm.keep_time(0.1)
    await swarm._start_again(one, keeps_journal=True)
    assert one.transport.faults == faults
    swarm.keep_time(0.2)
    await swarm._start_again(one, keeps_journal=True)
    assert not one.transport.faults


def test_who_was_disturbed_says_so() -> None:
    """By its plan, by its network, or by a connection that was lost."""
    swarm = swarm_of(Scenario(players=1))
    (one,) = swarm.players
    assert one.observation().undisturbed
    one.transport.disturbances = [1.0]
    assert not one.observation().undisturbed
    one.transport.disturbances = ()
    one.counter._connects = 2
    assert not one.observation().undisturbed
    one.counter._connects = 1
    assert one.observation().undisturbed
    one.plan = Plan(0, 0.5)
    assert not one.observation().undisturbed


# A network with faults


def results(number: int) -> ResultsTold:
    """Make a fact that can be told apart."""
    return ResultsTold("P", (number,))


async def brought(
    monkeypatch: pytest.MonkeyPatch,
    facts: Sequence[Fact],
    faults: Sequence[Fault] = (),
    draws: Callable[[], float] = lambda: 0.0,
) -> tuple[list[Fact], PlayerTransport]:
    """Bring facts over a network with faults; gives those that arrive."""

    async def bring(_self: object, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        assert (event_id, player_id) == ("show", "ann")
        for fact in facts:
            yield fact

    monkeypatch.setattr(WebSocketTransport, "facts", bring)
    transport = PlayerTransport(NOWHERE)
    if faults:
        transport.suffer(tuple(faults), draws)
    return [fact async for fact in transport.facts("show", "ann")], transport


HELLO = Welcomed("active", ())
BYE = Disconnected()


def fault(verdict: Any, share: float = 1.0, way: Any = "both") -> Fault:
    """Make a fault of very short delays."""
    return Fault(verdict=verdict, share=share, way=way, delay_s=0.001)


@pytest.mark.parametrize(
    ("faults", "facts", "arrive"),
    [
        ([], [HELLO, 1, 2, BYE], [HELLO, 1, 2, BYE]),
        ([fault("drop")], [HELLO, 1, 2, BYE, HELLO, 3], [HELLO, BYE, HELLO]),
        ([fault("drop", way="up")], [HELLO, 1, BYE], [HELLO, 1, BYE]),
        ([fault("later")], [HELLO, 1, 2, BYE], [HELLO, 1, 2, BYE]),
        ([fault("repeat")], [HELLO, 1, 2, BYE], [HELLO, 1, 1, 2, 2, BYE]),
        ([fault("reorder")], [HELLO, 1, 2, 3, 4, BYE], [HELLO, 2, 1, 4, 3, BYE]),
        ([fault("reorder")], [HELLO, 1, BYE, HELLO, 2, 3], [HELLO, BYE, HELLO, 3, 2]),
        ([fault("reorder", way="down")], [HELLO, 1, BYE], [HELLO, BYE]),
        ([fault("drop", share=0.0), fault("repeat")], [HELLO, 1], [HELLO, 1, 1]),
        ([fault("repeat"), fault("drop")], [HELLO, 1], [HELLO, 1, 1]),
    ],
    ids=str,
)
async def test_what_becomes_of_facts(
    faults: Sequence[Fault],
    facts: Sequence[Fact | int],
    arrive: Sequence[Fact | int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lost, late, twice, overtaken; welcome and loss always pass, and end what was held back."""
    assert (await brought(monkeypatch, told(facts), faults))[0] == told(arrive)


def told(line: Sequence[Fact | int]) -> list[Fact]:
    """Facts, of which numbers stand for those that can be told apart."""
    return [results(each) if isinstance(each, int) else each for each in line]


async def test_an_overtaken_fact_comes_also_after_a_lost_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It waits for the next that was sent, not for the next that arrives."""
    draws = iter([0.0, 1.0, 0.0])  # the first is overtaken, the second dropped
    faults = [fault("reorder", 0.5), fault("drop", 0.5)]
    facts, _ = await brought(monkeypatch, [results(1), results(2)], faults, lambda: next(draws))
    assert facts == [results(1)]


async def test_verdicts_are_counted_and_disturbances_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of messages that a verdict fell on, and of those alone."""
    draws = iter([0.0, 0.9, 0.0])
    facts: list[Fact] = [HELLO, results(1), results(2), results(3), BYE]
    before = asyncio.get_running_loop().time()
    _, transport = await brought(monkeypatch, facts, [fault("drop", 0.5)], lambda: next(draws))
    assert transport.verdicts == {"drop": 2}
    assert len(transport.disturbances) == 2
    assert before <= transport.disturbances[0] <= transport.disturbances[1]


async def test_a_good_network_has_no_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is drawn for it, either."""
    _, transport = await brought(monkeypatch, [HELLO, results(1)])
    assert (transport.verdicts, list(transport.disturbances), transport.faults) == ({}, [], ())


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The options of votes that left."""
    votes = list[int]()

    async def send(_self: object, vote: CastVote) -> None:
        votes.append(vote.option)

    monkeypatch.setattr(WebSocketTransport, "send", send)
    return votes


@pytest.mark.parametrize(
    ("faults", "leave"),
    [
        ([], [0, 1]),
        ([fault("drop")], []),
        ([fault("drop", way="down")], [0, 1]),
        ([fault("repeat", way="up")], [0, 0, 1, 1]),
        ([fault("later")], [0, 1]),
        ([fault("reorder")], [0, 1]),
    ],
    ids=str,
)
async def test_what_becomes_of_votes(
    faults: Sequence[Fault], leave: list[int], sent: list[int]
) -> None:
    """Lost, late or twice."""
    transport = PlayerTransport(NOWHERE)
    transport.suffer(tuple(faults), lambda: 0.0)
    for option in (0, 1):
        await transport.send(CastVote("P", option))
    assert sent == leave
    assert transport.verdicts == {each.verdict: 2 for each in faults if each.way != "down"}


async def test_a_late_vote_is_lost_with_its_connection(sent: list[int]) -> None:
    """It does not arrive on the next one, as if it had just been cast."""
    transport = PlayerTransport(NOWHERE)
    transport.suffer((fault("later"),), lambda: 0.5)
    sending = asyncio.create_task(transport.send(CastVote("P", 0)))
    await asyncio.sleep(0)
    transport._connection = object()  # type: ignore[assignment] # another one
    await sending
    assert sent == []
    await transport.send(CastVote("P", 1))
    assert sent == [1]


class Cuttable(PlayerTransport):
    """Notes how often it was cut."""

    cuts = 0

    def cut(self) -> None:
        """Note it."""
        self.cuts += 1


async def test_the_heal_makes_a_disturbed_connection_anew(sent: list[int]) -> None:
    """And leaves alone one that nothing happened to; from then on everything passes."""
    calm, disturbed, good = Cuttable(NOWHERE), Cuttable(NOWHERE), Cuttable(NOWHERE)
    for transport in (calm, disturbed):
        transport.suffer((fault("drop"),), lambda: 0.0)
    await disturbed.send(CastVote("P", 0))
    for transport in (calm, disturbed, good):
        transport.heal()
        transport.heal()
        assert transport.faults == ()
    assert (calm.cuts, disturbed.cuts, good.cuts) == (0, 1, 0)
    await disturbed.send(CastVote("P", 1))
    assert sent == [1]
    assert disturbed.verdicts == {"drop": 1}
