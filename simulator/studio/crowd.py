"""A crowd that grows and shrinks by hand: real `PollCounter`s in this process.

The planned crowd of a scenario is `simulator.swarm`; here a person says what happens next. The
crowd follows the stage from show to show.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from poll_counter import MemoryJournal, MisuseError, PollCounter
from poll_counter.elements import Recognise
from poll_counter.rounds import Progress
from simulator.hostile import Hostile
from simulator.loops import allow_descriptors
from simulator.observer import AWAY
from simulator.scenario import Fault
from simulator.swarm import PlayerTransport, spoil

__all__ = ["HOSTILE_MAX", "PLAYERS_MAX", "Crowd"]

PLAYERS_MAX = 1000
"""How many players one process carries beside the platform, on two cores."""
HOSTILE_MAX = 100
"""How many hostile peers there may be; each may send votes in floods."""
JOINS_PER_S = 250.0
"""How quickly players join who are added together."""
LATE_S = 1.5
"""How long after a trivia was published the late ones come, at most."""
RECONNECT_S = 2.0
"""The most that a first reconnect is delayed, and the cap of later ones."""
SLOW_SHARE = 1 / 3
"""The share of players whose link is slow while links are."""
SLOW = (Fault(verdict="later", share=0.1, delay_s=2.0),)
"""A slow link: of ten messages one is late, with all that follow it."""


@dataclass(slots=True, eq=False)
class _Player:
    """A player's app, and the task that it runs in."""

    transport: PlayerTransport
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    counter: PollCounter | None = None
    task: asyncio.Task[None] | None = None

    @property
    def is_in(self) -> bool:
        """Whether it is connected."""
        counter = self.counter
        return counter is not None and counter.state not in AWAY and not counter.closed


class Crowd:
    """Players and hostile peers that follow one event, then the next.

    Args:
        url: the live channel.
        draw: uniform on [0, 1).
    """

    def __init__(self, url: str, draw: Callable[[], float] = random.random) -> None:
        self.hostile_users: set[str] = set()
        """The ids that hostile peers have had."""
        self.waits = 0
        """How many players come late to the next trivia."""
        self.slow = False
        """Whether links are slow."""
        self._url = url
        self._draw = draw
        self._event_id = ""
        self._players: list[_Player] = []
        self._hostile: list[asyncio.Task[None]] = []
        self._gone: set[asyncio.Task[None]] = set()
        self._disturbances: dict[str, Sequence[float]] = {}

    # What is done by hand; each returns a sentence

    def add(self, many: int) -> str:
        """Let players join, one after the other."""
        self._admit(many)
        for number in range(many):
            self._join(number / JOINS_PER_S)
        return f"{_players(many)} joining: {len(self._players):,} run in this process."

    def add_late(self, many: int, *, trivia_is_open: bool) -> str:
        """Let players join amid a trivia: the one that is open, or the next."""
        self._admit(many)
        self.waits += many
        if trivia_is_open:
            self.trivia_opened()
            return f"{_players(many)} come late to this trivia, and count from the next round on."
        return f"{_players(many)} will come late to the next trivia."

    def trivia_opened(self) -> None:
        """A trivia was published: those who wait to be late join."""
        many, self.waits = self.waits, 0
        for _ in range(many):
            self._join(LATE_S * self._draw())

    def remove(self, many: int) -> str:
        """Let players leave for good; first those who are not even there yet."""
        many = min(many, len(self._players) + self.waits)
        if not many:
            raise MisuseError("There is no player in this process to remove.")
        unborn = min(many, self.waits)
        self.waits -= unborn
        for _ in range(many - unborn):
            player = self._players.pop()
            self._note_disturbances(player)
            self._end(player.task)
        return f"{_players(many)} left. Who has voted in this round stays counted in it."

    def drop(self, share: float) -> str:
        """Cut the connections of some who are connected, at once; they reconnect."""
        there = [player for player in self._players if player.is_in]
        if not there:
            raise MisuseError("No player of this process is connected, so none can be dropped.")
        many = max(1, round(share * len(there)))
        for player in self._some(there, many):
            player.transport.cut()
        return f"{many:,} connections cut, without a goodbye. The apps reconnect by themselves."

    def slow_links(self, *, slow: bool) -> str:
        """Make some links slow, or heal all."""
        self.slow = slow
        if slow:
            chosen = self._some(self._players, round(SLOW_SHARE * self.players))
            for player in chosen:
                player.transport.suffer(SLOW, self._draw)
            return f"{_players(len(chosen))} on a slow link: one message in ten is up to 2 s late."
        for player in self._players:
            self._note_disturbances(player)
            player.transport.heal()
        return "All links are good again."

    def set_hostile(self, many: int) -> str:
        """Let so many hostile peers be there."""
        if not 0 <= many <= HOSTILE_MAX:
            raise MisuseError(f"There may be 0 to {HOSTILE_MAX} hostile peers, not {many}.")
        while len(self._hostile) > many:
            self._end(self._hostile.pop())
        while len(self._hostile) < many:
            self._hostile.append(asyncio.create_task(self._spoil(len(self._hostile))))
        if not many:
            return "No hostile peer is left."
        return f"{many} hostile: they vote twice, wrongly, in floods and under made-up ids."

    # From show to show

    async def follow(self, event_id: str) -> None:
        """Go to another event, all of them."""
        hostile = len(self._hostile)
        await self.leave()
        self._event_id, self._disturbances = event_id, {}
        for number, player in enumerate(self._players):
            player.transport = self._connection()
            player.task = asyncio.create_task(self._play(player, number / JOINS_PER_S))
        if self.slow:
            self.slow_links(slow=True)
        self.set_hostile(hostile)

    async def leave(self) -> None:
        """Leave the event, all of them; the players are kept."""
        tasks = [player.task for player in self._players if player.task] + self._hostile
        self._hostile, self.waits = [], 0
        for task in tasks:
            self._end(task)
        await asyncio.gather(*self._gone, return_exceptions=True)

    # What may be asked at any time

    @property
    def players(self) -> int:
        """How many run in this process, connected or not."""
        return len(self._players)

    @property
    def connected(self) -> int:
        """How many of them are connected."""
        return sum(player.is_in for player in self._players)

    @property
    def hostile(self) -> int:
        """How many hostile peers there are."""
        return len(self._hostile)

    @property
    def disturbances(self) -> Mapping[str, Sequence[float]]:
        """User -> when the network did something to its messages: the event loop's clock."""
        for player in self._players:
            self._note_disturbances(player)
        return self._disturbances

    def _note_disturbances(self, player: _Player) -> None:
        if player.transport.disturbances:
            self._disturbances[player.journal.player_id] = player.transport.disturbances

    def _admit(self, many: int) -> None:
        free = PLAYERS_MAX - len(self._players) - self.waits
        if many > free:
            raise MisuseError(
                f"This process carries {PLAYERS_MAX:,} players, and has room for {free:,} more. "
                "For a larger crowd, attach one from another terminal."
            )
        players = PLAYERS_MAX - free + many
        allow_descriptors(2 * (players + HOSTILE_MAX))  # both ends are in this process

    def _some(self, players: Sequence[_Player], many: int) -> list[_Player]:
        """Draw so many of the players."""
        left = list(players)
        return [left.pop(int(self._draw() * len(left))) for _ in range(many)]

    def _connection(self) -> PlayerTransport:
        return PlayerTransport(
            self._url, reconnect_first_s=RECONNECT_S, reconnect_cap_s=RECONNECT_S
        )

    def _join(self, after_s: float) -> None:
        player = _Player(self._connection())
        if self.slow and self._draw() < SLOW_SHARE:
            player.transport.suffer(SLOW, self._draw)
        player.task = asyncio.create_task(self._play(player, after_s))
        self._players.append(player)

    def _end(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            task.cancel()
            self._gone.add(task)
            task.add_done_callback(self._gone.discard)

    async def _play(self, player: _Player, after_s: float) -> None:
        await asyncio.sleep(after_s)
        player.counter = PollCounter(
            event_id=self._event_id, journal=player.journal, transport=player.transport
        )
        async with player.counter as counter:
            async for _ in counter:
                pass  # what players read is shown on the phone

    async def _spoil(self, number: int) -> None:
        hostile = Hostile(number, Progress(Recognise()))
        await spoil(hostile, self._connection, self._event_id, self.hostile_users)


def _players(many: int) -> str:
    return f"{many:,} player" if many == 1 else f"{many:,} players"
