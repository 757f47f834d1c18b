"""Players who come by way of the bridge: a show, the app's folder with the SDK, and counters."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest

from poll_counter import MEMORY, ContentType, PollCounter, Recognise, RoundCount
from poll_counter.bridge import BridgeTransport, NodeHost
from poll_counter.journal import JournalLike
from simulator.emulator import Emulator, Entry, Settings
from simulator.limits import Limits
from simulator.server import LiveServer

__all__ = [
    "EVENT",
    "POLL",
    "RECOGNISE",
    "SDK",
    "BridgedShow",
    "app_folder",
    "children",
    "counter_of",
    "node_host",
    "players",
    "until",
]

EVENT: Final = "show"
POLL: Final = "poll"
RECOGNISE: Final = Recognise(hidden_poll=ContentType("hidden-poll"))
"""The SDK shows no custom fields, so the poll is told by its content type."""
SDK: Final = ["@fake/sdk-core", "@fake/sdk-interact-kit"]
"""The packages of the stand-in SDK."""
HERE: Final = Path(__file__).parent
MODULES: Final = HERE / "node" / "node_modules"
SPREAD_S: Final = 0.02
ANY_PAGE: Final = Limits(origins=("loopback", "null"))
"""The platform takes its SDK from pages without an origin, too."""
GUARD_S: Final = 60.0
"""What has not happened by then will not: a machine may be busy, and starts processes slowly."""


def app_folder(folder: Path) -> Path:
    """Make the folder of an app whose `node_modules` has the stand-in SDK, in two packages.

    Skips the test where Node.js or its package `ws` is missing.
    """
    if shutil.which("node") is None:
        pytest.skip("there is no Node.js to run a bridge with")
    if not (MODULES / "ws").is_dir():
        pytest.skip("there is no package ws: run `npm ci` in tests/support/node")
    packages = {
        "@fake/sdk-util": (HERE / "fake_sdk.mjs").read_text(encoding="utf-8"),
        "@fake/sdk-core": 'export { configure, getEvent } from "@fake/sdk-util";',
        "@fake/sdk-interact-kit": 'export * from "@fake/sdk-util";',
    }
    for name, source in packages.items():
        package = folder / "node_modules" / name
        package.mkdir(parents=True)
        package.joinpath("index.mjs").write_text(source, encoding="utf-8")
        exports = '{"exports": {".": {"import": "./index.mjs"}}}'  # ES modules alone
        package.joinpath("package.json").write_text(exports, encoding="utf-8")
    folder.joinpath("node_modules", "ws").symlink_to(MODULES / "ws", target_is_directory=True)
    return folder


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; TimeoutError if it never holds."""
    async with asyncio.timeout(GUARD_S):
        while not condition():  # noqa: ASYNC110 - processes and sockets have no one event
            await asyncio.sleep(0.01)


def children() -> list[int]:
    """The Node.js processes that this process has started, by their ids."""
    return sorted(pid for pid, parent in node_processes().items() if parent == os.getpid())


def node_processes() -> dict[int, int]:
    """Every Node.js process: its id -> its parent's."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it is gone by now
            pid, _, rest = stat.read_text().partition(" (")
            name, _, rest = rest.rpartition(") ")
            state, parent = rest.split()[:2]
            if name in {"node", "MainThread", "node-MainThread"} and state != "Z":
                found[int(pid)] = int(parent)
    return found


class BridgedShow:
    """A show on the emulator, round by round; the platform can be restarted in between.

    Args:
        rounds: how many trivia there are.
        limit: the votes that the platform takes of a user per option: with more than one it
            would count a vote that is doubled.
    """

    def __init__(self, rounds: int = 3, *, limit: int = 1) -> None:
        self.log: list[Entry] = []
        """What happened, as the platform saw it."""
        self.emulator = Emulator(results_interval_s=0.02, log=self.log)
        self.rounds = rounds
        self.round = 1
        """The round that the show is in."""
        self._server = LiveServer(self.emulator, limits=ANY_PAGE)
        options = tuple(f"Round {n + 1}" for n in range(rounds))
        most = {"max_votes_per_user": rounds * limit, "max_votes_per_option": limit}
        poll = Settings("hidden-poll", "poll", options=options, **most)  # type: ignore[arg-type]
        self.emulator.add_event(EVENT, "Friday trivia", {"host": "Ada"})
        self.emulator.add_element(EVENT, POLL, poll)
        for n in range(rounds):
            trivia = Settings("quiz", "trivia", options=("yes", "no"))
            self.emulator.add_element(EVENT, f"trivia-{n + 1}", trivia)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._server.__aexit__(exc_type, exc, traceback)

    @property
    def url(self) -> str:
        """Where the stand-in SDK connects to."""
        return self._server.url

    @property
    def votes(self) -> tuple[int, ...]:
        """The votes for the hidden poll, per option."""
        return self.emulator.votes(POLL)

    @property
    def connected(self) -> int:
        """How many users the platform sees."""
        return self.emulator.connected(EVENT)

    def configure(self, **knobs: object) -> dict[str, Any]:
        """What the stand-in SDK is configured with."""
        return {"host": self.url, "projectId": "quiz", "knobs": knobs}

    def now(self) -> float:
        """The platform's clock."""
        return self._server.now()

    def begin(self) -> None:
        """Start the event, and publish the hidden poll."""
        self._server.act(self.emulator.start, EVENT)
        self._server.act(self.emulator.publish, POLL)

    def open(self) -> None:
        """Publish the round's trivia."""
        self._server.act(self.emulator.publish, f"trivia-{self.round}")

    def close(self) -> None:
        """Close the round's trivia."""
        self._server.act(self.emulator.close, f"trivia-{self.round}")
        self.round += 1

    def stop(self) -> None:
        """Stop the event."""
        self._server.act(self.emulator.stop, EVENT)

    async def stop_serving(self) -> None:
        """Take the platform away; what it holds stays."""
        await self._server.__aexit__(None, None, None)

    async def serve_again(self) -> None:
        """Have it back where it was."""
        port = int(self._server.url.rpartition(":")[2])
        self._server = LiveServer(self.emulator, port=port, limits=ANY_PAGE)
        await self._server.__aenter__()

    async def voted(self, players: int) -> None:
        """Wait for the votes of so many players in the present round."""
        await until(lambda: self.votes[self.round - 1] >= players)

    async def play(self, *counters: PollCounter) -> None:
        """Play a round: all have voted, all read how many they are, its trivia comes and goes."""
        await self.voted(len(counters))
        await until(lambda: all(self.reads(each, len(counters)) for each in counters))
        self.open()
        self.close()

    async def end(self, *counters: PollCounter) -> None:
        """Stop the event, and let all counters come to their end."""
        self.stop()
        async with asyncio.timeout(GUARD_S):
            for counter in counters:
                async for _ in counter:
                    pass

    def reads(self, counter: PollCounter, players: int | None) -> bool:
        """Whether a counter has the number of the present round."""
        latest = counter.latest
        return latest is not None and (latest.round, latest.players) == (self.round, players)


def counter_of(transport: BridgeTransport, journal: JournalLike = MEMORY) -> PollCounter:
    """Make a counter of the show."""
    return PollCounter(
        transport=transport,
        event_id=EVENT,
        journal=journal,
        recognise=RECOGNISE,
        spread_s=SPREAD_S,
    )


def node_host(folder: Path, show: BridgedShow, **options: Any) -> NodeHost:
    """Make a host; knobs of the stand-in SDK are keyword arguments, as are `storage` and `node`."""
    own = {key: options.pop(key) for key in ("storage", "node", "options") if key in options}
    return NodeHost(folder, SDK, show.configure(**options), **own)


def players(history: Mapping[int, RoundCount]) -> list[int | None]:
    """The counts of the rounds, in order."""
    return [history[round_].players for round_ in sorted(history)]
