"""A transport that a test listens to, fact by fact."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Final, Self

from poll_counter.facts import Fact, Welcomed
from poll_counter.transport import Transport, WebSocketTransport

from .waiting import GUARD_S

__all__ = ["WELCOMED", "Listener", "quick"]

WELCOMED: Final = Welcomed("active", (), rev=1, event_rev=1, event_id="demo", server_time=0.0)
"""What `welcome()` of a scripted server says."""


def quick(url: str | Sequence[str], **options: float) -> WebSocketTransport:
    """Make a transport that comes back at once."""
    return WebSocketTransport(url, **{"reconnect_first_s": 0.0, **options})  # type: ignore[arg-type]


class Listener:
    """Reads a transport's facts as they come, in a task of its own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._facts: asyncio.Queue[Fact] = asyncio.Queue()

    async def _listen(self) -> None:
        async with aclosing(self._transport.facts("demo", "me")) as facts:
            async for fact in facts:
                self._facts.put_nowait(fact)

    async def next(self) -> Fact:
        """Wait for the next fact."""
        async with asyncio.timeout(GUARD_S):
            get = asyncio.ensure_future(self._facts.get())
            await asyncio.wait([get, self._task], return_when=asyncio.FIRST_COMPLETED)
            if not get.done():
                get.cancel()
                self._task.result()  # why it ended
            return await get

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
