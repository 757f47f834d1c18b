"""The hidden poll as the platform is asked for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from poll_counter.control.blueprint import (
    Blueprint,
    attributes,
    concurrency_entry,
    options,
    spec_entry,
)
from poll_counter.elements import (
    CONCURRENCY_FIELD,
    PAGE_FIELD,
    POLL_MARK,
    SAMPLE_RATE_FIELD,
    SPREAD_FIELD,
)
from poll_counter.errors import MisuseError


def text(words: str, locale: str = "all") -> list[dict[str, Any]]:
    """A text field as the platform takes it."""
    return [{"key": "text", "values": {locale: words}}]


def test_the_whole_poll() -> None:
    """Every attribute, of a poll of two options on the second page."""
    assert attributes(
        1, options_per_poll=2, spread_s=4.5, sample_rate=0.25, content_type="hp", duration_s=7200
    ) == {
        "content_type": "hp",
        "label": "Player count, rounds 3 to 4",
        "start_mode": "manual",
        "duration": 7200,
        "question": {
            "label": "Players of rounds 3 to 4",
            "fields": text("Players of rounds 3 to 4"),
            "options": [
                {"label": "Round 3", "fields": text("Round 3")},
                {"label": "Round 4", "fields": text("Round 4")},
            ],
        },
        "max_votes_per_user": 2,
        "max_votes_per_option": 1,
        "min_options_per_vote": 1,
        "max_options_per_vote": 1,
        "reveal_results_mode": "vote",
        "require_verified_user": False,
        "certification": False,
        "include_in_latest_results_feed": False,
        "custom_fields": [
            {"key": POLL_MARK, "values": {"all": 1}},
            {"key": PAGE_FIELD, "values": {"all": 1}},
            {"key": SPREAD_FIELD, "values": {"all": 4.5}},
            {"key": SAMPLE_RATE_FIELD, "values": {"all": 0.25}},
        ],
    }


def test_the_documented_case_is_what_is_made_unasked() -> None:
    """One poll of ten options, all of them voted for, by everybody, within 3 s."""
    poll = attributes()
    assert len(poll["question"]["options"]) == poll["max_votes_per_user"] == 10
    fields = {each["key"]: each["values"]["all"] for each in poll["custom_fields"]}
    assert fields == {POLL_MARK: 1, PAGE_FIELD: 0, SPREAD_FIELD: 3.0, SAMPLE_RATE_FIELD: 1.0}
    assert poll["content_type"] == "hidden-poll"
    assert "duration" not in poll


def test_a_locale_is_of_the_texts_alone() -> None:
    """Clients read the fields whatever their language is."""
    poll = attributes(options_per_poll=1, locale="en")
    assert poll["label"] == "Player count, round 1"
    assert poll["question"]["fields"] == text("Players of round 1", "en")
    assert poll["question"]["options"][0]["fields"] == text("Round 1", "en")
    assert all(set(each["values"]) == {"all"} for each in poll["custom_fields"])


def test_options_go_on_from_a_round() -> None:
    """As for a poll that gets more of them."""
    assert [each["label"] for each in options(9, 2)] == ["Round 9", "Round 10"]


@pytest.mark.parametrize(
    ("rounds", "size", "pages"), [(1, 10, 1), (10, 10, 1), (11, 10, 2), (20, 10, 2), (3, 1, 3)]
)
def test_rounds_come_to_pages(rounds: int, size: int, pages: int) -> None:
    """As many polls as it takes, and no more."""
    assert Blueprint(rounds=rounds, options_per_poll=size).pages == pages


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"rounds": 0}, "rounds is 0; pass a whole number from 1 to 1000"),
        ({"rounds": 1001}, "rounds is 1001"),
        ({"rounds": 2.5}, "rounds is 2.5"),
        ({"rounds": True}, "rounds is True"),
        ({"options_per_poll": 0}, "options_per_poll is 0; pass a whole number from 1 to 100"),
        ({"options_per_poll": 101}, "options_per_poll is 101"),
        ({"spread_s": -0.1}, "spread_s is -0.1; pass seconds from 0 to 120"),
        ({"spread_s": 120.5}, "spread_s is 120.5"),
        ({"spread_s": float("nan")}, "spread_s is nan"),
        ({"sample_rate": 0.0}, "sample_rate is 0.0; pass a share from 1e-09 to 1"),
        ({"sample_rate": 1.5}, "sample_rate is 1.5"),
        ({"duration_s": 0}, "duration_s is 0; pass seconds from 1 on"),
        ({"duration_s": float("inf")}, "duration_s is inf"),
        ({"content_type": ""}, "content_type is empty"),
        ({"locale": ""}, "locale is empty"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], told: str) -> None:
    """With what to pass instead."""
    with pytest.raises(MisuseError, match=told):
        Blueprint(**wrong)


@pytest.mark.parametrize(
    "right",
    [
        {"rounds": 1000, "options_per_poll": 100},
        {"spread_s": 0.0, "sample_rate": 1e-9},
        {"spread_s": 120.0, "sample_rate": 1.0, "duration_s": 1},
    ],
)
def test_what_just_can_be_is_taken(right: dict[str, Any]) -> None:
    """The bounds belong to it."""
    assert Blueprint(**right).pages >= 1


@pytest.mark.parametrize("page", [-1, 1000, 0.5])
def test_a_page_that_cannot_be_is_refused(page: Any) -> None:
    """Pages count from 0."""
    with pytest.raises(MisuseError, match="page is"):
        attributes(page)


def test_the_entry_for_the_elements_spec() -> None:
    """It has the keys that the documentation has, and all that the poll needs."""
    entry = spec_entry(content_type="hp", options_per_poll=20, duration_s=7200)
    assert json.loads(json.dumps(entry)) == entry
    assert (entry["content_type"], entry["derived_from"]) == ("hp", "rpoll")
    assert entry["options_number"] == {"min": 1, "max": 20}
    assert entry["duration"] == {"mode": "fixed", "default": 7200}
    assert entry["certification"] == {"default": False, "visible": False}
    assert [each["key"] for each in (*entry["question"], *entry["option"])] == ["text", "text"]
    (group,) = entry["custom_fields"]
    keys = {each["key"] for each in attributes()["custom_fields"]}
    assert {each["key"] for each in group["properties"]} == keys
    mandatory = {each["key"] for each in group["properties"] if each["mandatory"]}
    assert mandatory == {POLL_MARK, PAGE_FIELD}


def test_the_entry_is_of_ten_options_and_six_hours() -> None:
    """Unless told otherwise."""
    entry = spec_entry()
    assert entry["options_number"]["max"] == 10
    assert entry["duration"]["default"] == 21600
    with pytest.raises(MisuseError, match="options_per_poll is 0"):
        spec_entry(options_per_poll=0)


def test_the_field_for_the_connected_users() -> None:
    """A group of one field, which the producer leaves alone."""
    group = concurrency_entry()
    (field,) = group["properties"]
    assert field["key"] == CONCURRENCY_FIELD
    assert not field["mandatory"]
