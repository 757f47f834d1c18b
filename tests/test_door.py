"""Who may come in: the door, without sockets."""

from __future__ import annotations

import re

import pytest

from simulator.door import FULL_RETRY_S, TURNED_AWAY_MAX, Door, acceptable_origins, peer_of
from simulator.limits import Limits

HERE, THERE = "192.0.2.1", "192.0.2.2"


def test_everybody_comes_in() -> None:
    """Under the default limits a crowd of thousands at one address does, at once."""
    door = Door(Limits())
    assert [door.knock(n, "127.0.0.1", 0.0) for n in range(5_000)] == [None] * 5_000
    assert door.connections == 5_000


def test_the_server_can_be_full() -> None:
    """Then the next is told when to come back; with every one that goes another may come."""
    door = Door(Limits(connections_max=2))
    assert [door.knock(n, f"192.0.2.{n}", 0.0) for n in range(2)] == [None, None]
    refused = door.knock(2, THERE, 0.0)
    assert refused == (503, "the server is full", FULL_RETRY_S, True)
    door.gone(2)
    assert door.connections == 2, "who was refused was never in"
    door.gone(0)
    assert door.knock(3, THERE, 0.0) is None


def test_an_address_has_its_share() -> None:
    """One address is full, another is not; and each that goes makes room."""
    door = Door(Limits(connections_per_address_max=2))
    assert [door.knock(n, HERE, 0.0) for n in range(2)] == [None, None]
    refused = door.knock(2, HERE, 0.0)
    assert refused is not None
    assert (refused.status, refused.text) == (429, "too many connections from here")
    assert door.knock(3, THERE, 0.0) is None
    door.gone(1)
    door.gone(1)  # once is enough
    assert door.knock(4, HERE, 0.0) is None
    assert door.knock(5, HERE, 0.0) is not None


def test_an_address_connects_only_so_often() -> None:
    """Also when its connections are gone again; the wait is told, and another address has none."""
    door = Door(Limits(connects_burst=2, connects_per_s=0.5))
    for number in range(2):
        assert door.knock(number, HERE, 0.0) is None
        door.gone(number)
    refused = door.knock(2, HERE, 0.5)
    assert refused is not None
    assert refused.status == 429
    assert refused.retry_after_s == pytest.approx(1.5)
    assert door.knock(3, THERE, 0.5) is None
    assert door.knock(4, HERE, 2.0) is None


def test_who_shakes_hands_for_longest_gives_way() -> None:
    """With one more handshake than may be; those that are over, or gone, are none."""
    door = Door(Limits(handshakes_max=2))
    for number in range(4):
        door.knock(number, HERE, 0.0)
        door.let_in(0)
        if number == 1:
            door.gone(1)
        assert door.give_way() is None
    door.knock(4, HERE, 0.0)
    assert [door.give_way(), door.give_way()] == [2, None]
    assert door.connections == 4, "it is there until it is gone"


def test_not_everybody_is_told_why() -> None:
    """Of those who are refused some wait for the answer; there are never many of them."""
    door = Door(Limits(connections_max=1))
    door.knock("in", HERE, 0.0)
    told = [door.knock(n, HERE, 0.0) for n in range(TURNED_AWAY_MAX + 1)]
    assert [each is not None and each.told for each in told] == [True] * TURNED_AWAY_MAX + [False]
    door.gone(0)
    again = door.knock("again", HERE, 0.0)
    assert again is not None
    assert again.told


def test_nothing_is_kept_of_who_is_gone() -> None:
    """Whatever became of them."""
    door = Door(Limits(connections_max=2, handshakes_max=1))
    for number in range(4):
        door.knock(number, f"192.0.2.{number}", 0.0)
        door.give_way()
    for number in range(4):
        door.gone(number)
    assert door.connections == 0
    assert not any([door._connections, door._waiting, door._turned_away])


def test_a_user_says_hello_and_votes_only_so_often() -> None:
    """Each by itself, and each user by itself."""
    door = Door(Limits(hellos_burst=1, hellos_per_s=0.5, votes_burst=1, votes_per_s=0.25))
    assert (door.hello("ann", 0.0), door.vote("ann", 0.0), door.vote("bob", 0.0)) == (0, 0, 0)
    assert door.hello("ann", 0.0) == pytest.approx(2.0)
    assert door.vote("ann", 0.0) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("gone", "gone"),
    ],
)
def test_whose_an_address_is(host: str, peer: str) -> None:
    """Of IPv6 a peer has a whole network, and could come from anywhere in it."""
    assert peer_of(host) == peer


@pytest.mark.parametrize(
    ("origin", "may"),
    [
        (None, True),
        ("http://localhost", True),
        ("http://localhost:8080", True),
        ("https://127.0.0.1:8443", True),
        ("http://127.8.9.10:1", True),
        ("http://[::1]:8080", True),
        ("https://show.example", True),
        ("https://show.example:8443", False),
        ("http://show.example", False),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://evil.example/http://localhost", False),
        ("http://localhost:8080@evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_whose_pages_may_connect(origin: str | None, may: object) -> None:
    """Those of this machine and those named, to the letter; apps name no origin."""
    limits = Limits(origins=("loopback", "https://show.example"))
    matches = [
        each == origin
        or (isinstance(each, re.Pattern) and origin is not None and bool(each.fullmatch(origin)))
        for each in acceptable_origins(limits)
    ]
    assert any(matches) is may


def test_loopback_can_be_left_out() -> None:
    """Where the pages of this machine have no business."""
    assert acceptable_origins(Limits(origins=("https://show.example",))) == [
        None,
        "https://show.example",
    ]
