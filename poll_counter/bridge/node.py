"""A Node.js process that is started, watched, started again, and ended with the app."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poll_counter.errors import MisuseError
from poll_counter.transport import backoff_s

__all__ = ["NodeHost"]

logger = logging.getLogger(__name__)

SCRIPT = Path(__file__).with_name("bridge-node.mjs")
WORDS_MAX = 2**10
"""How much of a process's last words is kept, bytes."""
GOODBYE_S = 2.0
"""How long a process may take to end by itself, and then again when told to."""
FIRST_S, CAP_S = 0.5, 20.0
"""Jitter of starts after the first (`backoff_s`); a process that lived for the longer did well."""


@dataclass(frozen=True)
class NodeHost:
    """Runs the bridge in a Node.js process, for apps that show no web page.

    Args:
        folder: the app's folder, whose `node_modules` has the SDK's packages.
        sdk: the packages that together have the functions; `./name.mjs` is a module in the folder,
            such as one that prepares what an SDK expects of a browser.
        configure: what the SDK's `configure` is called with, such as `host` and `projectId`.
        storage: a file for the SDK's `localStorage`: it keeps the user's id there. Without one,
            every start of the process is a new user of the platform.
        node: the Node.js to run, 22 or newer; 20.12 does with the package `ws` in the folder.
        options: what else Node.js is started with.
        supervised: False where you look after the process yourself: start the package's
            `bridge-node.mjs` with `--config FILE`, and `configuration` in the file, which is a
            secret (mode 0600).

    Raises `MisuseError` where there is no such folder or no such program.

    For example:

    ```python
    NodeHost(
        "app",
        sdk=["@monterosa/sdk-core", "@monterosa/sdk-interact-kit"],
        configure={"host": "cdn.example", "projectId": "..."},
        storage="sdk-storage.json",
    )
    ```
    """

    folder: str | os.PathLike[str]
    sdk: Sequence[str]
    configure: Mapping[str, Any] = field(default_factory=dict)
    storage: str | os.PathLike[str] | None = None
    node: str | os.PathLike[str] = "node"
    options: Sequence[str] = ()
    supervised: bool = True

    def __post_init__(self) -> None:
        if not Path(self.folder).is_dir():
            raise MisuseError(f"there is no folder {self.folder}; name the one with node_modules")
        if isinstance(self.sdk, str) or not self.sdk:
            raise MisuseError("sdk= is the list of the packages that have the SDK's functions")
        if shutil.which(self.node) is None:
            raise MisuseError(
                f"there is no program {self.node}; install Node.js 22 or newer, or pass node="
            )

    def configuration(self, url: str) -> dict[str, Any]:
        """What the process is told, as JSON; `url` is `BridgeTransport.websocket_url`."""
        return {
            "url": url,
            "folder": str(Path(self.folder).absolute()),
            "sdk": list(self.sdk),
            "configure": dict(self.configure),
            "storage": None if self.storage is None else str(Path(self.storage).absolute()),
        }

    async def run(self, url: str, on_problem: Callable[[str], object]) -> None:
        """Keep a process going until cancelled, and leave none behind.

        Args:
            url: the address of the counter, with its token: told to the process in private, for
                everybody on a machine may read the command lines.
            on_problem: called with a sentence when a process ended.
        """
        attempt = 0
        while True:
            started = asyncio.get_running_loop().time()
            on_problem(f"the bridge's Node.js process ended: {await self._run_once(url)}")
            if asyncio.get_running_loop().time() - started > CAP_S:
                attempt = 0
            delay_s = backoff_s(attempt, first_s=FIRST_S, cap_s=CAP_S)
            attempt += 1
            logger.debug("starting Node.js again in %.1f s", delay_s)
            await asyncio.sleep(delay_s)

    async def _run_once(self, url: str) -> str:
        """Run a process to its end; returns its last words."""
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                self.node, "--no-warnings", *self.options, str(SCRIPT),
                cwd=self.folder, stdin=pipe, stdout=nothing, stderr=pipe,
            )  # fmt: skip
        except OSError as error:
            return f"it could not be started ({error})"
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            with suppress(ConnectionError):  # it may have died at once; its words are read below
                process.stdin.write(f"{json.dumps(self.configuration(url))}\n".encode())
                await process.stdin.drain()
            words = await _last_line(process.stderr)
            status = await process.wait()
            return words or f"with status {status}, without a word"
        finally:
            await _end(process)


async def _last_line(stream: asyncio.StreamReader) -> str:
    """Read a stream to its end; returns the last line that says something."""
    tail = b""
    while chunk := await stream.read(WORDS_MAX):
        tail = (tail + chunk)[-WORDS_MAX:]
    lines = tail.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process: it goes when its stdin does; else it is told to, and in the end killed."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        for insist in (process.terminate, process.kill):
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await process.wait()
                    return
            with suppress(ProcessLookupError):
                insist()
        await process.wait()
    except asyncio.CancelledError:  # somebody is in a hurry
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
