"""What a show is made of: elements, and how the hidden poll and the trivia are told apart.

Pure: no I/O, no clock. The words are the platform's own (Event, Element, results, state).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "CONCURRENCY_FIELD",
    "PAGE_FIELD",
    "POLL_MARK",
    "SAMPLE_RATE_FIELD",
    "SPREAD_FIELD",
    "ContentType",
    "Criterion",
    "Element",
    "ElementState",
    "EventState",
    "FieldValue",
    "Ids",
    "Mark",
    "Recognise",
    "concurrency",
    "is_hidden",
    "number",
]

ElementState: TypeAlias = Literal["opened", "closed"]
"""An element's state as the Interaction SDK names it (contract section 13)."""

EventState: TypeAlias = Literal["upcoming", "active", "finished"]
"""An event's state as the Interaction SDK names it (contract section 13)."""

FieldValue: TypeAlias = str | int | float | bool | None
"""The value of a custom field (contract section 4)."""

POLL_MARK = "poll_counter"
"""The custom field that marks the hidden poll; its value is 1."""
PAGE_FIELD = "poll_counter_page"
"""The custom field with a chained poll's page, counted from 0."""
SAMPLE_RATE_FIELD = "poll_counter_sample_rate"
"""The custom field with the share of players that vote, 0 < rate <= 1; 1 where there is none."""
SPREAD_FIELD = "poll_counter_spread_s"
"""The custom field with the seconds over which the votes of a round are spread, 0 to 120."""
CONCURRENCY_FIELD = "poll_counter_concurrency"
"""The custom field, of the event or of an element, with the connected users (contract 1.1)."""


def number(value: FieldValue) -> float | None:
    """Read a custom field's value as a finite number; a number in a string is read too.

    Returns None for what is no number: true and false, text, nothing, NaN, infinity.
    """
    if isinstance(value, bool) or value is None:
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if abs(result) < float("inf") else None


@dataclass(frozen=True, slots=True)
class Element:
    """One element of an event, as a client holds it; a changed element is a new object.

    For example:

    ```python
    for element in counter.elements:
        if element.state == "opened" and not counter.is_hidden(element):
            print(element.question, element.options)
    ```
    """

    id: str
    """The platform's id of the element."""
    content_type: str
    """The app's own type, such as `rpoll-custom` or `trivia`."""
    state: ElementState
    """`opened` from its publication on, then `closed`."""
    published_at: float
    """When it was published: the platform's clock, unix seconds."""
    type: str = ""
    """The base type that the content type is derived from (`poll`, `trivia`), if told."""
    rev: int | None = None
    """The event-wide revision of its last change; None where the transport has none."""
    options: tuple[str, ...] = ()
    """The texts of its answer options, in option order."""
    question: str = ""
    """The text of its question."""
    custom_fields: Mapping[str, FieldValue] = field(default_factory=dict, hash=False)
    """Custom field key -> value."""
    max_votes_per_option: int | None = None
    """The most votes a user may cast per option; None where the transport does not tell."""
    reveal_results_mode: str | None = None
    """When users may see results; a hidden poll needs `vote`. None where not told."""

    def in_state(self, state: ElementState, rev: int | None) -> Element:
        """The element after a change of its state; `dataclasses.replace` takes twice as long."""
        return Element(
            self.id, self.content_type, state, self.published_at, self.type, rev, self.options,
            self.question, self.custom_fields, self.max_votes_per_option, self.reveal_results_mode,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """Recognise elements by a custom field whose value is 1 (or "1", or true).

    For example:

    ```python
    Recognise(hidden_poll=Mark("my_poll"))
    ```
    """

    field: str = POLL_MARK
    """The custom field's key."""

    def matches(self, element: Element) -> bool:
        """Tell whether the element carries the mark."""
        value = element.custom_fields.get(self.field)
        return value is not None and (value is True or number(value) == 1.0)


@dataclass(frozen=True, slots=True, init=False)
class ContentType:
    """Recognise elements by content type, or by the base type it is derived from.

    For example:

    ```python
    Recognise(trivia=ContentType("quiz-custom", "picture-quiz"))
    ```
    """

    names: frozenset[str]
    """The types; one of them is enough."""

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", frozenset(names))

    def matches(self, element: Element) -> bool:
        """Tell whether the element is of one of the types."""
        return element.content_type in self.names or element.type in self.names


@dataclass(frozen=True, slots=True, init=False)
class Ids:
    """Recognise elements by explicit ids; for hidden polls their order is the page order.

    For example:

    ```python
    Recognise(hidden_poll=Ids("5f2c...", "9a01..."))  # page 0, page 1
    ```
    """

    ids: tuple[str, ...]
    """Element ids."""

    def __init__(self, *ids: str) -> None:
        object.__setattr__(self, "ids", ids)

    def matches(self, element: Element) -> bool:
        """Tell whether the element is one of them."""
        return element.id in self.ids


Criterion: TypeAlias = Mark | ContentType | Ids
"""How one kind of element is told: by a custom field, by content type or by explicit ids."""


@dataclass(frozen=True, slots=True)
class Recognise:
    """How the hidden poll and the trivia are told among the elements of an event.

    The default fits a hidden poll made by this library's producer side (it carries the custom
    field `poll_counter` = 1) and trivia of the platform's base type `trivia`. An element that
    is a hidden poll is never a trivia.

    For example:

    ```python
    recognise = Recognise(hidden_poll=Mark(), trivia=ContentType("quiz-custom"))
    PollCounter(url, recognise=recognise, event_id="...", journal="player.json")
    ```
    """

    hidden_poll: Criterion = Mark()
    """What makes an element the hidden poll."""
    trivia: Criterion = ContentType("trivia")
    """What makes an element a trivia."""

    def is_hidden(self, element: Element) -> bool:
        """Tell whether the element is a hidden poll, which an app never shows."""
        return self.hidden_poll.matches(element)

    def is_trivia(self, element: Element) -> bool:
        """Tell whether the element is a trivia."""
        return self.trivia.matches(element) and not self.hidden_poll.matches(element)


_DEFAULT = Recognise()


def is_hidden(element: Element, recognise: Recognise = _DEFAULT) -> bool:
    """Tell whether an element is a hidden poll, so that an app keeps it off its screen.

    Args:
        element: any element of the event.
        recognise: what the `PollCounter` was given, if it was given one.

    For example:

    ```python
    shown = [element for element in counter.elements if not is_hidden(element)]
    ```
    """
    return recognise.is_hidden(element)


def concurrency(
    fields: Mapping[str, FieldValue], elements: Iterable[Element], key: str = CONCURRENCY_FIELD
) -> int | None:
    """Read the number of connected users that the producer wrote into a field (contract 1.1).

    Args:
        fields: the event's custom fields; they come first.
        elements: in the order of their publication; the last one that has the field is read.
        key: the field.

    Returns None where there is no such field, or no whole number from 0 in it.
    """
    holders = [fields, *(e.custom_fields for e in elements)]
    holding = [held[key] for held in holders if key in held]
    if not holding:
        return None
    value = number(holding[0] if key in fields else holding[-1])
    return None if value is None or value < 0 or value % 1 else int(value)
