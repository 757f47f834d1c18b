"""JSON:API 1.1's rules for what a server answers, as a JSON Schema and two checks beyond it.

Written from the text of the specification (version 1.1, "Document Structure", "Errors" and
"Pagination"), as there is no published schema of 1.1. A schema cannot say that a resource stands
once in a document, nor that whatever is included is linked: that is checked here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # has no types

MEMBER_NAME = "^[A-Za-z0-9\u0080-\uffff]([A-Za-z0-9\u0080-\uffff _-]*[A-Za-z0-9\u0080-\uffff])?$"
"""What a member may be named; a blank within is allowed, if not recommended."""
POINTER = "^(/([^/~]|~[01])*)*$"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _links(*names: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict.fromkeys(names, _or_null(_ref("link"))),
        "additionalProperties": False,
    }


PAGES = ("first", "last", "prev", "next")
SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "data": {
            "anyOf": [
                {"type": "null"},
                _ref("resource"),
                {"type": "array", "items": _ref("resource")},
            ]
        },
        "errors": {"type": "array", "items": _ref("error"), "minItems": 1},
        "meta": _ref("meta"),
        "jsonapi": {
            "type": "object",
            "properties": {
                "version": {"type": "string"},
                "ext": {"type": "array", "items": {"type": "string", "format": "uri"}},
                "profile": {"type": "array", "items": {"type": "string", "format": "uri"}},
                "meta": _ref("meta"),
            },
            "additionalProperties": False,
        },
        "links": _links("self", "related", "describedby", *PAGES),
        "included": {"type": "array", "items": _ref("resource")},
    },
    "additionalProperties": False,
    "anyOf": [{"required": ["data"]}, {"required": ["errors"]}, {"required": ["meta"]}],
    "not": {"required": ["data", "errors"]},
    "dependentRequired": {"included": ["data"]},
    "$defs": {
        "meta": {"type": "object", "propertyNames": _ref("name")},
        "link": {
            "anyOf": [
                {"type": "string", "format": "uri-reference", "pattern": "^[!-~]+$"},
                {
                    "type": "object",
                    "properties": {
                        "href": {"type": "string", "format": "uri-reference"},
                        "rel": {"type": "string"},
                        "describedby": _ref("link"),
                        "title": {"type": "string"},
                        "type": {"type": "string"},
                        "hreflang": {"type": ["string", "array"], "items": {"type": "string"}},
                        "meta": _ref("meta"),
                    },
                    "required": ["href"],
                    "additionalProperties": False,
                },
            ]
        },
        "name": {"type": "string", "pattern": MEMBER_NAME},
        "identifier": {
            "type": "object",
            "properties": {"id": {"type": "string"}, "type": _ref("name"), "meta": _ref("meta")},
            "required": ["id", "type"],
            "additionalProperties": False,
        },
        "relationship": {
            "type": "object",
            "properties": {
                "links": _links("self", "related", *PAGES),
                "data": {
                    "anyOf": [
                        {"type": "null"},
                        _ref("identifier"),
                        {"type": "array", "items": _ref("identifier")},
                    ]
                },
                "meta": _ref("meta"),
            },
            "additionalProperties": False,
            "minProperties": 1,
        },
        "fields": {
            "type": "object",
            "propertyNames": {"allOf": [_ref("name"), {"not": {"enum": ["id", "type"]}}]},
        },
        "resource": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "type": _ref("name"),
                "attributes": _ref("fields"),
                "relationships": {
                    "allOf": [
                        _ref("fields"),
                        {"additionalProperties": _ref("relationship")},
                    ]
                },
                "links": _links("self"),
                "meta": _ref("meta"),
            },
            "required": ["id", "type"],
            "additionalProperties": False,
        },
        "error": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "links": _links("about", "type"),
                "status": {"type": "string", "pattern": "^[45][0-9]{2}$"},
                "code": {"type": "string"},
                "title": {"type": "string"},
                "detail": {"type": "string"},
                "source": {
                    "type": "object",
                    "properties": {
                        "pointer": {"type": "string", "pattern": POINTER},
                        "parameter": {"type": "string"},
                        "header": {"type": "string"},
                    },
                    "additionalProperties": False,
                },
                "meta": _ref("meta"),
            },
            "additionalProperties": False,
            "minProperties": 1,
        },
    },
}
"""A document that a server sends."""

VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def broken_rules(document: Any) -> list[str]:
    """What of JSON:API 1.1 a document breaks; empty for a good one."""
    broken = [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]
    return broken or [*_twice(document), *_unlinked(document)]


def _primary(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    data = document.get("data")
    return data if isinstance(data, list) else [data] if data else []


def _key(resource: Mapping[str, Any]) -> tuple[str, str]:
    return resource["type"], resource["id"]


def _twice(document: Mapping[str, Any]) -> Iterator[str]:
    """A compound document has no more than one resource object of a type and id."""
    keys = Counter(map(_key, [*_primary(document), *document.get("included", [])]))
    yield from (f"{key} stands {times} times" for key, times in keys.items() if times > 1)


def _unlinked(document: Mapping[str, Any]) -> Iterator[str]:
    """Full linkage: a chain of relationships leads from the primary data to all included."""
    included = {_key(resource): resource for resource in document.get("included", [])}
    reached, news = set[tuple[str, str]](), _primary(document)
    while news:
        linked = {key for resource in news for key in _links_of(resource)} - reached
        reached |= linked
        news = [included[key] for key in linked if key in included]
    yield from (f"{key} is included and not linked" for key in included.keys() - reached)


def _links_of(resource: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for relationship in resource.get("relationships", {}).values():
        data = relationship.get("data") or []
        yield from map(_key, data if isinstance(data, list) else [data])
