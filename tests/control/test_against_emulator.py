"""The library's producer side on the emulator's: both ends, over HTTP on this machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from poll_counter.control import ControlApi, localised
from poll_counter.control.concurrency import ConcurrencyPublisher, Published
from poll_counter.elements import CONCURRENCY_FIELD
from poll_counter.errors import ControlApiError
from poll_counter.facts import EventUpdated
from simulator.choices import Choices
from simulator.content import Content
from simulator.control_api import control_api
from simulator.control_api.tokens import Tokens
from simulator.emulator import Delivery, Emulator
from simulator.web import WebServer

from .support import TOKEN, everything_about, new_token

VIEWER = "viewer-s3cr3t"


@dataclass
class Both:
    """A platform, and an api on it."""

    content: Content
    api: ControlApi
    url: str
    project_id: str
    told: list[Delivery] = field(default_factory=list)
    """What the clients of the live channel are told."""
    now: float = 1_000_000.0

    async def event(self) -> str:
        """An event that has started."""
        event = await self.api.create_event(
            self.project_id, {"name": "Final", "start_mode": "manual", "duration": 3600}
        )
        await self.api.start_event(event.id)
        return event.id


@asynccontextmanager
async def _served(choices: Choices) -> AsyncGenerator[Both, None]:
    content = Content(Emulator(), choices)
    tokens = Tokens(choices)
    tokens.add(TOKEN, "producer")
    tokens.add(VIEWER, "viewer")
    told, slept = list[Delivery](), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    app = control_api(
        content,
        now=lambda: served.now,
        tell=told.extend,
        tokens=tokens,
        monotonic=lambda: sum(slept),
    )
    async with (
        WebServer(app) as web,
        ControlApi(web.url, token=TOKEN, sleep=sleep, draw=lambda: 0.0) as api,
    ):
        served = Both(content, api, web.url, content.add_project("A show"), told)
        yield served


@pytest.fixture
async def both() -> AsyncGenerator[Both, None]:
    """Both ends, with a bucket that is never empty."""
    async with _served(Choices(bucket=10_000)) as both:
        yield both


async def test_an_event_from_its_creation_to_its_end(both: Both) -> None:
    """Its states, its fields, and the documented refusal to stop it twice."""
    await both.api.me()
    event_id = (await both.api.create_event(both.project_id, {"name": "Final"})).id
    await both.api.update_event(event_id, {"settings": [localised("title", "Hi", "en")]})
    event = await both.api.event(event_id)
    assert (event.name, event.state, event.project_id) == ("Final", "future", both.project_id)
    assert event.fields == {"title": "Hi"}
    await both.api.start_event(event_id)
    assert (await both.api.event(event_id)).state == "current"
    await both.api.stop_event(event_id)
    assert (await both.api.event(event_id)).state == "past"
    with pytest.raises(ControlApiError) as caught:
        await both.api.stop_event(event_id)
    assert caught.value.status == 422
    assert [problem.pointer for problem in caught.value.problems] == ["/data/attributes/action"]


async def test_an_element_from_its_creation_to_its_end(both: Both) -> None:
    """Published, closed, revealed, revoked, deleted."""
    api, event_id = both.api, await both.event()
    texts = [{"fields": [localised("text", text, "en")]} for text in ("Ann", "Bob")]
    trivia = await api.create_element(
        event_id,
        {
            "content_type": "trivia",
            "duration": 20,
            "correct_option": 1,
            "custom_fields": [localised("level", 3)],
            "question": {"fields": [localised("text", "Who?", "en")], "options": texts},
        },
    )
    assert (trivia.state, trivia.event_id) == ("non_scheduled", event_id)
    assert (trivia.option_texts, trivia.fields) == (["Ann", "Bob"], {"level": 3})
    await api.publish(trivia.id)
    assert [each.id for each in await api.elements(event_id, states=["current"])] == [trivia.id]
    await api.stop_element(trivia.id)
    await api.reveal_answer(trivia.id, 2)
    (closed,) = await api.elements(event_id, stats=True)
    assert (closed.state, closed.correct_option) == ("past", 2)
    assert closed.stats is not None
    assert (closed.stats.votes, [each.votes for each in closed.stats.results]) == (0, [0, 0])
    await api.revoke(trivia.id)
    assert (await api.element(trivia.id)).state == "revoked"
    await api.delete_element(trivia.id)
    with pytest.raises(ControlApiError, match="status 404"):
        await api.element(trivia.id)


async def test_all_pages_of_events(both: Both) -> None:
    """Beyond the largest page that the emulator gives."""
    ids = [
        both.content.create_event(both.project_id, {"name": f"{n}", "start_at": n + 1}, 0.0)[0]
        for n in range(250)
    ]
    events = await both.api.events(both.project_id, include=["stats"])
    assert [event.id for event in events] == ids
    assert all(event.stats is not None for event in events)
    newest = await both.api.events(both.project_id, states=["future"], newest_first=True)
    assert [event.id for event in newest] == ids[::-1]


async def test_the_chain_to_the_elements_spec(both: Both) -> None:
    """Project, app, spec (contract 18.5)."""
    spec = {entry.content_type: entry for entry in await both.api.elements_spec(both.project_id)}
    assert spec["trivia"].derived_from == "trivia"
    assert spec["rpoll-custom"].options_max == 10
    assert "poll_counter" in spec["hidden-poll"].field_keys


async def test_templates(both: Both) -> None:
    """Listed and read."""
    template_id = both.content.add_event_template(both.project_id, "Quiz")
    (template,) = await both.api.event_templates(both.project_id)
    assert template.id == template_id
    assert (await both.api.event_template(template_id)).attributes == template.attributes


async def test_the_bucket_of_requests_is_waited_for() -> None:
    """More calls than the bucket holds: 429, Retry-After, and all are carried out."""
    async with _served(Choices(bucket=3)) as both:
        event_id = await both.event()
        for number in range(10):
            await both.api.update_event(event_id, {"name": str(number)})
        assert (await both.api.event(event_id)).name == "9"


async def test_tokens_that_may_not(both: Both) -> None:
    """A viewer's reads and does not write; an unknown one does nothing; neither is told."""
    async with ControlApi(both.url, token=VIEWER) as api:
        await api.events(both.project_id)
        with pytest.raises(ControlApiError, match="status 403") as caught:
            await api.create_event(both.project_id, {"name": "Final"})
        assert VIEWER not in everything_about(caught.value)
    async with ControlApi(both.url, token=new_token()) as api:
        with pytest.raises(ControlApiError, match="status 401"):
            await api.me()


async def test_the_number_of_connected_users_reaches_every_client(both: Both) -> None:
    """Method 1 (contract 1.1): read, written into a field, told to the crowd."""
    event_id = await both.event()
    for connection in range(200):
        both.content.emulator.connect(connection, event_id, f"user-{connection}", both.now)
    reports = list[Published]()

    def report(published: Published) -> None:
        reports.append(published)
        if len(reports) == 2:
            both.told.extend(both.content.update_event(event_id, {"action": "stop"}, both.now))

    await ConcurrencyPublisher(both.api, event_id, testing_interval_s=0.01).run(report)
    assert [(each.value, each.written, each.why) for each in reports] == [
        (200, True, ""),
        (200, False, "it has not changed"),
        (200, False, "the event is over"),
    ]
    updates = [each.fact for each in both.told if isinstance(each.fact, EventUpdated)]
    assert updates[-1].fields == {CONCURRENCY_FIELD: 200}
    assert (await both.api.event(event_id)).fields == {CONCURRENCY_FIELD: 200}
