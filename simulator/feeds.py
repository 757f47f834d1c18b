"""The CDN feeds: listings.json, history.json and the elements feeds, as dicts.

Feeds are public, so the reveal mode decides which results they show (contract section 9). Pure
like the rest: what is served with which cache headers is said elsewhere. Their names are not
those of the Control API: `frame_type`, `use_certification`, `requires_validated_user`, `fixed`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any

from .content import Content
from .content.attributes import ALL, Localised, scalar, scalars, text
from .content.resources import ElementResource, EventResource, iso, shares, tally
from .content.spec import FRAME_TYPES

__all__ = ["elements_feed", "history", "listings"]

HISTORY_VERSION = 1
"""The version of history.json (contract section 9.3)."""
SOURCE = "regular"
"""The source of votes that come from client apps (contract section 9.4)."""


def listings(content: Content, project_id: str, now: float, *, host: str = "") -> dict[str, Any]:
    """listings.json of a project: the events that clients can find (contract section 9.2).

    Args:
        content: where the project is.
        project_id: the project.
        now: unix seconds.
        host: the static host, for addresses, which have no scheme.

    Raises UnknownIdError.
    """
    choices = content.choices
    return {
        "project": {
            "uuid": project_id,
            "app_settings": None,
            "audio_sync_default_delay": 0,
            "audio_sync_max_delay": 0,
            "tracking_id": None,
            "embed": f"//{host}/app.html?bc=l-{project_id}&sh={host}",
            "history_ignore": choices.history_ignore_s,
            "is_localisation_supported": False,
            "locales": [choices.locale],
        },
        "events": [
            {
                **_event(each),
                "custom_fields": scalars(each.attributes.settings, choices.locale),
                "digest": _digest(each, now),
            }
            for each in content.listed(project_id, now)
        ],
        "assets": {},
    }


def history(content: Content, event_id: str, now: float) -> dict[str, Any]:  # noqa: ARG001 - as all feeds
    """history.json of an event: what was published and is over, oldest first (section 9.3).

    What stands in `data` is ours: the texts and the results of what can be answered.

    Raises UnknownIdError.
    """
    event = content.event_resource(event_id)
    over = [each for each in content.elements_of(event_id) if _is_over(each)]
    return {
        "config": {
            **_event(event),
            "custom_fields": _custom_fields(event, event.attributes.settings),
            "on_demand_time": event.attributes.on_demand_duration or 0,
            "duration": event.duration,
            "original_duration": event.planned_duration,
        },
        "timeline": [_of_the_past(each) for each in over],
        "version": HISTORY_VERSION,
    }


def elements_feed(
    content: Content, project_id: str, now: float, *, published_only: bool = True
) -> dict[str, Any] | None:
    """The elements of a project, with their results (contract section 9.4).

    Args:
        content: where the project is.
        project_id: the project.
        now: unix seconds.
        published_only: All Published rather than All Elements.

    Returns None while the feed is switched off. Raises UnknownIdError.
    """
    events = content.events_of(project_id)
    if not content.choices.elements_feed:
        return None
    elements = (each for event in events for each in content.elements_of(event.event.id))
    return {
        "generated_at": int(now),
        "elements": [
            _poll(each) for each in elements if not published_only or each.element.live is not None
        ],
    }


def _event(event: EventResource) -> dict[str, Any]:
    """What both feeds say of an event."""
    return {
        "id": event.event.id,
        "name": event.event.name,
        "start_at": event.start_at,
        "start_at_iso": iso(event.start_at),
        "end_at": event.end_at,
        "end_at_iso": iso(event.end_at),
        "started": event.event.state != "upcoming",
        "image_url": None,
        "extra_time": event.attributes.extra_time_duration or 0,
    }


def _digest(event: EventResource, now: float) -> str:
    data = json.dumps(event.resource(now)["attributes"], sort_keys=True)
    return blake2b(data.encode(), digest_size=16).hexdigest()


def _is_over(element: ElementResource) -> bool:
    return element.element.live is not None and element.element.live.state == "closed"


def _frame_type(element: ElementResource) -> str:
    base_type = element.element.settings.type
    return FRAME_TYPES.get(base_type, base_type)


def _custom_fields(event: EventResource, fields: Sequence[Localised] | None) -> dict[str, Any]:
    locale = event.choices.locale
    if not event.choices.history_locale_buckets:
        return dict(scalars(fields, locale))
    return _buckets(fields or (), lambda name: _in(fields, name, locale))


def _of_the_past(element: ElementResource) -> dict[str, Any]:
    """An element of the timeline."""
    record, settings = element.element, element.element.settings
    data = {}
    if settings.options:
        data = {"question": settings.question, "options": list(settings.options)}
        data |= _results(element)
    return {
        "id": record.id,
        "type": _frame_type(element),
        "content_type": settings.content_type,
        "duration": settings.duration_s,
        "published_at": None if record.published_at is None else int(record.published_at),
        "published_at_iso": iso(record.published_at),
        "updated_at": element.updated_at,
        "updated_at_iso": iso(element.updated_at),
        "fixed": settings.duration_s is not None,
        "data": data,
        "custom_fields": _custom_fields(element.event, element.attributes.custom_fields),
    }


def _results(element: ElementResource) -> dict[str, Any]:
    """The results, as far as users may see them; see `Choices.hidden_results`."""
    record, choices = element.element, element.event.choices
    votes = tally(record)
    if not record.revealed(element.event.event.state):
        if choices.hidden_results == "null":
            return {"results": None, "results_per_source": None, "votes": None}
        votes = [0] * len(votes)
    results = shares(votes, choices.percentage_digits)
    voters = len(record.ballots) if any(votes) else 0
    return {
        "results": results,
        "results_per_source": [{"source": SOURCE, "voters": voters, "results": results}],
        "votes": sum(votes),
    }


def _poll(element: ElementResource) -> dict[str, Any]:
    """An element of the elements feed."""
    held, record, settings = element.attributes, element.element, element.element.settings
    locale, question = element.event.choices.locale, element.attributes.question
    asked = (question.fields if question else None) or ()
    options = held.options if settings.options else ()
    of_options = [field for option in options for field in option.fields or ()]
    return {
        "id": record.id,
        "frame_type": _frame_type(element),
        "is_published": record.live is not None,
        "start_mode": held.start_mode or "manual",
        "updated_at": element.updated_at,
        "updated_at_iso": iso(element.updated_at),
        "duration": settings.duration_s,
        **_results(element),
        "results_are_final": _is_over(element),
        "min_options_per_vote": settings.min_options_per_vote,
        "max_options_per_vote": settings.max_options_per_vote,
        "question": _buckets(asked, lambda name: _in(asked, name, locale)),
        "options": _buckets(
            of_options, lambda name: [_in(option.fields, name, locale) for option in options]
        ),
        "max_votes_per_user": settings.max_votes_per_user,
        "max_votes_per_option": settings.max_votes_per_option,
        "reveal_results_mode": settings.reveal_results_mode,
        "labels": {
            "element": element.label,
            "question": (question.label if question else None) or settings.question,
            "options": [option.label or text(option, locale) for option in options],
        },
        "fixed": settings.duration_s is not None,
        "use_certification": bool(held.certification),
        "requires_validated_user": settings.require_verified_user,
        "content_type": settings.content_type,
        "custom_fields": _buckets(
            held.custom_fields or (), lambda name: _in(held.custom_fields, name, locale)
        ),
    }


def _buckets(fields: Iterable[Localised], of_locale: Callable[[str], object]) -> dict[str, Any]:
    """Locale -> what stands there in it: every locale that the fields have, and `all`."""
    names = dict.fromkeys(name for field in fields for name in field.values)
    return {name: of_locale(name) for name in [*(n for n in names if n != ALL), ALL]}


def _in(fields: Sequence[Localised] | None, bucket: str, locale: str) -> dict[str, Any]:
    """Field key -> value in a bucket; what is not localised into it stands there too."""
    name = locale if bucket == ALL else bucket
    return {each.key: each.values.get(bucket, scalar(each.values, name)) for each in fields or ()}
