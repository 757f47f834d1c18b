"""For Locust: a crowd that cannot come, for there is nothing that makes its transports."""

from __future__ import annotations

from simulator.locustfile import Player, Show

__all__ = ["Player", "Show"]

Player.transport = "simulator.swarm:nothing_of_that_name"
