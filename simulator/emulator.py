"""The platform, pure: what it is asked and the time go in, what it has to tell comes out.

Events, the timeline of their elements, votes within the limits of the platform's documentation,
results broadcast no more often than the interval says. No sockets, no clock, no event loop: the
server and the virtual world serve this one platform.

Where the documentation leaves something open the choice is ours, and a parameter where it
matters: `results_interval_s`; what a vote beyond the limits is answered; results revealed by
`vote` are seen by everybody as long as the element is open; a stopped event closes its elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, TypeAlias

from poll_counter.elements import Element, EventState, FieldValue
from poll_counter.facts import (
    AnswerAccepted,
    AnswerRefused,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    EventStateChanged,
    Fact,
    RefusalReason,
    ResultsTold,
    Welcomed,
)

__all__ = ["Connection", "Delivery", "Emulator", "EmulatorError", "Entry", "Settings"]

Connection: TypeAlias = int
"""A connection's number, chosen by whoever serves the emulator."""

RevealMode: TypeAlias = Literal["vote", "close", "event_end", "never"]
"""When users may see results (contract section 7.1)."""

Kind: TypeAlias = Literal[
    "joined", "left", "event", "published", "closed", "revoked", "accepted", "refused"
]


class EmulatorError(ValueError):
    """The producer asked for something that the platform does not do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How an element is made; the names are the platform's (contract section 7.1)."""

    content_type: str
    type: str = ""
    question: str = ""
    options: tuple[str, ...] = ()
    custom_fields: Mapping[str, FieldValue] = field(default_factory=dict)
    duration_s: float | None = None
    """Closes by itself after this; None for a flexible duration, until stopped."""
    max_votes_per_user: int = 1
    max_votes_per_option: int = 1
    min_options_per_vote: int = 1
    max_options_per_vote: int = 1
    reveal_results_mode: RevealMode = "vote"


class Delivery(NamedTuple):
    """Something to tell: to one connection, or to everybody in the event."""

    event_id: str
    connection: Connection | None
    fact: Fact


class Entry(NamedTuple):
    """A line of the emulator's log: all that the checks know of the truth."""

    at: float
    kind: Kind
    event_id: str
    connection: Connection = -1
    user: str = ""
    element_id: str = ""
    option: int = -1
    detail: str = ""
    """An event's new state; why an answer was refused."""
    tally: int = 0
    """With `accepted`: the option's votes with this one."""


@dataclass(slots=True)
class _Element:
    id: str
    settings: Settings
    live: Element | None = None  # None until published, and again once revoked
    votes: list[int] = field(default_factory=list)
    ballots: dict[str, bytearray] = field(default_factory=dict)  # user -> votes per option
    accepted: dict[int, AnswerAccepted] = field(default_factory=dict)  # option -> what was told
    closes_at: float | None = None


@dataclass(slots=True)
class _Event:
    id: str
    name: str
    fields: Mapping[str, FieldValue]
    state: EventState = "upcoming"
    rev: int = 0  # event-wide, grows with each change
    state_rev: int = 0
    elements: dict[str, _Element] = field(default_factory=dict)
    users: dict[Connection, str] = field(default_factory=dict)
    snapshot: tuple[Element, ...] = ()  # of the elements present, and its revision
    snapshot_rev: int = -1
    stale: dict[str, None] = field(default_factory=dict)  # results not told yet, in order
    told_at: float = float("-inf")

    def next_rev(self) -> int:
        self.rev += 1
        return self.rev


class Emulator:
    """A platform with any number of events.

    Args:
        results_interval_s: results of one event are told no more often than this; None: never,
            for a crowd that votes and is not asked.
        log: takes a line for everything that happens; pass a list to check the truth later.
    """

    def __init__(
        self, *, results_interval_s: float | None = 0.25, log: list[Entry] | None = None
    ) -> None:
        self._interval_s = results_interval_s or 0.0
        self._tells_results = results_interval_s is not None
        self._log = log
        self._events: dict[str, _Event] = {}
        self._event_of: dict[str, _Event] = {}  # element id -> its event
        self._connections: dict[Connection, _Event] = {}

    # The producer

    def add_event(
        self, event_id: str, name: str = "", fields: Mapping[str, FieldValue] | None = None
    ) -> None:
        """Make an event, upcoming."""
        if event_id in self._events:
            raise EmulatorError(f"there is an event {event_id!r} already")
        self._events[event_id] = _Event(event_id, name, dict(fields or {}))

    def add_element(self, event_id: str, element_id: str, settings: Settings) -> None:
        """Make an element, to be published by `publish`."""
        if element_id in self._event_of:
            raise EmulatorError(f"there is an element {element_id!r} already")
        if not 1 <= settings.max_votes_per_option <= 255:  # noqa: PLR2004 - a ballot holds bytes
            raise EmulatorError("max_votes_per_option must be from 1 to 255")
        event = self._event(event_id)
        event.elements[element_id] = _Element(element_id, settings)
        self._event_of[element_id] = event

    def start(self, event_id: str, now: float) -> list[Delivery]:
        """Start an upcoming event."""
        event = self._event(event_id)
        if event.state != "upcoming":
            raise EmulatorError(f"event {event_id!r} is {event.state}, so it cannot be started")
        return [self._set_event_state(event, "active", now)]

    def stop(self, event_id: str, now: float) -> list[Delivery]:
        """Stop an event that is not finished: its elements are closed, final results told."""
        event = self._event(event_id)
        if event.state == "finished":
            raise EmulatorError(f"event {event_id!r} is finished, so it cannot be stopped")
        out = [self._set_event_state(event, "finished", now)]
        for element in event.elements.values():
            if element.live is not None and element.live.state == "opened":
                out += self._close(event, element, now)
            elif element.live is not None and element.settings.reveal_results_mode == "event_end":
                out += self._tell_results(event, [element])
        return out

    def publish(self, element_id: str, now: float) -> list[Delivery]:
        """Publish an element, or publish a revoked one again with the votes it had."""
        event, element = self._element(element_id)
        if event.state != "active":
            raise EmulatorError("an element can be published only while its event is active")
        if element.live is not None:
            raise EmulatorError(f"element {element_id!r} is published already")
        settings = element.settings
        element.live = Element(
            id=element.id,
            content_type=settings.content_type,
            type=settings.type,
            state="opened",
            published_at=now,
            rev=event.next_rev(),
            question=settings.question,
            options=settings.options,
            custom_fields=settings.custom_fields,
            max_votes_per_option=settings.max_votes_per_option,
            reveal_results_mode=settings.reveal_results_mode,
        )
        element.votes = element.votes or [0] * len(settings.options)
        if settings.duration_s is not None:
            element.closes_at = now + settings.duration_s
        self._note(Entry(now, "published", event.id, element_id=element.id))
        self._results_changed(event, element)
        return [Delivery(event.id, None, ElementPublished(element.live))]

    def close(self, element_id: str, now: float) -> list[Delivery]:
        """Close an open element, and tell its final results where they may be seen."""
        event, element = self._element(element_id)
        if element.live is None or element.live.state != "opened":
            raise EmulatorError(f"element {element_id!r} is not open, so it cannot be stopped")
        return self._close(event, element, now)

    def revoke(self, element_id: str, now: float) -> list[Delivery]:
        """Pull a published element back; its votes are kept."""
        event, element = self._element(element_id)
        if element.live is None:
            raise EmulatorError(f"element {element_id!r} is not published")
        element.live = element.closes_at = None
        event.stale.pop(element.id, None)
        self._note(Entry(now, "revoked", event.id, element_id=element.id))
        return [Delivery(event.id, None, ElementRevoked(element.id, event.next_rev()))]

    # The clients

    def connect(
        self, connection: Connection, event_id: str, user: str, now: float
    ) -> list[Delivery]:
        """A client said hello: it gets a snapshot, and from then on whatever happens.

        Raises EmulatorError for an event that does not exist.
        """
        event = self._event(event_id)
        event.users[connection] = user
        self._connections[connection] = event
        self._note(Entry(now, "joined", event.id, connection, user))
        return [Delivery(event.id, connection, self.snapshot(event_id, now))]

    def snapshot(self, event_id: str, now: float) -> Welcomed:
        """What a client is told that connects now; snapshots of one revision share elements."""
        event = self._event(event_id)
        if event.snapshot_rev != event.rev:
            live = (element.live for element in event.elements.values())
            event.snapshot = tuple(element for element in live if element is not None)
            event.snapshot_rev = event.rev
        elements = map(event.elements.__getitem__, (element.id for element in event.snapshot))
        return Welcomed(
            event_state=event.state,
            elements=event.snapshot,
            results=tuple(self._results(e) for e in elements if self._revealed(event, e)),
            rev=event.rev,
            event_rev=event.state_rev,
            event_id=event.id,
            event_name=event.name,
            fields=event.fields,
            server_time=now,
        )

    def disconnect(self, connection: Connection, now: float) -> None:
        """A connection is gone."""
        event = self._connections.pop(connection, None)
        if event is not None:
            user = event.users.pop(connection)
            self._note(Entry(now, "left", event.id, connection, user))

    def answer(
        self,
        connection: Connection,
        element_id: str,
        options: list[int],
        answer_id: str,
        now: float,
    ) -> list[Delivery]:
        """A client voted: accepted, or refused with a reason, within the element's limits."""
        event = self._connections[connection]
        user = event.users[connection]
        element = event.elements.get(element_id)
        refused = self._refusal(element, user, options)
        if element is None or refused is not None:
            reason = refused or "unknown_element"
            option = options[0] if options else -1
            self._note(
                Entry(now, "refused", event.id, connection, user, element_id, option, reason)
            )
            told = AnswerRefused(element_id, option, reason, answer_id=answer_id)
            return [Delivery(event.id, connection, told)]
        ballot = element.ballots.get(user)
        if ballot is None:
            ballot = element.ballots[user] = bytearray(len(element.votes))
        for option in options:
            ballot[option] += 1
            element.votes[option] += 1
            tally = element.votes[option]
            self._note(
                Entry(now, "accepted", event.id, connection, user, element_id, option, "", tally)
            )
        if self._tells_results:
            self._results_changed(event, element)
        fact = element.accepted.get(options[0])
        if fact is None or fact.answer_id != answer_id:  # who gives no ids shares the fact
            fact = AnswerAccepted(element_id, options[0], answer_id)
            element.accepted[options[0]] = fact
        return [Delivery(event.id, connection, fact)]

    def count_elsewhere(self, element_id: str, option: int, votes: int) -> None:
        """Add votes that other nodes of the platform accepted."""
        event, element = self._element(element_id)
        element.votes[option] += votes
        if element.live is not None and element.live.state == "opened":
            self._results_changed(event, element)

    # Time

    @property
    def deadline(self) -> float | None:
        """When to call `wake`; None for never."""
        results = [e.told_at + self._interval_s for e in self._events.values() if e.stale]
        closings = (e.closes_at for v in self._events.values() for e in v.elements.values())
        return min([*results, *(at for at in closings if at is not None)], default=None)

    def wake(self, now: float) -> list[Delivery]:
        """Let time pass: tell the results that are due, close what has run its duration."""
        out: list[Delivery] = []
        for event in self._events.values():
            for element in event.elements.values():
                if element.closes_at is not None and element.closes_at <= now:
                    out += self._close(event, element, now)
            if event.stale and event.told_at + self._interval_s <= now:
                stale = [event.elements[key] for key in event.stale]
                event.stale.clear()
                event.told_at = now
                out += self._tell_results(event, stale)
        return out

    # What may be asked at any time

    def connected(self, event_id: str) -> int:
        """How many connections an event has."""
        return len(self._event(event_id).users)

    def votes(self, element_id: str) -> tuple[int, ...]:
        """The votes of an element, per option."""
        return tuple(self._element(element_id)[1].votes)

    # Inside

    def _event(self, event_id: str) -> _Event:
        try:
            return self._events[event_id]
        except KeyError:
            raise EmulatorError(f"there is no event {event_id!r}") from None

    def _element(self, element_id: str) -> tuple[_Event, _Element]:
        try:
            event = self._event_of[element_id]
        except KeyError:
            raise EmulatorError(f"there is no element {element_id!r}") from None
        return event, event.elements[element_id]

    def _note(self, entry: Entry) -> None:
        if self._log is not None:
            self._log.append(entry)

    def _set_event_state(self, event: _Event, state: EventState, now: float) -> Delivery:
        event.state, event.state_rev = state, event.next_rev()
        self._note(Entry(now, "event", event.id, detail=state))
        return Delivery(event.id, None, EventStateChanged(state, event.state_rev))

    def _close(self, event: _Event, element: _Element, now: float) -> list[Delivery]:
        assert element.live is not None  # only what is open is closed
        element.live = replace(element.live, state="closed", rev=event.next_rev())
        element.closes_at = None
        event.stale.pop(element.id, None)
        self._note(Entry(now, "closed", event.id, element_id=element.id))
        closed = ElementStateChanged(element.id, "closed", element.live.rev)
        return [Delivery(event.id, None, closed), *self._tell_results(event, [element])]

    def _results_changed(self, event: _Event, element: _Element) -> None:
        if self._revealed(event, element):
            event.stale[element.id] = None

    def _revealed(self, event: _Event, element: _Element) -> bool:
        closed = element.live is not None and element.live.state == "closed"
        mode = element.settings.reveal_results_mode
        return (
            self._tells_results
            and bool(element.settings.options)
            and (
                mode == "vote"
                or (mode == "close" and closed)
                or (mode == "event_end" and event.state == "finished")
            )
        )

    def _results(self, element: _Element) -> ResultsTold:
        final = element.live is not None and element.live.state == "closed"
        return ResultsTold(element.id, tuple(element.votes), final)

    def _tell_results(self, event: _Event, elements: Iterable[_Element]) -> list[Delivery]:
        told = (self._results(e) for e in elements if self._revealed(event, e))
        return [Delivery(event.id, None, results) for results in told]

    def _refusal(
        self, element: _Element | None, user: str, options: list[int]
    ) -> RefusalReason | None:
        if element is None or element.live is None:
            return "unknown_element"
        if element.live.state != "opened":
            return "closed"
        settings = element.settings
        fits = settings.min_options_per_vote <= len(options) <= settings.max_options_per_vote
        if not fits or (len(options) > 1 and len(set(options)) < len(options)):
            return "wrong_options"
        for option in options:
            if not 0 <= option < len(element.votes):
                return "wrong_options"
        ballot = element.ballots.get(user, b"")
        if ballot:
            for option in options:
                if ballot[option] >= settings.max_votes_per_option:
                    return "already_voted" if settings.max_votes_per_option == 1 else "limit"
        return "limit" if sum(ballot) + len(options) > settings.max_votes_per_user else None
