"""The command line: `python -m simulator`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from pydantic import ValidationError
from rich.console import Console
from rich.live import Live
from rich.table import Table

from poll_counter import MisuseError

from .report import options_line, print_crowd, print_report
from .scenario import Scenario
from .serve import EVENT_ID, check_host, join_show, serve_show
from .sockets import run_sockets

EXAMPLES = """\
examples:
  python -m simulator                                  a show of ten rounds, counted
  python -m simulator --players 500 --drop 0.3         with a bad network
  python -m simulator serve --port 8765                a platform for your own app
  python -m simulator crowd ws://127.0.0.1:8765 --event demo --players 300
                                                       a crowd for it, from another terminal
"""


DEFAULTS: dict[str | None, dict[str, float]] = {
    "serve": {"players": 0, "round_time": 10.0},
    "crowd": {"round_time": 10.0},
}
"""Where a command's scenario differs from `Scenario`'s own defaults."""


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"{port} is not from 0 to 65535")
    return port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="Run a whole trivia show on this machine, with a crowd of real clients, and "
        "hold what they count against the truth. Exit code 0 only if all checks hold.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_options(parser)
    commands = parser.add_subparsers(dest="command", metavar="{serve,crowd}")
    serve = commands.add_parser(
        "serve",
        help="keep a platform up for your own app",
        description="Keep a platform up on loopback, with one show that starts on a key press.",
        epilog="example: python -m simulator serve --port 8765 --round-time 10 --players 50",
    )
    _add_options(serve, **DEFAULTS["serve"])
    serve.add_argument("--port", type=_port, default=0, help="where to listen; 0: any that is free")
    serve.add_argument(
        "--autostart", action="store_true", help="start the show at once, without a key press"
    )
    crowd = commands.add_parser(
        "crowd",
        help="drive a crowd against a platform",
        description="Drive a crowd of real clients against a platform that is up, until its event "
        "ends. Only the platform knows the truth; the crowd checks that all its players agree.",
        epilog=f"example: python -m simulator crowd ws://127.0.0.1:8765 --event {EVENT_ID}",
    )
    crowd.add_argument("url", metavar="URL", help="the platform's live channel, ws:// or wss://")
    crowd.add_argument("--event", required=True, metavar="ID", help="the event to join")
    crowd.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="let the crowd go to this host too, which you may load",
    )
    _add_options(crowd, **DEFAULTS["crowd"])
    return parser


def _add_options(
    parser: argparse.ArgumentParser, *, players: float = 200, round_time: float = 2.0
) -> None:
    """The options of a scenario; a RATE is a share of the players, over the whole show."""

    def add(name: str, kind: type, metavar: str, text: str) -> None:
        # An option may stand before or after the command; what is not given is left to Scenario.
        parser.add_argument(name, type=kind, default=argparse.SUPPRESS, metavar=metavar, help=text)

    add("--players", int, "N", f"default: {players}")
    add("--rounds", int, "R", "default: 10")
    add("--seed", int, "S", "of all that is drawn; default: 1")
    add(
        "--round-time",
        float,
        "SECONDS",
        f"of a round: 0.6 waiting, 0.4 playing, votes spread over 0.3; default: {round_time:g}",
    )
    add("--leave", float, "RATE", "leave for good after round 1")
    add("--drop", float, "RATE", "lose the connection, and return")
    add("--late", float, "RATE", "join after round 1 began")
    parser.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="one JSON object on standard output, nothing else",
    )


def _scenario(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Scenario:
    given = {name: value for name, value in vars(options).items() if name in Scenario.model_fields}
    try:
        return Scenario(**{**DEFAULTS.get(options.command, {}), **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = "--" + str(first["loc"][0]).replace("_", "-")
        parser.error(f"{name} {first['input']}: {first['msg'].lower()}")


@contextmanager
def _live(console: Console, *, wanted: bool) -> Generator[Callable[[Table], object] | None]:
    """Show a live table while the block runs, on a terminal."""
    if wanted and console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda table: live.update(table, refresh=True)
    else:
        yield None


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments, argparse.Namespace(json=False))
    scenario = _scenario(parser, options)
    # With --json, what is meant for people goes to standard error.
    console = Console(stderr=options.json, highlight=False)
    try:
        if options.command == "serve":
            return _serve(scenario, options, console)
        if options.command == "crowd":
            return _crowd(scenario, options, console)
        return _run(scenario, options, console)
    except MisuseError as error:
        print(f"python -m simulator: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(scenario: Scenario, options: argparse.Namespace, console: Console) -> int:
    console.print(options_line(scenario), soft_wrap=True)
    with _live(console, wanted=not options.json) as show_live:
        report = asyncio.run(run_sockets(scenario, show_live=show_live))
    if options.json:
        print(report.as_json())
    else:
        print_report(report, console)
    return 0 if report.ok else 1


def _serve(scenario: Scenario, options: argparse.Namespace, console: Console) -> int:
    serving = serve_show(
        scenario,
        port=options.port,
        autostart=options.autostart,
        as_json=options.json,
        console=console,
    )
    try:
        asyncio.run(serving)
    except OSError as error:
        raise MisuseError(f"cannot listen on port {options.port}: {error}") from error
    return 0


def _crowd(scenario: Scenario, options: argparse.Namespace, console: Console) -> int:
    check_host(options.url, options.allow_host)
    with _live(console, wanted=not options.json) as show_live:
        report = asyncio.run(join_show(scenario, options.url, options.event, show_live))
    if options.json:
        print(report.as_json())
    else:
        print_crowd(report, console)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
