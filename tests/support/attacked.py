"""A show under attack: honest clients and the platform here, hostile peers in another process."""

from __future__ import annotations

import asyncio
import secrets
import statistics
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from pydantic import SecretStr

from poll_counter.commands import CastVote
from poll_counter.elements import POLL_MARK
from poll_counter.facts import AnswerAccepted, Fact
from simulator.limits import Limits
from simulator.platform import Platform
from simulator.report import Report
from simulator.scenario import Scenario
from simulator.sockets import choices_for, conclude, play
from simulator.swarm import PlayerTransport

from .attackers import Order, Outcome, attacking

__all__ = ["Attacked", "play_attacked"]

TOKENS_GOOD_UNTIL = 4e9
RESULTS_S = 1.0
"""How often results are told: with the default, a thousand clients in one process read them all the
time, and what is measured would be how busy they are."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """What became of a show."""

    report: Report
    accepted_after_s: list[float]
    """How long honest clients waited for the answer to each vote, in order of size."""
    outcome: Outcome
    hostile_voters: int
    """Users that are no honest players, and of whom a vote was accepted."""

    @property
    def p99_s(self) -> float:
        """What 99 of 100 votes were accepted within."""
        return statistics.quantiles(self.accepted_after_s, n=100)[98]


async def play_attacked(
    scenario: Scenario,
    hostile: int,
    limits: Limits = Limits(),  # noqa: B008 - it is frozen
) -> Attacked:
    """Run a show on sockets with so many hostile peers, 0 for a calm one, and check the counts.

    Users need tokens; hostile peers have them for themselves, and know the ids of others.
    """
    key = SecretStr(secrets.token_hex(32))
    changed = {"player_keys": (key,), "limits": limits, "results_interval_s": RESULTS_S}
    choices = choices_for(scenario).model_copy(update=changed)
    tokens = choices.player_tokens()
    assert tokens is not None
    waits = list[float]()
    outcome = Outcome()

    class Timed(PlayerTransport):
        """Notes how long its votes take to be accepted."""

        _cast_at: dict[tuple[str, int], float]

        async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
            self._cast_at = {}
            async with aclosing(super().facts(event_id, player_id)) as facts:
                async for fact in facts:
                    if isinstance(fact, AnswerAccepted):
                        at = self._cast_at.pop((fact.element_id, fact.option), None)
                        if at is not None:
                            waits.append(asyncio.get_running_loop().time() - at)
                    yield fact

        async def send(self, vote: CastVote) -> None:
            now = asyncio.get_running_loop().time()
            self._cast_at.setdefault((vote.poll_id, vote.option), now)
            await super().send(vote)

    def make(url: str | Sequence[str], scenario: Scenario) -> PlayerTransport:
        return Timed(
            url,
            token=tokens.fresh,
            reconnect_first_s=scenario.reconnect_s,
            reconnect_cap_s=scenario.reconnect_cap_s,
        )

    async def attack(platform: Platform) -> None:
        (event,) = platform.emulator._events.values()
        polls = [e for e in event.elements.values() if POLL_MARK in e.settings.custom_fields]
        order = Order(
            url=platform.live.url,
            event=event.id,
            poll=polls[0].id,
            options=len(polls[0].settings.options),
            peers=[(u, tokens.issue(event.id, u, TOKENS_GOOD_UNTIL)) for u in _hostile(hostile)],
            victims=[*event.users.values()],
        )
        async with attacking(order, outcome):
            await asyncio.Event().wait()  # until the show is over

    disturb = attack if hostile else None
    played = await play(scenario, make, disturb=disturb, choices=choices)
    honest = set(played.statement.observations)
    voters = {entry.user for entry in played.evidence.log if entry.kind == "accepted"}
    evidence = replace(played.evidence, hostile={e.user for e in played.evidence.log} - honest)
    report = conclude(replace(played, evidence=evidence))
    return Attacked(report, sorted(waits), outcome, len(voters - honest))


def _hostile(many: int) -> list[str]:
    return [f"hostile {number}" for number in range(many)]
