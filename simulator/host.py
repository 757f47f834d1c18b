"""The host: the scripted producer, who publishes the hidden poll and then trivia by trivia."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from poll_counter.elements import PAGE_FIELD, POLL_MARK, SAMPLE_RATE_FIELD, SPREAD_FIELD

from .emulator import Delivery, Emulator, Settings
from .scenario import OPTIONS_PER_POLL, Scenario, Step
from .server import LiveServer

__all__ = ["Show", "action", "hidden_poll", "prepare", "run_show"]


@dataclass(frozen=True, slots=True)
class Show:
    """A show that is ready to run: ids of what was made."""

    event_id: str
    pages: tuple[tuple[str, ...], ...]
    """Page -> the ids of its hidden polls, each of which replaces the one before."""
    trivia: tuple[str, ...]
    """Trivia, in the order they are played."""

    @property
    def polls(self) -> tuple[str, ...]:
        """All hidden polls."""
        return tuple(poll for polls in self.pages for poll in polls)

    def subject(self, step: Step) -> str:
        """The id of what a step is about."""
        if step.kind == "event":
            return self.event_id
        if step.kind == "poll":
            return self.pages[step.number][step.copy]
        return self.trivia[step.number - 1]


def hidden_poll(
    page: int,
    spread_s: float,
    options: int = OPTIONS_PER_POLL,
    sample_rate: float = 1.0,
) -> Settings:
    """The settings of a hidden poll: every user may vote once for each option (contract 1.2)."""
    return Settings(
        content_type="hidden-poll",
        type="poll",
        question="Who is in?",
        options=tuple(f"Round {page * options + n + 1}" for n in range(options)),
        custom_fields={
            POLL_MARK: 1,
            PAGE_FIELD: page,
            SPREAD_FIELD: spread_s,
            SAMPLE_RATE_FIELD: sample_rate,
        },
        max_votes_per_user=options,
        max_votes_per_option=1,
        reveal_results_mode="vote",
    )


def prepare(emulator: Emulator, scenario: Scenario, event_id: str) -> Show:
    """Make the event, its hidden polls and its trivia, before anything is published."""
    emulator.add_event(event_id, "A trivia show")
    pages: dict[int, list[str]] = {}
    for step in scenario.steps:
        if step.kind == "poll" and step.action == "publish":
            poll = f"{event_id}-poll-{step.number}" + (f"-{step.copy}" if step.copy else "")
            pages.setdefault(step.number, []).append(poll)
            settings = hidden_poll(
                step.number, scenario.spread_s, scenario.options_per_poll, scenario.sample_rate
            )
            emulator.add_element(event_id, poll, settings)
    trivia = tuple(f"{event_id}-trivia-{n + 1}" for n in range(scenario.rounds))
    for number, element_id in enumerate(trivia, start=1):
        question = Settings(
            content_type="trivia",
            type="trivia",
            question=f"What is {number} times {number + 1}?",
            options=(str(number * number), str(number * (number + 1)), str(number * 3 + 7)),
            reveal_results_mode="close",
        )
        emulator.add_element(event_id, element_id, question)
    return Show(event_id, tuple(tuple(polls) for _, polls in sorted(pages.items())), trivia)


def action(emulator: Emulator, step: Step) -> Callable[[str, float], list[Delivery]]:
    """What a step asks the emulator to do."""
    actions = {
        "start": emulator.start,
        "publish": emulator.publish,
        "close": emulator.close,
        "revoke": emulator.revoke,
        "stop": emulator.stop,
    }
    return actions[step.action]


async def run_show(
    server: LiveServer,
    show: Show,
    scenario: Scenario,
    keep_time: Callable[[float], object] = lambda _at: None,
) -> None:
    """Run a show: start the event, publish the hidden polls, play every trivia, stop the event.

    Every phase lasts at least its time: a machine that stops for a moment makes the show longer,
    not a phase shorter than votes need. `keep_time` is told after every step when it was planned,
    in seconds from the beginning of round 1.
    """
    for step, at in zip(scenario.steps, scenario.step_times, strict=True):
        if step.after_s:
            await asyncio.sleep(step.after_s)
        server.act(action(server.emulator, step), show.subject(step))
        keep_time(at)
