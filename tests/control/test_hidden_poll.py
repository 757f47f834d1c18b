"""The hidden poll made, checked, mended and replaced, against a Control API in memory."""

from __future__ import annotations

from typing import Any

import pytest

from poll_counter.control import hidden_poll
from poll_counter.control.blueprint import attributes
from poll_counter.elements import PAGE_FIELD, POLL_MARK, SAMPLE_RATE_FIELD, SPREAD_FIELD
from poll_counter.errors import ControlApiError, MisuseError

from .memory_platform import EVENT, PROJECT, MemoryPlatform


@pytest.fixture
def platform() -> MemoryPlatform:
    """A platform with one event, not started."""
    return MemoryPlatform()


def fields_of(platform: MemoryPlatform, id_: str) -> dict[str, Any]:
    """The custom fields that an element has."""
    held = platform.elements[id_]["custom_fields"]
    return {each["key"]: each["values"]["all"] for each in held}


# Create


async def test_the_documented_poll(platform: MemoryPlatform) -> None:
    """Ten options, open as long as the event; sent as the blueprint has it, not published."""
    async with platform.api() as api:
        (poll,) = await hidden_poll.create(api, EVENT)
    assert platform.written == [("POST", "/elements", attributes(duration_s=3600))]
    assert (poll.id, poll.state, len(poll.option_texts)) == ("element-1", "non_scheduled", 10)


async def test_every_setting_is_sent(platform: MemoryPlatform) -> None:
    """Three pages for 25 rounds, none for a duration that was asked for."""
    asked: dict[str, Any] = {
        "spread_s": 5.0,
        "sample_rate": 0.1,
        "content_type": "hp",
        "duration_s": 60,
        "locale": "en",
    }
    async with platform.api() as api:
        polls = await hidden_poll.create(api, EVENT, rounds=7, options_per_poll=3, **asked)
    sent = [each for _, _, each in platform.written]
    assert sent == [attributes(page, options_per_poll=3, **asked) for page in range(3)]
    assert [poll.fields[PAGE_FIELD] for poll in polls] == [0, 1, 2]


@pytest.mark.parametrize("state", ["past", "on_demand"])
async def test_an_event_that_is_over_gets_no_poll(platform: MemoryPlatform, state: str) -> None:
    """Made for nobody, it would be made again every time."""
    platform.event["state"] = state
    async with platform.api() as api:
        with pytest.raises(MisuseError, match="is over"):
            await hidden_poll.create(api, EVENT, publish=True)
    assert platform.written == []


async def test_an_event_without_a_duration(platform: MemoryPlatform) -> None:
    """Six hours are enough."""
    platform.event["duration"] = None
    async with platform.api() as api:
        (poll,) = await hidden_poll.create(api, EVENT)
    assert poll.duration == 21600


async def test_twice_is_once(platform: MemoryPlatform) -> None:
    """The second time nothing is written."""
    async with platform.api() as api:
        first = await hidden_poll.create(api, EVENT, rounds=20)
        writes = len(platform.written)
        platform.event["duration"] = 7200  # nobody asked for one
        assert await hidden_poll.create(api, EVENT, rounds=20) == first
        assert await hidden_poll.create(api, EVENT) == first[:1]
    assert len(platform.written) == writes == 2


async def test_what_broke_off_is_completed(platform: MemoryPlatform) -> None:
    """The first time the platform took one page of three."""
    platform.refuses_from = 1
    async with platform.api() as api:
        with pytest.raises(ControlApiError):
            await hidden_poll.create(api, EVENT, rounds=30)
        assert len(platform.elements) == 1
        platform.refuses_from = None
        polls = await hidden_poll.create(api, EVENT, rounds=30)
    assert [poll.id for poll in polls] == list(platform.elements)
    assert [fields_of(platform, poll.id)[PAGE_FIELD] for poll in polls] == [0, 1, 2]


async def test_published_when_asked(platform: MemoryPlatform) -> None:
    """All pages, each once."""
    platform.event["state"] = "current"
    async with platform.api() as api:
        await hidden_poll.create(api, EVENT)
        polls = await hidden_poll.create(api, EVENT, rounds=20, publish=True)
        assert [poll.state for poll in polls] == ["current", "current"]
        writes = len(platform.written)
        assert await hidden_poll.create(api, EVENT, rounds=20, publish=True) == polls
    assert len(platform.written) == writes == 4


async def test_an_event_that_is_not_on_publishes_nothing(platform: MemoryPlatform) -> None:
    """The polls are made; running it again when the event is on publishes them."""
    async with platform.api() as api:
        with pytest.raises(ControlApiError, match="not active"):
            await hidden_poll.create(api, EVENT, publish=True)
        platform.event["state"] = "current"
        (poll,) = await hidden_poll.create(api, EVENT, publish=True)
    assert (len(platform.elements), poll.state) == (1, "current")


@pytest.mark.parametrize("state", ["revoked", "past", "cancelled"])
async def test_a_poll_that_is_over_is_made_anew(platform: MemoryPlatform, state: str) -> None:
    """It takes no votes any more."""
    platform.add(attributes(duration_s=3600), state=state)
    async with platform.api() as api:
        (poll,) = await hidden_poll.create(api, EVENT)
    assert poll.id == "element-2"


async def test_of_two_the_published_one_is_kept(platform: MemoryPlatform) -> None:
    """It is the one that counts."""
    platform.add(attributes(), state="current")
    platform.add(attributes())
    async with platform.api() as api:
        (poll,) = await hidden_poll.create(api, EVENT)
    assert poll.id == "element-1"


async def test_words_may_be_the_producers_own(platform: MemoryPlatform) -> None:
    """Texts, labels and fields of one's own are no difference; nor what is more than enough."""
    own = attributes(duration_s=60, locale="de") | {"label": "Wie viele?", "certification": None}
    own |= {"max_votes_per_user": "20", "max_votes_per_option": "1"}
    own |= {"min_options_per_vote": 0, "max_options_per_vote": 3}
    own["custom_fields"] = [*own["custom_fields"], {"key": "mine", "values": {"all": "x"}}]
    platform.add(own)
    async with platform.api() as api:
        (poll,) = await hidden_poll.create(api, EVENT)
    assert (poll.id, platform.written) == ("element-1", [])


def changed(key: str, value: Any) -> dict[str, Any]:
    """A poll with one custom field otherwise."""
    poll = attributes(duration_s=3600)
    others = [each for each in poll["custom_fields"] if each["key"] != key]
    return {**poll, "custom_fields": [*others, {"key": key, "values": {"all": value}}]}


@pytest.mark.parametrize(
    ("there", "asked", "told"),
    [
        (attributes(options_per_poll=5), {}, "5 options, not 10, max_votes_per_user 5, not 10"),
        (attributes(), {"options_per_poll": 5}, "10 options, not 5"),
        (attributes(spread_s=4.5), {}, f"{SPREAD_FIELD} 4.5, not 3"),
        (attributes(), {"sample_rate": 0.5}, f"{SAMPLE_RATE_FIELD} 1, not 0.5"),
        (attributes(duration_s=60), {"duration_s": 120}, "duration 60, not 120"),
        (attributes(content_type="other"), {}, "content_type other, not hidden-poll"),
        (changed(POLL_MARK, 0), {}, f"no {POLL_MARK} = 1"),
        *(
            ({**attributes(), key: value}, {}, f"{key} {value}, not ")
            for key, value in (
                ("max_votes_per_user", 9),
                ("max_votes_per_option", 2),
                ("min_options_per_vote", 2),
                ("max_options_per_vote", 0),
                ("reveal_results_mode", "never"),
                ("require_verified_user", True),
                ("certification", True),
            )
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_poll_that_is_there_otherwise(
    platform: MemoryPlatform, there: dict[str, Any], asked: dict[str, Any], told: str
) -> None:
    """It is not taken for the one asked for; nothing is written, not even another page."""
    platform.add(there)
    async with platform.api() as api:
        with pytest.raises(MisuseError, match="page 0") as caught:
            await hidden_poll.create(api, EVENT, rounds=20, **asked)
    assert f"otherwise: {told}" in str(caught.value)
    assert platform.written == []


async def test_pages_that_are_not_asked_for_may_be_otherwise(platform: MemoryPlatform) -> None:
    """They are another matter."""
    platform.add(attributes(0))
    platform.add(attributes(1, spread_s=9.0))
    async with platform.api() as api:
        assert len(await hidden_poll.create(api, EVENT, rounds=10)) == 1
        with pytest.raises(MisuseError, match="page 1"):
            await hidden_poll.create(api, EVENT, rounds=11)


async def test_what_cannot_be_is_refused_before_anything_is_sent(platform: MemoryPlatform) -> None:
    """Of create and of check."""
    async with platform.api() as api:
        wrongs: list[dict[str, Any]] = [{"rounds": 0}, {"spread_s": 121.0}, {"sample_rate": 0.0}]
        for wrong in wrongs:
            with pytest.raises(MisuseError):
                await hidden_poll.create(api, EVENT, **wrong)
        with pytest.raises(MisuseError):
            await hidden_poll.check(api, EVENT, rounds=0)
    assert platform.requests == []


# Check


async def test_what_was_created_is_clean(platform: MemoryPlatform) -> None:
    """For every number of rounds, published or not; only reading."""
    async with platform.api() as api:
        for rounds, size in ((10, 10), (25, 10), (3, 1)):
            platform.elements.clear()
            await hidden_poll.create(api, EVENT, rounds=rounds, options_per_poll=size)
            assert await hidden_poll.check(api, EVENT, rounds=rounds) == []
        platform.event["state"] = "current"
        platform.elements.clear()
        await hidden_poll.create(api, EVENT, rounds=12, publish=True)
        writes = len(platform.written)
        assert await hidden_poll.check(api, EVENT, rounds=12) == []
    assert len(platform.written) == writes


async def test_everything_that_is_asked_is_judged(platform: MemoryPlatform) -> None:
    """Rounds, ids, the content type."""
    id_ = platform.add(attributes(content_type="hp", duration_s=3600) | {"custom_fields": []})
    async with platform.api() as api:

        async def found(**asked: Any) -> list[str]:
            return [one.code for one in await hidden_poll.check(api, EVENT, **asked)]

        assert await found() == ["no-poll"]
        assert await found(content_type="hp") == [
            "content-type-unknown",
            "mark-missing",
            "page-unnamed",
        ]
        assert await found(poll_ids=[id_]) == ["content-type-unknown"]
        assert await found(poll_ids=[id_], rounds=11) == ["content-type-unknown", "too-few-options"]


async def test_a_spec_that_cannot_be_read(platform: MemoryPlatform) -> None:
    """It is said, and the rest is checked; another project may have it."""
    platform.add(attributes(duration_s=3600))
    async with platform.api() as api:
        platform.knows_project = False
        (found,) = await hidden_poll.check(api, EVENT)
        assert found.code == "spec-unread"
        platform.knows_project = True
        assert await hidden_poll.check(api, EVENT, project_id=PROJECT) == []
        (found,) = await hidden_poll.check(api, EVENT, project_id="another")
        assert found.code == "spec-unread"
        platform.project_is_told = False
        (found,) = await hidden_poll.check(api, EVENT)
        assert found.code == "spec-unread"
        assert await hidden_poll.check(api, EVENT, project_id=PROJECT) == []


async def test_an_event_that_cannot_be_read(platform: MemoryPlatform) -> None:
    """It is an error, no finding."""
    async with platform.api() as api:
        with pytest.raises(ControlApiError, match="404"):
            await hidden_poll.check(api, "another")


# Fix


async def test_an_unpublished_poll_is_mended(platform: MemoryPlatform) -> None:
    """All that was found, in one update; fields that were right stay as they are."""
    spoiled = {**changed(SPREAD_FIELD, "5"), "reveal_results_mode": "never"}
    spoiled["custom_fields"][0]["values"]["all"] = 0  # the mark
    id_ = platform.add({**spoiled, "max_votes_per_user": 1})
    async with platform.api() as api:
        found = await hidden_poll.check(api, EVENT)
        assert len(found) == 4
        assert await hidden_poll.fix(api, found) == found
        assert await hidden_poll.check(api, EVENT) == []
    assert [each[:2] for each in platform.written] == [("PATCH", f"/elements/{id_}")]
    assert fields_of(platform, id_) == {
        POLL_MARK: 1,
        PAGE_FIELD: 0,
        SPREAD_FIELD: 5,
        SAMPLE_RATE_FIELD: 1.0,
    }


async def test_a_poll_gets_more_options(platform: MemoryPlatform) -> None:
    """And the votes for them; its question stays."""
    id_ = platform.add(attributes(options_per_poll=3, duration_s=3600))
    async with platform.api() as api:
        found = await hidden_poll.check(api, EVENT, rounds=8)
        await hidden_poll.fix(api, found)
        assert await hidden_poll.check(api, EVENT, rounds=8) == []
    assert platform.elements[id_]["max_votes_per_user"] == 8
    assert platform.elements[id_]["question"]["label"] == "Players of rounds 1 to 3"


async def test_what_cannot_be_mended_is_let_be(platform: MemoryPlatform) -> None:
    """A published poll, and what is no poll's."""
    platform.event["state"] = "current"
    platform.add({**attributes(duration_s=3600), "max_votes_per_user": 1}, state="current")
    platform.spec.clear()
    async with platform.api() as api:
        found = await hidden_poll.check(api, EVENT)
        assert [one.code for one in found] == ["content-type-unknown", "votes-per-user"]
        assert await hidden_poll.fix(api, found) == []
    assert platform.written == []


async def test_published_polls_are_replaced_when_asked(platform: MemoryPlatform) -> None:
    """The page, the options, rate and spread stay; what is found is mended, in a new poll."""
    platform.event["state"] = "current"
    first = attributes(0, options_per_poll=5, spread_s=6.0, sample_rate=0.5, duration_s=3600)
    second = attributes(1, options_per_poll=4, spread_s=6.0, sample_rate=0.5, duration_s=60)
    platform.add(first, state="current")
    platform.add(second, state="current")
    async with platform.api() as api:
        found = await hidden_poll.check(api, EVENT, rounds=10)
        assert [one.code for one in found] == ["pages-differ", "duration"]
        assert await hidden_poll.fix(api, found, replace_published=True) == found
        assert await hidden_poll.check(api, EVENT, rounds=10) == []
    assert [each["state"] for each in platform.elements.values()] == [
        "current",
        "revoked",
        "current",
    ]
    expected = attributes(1, options_per_poll=5, spread_s=6.0, sample_rate=0.5, duration_s=3600)
    assert platform.elements["element-3"] == {**expected, "state": "current"}


async def test_a_replacement_gets_the_page_that_was_found(platform: MemoryPlatform) -> None:
    """The old one did not name it."""
    platform.event["state"] = "current"
    platform.add(attributes(0, duration_s=3600), state="current")
    unnamed = {**changed(PAGE_FIELD, "second"), "content_type": "hidden-poll"}
    platform.add(unnamed, state="current")
    async with platform.api() as api:
        found = await hidden_poll.check(api, EVENT, rounds=20)
        await hidden_poll.fix(api, found, replace_published=True)
        assert await hidden_poll.check(api, EVENT, rounds=20) == []
    assert fields_of(platform, "element-3")[PAGE_FIELD] == 1


# Replace


async def test_a_replacement_is_there_before_the_old_one_goes(platform: MemoryPlatform) -> None:
    """Made and published in one request; then the old one is revoked."""
    platform.event["state"] = "current"
    old = platform.add(changed(SPREAD_FIELD, 500) | {"content_type": "hp"}, state="current")
    async with platform.api() as api:
        new = await hidden_poll.replace(api, old)
    made = attributes(0, spread_s=120.0, content_type="hp", duration_s=3600)
    assert platform.written == [
        ("POST", "/elements", {**made, "action": "publish"}),
        ("PATCH", f"/elements/{old}", {"action": "revoke"}),
    ]
    assert (new.id, new.state) == ("element-2", "current")


async def test_a_replacement_may_be_otherwise(platform: MemoryPlatform) -> None:
    """Whatever is asked for; without a duration of the event it is six hours."""
    platform.event |= {"state": "current", "duration": None}
    old = platform.add(changed(SAMPLE_RATE_FIELD, "all") | {"question": None}, state="past")
    asked: dict[str, Any] = {
        "options_per_poll": 3,
        "spread_s": 1.0,
        "sample_rate": 0.5,
        "content_type": "hp",
        "locale": "en",
    }
    async with platform.api() as api:
        new = await hidden_poll.replace(api, old, page=2, **asked)
        newer = await hidden_poll.replace(api, new.id, duration_s=60)
    assert platform.elements[new.id] == attributes(2, duration_s=21600, **asked) | {
        "state": "revoked"
    }
    assert platform.elements[old]["state"] == "past"  # there is nothing to revoke
    assert newer.duration == 60
    assert newer.fields[PAGE_FIELD] == 2
    assert newer.fields[SAMPLE_RATE_FIELD] == 0.5


async def test_only_what_is_published_is_replaced(platform: MemoryPlatform) -> None:
    """In an event that is on; else nothing is sent."""
    old = platform.add(attributes())
    async with platform.api() as api:
        with pytest.raises(MisuseError, match="never published"):
            await hidden_poll.replace(api, old)
        platform.elements[old]["state"] = "current"
        with pytest.raises(MisuseError, match="start it"):
            await hidden_poll.replace(api, old)
        platform.event["state"] = "current"
        with pytest.raises(MisuseError, match="spread_s is -1"):
            await hidden_poll.replace(api, old, spread_s=-1.0)
    assert platform.written == []
