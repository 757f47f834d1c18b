"""How long a vote takes until players read a count that includes it."""

from __future__ import annotations

from bisect import bisect_right
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
    times = {number: sorted(by_ms.items()) for number, by_ms in accepted.items()}
    totals = {number: [*accumulate(n for _, n in pairs)] for number, pairs in times.items()}
    ages = Counter[int]()
    steady = [o for o in observations if o.undisturbed and o.connected]
    for observer in steady[:: max(1, -(-len(steady) // OBSERVERS_MAX))]:
        reached: dict[int, int] = {}
        for at, number, votes in observer.told:
            if number not in times:
                continue
            before = reached.get(number, 0)
            pairs, total = times[number], totals[number]
            at_ms = round(at * 1000.0)
            for place in range(bisect_right(total, before), len(pairs)):
                accepted_at, many = pairs[place]
                begin = total[place] - many
                if begin >= votes or accepted_at > at_ms:  # these are a replaced poll's votes
                    break
                end = min(votes, total[place])
                ages[at_ms - accepted_at] += end - max(before, begin)
                reached[number] = end
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
