"""The floor: `websockets` and plain JSON, with the same frames in number and size, and no more."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any, Self

from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve

from .script import EVENT, Script, accepted, answer

__all__ = ["Bare", "Tally", "dumps"]


def dumps(message: object) -> str:
    """Write JSON as small as the library does."""
    return json.dumps(message, separators=(",", ":"))


class Tally:
    """What a server keeps of a round: who voted, and how many."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._voted = set[tuple[int, str, int]]()
        self._votes = 0

    def take(self, frame: str | bytes, voter: int) -> tuple[str, bool]:
        """Take a vote; gives the answer, and whether it was the last of the round."""
        vote = json.loads(frame)
        key = voter, vote["element"], vote["options"][0]
        if key not in self._voted:
            self._voted.add(key)
            self._votes += 1
        return dumps(accepted(vote)), not self._votes % self._clients


class Bare:
    """Bare `websockets` at both ends."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._script = Script.of(clients)
        self._tally = Tally(clients)
        self._number = self._told = 0
        self._all = asyncio.Event()
        self._members: dict[int, ServerConnection] = {}
        self._stack = AsyncExitStack()
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        """Serve, and connect all clients."""
        self._server = await self._stack.enter_async_context(
            serve(self._converse, "127.0.0.1", 0, compression=None, max_size=2**16, backlog=4096)
        )
        port = self._server.sockets[0].getsockname()[1]
        self._url = f"ws://127.0.0.1:{port}"
        ready = asyncio.Semaphore(100)
        self._playing = [asyncio.Event() for _ in range(self._clients)]
        self._tasks = [
            asyncio.create_task(self._play(n, ready, welcomed))
            for n, welcomed in enumerate(self._playing)
        ]
        for welcomed in self._playing:
            await welcomed.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def prepare(self, number: int) -> None:
        """Nothing comes before a round."""

    async def play(self, number: int) -> None:
        """Push the close, and wait until all hold the tally."""
        self._number, self._told = number, 0
        self._all.clear()
        for frame in self._script.rounds[number - 1].pushes:
            broadcast(self._members.values(), frame)
        await self._all.wait()

    async def _converse(self, connection: ServerConnection) -> None:
        await connection.recv()
        number = len(self._members)
        self._members[number] = connection
        broadcast([connection], self._script.welcome)
        async for frame in connection:
            reply, is_last = self._tally.take(frame, number)
            broadcast([connection], reply)
            if is_last:
                broadcast(self._members.values(), self._script.rounds[self._number - 1].tally)

    async def _play(self, number: int, ready: asyncio.Semaphore, welcomed: asyncio.Event) -> None:
        async with ready:
            connection = await connect(self._url, compression=None, proxy=None)
            await connection.send(
                dumps({"type": "hello", "event": EVENT, "user": f"{number:032x}"})
            )
            json.loads(await connection.recv())
            welcomed.set()
        try:
            async for frame in connection:
                message: dict[str, Any] = json.loads(frame)
                if message["type"] == "element_state":
                    vote = answer(self._number, self._script.poll, self._number)
                    await connection.send(dumps(vote))
                elif message["type"] == "results" and message["element"] == self._script.poll:
                    self._told += 1
                    if self._told == self._clients:
                        self._all.set()
        finally:
            await connection.close()
