"""Virtual time: integer ticks, a list of calls per tick and a heap of the ticks that have one.

A call is a function and its three arguments. With many entries to a tick that is cheaper than
one heap of calls, and who comes first within a tick is who was entered first.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeAlias

__all__ = ["TICKS_PER_S", "Call", "Clock", "ticks"]

TICKS_PER_S = 1000
"""A tick is a millisecond."""

Call: TypeAlias = tuple[Callable[[Any, Any, Any], object], Any, Any, Any]
"""What is to be called, and with what."""


def ticks(seconds: float) -> int:
    """Seconds as ticks, rounded."""
    return round(seconds * TICKS_PER_S)


class Clock:
    """A clock that jumps from one tick that has calls to the next."""

    __slots__ = ("_due", "_heap", "calls", "now")

    def __init__(self) -> None:
        self.now: int = 0
        """The tick that it is."""
        self.calls: int = 0
        """How many calls have been made."""
        self._due: dict[int, list[Call]] = {}
        self._heap: list[int] = []

    def at(self, tick: int, call: Call) -> None:
        """Enter what is to be called at a tick: this one, or one to come."""
        due = self._due.get(tick)
        if due is None:
            self._due[tick] = [call]
            heappush(self._heap, tick)
        else:
            due.append(call)

    def run(self) -> None:
        """Call everything in its time, also what is entered meanwhile, until nothing is left."""
        while self._heap:
            self.now = tick = heappop(self._heap)
            due = self._due[tick]
            for function, first, second, third in due:  # the list may grow meanwhile
                function(first, second, third)
            self.calls += len(due)
            del self._due[tick]
