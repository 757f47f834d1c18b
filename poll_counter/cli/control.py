"""The Control API of a command: which one, and with which token."""

from __future__ import annotations

import argparse
from pathlib import Path

from poll_counter.control import ControlApi, Token
from poll_counter.errors import MisuseError

__all__ = ["control_api"]


def control_api(options: argparse.Namespace) -> ControlApi:
    """Make the Control API that a command was given.

    The token comes from a file or, where none is named, from the environment; never from an
    argument, which everybody on the machine can see.

    Raises `MisuseError` where there is no token, or no such Control API.
    """
    token = None if options.token_file is None else _read(options.token_file)
    return ControlApi(
        options.url or options.env or "eu", token=token, allow_plain=options.allow_plain
    )


def _read(file: Path) -> Token:
    try:
        return Token(file.read_text(encoding="utf-8").strip())
    except OSError as error:
        why = error.strerror
    except UnicodeDecodeError:
        why = "it is no text"
    # Not raised from there: an error of decoding holds what was read.
    raise MisuseError(f"the token cannot be read from {file}: {why}")
