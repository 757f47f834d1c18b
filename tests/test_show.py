"""A show: what is made for a scenario, and what each of its steps does to the platform."""

from __future__ import annotations

from typing import Any

import pytest

from poll_counter.elements import PAGE_FIELD, SAMPLE_RATE_FIELD, SPREAD_FIELD, Recognise
from poll_counter.rounds import Progress
from simulator.emulator import Emulator, EmulatorError, Entry
from simulator.scenario import Scenario
from simulator.show import Show, action, poll_settings, prepare


def prepared(**changed: Any) -> tuple[Emulator, Show, Scenario, list[Entry]]:
    """Prepare a scenario."""
    log = list[Entry]()
    emulator, scenario = Emulator(log=log), Scenario(**changed)
    return emulator, prepare(emulator, scenario, "show"), scenario, log


def happened(log: list[Entry]) -> list[str]:
    """What the platform wrote down, in words."""
    return [f"{entry.kind} {entry.element_id or entry.detail}" for entry in log]


def test_the_ids_of_a_show() -> None:
    """Pages of polls, each with those that replace it; trivia in their order."""
    _, show, *_ = prepared(rounds=5, options_per_poll=2, replaced=(1, 2, 4))
    assert show.event_id == "show"
    assert show.pages == (
        ("show-poll-0", "show-poll-0-1", "show-poll-0-2"),
        ("show-poll-1", "show-poll-1-1"),
        ("show-poll-2",),
    )
    assert show.polls == tuple(poll for polls in show.pages for poll in polls)
    assert show.trivia == tuple(f"show-trivia-{number}" for number in range(1, 6))


def test_a_hidden_poll_counts_every_user_once_for_each_option() -> None:
    """Ten options and named by round; its fields tell page, spread and sample rate."""
    settings = poll_settings(Scenario(spread=2.5, sample_rate=0.25), 1)
    assert len(settings.options) == 10
    assert (settings.options[0], settings.options[-1]) == ("Round 11", "Round 20")
    assert (settings.max_votes_per_user, settings.max_votes_per_option) == (10, 1)
    fields = settings.custom_fields
    assert (fields[PAGE_FIELD], fields[SPREAD_FIELD], fields[SAMPLE_RATE_FIELD]) == (1, 2.5, 0.25)
    assert settings.reveal_results_mode == "vote"


def test_polls_are_made_as_the_scenario_says() -> None:
    """Those that replace others, too; the library recognises them, and no trivia."""
    emulator, show, scenario, _ = prepared(
        rounds=3, options_per_poll=2, replaced=(3,), sample_rate=0.5, spread=1.25
    )
    for step in scenario.steps[:-1]:
        action(emulator, step)(show.subject(step), 0.0)
    elements = emulator.snapshot("show", 0.0).elements
    progress = Progress(Recognise()).with_snapshot(elements, 99)
    assert {page: poll.id for page, poll in progress.pages.items()} == {
        0: "show-poll-0",
        1: "show-poll-1-1",
    }
    assert (progress.options_per_poll, progress.finished) == (2, 3)
    assert set(progress.rates.values()) == {0.5}
    assert {poll.custom_fields[SPREAD_FIELD] for poll in progress.polls} == {1.25}


def test_every_step_does_what_it_says() -> None:
    """Start, publish, close, revoke, stop: in the scenario's order."""
    emulator, show, scenario, log = prepared(
        rounds=2, pulled=(1,), taken_back=(2,), replaced=(2,), options_per_poll=2
    )
    for step in scenario.steps:
        action(emulator, step)(show.subject(step), 0.0)
    assert happened(log) == [
        "event active",
        "published show-poll-0",
        "published show-trivia-1",
        "revoked show-trivia-1",
        "published show-trivia-1",
        "closed show-trivia-1",
        "revoked show-poll-0",
        "published show-poll-0-1",
        "published show-trivia-2",
        "closed show-trivia-2",
        "revoked show-trivia-2",
        "published show-trivia-2",
        "closed show-trivia-2",
        "event finished",
        "closed show-poll-0-1",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"rounds": 35},
        {"rounds": 4, "pulled": (1, 2, 3, 4), "taken_back": (1, 2, 3, 4), "replaced": (1, 2, 3, 4)},
        {"rounds": 1, "options_per_poll": 1},
    ],
    ids=str,
)
def test_no_step_is_refused(changed: dict[str, Any]) -> None:
    """Whatever the scenario, the platform does all that its steps ask for."""
    emulator, show, scenario, _ = prepared(**changed)
    for step in scenario.steps:
        action(emulator, step)(show.subject(step), 0.0)


def test_an_event_is_prepared_once() -> None:
    """Two shows are two events."""
    emulator, *_ = prepared()
    with pytest.raises(EmulatorError, match="already"):
        prepare(emulator, Scenario(), "show")
