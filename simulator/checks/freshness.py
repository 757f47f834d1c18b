"""How long a vote takes until players read a count that includes it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate

from .evidence import Observation

__all__ = ["freshness", "percentiles"]

OBSERVERS_MAX = 25
"""Of how many observers the freshness is measured."""


def freshness(
    accepted: Mapping[int, Mapping[int, int]], observations: Sequence[Observation]
) -> Counter[int]:
    """From the acceptance of every vote to the count that includes it, at undisturbed observers.

    Args:
        accepted: round -> millisecond -> votes accepted for it.
        observations: of all players.

    Returns milliseconds -> how many votes took them; empty without votes or observers.
    """
    times = {number: sorted(by_ms) for number, by_ms in accepted.items()}
    totals = {
        number: [*accumulate(accepted[number][at] for at in moments)]
        for number, moments in times.items()
    }
    ages = Counter[int]()
    steady = [o for o in observations if o.undisturbed and o.connected]
    for observer in steady[:: max(1, -(-len(steady) // OBSERVERS_MAX))]:
        reached: dict[int, int] = {}
        for at, number, votes in observer.told:
            if number not in times:
                continue
            before = reached.get(number, 0)
            if votes <= before:
                continue
            moments, total = times[number], totals[number]
            at_ms = round(at * 1000.0)
            # As far as these votes reach, and no vote later than they: that is a replaced poll's.
            last = min(bisect_left(total, votes) + 1, bisect_right(moments, at_ms))
            new = slice(bisect_right(total, before), last)
            for accepted_at, end in zip(moments[new], total[new], strict=True):
                ages[at_ms - accepted_at] += end - before
                before = end
            if before > votes:  # of the last moment only some votes are counted yet
                ages[at_ms - moments[last - 1]] -= before - votes
            reached[number] = min(before, votes)
    return ages


def percentiles(ages: Mapping[int, int]) -> dict[str, float] | None:
    """The median and the 99th percentile of milliseconds -> how many; None without any."""
    if not ages:
        return None
    pairs = sorted(ages.items())
    total = [*accumulate(many for _, many in pairs)]
    places = {"p50": 0.50, "p99": 0.99}
    return {
        name: float(pairs[bisect_right(total, int(share * (total[-1] - 1)))][0])
        for name, share in places.items()
    }
