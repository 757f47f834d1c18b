"""JSON:API documents as the platform answers them: resources, what is included, the next page.

Pure. Nothing is taken for granted: `Unreadable` says what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["CURSOR", "Unreadable", "included", "many", "next_cursor", "one", "related"]

CURSOR = "page[cursor]"
"""The query parameter of the next page (contract section 6.1)."""


class Unreadable(Exception):  # noqa: N818 - caught by who knows the call, and told with it
    """An answer is not what it has to be; says what was expected."""


def one(document: Any) -> dict[str, Any]:
    """The resource that a document is about."""
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise Unreadable("the answer has no resource in `data`")
    return data


def many(document: Any) -> list[dict[str, Any]]:
    """The resources that a document lists."""
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list) or not all(isinstance(each, dict) for each in data):
        raise Unreadable("the answer has no list of resources in `data`")
    return data


def included(document: Mapping[str, Any], type_: str) -> list[dict[str, Any]]:
    """The resources of a type that a document brings along."""
    found = document.get("included")
    if not isinstance(found, list):
        return []
    return [each for each in found if isinstance(each, dict) and each.get("type") == type_]


def related(resource: Mapping[str, Any], name: str) -> str | None:
    """The id that a resource's relationship names; None where it names none."""
    found: Any = resource
    for key in ("relationships", name, "data", "id"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) and found else None


def next_cursor(document: Mapping[str, Any]) -> str | None:
    """Where the next page begins; None after the last one.

    Where it is told is not documented (contract section 2). Read are, in this order: `links.next`,
    a URL or an object with `href`, of which nothing but the cursor is taken; `meta.next_cursor`;
    `meta.page.next_cursor`.
    """
    link = _at(document, "links", "next")
    link = link.get("href") if isinstance(link, dict) else link
    if isinstance(link, str) and link:
        cursors = _parameter(link)
        if not cursors:  # an empty one is left out by parse_qs
            raise Unreadable("`links.next` has no page[cursor]; the list has more pages")
        return cursors[-1]
    for path in (("meta", "next_cursor"), ("meta", "page", "next_cursor")):
        cursor = _at(document, *path)
        if isinstance(cursor, str | int) and cursor not in {"", False, True}:
            return str(cursor)
    return None


def _at(document: Mapping[str, Any], *path: str) -> Any:
    found: Any = document
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _parameter(link: str) -> list[str]:
    try:
        return parse_qs(urlsplit(link).query).get(CURSOR, [])
    except ValueError:
        return []
