"""A whole show under Locust: the same scenario and the same `PollCounter`, over many machines.

    python -m simulator locust --players 4000                        one worker, in this process
    python -m simulator locust --master --expect-workers 2 --players 4000
    python -m simulator locust --worker                              twice, wherever the cores are
    python -m simulator locust --web                                 with Locust's page

The master leads: it has the platform, the host and the checks. Workers follow: each has the
players whom its users invite. Locust's own loop is gevent, which replaces sockets, threads and
selectors, and has no room for a second loop; so the platform and each worker's players live in a
child process of their own with one asyncio loop, and talk in lines over a pipe. What the players
do is told to Locust as requests: `vote accepted`, `count fresh`, `reconnect`, ...

A file of one's own may import `Player` and `Show` from here, and set `Player.transport`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from gevent.event import Event
from locust import LoadTestShape, User, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

HERE = Path(__file__).parent
# Locust has put this folder on the path, where our platform.py would hide Python's own.
sys.path[:] = [str(HERE.parent) if place == str(HERE) else place for place in sys.path]
sys.path.append(str(HERE.parent))

from poll_counter import MisuseError  # noqa: E402 - after the path is right
from simulator.load.master import Master  # noqa: E402
from simulator.load.options import add_options  # noqa: E402
from simulator.load.worker import Worker  # noqa: E402

__all__ = ["Player", "Show"]


class Roles:
    """What this process does: master, worker, or both."""

    master: Master | None = None
    worker: Worker | None = None


class Player(User):
    """A user: it invites the next player of the scenario, and stays until the test is over.

    The player itself lives in the worker's child process, and may leave earlier: it is the
    scenario that says when.
    """

    transport = "simulator.swarm:make_transport"
    """What makes a player's transport, as `module:name`; bugs are planted here."""

    @task
    def play(self) -> None:
        """Take part."""
        if Roles.worker is None:
            raise StopUser
        Roles.worker.take_seat()
        Event().wait()


class Show(LoadTestShape):
    """The ramp of users, as the scenario has players join; over with the verdict."""

    def __init__(self) -> None:
        super().__init__()
        self._tick = (0, 1.0)

    def tick(self) -> tuple[int, float] | None:
        """How many users there are to be, and how many of them start within a second."""
        users = 0 if Roles.master is None else Roles.master.due()
        if users is None:
            return None
        if users != self._tick[0]:
            self._tick = users, float(max(1, users - self._tick[0]))
        return self._tick


@events.init_command_line_parser.add_listener
def _add_options(parser: LocustArgumentParser) -> None:
    add_options(parser)


@events.init.add_listener
def _take_role(environment: Environment, **_: Any) -> None:
    try:
        if isinstance(environment.runner, MasterRunner | LocalRunner):
            Roles.master = Master(environment)
        if isinstance(environment.runner, WorkerRunner | LocalRunner):
            Roles.worker = Worker(environment, Player.transport)
    except MisuseError as error:
        print(f"python -m simulator locust: {error}", file=sys.stderr)
        sys.exit(2)


@events.test_start.add_listener
def _start(**_: Any) -> None:
    if Roles.master is not None:
        Roles.master.start()
    if Roles.worker is not None:
        Roles.worker.start()


@events.test_stop.add_listener
def _stop(**_: Any) -> None:
    if Roles.worker is not None:
        Roles.worker.stop()
    if Roles.master is not None:
        Roles.master.stop()
