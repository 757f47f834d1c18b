"""Colours and progress are for terminals, and for those who want them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")
"""An escape that sets a colour of the text."""
ESCAPE = "\x1b"
MEANWHILE = """
from rich.console import Console
from simulator.__main__ import _bar, _live
console = Console()
with _bar(console, "seeds", 2) as show:
    print("told meanwhile")
    show(1)
with _live(console, wanted=True):
    print("and told again")
"""
"""A program that prints while a bar, and then a table, is shown."""
RUN = ("-m", "simulator", "run", "calm", "--players", "1000", "--rounds", "2")


def python(
    *words: str, out_is_terminal: bool, environment: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """Run Python with a terminal at standard error; gives what it read there, and the rest.

    With `out_is_terminal` the terminal has standard output, too, and there is no rest.
    """
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **(environment or {})}
    done = subprocess.Popen(
        [sys.executable, *words],
        env={name: text for name, text in env.items() if text},
        stdout=theirs if out_is_terminal else subprocess.PIPE,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
    )
    os.close(theirs)
    read = rest = b""
    try:
        while piece := os.read(ours, 65536):
            read += piece
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    if done.stdout is not None:
        with done.stdout as stream:
            rest = stream.read()
    assert done.wait(timeout=60) == 0
    return read.decode(), rest.decode()


def test_a_terminal_has_colours_and_a_bar() -> None:
    """The verdict is green, and a run shows how far it is."""
    read, _ = python(*RUN, out_is_terminal=True)
    assert COLOUR.search(read)
    assert "players" in read
    assert "100%" in read


def test_no_color_means_no_colours() -> None:
    """NO_COLOR is heeded; the bar stays."""
    read, _ = python(*RUN, out_is_terminal=True, environment={"NO_COLOR": "1"})
    assert not COLOUR.search(read)
    assert "100%" in read


def test_what_is_piped_is_plain_and_the_bar_is_still_seen() -> None:
    """Output that goes to a file has no escapes; who waits at the terminal sees the bar."""
    read, rest = python(*RUN, out_is_terminal=False)
    assert ESCAPE not in rest
    assert "OK: every round is counted right" in rest
    assert "100%" in read
    assert "OK" not in read


def test_what_is_told_meanwhile_goes_where_the_rest_goes() -> None:
    """A bar on the terminal does not draw what is printed away from the file it is meant for."""
    read, rest = python("-c", MEANWHILE, out_is_terminal=False)
    assert rest == "told meanwhile\nand told again\n"
    assert "told" not in read


@pytest.mark.parametrize("command", [("-m", "simulator", "scenarios"), RUN])
def test_elsewhere_nothing_moves(command: tuple[str, ...]) -> None:
    """Without any terminal there is plain text, and nothing on standard error."""
    words = [sys.executable, *command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert ESCAPE not in done.stdout
    assert done.stderr == ""
