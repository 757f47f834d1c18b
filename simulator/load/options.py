"""What Locust's command line takes beside its own, and the command that starts it."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from poll_counter import MisuseError
from simulator.scenario import Scenario
from simulator.serve import check_host

__all__ = ["add_options", "locust_command", "make_parser", "read_scenario", "replay_line"]

LOCUSTFILE = Path(__file__).resolve().parents[1] / "locustfile.py"
LOOPBACK = "127.0.0.1"

OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    "scenario": (str, "a scenario's name or TOML file; see `python -m simulator scenarios`"),
    "players": (int, "how many; 200 unless told"),
    "rounds": (int, "how many; 10 unless told"),
    "seed": (int, "of all that is drawn"),
    "round_time": (float, "seconds of a round: 0.6 waiting, 0.4 playing; 2 unless told"),
    "spread": (float, "seconds over which the votes of a round are spread"),
    "sample_rate": (float, "the share of players that vote"),
    "arrive": (float, "seconds in which players join; as many as 400 a second take unless told"),
    "leave": (float, "the share of players that leave for good after round 1"),
    "drop": (float, "the share of players that lose the connection, and return"),
    "late": (float, "the share of players that join after round 1 began"),
}
"""What of a scenario may be said on the command line, and on Locust's page."""


EXAMPLES = """\
examples:
  python -m simulator locust --players 1000            one process, no page
  python -m simulator locust --web                     the same from Locust's page
  python -m simulator locust --master --expect-workers 2 --players 4000 --csv show --html show.html
  python -m simulator locust --worker                  twice: a core or a machine each

All of Locust's own options may be given, too: see `python -m locust --help`.
"""


def add_options(parser: Any) -> None:
    """Add the options of a show to Locust's parser."""
    for flag, on_page, settings in _options():
        parser.add_argument(flag, include_in_web_ui=on_page, **settings)


def make_parser() -> argparse.ArgumentParser:
    """Make a parser of the options of a show; Locust's own help does not know them."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator locust",
        description="Run a whole show under Locust, over as many workers as there are, and hold "
        "what the players count against the truth. Exit code 0 only if all checks hold.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="python -m simulator locust [--master | --worker] [--web] [options of Locust's]",
    )
    parser.add_argument("--master", action="store_true", help="lead: platform, host and checks")
    parser.add_argument("--worker", action="store_true", help="follow: a part of the crowd")
    parser.add_argument("--web", action="store_true", help="with Locust's page, on loopback")
    for flag, _, settings in _options():
        parser.add_argument(flag, **settings)
    return parser


def read_scenario(options: Any) -> Scenario:
    """The scenario that the options come to, without what sockets have of their own.

    Raises `MisuseError` for one that cannot be run, and for a platform that would listen where no
    crowd may go.
    """
    check_host(f"ws://{options.listen}", options.allow_host)
    given = _given(options)
    name = given.pop("scenario", None)
    try:
        scenario = Scenario(**given) if name is None else Scenario.load(name, **given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise MisuseError(f"{_flag(place) if place else 'this show'}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise MisuseError(f"--scenario {name} cannot be read: {error}") from error
    return scenario.on_sockets()


def replay_line(options: Any) -> str:
    """The command line that runs this show again, on one machine."""
    told = [f"{_flag(name)} {value}" for name, value in _given(options).items()]
    locustfile = getattr(options, "locustfile", "")
    if locustfile and Path(locustfile).resolve() != LOCUSTFILE:
        told.insert(0, f"-f {locustfile}")
    return " ".join(["python -m simulator locust", *told])


def locust_command(arguments: Sequence[str]) -> list[str]:
    """The command line of Locust itself, for what stands after `python -m simulator locust`.

    It has no page unless `--web` asks for one, and listens on loopback unless told.

    Raises `MisuseError` where Locust is not installed.
    """
    if importlib.util.find_spec("locust") is None:
        raise MisuseError("Locust is not here: pip install 'poll-counter[simulator,locust]'")
    told = [argument for argument in arguments if argument != "--web"]
    command = [sys.executable, "-m", "locust"]
    if not _has(told, "-f", "--locustfile"):
        command += ["-f", str(LOCUSTFILE)]
    if "--web" not in arguments:
        command.append("--headless")
    elif not _has(told, "--web-host"):
        command += ["--web-host", LOOPBACK]
    if "--master" in told and not _has(told, "--master-bind-host"):
        command += ["--master-bind-host", LOOPBACK]
    return command + told


def _options() -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """Every option, whether it is on Locust's page, and what argparse needs to know."""
    for name, (kind, text) in OPTIONS.items():
        yield _flag(name), True, {"type": kind, "metavar": name.upper(), "help": text}
    text = "where the platform listens for the crowd (master); default: loopback"
    yield "--listen", False, {"metavar": "ADDRESS", "default": LOOPBACK, "help": text}
    text = "write a page of HTML about the show, too (master)"
    yield "--report", False, {"metavar": "FILE", "help": text}
    text = "let the crowd go to this host too, which you may load; to be said on every machine"
    settings = {"action": "append", "default": [], "metavar": "HOST", "help": text}
    yield "--allow-host", False, settings


def _given(options: Any) -> dict[str, Any]:
    """What was said of the scenario; Locust's page says what was left empty, too."""
    values = {name: getattr(options, name) for name in OPTIONS}
    return {name: value for name, value in values.items() if value not in {None, ""}}


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _has(arguments: Sequence[str], *flags: str) -> bool:
    return any(argument.partition("=")[0] in flags for argument in arguments)
