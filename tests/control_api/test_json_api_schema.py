"""Whatever the Control API answers is a document of JSON:API 1.1, and the rules can be broken."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from simulator.choices import Choices
from tests.support.http_json_api import SCHEMA, VALIDATOR, broken_rules
from tests.support.http_site import (
    JSON_API,
    POLL,
    VIEWER,
    Site,
    element_body,
    event_body,
)


async def answers() -> AsyncIterator[httpx.Response]:
    """An answer of every kind, from every endpoint that the documentation gives this format."""
    site = Site(Choices(bucket=100, delete_status=200, page_size=1))
    site.content.add_event_template(site.project_id, "Weekly", {"duration": 60})
    event = await site.make_event(start_at=1_900_000_000, start_mode="clock")
    await site.make_event(settings=[{"key": "host", "values": {"en": "Ada", "de": None}}])
    await site.write("events", event, action="start")
    poll = await site.make_element(event, action="publish")
    project = f"projects/{site.project_id}"
    yield await site.get("me")
    found = await site.get(project)
    yield found
    yield await site.get(f"apps/{found.json()['data']['relationships']['app']['data']['id']}")
    page = f"{project}/events?filter[state]="
    for query in ("", "&include=", "&include=stats,project", "&page[count]=50&include=project"):
        yield await site.get(page + query)
    yield await site.get(f"{project}/events?filter[state]=past&include=stats")
    templates = await site.get(f"{project}/event_templates")
    yield templates
    yield await site.get(f"event_templates/{templates.json()['data'][0]['id']}")
    for query in ("", "?include=", "?include=stats", "?include=stats,project"):
        yield await site.get(f"events/{event}{query}")
    for query in ("", "?include=", "?include=stats"):
        yield await site.get(f"events/{event}/elements{query}")
        yield await site.get(f"elements/{poll}{query}")
    yield await site.ask("POST", "events", event_body(site.project_id, {"name": "New"}))
    made = await site.ask("POST", "elements", element_body(event, POLL))
    yield made
    yield await site.ask("DELETE", f"elements/{made.json()['data']['id']}")
    # and the errors
    yield await site.get("me", token=None)
    yield await site.get("me", token="unknown")
    yield await site.ask("POST", "events", {}, token=VIEWER)
    yield await site.get("nothing")
    yield await site.get("/nothing")
    yield await site.get("events/unknown")
    yield await site.ask("PUT", "me")
    yield await site.get(f"{project}/events")
    yield await site.get("me?include=stats")
    yield await site.ask("POST", "events", raw=b"{")
    yield await site.ask("POST", "events", raw=b"{}", headers={"content-type": "text/plain"})
    yield await site.ask("POST", "events", raw=b" " * 2**19)
    yield await site.ask("POST", "events", {"data": {"type": "events"}})
    yield await site.ask("POST", "events", event_body("unknown", {"name": "New"}))
    yield await site.write("events", event, action="start")
    while (answer := await site.get("me")).status_code == 200:
        pass
    yield answer


async def test_every_answer_keeps_the_rules() -> None:
    """Documents of one resource and of many, with and without what is included, and of errors."""
    seen = set[int]()
    async for answer in answers():
        assert answer.headers["content-type"] == JSON_API
        assert broken_rules(answer.json()) == [], answer.request.url
        seen.add(answer.status_code)
    assert seen == {200, 201, 400, 401, 403, 404, 405, 413, 415, 422, 429}


def test_the_rules_are_a_schema() -> None:
    """By the meta-schema of its draft."""
    VALIDATOR.check_schema(SCHEMA)


GOOD: dict[str, Any] = {
    "data": {
        "id": "1",
        "type": "events",
        "attributes": {"name": "Friday"},
        "relationships": {"stats": {"data": {"id": "1", "type": "stats"}}},
        "links": {"self": "http://emulator.test/events/1"},
    },
    "included": [{"id": "1", "type": "stats", "attributes": {"votes": 0}}],
    "links": {"self": "http://emulator.test/events/1", "next": None},
}


def test_a_good_document_breaks_nothing() -> None:
    assert broken_rules(GOOD) == []
    assert broken_rules({"errors": [{"detail": "no", "source": {"pointer": "/data/x~1y"}}]}) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), []),
        (("data",), "text"),
        (("data",), ...),
        (("error",), []),
        (("errors",), [{"detail": "both"}]),
        (("data", "id"), 1),
        (("data", "id"), ...),
        (("data", "type"), ...),
        (("data", "type"), "-events"),
        (("data", "name"), "Friday"),
        (("data", "attributes"), []),
        (("data", "attributes", "id"), "1"),
        (("data", "attributes", "na/me"), "1"),
        (("data", "relationships", "stats"), {}),
        (("data", "relationships", "stats", "data"), "1"),
        (("data", "relationships", "stats", "data", "id"), ...),
        (("data", "relationships", "stats", "stats"), {}),
        (("data", "relationships", "type"), {"data": None}),
        (("data", "links", "self"), 1),
        (("data", "links", "self"), "not an address"),
        (("data", "links", "elements"), "http://emulator.test"),
        (("links", "following"), "http://emulator.test"),
        (("links", "next"), {"url": "http://emulator.test"}),
        (("included",), {}),
        (("included", 0, "type"), ...),
        (("meta",), []),
        # beyond the schema
        (("included", 0, "id"), "2"),
        (("data", "relationships", "stats", "data"), None),
        (("included",), [{"id": "1", "type": "stats"}, {"id": "1", "type": "stats"}]),
        (("included",), [{"id": "1", "type": "events"}, {"id": "1", "type": "stats"}]),
    ],
)
def test_a_broken_document_is_found(path: tuple[str | int, ...], value: Any) -> None:
    """With one member changed, or taken away, the rules say so."""
    document: Any = {"": copy.deepcopy(GOOD)}
    *above, last = ("", *path)
    at = document
    for step in above:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    assert broken_rules(document[""]) != []


@pytest.mark.parametrize(
    "error",
    [
        "no",
        {},
        {"status": 404},
        {"status": "200"},
        {"message": "no"},
        {"source": {"pointer": "data"}},
        {"source": {"pointer": "/data/~2"}},
        {"source": "data"},
    ],
)
def test_a_broken_error_is_found(error: Any) -> None:
    """So are errors that are none of JSON:API's, and none at all."""
    assert broken_rules({"errors": [error]}) != []
    assert broken_rules({"errors": []}) != []


def test_linkage_goes_on_through_what_is_included() -> None:
    """An included resource may be linked by another one; a to-many link counts as well."""
    document = copy.deepcopy(GOOD)
    document["included"][0]["relationships"] = {"of": {"data": [{"id": "7", "type": "apps"}]}}
    document["included"].append({"id": "7", "type": "apps"})
    assert broken_rules(document) == []
