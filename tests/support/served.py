"""A served emulator in a thread of its own, for tests of what blocks."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from simulator.emulator import Emulator
from simulator.scenario import Scenario
from simulator.server import LiveServer
from simulator.show import Show, prepare


class ServedShow:
    """Serves a show from another thread; the test says what happens, and when."""

    def __init__(self, rounds: int = 2) -> None:
        self.emulator = Emulator(results_interval_s=0.01)
        self.show: Show = prepare(self.emulator, Scenario(rounds=rounds, round_time=0.2), "show")
        self.url = ""
        self._ready: Future[LiveServer] = Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="served")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with LiveServer(self.emulator) as server:
            self._ready.set_result(server)
            await self._stop.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._ready.result(timeout=10)
        self.url = self._server.url
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def start(self) -> None:
        """Start the event and publish the hidden poll."""
        self._act(self.emulator.start, self.show.event_id)
        self._act(self.emulator.publish, self.show.polls[0])

    def play(self, number: int) -> None:
        """Publish and close a trivia."""
        self.publish(number)
        self.close(number)

    def publish(self, number: int) -> None:
        """Publish a trivia."""
        self._act(self.emulator.publish, self.show.trivia[number - 1])

    def close(self, number: int) -> None:
        """Close a trivia."""
        self._act(self.emulator.close, self.show.trivia[number - 1])

    def stop(self) -> None:
        """Stop the event."""
        self._act(self.emulator.stop, self.show.event_id)

    @property
    def connected(self) -> int:
        """How many connections the event has."""
        return self.emulator.connected(self.show.event_id)

    def votes(self, option: int = 0) -> int:
        """How many votes an option of the hidden poll has."""
        return self.emulator.votes(self.show.polls[0])[option]

    def _act(self, action: object, subject: str) -> None:
        done: Future[None] = Future()

        def act() -> None:
            self._server.act(action, subject)  # type: ignore[arg-type] # one of the emulator's
            done.set_result(None)

        self._loop.call_soon_threadsafe(act)
        done.result(timeout=10)
