"""The emulator: what the platform does, without sockets and without a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poll_counter.elements import FieldValue
from poll_counter.facts import (
    AnswerAccepted,
    AnswerRefused,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
    EventUpdated,
    Fact,
    ResultsTold,
    Welcomed,
)
from simulator.emulator import Delivery, Emulator, EmulatorError, Entry, Settings

INTERVAL_S = 0.25


def told(deliveries: Sequence[Delivery]) -> list[Fact]:
    """What is told, to whomever."""
    return [delivery.fact for delivery in deliveries]


def results(deliveries: Sequence[Delivery]) -> list[ResultsTold]:
    """The results among what is told."""
    return [fact for fact in told(deliveries) if isinstance(fact, ResultsTold)]


def poll(**changed: Any) -> Settings:
    """Make the settings of a poll with three options, each of which may be voted for once."""
    defaults = {"options": ("a", "b", "c"), "max_votes_per_user": 3}
    return Settings(content_type="poll-custom", type="poll", **{**defaults, **changed})


class World:
    """An emulator with event E, poll P in it, its log, and one connected user, `ann`.

    The event is active, the poll published and its first results told, all at time 0.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.log: list[Entry] = []
        self.emulator = Emulator(results_interval_s=INTERVAL_S, log=self.log)
        self.emulator.add_event("E", "The show", {"host": "Ada"})
        self.emulator.add_element("E", "P", settings or poll())
        self.emulator.start("E", 0.0)
        self.emulator.publish("P", 0.0)
        self.emulator.wake(0.0)
        self.users: dict[str, int] = {}
        self.connect("ann")

    def connect(self, user: str, now: float = 0.0) -> Welcomed:
        """Connect a user; returns the snapshot."""
        self.users[user] = len(self.log)  # a number that no connection has had
        welcomed = told(self.emulator.connect(self.users[user], "E", user, now))[0]
        assert isinstance(welcomed, Welcomed)
        return welcomed

    def vote(
        self, *options: int, user: str = "ann", element: str = "P", now: float = 0.0
    ) -> str | None:
        """Let a user vote; returns why it was refused, or None."""
        number = self.users[user]
        (delivery,) = self.emulator.answer(number, element, list(options), "7", now)
        assert delivery[:2] == ("E", number), "a reply is for the one who asked"
        reply = delivery.fact
        assert isinstance(reply, AnswerAccepted | AnswerRefused)
        assert (reply.element_id, reply.option, reply.answer_id) == (element, options[0], "7")
        return reply.reason if isinstance(reply, AnswerRefused) else None

    @property
    def votes(self) -> tuple[int, ...]:
        """The votes of the poll."""
        return self.emulator.votes("P")


# Events


def test_an_event_is_upcoming_then_active_then_finished() -> None:
    """An event is made upcoming; starting and stopping it tells everybody its new state."""
    emulator = Emulator()
    emulator.add_event("E")
    assert _state(emulator) == "upcoming"
    assert emulator.start("E", 1.0) == [Delivery("E", None, EventStateChanged("active", 1))]
    assert _state(emulator) == "active"
    assert emulator.stop("E", 2.0) == [Delivery("E", None, EventStateChanged("finished", 2))]
    assert _state(emulator) == "finished"


def _state(emulator: Emulator) -> str:
    (welcomed,) = told(emulator.connect(0, "E", "somebody", 0.0))
    assert isinstance(welcomed, Welcomed)
    return welcomed.event_state


def test_a_stopped_event_closes_its_elements_after_its_state() -> None:
    """Who is told the final results knows already that the event is over."""
    world = World()
    world.emulator.add_element("E", "Q", poll())
    world.emulator.publish("Q", 1.0)
    world.vote(2)
    facts = told(world.emulator.stop("E", 2.0))
    assert facts == [
        EventStateChanged("finished", 4),
        ElementStateChanged("P", "closed", 5),
        ResultsTold("P", (0, 0, 1), final=True),
        ElementStateChanged("Q", "closed", 6),
        ResultsTold("Q", (0, 0, 0), final=True),
    ]


def test_stopping_leaves_alone_what_is_not_open() -> None:
    """Elements that are closed, revoked or never published are not closed by the event's stop."""
    world = World()
    for name in ("closed", "revoked", "never", "open"):
        world.emulator.add_element("E", name, poll())
    world.emulator.publish("open", 1.0)
    world.emulator.publish("closed", 1.0)
    world.emulator.close("closed", 1.0)
    world.emulator.publish("revoked", 1.0)
    world.emulator.revoke("revoked", 1.0)
    closed = [f for f in told(world.emulator.stop("E", 2.0)) if isinstance(f, ElementStateChanged)]
    assert [fact.element_id for fact in closed] == ["P", "open"]


# Elements


def test_an_element_is_published_closed_and_revoked() -> None:
    """Each step of an element's life is told to everybody, with what it was made of."""
    world = World()
    made = Settings(
        content_type="quiz-custom",
        type="trivia",
        question="1 + 1?",
        options=("2", "3"),
        custom_fields={"hint": "even"},
        max_votes_per_option=2,
        reveal_results_mode="close",
    )
    world.emulator.add_element("E", "T", made)
    (delivery,) = world.emulator.publish("T", 1.5)
    assert delivery[:2] == ("E", None)
    assert isinstance(delivery.fact, ElementPublished)
    element = delivery.fact.element
    assert (element.id, element.content_type, element.type) == ("T", "quiz-custom", "trivia")
    assert (element.question, element.options) == ("1 + 1?", ("2", "3"))
    assert (element.state, element.published_at, element.rev) == ("opened", 1.5, 3)
    assert element.custom_fields == {"hint": "even"}
    assert (element.max_votes_per_option, element.reveal_results_mode) == (2, "close")
    assert world.emulator.close("T", 2.0) == [
        Delivery("E", None, ElementStateChanged("T", "closed", 4)),
        Delivery("E", None, ResultsTold("T", (0, 0), final=True)),
    ]
    assert world.emulator.revoke("T", 3.0) == [Delivery("E", None, ElementRevoked("T", 5))]


def _refused(world: World) -> dict[str, Callable[[], object]]:
    """Everything that the producer may not ask for, in a world where P is closed."""
    emulator = world.emulator
    emulator.close("P", 1.0)
    emulator.add_event("upcoming")
    emulator.add_event("over")
    for name, event in (("Q", "upcoming"), ("R", "over"), ("S", "E")):
        emulator.add_element(event, name, poll())
    emulator.stop("over", 1.0)
    return {
        "there is an event 'E' already": lambda: emulator.add_event("E"),
        "there is an element 'P' already": lambda: emulator.add_element("over", "P", poll()),
        "there is no event 'X'": lambda: emulator.add_element("X", "N", poll()),
        "max_votes_per_option must be from 1 to 255": lambda: emulator.add_element(
            "E", "N", poll(max_votes_per_option=256)
        ),
        "event 'E' is active, so it cannot be started": lambda: emulator.start("E", 2.0),
        "event 'over' is finished, so it cannot be started": lambda: emulator.start("over", 2.0),
        "event 'over' is finished, so it cannot be stopped": lambda: emulator.stop("over", 2.0),
        "there is no event 'Y'": lambda: emulator.start("Y", 2.0),
        "there is no event 'Z'": lambda: emulator.stop("Z", 2.0),
        "there is no event 'W'": lambda: emulator.connect(9, "W", "ann", 2.0),
        "there is no event 'V'": lambda: emulator.connected("V"),
        "there is no element 'X'": lambda: emulator.publish("X", 2.0),
        "there is no element 'Y'": lambda: emulator.close("Y", 2.0),
        "there is no element 'Z'": lambda: emulator.revoke("Z", 2.0),
        "there is no element 'W'": lambda: emulator.votes("W"),
        "an element can be published only while its event is active": lambda: emulator.publish(
            "Q", 2.0
        ),
        "an element can be published only while its event is active ": lambda: emulator.publish(
            "R", 2.0
        ),
        "element 'P' is published already": lambda: emulator.publish("P", 2.0),
        "element 'P' is not open, so it cannot be stopped": lambda: emulator.close("P", 2.0),
        "element 'S' is not open, so it cannot be stopped": lambda: emulator.close("S", 2.0),
        "element 'S' is not published": lambda: emulator.revoke("S", 2.0),
    }


@pytest.mark.parametrize("message", _refused(World()))
def test_what_the_platform_does_not_do_is_refused(message: str) -> None:
    """The producer is told what is wrong, and nothing has happened."""
    world = World()
    actions = _refused(world)
    before = list(world.log)
    with pytest.raises(EmulatorError) as caught:
        actions[message]()
    assert str(caught.value) == message.strip()
    assert world.log == before


@pytest.mark.parametrize("limit", [1, 255])
def test_the_bounds_of_max_votes_per_option_are_allowed(limit: int) -> None:
    """A user may have from 1 to 255 votes for an option."""
    assert World(poll(max_votes_per_option=limit)).vote(0) is None


def test_an_option_may_not_allow_zero_votes() -> None:
    """An element that nobody could vote for is a mistake."""
    with pytest.raises(EmulatorError, match="from 1 to 255"):
        World(poll(max_votes_per_option=0))


def test_a_revoked_element_is_published_again_with_its_votes() -> None:
    """Revoking keeps the votes: who has voted may not again, and the results go on."""
    world = World()
    world.vote(1)
    world.emulator.revoke("P", 1.0)
    assert world.vote(0) == "unknown_element"
    world.emulator.publish("P", 2.0)
    assert world.votes == (0, 1, 0)
    assert world.vote(1) == "already_voted"
    assert results(world.emulator.wake(2.0)) == [ResultsTold("P", (0, 1, 0))]


def test_revisions_grow_with_every_change() -> None:
    """No two changes of an event share a revision, and a snapshot has the last one."""
    world = World()
    emulator = world.emulator
    emulator.add_element("E", "Q", poll(duration_s=1.0))
    facts = told(
        [
            *emulator.publish("Q", 1.0),
            *emulator.revoke("P", 1.0),
            *emulator.wake(2.0),  # Q closes
            *emulator.publish("P", 3.0),
            *emulator.close("P", 4.0),
            *emulator.stop("E", 5.0),
        ]
    )
    revs = [_rev(fact) for fact in facts if not isinstance(fact, ResultsTold)]
    assert revs == [3, 4, 5, 6, 7, 8]
    welcomed = world.connect("bob", 6.0)
    assert (welcomed.rev, welcomed.event_rev) == (8, 8)
    assert {element.id: element.rev for element in welcomed.elements} == {"P": 7, "Q": 5}


def _rev(fact: Fact) -> int | None:
    if isinstance(fact, ElementPublished):
        return fact.element.rev
    assert isinstance(fact, ElementStateChanged | ElementRevoked | EventStateChanged)
    return fact.rev


def test_the_event_keeps_the_revision_of_its_own_state() -> None:
    """A snapshot tells when the event's state last changed, whatever changed since."""
    world = World()
    assert (world.connect("bob").event_rev, world.connect("bob").rev) == (1, 2)


# Connections


def test_a_connection_is_told_the_present_at_once() -> None:
    """A snapshot holds the event and every element present, with the results that may be seen."""
    world = World()
    emulator = world.emulator
    emulator.add_element("E", "closed", poll())
    emulator.publish("closed", 1.0)
    emulator.close("closed", 1.0)
    emulator.add_element("E", "hidden", poll(reveal_results_mode="close"))
    emulator.publish("hidden", 1.0)
    emulator.add_element("E", "revoked", poll())
    emulator.publish("revoked", 1.0)
    emulator.revoke("revoked", 1.0)
    emulator.add_element("E", "never published", poll())
    world.vote(1)
    (delivery,) = emulator.connect(42, "E", "bob", 2.5)
    assert delivery[:2] == ("E", 42)
    welcomed = delivery.fact
    assert isinstance(welcomed, Welcomed)
    assert (welcomed.event_id, welcomed.event_name) == ("E", "The show")
    assert (welcomed.event_state, welcomed.fields) == ("active", {"host": "Ada"})
    assert welcomed.server_time == 2.5
    elements = {element.id: element.state for element in welcomed.elements}
    assert elements == {"P": "opened", "closed": "closed", "hidden": "opened"}
    assert welcomed.results == (
        ResultsTold("P", (0, 1, 0)),
        ResultsTold("closed", (0, 0, 0), final=True),
    )


def test_connections_are_counted_while_they_last() -> None:
    """Every connection counts, two of one user too; one that is gone does not."""
    world = World()
    world.emulator.connect(100, "E", "bob", 1.0)
    world.emulator.connect(101, "E", "bob", 1.0)
    assert world.emulator.connected("E") == 3
    world.emulator.disconnect(100, 2.0)
    assert world.emulator.connected("E") == 2


def test_a_connection_that_was_never_there_may_go() -> None:
    """Who serves the emulator need not know whether a connection got as far as hello."""
    world = World()
    before = list(world.log)
    world.emulator.disconnect(999, 1.0)
    assert world.log == before


# Voting


def test_one_vote_per_user_and_option() -> None:
    """A user may vote for each option once, on whatever connection; others may as well."""
    world = World()
    assert world.vote(0) is None
    assert world.vote(0) == "already_voted"
    assert world.vote(1) is None
    world.emulator.disconnect(world.users["ann"], 1.0)
    world.connect("ann", 2.0)
    assert world.vote(0) == "already_voted"
    world.connect("bob", 2.0)
    assert world.vote(0, user="bob") is None
    assert world.votes == (2, 1, 0)


def test_more_votes_per_option_where_the_limit_allows() -> None:
    """With a limit of 2 the third vote for an option is over the limit."""
    world = World(poll(max_votes_per_user=9, max_votes_per_option=2))
    assert [world.vote(1) for _ in range(3)] == [None, None, "limit"]
    assert world.vote(0) is None
    assert world.votes == (1, 2, 0)


def test_a_user_has_so_many_votes() -> None:
    """Beyond max_votes_per_user every vote is refused, for whatever option; others still vote."""
    world = World(poll(max_votes_per_user=2))
    assert [world.vote(0), world.vote(1), world.vote(2)] == [None, None, "limit"]
    world.connect("bob")
    assert world.vote(2, user="bob") is None
    assert world.votes == (1, 1, 1)


def test_a_vote_for_several_options_counts_for_each() -> None:
    """A vote is a list of options: all are counted, and all count toward the user's limit."""
    world = World(poll(max_options_per_vote=2))
    assert world.vote(2, 0) is None
    assert world.votes == (1, 0, 1)
    assert world.vote(1, 2) == "already_voted"
    assert world.votes == (1, 0, 1)
    assert world.vote(1) is None


def test_a_first_vote_for_several_options_is_held_to_the_limit_too() -> None:
    """Who has not voted yet may not place more votes at once than a user has."""
    world = World(poll(max_votes_per_user=1, max_options_per_vote=2))
    assert world.vote(0, 1) == "limit"
    assert world.votes == (0, 0, 0)
    assert world.vote(0) is None


@pytest.mark.parametrize(
    ("least", "most", "options"),
    [
        (1, 1, (0, 1)),
        (2, 3, (0,)),
        (1, 2, (0, 1, 2)),
        (1, 1, (3,)),
        (1, 1, (-1,)),
        (1, 2, (0, 3)),
        (1, 2, (1, 1)),
    ],
    ids=["too many", "too few", "over most", "beyond", "below", "one beyond", "twice the same"],
)
def test_options_that_do_not_fit_are_refused(
    least: int, most: int, options: tuple[int, ...]
) -> None:
    """Too many, too few, unknown ones and one given twice are wrong options; nothing counts."""
    world = World(poll(min_options_per_vote=least, max_options_per_vote=most))
    assert world.vote(*options) == "wrong_options"
    assert world.votes == (0, 0, 0)


def test_the_bounds_of_options_per_vote_are_allowed() -> None:
    """As few, and as many, options as the element says."""
    world = World(poll(max_votes_per_user=9, min_options_per_vote=2, max_options_per_vote=3))
    assert world.vote(0, 2) is None
    world.connect("bob")
    assert world.vote(2, 1, 0, user="bob") is None


def test_a_closed_element_takes_no_votes() -> None:
    """A vote that comes too late is refused, also one that would be refused anyway."""
    world = World()
    world.vote(0)
    world.emulator.close("P", 1.0)
    assert [world.vote(0), world.vote(1), world.vote(9)] == ["closed"] * 3
    assert world.votes == (1, 0, 0)


def test_an_element_that_is_not_there_takes_no_votes() -> None:
    """Neither made, nor published, nor in this event: all the same to a client."""
    world = World()
    world.emulator.add_element("E", "later", poll())
    world.emulator.add_event("other")
    world.emulator.add_element("other", "elsewhere", poll())
    world.emulator.start("other", 0.0)
    world.emulator.publish("elsewhere", 0.0)
    for element in ("nowhere", "later", "elsewhere"):
        assert world.vote(0, element=element) == "unknown_element"
    assert world.emulator.votes("elsewhere") == (0, 0, 0)


# Results


def test_first_results_are_told_at_once_then_once_per_interval() -> None:
    """After a pause results are due at once; more of them wait until the interval is over."""
    world = World()
    emulator = world.emulator
    assert emulator.deadline is None
    world.vote(0, now=1.0)
    assert emulator.deadline is not None
    assert emulator.deadline <= 1.0
    assert results(emulator.wake(1.0)) == [ResultsTold("P", (1, 0, 0))]
    world.vote(1, now=1.1)
    world.vote(2, now=1.2)
    assert emulator.deadline == 1.0 + INTERVAL_S
    assert emulator.wake(1.2) == []
    assert results(emulator.wake(1.25)) == [ResultsTold("P", (1, 1, 1))]
    assert emulator.deadline is None
    assert emulator.wake(2.0) == []


def test_results_are_told_to_everybody_with_the_publication() -> None:
    """An element whose results may be seen tells its zeros first."""
    world = World()
    world.emulator.add_element("E", "Q", poll())
    world.emulator.publish("Q", 1.0)
    assert world.emulator.wake(1.0) == [Delivery("E", None, ResultsTold("Q", (0, 0, 0)))]


def test_results_of_several_elements_are_told_together() -> None:
    """One interval is for all the elements of an event, which are told in order of change."""
    world = World()
    emulator = world.emulator
    emulator.add_element("E", "Q", poll())
    emulator.publish("Q", 1.0)
    emulator.wake(1.0)
    world.vote(0, element="Q", now=1.1)
    world.vote(0, now=1.1)
    assert results(emulator.wake(1.25)) == [
        ResultsTold("Q", (1, 0, 0)),
        ResultsTold("P", (1, 0, 0)),
    ]


def test_a_refused_vote_makes_no_results() -> None:
    """Nothing has changed, so nothing is told."""
    world = World()
    world.vote(7)
    assert world.emulator.deadline is None


def test_final_results_are_told_on_closing_and_not_again() -> None:
    """Closing tells the final results at once; what was to be told later is told with them."""
    world = World()
    world.vote(0, now=1.0)
    world.emulator.wake(1.0)
    world.vote(1, now=1.1)
    assert results(world.emulator.close("P", 1.2)) == [ResultsTold("P", (1, 1, 0), final=True)]
    assert world.emulator.deadline is None
    assert world.emulator.wake(9.0) == []


def test_nothing_is_told_of_a_revoked_element() -> None:
    """Results that wait for their interval go with their element."""
    world = World()
    world.vote(0)
    world.emulator.revoke("P", 1.0)
    assert world.emulator.deadline is None
    assert world.emulator.wake(9.0) == []


def test_an_element_without_options_has_no_results() -> None:
    """A message to the audience is closed without results."""
    world = World(Settings(content_type="message"))
    assert results(world.emulator.close("P", 1.0)) == []
    assert world.connect("bob").results == ()


@pytest.mark.parametrize(
    ("mode", "voted", "closed", "over"),
    [
        ("vote", True, True, True),
        ("close", False, True, True),
        ("event_end", False, False, True),
        ("never", False, False, False),
    ],
)
def test_the_reveal_mode_says_when_results_are_seen(
    mode: Any, *, voted: bool, closed: bool, over: bool
) -> None:
    """Results are told, and are in the snapshot, from the moment that the mode names."""
    world = World(poll(reveal_results_mode=mode))
    emulator = world.emulator
    emulator.add_element("E", "open to the end", poll(reveal_results_mode=mode))
    emulator.publish("open to the end", 0.0)
    emulator.wake(INTERVAL_S)
    world.vote(0)
    interim, final = ResultsTold("P", (1, 0, 0)), ResultsTold("P", (1, 0, 0), final=True)
    assert results(emulator.wake(1.0)) == [interim] * voted
    assert _of_p(world.connect("bob")) == [interim] * voted
    assert results(emulator.close("P", 2.0)) == [final] * closed
    assert _of_p(world.connect("bob")) == [final] * closed
    at_the_end = [
        *[final] * (mode == "event_end"),  # others have told P's already
        *[ResultsTold("open to the end", (0, 0, 0), final=True)] * over,
    ]
    assert results(emulator.stop("E", 3.0)) == at_the_end
    assert _of_p(world.connect("bob")) == [final] * over


def _of_p(welcomed: Welcomed) -> list[ResultsTold]:
    return [told for told in welcomed.results if told.element_id == "P"]


# Time


def test_an_element_with_a_duration_closes_by_itself() -> None:
    """The deadline is the end of its duration, and waking then closes it."""
    world = World(poll(duration_s=5.0))
    assert world.emulator.deadline == 5.0
    assert world.emulator.wake(4.99) == []
    assert told(world.emulator.wake(5.0)) == [
        ElementStateChanged("P", "closed", 3),
        ResultsTold("P", (0, 0, 0), final=True),
    ]
    assert world.emulator.deadline is None
    assert world.emulator.wake(6.0) == []


def test_a_duration_ends_with_the_element() -> None:
    """What was closed or revoked before its time does not close again; published anew it does."""
    world = World(poll(duration_s=5.0))
    world.emulator.revoke("P", 1.0)
    assert world.emulator.deadline is None
    world.emulator.publish("P", 3.0)
    world.emulator.wake(3.0)
    assert world.emulator.deadline == 8.0
    world.emulator.close("P", 4.0)
    assert world.emulator.deadline is None
    assert world.emulator.wake(9.0) == []


def test_the_deadline_is_the_earliest_of_all() -> None:
    """Of what is due in several events, the first counts."""
    world = World(poll(duration_s=5.0))
    emulator = world.emulator
    emulator.add_event("other")
    emulator.add_element("other", "Q", poll(duration_s=2.0))
    emulator.start("other", 1.0)
    emulator.publish("Q", 1.0)
    emulator.wake(1.0)
    assert emulator.deadline == 3.0
    world.vote(0, now=1.0)
    emulator.wake(1.0)
    world.vote(1, now=1.1)
    assert emulator.deadline == 1.25


# Several events


def test_two_events_are_kept_apart() -> None:
    """What happens in one event is told in it alone, at its own pace, with its own revisions."""
    world = World()
    emulator = world.emulator
    emulator.add_event("F")
    emulator.add_element("F", "Q", poll())
    assert emulator.start("F", 1.0) == [Delivery("F", None, EventStateChanged("active", 1))]
    assert {delivery.event_id for delivery in emulator.publish("Q", 1.0)} == {"F"}
    assert emulator.wake(1.0) == [Delivery("F", None, ResultsTold("Q", (0, 0, 0)))]
    world.vote(0, now=1.1)
    assert emulator.wake(1.1) == [Delivery("E", None, ResultsTold("P", (1, 0, 0)))]
    (delivery,) = emulator.connect(50, "F", "ann", 1.2)
    assert isinstance(delivery.fact, Welcomed)
    assert [element.id for element in delivery.fact.elements] == ["Q"]
    assert (emulator.connected("E"), emulator.connected("F")) == (1, 1)
    assert {d.event_id for d in emulator.stop("E", 2.0)} == {"E"}
    assert emulator.answer(50, "Q", [0], "1", 2.0) == [
        Delivery("F", 50, AnswerAccepted("Q", 0, "1"))
    ]


# The log


def test_everything_that_happens_is_in_the_log() -> None:
    """A line for each thing that happens, with the user, the option, the reason and the tally."""
    log: list[Entry] = []
    emulator = Emulator(log=log)
    emulator.add_event("E")
    emulator.add_element("E", "P", poll(max_options_per_vote=2))
    emulator.connect(1, "E", "ann", 0.5)
    emulator.start("E", 1.0)
    emulator.publish("P", 2.0)
    emulator.answer(1, "P", [2, 0], "1", 3.0)
    emulator.connect(2, "E", "bob", 3.5)
    emulator.answer(2, "P", [2], "1", 4.0)
    emulator.answer(2, "P", [2], "2", 4.5)
    emulator.disconnect(1, 5.0)
    emulator.close("P", 6.0)
    emulator.revoke("P", 7.0)
    emulator.stop("E", 8.0)
    assert log == [
        Entry(0.5, "joined", "E", 1, "ann"),
        Entry(1.0, "event", "E", detail="active"),
        Entry(2.0, "published", "E", element_id="P"),
        Entry(3.0, "accepted", "E", 1, "ann", "P", 2, tally=1),
        Entry(3.0, "accepted", "E", 1, "ann", "P", 0, tally=1),
        Entry(3.5, "joined", "E", 2, "bob"),
        Entry(4.0, "accepted", "E", 2, "bob", "P", 2, tally=2),
        Entry(4.5, "refused", "E", 2, "bob", "P", 2, "already_voted"),
        Entry(5.0, "left", "E", 1, "ann"),
        Entry(6.0, "closed", "E", element_id="P"),
        Entry(7.0, "revoked", "E", element_id="P"),
        Entry(8.0, "event", "E", detail="finished"),
    ]


def test_without_a_log_nothing_is_kept() -> None:
    """A platform that is only served needs no log."""
    emulator = Emulator()
    emulator.add_event("E")
    assert told(emulator.start("E", 0.0)) == [EventStateChanged("active", 1)]


# Whatever happens

USERS = ("ann", "bob", "cyd")
CONNECTIONS = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("connect"), CONNECTIONS, st.sampled_from(USERS)),
    st.tuples(st.just("disconnect"), CONNECTIONS),
    st.tuples(
        st.just("answer"),
        CONNECTIONS,
        st.sampled_from(["once", "many"]),
        st.lists(st.integers(-1, 3), min_size=1, max_size=3),
    ),
    st.tuples(st.sampled_from(["publish", "close", "revoke"]), st.sampled_from(["once", "many"])),
    st.tuples(st.just("wake"), st.sampled_from([0.0, 0.1, 0.3])),
)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(steps=st.lists(STEPS, min_size=20, max_size=60))
def test_votes_are_what_was_accepted_whatever_happens(steps: list[tuple[Any, ...]]) -> None:
    """Tallies are the accepted entries; none beyond the limits; results told never go back."""
    log: list[Entry] = []
    emulator = Emulator(results_interval_s=INTERVAL_S, log=log)
    emulator.add_event("E")
    emulator.add_element("E", "once", poll(max_votes_per_user=2, duration_s=1.0))
    many = poll(max_votes_per_user=5, max_votes_per_option=3, max_options_per_vote=2)
    emulator.add_element("E", "many", many)
    emulator.start("E", 0.0)
    open_connections: dict[int, str] = {}
    now, deliveries = 0.0, list[tuple[float, Delivery]]()
    for step in steps:
        try:
            out, now = _do(emulator, open_connections, step, now)
        except EmulatorError:
            continue
        deliveries += [(now, delivery) for delivery in out]
    deliveries += [(now, delivery) for delivery in emulator.stop("E", now)]
    for element, limit, total in (("once", 1, 2), ("many", 3, 5)):
        accepted = [e for e in log if e.kind == "accepted" and e.element_id == element]
        votes = emulator.votes(element) or (0, 0, 0)
        for option in range(3):
            tallies = [e.tally for e in accepted if e.option == option]
            assert tallies == list(range(1, votes[option] + 1))
        for user in USERS:
            options = [e.option for e in accepted if e.user == user]
            assert len(options) <= total
            assert all(options.count(option) <= limit for option in options)
        _check_results([(at, r) for at, r in _told_results(deliveries) if r.element_id == element])


def _do(
    emulator: Emulator, users: dict[int, str], step: tuple[Any, ...], now: float
) -> tuple[list[Delivery], float]:
    """Take a step, if it can be taken; returns what is told, and when it is."""
    match step:
        case ("connect", number, user) if number not in users:
            users[number] = user
            return emulator.connect(number, "E", user, now), now
        case ("disconnect", number):
            users.pop(number, None)
            emulator.disconnect(number, now)
        case ("answer", number, element, options) if number in users:
            return emulator.answer(number, element, options, "1", now), now
        case ("publish" | "close" | "revoke" as name, element):
            return getattr(emulator, name)(element, now), now
        case ("wake", seconds):
            return emulator.wake(now + seconds), now + seconds
    return [], now


def _told_results(deliveries: list[tuple[float, Delivery]]) -> list[tuple[float, ResultsTold]]:
    return [(at, d.fact) for at, d in deliveries if isinstance(d.fact, ResultsTold)]


def _check_results(told_at: list[tuple[float, ResultsTold]]) -> None:
    """Each tally grows, and interim results keep their distance."""
    for (_, before), (_, after) in pairwise(told_at):
        assert all(a <= b for a, b in zip(before.votes, after.votes, strict=True))
    interim = [at for at, told in told_at if not told.final]
    assert all(b - a >= INTERVAL_S for a, b in pairwise(interim))


def test_an_answer_without_options_is_refused() -> None:
    """Nothing chosen is no vote, and no crash."""
    emulator = Emulator()
    emulator.add_event("e")
    emulator.add_element("e", "p", Settings("poll", options=("a", "b")))
    emulator.start("e", 0.0)
    emulator.publish("p", 0.0)
    emulator.connect(1, "e", "me", 0.0)
    ((_, _, told),) = emulator.answer(1, "p", [], "1", 0.0)
    assert told == AnswerRefused("p", -1, "wrong_options", answer_id="1")


# Several nodes, and crowds that are not asked


def test_votes_of_other_nodes_are_added() -> None:
    """And told, no more often than others; they are not in this node's log."""
    it = World()
    it.emulator.count_elsewhere("P", 1, 5)
    assert it.emulator.votes("P") == (0, 5, 0)
    assert it.emulator.deadline == INTERVAL_S
    assert results(it.emulator.wake(INTERVAL_S)) == [ResultsTold("P", (0, 5, 0), final=False)]
    assert [entry for entry in it.log if entry.kind == "accepted"] == []
    with pytest.raises(EmulatorError, match="no element 'Q'"):
        it.emulator.count_elsewhere("Q", 0, 1)


def test_votes_that_other_nodes_tell_late_wake_nobody() -> None:
    """The final results of a closed element are told; those of one that is gone are not asked."""
    it = World()
    it.emulator.close("P", 1.0)
    it.emulator.count_elsewhere("P", 1, 5)
    assert it.emulator.deadline is None
    it.emulator.revoke("P", 2.0)
    it.emulator.count_elsewhere("P", 1, 5)
    assert it.emulator.deadline is None
    assert it.emulator.votes("P") == (0, 10, 0)


def test_a_crowd_that_is_not_asked_is_told_no_results() -> None:
    """Not with a snapshot, not in between, not in the end; its votes count all the same."""
    emulator = Emulator(results_interval_s=None)
    emulator.add_event("E")
    emulator.add_element("E", "P", poll())
    heard = emulator.start("E", 0.0) + emulator.publish("P", 0.0)
    heard += emulator.connect(1, "E", "ann", 0.0)
    heard += emulator.answer(1, "P", [0], "", 0.0)
    assert emulator.deadline is None
    heard += emulator.wake(9.0) + emulator.close("P", 9.0) + emulator.stop("E", 9.0)
    assert results(heard) == []
    assert [fact.results for fact in told(heard) if isinstance(fact, Welcomed)] == [()]
    assert emulator.votes("P") == (1, 0, 0)


def test_snapshots_of_one_revision_share_their_elements() -> None:
    """What follows from them is worked out once; a change makes another snapshot."""
    it = World()
    one, same = it.emulator.snapshot("E", 1.0), it.emulator.snapshot("E", 2.0)
    assert one.elements is same.elements
    assert (one.server_time, same.server_time) == (1.0, 2.0)
    it.emulator.close("P", 3.0)
    other = it.emulator.snapshot("E", 3.0)
    assert [element.state for element in other.elements] == ["closed"]
    it.emulator.revoke("P", 4.0)
    assert it.emulator.snapshot("E", 4.0).elements == ()
    it.emulator.publish("P", 5.0)
    again = it.emulator.snapshot("E", 5.0).elements
    assert [(element.state, element.published_at) for element in again] == [("opened", 5.0)]


def test_results_in_a_snapshot_are_those_of_now() -> None:
    """Also while no element has changed."""
    it = World()
    first = it.emulator.snapshot("E", 1.0)
    it.emulator.count_elsewhere("P", 2, 1)
    second = it.emulator.snapshot("E", 1.0)
    assert [results.votes for results in (*first.results, *second.results)] == [
        (0, 0, 0),
        (0, 0, 1),
    ]


@pytest.mark.parametrize("options", [[0, 99], [99, 0], [0, -1]])
def test_an_option_that_is_none_spoils_the_answer(options: list[int]) -> None:
    """Whatever else was answered, and whether that was voted before: it does not fit."""
    it = World(poll(max_options_per_vote=2))
    connection = it.users["ann"]
    it.emulator.answer(connection, "P", [0], "", 1.0)
    (refused,) = told(it.emulator.answer(connection, "P", options, "", 1.0))
    assert isinstance(refused, AnswerRefused)
    assert refused.reason == "wrong_options"
    assert it.emulator.votes("P") == (1, 0, 0)


# The producer's changes to what clients hold


def test_an_event_is_updated_for_everybody() -> None:
    """Name and fields are changed apart, and stand in the next snapshot; its state's rev stays."""
    world = World()
    fields: dict[str, FieldValue] = {"host": "Eve"}
    assert world.emulator.update_event("E", 1.0, fields=fields) == [
        Delivery("E", None, EventUpdated({"host": "Eve"}, 3))
    ]
    fields["host"] = "nobody"  # what was told stays as it was told
    assert world.emulator.update_event("E", 1.0, name="Later show") == [
        Delivery("E", None, EventUpdated({"host": "Eve"}, 4))
    ]
    told_to_bob = world.connect("bob")
    assert (told_to_bob.event_name, told_to_bob.fields) == ("Later show", {"host": "Eve"})
    assert (told_to_bob.rev, told_to_bob.event_rev) == (4, 1)


def test_a_live_element_changes_its_custom_fields_for_everybody() -> None:
    """The element is told anew, and nothing else about it is changed."""
    world = World()
    before = world.emulator.element("P").live
    assert before is not None
    changed = replace(before, custom_fields={"hint": 1}, rev=3)
    settings_ = poll(custom_fields={"hint": 1})
    assert world.emulator.update_element("P", settings_, 1.0) == [
        Delivery("E", None, ElementUpdated(changed))
    ]
    assert world.connect("bob").elements == (changed,)
    assert world.emulator.element("P").changed_at == 1.0
    with pytest.raises(EmulatorError, match="only its custom fields can change"):
        world.emulator.update_element("P", poll(options=("a",)), 2.0)
    world.emulator.revoke("P", 3.0)
    assert world.emulator.update_element("P", poll(custom_fields={"hint": 2}), 4.0) == []
    with pytest.raises(EmulatorError, match="only its custom fields can change"):
        world.emulator.update_element("P", poll(duration_s=1.0), 5.0)


def test_an_element_that_was_not_published_changes_in_every_way() -> None:
    """What is published is as it was changed; clients are not told before."""
    world = World()
    world.emulator.add_element("E", "Q", poll())
    assert world.emulator.update_element("Q", poll(options=("x",)), 1.0) == []
    with pytest.raises(EmulatorError, match="from 1 to 255"):
        world.emulator.update_element("Q", poll(max_votes_per_option=0), 1.0)
    (published,) = told(world.emulator.publish("Q", 2.0))
    assert isinstance(published, ElementPublished)
    assert published.element.options == ("x",)
    assert world.emulator.votes("Q") == (0,)


def test_results_may_be_revealed_by_hand() -> None:
    """Until then nobody sees them, from then on everybody does."""
    world = World(poll(reveal_results_mode="manual"))
    world.vote(1)
    assert world.emulator.deadline is None
    assert world.connect("bob").results == ()
    seen = ResultsTold("P", (0, 1, 0))
    assert world.emulator.reveal_results("P", 1.0) == [Delivery("E", None, seen)]
    assert world.connect("eve").results == (seen,)
    world.vote(2)
    assert results(world.emulator.wake(2.0)) == [ResultsTold("P", (0, 1, 1))]
    with pytest.raises(EmulatorError, match="revealed already"):
        world.emulator.reveal_results("P", 3.0)


def test_results_are_revealed_by_hand_where_the_mode_says_so() -> None:
    """And not before the element is published."""
    world = World()
    with pytest.raises(EmulatorError, match="not revealed by hand"):
        world.emulator.reveal_results("P", 1.0)
    world.emulator.add_element("E", "Q", poll(reveal_results_mode="manual"))
    with pytest.raises(EmulatorError, match="is not published"):
        world.emulator.reveal_results("Q", 1.0)


@pytest.mark.parametrize(
    ("mode", "at"), [("vote", 0.0), ("close", 1.0), ("event_end", 2.0), ("never", None)]
)
def test_it_is_kept_when_results_were_revealed_first(mode: Any, at: float | None) -> None:
    """By publishing, closing or the event's end, as the reveal mode has it."""
    world = World(poll(reveal_results_mode=mode))
    world.emulator.close("P", 1.0)
    world.emulator.stop("E", 2.0)
    assert world.emulator.element("P").results_revealed_at == at


def test_to_publish_again_reveals_nothing_anew() -> None:
    """What users saw first they saw then; a revocation ends with the next publication."""
    world = World()
    world.emulator.revoke("P", 1.0)
    element = world.emulator.element("P")
    assert (element.published_at, element.revoked_at, element.changed_at) == (0.0, 1.0, 1.0)
    world.emulator.publish("P", 2.0)
    assert (element.published_at, element.revoked_at, element.changed_at) == (2.0, None, 2.0)
    assert element.results_revealed_at == 0.0
    world.emulator.close("P", 3.0)
    assert (element.closed_at, element.changed_at) == (3.0, 3.0)
    world.emulator.revoke("P", 4.0)
    world.emulator.publish("P", 5.0)
    assert element.closed_at is None


def test_elements_are_numbered_as_they_are_published() -> None:
    """Over all events; an element keeps its number when it is published again."""
    world = World()
    world.emulator.add_event("F")
    world.emulator.start("F", 0.0)
    for event, name in (("E", "Q"), ("F", "R")):
        world.emulator.add_element(event, name, poll())
    assert world.emulator.element("R").number is None
    world.emulator.publish("R", 1.0)
    world.emulator.publish("Q", 1.0)
    world.emulator.revoke("P", 1.0)
    world.emulator.publish("P", 1.0)
    assert [world.emulator.element(name).number for name in "PRQ"] == [1, 2, 3]


def test_an_element_that_nobody_holds_can_be_removed() -> None:
    """It is gone, and its id is free again; its answers stay in the event's number."""
    world = World()
    world.vote(0)
    with pytest.raises(EmulatorError, match="is published, so it cannot be deleted"):
        world.emulator.remove_element("P")
    world.emulator.revoke("P", 1.0)
    world.emulator.remove_element("P")
    with pytest.raises(EmulatorError, match="there is no element 'P'"):
        world.emulator.votes("P")
    assert world.connect("bob").elements == ()
    assert world.vote(0) == "unknown_element"
    assert world.emulator.event("E").answers == 1
    world.emulator.add_element("E", "P", poll())
    world.emulator.publish("P", 2.0)
    assert world.votes == (0, 0, 0)


def test_where_verified_users_alone_may_vote_nobody_may() -> None:
    """The live channel has no verified users."""
    world = World(poll(require_verified_user=True))
    assert world.vote(0) == "not_allowed"
    assert world.votes == (0, 0, 0)
    assert world.emulator.event("E").answers == 0


def test_an_answer_is_one_whatever_it_holds() -> None:
    """Accepted answers are counted, not the options in them."""
    world = World(poll(max_options_per_vote=2))
    world.vote(0, 1)
    world.vote(0)
    assert world.emulator.event("E").answers == 1


# What happens by itself


def due(emulator: Emulator) -> float | None:
    """When something happens next."""
    return emulator.deadline


def test_an_event_starts_and_ends_as_scheduled() -> None:
    """Whoever wakes late finds an event that counts from when it was to start."""
    emulator = Emulator()
    emulator.add_event("E")
    assert due(emulator) is None
    emulator.schedule("E", starts_at=10.0, runs_s=20.0)
    assert due(emulator) == 10.0
    assert emulator.wake(9.9) == []
    assert told(emulator.wake(11.0)) == [EventStateChanged("active", 1)]
    assert (emulator.event("E").started_at, due(emulator)) == (10.0, 30.0)
    assert emulator.wake(29.9) == []
    assert told(emulator.wake(31.0)) == [EventStateChanged("finished", 2)]
    assert (emulator.event("E").ended_at, due(emulator)) == (30.0, None)
    assert emulator.wake(99.0) == []


def test_an_event_may_end_at_a_time_whenever_it_starts() -> None:
    """A fixed end wins over a duration; what is said last holds."""
    emulator = Emulator()
    emulator.add_event("E")
    emulator.schedule("E", starts_at=1.0)
    emulator.schedule("E", runs_s=5.0, ends_at=50.0)
    assert due(emulator) is None
    emulator.start("E", 40.0)
    assert (emulator.event("E").started_at, due(emulator)) == (40.0, 50.0)
    emulator.stop("E", 44.0)
    assert emulator.event("E").ended_at == 44.0


def test_an_event_without_an_end_goes_on() -> None:
    """It ends when it is stopped."""
    emulator = Emulator()
    emulator.add_event("E")
    emulator.start("E", 1.0)
    assert due(emulator) is None
    assert emulator.wake(1e9) == []


def test_an_event_that_was_all_past_is_over_at_once() -> None:
    """It starts and ends in one; nothing is published in it."""
    emulator = Emulator()
    emulator.add_event("E")
    emulator.add_element("E", "T", poll(offset_s=1.0))
    emulator.schedule("E", starts_at=10.0, runs_s=20.0)
    assert told(emulator.wake(30.0)) == [
        EventStateChanged("active", 1),
        EventStateChanged("finished", 2),
    ]


def test_an_element_goes_out_at_its_offset() -> None:
    """Counted from the event's start; once, also after it was revoked."""
    emulator = Emulator()
    emulator.add_event("E")
    emulator.add_element("E", "T", poll(offset_s=5.0, duration_s=2.0))
    emulator.add_element("E", "U", poll(offset_s=7.0, reveal_results_mode="never"))
    assert due(emulator) is None
    emulator.start("E", 10.0)
    assert due(emulator) == 15.0
    assert emulator.wake(14.9) == []
    published, *_ = told(emulator.wake(15.0))
    assert isinstance(published, ElementPublished)
    assert (published.element.id, published.element.published_at) == ("T", 15.0)
    assert due(emulator) == 17.0
    closed, _, published = told(emulator.wake(17.0))
    assert closed == ElementStateChanged("T", "closed", 3)
    assert isinstance(published, ElementPublished)
    assert due(emulator) is None
    emulator.revoke("U", 18.0)
    assert emulator.wake(19.0) == []
    emulator.stop("E", 20.0)
    emulator.add_element("E", "late", poll(offset_s=0.0))
    assert due(emulator) is None
    assert emulator.wake(30.0) == []


# The audience


def test_an_event_keeps_statistics_of_its_audience_if_asked() -> None:
    """Users, sessions and the peak, while they come and go."""
    emulator = Emulator()
    emulator.add_event("E", peak_sample_s=5.0)
    emulator.connect(1, "E", "ann", 10.0)
    emulator.connect(2, "E", "ann", 12.0)
    emulator.disconnect(1, 16.0)
    audience = emulator.event("E").audience
    assert audience is not None
    assert (audience.unique_users, audience.sessions, audience.peak) == (1, 2, 2)
    assert audience.average_session_s(1, 20.0) == (6.0 + 8.0) / 2


def test_an_event_keeps_no_statistics_unless_asked() -> None:
    """A crowd that nobody asks about costs nothing."""
    assert World().emulator.event("E").audience is None
