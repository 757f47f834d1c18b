"""The emulator's log as a file: a line of JSON for everything that happens, there when it is told.

A line is written before what it says reaches any client, by one system call: it outlives a process
that is killed, though not a machine that loses its power.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from .emulator import Entry

__all__ = ["LogFile", "read_log"]


class LogFile:
    """Takes the emulator's log, and appends it to a file.

        with LogFile("show.jsonl") as log:
            Platform(log=log)

    Raises OSError when the file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, entry: Entry) -> None:
        """Append a line."""
        os.write(self._file, json.dumps(entry).encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        os.close(self._file)


def read_log(path: str | Path) -> list[Entry]:
    """Read a log back; a line that its writer died in is left out.

    Raises OSError when there is no such file, and ValueError for one of something else.
    """
    whole, _, _ = Path(path).read_text(encoding="utf-8").rpartition("\n")
    return [Entry(*json.loads(line)) for line in whole.splitlines()]
