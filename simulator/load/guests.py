"""A follower's part of the crowd, in a process of its own: players come as they are invited.

It is the same crowd as on one machine, on an event loop that has nothing to do with Locust's. Run
as a command (by whoever follows) it takes words on standard input and answers on standard output.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections.abc import Coroutine, Iterator
from functools import partial
from typing import Any

from poll_counter import MisuseError
from poll_counter.transport import Transport
from simulator.loops import allow_descriptors
from simulator.scenario import Scenario
from simulator.swarm import Player, Slice, Swarm, TransportFactory

from .meter import Meter, Metered
from .pipes import Pipe, run_child
from .statements import to_lines
from .words import Begin, Come, Glance, Invite, KeepTime, Lost, Ready, Said, Samples, Tell, Word

__all__ = ["Guests", "attend", "find_factory"]

GLANCE_S = 0.5
"""How often it is told how the players are."""


class Guests(Swarm):
    """A part of a crowd that grows as its players are invited.

    Args:
        url: the live channel.
        event_id: the event.
        scenario: what happens to the players of the whole crowd.
        make_transport: makes a player's transport.
        meter: takes the time at all of them.
    """

    def __init__(
        self,
        url: str,
        event_id: str,
        scenario: Scenario,
        make_transport: TransportFactory,
        meter: Meter,
    ) -> None:
        self._meter = meter
        super().__init__(url, event_id, scenario, make_transport, Slice(range(0), range(0)))
        self._first = asyncio.get_running_loop().create_future()
        self._playing = 0

    def open_doors(self, arriving_s: float) -> None:
        """Let who is invited come, each at its time; the crowd arrives since so long."""
        if not self._first.done():
            now = asyncio.get_running_loop().time()
            self._first.set_result(now - arriving_s + self.scenario.arrive_s)

    def invite(self, number: int) -> Iterator[Coroutine[Any, Any, None]]:
        """Let a player of the scenario live here, and the hostile peer of the same number.

        Gives what they do.
        """
        self._playing += 1
        yield self._visit(self._add(number))
        if number < self.scenario.hostile_peers:
            yield self._spoil(number)

    def glance(self) -> Glance:
        """How everybody is."""
        return Glance(
            arrived=sum(player.arrived for player in self.players),
            connected=self.connected,
            playing=self._playing,
            votes_accepted=self.votes_accepted,
        )

    async def run(self) -> None:
        """Restart edges as planned; the players come as they are invited."""
        await self._break_edges()

    async def _visit(self, player: Player) -> None:
        await self._play(player, await asyncio.shield(self._first))
        self._playing -= 1

    def _way(self, player: Player) -> Transport:
        return Metered(player.transport, self._meter)


async def attend(talk: Pipe, make_transport: TransportFactory) -> None:
    """Be a part of the crowd as the other end says, until it wants to know all or is gone.

    Args:
        talk: to whoever follows the leader.
        make_transport: makes a player's transport.
    """
    come = await talk.word()
    if not isinstance(come, Come):
        return
    meter = Meter()
    guests = Guests(come.url, come.event_id, come.scenario, make_transport, meter)
    talk.tell(Ready())
    word = await _obey(talk, guests, meter)
    _report(talk, guests, meter)
    if isinstance(word, Tell):
        epoch = time.time() - asyncio.get_running_loop().time()
        *lines, last = to_lines(await guests.make_statement(), epoch)
        for line in lines:
            talk.tell(Said(statement=line, last=False))
        talk.tell(Said(statement=last, last=True))


async def _obey(talk: Pipe, guests: Guests, meter: Meter) -> Word | None:
    """Do what is said as long as players are to play; gives what was said last."""
    doing = set[asyncio.Task[None]]()
    async with asyncio.TaskGroup() as group:

        def start(what: Coroutine[Any, Any, None]) -> None:
            task = group.create_task(what)
            doing.add(task)
            task.add_done_callback(doing.discard)

        start(guests.run())
        start(_keep_reporting(talk, guests, meter))
        while isinstance(word := await talk.word(), Begin | Invite | KeepTime):
            if isinstance(word, Begin):
                guests.open_doors(word.arriving_s)
            elif isinstance(word, KeepTime):
                guests.keep_time(word.at)
            elif _allowed(talk, 2 * (len(guests.players) + len(word.players))):
                for number in word.players:
                    for what in guests.invite(number):
                        start(what)
        for task in doing:
            task.cancel()
    return word


def _allowed(talk: Pipe, connections: int) -> bool:
    try:
        allow_descriptors(connections)
    except MisuseError as error:
        talk.tell(Lost(why=str(error)))
        return False
    return True


async def _keep_reporting(talk: Pipe, guests: Guests, meter: Meter) -> None:
    while True:
        await asyncio.sleep(GLANCE_S)
        _report(talk, guests, meter)


def _report(talk: Pipe, guests: Guests, meter: Meter) -> None:
    samples = meter.read()
    if samples:
        talk.tell(Samples(samples=samples))
    talk.tell(guests.glance())


def find_factory(place: str) -> TransportFactory:
    """What makes a player's transport.

    Args:
        place: where it is, as `module:name`.
    """
    module, _, name = place.partition(":")
    found: TransportFactory = getattr(importlib.import_module(module), name)
    return found


if __name__ == "__main__":
    run_child(partial(attend, make_transport=find_factory(sys.argv[1])))
