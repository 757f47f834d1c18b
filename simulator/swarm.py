"""The crowd on sockets: every player is a real `PollCounter`, and reads the counts through it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol

from poll_counter import MemoryJournal, PollCounter, State, Stats, WebSocketTransport
from poll_counter.commands import CastVote
from poll_counter.elements import Recognise
from poll_counter.facts import Disconnected, Fact, Welcomed
from poll_counter.rounds import Progress
from poll_counter.transport import Transport

from .checks.evidence import Observation
from .hostile import Hostile
from .network import Draws
from .observer import AWAY, Observer
from .player_tokens import PlayerTokens
from .report import peak_rss_mb
from .scenario import Fault, Plan, Scenario
from .statement import Statement

__all__ = [
    "Crowd",
    "Player",
    "PlayerTransport",
    "Slice",
    "Swarm",
    "TransportFactory",
    "heard",
    "make_transport",
    "spoil",
]


class PlayerTransport(WebSocketTransport):
    """The live channel over a network that can be cut, and has the faults of a scenario."""

    faults: tuple[Fault, ...] = ()
    """What happens to messages, as long as the network is not healed."""
    verdicts: Mapping[str, int] = MappingProxyType({})
    """Verdict -> how many messages it fell on."""
    disturbances: Sequence[float] = ()
    """When; on the event loop's clock."""

    def cut(self) -> None:
        """Lose the connection at once, without a goodbye; the transport reconnects."""
        if self._connection is not None:
            self._connection.transport.abort()

    def suffer(self, faults: tuple[Fault, ...], draws: Callable[[], float]) -> None:
        """Have messages lost, late, repeated and reordered from now on."""
        self.faults, self._draws = faults, draws
        self._counted = self.verdicts = Counter[str]()
        self._disturbed = self.disturbances = list[float]()

    def heal(self) -> None:
        """Let everything pass from now on; a connection that was disturbed is made anew."""
        if self.faults and self.disturbances:
            self.cut()
        self.faults = ()

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """The facts that the network lets through, when it does."""
        held: Fact | None = None  # overtaken by the next
        async with aclosing(super().facts(event_id, player_id)) as facts:
            async for fact in facts:
                fault = self._fault("down", fact)
                verdict = None if fault is None else fault.verdict
                if fault is not None and verdict == "later":
                    await asyncio.sleep(fault.delay_s * self._draws())
                if verdict == "reorder" and held is None:
                    held = fact
                    continue
                if verdict != "drop":
                    yield fact
                if verdict == "repeat":
                    yield fact
                if held is not None:
                    if not isinstance(fact, Disconnected):  # else it is lost with its connection
                        yield held
                    held = None

    async def send(self, vote: CastVote) -> None:
        """Send a vote, if the network lets it through."""
        fault = self._fault("up", vote)
        verdict = None if fault is None else fault.verdict
        if fault is not None and verdict in {"later", "reorder"}:
            connection = self._connection
            await asyncio.sleep(fault.delay_s * self._draws())
            if connection is not self._connection:
                return  # it is lost with its connection
        if verdict != "drop":
            await super().send(vote)
        if verdict == "repeat":
            await super().send(vote)

    def _fault(self, way: str, what: Fact | CastVote) -> Fault | None:
        if isinstance(what, Welcomed | Disconnected):
            return None
        for fault in self.faults:
            if fault.way in {way, "both"} and self._draws() < fault.share:
                self._counted[fault.verdict] += 1
                self._disturbed.append(asyncio.get_running_loop().time())
                return fault
        return None


TransportFactory = Callable[[str | Sequence[str], Scenario], PlayerTransport]
"""Makes a player's transport: (url, scenario) -> transport."""


def make_transport(
    url: str | Sequence[str], scenario: Scenario, tokens: PlayerTokens | None = None
) -> PlayerTransport:
    """A well-behaved player's transport; `tokens` makes its token, where it needs one."""
    return PlayerTransport(
        url,
        token=None if tokens is None else tokens.fresh,
        allow_plain=True,  # the command line decides which hosts a crowd may go to
        reconnect_first_s=scenario.reconnect_s,
        reconnect_cap_s=scenario.reconnect_cap_s,
    )


@dataclass(slots=True)
class Player:
    """One player of the crowd: its app as it is now, and what became of it."""

    plan: Plan
    transport: PlayerTransport
    counter: PollCounter = field(init=False, repr=False)
    observer: Observer = field(default_factory=Observer)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    arrived: bool = False
    """Whether it has ever been connected."""
    users: list[str] = field(default_factory=list)
    """The ids that it has had."""
    restarts: list[tuple[str, float]] = field(default_factory=list)
    """(user, when): its app ended, to be started again with its journal."""
    past: list[Stats] = field(default_factory=list)
    """What its app had done before it was started again."""
    transports: list[tuple[str, PlayerTransport]] = field(default_factory=list)
    """(user, transport) of all the times that its app was started."""

    def observation(self) -> Observation:
        """What this player can say about the counts."""
        upset = any(transport.disturbances for _, transport in self.transports)
        undisturbed = self.plan.undisturbed and not upset and self.reconnects == 0
        return self.observer.observation(self.counter.history, undisturbed=undisturbed)

    def total(self, name: str) -> int:
        """One of the counter's statistics, over all the times that the app was started."""
        return sum(getattr(stats, name) for stats in (*self.past, self.counter.stats()))

    @property
    def reconnects(self) -> int:
        """Connects after the first."""
        return max(0, self.total("connects") - 1)


def heard(players: Sequence[Player], hostile: frozenset[str] = frozenset()) -> Statement:
    """What players say when their show is over.

    Args:
        players: some of the crowd, or all.
        hostile: the ids that the hostile peers among them made up.
    """
    restarts: dict[str, list[float]] = {}
    disturbances: dict[str, list[float]] = {}
    verdicts = Counter[str]()
    for player in players:
        for user, at in player.restarts:
            restarts.setdefault(user, []).append(at)
        for user, transport in player.transports:
            if transport.disturbances:
                disturbances.setdefault(user, []).extend(transport.disturbances)
            verdicts.update(transport.verdicts)
    return Statement(
        observations={player.users[-1]: player.observation() for player in players},
        staying=sum(p.plan.leave_at is None and not p.plan.watches for p in players),
        hostile=hostile,
        inactive=frozenset(user for p in players if p.plan.watches for user in p.users),
        restarts=restarts,
        disturbances=disturbances,
        stats=Counter(
            votes_sent=sum(player.total("votes_sent") for player in players),
            votes_accepted=sum(player.total("votes_accepted") for player in players),
            reconnects=sum(player.reconnects for player in players),
        ),
        verdicts=verdicts,
        peak_rss_mb=peak_rss_mb(),
    )


class Slice(NamedTuple):
    """Some of a crowd: which of the players, and which of the hostile peers."""

    players: range
    hostile: range

    @classmethod
    def of(cls, scenario: Scenario, number: int = 0, slices: int = 1) -> Slice:
        """One of so many slices, counted from 0, that make up the whole crowd."""

        def cut(total: int) -> range:
            return range(total * number // slices, total * (number + 1) // slices)

        return cls(cut(scenario.players), cut(scenario.hostile_peers))


class Crowd(Protocol):
    """A crowd, wherever it lives."""

    scenario: Scenario
    arrived: asyncio.Event
    """Set once everybody who is not late is connected."""

    @property
    def connected(self) -> int:
        """How many players are connected now."""
        ...

    @property
    def votes_accepted(self) -> int:
        """How many of their votes were said to be counted, so far."""
        ...

    @property
    def phase(self) -> str:
        """What is going on, as an observer sees it."""
        ...

    @property
    def elapsed_s(self) -> float:
        """Seconds since round 1 began; 0 before."""
        ...

    @property
    def counts(self) -> list[str]:
        """The players of each round so far, as an observer holds them."""
        ...

    def keep_time(self, at: float) -> None:
        """The show is there now, in seconds from the beginning of round 1, as planned."""
        ...

    async def run(self) -> None:
        """Let everybody join, play, drop and leave, until all have left or the event is over."""
        ...

    async def make_statement(self) -> Statement:
        """Tell what became of everybody, when `run` is over or was cancelled."""
        ...


class Swarm:
    """A crowd of players on one event loop.

    Args:
        url: the live channel; of several nodes, all of them.
        event_id: the event.
        scenario: how many players, and what happens to them.
        make_transport: makes a player's transport; test doubles go in here.
        part: which of the crowd live here; all of it unless told.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        event_id: str,
        scenario: Scenario,
        make_transport: TransportFactory = make_transport,
        part: Slice | None = None,
    ) -> None:
        part = part or Slice.of(scenario)
        self.players: list[Player] = []
        self.hostile_users: set[str] = set()
        self.scenario = scenario
        self._url = url
        self._event_id = event_id
        self._make_transport = make_transport
        self.hostile = part.hostile
        self._began = asyncio.Event()
        self._start = 0.0
        self.arrived = asyncio.Event()
        """Set once everybody who is not late is connected."""
        self._missing = 0
        for number in part.players:
            self._add(number)
        if not self._missing:
            self.arrived.set()

    def begin(self) -> None:
        """Round 1 begins now; a crowd that sees the show begin calls this itself."""
        if not self._began.is_set():
            self.keep_time(0.0)

    def keep_time(self, at: float) -> None:
        """The show is there now: what is planned after it happens as long after it, however late.

        Args:
            at: seconds from the beginning of round 1, as planned.
        """
        self._start = asyncio.get_running_loop().time() - at
        self._began.set()

    async def run(self) -> None:
        """Let everybody join, play, drop and leave, until all have left or the event is over."""
        loop = asyncio.get_running_loop()
        first = loop.time() + self.scenario.arrive_s
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(self._break_edges())]
            others += [group.create_task(self._spoil(number)) for number in self.hostile]
            players = [group.create_task(self._play(player, first)) for player in self.players]
            for player in players:
                await asyncio.wait([player])
            for other in others:
                other.cancel()

    @property
    def connected(self) -> int:
        """How many players are connected now."""
        return sum(map(_is_in, self.players))

    @property
    def votes_accepted(self) -> int:
        """How many of their votes were said to be counted, so far."""
        return self.total("votes_accepted")

    @property
    def phase(self) -> str:
        """What is going on, as an observer sees it."""
        if not self.arrived.is_set():
            return "players arrive"
        counter = self._observer()
        return "nobody is in" if counter is None else counter.state.value

    @property
    def elapsed_s(self) -> float:
        """Seconds since round 1 began; 0 before."""
        return asyncio.get_running_loop().time() - self._start if self._began.is_set() else 0.0

    @property
    def counts(self) -> list[str]:
        """The players of each round so far, as an observer holds them."""
        counter = self._observer()
        held = [] if counter is None else counter.history.values()
        return ["-" if count.players is None else f"{count.players:,}" for count in held]

    async def make_statement(self) -> Statement:
        """Tell what became of everybody, when `run` is over or was cancelled."""
        return heard(self.players, frozenset(self.hostile_users))

    def total(self, name: str) -> int:
        """One of the counters' statistics, over all players."""
        return sum(player.total(name) for player in self.players)

    def _observer(self) -> PollCounter | None:
        """The first player who is connected."""
        return next((player.counter for player in self.players if _is_in(player)), None)

    def _add(self, number: int) -> Player:
        """Make a player of the scenario."""
        plan = self.scenario.plan(number)
        player = Player(plan, self._make_transport(self._url, self.scenario))
        self._install(player)
        self.players.append(player)
        self._missing += plan.join_at < 0.0
        return player

    def _way(self, player: Player) -> Transport:
        """What a player's counter is handed to reach the platform."""
        return player.transport

    def _install(self, player: Player) -> None:
        """Make the counter of a player's app, as it is started."""
        scenario = self.scenario
        if scenario.faults and self.elapsed_s < scenario.heal_s:
            draws = Draws(scenario.seed, f"player {player.plan.player}")
            player.transport.suffer(scenario.faults, draws)
        user = player.journal.player_id
        if user not in player.users:
            player.users.append(user)
        player.transports.append((user, player.transport))
        player.counter = PollCounter(
            event_id=self._event_id,
            journal=player.journal,
            transport=self._way(player),
            spread_s=scenario.spread_s,
            on_count=player.observer.on_count,
            on_state=self._on_state(player),
        )
        if player.plan.watches:
            player.counter.active = False

    def _on_state(self, player: Player) -> Callable[[State], None]:
        def on_state(state: State) -> None:
            if player.plan.join_at < 0.0 and not player.arrived and state not in AWAY:
                player.arrived = True
                self._missing -= 1
                if not self._missing:
                    self.arrived.set()
            player.observer.on_state(state)
            if state in {State.WAITING, State.PLAYING}:
                self.begin()

        return on_state

    async def _play(self, player: Player, first: float) -> None:
        loop, plan = asyncio.get_running_loop(), player.plan
        if plan.join_at < 0.0:
            await asyncio.sleep(first + plan.join_at - loop.time())
        else:
            await self._until(plan.join_at)
        faults = asyncio.create_task(self._suffer(player))
        try:
            for restart in plan.restarts:
                async with player.counter:
                    await self._until(restart.at)
                await self._start_again(player, keeps_journal=restart.keeps_journal)
            async with player.counter as counter:
                if plan.leave_at is None:
                    async for _ in counter:
                        pass  # the counter reports to the observer
                else:
                    await self._until(plan.leave_at)
        finally:
            await _ended(faults)

    async def _start_again(self, player: Player, *, keeps_journal: bool) -> None:
        """A player's app has ended, and is started again after a while."""
        player.past.append(player.counter.stats())
        player.observer.forget()
        if keeps_journal:
            at = asyncio.get_running_loop().time()
            player.restarts.append((player.journal.player_id, at))
        else:
            player.journal = MemoryJournal()
        await asyncio.sleep(self.scenario.reconnect_s / 2)
        player.transport = self._make_transport(self._url, self.scenario)
        self._install(player)

    async def _suffer(self, player: Player) -> None:
        for at in player.plan.cuts:
            await self._until(at)
            player.transport.cut()
        if self.scenario.faults:
            await self._until(self.scenario.heal_s)
            player.transport.heal()

    async def _break_edges(self) -> None:
        """Edges restart: all their players lose their connections at once."""
        for at, edge in self.scenario.edge_failures:
            await self._until(at)
            for player in self.players:
                if self.scenario.edge_after(player.plan, player.total("connects")) == edge:
                    player.transport.cut()

    async def _spoil(self, number: int) -> None:
        """A hostile peer joins with the show."""
        await self._began.wait()
        hostile = Hostile(number, Progress(Recognise()))
        await spoil(hostile, self._connection, self._event_id, self.hostile_users)

    def _connection(self) -> PlayerTransport:
        return self._make_transport(self._url, self.scenario)

    async def _until(self, at: float) -> None:
        loop = asyncio.get_running_loop()
        await self._began.wait()
        while self._start + at > loop.time():  # noqa: ASYNC110 - it may move: see keep_time
            await asyncio.sleep(self._start + at - loop.time())


async def spoil(
    hostile: Hostile, connection: Callable[[], PlayerTransport], event_id: str, users: set[str]
) -> None:
    """Let a hostile peer follow a show, and answer as it should not, until cancelled.

    Args:
        hostile: the peer.
        connection: makes a transport for each id that it takes.
        event_id: the event.
        users: the ids that it has had are added to it.
    """
    while True:
        transport = connection()
        users.add(hostile.user)
        async with aclosing(transport.facts(event_id, hostile.user)) as facts:
            async for fact in facts:
                if isinstance(fact, Welcomed):
                    hostile.connected()
                for vote in hostile.take(fact):
                    with suppress(Exception):  # its connection may be gone
                        await transport.send(vote)
                if hostile.wants_another_id():
                    break


def _is_in(player: Player) -> bool:
    return player.counter.state not in AWAY and not player.counter.closed


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
