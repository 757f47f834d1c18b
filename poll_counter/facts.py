"""What the machine is told: one frozen dataclass per fact, named in the past tense.

A transport yields facts; `machine.receive(fact, now)` takes them in. Revisions (`rev`) are
event-wide integers that grow with each change, None where a transport has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .elements import Element, ElementState, EventState, FieldValue

__all__ = [
    "ActiveChanged",
    "AnswerAccepted",
    "AnswerRefused",
    "Disconnected",
    "ElementPublished",
    "ElementRevoked",
    "ElementStateChanged",
    "ElementUpdated",
    "EventStateChanged",
    "EventUpdated",
    "Fact",
    "FrameSkipped",
    "RefusalReason",
    "ResultsTold",
    "TimePassed",
    "Welcomed",
]


RefusalReason: TypeAlias = Literal[
    "already_voted", "busy", "closed", "limit", "not_allowed", "unknown_element", "wrong_options"
]
"""Why an answer was refused; a reason that is not known counts as `not_allowed`."""


@dataclass(frozen=True, slots=True)
class ResultsTold:
    """The results of an element were told."""

    element_id: str
    """The element."""
    votes: tuple[int, ...]
    """Votes per option, in option order."""
    final: bool = False
    """Whether the element is over and every vote for it counted."""


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The platform answered a new connection with a snapshot of the event."""

    event_state: EventState
    """The event's state."""
    elements: tuple[Element, ...]
    """Every element present."""
    results: tuple[ResultsTold, ...] = ()
    """The results that may be seen."""
    rev: int | None = None
    """The revision that the snapshot was taken at."""
    event_rev: int | None = None
    """The revision of the event's last change of state."""
    event_id: str = ""
    """The event; empty where a transport can only mean the one it was asked for."""
    event_name: str = ""
    """The event's name."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict, hash=False)
    """The event's custom fields."""
    server_time: float | None = None
    """The platform's clock, unix seconds."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection was lost; the transport is at work on the next."""


@dataclass(frozen=True, slots=True)
class ElementPublished:
    """An element was published, or published again after it was revoked."""

    element: Element
    """The element."""


@dataclass(frozen=True, slots=True)
class ElementUpdated:
    """Something about a published element was changed, such as a custom field."""

    element: Element
    """The element as it is now."""


@dataclass(frozen=True, slots=True)
class ElementStateChanged:
    """An element was opened or closed."""

    element_id: str
    """The element."""
    state: ElementState
    """Its new state."""
    rev: int | None = None
    """The revision of the change."""


@dataclass(frozen=True, slots=True)
class ElementRevoked:
    """An element was pulled back, and is gone from every app."""

    element_id: str
    """The element."""
    rev: int | None = None
    """The revision of the change."""


@dataclass(frozen=True, slots=True)
class EventStateChanged:
    """The event became active, or finished."""

    state: EventState
    """Its new state."""
    rev: int | None = None
    """The revision of the change."""


@dataclass(frozen=True, slots=True)
class EventUpdated:
    """The event's custom fields were changed."""

    fields: Mapping[str, FieldValue] = field(default_factory=dict, hash=False)
    """All fields, as they are now."""
    rev: int | None = None
    """The revision of the change."""


@dataclass(frozen=True, slots=True)
class AnswerAccepted:
    """The platform counted an answer."""

    element_id: str
    """The element answered."""
    option: int
    """The option, 0-based."""
    answer_id: str = ""
    """The id that the client gave the answer on the wire."""


@dataclass(frozen=True, slots=True)
class AnswerRefused:
    """The platform did not count an answer."""

    element_id: str
    """The element answered."""
    option: int
    """The option, 0-based."""
    reason: RefusalReason
    """Why."""
    retry_after_s: float | None = None
    """With `busy`: the seconds to wait before the next try."""
    answer_id: str = ""
    """The id that the client gave the answer on the wire."""


@dataclass(frozen=True, slots=True)
class FrameSkipped:
    """The transport met something that it could not understand, and left it out."""

    reason: str
    """What was wrong, in a word: `malformed`, `unknown_type`, ..."""


@dataclass(frozen=True, slots=True)
class ActiveChanged:
    """The app said whether its player takes part (`counter.active`)."""

    active: bool
    """Whether the player takes part from now on."""


@dataclass(frozen=True, slots=True)
class VoteHeldBack:
    """A vote could not be written down, so it was not handed over; it is due again."""

    element_id: str
    """The hidden poll."""
    option: int
    """The option, 0-based."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The deadline came, or nothing did: an early one changes nothing."""


Fact: TypeAlias = (
    Welcomed
    | Disconnected
    | ElementPublished
    | ElementUpdated
    | ElementStateChanged
    | ElementRevoked
    | ResultsTold
    | EventStateChanged
    | EventUpdated
    | AnswerAccepted
    | AnswerRefused
    | FrameSkipped
    | ActiveChanged
    | VoteHeldBack
    | TimePassed
)
"""Everything that a machine can be told."""
