"""This library's round: the served emulator, and `PollCounter`s."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Self

from poll_counter import MEMORY, PollCounter, RoundCount, State
from simulator.emulator import Connection, Delivery
from simulator.server import LiveServer

from .script import EVENT, started

__all__ = ["Ours"]

CONNECTING = 100
"""How many clients connect at a time."""


class Ours:
    """The emulator served on loopback, and as many counters."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        emulator, self._show = started()
        self._emulator = emulator
        self._server = LiveServer(emulator)
        self._votes = self._told = self._playing = 0
        self._all, self._open = asyncio.Event(), asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Serve, and connect all clients."""
        answer = self._emulator.answer

        def count(
            connection: Connection, element_id: str, options: list[int], answer_id: str, now: float
        ) -> list[Delivery]:
            told = answer(connection, element_id, options, answer_id, now)
            self._votes += 1
            if self._votes == self._clients:
                asyncio.get_running_loop().call_soon(self._tally)
            return told

        self._emulator.answer = count  # type: ignore[method-assign]
        await self._stack.enter_async_context(self._server)
        ready = asyncio.Semaphore(CONNECTING)
        await asyncio.gather(*(self._connect(ready) for _ in range(self._clients)))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        await self._stack.aclose()

    async def prepare(self, number: int) -> None:
        """Publish the trivia of a round, and wait until all know it; before the first, the poll."""
        if number == 1:
            self._server.act(self._emulator.publish, self._show.polls[0])
            self._tally()  # of the poll itself
            await self._all.wait()  # round 1 is voted for at once
        self._playing = 0
        self._open.clear()
        self._server.act(self._emulator.publish, self._show.trivia[number - 1])
        await self._open.wait()

    async def play(self, number: int) -> None:
        """End a trivia: all vote for the next round, and read how many they are."""
        self._all.clear()
        self._votes = self._told = 0
        self._server.act(self._emulator.close, self._show.trivia[number - 1])
        await self._all.wait()

    async def _connect(self, ready: asyncio.Semaphore) -> None:
        welcomed = asyncio.Event()

        def on_state(state: State) -> None:
            welcomed.set()
            if state is State.PLAYING:
                self._playing += 1
                if self._playing == self._clients:
                    self._open.set()

        async with ready:
            counter = PollCounter(
                self._server.url,
                event_id=EVENT,
                journal=MEMORY,
                on_count=self._on_count,
                on_state=on_state,
            )
            await self._stack.enter_async_context(counter)
            await welcomed.wait()

    def _on_count(self, count: RoundCount) -> None:
        if count.votes == self._clients:
            self._told += 1
            if self._told == self._clients:
                self._all.set()

    def _tally(self) -> None:
        self._server.tell(self._emulator.wake(self._emulator.deadline or 0.0))
