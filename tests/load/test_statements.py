"""What a crowd says arrives on another machine as it was said, times on that machine's clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from poll_counter import RoundCount
from simulator.checks.evidence import Observation
from simulator.load.statements import PLAYERS_MAX, from_lines, to_lines
from simulator.statement import Statement

COUNT = RoundCount(1, 5, 5, 5, None, 1.0, settled=False, as_of=12.5)
NEVER_TOLD = replace(COUNT, round=2, players=None, as_of=None)
SAID = Observation(
    connected=True,
    undisturbed=False,
    counts={1: COUNT, 2: NEVER_TOLD},
    shown={1: 4},
    told=[(11.0, 1, 3), (12.5, 1, 5)],
)
STATEMENT = Statement(
    observations={"ann": SAID, "bob": SAID._replace(connected=False, counts={}, told=[])},
    staying=2,
    hostile=frozenset({"eve"}),
    inactive=frozenset({"bob"}),
    restarts={"ann": [3.25]},
    disturbances={"ann": [4.5, 5.0]},
    stats=Counter(votes_sent=7, votes_accepted=6, reconnects=1),
    verdicts=Counter(drop=2),
    peak_rss_mb=99.5,
)


def test_a_statement_comes_back_as_it_was() -> None:
    """Through text, on one clock."""
    lines = list(to_lines(STATEMENT, epoch=1_700_000_000.0))
    assert all("\n" not in line for line in lines)
    assert from_lines(lines, epoch=1_700_000_000.0) == STATEMENT


def test_times_are_told_on_the_clock_of_who_asks() -> None:
    """A machine whose clock began ten seconds later has all of it ten seconds earlier."""
    back = from_lines(to_lines(STATEMENT, epoch=1_700_000_000.0), epoch=1_700_000_010.0)
    ann = back.observations["ann"]
    assert ann.told == [(1.0, 1, 3), (2.5, 1, 5)]
    assert [count.as_of for count in ann.counts.values()] == [2.5, None]
    assert (back.restarts, back.disturbances) == ({"ann": [-6.75]}, {"ann": [-5.5, -5.0]})


def test_a_large_statement_takes_several_lines() -> None:
    """And parts of a crowd add up, in whatever order their lines come."""
    many = {f"player {n}": SAID for n in range(2 * PLAYERS_MAX + 1)}
    lines = list(to_lines(replace(STATEMENT, observations=many), epoch=0.0))
    assert len(lines) == 4
    both = from_lines(reversed(lines + list(to_lines(STATEMENT, epoch=0.0))), epoch=0.0)
    assert both.observations.keys() == many.keys() | {"ann", "bob"}
    assert (both.staying, both.stats["votes_sent"], both.peak_rss_mb) == (4, 14, 99.5)


def test_nothing_said_is_one_line() -> None:
    """So that the leader knows that it has spoken."""
    assert len(list(to_lines(Statement(), epoch=0.0))) == 1
    assert from_lines([], epoch=0.0) == Statement()


@pytest.mark.parametrize("line", ["", "no JSON", '{"staying": "many"}', "[]"])
def test_what_is_no_statement_is_an_error(line: str) -> None:
    """Not a crash of another kind, and not a statement that says nothing."""
    with pytest.raises(ValueError, match="validation error"):
        from_lines([line], epoch=0.0)
