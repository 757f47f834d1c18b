"""Hostile peers: how each manner answers what the platform tells."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from poll_counter.commands import CastVote
from poll_counter.elements import Recognise
from poll_counter.facts import (
    ElementPublished,
    ElementUpdated,
    EventStateChanged,
    Fact,
    ResultsTold,
    Welcomed,
)
from poll_counter.rounds import Progress
from simulator.emulator import Emulator
from simulator.hostile import FLOOD, Hostile
from simulator.scenario import Scenario
from simulator.show import Show, prepare

OPTIONS = 4


class Stage:
    """A show that hostile peers follow, and what one of them answers."""

    def __init__(self, number: int, **changed: object) -> None:
        scenario = Scenario(**{"rounds": 3, "options_per_poll": OPTIONS, **changed})  # type: ignore[arg-type] # fields
        self.emulator = Emulator()
        self.show: Show = prepare(self.emulator, scenario, "show")
        self.peer = Hostile(number, Progress(Recognise()))
        self.answers: list[CastVote] = []

    def tell(self, facts: Iterable[Fact]) -> list[CastVote]:
        """Tell it facts, and give what it answers."""
        votes = [vote for fact in facts for vote in self.peer.take(fact)]
        self.answers += votes
        return votes

    def start(self) -> list[CastVote]:
        """Start the event and publish the poll."""
        told = self.emulator.start("show", 0.0) + self.emulator.publish(self.show.polls[0], 0.0)
        return self.tell(delivery.fact for delivery in told)

    def publish(self, round_: int) -> list[CastVote]:
        """Publish the round's trivia."""
        told = self.emulator.publish(self.show.trivia[round_ - 1], 0.0)
        return self.tell(delivery.fact for delivery in told)

    def close(self, round_: int) -> list[CastVote]:
        """Close the round's trivia."""
        told = self.emulator.close(self.show.trivia[round_ - 1], 0.0)
        return self.tell(delivery.fact for delivery in told)

    def welcome(self) -> list[CastVote]:
        """Connect anew."""
        self.peer.connected()
        return self.tell([self.emulator.snapshot("show", 0.0)])


def vote(option: int, poll: str = "show-poll-0") -> CastVote:
    """Make a vote."""
    return CastVote(poll, option)


def test_manners_go_round() -> None:
    """Of four peers each has another; the ids that they say hello with are labelled."""
    peers = [Hostile(number, Progress(Recognise())) for number in range(5)]
    assert [peer.manner for peer in peers] == ["double", "wrong", "flood", "forge", "double"]
    assert [peer.user for peer in peers][:2] == ["hostile-0-0", "hostile-1-0"]


def test_one_votes_twice() -> None:
    """In every round."""
    stage = Stage(0)
    assert stage.start() == [vote(0)] * 2
    assert stage.publish(1) == []
    assert stage.close(1) == [vote(1)] * 2
    assert not stage.peer.wants_another_id()


def test_one_votes_for_what_is_wrong() -> None:
    """Another round, options that are none, and elements that are no hidden poll."""
    stage = Stage(1)
    assert stage.start() == [vote(1), vote(-1), vote(OPTIONS)]
    stage.publish(1)
    assert stage.close(1) == [vote(2), vote(-1), vote(OPTIONS), vote(0, "show-trivia-1")]


def test_one_floods() -> None:
    """The platform with votes that are right."""
    stage = Stage(2)
    assert stage.start() == [vote(0)] * FLOOD
    assert FLOOD == 50


def test_one_comes_back_as_somebody_else() -> None:
    """Votes like a player, and is another one from the next trivia on."""
    stage = Stage(3)
    assert stage.start() == [vote(0)]
    assert stage.peer.user == "hostile-3-0"
    assert not stage.peer.wants_another_id(), "while the round is waited for"
    stage.publish(1)
    assert stage.peer.wants_another_id()
    assert not stage.peer.wants_another_id(), "once in a round"
    assert stage.peer.user == "hostile-3-1"
    assert stage.welcome() == [], "the trivia is open"
    assert stage.close(1) == [vote(1)]


def test_nothing_is_answered_before_there_is_something_to_vote_for() -> None:
    """An upcoming event, one without a poll, a trivia that is open: like a player's app."""
    stage = Stage(0)
    assert stage.welcome() == []
    assert stage.tell([EventStateChanged("active", 1)]) == []
    stage = Stage(3)
    assert stage.start() == [vote(0)]
    stage = Stage(3)
    stage.emulator.start("show", 0.0)
    stage.emulator.publish("show-poll-0", 0.0)
    stage.emulator.publish("show-trivia-1", 0.0)
    assert stage.welcome() == []
    assert not stage.peer.wants_another_id(), "it has not voted yet"


def test_it_is_told_all_anew_on_a_new_connection() -> None:
    """The round that it has voted in, it has voted in."""
    stage = Stage(0)
    stage.start()
    assert stage.welcome() == []
    stage.publish(1)
    stage.close(1)
    assert stage.answers[2:] == [vote(1)] * 2
    assert stage.welcome() == []
    stage.peer.connected()
    stage.tell([Welcomed("active", (), rev=0, event_rev=0)])
    assert not stage.peer._progress.elements, "also of an edge that is behind"


def test_it_follows_a_show_that_is_changed() -> None:
    """Trivia pulled back, polls replaced, elements updated; what is unknown is left out."""
    stage = Stage(0, replaced=(2,))
    stage.start()
    stage.publish(1)
    pulled = [delivery.fact for delivery in stage.emulator.revoke("show-trivia-1", 0.0)]
    assert stage.tell(pulled) == [], "the round it has voted in"
    stage.publish(1)
    gone = [delivery.fact for delivery in stage.emulator.revoke("show-poll-0", 0.0)]
    assert stage.tell(gone) == []
    assert stage.close(1) == [], "no poll"
    other = stage.emulator.publish("show-poll-0-1", 0.0)[0].fact
    assert isinstance(other, ElementPublished)
    assert stage.tell([ElementUpdated(other.element)]) == [vote(1, "show-poll-0-1")] * 2
    assert stage.tell([ResultsTold("show-poll-0-1", (0,) * OPTIONS)]) == []


@pytest.mark.parametrize("number", range(4))
def test_a_finished_event_is_left_alone(number: int) -> None:
    """There is nothing left to spoil."""
    stage = Stage(number)
    stage.start()
    stage.tell([EventStateChanged("finished", 99)])
    assert stage.tell([Welcomed("finished", (), rev=100, event_rev=100)]) == []
