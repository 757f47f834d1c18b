"""The truth of a round: a pair of bounds, as in Jepsen's check of a counter.

* may: the players to whom an edge sent the round's waiting phase;
* must: those of them who then, before the round's trivia finished, had one connected span of at
  least spread + g that no fault touched, so that their vote had to arrive.

Inactive players and hostile peers are in neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simulator.emulator import Entry

from .evidence import Evidence

__all__ = ["Truth", "Waiting", "waitings"]

_NEVER = float("inf")


class Waiting(NamedTuple):
    """A waiting phase of a round, and when the round was over; seconds on the emulator's clock."""

    round: int
    start: float
    end: float
    over: float


class _Span(NamedTuple):
    """A connection of a user."""

    life: int
    """How often the app was started again before."""
    edge: int
    start: float
    end: float
    calm_end: float
    """Until when no fault touched it."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Who may and who must be counted in each round."""

    may: Mapping[int, Mapping[str, float]]
    """Round -> user -> when the waiting phase was first sent to it."""
    must: Mapping[int, frozenset[str]]
    """Round -> users."""

    @classmethod
    def of(cls, evidence: Evidence) -> Truth:
        """Read the truth off the evidence."""
        phases = waitings(evidence.log, evidence.trivia)
        told = _told(evidence, phases)
        may: dict[int, dict[str, float]] = {phase.round: {} for phase in phases}
        must: dict[int, set[str]] = {phase.round: set() for phase in phases}
        steady, others = _apart(_spans(evidence), told, evidence.latency_s)
        for user, spans in others.items():
            for each in told:
                seen_at, due = _judged(spans, each, evidence)
                if seen_at < _NEVER:
                    seen = may[each.phase.round]  # a round may wait twice, edges may be behind
                    seen[user] = min(seen_at, seen.get(user, _NEVER))
                    if due:
                        must[each.phase.round].add(user)
        for edge, users in steady.items():
            span = _Span(0, edge, -_NEVER, _NEVER, _NEVER)
            for each in told:
                seen_at, due = _judged([span], each, evidence)
                number = each.phase.round
                may[number] = {**dict.fromkeys(users, seen_at), **may[number]}
                if due:
                    must[number].update(users)
        return cls(may, {round_: frozenset(users) for round_, users in must.items()})


class _Told(NamedTuple):
    """A waiting phase, as the edges told it."""

    phase: Waiting
    by_edge: list[tuple[float, float]]
    """Edge -> when it told the phase's beginning, and its end."""
    counted_from: float
    """Since when every edge knows the poll that counts the round."""


def _told(evidence: Evidence, phases: Sequence[Waiting]) -> list[_Told]:
    forwarded = evidence.forwarded_at
    edges = range(len(evidence.lags))
    return [
        _Told(phase, [(forwarded(e, phase.start), forwarded(e, phase.end)) for e in edges], since)
        for phase, since in zip(phases, _counted_from(evidence, phases), strict=True)
    ]


def _apart(
    spans: dict[str, list[_Span]], told: Sequence[_Told], latency_s: float
) -> tuple[dict[int, list[str]], dict[str, list[_Span]]]:
    """Set apart, by edge, who was there all the time: most of a crowd, and all alike."""
    first = min((begin for each in told for begin, _ in each.by_edge), default=_NEVER)
    last = max((max(each.phase.over, max(each.by_edge)[0] + latency_s) for each in told), default=0)
    steady: dict[int, list[str]] = defaultdict(list)
    others: dict[str, list[_Span]] = {}
    for user, held in spans.items():
        if len(held) == 1 and held[0].start < first and held[0].calm_end >= last:
            steady[held[0].edge].append(user)
        else:
            others[user] = held
    return steady, others


def _judged(spans: Sequence[_Span], told: _Told, evidence: Evidence) -> tuple[float, bool]:
    """When a phase was first sent over one of these connections, and whether a vote must come."""
    phase, by_edge, counted_from = told
    scenario, latency_s = evidence.scenario, evidence.latency_s
    span_s = scenario.spread_s + scenario.margin_s
    seen_at, due = _NEVER, False
    for life, edge, start, end, calm_end in spans:
        begins, ends = by_edge[edge]
        if start > ends or end < begins:
            continue
        seen = max(start, begins)  # of two things at one time, either may be first
        seen_at = min(seen_at, seen)
        if due or calm_end < seen + latency_s or start == ends:
            continue  # it may have been cut off before it saw
        alike = [span for span in spans if span.life == life]
        if any(span.start < start and span.end >= by_edge[span.edge][1] for span in alike):
            continue  # another edge, ahead of this one, may have told it that the phase is over
        since = max(seen, counted_from)
        due = any(
            min(span.calm_end, phase.over) - max(span.start, since) >= span_s for span in alike
        )
    return seen_at, due


def _spans(evidence: Evidence) -> dict[str, list[_Span]]:
    """User -> its connections; of players alone."""
    spans: dict[str, list[_Span]] = defaultdict(list)
    since: dict[int, tuple[str, float]] = {}
    restarts, edges = evidence.restarts, len(evidence.lags)
    others = evidence.hostile | evidence.inactive

    def span(connection: int, end: float) -> None:
        user, start = since.pop(connection)
        if user not in others:
            life = sum(at <= start for at in restarts.get(user, ()))
            calm_end = min(end, evidence.disturbed.get(connection, _NEVER))
            spans[user].append(_Span(life, connection % edges, start, end, calm_end))

    for entry in evidence.log:
        if entry.kind == "joined":
            since[entry.connection] = entry.user, entry.at
        elif entry.kind == "left":
            span(entry.connection, entry.at)
    for connection in list(since):
        span(connection, _NEVER)
    return spans


def _counted_from(evidence: Evidence, phases: Sequence[Waiting]) -> list[float]:
    """Since when every edge knows the poll that counts a phase's round: its page's last."""
    published = {entry.element_id: entry.at for entry in evidence.log if entry.kind == "published"}
    edges = range(len(evidence.lags))
    ends: dict[int, float] = {}
    for phase in phases:  # a round may be played again
        ends[phase.round] = max(phase.over, ends.get(phase.round, phase.over))
    since = []
    for phase in phases:
        page = (phase.round - 1) // evidence.scenario.options_per_poll
        polls = evidence.pages[page] if page < len(evidence.pages) else ()
        times = [published[p] for p in polls if published.get(p, _NEVER) <= ends[phase.round]]
        at = max(times, default=_NEVER)
        since.append(max(evidence.forwarded_at(edge, at) for edge in edges))
    return since


def waitings(log: Sequence[Entry], trivia: Sequence[str]) -> list[Waiting]:
    """The waiting phases: the event active and no trivia open, told by what was published."""
    known = frozenset(trivia)
    found: list[Waiting] = []
    active, opened, closed = False, set[str](), set[str]()
    number, start, phases = 0, None, list[tuple[float, float]]()  # of the round that we are in

    def over(at: float) -> None:
        if start is not None:
            phases.append((start, at))
        found.extend(Waiting(number, begin, end, at) for begin, end in phases)
        phases.clear()

    for entry in log:
        if entry.kind == "event":
            active = entry.detail == "active"
        elif entry.kind in _CHANGES and entry.element_id in known:
            opened.discard(entry.element_id)
            closed.discard(entry.element_id)
            if entry.kind != "revoked":
                (opened if entry.kind == "published" else closed).add(entry.element_id)
        else:
            continue
        round_ = len(closed) + 1 if active else 0
        if round_ != number:
            over(entry.at)
            number, start = round_, None
        waits = active and not opened
        if waits and start is None:
            start = entry.at
        elif start is not None and not waits:
            phases.append((start, entry.at))
            start = None
    over(_NEVER)
    return found


_CHANGES = frozenset({"published", "closed", "revoked"})
