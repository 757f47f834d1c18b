"""A run on real sockets: platform, host and crowd, from scenario to report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from poll_counter import MisuseError

from .checks.evidence import Evidence, disturbed
from .checks.findings import examine
from .checks.freshness import freshness
from .checks.judge import judge
from .choices import Choices
from .emulator import Entry
from .host import make_show, requests_per_s, run_show
from .loops import allow_descriptors, at_rest, running
from .platform import Platform
from .report import Report, by_round, live_table, peak_rss_mb
from .scenario import Scenario
from .shards import gathered
from .show import Publication, Show
from .statement import Statement
from .swarm import Crowd, TransportFactory, make_transport

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
RESULTS_PER_S = 10_000
"""How many clients are told results in a second, at most: crowds of up to 20,000 kept up."""
FAREWELL_S = 15.0
"""How long the clients may take to leave a finished event."""


Disturb = Callable[[Platform], Coroutine[None, None, None]]
"""Does something to the platform while its show goes on; ended with the show."""
Gather = Callable[[str, str], AbstractAsyncContextManager[Crowd]]
"""Has a crowd come to a live channel's URL and an event, as long as the block runs."""


@dataclass(frozen=True, slots=True)
class Played:
    """What is left of a show when its platform is gone."""

    evidence: Evidence
    statement: Statement
    publications: list[Publication]
    wall_s: float
    loop: str
    processes: int


async def run_sockets(
    scenario: Scenario,
    make_transport: TransportFactory = make_transport,
    show_live: Callable[[Table], object] | None = None,
    processes: int = 1,
) -> Report:
    """Run a whole show with its crowd on loopback, and check the counts.

    Args:
        scenario: the show and its crowd; what is for virtual time only is left out.
        make_transport: makes a player's transport; test doubles go in here.
        show_live: takes the live table, four times a second.
        processes: over how many processes the crowd is spread; one shares that of the platform.

    Raises `MisuseError` when the crowd does not get in, `WorkerLostError` when a process is lost.
    """
    return conclude(await play(scenario, make_transport, show_live, processes=processes))


async def play(
    scenario: Scenario,
    make_transport: TransportFactory = make_transport,
    show_live: Callable[[Table], object] | None = None,
    disturb: Disturb | None = None,
    *,
    processes: int = 1,
    gather: Gather | None = None,
    host: str = "127.0.0.1",
    choices: Choices | None = None,
) -> Played:
    """Run a whole show with its crowd; what is not named here is as in `run_sockets`.

    `disturb` does to the platform what a scenario cannot say, from the crowd's arrival on; `gather`
    has the crowd come from elsewhere; `host` is where the platform listens for it; `choices` are
    the platform's, unless `choices_for` makes them.
    """
    scenario = scenario.on_sockets()
    peers = scenario.players + scenario.hostile_peers
    allow_descriptors(2 * peers if processes == 1 and gather is None else peers)
    log: list[Entry] = []
    platform = Platform(choices or choices_for(scenario), log=log, host=host)
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(platform)
        api = await stack.enter_async_context(platform.api())
        show = await make_show(api, platform.project_id, scenario)

        def votes() -> int:
            return sum(sum(platform.emulator.votes(poll)) for poll in show.polls)

        url, event_id = platform.live.url, show.event_id
        crowd = await stack.enter_async_context(
            gathered(url, event_id, scenario, make_transport, processes)
            if gather is None
            else gather(url, event_id)
        )
        coming = asyncio.create_task(crowd.run())
        stack.push_async_callback(end_task, coming)
        if show_live is not None:
            live = asyncio.create_task(show_progress(crowd, votes, show_live))
            stack.push_async_callback(end_task, live)
        await arrival(crowd, coming)
        if processes > 1:  # then this one holds the connections of all, and nothing else
            stack.enter_context(at_rest())
        if disturb is not None:
            stack.push_async_callback(end_task, asyncio.create_task(disturb(platform)))
        showing = asyncio.create_task(run_show(api, show, scenario, keep_time=crowd.keep_time))
        stack.push_async_callback(end_task, showing)
        await asyncio.wait([coming, showing], return_when=asyncio.FIRST_COMPLETED)
        if coming.done():
            coming.result()  # without a crowd there is no use in going on
        publications = await showing
        await asyncio.wait([coming], timeout=FAREWELL_S)
        await end_task(coming)
        statement = await crowd.make_statement()
    wall_s = time.monotonic() - started
    log = [entry._replace(at=entry.at - platform.live.epoch) for entry in log]  # the players' clock
    evidence = _evidence(scenario, show, log, statement)
    return Played(evidence, statement, publications, wall_s, running(), processes)


def conclude(played: Played) -> Report:
    """Hold what was counted in a show against the truth."""
    evidence, statement = played.evidence, played.statement
    scenario, pages = evidence.scenario, evidence.pages
    observations = [*statement.observations.values()]
    findings = examine(evidence, statement.staying)
    rows, violations = judge(scenario, pages, findings, observations)
    return Report(
        scenario=scenario,
        mode="sockets",
        rows=rows,
        violations=violations,
        findings=findings,
        votes_sent=statement.stats["votes_sent"],
        reconnects=statement.stats["reconnects"],
        wall_s=played.wall_s,
        peak_rss_mb=max(statement.peak_rss_mb, peak_rss_mb()),
        freshness=freshness(by_round(scenario, pages, findings), observations),
        verdicts=statement.verdicts,
        publications=played.publications,
        loop=played.loop,
        processes=played.processes,
    )


def choices_for(scenario: Scenario) -> Choices:
    """A platform that one process can be for such a show.

    Its bucket lets the host be as quick as the show is, and to a large crowd it tells results as
    often as it can: whoever tells them more often than they can be read is ever later.
    """
    fields = Choices.model_fields
    return Choices(
        refill_per_s=max(fields["refill_per_s"].default, 2.0 * requests_per_s(scenario)),
        results_interval_s=max(
            fields["results_interval_s"].default, scenario.players / RESULTS_PER_S
        ),
    )


def _evidence(scenario: Scenario, show: Show, log: list[Entry], statement: Statement) -> Evidence:
    """What the emulator and the players' networks wrote down."""
    return Evidence(
        scenario=scenario,
        log=log,
        pages=show.pages,
        trivia=show.trivia,
        latency_s=scenario.margin_s / 2.0,
        slack_s=SLACK_S,
        hostile=statement.hostile,
        inactive=statement.inactive,
        restarts=statement.restarts,
        disturbed=disturbed(log, statement.disturbances),
    )


async def arrival(crowd: Crowd, coming: asyncio.Task[None], *others: asyncio.Event) -> None:
    """Wait until everybody who is not late is in, or one of the other events is set.

    Raises `MisuseError` if they do not get in, and whatever breaks the crowd.
    """
    patience_s = crowd.scenario.arrive_s + ARRIVAL_TIMEOUT_S
    waits = [asyncio.ensure_future(event.wait()) for event in (crowd.arrived, *others)]
    try:
        done, _ = await asyncio.wait(
            [coming, *waits], timeout=patience_s, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for wait in waits:
            wait.cancel()
    if coming in done:
        coming.result()
    if not done:
        raise MisuseError(
            f"after {patience_s:.0f} s only {crowd.connected} of the crowd are in; is the platform "
            "up, is that its event, and can this machine carry so many players?"
        )


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it is gone."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def show_progress(
    crowd: Crowd, votes: Callable[[], int], show_live: Callable[[Table], object]
) -> None:
    """Show the live table until cancelled; `votes` tells how many are accepted so far."""
    while True:
        show_live(
            live_table(
                phase=crowd.phase,
                elapsed_s=crowd.elapsed_s,
                total_s=crowd.scenario.show_s,
                connected=crowd.connected,
                votes=votes(),
                counts=crowd.counts,
            )
        )
        await asyncio.sleep(LIVE_INTERVAL_S)
