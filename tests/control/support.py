"""What the tests of the producer's side have in common: a scripted platform, a token, a clock.

The token stands in a module, not in a test: a test's own local variables are part of a traceback.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from traceback import TracebackException
from typing import Any
from uuid import uuid4

import httpx
import pytest

from poll_counter.control.api import ControlApi

__all__ = [
    "TOKEN",
    "Logged",
    "Naps",
    "Platform",
    "Step",
    "VirtualTime",
    "api_on",
    "everything_about",
    "new_token",
]

TOKEN = "s3cr3t-t0k3n-that-nobody-may-see"

Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]
Step = Reply | dict[str, Any]
"""What a platform does with one request: a document, an answer, or an error of the network."""


@dataclass
class Platform(httpx.AsyncBaseTransport):
    """A transport that answers as it is told, and keeps what was asked."""

    steps: list[Step] = field(default_factory=list)
    """One for each request."""
    always: Step | None = None
    """When there are no more of them."""
    requests: list[httpx.Request] = field(default_factory=list)
    closed: bool = False

    async def aclose(self) -> None:
        """Note that nobody asks any more."""
        self.closed = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer with the next step."""
        await request.aread()
        self.requests.append(request)
        step = self.steps.pop(0) if self.steps else self.always
        assert step is not None, f"unexpected: {request.method} {request.url}"
        if isinstance(step, Exception):
            raise step
        if isinstance(step, dict):
            return httpx.Response(200, json=step)
        return step if isinstance(step, httpx.Response) else step(request)

    @property
    def asked(self) -> list[str]:
        """Method and path of each request."""
        return [f"{each.method} {each.url.path}" for each in self.requests]

    @property
    def bodies(self) -> list[Any]:
        """The body of each request that had one."""
        return [json.loads(each.content) for each in self.requests if each.content]


@dataclass
class Naps:
    """Sleeps that only note how long they would have been."""

    taken: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        """Sleep."""
        self.taken.append(seconds)


def api_on(
    *steps: Step,
    always: Step | None = None,
    attempts: int = 5,
    draw: Callable[[], float] = lambda: 1.0,
    sleep: Callable[[float], Awaitable[object]] | None = None,
    token: str = TOKEN,
) -> tuple[ControlApi, Platform, Naps]:
    """An api, the platform that it is on, and its sleeps."""
    platform, naps = Platform(list(steps), always), Naps()
    api = ControlApi(
        "https://platform.example",
        token=token,
        attempts=attempts,
        transport=platform,
        sleep=sleep or naps,
        draw=draw,
    )
    return api, platform, naps


def everything_about(error: BaseException) -> str:
    """An error as it could get into a log: with its causes, and all frames' local variables."""
    told = TracebackException.from_exception(error, capture_locals=True)
    chain: list[BaseException | None] = [error]
    while chain[-1] is not None:  # also what `from None` only hides
        chain.append(chain[-1].__cause__ or chain[-1].__context__)
    hidden = [
        "".join(TracebackException.from_exception(each, capture_locals=True).format())
        for each in chain
        if each is not None
    ]
    return "".join([*told.format(), repr(error), str(vars(error)), *hidden])


class Logged:
    """Everything that is logged in a test, at DEBUG, with the arguments of each record."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        for name in ("", "httpx", "httpcore", "poll_counter", "asyncio"):
            caplog.set_level(logging.DEBUG, logger=name)

    @property
    def text(self) -> str:
        """All of it."""
        records: Iterable[logging.LogRecord] = self._caplog.records
        return "\n".join(f"{record.getMessage()} {record.args!r}" for record in records)


class VirtualTime:
    """A clock that jumps to the next who wakes, when everybody sleeps."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def clock(self) -> float:
        """Now."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has come so far."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
        await woken

    async def run(self, until: float) -> None:
        """Let time pass, up to a time of this clock."""
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            self.now, _, woken = heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await self._settle()
        self.now = until

    async def _settle(self) -> None:
        for _ in range(100):  # more steps than anything here takes between two sleeps
            await asyncio.sleep(0)


def new_token() -> str:
    """A token that no other test has: the schedule of reads is one for the whole process."""
    return f"token-{uuid4()}"
