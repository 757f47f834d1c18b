"""Who may come in by the live channel, and how often users may speak: decided without sockets.

Three rooms keep the peers apart. `limits` counts, here it is decided, and the `turnstile` carries
it out on sockets.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple

from .limits import Buckets, Limits

__all__ = ["Door", "Refused", "acceptable_origins", "peer_of"]

FULL_RETRY_S = 5.0
"""When who finds the server full is to come back."""
TURNED_AWAY_MAX = 100
"""To how many at once it is said why they may not come in; the others are just cut off."""
IPV6_NETWORK = 64
"""What one peer of IPv6 has (RFC 6177): in it, it can take any address."""
LOOPBACK_ORIGIN = re.compile(r"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")
"""The origin of a page that this machine serves."""


class Refused(NamedTuple):
    """Why a connection is not let in, in the words of HTTP."""

    status: int
    text: str
    retry_after_s: float
    told: bool = True
    """Whether there is time to say so."""


class Door:
    """Counts connections, by address and in all, and how often users say hello and vote.

    A connection is whatever stands for one. It knocks once, is in when its handshake is over, and
    is gone once; who was refused is gone, too, when its connection is.

    Args:
        limits: what is allowed.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._peers: dict[Hashable, str] = {}  # connection -> where it is from
        self._connections: Counter[str] = Counter()  # by where they are from
        self._waiting: dict[Hashable, None] = {}  # handshakes, the longest first
        self._turned_away: set[Hashable] = set()
        self._connects = Buckets(limits.connects_burst, limits.connects_per_s)
        self._hellos = Buckets(limits.hellos_burst, limits.hellos_per_s)
        self._votes = Buckets(limits.votes_burst, limits.votes_per_s)

    @property
    def connections(self) -> int:
        """How many are in, or shaking hands."""
        return len(self._peers)

    def knock(self, connection: Hashable, host: str, now: float) -> Refused | None:
        """A connection is there, from an address; gives why it may not come in, if so."""
        peer, limits = peer_of(host), self._limits
        if len(self._peers) >= limits.connections_max:
            return self._refuse(connection, 503, "the server is full", FULL_RETRY_S)
        if self._connections[peer] >= limits.connections_per_address_max:
            return self._refuse(connection, 429, "too many connections from here", FULL_RETRY_S)
        wait_s = self._connects.take(peer, now)
        if wait_s:
            return self._refuse(connection, 429, "too many new connections from here", wait_s)
        self._peers[connection] = peer
        self._connections[peer] += 1
        self._waiting[connection] = None
        return None

    def give_way(self) -> Hashable | None:
        """Who has been shaking hands for longest, if there are too many who do."""
        if len(self._waiting) <= self._limits.handshakes_max:
            return None
        longest = next(iter(self._waiting))
        del self._waiting[longest]
        return longest

    def let_in(self, connection: Hashable) -> None:
        """The handshake of a connection is over."""
        self._waiting.pop(connection, None)

    def gone(self, connection: Hashable) -> None:
        """A connection is there no more."""
        self._waiting.pop(connection, None)
        self._turned_away.discard(connection)
        peer = self._peers.pop(connection, None)
        if peer is not None:
            self._connections[peer] -= 1
            if not self._connections[peer]:
                del self._connections[peer]

    def hello(self, user: str, now: float) -> float:
        """A user says hello; gives 0, or the seconds after which it may."""
        return self._hellos.take(user, now)

    def vote(self, user: str, now: float) -> float:
        """A user votes; gives 0, or the seconds after which it may."""
        return self._votes.take(user, now)

    def _refuse(self, connection: Hashable, status: int, text: str, wait_s: float) -> Refused:
        told = len(self._turned_away) < TURNED_AWAY_MAX
        if told:
            self._turned_away.add(connection)
        return Refused(status, text, wait_s, told)


def peer_of(host: str) -> str:
    """Whose an address is: its own, or of IPv6 its network's.

    An address that is none, such as that of a Unix socket, is one peer as well.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])  # without the zone
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_NETWORK), strict=False))
    return str(address)


def acceptable_origins(limits: Limits) -> list[str | re.Pattern[str] | None]:
    """The origins of `Limits` as websockets compares them; None is who names none."""
    return [None, *(LOOPBACK_ORIGIN if each == "loopback" else each for each in limits.origins)]
