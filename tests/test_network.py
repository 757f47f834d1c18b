"""The network of the virtual world: draws, latencies, and what faults make of messages."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import pytest

from simulator.clock import Clock
from simulator.network import Draws, Link, Network, Way
from simulator.scenario import Fault, Scenario

# Draws


def test_draws_are_pinned() -> None:
    """The same numbers on every machine and for ever: a seed replays a run."""
    draws = Draws(1, "player 7")
    assert [draws() for _ in range(4)] == [
        0.7763361482680732,
        0.8855627691453837,
        0.6608602256061623,
        0.14765585227629985,
    ]


def test_draws_are_splitmix64() -> None:
    """The numbers that are published for the state 1234567, of which a draw is the upper 53 bits.

    They are in Rosetta Code, "Pseudo-random numbers/Splitmix64".
    """
    draws = Draws(0, "")
    draws._state = 1234567
    published = (
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    )
    assert [draws() for _ in published] == [(number >> 11) / 2**53 for number in published]


def test_a_stream_depends_on_its_seed_and_name_alone() -> None:
    """Others do not shift it, however much they are drawn from."""
    one, same, another, of_another = Draws(1, "a"), Draws(1, "a"), Draws(1, "b"), Draws(2, "a")
    first = [one() for _ in range(5)]
    for _ in range(100):
        another()
        of_another()
    assert [same() for _ in range(5)] == first
    assert len({one(), another(), of_another()}) == 3


@pytest.mark.parametrize("many", ["one stream", "many streams"])
def test_draws_are_spread_evenly(many: str) -> None:
    """Within a stream, and over the first draws of many: tenths get their shares, within 4 sd."""
    if many == "one stream":
        draws = Draws(3, "player 1")
        drawn = [draws() for _ in range(4000)]
    else:
        drawn = [Draws(3, f"player {number}")() for number in range(4000)]
    assert all(0.0 <= value < 1.0 for value in drawn)
    tenths = Counter(int(10 * value) for value in drawn)
    assert all(abs(tenths[tenth] - 400) < 4 * 19 for tenth in range(10))


# Latencies and verdicts


class Wire:
    """One link, what was sent over it, and when it arrived."""

    def __init__(self, *, slow: bool = False, **changed: Any) -> None:
        self.clock = Clock()
        self.network = Network(
            Scenario(**{"latency_ms": (20, 60), "healed": 1, **changed}), self.clock
        )
        self.network.heal_at(10**6)
        self.link = Link(None, "ann", 5, 0, Draws(1, "player 0"), slow=slow)
        self.arrived: list[tuple[int, Any]] = []

    def send(self, tick: int, what: Any, way: Way = "down", *, safe: bool = False) -> None:
        """Enter that something is sent at a tick."""

        def call(*_: object) -> None:
            self.network.send(self.link, way, self.arrive, what, safe=safe)

        self.clock.at(tick, (call, None, None, None))

    def arrive(self, link: Link, what: Any, way: Way) -> None:
        """Note what arrives."""
        assert link is self.link
        assert way in {"up", "down"}
        self.arrived.append((self.clock.now, what))

    def run(self) -> list[tuple[int, Any]]:
        """What arrived, and when."""
        self.clock.run()
        return self.arrived


def fault(verdict: str, share: float = 1.0, **more: Any) -> tuple[Fault, ...]:
    """Make the faults of a scenario, of one rule."""
    return (Fault(verdict=cast("Any", verdict), share=share, **more),)


def took(wire: Wire, apart: int = 10_000, many: int = 500) -> list[int]:
    """How long messages take that are sent far apart."""
    for number in range(many):
        wire.send(number * apart, number, "up" if number % 2 else "down")
    arrived = wire.run()
    assert [what for _, what in arrived] == list(range(many))
    return [at - what * apart for at, what in arrived]


def test_latencies_are_uniform_between_their_bounds() -> None:
    """Both bounds included."""
    latencies = Counter(took(Wire(), many=2000))
    assert sorted(latencies) == list(range(20, 61))
    assert all(18 <= times <= 85 for times in latencies.values())


def test_a_tail_has_most_near_the_least() -> None:
    """And some up to the most."""
    latencies = took(Wire(latency_ms=(40, 500), tail=8.0), many=1000)
    assert 40 == min(latencies) <= max(latencies) <= 500
    assert max(latencies) > 450
    assert sorted(latencies)[500] < 45


def test_a_slow_link_has_four_times_the_latency() -> None:
    """Whoever is at its end."""
    latencies = took(Wire(slow=True))
    assert 80 <= min(latencies) < 90
    assert 230 < max(latencies) <= 240


def test_the_least_latency_is_none_at_all() -> None:
    """What is sent then arrives in the same tick."""
    assert set(took(Wire(latency_ms=(0, 0)))) == {0}


def burst(wire: Wire, many: int = 40) -> list[int]:
    """Send a message every tick, and give in which order they arrive."""
    for number in range(many):
        wire.send(1000 + number, number)
    return [what for _, what in wire.run()]


def test_messages_stay_in_order() -> None:
    """A later message with a lower latency waits for the one before it."""
    assert burst(Wire()) == list(range(40))


def test_ways_do_not_wait_for_each_other() -> None:
    """Votes and facts are two streams."""
    wire = Wire(faults=fault("later", way="down", delay_s=60.0))
    wire.send(0, "down")
    wire.send(1, "up", "up")
    (first, what), (second, _) = wire.run()
    assert what == "up"
    assert first <= 61 < second


def test_what_is_dropped_does_not_arrive() -> None:
    """The connection is disturbed from then on; the others are not held up."""
    wire = Wire(faults=fault("drop", 0.5))
    arrived = burst(wire)
    assert arrived == sorted(arrived)
    assert 10 < len(arrived) < 30
    assert wire.network.verdicts == {"drop": 40 - len(arrived)}
    first_lost = min(set(range(40)) - set(arrived))
    assert wire.link.disturbed_at == 1000 + first_lost
    assert wire.network.disturbed == {5: wire.link}
    assert not wire.link.repeated


def test_what_is_later_holds_up_what_follows() -> None:
    """All arrive, in order, and one of them late."""
    wire = Wire(faults=fault("later", 0.1, delay_s=5.0))
    assert burst(wire) == list(range(40))
    assert 1 <= wire.network.verdicts["later"] <= 10
    assert max(at for at, _ in wire.arrived) > 1100
    assert wire.link.disturbed_at is not None


def test_later_is_at_most_as_late_as_told() -> None:
    """Beyond the latency."""
    latencies = took(Wire(faults=fault("later", delay_s=2.0)))
    assert 20 <= min(latencies) < 100
    assert 1900 < max(latencies) <= 2060


def test_what_is_repeated_arrives_again() -> None:
    """First in its place, and later once more; a vote that is repeated is noted."""
    wire = Wire(faults=fault("repeat", way="down", delay_s=3.0))
    arrived = burst(wire, 30)
    places = [arrived.index(number) for number in range(30)]
    assert places == sorted(places), "the first copies are in order"
    assert Counter(arrived) == dict.fromkeys(range(30), 2)
    assert wire.link.disturbed_at is None
    assert not wire.link.repeated, "no vote was"
    assert wire.network.verdicts == {"repeat": 30}
    votes = Wire(faults=fault("repeat", way="up", delay_s=3.0))
    votes.send(0, "vote", "up")
    assert [what for _, what in votes.run()] == ["vote", "vote"]
    assert votes.link.repeated


def test_what_is_overtaken_arrives_after_what_follows() -> None:
    """The others are in order among each other, and do not wait."""
    wire = Wire(faults=fault("reorder", 0.2, delay_s=5.0))
    arrived = burst(wire)
    assert sorted(arrived) == list(range(40))
    assert arrived != sorted(arrived)
    overtaken = wire.network.verdicts["reorder"]
    late = [what for at, what in wire.arrived if at > 1100]
    assert 0 < len(late) <= overtaken
    kept = [number for number in arrived if number not in late]
    assert len(kept) >= 40 - overtaken
    assert wire.link.disturbed_at is not None


@pytest.mark.parametrize("verdict", ["repeat", "reorder", "later"])
def test_nothing_overtakes_what_was_sent_before_it(verdict: str) -> None:
    """A fact is never delivered before the welcome: no fault makes a message quicker."""
    for number in range(60):
        wire = Wire(latency_ms=(0, 500), faults=fault(verdict, delay_s=0.001))
        wire.link.draws = Draws(number, "player 0")
        wire.send(0, "welcome", safe=True)
        wire.send(1, "fact")
        assert wire.run()[0][1] == "welcome"


def test_what_is_safe_always_passes() -> None:
    """Hello and welcome: without them there is no connection."""
    wire = Wire(faults=fault("drop"))
    wire.send(0, "hello", "up", safe=True)
    wire.send(500, "vote", "up")
    assert [what for _, what in wire.run()] == ["hello"]
    assert wire.network.verdicts == {"drop": 1}


@pytest.mark.parametrize(("way", "arrives"), [("up", ["fact"]), ("down", ["vote"]), ("both", [])])
def test_a_fault_may_be_of_one_way(way: str, arrives: list[str]) -> None:
    """Votes go up, all else comes down."""
    wire = Wire(faults=fault("drop", way=way))
    wire.send(0, "vote", "up")
    wire.send(0, "fact", "down")
    assert [what for _, what in wire.run()] == arrives


def test_faults_are_over_with_the_heal() -> None:
    """From that very tick on."""
    wire = Wire(faults=fault("drop"))
    wire.network.heal_at(500)
    for tick in (0, 499, 500, 501):
        wire.send(tick, tick)
    assert [what for _, what in wire.run()] == [500, 501]


def test_of_several_faults_the_first_that_falls_on_a_message_counts() -> None:
    """One verdict for each message."""
    wire = Wire(faults=(*fault("drop", 0.5), *fault("repeat", delay_s=0.1)))
    arrived = Counter(burst(wire))
    assert set(arrived.values()) == {2}
    assert wire.network.verdicts["drop"] + wire.network.verdicts["repeat"] == 40
    assert wire.network.verdicts["repeat"] == len(arrived)


def test_shares_are_of_the_messages() -> None:
    """Of 2,000 messages a tenth, within four standard deviations."""
    wire = Wire(faults=fault("drop", 0.1))
    burst(wire, 2000)
    assert abs(wire.network.verdicts["drop"] - 200) < 4 * 13.5


def test_only_the_first_disturbance_is_kept() -> None:
    """From then on no vote has to arrive any more."""
    wire = Wire(faults=fault("drop"))
    burst(wire, 3)
    assert wire.link.disturbed_at == 1000
