"""The show by hand: what each button asks the Control API for, and where the show then stands."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import pytest

from poll_counter import MisuseError
from poll_counter.control import ControlApi, ControlApiError
from poll_counter.rounds import sample_rate_of, spread_of
from simulator.studio.questions import COUNTDOWN_FIELD, QUESTIONS
from simulator.studio.settings import Settings
from simulator.studio.stage import ROUNDS, Stage, Step
from tests.support.http_site import HOST, PRODUCER, Site


class Made:
    """A stage on a platform without sockets."""

    def __init__(self) -> None:
        self.site = Site()
        transport = httpx.ASGITransport(app=self.site.app)
        self.api = ControlApi(HOST, token=PRODUCER, transport=transport, allow_plain=True)
        self.stage = Stage(self.api, self.site.project_id, self.site.emulator)

    async def take(self, *steps: Step) -> None:
        """Take steps, a second each."""
        for step in steps:
            self.site.now += 1.0
            await self.stage.take(step)


@pytest.fixture
async def made() -> AsyncGenerator[Made]:
    """A stage with its first show."""
    made = Made()
    async with made.api:
        await made.stage.new_show()
        yield made


async def test_a_show_runs_step_by_step(made: Made) -> None:
    """The next step leads from the start to the end; each is done as the host would do it."""
    stage, taken = made.stage, list[Step]()
    while (step := stage.next_step) is not None:
        await made.take(step)
        taken.append(step)
    rounds = ["publish_trivia", "close_trivia"] * ROUNDS
    assert taken == ["start", "publish_poll", *rounds, "stop"]
    assert (stage.event.state, stage.round, stage.next_trivia) == ("finished", ROUNDS + 1, None)


async def test_the_platform_refuses_in_its_own_words(made: Made) -> None:
    """What cannot be done now is asked for all the same."""
    steps: tuple[Step, ...] = ("publish_poll", "publish_trivia")
    for step in steps:
        with pytest.raises(ControlApiError) as refused:
            await made.stage.take(step)
        assert refused.value.status == 422
        assert [p.detail for p in refused.value.problems] == [
            "can't publish unless the event is active"
        ]
    await made.take("start", "stop")
    with pytest.raises(ControlApiError, match="422"):
        await made.stage.stop()


async def test_a_poll_that_was_refused_is_not_left_behind(made: Made) -> None:
    """Else `hidden_poll.check` would find two of one page after the next try."""
    with pytest.raises(ControlApiError):
        await made.stage.publish_poll()
    assert made.stage.poll is None
    await made.take("start", "publish_poll")
    polls = [
        e for e in await made.api.elements(made.stage.event_id) if e.fields.get("poll_counter")
    ]
    assert [poll.id for poll in polls] == [made.stage.polls[0].id]
    assert made.stage.findings == []


async def test_settings_hold_from_the_next_poll_and_trivia(made: Made) -> None:
    """What is out keeps what it was made with."""
    stage = made.stage
    stage.settings = Settings(spread_s=7.5, sample_rate=0.5, trivia_s=30)
    await made.take("start", "publish_poll", "publish_trivia")
    stage.settings = Settings()
    poll = stage.poll
    assert poll is not None
    assert poll.live is not None
    assert (spread_of(poll.live, 0.0), sample_rate_of(poll.live)) == (7.5, 0.5)
    assert stage.polls[0].settings.spread_s == 7.5
    trivia = made.site.emulator.element(stage.trivia[0]).live
    assert trivia is not None
    assert trivia.custom_fields[COUNTDOWN_FIELD] == 30
    assert (trivia.question, trivia.options) == QUESTIONS[0][:2]


async def test_a_trivia_closes_by_itself(made: Made) -> None:
    """After its seconds, as the platform has it; the host may be quicker."""
    stage = made.stage
    await made.take("start", "publish_poll", "publish_trivia")
    assert (stage.open_trivia, stage.round) == (1, 1)
    made.site.emulator.wake(made.site.now + stage.settings.trivia_s)
    assert (stage.open_trivia, stage.round) == (None, 2)


async def test_a_poll_that_is_open_is_replaced(made: Made) -> None:
    """The new one is made as the settings are by then, and the old one is gone."""
    stage = made.stage
    await made.take("start", "publish_poll", "publish_trivia", "close_trivia")
    stage.settings = Settings(spread_s=1.0)
    told = await stage.publish_poll()
    assert "voted anew" in told
    assert [poll.round for poll in stage.polls] == [1, 2]
    assert [poll.settings.spread_s for poll in stage.polls] == [3.0, 1.0]
    assert made.site.emulator.element(stage.polls[0].id).live is None
    assert stage.findings == []


async def test_what_is_revoked_can_come_again(made: Made) -> None:
    """A trivia with its number, a poll as a new one; what is not there cannot be revoked."""
    stage = made.stage
    with pytest.raises(MisuseError, match="No trivia is published"):
        await stage.revoke_trivia()
    with pytest.raises(MisuseError, match="No hidden poll is published"):
        await stage.revoke_poll()
    await made.take("start", "publish_poll", "publish_trivia", "close_trivia", "publish_trivia")
    assert "Trivia 2 is gone" in await stage.revoke_trivia()
    assert "Trivia 1 is gone" in await stage.revoke_trivia()
    assert (stage.round, stage.next_trivia, stage.open_trivia) == (1, 1, None)
    await made.take("publish_trivia")
    assert stage.open_trivia == 1
    await stage.revoke_poll()
    assert [finding.code for finding in stage.findings] == ["poll-revoked"]
    assert stage.next_step == "publish_poll"
    await made.take("publish_poll")
    assert len({poll.id for poll in stage.polls}) == 2


async def test_there_is_nothing_to_close_or_to_publish(made: Made) -> None:
    """Both are said in a sentence that tells what to do."""
    with pytest.raises(MisuseError, match="Publish the next one first"):
        await made.stage.close_trivia()
    await made.take("start", *(["publish_trivia", "close_trivia"] * ROUNDS))  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match="All ten trivia are played"):
        await made.stage.publish_trivia()


async def test_a_new_show_ends_the_one_before(made: Made) -> None:
    """Its event is another one, with nothing published."""
    stage = made.stage
    await made.take("start", "publish_poll")
    first = stage.event_id
    await stage.new_show()
    assert made.site.emulator.event(first).state == "finished"
    assert stage.event_id != first
    assert (stage.polls, stage.poll, stage.round) == ([], None, 1)
    assert stage.next_step == "start"
    await made.take("start", "stop")
    await stage.new_show()  # one that is over needs no end
    assert stage.shows == 3


def test_every_question_can_be_asked() -> None:
    """Three options, of which one is right; none twice."""
    assert len({question.text for question in QUESTIONS}) == ROUNDS == 10
    for question in QUESTIONS:
        assert len(set(question.options)) == 3
        assert 1 <= question.correct <= 3
