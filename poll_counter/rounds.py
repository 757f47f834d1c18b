"""The arithmetic of rounds: elements held -> trivia finished -> round -> page and option.

Pure values. `Progress` is immutable, so that players who were told the same may share one.
The way back, from results to the players of a round, is in `counts.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from .elements import (
    PAGE_FIELD,
    SPREAD_FIELD,
    Element,
    ElementState,
    EventState,
    Ids,
    Recognise,
    number,
)

__all__ = ["Progress", "is_repeatable", "spread_of"]

SPREAD_S_MAX = 120.0
"""The longest spread that a poll may ask for, seconds (counting rule 10)."""


def spread_of(poll: Element, default_s: float) -> float:
    """Read the seconds over which the votes for a poll are spread, clamped to 0..120."""
    value = number(poll.custom_fields.get(SPREAD_FIELD))
    return default_s if value is None else min(max(value, 0.0), SPREAD_S_MAX)


def is_repeatable(poll: Element, *, acknowledges: bool) -> bool:
    """Tell whether a vote for a poll may be cast again: the platform refuses a second (rule 5).

    Then every vote arrives in the end; else a vote is cast at most once, and may be missing.
    """
    return acknowledges and poll.max_votes_per_option == 1


def _published(element: Element) -> tuple[float, str]:
    return element.published_at, element.id


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the show is: the elements held, and what follows from them.

    A change with a `rev` that `is_old` is to be ignored; every other method takes a change in
    and returns the progress after it. Without a `rev` (None) changes count as in order.
    """

    recognise: Recognise
    """How hidden poll and trivia are told."""
    event_state: EventState = "upcoming"
    """The state of the event."""
    elements: Mapping[str, Element] = field(default_factory=dict, repr=False)
    """The elements present, by id; a revoked element is absent."""
    finished: int = 0
    """How many trivia are present in state closed."""
    opened: int = 0
    """How many trivia are present in state opened."""
    pages: Mapping[int, Element] = field(default_factory=dict, repr=False)
    """Page -> the hidden poll of that page."""
    options_per_poll: int = 0
    """The number of options of every page; 0 without a poll."""
    event_rev: int = -1
    """The revision of the event's own state."""
    snapshot_rev: int = -1
    """The revision of the snapshot that the elements were last replaced by."""
    highest_rev: int = -1
    """The highest revision seen."""
    revoked: Mapping[str, int] = field(default_factory=dict, repr=False)
    """Revoked since that snapshot: element id -> revision of the revocation."""

    @property
    def round(self) -> int:
        """The round that the show is in, from 1; in an event over, the one that never came."""
        return self.finished + 1

    def is_old(self, element_id: str, rev: int | None) -> bool:
        """Tell whether a change to an element is not above the revision held for it."""
        if rev is None:
            return False
        held = self.elements.get(element_id)
        known = self.revoked.get(element_id, -1) if held is None else held.rev
        return rev <= max(self.snapshot_rev, -1 if known is None else known)

    def poll_for(self, round_: int) -> tuple[Element, int] | None:
        """Find the hidden poll of a round and the option (0-based) that is voted for in it.

        Polls chain: `page, option = divmod(finished, options_per_poll)` (counting rule 6).
        """
        if not self.options_per_poll:
            return None
        page, option = divmod(round_ - 1, self.options_per_poll)
        poll = self.pages.get(page)
        return None if poll is None or option >= len(poll.options) else (poll, option)

    def with_element(self, element: Element) -> Progress:
        """An element was published or updated."""
        return self._holding({**self.elements, element.id: element}, element.rev)

    def with_state(self, element_id: str, state: ElementState, rev: int | None) -> Progress:
        """An element held was opened or closed."""
        element = replace(self.elements[element_id], state=state, rev=rev)
        return self._holding({**self.elements, element_id: element}, rev)

    def without(self, element_id: str, rev: int | None) -> Progress:
        """An element was revoked; that it is gone is kept in mind, held before or not."""
        elements = {key: value for key, value in self.elements.items() if key != element_id}
        revoked = self.revoked if rev is None else {**self.revoked, element_id: rev}
        return replace(self._holding(elements, rev), revoked=revoked)

    def with_event(self, state: EventState, rev: int | None) -> Progress:
        """The event's state was told; one that is not above the revision held is ignored."""
        if rev is not None and rev <= self.event_rev:
            return self
        event_rev = self.event_rev if rev is None else rev
        highest = max(self.highest_rev, event_rev)
        return replace(self, event_state=state, event_rev=event_rev, highest_rev=highest)

    def with_snapshot(self, elements: Iterable[Element], rev: int | None) -> Progress:
        """All elements were told at once, as on every connect.

        They replace what is held, absent meaning revoked, if `rev` is at least the highest seen;
        else they come from a lagging edge and are merged, element by element.
        """
        if rev is None or rev >= self.highest_rev:
            held = {element.id: element for element in elements}
            snapshot_rev = self.snapshot_rev if rev is None else rev
            return replace(self._holding(held, rev), snapshot_rev=snapshot_rev, revoked={})
        newer = {e.id: e for e in elements if not self.is_old(e.id, e.rev)}
        return self._holding({**self.elements, **newer}, None) if newer else self

    def _holding(self, elements: Mapping[str, Element], rev: int | None) -> Progress:
        """Hold other elements, and work out anew what follows from them."""
        is_trivia, is_hidden = self.recognise.is_trivia, self.recognise.is_hidden
        trivia = [element for element in elements.values() if is_trivia(element)]
        finished = sum(element.state == "closed" for element in trivia)
        pages = self._paged([element for element in elements.values() if is_hidden(element)])
        return replace(
            self,
            elements=MappingProxyType(dict(elements)),
            finished=finished,
            opened=len(trivia) - finished,
            pages=pages,
            options_per_poll=len(pages[min(pages)].options) if pages else 0,
            highest_rev=self.highest_rev if rev is None else max(self.highest_rev, rev),
        )

    def _paged(self, polls: list[Element]) -> Mapping[int, Element]:
        """Give every poll its page; of two polls for one page the later published has it."""
        pages: dict[int, Element] = {}
        for place, poll in enumerate(sorted(polls, key=_published)):
            pages[self._page_of(poll, place)] = poll
        return pages

    def _page_of(self, poll: Element, place: int) -> int:
        """A poll's page: its place in the ids configured, else its field, else by publishing."""
        if isinstance(self.recognise.hidden_poll, Ids):
            return self.recognise.hidden_poll.ids.index(poll.id)
        named = number(poll.custom_fields.get(PAGE_FIELD))
        return place if named is None or named < 0 or named % 1 else int(named)
