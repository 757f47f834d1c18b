"""Bodies of requests: strict as JSON, tolerant as documents."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from simulator.control_api.bodies import DEPTH_MAX, Written, read, read_within, related, written
from simulator.control_api.documents import Refusal

LIMIT = 1000


async def reading(raw: bytes | list[bytes], content_type: str | None = "application/json") -> Any:
    """Read a body, in one piece or several; an empty last piece means that the client is gone."""
    pieces = raw if isinstance(raw, list) else [raw]
    coming = iter(pieces)

    async def receive() -> dict[str, Any]:
        piece = next(coming)
        if isinstance(raw, list) and not piece:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": piece is not pieces[-1]}

    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    return await read(Request({"type": "http", "headers": headers}, receive), LIMIT)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.api+json",
        "application/json",
        "application/vnd.api+json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/json ; q=1",
        None,
    ],
)
async def test_json_may_be_called_either_way(content_type: str | None) -> None:
    """With a charset or without; and not named at all."""
    assert await reading('{"name": "Zoë"}'.encode(), content_type) == {"name": "Zoë"}


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "json", ""])
async def test_another_media_type_is_refused(content_type: str) -> None:
    with pytest.raises(Refusal, match="a body is application/vnd") as caught:
        await reading(b"{}", content_type)
    assert caught.value.status == 415


async def test_a_body_that_drips_is_refused() -> None:
    """Time runs over all its pieces; what else comes is not read."""

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": True}

    with pytest.raises(Refusal, match=r"a body is there within 0\.01 s") as caught:
        await read_within(Request({"type": "http", "headers": []}, receive), LIMIT, 0.01)
    assert caught.value.status == 408
    assert caught.value.headers == {"connection": "close"}


async def test_a_body_may_come_in_pieces() -> None:
    assert await reading([b'{"a"', b": [1, ", b"2]}"]) == {"a": [1, 2]}


async def test_a_body_has_a_bound() -> None:
    """It is not read beyond, and the connection is given up."""
    assert await reading(b"1".rjust(LIMIT)) == 1
    with pytest.raises(Refusal, match="at most 1000 bytes") as caught:
        await reading(b"1".rjust(LIMIT + 1))
    assert caught.value.status == 413
    assert caught.value.headers == {"connection": "close"}
    with pytest.raises(Refusal, match="at most 1000 bytes"):
        await reading([b" " * 600, b" " * 600, pytest.fail])  # type: ignore[list-item]


async def test_a_client_that_goes_away_is_no_failure() -> None:
    with pytest.raises(Refusal, match="ended early") as caught:
        await reading([b'{"a"', b""])
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"{} {}", "Extra data"),
        (b"\xff", "can't decode"),
        (b'{"a": 1}'.decode().encode("utf-16"), "can't decode"),
        (b'\xef\xbb\xbf{"a": 1}', "BOM"),
        (b'{"a": 1, "a": 2}', "a key twice"),
        (b'[{"b": {"a": 1, "a": 1}}]', "a key twice"),
        (b"NaN", "NaN is no number"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b'{"a": [1e999]}', "a number is out of range"),
        (b"[9007199254740992]", "an integer is out of range"),
        (b"-9007199254740992", "an integer is out of range"),
        (b"1" * 900, "an integer is out of range"),
        (b'["\\ud800"]', "surrogates not allowed"),
        (b'{"a": {"\\udfff": 1}}', "surrogates not allowed"),
        (b"[" * 400 + b"]" * 400, "deeper than 32"),
    ],
)
async def test_what_is_no_json_for_everybody_is_refused(raw: bytes, reason: str) -> None:
    """400, with the reason."""
    with pytest.raises(Refusal, match=f"^the body is not JSON: .*{reason}") as caught:
        await reading(raw)
    assert (caught.value.status, caught.value.pointer) == (400, "")


@pytest.mark.parametrize("raw", [b"[" * 200_000, b'{"a":' * 100_000, b"1" * 5000])
async def test_what_would_break_the_parser_is_refused(raw: bytes) -> None:
    """Depth without end, and numbers that Python refuses to read."""
    request = Request({"type": "http", "headers": []}, None)  # type: ignore[arg-type]
    request._body = raw
    with pytest.raises(Refusal, match=r"^the body is not JSON: ") as caught:
        await read(request, 2**20)
    assert caught.value.status == 400


async def test_the_bounds_can_be_reached() -> None:
    """The deepest nesting, the largest integers, and characters beyond the first plane."""
    deep = b"[" * (DEPTH_MAX - 1) + b"0" + b"]" * (DEPTH_MAX - 1)
    assert await reading(deep) is not None
    with pytest.raises(Refusal):
        await reading(b"[" + deep + b"]")
    largest = [2**53 - 1, 1 - 2**53, 1.7e308]
    assert await reading(json.dumps(largest).encode()) == largest
    assert await reading(b'"\\ud83d\\ude00"') == "\U0001f600"
    assert await reading(b"[true, false, null]") == [True, False, None]


@settings(derandomize=True, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
async def test_json_is_read_as_it_was_written(value: Any) -> None:
    raw = json.dumps(value).encode()
    if len(raw) <= LIMIT:
        assert await reading(raw) == value


# The document


def test_a_resource_is_taken_out() -> None:
    """Whatever the order of its members, and whatever else there is."""
    data: dict[str, Any] = {"attributes": {"name": "x"}, "id": "1", "type": "events", "meta": 1}
    body = {"data": data, "jsonapi": {"version": "1.1"}}
    assert written(body, "events", new=False) == Written({"name": "x"}, {})
    data["relationships"] = {"project": {}}
    del data["id"]
    assert written(body, "events", new=True) == Written({"name": "x"}, {"project": {}})


@pytest.mark.parametrize("new", [True, False])
def test_attributes_may_be_absent(new: bool) -> None:  # noqa: FBT001 - a case
    """And empty."""
    assert written({"data": {"type": "events"}}, "events", new=new) == Written({}, {})
    body = {"data": {"type": "events", "attributes": {}}}
    assert written(body, "events", new=new) == Written({}, {})


@pytest.mark.parametrize("id_", ["1", "", 7, [], None])
def test_an_id_of_an_update_is_ignored(id_: object) -> None:
    """The documentation's own example has another than the URL."""
    body = {"data": {"type": "events", "id": id_}}
    assert written(body, "events", new=False) == Written({}, {})


def test_an_id_of_something_new_is_refused() -> None:
    """JSON:API has 403 for it; null is none."""
    with pytest.raises(Refusal, match="given by the platform") as caught:
        written({"data": {"type": "events", "id": "1"}}, "events", new=True)
    assert (caught.value.status, caught.value.pointer) == (403, "/data/id")
    assert written({"data": {"type": "events", "id": None}}, "events", new=True) == ({}, {})


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        (None, "/data", "is missing: the body is no object"),
        ([], "/data", "is missing: the body is no object"),
        ({}, "/data", "is missing"),
        ({"data": None}, "/data", "must be an object"),
        ({"data": []}, "/data", "must be an object"),
        ({"data": {}}, "/data/type", "must be 'events'"),
        ({"data": {"type": "elements"}}, "/data/type", "must be 'events'"),
        ({"data": {"type": ["events"]}}, "/data/type", "must be 'events'"),
        ({"data": {"type": "events", "attributes": None}}, "/data/attributes", "must be an object"),
        ({"data": {"type": "events", "attributes": []}}, "/data/attributes", "must be an object"),
        (
            {"data": {"type": "events", "relationships": "x"}},
            "/data/relationships",
            "must be an object",
        ),
    ],
)
def test_another_structure_is_refused(body: object, pointer: str, detail: str) -> None:
    """422, with a pointer to what is wrong."""
    with pytest.raises(Refusal) as caught:
        written(body, "events", new=False)
    assert (caught.value.status, caught.value.pointer) == (422, pointer)
    assert caught.value.detail == detail


def test_the_owner_is_taken_out() -> None:
    owner = {"data": {"type": "projects", "id": "7"}, "meta": {}}
    assert related({"project": owner, "other": 1}, "project") == "7"


@pytest.mark.parametrize(
    ("relationships", "pointer", "detail"),
    [
        ({}, "/data/relationships/project", "is missing"),
        ({"project": "7"}, "/data/relationships/project", "must be an object"),
        ({"project": {}}, "/data/relationships/project/data", "is missing"),
        ({"project": {"data": None}}, "/data/relationships/project/data", "must be an object"),
        (
            {"project": {"data": {"id": "7"}}},
            "/data/relationships/project/data/type",
            "must be 'projects'",
        ),
        (
            {"project": {"data": {"id": "7", "type": "project"}}},
            "/data/relationships/project/data/type",
            "must be 'projects'",
        ),
        (
            {"project": {"data": {"type": "projects"}}},
            "/data/relationships/project/data/id",
            "must be a string",
        ),
        (
            {"project": {"data": {"type": "projects", "id": 7}}},
            "/data/relationships/project/data/id",
            "must be a string",
        ),
    ],
)
def test_an_owner_that_is_none_is_refused(
    relationships: dict[str, Any], pointer: str, detail: str
) -> None:
    """422, with a pointer to what is wrong."""
    with pytest.raises(Refusal) as caught:
        related(relationships, "project")
    assert (caught.value.status, caught.value.pointer) == (422, pointer)
    assert caught.value.detail == detail
