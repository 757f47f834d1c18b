"""What the platform holds of an event and of an element, and what follows from that alone.

The emulator changes these records; whoever else is handed one only reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from poll_counter.elements import Element, EventState, FieldValue
from poll_counter.facts import AnswerAccepted, RefusalReason, ResultsTold

from .audience import Audience

__all__ = [
    "RESULTS_INTERVAL_S",
    "VOTES_PER_OPTION_MAX",
    "Connection",
    "ElementRecord",
    "EventRecord",
    "RevealMode",
    "Settings",
]

Connection: TypeAlias = int
"""A connection's number, chosen by whoever serves the emulator."""

RevealMode: TypeAlias = Literal["vote", "close", "event_end", "never", "manual"]
"""When users may see results (contract section 7.1)."""

RESULTS_INTERVAL_S = 0.5
"""Results of an event are told at most twice a second: as often as people read a number, and half
of what a whole audience is sent at four times."""
VOTES_PER_OPTION_MAX = 255
"""The most votes per user and option: a user's ballot holds a byte per option."""


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
    offset_s: float | None = None
    """Published by itself this long after the event's start; None: when the producer does."""
    require_verified_user: bool = False
    """Only verified users may vote: nobody on the live channel is one, so nobody may."""


@dataclass(slots=True)
class ElementRecord:
    """An element, from its making on."""

    id: str
    settings: Settings
    live: Element | None = None
    """What clients hold of it: None until published, and again once revoked."""
    votes: list[int] = field(default_factory=list)
    """Per option, in option order; empty until published."""
    ballots: dict[str, bytearray] = field(default_factory=dict)
    """User -> votes per option."""
    counting: bool = False
    """Closed, while votes that were accepted elsewhere are still to be added."""
    voters_elsewhere: int = 0
    """How many users have voted, of those that are counted elsewhere."""
    accepted: dict[int, AnswerAccepted] = field(default_factory=dict)
    """Option -> what who voted for it was told last."""
    closes_at: float | None = None
    """When it closes by itself."""
    number: int | None = None
    """Counts the elements published, platform-wide: the platform's `enmasse_id`."""
    published_at: float | None = None
    """When it was last published; None: never."""
    closed_at: float | None = None
    revoked_at: float | None = None
    """When it was revoked; None: not, or published again since."""
    results_revealed_at: float | None = None
    """When users could first see its results."""
    changed_at: float | None = None
    """When something about it was last changed; None: never since it was made."""

    @property
    def is_open(self) -> bool:
        """Whether it takes votes."""
        return self.live is not None and self.live.state == "opened"

    def revealed(self, event_state: EventState) -> bool:
        """Tell whether users may see its results, as its reveal mode has it."""
        mode = self.settings.reveal_results_mode
        if not self.settings.options:
            return False
        return (
            mode == "vote"
            or (mode == "close" and self.live is not None and self.live.state == "closed")
            or (mode == "event_end" and event_state == "finished")
            or (mode == "manual" and self.results_revealed_at is not None)
        )

    def results(self) -> ResultsTold:
        """What clients are told of its votes."""
        final = self.live is not None and self.live.state == "closed" and not self.counting
        return ResultsTold(self.id, tuple(self.votes), final)

    def refusal(self, user: str, options: list[int]) -> RefusalReason | None:
        """Say why an answer is not counted; None: it is, within the element's limits."""
        if self.live is None:
            return "unknown_element"
        settings = self.settings
        if self.live.state != "opened" or settings.require_verified_user:
            return "closed" if self.live.state != "opened" else "not_allowed"
        fits = settings.min_options_per_vote <= len(options) <= settings.max_options_per_vote
        if not fits or (len(options) > 1 and len(set(options)) < len(options)):
            return "wrong_options"
        for option in options:
            if not 0 <= option < len(self.votes):
                return "wrong_options"
        ballot = self.ballots.get(user, b"")
        if ballot:
            for option in options:
                if ballot[option] >= settings.max_votes_per_option:
                    return "already_voted" if settings.max_votes_per_option == 1 else "limit"
        return "limit" if sum(ballot) + len(options) > settings.max_votes_per_user else None


@dataclass(slots=True)
class EventRecord:
    """An event, from its making on."""

    id: str
    name: str
    fields: Mapping[str, FieldValue]
    audience: Audience | None = None
    """The statistics of its connections; None where nobody asks for them."""
    state: EventState = "upcoming"
    rev: int = 0
    """Event-wide, grows with each change."""
    state_rev: int = 0
    """The revision of its last change of state."""
    elements: dict[str, ElementRecord] = field(default_factory=dict)
    users: dict[Connection, str] = field(default_factory=dict)
    connected_elsewhere: int = 0
    """How many connections other nodes have."""
    answers: int = 0
    """How many answers were accepted."""
    starts_at: float | None = None
    """When it starts by itself; None: when the producer starts it."""
    ends_at: float | None = None
    """When it ends by itself, whenever it started."""
    runs_s: float | None = None
    """It ends by itself so long after its start."""
    started_at: float | None = None
    ended_at: float | None = None
    snapshot: tuple[Element, ...] = ()
    """The elements present, at `snapshot_rev`."""
    snapshot_rev: int = -1
    stale: dict[str, None] = field(default_factory=dict)
    """Elements whose results were not told yet, in order."""
    told_at: float = float("-inf")
    """When results were told last."""

    def next_rev(self) -> int:
        """Count a change."""
        self.rev += 1
        return self.rev

    @property
    def connected(self) -> int:
        """How many connections it has, on all nodes."""
        return len(self.users) + self.connected_elsewhere

    @property
    def ends_by_itself_at(self) -> float | None:
        """When it ends if nobody stops it; None: not yet known, or never."""
        if self.ends_at is not None or self.runs_s is None or self.started_at is None:
            return self.ends_at
        return self.started_at + self.runs_s

    def publishes_at(self, element: ElementRecord) -> float | None:
        """When an element goes out by itself; None: it does not, or has already."""
        offset_s = element.settings.offset_s
        if offset_s is None or self.started_at is None or element.published_at is not None:
            return None
        return self.started_at + offset_s
