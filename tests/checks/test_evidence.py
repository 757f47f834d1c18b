"""Evidence: which round an option counts, and when an edge tells what happened."""

from __future__ import annotations

import pytest

from simulator.checks import Evidence
from simulator.checks.evidence import disturbed
from simulator.emulator import Entry, Kind
from simulator.scenario import Scenario

from .stories import evidence


def test_an_option_counts_a_round_on_every_poll_of_its_page() -> None:
    """Pages follow each other; a poll that replaces another has the same rounds."""
    scenario = Scenario(rounds=4, options_per_poll=2)
    made = evidence("", scenario, pages=[["P", "P2"], ["Q"]])
    assert made.rounds == {
        ("P", 0): 1,
        ("P", 1): 2,
        ("P2", 0): 1,
        ("P2", 1): 2,
        ("Q", 0): 3,
        ("Q", 1): 4,
    }


def test_unless_told_otherwise_nothing_went_wrong() -> None:
    """One edge, on time; nothing told, lost or repeated, nobody hostile or inactive."""
    made = Evidence(scenario=Scenario(), log=[], pages=[], trivia=[], latency_s=0.1)
    assert made.lags == ((0.0, 0.0),)
    assert made.broadcasts == 0
    others = made.hostile, made.inactive, made.repeated
    assert not any((*others, made.restarts, made.disturbed, made.deliveries))


@pytest.mark.parametrize(
    ("edge", "at", "told_at"),
    [
        (0, 1.0, 1.0),
        (0, 1.23456789, 1.23456789),
        (1, 1.0, 3.2),
        (1, 6.0, 8.0),
        (1, 8.0, 8.0),
        (1, 9.0, 9.0),
        (1, 1.1, 3.3),
        (1, float("inf"), float("inf")),
    ],
    ids=["on time", "exact", "behind", "healed", "at the heal", "after it", "decimals", "never"],
)
def test_an_edge_is_behind_until_the_heal(edge: int, at: float, told_at: float) -> None:
    """At the heal it tells all that it had held back; 1.1 + 2.2 is 3.3, on the tick."""
    lags = (0.0, 8.0), (2.2, 8.0)
    assert evidence("", lags=lags).forwarded_at(edge, at) == told_at


def test_what_the_network_did_is_known_by_connection() -> None:
    """Also what it did to users who were gone and came back since."""

    def entry(at: float, kind: Kind, connection: int, user: str) -> Entry:
        return Entry(at, kind, "show", connection, user)

    log = [
        entry(1.0, "joined", 1, "ann"),
        entry(3.0, "left", 1, "ann"),
        entry(4.0, "joined", 2, "ann"),
        entry(6.0, "left", 2, "ann"),
        entry(7.0, "joined", 3, "ann"),
        entry(8.0, "joined", 4, "eve"),
        entry(12.0, "joined", 5, "bob"),
    ]
    times = {"ann": [2.0, 2.5, 9.0], "bob": [12.5]}
    assert disturbed(log, times) == {1: 2.0, 3: 9.0, 5: 12.5}
