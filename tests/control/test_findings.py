"""What would spoil the count: a clean poll is spoiled in every way, and exactly that is found."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from poll_counter.control.blueprint import attributes, spec_entry
from poll_counter.control.checks import Finding, findings
from poll_counter.control.resources import Element, ElementSpec, Event
from poll_counter.elements import PAGE_FIELD, POLL_MARK, SAMPLE_RATE_FIELD, SPREAD_FIELD
from poll_counter.errors import MisuseError

SPEC = ({"name": "Trivia", "content_type": "quiz", "derived_from": "trivia"}, spec_entry())
TRIVIA = {"content_type": "quiz", "state": "non_scheduled"}


def poll(page: int = 0, **changes: Any) -> dict[str, Any]:
    """A clean hidden poll, not published; `options=` makes it of another length."""
    size = changes.pop("options", 10)
    made = attributes(page, options_per_poll=size, duration_s=3600)
    return {**made, "state": "non_scheduled", **changes}


def fields(attributes_: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """An element with custom fields changed; None takes one away."""
    held = {each["key"]: each["values"]["all"] for each in attributes_["custom_fields"]}
    held |= changes
    told = [{"key": k, "values": {"all": v}} for k, v in held.items() if v is not None]
    return {**attributes_, "custom_fields": told}


def judge(
    *elements: Mapping[str, Any],
    state: str = "future",
    duration: int | None = 3600,
    spec: Sequence[Mapping[str, Any]] | None = SPEC,
    **options: Any,
) -> list[Finding]:
    """Judge an event with these elements, named e1, e2 and so on."""
    event = Event.of({"id": "friday", "attributes": {"state": state, "duration": duration}})
    held = [
        Element.of({"id": f"e{number}", "attributes": dict(each)})
        for number, each in enumerate(elements, start=1)
    ]
    entries = None if spec is None else [ElementSpec.read(each) for each in spec]
    return findings(held, event, entries, **options)


def codes(found: Sequence[Finding]) -> list[tuple[str, str, str | None]]:
    """What was found, in short."""
    return [(one.code, one.severity, one.element_id) for one in found]


@pytest.mark.parametrize("state", ["future", "current"])
def test_a_clean_poll_is_clean(state: str) -> None:
    """Published or not, with trivia or without."""
    published = poll(state="current" if state == "current" else "non_scheduled")
    assert judge(published, state=state) == []
    assert judge(published, *[TRIVIA] * 10, state=state, rounds=10) == []


def test_a_mark_may_be_a_switch() -> None:
    """Studio has boxes to tick: true is as good as 1."""
    assert (
        judge(fields(poll(content_type="hp"), **{POLL_MARK: True}), spec=entry(content_type="hp"))
        == []
    )


def test_chained_pages_are_clean() -> None:
    """As many as the rounds need."""
    assert judge(poll(0), poll(1), poll(2), rounds=30) == []


Case = tuple[dict[str, Any], str, str, str, dict[str, Any]]
"""A poll; code, severity and attribute of what is found; what mends it."""


def field(key: str, value: float) -> dict[str, Any]:
    """The attributes that set a custom field."""
    return {"custom_fields": [{"key": key, "values": {"all": value}}]}


SPOILED: list[Case] = [
    (
        poll(max_votes_per_user=1),
        "votes-per-user",
        "error",
        "max_votes_per_user",
        {"max_votes_per_user": 10},
    ),
    (
        poll(max_votes_per_user="9"),
        "votes-per-user",
        "error",
        "max_votes_per_user",
        {"max_votes_per_user": 10},
    ),
    (
        poll(max_votes_per_option=0),
        "votes-per-option",
        "error",
        "max_votes_per_option",
        {"max_votes_per_option": 1},
    ),
    (
        poll(max_votes_per_option=2),
        "votes-per-option",
        "warning",
        "max_votes_per_option",
        {"max_votes_per_option": 1},
    ),
    (
        poll(min_options_per_vote=2),
        "options-per-vote",
        "error",
        "min_options_per_vote",
        {"min_options_per_vote": 1},
    ),
    (
        poll(max_options_per_vote=0),
        "options-per-vote",
        "error",
        "max_options_per_vote",
        {"max_options_per_vote": 1},
    ),
    (
        poll(require_verified_user=True),
        "verified-only",
        "error",
        "require_verified_user",
        {"require_verified_user": False},
    ),
    (
        poll(certification=True),
        "certification",
        "warning",
        "certification",
        {"certification": False},
    ),
    *(
        (
            poll(reveal_results_mode=mode),
            "reveal-results",
            "error",
            "reveal_results_mode",
            {"reveal_results_mode": "vote"},
        )
        for mode in ("close", "event_end", "never", "manual")
    ),
    (poll(duration=3599), "duration", "error", "duration", {"duration": 3600}),
    (
        poll(duration=60, duration_mode="fixed"),
        "duration",
        "error",
        "duration",
        {"duration": 3600},
    ),
    (
        poll(include_in_latest_results_feed=True),
        "latest-results",
        "warning",
        "include_in_latest_results_feed",
        {"include_in_latest_results_feed": False},
    ),
    (
        poll(start_mode="timecode", offset=60, state="future"),
        "timecode",
        "warning",
        "start_mode",
        {"start_mode": "manual", "offset": 0},
    ),
    *(
        (
            fields(poll(), **{POLL_MARK: mark}),
            "mark-missing",
            "error",
            POLL_MARK,
            field(POLL_MARK, 1),
        )
        for mark in (None, 0, "yes", False)
    ),
    (
        fields(poll(), **{PAGE_FIELD: None}),
        "page-unnamed",
        "warning",
        PAGE_FIELD,
        field(PAGE_FIELD, 0),
    ),
    *(
        (
            fields(poll(), **{PAGE_FIELD: page}),
            "page-not-whole",
            "warning",
            PAGE_FIELD,
            field(PAGE_FIELD, 0),
        )
        for page in (-1, 0.5, "first", True)
    ),
    *(
        (
            fields(poll(), **{key: value}),
            "number-in-string",
            "warning",
            key,
            field(key, mended),
        )
        for key, value, mended in (
            (POLL_MARK, "1", 1),
            (PAGE_FIELD, "0", 0),
            (SPREAD_FIELD, " 4.5", 4.5),
            (SAMPLE_RATE_FIELD, "0.5", 0.5),
        )
    ),
    *(
        (
            fields(poll(), **{SAMPLE_RATE_FIELD: rate}),
            "sample-rate",
            "error",
            SAMPLE_RATE_FIELD,
            field(SAMPLE_RATE_FIELD, 1),
        )
        for rate in ("ten", 0, 1.01, -1, True)
    ),
    *(
        (
            fields(poll(), **{SPREAD_FIELD: spread}),
            "spread",
            "warning",
            SPREAD_FIELD,
            field(SPREAD_FIELD, mended),
        )
        for spread, mended in ((-1, 0), (121, 120), ("long", 3), (True, 3))
    ),
]


@pytest.mark.parametrize("case", SPOILED, ids=lambda case: f"{case[1]}-{case[3]}")
def test_a_spoiled_poll(case: Case) -> None:
    """Exactly that is found, and how it is mended by an update."""
    spoiled, code, severity, attribute, repair = case
    (found,) = judge(spoiled)
    assert (found.code, found.severity, found.element_id) == (code, severity, "e1")
    assert (found.attribute, found.repair) == (attribute, repair)
    assert found.fixable
    assert not found.replaceable
    assert found.reason.endswith(".")
    assert found.mend.startswith("Give it ")


@pytest.mark.parametrize("case", SPOILED, ids=lambda case: f"{case[1]}-{case[3]}")
def test_what_mends_a_spoiled_poll_leaves_a_clean_one(case: Case) -> None:
    """With the repair done as the platform does it, nothing is found any more."""
    spoiled, _, _, _, repair = case
    mended = {**spoiled, **repair}
    held = {each["key"]: each for each in spoiled["custom_fields"]}
    held |= {each["key"]: each for each in repair.get("custom_fields", ())}
    assert judge({**mended, "custom_fields": [*held.values()]}) == []


PUBLISHED = [case for case in SPOILED if case[1] != "timecode"]


@pytest.mark.parametrize("case", PUBLISHED, ids=lambda case: f"{case[1]}-{case[3]}")
@pytest.mark.parametrize("state", ["current", "something new"])
def test_a_spoiled_poll_that_is_published(case: Case, state: str) -> None:
    """Only a replacement mends it, and loses votes, which is said."""
    (found,) = judge({**case[0], "state": state}, state="current")
    assert found.code == case[1]
    assert (found.fixable, found.replaceable) == (False, True)
    assert "votes so far are lost" in found.mend


def test_what_was_published_by_the_clock_is_published() -> None:
    """When it was due does not matter any more."""
    assert judge(poll(start_mode="timecode", state="current"), state="current") == []


@pytest.mark.parametrize(
    "harmless",
    [
        {"max_votes_per_user": 11},
        {"min_options_per_vote": 0},
        {"max_options_per_vote": 10},
        {"duration": 3601},
        {"duration": None},
        {"duration": 60, "duration_mode": "flexible"},
        {"label": "Nobody sees this", "start_mode": "manual"},
        {
            "max_votes_per_user": None,
            "max_votes_per_option": None,
            "min_options_per_vote": None,
            "max_options_per_vote": None,
            "reveal_results_mode": None,
            "require_verified_user": None,
            "certification": None,
        },
    ],
    ids=str,
)
def test_what_does_no_harm_is_let_be(harmless: dict[str, Any]) -> None:
    """More than is needed, open for as long as is needed, or not told."""
    assert judge(poll(**harmless)) == []


def test_an_event_without_a_duration_has_no_short_polls() -> None:
    """Nothing can be said of it."""
    assert judge(poll(duration=1), duration=None) == []


@pytest.mark.parametrize("rate", [None, 0.25, 1e-9])
@pytest.mark.parametrize("spread", [None, 0, 120])
def test_fields_may_be_left_out_or_at_their_bounds(
    rate: float | None, spread: float | None
) -> None:
    """The library has defaults."""
    assert judge(fields(poll(), **{SAMPLE_RATE_FIELD: rate, SPREAD_FIELD: spread})) == []


# Whether there is a poll


@pytest.mark.parametrize(
    ("rounds", "command"),
    [(None, "friday"), (10, "friday"), (12, "friday --rounds 12")],
)
def test_no_poll(rounds: int | None, command: str) -> None:
    """It is made by a command, which is told."""
    (found,) = judge(TRIVIA, rounds=rounds or 10)
    assert codes([found]) == [("no-poll", "error", None)]
    (found,) = judge(TRIVIA, rounds=rounds)
    assert found.mend.startswith("Make it: poll-counter poll create friday")
    if rounds is not None:
        assert found.mend == f"Make it: poll-counter poll create {command}"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("past", "poll-closed"),
        ("on_demand", "poll-closed"),
        ("revoked", "poll-revoked"),
        ("cancelled", "poll-cancelled"),
    ],
)
def test_a_poll_that_is_over(state: str, code: str) -> None:
    """It takes no more votes, whatever else is wrong with it."""
    spoiled = poll(state=state, max_votes_per_user=1)
    (found,) = judge(spoiled, state="current")
    assert codes([found]) == [(code, "error", "e1")]
    assert found.mend == "Make another one: poll-counter poll create friday --publish"


def test_a_poll_that_was_replaced_is_forgotten() -> None:
    """Its successor counts."""
    for state in ("revoked", "past"):
        assert judge(poll(state=state), poll(state="current"), state="current") == []


def test_a_poll_whose_rounds_are_through_may_be_closed() -> None:
    """Round 11 is counted by the next one; before that it may not."""
    done, to_come = {**TRIVIA, "state": "past"}, TRIVIA
    polls = poll(0, state="past"), poll(1, state="current")
    assert judge(*polls, *[done] * 10, *[to_come] * 10, state="current") == []
    found = judge(*polls, *[done] * 9, *[to_come] * 11, state="current")
    assert codes(found) == [("poll-closed", "error", "e1")]


def test_a_poll_that_nobody_needs_may_be_revoked() -> None:
    """Page 1 of a show of ten rounds; of one of eleven it is missed."""
    polls = poll(0), poll(1, state="revoked")
    assert judge(*polls, rounds=10) == []
    assert judge(*polls) == []
    assert codes(judge(*polls, rounds=11)) == [("poll-revoked", "error", "e2")]


def test_an_event_that_is_over() -> None:
    """What its polls are like does not matter any more."""
    for state in ("past", "on_demand"):
        found = judge(poll(max_votes_per_user=1, state=state), state=state)
        assert codes(found) == [("event-over", "warning", None)]


def test_a_poll_that_should_be_published() -> None:
    """The event is on; pages that come later may wait."""
    (found,) = judge(poll(0), poll(1), state="current", rounds=20)
    assert codes([found]) == [("not-published", "warning", "e1")]
    assert found.mend.endswith("poll-counter poll create friday --publish")
    assert not found.fixable
    done = {**TRIVIA, "state": "past"}
    found_later = judge(poll(0, state="current"), poll(1), *[done] * 10, state="current", rounds=20)
    assert codes(found_later) == [("not-published", "warning", "e2")]
    assert "--rounds 20 --publish" in found_later[0].mend


# Pages and rounds


def test_too_few_options() -> None:
    """One poll that can get more: its options and their texts stay."""
    (found,) = judge(poll(options=4), rounds=10)
    assert codes([found]) == [("too-few-options", "error", "e1")]
    options = found.repair["question"]["options"]
    assert [each["label"] for each in options] == [f"Round {n}" for n in range(1, 11)]
    assert options[:4] == poll(options=4)["question"]["options"]
    assert found.repair["question"]["label"] == "Players of rounds 1 to 4"
    assert found.repair["max_votes_per_user"] == 10
    assert judge({**poll(options=4), **found.repair}, rounds=10) == []


def test_too_few_options_of_a_published_poll() -> None:
    """It is replaced, or more polls are chained, which loses no vote."""
    (found,) = judge(poll(options=4, state="current"), state="current", rounds=10)
    assert (found.code, found.fixable, found.replaceable) == ("too-few-options", False, True)
    assert found.mend.endswith(
        "Or lose none. Add polls: poll-counter poll create friday --options 4 --publish"
    )


def test_rounds_are_the_trivia_that_the_event_has() -> None:
    """Unless told; those that were pulled back are none of them."""
    revoked = {**TRIVIA, "state": "revoked"}
    plain = {"content_type": "trivia", "state": "current"}
    eleven = (*[TRIVIA] * 10, plain)
    (found,) = judge(poll(), *eleven)
    assert codes([found]) == [("too-few-options", "error", None)]
    assert found.mend == ("Add polls: poll-counter poll create friday --rounds 11")
    assert judge(poll(), *eleven, rounds=10) == []
    assert judge(poll(), *[TRIVIA] * 10, revoked) == []


def test_too_few_pages() -> None:
    """What is missing is made like what is there."""
    first = fields(
        poll(0, options=5, content_type="hp"), **{SPREAD_FIELD: 4.5, SAMPLE_RATE_FIELD: 0.5}
    )
    spec = ({**spec_entry(), "content_type": "hp"},)
    (found,) = judge(first, poll(1, options=5, content_type="hp"), rounds=15, spec=spec)
    assert codes([found]) == [("too-few-options", "error", None)]
    assert found.mend == (
        "Add polls: poll-counter poll create friday --rounds 15 --options 5 --spread 4.5 "
        "--sample-rate 0.5 --content-type hp"
    )


def test_chained_polls_do_not_get_longer() -> None:
    """Those that are there may be in use: more of them are made."""
    (found,) = judge(poll(0, options=2), poll(1, options=2), rounds=10)
    assert (found.code, found.fixable, found.element_id) == ("too-few-options", False, None)
    assert found.mend == "Add polls: poll-counter poll create friday --options 2"


def test_few_options_for_a_number_of_rounds_that_nobody_knows() -> None:
    """It may be too few; ten are what the documentation has."""
    (found,) = judge(poll(options=9))
    assert codes([found]) == [("few-options", "warning", None)]
    assert judge(poll(options=5), poll(1, options=5)) == []


@pytest.mark.parametrize("rounds", [5, 25])
def test_a_poll_without_options(rounds: int) -> None:
    """It gets as many as one poll has."""
    question = {"label": "Players"}
    (found,) = judge(poll(question=question), rounds=rounds)
    assert codes([found]) == [("too-few-options", "error", "e1")]
    assert len(found.repair["question"]["options"]) == min(rounds, 10)
    (published,) = judge(poll(question=None, state="current"), rounds=rounds)
    assert "poll create" not in published.mend


def test_a_page_that_is_missing() -> None:
    """Between two others, or the first."""
    (found,) = judge(poll(0), poll(2), rounds=30)
    assert codes([found]) == [("page-missing", "error", None)]
    assert "rounds 11 to 20" in found.reason
    assert found.mend == "Make it: poll-counter poll create friday --rounds 30"
    (first,) = judge(poll(1), rounds=20)
    assert "rounds 1 to 10" in first.reason


def test_pages_of_different_lengths() -> None:
    """The first page's length is the length of all."""
    (fewer,) = judge(poll(0), poll(1, options=4), rounds=20)
    assert codes([fewer]) == [("pages-differ", "error", "e2")]
    labels = [each["label"] for each in fewer.repair["question"]["options"]]
    assert labels[-2:] == ["Round 19", "Round 20"]
    assert judge(poll(0), {**poll(1), **fewer.repair}, rounds=20) == []
    (more,) = judge(poll(0, options=5), poll(1, options=6), rounds=10)
    assert codes([more]) == [("pages-differ", "warning", "e2")]
    assert len(more.repair["question"]["options"]) == 5
    (published,) = judge(poll(0), poll(1, options=4, state="current"), rounds=20)
    assert (published.fixable, published.replaceable) == (False, True)


def test_two_polls_of_one_page() -> None:
    """The one published last counts, before any that was not published."""
    (found,) = judge(poll(state="current"), poll(state="current"), state="current")
    assert codes([found]) == [("page-duplicate", "error", "e1")]
    assert "e2" in found.reason
    (found,) = judge(poll(state="current"), poll(), state="current")
    assert codes([found]) == [("page-duplicate", "error", "e2")]
    assert not found.fixable


def test_pages_that_nobody_named() -> None:
    """With several polls it is an error; each gets a page of its own."""
    unnamed = fields(poll(), **{PAGE_FIELD: None})
    found = judge(unnamed, poll(0), unnamed, rounds=30)
    assert codes(found) == [("page-unnamed", "error", "e1"), ("page-unnamed", "error", "e3")]
    assert [one.repair for one in found] == [field(PAGE_FIELD, 1), field(PAGE_FIELD, 2)]


def test_several_things_at_once() -> None:
    """All of them are found, the errors first."""
    found = judge(poll(certification=True, max_votes_per_user=1, reveal_results_mode="never"))
    assert codes(found) == [
        ("votes-per-user", "error", "e1"),
        ("reveal-results", "error", "e1"),
        ("certification", "warning", "e1"),
    ]


# Polls by id


def test_polls_by_id_need_neither_mark_nor_page() -> None:
    """The app is configured with them, in page order."""
    plain = {**poll(content_type="rpoll-custom"), "custom_fields": []}
    spec = ({**spec_entry(), "content_type": "rpoll-custom"},)
    polls = plain, plain, poll(5)
    assert judge(*polls, poll_ids=("e2", "e1"), rounds=20, spec=spec) == []
    (found,) = judge(*polls, poll_ids=("e2", "e1"), rounds=21, spec=spec)
    assert found.code == "too-few-options"


def test_a_poll_id_that_is_not_there() -> None:
    """It is of another event, or was deleted."""
    assert codes(judge(poll(), poll_ids=("e1", "e9"))) == [("poll-unknown", "error", "e9")]
    assert codes(judge(poll(), poll_ids=("e9",))) == [("poll-unknown", "error", "e9")]


def test_a_number_of_rounds_that_cannot_be() -> None:
    """It is refused."""
    with pytest.raises(MisuseError, match="rounds is 0"):
        judge(poll(), rounds=0)


# The elements spec


def entry(**changes: Any) -> tuple[Mapping[str, Any], ...]:
    """The spec with another entry for the hidden poll; None takes a key away."""
    changed = {**copy.deepcopy(spec_entry()), **changes}
    return (SPEC[0], {key: value for key, value in changed.items() if value is not None})


def without(*keys: str) -> list[dict[str, Any]]:
    """The custom fields of the entry but for some."""
    (group,) = spec_entry()["custom_fields"]
    return [{**group, "properties": [p for p in group["properties"] if p["key"] not in keys]}]


@pytest.mark.parametrize(
    ("spec", "code", "severity", "told"),
    [
        (None, "spec-unread", "warning", "could not be read"),
        ((), "content-type-unknown", "error", "'hidden-poll'"),
        (SPEC[:1], "content-type-unknown", "error", "'hidden-poll'"),
        (entry(derived_from="trivia"), "content-type-no-poll", "error", "'trivia'"),
        (entry(derived_from="data"), "content-type-no-poll", "error", "'data'"),
        (entry(options_number={"min": 3, "max": 9}), "options-number", "error", "9 options"),
        (entry(custom_fields=None), "fields-absent", "error", POLL_MARK),
        (entry(custom_fields=without(POLL_MARK)), "fields-absent", "error", POLL_MARK),
        (entry(custom_fields=without(PAGE_FIELD)), "fields-absent", "error", PAGE_FIELD),
        (
            entry(custom_fields=without(SPREAD_FIELD, SAMPLE_RATE_FIELD)),
            "fields-absent",
            "warning",
            f"{SPREAD_FIELD}, {SAMPLE_RATE_FIELD}",
        ),
    ],
)
def test_a_spoiled_spec(
    spec: Sequence[Mapping[str, Any]] | None, code: str, severity: str, told: str
) -> None:
    """Exactly that is found, and it is not the poll's."""
    (found,) = judge(poll(), spec=spec, rounds=10)
    assert codes([found]) == [(code, severity, None)]
    assert told in found.reason
    assert not found.fixable


@pytest.mark.parametrize(
    "spec",
    [
        entry(derived_from=None),
        entry(derived_from="poll"),
        entry(options_number=None),
        entry(options_number={"min": 1}),
        entry(options_number={"min": 1, "max": 10}),
    ],
)
def test_a_spec_that_will_do(spec: Sequence[Mapping[str, Any]]) -> None:
    """What may be absent, and both names of a poll."""
    assert judge(poll(), spec=spec) == []


def test_the_spec_is_checked_before_there_is_a_poll() -> None:
    """For the type and the options that it would have."""
    spec = entry(options_number={"min": 1, "max": 4})
    assert [one.code for one in judge(spec=spec)] == ["options-number", "no-poll"]
    assert [one.code for one in judge(spec=spec, rounds=4)] == ["no-poll"]
    unknown = judge(content_type="other")
    assert [one.code for one in unknown] == ["content-type-unknown", "no-poll"]


def test_every_type_that_is_used_is_checked() -> None:
    """The longest poll of each counts."""
    spec = (*SPEC, {**spec_entry(), "content_type": "hp", "options_number": {"max": 3}})
    polls = poll(0, options=5), poll(1, options=5, content_type="hp")
    (found,) = judge(*polls, spec=spec, rounds=10)
    assert found.code == "options-number"
    assert "raise" in found.mend.lower()
    assert "to 5" in found.mend
    longer_first = poll(0, options=5), poll(1, options=3)
    found_first = judge(*longer_first, spec=entry(options_number={"max": 4}), rounds=10)
    assert [one.code for one in found_first] == ["options-number", "pages-differ"]


def test_a_finding_for_json() -> None:
    """All but the repair."""
    (found,) = judge(poll(certification=True))
    assert found.as_dict() == {
        "code": "certification",
        "severity": "warning",
        "element_id": "e1",
        "attribute": "certification",
        "reason": found.reason,
        "mend": "Give it certification = false.",
        "fixable": True,
        "replaceable": False,
    }
    assert hash(found)
