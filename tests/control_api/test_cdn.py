"""The CDN's cache: how old a feed may be, and who need not be sent it again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.responses import Response

from simulator.control_api.cdn import Cdn
from simulator.control_api.documents import Refusal

NOW = 1_800_000_000.5
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"


class Feed:
    """A feed that counts how often it is made."""

    def __init__(self, cdn: Cdn) -> None:
        self.cdn = cdn
        self.made = 0
        self.value: Any = "a"

    def make(self) -> dict[str, Any]:
        """Make it."""
        self.made += 1
        return {"value": self.value}

    def get(self, now: float = NOW, path: str = "/feed", **headers: str) -> Response:
        """Ask for it."""
        sent = Headers({name.replace("_", "-"): value for name, value in headers.items()})
        return self.cdn.give(path, self.make, sent, now)


@pytest.fixture
def feed() -> Feed:
    """A feed behind a cache of 30 seconds."""
    return Feed(Cdn(30))


def value(answer: Response) -> Any:
    """What a feed says."""
    return json.loads(bytes(answer.body))["value"]


def test_a_feed_is_json_that_may_be_kept(feed: Feed) -> None:
    """By anybody, for as long as this cache does."""
    answer = feed.get()
    assert (answer.status_code, answer.body) == (200, b'{"value":"a"}')
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=30"
    assert answer.headers["age"] == "0"
    assert answer.headers["last-modified"] == DATE
    assert answer.headers["etag"].strip('"').isalnum()


def test_it_is_the_same_until_it_is_too_old(feed: Feed) -> None:
    """Whatever has changed meanwhile; and it says how old it is."""
    feed.get()
    feed.value = "b"
    answer = feed.get(NOW + 29.9)
    assert (value(answer), answer.headers["age"], feed.made) == ("a", "29", 1)
    answer = feed.get(NOW + 30.0)
    assert (value(answer), answer.headers["age"], feed.made) == ("b", "0", 2)


def test_every_path_has_a_copy_of_its_own(feed: Feed) -> None:
    feed.get()
    feed.value = "b"
    assert value(feed.get(path="/other")) == "b"
    assert value(feed.get()) == "a"


def test_without_an_age_nothing_is_kept() -> None:
    feed = Feed(Cdn(0))
    feed.get()
    feed.value = "b"
    answer = feed.get()
    assert value(answer) == "b"
    assert answer.headers["cache-control"] == "public, max-age=0"


def test_who_has_it_is_told_so(feed: Feed) -> None:
    """304, with the same headers, without a body: by its tag, weak or strong, or by any."""
    fresh = feed.get()
    tag = fresh.headers["etag"]
    for tags in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = feed.get(if_none_match=tags)
        assert (answer.status_code, answer.body) == (304, b"")
        assert "content-type" not in answer.headers
        for name in ("cache-control", "etag", "last-modified"):
            assert answer.headers[name] == fresh.headers[name]
    assert feed.get(if_none_match='"x"').status_code == 200
    assert feed.get(if_none_match=tag.strip('"')).status_code == 200


@pytest.mark.parametrize(
    ("since", "status"),
    [
        (DATE, 304),
        ("Fri, 15 Jan 2027 08:00:01 GMT", 304),
        ("Fri, 15 Jan 2027 07:59:59 GMT", 200),
        ("Fri, 15 Jan 2027 08:00:00 -0000", 304),
        ("yesterday", 200),
        ("", 200),
        ("Fri, 99 Jan 2027 08:00:00 GMT", 200),
    ],
)
def test_who_asks_by_date_is_told_so_too(feed: Feed, since: str, status: int) -> None:
    """A date that is none is no condition."""
    assert feed.get(if_modified_since=since).status_code == status


def test_a_tag_goes_before_a_date(feed: Feed) -> None:
    assert feed.get(if_none_match='"x"', if_modified_since=DATE).status_code == 200


def test_what_is_made_anew_and_is_the_same_has_not_changed(feed: Feed) -> None:
    """Tag and date stay, its age begins anew; once it is another one they change."""
    first = feed.get()
    again = feed.get(NOW + 60)
    assert feed.made == 2
    assert again.headers == first.headers
    feed.value = "b"
    changed = feed.get(NOW + 120)
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.headers["last-modified"] == "Fri, 15 Jan 2027 08:02:00 GMT"
    assert feed.get(NOW + 120, if_none_match=first.headers["etag"]).status_code == 200


def test_what_is_not_there_is_not_kept(feed: Feed) -> None:
    """A feed that is switched on later is there at once."""

    def refuse() -> Any:
        raise Refusal(404, "off")

    with pytest.raises(Refusal):
        feed.cdn.give("/feed", refuse, Headers(), NOW)
    assert feed.get().status_code == 200


def test_a_clock_that_steps_back_makes_nothing_negative(feed: Feed) -> None:
    feed.get()
    assert feed.get(NOW - 5).headers["age"] == "0"
