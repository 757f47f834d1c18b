"""One player in virtual time: its app, its connection, its journal.

What `client.py` does with an event loop is done here with a clock that jumps; the machine is the
same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from math import ceil
from typing import Protocol

from poll_counter.commands import CastVote, Command, Remember, RememberRate, ReportCount
from poll_counter.facts import ActiveChanged, Disconnected, Fact, Welcomed
from poll_counter.machine import Machine
from poll_counter.rounds import Progress

from .checks.evidence import Observation
from .clock import TICKS_PER_S, Clock
from .hostile import Hostile
from .network import Draws, Link
from .observer import Observer
from .scenario import Plan, Scenario

__all__ = [
    "Inhabitant",
    "Intruder",
    "MakeMachine",
    "Memory",
    "Person",
    "Surroundings",
    "user_of",
]

Memory = Remember | RememberRate
"""What a journal holds."""


class MakeMachine(Protocol):
    """Makes a player's machine; planted bugs go in here."""

    def __call__(
        self,
        *,
        draw: Callable[[], float],
        player_id: str,
        remembered: Iterable[Memory],
        progress: Progress,
    ) -> Machine:
        """Make a machine."""
        ...


class Inhabitant(Protocol):
    """Who lives in the world: has a connection, and is told what comes over it."""

    link: Link | None
    """Its connection, from hello on."""
    connects: int
    """How often it said hello."""

    @property
    def user(self) -> str:
        """The id that it says hello with."""
        ...

    @property
    def draws(self) -> Draws:
        """Of all that is left to chance about it."""
        ...

    @property
    def edge(self) -> int:
        """The edge that it says hello to."""
        ...

    @property
    def slow(self) -> bool:
        """Whether its link is slow."""
        ...

    @property
    def runs(self) -> bool:
        """Whether its app runs."""
        ...

    def start(self) -> None:
        """Start its app."""
        ...

    def tell(self, fact: Fact) -> None:
        """Take in what comes over its connection."""
        ...

    def lose(self) -> None:
        """Learn that its connection is gone."""
        ...


class Surroundings(Protocol):
    """What a player needs of the world."""

    clock: Clock

    def connect(self, who: Inhabitant) -> None:
        """Say hello to an edge."""
        ...

    def cut(self, who: Inhabitant) -> None:
        """Lose the connection, and come back after a while."""
        ...

    def vote(self, link: Link, vote: CastVote) -> None:
        """Hand a vote to the network."""
        ...


def user_of(seed: int, player: int, installs: int) -> str:
    """The id of a player: 128 bits in hexadecimal; another after its journal was lost."""
    name = f"{seed} user {player} {installs}".encode()
    return blake2b(name, digest_size=16).hexdigest()


class Person:
    """One player of the crowd.

    Args:
        plan: what happens to it.
        scenario: of the run.
        surroundings: the world.
        make: makes its machine.
        progress: what all machines start from.
        observer: takes notes of what it reads, if it is watched.
    """

    __slots__ = (
        "_clock", "_make", "_progress", "_scenario", "_surroundings", "_wakes_at", "connects",
        "draws", "ended", "installs", "journal", "link", "machine", "observer", "plan", "user",
        "votes_sent",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        scenario: Scenario,
        surroundings: Surroundings,
        *,
        make: MakeMachine,
        progress: Progress,
        observer: Observer | None = None,
    ) -> None:
        self.plan = plan
        self.observer = observer
        self.user: str = user_of(scenario.seed, plan.player, 0)
        self.draws = Draws(scenario.seed, f"player {plan.player}")
        self.link: Link | None = None
        """Its connection, from hello on."""
        self.machine: Machine | None = None
        """Of the app, while it runs."""
        self.journal: list[Memory] | None = [] if plan.restarts else None
        """What the app wrote down; not kept where nobody will read it."""
        self.ended = False
        """Whether it has left for good."""
        self.connects = 0
        self.installs = 0
        self.votes_sent = 0
        self._scenario = scenario
        self._surroundings = surroundings
        self._clock = surroundings.clock
        self._make = make
        self._progress = progress
        self._wakes_at = -1

    @property
    def edge(self) -> int:
        """The edge that it says hello to."""
        return self._scenario.edge_after(self.plan, self.connects)

    @property
    def slow(self) -> bool:
        """Whether its link is slow."""
        return self.plan.slow

    @property
    def runs(self) -> bool:
        """Whether its app runs."""
        return self.machine is not None

    def start(self) -> None:
        """Start the app, which connects."""
        if self.ended or self.machine is not None:
            return
        self.machine = self._make(
            draw=self.draws,
            player_id=self.user,
            remembered=self.journal or (),
            progress=self._progress,
        )
        if self.plan.watches:
            self.tell(ActiveChanged(active=False))
        self._surroundings.connect(self)

    def stop(self) -> None:
        """End the app; its connection has to be cut before."""
        self.machine, self._wakes_at = None, -1
        if self.observer is not None and not self.ended:
            self.observer.forget()

    def forget(self) -> None:
        """Lose the journal: what is started next is a new player."""
        self.installs += 1
        self.journal = []
        self.user = user_of(self._scenario.seed, self.plan.player, self.installs)

    def lose(self) -> None:
        """Lose the connection."""
        self.tell(Disconnected())

    def tell(self, fact: Fact) -> None:
        """Let the app take in a fact."""
        machine = self.machine
        if machine is not None:
            commands = machine.receive(fact, self._clock.now / TICKS_PER_S)
            if commands or self.observer is not None:
                self._follow(machine, commands)
            if machine.deadline is not None:
                self._set_timer(machine.deadline)

    def wake(self, *_: object) -> None:
        """The time has come that the machine asked for; a call that is out of date does nothing."""
        now = self._clock.now
        machine = self.machine
        if self._wakes_at != now or machine is None:
            return
        self._wakes_at = -1
        deadline = machine.deadline
        if deadline is not None:
            if deadline * TICKS_PER_S > now:
                self._set_timer(deadline)
            else:
                self._follow(machine, machine.wake(max(now / TICKS_PER_S, deadline)))
                if machine.deadline is not None:
                    self._set_timer(machine.deadline)

    def observation(self, *, undisturbed: bool) -> Observation | None:
        """What a watched player read of the counts; whether nothing happened to it."""
        if self.observer is None:
            return None
        now = self._clock.now / TICKS_PER_S
        counts = {} if self.machine is None else self.machine.history(now)
        return self.observer.observation(counts, undisturbed=undisturbed)

    def _follow(self, machine: Machine, commands: tuple[Command, ...]) -> None:
        """Do what the machine asks for."""
        observer = self.observer
        if observer is not None:
            observer.on_state(machine.state)
        for command in commands:
            if type(command) is CastVote:
                self.votes_sent += 1
                if self.link is not None:  # else it is lost: nobody hears it
                    self._surroundings.vote(self.link, command)
            elif type(command) is Remember or type(command) is RememberRate:
                if self.journal is not None:
                    self.journal.append(command)
            elif observer is not None and type(command) is ReportCount:
                observer.on_count(command.count)

    def _set_timer(self, deadline: float) -> None:
        """See to it that the machine is woken in time; a call that comes too early is no harm."""
        wakes_at = self._wakes_at
        if wakes_at < 0 or deadline * TICKS_PER_S < wakes_at:
            self._wakes_at = tick = max(ceil(deadline * TICKS_PER_S), self._clock.now)
            self._clock.at(tick, (self.wake, None, None, None))


class Intruder:
    """A hostile peer with a connection.

    Args:
        hostile: how it behaves.
        scenario: of the run.
        surroundings: the world.
    """

    slow = False
    runs = True

    def __init__(self, hostile: Hostile, scenario: Scenario, surroundings: Surroundings) -> None:
        self.link: Link | None = None
        self.connects = 0
        self.draws = Draws(scenario.seed, f"hostile {hostile.number}")
        self.edge: int = hostile.number % scenario.edges
        self._hostile = hostile
        self._surroundings = surroundings

    @property
    def user(self) -> str:
        """The id that it says hello with, of the moment."""
        return self._hostile.user

    def start(self) -> None:
        """Connect."""
        self._surroundings.connect(self)

    def tell(self, fact: Fact) -> None:
        """Answer what the platform tells, as it should not."""
        if isinstance(fact, Welcomed):
            self._hostile.connected()
        for vote in self._hostile.take(fact):
            if self.link is not None:
                self._surroundings.vote(self.link, vote)
        if self._hostile.wants_another_id():
            self._surroundings.cut(self)

    def lose(self) -> None:
        """It comes back, and is told all anew."""
