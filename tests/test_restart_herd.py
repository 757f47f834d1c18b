"""A restarted server's crowd on paper: the delays of an app that does not say otherwise.

`tests/benchmarks/restart_herd.py` sees the same on sockets.
"""

from __future__ import annotations

import random

import pytest

from tests.benchmarks.restart_herd import DELAYS, LIMIT, Delays, Herd, comes_back_at, peak

CLIENTS = 20_000


def crowd(outage_s: float, delays: Delays = DELAYS) -> list[float]:
    """When each of a crowd is back."""
    draw = random.Random(1).random
    return [comes_back_at(outage_s, draw, delays)[0] for _ in range(CLIENTS)]


@pytest.mark.parametrize("outage_s", [0.5, 2.0, 10.0, 30.0])
def test_a_crowd_comes_back_little_by_little(outage_s: float) -> None:
    """In a second about a fifth of it at most; everybody at most a long delay later."""
    back = crowd(outage_s)
    assert peak(back) <= 1.1 * CLIENTS / 5.0
    assert min(back) >= outage_s
    assert max(back) - outage_s <= DELAYS.cap_s


@pytest.mark.untraced
def test_no_outage_is_worse() -> None:
    """Nor is one of about 4 s: who came too early is not back among those who come at first."""
    peaks = [peak(crowd(tenths / 10.0)) / (CLIENTS / 5.0) for tenths in range(0, 120, 4)]
    peaks += [peak(crowd(float(outage_s))) / (CLIENTS / 5.0) for outage_s in range(12, 41, 4)]
    assert 0.9 < max(peaks) < 1.1


def test_nobody_stays_away_for_it() -> None:
    """Within 10 s of an outage of up to 5 s all are back, and half of them sooner than 5 s."""
    for outage_s in (0.5, 2.0, 4.0, 5.0):
        away_s = sorted(at - outage_s for at in crowd(outage_s))
        assert away_s[-1] <= 10.0
        assert away_s[CLIENTS // 2] < 5.1


def test_a_first_delay_that_is_shorter_breaks_the_limit() -> None:
    """What the limit is there for."""
    assert peak(crowd(0.5, Delays(first_s=1.0, cap_s=20.0))) > LIMIT * CLIENTS / 5.0


def test_each_failure_is_one_more_attempt() -> None:
    """Without luck every delay is the longest: 5, 10, 20 and 20 s."""
    assert comes_back_at(0.0, lambda: 1.0) == (5.0, 1)
    assert comes_back_at(5.1, lambda: 1.0) == (15.0, 2)
    assert comes_back_at(15.1, lambda: 1.0) == (35.0, 3)
    assert comes_back_at(35.1, lambda: 1.0) == (55.0, 4)


def test_the_peak_is_of_any_window() -> None:
    """Wherever it begins; its end is not in it."""
    assert peak([]) == 0
    assert peak([0.9, 1.0, 1.8, 2.5]) == 3
    assert peak([0.0, 1.0, 2.0]) == 1
    assert peak([2.0, 0.5, 1.2, 0.6], window_s=0.5) == 2


@pytest.mark.parametrize(
    ("most", "wrong", "ok"), [(520, 0, True), (521, 0, False), (400, 1, False)]
)
def test_a_herd_is_judged(most: int, wrong: int, ok: bool) -> None:  # noqa: FBT001 - pytest's
    """By the limit, and by the counts afterwards."""
    assert Herd(2.0, 2.1, 2000, most, 12.0, wrong).ok == ok
