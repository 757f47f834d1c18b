"""A run on real sockets: platform, host and crowd in one process, from scenario to report."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from rich.table import Table

from poll_counter import MisuseError

from .checks.evidence import Evidence, Observation
from .checks.findings import examine
from .checks.freshness import freshness
from .checks.judge import judge
from .choices import Choices
from .emulator import Entry
from .host import make_show, requests_per_s, run_show
from .platform import Platform
from .report import Report, by_round, live_table, peak_rss_mb
from .scenario import Scenario
from .show import Publication, Show
from .swarm import Swarm, TransportFactory, make_transport

__all__ = [
    "ARRIVAL_TIMEOUT_S",
    "Disturb",
    "Played",
    "arrival",
    "choices_for",
    "conclude",
    "end_task",
    "play",
    "run_sockets",
    "show_progress",
]

LIVE_INTERVAL_S = 0.25
"""How often the live table is shown."""
SLACK_S = 1.0
"""What a message may take on loopback when the machine is busy."""
ARRIVAL_TIMEOUT_S = 60.0
"""A crowd that is not in after this, beyond its arrival time, ends the run."""
FAREWELL_S = 15.0
"""How long the clients may take to leave a finished event."""


Disturb = Callable[[Platform, Swarm], Coroutine[None, None, None]]
"""Does something to the platform while its show goes on; ended with the show."""


@dataclass(frozen=True, slots=True)
class Played:
    """What is left of a show when its platform is gone."""

    evidence: Evidence
    swarm: Swarm
    publications: list[Publication]
    wall_s: float

    def observations(self) -> list[Observation]:
        """What each player read."""
        return [player.observation() for player in self.swarm.players]

    @property
    def verdicts(self) -> Counter[str]:
        """What the network did to messages: verdict -> messages."""
        found = Counter[str]()
        for player in self.swarm.players:
            for _, transport in player.transports:
                found.update(transport.verdicts)
        return found


async def run_sockets(
    scenario: Scenario,
    make_transport: TransportFactory = make_transport,
    show_live: Callable[[Table], object] | None = None,
) -> Report:
    """Run a whole show with its crowd on loopback, and check the counts.

    Args:
        scenario: the show and its crowd; what is for virtual time only is left out.
        make_transport: makes a player's transport; test doubles go in here.
        show_live: takes the live table, four times a second.
    """
    return conclude(await play(scenario, make_transport, show_live))


async def play(
    scenario: Scenario,
    make_transport: TransportFactory = make_transport,
    show_live: Callable[[Table], object] | None = None,
    disturb: Disturb | None = None,
) -> Played:
    """Run a whole show with its crowd on loopback; the arguments are those of `run_sockets`.

    `disturb` does to the platform what a scenario cannot say, from the crowd's arrival on.
    """
    scenario = scenario.on_sockets()
    log: list[Entry] = []
    platform = Platform(choices_for(scenario), log=log)
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(platform)
        api = await stack.enter_async_context(platform.api())
        show = await make_show(api, platform.project_id, scenario)

        def votes() -> int:
            return sum(sum(platform.emulator.votes(poll)) for poll in show.polls)

        swarm = Swarm(platform.live.url, show.event_id, scenario, make_transport)
        crowd = asyncio.create_task(swarm.run())
        stack.push_async_callback(end_task, crowd)
        if show_live is not None:
            live = asyncio.create_task(show_progress(swarm, votes, show_live))
            stack.push_async_callback(end_task, live)
        await arrival(swarm, crowd)
        if disturb is not None:
            stack.push_async_callback(end_task, asyncio.create_task(disturb(platform, swarm)))
        publications = await run_show(api, show, scenario, keep_time=swarm.keep_time)
        await asyncio.wait([crowd], timeout=FAREWELL_S)
    wall_s = time.monotonic() - started
    log = [entry._replace(at=entry.at - platform.live.epoch) for entry in log]  # the players' clock
    return Played(_evidence(scenario, show, log, swarm), swarm, publications, wall_s)


def conclude(played: Played) -> Report:
    """Hold what was counted in a show against the truth."""
    evidence, swarm = played.evidence, played.swarm
    scenario, pages = evidence.scenario, evidence.pages
    observations = played.observations()
    staying = sum(p.plan.leave_at is None and not p.plan.watches for p in swarm.players)
    findings = examine(evidence, staying)
    rows, violations = judge(scenario, pages, findings, observations)
    return Report(
        scenario=scenario,
        mode="sockets",
        rows=rows,
        violations=violations,
        findings=findings,
        votes_sent=swarm.total("votes_sent"),
        reconnects=sum(player.reconnects for player in swarm.players),
        wall_s=played.wall_s,
        peak_rss_mb=peak_rss_mb(),
        freshness=freshness(by_round(scenario, pages, findings), observations),
        verdicts=played.verdicts,
        publications=played.publications,
    )


def choices_for(scenario: Scenario) -> Choices:
    """A platform whose bucket lets the host of a show be as quick as the show is."""
    refill_per_s = Choices.model_fields["refill_per_s"].default
    return Choices(refill_per_s=max(refill_per_s, 2.0 * requests_per_s(scenario)))


def _evidence(scenario: Scenario, show: Show, log: list[Entry], swarm: Swarm) -> Evidence:
    """What the emulator and the players' networks wrote down."""
    restarts: dict[str, list[float]] = {}
    for player in swarm.players:
        for user, at in player.restarts:
            restarts.setdefault(user, []).append(at)
    return Evidence(
        scenario=scenario,
        log=log,
        pages=show.pages,
        trivia=show.trivia,
        latency_s=scenario.margin_s / 2.0,
        slack_s=SLACK_S,
        hostile=swarm.hostile_users,
        inactive={u for p in swarm.players if p.plan.watches for u in p.users},
        restarts=restarts,
        disturbed=_disturbed(log, swarm),
    )


def _disturbed(log: list[Entry], swarm: Swarm) -> dict[int, float]:
    """Connection -> when the network first did something to its messages."""
    times: dict[str, list[float]] = {}
    for player in swarm.players:
        for user, transport in player.transports:
            times.setdefault(user, []).extend(transport.disturbances)
    left = {entry.connection: entry.at for entry in log if entry.kind == "left"}
    found: dict[int, float] = {}
    for entry in log:
        if entry.kind == "joined":
            until = left.get(entry.connection, float("inf"))
            during = [at for at in times.get(entry.user, ()) if entry.at <= at <= until]
            if during:
                found[entry.connection] = min(during)
    return found


async def arrival(swarm: Swarm, crowd: asyncio.Task[None], *others: asyncio.Event) -> None:
    """Wait until everybody who is not late is in, or one of the other events is set.

    Raises `MisuseError` if they do not get in, and whatever breaks the crowd.
    """
    patience_s = swarm.scenario.arrive_s + ARRIVAL_TIMEOUT_S
    waits = [asyncio.ensure_future(event.wait()) for event in (swarm.arrived, *others)]
    try:
        done, _ = await asyncio.wait(
            [crowd, *waits], timeout=patience_s, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for wait in waits:
            wait.cancel()
    if crowd in done:
        crowd.result()
    if not done:
        raise MisuseError(
            f"after {patience_s:.0f} s only {swarm.connected} of the crowd are in; is the platform "
            "up, is that its event, and can this machine carry so many players?"
        )


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it is gone."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def show_progress(
    swarm: Swarm, votes: Callable[[], int], show_live: Callable[[Table], object]
) -> None:
    """Show the live table until cancelled; `votes` tells how many are accepted so far."""
    while True:
        show_live(
            live_table(
                phase=swarm.phase,
                elapsed_s=swarm.elapsed_s,
                total_s=swarm.scenario.show_s,
                connected=swarm.connected,
                votes=votes(),
                counts=swarm.counts,
            )
        )
        await asyncio.sleep(LIVE_INTERVAL_S)
