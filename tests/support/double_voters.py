"""A planted bug: some players of a crowd vote twice, under a second id."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress

from poll_counter.commands import CastVote
from poll_counter.facts import Fact
from simulator.scenario import Scenario
from simulator.swarm import PlayerTransport, TransportFactory
from simulator.swarm import make_transport as make_honest


class DoubleVoter(PlayerTransport):
    """Every vote is sent over a second connection, too, which says to be somebody else."""

    def __init__(self, url: str | Sequence[str], scenario: Scenario) -> None:
        super().__init__(url, reconnect_first_s=scenario.reconnect_s)
        self._other = make_honest(url, scenario)

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """The facts, as everybody has them."""
        following = asyncio.create_task(self._follow(event_id, f"{player_id}-again"))
        try:
            async with aclosing(super().facts(event_id, player_id)) as facts:
                async for fact in facts:
                    yield fact
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    async def send(self, vote: CastVote) -> None:
        """Vote, and vote again."""
        await super().send(vote)
        await self._other.send(vote)

    async def _follow(self, event_id: str, other_id: str) -> None:
        async with aclosing(self._other.facts(event_id, other_id)) as facts:
            async for _ in facts:
                pass


def double_voters(one_in: int) -> TransportFactory:
    """Make transports, of which every so-many-th is a double voter's, and the first."""
    numbers = itertools.count()

    def make(url: str | Sequence[str], scenario: Scenario) -> PlayerTransport:
        is_honest = next(numbers) % one_in
        return make_honest(url, scenario) if is_honest else DoubleVoter(url, scenario)

    return make


make_transport = double_voters(20)
"""For who names it, as Locust's side does: every twentieth player of a process."""
