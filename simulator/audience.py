"""Who has been connected to an event: what the platform's event stats say of it, pure.

Peak concurrency is sampled (contract section 6.6), which needs no timer: between two changes the
number of connections is constant, so a change knows what the samples since the last one saw. The
sum of all sessions is the area under the same line.
"""

from __future__ import annotations

__all__ = ["Audience"]


class Audience:
    """The statistics of an event's connections.

    Args:
        sample_s: how often concurrency is sampled for the peak, on multiples of this.
    """

    __slots__ = (
        "_area_s",
        "_changed_at",
        "_next_sample_at",
        "_sample_s",
        "_users",
        "peak",
        "sessions",
    )

    def __init__(self, sample_s: float) -> None:
        self.peak = 0
        """The most connections that a sample, or a reader, has seen."""
        self.sessions = 0
        """How many sessions began; a reconnect is a new one (contract section 6.6)."""
        self._users = set[str]()
        self._sample_s = sample_s
        self._next_sample_at = float("-inf")
        self._changed_at = 0.0
        self._area_s = 0.0  # of all sessions until the last change

    def joined(self, user: str, connected: int, now: float) -> None:
        """A session began; `connected` counts the connections before it."""
        self.left(connected, now)
        self.sessions += 1
        self._users.add(user)

    def left(self, connected: int, now: float) -> None:
        """A session ended; `connected` counts the connections before that."""
        if now >= self._next_sample_at:
            self.peak = max(self.peak, connected)
            self._next_sample_at = (now // self._sample_s + 1.0) * self._sample_s
        self._area_s += connected * (now - self._changed_at)
        self._changed_at = now

    def peak_now(self, connected: int) -> int:
        """The peak; a read counts as a sample, so that it is never under the present number."""
        self.peak = max(self.peak, connected)
        return self.peak

    @property
    def unique_users(self) -> int:
        """How many different users were ever connected."""
        return len(self._users)

    def average_session_s(self, connected: int, now: float) -> float:
        """All time connected over all sessions, those that still run with their time so far."""
        area_s = self._area_s + connected * (now - self._changed_at)
        return area_s / self.sessions if self.sessions else 0.0
