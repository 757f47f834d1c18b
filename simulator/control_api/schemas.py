"""The shapes of what the Control API reads and answers, as JSON Schemas.

Attributes of requests are those that can be written, attributes of answers all that there are
(contract sections 1.1, 6 and 7). `openapi` puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from .endpoints import ELEMENT_STATES, EVENT_STATES

__all__ = ["ANSWERS", "Schema", "body"]

Schema: TypeAlias = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
URL: Schema = {"type": "string", "format": "uri"}


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: Mapping[str, Schema], *required: str) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def _full(properties: Mapping[str, Schema]) -> Schema:
    """An object that always has all of its properties."""
    return _object(properties, *properties)


def _identifier(type_: str) -> Schema:
    return _full({"data": _full({"id": STRING, "type": {"const": type_}})})


MOMENT = {**COUNT, "exclusiveMaximum": 2**35}
SECONDS = {**COUNT, "exclusiveMaximum": 2**31}
LIMIT = {"type": "integer", "minimum": 1, "maximum": 255}
FIELDS = _array(
    _object(
        {
            "key": STRING,
            "values": {
                "type": "object",
                "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            },
        },
        "key",
        "values",
    )
)
PIECE = {"label": STRING, "filter_keywords": _array(STRING), "fields": FIELDS}
QUESTION = _object(PIECE | {"options": _array(_object(PIECE))})
REVEAL_RESULTS = _one_of("vote", "close", "event_end", "never", "manual")

EVENT_WRITABLE = {
    "name": {"type": "string", "minLength": 1},
    "start_mode": _one_of("manual", "clock"),
    "start_at": MOMENT,
    "duration": {**SECONDS, "minimum": 1},
    "end_mode": _one_of("duration", "scheduled"),
    "repeat": FLAG,
    "repeat_in": SECONDS,
    "settings": FIELDS,
}
EVENT = {
    "name": STRING,
    "duration": COUNT,
    "original_duration": COUNT,
    "start_mode": _one_of("manual", "clock"),
    "repeat": FLAG,
    "repeat_in": _nullable(INTEGER),
    "live_stats_uuid": _nullable(STRING),
    "on_demand_duration": _nullable(COUNT),
    "extra_time_duration": _nullable(COUNT),
    "start_at": _nullable(COUNT),
    "start_at_iso": _nullable(STRING),
    "end_at": _nullable(COUNT),
    "end_at_iso": _nullable(STRING),
    "end_mode": _one_of("duration", "scheduled"),
    "settings": FIELDS,
    "state": _one_of(*EVENT_STATES),
    "actions": _array(STRING),
}
EVENT_STATS = {
    "interactions": COUNT,
    "peak_concurrency": COUNT,
    "current_concurrency": COUNT,
    "unique_users": COUNT,
    "average_session_length": COUNT,
    "elements_count": COUNT,
}
ELEMENT_WRITABLE = {
    "content_type": {"type": "string", "minLength": 1},
    "label": STRING,
    "name": STRING,
    "start_mode": _one_of("manual", "timecode"),
    "offset": SECONDS,
    "duration": SECONDS,
    "duration_mode": _one_of("fixed", "flexible"),
    "custom_fields": FIELDS,
    "question": QUESTION,
    "reveal_results_mode": REVEAL_RESULTS,
    "require_verified_user": FLAG,
    "include_in_latest_results_feed": FLAG,
    "certification": FLAG,
    "correct_option": COUNT,
    "max_votes_per_user": {"anyOf": [LIMIT, {"type": "string", "pattern": "^[1-9][0-9]?$"}]},
    "max_votes_per_option": LIMIT,
    "min_options_per_vote": LIMIT,
    "max_options_per_vote": LIMIT,
    "reveal_answer_mode": _one_of("auto", "manual"),
    "reveal_answer_in": SECONDS,
    "reveal_answer_on_vote": FLAG,
    "reveal_answer_on_user_vote": FLAG,
    "fade": SECONDS,
}
ELEMENT = {
    "content_type": STRING,
    "label": STRING,
    "name": STRING,
    "start_mode": _one_of("manual", "timecode"),
    "offset": COUNT,
    "duration": _nullable(COUNT),
    "duration_mode": _one_of("fixed", "flexible"),
    "state": _one_of(*ELEMENT_STATES),
    "updated_at": _nullable(COUNT),
    "updated_at_iso": _nullable(STRING),
    "revoked_at": _nullable(COUNT),
    "revoked_at_iso": _nullable(STRING),
    "results_revealed_at_iso": _nullable(STRING),
    "answer_revealed_at_iso": _nullable(STRING),
    "custom_fields": FIELDS,
    "question": _nullable(QUESTION),
    "reveal_results_mode": REVEAL_RESULTS,
    "require_verified_user": FLAG,
    "include_in_latest_results_feed": FLAG,
    "certification": FLAG,
    "enmasse_id": _nullable(INTEGER),
    "correct_option": _nullable(INTEGER),
    "max_votes_per_user": INTEGER,
    "max_votes_per_option": INTEGER,
    "min_options_per_vote": INTEGER,
    "max_options_per_vote": INTEGER,
    "reveal_answer_mode": _one_of("auto", "manual"),
    "reveal_answer_in": COUNT,
    "reveal_answer_on_vote": FLAG,
    "reveal_answer_on_user_vote": FLAG,
    "fade": _nullable(COUNT),
}
ELEMENT_STATS = {
    "votes": COUNT,
    "voters": COUNT,
    "results": _array(_full({"votes": COUNT, "percentage": NUMBER})),
    "results_are_final": FLAG,
}

ACTIONS = {
    "events": _one_of("start", "stop"),
    "elements": _one_of("publish", "stop", "reveal_answer", "reveal_results", "revoke"),
}
WRITABLE = {"events": EVENT_WRITABLE, "elements": ELEMENT_WRITABLE}
NEEDED = {"events": ("name",), "elements": ("content_type",)}
"""The type of a new resource -> the attributes that it needs."""


def _resource(type_: str, attributes: Mapping[str, Schema], *relationships: str) -> Schema:
    links = _object({"self": URL})
    known = {name: {"type": "object"} for name in relationships}
    return _object(
        {
            "id": STRING,
            "type": {"const": type_},
            "attributes": _full(attributes),
            "relationships": _object(known, *relationships),
            "links": links,
        },
        "id",
        "type",
        "attributes",
    )


def _document(data: Schema, *included: Schema) -> Schema:
    properties = {"data": data, "links": _object({"self": URL, "next": URL}, "self")}
    if included:
        properties["included"] = _array({"anyOf": list(included)})
    return _object(properties, "data", "links")


PROJECT = _resource("projects", {"name": STRING}, "app")
EVENT_RESOURCE = _resource("events", EVENT, "elements", "stats", "project")
ELEMENT_RESOURCE = _resource("elements", ELEMENT, "event")
TEMPLATE = _resource("event_templates", {"name": STRING}, "project")
EVENT_INCLUDED = (_resource("stats", EVENT_STATS), PROJECT)
ELEMENT_INCLUDED = (_resource("stats", ELEMENT_STATS),)

ANSWERS: Mapping[str, Schema] = {
    "user": _document(
        _resource("users", {"name": STRING, "rights": _one_of("viewer", "producer")})
    ),
    "project": _document(PROJECT),
    "app": _document(_resource("apps", {"name": STRING, "spec_url": URL})),
    "event": _document(EVENT_RESOURCE, *EVENT_INCLUDED),
    "events": _document(_array(EVENT_RESOURCE), *EVENT_INCLUDED),
    "element": _document(ELEMENT_RESOURCE, *ELEMENT_INCLUDED),
    "elements": _document(_array(ELEMENT_RESOURCE), *ELEMENT_INCLUDED),
    "event_template": _document(TEMPLATE),
    "event_templates": _document(_array(TEMPLATE)),
    "meta": _full({"meta": {"type": "object"}}),
    "spec": _object(
        {"id": STRING, "name": STRING, "version": STRING, "base_apps_url": URL},
        "id",
        "name",
        "version",
        "base_apps_url",
    ),
    "elements_spec": _array(
        _object({"name": STRING, "content_type": STRING, "derived_from": STRING})
    ),
    "feed": {"type": "object"},
    "description": _object({"openapi": STRING, "paths": {"type": "object"}}, "openapi", "paths"),
    "errors": _full(
        {
            "errors": _array(
                _object(
                    {
                        "status": STRING,
                        "detail": STRING,
                        "source": _object({"pointer": STRING, "parameter": STRING}),
                    },
                    "detail",
                )
            )
        }
    ),
}
"""The schemas of what is answered."""


def body(type_: str, owner: str) -> Schema:
    """The body of a request that writes a resource.

    Args:
        type_: the type of the resource.
        owner: for a new one, the relationship to what it belongs to; empty for an update.
    """
    writable = {name: _nullable(schema) for name, schema in WRITABLE[type_].items()}
    if owner:
        needed = {name: WRITABLE[type_][name] for name in NEEDED[type_]}
        actions = {"action": _nullable(_one_of("publish"))} if type_ == "elements" else {}
        data = {
            "type": {"const": type_},
            "attributes": _object(writable | needed | actions, *needed),
            "relationships": _full({owner: _identifier(f"{owner}s")}),
        }
        return _full({"data": _full(data)})
    data = {
        "id": STRING,
        "type": {"const": type_},
        "attributes": _object(writable | {"action": _nullable(ACTIONS[type_])}),
    }
    return _full({"data": _object(data, "type")})
