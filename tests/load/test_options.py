"""What Locust's command line and page say of a show, and how Locust is started."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from typing import Any

import pytest

from poll_counter import MisuseError
from simulator.__main__ import main
from simulator.load.options import (
    LOCUSTFILE,
    add_options,
    locust_command,
    read_scenario,
    replay_line,
)
from simulator.scenario import Scenario

needs_locust = pytest.mark.skipif(
    importlib.util.find_spec("locust") is None, reason="Locust is not installed"
)


class Parser:
    """As Locust's, which knows what its page shows."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser()
        self.on_page: list[str] = []

    def add_argument(self, flag: str, *, include_in_web_ui: bool, **settings: Any) -> None:
        """Take an option."""
        action = self.parser.add_argument(flag, **settings)
        if include_in_web_ui:
            self.on_page.append(action.dest)


def options(*arguments: str) -> argparse.Namespace:
    """What a command line comes to."""
    parser = Parser()
    add_options(parser)
    return parser.parser.parse_args(arguments)


def test_the_page_asks_for_the_show_alone() -> None:
    """Not where a crowd may go, nor for files of the master's."""
    parser = Parser()
    add_options(parser)
    assert set(parser.on_page) <= {"scenario", *Scenario.model_fields}
    assert {"scenario", "players", "round_time"} <= set(parser.on_page)


def test_what_is_not_said_is_as_everywhere() -> None:
    """A show is the one of `python -m simulator`, without what sockets have of their own."""
    assert read_scenario(options()) == Scenario()
    given = options("--players", "7", "--round-time", "3", "--drop", "0.5", "--arrive", "2")
    assert read_scenario(given) == Scenario(players=7, round_time=3.0, drop=0.5, arrive=2.0)
    mobile = read_scenario(options("--scenario", "mobile", "--rounds", "3"))
    assert mobile == Scenario.load("mobile", rounds=3).on_sockets()


def test_what_the_page_leaves_empty_is_not_said() -> None:
    """Its fields are text, which is read as numbers."""
    given = options()
    given.players, given.rounds, given.spread, given.scenario = "12", "2", "", ""
    assert read_scenario(given) == Scenario(players=12, rounds=2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--players", "-1"], "--players: Input should be greater than or equal to 0"),
        (["--round-time", "0.1"], "--round-time: Input should be greater"),
        (["--scenario", "nowhere"], "--scenario nowhere cannot be read"),
        (["--scenario", LOCUSTFILE.name], "cannot be read"),
        (["--listen", "198.51.100.1"], "is none; if that platform is yours to load, add"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_played_is_said_in_a_sentence(arguments: list[str], sentence: str) -> None:
    """With the option that is wrong."""
    with pytest.raises(MisuseError, match=sentence):
        read_scenario(options(*arguments))


def test_a_show_that_contradicts_itself_is_said_in_a_sentence() -> None:
    """Though it is no one option that is wrong."""
    given = options("--scenario", "mobile")
    given.rounds = "1"
    with pytest.raises(MisuseError, match="this show: "):
        read_scenario(given)


def test_a_host_may_be_allowed() -> None:
    """By its name, as for `crowd`."""
    allowed = options("--listen", "198.51.100.1", "--allow-host", "198.51.100.1")
    assert read_scenario(allowed) == Scenario()


def test_the_line_that_runs_it_again_says_what_was_said() -> None:
    """And no more."""
    given = options("--players", "7", "--round-time", "3", "--scenario", "herd")
    line = "python -m simulator locust --scenario herd --players 7 --round-time 3.0"
    assert replay_line(given) == line
    assert replay_line(options()) == "python -m simulator locust"
    for locustfile, told in (("my.py", " -f my.py"), (str(LOCUSTFILE), "")):
        given = options()
        given.locustfile = locustfile
        assert replay_line(given) == f"python -m simulator locust{told}"


@needs_locust
@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], ["-f", str(LOCUSTFILE), "--headless"]),
        (["--worker"], ["-f", str(LOCUSTFILE), "--headless", "--worker"]),
        (["-f", "my.py"], ["--headless", "-f", "my.py"]),
        (["--locustfile=my.py"], ["--headless", "--locustfile=my.py"]),
        (["--web"], ["-f", str(LOCUSTFILE), "--web-host", "127.0.0.1"]),
        (
            ["--web", "--web-host", "10.0.0.7", "-f", "my.py"],
            ["--web-host", "10.0.0.7", "-f", "my.py"],
        ),
        (
            ["--master", "-f", "my.py"],
            ["--headless", "--master-bind-host", "127.0.0.1", "--master", "-f", "my.py"],
        ),
        (
            ["-f", "my.py", "--master", "--master-bind-host=10.0.0.7"],
            ["--headless", "-f", "my.py", "--master", "--master-bind-host=10.0.0.7"],
        ),
    ],
    ids=lambda value: " ".join(value) or "nothing",
)
def test_locust_is_started_without_a_page_and_on_loopback(
    arguments: list[str], command: list[str]
) -> None:
    """Unless it is told otherwise."""
    assert locust_command(arguments) == [sys.executable, "-m", "locust", *command]


def test_without_locust_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command exits with 2."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as caught:
        main(["locust", "--master"])
    assert caught.value.code == 2
    assert "pip install 'poll-counter[simulator,locust]'" in capsys.readouterr().err


def test_nothing_stands_before_locust(capsys: pytest.CaptureFixture[str]) -> None:
    """Its options are its own."""
    with pytest.raises(SystemExit) as caught:
        main(["--players", "3", "locust"])
    assert caught.value.code == 2
    assert "let nothing stand before it" in capsys.readouterr().err


def test_help_tells_of_the_show(capsys: pytest.CaptureFixture[str]) -> None:
    """With examples, and where Locust's own options are."""
    with pytest.raises(SystemExit) as caught:
        main(["locust", "--master", "--help"])
    assert not caught.value.code
    out = capsys.readouterr().out
    assert "--round-time" in out
    assert "python -m simulator locust --master --expect-workers 2" in out
    assert "python -m locust --help" in out
