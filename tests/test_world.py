"""The virtual world: who is connected to what, what arrives, and what edges do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest

from poll_counter.commands import Command
from poll_counter.facts import (
    ActiveChanged,
    AnswerAccepted,
    AnswerRefused,
    Disconnected,
    ElementPublished,
    ElementStateChanged,
    EventStateChanged,
    Fact,
    ResultsTold,
    TimePassed,
    Welcomed,
)
from poll_counter.machine import Machine
from simulator.clock import TICKS_PER_S
from simulator.emulator import Emulator
from simulator.network import Link
from simulator.person import user_of
from simulator.scenario import Fault, Scenario
from simulator.world import Elsewhere, World

POLL = "show-poll-0"


class Spied(World):
    """A world that notes what every player's app is told, and when."""

    def __init__(self, scenario: Scenario, *, watched: bool = True, **more: Any) -> None:
        self.told: dict[str, list[tuple[float, Fact]]] = defaultdict(list)
        self.apps: dict[str, int] = defaultdict(int)
        players = range(scenario.players)
        super().__init__(scenario, players, watched=watched, make=self._spied, **more)

    def _spied(self, **given: Any) -> Machine:
        world, user = self, given["player_id"]
        world.apps[user] += 1
        number = world.apps[user]

        class Spy(Machine):
            def receive(self, fact: Fact, now: float) -> tuple[Command, ...]:
                assert world.apps[user] == number, "an app that has ended hears nothing"
                world.told[user].append((now, fact))
                return super().receive(fact, now)

        world.told[user].append((world._now_s, Disconnected()))  # where an app begins
        return Spy(**given)

    def heard(self, player: int, *kinds: type[Fact]) -> list[tuple[float, Any]]:
        """What a player was told, of these kinds."""
        told = self.told[user_of(self.scenario.seed, player, 0)]
        return [(at, fact) for at, fact in told if isinstance(fact, kinds)]

    def on_edge(self, edge: int) -> list[int]:
        """The players that begin on an edge."""
        return [p.plan.player for p in self.people if p.plan.edge == edge]

    def at(self, seconds: float) -> float:
        """On the clock of the world: seconds from the beginning of round 1."""
        return self._tick(seconds) / TICKS_PER_S


def world(**changed: Any) -> Spied:
    """Make a world, and run it."""
    it = Spied(Scenario(**{"players": 20, "rounds": 3, "round_time": 4.0, **changed}))
    it.run()
    return it


def times(it: World, kind: str) -> list[float]:
    """When something happened, as the platform wrote it down."""
    return [entry.at for entry in it.log if entry.kind == kind]


EVERYTHING: dict[str, Any] = {
    "players": 30,
    "rounds": 4,
    "round_time": 4.0,
    "late": 0.2,
    "leave": 0.2,
    "drop": 0.5,
    "drops": 2,
    "roam": 0.5,
    "restart": 0.3,
    "reinstall": 0.3,
    "watch": 0.1,
    "hostile": 0.2,
    "latency_ms": (0, 400),
    "slow": 0.2,
    "edges": 3,
    "edge_restarts": 3,
    "lag": 1.0,
    "healed": 1,
    "faults": [
        {"verdict": verdict, "share": 0.1, "delay_s": 0.5}
        for verdict in ("drop", "later", "repeat", "reorder")
    ],
}
"""All that can happen to a crowd, at once."""


# Connections


@pytest.mark.parametrize("seed", range(8))
def test_a_connection_begins_with_a_welcome_and_ends_with_its_end(seed: int) -> None:
    """Nothing is delivered before the welcome, after the connection, or twice welcome.

    Whatever the network does: no message of one connection is delivered on another.
    """
    it = world(**{**EVERYTHING, "players": 36}, seed=seed)
    deliveries = 0
    for told in it.told.values():
        connected = False
        for _, fact in told:
            if isinstance(fact, TimePassed | ActiveChanged):
                continue
            if isinstance(fact, Welcomed | Disconnected):
                assert not (connected and isinstance(fact, Welcomed))
                connected = isinstance(fact, Welcomed)
            else:
                deliveries += 1
                assert connected, f"{fact} without a connection"
    assert deliveries > 1000
    assert set(it.network.verdicts) == {"drop", "later", "repeat", "reorder"}


@pytest.mark.parametrize("seed", range(4))
def test_what_platform_and_players_hold_of_connections_agrees(seed: int) -> None:
    """In the end everybody who stays is connected, once, and the platform knows it."""
    it = world(seed=seed, **EVERYTHING)
    staying = [person for person in it.people if person.plan.leave_at is None]
    links = {link.connection: link for edge in it._links for link in edge.values()}
    for person in staying:
        assert person.link is not None
        assert links[person.link.connection] is person.link
        assert it.emulator._connections[person.link.connection] is not None
    assert it.emulator.connected("show") == len(links) == len(staying) + it.scenario.hostile_peers
    gone = [person for person in it.people if person.plan.leave_at is not None]
    assert gone
    assert all(person.link is None and not person.runs for person in gone)


def test_connections_are_numbered_by_edge() -> None:
    """So that the log says which edge a connection was on."""
    it = world(edges=3, drop=1.0, roam=1.0)
    for edge, links in enumerate(it._links):
        assert all(link.edge == connection % 3 == edge for connection, link in links.items())
    joined = [entry.connection for entry in it.log if entry.kind == "joined"]
    assert len(set(joined)) == len(joined) == 40


def test_hello_and_welcome_take_their_time() -> None:
    """A latency each; the platform knows a player from the hello on."""
    it = world(players=1, latency_ms=(200, 200), arrive=9.0)
    join_at = it.at(it.people[0].plan.join_at)
    assert times(it, "joined") == [pytest.approx(join_at + 0.2, abs=0.0015)]
    (at, welcome), *_ = it.heard(0, Welcomed)
    assert at == pytest.approx(join_at + 0.4, abs=0.0015)
    assert isinstance(welcome, Welcomed)
    assert welcome.event_state == "upcoming"


def test_a_hello_of_who_is_gone_again_does_not_arrive() -> None:
    """Cut off before it: there is no connection at all."""
    it = Spied(Scenario(players=1, rounds=1, latency_ms=(200, 200), arrive=1.0))
    (person,) = it.people
    join = it._tick(person.plan.join_at)
    it.clock.at(join + 100, (it.cut, person, None, None))
    it.run()
    assert len(times(it, "joined")) == 1
    assert times(it, "left") == []
    assert person.connects == 2
    assert it.evidence().deliveries[1] == 0


SLOWLY: dict[str, Any] = {
    "players": 1,
    "rounds": 1,
    "round_time": 10.0,
    "arrive": 9.0,
    "spread": 0.0,
    "latency_ms": (500, 500),
}
"""Half a second until the round is seen, half a second for the vote, half for its answer."""


def test_a_vote_on_its_way_is_lost_with_its_connection() -> None:
    """And repeated after the reconnect, so that it is counted once."""
    it = Spied(Scenario(**SLOWLY))
    (person,) = it.people
    it.clock.at(it._tick(0.6), (it.cut, person, None, None))
    it.run()
    assert len(times(it, "accepted")) == 1
    assert times(it, "left") == [it.at(0.6)]
    assert times(it, "accepted")[0] > times(it, "joined")[1]
    assert it.emulator.votes(POLL)[0] == 1


def test_an_answer_on_its_way_is_lost_with_its_connection() -> None:
    """The vote is repeated, and refused as one that is counted already."""
    it = Spied(Scenario(**SLOWLY))
    (person,) = it.people
    it.clock.at(it._tick(1.1), (it.cut, person, None, None))
    it.run()
    answers = [
        (e.kind, e.detail) for e in it.log if e.kind in {"accepted", "refused"} and e.option == 0
    ]
    assert answers == [("accepted", ""), ("refused", "already_voted")]
    assert it.heard(0, AnswerAccepted) == []
    assert it.heard(0, AnswerRefused)[0][1].option == 0
    assert it.emulator.votes(POLL)[0] == 1


def test_who_leaves_is_gone() -> None:
    """Nothing is told to it any more, and the platform knows."""
    it = world(leave=1.0)
    assert it.emulator.connected("show") == 0
    for person in it.people:
        assert person.plan.leave_at is not None
        left_at = it.at(person.plan.leave_at)
        assert all(at <= left_at for at, _ in it.told[person.user])
    assert it.staying == 0


def test_a_cut_without_a_connection_changes_nothing() -> None:
    """As of one who is on its way back."""
    it = Spied(Scenario(players=1, rounds=1, round_time=10.0))
    (person,) = it.people
    for tick in (0, 1):
        it.clock.at(it._tick(0.1) + tick, (it.cut, person, None, None))
    it.run()
    assert len(times(it, "joined")) == 2
    assert len(it.heard(0, Disconnected)) == 2, "the app's beginning, and one loss"


def test_an_app_starts_again_with_its_journal() -> None:
    """Same player, one vote for each round; what was on its way is lost with the old app."""
    it = world(restart=1.0)
    assert len(it.told) == 20, "nobody is new"
    assert set(it.apps.values()) == {2}
    assert [it.emulator.votes(POLL)[k] for k in range(3)] == [20, 20, 20]
    restarts = it.evidence().restarts
    assert set(restarts) == set(it.told)
    for person in it.people:
        (ended,) = restarts[person.user]
        assert ended == it.at(person.plan.restarts[0].at)


def test_an_app_without_its_journal_is_a_new_player() -> None:
    """Both of its ids may be counted; restarts tell nothing of it."""
    it = world(reinstall=1.0, watch=0.5)
    assert len(it.told) == 40
    assert it.evidence().restarts == {}
    inactive = it.evidence().inactive
    assert len(inactive) == 20, "ten who watch, with two ids each"
    assert inactive.isdisjoint(entry.user for entry in it.log if entry.kind == "accepted")


def test_a_second_restart_while_the_app_is_down_is_none() -> None:
    """There is nothing to end."""
    it = Spied(Scenario(players=1, rounds=1, round_time=10.0))
    (person,) = it.people
    for keeps_journal in (True, False):
        it.clock.at(it._tick(1.0), (it._restart, person, keeps_journal, None))
    it.run()
    assert dict(it.apps) == {person.user: 2}
    assert person.installs == 0


# Edges


def test_an_edge_that_restarts_loses_connections_and_no_tallies() -> None:
    """Its players come back and are counted in every round, once."""
    scenario = Scenario(players=40, rounds=4, round_time=4.0, edges=2, edge_restarts=3)
    lost = list[tuple[int, int, int]]()

    class Watching(Spied):
        def _restart_edge(self, edge: int, *_: object) -> None:
            votes, others = self.emulator.votes(POLL), len(self._links[1 - edge])
            before = len(self._links[edge])
            super()._restart_edge(edge)
            lost.append((edge, before, len(self._links[edge])))
            assert (self.emulator.votes(POLL), len(self._links[1 - edge])) == (votes, others)

    it = Watching(scenario)
    it.run()
    assert [edge for edge, _, _ in lost] == [edge for _, edge in scenario.edge_failures]
    assert all(before > 10 and after == 0 for _, before, after in lost)
    assert len(times(it, "left")) == sum(before for _, before, _ in lost)
    assert it.emulator.votes(POLL)[:4] == (40,) * 4
    assert it.emulator.connected("show") == 40


def test_an_edge_that_lags_tells_everything_later() -> None:
    """By the lag; the others do not wait, and after the heal it does not lag any more."""
    it = world(
        rounds=3, round_time=20.0, edges=2, lag=3.0, healed=1, players=20, latency_ms=(20, 60)
    )
    published = times(it, "published")[1:]
    for edge, lag in ((0, 0.0), (1, 3.0)):
        for player in it.on_edge(edge):
            heard = it.heard(player, ElementPublished)[1:]
            behind = [at - told for (at, _), told in zip(heard, published, strict=True)]
            assert all(lag + 0.019 < seconds < lag + 0.061 for seconds in behind[:2])
            assert 0.019 < behind[2] < 0.061, "healed"
    assert it.evidence().lags == [(0.0, it.at(40.0)), (3.0, it.at(40.0))]


def test_a_lagging_edge_catches_up_at_the_heal() -> None:
    """What it has not told by then it tells then, in order."""
    it = world(rounds=3, round_time=20.0, edges=2, lag=30.0, healed=1, players=20)
    heal = it.at(40.0)
    for player in it.on_edge(1):
        heard = it.heard(player, EventStateChanged, ElementPublished, ElementStateChanged)
        assert heard[0][0] >= it.at(30.0)
        late = [fact for at, fact in heard if heal <= at <= heal + 0.06]
        assert len(late) == 4, "both trivia, published and closed"
    assert it.emulator.votes(POLL)[2] == 20


def test_a_lagging_edge_welcomes_with_an_older_snapshot() -> None:
    """As old as the lag; what happens next is told from there on."""
    it = world(rounds=3, round_time=20.0, edges=2, lag=5.0, healed=1, players=60, late=1.0)
    old = 0
    for player in it.on_edge(1):
        (at, welcome), *_ = it.heard(player, Welcomed)
        assert isinstance(welcome, Welcomed)
        changes = [e for e in it.log if e.kind in {"event", "published", "closed"}]
        hello = at - 0.06
        known = sum(e.at <= hello - 5.0 for e in changes)
        newest = sum(e.at <= at - 4.9 for e in changes)
        assert known <= (welcome.rev or 0) <= newest
        old += (welcome.rev or 0) < sum(e.at <= hello for e in changes)
    assert old > 3
    for player in it.on_edge(0):
        (at, welcome), *_ = it.heard(player, Welcomed)
        assert isinstance(welcome, Welcomed)
        assert (welcome.rev or 0) >= sum(e.at <= at - 0.06 for e in it.log if e.kind == "published")


def test_who_roams_between_edges_is_told_less_than_it_knows() -> None:
    """From the platform's edge to the lagging one: a snapshot that is older, and no harm."""
    it = world(
        rounds=4,
        round_time=10.0,
        edges=2,
        lag=6.0,
        healed=2,
        players=60,
        drop=1.0,
        drops=3,
        roam=1.0,
    )
    backwards = 0
    for user in it.told:
        revs = [fact.rev or 0 for _, fact in it.told[user] if isinstance(fact, Welcomed)]
        backwards += revs != sorted(revs)
    assert backwards > 5
    assert it.emulator.votes(POLL)[2:4] == (60, 60)


def test_the_heal_makes_disturbed_connections_anew() -> None:
    """Those on which messages were lost or late, and no others; then nothing is missing."""
    faults = [{"verdict": "drop", "share": 0.02, "way": "down"}]
    it = world(players=40, rounds=3, healed=2, faults=faults)
    heal = it.at(4.0)
    left = {entry.connection for entry in it.log if entry.kind == "left"}
    assert set(times(it, "left")) == {heal}
    assert left == set(it.network.disturbed)
    assert 5 < len(left) < 40
    back = [entry.at for entry in it.log if entry.kind == "joined" and entry.at > heal]
    assert len(back) == len(left)
    assert max(back) <= heal + it.scenario.reconnect_s + 0.061
    assert it.emulator.votes(POLL)[1:3] == (40, 40)
    assert set(it.evidence().disturbed) == left
    assert max(it.evidence().disturbed.values()) <= heal


# What is told


def test_results_are_told_four_times_a_second() -> None:
    """And no more often, however many votes there are."""
    it = world(players=30, round_time=10.0, spread=4.0)
    heard = [at for at, fact in it.heard(0, ResultsTold) if fact.element_id == POLL]
    assert len(heard) > 20
    quick = sum(two - one < 0.2 for one, two in pairwise(heard))
    assert quick <= 4, "final results do not wait"


def test_a_crowd_that_is_not_watched_is_told_no_results() -> None:
    """It votes all the same, and has nobody hostile in it; nothing is measured."""
    it = Spied(Scenario(players=20, rounds=3, round_time=4.0, hostile=0.5), watched=False)
    it.run()
    assert it.heard(0, ResultsTold) == []
    assert it.emulator.votes(POLL)[:3] == (20, 20, 20)
    assert it.observations() == []
    assert it.latencies == []
    assert it.evidence().hostile == set()


def test_votes_of_other_worlds_are_told() -> None:
    """Added to one's own, in their time; what comes before and after is told apart."""
    scenario = Scenario(players=20, rounds=2, round_time=4.0)
    plain = Spied(scenario)
    tick = plain._tick(1.0)
    elsewhere: list[Elsewhere] = [(tick, POLL, 0, 70), (tick + 500, POLL, 0, 30)]
    elsewhere += [(plain._tick(5.0), POLL, 1, 5)]
    it = Spied(scenario, elsewhere=elsewhere)
    it.run()
    for observation in it.observations():
        assert [observation.counts[k].players for k in (1, 2)] == [120, 25]
    results = [fact.votes[0] for _, fact in it.heard(0, ResultsTold) if fact.element_id == POLL]
    assert results == sorted(results)
    before = [fact for at, fact in it.heard(0, ResultsTold) if at < it.at(1.0)]
    assert all(max(fact.votes) <= 20 for fact in before)
    assert len([entry for entry in it.log if entry.kind == "accepted"]) == 40, "its own players'"


def test_a_vote_elsewhere_wakes_the_platform() -> None:
    """Results are told also when nobody votes here."""
    scenario = Scenario(players=1, rounds=1, round_time=10.0, watch=1.0)
    tick = Spied(scenario)._tick(2.0)
    it = Spied(scenario, elsewhere=[(tick, POLL, 0, 3)])
    it.run()
    assert [fact.votes[0] for _, fact in it.heard(0, ResultsTold)][:2] == [0, 3]
    assert it.heard(0, ResultsTold)[1][0] <= it.at(2.0) + 0.062


def test_what_was_final_is_not_told_again() -> None:
    """Results that were due when everything closed are told with the closing, and then no more."""
    scenario = Scenario(players=1, rounds=1, round_time=10.0, watch=1.0, latency_ms=(20, 20))
    stop = Spied(scenario)._tick(10.0)
    it = Spied(scenario, elsewhere=[(stop - 100, POLL, 0, 3), (stop - 50, POLL, 0, 4)])
    it.run()
    results = [fact for _, fact in it.heard(0, ResultsTold) if fact.element_id == POLL]
    assert [(fact.votes[0], fact.final) for fact in results] == [(0, False), (3, False), (7, True)]
    told = it._broadcasts
    it._tell_results()
    assert it._broadcasts == told, "a call that is out of date"


def test_the_latency_of_votes_is_measured() -> None:
    """From being cast to being answered: there and back again, once for each vote."""
    it = world(latency_ms=(100, 150))
    assert len(it.latencies) == 60
    assert all(200 <= ticks <= 300 for ticks in it.latencies)


def test_who_was_disturbed_says_so() -> None:
    """By its plan, a lost message or an edge that restarted; freshness is measured at others."""
    calm = world()
    assert all(observation.undisturbed for observation in calm.observations())
    drops = world(drop=0.25)
    assert sum(not observation.undisturbed for observation in drops.observations()) == 5
    lossy = world(faults=[{"verdict": "drop", "share": 1.0, "way": "down"}], healed=1)
    assert not any(observation.undisturbed for observation in lossy.observations())
    edges = world(edge_restarts=1)
    assert not any(observation.undisturbed for observation in edges.observations())


# Hostile peers


def test_hostile_peers_are_labelled_and_do_not_outvote() -> None:
    """Each id is admitted once for each option; those who forge ids are new ones every round."""
    it = world(players=20, hostile=0.4)
    users = it.evidence().hostile
    assert len({user.rsplit("-", 1)[0] for user in users}) == 8
    assert all(user.startswith("hostile-") for user in users)
    admitted = defaultdict[int, list[str]](list)
    for entry in it.log:
        if entry.kind == "accepted" and entry.user in users:
            admitted[entry.option].append(entry.user)
    for option in range(3):
        assert len(set(admitted[option])) == len(admitted[option])
    forged = {user for user in users if user.split("-")[1] in {"3", "7"}}
    assert len(forged) == 2 * 4, "an id for each round, and the one it began with"
    assert len([entry for entry in it.log if entry.kind == "refused"]) > 200


def test_hostile_peers_live_through_all_that_edges_do() -> None:
    """They are cut off with everybody else, and come back."""
    it = world(players=20, hostile=0.4, edges=2, edge_restarts=3)
    left = [e for e in it.log if e.kind == "left" and e.user in it.evidence().hostile]
    assert len(left) > 8
    assert it.emulator.connected("show") == 28


# What is written down


def test_the_evidence_of_a_calm_world() -> None:
    """No disturbances; how much was delivered over which connection."""
    it = world(latency_ms=(20, 60), arrive=9.0, seed=4)
    evidence = it.evidence()
    assert evidence.latency_s == pytest.approx(0.062)
    assert (evidence.disturbed, evidence.repeated, evidence.restarts) == ({}, set(), {})
    assert evidence.lags == [(0.0, it.at(12.0))]
    assert len(evidence.deliveries) == 20
    told = 1 + evidence.broadcasts + 3  # a welcome, and the answers of three votes
    assert set(evidence.deliveries.values()) == {told}


def test_votes_that_the_network_repeats_are_noted_by_connection() -> None:
    """Also of connections that are gone; the platform refuses the second."""
    faults = (Fault(verdict="repeat", share=0.5, way="up"),)
    it = world(faults=faults, healed=1, drop=0.5)
    repeated = it.evidence().repeated
    refused = {entry.connection for entry in it.log if entry.kind == "refused"}
    assert refused
    assert refused <= repeated
    gone = {entry.connection for entry in it.log if entry.kind == "left"}
    assert gone & repeated
    assert it.emulator.votes(POLL)[:3] == (20, 20, 20)


def test_deliveries_are_counted_also_of_connections_that_are_gone() -> None:
    """What was delivered over all of them is what the players were told."""
    it = world(drop=1.0, restart=0.5)
    counted = sum(it.evidence().deliveries.values())
    own = TimePassed | ActiveChanged | Disconnected
    assert counted == sum(
        not isinstance(fact, own) for told in it.told.values() for _, fact in told
    )


def test_a_world_of_some_players_is_part_of_the_world_of_all() -> None:
    """Plans, draws and what the host does are the same: players vote at the same time."""
    scenario = Scenario(players=40, rounds=3, round_time=4.0, late=0.5, drop=0.5)

    def votes(players: Iterable[int]) -> set[tuple[str, int, float]]:
        it = World(scenario, list(players), watched=False)
        it.run()
        return {(e.user, e.option, e.at) for e in it.log if e.kind == "accepted"}

    assert votes(range(10)) | votes(range(10, 40)) == votes(range(40))


def test_a_planted_platform_is_used() -> None:
    """A platform with a bug goes in here."""
    made = list[Emulator]()

    def make(**given: Any) -> Emulator:
        made.append(Emulator(**given))
        return made[0]

    it = Spied(Scenario(players=1, rounds=1), make_emulator=make)
    assert it.emulator is made[0]


def test_links_are_the_connections_of_players() -> None:
    """With the id that was said hello with, also when it is another by now."""
    it = world(reinstall=0.5)
    links = [link for edge in it._links for link in edge.values()]
    assert all(isinstance(link, Link) and link.user == link.who.user for link in links)
    assert {entry.user for entry in it.log if entry.kind == "joined"} == set(it.told)
