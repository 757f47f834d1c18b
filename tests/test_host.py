"""The host: it makes a show through the Control API, runs it, and says how late it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from poll_counter.control import ControlApi
from poll_counter.elements import PAGE_FIELD, SAMPLE_RATE_FIELD, SPREAD_FIELD, Recognise
from poll_counter.rounds import Progress
from simulator.emulator import Entry
from simulator.host import make_show, requests_per_s, run_show
from simulator.platform import Platform
from simulator.scenario import Scenario
from simulator.show import Publication, Show
from simulator.sockets import choices_for


class Prepared(NamedTuple):
    """A show that is ready, and its platform."""

    platform: Platform
    api: ControlApi
    show: Show
    scenario: Scenario
    log: list[Entry]

    def happened(self) -> list[str]:
        """What the platform wrote down, in words; trivia are numbered."""
        names = {trivia: f"trivia-{n}" for n, trivia in enumerate(self.show.trivia, 1)}
        pages = enumerate(self.show.pages)
        names |= {poll: f"poll-{page}-{n}" for page, ids in pages for n, poll in enumerate(ids)}
        return [f"{e.kind} {names.get(e.element_id) or e.detail}" for e in self.log]


@asynccontextmanager
async def prepared(**changed: Any) -> AsyncGenerator[Prepared]:
    """Make a scenario's show on a platform."""
    log, scenario = list[Entry](), Scenario(**changed)
    async with Platform(choices_for(scenario), log=log) as platform, platform.api() as api:
        show = await make_show(api, platform.project_id, scenario)
        yield Prepared(platform, api, show, scenario, log)


async def test_everything_is_made_before_the_show() -> None:
    """Pages of polls, each with those that replace it, and trivia; nothing is published yet."""
    async with prepared(rounds=5, options_per_poll=2, replaced=(1, 2, 4)) as it:
        assert it.log == []
        assert [len(polls) for polls in it.show.pages] == [3, 2, 1]
        assert len(it.show.trivia) == 5
        elements = await it.api.elements(it.show.event_id)
        assert {e.id for e in elements} == {*it.show.polls, *it.show.trivia}
        assert {e.state for e in elements} == {"non_scheduled"}


async def test_polls_are_made_as_the_scenario_says() -> None:
    """Those that replace others, too; the library recognises them, and no trivia."""
    scenario: dict[str, Any] = {"options_per_poll": 2, "replaced": (3,), "sample_rate": 0.5}
    async with prepared(rounds=3, round_time=0.2, spread=1.25, **scenario) as it:
        await run_show(it.api, it.show, it.scenario)
        elements = it.platform.emulator.snapshot(it.show.event_id, 0.0).elements
    progress = Progress(Recognise()).with_snapshot(elements, 99)
    assert {page: poll.id for page, poll in progress.pages.items()} == {
        0: it.show.pages[0][0],
        1: it.show.pages[1][1],
    }
    assert (progress.options_per_poll, progress.finished) == (2, 3)
    for page, poll in progress.pages.items():
        fields = poll.custom_fields
        told = fields[PAGE_FIELD], fields[SPREAD_FIELD], fields[SAMPLE_RATE_FIELD]
        assert told == (page, 1.25, 0.5)


async def test_a_show_takes_its_time() -> None:
    """Every phase lasts at least as long as told; after each step it is told where it is."""
    times = list[tuple[float, str]]()
    async with prepared(rounds=2, round_time=0.4, pulled=(1,), taken_back=(2,)) as it:
        done = await run_show(
            it.api, it.show, it.scenario, lambda at: times.append((at, it.log[-1].kind))
        )
    scenario = it.scenario
    assert [at for at, _ in times] == list(scenario.step_times)
    assert [kind for _, kind in times][:3] == ["event", "published", "published"]
    assert it.happened() == [
        "event active",
        "published poll-0-0",
        "published trivia-1",
        "revoked trivia-1",
        "published trivia-1",
        "closed trivia-1",
        "published trivia-2",
        "closed trivia-2",
        "revoked trivia-2",
        "published trivia-2",
        "closed trivia-2",
        "event finished",
        "closed poll-0-0",
    ]
    waits = [step.after_s for step in scenario.steps[1:]]
    for (one, two), wait_s in zip(pairwise(it.log[:-1]), waits, strict=True):
        assert two.at - one.at >= wait_s - 0.001
    assert [each[:2] for each in done] == [
        ("poll", 0),
        ("trivia", 1),
        ("trivia", 1),
        ("trivia", 2),
        ("trivia", 2),
    ]
    assert all(isinstance(each, Publication) and each.late_ms >= 0.0 for each in done)


async def test_who_does_not_keep_the_time_need_not() -> None:
    """The callback is optional."""
    async with prepared(rounds=1, round_time=0.2) as it:
        await asyncio.wait_for(run_show(it.api, it.show, it.scenario), 10.0)
    assert it.happened()[-1] == "closed poll-0-0"


@pytest.mark.parametrize("round_time", [0.2, 2.0, 10.0])
def test_the_bucket_suits_the_show(round_time: float) -> None:
    """It refills twice as fast as the host asks, and never slower than a platform's own."""
    scenario = Scenario(rounds=100, round_time=round_time)
    asked = 212 / (100 * round_time)  # ten polls, a hundred trivia published and closed
    assert requests_per_s(scenario) == pytest.approx(asked, rel=0.02)
    assert choices_for(scenario).refill_per_s == pytest.approx(max(5.0, 2 * asked), rel=0.02)


@pytest.mark.parametrize(("players", "every_s"), [(10, 0.5), (5000, 0.5), (15_000, 1.5)])
def test_a_large_crowd_is_told_results_less_often(players: int, every_s: float) -> None:
    """As often as one process can tell them all, and never more often than a platform's own."""
    assert choices_for(Scenario(players=players)).results_interval_s == every_s
