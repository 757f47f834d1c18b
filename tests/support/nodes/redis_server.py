"""A Redis of one's own: on loopback, in a folder of its own, gone when the block ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

__all__ = ["IN_MEMORY", "RedisServer", "redis_command"]

START_S = 20.0
IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where files are in memory, if anywhere: what else the disk has to do holds up no small show."""


def redis_command() -> str:
    """Where `redis-server` is; skips the test where there is none."""
    pytest.importorskip("redis", reason="the extra redis is not installed")
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("there is no redis-server: apt-get install redis-server")
    return found


class RedisServer:
    """Redis with every write on disk before it answers.

    Args:
        command: where `redis-server` is.
        host: the address to listen on.
        prefix: what is to be put before the command, such as the entering of a namespace.
        parent: where its folder is; among other temporary ones unless told.
    """

    def __init__(
        self,
        command: str = "redis-server",
        host: str = "127.0.0.1",
        *,
        prefix: tuple[str, ...] = (),
        parent: str | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="poll-counter-redis-", dir=parent)
        self._prefix, self._command, self._host = prefix, command, host
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://{self._host}:{self.port}"

    def start(self) -> None:
        """Start it, on the port that it had before; waits until it answers."""
        if not self.port:
            with socket.create_server((self._host, 0)) as free:
                self.port = free.getsockname()[1]
        log = Path(self._folder.name) / "log"
        self._process = subprocess.Popen(
            [
                *self._prefix,
                self._command,
                *("--bind", self._host, "--port", str(self.port), "--protected-mode", "no"),
                *("--dir", self._folder.name, "--save", "", "--logfile", str(log)),
                *("--appendonly", "yes", "--appendfsync", "always"),
            ],
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"redis-server does not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self._host, self.port), timeout=1.0) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def kill(self) -> None:
        """End it with -9; what it has answered is on disk."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Let it hang, with its connections open."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def forget(self) -> None:
        """Lose what is on disk; it is not to be running."""
        for path in Path(self._folder.name).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        self._folder.cleanup()
