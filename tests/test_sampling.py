"""Sampling: who votes, and how many players the votes stand for."""

from __future__ import annotations

import random
from hashlib import blake2b
from itertools import pairwise
from math import log1p, sqrt

import pytest

from poll_counter.elements import SAMPLE_RATE_FIELD, FieldValue
from poll_counter.errors import MisuseError
from poll_counter.rounds import sample_rate_of
from poll_counter.sampling import RATE_MIN, estimate, interval, is_rate, is_sampled
from tests.support.show import poll

IDS = tuple(f"{n:032x}" for n in range(20_000))
"""The ids of an audience."""


# Who votes


@pytest.mark.parametrize(
    ("poll_id", "player_id"),
    [
        ("P", "0" * 32),
        ("6396746d-1c1b-4c4a-a5c9-0d5c4a8f4b2e", "0f9ab3c2d4e5f60718293a4b5c6d7e8f"),
        ("Umfrage-ä", ""),
    ],
)
def test_the_hash_decides(poll_id: str, player_id: str) -> None:
    """A player votes whose hash, as the design spells it, is below the rate."""
    named = poll_id.encode("utf-8") + b"\x00" + player_id.encode("utf-8")
    digest = blake2b(named, digest_size=64, key=b"sample").hexdigest()
    drawn = int(digest[:16], 16) / 18_446_744_073_709_551_616
    assert 0.0 < drawn < 1.0
    assert not is_sampled(poll_id, player_id, drawn)
    assert is_sampled(poll_id, player_id, drawn + 1e-12)


@pytest.mark.parametrize(
    ("poll_id", "player_id", "drawn"),
    [("P", "0" * 32, 0.46515), ("P", "1" * 32, 0.61873), ("Q", "1" * 32, 0.15836)],
)
def test_the_hash_is_the_same_everywhere(poll_id: str, player_id: str, drawn: float) -> None:
    """The decision is the same in every version and on every machine: these are written down."""
    assert not is_sampled(poll_id, player_id, drawn - 0.0001)
    assert is_sampled(poll_id, player_id, drawn + 0.0001)


def test_everybody_votes_at_rate_one() -> None:
    """At rate 1, or above, nobody sits out."""
    assert all(is_sampled("P", player_id, 1.0) for player_id in IDS)
    assert is_sampled("P", IDS[0], 1.5)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_the_share_that_votes_is_the_rate(rate: float) -> None:
    """Of many players about the share `rate` votes: within 3.3 standard deviations."""
    voters = sum(is_sampled("P", player_id, rate) for player_id in IDS)
    assert abs(voters - len(IDS) * rate) <= 3.3 * sqrt(len(IDS) * rate * (1 - rate))


def test_the_hash_is_uniform() -> None:
    """Split in ten by the rates, players are as many in each part, by a chi-square bound."""
    below = [sum(is_sampled("P", player_id, k / 10) for player_id in IDS) for k in range(11)]
    parts = [high - low for low, high in pairwise(below)]
    expected = len(IDS) / 10
    assert sum(parts) == len(IDS)
    assert sum((part - expected) ** 2 / expected for part in parts) < 27.9  # 9 degrees, 0.1 %


def test_polls_have_samples_of_their_own() -> None:
    """Who votes in one poll is not who votes in the next: the product of both rates is in both."""
    both = sum(is_sampled("P", each, 0.3) and is_sampled("Q", each, 0.3) for each in IDS)
    assert abs(both - 0.09 * len(IDS)) < 3.3 * sqrt(0.09 * 0.91 * len(IDS))


def test_a_higher_rate_keeps_the_voters_of_a_lower_one() -> None:
    """Who votes at a rate votes at every higher one."""
    assert all(is_sampled("P", each, 0.2) for each in IDS if is_sampled("P", each, 0.1))


def test_odd_ids_are_hashed_too() -> None:
    """An id that is no proper text, as JSON may bring one, decides as well."""
    assert is_sampled("\ud800", "\0", 0.5) in {True, False}


# How many there are


def drawn_votes(players: int, rate: float, draw: random.Random) -> int:
    """Draw how many players vote, from one to the next who does: those gaps are geometric."""
    hazard, votes, at = -log1p(-rate), -1, 0
    while at <= players:
        votes, at = votes + 1, at + 1 + int(draw.expovariate(hazard))
    return votes


@pytest.mark.parametrize(("players", "rate"), [(1000, 0.05), (400, 0.2), (20_000, 0.002)])
def test_interval_covers_what_it_says(players: int, rate: float) -> None:
    """In about 95 of 100 shows the players are inside the interval."""
    draw = random.Random(f"{players} {rate}")
    shows, covered, total = 20_000, 0, 0
    for _ in range(shows):
        votes = drawn_votes(players, rate, draw)
        low, high = interval(votes, rate)
        covered += low <= players <= high
        total += estimate(votes, rate)
    assert 0.94 <= covered / shows <= 0.965
    assert total / shows == pytest.approx(players, rel=0.01)


@pytest.mark.parametrize("votes", [0, 1, 7, 2**53])
def test_everybody_votes_so_the_votes_are_the_players(votes: int) -> None:
    """At rate 1 there is nothing to estimate."""
    assert interval(votes, 1.0) == (votes, votes)
    assert estimate(votes, 1.0) == votes


@pytest.mark.parametrize("rate", [0.001, 0.05, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("votes", [0, 1, 2, 17, 400, 12_431])
@pytest.mark.parametrize("z", [1.0, 1.96, 6.0])
def test_interval_is_what_the_score_test_accepts(votes: int, rate: float, z: float) -> None:
    """N is inside exactly if the votes are within z standard deviations of N p, to rounding."""

    def accepts(players: float) -> bool:
        return abs(votes - players * rate) <= z * sqrt(players * rate * (1.0 - rate))

    low, high = interval(votes, rate, z)
    assert votes <= low <= estimate(votes, rate) <= high
    assert accepts(high - 1)
    assert not accepts(high + 1e-3)
    assert low == votes or accepts(low + 1)
    assert low == 0 or not accepts(max(0.0, low - 1e-3)) or low == votes


def test_interval_in_figures() -> None:
    """The formula, worked out by hand: 40 votes at 0.1 are (83.457 -+ 23.773) / 0.2."""
    assert interval(40, 0.1) == (298, 537)
    assert interval(0, 0.1) == (0, 35)
    assert interval(40, 0.1, 0.0) == (400, 400)
    assert estimate(40, 0.1) == 400
    assert estimate(1, 0.3) == 3


def test_low_is_never_under_the_votes() -> None:
    """There are at least as many players as votes, however wide the interval."""
    assert interval(3, 0.9, 6.0)[0] == 3


@pytest.mark.parametrize(
    ("votes", "rate"), [(-1, 0.5), (1, 0.0), (1, -0.1), (1, 1.1), (1, float("nan")), (1, 1e-300)]
)
def test_what_cannot_be_is_misuse(votes: int, rate: float) -> None:
    """Votes below none, and a rate out of its range."""
    with pytest.raises(MisuseError, match="sample rate"):
        interval(votes, rate)
    with pytest.raises(MisuseError, match="sample rate"):
        estimate(votes, rate)


@pytest.mark.parametrize("z", [-1.0, float("inf"), float("nan")])
def test_z_is_a_number_from_zero_on(z: float) -> None:
    """A number of standard deviations."""
    with pytest.raises(MisuseError, match="standard deviations"):
        interval(1, 0.5, z)


def test_most_votes_at_the_least_rate() -> None:
    """The highest tally that a platform may tell, at the lowest rate, is still a number."""
    low, high = interval(2**53, RATE_MIN)
    assert low < estimate(2**53, RATE_MIN) < high


# The rate that a poll names (rule 10)


@pytest.mark.parametrize(
    ("told", "rate"),
    [
        (None, 1.0),
        (1, 1.0),
        (0.25, 0.25),
        ("0.25", 0.25),
        ("1e-3", 0.001),
        (RATE_MIN, RATE_MIN),
        (0, None),
        (-0.5, None),
        (1.01, None),
        (1e-300, None),
        ("a tenth", None),
        ("", None),
        ("nan", None),
        (True, None),
    ],
)
def test_sample_rate_of_a_poll(told: FieldValue, rate: float | None) -> None:
    """A number above 0 and up to 1, in a string too; 1 where none is named; None if unreadable."""
    assert sample_rate_of(poll(sample_rate=told)) == rate
    assert rate is None or is_rate(rate)


def test_the_name_of_the_field() -> None:
    """The custom field's key, as the producer's guide has it."""
    assert SAMPLE_RATE_FIELD == "poll_counter_sample_rate"
    assert sample_rate_of(poll(sample_rate=0.5)) == 0.5
