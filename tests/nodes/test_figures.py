"""What a show over several nodes went through, in figures."""

from __future__ import annotations

from simulator.checks.evidence import Observation
from simulator.emulator import Entry
from tests.support.nodes.figures import Outage, figures

ACCEPTED = {1: {1000: 2}, 2: {11_000: 1, 12_000: 1}}
"""Round -> millisecond -> votes."""


def observed(*told: tuple[float, int, int], connected: bool = True) -> Observation:
    """Somebody who lost its node once."""
    return Observation(connected, undisturbed=False, counts={}, shown={}, told=told)


def vote(at: float, kind: str, detail: str = "") -> Entry:
    """What became of a vote."""
    return Entry(at, kind, "E", 0, "ann", "P", 0, detail)  # type: ignore[arg-type] # a kind


def test_quiet_rounds_have_a_freshness_of_their_own() -> None:
    """It is asked of all who are there in the end, though each of them lost its node once."""
    told = [observed((1.2, 1, 2), (12.5, 2, 2)), observed((1.9, 1, 2), connected=False)]
    found = figures([], ACCEPTED, told, quiet=[1])
    assert found.quiet_ms == {"p50": 200.0, "p99": 200.0}
    assert found.disturbed_ms == {"p50": 500.0, "p99": 500.0}


def test_where_all_is_quiet_nothing_is_disturbed() -> None:
    """A round that nobody voted in is left out, and what was not measured is not told."""
    found = figures([], {1: ACCEPTED[1]}, [observed((1.2, 1, 2))], quiet=[1, 2])
    assert found.disturbed_ms is None
    assert found.outage_s is None
    assert [*found.lines] == [
        "in quiet rounds a vote is in the count that players read after 200 ms, p99 200 ms",
        "0 votes were sent again after they had been counted, and refused",
    ]


def test_an_outage_is_told_with_what_was_held() -> None:
    """From the kill of Redis to its answer, and to the first vote that was brought after."""
    log = [
        vote(1.0, "accepted"),
        vote(2.1, "refused", "busy"),
        vote(2.2, "refused", "busy"),
        vote(2.9, "accepted"),
        vote(3.0, "refused", "already_voted"),
        vote(3.5, "accepted"),
        vote(4.0, "refused", "closed"),
    ]
    found = figures(log, {}, [], quiet=[], outage=Outage(2.0, 2.25))
    assert [*found.lines][-1] == (
        "Redis was down for 0.25 s: 2 votes were answered with busy, "
        "the next vote was counted 0.90 s after it went"
    )
    assert found.repeated == 1
    silent = figures(log[:3], {}, [], quiet=[], outage=Outage(2.0, 2.25))
    assert silent.resumed_s is None
    assert [*silent.lines][-1].endswith("no vote was counted since")
