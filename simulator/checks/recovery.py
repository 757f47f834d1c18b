"""How long a fault goes on to be felt: from its end until counts are right again.

When a fault ended is read off the platform's log. A count is right again when it has the last
number that it will ever have; that this is the right one is for the other checks to say. The time
has in it what is no fault's: the spread of the votes of a round, and that results are coalesced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from .evidence import Evidence, Observation
from .truth import Waiting, waitings

__all__ = ["Kind", "Moment", "moments", "recoveries", "settled_at"]

Kind: TypeAlias = Literal["losses", "heal", "revocations", "replacements", "rounds", "joins"]
"""What ends a fault: a connection lost, and taken up again; the heal of the network; a trivia
revoked; a poll replaced; the beginning of a round; a late player's coming."""


class Moment(NamedTuple):
    """The end of a fault."""

    at: float
    """Seconds on the clock of the log."""
    user: str | None = None
    """Whom it happened to; None: to all."""


def moments(evidence: Evidence, kind: Kind) -> list[Moment]:
    """When faults of a kind ended, as the platform's log has it; only while the event is active."""
    log = evidence.log
    begin = min(e.at for e in log if e.kind == "event" and e.detail == "active")
    end = max(e.at for e in log if e.kind == "event" and e.detail == "finished")
    found: list[Moment]
    if kind == "losses":
        again = {entry.user: entry.at for entry in log if entry.kind == "joined"}
        lost = [entry for entry in log if entry.kind == "left"]
        # Whoever never comes back has left, or has become another player.
        found = [Moment(e.at, e.user) for e in lost if again.get(e.user, e.at) > e.at]
    elif kind == "joins":
        first: dict[str, float] = {}
        for entry in log:
            if entry.kind == "joined":
                first.setdefault(entry.user, entry.at)
        found = [Moment(at, user) for user, at in first.items()]
    elif kind == "heal":
        scenario = evidence.scenario
        last = evidence.trivia[scenario.rounds - scenario.healed - 1]
        closed = [entry for entry in log if entry.kind == "closed" and entry.element_id == last]
        found = [Moment(entry.at) for entry in closed[-1:]]
    elif kind == "rounds":
        found = [Moment(phase.start) for phase in waitings(log, evidence.trivia)]
        found = found[: evidence.scenario.rounds]  # what follows the last trivia is no round
    else:
        changed = (
            set(evidence.trivia)
            if kind == "revocations"
            else {poll for polls in evidence.pages for poll in polls[1:]}
        )
        what = "revoked" if kind == "revocations" else "published"
        found = [Moment(e.at) for e in log if e.kind == what and e.element_id in changed]
    return [moment for moment in found if begin <= moment.at < end]


def recoveries(
    evidence: Evidence, observations: Mapping[str, Observation], ends: Sequence[Moment]
) -> list[float]:
    """How long after each moment the counts of the round that was on were right again, seconds.

    Args:
        evidence: of the run.
        observations: user -> what it read; who was not connected in the end is not asked.
        ends: when the faults ended.

    Returns one time for every moment about which somebody can be asked: that of the slowest of
    those whom it happened to; 0 where the count was right all the time.
    """
    phases = waitings(evidence.log, evidence.trivia)
    asked = {user: each for user, each in observations.items() if each.connected}
    found = []
    for at, user in ends:
        number = _round_at(phases, at)
        whom = list(asked.values()) if user is None else [o for u, o in asked.items() if u == user]
        if whom and 1 <= number <= evidence.scenario.rounds:
            found.append(max(max(0.0, settled_at(each, number) - at) for each in whom))
    return found


def settled_at(observation: Observation, number: int) -> float:
    """Since when a round's count has had its last number; 0 for one that was never told."""
    since, last = 0.0, None
    for at, round_, votes in observation.told:
        if round_ == number and votes != last:
            since, last = at, votes
    return since


def _round_at(phases: Sequence[Waiting], at: float) -> int:
    """The round that is on; of two that meet there, the later. 0 before the first."""
    return max(
        ((phase.start, phase.round) for phase in phases if phase.start <= at), default=(0.0, 0)
    )[1]
