"""Queries: lists, flags, numbers, what is refused, and pages."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.control_api.documents import Refusal, Resource
from simulator.control_api.queries import Parameter, Query, page_after

PARAMETERS = (
    Parameter("filter[state]", "", "list", ("past", "future")),
    Parameter("filter[listed]", "", "flag"),
    Parameter("sort", "", "choice", ("time", "-time")),
    Parameter("page[count]", "", "number", most=50),
    Parameter("page[cursor]", "", "text"),
)
READERS: dict[str, Callable[[Query], object]] = {
    "filter[state]": lambda query: query.listed("filter[state]"),
    "filter[listed]": lambda query: query.flag("filter[listed]"),
    "sort": lambda query: query.choice("sort"),
    "page[count]": lambda query: query.number("page[count]", 20),
    "page[cursor]": lambda query: query.text("page[cursor]"),
}


def query(*pairs: tuple[str, str]) -> Query:
    """A query of an endpoint that has the parameters above."""
    return Query(pairs, PARAMETERS)


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("filter[state]", "past", ("past",)),
        ("filter[state]", "past,future", ("past", "future")),
        ("filter[state]", " past , future,", ("past", "future")),
        ("filter[state]", "past,past", ("past",)),
        ("filter[state]", "", ()),
        ("filter[listed]", "true", True),
        ("filter[listed]", "false", False),
        ("filter[listed]", "", None),
        ("sort", "-time", "-time"),
        ("sort", "", ""),
        ("page[count]", "1", 1),
        ("page[count]", "50", 50),
        ("page[count]", "007", 7),
        ("page[count]", "", 20),
        ("page[cursor]", "abc", "abc"),
    ],
)
def test_values_are_read(name: str, value: str, read: object) -> None:
    assert READERS[name](query((name, value))) == read


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("filter[state]", None),
        ("filter[listed]", None),
        ("sort", ""),
        ("page[count]", 20),
        ("page[cursor]", ""),
    ],
)
def test_absent_ones_have_a_default(name: str, absent: object) -> None:
    """An empty list is not an absent one."""
    assert READERS[name](query()) == absent


@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [
        ("filter[state]", "past,now", "'now' is none of past, future"),
        ("filter[listed]", "True", "'True' is neither true nor false"),
        ("sort", "name", "'name' is none of time, -time"),
        ("sort", "time,-time", "'time,-time' is none of time, -time"),
        ("page[count]", "0", "'0' is no number from 1 to 50"),
        ("page[count]", "51", "'51' is no number from 1 to 50"),
        ("page[count]", "-1", "'-1' is no number from 1 to 50"),
        ("page[count]", "1.0", "'1.0' is no number from 1 to 50"),
        ("page[count]", "\u0663", "'\u0663' is no number from 1 to 50"),
        ("page[count]", "1" * 5000, "1 is no number from 1 to 50"),
    ],
)
def test_values_that_cannot_be_are_refused(name: str, value: str, detail: str) -> None:
    """400, with the parameter."""
    with pytest.raises(Refusal) as caught:
        READERS[name](query((name, value)))
    assert (caught.value.status, caught.value.parameter) == (400, name)
    assert caught.value.detail.replace("1'", "1").endswith(detail.replace("1'", "1"))


def test_a_list_may_be_given_in_pieces() -> None:
    """Anything else once only."""
    pieces = query(("filter[state]", "past"), ("filter[state]", "future"))
    assert pieces.listed("filter[state]") == ("past", "future")
    with pytest.raises(Refusal, match="more than once") as caught:
        query(("sort", "time"), ("sort", "time")).choice("sort")
    assert (caught.value.status, caught.value.parameter) == (400, "sort")


@pytest.mark.parametrize(
    "name",
    ["include", "fields[events]", "filter", "filter[stat]", "page[size]", "page[count", "page"],
)
def test_what_json_api_reserves_is_refused_where_it_is_not_known(name: str) -> None:
    """A filter that is spelt wrong would else be no filter."""
    with pytest.raises(Refusal, match="no such parameter") as caught:
        query((name, "x"))
    assert (caught.value.status, caught.value.parameter) == (400, name)


@pytest.mark.parametrize("name", ["_", "cacheBuster", "includes", "sorting", "FILTER[state]", ""])
def test_other_parameters_are_let_be(name: str) -> None:
    """They are kept for the links."""
    assert query((name, "x")).pairs == [(name, "x")]


def test_a_required_parameter_may_be_empty_but_not_absent() -> None:
    required = (Parameter("filter[state]", "", "list", ("past",), required=True),)
    assert Query([("filter[state]", "")], required).listed("filter[state]") == ()
    with pytest.raises(Refusal, match="is missing") as caught:
        Query([], required)
    assert (caught.value.status, caught.value.parameter) == (400, "filter[state]")


# Pages


def resources(ids: str) -> list[Resource]:
    """Resources, one for each letter."""
    return [{"id": each, "type": "events"} for each in ids]


def ids(page: list[Resource]) -> str:
    """The letters of a page."""
    return "".join(each["id"] for each in page)


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 12), st.integers(1, 13), st.data())
def test_pages_are_the_whole_once(number: int, count: int, data: Any) -> None:
    """In order, whatever their size, with any filter."""
    everything = "abcdefghijkl"[:number]
    kept = "".join(each for each in everything if data.draw(st.booleans()))
    found, cursor = "", ""
    for _ in range(len(kept) + 1):
        page, cursor = page_after(cursor, resources(kept), everything, count)
        assert len(page) <= count
        assert page or not kept  # a cursor leads somewhere
        found += ids(page)
        if not cursor:
            break
        assert len(page) == count
    assert (found, cursor) == (kept, "")


def test_what_is_added_between_pages_disturbs_nothing() -> None:
    """What comes before the cursor is not shown any more, what comes after is; nothing twice."""
    first, cursor = page_after("", resources("bdf"), "bdf", 2)
    assert ids(first) == "bd"
    second, cursor = page_after(cursor, resources("abcdefg"), "abcdefg", 2)
    assert ids(second) == "ef"
    third, cursor = page_after(cursor, resources("abcdefg"), "abcdefg", 2)
    assert (ids(third), cursor) == ("g", "")


def test_what_leaves_the_filter_between_pages_disturbs_nothing() -> None:
    """Not even the one that the page ended with."""
    _, cursor = page_after("", resources("abcd"), "abcd", 2)
    page, _ = page_after(cursor, resources("acd"), "abcd", 2)
    assert ids(page) == "cd"


@pytest.mark.parametrize(
    "cursor", ["x", "%%%", "\u00e9", "====", urlsafe_b64encode(b"\xff").decode(), "emVicmE="]
)
def test_a_cursor_that_was_never_given_is_refused(cursor: str) -> None:
    """400, with the parameter."""
    with pytest.raises(Refusal, match="not given out") as caught:
        page_after(cursor, resources("abc"), [*"abc"], 2)
    assert (caught.value.status, caught.value.parameter) == (400, "page[cursor]")


def test_a_cursor_is_opaque() -> None:
    """And has nothing that a URL would have to encode but for the filling."""
    _, cursor = page_after("", resources("abc"), "abc", 1)
    assert cursor != "a"
    assert cursor.strip("=").isalnum()
