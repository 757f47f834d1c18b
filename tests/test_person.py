"""One player in virtual time: its timer, its journal, its connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from poll_counter import State
from poll_counter.commands import CastVote, Command, Remember, RememberRate
from poll_counter.elements import Recognise
from poll_counter.facts import (
    AnswerAccepted,
    Disconnected,
    ElementPublished,
    EventStateChanged,
    Fact,
    TimePassed,
    Welcomed,
)
from poll_counter.machine import Machine
from poll_counter.rounds import Progress
from simulator.clock import Clock
from simulator.emulator import Emulator
from simulator.hostile import Hostile
from simulator.network import Link
from simulator.observer import Observer
from simulator.person import Inhabitant, Intruder, MakeMachine, Memory, Person, user_of
from simulator.scenario import Plan, Restart, Scenario
from simulator.show import prepare

SCENARIO = Scenario(players=10, rounds=3, spread=0.0)
RESTARTS = (Restart(1.0, keeps_journal=True),)


class Around:
    """What is around a player: notes what it does, and connects it at once."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.hellos: list[str] = []
        self.votes: list[tuple[int, CastVote]] = []
        self.cuts = 0

    def connect(self, who: Inhabitant) -> None:
        """Note a hello."""
        who.connects += 1
        self.hellos.append(who.user)
        who.link = Link(who, who.user, who.connects, who.edge, who.draws, slow=who.slow)

    def cut(self, who: Inhabitant) -> None:
        """Note a cut."""
        who.link = None
        self.cuts += 1

    def vote(self, link: Link, vote: CastVote) -> None:
        """Note a vote."""
        self.votes.append((link.connection, vote))

    def at(self, tick: int, call: Callable[[], object]) -> None:
        """Enter a call."""
        self.clock.at(tick, (lambda *_: call(), None, None, None))


@dataclass
class Script:
    """What a scripted machine is to answer, and what it was told."""

    deadlines: list[float | None] = field(default_factory=list)
    """After each call the next of these is its deadline."""
    told: list[tuple[float, Fact]] = field(default_factory=list)

    def make(self, **given: Any) -> Machine:
        """Make a machine of this script."""
        script = self

        class Scripted(Machine):
            def receive(self, fact: Fact, now: float) -> tuple[Command, ...]:
                script.told.append((now, fact))
                self.deadline = script.deadlines.pop(0) if script.deadlines else None
                return ()

        return Scripted(**given)

    @property
    def wakes(self) -> list[float]:
        """When it was woken."""
        return [now for now, fact in self.told if isinstance(fact, TimePassed)]


def person(
    around: Around,
    make: MakeMachine = Machine,
    *,
    plan: Plan | None = None,
    observer: Observer | None = None,
    scenario: Scenario = SCENARIO,
) -> Person:
    """Make a player."""
    plan = plan or Plan(3, -0.1)
    progress = Progress(Recognise())
    return Person(plan, scenario, around, make=make, progress=progress, observer=observer)


# Who it is


def test_ids_are_128_bits_and_differ() -> None:
    """By seed, player and installation; pinned for ever."""
    ids = [user_of(1, 2, 3), user_of(2, 2, 3), user_of(1, 3, 3), user_of(1, 2, 4)]
    assert len(set(ids)) == 4
    assert all(len(bytes.fromhex(user)) == 16 for user in ids)
    assert user_of(1, 0, 0) == "15351c1f842825b2415bf4c30380c34a"


def test_a_player_is_a_place_to_start_from() -> None:
    """Its app does not run before it is started, and connects once it is."""
    around = Around()
    one = person(around, plan=Plan(3, -0.1, slow=True))
    assert (one.runs, one.link, one.user, one.slow) == (False, None, user_of(1, 3, 0), True)
    one.start()
    one.start()
    assert one.runs
    assert around.hellos == [one.user]
    assert one.votes_sent == 0


def test_a_player_that_roams_says_hello_to_the_next_edge() -> None:
    """With each of its connects."""
    one = person(
        Around(), plan=Plan(3, -0.1, edge=1, roams=True), scenario=Scenario(players=10, edges=3)
    )
    edges = []
    for connects in (1, 2, 3):
        one.connects = connects
        edges.append(one.edge)
    assert edges == [1, 2, 0]


# The timer


def played(deadlines: list[float | None], *told_at: int) -> tuple[Around, Script]:
    """Start a player whose machine has these deadlines, and tell it something at these ticks."""
    around, script = Around(), Script([*deadlines])
    one = person(around, script.make)
    one.start()
    for tick in told_at:
        around.at(tick, lambda: one.tell(Disconnected()))
    around.clock.run()
    return around, script


def test_a_machine_is_woken_at_its_deadline() -> None:
    """In the first tick that is not before it, with a time that is not before it."""
    around, script = played([0.5, 1.2345, 1.2345], 100)
    assert script.wakes == [0.5, 1.235, 1.235]
    assert around.clock.now == 1235


def test_a_deadline_that_has_come_is_met_at_once() -> None:
    """In the same tick."""
    _, script = played([0.05, None], 100)
    assert script.wakes == [0.1]


def test_an_earlier_deadline_takes_the_place_of_a_later_one() -> None:
    """The wake that is out of date does nothing."""
    _, script = played([0.5, 0.3, None], 100, 200)
    assert script.wakes == [0.3]


def test_a_wake_that_is_out_of_date_enters_no_other() -> None:
    """Else the calls for one player would grow more and more."""
    around, script = played([0.5, 0.3, 0.9, None], 100, 200)
    assert script.wakes == [0.3, 0.9]
    assert around.clock.calls == 2 + 3, "what was told; the wakes at 0.3, 0.5 and 0.9"


def test_a_deadline_that_moved_back_is_met_then() -> None:
    """At the first one the machine is not woken."""
    _, script = played([0.3, 0.5, None], 100, 200)
    assert script.wakes == [0.5]


def test_a_deadline_that_was_dropped_is_not_met() -> None:
    """And a new one is."""
    _, script = played([0.3, None, 0.9, None], 100, 200, 600)
    assert script.wakes == [0.9]


def test_an_app_that_has_ended_is_not_woken() -> None:
    """Nor is the next one by the timer of the one before."""
    around, script = Around(), Script([0.3, 0.8, None])
    one = person(around, script.make)
    one.start()
    around.at(100, lambda: one.tell(Disconnected()))
    around.at(200, one.stop)
    around.at(350, one.start)
    around.at(360, lambda: one.tell(Disconnected()))
    around.clock.run()
    assert script.wakes == [0.8]
    script.deadlines = [2.0, None]
    around.at(900, lambda: one.tell(Disconnected()))
    around.at(1000, one.stop)
    around.clock.run()
    assert script.wakes == [0.8]


def test_a_time_that_cannot_be_told_exactly_is_not_told_early() -> None:
    """Whatever the fraction: the machine never sees a wake before its deadline."""
    deadlines: list[float | None] = [n / 7.0 + 1.0 / 3.0 for n in range(200)]
    _, script = played(deadlines, 10)
    assert len(script.wakes) == 200
    for woken, deadline in zip(script.wakes, deadlines, strict=True):
        assert deadline is not None
        assert deadline <= woken < deadline + 0.0011


# Votes and the journal


class Show:
    """A platform with a hidden poll, whose facts are told to one player."""

    def __init__(self, one: Person) -> None:
        self.one = one
        self.emulator = Emulator()
        self.show = prepare(self.emulator, SCENARIO, "show")
        self.emulator.start("show", 0.0)
        self.poll = self.show.polls[0]
        self.emulator.publish(self.poll, 0.0)

    def welcome(self) -> None:
        """Tell the player where the show stands."""
        self.one.tell(self.emulator.snapshot("show", 0.0))

    def play(self, round_: int) -> None:
        """Play a round."""
        trivia = self.show.trivia[round_ - 1]
        for delivery in self.emulator.publish(trivia, 0.0) + self.emulator.close(trivia, 0.0):
            self.one.tell(delivery.fact)


def test_a_vote_is_handed_to_the_network() -> None:
    """Over the connection that there is."""
    around = Around()
    one = person(around)
    show = Show(one)
    one.start()
    show.welcome()
    assert around.votes == [(1, CastVote(show.poll, 0))]
    assert one.votes_sent == 1


def test_a_vote_that_is_lost_is_repeated_after_the_reconnect() -> None:
    """It was cast, nobody answered, the connection is lost: it is cast again on the next one."""
    around = Around()
    one = person(around)
    show = Show(one)
    one.start()
    show.welcome()
    one.link = None
    one.lose()
    around.connect(one)
    show.welcome()
    assert around.votes == [(1, CastVote(show.poll, 0)), (2, CastVote(show.poll, 0))]
    one.tell(AnswerAccepted(show.poll, 0))
    one.lose()
    around.connect(one)
    show.welcome()
    assert len(around.votes) == 2, "it was answered"


def test_nobody_hears_a_vote_without_a_connection() -> None:
    """It is lost, and counts as sent."""
    around = Around()
    one = person(around)
    show = Show(one)
    one.start()
    one.link = None
    show.welcome()
    assert (around.votes, one.votes_sent) == ([], 1)


def test_a_journal_is_kept_only_where_it_is_read() -> None:
    """By who starts its app again; a million others need no list each."""
    around = Around()
    one = person(around)
    show = Show(one)
    one.start()
    show.welcome()
    assert one.journal is None
    another = person(around, plan=Plan(4, -0.1, restarts=RESTARTS))
    show = Show(another)
    another.start()
    show.welcome()
    assert another.journal == [Remember(show.poll, 0)]


def test_a_restart_with_the_journal_does_not_vote_twice() -> None:
    """A vote that was accepted is not cast again; the next round's is."""
    around = Around()
    one = person(around, plan=Plan(4, -0.1, restarts=RESTARTS))
    show = Show(one)
    one.start()
    show.welcome()
    one.tell(AnswerAccepted(show.poll, 0))
    user = one.user
    one.stop()
    assert not one.runs
    one.tell(Disconnected())
    one.link = None
    one.start()
    show.welcome()
    assert [vote.option for _, vote in around.votes] == [0]
    show.play(1)
    assert [vote.option for _, vote in around.votes] == [0, 1]
    assert around.hellos == [user, user]


def test_a_restart_repeats_a_vote_that_was_not_answered() -> None:
    """The journal says that it was cast, and the platform refuses a second."""
    around = Around()
    one = person(around, plan=Plan(4, -0.1, restarts=RESTARTS))
    show = Show(one)
    one.start()
    show.welcome()
    one.stop()
    one.start()
    show.welcome()
    assert [vote.option for _, vote in around.votes] == [0, 0]


def test_a_sample_rate_is_remembered() -> None:
    """So that the poll cannot be given another after a restart."""
    given = list[tuple[Memory, ...]]()

    def make(**arguments: Any) -> Machine:
        given.append(tuple(arguments["remembered"]))
        return Machine(**arguments)

    around = Around()
    scenario = Scenario(players=10, rounds=1, sample_rate=0.5)
    one = person(around, make, plan=Plan(4, -0.1, restarts=RESTARTS), scenario=scenario)
    emulator = Emulator()
    show = prepare(emulator, scenario, "show")
    emulator.start("show", 0.0)
    emulator.publish(show.polls[0], 0.0)
    one.start()
    one.tell(emulator.snapshot("show", 0.0))
    one.stop()
    one.start()
    assert given == [(), (RememberRate(show.polls[0], 0.5),)]


def test_a_reinstalled_app_is_a_new_player() -> None:
    """It has forgotten who it is and what it voted."""
    around = Around()
    one = person(around, plan=Plan(4, -0.1, restarts=(Restart(1.0, keeps_journal=False),)))
    show = Show(one)
    one.start()
    show.welcome()
    one.stop()
    one.forget()
    one.start()
    show.welcome()
    assert around.hellos == [user_of(1, 4, 0), user_of(1, 4, 1)]
    assert [vote.option for _, vote in around.votes] == [0, 0]
    one.stop()
    one.forget()
    assert one.user == user_of(1, 4, 2)


def test_who_only_watches_never_votes() -> None:
    """Not after a restart, either."""
    around = Around()
    one = person(around, plan=Plan(4, -0.1, restarts=RESTARTS, watches=True), observer=Observer())
    show = Show(one)
    one.start()
    show.welcome()
    one.stop()
    one.start()
    show.welcome()
    show.play(1)
    assert around.votes == []
    assert one.journal == []


def test_who_has_left_does_not_come_back() -> None:
    """Nor hears what was on its way."""
    around = Around()
    one = person(around)
    show = Show(one)
    one.start()
    one.ended = True
    one.stop()
    one.start()
    show.welcome()
    one.wake()
    assert not one.runs
    assert around.votes == []
    assert len(around.hellos) == 1


# What it reads


def test_a_watched_player_says_what_it_read() -> None:
    """The counts that its app holds in the end, what it was told, what it was shown."""
    around = Around()
    one = person(around, observer=Observer())
    show = Show(one)
    one.start()
    show.welcome()
    show.emulator.connect(1, "show", one.user, 0.0)
    show.emulator.answer(1, show.poll, [0], "", 0.0)
    for delivery in show.emulator.wake(1.0):
        one.tell(delivery.fact)
    show.play(1)
    for delivery in show.emulator.stop("show", 2.0):
        one.tell(delivery.fact)
    observation = one.observation(undisturbed=True)
    assert observation is not None
    assert observation.connected
    assert observation.undisturbed
    assert observation.shown == {1: 1}
    assert observation.counts[1].players == 1
    assert (0.0, 1, 1) in observation.told


def test_who_is_not_watched_says_nothing() -> None:
    """There is no observer to ask."""
    assert person(Around()).observation(undisturbed=True) is None


def test_who_has_left_holds_no_counts() -> None:
    """And was not connected when the event ended."""
    one = person(Around(), plan=Plan(4, -0.1, leave_at=1.0), observer=Observer())
    show = Show(one)
    one.start()
    show.welcome()
    one.stop()
    observation = one.observation(undisturbed=False)
    assert observation is not None
    assert (observation.counts, observation.connected, observation.undisturbed) == (
        {},
        False,
        False,
    )


def test_an_observer_forgets_with_its_app() -> None:
    """What the next app is told may be older."""
    one = person(Around(), plan=Plan(4, -0.1, restarts=RESTARTS), observer=Observer())
    show = Show(one)
    one.start()
    show.welcome()
    assert one.observer is not None
    assert one.observer.told
    one.stop()
    assert one.observer.told == []


def test_what_was_told_to_who_leaves_is_kept() -> None:
    """There is no next app, and what it was told must have grown, too."""
    one = person(Around(), plan=Plan(4, -0.1, leave_at=1.0), observer=Observer())
    show = Show(one)
    one.start()
    show.welcome()
    one.ended = True
    one.stop()
    assert one.observer is not None
    assert one.observer.told


def test_the_machine_of_a_player_knows_who_it_is() -> None:
    """Its id decides whether it is in a sample; a planted bug is made in its place."""
    given = list[dict[str, Any]]()

    def make(**arguments: Any) -> Machine:
        given.append(arguments)
        return Machine(**arguments)

    one = person(Around(), make)
    one.start()
    assert given[0]["player_id"] == one.user
    assert given[0]["draw"] is one.draws
    assert tuple(given[0]["remembered"]) == ()
    assert one.machine is not None
    assert one.machine.state is State.OFFLINE


# Hostile peers


def intruder(number: int, **changed: Any) -> tuple[Intruder, Around]:
    """Make a hostile peer."""
    around = Around()
    scenario = Scenario(players=10, rounds=3, **changed)
    one = Intruder(Hostile(number, Progress(Recognise())), scenario, around)
    one.start()
    return one, around


def tell_show(one: Intruder, *, playing: bool = False) -> Emulator:
    """Tell it of a show that waits, or plays."""
    emulator = Emulator()
    show = prepare(emulator, SCENARIO, "show")
    one.tell(emulator.snapshot("show", 0.0))
    told = emulator.start("show", 0.0) + emulator.publish(show.polls[0], 0.0)
    if playing:
        told += emulator.publish(show.trivia[0], 0.0)
    for delivery in told:
        one.tell(delivery.fact)
    return emulator


def test_a_hostile_peer_votes_as_it_should_not() -> None:
    """Over its own connection, under an id that says what it is."""
    one, around = intruder(0)
    tell_show(one)
    assert around.votes == [(1, CastVote("show-poll-0", 0))] * 2
    assert around.hellos == ["hostile-0-0"]
    assert (one.runs, one.slow, around.cuts) == (True, False, 0)


def test_a_hostile_peer_without_a_connection_is_not_heard() -> None:
    """As anybody."""
    one, around = intruder(0)
    one.link = None
    tell_show(one)
    assert around.votes == []


def test_a_hostile_peer_comes_back_as_somebody_else() -> None:
    """When a trivia is published: it goes away, and says hello with another id."""
    one, around = intruder(3)
    tell_show(one, playing=True)
    assert around.cuts == 1
    assert one.user == "hostile-3-1"
    one.lose()
    around.connect(one)
    assert around.hellos == ["hostile-3-0", "hostile-3-1"]


def test_a_hostile_peer_is_told_all_anew_when_it_is_back() -> None:
    """What it held of the show before is forgotten with the connection."""
    one, around = intruder(0)
    emulator = tell_show(one)
    one.lose()
    one.tell(Welcomed("upcoming", ()))
    assert len(around.votes) == 2
    one.tell(EventStateChanged("active", 1))
    assert len(around.votes) == 2, "no poll is held"
    published = emulator.snapshot("show", 0.0).elements[0]
    one.tell(ElementPublished(published))
    assert len(around.votes) == 2, "it has voted in this round"


@pytest.mark.parametrize(("number", "edge"), [(0, 0), (4, 1), (5, 2)])
def test_hostile_peers_go_to_all_edges(number: int, edge: int) -> None:
    """One after the other."""
    one, _ = intruder(number, edges=3)
    assert one.edge == edge
