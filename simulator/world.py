"""The virtual world: platform, edges, network and players in one thread, in virtual time.

No event loop, no sockets, no JSON, no wall clock. Some of the players of a scenario live in one
world; worlds of the same scenario agree on all that is common to them, for everything is drawn
from the seed by counter hashes, and players do not act on each other but through the tallies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from poll_counter.commands import CastVote
from poll_counter.elements import Recognise
from poll_counter.facts import AnswerAccepted, AnswerRefused, Fact, Welcomed
from poll_counter.machine import Machine
from poll_counter.rounds import Progress

from .checks.evidence import Evidence, Observation
from .clock import TICKS_PER_S, Clock, ticks
from .emulator import Delivery, Emulator, Entry
from .hostile import Hostile
from .network import Link, Network
from .observer import Observer
from .person import Inhabitant, Intruder, MakeMachine, Person
from .records import RESULTS_INTERVAL_S
from .scenario import Scenario, Step
from .show import action, prepare

__all__ = ["Elsewhere", "MakeEmulator", "World"]

EVENT_ID = "show"
LEAD_S = 1.0
"""Before the first player joins."""

Elsewhere = tuple[int, str, int, int]
"""Votes accepted in other worlds: tick, poll, option, how many."""

MakeEmulator = Callable[..., Emulator]
"""Makes the platform: (results_interval_s=, log=) -> emulator; planted bugs go in here."""


class World:
    """Runs a scenario for some of its players.

    Args:
        scenario: the run.
        players: who of its players lives here.
        watched: whether these players are told results, and what they read is noted. The others
            only vote: to tell results to everybody costs more than all else.
        elsewhere: votes of the players who live in other worlds.
        make: makes a player's machine.
        make_emulator: makes the platform.
    """

    def __init__(
        self,
        scenario: Scenario,
        players: Sequence[int],
        *,
        watched: bool,
        elsewhere: Iterable[Elsewhere] = (),
        make: MakeMachine = Machine,
        make_emulator: MakeEmulator = Emulator,
    ) -> None:
        self.scenario = scenario
        self.clock = Clock()
        self.network = Network(scenario, self.clock)
        self.log: list[Entry] = []
        interval_s = RESULTS_INTERVAL_S if watched else None
        self.emulator = make_emulator(results_interval_s=interval_s, log=self.log)
        self.show = prepare(self.emulator, scenario, EVENT_ID)
        self.people: list[Person] = []
        self.latencies: list[int] = []
        """Of votes, from being cast to being answered: ticks; where players are watched."""
        self._cast: dict[tuple[int, str, int], int] = {}
        """(connection, poll, option) of votes not answered yet -> when they were cast."""
        self._watched = watched
        self._origin = ticks(scenario.arrive_s + LEAD_S)
        self._connections = 0
        self._links: list[dict[int, Link]] = [{} for _ in range(scenario.edges)]
        self._closed_links: dict[int, int] = {}
        self._repeated = set[int]()
        self._heal = self._tick(scenario.heal_s)
        self._lags = [scenario.lag_of(edge) for edge in range(scenario.edges)]
        self._views = [self.emulator.snapshot(EVENT_ID, 0.0)] * scenario.edges
        """Edge -> what it tells who connects, if it is behind the platform."""
        self._results_at = -1
        self._broadcasts = 0
        self._inactive = set[str]()
        self._restarts: dict[str, list[float]] = {}
        self._hostile_users = set[str]()
        progress = Progress(Recognise())
        for number in players:
            observer = Observer() if watched else None
            plan = scenario.plan(number)
            person = Person(plan, scenario, self, make=make, progress=progress, observer=observer)
            self._settle_in(person)
        if watched:
            for number in range(scenario.hostile_peers):
                intruder = Intruder(Hostile(number, progress), scenario, self)
                self.clock.at(self._tick(0.0), (self._join, intruder, None, None))
        self._direct(elsewhere)

    def run(self) -> None:
        """Run to the end."""
        self.clock.run()

    def close(self) -> None:
        """Let go of the players, who know each other and this world: so they are freed at once."""
        for person in self.people:
            person.link = None
        self.people.clear()
        self.network.disturbed.clear()
        for links in self._links:
            links.clear()

    # What comes of it

    def evidence(self) -> Evidence:
        """What platform and network wrote down."""
        per_s = TICKS_PER_S
        links = [link for edge in self._links for link in edge.values()]
        deliveries = {link.connection: link.deliveries for link in links} | self._closed_links
        return Evidence(
            scenario=self.scenario,
            log=self.log,
            pages=self.show.pages,
            trivia=self.show.trivia,
            latency_s=self.scenario.latency_s_max + 0.002,  # and the roundings of two ticks
            hostile=self._hostile_users,
            inactive=self._inactive,
            restarts=self._restarts,
            lags=[(ticks(lag) / per_s, self._heal / per_s) for lag in self._lags],
            disturbed={
                connection: link.disturbed_at / per_s
                for connection, link in self.network.disturbed.items()
                if link.disturbed_at is not None
            },
            repeated=self._repeated | {link.connection for link in links if link.repeated},
            broadcasts=self._broadcasts,
            deliveries=deliveries,
        )

    def observations(self) -> list[Observation]:
        """What the players read, if they are watched."""
        upset = {link.user for link in self.network.disturbed.values()}
        told = (
            person.observation(
                undisturbed=person.plan.undisturbed
                and person.connects == 1
                and person.user not in upset
            )
            for person in self.people
        )
        return [observation for observation in told if observation is not None]

    @property
    def staying(self) -> int:
        """How many of the players take part and stay to the end."""
        return sum(p.plan.leave_at is None and not p.plan.watches for p in self.people)

    # What happens, and when

    def _tick(self, seconds: float) -> int:
        """The tick of a moment, told in seconds from the beginning of round 1."""
        return self._origin + ticks(seconds)

    def _direct(self, elsewhere: Iterable[Elsewhere]) -> None:
        """Enter all that is known beforehand: what the host does, and what happens to edges."""
        scenario, at = self.scenario, self.clock.at
        for seconds, edge in scenario.edge_failures:
            at(self._tick(seconds), (self._restart_edge, edge, None, None))
        self.network.heal_at(self._heal)
        at(self._heal, (self._heal_links, None, None, None))
        for step, seconds in zip(scenario.steps, scenario.step_times, strict=True):
            at(self._tick(seconds), (self._step, step, None, None))
        for tick, poll, option, votes in elsewhere:
            at(tick, (self._count_elsewhere, poll, option, votes))

    def _settle_in(self, person: Person) -> None:
        """Enter a player, and all that its plan has for it."""
        plan, at = person.plan, self.clock.at
        self.people.append(person)
        if plan.watches:
            self._inactive.add(person.user)
        at(self._tick(plan.join_at), (self._join, person, None, None))
        for seconds in plan.cuts:
            at(self._tick(seconds), (self.cut, person, None, None))
        for seconds, keeps_journal in plan.restarts:
            at(self._tick(seconds), (self._restart, person, keeps_journal, None))
        if plan.leave_at is not None:
            at(self._tick(plan.leave_at), (self._leave, person, None, None))

    def _step(self, step: Step, *_: object) -> None:
        self._broadcast(action(self.emulator, step)(self.show.subject(step), self._now_s))

    def _count_elsewhere(self, poll: str, option: int, votes: int) -> None:
        self.emulator.count_elsewhere(poll, option, votes)
        if self._results_at < 0:  # else these votes are told with those that came before
            self._wait_for_results()

    @property
    def _now_s(self) -> float:
        return self.clock.now / TICKS_PER_S

    # Players and their connections

    def _join(self, who: Inhabitant, *_: object) -> None:
        who.start()

    def connect(self, who: Inhabitant) -> None:
        """An inhabitant whose app runs says hello to its edge."""
        if who.runs and who.link is None:
            who.connects += 1
            self._connections += 1
            edge = who.edge
            connection = self._connections * self.scenario.edges + edge
            who.link = link = Link(who, who.user, connection, edge, who.draws, slow=who.slow)
            if isinstance(who, Intruder):
                self._hostile_users.add(who.user)
            self.network.send(link, "up", self._hello, None, safe=True)

    def vote(self, link: Link, vote: CastVote) -> None:
        """A vote is on its way."""
        if self._watched:
            self._cast[link.connection, vote.poll_id, vote.option] = self.clock.now
        self.network.send(link, "up", self._answer, vote)

    def _hello(self, link: Link, *_: object) -> None:
        if link.who.link is link:
            told = self.emulator.connect(link.connection, EVENT_ID, link.user, self._now_s)
            self._links[link.edge][link.connection] = link
            fact = self._views[link.edge] if self._lags[link.edge] else told[0].fact
            self.network.send(link, "down", self._deliver, fact, safe=True)

    def _deliver(self, link: Link, fact: Fact, *_: object) -> None:
        who = link.who
        if who.link is link:  # else it is lost with its connection
            link.deliveries += 1
            who.tell(fact)

    def _answer(self, link: Link, vote: CastVote, *_: object) -> None:
        if link.who.link is link:
            now_s = self.clock.now / TICKS_PER_S
            told = self.emulator.answer(link.connection, vote.poll_id, [vote.option], "", now_s)
            if self._watched:
                self.network.send(link, "down", self._answered, told[0].fact)
                self._wait_for_results()
            else:
                self.network.send(link, "down", self._deliver, told[0].fact)

    def _answered(self, link: Link, fact: AnswerAccepted | AnswerRefused, *_: object) -> None:
        cast = self._cast.pop((link.connection, fact.element_id, fact.option), None)
        if cast is not None and link.who.link is link:
            self.latencies.append(self.clock.now - cast)
        self._deliver(link, fact)

    def _disconnect(self, who: Inhabitant) -> bool:
        """Both ends of a connection learn that it is gone; False if there is none."""
        link, who.link = who.link, None
        if link is None:
            return False
        if self._links[link.edge].pop(link.connection, None) is not None:
            self.emulator.disconnect(link.connection, self._now_s)
        self._closed_links[link.connection] = link.deliveries
        if link.repeated:
            self._repeated.add(link.connection)
        return True

    def cut(self, who: Inhabitant, *_: object) -> None:
        """An inhabitant loses its connection, and comes back after a while."""
        if self._disconnect(who):
            who.lose()
            self._after_a_while(who, self._connect_again)

    def _connect_again(self, who: Inhabitant, *_: object) -> None:
        self.connect(who)

    def _after_a_while(self, who: Inhabitant, call: Callable[[Any, Any, Any], object]) -> None:
        delay = ticks(who.draws() * self.scenario.reconnect_s)
        self.clock.at(self.clock.now + delay, (call, who, None, None))

    def _restart(self, person: Person, keeps_journal: bool, *_: object) -> None:  # noqa: FBT001 - an argument of a clock's call
        """A player's app ends, and is started again after a while."""
        if person.machine is None:
            return
        self._disconnect(person)
        person.stop()
        if keeps_journal:
            self._restarts.setdefault(person.user, []).append(self._now_s)
        else:
            person.forget()
            if person.plan.watches:
                self._inactive.add(person.user)
        self._after_a_while(person, self._join)

    def _leave(self, person: Person, *_: object) -> None:
        """A player leaves for good."""
        person.ended = True
        self._disconnect(person)
        person.stop()

    # Edges

    def _broadcast(self, told: Iterable[Delivery]) -> None:
        """The platform tells everybody, through the edges, some of which are behind."""
        now, clock = self.clock.now, self.clock
        for delivery in told:
            self._broadcasts += 1
            for edge, lag in enumerate(self._lags):
                if lag:
                    at = max(now, min(now + ticks(lag), self._heal))
                    view = self.emulator.snapshot(EVENT_ID, self._now_s)
                    clock.at(at, (self._forward, edge, delivery.fact, view))
                else:
                    self._forward(edge, delivery.fact, None)
        self._wait_for_results()

    def _forward(self, edge: int, fact: Fact, view: Welcomed | None) -> None:
        """An edge tells all its players; from then on its snapshots say so too."""
        if view is not None:
            self._views[edge] = view
        send, deliver = self.network.send, self._deliver
        for link in self._links[edge].values():
            send(link, "down", deliver, fact)

    def _wait_for_results(self) -> None:
        """Have the platform woken when results are due."""
        deadline = self.emulator.deadline
        if deadline is not None:
            tick = -int(-max(self._now_s, deadline) * TICKS_PER_S // 1)
            if tick != self._results_at:
                self._results_at = tick
                self.clock.at(tick, (self._tell_results, None, None, None))

    def _tell_results(self, *_: object) -> None:
        if self._results_at == self.clock.now:
            self._results_at = -1
            deadline = self.emulator.deadline
            if deadline is not None:
                self._broadcast(self.emulator.wake(max(self._now_s, deadline)))

    def _restart_edge(self, edge: int, *_: object) -> None:
        """An edge loses its connections; the platform keeps its tallies."""
        for link in list(self._links[edge].values()):
            self.cut(link.who)

    def _heal_links(self, *_: object) -> None:
        """Faults are over: connections on which messages were lost are made anew."""
        for connection, link in list(self.network.disturbed.items()):
            if connection in self._links[link.edge]:
                self.cut(link.who)
