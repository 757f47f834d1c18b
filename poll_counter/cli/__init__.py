"""The command line: `poll-counter`, or `python -m poll_counter.cli`.

The producer's side: the hidden poll made and checked, the App Spec's entries, the number of
connected users published into a field, and the counts watched by one who does not vote.
"""

from __future__ import annotations

import argparse
import asyncio

from poll_counter.errors import MisuseError, PlatformError

from .concurrency import publish_concurrency
from .options import in_options, make_parser
from .polls import check_polls, create_polls, print_spec
from .terminal import Terminal
from .watch import watch_event

__all__ = ["main"]


def main(
    arguments: list[str] | None = None,
    terminal: Terminal | None = None,
    *,
    testing_interval_s: float | None = None,
) -> int:
    """Run the command line; returns the exit code, which `--help` explains.

    Args:
        arguments: what was typed behind the command's name; None: what this process was given.
        terminal: where to print; None: standard output and standard error.
        testing_interval_s: for tests against an emulator alone: `concurrency publish` reads that
            often, and not once a minute.
    """
    options = make_parser().parse_args(arguments)
    terminal = terminal or Terminal()
    try:
        return asyncio.run(_run(options, terminal, testing_interval_s))
    except BrokenPipeError:  # who reads has read enough
        terminal.close()
        return 0
    except KeyboardInterrupt:
        return 130


async def _run(
    options: argparse.Namespace, terminal: Terminal, testing_interval_s: float | None
) -> int:
    """Run a command; what goes wrong is told in a sentence, never in a traceback."""
    try:
        return await _act(options, terminal, testing_interval_s)
    except MisuseError as error:
        terminal.note(f"poll-counter: {in_options(str(error))}")
        return 2
    except PlatformError as error:
        where = "; is the address right (--env, --url), and the network up?"
        terminal.note(f"poll-counter: {error}{where if 'cannot connect' in str(error) else ''}")
        return 3


async def _act(
    options: argparse.Namespace, terminal: Terminal, testing_interval_s: float | None
) -> int:
    match options.command:
        case "spec":
            return print_spec(options, terminal)
        case "watch":
            return await watch_event(options, terminal)
        case "concurrency":
            return await publish_concurrency(
                options, terminal, testing_interval_s=testing_interval_s
            )
        case _:
            act = create_polls if options.poll_command == "create" else check_polls
            return await act(options, terminal)
