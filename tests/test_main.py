"""The command line: what it takes, what it prints, and what it exits with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from poll_counter.commands import CastVote
from simulator import __main__ as command_line
from simulator import sockets
from simulator.__main__ import main
from simulator.scenario import Scenario
from simulator.swarm import PlayerTransport, TransportFactory, make_transport

ROOT = Path(__file__).parents[1]
QUICK = ["--players", "5", "--rounds", "1", "--round-time", "0.4"]
QUICK_LINE = (
    "python -m simulator --players 5 --rounds 1 --seed 1 --round-time 0.4 --leave 0 --drop 0 "
    "--late 0"
)
GUARD_S = 60.0


def simulator(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m simulator` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "simulator", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=GUARD_S,
    )


def mute(url: str, scenario: Scenario) -> PlayerTransport:
    """Make the transport of a player who never votes."""

    class Mute(PlayerTransport):
        async def send(self, vote: CastVote) -> None:
            """Swallow the vote."""

    return Mute(url, reconnect_first_s=scenario.reconnect_s)


def with_crowd(monkeypatch: pytest.MonkeyPatch, factory: TransportFactory) -> None:
    """Let `main` run with another crowd than the well-behaved one."""
    run = partial(sockets.run_sockets, make_transport=factory)
    monkeypatch.setattr(command_line, "run_sockets", run)


# A run


def test_a_run_prints_its_options_the_rounds_and_the_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """First the line that runs it again, last that all went well; the exit code is 0."""
    assert main(QUICK) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == QUICK_LINE
    assert lines[1].split() == ["round", "must", "may", "counted", "shown", "difference"]
    assert lines[2].split()[:4] == ["1", "5", "5", "5"]
    assert lines[-1] == "OK: every round is counted right"
    assert err == ""


def test_json_is_one_object_and_nothing_else() -> None:
    """For scripts: standard output is JSON; what is meant for people is on standard error."""
    done = simulator(*QUICK, "--json")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    report = json.loads(done.stdout)
    assert (report["ok"], report["mode"], report["players"]) == (True, "sockets", 5)
    assert [row["counted"] for row in report["rounds"]] == [5]
    assert done.stderr == QUICK_LINE + "\n"


def test_a_broken_run_exits_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crowd that never votes: the round, the rule, and the line that runs it again."""
    with_crowd(monkeypatch, mute)
    assert main(QUICK) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == QUICK_LINE
    assert "round 1: broken: must <= counted <= may" in lines
    assert lines[-2:] == ["FAILED in round 1; run it again with", f"    {QUICK_LINE}"]


def test_a_broken_run_exits_with_1_in_json_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object says that it is not ok, and why."""
    with_crowd(monkeypatch, mute)
    assert main([*QUICK, "--json"]) == 1
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["ok"] is False
    assert report["violations"][0]["rule"] == "must <= counted <= may"
    assert err == QUICK_LINE + "\n"


def test_on_a_terminal_a_live_table_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the show goes on it is seen; the report follows."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any output for a terminal then
    assert main(QUICK) == 0
    out = capsys.readouterr().out
    assert "players arrive" in out
    assert out.index("players arrive") < out.index("OK: every round is counted right")


def test_with_json_no_live_table_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts do not look at it, on whatever terminal they run."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main([*QUICK, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["ok"] is True
    assert "players arrive" not in err


def test_ctrl_c_breaks_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback; the exit code is the one of a program stopped by SIGINT."""

    def interrupted(url: str, scenario: Scenario) -> PlayerTransport:
        signal.raise_signal(signal.SIGINT)
        return make_transport(url, scenario)

    with_crowd(monkeypatch, interrupted)
    assert main(QUICK) == 130
    out, err = capsys.readouterr()
    assert out == QUICK_LINE + "\n"
    assert err == ""


# Options


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--players", "-1"], "--players -1: input should be greater than or equal to 0"),
        (["--rounds", "0"], "--rounds 0: input should be greater than or equal to 1"),
        (["--drop", "1.5"], "--drop 1.5: input should be less than or equal to 1"),
        (["--late", "nan"], "--late nan: input should be"),
        (
            ["--round-time", "0.1"],
            "--round-time 0.1: input should be greater than or equal to 0.2",
        ),
        (["--players", "many"], "argument --players: invalid int value: 'many'"),
        (["--colour"], "unrecognized arguments: --colour"),
        (["dance"], "argument {serve,crowd}: invalid choice: 'dance'"),
        (["crowd", "ws://127.0.0.1:1"], "the following arguments are required: --event"),
        (["serve", "--rounds", "0"], "--rounds 0: input should be greater than or equal to 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_options_exit_with_2_and_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong is said in a sentence, before anything is run."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err.splitlines()[-1]


def test_bad_options_exit_with_2_from_the_shell() -> None:
    """The process itself exits with the code, without a traceback."""
    done = simulator("--drop", "2")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == (
        "python -m simulator: error: --drop 2.0: input should be less than or equal to 1"
    )


def test_help_shows_the_commands_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer finds what there is."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "serve               keep a platform up for your own app" in out
    assert "crowd               drive a crowd against a platform" in out
    assert "python -m simulator serve --port 8765" in out


@pytest.mark.parametrize("command", ["serve", "crowd"])
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command's help says how it is called."""
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"example: python -m simulator {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "players", "round_time"),
    [
        ([], 200, 2.0),
        (["serve"], 0, 10.0),
        (["crowd", "ws://127.0.0.1:1", "--event", "demo"], 200, 10.0),
    ],
    ids=["run", "serve", "crowd"],
)
def test_every_command_has_its_own_defaults(
    arguments: list[str], players: int, round_time: float
) -> None:
    """A run is quick; what people watch takes its time, and serve brings no crowd."""
    parser = command_line._parser()
    scenario = command_line._scenario(parser, parser.parse_args(arguments))
    assert scenario == Scenario(players=players, round_time=round_time)


def test_options_may_stand_before_the_command() -> None:
    """`--players 7 serve` means what `serve --players 7` means, and the last word wins."""
    parser = command_line._parser()

    def read(*arguments: str) -> Scenario:
        return command_line._scenario(parser, parser.parse_args(arguments))

    expected = Scenario(players=7, seed=2, round_time=10.0)
    assert read("--players", "7", "serve", "--seed", "2") == expected
    assert read("serve", "--players", "7", "--seed", "2") == expected
    assert read("--players", "9", "--seed", "2", "serve", "--players", "7") == expected
