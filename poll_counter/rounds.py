"""The arithmetic of rounds: elements held -> trivia finished -> round -> page and option.

Pure values. `Progress` is immutable, so that players who were told the same may share one.
The way back, from results to the players of a round, is in `counts.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from .elements import (
    PAGE_FIELD,
    SAMPLE_RATE_FIELD,
    SPREAD_FIELD,
    Element,
    ElementState,
    EventState,
    Ids,
    Recognise,
    number,
)
from .sampling import is_rate

__all__ = ["Progress", "is_repeatable", "sample_rate_of", "spread_of"]

SPREAD_S_MAX = 120.0
"""The longest spread that a poll may ask for, seconds (counting rule 10)."""
EARLY_MAX = 100
"""How many states of elements not published yet are kept; the newest, of a platform gone mad."""
ELEMENTS_MAX = 10_000
"""How many elements are held, and how many revocations known; no show comes near."""


_Default = TypeVar("_Default", bound=float | None)


def spread_of(poll: Element, default_s: _Default) -> float | _Default:
    """Read the seconds over which the votes for a poll are spread, clamped to 0..120."""
    value = number(poll.custom_fields.get(SPREAD_FIELD))
    return default_s if value is None else min(max(value, 0.0), SPREAD_S_MAX)


def sample_rate_of(poll: Element) -> float | None:
    """Read the share of players that vote in a poll: 1 where none is named.

    Returns None for what is no number, or none above 0 and up to 1; it counts as 1 (rule 10).
    """
    told = poll.custom_fields.get(SAMPLE_RATE_FIELD)
    rate = 1.0 if told is None else number(told)
    return rate if rate is not None and is_rate(rate) else None


def is_repeatable(poll: Element, *, acknowledges: bool) -> bool:
    """Tell whether a vote for a poll may be cast again: the platform refuses a second (rule 5).

    Then every vote arrives in the end; else a vote is cast at most once, and may be missing.
    """
    return acknowledges and poll.max_votes_per_option == 1


def _published(element: Element) -> tuple[float, str]:
    return element.published_at, element.id


def _exactly(element: Element) -> object:
    """All that an element is: 1, 1.0 and true are equal, and mean different things in a field."""
    return element, *((key, type(value)) for key, value in element.custom_fields.items())


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Progress:
    """How far the show is: the elements held, and what follows from them.

    Every method named `with...` takes a change in and returns the progress after it; the very
    same progress when the change is ignored, such as one with a `rev` that `is_old`. Without a
    `rev` (None) changes count as in order. Who holds the same progress and is told the same
    shares the progress after it (see `_then`), and so do the clients of a process from their
    first snapshot on.
    """

    recognise: Recognise
    """How hidden poll and trivia are told."""
    event_state: EventState = "upcoming"
    """The state of the event."""
    elements: MappingProxyType[str, Element] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    """The elements present, by id; a revoked element is absent."""
    finished: int = 0
    """How many trivia are present in state closed."""
    opened: int = 0
    """How many trivia are present in state opened."""
    polls: tuple[Element, ...] = field(default=(), repr=False)
    """The hidden polls present, in the order of their publication."""
    pages: Mapping[int, Element] = field(default_factory=dict, repr=False)
    """Page -> the hidden poll of that page."""
    options_per_poll: int = 0
    """The number of options of every page; 0 without a poll."""
    rates: Mapping[str, float] = field(default_factory=dict, repr=False)
    """Poll id -> the share of players that vote, as it was first seen (counting rule 9)."""
    event_rev: int = -1
    """The revision of the event's own state."""
    snapshot_rev: int = -1
    """The revision of the snapshot that the elements were last replaced by."""
    highest_rev: int = -1
    """The highest revision seen."""
    revoked: Mapping[str, int] = field(default_factory=dict, repr=False)
    """Revoked since that snapshot: element id -> revision of the revocation."""
    early: Mapping[str, tuple[ElementState, int]] = field(default_factory=dict, repr=False)
    """States that came before the element's publication: element id -> state, its revision."""

    memo: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What was worked out from this progress before; it points forward only (see `_then`)."""
    _told: list[object] = field(default_factory=list, init=False, compare=False, repr=False)

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

    def is_full_for(self, element_id: str) -> bool:
        """Tell whether an element would be one too many: of a platform gone mad, not of a show."""
        return len(self.elements) >= ELEMENTS_MAX and element_id not in self.elements

    def poll_for(self, round_: int) -> tuple[Element, int] | None:
        """Find the hidden poll of a round and the option (0-based) that is voted for in it.

        Polls chain: `page, option = divmod(finished, options_per_poll)` (counting rule 6).
        """
        if not self.options_per_poll:
            return None
        page, option = divmod(round_ - 1, self.options_per_poll)
        poll = self.pages.get(page)
        return None if poll is None or option >= len(poll.options) else (poll, option)

    # The changes; each is looked up first, for what was told to a crowd is worked out once

    def with_element(self, element: Element) -> Progress:
        """An element was published or updated."""
        known = self.memo.get(id(element))
        if known is None:
            key = _exactly(element)
            known = self.memo.get(key)
            if known is None:
                known = self._then(key, self._with_element(element))
                self._then(id(element), known, element)
        return known

    def with_state(self, element_id: str, state: ElementState, rev: int | None) -> Progress:
        """An element was opened or closed; one not published yet, as soon as it is.

        Without a revision nobody can tell which was first: the state of an element that is not
        held is then ignored.
        """
        key = element_id, state, rev
        return self.memo.get(key) or self._then(key, self._with_state(element_id, state, rev))

    def without(self, element_id: str, rev: int | None) -> Progress:
        """An element was revoked; that it is gone is kept in mind, held before or not."""
        key = element_id, "revoked", rev
        return self.memo.get(key) or self._then(key, self._without(element_id, rev))

    def with_event(self, state: EventState, rev: int | None) -> Progress:
        """The event's state was told."""
        key = state, rev
        return self.memo.get(key) or self._then(key, self._with_event(state, rev))

    def with_snapshot(self, elements: Iterable[Element], rev: int | None) -> Progress:
        """All elements were told at once, as on every connect.

        They replace what is held, absent meaning revoked, if `rev` is at least the highest seen;
        else they come from a lagging edge and are merged, element by element.
        """
        elements = tuple(elements)  # a tuple stays the same one
        key = id(elements), rev
        return self.memo.get(key) or self._then(key, self._with_snapshot(elements, rev), elements)

    def with_welcome(
        self,
        elements: Iterable[Element],
        rev: int | None,
        event_state: EventState,
        event_rev: int | None,
    ) -> Progress:
        """A snapshot of elements and event was told; clients of a process then share one."""
        elements = tuple(elements)
        at = id(elements), rev, event_state, event_rev
        known = self.memo.get(at)
        if known is None:
            key = tuple(map(_exactly, elements)), rev, event_state, event_rev
            known = self.memo.get(key)
            if known is None:
                welcome = _identity(self), key
                known = _welcomed.get(welcome)
                if known is None:
                    after = self._with_snapshot(elements, rev).with_event(event_state, event_rev)
                    known = after if after is self else _held.setdefault(_identity(after), after)
                    _welcomed[welcome] = known
                self._then(key, known)
                self._then(at, known, elements)
        return known

    def with_rates(self, rates: Mapping[str, float]) -> Progress:
        """The sample rates of some polls are known from before."""
        key = frozenset(rates.items())
        return self.memo.get(key) or self._then(key, self._with_rates(rates))

    def _then(self, key: object, after: Progress, told: object = None) -> Progress:
        """Keep the progress after a change, for others who hold this one and are told the same.

        A machine then costs a million players a look into a dictionary each, and their memory is
        one. What was told is known by its value; elements, which take long to compare, also by
        which object they are: `told` is kept, so that no other object gets its id. A change that
        is ignored is not kept, so that no progress ever holds itself: one that nobody is at any
        more is freed.
        """
        if after is not self:
            self.memo[key] = after
            self._told.append(told)
        return after

    # What a change comes to

    def _with_element(self, element: Element) -> Progress:
        if self.is_old(element.id, element.rev) or self.is_full_for(element.id):
            return self
        return self._changed(element.id, self._caught_up(element), element.rev)

    def _with_state(self, element_id: str, state: ElementState, rev: int | None) -> Progress:
        if self.is_old(element_id, rev):
            return self
        held = self.elements.get(element_id)
        if held is not None:
            return self._changed(element_id, held.in_state(state, rev), rev)
        if rev is None or rev <= self.early.get(element_id, ("", -1))[1]:
            return self
        early = {**self.early, element_id: (state, rev)}
        if len(early) > EARLY_MAX:
            del early[min(early, key=lambda each: early[each][1])]
        return replace(self, early=early, highest_rev=max(self.highest_rev, rev))

    def _caught_up(self, element: Element) -> Element:
        """An element just published, in the state that overtook its publication, if one did."""
        state, rev = self.early.get(element.id, (element.state, -1))
        late = element.rev is not None and element.rev < rev
        return element.in_state(state, rev) if late else element

    def _without(self, element_id: str, rev: int | None) -> Progress:
        if self.is_old(element_id, rev):
            return self
        revoked = {**self.revoked} if rev is None else {**self.revoked, element_id: rev}
        if len(revoked) > ELEMENTS_MAX:
            del revoked[min(revoked, key=revoked.__getitem__)]
        return replace(self._changed(element_id, None, rev), revoked=revoked)

    def _with_event(self, state: EventState, rev: int | None) -> Progress:
        if rev is not None and rev <= self.event_rev:
            return self
        event_rev = self.event_rev if rev is None else rev
        highest = max(self.highest_rev, event_rev)
        return replace(self, event_state=state, event_rev=event_rev, highest_rev=highest)

    def _with_snapshot(self, elements: tuple[Element, ...], rev: int | None) -> Progress:
        if rev is None or rev >= self.highest_rev:
            held = {element.id: element for element in elements}
            snapshot_rev = self.snapshot_rev if rev is None else rev
            after = self._holding(held, rev)
            return replace(after, snapshot_rev=snapshot_rev, revoked={}, early={})
        merged, news = self.elements | {}, False
        for element in elements:
            full = len(merged) >= ELEMENTS_MAX and element.id not in merged
            if not full and not self.is_old(element.id, element.rev):
                merged[element.id], news = self._caught_up(element), True
        return self._holding(merged, None) if news else self

    def _with_rates(self, rates: Mapping[str, float]) -> Progress:
        known = {**self.rates, **rates}
        return self if known == self.rates else replace(self, rates=known)

    def _holding(self, elements: Mapping[str, Element], rev: int | None) -> Progress:
        """Hold other elements, and work out anew what follows from them."""
        is_trivia, is_hidden = self.recognise.is_trivia, self.recognise.is_hidden
        trivia = [element for element in elements.values() if is_trivia(element)]
        finished = sum(element.state == "closed" for element in trivia)
        held = MappingProxyType(dict(elements))
        polls = [element for element in elements.values() if is_hidden(element)]
        return self._with(held, finished, len(trivia) - finished, rev, polls)

    def _changed(self, element_id: str, now: Element | None, rev: int | None) -> Progress:
        """Hold one element otherwise, or no more: of the others nothing has to be asked again."""
        before = self.elements.get(element_id)
        elements = self.elements | ({} if now is None else {element_id: now})
        if now is None:
            elements.pop(element_id, None)
        was_finished, was_opened = self._trivia_in(before)
        finished, opened = self._trivia_in(now)
        is_hidden = self.recognise.is_hidden
        hidden = [now] if now is not None and is_hidden(now) else []
        touched = hidden or (before is not None and is_hidden(before))
        others = (poll for poll in self.polls if poll.id != element_id)
        return self._with(
            MappingProxyType(elements),
            self.finished + finished - was_finished,
            self.opened + opened - was_opened,
            rev,
            [*others, *hidden] if touched else None,
        )

    def _trivia_in(self, element: Element | None) -> tuple[int, int]:
        """How many finished and how many open trivia an element is: one of one of them at most."""
        if element is None or not self.recognise.is_trivia(element):
            return 0, 0
        return (1, 0) if element.state == "closed" else (0, 1)

    def _with(
        self,
        elements: MappingProxyType[str, Element],
        finished: int,
        opened: int,
        rev: int | None,
        polls: list[Element] | None,
    ) -> Progress:
        """Hold these elements, with so many trivia among them; the polls as before, if not told."""
        early = self.early
        after = Progress(
            self.recognise,
            self.event_state,
            elements,
            finished,
            opened,
            self.polls,
            self.pages,
            self.options_per_poll,
            self.rates,
            self.event_rev,
            self.snapshot_rev,
            self.highest_rev if rev is None else max(self.highest_rev, rev),
            self.revoked,
            {k: told for k, told in early.items() if k not in elements} if early else early,
        )
        return after if polls is None else replace(after, **self._paging(polls))

    def _paging(self, polls: list[Element]) -> dict[str, Any]:
        """What follows from the hidden polls, told in whatever order."""
        polls.sort(key=_published)
        pages = self._paged(polls)
        new = {poll.id: sample_rate_of(poll) or 1.0 for poll in polls if poll.id not in self.rates}
        return {
            "polls": tuple(polls),
            "pages": pages,
            "options_per_poll": len(pages[min(pages)].options) if pages else 0,
            "rates": {**self.rates, **new} if new else self.rates,
        }

    def _paged(self, polls: list[Element]) -> Mapping[int, Element]:
        """Give every poll its page; of two polls for one page the later published has it."""
        return {self._page_of(poll, place): poll for place, poll in enumerate(polls)}

    def _page_of(self, poll: Element, place: int) -> int:
        """A poll's page: its place in the ids configured, else its field, else by publishing."""
        if isinstance(self.recognise.hidden_poll, Ids):
            return self.recognise.hidden_poll.ids.index(poll.id)
        named = number(poll.custom_fields.get(PAGE_FIELD))
        return place if named is None or named < 0 or named % 1 else int(named)


def _identity(progress: Progress) -> object:
    """All that a progress is: those for which this is equal are the same."""
    return (
        progress.recognise,
        progress.event_state,
        progress.event_rev,
        progress.snapshot_rev,
        progress.highest_rev,
        tuple(map(_exactly, progress.elements.values())),
        tuple(progress.rates.items()),
        tuple(progress.revoked.items()),
        tuple(progress.early.items()),
    )


_held: Final[WeakValueDictionary[object, Progress]] = WeakValueDictionary()
"""What was told by snapshots, as long as anybody holds it: a crowd in one process shares it."""
_welcomed: Final[WeakValueDictionary[object, Progress]] = WeakValueDictionary()
"""(What was held, what a snapshot told) -> what is held then: worked out once for all who join."""
