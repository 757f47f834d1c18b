"""For Locust: the crowd with some double voters in it, which its checks must find out.

python -m simulator locust -f tests/support/locust_double_voters.py
"""

from __future__ import annotations

from simulator.locustfile import Player, Show

__all__ = ["Player", "Show"]

Player.transport = "tests.support.double_voters:make_transport"
