"""Frames for the pages: made once every quarter second, whoever looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

from .frame import FRAME_S, frame
from .studio import Studio

__all__ = ["PAGES_MAX", "Frames"]

PAGES_MAX = 4
"""How many pages may look on: a browser keeps six connections to one host, for all its tabs, and
buttons need some."""


class Frames:
    """Makes frames while its block runs, and gives them to all that look on.

    A page that is slow misses frames; it never gets an old one.

    Args:
        studio: of which they tell.
    """

    def __init__(self, studio: Studio) -> None:
        self.pages = 0
        """How many look on."""
        self.made = 0
        """How many frames there were."""
        self._studio = studio
        self._latest = b""
        self._news = asyncio.Event()
        self._over = False

    async def __aenter__(self) -> Self:
        """Make the first frame, then one after the other."""
        self.make()
        self._making = asyncio.create_task(self._make_all())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Make no more, and end every stream."""
        self.close()
        self._making.cancel()
        await asyncio.gather(self._making, return_exceptions=True)

    def close(self) -> None:
        """End every stream."""
        self._over = True
        self._news.set()

    def make(self) -> None:
        """Make a frame, and tell all that look on."""
        self.made += 1
        told = json.dumps(frame(self._studio, self.made), separators=(",", ":"))
        self._latest = f"data: {told}\n\n".encode()
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The latest frame, then each that follows, as server-sent events."""
        self.pages += 1
        try:
            while not self._over:
                news = self._news
                yield self._latest
                await news.wait()
        finally:
            self.pages -= 1

    async def refuse(self) -> AsyncGenerator[bytes, None]:
        """Say that too many look on; what an error's body says a page cannot read."""
        told = f"The studio is open in {PAGES_MAX} pages already. Close one of them."
        yield f"event: refused\ndata: {json.dumps(told)}\n\n".encode()

    async def _make_all(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + FRAME_S, loop.time())  # frames that are missed are not made up for
            await asyncio.sleep(due - loop.time())
            self.make()
