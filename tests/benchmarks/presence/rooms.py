"""The show by python-socketio: one room, and how many are in it, told as they come and leave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp
import socketio
from aiohttp import web

from .costs import Bytes, Cost, Plan, little_by_little, pushes

__all__ = ["play"]

ROOM = "show"
PATIENCE_S = 600
"""Nobody is given up: where each is told of each, one core is late by more than a minute."""


class Room:
    """A server with a room, and the count of who is in it."""

    def __init__(self, interval_s: float) -> None:
        self.up = self.down = 0
        self._interval_s = interval_s
        self._members = 0
        self._next: asyncio.TimerHandle | None = None
        self._free_at = 0.0
        self._telling = set[asyncio.Task[None]]()
        self._io = socketio.AsyncServer(
            async_mode="aiohttp", ping_interval=PATIENCE_S, ping_timeout=PATIENCE_S
        )
        self._io.on("connect", self._join)
        self._io.on("disconnect", self._leave)
        self._count_packets()
        self._app = web.Application()
        self._io.attach(self._app)
        self._runner = web.AppRunner(self._app)

    async def start(self) -> str:
        """Listen; gives the address."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def push(self, frame: str) -> None:
        """Tell everybody something of the show."""
        down = self.down
        await self._io.emit("show", frame, room=ROOM)
        self.down = down

    async def stop(self) -> None:
        """Tell nobody any more."""
        await asyncio.gather(*self._telling)
        await self._runner.cleanup()

    def _count_packets(self) -> None:
        engine = self._io.eio
        send: Callable[[str, Any], Awaitable[None]] = engine.send_packet
        take: Callable[[str, Any], Awaitable[None]] = engine.handlers["message"]

        async def counted_send(sid: str, packet: Any) -> None:
            self.down += 1
            await send(sid, packet)

        async def counted_take(sid: str, data: Any) -> None:
            self.up += 1
            await take(sid, data)

        engine.send_packet = counted_send
        engine.on("message", counted_take)

    async def _join(self, sid: str, *_: object) -> None:
        await self._io.enter_room(sid, ROOM)
        self._members += 1
        await self._changed()

    async def _leave(self, sid: str, *_: object) -> None:
        await self._io.leave_room(sid, ROOM)  # it need not be told of itself
        self._members -= 1
        await self._changed()

    async def _changed(self) -> None:
        """Tell the count now, or as soon as it may be told again."""
        if not self._interval_s:
            await self._tell()
        elif self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.call_at(max(self._free_at, loop.time()), self._begin_to_tell)

    def _begin_to_tell(self) -> None:
        self._next = None
        self._free_at = asyncio.get_running_loop().time() + self._interval_s
        task = asyncio.ensure_future(self._tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self) -> None:
        await self._io.emit("count", self._members, room=ROOM)


class _Players:
    """Those who connect to a room, and what all of them have been told."""

    def __init__(self, session: aiohttp.ClientSession, plan: Plan, frames: int) -> None:
        self.all_know, self.all_saw = asyncio.Event(), asyncio.Event()
        self.on_wire = Bytes()
        self._plan = plan
        self._knowing = 0
        self._to_see = plan.players * frames
        self._clients = [self._make(session) for _ in range(plan.players)]

    async def come(self, url: str) -> None:
        """Connect one after another."""
        patient = {"transports": ["websocket"], "wait_timeout": PATIENCE_S}
        coming = [partial(each.connect, url, **patient) for each in self._clients]
        await little_by_little(coming, self._plan.ramp_s)

    async def leave(self) -> None:
        """Leave one after another."""
        leaving = [partial(self._leave, each) for each in self._clients]
        await little_by_little(leaving, self._plan.ramp_s)

    def _make(self, session: aiohttp.ClientSession) -> Any:
        client = socketio.AsyncClient(
            reconnection=False,
            handle_sigint=False,
            http_session=session,
            request_timeout=PATIENCE_S,
        )
        client.on("count", self._on_count)
        client.on("show", self._on_show)
        return client

    async def _leave(self, client: Any) -> None:
        self.on_wire.read(client.eio.ws.get_extra_info("socket"))
        await client.disconnect()

    def _on_count(self, count: int) -> None:
        if count == self._plan.players:
            self._knowing += 1
            if self._knowing == self._plan.players:
                self.all_know.set()

    def _on_show(self, _frame: str) -> None:
        self._to_see -= 1
        if not self._to_see:
            self.all_saw.set()


async def play(plan: Plan, interval_s: float) -> Cost:
    """Play a whole show; the count is told once an interval at most, with 0 at every change."""
    began, room = time.process_time(), Room(interval_s)
    url = await room.start()
    frames = pushes(plan.rounds)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        crowd = _Players(session, plan, len(frames))
        await crowd.come(url)
        await crowd.all_know.wait()
        for frame in frames:
            await room.push(frame)
        await crowd.all_saw.wait()
        await crowd.leave()
        await asyncio.sleep(2.0 * interval_s)
    await room.stop()
    return Cost(room.up, room.down, crowd.on_wire.total, time.process_time() - began)
