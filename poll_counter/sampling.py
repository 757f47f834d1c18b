"""Sampling: who of a large audience votes, and how many players the votes stand for.

Pure arithmetic (counting rule 9). A sample rate p, 0 < p <= 1, is the share of players that vote.
"""

from __future__ import annotations

from hashlib import blake2b
from math import ceil, floor, sqrt

from .errors import MisuseError

__all__ = ["RATE_MIN", "estimate", "interval", "is_rate", "is_sampled"]

RATE_MIN = 1e-9
"""The lowest sample rate: one player in a thousand million."""


def is_rate(rate: float) -> bool:
    """Tell whether a number can be a sample rate: above 0 (no less than `RATE_MIN`), up to 1."""
    return RATE_MIN <= rate <= 1.0


def is_sampled(poll_id: str, player_id: str, rate: float) -> bool:
    """Tell whether a player is in a poll's sample, and so votes in it.

    A hash decides, so that the same player decides the same after every reconnect and restart: a
    coin tossed again would count more than there are. It is `blake2b` keyed with `sample`, of
    the poll's id, a zero byte and the player's id in UTF-8; its first 8 bytes, big-endian, over
    2^64 are below `rate` for a share `rate` of all players.
    """
    if rate >= 1.0:
        return True
    named = f"{poll_id}\0{player_id}".encode("utf-8", "surrogatepass")
    digest = blake2b(named, key=b"sample").digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < rate


def estimate(votes: int, rate: float) -> int:
    """Estimate the players that the votes of a sample stand for: votes / rate, rounded.

    Raises `MisuseError` for a rate or votes that cannot be.
    """
    _check(votes, rate)
    return votes if rate == 1.0 else round(votes / rate)


def interval(votes: int, rate: float, z: float = 1.96) -> tuple[int, int]:
    """Bound the players that the votes of a sample stand for; with z = 1.96, to 95 %.

    The score interval for N, given x votes of X ~ Bin(N, p): every N for which x is no further
    than z standard deviations, sqrt(N p (1-p)), from N p. Solved for N (Wilson's method, 1927,
    who solved the same inequality for p):

        N = [2x + z^2 (1-p) +- z sqrt((1-p) (z^2 (1-p) + 4x))] / 2p

    Args:
        votes: x, how many votes there are.
        rate: p, the share of players that vote.
        z: how many standard deviations; 1.96 for 95 %.

    Returns:
        The lowest number of players, rounded down but not under the votes themselves, and the
        highest, rounded up. Both are the votes when everybody votes.

    Raises `MisuseError` for a rate, votes or z that cannot be.
    """
    _check(votes, rate)
    if not 0.0 <= z < float("inf"):
        raise MisuseError(f"z is {z}; pass a number of standard deviations from 0 on")
    if rate == 1.0:
        return votes, votes
    skew = z * z * (1.0 - rate)
    middle = 2.0 * votes + skew
    reach = z * sqrt((1.0 - rate) * (skew + 4.0 * votes))
    low, high = (middle - reach) / (2.0 * rate), (middle + reach) / (2.0 * rate)
    return max(votes, floor(low)), ceil(high)


def _check(votes: int, rate: float) -> None:
    if votes < 0 or not is_rate(rate):
        raise MisuseError(
            f"{votes} votes at a sample rate of {rate}; pass votes from 0 on, and a rate from "
            f"{RATE_MIN:g} to 1"
        )
