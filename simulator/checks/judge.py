"""The verdict: what was counted, held against the truth, round by round."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from poll_counter import RoundCount
from poll_counter.sampling import interval
from simulator.scenario import Scenario

from .evidence import Observation, Violation
from .findings import Findings, Option
from .observers import check_observers

__all__ = ["Row", "judge", "off_by"]

SAMPLED_Z = 6.0
"""How many standard deviations a sampled count may be off: once in 500 million times where many
vote; where ten votes are expected once in millions, where a single one is once in 100,000."""


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
    """0 if counted lies in [must, may], else how far outside; of a sampled round, whether an
    interval of six standard deviations meets [must, may]."""


def judge(
    scenario: Scenario,
    pages: Sequence[Sequence[str]],
    findings: Findings,
    observations: Sequence[Observation],
) -> tuple[list[Row], list[Violation]]:
    """Hold what was counted against the truth.

    Args:
        scenario: what was run.
        pages: page -> the ids of its hidden polls, each of which replaced the one before.
        findings: of all players.
        observations: of all who were watched.
    """
    observers = [o for o in observations if o.connected]
    options = [_option(scenario, pages, k) for k in range(1, scenario.rounds + 1)]
    last = {polls[-1] for polls in pages}
    before = {k for k, (poll, _) in enumerate(options, start=1) if poll not in last}
    before.update(scenario.replaced)  # who learned of it too late keeps what it had
    rows = [
        _row(
            scenario,
            k,
            option,
            findings,
            _asked(k, findings.votes(option), observers) if k in before else observers,
        )
        for k, option in enumerate(options, start=1)
    ]
    violations = [
        *(_out_of_bounds(rows) if observers else _nobody_to_ask(scenario)),
        *_not_as_accepted(options, before, findings, observers),
        *_not_as_voted(scenario, observers),
        *_not_converged(scenario, findings),
        *_too_many_ids(scenario, findings),
        *check_observers(observations, replaced=scenario.replaced, before=before),
        *(
            Violation(breach.round, breach.rule, f"{breach.times} times, once {breach.example}")
            for breach in findings.breaches
        ),
    ]
    if scenario.is_calm:
        violations += _not_as_shown(rows)
    return rows, sorted(violations)


def _option(scenario: Scenario, pages: Sequence[Sequence[str]], number: int) -> Option:
    """The poll and the option that count a round."""
    page, copy, option = scenario.counted_by(number)
    return pages[page][copy], option


def _asked(number: int, accepted: int, observers: Sequence[Observation]) -> Sequence[Observation]:
    """Who knows of a round in which, or since which, the poll was replaced.

    Those who were there all the time. If nobody was, one who holds the votes accepted, or comes
    nearest: the others may have learned of a poll too late, and read another.
    """
    steady = [o for o in observers if o.undisturbed]
    held = [o for o in observers if number in o.counts]
    return steady or sorted(held, key=lambda o: abs(o.counts[number].votes - accepted))[:1]


def _row(
    scenario: Scenario,
    number: int,
    option: Option,
    findings: Findings,
    observers: Sequence[Observation],
) -> Row:
    hostile = findings.admitted.get(option, 0)
    must = findings.must.get(number, 0) + hostile
    may = findings.may.get(number, 0) + hostile
    held = [o.counts[number] for o in observers if number in o.counts]
    last = min(held, key=_players, default=None)
    return Row(
        round=number,
        must=must,
        may=may,
        counted=_players(last),
        shown=min((o.shown[number] for o in observers if number in o.shown), default=0),
        low=0 if last is None else last.low,
        high=None if last is None else last.high,
        sample_rate=1.0 if last is None else last.sample_rate,
        difference=off_by(last, must, may, hostile=hostile, sample_rate=scenario.sample_rate),
    )


def off_by(
    count: RoundCount | None, must: int, may: int, *, hostile: int, sample_rate: float
) -> int:
    """Tell by how many a count is outside of [must, may]; 0: it is right, below 0: too low.

    Of a sampled round, whether an interval of six standard deviations meets [must, may]; the
    `hostile` votes that the platform admitted are no sample, and are part of all three.
    """
    if count is None or sample_rate == 1.0:
        return min(0, _players(count) - must) + max(0, _players(count) - may)
    low, high = interval(max(0, count.votes - hostile), sample_rate, SAMPLED_Z)
    return min(0, hostile + high - must) + max(0, hostile + low - may)


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


def _not_as_accepted(
    options: Sequence[Option],
    before: Collection[int],
    findings: Findings,
    observers: Sequence[Observation],
) -> list[Violation]:
    """In the end observers hold exactly the votes that the platform accepted.

    Not of a poll that was replaced: its last results may never have been told.
    """
    rule = "the count is what was accepted"
    found = []
    for number, option in enumerate(options, start=1):
        if number not in before:
            held = {o.counts[number].votes if number in o.counts else 0 for o in observers}
            accepted = findings.votes(option)
            if held - {accepted}:
                told = ", ".join(map(str, sorted(held)))
                found.append(Violation(number, rule, f"held {told} votes of {accepted}"))
    return found


def _not_as_voted(scenario: Scenario, observers: Sequence[Observation]) -> list[Violation]:
    """The players of a count are what its votes stand for, at the rate of the poll."""
    rule, rate = "players = votes / sample rate", scenario.sample_rate
    found = dict[int, Violation]()
    for observer in observers:
        for number, count in observer.counts.items():
            right = _players(count) == round(count.votes / rate)
            if not right or (count.votes and count.sample_rate != rate):
                text = f"held {_players(count)} players of {count.votes} votes"
                found[number] = Violation(number, rule, text)
    return list(found.values())


def _not_converged(scenario: Scenario, findings: Findings) -> list[Violation]:
    """After the heal, and a round to recover in, nobody who stays is missing."""
    if not scenario.gives_time:
        return []
    rule = "after the heal nobody is missing"
    healed = range(scenario.rounds - scenario.healed + 2, scenario.rounds + 1)
    found = []
    for number in healed:
        must, may = findings.must.get(number, 0), findings.may.get(number, 0)
        if not must == may == findings.staying:
            text = f"{findings.staying} stay, must {must}, may {may}"
            found.append(Violation(number, rule, text))
    return found


def _too_many_ids(scenario: Scenario, findings: Findings) -> list[Violation]:
    """Nobody plays under an id more: the log alone could not tell one who does from two players."""
    rule = "there are no more ids than players"
    most = scenario.players + scenario.reinstalls
    if findings.ids <= most:
        return []
    return [Violation(0, rule, f"{findings.ids} ids were seen of a crowd that has {most}")]


def _not_as_shown(rows: Sequence[Row]) -> list[Violation]:
    rule = "on a calm network shown = counted"
    return [
        Violation(r.round, rule, f"shown {r.shown}, counted {r.counted}")
        for r in rows
        if r.shown != r.counted
    ]
