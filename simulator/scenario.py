"""What a run is: how many players, how long, and what happens to each; drawn from one seed.

Draws are counter hashes of (seed, purpose, player) rather than one shared stream, so that a
player's fate does not depend on who else is drawn, or in which order.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["OPTIONS_PER_POLL", "Plan", "Scenario", "draw"]

OPTIONS_PER_POLL = 10
"""The options of one hidden poll, as documented (contract section 1.2)."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]


def draw(seed: int, purpose: str, number: int) -> float:
    """Draw a number in [0, 1) that depends on its arguments alone."""
    digest = blake2b(f"{seed} {purpose} {number}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


class Plan(NamedTuple):
    """What happens to one player; seconds from the beginning of round 1."""

    player: int
    join_at: float
    """Below zero: joins before round 1."""
    leave_at: float | None
    """Leaves for good."""
    drop_at: float | None
    """Loses the connection, and comes back."""


class Scenario(BaseModel):
    """A show and its crowd. Shares are of the players, over the whole show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    players: Annotated[int, Field(ge=0, le=100_000)] = 200
    rounds: Annotated[int, Field(ge=1, le=100)] = 10
    seed: Annotated[int, Field(ge=0)] = 1
    round_time: Annotated[float, Field(ge=0.2, le=3600.0)] = 2.0
    """Seconds of one round: the waiting phase and the trivia."""
    leave: Share = 0.0
    """Leave for good at a uniform moment after round 1."""
    drop: Share = 0.0
    """Lose the connection once at a uniform moment, and reconnect."""
    late: Share = 0.0
    """Join at a uniform moment after round 1 began; everybody else joins before it."""

    @property
    def waiting_s(self) -> float:
        """The waiting phase of a round."""
        return 0.6 * self.round_time

    @property
    def playing_s(self) -> float:
        """How long a trivia is open."""
        return 0.4 * self.round_time

    @property
    def spread_s(self) -> float:
        """Over what the votes of a round are spread."""
        return 0.3 * self.round_time

    @property
    def reconnect_s(self) -> float:
        """The most that the first reconnect is delayed."""
        return 0.1 * self.round_time

    @property
    def margin_s(self) -> float:
        """g: what a vote may take beyond its spread, at least twice the latency bound."""
        return 0.1 * self.round_time

    @property
    def show_s(self) -> float:
        """All rounds together."""
        return self.rounds * self.round_time

    @property
    def arrive_s(self) -> float:
        """How long those who are not late take to arrive: at most 400 a second."""
        return max(0.3, self.players / 400)

    @property
    def is_calm(self) -> bool:
        """Whether what the audience is shown must be exact (design section 6)."""
        undisturbed = not (self.leave or self.drop or self.late)
        return undisturbed and self.waiting_s >= self.spread_s + 1.0

    def plans(self) -> list[Plan]:
        """What happens to each player."""
        late, leave, drop = (self._chosen(name) for name in ("late", "leave", "drop"))
        return [self._plan(n, n in late, n in leave, n in drop) for n in range(self.players)]

    def _chosen(self, purpose: str) -> set[int]:
        """Choose a share of the players: those who draw the lowest numbers."""
        share: float = getattr(self, purpose)
        ranked = sorted(range(self.players), key=lambda n: draw(self.seed, purpose, n))
        return set(ranked[: round(share * self.players)])

    def _plan(self, player: int, late: bool, leave: bool, drop: bool) -> Plan:  # noqa: FBT001 - private, three of a kind
        def uniform(purpose: str, low: float, high: float) -> float:
            return low + draw(self.seed, purpose, player) * max(0.0, high - low)

        if late:
            join_at = uniform("join", 0.0, self.show_s)
        else:
            join_at = uniform("join", -self.arrive_s, 0.0)
        here = max(join_at, 0.0)
        leave_at = uniform("leave at", max(here, self.round_time), self.show_s) if leave else None
        gone = self.show_s if leave_at is None else leave_at
        return Plan(player, join_at, leave_at, uniform("drop at", here, gone) if drop else None)
