"""The buckets that the limits are counted in: no sockets, and time is an argument."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.choices import Choices
from simulator.limits import SWEPT_AT, Bucket, Buckets, Limits

SAME = settings(derandomize=True, deadline=None, database=None)


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    """Three at once, then one every half second; it says when."""
    bucket = Bucket(3, 2.0)
    assert [bucket.take(10.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(10.0) == pytest.approx(0.5)
    assert bucket.take(10.4) == pytest.approx(0.1)
    assert bucket.take(10.5) == 0.0
    assert bucket.take(10.5) == pytest.approx(0.5)


def test_a_bucket_fills_up_to_its_burst() -> None:
    """Who was silent for an hour has no more than who was silent for long enough."""
    bucket = Bucket(2, 1.0)
    assert [bucket.take(now) for now in (0.0, 0.0)] == [0.0, 0.0]
    assert [bucket.take(3600.0) for _ in range(3)] == [0.0, 0.0, pytest.approx(1.0)]


def test_a_bucket_takes_many_or_nothing() -> None:
    """What does not fit is not taken; more than a full bucket never fits."""
    bucket = Bucket(100, 10.0)
    assert bucket.take(0.0, 60) == 0.0
    assert bucket.take(0.0, 60) == pytest.approx(2.0)
    assert bucket.take(0.0, 40) == 0.0
    assert bucket.take(1e9, 101) > 0.0


def test_a_turn_comes_for_everybody_in_time() -> None:
    """A turn is always taken; who has none left waits as long as it takes to get one."""
    bucket = Bucket(2, 10.0)
    assert [bucket.turn(0.0) for _ in range(4)] == [
        0.0,
        0.0,
        pytest.approx(0.1),
        pytest.approx(0.2),
    ]
    assert bucket.turn(0.3) == 0.0, "the time that it waited is not waited again"


@SAME
@given(
    burst=st.integers(1, 20),
    per_s=st.floats(0.1, 50.0),
    gaps=st.lists(st.floats(0.0, 3.0), max_size=60),
)
def test_no_span_of_time_gives_more_than_it_may(
    burst: int, per_s: float, gaps: list[float]
) -> None:
    """In every span what is taken is at most the burst and the rate; and the wait is the truth."""
    bucket, now, taken = Bucket(burst, per_s), 0.0, list[float]()
    for gap in gaps:
        now += gap
        wait_s = bucket.take(now)
        if wait_s:
            now += wait_s
            assert bucket.take(now) == 0.0
        taken.append(now)
    for first, start in enumerate(taken):
        for last, end in enumerate(taken[first:], first):
            assert last - first + 1 <= burst + per_s * (end - start) + 1e-3


def test_many_buckets_do_not_know_each_other() -> None:
    """One user's is empty, another's is full."""
    buckets = Buckets(1, 1.0)
    assert [buckets.take("ann", 0.0), buckets.take("bob", 0.0)] == [0.0, 0.0]
    assert buckets.take("ann", 0.5) == pytest.approx(0.5)
    assert buckets.take("ann", 1.0) == 0.0


@SAME
@given(st.integers(1, 5), st.lists(st.floats(0.0, 2.0), max_size=30))
def test_one_of_many_is_like_one_alone(burst: int, gaps: list[float]) -> None:
    """The same is taken, and the same waits are told."""
    alone, many, now = Bucket(burst, 2.0), Buckets(burst, 2.0), 0.0
    for gap in gaps:
        now += gap
        assert many.take("ann", now) == pytest.approx(alone.take(now))


def test_full_buckets_are_forgotten() -> None:
    """A million ids, made up as fast as may be, take the memory of a few thousand."""
    buckets, most = Buckets(10, 10.0), 0
    for number in range(200_000):
        buckets.take(f"user {number}", number / 10_000)  # full again after 0.1 s: 1,000 are not
        most = max(most, len(buckets))
    assert most <= SWEPT_AT + 1_001
    assert buckets.take("user 199999", 20.0) == 0.0


def test_buckets_that_are_not_full_are_kept() -> None:
    """However many there are: a flood of ids does not fill another's bucket again."""
    buckets = Buckets(1, 0.001)
    for number in range(3 * SWEPT_AT):
        assert buckets.take(f"user {number}", 0.0) == 0.0
    assert all(buckets.take(f"user {number}", 1.0) > 0.0 for number in range(3 * SWEPT_AT))


def test_limits_are_set_in_the_file_of_choices(tmp_path: Path) -> None:
    """In a table of their own; what it leaves out stays at its default."""
    path = tmp_path / "choices.toml"
    path.write_text('[limits]\nvotes_per_s = 0.5\norigins = ["https://show.example"]\n')
    limits = Choices.load(path).limits
    assert limits == Limits(votes_per_s=0.5, origins=("https://show.example",))


@pytest.mark.parametrize("name", Limits.model_fields)
def test_a_limit_that_lets_nothing_through_is_refused(name: str) -> None:
    """Zero is no limit, but an outage; a misspelt one is none either."""
    with pytest.raises(ValidationError, match=name):
        Limits.model_validate({name: 0})
    with pytest.raises(ValidationError, match=f"{name}_"):
        Limits.model_validate({f"{name}_": 1})


def test_every_limit_says_what_it_is_for() -> None:
    """Each field is followed by its docstring."""
    source = inspect.getsource(Limits)
    for name in Limits.model_fields:
        after = source[source.index(f"    {name}: ") :].split("\n", maxsplit=1)[1]
        assert after.lstrip().startswith('"""'), name
