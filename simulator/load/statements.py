"""A crowd's statement on its way to another machine: as lines of JSON, times as unix seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from pydantic import TypeAdapter

from poll_counter import RoundCount
from simulator.checks.evidence import Observation
from simulator.statement import Statement

__all__ = ["PLAYERS_MAX", "from_lines", "to_lines"]

PLAYERS_MAX = 200
"""What so many players read goes in one line, some hundred kilobytes."""
_STATEMENT = TypeAdapter(Statement)


def to_lines(statement: Statement, epoch: float) -> Iterator[str]:
    """A statement as lines of JSON; at least one.

    Args:
        statement: what some of a crowd says.
        epoch: the unix time at which its clock stood at 0.
    """
    statement = _moved(statement, epoch)
    observations = iter(statement.observations.items())
    rest = replace(statement, observations={})
    while some := dict(islice(observations, PLAYERS_MAX)):
        yield _STATEMENT.dump_json(Statement(observations=some)).decode()
    yield _STATEMENT.dump_json(rest).decode()


def from_lines(lines: Iterable[str], epoch: float) -> Statement:
    """The statement that lines of any number of crowds add up to.

    Args:
        lines: as `to_lines` makes them.
        epoch: the unix time at which the clock of who asks stood at 0.

    Raises ValueError for what is no statement.
    """
    parts = [_STATEMENT.validate_json(line) for line in lines]
    return _moved(Statement.together(parts), -epoch)


def _moved(statement: Statement, by_s: float) -> Statement:
    """The same with all its times moved."""

    def times(times: Iterable[float]) -> list[float]:
        return [at + by_s for at in times]

    def count(held: RoundCount) -> RoundCount:
        return held if held.as_of is None else replace(held, as_of=held.as_of + by_s)

    def observation(said: Observation) -> Observation:
        return said._replace(
            counts={number: count(held) for number, held in said.counts.items()},
            told=[(at + by_s, number, votes) for at, number, votes in said.told],
        )

    return replace(
        statement,
        observations={user: observation(said) for user, said in statement.observations.items()},
        restarts={user: times(each) for user, each in statement.restarts.items()},
        disturbances={user: times(each) for user, each in statement.disturbances.items()},
    )
