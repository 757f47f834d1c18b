"""Waiting in tests: for a condition, never for luck."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

GUARD_S = 10.0
"""What should happen at once and has not by then will not: the test fails."""


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop turn until the condition holds; TimeoutError if it never does."""
    async with asyncio.timeout(GUARD_S):
        while not condition():  # noqa: ASYNC110 - sockets and threads have no one event to wait for
            await asyncio.sleep(0)


async def soon(awaitable: Awaitable[T]) -> T:
    """Wait for what must come; TimeoutError if it does not."""
    async with asyncio.timeout(GUARD_S):
        return await awaitable
