"""`ControlApi`: what each method asks for, and what it makes of the answer."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

import poll_counter.control
from poll_counter.control.api import ControlApi
from poll_counter.errors import ControlApiError, MisuseError, PlatformError

from .support import api_on

EVENT = {"id": "e1", "type": "events", "attributes": {"name": "Final"}}
ELEMENT = {"id": "x1", "type": "elements", "attributes": {"content_type": "trivia"}}
STATS = {"id": "e1", "type": "stats", "attributes": {"current_concurrency": 12431}}


def no_content(_: httpx.Request) -> httpx.Response:
    """The answer to an update."""
    return httpx.Response(204)


ONE_CALL: list[tuple[str, Callable[[ControlApi], Awaitable[object]], Any]] = [
    ("GET /me", lambda api: api.me(), no_content),
    ("GET /projects/p1", lambda api: api.project("p1"), {"data": {"id": "p1"}}),
    ("GET /apps/a1", lambda api: api.app("a1"), {"data": {"id": "a1"}}),
    ("GET /projects/p1/events", lambda api: api.events("p1"), {"data": [EVENT]}),
    ("GET /events/e1", lambda api: api.event("e1"), {"data": EVENT}),
    ("POST /events", lambda api: api.create_event("p1", {}), {"data": EVENT}),
    ("PATCH /events/e1", lambda api: api.update_event("e1", {}), no_content),
    ("PATCH /events/e1", lambda api: api.start_event("e1"), no_content),
    ("PATCH /events/e1", lambda api: api.stop_event("e1"), no_content),
    ("GET /events/e1/elements", lambda api: api.elements("e1"), {"data": [ELEMENT]}),
    ("GET /elements/x1", lambda api: api.element("x1"), {"data": ELEMENT}),
    ("POST /elements", lambda api: api.create_element("e1", {}), {"data": ELEMENT}),
    ("PATCH /elements/x1", lambda api: api.update_element("x1", {}), no_content),
    ("PATCH /elements/x1", lambda api: api.publish("x1"), no_content),
    ("PATCH /elements/x1", lambda api: api.stop_element("x1"), no_content),
    ("PATCH /elements/x1", lambda api: api.revoke("x1"), no_content),
    ("PATCH /elements/x1", lambda api: api.reveal_results("x1"), no_content),
    ("PATCH /elements/x1", lambda api: api.reveal_answer("x1"), no_content),
    ("DELETE /elements/x1", lambda api: api.delete_element("x1"), no_content),
    ("GET /projects/p1/event_templates", lambda api: api.event_templates("p1"), {"data": []}),
    ("GET /event_templates/t1", lambda api: api.event_template("t1"), {"data": {"id": "t1"}}),
]


@pytest.mark.parametrize(("asked", "job", "step"), ONE_CALL)
async def test_every_method_asks_for_what_is_documented(
    asked: str, job: Callable[[ControlApi], Awaitable[object]], step: Any
) -> None:
    """Contract section 5."""
    api, platform, _ = api_on(step)
    await job(api)
    method, path = asked.split()
    assert platform.asked == [f"{method} /api/v2{path}"]


@pytest.mark.parametrize(
    ("job", "action"),
    [
        (lambda api: api.start_event("e1"), {"action": "start"}),
        (lambda api: api.stop_event("e1"), {"action": "stop"}),
        (lambda api: api.publish("e1"), {"action": "publish"}),
        (lambda api: api.stop_element("e1"), {"action": "stop"}),
        (lambda api: api.revoke("e1"), {"action": "revoke"}),
        (lambda api: api.reveal_results("e1"), {"action": "reveal_results"}),
        (lambda api: api.reveal_answer("e1"), {"action": "reveal_answer"}),
        (
            lambda api: api.reveal_answer("e1", 2),
            {"action": "reveal_answer", "correct_option": 2},
        ),
        (
            lambda api: api.reveal_answer("e1", 0),
            {"action": "reveal_answer", "correct_option": 0},
        ),
    ],
)
async def test_an_action_goes_alone(
    job: Callable[[ControlApi], Awaitable[object]], action: dict[str, Any]
) -> None:
    """As in the documentation's examples; an answer is revealed with the right option."""
    api, platform, _ = api_on(no_content)
    await job(api)
    (body,) = platform.bodies
    assert body["data"]["id"] == "e1"
    assert body["data"]["attributes"] == action


async def test_what_is_created_belongs_to_something() -> None:
    """An event to a project, an element to an event; attributes go as they are."""
    api, platform, _ = api_on({"data": EVENT}, {"data": ELEMENT})
    event = await api.create_event("p1", {"name": "Final", "start_at": 0})
    element = await api.create_element("e1", {"content_type": "trivia"})
    assert (event.id, event.name) == ("e1", "Final")
    assert (element.id, element.content_type) == ("x1", "trivia")
    made = [body["data"] for body in platform.bodies]
    assert made == [
        {
            "type": "events",
            "attributes": {"name": "Final", "start_at": 0},
            "relationships": {"project": {"data": {"type": "projects", "id": "p1"}}},
        },
        {
            "type": "elements",
            "attributes": {"content_type": "trivia"},
            "relationships": {"event": {"data": {"type": "events", "id": "e1"}}},
        },
    ]


async def test_updates_name_what_they_change() -> None:
    """Also in the body (contract section 6.5)."""
    api, platform, _ = api_on(always=no_content)
    await api.update_event("e1", {"name": "Final"})
    await api.update_element("x1", {})
    assert [body["data"] for body in platform.bodies] == [
        {"id": "e1", "type": "events", "attributes": {"name": "Final"}},
        {"id": "x1", "type": "elements", "attributes": {}},
    ]


async def test_the_call_of_the_concurrency_page() -> None:
    """GET the event with its stats (contract 1.1)."""
    api, platform, _ = api_on({"data": EVENT, "included": [7, {"type": "projects"}, STATS]})
    event = await api.event("e1", include=["stats"])
    assert event.stats is not None
    assert event.stats.current_concurrency == 12431
    assert dict(platform.requests[0].url.params) == {"include": "stats"}


async def test_events_can_be_filtered_and_sorted() -> None:
    """Contract section 6.1; all states unless some are named."""
    api, platform, _ = api_on(always={"data": [EVENT], "included": [STATS]})
    await api.events("p1")
    (event,) = await api.events(
        "p1",
        states=["current", "past"],
        only_listings=False,
        include=["stats"],
        newest_first=True,
    )
    assert event.stats is not None
    plain, full = (dict(request.url.params) for request in platform.requests)
    assert plain == {"filter[state]": "future,current,on_demand,past", "page[count]": "100"}
    assert full == {
        "filter[state]": "current,past",
        "page[count]": "100",
        "filter[only_listings]": "false",
        "include": "stats",
        "sort": "-start_time",
    }


async def test_elements_can_be_filtered() -> None:
    """Contract section 7.3: no parameter unless it is wanted."""
    stats = {"id": "x1", "type": "stats", "attributes": {"votes": 3}}
    api, platform, _ = api_on(always={"data": [ELEMENT], "included": [stats]})
    (element,) = await api.elements(
        "e1", states=["current", "past"], in_latest_results=True, stats=True
    )
    await api.elements("e1")
    assert element.stats is not None
    assert element.stats.votes == 3
    full, plain = (dict(request.url.params) for request in platform.requests)
    assert plain == {}
    assert full == {
        "filter[state]": "current,past",
        "filter[include_in_latest_results]": "true",
        "include": "stats",
    }


async def test_lists_of_names_are_lists() -> None:
    """A name alone would be sent letter by letter; no state at all would be refused."""
    api, platform, _ = api_on()
    with pytest.raises(MisuseError, match=r"pass a list: \['past'\]"):
        await api.elements("e1", states="past")
    with pytest.raises(MisuseError, match="at least one state"):
        await api.events("p1", states=[])
    assert platform.requests == []


# Paging


def _page(event_id: str, **more: Any) -> dict[str, Any]:
    return {"data": [{"id": event_id, "type": "events"}], **more}


@pytest.mark.parametrize(
    "more",
    [
        {"links": {"next": "https://elsewhere.example/other?page%5Bcursor%5D=c%2F2&a=b"}},
        {"links": {"next": {"href": "/api/v2/x?page[cursor]=c/2"}}},
        {"links": {"next": None}, "meta": {"next_cursor": "c/2"}},
        {"links": [], "meta": {"page": {"next_cursor": "c/2"}}},
    ],
    ids=["link", "object", "meta", "page"],
)
async def test_all_pages_are_read(more: dict[str, Any]) -> None:
    """Of a link only the cursor is taken: the token goes nowhere else."""
    api, platform, _ = api_on(_page("e1", **more), _page("e2"))
    assert [event.id for event in await api.events("p1", states=["past"])] == ["e1", "e2"]
    first, second = platform.requests
    assert second.url.host == "platform.example"
    assert second.url.path == first.url.path
    assert dict(second.url.params) == {
        "filter[state]": "past",
        "page[count]": "100",
        "page[cursor]": "c/2",
    }


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"links": None, "meta": None},
        {"links": {"next": ""}},
        {"links": {"next": {"href": None}}, "meta": {"next_cursor": ""}},
        {"links": {"next": 7}, "meta": {"next_cursor": False}},
        {"meta": {"next_cursor": None, "page": []}},
    ],
)
async def test_the_last_page_names_no_other(more: dict[str, Any]) -> None:
    """In whatever way it says so."""
    api, platform, _ = api_on(_page("e1", **more))
    assert len(await api.events("p1")) == 1
    assert len(platform.requests) == 1


async def test_a_cursor_may_be_a_number() -> None:
    """Not documented, so it is taken as it comes."""
    api, platform, _ = api_on(_page("e1", meta={"next_cursor": 20}), _page("e2"))
    assert len(await api.events("p1")) == 2
    assert platform.requests[1].url.params["page[cursor]"] == "20"


@pytest.mark.parametrize("link", ["?page[number]=2", "?page[cursor]=", "http://[::1"])
async def test_a_next_page_that_cannot_be_asked_for_is_an_error(link: str) -> None:
    """A list that silently ends early would be worse."""
    api, _, _ = api_on(_page("e1", links={"next": link}))
    with pytest.raises(ControlApiError, match=r"has no page\[cursor\]"):
        await api.events("p1")


async def test_pages_that_go_in_circles_are_an_error() -> None:
    """Instead of reading for ever."""
    one, two = _page("e1", meta={"next_cursor": "1"}), _page("e2", meta={"next_cursor": "2"})
    api, platform, _ = api_on(one, two, one)
    with pytest.raises(ControlApiError, match="in circles"):
        await api.events("p1")
    assert len(platform.requests) == 3


# The chain to the elements spec

PROJECT = {"data": {"id": "p1", "relationships": {"app": {"data": {"id": "a1"}}}}}
SPEC_URL = "https://cdn.example/apps/1/spec.json?v=3"


async def test_the_elements_spec_is_found_and_read_without_the_token() -> None:
    """Project, app, its spec's address, elements.json (contract 18.5)."""
    api, platform, _ = api_on(
        PROJECT,
        {"data": {"id": "a1", "attributes": {"spec_url": SPEC_URL}}},
        httpx.Response(200, json=[{"content_type": "trivia", "derived_from": "trivia"}, 7]),
    )
    (entry,) = await api.elements_spec("p1")
    assert (entry.content_type, entry.derived_from) == ("trivia", "trivia")
    assert platform.asked[:2] == ["GET /api/v2/projects/p1", "GET /api/v2/apps/a1"]
    read = platform.requests[2]
    assert str(read.url) == "https://cdn.example/apps/1/elements.json?v=3"
    assert "Authorization" not in read.headers
    assert all("Authorization" in each.headers for each in platform.requests[:2])


@pytest.mark.parametrize(
    ("project", "spec_url", "message"),
    [
        ({"data": {"id": "p1"}}, "", "names no app"),
        (PROJECT, "", "names no spec_url"),
        (PROJECT, "https://cdn.example/", "names no spec_url"),
        (PROJECT, "ftp://cdn.example/spec.json", "no address that can be read"),
        (PROJECT, "cdn.example/spec.json", "no address that can be read"),
        (PROJECT, "https:///spec.json", "no address that can be read"),
        (PROJECT, "http://[::1/spec.json", "no address that can be read"),
    ],
)
async def test_a_chain_that_breaks_says_where(project: Any, spec_url: str, message: str) -> None:
    """Each link of it."""
    api, _, _ = api_on(project, {"data": {"id": "a1", "attributes": {"spec_url": spec_url}}})
    with pytest.raises(ControlApiError, match=message):
        await api.elements_spec("p1")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"data": []}, "an elements spec is a list"),
        (httpx.Response(404), "elements.json.*: status 404"),
    ],
)
async def test_a_spec_that_cannot_be_read_is_the_platforms_error(step: Any, message: str) -> None:
    """With its address."""
    app = {"data": {"id": "a1", "attributes": {"spec_url": SPEC_URL}}}
    api, _, _ = api_on(PROJECT, app, step)
    with pytest.raises(ControlApiError, match=message):
        await api.elements_spec("p1")


async def test_a_spec_is_read_again_after_a_failure() -> None:
    """Like any read."""
    app = {"data": {"id": "a1", "attributes": {"spec_url": SPEC_URL}}}
    api, _, naps = api_on(PROJECT, app, lambda _: httpx.Response(503), httpx.Response(200, json=[]))
    assert await api.elements_spec("p1") == []
    assert naps.taken == [1.0]


# What cannot be


@pytest.mark.parametrize(
    ("job", "document", "message"),
    [
        (lambda api: api.event("e1"), {"data": []}, "no resource in `data`"),
        (lambda api: api.event("e1"), {}, "no resource in `data`"),
        (lambda api: api.event("e1"), {"data": {"type": "events"}}, "an event has no id"),
        (lambda api: api.create_event("p1", {}), {"meta": {}}, "no resource in `data`"),
        (lambda api: api.events("p1"), {"data": EVENT}, "no list of resources in `data`"),
        (lambda api: api.elements("e1"), {"data": [7]}, "no list of resources in `data`"),
        (lambda api: api.elements("e1"), {"data": [{}]}, "an element has no id"),
    ],
)
async def test_a_document_that_cannot_be_read_says_what_is_wrong(
    job: Callable[[ControlApi], Awaitable[object]], document: dict[str, Any], message: str
) -> None:
    """As the platform's error, with the call in front, and nothing behind it."""
    api, _, _ = api_on(document)
    with pytest.raises(ControlApiError, match=f"/api/v2/.*{message}") as caught:
        await job(api)
    assert caught.value.status == 200
    assert caught.value.__context__ is None


@pytest.mark.parametrize("content", [b"", b" \n", b"[]", b"null", b"7"])
async def test_an_answer_without_a_document_is_no_event(content: bytes) -> None:
    """Not even after a status of success."""
    api, _, _ = api_on(lambda _: httpx.Response(200, content=content), attempts=1)
    with pytest.raises(ControlApiError, match="no resource in `data`"):
        await api.event("e1")
    api, _, _ = api_on(lambda _: httpx.Response(200, content=content), attempts=1)
    with pytest.raises(ControlApiError, match="no list of resources"):
        await api.elements("e1")


@pytest.mark.parametrize(
    "job",
    [
        lambda api: api.project(""),
        lambda api: api.app(""),
        lambda api: api.events(""),
        lambda api: api.event(".."),
        lambda api: api.create_event("", {}),
        lambda api: api.update_event("", {}),
        lambda api: api.elements(""),
        lambda api: api.element("."),
        lambda api: api.create_element("", {}),
        lambda api: api.update_element("", {}),
        lambda api: api.delete_element(""),
        lambda api: api.event_templates(""),
        lambda api: api.event_template(""),
    ],
)
async def test_an_id_that_cannot_be_one_is_not_sent(
    job: Callable[[ControlApi], Awaitable[object]],
) -> None:
    """An empty id would ask for something else."""
    api, platform, _ = api_on()
    with pytest.raises(MisuseError, match=r"is no id of an? "):
        await job(api)
    assert platform.requests == []


def test_the_representation_has_the_address() -> None:
    """And no more."""
    api, _, _ = api_on()
    assert repr(api) == "ControlApi('https://platform.example/api/v2')"
    assert api.key[0] == "https://platform.example/api/v2"


def test_every_public_name_is_documented() -> None:
    """Methods too; errors are part of the library's one tree."""
    for name in poll_counter.control.__all__:
        thing = getattr(poll_counter.control, name)
        assert inspect.getdoc(thing)
    public = [each for name, each in vars(ControlApi).items() if not name.startswith("_")]
    assert all(inspect.getdoc(each) for each in public)
    assert issubclass(ControlApiError, PlatformError)


async def test_the_block_closes_the_connections() -> None:
    """Those of the transport, too."""
    api, platform, _ = api_on(always={"data": EVENT})
    async with api as entered:
        assert entered is api
        await api.event("e1")
    assert platform.closed
