"""JSON:API resource objects of events and elements, from what the producer gave and what happened.

Plain dicts of `id`, `type`, `attributes` and `relationships`, without links: who serves them knows
the addresses (contract sections 6.2, 7.1 and 1.1 say what is in them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from simulator.choices import Choices
from simulator.records import ElementRecord, EventRecord

from .attributes import ElementAttributes, EventAttributes, Localised, Option, Question, text

__all__ = [
    "ElementResource",
    "ElementState",
    "EventResource",
    "EventState",
    "iso",
    "shares",
    "tally",
]

EventState: TypeAlias = Literal["future", "current", "on_demand", "past"]
"""An event's state as the Control API names it (contract section 6.2)."""
ElementState: TypeAlias = Literal[
    "non_scheduled", "future", "cancelled", "current", "on_demand", "past", "revoked"
]
"""An element's state as the Control API names it (contract section 7.2)."""


def iso(at: float | None) -> str | None:
    """A moment as the platform writes it: ISO 8601, UTC, whole seconds, with Z."""
    if at is None:
        return None
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _whole(at: float | None) -> int | None:
    return None if at is None else int(at)


def shares(votes: Sequence[int], digits: int) -> list[dict[str, Any]]:
    """Results in option order, as SDK and feeds show them; without votes all shares are 0."""
    total = sum(votes)
    return [
        {"votes": each, "percentage": round(100.0 * each / total, digits) if total else 0}
        for each in votes
    ]


def tally(element: ElementRecord) -> list[int]:
    """Votes per option; zeros for an element that was not published yet."""
    return element.votes or [0] * len(element.settings.options)


def _fields(fields: Sequence[Localised] | None) -> list[dict[str, Any]]:
    return [{"key": each.key, "values": dict(each.values)} for each in fields or ()]


def _piece(piece: Question | Option, locale: str) -> dict[str, Any]:
    """A question or an option; a label that nobody gave is its text."""
    return {
        "label": text(piece, locale) if piece.label is None else piece.label,
        "filter_keywords": list(piece.filter_keywords or ()),
        "fields": _fields(piece.fields),
    }


@dataclass(slots=True)
class EventResource:
    """An event as the producer sees it."""

    project_id: str
    attributes: EventAttributes
    event: EventRecord
    choices: Choices

    def state(self, now: float) -> EventState:
        """Its state: `finished` is `on_demand` for its on-demand time, then `past`."""
        event = self.event
        if event.state == "upcoming":
            return "future"
        if event.state == "active":
            return "current"
        assert event.ended_at is not None  # it is finished
        on_demand_s = self.attributes.on_demand_duration
        return "on_demand" if on_demand_s and now < event.ended_at + on_demand_s else "past"

    @property
    def start_at(self) -> int | None:
        """When it started, else when it is planned to; None where nobody said."""
        if self.event.started_at is not None:
            return int(self.event.started_at)
        return self.attributes.start_at or None

    @property
    def planned_duration(self) -> int:
        """The duration that it was given, in seconds."""
        return self.attributes.duration or self.choices.event_duration_s

    @property
    def duration(self) -> int:
        """The real duration: the planned one, until it has ended."""
        event = self.event
        if event.started_at is None or event.ended_at is None:
            return self.planned_duration
        return max(0, int(event.ended_at) - int(event.started_at))

    @property
    def end_at(self) -> int | None:
        """When it ended, else when it is planned to; None where its start is not known."""
        event = self.event
        if event.ended_at is not None or event.ends_at is not None:
            return _whole(event.ends_at if event.ended_at is None else event.ended_at)
        return None if self.start_at is None else self.start_at + self.planned_duration

    def resource(self, now: float) -> dict[str, Any]:
        """The resource object of Get Event (contract section 6.3)."""
        held, event = self.attributes, self.event
        actions = {"upcoming": ["start", "stop"], "active": ["stop"], "finished": []}
        return {
            "id": event.id,
            "type": "events",
            "attributes": {
                "name": event.name,
                "duration": self.duration,
                "original_duration": self.planned_duration,
                "start_mode": held.start_mode or "manual",
                "repeat": bool(held.repeat),
                "repeat_in": held.repeat_in,
                "live_stats_uuid": None,
                "on_demand_duration": held.on_demand_duration,
                "extra_time_duration": held.extra_time_duration,
                "start_at": self.start_at,
                "start_at_iso": iso(self.start_at),
                "end_at": self.end_at,
                "end_at_iso": iso(self.end_at),
                "end_mode": held.end_mode or "duration",
                "settings": _fields(held.settings),
                "state": self.state(now),
                "actions": actions[event.state],  # ours: what may be asked for now
            },
            "relationships": {
                "elements": {},
                "stats": {"data": {"id": event.id, "type": "stats"}},
                "project": {"data": {"id": self.project_id, "type": "projects"}},
            },
        }

    def stats(self, now: float) -> dict[str, Any]:
        """The stats resource (contract section 1.1); two of its numbers are defined by us.

        `interactions` counts the answers accepted, `elements_count` the elements that clients
        hold. A session that still runs counts with its time so far.
        """
        event, connected = self.event, self.event.connected
        audience = event.audience
        return {
            "id": event.id,
            "type": "stats",
            "attributes": {
                "interactions": event.answers,
                "peak_concurrency": audience.peak_now(connected) if audience else connected,
                "current_concurrency": connected,
                "unique_users": audience.unique_users
                if audience
                else len(set(event.users.values())),
                "average_session_length": (
                    round(audience.average_session_s(len(event.users), now)) if audience else 0
                ),
                "elements_count": sum(e.live is not None for e in event.elements.values()),
            },
        }


@dataclass(slots=True)
class ElementResource:
    """An element as the producer sees it."""

    event: EventResource
    attributes: ElementAttributes
    element: ElementRecord
    answer_revealed: float | None = None
    """When the producer revealed the answer."""

    def state(self, now: float) -> ElementState:
        """Its state; `cancelled`, ours: the event ended before it was published."""
        element, of_event = self.element, self.event.state(now)
        if element.live is not None:
            if element.live.state == "opened":
                return "current"
            return "on_demand" if of_event == "on_demand" else "past"
        if element.published_at is not None:
            return "revoked"
        if of_event in {"on_demand", "past"}:
            return "cancelled"
        return "non_scheduled" if element.settings.offset_s is None else "future"

    def answer_revealed_at(self, now: float) -> float | None:
        """When the answer was revealed: by hand, or by itself so long after the closing."""
        held, closed_at = self.attributes, self.element.closed_at
        by_hand = held.reveal_answer_mode != "auto"
        if self.answer_revealed is not None or by_hand or closed_at is None:
            return self.answer_revealed
        due = closed_at + (held.reveal_answer_in or 0)
        return due if due <= now else None

    @property
    def label(self) -> str:
        """Its label: as given, else its question's text, else its content type."""
        held, settings = self.attributes, self.element.settings
        return held.label or held.name or settings.question or settings.content_type

    @property
    def updated_at(self) -> int | None:
        """When something about it was last changed; None: never since it was made."""
        changes = (self.element.changed_at, self.answer_revealed)
        return _whole(max((at for at in changes if at is not None), default=None))

    def resource(self, now: float) -> dict[str, Any]:
        """The resource object of Get Elements (contract section 7.1)."""
        held, element, settings = self.attributes, self.element, self.element.settings
        on_vote = bool(held.reveal_answer_on_vote)
        return {
            "id": element.id,
            "type": "elements",
            "attributes": {
                "content_type": settings.content_type,
                "label": self.label,
                "name": self.label,
                "start_mode": held.start_mode or "manual",
                "offset": held.offset or 0,
                "duration": held.duration_s,
                "duration_mode": "flexible" if held.duration_s is None else "fixed",
                "state": self.state(now),
                "updated_at": self.updated_at,
                "updated_at_iso": iso(self.updated_at),
                "revoked_at": _whole(element.revoked_at),
                "revoked_at_iso": iso(element.revoked_at),
                "results_revealed_at_iso": iso(element.results_revealed_at),
                "answer_revealed_at_iso": iso(self.answer_revealed_at(now)),
                "custom_fields": _fields(held.custom_fields),
                "question": self._question(),
                "reveal_results_mode": settings.reveal_results_mode,
                "require_verified_user": settings.require_verified_user,
                "include_in_latest_results_feed": bool(held.include_in_latest_results_feed),
                "certification": bool(held.certification),
                "enmasse_id": element.number,
                "correct_option": held.correct_option or None,
                "max_votes_per_user": settings.max_votes_per_user,
                "max_votes_per_option": settings.max_votes_per_option,
                "min_options_per_vote": settings.min_options_per_vote,
                "max_options_per_vote": settings.max_options_per_vote,
                "reveal_answer_mode": held.reveal_answer_mode or "manual",
                "reveal_answer_in": held.reveal_answer_in or 0,
                "reveal_answer_on_vote": on_vote,
                "reveal_answer_on_user_vote": on_vote,
                "fade": held.fade,
            },
            "relationships": {"event": {"data": {"id": self.event.event.id, "type": "events"}}},
        }

    def _question(self) -> dict[str, Any] | None:
        question, locale = self.attributes.question, self.event.choices.locale
        if question is None:
            return None
        options = [_piece(option, locale) for option in question.options or ()]
        return {**_piece(question, locale), "options": options}

    def stats(self) -> dict[str, Any]:
        """The stats resource; its attributes are not documented, and named as in the feeds.

        The producer sees the results whatever the reveal mode hides from users.
        """
        votes, digits = tally(self.element), self.event.choices.percentage_digits
        return {
            "id": self.element.id,
            "type": "stats",
            "attributes": {
                "votes": sum(votes),
                "voters": len(self.element.ballots) + self.element.voters_elsewhere,
                "results": shares(votes, digits),
                "results_are_final": self.element.results().final,
            },
        }
