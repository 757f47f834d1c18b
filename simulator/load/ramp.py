"""When how many of a scenario's players are to be there, and in which order: the users' ramp."""

from __future__ import annotations

from bisect import bisect_right

from simulator.scenario import Scenario

__all__ = ["LEAD_S", "Ramp"]

LEAD_S = 3.0
"""How long before its time a player is invited: users are started about once a second, all due
ones at once, and each player then comes at its own moment."""


class Ramp:
    """The players of a scenario, in the order in which they come.

    Args:
        scenario: the show and its crowd.
    """

    def __init__(self, scenario: Scenario) -> None:
        plans = sorted(scenario.plans(), key=lambda plan: plan.join_at)
        early = [plan for plan in plans if plan.join_at < 0.0]
        self.players = [plan.player for plan in plans]
        """Their numbers in the scenario."""
        self.early = len(early)
        """How many of them are there before round 1."""
        self._arrive = [plan.join_at + scenario.arrive_s for plan in early]
        self._join = [plan.join_at for plan in plans[len(early) :]]

    def due(self, arriving_s: float, show_s: float | None = None) -> int:
        """How many users there are to be.

        Args:
            arriving_s: how long the crowd has been arriving.
            show_s: seconds since round 1 began; None: it has not.
        """
        due = bisect_right(self._arrive, arriving_s + LEAD_S)
        return due if show_s is None else due + bisect_right(self._join, show_s + LEAD_S)
