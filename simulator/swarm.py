"""The crowd on sockets: every player is a real `PollCounter`, and reads the counts through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from poll_counter import MEMORY, PollCounter, RoundCount, State, WebSocketTransport

from .checks import Observation
from .scenario import Plan, Scenario

__all__ = ["Player", "PlayerTransport", "Swarm"]


class PlayerTransport(WebSocketTransport):
    """The live channel, with a network that can be cut."""

    def cut(self) -> None:
        """Lose the connection at once, without a goodbye; the transport reconnects."""
        if self._connection is not None:
            self._connection.transport.abort()


_AWAY = frozenset({State.OFFLINE, State.FINISHED})
_HERE = frozenset({State.UPCOMING, State.WAITING, State.PLAYING})

TransportFactory = Callable[[str, Scenario], PlayerTransport]
"""Makes a player's transport: (url, scenario) -> transport."""


def make_transport(url: str, scenario: Scenario) -> PlayerTransport:
    """A well-behaved player's transport."""
    return PlayerTransport(
        url,
        allow_plain=True,  # the command line decides which hosts a crowd may go to
        reconnect_first_s=scenario.reconnect_s,
        reconnect_cap_s=max(1.0, scenario.reconnect_s),
    )


@dataclass(slots=True)
class Player:
    """One player of the crowd, and what it was told."""

    plan: Plan
    transport: PlayerTransport
    counter: PollCounter = field(init=False, repr=False)
    told: list[tuple[float, int, int]] = field(default_factory=list)
    """(when, round, votes) of every count reported."""
    shown: dict[int, int] = field(default_factory=dict)
    """Round -> players, as held when its trivia was published."""
    arrived: bool = False
    """Whether it has ever been connected."""
    connected: bool = False
    """Whether it was connected when the event ended."""
    _state: State = State.OFFLINE
    _held: RoundCount | None = None

    def on_count(self, count: RoundCount) -> None:
        """Note what was reported, and when it was told."""
        if count.as_of is not None:
            self.told.append((count.as_of, count.round, count.votes))
        if self._state is State.WAITING:
            self._held = count

    def on_state(self, state: State) -> None:
        """Note what is held when a trivia is published to a player who waits for it."""
        if self._state is State.WAITING and state is State.PLAYING and self._held is not None:
            self.shown[self._held.round] = self._held.players or 0
        if state in {State.ENDING, State.FINISHED}:
            self.connected = self.connected or self._state in _HERE
        self._state = state

    def observation(self) -> Observation:
        """What this player can say about the counts."""
        undisturbed = self.plan == Plan(self.plan.player, min(self.plan.join_at, 0.0), None, None)
        return Observation(self.connected, undisturbed, self.counter.history, self.shown, self.told)


class Swarm:
    """A crowd of players on one event loop.

    Args:
        url: the live channel.
        event_id: the event.
        scenario: how many players, and what happens to them.
        make_transport: makes a player's transport; test doubles go in here.
    """

    def __init__(
        self,
        url: str,
        event_id: str,
        scenario: Scenario,
        make_transport: TransportFactory = make_transport,
    ) -> None:
        self.players: list[Player] = []
        self.scenario = scenario
        self._began = asyncio.Event()
        self._start = 0.0
        self.arrived = asyncio.Event()
        """Set once everybody who is not late is connected."""
        self._missing = 0
        for plan in scenario.plans():
            player = Player(plan, make_transport(url, scenario))
            player.counter = PollCounter(
                event_id=event_id,
                journal=MEMORY,
                transport=player.transport,
                spread_s=scenario.spread_s,
                on_count=player.on_count,
                on_state=self._on_state(player),
            )
            self.players.append(player)
            self._missing += plan.join_at < 0.0
        if not self._missing:
            self.arrived.set()

    def begin(self) -> None:
        """Round 1 begins now; a crowd that sees the show begin calls this itself."""
        if not self._began.is_set():
            self._start = asyncio.get_running_loop().time()
            self._began.set()

    async def run(self) -> None:
        """Let everybody join, play, drop and leave, until all have left or the event is over."""
        loop = asyncio.get_running_loop()
        first = loop.time() + self.scenario.arrive_s
        async with asyncio.TaskGroup() as group:
            for player in self.players:
                group.create_task(self._play(player, first))

    @property
    def connected(self) -> int:
        """How many players are connected now."""
        return sum(player.counter.state not in _AWAY for player in self.players)

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

    def _observer(self) -> PollCounter | None:
        """The first player who is connected."""
        counters = (player.counter for player in self.players)
        return next((c for c in counters if c.state not in _AWAY), None)

    def _on_state(self, player: Player) -> Callable[[State], None]:
        def on_state(state: State) -> None:
            if player.plan.join_at < 0.0 and not player.arrived:
                player.arrived = True
                self._missing -= 1
                if not self._missing:
                    self.arrived.set()
            player.on_state(state)
            if state in {State.WAITING, State.PLAYING}:
                self.begin()

        return on_state

    async def _play(self, player: Player, first: float) -> None:
        loop, plan = asyncio.get_running_loop(), player.plan
        if plan.join_at < 0.0:
            await asyncio.sleep(first + plan.join_at - loop.time())
        else:
            await self._began.wait()
            await self._until(plan.join_at)
        async with player.counter as counter:
            faults = asyncio.create_task(self._suffer(player))
            try:
                if plan.leave_at is None:
                    async for _ in counter:
                        pass  # the counter reports to `player`
                else:
                    await self._began.wait()
                    await self._until(plan.leave_at)
            finally:
                faults.cancel()
                with suppress(asyncio.CancelledError):
                    await faults

    async def _suffer(self, player: Player) -> None:
        if player.plan.drop_at is not None:
            await self._began.wait()
            await self._until(player.plan.drop_at)
            player.transport.cut()

    async def _until(self, at: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._start + at - loop.time()))
