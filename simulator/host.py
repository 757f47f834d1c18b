"""The host: the scripted producer, who makes and runs a show through the Control API."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from poll_counter.control import ControlApi, hidden_poll

from .scenario import Scenario, Step
from .show import Publication, Show, poll_attributes, trivia_attributes

__all__ = ["make_show", "requests_per_s", "run_show"]

EVENT_S_MIN = 3600
"""How long an event is planned, at least: the host stops it, in time or late."""


def requests_per_s(scenario: Scenario) -> float:
    """How often the host of a show asks the Control API, on the average."""
    return len(scenario.steps) / scenario.show_s


async def make_show(api: ControlApi, project_id: str, scenario: Scenario) -> Show:
    """Make the event, its hidden polls and its trivia, before anything is published."""
    event = await api.create_event(
        project_id,
        {
            "name": "A trivia show",
            "start_mode": "manual",
            "duration": max(EVENT_S_MIN, math.ceil(2 * scenario.show_s)),
            "end_mode": "duration",
            "settings": [],
        },
    )
    polls = await hidden_poll.create(
        api,
        event.id,
        rounds=scenario.rounds,
        options_per_poll=scenario.options_per_poll,
        spread_s=scenario.spread_s,
        sample_rate=scenario.sample_rate,
    )
    pages = [[poll.id] for poll in polls]
    for step in scenario.steps:
        if step[1:3] == ("publish", "poll") and step.copy:
            copy = await api.create_element(event.id, poll_attributes(scenario, step.number))
            pages[step.number].append(copy.id)
    trivia = [
        (await api.create_element(event.id, trivia_attributes(number))).id
        for number in range(1, scenario.rounds + 1)
    ]
    return Show(event.id, tuple(map(tuple, pages)), tuple(trivia))


async def run_show(
    api: ControlApi,
    show: Show,
    scenario: Scenario,
    keep_time: Callable[[float], object] = lambda _at: None,
) -> list[Publication]:
    """Run a show: start the event, publish the hidden polls, play every trivia, stop the event.

    Every phase lasts at least its time: a machine that stops for a moment makes the show longer,
    not a phase shorter than votes need. `keep_time` is told after every step when it was planned,
    in seconds from the beginning of round 1.
    """
    loop = asyncio.get_running_loop()
    done, publications = loop.time(), list[Publication]()
    for step, at in zip(scenario.steps, scenario.step_times, strict=True):
        due = done + step.after_s
        await asyncio.sleep(due - loop.time())
        await _act(api, step, show.subject(step))
        done = loop.time()
        if step.action == "publish":
            late_ms = (done - due) * 1000.0
            publications.append(Publication(step.kind, step.number, late_ms))
        keep_time(at)
    return publications


async def _act(api: ControlApi, step: Step, subject: str) -> None:
    """Do what a step asks for, through the Control API."""
    if step.kind == "event":
        await (api.start_event if step.action == "start" else api.stop_event)(subject)
    else:
        actions = {
            "publish": api.publish,
            "close": api.stop_element,
            "revoke": api.revoke,
        }
        await actions[step.action](subject)
