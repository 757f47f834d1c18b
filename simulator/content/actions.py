"""What a producer may ask of an event or an element, in which state; the rest is refused.

Each check raises ContentError at `action`, or at the attribute that cannot change any more. That
a finished event cannot be stopped, and that elements are published in active events alone, is
documented (contract sections 3 and 7.5); the other rules follow from what an action means.
"""

from __future__ import annotations

from collections.abc import Collection

from simulator.records import EventRecord

from .attributes import ROOT, ContentError
from .resources import ElementResource

__all__ = [
    "QUIZZES",
    "check_element_action",
    "check_event_action",
    "check_publish",
    "check_times",
]

QUIZZES = ("trivia", "prediction")
"""The base types that have a right answer (contract section 8)."""
FIXED_TIMES = {
    "upcoming": (),
    "active": ("start_at", "start_mode"),
    "finished": ("start_at", "start_mode", "duration", "end_mode"),
}
"""An event's state -> the attributes that are past changing."""


def check_times(event: EventRecord, changed: Collection[str]) -> None:
    """Refuse to change times of an event that are past."""
    for name in FIXED_TIMES[event.state]:
        if name in changed:
            raise ContentError(f"{ROOT}/{name}", f"can't be changed: the event is {event.state}")


def check_event_action(event: EventRecord, action: str) -> None:
    """Refuse to start an event again, and to stop a finished one."""
    if action == "start" and event.state != "upcoming":
        raise ContentError(f"{ROOT}/action", "can't start an event that has been started")
    if action == "stop" and event.state == "finished":
        raise ContentError(f"{ROOT}/action", "can't stop a finished event")


def check_publish(event: EventRecord) -> None:
    """Refuse to publish unless the event is active."""
    if event.state != "active":
        raise ContentError(f"{ROOT}/action", "can't publish unless the event is active")


def check_element_action(
    element: ElementResource, action: str, correct_option: int | None, *, again: bool
) -> None:
    """Refuse what cannot be done to an element as it is.

    Args:
        element: the element.
        action: what is asked.
        correct_option: the right answer that it has or is given.
        again: whether what was revoked may be published again.
    """
    record = element.element
    if action == "publish":
        check_publish(element.event.event)
    published = record.live is not None
    opened = record.live is not None and record.live.state == "opened"
    revoked = record.published_at is not None and not published
    by_hand = record.settings.reveal_results_mode == "manual"
    reasons: dict[str, tuple[tuple[bool, str], ...]] = {
        "publish": (
            (published, "can't publish what is published"),
            (revoked and not again, "can't publish what was revoked"),
        ),
        "stop": ((not opened, "can't stop what is not active"),),
        "reveal_answer": (
            (record.settings.type not in QUIZZES, "is for trivia and predictions alone"),
            (not published, "can't reveal the answer of what is not published"),
            (not correct_option, "can't reveal an answer without correct_option"),
        ),
        "reveal_results": (
            (not by_hand, "is for reveal_results_mode manual alone"),
            (not published, "can't reveal the results of what is not published"),
            (record.results_revealed_at is not None, "can't reveal what is revealed"),
        ),
        "revoke": ((not published, "can't revoke what is not published"),),
    }
    for refused, detail in reasons[action]:
        if refused:
            raise ContentError(f"{ROOT}/action", detail)
