"""What the command line takes: the options of every command, and the scenario they come to."""

from __future__ import annotations

import argparse
import math
import re
import shlex
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from poll_counter import MisuseError
from poll_counter.cli.parser import Parser

from .choices import Choices
from .scenario import PRESETS, Scenario, preset_names
from .soak import KINDS

__all__ = ["make_parser", "read_scenario", "refuse_options", "run_line"]

EXAMPLES = """\
examples:
  python -m simulator                                  a show of ten rounds, counted
  python -m simulator --players 500 --drop 0.3         with a bad network
  python -m simulator serve --port 8765                a platform for your own app
  python -m simulator crowd ws://127.0.0.1:8765 --event ID --players 300
                                                       a crowd for it, from another terminal
  python -m simulator serve --redis redis://127.0.0.1 --node one
                                                       one of several servers of one platform
  python -m simulator studio                           a show by hand, in the browser
  python -m simulator scenarios                        shows of all kinds, to be run by name
  python -m simulator run prime-time --players 100000  in virtual time, any number of players
  python -m simulator explore --seeds 200              random scenarios: is any rule broken?
  python -m simulator trials                           what each kind of fault does to the counts
  python -m simulator soak --minutes 30                show after show: does anything leak?
  python -m simulator locust --help                    the crowd under Locust, over many machines
"""
EXIT_CODES = """\
exit codes:
  0    every check holds
  1    a check does not: the rule, the round and the line that replays it are printed
  2    the command cannot work as it was given
  130  stopped by Ctrl-C
"""

STUDIO_PORT = 8750
"""Where the studio's page is, unless told."""
DEFAULTS: dict[str | None, dict[str, Any]] = {
    "soak": {
        "players": 300,
        "rounds": 3,
        "round_time": 4.0,
        "leave": 0.1,
        "drop": 0.3,
        "late": 0.1,
    },
    "serve": {"players": 0, "round_time": 10.0},
    "crowd": {"round_time": 10.0},
}
"""Where a command's scenario differs from `Scenario`'s own defaults."""


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not above 0")
    return number


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0.0 <= minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number of minutes")
    return minutes


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"{port} is not from 0 to 65535")
    return port


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise argparse.ArgumentTypeError("a name is 1 to 64 letters, digits, dots, - and _")
    return text


def _choices(path: str) -> Choices:
    try:
        return Choices.load(path)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise argparse.ArgumentTypeError(f"{path}: {place}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {error}") from error


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    parser = Parser(
        prog="python -m simulator",
        description="Run a whole trivia show on this machine, with a crowd of real clients, and\n"
        "hold what they count against the truth. Tutorials are in examples/README.md.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_options(parser)
    _add_processes(parser)
    names = "{studio,run,scenarios,explore,trials,soak,serve,crowd,token,locust}"
    commands = parser.add_subparsers(dest="command", metavar=names)
    _add_studio(commands)
    _add_run(commands)
    commands.add_parser(
        "scenarios",
        help="list the scenarios that run knows by name",
        description="List the scenarios that `run` knows by name. Each is a TOML file in "
        f"{PRESETS.relative_to(Path(__file__).parents[1])}, to be copied and changed.",
    )
    _add_explore(commands)
    _add_trials(commands)
    _add_soak(commands)
    serve = commands.add_parser(
        "serve",
        help="keep a platform up for your own app",
        description="Keep a platform up on loopback: the live channel, the Control API and the CDN "
        "feeds, with one show that starts on a key press.",
        epilog="example: python -m simulator serve --port 8765 --round-time 10 --players 50",
    )
    _add_options(serve, **DEFAULTS["serve"])
    serve.add_argument(
        "--port", type=_port, default=0, help="of the live channel; 0: any that is free"
    )
    serve.add_argument(
        "--web-port",
        type=_port,
        default=0,
        metavar="PORT",
        help="of the Control API and the CDN feeds; 0: any that is free",
    )
    _add_choices(serve, "what the platform's documentation leaves open, see simulator/choices.py")
    serve.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on; default: loopback"
    )
    serve.add_argument(
        "--redis",
        metavar="URL",
        help="be one of several nodes that show the same, by way of this Redis",
    )
    serve.add_argument(
        "--node", type=_name, metavar="NAME", help="with --redis: which node this is"
    )
    serve.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="append everything that happens, a line of JSON each",
    )
    serve.add_argument(
        "--autostart", action="store_true", help="start the show at once, without a key press"
    )
    crowd = commands.add_parser(
        "crowd",
        help="drive a crowd against a platform",
        description="Drive a crowd of real clients against a platform that is up, until its event "
        "ends. Only the platform knows the truth; the crowd checks that all its players agree.",
        epilog="example: python -m simulator crowd ws://127.0.0.1:8765 --event ID",
    )
    crowd.add_argument(
        "urls",
        nargs="+",
        metavar="URL",
        help="the platform's live channel, ws:// or wss://; of several nodes, all of them",
    )
    crowd.add_argument("--event", required=True, metavar="ID", help="the event to join")
    crowd.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="let the crowd go to this host too, which you may load",
    )
    _add_choices(crowd, "the platform's: with its player_keys the crowd makes its players' tokens")
    _add_options(crowd, **DEFAULTS["crowd"])
    _add_processes(crowd)
    _add_token(commands)
    commands.add_parser(
        "locust", help="a whole show under Locust, over many machines", add_help=False
    )
    return parser


def _add_choices(parser: argparse.ArgumentParser, text: str, *, required: bool = False) -> None:
    parser.add_argument(
        "--choices",
        type=_choices,
        default=Choices(),
        required=required,
        metavar="FILE",
        help=f"TOML: {text}",
    )


def _add_token(commands: Any) -> None:
    token = commands.add_parser(
        "token",
        help="make a player's token, as the backend of an app does",
        description="Make a player's token for one user of one event, as the backend of an app "
        "does, and print it. A platform that is served with the same choices takes it.",
        epilog="example: python -m simulator token --choices choices.toml --event ID --user ID",
    )
    _add_choices(token, "has player_keys", required=True)
    token.add_argument("--event", required=True, metavar="ID", help="the event")
    token.add_argument(
        "--user", required=True, metavar="ID", help="the player's id: `counter.player_id`"
    )
    token.add_argument(
        "--hours", type=float, default=24.0, metavar="H", help="it is good for; default: 24"
    )


def _add_studio(commands: Any) -> None:
    studio = commands.add_parser(
        "studio",
        help="run a show by hand in the browser, and see it counted",
        description="Serve a page on loopback on which you run a show by hand: a host's buttons, a "
        "player's phone, the truth beside the count, and a crowd that you make come and go.",
        epilog="example: python -m simulator studio --open",
    )
    studio.add_argument(
        "--port",
        type=_port,
        default=STUDIO_PORT,
        help=f"of the page; 0: any that is free; default: {STUDIO_PORT}",
    )
    studio.add_argument("--open", action="store_true", help="open the page in your browser, too")


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="run a scenario, in virtual time or on sockets",
        description="Run a scenario, and hold what was counted against the truth. What is not\n"
        "given is as the scenario says; simulator/scenario.py explains every field of one.",
        epilog="examples:\n"
        "  python -m simulator run mobile --players 10000 --report mobile.html\n"
        "  python -m simulator run prime-time --players 1000000 --processes 2\n"
        "  cp simulator/presets/mobile.toml mine.toml && python -m simulator run mine.toml\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("scenario", metavar="NAME|FILE", help="see `scenarios`, or your own TOML file")
    run.add_argument(
        "--mode",
        choices=("virtual", "sockets"),
        default="virtual",
        help="virtual: any number of players in virtual time (the default); sockets: real clients",
    )
    for name, kind, metavar, text in (
        ("--players", int, "N", "how many are in the crowd"),
        ("--rounds", int, "R", "how many trivia the show has"),
        ("--seed", int, "S", "of all that is drawn: the same seed is the same show"),
        ("--round-time", float, "SECONDS", "of a round: 0.6 waiting, 0.4 playing"),
        ("--spread", float, "SECONDS", "over which the votes of a round are spread"),
        ("--sample-rate", float, "P", "the share of players that vote"),
    ):
        run.add_argument(name, type=kind, default=argparse.SUPPRESS, metavar=metavar, help=text)
    _add_processes(run)
    run.add_argument("--report", type=Path, metavar="FILE", help="write a page of HTML, too")
    _add_json(run)


def _add_explore(commands: Any) -> None:
    command = commands.add_parser(
        "explore",
        help="run random scenarios, one per seed",
        description="Run random scenarios in virtual time, one per seed, and check that no rule is "
        "broken in any; print what was covered.",
        epilog="example: python -m simulator explore --seeds 2000 --minutes 10 --processes 2",
    )
    command.add_argument("--first", type=int, default=1, metavar="S", help="the first seed")
    command.add_argument(
        "--seeds", type=_positive, default=100, metavar="N", help="how many; default: 100"
    )
    command.add_argument(
        "--minutes", type=_minutes, metavar="M", help="begin no seed after so long"
    )
    _add_processes(command, "the seeds are")
    _add_json(command)


def _add_trials(commands: Any) -> None:
    command = commands.add_parser(
        "trials",
        help="try every kind of fault, and measure what it does to the counts",
        description="Try every kind of fault, in virtual time and on sockets, and print what was "
        "lost, doubled and miscounted, and how long it took to recover. Exit code 0 only if "
        "nothing was.",
        epilog="example: python -m simulator trials --quick --json",
    )
    command.add_argument(
        "--quick", action="store_true", help="one small show for each fault, rather than more"
    )
    _add_json(command)


def _add_processes(parser: argparse.ArgumentParser, of: str = "the crowd is") -> None:
    parser.add_argument(
        "--processes",
        type=_positive,
        default=argparse.SUPPRESS,
        metavar="P",
        help=f"over how many processes {of} spread; default: 1",
    )


def _add_soak(commands: Any) -> None:
    command = commands.add_parser(
        "soak",
        help="run show after show in one process, and see that nothing leaks",
        description="Run show after show in one process, on sockets and in virtual time by turns, "
        "and watch memory, tasks, file descriptors and objects per type at their ends. Exit code 0 "
        "only if nothing grows, and every count is right. It reads /proc: Linux.",
        epilog="example: python -m simulator soak --minutes 30 --mode sockets --json",
    )
    command.add_argument(
        "--minutes",
        type=_minutes,
        default=2.0,
        metavar="M",
        help="begin no show after so long; the first sixth is for warming up; default: 2",
    )
    command.add_argument(
        "--mode", choices=KINDS, help="run all shows there; the time is shared by both unless told"
    )
    _add_options(command, **DEFAULTS["soak"])


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="one JSON object on standard output, nothing else",
    )


def _add_options(
    parser: argparse.ArgumentParser,
    *,
    players: int = 200,
    rounds: int = 10,
    round_time: float = 2.0,
    leave: float = 0.0,
    drop: float = 0.0,
    late: float = 0.0,
) -> None:
    """The options of a scenario; a RATE is a share of the players, over the whole show."""

    def add(name: str, kind: type, metavar: str, text: str) -> None:
        # An option may stand before or after the command; what is not given is left to Scenario.
        parser.add_argument(name, type=kind, default=argparse.SUPPRESS, metavar=metavar, help=text)

    add("--players", int, "N", f"default: {players}")
    add("--rounds", int, "R", f"default: {rounds}")
    add("--seed", int, "S", "of all that is drawn; default: 1")
    add(
        "--round-time",
        float,
        "SECONDS",
        f"of a round: 0.6 waiting, 0.4 playing, votes spread over 0.3; default: {round_time:g}",
    )
    add(
        "--leave",
        float,
        "RATE",
        f"share that leaves for good, 0.1 is 10 %%; default: {leave:g}",
    )
    add(
        "--drop",
        float,
        "RATE",
        f"share that loses the connection, and returns; default: {drop:g}",
    )
    add("--late", float, "RATE", f"share that joins after round 1 began; default: {late:g}")
    _add_json(parser)


def read_scenario(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Scenario:
    """The scenario that the options come to; exits with a sentence for what cannot be run.

    Raises MisuseError for a scenario's name or file that cannot be read.
    """
    given = {name: value for name, value in vars(options).items() if name in Scenario.model_fields}
    try:
        if options.command == "run":
            return Scenario.load(options.scenario, **given)
        return Scenario(**{**DEFAULTS.get(options.command, {}), **given})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = str(first["msg"]).removeprefix("Value error, ")
        if not place:
            parser.error(message)
        if first["type"] == "less_than_equal" and first.get("ctx", {}).get("le") == 1:
            message = "it is a share, from 0 to 1; 0.3 is 30 %"
        if place in given:
            place = "--" + place.replace("_", "-")
        parser.error(f"{place} {first['input']}: {message[:1].lower()}{message[1:]}")
    except OSError as error:
        known = ", ".join(preset_names())
        raise MisuseError(
            f"{options.scenario}: {error.strerror}; name a TOML file, or one of {known}"
        ) from error
    except ValueError as error:
        raise MisuseError(f"{options.scenario} is no TOML file: {error}") from error


def refuse_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what stands before a command that has no use for it."""
    if options.command == "locust":
        parser.error("locust has a command line of its own: let nothing stand before it")
    known = set[str]()
    if options.command in {"studio", "scenarios", "explore", "trials"}:
        known.update(Scenario.model_fields)
    if options.command in {"studio", "scenarios", "trials", "soak", "serve"}:
        known.add("processes")
    useless = sorted(known & vars(options).keys())
    if useless:
        parser.error(f"{options.command} takes no --{useless[0].replace('_', '-')}")


def run_line(options: argparse.Namespace) -> str:
    """The command line that runs this again."""
    given = {name: value for name, value in vars(options).items() if name in Scenario.model_fields}
    if options.mode == "sockets" and "processes" in options:
        given["processes"] = options.processes
    told = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())
    line = f"python -m simulator run {shlex.quote(options.scenario)} --mode {options.mode}"
    return f"{line} {told}".rstrip()
