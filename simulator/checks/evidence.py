"""What the checks are given: the scenario, logs, and what players read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from poll_counter import RoundCount
from simulator.emulator import Entry
from simulator.scenario import Scenario

__all__ = ["Breach", "Evidence", "Observation", "Violation", "disturbed"]


class Observation(NamedTuple):
    """What one player was told, read through the library."""

    connected: bool
    """Whether it was connected when the event ended."""
    undisturbed: bool
    """Whether nothing was to happen to it: there from the beginning to the end."""
    counts: Mapping[int, RoundCount]
    """Round -> the last count held."""
    shown: Mapping[int, int]
    """Round -> players, as held when its trivia was published."""
    told: Sequence[tuple[float, int, int]]
    """(when, round, votes) of every count reported."""


class Violation(NamedTuple):
    """A rule that was broken, and where."""

    round: int
    rule: str
    text: str


class Breach(NamedTuple):
    """How often a rule was broken in a round, by some of the players."""

    round: int
    rule: str
    times: int
    example: str


@dataclass(frozen=True)
class Evidence:
    """What the platform and the network wrote down of some players' show."""

    scenario: Scenario
    log: Sequence[Entry]
    """The emulator's; seconds on its clock."""
    pages: Sequence[Sequence[str]]
    """Page -> the ids of its hidden polls, each of which replaced the one before."""
    trivia: Sequence[str]
    """The ids of the trivia."""
    latency_s: float
    """The latency bound: a message that nothing disturbs arrives within this."""
    slack_s: float | None = None
    """What a message may take before its lateness is held against a player, where that is more
    than the latency bound: real machines stop for a moment now and then."""
    hostile: AbstractSet[str] = frozenset()
    """Users who are hostile peers."""
    inactive: AbstractSet[str] = frozenset()
    """Users who only watch."""
    restarts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """User -> when its app ended, to be started again with its journal."""
    lags: Sequence[tuple[float, float]] = ((0.0, 0.0),)
    """Edge -> how many seconds it is behind the platform, and until when; the edge of a
    connection is its number modulo the number of edges."""
    disturbed: Mapping[int, float] = field(default_factory=dict)
    """Connection -> since when messages on it were lost or late."""
    repeated: AbstractSet[int] = frozenset()
    """Connections on which the network delivered votes twice."""
    broadcasts: int = 0
    """How many facts were told to everybody."""
    deliveries: Mapping[int, int] = field(default_factory=dict)
    """Connection -> how many facts were delivered over it, where that was counted."""

    @property
    def patience_s(self) -> float:
        """How long a message may take before its lateness is held against a player."""
        return self.latency_s if self.slack_s is None else self.slack_s

    @cached_property
    def rounds(self) -> Mapping[tuple[str, int], int]:
        """(poll, option) -> the round that it counts."""
        size = self.scenario.options_per_poll
        return {
            (poll, option): page * size + option + 1
            for page, polls in enumerate(self.pages)
            for poll in polls
            for option in range(size)
        }

    def forwarded_at(self, edge: int, at: float) -> float:
        """When an edge tells what happened at a time."""
        lag, until = self.lags[edge]
        if not lag:
            return at
        return max(at, min(round(at + lag, 6), until))  # 1.1 + 2.2 is above 3.3

    @cached_property
    def answers(self) -> Mapping[tuple[str, int], Sequence[Entry]]:
        """(element, option) -> the answers that named it, accepted and refused, in order."""
        found: dict[tuple[str, int], list[Entry]] = {}
        for entry in self.log:
            if entry.kind == "accepted" or entry.kind == "refused":  # noqa: PLR1714 - the quickest
                key = entry.element_id, entry.option
                if key in found:
                    found[key].append(entry)
                else:
                    found[key] = [entry]
        return found

    @cached_property
    def accepted(self) -> Mapping[tuple[str, int], Sequence[Entry]]:
        """(poll, option) -> the votes that were accepted for it, in order; of hidden polls."""
        return {
            option: [entry for entry in entries if entry.kind == "accepted"]
            for option, entries in self.answers.items()
            if option in self.rounds
        }


def disturbed(log: Sequence[Entry], times: Mapping[str, Sequence[float]]) -> dict[int, float]:
    """Connection -> when the network first did something to its messages.

    Args:
        log: the emulator's.
        times: user -> when that happened to it; the log's clock.
    """
    left = {entry.connection: entry.at for entry in log if entry.kind == "left"}
    found: dict[int, float] = {}
    for entry in log:
        if entry.kind == "joined" and entry.user in times:
            until = left.get(entry.connection, float("inf"))
            during = [at for at in times[entry.user] if entry.at <= at <= until]
            if during:
                found[entry.connection] = min(during)
    return found
