"""The command line against the served emulator: a poll is made, spoiled, reported and mended."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from poll_counter.control import TOKEN_VARIABLE, ControlApi, localised
from poll_counter.elements import PAGE_FIELD, POLL_MARK, SAMPLE_RATE_FIELD, SPREAD_FIELD
from simulator.choices import Choices
from simulator.platform import Platform
from tests.support.command_line import CommandLine

ROUNDS = 10


@pytest.fixture
async def platform() -> AsyncGenerator[Platform, None]:
    """A platform on loopback, with which no token has to wait."""
    async with Platform(Choices(bucket=10**6)) as platform:
        yield platform


@pytest.fixture
async def api(platform: Platform) -> AsyncGenerator[ControlApi, None]:
    """Another hand on the same event: Studio's, so to speak."""
    async with platform.api() as api:
        yield api


@pytest.fixture
async def event(platform: Platform, api: ControlApi) -> str:
    """An event of an hour with its ten trivia, not started."""
    made = await api.create_event(platform.project_id, {"name": "Friday", "duration": 3600})
    trivia = {"content_type": "trivia", "correct_option": 1, "question": question(2)}
    for _ in range(ROUNDS):
        await api.create_element(made.id, trivia)
    return made.id


@pytest.fixture
def command(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line of the platform's producer."""
    monkeypatch.setenv(TOKEN_VARIABLE, platform.token)
    return CommandLine(platform.web.url)


def question(options: int) -> dict[str, Any]:
    """A question with so many options."""
    text = {"fields": [localised("text", "?")]}
    return {**text, "options": [text] * options}


def field(key: str, value: Any) -> dict[str, Any]:
    """The attributes that set a custom field."""
    return {"custom_fields": [localised(key, value)]}


SPOILED: dict[str, dict[str, Any]] = {
    "too-few-options": {"question": question(4)},
    "votes-per-user": {"max_votes_per_user": 1},
    "votes-per-option": {"max_votes_per_option": 2},
    "options-per-vote": {"min_options_per_vote": 2, "max_options_per_vote": 2},
    "reveal-results": {"reveal_results_mode": "event_end"},
    "verified-only": {"require_verified_user": True},
    "certification": {"certification": True},
    "duration": {"duration": 60},
    "mark-missing": field(POLL_MARK, None),
    "page-unnamed": field(PAGE_FIELD, None),
    "page-not-whole": field(PAGE_FIELD, 0.5),
    "number-in-string": field(SPREAD_FIELD, "3"),
    "spread": field(SPREAD_FIELD, 500),
    "sample-rate": field(SAMPLE_RATE_FIELD, 2),
    "latest-results": {"include_in_latest_results_feed": True},
    "timecode": {"start_mode": "timecode", "offset": 60},
}
"""What is found -> how the poll is spoiled."""


async def codes(command: CommandLine, event: str, *words: str) -> tuple[int, list[str], list[str]]:
    """Check: the exit code, what is found, what was mended."""
    code = await command.run("poll", "check", event, "--json", *words)
    assert command.err == ""
    told = json.loads(command.out)
    found, mended = ([one["code"] for one in told[key]] for key in ("findings", "mended"))
    return code, found, mended


async def test_made_checked_spoiled_reported_and_mended(
    command: CommandLine, event: str, api: ControlApi
) -> None:
    """In every way a poll that is not published is reported, with its mend, and --fix mends it."""
    assert await command.run("poll", "create", event, "--json") == 0
    (poll,) = command.json
    assert await codes(command, event) == (0, [], [])
    for code, attributes in SPOILED.items():
        await api.update_element(poll["id"], attributes)
        assert await codes(command, event) == (1, [code], []), code
        assert await codes(command, event, "--fix") == (0, [], [code]), code
    assert await command.run("poll", "create", event, "--spread", "120", "--json") == 0
    assert command.json == [poll]  # with the spread that 500 s were clamped to


async def test_a_published_poll_is_replaced(
    command: CommandLine, event: str, api: ControlApi
) -> None:
    """Not by --fix; --replace makes another one, which is clean."""
    await api.start_event(event)
    assert (
        await command.run("poll", "create", event, "--rounds", "4", "--options", "4", "--publish")
        == 0
    )
    assert await command.run("poll", "check", event, "--rounds", "10", "--fix") == 1
    assert "votes so far are lost" in command.out
    assert f"poll create {event} --options 4 --publish" in command.out
    assert await codes(command, event, "--replace") == (0, [], ["too-few-options"])
    states = [each.state for each in await api.elements(event) if each.fields]
    assert sorted(states) == ["current", "revoked"]


async def test_what_is_missing_is_made_by_the_command_that_is_told(
    command: CommandLine, event: str, api: ControlApi
) -> None:
    """Word by word; then all is well."""
    await api.start_event(event)
    words = ("--rounds", "4", "--options", "4", "--spread", "1.5", "--publish")
    assert await command.run("poll", "create", event, *words) == 0
    assert await command.run("poll", "check", event) == 1
    told = command.out.partition("poll-counter ")[2].splitlines()[0].removesuffix(", which")
    assert await command.run(*told.split()) == 0
    assert await codes(command, event) == (0, [], [])


async def test_an_app_whose_spec_does_not_know_the_poll(
    command: CommandLine, platform: Platform, api: ControlApi
) -> None:
    """The platform refuses the poll, and check says why."""
    project = platform.content.add_project("Other", elements_spec=[])
    made = await api.create_event(project, {"name": "Friday"})
    assert await command.run("poll", "create", made.id) == 3
    assert "content_type" in command.err
    assert await codes(command, made.id) == (1, ["content-type-unknown", "no-poll"], [])
