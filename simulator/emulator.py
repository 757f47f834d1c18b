"""The platform, pure: what it is asked and the time go in, what it has to tell comes out.

Events, the timeline of their elements, votes within the limits of the platform's documentation,
results broadcast no more often than the interval says. No sockets, no clock, no event loop: the
server, the producer's side and the virtual world stand on this one platform.

Where the documentation leaves something open the choice is ours, and a parameter where it
matters: `results_interval_s`; what a vote beyond the limits is answered; results revealed by
`vote` are seen by everybody as long as the element is open; a stopped event closes its elements;
what was published once changes its custom fields alone; an event that starts by itself counts
from the time that it was to start.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple, Protocol, TypeAlias

from poll_counter.elements import Element, EventState, FieldValue
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
    Welcomed,
)

from .audience import Audience
from .records import (
    RESULTS_INTERVAL_S,
    VOTES_PER_OPTION_MAX,
    Connection,
    ElementRecord,
    EventRecord,
    RevealMode,
    Settings,
)

__all__ = [
    "Connection",
    "Delivery",
    "Emulator",
    "EmulatorError",
    "Entry",
    "EntryLog",
    "Kind",
    "RevealMode",
    "Settings",
]

Kind: TypeAlias = Literal[
    "joined", "left", "event", "published", "closed", "revoked", "accepted", "refused"
]


class EmulatorError(ValueError):
    """The producer asked for something that the platform does not do."""


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


class EntryLog(Protocol):
    """What takes the emulator's log, such as a list."""

    def append(self, entry: Entry, /) -> object:
        """Take a line."""
        ...


class Emulator:
    """A platform with any number of events.

    Args:
        results_interval_s: results of one event are told no more often than this; None: never,
            for a crowd that votes and is not asked.
        log: takes a line for everything that happens; pass a list to check the truth later.
        is_node: one of several that show the same (see `nodes`): votes are counted elsewhere, and
            come by `answered` and `tally`; what happens by itself does so by `keep_schedule`
            alone, so that it is at the same time on all nodes.
    """

    def __init__(
        self,
        *,
        results_interval_s: float | None = RESULTS_INTERVAL_S,
        log: EntryLog | None = None,
        is_node: bool = False,
    ) -> None:
        self._interval_s = results_interval_s or 0.0
        self._tells_results = results_interval_s is not None
        self._log = log
        self._is_node = is_node
        self._numbers = itertools.count(1)
        self._events: dict[str, EventRecord] = {}
        self._event_of: dict[str, EventRecord] = {}  # element id -> its event
        self._connections: dict[Connection, EventRecord] = {}

    # The producer

    def add_event(
        self,
        event_id: str,
        name: str = "",
        fields: Mapping[str, FieldValue] | None = None,
        *,
        peak_sample_s: float | None = None,
    ) -> None:
        """Make an event, upcoming.

        Args:
            event_id: its id.
            name: its name.
            fields: its custom fields.
            peak_sample_s: how often concurrency is sampled for its peak; None: no statistics of
                the audience are kept, for a crowd that nobody asks about.
        """
        if event_id in self._events:
            raise EmulatorError(f"there is an event {event_id!r} already")
        audience = None if peak_sample_s is None else Audience(peak_sample_s)
        self._events[event_id] = EventRecord(event_id, name, dict(fields or {}), audience)

    def schedule(
        self,
        event_id: str,
        *,
        starts_at: float | None = None,
        runs_s: float | None = None,
        ends_at: float | None = None,
    ) -> None:
        """Say when an event starts and ends by itself, by `wake`; what is left out, it does not.

        Args:
            event_id: the event; what it was told before is forgotten.
            starts_at: when it starts, unless it is started before.
            runs_s: it ends so long after its start.
            ends_at: it ends then; wins over `runs_s`.
        """
        event = self.event(event_id)
        event.starts_at, event.runs_s, event.ends_at = starts_at, runs_s, ends_at

    def update_event(
        self,
        event_id: str,
        now: float,  # noqa: ARG002 - every act of the producer has its time
        *,
        name: str | None = None,
        fields: Mapping[str, FieldValue] | None = None,
    ) -> list[Delivery]:
        """Change an event's name or its custom fields, all of them; its clients are told."""
        event = self.event(event_id)
        if name is not None:
            event.name = name
        if fields is not None:
            event.fields = dict(fields)
        return [Delivery(event.id, None, EventUpdated(event.fields, event.next_rev()))]

    def add_element(self, event_id: str, element_id: str, settings: Settings) -> None:
        """Make an element, to be published by `publish`, or by itself at its offset."""
        if element_id in self._event_of:
            raise EmulatorError(f"there is an element {element_id!r} already")
        _check(settings)
        event = self.event(event_id)
        event.elements[element_id] = ElementRecord(element_id, settings)
        self._event_of[element_id] = event

    def update_element(self, element_id: str, settings: Settings, now: float) -> list[Delivery]:
        """Make an element otherwise; one that was published changes its custom fields alone.

        Clients are told of a live one.
        """
        event, element = self._element(element_id)
        _check(settings)
        held = element.settings
        same = replace(settings, custom_fields=held.custom_fields) == held
        if element.published_at is not None and not same:
            raise EmulatorError(
                f"element {element_id!r} was published, so only its custom fields can change"
            )
        element.settings, element.changed_at = settings, now
        if element.live is None:
            return []
        fields = settings.custom_fields
        element.live = replace(element.live, custom_fields=fields, rev=event.next_rev())
        return [Delivery(event.id, None, ElementUpdated(element.live))]

    def remove_element(self, element_id: str) -> None:
        """Delete an element that clients do not hold: never published, or revoked."""
        event, element = self._element(element_id)
        if element.live is not None:
            raise EmulatorError(f"element {element_id!r} is published, so it cannot be deleted")
        del event.elements[element_id], self._event_of[element_id]

    def start(self, event_id: str, now: float) -> list[Delivery]:
        """Start an upcoming event."""
        event = self.event(event_id)
        if event.state != "upcoming":
            raise EmulatorError(f"event {event_id!r} is {event.state}, so it cannot be started")
        return [self._start(event, now, now)]

    def stop(self, event_id: str, now: float) -> list[Delivery]:
        """Stop an event that is not finished: its elements are closed, final results told."""
        event = self.event(event_id)
        if event.state == "finished":
            raise EmulatorError(f"event {event_id!r} is finished, so it cannot be stopped")
        return self._stop(event, now, now)

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
        if element.number is None:
            element.number = next(self._numbers)
        element.published_at = element.changed_at = now
        element.closed_at = element.revoked_at = None
        element.counting = False
        self._note(Entry(now, "published", event.id, element_id=element.id))
        if element.revealed(event.state):
            if element.results_revealed_at is None:
                element.results_revealed_at = now
            self._results_changed(event, element)
        return [Delivery(event.id, None, ElementPublished(element.live))]

    def close(self, element_id: str, now: float) -> list[Delivery]:
        """Close an open element, and tell its final results where they may be seen."""
        event, element = self._element(element_id)
        if not element.is_open:
            raise EmulatorError(f"element {element_id!r} is not open, so it cannot be stopped")
        return self._close(event, element, now)

    def revoke(self, element_id: str, now: float) -> list[Delivery]:
        """Pull a published element back; its votes are kept."""
        event, element = self._element(element_id)
        if element.live is None:
            raise EmulatorError(f"element {element_id!r} is not published")
        element.live = element.closes_at = None
        element.revoked_at = element.changed_at = now
        event.stale.pop(element.id, None)
        self._note(Entry(now, "revoked", event.id, element_id=element.id))
        return [Delivery(event.id, None, ElementRevoked(element.id, event.next_rev()))]

    def reveal_results(self, element_id: str, now: float) -> list[Delivery]:
        """Let users see the results of a live element whose reveal mode is `manual`."""
        event, element = self._element(element_id)
        if element.settings.reveal_results_mode != "manual":
            raise EmulatorError(f"the results of element {element_id!r} are not revealed by hand")
        if element.live is None:
            raise EmulatorError(f"element {element_id!r} is not published")
        if element.results_revealed_at is not None:
            raise EmulatorError(f"the results of element {element_id!r} are revealed already")
        element.results_revealed_at = element.changed_at = now
        return self._tell_results(event, [element])

    # The clients

    def connect(
        self, connection: Connection, event_id: str, user: str, now: float
    ) -> list[Delivery]:
        """A client said hello: it gets a snapshot, and from then on whatever happens.

        Raises EmulatorError for an event that does not exist.
        """
        event = self.event(event_id)
        if event.audience is not None:
            event.audience.joined(user, len(event.users), now)
        event.users[connection] = user
        self._connections[connection] = event
        self._note(Entry(now, "joined", event.id, connection, user))
        return [Delivery(event.id, connection, self.snapshot(event_id, now))]

    def snapshot(self, event_id: str, now: float) -> Welcomed:
        """What a client is told that connects now; snapshots of one revision share elements."""
        event = self.event(event_id)
        if event.snapshot_rev != event.rev:
            live = (element.live for element in event.elements.values())
            event.snapshot = tuple(element for element in live if element is not None)
            event.snapshot_rev = event.rev
        elements = map(event.elements.__getitem__, (element.id for element in event.snapshot))
        return Welcomed(
            event_state=event.state,
            elements=event.snapshot,
            results=tuple(
                e.results() for e in elements if self._tells_results and e.revealed(event.state)
            ),
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
            if event.audience is not None:
                event.audience.left(len(event.users), now)
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
        reason = "unknown_element" if element is None else element.refusal(user, options)
        if element is None or reason is not None:
            assert reason is not None
            option = options[0] if options else -1
            refused = AnswerRefused(element_id, option, reason, answer_id=answer_id)
            return self._refuse(event, connection, refused, now)
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
        event.answers += 1
        if self._tells_results:
            self._results_changed(event, element)
        fact = element.accepted.get(options[0])
        if fact is None or fact.answer_id != answer_id:  # who gives no ids shares the fact
            fact = AnswerAccepted(element_id, options[0], answer_id)
            element.accepted[options[0]] = fact
        return [Delivery(event.id, connection, fact)]

    def answered(
        self, connection: Connection, fact: AnswerAccepted | AnswerRefused, now: float
    ) -> list[Delivery]:
        """Tell a client what became of an answer that was counted elsewhere."""
        event = self._connections.get(connection)
        if event is None:  # it has gone meanwhile
            return []
        if isinstance(fact, AnswerRefused):
            return self._refuse(event, connection, fact, now)
        event.answers += 1
        return [Delivery(event.id, connection, fact)]

    def tally(
        self, element_id: str, votes: Iterable[int], voters: int, *, final: bool
    ) -> list[Delivery]:
        """Take the votes of an element that are counted elsewhere; final ones are told at once."""
        event, element = self._element(element_id)
        before, element.votes = element.votes, [*votes]
        element.voters_elsewhere = voters
        if final and element.counting:
            element.counting = False
            return self._tell_results(event, [element])
        if before != element.votes and element.live is not None and not element.counting:
            self._results_changed(event, element)
        return []

    def connected_elsewhere(self, event_id: str, connections: int) -> None:
        """Take how many connections an event has on other nodes."""
        self.event(event_id).connected_elsewhere = connections

    def count_elsewhere(self, element_id: str, option: int, votes: int) -> None:
        """Add votes that other nodes of the platform accepted."""
        event, element = self._element(element_id)
        element.votes[option] += votes
        if element.live is not None and element.live.state == "opened":
            self._results_changed(event, element)

    # Time

    @property
    def scheduled_at(self) -> float | None:
        """When the next thing happens by itself; None: nothing will."""
        due: list[float | None] = []
        for event in self._events.values():
            if event.state == "upcoming":
                due.append(event.starts_at)
            elif event.state == "active":
                due.append(event.ends_by_itself_at)
                for element in event.elements.values():
                    if element.closes_at is not None or element.settings.offset_s is not None:
                        due += (element.closes_at, event.publishes_at(element))
        return min((at for at in due if at is not None), default=None)

    @property
    def deadline(self) -> float | None:
        """When to call `wake`; None for never."""
        due = [e.told_at + self._interval_s for e in self._events.values() if e.stale]
        scheduled_at = None if self._is_node else self.scheduled_at
        if scheduled_at is not None:
            due.append(scheduled_at)
        return min(due, default=None)

    def wake(self, now: float) -> list[Delivery]:
        """Let time pass: what starts, is published, closes or ends by itself, and results due."""
        out = [] if self._is_node else self.keep_schedule(now)
        for event in self._events.values():
            if event.stale and event.told_at + self._interval_s <= now:
                stale = [event.elements[key] for key in event.stale]
                event.stale.clear()
                event.told_at = now
                out += self._tell_results(event, stale)
        return out

    def keep_schedule(self, now: float) -> list[Delivery]:
        """Let happen what happens by itself, now or before."""
        return [told for event in self._events.values() for told in self._keep_schedule(event, now)]

    # What may be asked at any time

    def connected(self, event_id: str) -> int:
        """How many connections an event has."""
        return len(self.event(event_id).users)

    def connections(self) -> list[tuple[str, int]]:
        """How many connections every event has here, on this node."""
        return [(event.id, len(event.users)) for event in self._events.values()]

    def user(self, connection: Connection) -> str:
        """Whose a connection is."""
        return self._connections[connection].users[connection]

    def votes(self, element_id: str) -> tuple[int, ...]:
        """The votes of an element, per option."""
        return tuple(self.element(element_id).votes)

    def event(self, event_id: str) -> EventRecord:
        """What is held of an event, to be read; raises EmulatorError for one that is not."""
        try:
            return self._events[event_id]
        except KeyError:
            raise EmulatorError(f"there is no event {event_id!r}") from None

    def uncounted(self) -> list[str]:
        """The elements with votes to come from elsewhere: those open, and those not final yet."""
        return [
            element.id
            for event in self._events.values()
            for element in event.elements.values()
            if element.settings.options and (element.is_open or element.counting)
        ]

    def element(self, element_id: str) -> ElementRecord:
        """What is held of an element, to be read; raises EmulatorError for one that is not."""
        return self._element(element_id)[1]

    # Inside

    def _element(self, element_id: str) -> tuple[EventRecord, ElementRecord]:
        try:
            event = self._event_of[element_id]
        except KeyError:
            raise EmulatorError(f"there is no element {element_id!r}") from None
        return event, event.elements[element_id]

    def _note(self, entry: Entry) -> None:
        if self._log is not None:
            self._log.append(entry)

    def _refuse(
        self, event: EventRecord, connection: Connection, fact: AnswerRefused, now: float
    ) -> list[Delivery]:
        user, of = event.users[connection], (fact.element_id, fact.option, fact.reason)
        self._note(Entry(now, "refused", event.id, connection, user, *of))
        return [Delivery(event.id, connection, fact)]

    def _keep_schedule(self, event: EventRecord, now: float) -> list[Delivery]:
        """What an event and its elements do by themselves, now or before."""
        out: list[Delivery] = []
        if event.state == "upcoming" and event.starts_at is not None and event.starts_at <= now:
            out.append(self._start(event, event.starts_at, now))
        if event.state != "active":
            return out
        ends_at = event.ends_by_itself_at
        if ends_at is not None and ends_at <= now:
            return out + self._stop(event, ends_at, now)
        for element in event.elements.values():
            at = event.publishes_at(element)
            if at is not None and at <= now:
                out += self.publish(element.id, now)
            if element.closes_at is not None and element.closes_at <= now:
                out += self._close(event, element, now)
        return out

    def _start(self, event: EventRecord, at: float, now: float) -> Delivery:
        """Start an event, counted from `at`."""
        event.started_at = at
        return self._set_event_state(event, "active", now)

    def _stop(self, event: EventRecord, at: float, now: float) -> list[Delivery]:
        """End an event, which was over at `at`."""
        event.ended_at = at
        out = [self._set_event_state(event, "finished", now)]
        for element in event.elements.values():
            if element.live is None:
                continue
            if element.live.state == "opened":
                out += self._close(event, element, now)
            elif element.settings.reveal_results_mode == "event_end":
                element.results_revealed_at = now
                out += self._tell_results(event, [element])
        return out

    def _set_event_state(self, event: EventRecord, state: EventState, now: float) -> Delivery:
        event.state, event.state_rev = state, event.next_rev()
        self._note(Entry(now, "event", event.id, detail=state))
        return Delivery(event.id, None, EventStateChanged(state, event.state_rev))

    def _close(self, event: EventRecord, element: ElementRecord, now: float) -> list[Delivery]:
        assert element.live is not None  # only what is open is closed
        element.live = replace(element.live, state="closed", rev=event.next_rev())
        element.closes_at = None
        element.closed_at = element.changed_at = now
        if element.results_revealed_at is None and element.revealed(event.state):
            element.results_revealed_at = now
        event.stale.pop(element.id, None)
        self._note(Entry(now, "closed", event.id, element_id=element.id))
        closed = Delivery(
            event.id, None, ElementStateChanged(element.id, "closed", element.live.rev)
        )
        if self._is_node and element.settings.options:
            element.counting = True  # nodes that do not know of it yet may still accept votes
            return [closed]
        return [closed, *self._tell_results(event, [element])]

    def _results_changed(self, event: EventRecord, element: ElementRecord) -> None:
        if self._tells_results and element.revealed(event.state):
            event.stale[element.id] = None

    def _tell_results(
        self, event: EventRecord, elements: Iterable[ElementRecord]
    ) -> list[Delivery]:
        if not self._tells_results:
            return []
        told = (element.results() for element in elements if element.revealed(event.state))
        return [Delivery(event.id, None, results) for results in told]


def _check(settings: Settings) -> None:
    if not 1 <= settings.max_votes_per_option <= VOTES_PER_OPTION_MAX:
        raise EmulatorError(f"max_votes_per_option must be from 1 to {VOTES_PER_OPTION_MAX}")
