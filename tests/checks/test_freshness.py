"""Freshness: weighted percentiles, held against a count vote by vote."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest

from simulator.checks import Observation
from simulator.checks.freshness import OBSERVERS_MAX, freshness, percentiles

from .stories import observed

Told = list[tuple[float, int, int]]

VOTES = {1: {1000: 1, 1010: 1, 1020: 1}, 2: {2000: 1}}
"""Round 1 has three votes, round 2 one."""


def one_by_one(
    accepted: Mapping[int, Mapping[int, int]], observations: Sequence[Observation]
) -> Counter[int]:
    """Freshness as it is meant, slowly: the n-th vote is in the first count of at least n."""
    ages = Counter[int]()
    for observer in observations:
        for number, by_ms in accepted.items():
            votes = [ms for ms, many in sorted(by_ms.items()) for _ in range(many)]
            for place, accepted_at in enumerate(votes, start=1):
                for at, round_, told in observer.told:
                    at_ms = round(at * 1000.0)
                    if round_ == number and told >= place and at_ms >= accepted_at:
                        ages[at_ms - accepted_at] += 1
                        break
    return ages


def test_freshness_is_from_acceptance_to_the_count_that_includes_the_vote() -> None:
    """Of each vote once, in the first count of its round that is high enough."""
    told = [(1.050, 1, 2), (1.100, 1, 3), (2.200, 2, 1), (2.300, 3, 5), (2.400, 1, 3)]
    assert freshness(VOTES, [observed(told=told)]) == {50: 1, 40: 1, 80: 1, 200: 1}


def test_freshness_is_taken_over_all_undisturbed_observers() -> None:
    """Two observers give twice as many ages; the disturbed and the disconnected give none."""
    observations = [
        observed(told=[(1.030, 1, 3)]),
        observed(told=[(1.060, 1, 3)]),
        observed(told=[(9.0, 1, 3)], undisturbed=False),
        observed(told=[(9.0, 1, 3)], connected=False),
    ]
    assert freshness(VOTES, observations) == {30: 1, 20: 1, 10: 1, 60: 1, 50: 1, 40: 1}


@pytest.mark.parametrize(
    ("told", "ages"),
    [
        ([(1.030, 1, 3), (5.0, 1, 1), (6.0, 1, 3)], {30: 1, 20: 1, 10: 1}),
        ([(1.030, 1, 9)], {30: 1, 20: 1, 10: 1}),
        ([(1.030, 1, 0)], {}),
        ([(0.500, 1, 3)], {}),
        ([(0.500, 1, 3), (1.005, 1, 1), (1.030, 1, 3)], {5: 1, 20: 1, 10: 1}),
        ([(1.010, 1, 3)], {10: 1, 0: 1}),
    ],
    ids=["goes back", "too many", "none", "before any", "before, and then", "before the last"],
)
def test_a_count_includes_what_was_accepted_before_it(told: Told, ages: dict[int, int]) -> None:
    """A vote is told once; what is told before was the tally of a poll that was replaced."""
    assert freshness(VOTES, [observed(told=told)]) == ages


def test_votes_of_one_millisecond_may_be_told_in_parts() -> None:
    """Five votes at once: two are told, then the others with the next."""
    told = [(0.020, 1, 2), (0.030, 1, 6)]
    assert freshness({1: {10: 5, 15: 1}}, [observed(told=told)]) == {10: 2, 20: 3, 15: 1}


def test_without_counts_there_is_no_freshness() -> None:
    """Nobody was told anything, or nobody was there to be told, or nobody voted."""
    assert freshness(VOTES, []) == {}
    assert freshness(VOTES, [observed()]) == {}
    assert freshness({}, [observed(told=[(1.0, 1, 3)])]) == {}


@pytest.mark.parametrize("seed", range(40))
def test_freshness_is_what_counting_vote_by_vote_gives(seed: int) -> None:
    """On small random shows, whatever is told, in whatever order of numbers."""
    draws = random.Random(seed)
    accepted = {
        number: {draws.randrange(200): draws.randint(1, 4) for _ in range(draws.randint(0, 6))}
        for number in (1, 2)
    }
    observers = [
        observed(
            told=sorted(
                (draws.randrange(300) / 1000, draws.randint(1, 3), draws.randint(0, 25))
                for _ in range(draws.randint(0, 8))
            )
        )
        for _ in range(3)
    ]
    assert freshness(accepted, observers) == one_by_one(accepted, observers)


@pytest.mark.parametrize(
    ("observers", "asked"), [(1, 1), (25, 25), (26, 13), (49, 25), (50, 25), (51, 17), (500, 25)]
)
def test_a_sample_of_the_observers_is_enough(observers: int, asked: int) -> None:
    """A hundred thousand votes told to each of thousands would be too many."""
    times = list[int]()

    class Noted(Told):
        def __iter__(self) -> Iterator[tuple[float, int, int]]:
            times.append(1)
            return super().__iter__()

    freshness(VOTES, [observed(told=Noted([(2.0, 1, 3)]))] * observers)
    assert len(times) == asked <= OBSERVERS_MAX


def test_percentiles_are_of_all_votes() -> None:
    """Of a hundred and one votes the median is the 51st, the 99th percentile the 100th."""
    assert percentiles({}) is None
    assert percentiles({7: 1}) == {"p50": 7.0, "p99": 7.0}
    assert percentiles({30: 1, 10: 50, 20: 50}) == {"p50": 20.0, "p99": 20.0}
    assert percentiles({10: 51, 20: 48, 30: 2}) == {"p50": 10.0, "p99": 30.0}


@pytest.mark.parametrize("seed", range(40))
def test_percentiles_are_those_of_the_votes_in_a_row(seed: int) -> None:
    """Weighted, held against each vote written out."""
    draws = random.Random(seed)
    ages = {draws.randrange(100): draws.randint(1, 30) for _ in range(draws.randint(1, 12))}
    row = sorted(age for age, many in ages.items() for _ in range(many))
    assert percentiles(ages) == {
        "p50": row[int(0.50 * (len(row) - 1))],
        "p99": row[int(0.99 * (len(row) - 1))],
    }
