"""What is measured at a player's transport, by a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from poll_counter.commands import CastVote
from poll_counter.facts import (
    AnswerAccepted,
    AnswerRefused,
    Disconnected,
    ElementRevoked,
    Fact,
    ResultsTold,
    Welcomed,
)
from simulator.load.meter import Meter, Metered
from simulator.load.words import Sample

WELCOME = Welcomed("active", ())
VOTE = CastVote("P", 0)
ACCEPTED = AnswerAccepted("P", 0)
REFUSED = AnswerRefused("P", 0, "closed")
RESULTS = ResultsTold("P", (1,))


class Scripted:
    """Brings facts and takes votes, each after so many seconds on the loop's clock."""

    acknowledges = True

    def __init__(self, steps: Sequence[tuple[float, Fact | CastVote]]) -> None:
        self.steps = steps
        self.sent: list[CastVote] = []
        self.metered: Metered | None = None

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Go through the script."""
        for after_s, step in self.steps:
            asyncio.get_running_loop().now += after_s  # type: ignore[attr-defined] # see by_hand
            if isinstance(step, CastVote):
                assert self.metered is not None
                await self.metered.send(step)
            else:
                yield step

    async def send(self, vote: CastVote) -> None:
        """Take a vote."""
        self.sent.append(vote)


@pytest.fixture
async def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of the loop stand still."""
    loop: Any = asyncio.get_running_loop()
    loop.now = 50.0
    monkeypatch.setattr(loop, "time", lambda: loop.now)


async def measured(*steps: tuple[float, Fact | CastVote]) -> list[Sample]:
    """What is measured of a script; every fact is passed on."""
    meter = Meter()
    scripted = Scripted(steps)
    scripted.metered = metered = Metered(scripted, meter)
    assert metered.acknowledges
    passed = [fact async for fact in metered.facts("E", "ann")]
    assert passed == [step for _, step in steps if not isinstance(step, CastVote)]
    assert scripted.sent == [step for _, step in steps if isinstance(step, CastVote)]
    samples = [Sample(name, round(ms, 6), error) for name, ms, error in meter.read()]
    assert meter.read() == ()
    return samples


pytestmark = pytest.mark.usefixtures("by_hand")


async def test_a_connection_takes_from_its_start_to_the_welcome() -> None:
    """A reconnect takes from the loss of the connection."""
    assert await measured((0.25, WELCOME), (9.0, Disconnected()), (1.5, WELCOME)) == [
        Sample("connect", 250.0),
        Sample("reconnect", 1500.0),
    ]


async def test_a_vote_takes_from_its_cast_to_its_answer_and_to_fresh_results() -> None:
    """Results of before are not fresh, and later ones are not measured again."""
    assert await measured(
        (0.0, VOTE),
        (0.1, RESULTS),
        (0.1, ElementRevoked("Q")),
        (0.1, ACCEPTED),
        (0.2, ResultsTold("Q", (1,))),
        (0.2, RESULTS),
        (0.2, RESULTS),
    ) == [Sample("vote accepted", 300.0), Sample("count fresh", 400.0)]


async def test_a_refusal_says_why() -> None:
    """And leaves no results to wait for."""
    assert await measured((0.0, VOTE), (0.5, REFUSED), (0.5, RESULTS)) == [
        Sample("vote refused", 500.0, "closed")
    ]


async def test_a_vote_that_is_repeated_takes_from_its_first_cast() -> None:
    """That is what the player waits; an answer to the repetition is none of its own."""
    assert await measured((0.0, VOTE), (5.0, VOTE), (0.5, ACCEPTED), (0.1, ACCEPTED)) == [
        Sample("vote accepted", 5500.0)
    ]
