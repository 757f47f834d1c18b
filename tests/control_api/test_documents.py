"""Documents: links, what is included, errors, and the JSON itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.control_api.documents import (
    Refusal,
    base_of,
    collection,
    json_response,
    linked,
    single,
    url,
)

BASE = "http://emulator.test"
EVENT = {"id": "e1", "type": "events", "attributes": {}, "relationships": {"elements": {}}}
STATS = {"id": "e1", "type": "stats", "attributes": {}}
PROJECT = {"id": "p1", "type": "projects", "attributes": {}, "relationships": {}}


def scope(*hosts: bytes, scheme: str = "http", server: Any = ("127.0.0.1", 8080)) -> dict[str, Any]:
    """A request's scope."""
    headers = [(b"host", host) for host in hosts]
    return {"scheme": scheme, "server": server, "headers": headers}


@pytest.mark.parametrize(
    "host", ["emulator.test", "127.0.0.1:8080", "[::1]:8080", "[::1]", "my-host_1:1"]
)
def test_links_have_the_address_that_the_client_used(host: str) -> None:
    assert base_of(scope(host.encode())) == f"http://{host}"
    assert base_of(scope(host.encode(), scheme="https")) == f"https://{host}"


@pytest.mark.parametrize(
    "hosts",
    [[], [b""], [b"a", b"b"], [b"user@a"], [b"a/b"], [b"a b"], [b'a"<'], [b"\xff"], [b"a:b"]],
)
def test_an_address_that_cannot_be_is_replaced_by_the_server_s(hosts: list[bytes]) -> None:
    """So that nobody puts anything into the links."""
    assert base_of(scope(*hosts)) == "http://127.0.0.1:8080"
    assert base_of(scope(*hosts, server=("::1", 80))) == "http://[::1]:80"


def test_a_link_is_encoded() -> None:
    """Path and query, brackets and commas too."""
    query = [("filter[state]", "past,future"), ("a", "&é")]
    assert url(BASE, "/a b/é", query) == (
        f"{BASE}/a%20b/%C3%A9?filter%5Bstate%5D=past%2Cfuture&a=%26%C3%A9"
    )
    assert url(BASE, "/a") == f"{BASE}/a"


def test_a_resource_links_to_itself() -> None:
    """An event to its elements as well; stats have no address."""
    event = linked(EVENT, BASE)
    assert event["links"] == {"self": f"{BASE}/api/v2/events/e1"}
    related = {"links": {"related": f"{BASE}/api/v2/events/e1/elements"}}
    assert event["relationships"] == {"elements": related}
    assert linked(PROJECT, BASE)["links"] == {"self": f"{BASE}/api/v2/projects/p1"}
    assert linked(STATS, BASE) == STATS
    assert EVENT["relationships"] == {"elements": {}}  # as it was


def test_a_document_of_one() -> None:
    """`included` is there when it was asked for, if only empty."""
    assert single(PROJECT, BASE, "here") == {
        "data": linked(PROJECT, BASE),
        "links": {"self": "here"},
    }
    assert single(PROJECT, BASE, "here", [])["included"] == []
    assert single(EVENT, BASE, "here", [STATS])["included"] == [STATS]


def test_a_document_of_many() -> None:
    """What several include stands in it once, in order."""
    document = collection([EVENT, EVENT], BASE, {"self": "here"}, [PROJECT, STATS, PROJECT])
    assert document["data"] == [linked(EVENT, BASE)] * 2
    assert document["links"] == {"self": "here"}
    assert document["included"] == [linked(PROJECT, BASE), STATS]
    assert "included" not in collection([], BASE, {})


def test_a_refusal_is_an_errors_document() -> None:
    """With what it is about: a place in the body, a parameter, or nothing that could be named."""
    refusals = [
        Refusal(422, "must be so", pointer="/data/id"),
        Refusal(400, "must be so", parameter="sort"),
        Refusal(404, "must be so"),
    ]
    answers = [refusal.response() for refusal in refusals]
    assert [answer.status_code for answer in answers] == [422, 400, 404]
    errors = [json.loads(bytes(answer.body))["errors"] for answer in answers]
    assert errors == [
        [{"status": "422", "detail": "must be so", "source": {"pointer": "/data/id"}}],
        [{"status": "400", "detail": "must be so", "source": {"parameter": "sort"}}],
        [{"status": "404", "detail": "must be so"}],
    ]
    assert str(refusals[0]) == "must be so"


def test_an_answer_is_json() -> None:
    """UTF-8, without a charset parameter, which JSON:API forbids; with headers if there are."""
    answer = json_response({"a": "é"}, 201, headers={"location": "x"})
    assert answer.body == '{"a":"é"}'.encode()
    assert answer.headers["content-type"] == "application/vnd.api+json"
    assert (answer.status_code, answer.headers["location"]) == (201, "x")
    assert json_response([], media_type="application/json").headers["content-type"] == (
        "application/json"
    )
    with pytest.raises(ValueError, match="Out of range float"):
        json_response(float("nan"))
