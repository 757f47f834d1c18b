"""A model of the platform, and of what a client was shown of it: for the stateful test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from poll_counter.commands import CastVote
from poll_counter.elements import PAGE_FIELD, Element, ElementState, EventState, is_hidden
from poll_counter.facts import (
    AnswerAccepted,
    AnswerRefused,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
    Fact,
    RefusalReason,
    ResultsTold,
    Welcomed,
)

OPTIONS: Final = 2
"""Options of every poll, so that polls chain soon."""

Vote: TypeAlias = tuple[str, int]
"""A poll and an option: the unit that is voted once."""


def round_of(elements: Mapping[str, Element]) -> int:
    """The round of a show with these elements."""
    return 1 + sum(e.type == "trivia" and e.state == "closed" for e in elements.values())


def is_played(elements: Mapping[str, Element]) -> bool:
    """Whether a trivia is open."""
    return any(e.type == "trivia" and e.state == "opened" for e in elements.values())


def counted_by(elements: Mapping[str, Element]) -> tuple[Element, int] | None:
    """The poll and the option that count the round of a show with these elements."""
    page, option = divmod(round_of(elements) - 1, OPTIONS)
    of_page = [e for e in elements.values() if is_hidden(e) and e.custom_fields[PAGE_FIELD] == page]
    return (max(of_page, key=lambda e: (e.published_at, e.id)), option) if of_page else None


def vote_of(elements: Mapping[str, Element]) -> Vote | None:
    """What is voted for in the round of a show with these elements, if a poll is open for it."""
    found = counted_by(elements)
    return (found[0].id, found[1]) if found is not None and found[0].state == "opened" else None


@dataclass
class Platform:
    """The show as it is, and the votes of our player and of the others."""

    rev: int = 0
    event: EventState = "upcoming"
    event_rev: int = 0
    elements: dict[str, Element] = field(default_factory=dict)
    gone: dict[str, Element] = field(default_factory=dict)
    made: int = 0
    counted: Counter[Vote] = field(default_factory=Counter)
    """Votes of our player, as often as each was counted."""
    tallies: dict[str, list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0] * OPTIONS)
    )
    snapshots: list[Welcomed] = field(default_factory=list)
    """All there ever were, so that an edge may lag."""

    def changed(self, fact: Fact) -> Fact:
        """Keep a snapshot of the show as it is after a change."""
        self.snapshots.append(
            Welcomed(
                self.event,
                tuple(self.elements.values()),
                tuple(self.results(e.id) for e in self.elements.values() if is_hidden(e)),
                rev=self.rev,
                event_rev=self.event_rev,
            )
        )
        return fact

    def put(self, element: Element, kind: type[ElementPublished | ElementUpdated]) -> Fact:
        """Publish or update an element."""
        self.rev += 1
        element = replace(element, rev=self.rev)
        self.elements[element.id] = element
        self.gone.pop(element.id, None)
        return self.changed(kind(element))

    def publish(self, element: Element) -> Fact:
        """Publish an element, at a time later than any before."""
        self.made += 1
        return self.put(replace(element, published_at=float(self.made)), ElementPublished)

    def close(self, element_id: str) -> Fact:
        """Close an element, or open it again."""
        self.rev += 1
        element = self.elements[element_id]
        state: ElementState = "closed" if element.state == "opened" else "opened"
        self.elements[element_id] = replace(element, state=state, rev=self.rev)
        return self.changed(ElementStateChanged(element_id, state, self.rev))

    def revoke(self, element_id: str) -> Fact:
        """Revoke an element."""
        self.rev += 1
        self.gone[element_id] = self.elements.pop(element_id)
        return self.changed(ElementRevoked(element_id, self.rev))

    def go(self, state: EventState) -> Fact:
        """Start or stop the event."""
        self.rev += 1
        self.event, self.event_rev = state, self.rev
        return self.changed(EventStateChanged(state, self.rev))

    def results(self, poll_id: str, lag: int = 0) -> ResultsTold:
        """The results of a poll; those of an open poll may come from an edge that lags."""
        final = self.elements[poll_id].state == "closed"
        less = 0 if final else lag
        votes = tuple(max(0, number - less) for number in self.tallies[poll_id])
        return ResultsTold(poll_id, votes, final)

    def take(self, vote: CastVote) -> Fact:
        """Count a vote or refuse it, as the platform's rules say."""
        element, key = self.elements.get(vote.poll_id), (vote.poll_id, vote.option)
        reason: RefusalReason | None = None
        if element is None:
            reason = "unknown_element"
        elif element.state == "closed":
            reason = "closed"
        elif element.max_votes_per_option == 1 and self.counted[key]:
            reason = "already_voted"
        if reason is not None:
            return AnswerRefused(*key, reason)
        self.counted[key] += 1
        self.tallies[vote.poll_id][vote.option] += 1
        return AnswerAccepted(*key)


@dataclass
class View:
    """What a machine was shown: of each element the change with the highest revision counts."""

    shown: dict[str, tuple[int, Element | None]] = field(default_factory=dict)
    floor: int = -1
    highest: int = -1
    event: tuple[int, EventState] = (-1, "upcoming")
    early: dict[str, tuple[int, ElementState]] = field(default_factory=dict)
    """States of elements that were not shown yet."""

    @property
    def elements(self) -> dict[str, Element]:
        """The elements present."""
        return {key: element for key, (_, element) in self.shown.items() if element is not None}

    def take(self, fact: Fact) -> None:
        """Show a fact."""
        match fact:
            case Welcomed(event_state, elements, _, rev, event_rev):
                assert rev is not None
                assert event_rev is not None
                if rev >= self.highest:
                    self.shown, self.early, self.floor, self.highest = {}, {}, -1, rev
                for element in elements:
                    self._show(element.id, element.rev, element)
                self.floor = max(self.floor, rev if self.highest == rev else -1)
                self._take_event(event_state, event_rev)
            case ElementPublished(element) | ElementUpdated(element):
                self._show(element.id, element.rev, element)
            case ElementStateChanged(element_id, state, rev):
                assert rev is not None
                if element_id in self.elements:
                    element = replace(self.elements[element_id], state=state, rev=rev)
                    self._show(element_id, rev, element)
                elif rev > max(self.floor, self.shown.get(element_id, (-1, None))[0]):
                    told = self.early.get(element_id, (-1, state))
                    self.early[element_id] = max(told, (rev, state), key=lambda told: told[0])
                    self.highest = max(self.highest, rev)
            case ElementRevoked(element_id, rev):
                self._show(element_id, rev, None)
            case EventStateChanged(state, rev):
                assert rev is not None
                self._take_event(state, rev)
            case _:
                pass

    def _show(self, element_id: str, rev: int | None, element: Element | None) -> None:
        assert rev is not None
        if rev > max(self.floor, self.shown.get(element_id, (-1, None))[0]):
            if element is not None:
                later, state = self.early.pop(element_id, (-1, element.state))
                if later > rev:
                    rev, element = later, replace(element, state=state, rev=later)
            self.shown[element_id] = rev, element
            self.highest = max(self.highest, rev)

    def _take_event(self, state: EventState, rev: int) -> None:
        self.event = max(self.event, (rev, state), key=lambda told: told[0])
        self.highest = max(self.highest, rev)
