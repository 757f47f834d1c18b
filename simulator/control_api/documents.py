"""JSON:API documents: what the Control API answers (contract sections 2 to 4).

A document has `data` with the resources asked for, `included` with the related ones, and `links`;
or it has `errors`. Resources come from `content` without links: where they are to be found is
known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from starlette.responses import Response
from starlette.types import Scope

__all__ = [
    "API",
    "JSON",
    "JSON_API",
    "Refusal",
    "Resource",
    "base_of",
    "collection",
    "json_response",
    "linked",
    "single",
    "url",
]

Resource: TypeAlias = dict[str, Any]
"""A JSON:API resource object: `id`, `type`, `attributes`, `relationships`, `links`."""

JSON_API = "application/vnd.api+json"
"""The media type of what is in JSON:API's format."""
JSON = "application/json"
"""The media type of what is not: the specs of an app and the CDN feeds."""
API = "/api/v2"
"""The path under which the Control API stands."""

AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")
"""A host, with or without a port, as it may stand in a link."""


class Refusal(Exception):  # noqa: N818 - the platform refuses; nothing went wrong here
    """A request that is answered by an errors document.

    Args:
        status: the HTTP status.
        detail: what is the matter, for a person.
        pointer: JSON pointer to the part of the body that it is about; empty for none.
        parameter: the query parameter that it is about; empty for none.
        headers: further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        pointer: str = "",
        parameter: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.pointer = pointer
        self.parameter = parameter
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Give the errors document (contract section 3); `status` in it is ours."""
        error: dict[str, Any] = {"status": str(self.status), "detail": self.detail}
        if self.pointer:
            error["source"] = {"pointer": self.pointer}
        elif self.parameter:
            error["source"] = {"parameter": self.parameter}
        return json_response({"errors": [error]}, self.status, headers=self.headers)


def json_response(
    value: Any,
    status: int = 200,
    *,
    media_type: str = JSON_API,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with JSON; ValueError for a number that JSON does not have."""
    body = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(body.encode(), status, headers, media_type)


def base_of(scope: Scope) -> str:
    """The address that a client reached this server at, for absolute links."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(hosts) == 1 and AUTHORITY.fullmatch(hosts[0]):
        authority = hosts[0]
    else:
        host, port = scope["server"]
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{scope['scheme']}://{authority}"


def url(base: str, path: str, query: Iterable[tuple[str, str]] = ()) -> str:
    """An absolute link; brackets and commas of the query are percent-encoded."""
    encoded = urlencode(list(query))
    return f"{base}{quote(path)}?{encoded}" if encoded else f"{base}{quote(path)}"


def linked(resource: Resource, base: str) -> Resource:
    """A resource with the links that it has: to itself, and from an event to its elements."""
    if resource["type"] == "stats":  # it has no address of its own
        return resource
    own = url(base, f"{API}/{resource['type']}/{resource['id']}")
    resource = {**resource, "links": {"self": own}}
    if resource["type"] == "events":
        elements = {"elements": {"links": {"related": f"{own}/elements"}}}
        resource["relationships"] = resource["relationships"] | elements
    return resource


def single(
    resource: Resource, base: str, here: str, included: Sequence[Resource] | None = None
) -> dict[str, Any]:
    """The document of one resource; `included` is None where nothing was to be included."""
    document = {"data": linked(resource, base), "links": {"self": here}}
    return document if included is None else document | _included(included, base)


def collection(
    resources: Sequence[Resource],
    base: str,
    links: Mapping[str, str],
    included: Sequence[Resource] | None = None,
) -> dict[str, Any]:
    """The document of any number of resources; `links` are its own and those to other pages."""
    document = {"data": [linked(each, base) for each in resources], "links": dict(links)}
    return document if included is None else document | _included(included, base)


def _included(resources: Iterable[Resource], base: str) -> dict[str, Any]:
    """Every resource once, as JSON:API wants it."""
    once = {(each["type"], each["id"]): each for each in resources}
    return {"included": [linked(each, base) for each in once.values()]}
