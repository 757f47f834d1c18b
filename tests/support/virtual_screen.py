"""A real X server without a monitor, for the windows of apps: Xvfb, on a display that is free."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["VirtualScreen"]


class VirtualScreen:
    """An X server as long as the block runs.

    Args:
        size: of the screen, in pixels.
    """

    NEEDS = ("Xvfb", "xdotool")
    """The programs it takes: Debian's packages `xvfb` and `xdotool`."""

    def __init__(self, size: str = "800x600") -> None:
        self._size = size
        self.environment: dict[str, str] = {}
        """What a program needs to open its window here."""

    @classmethod
    def missing(cls) -> list[str]:
        """The programs that are not installed."""
        return [name for name in cls.NEEDS if shutil.which(name) is None]

    def __enter__(self) -> Self:
        """Start the server, and wait until it has taken a display."""
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{self._size}x24"]
        command += ["-nolisten", "tcp", "-noreset"]
        self._server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as told:
            number = told.readline().strip()  # empty if the server has ended
        if not number:
            self._server.wait()
            raise RuntimeError("Xvfb did not start")
        self.environment = {**os.environ, "DISPLAY": f":{number}"}
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self._server.terminate()
        self._server.wait()

    def click(self, x: int, y: int) -> None:
        """Click with the mouse at a place on the screen, in pixels from its upper left."""
        self.xdotool("mousemove", "--sync", str(x), str(y), "click", "1")

    def xdotool(self, *words: str) -> str:
        """Do what a person with a mouse and a keyboard does; returns what was printed."""
        done = subprocess.run(
            ["xdotool", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return done.stdout.strip()

    def picture(self, file: Path) -> None:
        """Save the whole screen (ImageMagick's `import`), to be looked at."""
        command = ["import", "-window", "root", str(file)]
        subprocess.run(command, env=self.environment, timeout=20, check=True)
