"""Who may read the stats of events when: one schedule per token, for the whole process.

The platform allows such a read once a minute (contract 1.1). It cannot tell one publisher from
another that has the same token, so they take turns: whoever is ready for longest comes first, and
never two closer than the interval, whatever thread or event loop they run on.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Hashable
from dataclasses import dataclass, field

__all__ = ["Turn", "Turns"]


@dataclass(eq=False, slots=True)
class Turn:
    """A place in the queue of one token."""

    key: Hashable
    """Tells the token."""
    ready_at: float
    """Not before this."""
    gap_s: float
    """The least time from the end of one read to the beginning of the next."""


@dataclass(slots=True)
class _Schedule:
    queue: list[Turn] = field(default_factory=list)  # by the time at which they are ready
    read_at: float = float("-inf")  # when the last read ended, or began if it is under way


class Turns:
    """The queues of all tokens; may be used from any thread. All times are of one clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._schedules: dict[Hashable, _Schedule] = {}

    def ask(self, turn: Turn) -> None:
        """Queue up."""
        with self._lock:
            queue = self._schedules.setdefault(turn.key, _Schedule()).queue
            insort(queue, turn, key=lambda each: each.ready_at)

    def take(self, turn: Turn, now: float) -> float:
        """Begin the read if it is its time, and leave the queue; else tell how long to wait.

        Returns 0 where the read may begin, else seconds after which to ask again. Who is in front
        but does not come when it is due has missed its turn.
        """
        with self._lock:
            schedule = self._schedules[turn.key]
            due = schedule.read_at
            for each in schedule.queue[: schedule.queue.index(turn) + 1]:
                due = max(due + each.gap_s, each.ready_at)
            if due > now:
                return due - now
            schedule.queue.remove(turn)
            schedule.read_at = now
            return 0.0

    def end(self, turn: Turn, now: float) -> None:
        """End the read: the next one may begin a gap after this."""
        with self._lock:
            schedule = self._schedules[turn.key]
            schedule.read_at = max(schedule.read_at, now)

    def leave(self, turn: Turn) -> None:
        """Leave the queue, if still in it: nobody waits for who has gone."""
        with self._lock:
            queue = self._schedules[turn.key].queue
            if turn in queue:
                queue.remove(turn)
