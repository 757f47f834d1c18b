"""The emulator's HTTP side described in OpenAPI 3.1, made from the table of its endpoints.

The shapes are those of the platform's documentation (contract sections 3 to 9); a description of
the platform itself it is not: what is ours is in it as well. Requests are described as tolerantly
as they are read: unknown attributes are let be, and null counts as not given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from .documents import JSON, JSON_API
from .endpoints import Endpoint
from .queries import Parameter
from .schemas import ANSWERS, Schema, body

__all__ = ["describe"]

SOME_ID = "6396746d-0000-4000-8000-000000000000"
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "create_event": {
        "name": "Friday's show",
        "start_mode": "manual",
        "start_at": 0,
        "duration": 3600,
        "end_mode": "duration",
        "settings": [],
    },
    "update_event": {"action": "start"},
    "create_element": {
        "content_type": "rpoll-custom",
        "start_mode": "manual",
        "duration": 45,
        "max_votes_per_user": 1,
        "min_options_per_vote": 1,
        "max_options_per_vote": 1,
        "custom_fields": [],
        "question": {
            "fields": [{"key": "text", "values": {"en": "Which one?"}}],
            "options": [{"fields": [{"key": "text", "values": {"en": "This one"}}]}],
        },
    },
    "update_element": {"action": "publish"},
}
"""Operation -> attributes as the platform's tools send them."""


def describe(table: Iterable[Endpoint]) -> dict[str, Any]:
    """The OpenAPI document of a table of endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Emulator of an interaction platform's Control API and CDN feeds",
            "version": "2",
            "description": "As publicly documented; what the documentation leaves open is ours.",
        },
        "paths": paths,
        "components": {
            "schemas": dict(ANSWERS),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    ids = [part[1:-1] for part in endpoint.path.split("/") if part.startswith("{")]
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in ids
        ]
        + [_parameter(each) for each in endpoint.parameters],
        "responses": _responses(endpoint),
    }
    if endpoint.is_api:
        operation["security"] = [{"bearer": []}]
    if endpoint.writes:
        content = {
            "schema": body(endpoint.writes, endpoint.owner),
            "examples": {"usual": {"value": _example(endpoint)}},
        }
        operation["requestBody"] = {"required": True, "content": {JSON_API: content, JSON: content}}
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schemas: dict[str, Schema] = {
        "list": {"type": "array", "items": {"enum": [*parameter.values]}},
        "choice": {"enum": [*parameter.values]},
        "flag": {"type": "boolean"},
        "number": {"type": "integer", "minimum": 1, "maximum": parameter.most},
        "text": {"type": "string"},
    }
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.meaning,
        "required": parameter.required,
        "schema": schemas[parameter.kind],
        "style": "form",
        "explode": False,
    }


def _example(endpoint: Endpoint) -> dict[str, Any]:
    data: dict[str, Any] = {"type": endpoint.writes, "attributes": dict(EXAMPLES[endpoint.name])}
    if endpoint.owner:
        owner = {"data": {"type": f"{endpoint.owner}s", "id": SOME_ID}}
        return {"data": data | {"relationships": {endpoint.owner: owner}}}
    return {"data": {"id": SOME_ID, **data}}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    """Every status that an endpoint answers, with what comes along."""
    errors = {HTTPStatus.METHOD_NOT_ALLOWED}
    if "{" in endpoint.path or endpoint.writes:
        errors.add(HTTPStatus.NOT_FOUND)
    if endpoint.is_api:
        errors |= {
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.TOO_MANY_REQUESTS,
        }
    if endpoint.for_producers:
        errors |= {
            HTTPStatus.FORBIDDEN,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.SERVICE_UNAVAILABLE,  # of several nodes, while they cannot agree
        }
    if endpoint.writes:
        errors |= {
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        }
    media_type = JSON_API if endpoint.is_api else JSON
    responses: dict[str, Any] = {str(endpoint.status): {"description": "Done"}}
    if endpoint.answer:
        schema = {"$ref": f"#/components/schemas/{endpoint.answer}"}
        responses[str(endpoint.status)]["content"] = {media_type: {"schema": schema}}
    if endpoint.cached:
        responses["304"] = {"description": "What was asked for is what the client has"}
    refused = {"content": {JSON_API: {"schema": {"$ref": "#/components/schemas/errors"}}}}
    for status in sorted(errors):
        responses[str(int(status))] = {"description": status.phrase, **refused}
    return responses
