"""What the command line takes."""

from __future__ import annotations

import argparse
import re
import textwrap
from pathlib import Path
from typing import Any

from poll_counter.control.blueprint import CONTENT_TYPE, DURATION_S, ROUNDS
from poll_counter.control.resources import EVENT_STATS
from poll_counter.elements import CONCURRENCY_FIELD
from poll_counter.machine import DEFAULT_SPREAD_S

from .parser import Parser

__all__ = ["in_options", "make_parser"]

DEFAULT_STAT = "current_concurrency"
CREDENTIALS = """\
The token of the Control API comes from the environment variable POLL_COUNTER_TOKEN, or from
--token-file; it is no argument, for arguments are seen by everybody on the machine.
"""
OPTIONS = {
    "allow_plain=True": "--allow-plain",
    "duration_s": "--duration",
    "interval_s": "--interval",
    "options_per_poll": "--options",
    "sample_rate": "--sample-rate",
    "spread_s": "--spread",
    "token=": "--token-file FILE",
}
"""An argument of the library -> the option of the command that it comes from."""
EXIT_CODES = """\
exit codes:
  0    all is well
  1    something would spoil the count (poll check)
  2    the command cannot work as it was given
  3    the platform refused, or cannot be reached
  130  stopped by Ctrl-C
"""
EXAMPLES = """\
examples:
  poll-counter spec                                     what to add to the app's spec, once
  poll-counter poll create EVENT_ID --publish           the hidden poll, made once
  poll-counter poll check EVENT_ID --fix                what would spoil the count, mended
  poll-counter concurrency publish EVENT_ID             the connected users, into a field
  poll-counter watch wss://live.example --event ID      the counts, live
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    parser = Parser(
        prog="poll-counter",
        description="Count the players of every round of a live trivia show by an unseen vote in\n"
        "a hidden poll: the producer's side, and a look at the counts.",
        epilog=f"{EXAMPLES}\n{CREDENTIALS}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # --token is not --token-file
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    poll = _command(
        commands,
        "poll",
        "make or check the hidden poll of an event",
        description="Make or check the hidden poll of an event: the poll that nobody sees, and in "
        "which every app votes for the round that it is in.",
        example="poll-counter poll create EVENT_ID --env eu && poll-counter poll check EVENT_ID",
    )
    poll_commands = poll.add_subparsers(dest="poll_command", required=True, metavar="COMMAND")
    _add_create(poll_commands)
    _add_check(poll_commands)
    _add_spec(commands)
    concurrency = _command(
        commands,
        "concurrency",
        "publish the number of connected users",
        description="The other documented way to a number: how many users are connected, at most "
        "once a minute, in a field that apps read.",
        example="poll-counter concurrency publish EVENT_ID --env eu",
    )
    concurrency_commands = concurrency.add_subparsers(
        dest="concurrency_command", required=True, metavar="COMMAND"
    )
    _add_publish(concurrency_commands)
    _add_watch(commands)
    return parser


def in_options(sentence: str) -> str:
    """Say what the library says of its arguments in the options that people typed."""
    for argument, option in OPTIONS.items():
        sentence = re.sub(rf"(?<!\w){re.escape(argument)}(?!\w)", option, sentence)
    return sentence


class _NoToken(argparse.Action):
    """Refuses a token, without repeating it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error(
            "a token is no argument, for everybody on this machine could see it: take the "
            "environment variable POLL_COUNTER_TOKEN, or --token-file FILE"
        )


Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def _command(
    commands: Commands[Any],
    name: str,
    text: str,
    *,
    description: str,
    example: str,
    epilog: str = "",
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=textwrap.fill(description, 88),
        epilog="\n\n".join(filter(None, (f"example:\n  {example}", epilog, EXIT_CODES))),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # --token is not --token-file
    )
    return parser


def _add_create(commands: Commands[Any]) -> None:
    parser = _command(
        commands,
        "create",
        "make the hidden polls of an event",
        description="Make the hidden polls of an event. Those that are there are kept, so "
        "that running it twice makes one; and what broke off midway is completed.",
        example="poll-counter poll create 6396746d-... --env eu --rounds 12 --publish",
        epilog=CREDENTIALS,
    )
    _add_event(parser)
    parser.add_argument(
        "--rounds",
        type=int,
        default=ROUNDS,
        metavar="N",
        help=f"trivia of the show; default: {ROUNDS}",
    )
    parser.add_argument(
        "--options",
        type=int,
        default=ROUNDS,
        metavar="N",
        help=f"options of a poll; more rounds take more polls; default: {ROUNDS}",
    )
    parser.add_argument(
        "--spread",
        type=float,
        default=DEFAULT_SPREAD_S,
        metavar="SECONDS",
        help=f"over which the votes of a round come in, 0 to 120; default: {DEFAULT_SPREAD_S:g}",
    )
    parser.add_argument(
        "--sample-rate",
        type=float,
        default=1.0,
        metavar="P",
        help="the share of players that vote, above 0 and up to 1; default: 1",
    )
    parser.add_argument(
        "--duration",
        type=int,
        metavar="SECONDS",
        help="how long a poll is open; default: as long as the event",
    )
    parser.add_argument(
        "--locale",
        default="all",
        help="of the texts; default: all, for a project that is not localised",
    )
    _add_content_type(parser)
    parser.add_argument(
        "--publish", action="store_true", help="publish them; the event has to be on"
    )
    _add_api(parser)


def _add_check(commands: Commands[Any]) -> None:
    parser = _command(
        commands,
        "check",
        "say what would spoil the count",
        description="Say what would spoil the count of an event, why, and how to mend it.",
        example="poll-counter poll check 6396746d-... --env eu --rounds 12 --fix",
        epilog=CREDENTIALS,
    )
    _add_event(parser)
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help="trivia of the show; default: as many as the event has",
    )
    parser.add_argument(
        "--poll",
        action="append",
        default=[],
        dest="polls",
        metavar="ID",
        help="a hidden poll, in page order, where the app is configured with ids; repeat it",
    )
    _add_content_type(parser)
    parser.add_argument(
        "--project", metavar="ID", help="whose elements spec is checked; default: the event's"
    )
    parser.add_argument(
        "--fix", action="store_true", help="mend the polls that were not published yet"
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="as --fix, and replace published polls: their votes so far are lost",
    )
    _add_api(parser)


def _add_spec(commands: Commands[Any]) -> None:
    parser = _command(
        commands,
        "spec",
        "print what to add to the app's spec",
        description="Print the hidden poll's entry for elements.json and the field for the "
        "number of connected users, ready for an App Spec. Asks no platform.",
        example="poll-counter spec --options 20 --json > spec.json",
    )
    _add_content_type(parser)
    parser.add_argument(
        "--options",
        type=int,
        default=ROUNDS,
        metavar="N",
        help=f"the most options of a poll; default: {ROUNDS}",
    )
    parser.add_argument(
        "--duration",
        type=int,
        default=DURATION_S,
        metavar="SECONDS",
        help=f"how long a poll is open that Studio makes; default: {DURATION_S}",
    )
    _add_json(parser)


def _add_publish(commands: Commands[Any]) -> None:
    parser = _command(
        commands,
        "publish",
        "write the connected users into a field, once a minute",
        description="Read a number of the event's stats from the Control API, at most once a "
        "minute, and write it into a field of the event or of an element, until "
        "Ctrl-C or the event's end.",
        example="poll-counter concurrency publish 6396746d-... --env eu --dry-run",
        epilog=CREDENTIALS,
    )
    _add_event(parser)
    parser.add_argument(
        "--field",
        default=CONCURRENCY_FIELD,
        metavar="KEY",
        help=f"the field; default: {CONCURRENCY_FIELD}",
    )
    parser.add_argument(
        "--element", metavar="ID", help="write into this element; default: into the event"
    )
    parser.add_argument(
        "--stat",
        choices=EVENT_STATS,
        default=DEFAULT_STAT,
        help=f"which number; default: {DEFAULT_STAT}",
        metavar="NAME",
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="between two reads; default: 60, the least",
    )
    parser.add_argument("--dry-run", action="store_true", help="read, and write nothing")
    _add_api(parser, "print a line of JSON for every report")


def _add_watch(commands: Commands[Any]) -> None:
    parser = _command(
        commands,
        "watch",
        "show the counts of an event, live",
        description="Show the players of every round, live, until the event ends. Whoever "
        "watches does not vote, and so is not counted.",
        example="poll-counter watch wss://live.example/show --event 6396746d-... --json",
    )
    parser.add_argument("url", metavar="URL", help="the live channel, wss://")
    parser.add_argument("--event", required=True, metavar="ID", help="the event")
    parser.add_argument(
        "--allow-plain", action="store_true", help="allow ws:// to other machines, unencrypted"
    )
    _add_json(parser, "print a line of JSON for every count")


def _add_event(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event", metavar="EVENT_ID", help="the event")


def _add_content_type(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--content-type",
        default=CONTENT_TYPE,
        metavar="TYPE",
        help=f"of hidden polls, as the elements spec names it; default: {CONTENT_TYPE}",
    )


def _add_api(parser: argparse.ArgumentParser, json_help: str = "print JSON") -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--env",
        choices=("eu", "us", "dev"),
        help="the platform's environment; default: eu",
    )
    where.add_argument("--url", metavar="URL", help="another Control API, https://")
    parser.add_argument(
        "--allow-plain", action="store_true", help="allow http:// to other machines, unencrypted"
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="has the token, instead of the environment"
    )
    parser.add_argument("--token", action=_NoToken, nargs="?", help=argparse.SUPPRESS)
    _add_json(parser, json_help)


def _add_json(parser: argparse.ArgumentParser, text: str = "print JSON") -> None:
    parser.add_argument("--json", action="store_true", help=text)
