"""Waiting in tests: for a condition, never for luck."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

GUARD_S = 10.0
"""What should happen at once and has not by then will not: the test fails."""
TURNS_AT_ONCE = 200
"""What is about turns of the event loop takes fewer; whatever takes more is about time."""


async def until(condition: Callable[[], object], every_s: float = 0.001) -> None:
    """Let the event loop turn until the condition holds; TimeoutError if it never does.

    It is looked at in every turn for a while, then `every_s`: where time must pass, others need the
    processor.
    """
    async with asyncio.timeout(GUARD_S):
        for _ in range(TURNS_AT_ONCE):
            if condition():
                return
            await asyncio.sleep(0)
        while not condition():  # noqa: ASYNC110 - sockets and threads have no one event to wait for
            await asyncio.sleep(every_s)


async def soon(awaitable: Awaitable[T]) -> T:
    """Wait for what must come; TimeoutError if it does not."""
    async with asyncio.timeout(GUARD_S):
        return await awaitable
