"""What would spoil the count: the hidden polls of an event, judged in plain words.

Pure. Every finding says what is wrong, why it matters, and what to do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from poll_counter.control.blueprint import CONTENT_TYPE
from poll_counter.control.resources import Element, ElementSpec, Event

from . import polls, together
from .finding import Finding
from .show import Show
from .spec import about_spec

__all__ = ["Finding", "findings"]


def findings(
    elements: Sequence[Element],
    event: Event,
    spec: Collection[ElementSpec] | None,
    *,
    rounds: int | None = None,
    poll_ids: Sequence[str] = (),
    content_type: str = CONTENT_TYPE,
) -> list[Finding]:
    """Judge the hidden polls of an event; the errors come first.

    Args:
        elements: all of the event, in the order of their publication.
        event: the event.
        spec: the app's elements spec; None where it could not be read.
        rounds: how many trivia the show has; None: as many as the event has, if any.
        poll_ids: the polls, in page order, where the app is configured with ids.
        content_type: the type of hidden polls, to find those that lack the mark.

    Raises `MisuseError` for a number of rounds that cannot be.
    """
    show = Show.of(
        elements, event, spec, rounds=rounds, poll_ids=poll_ids, content_type=content_type
    )
    found = list(about_spec(show))
    if event.state in {"past", "on_demand"}:
        found.append(
            Finding(
                "event-over",
                "warning",
                "The event is over, so nothing is counted any more.",
                "Check the event of the next show.",
            )
        )
    else:
        for about in (
            together.about_those_over,
            together.about_presence,
            together.about_pages,
            together.about_rounds,
        ):
            found += about(show)
        for poll in show.present:
            for about_one in (polls.about_fields, polls.about_votes, polls.about_publishing):
                found += about_one(show, poll)
    return sorted(found, key=lambda each: each.severity)
