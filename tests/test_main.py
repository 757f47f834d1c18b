"""The command line: what it takes, what it prints, and what it exits with."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poll_counter.commands import CastVote, Command
from poll_counter.facts import Fact
from poll_counter.machine import Machine
from simulator import __main__ as command_line
from simulator import explore as exploring
from simulator import sockets, virtual
from simulator import trials as trying
from simulator.__main__ import main
from simulator.checks import Violation
from simulator.leaks import Holdings, Ledger
from simulator.options import make_parser, read_scenario
from simulator.scenario import Scenario, preset_names
from simulator.shards import WorkerLostError
from simulator.soak import KINDS, Soaked
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


def mute(url: str | Sequence[str], scenario: Scenario) -> PlayerTransport:
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

    def interrupted(url: str | Sequence[str], scenario: Scenario) -> PlayerTransport:
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
        (["--drop", "1.5"], "--drop 1.5: it is a share, from 0 to 1; 0.3 is 30 %"),
        (["--late", "nan"], "--late nan: it is a share"),
        (
            ["--round-time", "0.1"],
            "--round-time 0.1: input should be greater than or equal to 0.2",
        ),
        (["--players", "many"], "argument --players: 'many' is no whole number"),
        (["--colour"], "unrecognized arguments: --colour"),
        (
            ["dance"],
            "explore,trials,soak,serve,crowd,token,locust}: invalid choice: 'dance'",
        ),
        (["run", "calm", "--rounds", "0"], "--rounds 0: input should be greater than"),
        (["run", "calm", "--processes", "0"], "argument --processes: 0 is not above 0"),
        (["run", "calm", "--mode", "real"], "argument --mode: invalid choice: 'real'"),
        (["soak", "--minutes", "nan"], "argument --minutes: nan is no number of minutes"),
        (["soak", "--minutes", "-1"], "argument --minutes: -1 is no number of minutes"),
        (["soak", "--mode", "real"], "argument --mode: invalid choice: 'real'"),
        (["--drop", "0.1", "explore"], "explore takes no --drop"),
        (["--seed", "3", "scenarios"], "scenarios takes no --seed"),
        (["--processes", "3", "soak"], "soak takes no --processes"),
        (["--processes", "3", "serve"], "serve takes no --processes"),
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
        "python -m simulator: --drop 2.0: it is a share, from 0 to 1; 0.3 is 30 %; "
        "`python -m simulator --help` shows what there is"
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


@pytest.mark.parametrize("command", ["run", "explore", "trials", "soak", "serve", "crowd"])
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command's help says how it is called."""
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert re.search(rf"^(example: |  )python -m simulator {command}", out, re.MULTILINE)


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
    parser = make_parser()
    scenario = read_scenario(parser, parser.parse_args(arguments))
    assert scenario == Scenario(players=players, round_time=round_time)


def test_options_may_stand_before_the_command() -> None:
    """`--players 7 serve` means what `serve --players 7` means, and the last word wins."""
    parser = make_parser()

    def read(*arguments: str) -> Scenario:
        return read_scenario(parser, parser.parse_args(arguments))

    expected = Scenario(players=7, seed=2, round_time=10.0)
    assert read("--players", "7", "serve", "--seed", "2") == expected
    assert read("serve", "--players", "7", "--seed", "2") == expected
    assert read("--players", "9", "--seed", "2", "serve", "--players", "7") == expected


# Scenarios by name


QUICK_RUN = ["run", "late-joiners", "--players", "40", "--rounds", "3"]
QUICK_RUN_LINE = "python -m simulator run late-joiners --mode virtual --players 40 --rounds 3"


def test_a_scenario_is_run_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """First the line that runs it again, then the rounds and the verdict, as of the main job."""
    assert main(QUICK_RUN) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == QUICK_RUN_LINE
    assert lines[1].split() == ["round", "must", "may", "counted", "shown", "difference"]
    assert len([line for line in lines if line.split()[-1:] == ["0"]]) == 3
    assert lines[-1] == "OK: every round is counted right"


def test_the_json_of_a_run_is_that_of_the_main_job(capsys: pytest.CaptureFixture[str]) -> None:
    """The same keys, whatever the mode; the seed and the sample rate are what was given."""
    assert main([*QUICK, "--json"]) == 0
    on_sockets = json.loads(capsys.readouterr().out)
    assert main([*QUICK_RUN, "--seed", "5", "--sample-rate", "0.5", "--json"]) == 0
    virtual = json.loads(capsys.readouterr().out)
    assert virtual.keys() == on_sockets.keys()
    assert virtual["rounds"][0].keys() == on_sockets["rounds"][0].keys()
    assert (virtual["mode"], virtual["scenario"], virtual["seed"]) == ("virtual", "late-joiners", 5)
    assert virtual["rounds"][0]["sample_rate"] == 0.5


def test_a_scenario_is_run_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A TOML file of one's own, and the line that runs it again names it."""
    path = tmp_path / "my show.toml"
    path.write_text("players = 12\nrounds = 2\nround_time = 4.0\n", encoding="utf-8")
    assert main(["run", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"python -m simulator run '{path}' --mode virtual"
    assert lines[2].split()[:4] == ["1", "12", "12", "12"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("players = 'many'", "players many: input should be a valid integer"),
        ("player = 3", "player 3: extra inputs are not permitted"),
        ("players = ", "is no TOML file"),
        ("rounds = 2\npulled = [3]", "there is no round 3: the show has 2"),
        ("[[faults]]\nverdict = 'lost'\nshare = 0.1", "faults.0.verdict lost: input should be"),
    ],
)
def test_a_file_that_is_no_scenario_is_told_in_a_sentence(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong with it, and exit code 2."""
    path = tmp_path / "show.toml"
    path.write_text(text, encoding="utf-8")
    try:
        code: object = main(["run", str(path)])
    except SystemExit as exited:
        code = exited.code
    assert code == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]


def test_an_unknown_name_is_told_with_those_known(capsys: pytest.CaptureFixture[str]) -> None:
    """What is there to be run."""
    assert main(["run", "calmer"]) == 2
    err = capsys.readouterr().err
    assert "calmer: No such file" in err
    assert "calm, herd, hostile" in err


def test_a_failing_scenario_exits_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last line runs it again."""
    monkeypatch.setattr(command_line, "run_virtual", partial(virtual.run_virtual, make=Mute))
    assert main(QUICK_RUN) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "round 1: broken: must <= counted <= may" in lines
    assert lines[-1] == f"    {QUICK_RUN_LINE}"


class Mute(Machine):
    """A machine that casts no vote."""

    def receive(self, fact: Fact, now: float) -> tuple[Command, ...]:
        """Swallow every vote."""
        return tuple(c for c in super().receive(fact, now) if not isinstance(c, CastVote))


def test_a_scenario_is_run_on_sockets(capsys: pytest.CaptureFixture[str]) -> None:
    """Real clients; what sockets leave out of it is said."""
    arguments = ["run", "mobile", "--mode", "sockets", "--players", "6", "--rounds", "2"]
    assert main([*arguments, "--round-time", "1.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "left out on sockets, which have their own: latency_ms, tail, slow, lag"
    assert lines[-1] == "OK: every round is counted right"


def test_a_crowd_of_several_processes(capsys: pytest.CaptureFixture[str]) -> None:
    """The line that runs it again says so, and so does the report."""
    arguments = ["run", "calm", "--mode", "sockets", "--players", "5", "--rounds", "1"]
    assert main([*arguments, "--round-time", "0.6", "--processes", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("--players 5 --rounds 1 --round-time 0.6 --processes 2")
    assert "loop in 2 processes" in lines[4] or "asyncio in 2 processes" in lines[4]
    assert lines[-1] == "OK: every round is counted right"


def test_a_lost_process_fails_the_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence, and the exit code of a run that did not hold."""

    async def lose(*_: object, **options: object) -> None:
        raise WorkerLostError(f"one of {options['processes']} is gone")

    monkeypatch.setattr(command_line, "run_sockets", lose)
    assert main([*QUICK, "--processes", "3"]) == 1
    out, err = capsys.readouterr()
    assert out == f"{QUICK_LINE} --processes 3\n"
    assert err == "python -m simulator: one of 3 is gone\n"


def test_rounds_too_short_for_votes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Else one would wonder that nobody must be counted."""
    assert main(["run", "mobile", "--players", "9", "--rounds", "3", "--round-time", "2"]) == 0
    assert "no vote has to arrive" in capsys.readouterr().out.splitlines()[1]


def test_a_report_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page, with the line that runs it again; of the herd also without its spread."""
    path = tmp_path / "herd.html"
    arguments = ["run", "herd", "--players", "60", "--rounds", "2", "--report", str(path)]
    assert main(arguments) == 0
    text = path.read_text(encoding="utf-8")
    assert "python -m simulator run herd --mode virtual --players 60 --rounds 2" in text
    assert text.count("<svg") > 2


@pytest.mark.parametrize(
    ("name", "why"), [("no/such.html", "No such file"), ("", "Is a directory")]
)
def test_a_report_that_cannot_be_written_costs_no_run(
    name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who waits for hours for a page is told before that there will be none."""
    assert main(["run", "herd", "--players", "60", "--report", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("python -m simulator: the report cannot be written: ")
    assert why in err


def test_a_report_may_fail_in_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """A disk that is full by then is told in a sentence, too."""
    full = "/dev/full"  # Linux: takes what is written, and has no room for it
    assert main(["run", "herd", "--players", "20", "--rounds", "2", "--report", full]) == 2
    assert "the report cannot be written: " in capsys.readouterr().err


def test_on_a_terminal_progress_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar of the players, or of the seeds, that are done; the report follows."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any output for a terminal then
    assert main(QUICK_RUN) == 0
    out = capsys.readouterr().out
    assert "players" in out
    assert "100%" in out
    assert main(["explore", "--first", "4", "--seeds", "1"]) == 0
    assert "seeds" in capsys.readouterr().out


def test_the_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Every preset, with what happens in it."""
    assert main(["scenarios"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in preset_names())
    assert "35 trivia over four chained polls" in out


def test_seeds_are_explored(capsys: pytest.CaptureFixture[str]) -> None:
    """For people a table, for scripts one object."""
    assert main(["explore", "--first", "4", "--seeds", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "OK: no rule is broken"
    assert main(["explore", "--first", "4", "--seeds", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == 2


def test_a_seed_that_fails_is_told_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was broken, the line that runs it again, and exit code 1."""
    broken = exploring.Tried(4, set(), [Violation(2, "a rule", "how")], 1)
    monkeypatch.setattr(exploring, "try_seed", lambda _seed: broken)
    assert main(["explore", "--first", "4", "--seeds", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seed 4, round 2: broken: a rule: how"
    assert lines[1].strip() == "python -m simulator explore --first 4 --seeds 1"


def test_faults_are_tried(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For people a table, for scripts one object; exit code 1 if one did harm."""
    (burst,) = [trial for trial in trying.TRIALS if trial.fault == "all vote at once"]
    monkeypatch.setattr(command_line, "run_trials", partial(trying.run_trials, [burst]))
    assert main(["trials", "--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines[1].split()).startswith("all vote at once virtual 6 0 0 0")
    assert lines[-1] == "OK: nothing is lost and nothing is doubled"
    assert main(["trials", "--quick", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [trial["fault"] for trial in told["trials"]] == ["all vote at once"]
    monkeypatch.setattr(
        command_line, "run_trials", partial(trying.run_trials, [burst._replace(make=Mute)])
    )
    assert main(["trials", "--quick"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "FAILED: all vote at once (virtual)"


def test_a_soak_has_a_crowd_that_comes_and_goes() -> None:
    """Unless told otherwise; in rounds so long that a machine may be busy with other things."""
    parser = make_parser()
    changed: dict[str, Any] = {
        "players": 300,
        "rounds": 3,
        "round_time": 4.0,
        "leave": 0.1,
        "drop": 0.3,
    }
    assert read_scenario(parser, parser.parse_args(["soak"])) == Scenario(**changed, late=0.1)
    options = parser.parse_args(["soak", "--drop", "0"])
    assert read_scenario(parser, options) == Scenario(**{**changed, "drop": 0.0}, late=0.1)


def test_a_soak_has_a_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of one show there is nothing to be told; the time is shared unless a mode is named."""
    few = ["soak", "--minutes", "0", "--players", "3", "--rounds", "1", "--round-time", "0.4"]
    assert main([*few, "--mode", "virtual"]) == 1
    out = capsys.readouterr().out
    assert "only 0 shows ended after the warm-up, and 4 are needed to tell" in out
    assert out.splitlines()[-1] == "FAILED: too few shows ended to tell a leak"
    assert main([*few, "--mode", "sockets", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["shows"] == {"virtual": 0, "sockets": 1}
    assert err == ""
    asked: list[Any] = []

    async def soak(scenario: Scenario, **how: Any) -> Soaked:
        asked.append((scenario.players, how["minutes"], how["kinds"], how["show_live"]))
        soaked = Soaked(scenario, Ledger())
        for minute in range(4):
            soaked.ledger.add(float(minute), Holdings(50.0, 0, 9, {}))
        return soaked

    monkeypatch.setattr(command_line, "soak", soak)
    assert main(["soak"]) == 0
    assert asked == [(300, 2.0, KINDS, None)]
    assert capsys.readouterr().out.splitlines()[-1].startswith("OK: ")
