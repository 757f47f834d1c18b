"""The network between players and edges, in virtual time: latency, and faults as verdicts.

Every connection is a `Link`. What is sent over it arrives in order, after a latency, unless a
fault of the scenario has another verdict: dropped, later, repeated or reordered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

from .clock import Call, Clock, ticks
from .scenario import LINK_SLOWER, Fault, Scenario

__all__ = ["Draws", "Link", "Network", "Way"]

Way: TypeAlias = Literal["up", "down"]
"""To the edge, or to the player."""

_MASK = 2**64 - 1
_GAMMA = 0x9E3779B97F4A7C15


class Draws:
    """A stream of draws in [0, 1): the n-th is a hash of (seed, name, n), and of nothing else.

    SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014),
    which is a hash of a counter, begun at a place that (seed, name) hash to.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int, name: str) -> None:
        digest = blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
        self._state = int.from_bytes(digest, "big")

    def __call__(self) -> float:
        """The next draw."""
        self._state = z = (self._state + _GAMMA) & _MASK
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53


class Link:
    """One connection of one player to one edge."""

    __slots__ = (
        "connection", "deliveries", "disturbed_at", "down_at", "draws", "edge", "repeated", "times",
        "up_at", "user", "who",
    )  # fmt: skip

    def __init__(
        self, who: Any, user: str, connection: int, edge: int, draws: Draws, *, slow: bool
    ) -> None:
        self.who = who
        """The player, or the hostile peer, at its end."""
        self.user = user
        """The id that it says hello with."""
        self.connection = connection
        self.edge = edge
        self.draws = draws
        self.times = LINK_SLOWER if slow else 1
        """How many times the latency of other links is its own."""
        self.up_at = self.down_at = 0
        """When the last message of either way arrives: none overtakes it."""
        self.deliveries = 0
        """How many messages were delivered to the player."""
        self.disturbed_at: int | None = None
        """Since when messages were lost or late: no vote has to arrive any more."""
        self.repeated = False
        """Whether the network has delivered a vote twice."""


class Network:
    """Carries messages over links.

    Args:
        scenario: gives latencies and faults.
        clock: of the world.
    """

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self._clock = clock
        self._low, high = scenario.latency_ms
        self._span = high - self._low + 1
        self._tail = scenario.tail
        self._heal = 0
        self._faults: dict[Way, tuple[Fault, ...]] = {
            "up": tuple(f for f in scenario.faults if f.way != "down"),
            "down": tuple(f for f in scenario.faults if f.way != "up"),
        }
        self.verdicts: Counter[str] = Counter()
        """Verdict -> how many messages it fell on."""
        self.disturbed: dict[int, Link] = {}
        """Connection -> link on which messages were lost or late."""

    def heal_at(self, tick: int) -> None:
        """From this tick on all messages pass."""
        self._heal = tick if any(self._faults.values()) else 0

    def send(
        self,
        link: Link,
        way: Way,
        arrive: Callable[[Any, Any, Any], object],
        what: Any,
        *,
        safe: bool = False,
    ) -> None:
        """Send something: `arrive(link, what, way)` is called when it arrives, if it does.

        What is `safe` always passes, as hello and welcome do: without them there is no connection.
        """
        clock = self._clock
        now = clock.now
        fault = None
        if now < self._heal and not safe:
            fault = self._fault(link, way)
        share = link.draws()
        if self._tail != 1.0:
            share **= self._tail
        at = now + (self._low + int(self._span * share)) * link.times
        earliest = link.up_at if way == "up" else link.down_at
        if at < earliest:  # noqa: PLR1730 - sent with every message: a call of max takes longer
            at = earliest  # in order
        if fault is not None:
            delayed = self._suffer(link, way, fault, at, (arrive, link, what, way))
            if delayed is None:
                return
            at = delayed
        if way == "up":
            link.up_at = at
        else:
            link.down_at = at
        clock.at(at, (arrive, link, what, way))

    def _suffer(self, link: Link, way: Way, fault: Fault, at: int, call: Call) -> int | None:
        """Let a message suffer a fault; gives when it arrives in order, None if it does not."""
        self.verdicts[fault.verdict] += 1
        if fault.verdict == "repeat":
            self._clock.at(at + ticks(fault.delay_s * link.draws()), call)
            link.repeated = link.repeated or way == "up"
            return at
        if link.disturbed_at is None:
            link.disturbed_at = self._clock.now
            self.disturbed[link.connection] = link
        if fault.verdict == "drop":
            return None
        at += ticks(fault.delay_s * link.draws())
        if fault.verdict == "reorder":
            self._clock.at(at, call)
            return None
        return at

    def _fault(self, link: Link, way: Way) -> Fault | None:
        for fault in self._faults[way]:
            if link.draws() < fault.share:
                return fault
        return None
