"""The command line: what it takes, what it prints, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from poll_counter.cli import main
from poll_counter.cli.control import control_api
from poll_counter.cli.options import make_parser
from poll_counter.cli.terminal import Terminal
from poll_counter.control import TOKEN_VARIABLE, ControlApi, hidden_poll
from poll_counter.elements import CONCURRENCY_FIELD
from poll_counter.errors import MisuseError
from simulator.choices import Choices
from simulator.platform import Platform

from .support.command_line import CommandLine, Screen

ROOT = Path(__file__).parents[1]
NOBODY = "http://127.0.0.1:9"
"""Where nobody listens: the discard port."""


@pytest.fixture
async def platform() -> AsyncGenerator[Platform, None]:
    """A platform on loopback, with which no token has to wait."""
    async with Platform(Choices(bucket=10**6)) as platform:
        yield platform


@pytest.fixture
def command(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line of that platform's producer."""
    monkeypatch.setenv(TOKEN_VARIABLE, platform.token)
    return CommandLine(platform.web.url)


@pytest.fixture
async def event(platform: Platform) -> str:
    """An event of an hour, not started."""
    async with platform.api() as api:
        made = await api.create_event(platform.project_id, {"name": "Friday", "duration": 3600})
    return made.id


# Poll create


async def test_create_shows_what_is_there(command: CommandLine, event: str) -> None:
    """A table of the pages; run twice, the same polls."""
    assert await command.run("poll", "create", event, "--rounds", "12") == 0
    heading, first, second = command.out.splitlines()
    assert heading.split() == ["id", "page", "options", "state"]
    assert first.split()[1:] == ["0", "10", "non_scheduled"]
    assert second.split()[1:] == ["1", "10", "non_scheduled"]
    once = command.out
    assert await command.run("poll", "create", event, "--rounds", "12") == 0
    assert (command.out, command.err) == (once, "")


async def test_create_takes_every_option(
    command: CommandLine, event: str, platform: Platform
) -> None:
    """They are what the poll is made of."""
    async with platform.api() as api:
        await api.start_event(event)
        words = "--rounds 3 --options 2 --spread 4.5 --sample-rate 0.5 --duration 60 --locale de"
        code = await command.run("poll", "create", event, *words.split(), "--publish", "--json")
        assert code == 0
        first, second = command.json
        assert (first["page"], first["options"], first["state"]) == (0, 2, "current")
        assert (second["page"], second["options"], second["state"]) == (1, 2, "current")
        poll = await api.element(first["id"])
    assert poll.duration == 60
    assert poll.fields["poll_counter_spread_s"] == 4.5
    assert poll.fields["poll_counter_sample_rate"] == 0.5
    fields = poll.attributes["question"]["options"][0]["fields"]
    assert fields == [{"key": "text", "values": {"de": "Round 1"}}]


async def test_create_with_a_content_type_of_ones_own(command: CommandLine, event: str) -> None:
    """The one that the app's spec has for polls."""
    words = ("poll", "create", event, "--content-type", "rpoll-custom", "--json")
    assert await command.run(*words) == 0
    assert len(command.json) == 1
    assert await command.run("poll", "create", event) == 2
    assert "content_type rpoll-custom, not hidden-poll" in command.err


async def test_create_on_a_screen(command: CommandLine, event: str) -> None:
    """The same table, in bold."""
    assert await command.run("poll", "create", event, screen=True) == 0
    assert "\x1b[1m" in command.out
    assert "non_scheduled" in command.out


# Poll check


async def test_check_a_clean_poll(command: CommandLine, event: str) -> None:
    """Exit code 0, for people and for scripts."""
    await command.run("poll", "create", event)
    assert await command.run("poll", "check", event, "--rounds", "10") == 0
    assert (command.out, command.err) == ("Nothing would spoil the count.\n", "")
    assert await command.run("poll", "check", event, "--json") == 0
    assert command.json == {"ok": True, "findings": [], "mended": []}


async def spoil(platform: Platform, event: str, *, published: bool) -> str:
    """Make a poll that is wrong in two ways, one of which is a warning."""
    async with platform.api() as api:
        spoiled = hidden_poll.attributes(duration_s=3600)
        spoiled |= {"max_votes_per_user": 1, "certification": True}
        if published:
            await api.start_event(event)
            spoiled["action"] = "publish"
        return (await api.create_element(event, spoiled)).id


async def test_check_tells_reason_and_mend(
    command: CommandLine, event: str, platform: Platform
) -> None:
    """Exit code 1; nothing is changed until that is asked for."""
    poll = await spoil(platform, event, published=False)
    for _ in range(2):
        assert await command.run("poll", "check", event) == 1
        assert command.out == (
            f"error votes-per-user ({poll})\n"
            "    max_votes_per_user is 1, and every player votes once for each of the 10 options: "
            "the votes of later rounds are refused.\n"
            "    Give it max_votes_per_user = 10.\n"
            f"warning certification ({poll})\n"
            "    Certification is on: votes are audited, which takes time, and some may be "
            "excluded.\n"
            "    Give it certification = false.\n"
            "--fix mends 2 of 2.\n"
        )


async def test_check_mends(command: CommandLine, event: str, platform: Platform) -> None:
    """What is mended is said, and the rest is clean."""
    poll = await spoil(platform, event, published=False)
    assert await command.run("poll", "check", event, "--fix") == 0
    lines = command.out.splitlines()
    assert lines[0] == f"mended votes-per-user ({poll})"
    assert lines[2] == f"mended certification ({poll})"
    assert lines[4:] == ["Nothing would spoil the count."]
    assert await command.run("poll", "check", event, "--fix", "--json") == 0
    assert command.json["mended"] == []


async def test_check_replaces_when_told(
    command: CommandLine, event: str, platform: Platform
) -> None:
    """A published poll is not mended by --fix: its votes would be lost."""
    old = await spoil(platform, event, published=True)
    assert await command.run("poll", "check", event, "--fix") == 1
    assert "--replace mends 2 of 2, by new polls: the votes so far" in command.out
    assert "mended" not in command.out
    assert await command.run("poll", "check", event, "--replace", "--json") == 0
    told = command.json
    assert told["ok"]
    assert [(one["code"], one["element_id"]) for one in told["mended"]] == [
        ("votes-per-user", old),
        ("certification", old),
    ]
    async with platform.api() as api:
        states = {each.id: each.state for each in await api.elements(event)}
    assert states.pop(old) == "revoked"
    assert list(states.values()) == ["current"]


async def test_check_for_scripts(command: CommandLine, event: str, platform: Platform) -> None:
    """Every finding, whole."""
    poll = await spoil(platform, event, published=False)
    assert await command.run("poll", "check", event, "--json") == 1
    told = command.json
    assert not told["ok"]
    assert sorted(told["findings"][0]) == [
        "attribute",
        "code",
        "element_id",
        "fixable",
        "mend",
        "reason",
        "replaceable",
        "severity",
    ]
    assert [one["element_id"] for one in told["findings"]] == [poll, poll]


async def test_check_takes_every_option(
    command: CommandLine, event: str, platform: Platform
) -> None:
    """Rounds, ids, the content type, the project."""
    async with platform.api() as api:
        plain = hidden_poll.attributes(content_type="rpoll-custom", duration_s=3600)
        poll = await api.create_element(event, {**plain, "custom_fields": []})

    async def codes(*words: str) -> list[str]:
        await command.run("poll", "check", event, *words, "--json")
        return [one["code"] for one in command.json["findings"]]

    assert await codes() == ["no-poll"]
    assert await codes("--content-type", "rpoll-custom") == [
        "fields-absent",
        "mark-missing",
        "page-unnamed",
    ]
    assert await codes("--poll", poll.id) == ["fields-absent"]
    assert await codes("--poll", poll.id, "--poll", "other", "--rounds", "20") == [
        "fields-absent",
        "poll-unknown",
        "too-few-options",
    ]
    assert await codes("--project", "00000000-0000-0000-0000-000000000000") == [
        "no-poll",
        "spec-unread",
    ]


async def test_check_on_a_screen(command: CommandLine, event: str, platform: Platform) -> None:
    """Errors in red, warnings in yellow, all is well in green; square brackets are let be."""
    await spoil(platform, event, published=False)
    assert await command.run("poll", "check", event, "--poll", "[red]", screen=True) == 1
    assert "\x1b[31merror poll-unknown ([red])" in command.out
    assert await command.run("poll", "check", event, screen=True) == 1
    assert "\x1b[33mwarning certification" in command.out
    assert await command.run("poll", "check", event, "--fix", screen=True) == 0
    assert "\x1b[32mNothing would spoil the count." in command.out


# Spec


async def test_spec_for_people() -> None:
    """Two parts that can be copied, each with where it belongs."""
    command = CommandLine()
    assert await command.run("spec") == 0
    told = command.out.replace("An entry", "|").replace("A group", "|").split("|")
    assert told[1].splitlines()[0] == " of the array in elements.json, the hidden poll:"
    assert json.loads(told[1].partition("\n")[2]) == hidden_poll.spec_entry()
    assert json.loads(told[2].partition("\n")[2]) == hidden_poll.concurrency_entry()


async def test_spec_for_scripts() -> None:
    """With every option."""
    command = CommandLine()
    words = ["spec", "--json", "--content-type", "hp", "--options", "20", "--duration", "60"]
    assert await command.run(*words) == 0
    entry = hidden_poll.spec_entry(content_type="hp", options_per_poll=20, duration_s=60)
    assert command.json == {
        "elements": [entry],
        "event_settings": [hidden_poll.concurrency_entry()],
    }


# Concurrency publish


async def test_concurrency_is_published_until_the_event_is_over(
    command: CommandLine, event: str, platform: Platform
) -> None:
    """A line for every report; the minute is shortened by an argument for tests alone."""
    platform.content.update_event(event, {"duration": 1}, platform.live.now())
    async with platform.api() as api:
        await api.start_event(event)
        words = ("concurrency", "publish", event, "--json")
        assert await command.run(*words, testing_interval_s=0.3) == 0
        first, *_, last = map(json.loads, command.out.splitlines())
        assert sorted(first) == ["at", "stat", "value", "why", "written"]
        assert (first["stat"], first["value"]) == ("current_concurrency", 0)
        assert (first["written"], first["why"]) == (True, "")
        assert (last["written"], last["why"]) == (False, "the event is over")
        assert (await api.event(event)).fields == {CONCURRENCY_FIELD: 0}
    assert command.err == "poll-counter: the first number comes in 60 s (Ctrl-C stops)\n"


async def test_concurrency_takes_every_option(
    command: CommandLine, event: str, platform: Platform
) -> None:
    """Another field, of an element, another number; or nothing is written."""
    platform.content.update_event(event, {"duration": 1}, platform.live.now())
    async with platform.api() as api:
        await api.start_event(event)
        poll = await api.create_element(event, hidden_poll.attributes())
        into = ("--field", "n", "--element", poll.id, "--stat", "elements_count")
        words = ("concurrency", "publish", event, *into)
        assert await command.run(*words, "--dry-run", testing_interval_s=0.2) == 0
        lines = command.out.splitlines()
        assert lines[0].endswith("  elements_count 0, not written: dry run")
        assert "n" not in (await api.element(poll.id)).fields


async def test_concurrency_for_people(command: CommandLine, event: str, platform: Platform) -> None:
    """The time, the number, and whether it was written; a failure in red."""
    platform.content.update_event(event, {"duration": 1}, platform.live.now())
    async with platform.api() as api:
        await api.start_event(event)
    words = ("concurrency", "publish", event)
    assert await command.run(*words, testing_interval_s=0.3) == 0
    first = command.out.splitlines()[0].split("  ")
    assert len(first[0]) == len("12:34:56")
    assert first[1] == "current_concurrency 0, written"


async def test_concurrency_that_cannot_be_written(
    command: CommandLine, event: str, platform: Platform
) -> None:
    """The element is not there: each report says so, in red."""
    platform.content.update_event(event, {"duration": 1}, platform.live.now())
    async with platform.api() as api:
        await api.start_event(event)
    words = ("concurrency", "publish", event, "--element", "none")
    assert await command.run(*words, screen=True, testing_interval_s=0.3) == 0
    assert "\x1b[31m" in command.out
    assert "current_concurrency 0, not written: " in command.out


async def test_concurrency_never_more_than_once_a_minute(command: CommandLine, event: str) -> None:
    """It is refused, before anything is read."""
    assert await command.run("concurrency", "publish", event, "--interval", "59.9") == 2
    assert "59.9" in command.err


async def test_concurrency_of_an_event_that_is_not_there(command: CommandLine) -> None:
    """It is told at once."""
    assert await command.run("concurrency", "publish", "none") == 3
    assert "404" in command.err


# How it ends


async def test_misuse_is_one_sentence(command: CommandLine, event: str) -> None:
    """Exit code 2."""
    assert await command.run("poll", "create", event, "--rounds", "0") == 2
    assert command.err == ("poll-counter: rounds is 0; pass a whole number from 1 to 1000\n")
    assert command.out == ""


async def test_a_refusal_is_one_sentence(command: CommandLine) -> None:
    """Exit code 3."""
    for words in (("poll", "create", "none"), ("poll", "check", "none")):
        assert await command.run(*words) == 3
        assert command.err.startswith("poll-counter: ")
        assert command.err.count("\n") == 1
        assert "404" in command.err


async def test_a_wrong_token_is_told(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """But not which."""
    monkeypatch.setenv(TOKEN_VARIABLE, "a-secret-of-the-tests")
    assert await command.run("poll", "check", "none") == 3
    assert "401" in command.err
    assert "a-secret-of-the-tests" not in command.err + command.out


async def test_the_token_may_be_in_a_file(
    command: CommandLine,
    event: str,
    platform: Platform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It wins over the environment."""
    file = tmp_path / "token"
    file.write_text(f"{platform.token}\n")
    monkeypatch.setenv(TOKEN_VARIABLE, "wrong")
    assert await command.run("poll", "check", event, "--token-file", str(file)) == 1
    assert command.out.startswith("error no-poll")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file or directory"),
        (b"", "the token is empty"),
        (b"\xff\xfesecret", "it is no text"),
        (b"Bearer secret", "without the word Bearer"),
    ],
)
async def test_a_token_file_that_cannot_be_used(
    content: bytes | None, told: str, tmp_path: Path
) -> None:
    """Exit code 2; what is in it is not told."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    command = CommandLine(NOBODY)
    assert await command.run("poll", "check", "e", "--token-file", str(file)) == 2
    assert told in command.err
    assert "secret" not in command.err


@pytest.mark.parametrize("name", ["eu", "us", "dev"])
async def test_the_environments(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a Control API of its own; unless told it is eu."""
    monkeypatch.setenv(TOKEN_VARIABLE, "t")
    for words in ([], ["--env", name]):
        options = make_parser().parse_args(["poll", "check", "event", *words])
        async with control_api(options) as api:
            assert repr(api) == repr(ControlApi(name if words else "eu"))


def test_an_error_does_not_hold_the_token(tmp_path: Path) -> None:
    """Nor does what it came from: an error of decoding holds what was read."""
    file = tmp_path / "token"
    file.write_bytes(b"secret\xff")
    options = make_parser().parse_args(["poll", "check", "e", "--token-file", str(file)])
    with pytest.raises(MisuseError) as caught:
        control_api(options)
    assert caught.value.__cause__ is caught.value.__context__ is None


async def test_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said where it belongs."""
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    command = CommandLine()
    assert await command.run("poll", "check", "event") == 2
    assert TOKEN_VARIABLE in command.err


async def test_a_plain_address_has_to_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody on the way could read the token."""
    monkeypatch.setenv(TOKEN_VARIABLE, "t")
    command = CommandLine("http://control.example")
    assert await command.run("poll", "check", "event") == 2
    assert "http://" in command.err


async def test_a_platform_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be reached is told with what to look at."""
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        command = CommandLine(f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert await command.run("poll", "check", "event") == 3
    assert "cannot connect" in command.err
    assert command.err.endswith("is the address right (--env, --url), and the network up?\n")


def test_an_environment_or_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    """Not both; and only those that there are."""
    for words in (["--env", "eu", "--url", "https://x.example"], ["--env", "uk"]):
        with pytest.raises(SystemExit) as exit_:
            main(["poll", "check", "event", *words])
        assert exit_.value.code == 2
        assert capsys.readouterr().err.startswith("poll-counter poll check: argument --")


@pytest.mark.parametrize("words", [["--token", "secret"], ["--token=secret"], ["--token"]])
def test_a_token_is_no_argument(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused, not repeated, and it is said where it belongs."""
    with pytest.raises(SystemExit) as exit_:
        main(["poll", "create", "event", *words])
    assert exit_.value.code == 2
    told = capsys.readouterr().err
    assert TOKEN_VARIABLE in told
    assert "secret" not in told


def helps() -> list[list[str]]:
    """Every command that has a --help."""
    return [
        [],
        ["poll"],
        ["poll", "create"],
        ["poll", "check"],
        ["spec"],
        ["concurrency"],
        ["concurrency", "publish"],
        ["watch"],
    ]


@pytest.mark.parametrize("words", helps(), ids=" ".join)
def test_help_has_an_example_and_the_exit_codes(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every command; the example is one that is understood."""
    with pytest.raises(SystemExit) as exit_:
        main([*words, "--help"])
    assert exit_.value.code == 0
    told = capsys.readouterr().out
    assert "example" in told
    assert f"\n  {' '.join(['poll-counter', *words])} " in told
    for code in ("0 ", "1 ", "2 ", "3 ", "130 "):
        assert f"\n  {code} " in told


class _Shut(io.StringIO):
    """An output that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def close(self) -> None:
        super().close()
        raise BrokenPipeError


def test_who_has_read_enough_may_leave() -> None:
    """As `head` does; no traceback."""
    out, err = _Shut(), io.StringIO()
    assert main(["spec"], Terminal(out, err)) == 0
    assert (out.closed, err.getvalue()) == (True, "")


class _Interrupted(io.StringIO):
    """An output during which somebody presses Ctrl-C."""

    def write(self, text: str) -> int:
        raise KeyboardInterrupt


def test_ctrl_c() -> None:
    """Exit code 130, and not a word."""
    err = io.StringIO()
    assert main(["spec"], Terminal(_Interrupted(), err)) == 130
    assert err.getvalue() == ""


def run_module(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `python -m poll_counter.cli` in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "poll_counter.cli", *words]
    return subprocess.run(
        command, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False, **options
    )


def test_it_runs_as_a_module() -> None:
    """Standard output and the exit code are the process's own."""
    done = run_module("spec", "--json", stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["elements"] == [hidden_poll.spec_entry()]
    done = run_module("watch", "not an address", "--event", "e", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("poll-counter: that is no WebSocket address")


def test_the_module_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same, with its exit code; and importing it runs nothing."""
    monkeypatch.setattr(sys, "argv", ["poll-counter", "spec", "--options", "0"])
    runpy.run_module("poll_counter.cli.__main__", run_name="imported")
    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("poll_counter.cli", run_name="__main__")
    assert exit_.value.code == 2
    assert "--options is 0" in capsys.readouterr().err


def test_a_pipe_that_is_closed() -> None:
    """In a process of its own, up to its very end."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run_module("spec", stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


# Terminals


def test_without_rich_a_screen_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed is done without."""
    monkeypatch.delitem(sys.modules, "poll_counter.cli.screen", raising=False)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    screen = Screen()
    terminal = Terminal(screen)
    terminal.say("all is well", "green")
    terminal.table(("a", "b"), [("1", "2")])
    with terminal.bars() as show:
        assert show is None
    assert screen.getvalue() == "all is well\na  b\n1  2\n"


def test_standard_output_and_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Unless told otherwise."""
    terminal = Terminal()
    terminal.say("an answer")
    terminal.note("a note")
    terminal.json({"ä": 1})
    assert capsys.readouterr() == ('an answer\n{"ä": 1}\n', "a note\n")


def test_bars_on_a_screen() -> None:
    """The longest is whole, and what is written behind is there; no bars are no trouble."""
    screen = Screen()
    with Terminal(screen).bars() as show:
        assert show is not None
        show([], "nothing yet")
        show([("round 1", 0, "no count"), ("round [2]", 8, "8 players"), ("3", 4, "4")], "waiting")
    told = screen.getvalue()
    assert "nothing yet" in told
    bars = [re.sub(r"\x1b\[\w+", "", line) for line in told.splitlines()[1:4]]
    assert [line.count("━") for line in bars] == [0, 40, 20]
    for words in ("round 1", "no count", "round [2]", "8 players", "waiting"):
        assert words in told
