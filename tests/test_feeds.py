"""The CDN feeds: their documented shapes, and what they show."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from simulator.choices import Choices
from simulator.content import Content, UnknownIdError
from simulator.emulator import Emulator
from simulator.feeds import elements_feed, history, listings

T0 = 1_800_000_000.0
"""When the tests begin: 2027-01-15T08:00:00Z."""


def field(key: str, **values: Any) -> dict[str, Any]:
    """Make a field as it travels."""
    return {"key": key, "values": values}


POLL: dict[str, Any] = {
    "content_type": "rpoll-custom",
    "label": "The poll",
    "duration": 270,
    "max_votes_per_user": 2,
    "max_options_per_vote": 2,
    "question": {
        "fields": [field("text", en="Which?")],
        "options": [{"fields": [field("text", en=each)]} for each in ("Dog", "Cat")],
    },
    "custom_fields": [field("text_during_poll", en="Vote now")],
}


class Site:
    """A project with one event that is on, and one user for each vote."""

    def __init__(self, **choices: Any) -> None:
        numbers = itertools.count(1)
        self.emulator = Emulator(results_interval_s=None)
        settings = {"elements_feed": True, **choices}
        self.content = Content(
            self.emulator, Choices(**settings), new_id=lambda: f"id-{next(numbers)}"
        )
        self.project = self.content.add_project("Quiz night")
        self.event, _ = self.content.create_event(
            self.project,
            {
                "name": "Show",
                "settings": [field("host", en="Ada", de="Eva"), field("level", all=3)],
                "extra_time_duration": 7,
                "on_demand_duration": 9,
            },
            T0,
        )
        self.content.update_event(self.event, {"action": "start"}, T0)

    def poll(self, now: float = T0, **attributes: Any) -> str:
        """Publish a poll."""
        given = {**POLL, "action": "publish", **attributes}
        return self.content.create_element(self.event, given, now)[0]

    def act(self, element: str, action: str, now: float = T0) -> None:
        """Act on an element."""
        self.content.update_element(element, {"action": action}, now)

    def vote(self, element: str, *options: int) -> None:
        """Let a new user vote once for each option."""
        number = len(self.emulator.event(self.event).users)
        self.emulator.connect(number, self.event, f"user-{number}", T0)
        self.emulator.answer(number, element, list(options), "", T0)

    def listings(self, now: float = T0) -> dict[str, Any]:
        """listings.json."""
        return listings(self.content, self.project, now, host="cdn.example")

    def timeline(self, now: float = T0) -> list[dict[str, Any]]:
        """The timeline of history.json."""
        found: list[dict[str, Any]] = history(self.content, self.event, now)["timeline"]
        return found

    def elements(self, now: float = T0, *, published_only: bool = True) -> list[dict[str, Any]]:
        """The elements of an elements feed."""
        feed = elements_feed(self.content, self.project, now, published_only=published_only)
        assert feed is not None
        found: list[dict[str, Any]] = feed["elements"]
        return found


@pytest.fixture
def site() -> Site:
    """A project with an event that is on."""
    return Site()


# listings.json


def test_the_listings_have_the_documented_keys(site: Site) -> None:
    """Of project, events and assets (contract section 9.2)."""
    feed = site.listings()
    digest = feed["events"][0].pop("digest")
    assert len(digest) == 32
    assert feed == {
        "project": {
            "uuid": site.project,
            "app_settings": None,
            "audio_sync_default_delay": 0,
            "audio_sync_max_delay": 0,
            "tracking_id": None,
            "embed": f"//cdn.example/app.html?bc=l-{site.project}&sh=cdn.example",
            "history_ignore": 0,
            "is_localisation_supported": False,
            "locales": ["en"],
        },
        "events": [
            {
                "id": site.event,
                "name": "Show",
                "start_at": 1_800_000_000,
                "start_at_iso": "2027-01-15T08:00:00Z",
                "end_at": 1_800_003_600,
                "end_at_iso": "2027-01-15T09:00:00Z",
                "started": True,
                "image_url": None,
                "custom_fields": {"host": "Ada", "level": 3},
                "extra_time": 7,
            }
        ],
        "assets": {},
    }


def test_the_listings_follow_the_choices() -> None:
    """Locale, history and limits are settings of the project."""
    site = Site(locale="de", history_ignore_s=60, listings_future=0)
    site.content.create_event(site.project, {"name": "Later"}, T0)
    feed = site.listings()
    assert (feed["project"]["locales"], feed["project"]["history_ignore"]) == (["de"], 60)
    assert [each["name"] for each in feed["events"]] == ["Show"]
    assert feed["events"][0]["custom_fields"]["host"] == "Eva"


def test_an_event_to_come_has_not_started(site: Site) -> None:
    """One that is over has."""
    site.content.create_event(site.project, {"name": "Later"}, T0)
    site.content.update_event(site.event, {"action": "stop"}, T0)
    assert [each["started"] for each in site.listings()["events"]] == [True, False]


@pytest.mark.parametrize(
    "given",
    [
        {"name": "Other"},
        {"duration": 10},
        {"settings": [{"key": "host", "values": {"de": "Ida"}}]},
        {"repeat": True},
        {"extra_time_duration": 8},
        {"action": "stop"},
    ],
)
def test_the_digest_changes_with_the_event(site: Site, given: dict[str, Any]) -> None:
    """Whatever of its data is changed, and only then."""
    before = site.listings()["events"][0]["digest"]
    assert site.listings(T0 + 5)["events"][0]["digest"] == before
    site.content.update_event(site.event, given, T0)
    assert site.listings()["events"][0]["digest"] != before


def test_a_feed_is_of_something_that_is_there(site: Site) -> None:
    """Else there is none."""
    with pytest.raises(UnknownIdError):
        listings(site.content, "x", T0)
    with pytest.raises(UnknownIdError):
        history(site.content, "x", T0)
    with pytest.raises(UnknownIdError):
        elements_feed(site.content, "x", T0)


# history.json


def test_the_history_has_the_documented_keys(site: Site) -> None:
    """Of the event and of what was published in it (contract section 9.3)."""
    poll = site.poll(T0 + 1)
    site.vote(poll, 0)
    site.act(poll, "stop", T0 + 2)
    site.content.update_event(site.event, {"action": "stop"}, T0 + 60)
    results = [{"votes": 1, "percentage": 100}, {"votes": 0, "percentage": 0}]
    assert history(site.content, site.event, T0 + 99) == {
        "config": {
            "id": site.event,
            "name": "Show",
            "start_at": 1_800_000_000,
            "start_at_iso": "2027-01-15T08:00:00Z",
            "end_at": 1_800_000_060,
            "end_at_iso": "2027-01-15T08:01:00Z",
            "started": True,
            "image_url": None,
            "custom_fields": {"host": "Ada", "level": 3},
            "extra_time": 7,
            "on_demand_time": 9,
            "duration": 60,
            "original_duration": 3600,
        },
        "timeline": [
            {
                "id": poll,
                "type": "rpoll",
                "content_type": "rpoll-custom",
                "duration": 270,
                "published_at": 1_800_000_001,
                "published_at_iso": "2027-01-15T08:00:01Z",
                "updated_at": 1_800_000_002,
                "updated_at_iso": "2027-01-15T08:00:02Z",
                "fixed": True,
                "data": {
                    "question": "Which?",
                    "options": ["Dog", "Cat"],
                    "results": results,
                    "results_per_source": [{"source": "regular", "voters": 1, "results": results}],
                    "votes": 1,
                },
                "custom_fields": {"text_during_poll": "Vote now"},
            }
        ],
        "version": 1,
    }


def test_the_history_holds_what_is_over(site: Site) -> None:
    """Oldest first; neither drafts, nor what is open, nor what was revoked."""
    first, second, third, revoked = (site.poll(T0 + at) for at in (4, 2, 3, 1))
    site.poll(T0 + 5)
    site.content.create_element(site.event, POLL, T0)
    for element in (third, first, second, revoked):
        site.act(element, "stop", T0 + 6)
    site.act(revoked, "revoke", T0 + 7)
    assert [each["id"] for each in site.timeline()] == [second, third, first]


def test_what_nobody_can_answer_has_no_data(site: Site) -> None:
    """Its content is in its custom fields."""
    article = site.poll(content_type="article", question=None, duration=None)
    site.act(article, "stop")
    (item,) = site.timeline()
    assert (item["type"], item["data"], item["fixed"]) == ("data", {}, False)
    assert item["duration"] is None


def test_the_history_may_nest_its_fields_by_locale() -> None:
    """As readers of the live feed have met it (contract section 17.7)."""
    site = Site(history_locale_buckets=True)
    site.act(site.poll(), "stop")
    assert history(site.content, site.event, T0)["config"]["custom_fields"] == {
        "en": {"host": "Ada", "level": 3},
        "de": {"host": "Eva", "level": 3},
        "all": {"host": "Ada", "level": 3},
    }
    assert site.timeline()[0]["custom_fields"]["all"] == {"text_during_poll": "Vote now"}


def test_an_event_without_fields_has_none_in_any_locale() -> None:
    """The bucket of all is always there."""
    site = Site(history_locale_buckets=True)
    event, _ = site.content.create_event(site.project, {"name": "Bare"}, T0)
    config = history(site.content, event, T0)["config"]
    assert (config["custom_fields"], config["on_demand_time"]) == ({"all": {}}, 0)


# The elements feeds


def test_the_elements_feed_has_the_documented_shape(site: Site) -> None:
    """A poll with results, under the names of the feed (contract section 9.4)."""
    poll = site.poll(T0 + 1)
    site.vote(poll, 0, 1)
    site.vote(poll, 1)
    site.act(poll, "stop", T0 + 2)
    results = [{"votes": 1, "percentage": 33.33}, {"votes": 2, "percentage": 66.67}]
    assert elements_feed(site.content, site.project, T0 + 9.5) == {
        "generated_at": 1_800_000_009,
        "elements": [
            {
                "id": poll,
                "frame_type": "rpoll",
                "is_published": True,
                "start_mode": "manual",
                "updated_at": 1_800_000_002,
                "updated_at_iso": "2027-01-15T08:00:02Z",
                "duration": 270,
                "results": results,
                "results_per_source": [{"source": "regular", "voters": 2, "results": results}],
                "results_are_final": True,
                "votes": 3,
                "min_options_per_vote": 1,
                "max_options_per_vote": 2,
                "question": {"en": {"text": "Which?"}, "all": {"text": "Which?"}},
                "options": {
                    "en": [{"text": "Dog"}, {"text": "Cat"}],
                    "all": [{"text": "Dog"}, {"text": "Cat"}],
                },
                "max_votes_per_user": 2,
                "max_votes_per_option": 1,
                "reveal_results_mode": "vote",
                "labels": {"element": "The poll", "question": "Which?", "options": ["Dog", "Cat"]},
                "fixed": True,
                "use_certification": False,
                "requires_validated_user": False,
                "content_type": "rpoll-custom",
                "custom_fields": {
                    "en": {"text_during_poll": "Vote now"},
                    "all": {"text_during_poll": "Vote now"},
                },
            }
        ],
    }


def test_the_elements_feed_is_off_until_it_is_switched_on() -> None:
    """As it is documented (contract section 9.1)."""
    site = Site(elements_feed=False)
    site.poll()
    assert elements_feed(site.content, site.project, T0) is None
    assert Choices().elements_feed is False


def test_all_elements_are_more_than_all_published(site: Site) -> None:
    """Drafts and what was revoked are in the one alone; of every event of the project."""
    revoked, shown = site.poll(T0 + 1), site.poll(T0 + 2)
    site.act(revoked, "revoke")
    other, _ = site.content.create_event(site.project, {"name": "Later"}, T0)
    draft, _ = site.content.create_element(other, POLL, T0)
    assert [each["id"] for each in site.elements()] == [shown]
    everything = site.elements(published_only=False)
    assert [(each["id"], each["is_published"]) for each in everything] == [
        (revoked, False),
        (shown, True),
        (draft, False),
    ]
    assert everything[2]["results"] == [{"votes": 0, "percentage": 0}] * 2
    assert everything[2]["updated_at"] is None


@pytest.mark.parametrize(
    ("mode", "seen"),
    [
        ("vote", (True, True, True)),
        ("close", (False, True, True)),
        ("event_end", (False, False, True)),
        ("never", (False, False, False)),
        ("manual", (False, False, False)),
    ],
)
@pytest.mark.parametrize("hidden", ["zeros", "null"])
def test_the_reveal_mode_decides_what_results_show(
    mode: str, seen: tuple[bool, bool, bool], hidden: str
) -> None:
    """While the element is open, closed, and after the event; hidden as the choices have it."""
    site = Site(hidden_results=hidden)
    poll = site.poll(reveal_results_mode=mode)
    site.vote(poll, 1)
    told = [site.elements()[0]]
    site.act(poll, "stop")
    told.append(site.elements()[0])
    site.content.update_event(site.event, {"action": "stop"}, T0)
    told.append(site.elements()[0])
    for feed, shown in zip(told, seen, strict=True):
        if shown or hidden == "zeros":
            assert feed["votes"] == int(shown)
            assert feed["results"][1] == {"votes": int(shown), "percentage": 100 * shown}
            assert feed["results_per_source"] == [
                {"source": "regular", "voters": int(shown), "results": feed["results"]}
            ]
        else:
            assert (feed["votes"], feed["results"], feed["results_per_source"]) == (None,) * 3
    assert site.timeline()[0]["data"]["votes"] == told[2]["votes"]
    assert [feed["results_are_final"] for feed in told] == [False, True, True]


def test_what_is_revealed_by_hand_is_shown(site: Site) -> None:
    """From then on, in the feed too."""
    poll = site.poll(reveal_results_mode="manual")
    site.vote(poll, 1)
    site.act(poll, "reveal_results")
    assert site.elements()[0]["votes"] == 1


def test_every_locale_has_all_the_fields(site: Site) -> None:
    """What is not localised into it stands there as clients are told it."""
    site.poll(
        custom_fields=[field("a", en=1, de=2), field("b", all=3), field("c", fr=None)],
        question={
            "label": "Q",
            "fields": [field("text", en="Which?", all="?")],
            "options": [{"label": "D", "fields": [field("text", de="Hund", en="Dog")]}, {}],
        },
        certification=True,
        require_verified_user=True,
        start_mode="timecode",
    )
    (element,) = site.elements()
    assert element["custom_fields"] == {
        "en": {"a": 1, "b": 3, "c": None},
        "de": {"a": 2, "b": 3, "c": None},
        "fr": {"a": 1, "b": 3, "c": None},
        "all": {"a": 1, "b": 3, "c": None},
    }
    assert element["question"] == {"en": {"text": "Which?"}, "all": {"text": "?"}}
    assert element["options"] == {
        "de": [{"text": "Hund"}, {}],
        "en": [{"text": "Dog"}, {}],
        "all": [{"text": "Dog"}, {}],
    }
    assert element["labels"] == {"element": "The poll", "question": "Q", "options": ["D", ""]}
    assert (element["use_certification"], element["requires_validated_user"]) == (True, True)
    assert element["start_mode"] == "timecode"


def test_what_is_no_poll_has_no_options(site: Site) -> None:
    """The keys are there all the same."""
    site.poll(content_type="article", question=None)
    (element,) = site.elements()
    assert element["frame_type"] == "data"
    assert (element["results"], element["votes"]) == ([], 0)
    assert (element["question"], element["options"]) == ({"all": {}}, {"all": []})
    assert element["labels"] == {"element": "The poll", "question": "", "options": []}
