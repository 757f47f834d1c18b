"""The producer's side of the platform: what is made, changed, published and read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from poll_counter.facts import (
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
    EventUpdated,
    Fact,
    ResultsTold,
)
from simulator.choices import Choices
from simulator.content import Content, ContentError, UnknownIdError
from simulator.emulator import Delivery, Emulator

T0 = 1_800_000_000.0
"""When the tests begin: 2027-01-15T08:00:00Z."""


def field(key: str, value: Any, locale: str = "all") -> dict[str, Any]:
    """Make a field as it travels."""
    return {"key": key, "values": {locale: value}}


def question(words: str, *options: str) -> dict[str, Any]:
    """Make a question as it travels."""
    made = [{"fields": [field("text", option, "en")]} for option in options]
    return {"fields": [field("text", words, "en")], "options": made}


POLL: Mapping[str, Any] = {
    "content_type": "rpoll-custom",
    "start_mode": "manual",
    "question": question("Cat or dog?", "Cat", "Dog"),
    "custom_fields": [field("hint", 1)],
    "max_votes_per_user": 2,
}
TRIVIA: Mapping[str, Any] = {
    "content_type": "trivia",
    "question": question("1 + 1?", "1", "2"),
    "correct_option": 2,
    "reveal_results_mode": "close",
}


class Studio:
    """A producer with a project, whose ids count from 1."""

    def __init__(self, *, results_interval_s: float | None = None, **choices: Any) -> None:
        numbers = itertools.count(1)
        self.emulator = Emulator(results_interval_s=results_interval_s)
        self.content = Content(
            self.emulator, Choices(**choices), new_id=lambda: f"id-{next(numbers)}"
        )
        self.project = self.content.add_project("Quiz night")

    def event(self, now: float = T0, **attributes: Any) -> str:
        """Make an event."""
        return self.content.create_event(self.project, {"name": "Show", **attributes}, now)[0]

    def active(self, now: float = T0, **attributes: Any) -> str:
        """Make an event, and start it."""
        event = self.event(now, **attributes)
        self.content.update_event(event, {"action": "start"}, now)
        return event

    def element(self, event: str, now: float = T0, **attributes: Any) -> str:
        """Make a poll."""
        return self.content.create_element(event, {**POLL, **attributes}, now)[0]

    def act(self, element: str, action: str, now: float = T0, **attributes: Any) -> list[Fact]:
        """Act on an element; returns what clients are told."""
        given = {**attributes, "action": action}
        return told(self.content.update_element(element, given, now))

    def of(self, thing: str, name: str, now: float = T0) -> Any:
        """An attribute of an event or an element, as it is read."""
        try:
            read = self.content.event(thing, now)
        except UnknownIdError:
            read = self.content.element(thing, now)
        return read["attributes"][name]

    def vote(self, event: str, element: str, user: str, *options: int) -> None:
        """Let a user connect and vote."""
        number = len(self.emulator.event(event).users)
        self.emulator.connect(number, event, user, T0)
        self.emulator.answer(number, element, list(options), "", T0)


def told(deliveries: list[Delivery]) -> list[Fact]:
    """What everybody is told."""
    assert {delivery.connection for delivery in deliveries} <= {None}
    return [delivery.fact for delivery in deliveries]


@pytest.fixture
def studio() -> Studio:
    """A producer with a project."""
    return Studio()


def refused(call: Any, *args: Any) -> tuple[str, str]:
    """Call what is to be refused; returns pointer and detail."""
    with pytest.raises(ContentError) as caught:
        call(*args)
    return caught.value.pointer.removeprefix("/data/attributes/"), caught.value.detail


# What is there


def test_what_is_not_there_is_not_found(studio: Studio) -> None:
    """Every way to ask for it says so."""
    content = studio.content
    for ask in (
        lambda: content.events("x", T0),
        lambda: content.create_event("x", {}, T0),
        lambda: content.update_event("x", {}, T0),
        lambda: content.event_stats("x", T0),
        lambda: content.elements("x", T0),
        lambda: content.create_element("x", POLL, T0),
        lambda: content.update_element("x", {}, T0),
        lambda: content.element("x", T0),
        lambda: content.element_stats("x", T0),
        lambda: content.delete_element("x", T0),
    ):
        with pytest.raises(UnknownIdError, match="'x'"):
            ask()


# Events


def test_a_new_event_is_in_the_future_with_the_defaults(studio: Studio) -> None:
    """A name is all that it needs."""
    event = studio.content.event(studio.event(), T0)
    assert event["attributes"] == {
        "name": "Show",
        "duration": 3600,
        "original_duration": 3600,
        "start_mode": "manual",
        "repeat": False,
        "repeat_in": None,
        "live_stats_uuid": None,
        "on_demand_duration": None,
        "extra_time_duration": None,
        "start_at": None,
        "start_at_iso": None,
        "end_at": None,
        "end_at_iso": None,
        "end_mode": "duration",
        "settings": [],
        "state": "future",
        "actions": ["start", "stop"],
    }
    assert event["relationships"] == {
        "elements": {},
        "stats": {"data": {"id": event["id"], "type": "stats"}},
        "project": {"data": {"id": studio.project, "type": "projects"}},
    }


def test_an_event_needs_a_name(studio: Studio) -> None:
    """Nothing is made of one without."""
    create = studio.content.create_event
    assert refused(create, studio.project, {}, T0) == ("name", "can't be blank")
    assert refused(create, studio.project, {"name": ""}, T0) == ("name", "can't be blank")
    assert refused(create, studio.project, {"name": "S", "duration": 0}, T0)[0] == "duration"
    assert studio.content.events(studio.project, T0) == []


@pytest.mark.parametrize("start_at", [0, None])
def test_a_manual_event_waits_for_its_start(studio: Studio, start_at: int | None) -> None:
    """Its `start_at` may be 0 or null (contract section 18.6)."""
    event = studio.event(start_at=start_at, start_mode="manual", end_mode="duration", settings=[])
    assert studio.of(event, "start_at") is None
    assert studio.emulator.deadline is None
    assert told(studio.content.update_event(event, {"action": "start"}, T0 + 5.5)) == [
        EventStateChanged("active", 1)
    ]
    assert studio.of(event, "state") == "current"
    assert studio.of(event, "actions") == ["stop"]
    assert studio.of(event, "start_at_iso") == "2027-01-15T08:00:05Z"
    assert studio.of(event, "end_at_iso") == "2027-01-15T09:00:05Z"


def test_a_planned_manual_event_does_not_start_by_itself(studio: Studio) -> None:
    """Its plan is told, and gives way to what happened."""
    event = studio.event(start_at=int(T0) + 10, duration=60)
    assert (studio.of(event, "start_at"), studio.of(event, "end_at")) == (T0 + 10, T0 + 70)
    assert studio.emulator.deadline is None
    studio.content.update_event(event, {"action": "start"}, T0 + 20)
    assert (studio.of(event, "start_at"), studio.of(event, "end_at")) == (T0 + 20, T0 + 80)


def test_a_clock_event_starts_and_ends_by_itself(studio: Studio) -> None:
    """At its start, and after its duration."""
    event = studio.event(start_mode="clock", start_at=int(T0) + 10, duration=60)
    assert told(studio.emulator.wake(T0 + 10)) == [EventStateChanged("active", 1)]
    assert studio.of(event, "state") == "current"
    assert told(studio.emulator.wake(T0 + 71)) == [EventStateChanged("finished", 2)]
    assert studio.of(event, "state") == "past"
    assert (studio.of(event, "end_at"), studio.of(event, "duration")) == (T0 + 70, 60)


def test_a_clock_event_without_a_start_has_no_times(studio: Studio) -> None:
    """Start and duration may both be null (contract section 18.6); it can be started by hand."""
    event = studio.event(start_mode="clock", start_at=None, duration=None)
    assert (studio.of(event, "start_at"), studio.of(event, "end_at")) == (None, None)
    assert studio.of(event, "duration") == 3600
    assert studio.emulator.deadline is None
    studio.content.update_event(event, {"action": "start"}, T0)
    assert studio.emulator.deadline == T0 + 3600


def test_a_clock_event_of_the_past_is_over_when_it_is_made(studio: Studio) -> None:
    """And one that should be running runs."""
    given = {"name": "S", "start_mode": "clock", "start_at": int(T0) - 100}
    event, deliveries = studio.content.create_event(studio.project, {**given, "duration": 60}, T0)
    assert told(deliveries) == [EventStateChanged("active", 1), EventStateChanged("finished", 2)]
    assert studio.of(event, "end_at") == T0 - 40
    event, _ = studio.content.create_event(studio.project, {**given, "duration": 600}, T0)
    assert studio.of(event, "state") == "current"
    assert studio.of(event, "end_at") == T0 + 500


def test_a_manual_event_ends_after_its_duration_or_not() -> None:
    """As the choices have it."""
    studio = Studio()
    studio.active(duration=60)
    assert studio.emulator.deadline == T0 + 60
    studio = Studio(manual_events_end=False)
    studio.active(duration=60)
    assert studio.emulator.deadline is None
    studio.event(start_mode="clock", start_at=int(T0), duration=30)
    assert studio.emulator.deadline == T0 + 30, "a clock event ends in any case"


def test_a_scheduled_end_holds_whenever_the_event_starts(studio: Studio) -> None:
    """Without a planned start there is no scheduled end, and the duration counts."""
    event = studio.event(end_mode="scheduled", start_at=int(T0), duration=60)
    studio.content.update_event(event, {"action": "start"}, T0 + 20)
    assert (studio.emulator.deadline, studio.of(event, "end_at")) == (T0 + 60, T0 + 60)
    studio.content.update_event(event, {"action": "stop"}, T0 + 30)
    assert (studio.of(event, "end_at"), studio.of(event, "duration")) == (T0 + 30, 10)
    studio.active(end_mode="scheduled", start_at=0, duration=60)
    assert studio.emulator.deadline == T0 + 60


def test_an_event_is_on_demand_for_its_time(studio: Studio) -> None:
    """Then it is past."""
    event = studio.active(on_demand_duration=30)
    studio.content.update_event(event, {"action": "stop"}, T0 + 12)
    assert studio.of(event, "state", T0 + 41.9) == "on_demand"
    assert studio.of(event, "state", T0 + 42) == "past"
    assert studio.of(event, "actions") == []
    assert (studio.of(event, "duration"), studio.of(event, "original_duration")) == (12, 3600)


def test_an_event_that_never_started_can_be_stopped(studio: Studio) -> None:
    """It keeps the duration that it would have had."""
    event = studio.event(duration=60)
    studio.content.update_event(event, {"action": "stop"}, T0 + 5)
    assert (studio.of(event, "state"), studio.of(event, "duration")) == ("past", 60)
    assert (studio.of(event, "start_at"), studio.of(event, "end_at")) == (None, T0 + 5)


def test_events_are_not_started_or_stopped_twice(studio: Studio) -> None:
    """Stop on a finished event is 422 at `action` (contract section 3); nothing is changed."""
    event, update = studio.active(), studio.content.update_event
    given = {"action": "start", "name": "Other"}
    assert refused(update, event, given, T0) == (
        "action",
        "can't start an event that has been started",
    )
    update(event, {"action": "stop"}, T0)
    assert refused(update, event, {"action": "stop"}, T0) == (
        "action",
        "can't stop a finished event",
    )
    assert refused(update, event, {"action": "start"}, T0)[0] == "action"
    assert studio.of(event, "name") == "Show"


def test_settings_reach_every_client_at_once(studio: Studio) -> None:
    """Per field: one that is present is rewritten whole, the others stay."""
    event = studio.active(settings=[field("a", 1), {"key": "b", "values": {"en": "x", "de": "y"}}])
    assert studio.emulator.event(event).fields == {"a": 1, "b": "x"}
    deliveries = studio.content.update_event(event, {"settings": [field("b", "z", "fr")]}, T0)
    assert deliveries == [Delivery(event, None, EventUpdated({"a": 1, "b": "z"}, 2))]
    assert studio.of(event, "settings") == [field("a", 1), field("b", "z", "fr")]


def test_a_new_name_reaches_every_client(studio: Studio) -> None:
    """The event is republished with it; an update without anything is none."""
    event = studio.active(settings=[field("a", 1)])
    assert told(studio.content.update_event(event, {"name": "New"}, T0)) == [
        EventUpdated({"a": 1}, 2)
    ]
    assert studio.of(event, "name") == studio.emulator.event(event).name == "New"
    assert studio.content.update_event(event, {}, T0) == []
    assert studio.content.update_event(event, {"name": None, "settings": []}, T0) == []
    assert studio.of(event, "name") == "New"


def test_times_change_until_they_are_past(studio: Studio) -> None:
    """A running event can last longer; to say what is so already is no change."""
    event, update = studio.event(), studio.content.update_event
    update(event, {"start_at": int(T0) + 5, "start_mode": "clock", "duration": 10}, T0)
    assert studio.emulator.deadline == T0 + 5
    studio.emulator.wake(T0 + 5)
    update(event, {"duration": 20, "repeat": True, "repeat_in": 5, "end_mode": "duration"}, T0 + 6)
    assert studio.emulator.deadline == T0 + 25
    assert (studio.of(event, "repeat"), studio.of(event, "repeat_in")) == (True, 5)
    update(event, {"start_at": int(T0) + 5, "start_mode": "clock"}, T0 + 6)
    for name, value in (("start_at", 1), ("start_mode", "manual")):
        assert refused(update, event, {name: value}, T0 + 6) == (
            name,
            "can't be changed: the event is active",
        )
    studio.emulator.wake(T0 + 25)
    for name, value in (("duration", 1), ("end_mode", "scheduled"), ("start_at", 1)):
        assert refused(update, event, {name: value}, T0 + 26) == (
            name,
            "can't be changed: the event is finished",
        )
    update(event, {"extra_time_duration": 9}, T0 + 26)
    assert studio.of(event, "extra_time_duration") == 9


def test_a_running_event_that_is_made_shorter_than_it_is_ends(studio: Studio) -> None:
    """What is due already happens at once."""
    event = studio.active(duration=60)
    deliveries = studio.content.update_event(event, {"duration": 10}, T0 + 20)
    assert told(deliveries) == [EventStateChanged("finished", 2)]


def test_a_start_takes_what_is_given_with_it(studio: Studio) -> None:
    """Attributes first, then the action."""
    event = studio.event()
    deliveries = studio.content.update_event(event, {"action": "start", "duration": 10}, T0)
    assert told(deliveries) == [EventStateChanged("active", 1)]
    assert studio.emulator.deadline == T0 + 10


# Reading events


def timed(studio: Studio, *starts: int) -> list[str]:
    """Make clock events of 10 s that start so many seconds after T0, at T0."""
    return [
        studio.event(start_mode="clock", start_at=int(T0) + start, duration=10) for start in starts
    ]


def ids(resources: list[dict[str, Any]]) -> list[str]:
    """The ids of resources."""
    return [each["id"] for each in resources]


def test_events_come_by_start_time(studio: Studio) -> None:
    """Equal ones as they were made, those without a start last; or the other way round."""
    a, b, c = timed(studio, 50, 20, 50)
    d = studio.event()
    events = studio.content.events
    assert ids(events(studio.project, T0)) == [b, a, c, d]
    assert ids(events(studio.project, T0, newest_first=True)) == [d, c, a, b]
    assert ids(events(studio.content.add_project("Other"), T0)) == []


def test_an_event_that_never_started_stands_where_it_ended(studio: Studio) -> None:
    """Among those with a start, and not with those that are to come."""
    stopped = studio.event()
    before, after = timed(studio, -50, 50)
    studio.content.update_event(stopped, {"action": "stop"}, T0)
    assert ids(studio.content.events(studio.project, T0)) == [before, stopped, after]


def test_events_are_found_by_state(studio: Studio) -> None:
    """One state, several, or any."""
    past, current, future = timed(studio, -20, 0, 20)
    events = studio.content.events
    assert ids(events(studio.project, T0, states=["past"])) == [past]
    assert ids(events(studio.project, T0, states=["current", "future"])) == [current, future]
    assert ids(events(studio.project, T0, states=["on_demand"])) == []


def test_the_listings_have_so_many_of_past_and_future() -> None:
    """All that is current or on demand; the last of the past, the next of the future."""
    studio = Studio(listings_past=2, listings_future=2)
    past = timed(studio, -50, -80, -60)
    future = timed(studio, 90, 70, 80)
    current = timed(studio, 0, -1, -2)
    on_demand = [studio.event(on_demand_duration=99) for _ in range(3)]
    for event in on_demand:
        studio.content.update_event(event, {"action": "stop"}, T0)
    listed = studio.content.events(studio.project, T0, only_listings=True)
    expected = {*current, *on_demand, past[0], past[2], future[1], future[2]}
    assert set(ids(listed)) == expected
    listed = studio.content.events(studio.project, T0, only_listings=True, states=["past"])
    assert ids(listed) == [past[2], past[0]]


def test_ties_in_the_listings_are_cut_to_the_limit() -> None:
    """The later created of the past, the earlier created of the future (contract section 9.2)."""
    studio = Studio(listings_past=1, listings_future=1)
    _, kept_past = timed(studio, -50, -50)
    kept_future, _ = timed(studio, 50, 50)
    listed = studio.content.events(studio.project, T0, only_listings=True)
    assert ids(listed) == [kept_past, kept_future]


def test_listings_may_leave_out_what_is_not_on() -> None:
    """With limits of 0."""
    studio = Studio(listings_past=0, listings_future=0)
    _, current, _ = timed(studio, -50, 0, 50)
    assert ids(studio.content.events(studio.project, T0, only_listings=True)) == [current]


# Elements


def test_a_new_element_is_not_on_the_timeline(studio: Studio) -> None:
    """As Create Element answers (contract section 7.4), with the defaults for what it left out."""
    event = studio.event()
    element = studio.content.element(studio.element(event, reveal_answer_on_vote=True), T0)
    asked = element["attributes"].pop("question")
    assert element["attributes"] == {
        "content_type": "rpoll-custom",
        "label": "Cat or dog?",
        "name": "Cat or dog?",
        "start_mode": "manual",
        "offset": 0,
        "duration": None,
        "duration_mode": "flexible",
        "state": "non_scheduled",
        "updated_at": None,
        "updated_at_iso": None,
        "revoked_at": None,
        "revoked_at_iso": None,
        "results_revealed_at_iso": None,
        "answer_revealed_at_iso": None,
        "custom_fields": [field("hint", 1)],
        "reveal_results_mode": "vote",
        "require_verified_user": False,
        "include_in_latest_results_feed": False,
        "certification": False,
        "enmasse_id": None,
        "correct_option": None,
        "max_votes_per_user": 2,
        "max_votes_per_option": 1,
        "min_options_per_vote": 1,
        "max_options_per_vote": 1,
        "reveal_answer_mode": "manual",
        "reveal_answer_in": 0,
        "reveal_answer_on_vote": True,
        "reveal_answer_on_user_vote": True,
        "fade": None,
    }
    assert asked == {
        "label": "Cat or dog?",
        "filter_keywords": [],
        "fields": [field("text", "Cat or dog?", "en")],
        "options": [
            {"label": words, "filter_keywords": [], "fields": [field("text", words, "en")]}
            for words in ("Cat", "Dog")
        ],
    }
    assert element["relationships"] == {"event": {"data": {"id": event, "type": "events"}}}


def test_an_element_is_published_closed_and_revoked(studio: Studio) -> None:
    """Each step reaches the clients at once, and changes its state."""
    event = studio.active()
    element = studio.element(event, duration=45)
    assert studio.of(element, "duration_mode") == "fixed"
    (published,) = studio.act(element, "publish", T0 + 1)
    assert isinstance(published, ElementPublished)
    assert (published.element.id, published.element.type) == (element, "poll")
    assert (studio.of(element, "state"), studio.of(element, "enmasse_id")) == ("current", 1)
    assert studio.of(element, "updated_at_iso") == "2027-01-15T08:00:01Z"
    assert studio.of(element, "results_revealed_at_iso") == "2027-01-15T08:00:01Z"
    assert studio.act(element, "stop", T0 + 2) == [ElementStateChanged(element, "closed", 3)]
    assert studio.of(element, "state") == "past"
    assert studio.act(element, "revoke", T0 + 3) == [ElementRevoked(element, 4)]
    assert studio.of(element, "state") == "revoked"
    assert studio.of(element, "revoked_at") == T0 + 3
    assert studio.of(element, "revoked_at_iso") == "2027-01-15T08:00:03Z"
    studio.act(element, "publish", T0 + 4)
    assert studio.of(element, "revoked_at") is None


def test_a_fixed_duration_ends_an_element(studio: Studio) -> None:
    """By itself."""
    element = studio.element(studio.active(), duration=45, action="publish")
    assert told(studio.emulator.wake(T0 + 45)) == [ElementStateChanged(element, "closed", 3)]


def test_an_element_is_on_demand_with_its_event(studio: Studio) -> None:
    """And past when that is; one that was never published is cancelled."""
    event = studio.active(on_demand_duration=30)
    shown, never = studio.element(event, action="publish"), studio.element(event)
    studio.act(shown, "stop")
    assert studio.of(shown, "state") == "past"
    studio.content.update_event(event, {"action": "stop"}, T0)
    states = [
        [studio.of(element, "state", now) for element in (shown, never)] for now in (T0, T0 + 30)
    ]
    assert states == [["on_demand", "cancelled"], ["past", "cancelled"]]


def test_a_timecode_element_goes_out_by_itself(studio: Studio) -> None:
    """It is future until then; one whose time is past goes out at once."""
    event = studio.event()
    element = studio.element(event, start_mode="timecode", offset=5)
    assert (studio.of(element, "state"), studio.of(element, "offset")) == ("future", 5)
    studio.content.update_event(event, {"action": "start"}, T0)
    assert studio.of(element, "state") == "future"
    studio.emulator.wake(T0 + 5)
    assert studio.of(element, "state") == "current"
    given = {**POLL, "start_mode": "timecode", "offset": 2}
    _, deliveries = studio.content.create_element(event, given, T0 + 6)
    assert isinstance(told(deliveries)[0], ElementPublished)


def test_an_element_may_be_published_as_it_is_made(studio: Studio) -> None:
    """While the event is active; else nothing is made. No other action is for making."""
    event, create = studio.event(), studio.content.create_element
    assert refused(create, event, {**POLL, "action": "publish"}, T0) == (
        "action",
        "can't publish unless the event is active",
    )
    assert refused(create, event, {**POLL, "action": "stop"}, T0) == ("action", "must be 'publish'")
    assert studio.content.elements(event, T0) == []
    studio.content.update_event(event, {"action": "start"}, T0)
    _, deliveries = create(event, {**POLL, "action": "publish"}, T0)
    assert isinstance(told(deliveries)[0], ElementPublished)


def test_a_content_type_is_one_of_the_apps(studio: Studio) -> None:
    """Or any, as the choices have it."""
    event = studio.event()
    given = {**POLL, "content_type": "unheard-of"}
    expected = ("content_type", "is not in the app's elements spec")
    assert refused(studio.content.create_element, event, given, T0) == expected
    element = studio.element(event)
    update = {"content_type": "unheard-of"}
    assert refused(studio.content.update_element, element, update, T0) == expected
    assert refused(studio.content.create_element, event, {}, T0)[0] == "content_type"
    studio = Studio(refuse_unknown_content_types=False)
    element = studio.element(studio.active(), content_type="unheard-of")
    (published,) = studio.act(element, "publish")
    assert isinstance(published, ElementPublished)
    assert published.element.type == ""
    assert published.element.options == ("Cat", "Dog")


@pytest.mark.parametrize(("number", "fits"), [(1, False), (2, True), (10, True), (11, False)])
def test_the_spec_may_bound_the_options(number: int, fits: bool) -> None:  # noqa: FBT001
    """By `options_number` of the content type, if the choices have it so."""
    given = {**POLL, "question": question("Q?", *map(str, range(number)))}
    studio = Studio()
    studio.content.create_element(studio.event(), given, T0)
    studio = Studio(enforce_options_number=True)
    event, create = studio.event(), studio.content.create_element
    if fits:
        create(event, given, T0)
    else:
        expected = ("question/options", "must be from 2 to 10")
        assert refused(create, event, given, T0) == expected


def test_bounds_need_not_be_complete() -> None:
    """A spec may have a minimum alone, or no bounds at all."""
    spec: list[dict[str, Any]] = [
        {"name": "A", "content_type": "a", "options_number": {"min": 1}},
        {"name": "B", "content_type": "b"},
    ]
    studio = Studio(enforce_options_number=True)
    studio.project = studio.content.add_project("Other", elements_spec=spec)
    event = studio.event()
    studio.element(event, content_type="a")
    studio.element(event, content_type="b", question=None)
    given = {"content_type": "a"}
    assert refused(studio.content.create_element, event, given, T0)[0] == "question/options"


@pytest.mark.parametrize("content_type", ["trivia", "prediction-custom"])
def test_a_quiz_needs_a_right_answer(studio: Studio, content_type: str) -> None:
    """Or a word that there is none yet (contract section 18.11)."""
    event = studio.event()
    given = {**POLL, "content_type": content_type}
    assert refused(studio.content.create_element, event, given, T0) == (
        "correct_option",
        "can't be blank",
    )
    for none in (0, None):
        element = studio.element(event, content_type=content_type, correct_option=none)
        assert studio.of(element, "correct_option") is None


def test_custom_fields_of_a_published_element_reach_every_client(studio: Studio) -> None:
    """Per field, at once; nothing else can change from then on."""
    element = studio.element(studio.active(), action="publish")
    given: dict[str, Any] = {"custom_fields": [field("players", 7)]}
    (updated,) = told(studio.content.update_element(element, given, T0 + 9))
    assert isinstance(updated, ElementUpdated)
    assert updated.element.custom_fields == {"hint": 1, "players": 7}
    assert studio.of(element, "custom_fields") == [field("hint", 1), field("players", 7)]
    assert studio.of(element, "updated_at") == T0 + 9
    for name, value in (
        ("question", question("Other?", "x", "y", "z")),
        ("max_votes_per_user", 3),
        ("duration", 5),
        ("label", "Other"),
        ("correct_option", 1),
    ):
        given = {name: value, "custom_fields": [field("players", 8)]}
        assert refused(studio.content.update_element, element, given, T0) == (
            name,
            "can't be changed once published",
        )
    assert studio.of(element, "custom_fields") == [field("hint", 1), field("players", 7)]
    studio.content.update_element(element, {"question": POLL["question"]}, T0)  # as it is


def test_what_was_revoked_was_published(studio: Studio) -> None:
    """Its votes are kept, so what they are for stays."""
    element = studio.element(studio.active(), action="publish")
    studio.act(element, "revoke")
    assert refused(studio.content.update_element, element, {"duration": 5}, T0)[0] == "duration"
    assert studio.content.update_element(element, {"custom_fields": [field("a", 1)]}, T0) == []


def test_an_element_changes_in_every_way_until_it_is_published(studio: Studio) -> None:
    """The base type follows the content type, the label is kept where it was given."""
    event = studio.active()
    element = studio.element(event)
    given = {**TRIVIA, "label": "First", "duration": 5, "max_votes_per_user": "3"}
    assert studio.content.update_element(element, given, T0 + 3) == []
    assert studio.of(element, "updated_at") == T0 + 3
    assert (studio.of(element, "label"), studio.of(element, "name")) == ("First", "First")
    (published,) = studio.act(element, "publish")
    assert isinstance(published, ElementPublished)
    assert (published.element.type, published.element.question) == ("trivia", "1 + 1?")
    assert studio.emulator.deadline == T0 + 5
    assert studio.of(element, "max_votes_per_user") == 3


def test_an_empty_update_is_none(studio: Studio) -> None:
    """`attributes: {}` is tolerated, and so is what is not known (contract section 18.11)."""
    element = studio.element(studio.active())
    assert studio.content.update_element(element, {}, T0) == []
    assert studio.content.update_element(element, {"colour": "red"}, T0) == []
    assert studio.of(element, "updated_at") is None


def test_an_update_that_is_refused_changes_nothing(studio: Studio) -> None:
    """Neither attributes nor state, whatever else it brings."""
    element = studio.element(studio.event())
    given = {"action": "publish", "duration": 5, "custom_fields": [field("hint", 2)]}
    assert refused(studio.content.update_element, element, given, T0)[0] == "action"
    given = {"min_options_per_vote": 2, "max_options_per_vote": 1, "duration": 5}
    assert refused(studio.content.update_element, element, given, T0)[0] == "max_options_per_vote"
    assert studio.of(element, "duration") is None
    assert studio.of(element, "custom_fields") == [field("hint", 1)]


def test_attributes_may_come_with_an_action(studio: Studio) -> None:
    """They are taken first, so that what is published has them."""
    element = studio.element(studio.active())
    (published,) = studio.act(element, "publish", custom_fields=[field("hint", 2)])
    assert isinstance(published, ElementPublished)
    assert published.element.custom_fields == {"hint": 2}


def test_one_way_elements_have_nothing_to_vote_for(studio: Studio) -> None:
    """An element derived from `data` is published without options, and read without a question."""
    event = studio.active()
    element = studio.element(event, content_type="article", question=None, action="publish")
    assert studio.of(element, "question") is None
    assert studio.of(element, "label") == "article"
    named = studio.element(event, content_type="article", name="News")
    assert (studio.of(named, "label"), studio.of(named, "name")) == ("News", "News")
    assert studio.content.element_stats(element, T0)["attributes"]["results"] == []


def test_the_answer_is_revealed_by_hand(studio: Studio) -> None:
    """With the right option, or with the one that was set; clients are not told."""
    event = studio.active()
    trivia = studio.content.create_element(event, TRIVIA, T0)[0]
    studio.act(trivia, "publish")
    assert studio.act(trivia, "reveal_answer", T0 + 9, correct_option=1) == []
    assert studio.of(trivia, "correct_option") == 1
    assert studio.of(trivia, "answer_revealed_at_iso") == "2027-01-15T08:00:09Z"
    assert studio.of(trivia, "updated_at") == T0 + 9
    trivia = studio.content.create_element(event, {**TRIVIA, "action": "publish"}, T0)[0]
    studio.act(trivia, "reveal_answer", T0 + 9)
    assert studio.of(trivia, "correct_option") == 2
    studio.act(trivia, "reveal_answer", T0 + 9, correct_option=0)
    assert studio.of(trivia, "correct_option") == 2, "0 is what a client sends that has none"
    given = {"action": "reveal_answer", "correct_option": 3}
    assert refused(studio.content.update_element, trivia, given, T0)[0] == "correct_option"


def test_the_answer_may_reveal_itself(studio: Studio) -> None:
    """So long after the closing, in the mode `auto`."""
    event = studio.active()
    given = {**TRIVIA, "reveal_answer_mode": "auto", "reveal_answer_in": 5, "action": "publish"}
    trivia = studio.content.create_element(event, given, T0)[0]
    assert studio.of(trivia, "answer_revealed_at_iso", T0 + 99) is None
    studio.act(trivia, "stop", T0 + 10)
    assert studio.of(trivia, "answer_revealed_at_iso", T0 + 14.9) is None
    assert studio.of(trivia, "answer_revealed_at_iso", T0 + 15) == "2027-01-15T08:00:15Z"
    by_hand = studio.content.create_element(event, {**TRIVIA, "action": "publish"}, T0)[0]
    studio.act(by_hand, "stop", T0 + 10)
    assert studio.of(by_hand, "answer_revealed_at_iso", T0 + 99) is None


def test_results_are_revealed_by_hand() -> None:
    """In the mode `manual`, to every client at once."""
    studio = Studio(results_interval_s=1.0)
    element = studio.element(studio.active(), reveal_results_mode="manual", action="publish")
    assert studio.act(element, "reveal_results", T0 + 3) == [ResultsTold(element, (0, 0))]
    assert studio.of(element, "results_revealed_at_iso") == "2027-01-15T08:00:03Z"
    assert studio.of(element, "updated_at") == T0 + 3


def test_an_element_can_be_deleted_while_clients_do_not_hold_it(studio: Studio) -> None:
    """Never published, or revoked; then it is gone."""
    event = studio.active()
    draft, shown = studio.element(event), studio.element(event, action="publish")
    assert refused(studio.content.delete_element, shown, T0) == (
        "/data",
        "is published: revoke it before",
    )
    studio.act(shown, "revoke")
    for element in (draft, shown):
        assert studio.content.delete_element(element, T0) == []
        with pytest.raises(UnknownIdError):
            studio.content.element(element, T0)
    assert studio.content.elements(event, T0) == []


# Reading elements


def test_elements_come_by_publishing_time(studio: Studio) -> None:
    """Those to come follow: by offset, then as they were made."""
    event = studio.active()
    a, b, c = (studio.element(event) for _ in range(3))
    late = studio.element(event, start_mode="timecode", offset=90)
    soon = studio.element(event, start_mode="timecode", offset=80)
    studio.act(c, "publish", T0 + 1)
    studio.act(a, "publish", T0 + 2)
    assert ids(studio.content.elements(event, T0)) == [c, a, soon, late, b]
    studio.act(c, "revoke", T0 + 3)
    studio.act(c, "publish", T0 + 4)
    assert ids(studio.content.elements(event, T0)) == [a, c, soon, late, b]


def test_elements_are_found_by_state_and_feed(studio: Studio) -> None:
    """One state, several, or any; in the latest results, outside, or either."""
    event = studio.active()
    shown = studio.element(event, action="publish", include_in_latest_results_feed=True)
    draft = studio.element(event)
    elements = studio.content.elements
    assert ids(elements(event, T0, states=["non_scheduled", "past"])) == [draft]
    assert ids(elements(event, T0, states=["current"])) == [shown]
    assert ids(elements(event, T0, in_latest_results=True)) == [shown]
    assert ids(elements(event, T0, in_latest_results=False)) == [draft]
    assert ids(elements(event, T0, states=["current"], in_latest_results=False)) == []
    assert ids(elements(studio.event(), T0)) == []


# Stats


def test_the_stats_of_an_event_have_the_six_attributes(studio: Studio) -> None:
    """True for the crowd that was there (contract section 1.1)."""
    event = studio.active()
    element, revoked = studio.element(event, action="publish"), studio.element(event)
    studio.element(event)
    for action in ("publish", "revoke"):
        studio.act(revoked, action)
    for number, user in enumerate(("ann", "bob", "ann")):
        studio.emulator.connect(number, event, user, T0 + number)
    for option in (0, 1, 1):
        studio.emulator.answer(0, element, [option], "", T0)
    studio.emulator.disconnect(2, T0 + 12)
    assert studio.content.event_stats(event, T0 + 20) == {
        "id": event,
        "type": "stats",
        "attributes": {
            "interactions": 2,
            "peak_concurrency": 3,
            "current_concurrency": 2,
            "unique_users": 2,
            "average_session_length": round((20 + 19 + 10) / 3),
            "elements_count": 1,
        },
    }


@pytest.mark.parametrize(("sample_s", "peak"), [(5.0, 1), (1.0, 2)])
def test_the_peak_is_sampled_as_the_choices_have_it(sample_s: float, peak: int) -> None:
    """A crowd that came and went between two samples was not there."""
    studio = Studio(peak_sample_s=sample_s)
    event = studio.active()
    for number in (1, 2):
        studio.emulator.connect(number, event, "ann", T0 + 0.5)
    studio.emulator.disconnect(2, T0 + 1.5)
    stats = studio.content.event_stats(event, T0 + 2)
    assert stats["attributes"]["peak_concurrency"] == peak


def test_the_stats_of_nobody(studio: Studio) -> None:
    """Are zeros."""
    stats = studio.content.event_stats(studio.event(), T0)["attributes"]
    assert set(stats.values()) == {0}


def test_the_stats_of_an_element_are_its_votes() -> None:
    """Named as in the feeds; the producer sees them whatever the reveal mode."""
    studio = Studio(percentage_digits=1)
    event = studio.active()
    element = studio.element(event, reveal_results_mode="never", max_options_per_vote=2)
    zeros = {"votes": 0, "percentage": 0}
    assert studio.content.element_stats(element, T0) == {
        "id": element,
        "type": "stats",
        "attributes": {
            "votes": 0,
            "voters": 0,
            "results": [zeros, zeros],
            "results_are_final": False,
        },
    }
    studio.act(element, "publish")
    studio.vote(event, element, "ann", 0, 1)
    studio.vote(event, element, "bob", 1)
    studio.act(element, "stop")
    assert studio.content.element_stats(element, T0)["attributes"] == {
        "votes": 3,
        "voters": 2,
        "results": [{"votes": 1, "percentage": 33.3}, {"votes": 2, "percentage": 66.7}],
        "results_are_final": True,
    }
