"""What one peer of the live channel may ask of the server, and how that is counted.

All limits are ours: the platform documents none (contract section 19). Every one of them can be
set, in the table `[limits]` of the file that `serve --choices` reads.

Time comes in as an argument, seconds on any steady clock, so that nothing here waits or looks.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Bucket", "Buckets", "Limits"]

Count: TypeAlias = Annotated[int, Field(ge=1)]
PerSecond: TypeAlias = Annotated[float, Field(gt=0.0)]
Seconds: TypeAlias = Annotated[float, Field(gt=0.0)]

EPSILON_S = 1e-9
"""Less than this is a rounding error, not a wait."""
SWEPT_AT = 1024
"""A smaller table of buckets is not worth looking through."""


class Limits(BaseModel):
    """The limits of the live channel.

    A limit per address has to let a household, an office or a mobile carrier through, where
    thousands of players share one address, as a crowd on loopback does. So those defaults are
    loose; tighten them where peers come with addresses of their own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections_max: Count = 20_000
    """Connections in all; who comes then is told to come back later."""
    connections_per_address_max: Count = 20_000
    """Connections from one address (of IPv6: from one /64 network)."""
    connects_burst: Count = 10_000
    """New connections that one address may make at once."""
    connects_per_s: PerSecond = 1_000.0
    """New connections that one address may make in a second, after those."""
    handshakes_max: Count = 4_096
    """Connections on which the WebSocket handshake is not finished. With one more the longest
    waiting is dropped: an honest handshake takes milliseconds, so it is not that one."""
    handshake_timeout_s: Seconds = 10.0
    """How long a client may take for its handshake, however it drips."""
    hello_timeout_s: Seconds = 10.0
    """How long it may take from there to say hello."""
    bytes_burst: Count = 2**14
    """Bytes that one connection may send at once; who sends more is cut off before it is read.
    That bounds what no other limit sees: pings, and messages in thousands of pieces."""
    bytes_per_s: PerSecond = 1_024.0
    """Bytes that it may send in a second, after those: some ten votes."""
    frame_bytes_max: Count = 2**13
    """The longest frame; a hello with the longest ids and a token has some 6,000 bytes."""
    frames_burst: Count = 30
    """Frames of one connection that are read at once."""
    frames_per_s: Annotated[float, Field(ge=1.0)] = 10.0
    """Frames that are read in a second, after those; the others wait where they are, and the
    sender with them."""
    bad_frames_max: Count = 20
    """Frames of one connection that cannot be understood; with that many it is closed."""
    hellos_burst: Count = 50
    """Times that one user may say hello at once, on whatever connections."""
    hellos_per_s: PerSecond = 5.0
    """Times that one user may say hello in a second, after those."""
    votes_burst: Count = 20
    """Votes that are taken from one user at once, on whatever connections."""
    votes_per_s: PerSecond = 2.0
    """Votes that are taken from one user in a second, after those; others are refused as `busy`."""
    send_bytes_max: Count = 2**20
    """What may wait for a peer that does not read; with more it is cut off."""
    origins: tuple[str, ...] = ("loopback",)
    """Whose pages may connect from a browser: origins such as "https://show.example", "loopback"
    for every page of this machine. Who names no origin is no page, and may: apps name none."""


class Bucket:
    """So many at once, and then so many a second: a token bucket.

    It holds one number, the time at which it will be full again (as the generic cell rate
    algorithm does, ITU-T I.371), so that looking at it costs less than what it guards.

    Args:
        burst: how many it holds when it is full, as it is at first.
        per_s: how many come back in a second.
    """

    __slots__ = ("_full_at", "_interval_s", "_slack_s")

    def __init__(self, burst: float, per_s: float) -> None:
        self._interval_s = 1.0 / per_s
        self._slack_s = burst / per_s
        self._full_at = float("-inf")

    def take(self, now: float, many: float = 1.0) -> float:
        """Take out of the bucket; gives 0, or the seconds to wait, and then nothing was taken."""
        full_at = max(self._full_at, now) + many * self._interval_s
        wait_s = full_at - now - self._slack_s
        if wait_s > EPSILON_S:
            return wait_s
        self._full_at = full_at
        return 0.0

    def turn(self, now: float) -> float:
        """Take in any case; gives the seconds to wait until it was there to be taken."""
        self._full_at = full_at = max(self._full_at, now) + self._interval_s
        wait_s = full_at - now - self._slack_s
        return wait_s if wait_s > EPSILON_S else 0.0


class Buckets:
    """One bucket for each of many, of whom most are never heard of again.

    A bucket that is full again says no more than one that was never there, and is forgotten:
    ids made up by the million take no more memory than the rate allows.

    Args:
        burst: see `Bucket`.
        per_s: see `Bucket`.
    """

    def __init__(self, burst: float, per_s: float) -> None:
        self._interval_s = 1.0 / per_s
        self._slack_s = burst / per_s
        self._full_at: dict[str, float] = {}
        self._sweep_at = SWEPT_AT

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, now: float) -> float:
        """Take one out of a bucket; gives 0, or the seconds to wait, and then none was taken."""
        full_at = max(self._full_at.get(key, now), now) + self._interval_s
        wait_s = full_at - now - self._slack_s
        if wait_s > EPSILON_S:
            return wait_s
        self._full_at[key] = full_at
        if len(self._full_at) > self._sweep_at:
            self._full_at = {key: at for key, at in self._full_at.items() if at > now}
            self._sweep_at = max(SWEPT_AT, 2 * len(self._full_at))
        return 0.0
