"""Waiting in tests: for a condition, never for luck."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

GUARD_S = 10.0
"""What should happen at once and has not by then will not: the test fails."""


async def until(condition: Callable[[], object], every_s: float = 0.0) -> None:
    """Let the event loop turn until the condition holds; TimeoutError if it never does.

    It is looked at in every turn, or `every_s`, which spares the processor where time must pass.
    """
    async with asyncio.timeout(GUARD_S):
        while not condition():  # noqa: ASYNC110 - sockets and threads have no one event to wait for
            await asyncio.sleep(every_s)


async def soon(awaitable: Awaitable[T]) -> T:
    """Wait for what must come; TimeoutError if it does not."""
    async with asyncio.timeout(GUARD_S):
        return await awaitable
