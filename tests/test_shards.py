"""A crowd in several processes: the same crowd, one report, and nothing left of it."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from types import SimpleNamespace

import pytest
from rich.table import Table

from poll_counter import MisuseError
from poll_counter.commands import CastVote
from poll_counter.facts import Fact, Welcomed
from simulator import shards
from simulator.choices import Choices
from simulator.emulator import Emulator
from simulator.host import make_show, run_show
from simulator.loops import run as run_on_a_loop
from simulator.platform import Platform
from simulator.report import Report
from simulator.scenario import Scenario
from simulator.serve import join_show
from simulator.server import LiveServer
from simulator.shards import (
    GLANCE_S,
    GLANCE_SHARE,
    Shards,
    Word,
    Worker,
    WorkerLostError,
    work,
)
from simulator.sockets import play, run_sockets
from simulator.statement import Statement
from simulator.swarm import PlayerTransport, Slice, Swarm, make_transport

GUARD_S = 30.0
"""A test that waits longer has failed."""
DISTURBED = Scenario(
    players=21, rounds=3, round_time=1.0, seed=96, drop=0.3, leave=0.2, late=0.3, hostile=0.15
)


class Mute(PlayerTransport):
    """Never votes."""

    async def send(self, vote: CastVote) -> None:
        """Swallow the vote."""


class Failing(PlayerTransport):
    """Breaks off for good with its first fact."""

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Give a snapshot and fail."""
        yield Welcomed("upcoming", ())
        raise ValueError("a mistake of a worker's")


def broken(
    kind: type[PlayerTransport], url: str | Sequence[str], scenario: Scenario
) -> PlayerTransport:
    """Make the transport of a broken player."""
    return kind(url, reconnect_first_s=scenario.reconnect_s)


async def run(scenario: Scenario, kind: type[PlayerTransport] | None = None) -> Report:
    """Run a show with its crowd in two processes, and look for what it leaves behind."""
    threads = threading.active_count()
    make = make_transport if kind is None else partial(broken, kind)
    report = await run_sockets(scenario, make, processes=2)
    nothing_is_left()
    assert threading.active_count() <= threads
    return report


def nothing_is_left() -> None:
    """Look for tasks and processes."""
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert multiprocessing.active_children() == []


# Who lives where


@pytest.mark.parametrize("slices", [1, 2, 3, 30])
def test_slices_make_up_the_crowd(slices: int) -> None:
    """Everybody is in one of them; they differ in size by one at most."""
    parts = [Slice.of(DISTURBED, number, slices) for number in range(slices)]
    assert [n for part in parts for n in part.players] == [*range(21)]
    assert [n for part in parts for n in part.hostile] == [*range(4)]
    sizes = {len(part.players) for part in parts}
    assert max(sizes) - min(sizes) <= 1


# One show, two processes


async def test_two_processes_count_as_one() -> None:
    """Everybody is counted in every round, with one vote each; and the audience is shown it."""
    scenario = Scenario(players=21, rounds=1, round_time=3.35, options_per_poll=1)
    report = await run(scenario)
    assert report.violations == []
    assert [(r.must, r.may, r.counted, r.shown) for r in report.rows] == [(21, 21, 21, 21)]
    assert report.votes_sent == report.votes_accepted == 21
    assert report.findings.staying == 21
    assert (report.processes, report.reconnects) == (2, 0)
    assert report.freshness.total() > 0


async def test_what_happens_to_players_is_the_same_in_two_processes() -> None:
    """Who drops, leaves, is late or hostile is drawn by number; the truth knows of all of them."""
    report = await run(DISTURBED)
    assert report.violations == []
    plans = DISTURBED.plans()
    assert report.reconnects == sum(len(plan.cuts) for plan in plans) > 0
    assert report.findings.staying == sum(plan.leave_at is None for plan in plans)
    assert sum(report.findings.admitted.values()) > 0
    assert all(0 < row.must <= row.counted <= row.may for row in report.rows)
    assert any(row.must < row.may for row in report.rows)


async def test_a_broken_crowd_in_two_processes_is_found_out() -> None:
    """Everybody must be counted and nobody is."""
    report = await run(Scenario(players=9, rounds=1, round_time=0.6), Mute)
    assert [(r.must, r.counted, r.difference) for r in report.rows] == [(9, 0, -9)]
    assert not report.ok


async def test_the_live_table_shows_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those connected and the counts, added up from what the processes tell."""
    scenario = Scenario(players=7, rounds=1, round_time=4.0, spread=0.5)
    seen = list[tuple[object, ...]]()
    shards = list[Shards]()
    aenter = Shards.__aenter__

    async def enter(self: Shards) -> Shards:
        shards.append(self)
        return await aenter(self)

    def look(_table: Table) -> None:
        (crowd,) = shards
        seen.append((crowd.phase, crowd.connected, tuple(crowd.counts), crowd.votes_accepted))
        assert crowd.elapsed_s >= 0.0

    monkeypatch.setattr(Shards, "__aenter__", enter)
    await run_sockets(scenario, show_live=look, processes=2)
    assert seen[0] == ("players arrive", 0, (), 0)
    assert ("playing", 7, ("7",), 7) in seen
    nothing_is_left()


async def test_a_crowd_in_two_processes_joins_a_platform_that_is_up() -> None:
    """Its workers see the show begin by themselves, and report as one."""
    # One option: else who is quick votes for a round 2 before the event is stopped.
    scenario = Scenario(players=5, rounds=1, round_time=1.0, options_per_poll=1)
    async with Platform(Choices(results_interval_s=0.05)) as platform, platform.api() as api:
        show = await make_show(api, platform.project_id, scenario)
        joining = asyncio.create_task(
            join_show(scenario, platform.live.url, show.event_id, processes=2)
        )
        while len(platform.live._members.get(show.event_id, ())) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await run_show(api, show, scenario)
        report = await joining
    assert report.ok
    assert report.counts[1] == 5
    assert report.stats["players"] == report.stats["votes_accepted"] == 5
    nothing_is_left()


# What may go wrong


async def test_a_killed_worker_fails_the_run_at_once() -> None:
    """With a sentence, in the middle of a show of an hour; and the others are ended, too."""

    def kill(_table: Table) -> None:
        for process in multiprocessing.active_children()[:1]:
            process.kill()

    scenario = Scenario(players=4, rounds=1, round_time=3600.0, spread=1.0)
    sentence = r"process [12] of the 2 of the crowd is gone \(killed by SIGKILL\), .*; run it again"
    with pytest.raises(WorkerLostError, match=sentence):
        async with asyncio.timeout(GUARD_S):
            await run_sockets(scenario, show_live=kill, processes=2)
    nothing_is_left()


async def test_a_worker_killed_while_its_show_is_on_fails_the_run() -> None:
    """Not only while the crowd arrives."""

    async def kill(_platform: Platform) -> None:
        multiprocessing.active_children()[0].kill()

    scenario = Scenario(players=4, rounds=1, round_time=3600.0, spread=1.0, arrive=0.0)
    with pytest.raises(WorkerLostError, match="SIGKILL"):
        async with asyncio.timeout(GUARD_S):
            await play(scenario, disturb=kill, processes=2)
    nothing_is_left()


async def test_a_mistake_in_a_worker_is_not_taken_for_silence(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The worker says what it was, and the leader that it is gone."""
    scenario = Scenario(players=2, rounds=1, round_time=0.2)
    with pytest.raises(WorkerLostError, match=r"is gone \(exit code 1\)"):
        await run_sockets(scenario, partial(broken, Failing), processes=2)
    assert "a mistake of a worker's" in capfd.readouterr().err
    nothing_is_left()


async def test_a_crowd_that_cannot_be_sent_to_a_process_leaves_none_behind() -> None:
    """What is no module's cannot be pickled."""
    with pytest.raises(AttributeError, match="<lambda>"):
        await run_sockets(Scenario(players=2), lambda url, _: Mute(url), processes=2)
    nothing_is_left()


async def test_a_worker_ends_with_its_leader() -> None:
    """Its players leave when nobody is there any more to tell it what to do."""
    async with LiveServer(Emulator()) as server:
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        make = partial(Swarm, server.url, "demo", Scenario(players=2))
        process = multiprocessing.get_context("spawn").Process(
            target=work, args=(theirs, make, 0), daemon=True
        )
        process.start()
        theirs.close()
        assert ours.poll(GUARD_S)
        assert ours.recv() == ("ready", None)
        ours.close()
        process.join(GUARD_S)
        assert process.exitcode == 0


# A worker, from within


async def heard(connection: Connection, word: Word) -> object:
    """Read what a worker tells, until it says this."""
    while True:
        told, value = await asyncio.to_thread(connection.recv)
        if told == word:
            return value


def test_a_worker_does_what_it_is_told() -> None:
    """It lets its players come, glances at them, tells when they are in, and what they say."""

    async def lead() -> None:
        scenario = Scenario(players=4, rounds=1, round_time=300.0, arrive=0.0)
        ours, theirs = multiprocessing.Pipe()
        async with Platform() as platform, platform.api() as api:
            show = await make_show(api, platform.project_id, scenario)
            swarm = Swarm(
                platform.live.url, show.event_id, scenario, part=Slice(range(1, 3), range(0))
            )
            working = asyncio.create_task(Worker(theirs, swarm).run())
            assert await heard(ours, "ready") is None
            ours.send(("run", 0.0))
            assert await heard(ours, "arrived") is None
            ours.send(("began", asyncio.get_running_loop().time() - 100.0))
            glance = await heard(ours, "glance")
            while glance[0] != 2 or glance[3] < 100.0:  # type: ignore[index]
                glance = await heard(ours, "glance")
            ours.send(("statement", 0.0))
            said = await heard(ours, "statement")
            assert isinstance(said, Statement)
            assert len(said.observations) == said.staying == 2
            await working
        ours.close()
        theirs.close()

    run_on_a_loop(lead())


async def test_a_worker_looks_at_many_players_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that takes long is paid for by a long time without one."""
    looks_s, pauses = iter([0.0, 0.001, 0.3, 0.0]), list[float]()
    clock = [0.0]

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            await asyncio.Event().wait()

    class Slow(Swarm):
        """Takes long to be counted."""

        @property
        def connected(self) -> int:
            """How many players are connected now."""
            clock[0] += next(looks_s)
            return 0

    monkeypatch.setattr(shards, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(asyncio, "sleep", pause)
    ours, theirs = multiprocessing.Pipe()
    worker = Worker(theirs, Slow("ws://127.0.0.1:1", "demo", Scenario(players=1)))
    looking = asyncio.create_task(worker._glance())
    while len(pauses) < 4:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    looking.cancel()
    ours.close()
    theirs.close()
    assert pauses == pytest.approx([GLANCE_S, GLANCE_S, GLANCE_S, 0.3 / GLANCE_SHARE])


async def test_a_worker_without_a_leader_goes_in_peace() -> None:
    """It tells nobody anything, and raises nothing."""
    ours, theirs = multiprocessing.Pipe()
    ours.close()
    await Worker(theirs, Swarm("ws://127.0.0.1:1", "demo", Scenario(players=1))).run()
    theirs.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_more_players_than_descriptors_are_refused() -> None:
    """Before anything is started, and with what to do."""
    scenario = Scenario(players=90_000_000)
    with pytest.raises(MisuseError, match="180,000,000 connections in one process"):
        asyncio.run(run_sockets(scenario))
    with pytest.raises(MisuseError, match=r"90,000,000 .* spread them over --processes"):
        asyncio.run(run_sockets(scenario, processes=2))
