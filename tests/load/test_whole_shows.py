"""Whole shows with the crowd in several parts: the same counts as in one, and the same checks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import pytest

from poll_counter.commands import CastVote
from simulator.load.words import Failure
from simulator.scenario import Scenario
from simulator.swarm import PlayerTransport
from tests.support.double_voters import double_voters

from .led import led

CALM = Scenario(players=21, rounds=3, round_time=0.6, options_per_poll=3, arrive=0.3)
DISTURBED = Scenario(
    players=21,
    rounds=3,
    round_time=1.0,
    seed=96,
    arrive=0.3,
    drop=0.3,
    leave=0.2,
    late=0.3,
    hostile=0.15,
    restart=0.1,
    reinstall=0.1,
)


async def test_a_crowd_in_two_parts_is_counted_exactly() -> None:
    """Every player is invited by one of the followers, and votes and counts are measured."""
    outcome = await led(CALM)
    assert outcome.verdict.failures == ()
    assert outcome.invited == {"F0": 11, "F1": 10}
    for number in (1, 2, 3):
        assert f"     {number}    21   21       21" in outcome.verdict.text
    assert "OK: every round is counted right" in outcome.verdict.text
    assert "<!doctype html>" in outcome.verdict.page.lower()
    assert len(outcome.times("connect")) == 21
    # Between the close of the last trivia and the end, some vote for a round that never comes.
    assert 63 <= len(outcome.times("count fresh")) <= len(outcome.times("vote accepted")) < 84
    assert {sample.name for sample in outcome.samples} == {
        "connect",
        "vote accepted",
        "count fresh",
    }
    assert min(sample.ms for sample in outcome.samples) >= 0.0


async def test_a_disturbed_crowd_in_two_parts_is_counted_within_its_bounds() -> None:
    """Drops, late players, hostile peers and restarts: what crosses over tells of them all."""
    outcome = await led(DISTURBED)
    assert outcome.verdict.failures == (), outcome.verdict.text
    assert sum(outcome.invited.values()) == 21
    cuts = sum(len(plan.cuts) for plan in DISTURBED.plans())
    assert len(outcome.times("reconnect")) == cuts > 0
    assert len(outcome.times("connect")) > 21  # with those who started their app again


async def test_hostile_peers_come_with_the_players_of_their_numbers() -> None:
    """Their votes are counted beside those of the players, and told apart."""
    outcome = await led(CALM.model_copy(update={"hostile": 0.15, "rounds": 1}))
    assert outcome.verdict.failures == (), outcome.verdict.text
    (counted,) = re.findall(r"^ +1 +\d+ +\d+ +(\d+) ", outcome.verdict.text, re.MULTILINE)
    assert int(counted) > 21


class Mute(PlayerTransport):
    """Never votes."""

    async def send(self, vote: CastVote) -> None:
        """Swallow the vote."""


def _mute(url: str | Sequence[str], scenario: Scenario) -> PlayerTransport:
    return Mute(url, reconnect_first_s=scenario.reconnect_s)


async def test_a_part_that_never_votes_is_found_out() -> None:
    """It must be counted, and is not; the verdict says how to run it again."""
    outcome = await led(CALM.model_copy(update={"rounds": 1}), [_plain, _mute])
    assert {"must <= counted <= may", "who must be counted has voted"} <= outcome.rules
    assert "FAILED in round" in outcome.verdict.text
    assert "the same again" in outcome.verdict.text


async def test_players_who_vote_twice_are_found_out() -> None:
    """One in each part, under a second id."""
    factory = partial(double_voters, 1000)
    outcome = await led(CALM.model_copy(update={"rounds": 1}), [factory(), factory()])
    assert outcome.verdict.failures == (
        Failure(
            rule="round 0: there are no more ids than players",
            text="23 ids were seen of a crowd that has 21",
        ),
    )


async def test_a_show_without_players_is_right() -> None:
    """Nobody is invited, and nobody missed."""
    outcome = await led(Scenario(players=0, rounds=1, round_time=0.2))
    assert (outcome.verdict.failures, outcome.invited) == ((), {})


@pytest.mark.parametrize("parts", [1, 3])
async def test_the_number_of_parts_is_no_matter(parts: int) -> None:
    """One part, or more."""
    scenario = CALM.model_copy(update={"rounds": 1})
    outcome = await led(scenario, [_plain] * parts)
    assert outcome.verdict.failures == ()
    assert len(outcome.invited) == parts


def _plain(url: str | Sequence[str], scenario: Scenario) -> PlayerTransport:
    return PlayerTransport(url, reconnect_first_s=scenario.reconnect_s)
