"""Takes the time at players' transports: how long votes, counts and connections take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from poll_counter.commands import CastVote
from poll_counter.facts import (
    AnswerAccepted,
    AnswerRefused,
    Disconnected,
    Fact,
    ResultsTold,
    Welcomed,
)
from poll_counter.transport import Transport

from .words import Sample

__all__ = ["Meter", "Metered"]


class Meter:
    """What is measured at any number of transports.

    * `connect`, `reconnect`: from the start, or the loss of the connection, to the welcome;
    * `vote accepted`, `vote refused`: from the cast to the answer;
    * `count fresh`: from the acceptance of a vote to results that include it.
    """

    def __init__(self) -> None:
        self._samples: list[Sample] = []

    def add(self, name: str, since: float, error: str = "") -> None:
        """Something took until now since then, on the loop's clock."""
        ms = (_now() - since) * 1000.0
        self._samples.append(Sample(name, ms, error))

    def read(self) -> tuple[Sample, ...]:
        """What was measured since the last time."""
        samples, self._samples = tuple(self._samples), []
        return samples


class Metered:
    """A transport whose time is taken.

    Args:
        transport: brings the facts, and takes the votes.
        meter: takes the time.
    """

    def __init__(self, transport: Transport, meter: Meter) -> None:
        self.acknowledges = transport.acknowledges
        self._transport = transport
        self._meter = meter
        self._cast: dict[tuple[str, int], float] = {}
        """(poll, option) -> when the vote that is not answered was cast."""
        self._accepted: dict[str, float] = {}
        """Poll -> since when a vote is accepted that no results have shown."""

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """The facts, noted on their way."""
        since, name = _now(), "connect"
        async with aclosing(self._transport.facts(event_id, player_id)) as facts:
            async for fact in facts:
                if isinstance(fact, Welcomed):
                    self._meter.add(name, since)
                elif isinstance(fact, Disconnected):
                    since, name = _now(), "reconnect"
                else:
                    self._note(fact)
                yield fact

    async def send(self, vote: CastVote) -> None:
        """Send a vote, and note when."""
        self._cast.setdefault((vote.poll_id, vote.option), _now())
        await self._transport.send(vote)

    def _note(self, fact: Fact) -> None:
        if isinstance(fact, AnswerAccepted | AnswerRefused):
            since = self._cast.pop((fact.element_id, fact.option), None)
            if since is None:
                return  # said twice
            if isinstance(fact, AnswerRefused):
                self._meter.add("vote refused", since, fact.reason)
            else:
                self._meter.add("vote accepted", since)
                self._accepted.setdefault(fact.element_id, _now())
        elif isinstance(fact, ResultsTold) and fact.element_id in self._accepted:
            self._meter.add("count fresh", self._accepted.pop(fact.element_id))


def _now() -> float:
    return asyncio.get_running_loop().time()
