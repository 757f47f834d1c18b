"""A whole show over several nodes, some killed, and Redis restarted, held against the truth."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis

from poll_counter.control import ControlApi
from simulator.checks.judge import Row
from simulator.host import make_show, run_show
from simulator.loops import running
from simulator.nodes.book import audit
from simulator.nodes.node import BACKOFF_CAP_S, BUSY_S, KEY
from simulator.report import Report, by_round
from simulator.scenario import Scenario
from simulator.shards import gathered
from simulator.sockets import (
    FAREWELL_S,
    Played,
    _evidence,
    arrival,
    choices_for,
    conclude,
    end_task,
)
from simulator.swarm import Crowd

from .evidence import NodeLog, merged
from .figures import Figures, Outage, figures
from .process import NodeProcess
from .redis_server import RedisServer

__all__ = ["Disturbed", "Place", "Shown", "run_nodes", "small_show"]

KILL_AT = 0.25
"""When in a waiting phase a node is killed: votes are due then."""
RESTART_AT = 0.35
"""When in a waiting phase Redis is killed, and started again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is: an address, and what enters its host."""

    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """What came of a show."""

    report: Report
    quiet: Sequence[Row]
    """The rounds in which nothing was killed."""
    killed: Sequence[str]
    """The nodes killed, in order."""
    votes_by_node: dict[str, int]
    figures: Figures

    @property
    def is_exact(self) -> bool:
        """Whether all checks hold, bounds leave no room, and quiet rounds are shown in time."""
        exact = all(row.must == row.may == row.counted for row in self.report.rows)
        return self.report.ok and exact and all(row.shown == row.counted for row in self.quiet)


class Disturbed(Scenario):
    """A show during which more happens than its scenario says."""

    @property
    def is_calm(self) -> bool:
        """Counts in rounds in which a node dies are shown late."""
        return False

    @property
    def bearable_s(self) -> float:
        """How long Redis may be gone from its kill on, with nobody counted too late.

        The nodes look for it at least each `BACKOFF_CAP_S`; who was told to be busy just before one
        finds it is back after twice `BUSY_S` at the latest, and the round is not to be over then.
        """
        killed_at = RESTART_AT * self.waiting_s
        return self.round_time - killed_at - BACKOFF_CAP_S - 2.0 * BUSY_S


def small_show(players: int) -> Disturbed:
    """A show of half a minute that bears a machine on which Redis takes seconds to start."""
    return Disturbed(players=players, rounds=4, round_time=8.0, waiting=0.4, spread=1.6, arrive=0.3)


class _Nodes:
    """The nodes that are up, and those that were."""

    def __init__(self, redis: RedisServer, places: Sequence[Place], folder: Path) -> None:
        self._redis, self._places, self._folder = redis, places, folder
        self.lives: list[NodeProcess] = []
        self.now_at: list[NodeProcess] = []
        """The node at each place."""
        self._apis: dict[str, ControlApi] = {}
        self.killed: list[str] = []
        self.victim = -1
        """The place whose node is killed next."""

    async def start(self) -> None:
        """Start one at every place."""
        for number, place in enumerate(self._places):
            self.now_at.append(await self._started(f"node-{number}", place, (0, 0)))

    async def kill(self, number: int) -> None:
        """Kill the node at a place."""
        self.killed.append(self.now_at[number].name)
        await self.now_at[number].kill()

    async def restart(self, number: int) -> None:
        """Start another at its place, on its ports."""
        before = self.now_at[number]
        name = f"node-{number}-life-{len(self.lives)}"
        self.now_at[number] = await self._started(name, self._places[number], before.ports)

    async def _started(self, name: str, place: Place, ports: tuple[int, int]) -> NodeProcess:
        node = NodeProcess(
            name,
            self._redis.url,
            self._folder,
            host=place.host,
            ports=ports,
            prefix=place.prefix,
            options=("--choices", str(self._folder / "choices.toml")),
        )
        self.lives.append(node)
        await node.start()
        api = ControlApi(node.ready["control_url"], token=node.ready["token"], allow_plain=True)
        self._apis[name] = api
        return node

    @property
    def urls(self) -> list[str]:
        """The live channels of all places."""
        return [node.ready["live_url"] for node in self.now_at]

    def __getattr__(self, name: str) -> Any:
        """A producer asks a node that is up, and will not be killed before it has answered."""
        others = (n for place, n in enumerate(self.now_at) if n.is_up and place != self.victim)
        return getattr(self._apis[next(others).name], name)

    async def aclose(self) -> None:
        """End all that is left."""
        for api in self._apis.values():
            await api.aclose()
        for node in self.lives:
            node.end()


class _Clock:
    """When in the show it is; who disturbs it goes by this."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self._began = asyncio.Event()
        self._start = 0.0

    def keep_time(self, at: float) -> None:
        """The show is there now, in seconds from the beginning of round 1, as planned."""
        self._start = asyncio.get_running_loop().time() - at
        self._began.set()
        self.crowd.keep_time(at)

    async def until(self, at: float) -> None:
        """Wait until the show is there, however late."""
        loop = asyncio.get_running_loop()
        await self._began.wait()
        while self._start + at > loop.time():  # noqa: ASYNC110 - it may move: see keep_time
            await asyncio.sleep(self._start + at - loop.time())


async def run_nodes(
    scenario: Disturbed,
    folder: Path,
    *,
    places: Sequence[Place] = (Place(), Place(), Place()),
    kill_every: int = 2,
    redis_round: int | None = None,
    redis: RedisServer | None = None,
    processes: int = 1,
    say: Callable[[str], object] = lambda _text: None,
) -> Shown:
    """Run a show over nodes, and judge it.

    Args:
        scenario: the show and its crowd.
        folder: where the nodes' logs go.
        places: where the nodes are.
        kill_every: a node is killed in every so-manieth round, and started again later in it.
        redis_round: Redis is killed and started again in this round.
        redis: Redis, not started yet; on loopback unless told.
        processes: over how many the crowd is spread.
        say: takes what happens, for people.
    """
    scenario, loop = scenario.on_sockets(), asyncio.get_running_loop()
    epoch, started = time.time() - loop.time(), time.monotonic()
    async with AsyncExitStack() as stack:
        redis = redis or RedisServer()
        stack.enter_context(redis)
        choices = folder / "choices.toml"
        interval_s = choices_for(scenario).results_interval_s
        choices.write_text(f"results_interval_s = {interval_s}\n")
        nodes = _Nodes(redis, places, folder)
        stack.push_async_callback(nodes.aclose)
        await nodes.start()
        producer = cast("ControlApi", nodes)
        show = await make_show(producer, nodes.now_at[0].ready["project_id"], scenario)
        crowd = await stack.enter_async_context(
            gathered(nodes.urls, show.event_id, scenario, processes=processes)
        )
        coming = asyncio.create_task(crowd.run())
        stack.push_async_callback(end_task, coming)
        await arrival(crowd, coming)
        say("the crowd is in")
        clock = _Clock(crowd)
        disturbing = asyncio.create_task(
            _disturb(nodes, redis, clock, kill_every=kill_every, redis_round=redis_round, say=say)
        )
        stack.push_async_callback(end_task, disturbing)
        publications = await run_show(producer, show, scenario, keep_time=clock.keep_time)
        await asyncio.wait([coming], timeout=FAREWELL_S)
        await end_task(coming)
        statement = await crowd.make_statement()
        outage = await disturbing
        for node in nodes.lives:
            code = await node.stop()
            assert node.died_at is not None or code == 0, node.errors
        client = Redis.from_url(redis.url, protocol=2)
        accepted = await audit(client, KEY)
        await client.aclose()
        logs = [NodeLog(node.name, node.log, node.died_at) for node in nodes.lives]
    votes_by_node = dict.fromkeys((log.name for log in logs), 0)
    for name, _ in accepted:
        votes_by_node[name] += 1
    wall_s = time.monotonic() - started
    entries = [e._replace(at=e.at - epoch) for e in merged(logs, accepted)]
    log = [entry for entry in entries if entry.event_id in {show.event_id, ""}]
    evidence = _evidence(scenario, show, log, statement)
    report = conclude(Played(evidence, statement, publications, wall_s, running(), processes))
    loud = {redis_round}
    if kill_every:
        loud |= {*range(kill_every, scenario.rounds + 1, kill_every)}
    quiet = [row for row in report.rows if row.round not in loud]
    found = figures(
        log,
        by_round(scenario, evidence.pages, report.findings),
        [*statement.observations.values()],
        quiet=[row.round for row in quiet],
        outage=outage,
    )
    return Shown(report, quiet, nodes.killed, votes_by_node, found)


async def _disturb(
    nodes: _Nodes,
    redis: RedisServer,
    clock: _Clock,
    *,
    kill_every: int,
    redis_round: int | None,
    say: Callable[[str], object],
) -> Outage | None:
    """Kill nodes in turn, and Redis once; returns when that was gone."""
    scenario, outage = clock.crowd.scenario, None
    victims = itertools.cycle([*range(1, len(nodes.now_at)), 0])
    nodes.victim = next(victims)
    for number in range(1, scenario.rounds + 1):
        begin = (number - 1) * scenario.round_time
        if kill_every and number % kill_every == 0:
            place = nodes.victim
            await clock.until(begin + KILL_AT * scenario.waiting_s)
            say(f"round {number}: {nodes.now_at[place].name} is killed")
            await nodes.kill(place)
            await clock.until(begin + scenario.waiting_s)
            await nodes.restart(place)
            nodes.victim = next(victims)
            say(f"round {number}: {nodes.now_at[place].name} is up instead")
        if number == redis_round:
            await clock.until(begin + RESTART_AT * scenario.waiting_s)
            began = asyncio.get_running_loop().time()
            redis.kill()
            say(f"round {number}: Redis is killed")
            await asyncio.to_thread(redis.start)
            outage = Outage(began, asyncio.get_running_loop().time())
            say(f"round {number}: Redis is up again")
    return outage
