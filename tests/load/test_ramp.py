"""The ramp of users follows the scenario's plans, ahead of them."""

from __future__ import annotations

import pytest

from simulator.load.ramp import LEAD_S, Ramp
from simulator.scenario import Scenario

SCENARIO = Scenario(players=100, arrive=20.0, late=0.3, round_time=10.0)


def test_everybody_is_invited_once_and_who_comes_first_is_first() -> None:
    """In the order of the plans: those before round 1, then those who are late."""
    ramp = Ramp(SCENARIO)
    joins = [SCENARIO.plan(player).join_at for player in ramp.players]
    assert sorted(ramp.players) == list(range(100))
    assert joins == sorted(joins)
    assert ramp.early == sum(at < 0.0 for at in joins) == 70


@pytest.mark.parametrize("arriving_s", [0.0, 1.0, 9.5, 19.0, 500.0])
def test_who_arrives_is_invited_a_little_ahead(arriving_s: float) -> None:
    """As many as the plans have so far, and within the lead; nobody who is late."""
    joins = [plan.join_at + 20.0 for plan in SCENARIO.plans() if plan.join_at < 0.0]
    due = Ramp(SCENARIO).due(arriving_s)
    assert due == sum(at <= arriving_s + LEAD_S for at in joins)
    assert due <= 70


@pytest.mark.parametrize("show_s", [0.0, 30.0, 62.5, 1000.0])
def test_who_is_late_is_invited_when_the_show_is_so_far(show_s: float) -> None:
    """Beside all who were early."""
    joins = [plan.join_at for plan in SCENARIO.plans() if plan.join_at >= 0.0]
    due = Ramp(SCENARIO).due(500.0, show_s)
    assert due == 70 + sum(at <= show_s + LEAD_S for at in joins)


def test_a_crowd_of_nobody_has_no_ramp() -> None:
    """There is nobody to wait for."""
    ramp = Ramp(Scenario(players=0))
    assert (ramp.players, ramp.early, ramp.due(10.0, 10.0)) == ([], 0, 0)
