"""What a crowd says when its show is over: parts of a crowd say it each for itself, and it adds up.

It is all that is needed of the players to judge a run, can be pickled, and so comes from other
processes and other machines as it comes from this one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeVar

from .checks.evidence import Observation

__all__ = ["Statement"]

_Said = TypeVar("_Said")


@dataclass(frozen=True, slots=True)
class Statement:
    """What some of a crowd saw, did and suffered; times are seconds on their loop's clock.

    On one machine that clock is the same in all processes.
    """

    observations: Mapping[str, Observation] = field(default_factory=dict)
    """User -> what it read; a player who had several ids is there under its last."""
    staying: int = 0
    """How many of them take part and stay to the end."""
    hostile: AbstractSet[str] = frozenset()
    """The ids that hostile peers made up."""
    inactive: AbstractSet[str] = frozenset()
    """Users who only watched."""
    restarts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """User -> when its app ended, to be started again with its journal."""
    disturbances: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """User -> when the network did something to its messages."""
    stats: Counter[str] = field(default_factory=Counter)
    """`votes_sent`, `votes_accepted`, `reconnects` of all of them."""
    verdicts: Counter[str] = field(default_factory=Counter)
    """What the network did to messages: verdict -> messages."""
    peak_rss_mb: float = 0.0
    """The most memory of a process that they lived in, megabytes."""

    @classmethod
    def together(cls, parts: Iterable[Statement]) -> Statement:
        """What several parts of a crowd say, as if they had been one; no user is in two."""
        parts = list(parts)
        stats, verdicts = Counter[str](), Counter[str]()
        for part in parts:
            stats.update(part.stats)
            verdicts.update(part.verdicts)
        return cls(
            observations=_joined(part.observations for part in parts),
            staying=sum(part.staying for part in parts),
            hostile=frozenset[str]().union(*(part.hostile for part in parts)),
            inactive=frozenset[str]().union(*(part.inactive for part in parts)),
            restarts=_joined(part.restarts for part in parts),
            disturbances=_joined(part.disturbances for part in parts),
            stats=stats,
            verdicts=verdicts,
            peak_rss_mb=max((part.peak_rss_mb for part in parts), default=0.0),
        )


def _joined(parts: Iterable[Mapping[str, _Said]]) -> dict[str, _Said]:
    return {user: said for part in parts for user, said in part.items()}
