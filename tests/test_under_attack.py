"""A whole show under attack by every kind of hostile peer, and servers that let them through.

The same at full size, with its times, is `tests.benchmarks.hostile_peers`.
"""

from __future__ import annotations

import pytest

from simulator import platform
from simulator.emulator import Connection, Delivery, Emulator
from simulator.player_tokens import PlayerTokens
from simulator.scenario import Scenario
from tests.support.attacked import Attacked, play_attacked
from tests.support.attackers import MANNERS

SCENARIO = Scenario(players=20, rounds=2, round_time=1.5)
VOTERS = {"votes", "others", "deaf"}
"""Those who vote as users that they are: they are counted, once in each round, like anybody."""


async def attacked() -> Attacked:
    """Play a small show with one hostile peer of every manner."""
    return await play_attacked(SCENARIO, len(MANNERS))


async def test_honest_counts_are_exact() -> None:
    """Every honest player is counted once in every round, and besides only who is a user."""
    show = await attacked()
    assert show.report.violations == []
    assert [row.counted for row in show.report.rows] == [20 + len(VOTERS)] * 2
    assert show.hostile_voters == len(VOTERS)
    assert len(show.accepted_after_s) >= 20 * 2
    assert set(show.outcome.offered) == set(MANNERS)
    refused = set(show.outcome.refusals)
    assert refused >= {"forged", "hellos", "garbage", "oversize", "pieces"}


# Servers that let them through: it is found out


class Trusting(PlayerTokens):
    """Believes everybody."""

    def refusal(self, token: str | None, event_id: str, user: str, now: float) -> str:
        """Find nothing wrong."""
        return ""


class CountsConnections(Emulator):
    """Takes every connection for a user of its own."""

    def answer(
        self,
        connection: Connection,
        element_id: str,
        options: list[int],
        answer_id: str,
        now: float,
    ) -> list[Delivery]:
        """Forget who has voted before."""
        self.element(element_id).ballots.clear()
        return super().answer(connection, element_id, options, answer_id, now)


async def test_a_server_that_believes_everybody_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Users vote, by somebody else's hand, for rounds that they have not seen."""
    monkeypatch.setattr(PlayerTokens, "refusal", Trusting.refusal)
    show = await attacked()
    rules = {each.rule for each in show.report.violations}
    assert "no vote for a round whose waiting phase was not seen" in rules


async def test_a_platform_that_counts_votes_again_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Floods of votes for the same option are counted."""
    monkeypatch.setattr(platform, "Emulator", CountsConnections)
    show = await attacked()
    assert "nobody is counted twice" in {each.rule for each in show.report.violations}
