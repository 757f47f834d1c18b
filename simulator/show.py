"""A show that is ready to run: what is made for a scenario, and what each of its steps is about.

The polls are those that the library's producer side makes, in virtual time as on sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from poll_counter.control import hidden_poll

from .content import settings_of
from .emulator import Delivery, Emulator, Settings
from .scenario import Scenario, Step

__all__ = [
    "Publication",
    "Show",
    "action",
    "poll_attributes",
    "poll_settings",
    "prepare",
    "trivia_attributes",
]


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


class Publication(NamedTuple):
    """One element published by the host, and how late."""

    kind: str
    """`poll` or `trivia`."""
    number: int
    """The poll's page, counted from 0, or the trivia's round."""
    late_ms: float
    """From when it was due until the Control API had answered."""


def poll_attributes(scenario: Scenario, page: int) -> dict[str, Any]:
    """A hidden poll of a scenario, as the Control API takes it; open until it is stopped."""
    return hidden_poll.attributes(
        page,
        options_per_poll=scenario.options_per_poll,
        spread_s=scenario.spread_s,
        sample_rate=scenario.sample_rate,
        duration_s=None,
    )


def poll_settings(scenario: Scenario, page: int) -> Settings:
    """A hidden poll of a scenario, as the emulator takes it."""
    return settings_of(poll_attributes(scenario, page), base_type="poll")


def trivia_attributes(number: int) -> dict[str, Any]:
    """A question, as the Control API takes it; its results are seen once it is closed."""

    def text(words: object) -> dict[str, Any]:
        return {"fields": [{"key": "text", "values": {"all": str(words)}}]}

    options = number * number, number * (number + 1), number * 3 + 7
    return {
        "content_type": "trivia",
        "label": f"Trivia {number}",
        "start_mode": "manual",
        "question": {
            **text(f"What is {number} times {number + 1}?"),
            "options": [text(option) for option in options],
        },
        "correct_option": 2,  # counted from 1 (contract 17.8)
        "reveal_results_mode": "close",
    }


def prepare(emulator: Emulator, scenario: Scenario, event_id: str) -> Show:
    """Make the event, its hidden polls and its trivia on the emulator itself (virtual time)."""
    emulator.add_event(event_id, "A trivia show")
    pages: dict[int, list[str]] = {}
    for step in scenario.steps:
        if step.kind == "poll" and step.action == "publish":
            poll = f"{event_id}-poll-{step.number}" + (f"-{step.copy}" if step.copy else "")
            pages.setdefault(step.number, []).append(poll)
            emulator.add_element(event_id, poll, poll_settings(scenario, step.number))
    trivia = tuple(f"{event_id}-trivia-{n + 1}" for n in range(scenario.rounds))
    for number, element_id in enumerate(trivia, start=1):
        question = settings_of(trivia_attributes(number), base_type="trivia")
        emulator.add_element(event_id, element_id, question)
    return Show(event_id, tuple(tuple(polls) for _, polls in sorted(pages.items())), trivia)


def action(emulator: Emulator, step: Step) -> Callable[[str, float], list[Delivery]]:
    """What a step asks the emulator to do (virtual time)."""
    actions = {
        "start": emulator.start,
        "publish": emulator.publish,
        "close": emulator.close,
        "revoke": emulator.revoke,
        "stop": emulator.stop,
    }
    return actions[step.action]
