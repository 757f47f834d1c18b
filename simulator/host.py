"""The host: the scripted producer, who publishes the hidden poll and then trivia by trivia."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from poll_counter.elements import PAGE_FIELD, POLL_MARK, SPREAD_FIELD

from .emulator import Emulator, Settings
from .scenario import OPTIONS_PER_POLL, Scenario
from .server import LiveServer

__all__ = ["Show", "hidden_poll", "prepare", "run_show"]


@dataclass(frozen=True, slots=True)
class Show:
    """A show that is ready to run: ids of what was made."""

    event_id: str
    polls: tuple[str, ...]
    """Hidden polls, in page order."""
    trivia: tuple[str, ...]
    """Trivia, in the order they are played."""


def hidden_poll(page: int, spread_s: float, options: int = OPTIONS_PER_POLL) -> Settings:
    """The settings of a hidden poll: every user may vote once for each option (contract 1.2)."""
    return Settings(
        content_type="hidden-poll",
        type="poll",
        question="Who is in?",
        options=tuple(f"Round {page * options + n + 1}" for n in range(options)),
        custom_fields={POLL_MARK: 1, PAGE_FIELD: page, SPREAD_FIELD: spread_s},
        max_votes_per_user=options,
        max_votes_per_option=1,
        reveal_results_mode="vote",
    )


def prepare(emulator: Emulator, scenario: Scenario, event_id: str) -> Show:
    """Make the event, its hidden polls and its trivia, before anything is published."""
    emulator.add_event(event_id, "A trivia show")
    pages = -(-scenario.rounds // OPTIONS_PER_POLL)
    polls = tuple(f"{event_id}-poll-{page}" for page in range(pages))
    for page, poll in enumerate(polls):
        emulator.add_element(event_id, poll, hidden_poll(page, scenario.spread_s))
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
    return Show(event_id, polls, trivia)


async def run_show(
    server: LiveServer,
    show: Show,
    scenario: Scenario,
    began: Callable[[], object] = lambda: None,
) -> None:
    """Run a show: start the event, publish the hidden polls, play every trivia, stop the event.

    Every phase lasts at least its time: a machine that stops for a moment makes the show longer,
    not a phase shorter than votes need. `began` is called when round 1 begins.
    """
    emulator = server.emulator
    server.act(emulator.start, show.event_id)
    for poll in show.polls:
        server.act(emulator.publish, poll)
    began()
    for trivia in show.trivia:
        await asyncio.sleep(scenario.waiting_s)
        server.act(emulator.publish, trivia)
        await asyncio.sleep(scenario.playing_s)
        server.act(emulator.close, trivia)
    server.act(emulator.stop, show.event_id)
