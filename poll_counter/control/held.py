"""The hidden polls that an event has, read from the elements that the Control API tells.

Pure. What is not told (None, or no such attribute) is not judged: the documentation promises no
attribute (contract section 7.1), and tables and samples do not agree on their types (17.1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poll_counter.elements import (
    PAGE_FIELD,
    POLL_MARK,
    SAMPLE_RATE_FIELD,
    SPREAD_FIELD,
    FieldValue,
    number,
)
from poll_counter.machine import DEFAULT_SPREAD_S
from poll_counter.sampling import is_rate

from .resources import Element, ElementSpec

__all__ = ["HeldPoll", "chosen", "hidden_polls", "plain", "trivia"]

NOT_YET = frozenset({"non_scheduled", "future"})
"""States of an element that clients have not seen (contract section 7.2)."""
OVER = frozenset({"past", "on_demand", "revoked", "cancelled"})
"""States of an element that takes no votes, and will not again."""


@dataclass(frozen=True, slots=True)
class HeldPoll:
    """One hidden poll that is there, in whatever state."""

    element: Element
    """As the Control API tells it."""
    place: int | None = None
    """Its page where the app is configured with ids: its index among them."""

    @property
    def id(self) -> str:
        """The element's id."""
        return self.element.id

    @property
    def state(self) -> str:
        """The element's state (contract section 7.2)."""
        return self.element.state or ""

    @property
    def is_over(self) -> bool:
        """Whether it takes no more votes."""
        return self.state in OVER

    @property
    def is_published(self) -> bool:
        """Whether it was published; so is a state that nobody knows."""
        return self.state not in NOT_YET

    @property
    def is_marked(self) -> bool:
        """Whether clients recognise it: the mark, or their configured ids."""
        value = self.field(POLL_MARK)
        return self.place is not None or value is True or number(value) == 1.0

    @property
    def page(self) -> int | None:
        """Its page, counted from 0; None where it names none that can be."""
        if self.place is not None:
            return self.place
        named = number(self.field(PAGE_FIELD))
        return None if named is None or named < 0 or named % 1 else int(named)

    @property
    def options(self) -> int:
        """How many options it has."""
        return len(_list(self.question.get("options")))

    @property
    def question(self) -> Mapping[str, Any]:
        """Its question as it was told."""
        question = self.told("question")
        return question if isinstance(question, Mapping) else {}

    @property
    def spread_s(self) -> float:
        """The seconds that it names for the spread; the library's default where none."""
        value = number(self.field(SPREAD_FIELD))
        return DEFAULT_SPREAD_S if value is None else value

    @property
    def sample_rate(self) -> float:
        """The share of players that vote; 1 where none is named that can be."""
        value = number(self.field(SAMPLE_RATE_FIELD))
        return 1.0 if value is None or not is_rate(value) else value

    def field(self, key: str) -> FieldValue:
        """A custom field's value; None where there is none."""
        value: FieldValue = self.element.fields.get(key)
        return value

    def told(self, attribute: str) -> Any:
        """An attribute as it was told; None where it was not."""
        return self.element.attributes.get(attribute)

    def amount(self, attribute: str) -> float | None:
        """A number among the attributes, also in a string (contract 17.1); None for no number."""
        value = self.told(attribute)
        told = number(value) if isinstance(value, str | int | float) else None
        return None if told is None else plain(told)


def hidden_polls(
    elements: Iterable[Element], *, poll_ids: Sequence[str] = (), content_type: str
) -> list[HeldPoll]:
    """Find the hidden polls of an event, also those that lack the mark.

    Args:
        elements: of the event, in the order of their publication.
        poll_ids: where the app is configured with ids, these alone, each at its page.
        content_type: an element of this type is meant as a hidden poll, marked or not.
    """
    if poll_ids:
        places = {id_: place for place, id_ in enumerate(poll_ids)}
        return [HeldPoll(each, places[each.id]) for each in elements if each.id in places]
    polls = map(HeldPoll, elements)
    return [p for p in polls if p.is_marked or p.element.content_type == content_type]


def chosen(polls: Iterable[HeldPoll]) -> dict[int, HeldPoll]:
    """Page -> the poll that counts it: of two for one page the later published (rule 6).

    Those that are over have no page, nor those that name none.
    """
    order = sorted((poll for poll in polls if not poll.is_over), key=lambda p: p.is_published)
    return {poll.page: poll for poll in order if poll.page is not None}


def trivia(elements: Iterable[Element], spec: Collection[ElementSpec]) -> list[Element]:
    """The trivia of an event, without those that were pulled back."""
    types = {each.content_type for each in spec if each.derived_from == "trivia"} | {"trivia"}
    return [
        each
        for each in elements
        if each.content_type in types and each.state not in {"revoked", "cancelled"}
    ]


def plain(value: float) -> float:
    """A number as people write it: a whole one without a decimal point."""
    return int(value) if value == int(value) else value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
