"""What parts of a crowd say, added up."""

from __future__ import annotations

import pickle
from collections import Counter

from simulator.checks.evidence import Observation
from simulator.statement import Statement

READ = Observation(connected=True, undisturbed=True, counts={}, shown={1: 2}, told=[(0.5, 1, 2)])

ANN = Statement(
    observations={"ann": READ},
    staying=1,
    hostile=frozenset({"eve"}),
    restarts={"ann": [1.0]},
    stats=Counter(votes_sent=2, reconnects=1),
    verdicts=Counter(drop=3),
    peak_rss_mb=20.0,
)
BOB = Statement(
    observations={"bob": READ._replace(connected=False)},
    inactive=frozenset({"bob"}),
    disturbances={"bob": [2.0, 3.0]},
    stats=Counter(votes_sent=1, votes_accepted=1),
    verdicts=Counter(drop=1, later=1),
    peak_rss_mb=30.0,
)


def test_parts_add_up() -> None:
    """Everybody is in it, numbers are added, and memory is that of the largest process."""
    both = Statement.together([ANN, BOB])
    assert [*both.observations] == ["ann", "bob"]
    assert (both.staying, both.peak_rss_mb) == (1, 30.0)
    assert (both.hostile, both.inactive) == ({"eve"}, {"bob"})
    assert (both.restarts, both.disturbances) == ({"ann": [1.0]}, {"bob": [2.0, 3.0]})
    assert both.stats == Counter(votes_sent=3, votes_accepted=1, reconnects=1)
    assert both.verdicts == Counter(drop=4, later=1)


def test_one_part_is_itself_and_none_is_nothing() -> None:
    """Adding up changes nothing where there is nothing to add."""
    assert Statement.together([ANN]) == ANN
    assert Statement.together([]) == Statement()


def test_it_comes_from_other_processes() -> None:
    """What is pickled there is the same here."""
    assert pickle.loads(pickle.dumps(BOB)) == BOB
