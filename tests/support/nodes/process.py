"""A node as a process: `python -m simulator serve --redis URL --node NAME`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from simulator.emulator import Entry
from simulator.logfile import read_log

__all__ = ["NodeProcess"]

ROOT = Path(__file__).parents[3]
START_S = 60.0


class NodeProcess:
    """One node, from its start to its end; one that comes back is another.

    Args:
        name: the node's name.
        redis_url: where Redis is.
        folder: where its log goes.
        host: the address to listen on.
        ports: of the live channel and of the Control API; 0 for any that is free.
        prefix: what is to be put before the command, such as the entering of a namespace.
        options: further options of `serve`.
    """

    def __init__(
        self,
        name: str,
        redis_url: str,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        ports: tuple[int, int] = (0, 0),
        prefix: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
    ) -> None:
        self.name, self.host = name, host
        self.died_at: float | None = None
        """Unix time at which it was killed."""
        self.ready: dict[str, Any] = {}
        """What it prints once it serves."""
        self._log = folder / f"{name}.jsonl"
        self._errors = folder / f"{name}.err"
        self._command = (
            *prefix,
            *(sys.executable, "-m", "simulator", "serve", "--json", "--rounds", "1"),
            *("--redis", redis_url, "--node", name, "--log", str(self._log)),
            *("--host", host, "--port", str(ports[0]), "--web-port", str(ports[1])),
            *options,
        )

    async def start(self) -> None:
        """Start it; waits until it serves."""
        with self._errors.open("wb") as errors:
            self._process: Process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=ROOT,
                env={n: value for n, value in os.environ.items() if "proxy" not in n.lower()},
                stdin=PIPE,  # nobody presses a key
                stdout=PIPE,
                stderr=errors,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_S):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"node {self.name} does not start: {self.errors}")
        self.ready = json.loads(line)

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return bool(self.ready) and self._process.returncode is None and self.died_at is None

    @property
    def ports(self) -> tuple[int, int]:
        """Of the live channel and of the Control API."""
        live, web = (self.ready[url].rpartition(":")[2] for url in ("live_url", "control_url"))
        return int(live), int(web)

    async def kill(self) -> None:
        """End it with -9."""
        self.died_at = time.time()
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int | None:
        """Let it end, if it runs; returns its exit code."""
        if self.ready and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(START_S):
                await self._process.communicate()
        return self._process.returncode

    def end(self) -> None:
        """See that nothing of it is left."""
        if self.ready and self._process.returncode is None:
            self._process.kill()

    @property
    def errors(self) -> str:
        """What it printed for people."""
        return self._errors.read_text(encoding="utf-8")[-2000:]

    @property
    def log(self) -> list[Entry]:
        """All that happened on it."""
        return read_log(self._log)
