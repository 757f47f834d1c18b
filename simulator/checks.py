"""The truth, and whether the counts are true.

The truth of a round is a pair of bounds, known from the scenario and the emulator's log alone:
this module knows nothing of the machine or the client it judges.

* may: the players to whom an edge sent the round's waiting phase;
* must: those of them who then, before the round's trivia finished, had one connected span of at
  least spread + g, so that their vote had to arrive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from poll_counter import RoundCount

from .emulator import Entry
from .scenario import OPTIONS_PER_POLL, Scenario

__all__ = ["Observation", "Row", "Truth", "Violation", "check", "check_observers", "freshness_ms"]

ANSWER_TIMEOUT_S = 5.0
"""On one connection a vote may be repeated no sooner than this (counting rule 5)."""
OBSERVERS_MAX = 25
"""Of how many observers the freshness is measured."""


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


class Row(NamedTuple):
    """A round of the report."""

    round: int
    must: int
    may: int
    counted: int
    """Players of the last count that every connected observer held."""
    shown: int
    """Players as held when the trivia was published; the lowest of any observer."""
    low: int
    high: int | None
    sample_rate: float
    difference: int
    """0 if counted lies in [must, may], else how far outside."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A waiting phase of a round, and when the round was over."""

    round: int
    start: float
    end: float
    over: float


@dataclass(frozen=True, slots=True)
class Truth:
    """Who may and who must be counted in each round."""

    may: Mapping[int, Mapping[str, float]]
    """Round -> user -> when the waiting phase was first sent to it."""
    must: Mapping[int, frozenset[str]]
    """Round -> users."""

    @classmethod
    def of(cls, log: Sequence[Entry], trivia: Sequence[str], span_s: float) -> Truth:
        """Read the truth off the emulator's log.

        Args:
            log: of one event.
            trivia: the ids of its trivia.
            span_s: spread + g, the connected span that lets a vote arrive.
        """
        spans = _spans(log)
        may: dict[int, dict[str, float]] = defaultdict(dict)
        must: dict[int, set[str]] = defaultdict(set)
        for waiting in _waitings(log, frozenset(trivia)):
            for user, times in spans.items():
                seen = _first_seen(times, waiting)
                if seen is None:
                    continue
                may[waiting.round].setdefault(user, seen)
                lasting = (min(b, waiting.over) - max(a, seen) for a, b in times)
                if max(lasting) >= span_s:
                    must[waiting.round].add(user)
        return cls(may, {round_: frozenset(users) for round_, users in must.items()})


def _spans(log: Sequence[Entry]) -> dict[str, list[tuple[float, float]]]:
    """User -> when it was connected."""
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    since: dict[int, float] = {}
    for entry in log:
        if entry.kind == "joined":
            since[entry.connection] = entry.at
        elif entry.kind == "left":
            spans[entry.user].append((since.pop(entry.connection), entry.at))
    for entry in log:
        if entry.kind == "joined" and entry.connection in since:
            spans[entry.user].append((since[entry.connection], float("inf")))
    return spans


def _waitings(log: Sequence[Entry], trivia: frozenset[str]) -> list[_Waiting]:
    """The waiting phases: the event active and no trivia open, told by what was published."""
    found: list[_Waiting] = []
    active, opened, closed = False, set[str](), set[str]()
    number, start, phases = 0, None, list[tuple[float, float]]()  # of the round that we are in

    def over(at: float) -> None:
        if start is not None:
            phases.append((start, at))
        found.extend(_Waiting(number, begin, end, at) for begin, end in phases)
        phases.clear()

    for entry in log:
        if entry.kind == "event":
            active = entry.detail == "active"
        elif entry.element_id in trivia and entry.kind in {"published", "closed", "revoked"}:
            opened.discard(entry.element_id)
            closed.discard(entry.element_id)
            if entry.kind != "revoked":
                (opened if entry.kind == "published" else closed).add(entry.element_id)
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
    over(float("inf"))
    return found


def _first_seen(times: Sequence[tuple[float, float]], waiting: _Waiting) -> float | None:
    """When a user who was connected at these times was first sent a waiting phase."""
    seen = (max(a, waiting.start) for a, b in times if a < waiting.end and b > waiting.start)
    return min(seen, default=None)


def check(
    scenario: Scenario,
    log: Sequence[Entry],
    polls: Sequence[str],
    trivia: Sequence[str],
    observations: Sequence[Observation],
) -> tuple[list[Row], list[Violation]]:
    """Hold what was counted against the truth.

    Args:
        scenario: what was run.
        log: the emulator's log of the event.
        polls: the ids of the hidden polls, in page order.
        trivia: the ids of the trivia.
        observations: of every player.
    """
    truth = Truth.of(log, trivia, scenario.spread_s + scenario.margin_s)
    observers = [o for o in observations if o.connected]
    rows = [_row(round_, truth, observers) for round_ in range(1, scenario.rounds + 1)]
    violations = [
        *(_out_of_bounds(rows) if observers else _nobody_to_ask(scenario)),
        *check_observers(observations),
        *_unseen(log, polls, truth),
        *_repeated(log, polls),
    ]
    if scenario.is_calm:
        violations += _not_as_shown(rows)
    return rows, sorted(violations)


def _row(round_: int, truth: Truth, observers: Sequence[Observation]) -> Row:
    must, may = len(truth.must.get(round_, ())), len(truth.may.get(round_, ()))
    held = [o.counts[round_] for o in observers if round_ in o.counts]
    last = min(held, key=_players, default=None)
    counted = 0 if last is None else _players(last)
    return Row(
        round=round_,
        must=must,
        may=may,
        counted=counted,
        shown=min((o.shown[round_] for o in observers if round_ in o.shown), default=0),
        low=0 if last is None else last.low,
        high=None if last is None else last.high,
        sample_rate=1.0 if last is None else last.sample_rate,
        difference=min(0, counted - must) + max(0, counted - may),
    )


def _players(count: RoundCount | None) -> int:
    return 0 if count is None else count.players or 0


def _out_of_bounds(rows: Sequence[Row]) -> list[Violation]:
    rule = "must <= counted <= may"
    return [
        Violation(r.round, rule, f"counted {r.counted}, must be {r.must} to {r.may}")
        for r in rows
        if r.difference
    ]


def _nobody_to_ask(scenario: Scenario) -> list[Violation]:
    if not scenario.players:
        return []
    rule = "an observer stays to the end"
    return [Violation(scenario.rounds, rule, "nobody is left to be asked; let fewer players leave")]


def check_observers(observations: Sequence[Observation]) -> list[Violation]:
    """What can be said without knowing the truth: all hold the same, and tallies only grow."""
    observers = [o for o in observations if o.connected]
    found = []
    for round_ in sorted({round_ for o in observers for round_ in o.counts}):
        counts = {_players(o.counts.get(round_)) for o in observers}
        if len(counts) > 1:
            told = ", ".join(map(str, sorted(counts)))
            found.append(Violation(round_, "all observers hold the same count", f"held {told}"))
    return found + _shrinking(observations)


def _rounds_of(polls: Sequence[str]) -> dict[tuple[str, int], int]:
    """(poll, option) -> round."""
    pairs = ((poll, option) for poll in polls for option in range(OPTIONS_PER_POLL))
    return {pair: number for number, pair in enumerate(pairs, start=1)}


def _unseen(log: Sequence[Entry], polls: Sequence[str], truth: Truth) -> list[Violation]:
    rounds, wrong = _rounds_of(polls), dict[int, list[str]]()
    for entry in log:
        round_ = rounds.get((entry.element_id, entry.option))
        if entry.kind == "accepted" and round_ is not None:
            seen = truth.may.get(round_, {}).get(entry.user)
            if seen is None or entry.at < seen:
                wrong.setdefault(round_, []).append(entry.user)
    return [
        Violation(
            round_,
            "no vote for a round whose waiting phase was not seen",
            f"{len(users)} votes, one by player {users[0]}",
        )
        for round_, users in wrong.items()
    ]


def _repeated(log: Sequence[Entry], polls: Sequence[str]) -> list[Violation]:
    rounds, wrong = _rounds_of(polls), dict[int, list[str]]()
    last: dict[tuple[int, str, int], float] = {}
    for entry in log:
        round_ = rounds.get((entry.element_id, entry.option))
        if entry.kind in {"accepted", "refused"} and round_ is not None:
            key = entry.connection, entry.element_id, entry.option
            if entry.at - last.get(key, float("-inf")) < ANSWER_TIMEOUT_S:
                wrong.setdefault(round_, []).append(entry.user)
            last[key] = entry.at
    return [
        Violation(
            round_,
            "once per (poll, option)",
            f"{len(users)} votes cast again on the same connection, one by player {users[0]}",
        )
        for round_, users in wrong.items()
    ]


def _shrinking(observations: Sequence[Observation]) -> list[Violation]:
    rounds = set[int]()
    for observation in observations:
        highest: dict[int, int] = {}
        for _, round_, votes in observation.told:
            if votes < highest.get(round_, 0):
                rounds.add(round_)
            highest[round_] = votes
    rule = "tallies only grow"
    return [Violation(round_, rule, "an observer was told fewer votes") for round_ in rounds]


def _not_as_shown(rows: Sequence[Row]) -> list[Violation]:
    rule = "on a calm network shown = counted"
    return [
        Violation(r.round, rule, f"shown {r.shown}, counted {r.counted}")
        for r in rows
        if r.shown != r.counted
    ]


def freshness_ms(
    log: Sequence[Entry], polls: Sequence[str], observations: Sequence[Observation]
) -> dict[str, float] | None:
    """How long a vote takes from its acceptance to the count that includes it at a client.

    Over every accepted vote, at up to 25 undisturbed observers: the median and the 99th
    percentile, in milliseconds; None without any.
    """
    rounds = _rounds_of(polls)
    accepted: dict[int, list[float]] = defaultdict(list)  # round -> when tally n + 1 was reached
    for entry in log:
        if entry.kind == "accepted" and (entry.element_id, entry.option) in rounds:
            accepted[rounds[entry.element_id, entry.option]].append(entry.at)
    steady = [o for o in observations if o.undisturbed and o.connected]
    ages: list[float] = []
    for observer in steady[:: max(1, -(-len(steady) // OBSERVERS_MAX))]:
        reached: dict[int, int] = {}
        for at, round_, votes in observer.told:
            before = reached.get(round_, 0)
            ages += [at - vote_at for vote_at in accepted[round_][before:votes]]
            reached[round_] = max(before, votes)
    if not ages:
        return None
    ages.sort()
    share = {"p50": 0.50, "p99": 0.99}
    return {name: 1000.0 * ages[int(part * (len(ages) - 1))] for name, part in share.items()}
