"""What a player of the crowd notes of the counts that it reads, on sockets and in virtual time."""

from __future__ import annotations

from collections.abc import Mapping

from poll_counter import RoundCount, State

from .checks.evidence import Observation

__all__ = ["AWAY", "Observer"]

AWAY = frozenset({State.OFFLINE, State.FINISHED})
_HERE = frozenset({State.UPCOMING, State.WAITING, State.PLAYING})


class Observer:
    """Notes the counts that one counter reports, and what it holds when a trivia is published."""

    __slots__ = ("_held", "_state", "connected", "shown", "told")

    def __init__(self) -> None:
        self.told: list[tuple[float, int, int]] = []
        """(when, round, votes) of every count reported."""
        self.shown: dict[int, int] = {}
        """Round -> players, as held when its trivia was published."""
        self.connected = False
        """Whether it was connected when the event ended."""
        self._state = State.OFFLINE
        self._held: RoundCount | None = None

    def on_count(self, count: RoundCount) -> None:
        """Note what was reported, and when it was told."""
        if count.as_of is not None:
            self.told.append((count.as_of, count.round, count.votes))
        if self._state is State.WAITING:
            self._held = count

    def on_state(self, state: State) -> None:
        """Note what is held when a trivia is published to a player who waits for it."""
        if self._state is State.WAITING and state is State.PLAYING and self._held is not None:
            self.shown[self._held.round] = self._held.players or 0
        if state in {State.ENDING, State.FINISHED}:
            self.connected = self.connected or self._state in _HERE
        self._state = state

    def forget(self) -> None:
        """The app ended: what it is told when it is started again may be older."""
        self.told.clear()
        self._state, self._held = State.OFFLINE, None

    def observation(self, counts: Mapping[int, RoundCount], *, undisturbed: bool) -> Observation:
        """What this player can say about the counts; `counts` are those that it holds now."""
        return Observation(self.connected, undisturbed, counts, self.shown, self.told)
