"""The Control API over HTTP: what is asked as the platform's tools ask it, and what is answered."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from poll_counter.facts import (
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
)
from simulator.choices import Choices
from simulator.content import Content
from simulator.control_api import control_api
from simulator.control_api.tokens import Tokens
from simulator.emulator import Emulator
from tests.support.http_site import (
    API,
    HOST,
    JSON_API,
    PLENTY,
    POLL,
    PRODUCER,
    VIEWER,
    Site,
    element_body,
    errors_of,
    event_body,
)

STATS = {
    "interactions": 0,
    "peak_concurrency": 1,
    "current_concurrency": 1,
    "unique_users": 1,
    "average_session_length": 0,
    "elements_count": 0,
}


@pytest.fixture
def site() -> Site:
    """A platform with one project, whose tokens never wait."""
    return Site()


async def running(site: Site, **attributes: Any) -> str:
    """Make an event that runs; returns its id."""
    event = await site.make_event(**attributes)
    assert (await site.write("events", event, action="start")).status_code == 204
    return event


def attributes_of(answer: httpx.Response) -> dict[str, Any]:
    """The attributes of the one resource of an answer."""
    assert answer.status_code < 300, answer.text
    attributes: dict[str, Any] = answer.json()["data"]["attributes"]
    return attributes


def names_of(answer: httpx.Response) -> str:
    """The names of the events of an answer."""
    assert answer.status_code == 200, answer.text
    return "".join(each["attributes"]["name"] for each in answer.json()["data"])


# Reading events


async def test_get_event(site: Site) -> None:
    """The documented document: attributes, relationships, links."""
    event = await site.make_event(
        start_mode="clock", start_at=1_900_000_000, settings=[{"key": "b", "values": {"all": True}}]
    )
    answer = await site.get(f"events/{event}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, JSON_API)
    document = answer.json()
    data = document["data"]
    assert (data["id"], data["type"]) == (event, "events")
    assert data["attributes"]["start_at_iso"] == "2030-03-17T17:46:40Z"
    assert data["attributes"]["settings"] == [{"key": "b", "values": {"all": True}}]
    assert data["attributes"]["state"] == "future"
    assert data["links"] == {"self": f"{API}/events/{event}"}
    assert data["relationships"] == {
        "elements": {"links": {"related": f"{API}/events/{event}/elements"}},
        "stats": {"data": {"id": event, "type": "stats"}},
        "project": {"data": {"id": site.project_id, "type": "projects"}},
    }
    assert document["links"] == {"self": f"{API}/events/{event}"}
    assert "included" not in document


@pytest.mark.parametrize("query", ["?include=stats,project", "?include=stats%2Cproject"])
async def test_get_event_with_stats(site: Site, query: str) -> None:
    """The stats object with all six attributes, and the project."""
    event = await running(site)
    site.emulator.connect(1, event, "user", site.now)
    included = (await site.get(f"events/{event}{query}")).json()["included"]
    assert included[0] == {"id": event, "type": "stats", "attributes": STATS}
    assert (included[1]["id"], included[1]["type"]) == (site.project_id, "projects")
    assert len(included) == 2


async def test_include_takes_what_it_names(site: Site) -> None:
    """Nothing, one, and nothing else."""
    event = await site.make_event()
    for query, types in [("", []), ("stats", ["stats"]), ("project", ["projects"])]:
        included = (await site.get(f"events/{event}?include={query}")).json()["included"]
        assert [each["type"] for each in included] == types
    answer = await site.get(f"events/{event}?include=stats,elements")
    assert answer.status_code == 400
    assert errors_of(answer) == [("include", "'elements' is none of stats, project")]


async def events_site(choices: Choices = PLENTY) -> Site:
    """Events a to e, one of each state but the last two."""
    site = Site(choices)
    for number, name in enumerate("abcde"):
        await site.make_event(name=name, start_mode="clock", start_at=int(site.now) + 10 * number)
    site.now += 5  # a has started
    on_demand = await site.make_event(name="o", on_demand_duration=60)
    past = await site.make_event(name="p")
    for event in (on_demand, past):
        await site.write("events", event, action="start")
        await site.write("events", event, action="stop")
    return site


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("filter[state]=current", "a"),
        ("filter[state]=future", "bcde"),
        ("filter[state]=past", "p"),
        ("filter[state]=on_demand", "o"),
        ("filter[state]=current,future", "abcde"),
        ("filter%5Bstate%5D=current%2Cfuture", "abcde"),
        ("filter%5Bstate%5D=", "aopbcde"),
        ("filter[state]=&sort=start_time", "aopbcde"),
        ("filter[state]=future&sort=-start_time", "edcb"),
        ("filter[state]=future&filter[only_listings]=false", "bcde"),
        ("filter[state]=future&filter[only_listings]=true", "bc"),
        ("filter[state]=future&filter%5Bonly_listings%5D=", "bcde"),
        ("filter[state]=&page[count]=2", "ao"),
        ("filter[state]=&_=1700000000", "aopbcde"),
    ],
)
async def test_get_events(query: str, names: str) -> None:
    """Filtered, sorted and cut, with brackets and commas encoded or not."""
    site = await events_site(Choices(bucket=100, listings_future=2))
    answer = await site.get(f"projects/{site.project_id}/events?{query}")
    assert names_of(answer) == names
    assert set(answer.json()["links"]) == ({"self", "next"} if "count" in query else {"self"})


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("", "filter[state]"),
        ("filter[state]=live", "filter[state]"),
        ("filter[state]=&filter[only_listings]=yes", "filter[only_listings]"),
        ("filter[state]=&include=elements", "include"),
        ("filter[state]=&page[count]=0", "page[count]"),
        ("filter[state]=&page[count]=101", "page[count]"),
        ("filter[state]=&page[cursor]=nowhere", "page[cursor]"),
        ("filter[state]=&page[size]=1", "page[size]"),
        ("filter[state]=&sort=name", "sort"),
    ],
)
async def test_get_events_refuses_a_parameter(site: Site, query: str, parameter: str) -> None:
    """400, with its name."""
    answer = await site.get(f"projects/{site.project_id}/events?{query}")
    assert answer.status_code == 400
    assert [place for place, _ in errors_of(answer)] == [parameter]


async def test_get_events_page_by_page() -> None:
    """By following links.next; the other parameters stay, the last page has none."""
    site = await events_site(Choices(bucket=100, page_size=3))
    link = f"projects/{site.project_id}/events?filter[state]=&include=stats&sort=start_time"
    pages = []
    while link:
        answer = await site.get(link)
        pages.append(names_of(answer))
        assert len(answer.json()["included"]) == len(pages[-1])
        link = answer.json()["links"].get("next", "").removeprefix(HOST)
    assert pages == ["aop", "bcd", "e"]


async def test_an_event_made_between_pages_shifts_none() -> None:
    """None is shown twice, and none is left out."""
    site = await events_site()
    path = f"projects/{site.project_id}/events?filter[state]=&page[count]=4"
    first = await site.get(path)
    await site.make_event(name="x", start_mode="clock", start_at=int(site.now) - 100)
    second = await site.get(first.json()["links"]["next"].removeprefix(HOST))
    assert (names_of(first), names_of(second)) == ("aopb", "cde")


async def test_events_that_are_due_have_happened() -> None:
    """Nobody reads an event that should have started, and clients are told that it has."""
    site = Site()
    event = await site.make_event(start_mode="clock", start_at=int(site.now) + 60, duration=30)
    site.now += 60
    assert attributes_of(await site.get(f"events/{event}"))["state"] == "current"
    assert [type(fact) for fact in site.told] == [EventStateChanged]
    site.now += 30
    assert attributes_of(await site.get(f"events/{event}"))["state"] == "past"


# Writing events


async def test_create_event(site: Site) -> None:
    """201, the new resource and where it is."""
    attributes = {
        "name": "Friday",
        "start_mode": "manual",
        "duration": 1800,
        "start_at": 0,
        "end_mode": "duration",
        "settings": [],
    }
    answer = await site.ask("POST", "events", event_body(site.project_id, attributes))
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert answer.headers["location"] == data["links"]["self"] == f"{API}/events/{data['id']}"
    assert data["attributes"]["duration"] == 1800
    assert (await site.get(f"events/{data['id']}")).json()["data"] == data


async def test_create_event_answers_as_chosen() -> None:
    """The status is not documented."""
    site = Site(Choices(create_event_status=200))
    answer = await site.ask("POST", "events", event_body(site.project_id, {"name": "x"}))
    assert answer.status_code == 200
    assert answer.json()["data"]["attributes"]["name"] == "x"


@pytest.mark.parametrize("content_type", [JSON_API, "application/json; charset=utf-8"])
async def test_nulls_and_unknown_attributes_are_let_be(site: Site, content_type: str) -> None:
    """As the platform's tools send them, in either media type."""
    nulls = {"start_at": None, "duration": None}
    body = event_body(site.project_id, {"name": "x", "start_at_iso": "", "new": [{}], **nulls})
    answer = await site.ask("POST", "events", body, headers={"content-type": content_type})
    assert attributes_of(answer)["duration"] == 3600


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({}, 422, "/data"),
        ({"data": {"type": "elements"}}, 422, "/data/type"),
        ({"data": {"type": "events", "id": "mine"}}, 403, "/data/id"),
        ({"data": {"type": "events"}}, 422, "/data/relationships/project"),
        (event_body("unknown", {"name": "x"}), 404, "/data/relationships/project/data/id"),
    ],
)
async def test_create_event_needs_its_project(
    site: Site, body: object, status: int, pointer: str
) -> None:
    """What lacks is told with a pointer, and nothing is made."""
    answer = await site.ask("POST", "events", body)
    assert answer.status_code == status
    assert [place for place, _ in errors_of(answer)] == [pointer]
    events = await site.get(f"projects/{site.project_id}/events?filter[state]=")
    assert events.json()["data"] == []


async def test_update_event(site: Site) -> None:
    """204 without a body; the id in the body may be another, and attributes empty."""
    event = await site.make_event()
    updates: list[dict[str, Any]] = [{"name": "Saturday"}, {}]
    for attributes in updates:
        body = {"data": {"type": "events", "attributes": attributes, "id": "another"}}
        answer = await site.ask("PATCH", f"events/{event}", body)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "content-type" not in answer.headers
    assert attributes_of(await site.get(f"events/{event}"))["name"] == "Saturday"


async def test_start_and_stop(site: Site) -> None:
    """Clients are told at once; what is finished cannot be stopped."""
    event = await running(site)
    assert attributes_of(await site.get(f"events/{event}"))["state"] == "current"
    assert (await site.write("events", event, action="stop")).status_code == 204
    assert site.told == [EventStateChanged("active", 1), EventStateChanged("finished", 2)]
    answer = await site.write("events", event, action="stop")
    assert answer.status_code == 422
    assert errors_of(answer) == [("/data/attributes/action", "can't stop a finished event")]


# Elements


async def test_create_element(site: Site) -> None:
    """201 with the defaults that the documentation shows, on no timeline yet."""
    event = await site.make_event()
    answer = await site.ask("POST", "elements", element_body(event, POLL))
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert answer.headers["location"] == data["links"]["self"] == f"{API}/elements/{data['id']}"
    assert data["relationships"] == {"event": {"data": {"id": event, "type": "events"}}}
    attributes = data["attributes"]
    assert attributes["state"] == "non_scheduled"
    assert attributes["max_votes_per_user"] == 2
    assert [attributes[name] for name in ("enmasse_id", "updated_at", "revoked_at")] == [None] * 3
    assert (await site.get(f"elements/{data['id']}")).json()["data"] == data
    assert site.told == []


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({"duration": -1}, "/data/attributes/duration"),
        ({"action": "stop"}, "/data/attributes/action"),
        ({"action": "publish"}, "/data/attributes/action"),
        ({"content_type": None}, "/data/attributes/content_type"),
        ({"question": {"options": [{"fields": 1}]}}, "/data/attributes/question/options/0/fields"),
    ],
)
async def test_create_element_says_what_is_wrong(
    site: Site, attributes: dict[str, Any], pointer: str
) -> None:
    """422, with a pointer, and nothing is made."""
    event = await site.make_event()
    answer = await site.ask("POST", "elements", element_body(event, {**POLL, **attributes}))
    assert answer.status_code == 422
    assert [place for place, _ in errors_of(answer)] == [pointer]
    assert (await site.get(f"events/{event}/elements")).json()["data"] == []


async def test_create_element_needs_its_event(site: Site) -> None:
    answer = await site.ask("POST", "elements", element_body("unknown", POLL))
    assert answer.status_code == 404
    assert errors_of(answer) == [
        ("/data/relationships/event/data/id", "there is no event 'unknown'")
    ]


async def test_an_element_from_publishing_to_revoking(site: Site) -> None:
    """Every action is a 204 and reaches the clients at once."""
    event = await running(site)
    poll = await site.make_element(event, reveal_results_mode="manual")
    facts = []
    for action, state in [
        ("publish", "current"),
        ("reveal_results", "current"),
        ("stop", "past"),
        ("revoke", "revoked"),
    ]:
        site.told.clear()
        answer = await site.write("elements", poll, action=action)
        assert (answer.status_code, answer.content) == (204, b"")
        assert attributes_of(await site.get(f"elements/{poll}"))["state"] == state
        facts.append(type(site.told[0]).__name__)
    assert facts == [
        ElementPublished.__name__,
        "ResultsTold",
        ElementStateChanged.__name__,
        ElementRevoked.__name__,
    ]


async def test_reveal_answer_comes_with_the_option(site: Site) -> None:
    """Of a trivia; on anything else it is refused."""
    event = await running(site)
    trivia = await site.make_element(event, content_type="trivia", correct_option=0)
    await site.write("elements", trivia, action="publish")
    answer = await site.write("elements", trivia, action="reveal_answer", correct_option=2)
    assert answer.status_code == 204
    attributes = attributes_of(await site.get(f"elements/{trivia}"))
    assert attributes["correct_option"] == 2
    assert attributes["answer_revealed_at_iso"] == "2027-01-15T08:00:00Z"
    poll = await site.make_element(event, action="publish")
    assert (await site.write("elements", poll, action="reveal_answer")).status_code == 422


async def test_a_field_of_a_published_element_is_republished(site: Site) -> None:
    """The write of method 1: one field anew, the other stays."""
    event = await running(site)
    fields = [{"key": "poll_counter", "values": {"all": 1}}, {"key": "n", "values": {"all": 6}}]
    poll = await site.make_element(event, action="publish", custom_fields=fields)
    written = [{"key": "n", "values": {"all": 7}}]
    assert (await site.write("elements", poll, custom_fields=written)).status_code == 204
    told = site.told[-1]
    assert isinstance(told, ElementUpdated)
    assert told.element.custom_fields == {"poll_counter": 1, "n": 7}
    answer = await site.get(f"elements/{poll}")
    assert attributes_of(answer)["custom_fields"] == [fields[0], *written]


async def test_get_elements(site: Site) -> None:
    """By publishing time; filtered by state and by the feed that they are in."""
    event = await running(site)
    first = await site.make_element(event, include_in_latest_results_feed=True)
    second = await site.make_element(event)
    await site.make_element(event)
    await site.write("elements", second, action="publish")
    site.now += 1
    await site.write("elements", first, action="publish")

    async def found(query: str) -> list[str]:
        answer = await site.get(f"events/{event}/elements{query}")
        return [each["id"] for each in answer.json()["data"]]

    assert (await found(""))[:2] == [second, first]
    assert await found("?filter%5Bstate%5D=current") == [second, first]
    assert await found("?filter[include_in_latest_results]=true") == [first]
    assert len(await found("?filter[include_in_latest_results]=false")) == 2
    assert len(await found("?filter[state]=non_scheduled,past")) == 1
    assert len(await found("?filter[state]=")) == 3


async def test_get_elements_with_stats(site: Site) -> None:
    """Votes per option, linked from the element, in a list and alone."""
    event = await running(site)
    poll = await site.make_element(event, action="publish")
    for number, option in enumerate([1, 1, 0]):
        site.emulator.connect(number, event, f"user {number}", site.now)
        site.emulator.answer(number, poll, [option], "a", site.now)
    stats = {
        "id": poll,
        "type": "stats",
        "attributes": {
            "votes": 3,
            "voters": 3,
            "results": [{"votes": 1, "percentage": 33.33}, {"votes": 2, "percentage": 66.67}],
            "results_are_final": False,
        },
    }
    for path in (f"events/{event}/elements", f"elements/{poll}"):
        answer = await site.get(f"{path}?include=stats")
        assert answer.json()["included"] == [stats]
        data = answer.json()["data"]
        element = data[0] if isinstance(data, list) else data
        assert element["relationships"]["stats"] == {"data": {"id": poll, "type": "stats"}}
        plain = (await site.get(path)).json()
        assert "included" not in plain
        assert "stats" not in json.dumps(plain)
    answer = await site.get(f"events/{event}/elements?include=project")
    assert (answer.status_code, errors_of(answer)[0][0]) == (400, "include")


@pytest.mark.parametrize(("status", "body"), [(204, b""), (200, b'{"meta":{}}')])
async def test_delete_element(status: Any, body: bytes) -> None:
    """The status is chosen; a Content-Type without a body is let be; a second time it is gone."""
    site = Site(Choices(delete_status=status))
    event = await site.make_event()
    poll = await site.make_element(event)
    headers = {"content-type": JSON_API}
    answer = await site.ask("DELETE", f"elements/{poll}", headers=headers)
    assert (answer.status_code, answer.content) == (status, body)
    assert (await site.ask("DELETE", f"elements/{poll}")).status_code == 404
    assert (await site.get(f"elements/{poll}")).status_code == 404


async def test_a_published_element_is_not_deleted(site: Site) -> None:
    event = await running(site)
    poll = await site.make_element(event, action="publish")
    answer = await site.ask("DELETE", f"elements/{poll}")
    assert (answer.status_code, errors_of(answer)[0][0]) == (422, "/data")


# Projects, apps, templates, tokens


async def test_from_the_project_to_the_elements_spec(site: Site) -> None:
    """The chain that the platform's tools follow; the specs need no token."""
    project = (await site.get(f"projects/{site.project_id}")).json()["data"]
    app_id = project["relationships"]["app"]["data"]["id"]
    app = (await site.get(f"apps/{app_id}")).json()["data"]
    spec_url = app["attributes"]["spec_url"]
    assert spec_url.startswith(HOST)
    spec = await site.get(spec_url.removeprefix(HOST), token=None)
    assert spec.headers["content-type"] == "application/json"
    assert spec.json()["base_apps_url"] == spec_url.removesuffix("/config/lvis/spec.json")
    assert spec.json()["base_apps_url"] + spec.json()["elements"] == (
        spec_url.replace("spec.json", "elements.json")
    )
    path = spec_url.replace("spec.json", "elements.json").removeprefix(HOST)
    elements = await site.get(path, token="ignored")
    assert elements.headers["content-type"] == "application/json"
    assert "hidden-poll" in [entry["content_type"] for entry in elements.json()]


async def test_event_templates(site: Site) -> None:
    """Of a project, and one; a Content-Type without a body is let be."""
    template = site.content.add_event_template(site.project_id, "Weekly", {"duration": 60})
    headers = {"content-type": JSON_API}
    path = f"projects/{site.project_id}/event_templates"
    listed = (await site.get(path, headers=headers)).json()["data"]
    one = (await site.get(f"event_templates/{template}", headers=headers)).json()["data"]
    assert listed == [one]
    assert (one["id"], one["attributes"]["name"]) == (template, "Weekly")
    assert one["links"] == {"self": f"{API}/event_templates/{template}"}


@pytest.mark.parametrize(
    ("token", "who"),
    [
        (PRODUCER, {"name": "Paula", "rights": "producer"}),
        (VIEWER, {"name": "Vic", "rights": "viewer"}),
    ],
)
async def test_me(site: Site, token: str, who: dict[str, str]) -> None:
    """Whose the token is."""
    assert attributes_of(await site.get("me", token=token)) == who


async def test_a_viewer_reads_and_writes_nothing(site: Site) -> None:
    """Votes too; every write is a 403, before its body is looked at, and changes nothing."""
    event = await running(site)
    poll = await site.make_element(event)
    for path in (f"events/{event}?include=stats", f"events/{event}/elements?include=stats"):
        assert (await site.get(path, token=VIEWER)).status_code == 200
    before = (await site.get(f"elements/{poll}")).text
    site.told.clear()
    for method, path in [
        ("POST", "events"),
        ("PATCH", f"events/{event}"),
        ("POST", "elements"),
        ("PATCH", f"elements/{poll}"),
        ("DELETE", f"elements/{poll}"),
    ]:
        body = {"data": {"type": path.partition("/")[0], "attributes": {"action": "stop"}}}
        for sent in (json.dumps(body).encode(), b"{"):
            answer = await site.ask(method, path, raw=sent, token=VIEWER)
            assert answer.status_code == 403
            assert "viewer" in errors_of(answer)[0][1]
    assert (await site.get(f"elements/{poll}")).text == before
    assert site.told == []


async def test_the_bucket_of_a_token(site: Site) -> None:
    """15 requests, whatever they ask; then 429, until it has filled again."""
    site = Site(Choices())
    paths = ["me", "nothing", f"projects/{site.project_id}", "events/unknown", "me?include=x"] * 3
    statuses = [(await site.get(path)).status_code for path in paths]
    assert statuses == [200, 404, 200, 404, 400] * 3
    answer = await site.get("me")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert (await site.get("me", token=VIEWER)).status_code == 200
    assert (await site.get("/openapi.json")).status_code == 200
    site.seconds += 1.0
    assert [(await site.get("me")).status_code for _ in range(6)] == [200] * 5 + [429]


# HTTP itself


@pytest.mark.parametrize(
    "path",
    [
        "events/unknown",
        "events/unknown/elements",
        "elements/unknown",
        "projects/unknown",
        "projects/unknown/events?filter[state]=",
        "projects/unknown/event_templates",
        "apps/unknown",
        "event_templates/unknown",
        "nothing",
        "",
        "me/",
        "events/a%2Fb",
        "/",
        "/nothing",
        "/apps/unknown/config/lvis/spec.json",
        "/apps/unknown/config/lvis/elements.json",
        "/projects/un/unknown/listings.json",
        "/events/un/unknown/history.json",
    ],
)
async def test_what_is_not_there_is_404(site: Site, path: str) -> None:
    """An unknown id and an unknown path alike, as an errors document without a place."""
    answer = await site.get(path)
    assert answer.status_code == 404
    assert [place for place, _ in errors_of(answer)] == [""]


async def test_writing_to_what_is_not_there_is_404(site: Site) -> None:
    for type_ in ("events", "elements"):
        answer = await site.write(type_, "unknown", action="stop")
        assert answer.status_code == 404
        assert [place for place, _ in errors_of(answer)] == [""]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "events/x", {"GET", "HEAD", "PATCH"}),
        ("PUT", "elements/x", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("GET", "events", {"POST"}),
        ("POST", "me", {"GET", "HEAD"}),
        ("OPTIONS", "me", {"GET", "HEAD"}),
        ("POST", "/openapi.json", {"GET", "HEAD"}),
    ],
)
async def test_another_method_is_405(site: Site, method: str, path: str, allowed: set[str]) -> None:
    """With all that are allowed."""
    answer = await site.ask(method, path)
    assert answer.status_code == 405
    assert {each.strip() for each in answer.headers["allow"].split(",")} == allowed
    assert errors_of(answer) == [("", "Method Not Allowed")]


async def test_head_is_answered_like_get(site: Site) -> None:
    answer = await site.ask("HEAD", f"projects/{site.project_id}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, JSON_API)


@pytest.mark.parametrize("accept", ["application/json, text/plain, */*", "text/html", ""])
async def test_no_accept_is_refused(site: Site, accept: str) -> None:
    """Nor JSON:API's own media type with parameters."""
    for sent in (accept, f"{JSON_API}; ext=x"):
        answer = await site.get("me", headers={"accept": sent})
        assert (answer.status_code, answer.headers["content-type"]) == (200, JSON_API)


async def test_a_body_where_none_belongs_is_let_be(site: Site) -> None:
    """It is not even parsed."""
    answer = await site.ask("GET", "me", raw=b"{", headers={"content-type": "text/plain"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        (b"", JSON_API, 400),
        (b'{"data": NaN}', JSON_API, 400),
        (b"[" * 100_000, JSON_API, 400),
        (b"{}", "text/plain", 415),
        (b" " * 2**18 + b"{}", JSON_API, 413),
        (b"[]", JSON_API, 422),
    ],
)
async def test_bodies_that_cannot_be_are_refused(
    site: Site, raw: bytes, content_type: str, status: int
) -> None:
    """The same wherever something is written."""
    event = await site.make_event()
    for method, path in [("POST", "events"), ("POST", "elements"), ("PATCH", f"events/{event}")]:
        answer = await site.ask(method, path, raw=raw, headers={"content-type": content_type})
        assert answer.status_code == status
        assert len(errors_of(answer)) == 1


async def test_the_size_of_a_body_is_chosen() -> None:
    site = Site(Choices(body_bytes_max=2**19))
    answer = await site.ask("POST", "events", raw=b" " * 2**18 + b"{}")
    assert answer.status_code == 422


async def test_a_bug_of_ours_is_an_errors_document_too() -> None:
    """500; and the error goes on to whoever serves the application, for its log."""

    def now() -> float:
        raise ArithmeticError("the clock is broken")

    tokens = Tokens()
    tokens.add(PRODUCER)
    content = Content(Emulator())
    app = control_api(content, now=now, tell=lambda _: None, tokens=tokens)
    headers = {"authorization": f"Bearer {PRODUCER}"}
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.get(f"{API}/me", headers=headers)
    assert answer.status_code == 500
    assert errors_of(answer) == [("", "the emulator is broken: its log says how")]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        with pytest.raises(ArithmeticError, match="the clock is broken"):
            await client.get(f"{API}/me", headers=headers)


# CDN feeds


def feed_path(site: Site, name: str = "listings") -> str:
    """The path of a feed about the project."""
    return f"/projects/{site.project_id[:2]}/{site.project_id}/{name}.json"


@pytest.mark.parametrize("token", [None, PRODUCER, "unknown"])
async def test_listings(site: Site, token: str | None) -> None:
    """With cache headers; a token is ignored, known or not."""
    event = await site.make_event()
    headers = {"content-type": "application/json"}
    answer = await site.get(feed_path(site), token=token, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "public, max-age=30"
    assert [each["id"] for each in answer.json()["events"]] == [event]
    assert answer.json()["project"]["uuid"] == site.project_id
    assert "emulator.test" in answer.json()["project"]["embed"]


async def test_a_feed_is_as_old_as_its_cache_lets_it_be(site: Site) -> None:
    """And who has it already need not be sent it."""
    first = await site.get(feed_path(site))
    await site.make_event()
    site.now += 29
    kept = await site.get(feed_path(site))
    assert (kept.text, kept.headers["age"]) == (first.text, "29")
    again = await site.get(feed_path(site), headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    site.now += 1
    assert len((await site.get(feed_path(site))).json()["events"]) == 1


async def test_history(site: Site) -> None:
    """What is over, by the event."""
    event = await running(site)
    trivia = await site.make_element(event, action="publish")
    await site.write("elements", trivia, action="stop")
    answer = await site.get(f"/events/{event[:2]}/{event}/history.json", token=None)
    assert answer.headers["cache-control"] == "public, max-age=30"
    assert [each["id"] for each in answer.json()["timeline"]] == [trivia]
    assert answer.json()["config"]["id"] == event


async def test_a_feed_has_one_path(site: Site) -> None:
    """The first two characters of the id and the id; another prefix is 404."""
    event = await site.make_event()
    for path in (
        f"/projects/xx/{site.project_id}/listings.json",
        f"/events/x/{event}/history.json",
    ):
        assert (await site.get(path)).status_code == 404


async def test_the_elements_feeds_are_off() -> None:
    """Unless switched on: then all, and those that are published."""
    for choices, status in ((PLENTY, 404), (Choices(bucket=100, elements_feed=True), 200)):
        site = Site(choices)
        event = await running(site)
        waiting = await site.make_element(event)
        open_ = await site.make_element(event, action="publish")
        for name, ids in (("elements", {waiting, open_}), ("published_elements", {open_})):
            answer = await site.get(feed_path(site, name), token=None)
            assert answer.status_code == status
            if status == 200:
                assert {each["id"] for each in answer.json()["elements"]} == ids
