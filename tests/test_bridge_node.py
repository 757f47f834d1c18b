"""The bridge in Node.js: emulator -> stand-in SDK -> bridge.mjs -> PollCounter."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from poll_counter import MEMORY, PollCounter, State, sync
from poll_counter.bridge import BridgeTransport, NodeHost, node
from poll_counter.bridge.node import SCRIPT
from tests.support.bridged import (
    EVENT,
    RECOGNISE,
    SDK,
    BridgedShow,
    app_folder,
    children,
    counter_of,
    node_host,
    node_processes,
    players,
    until,
)
from tests.support.served import ServedShow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an app."""
    return app_folder(tmp_path_factory.mktemp("app"))


@asynccontextmanager
async def audience(
    show: BridgedShow, folder: Path, size: int, *, lists_closed: bool = True, **knobs: object
) -> AsyncIterator[list[PollCounter]]:
    """So many players, each with a bridge of its own; all of them are connected."""
    async with AsyncExitStack() as stack:
        counters = []
        for _ in range(size):
            host = node_host(folder, show, **knobs)
            transport = BridgeTransport(host, lists_closed=lists_closed)
            counters.append(await stack.enter_async_context(counter_of(transport)))
        await until(lambda: all(each.state is not State.OFFLINE for each in counters))
        yield counters


async def lose_node(counters: Iterable[PollCounter]) -> None:
    """Kill every process, and wait until the next ones have brought everybody back."""
    connects = {each: each.stats().connects for each in counters}
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    await until(lambda: all(each.stats().connects > connects[each] for each in counters))
    await until(lambda: all(each.state is State.WAITING for each in counters))


async def test_a_whole_show_with_twenty_players(folder: Path) -> None:
    """Ten rounds, 20 players with a Node.js process each: everybody reads 20, every time."""
    async with BridgedShow(10, limit=2) as show, audience(show, folder, 20) as counters:
        show.begin()
        for _ in range(10):
            await show.play(*counters)
        await show.end(*counters)
        assert show.votes == (20,) * 10
        assert [players(each.history) for each in counters] == [[20] * 10] * 20
        for stats in (each.stats() for each in counters):
            assert not stats.acknowledges
            assert (stats.votes_sent, stats.votes_accepted, stats.votes_refused) == (10, 0, 0)
            assert stats.skipped == {}
    await until(lambda: not children())


# What the documentation does not say


@pytest.mark.parametrize(
    ("knobs", "refused"),
    [
        ({}, 0),
        ({"answerThrows": "after"}, 1),
        ({"answerReturns": False}, 1),
        ({"answerReturns": True}, 0),
        ({"answerReturns": "rejects"}, 1),
        ({"resultsLateMs": 150}, 0),
        ({"resultsAfterOwnVote": True}, 0),
        ({"duplicateCallbacks": True}, 0),
        ({"replaceObjects": True}, 0),
        (
            {
                "answerThrows": "after",
                "resultsLateMs": 50,
                "resultsAfterOwnVote": True,
                "duplicateCallbacks": True,
                "replaceObjects": True,
            },
            1,
        ),
    ],
    ids=lambda value: "-".join(value) or "none" if isinstance(value, dict) else "",
)
async def test_a_knob(folder: Path, knobs: dict[str, Any], refused: int) -> None:
    """However the SDK is there, the counts are exact and no vote is doubled.

    The platform would take a second vote. A vote that the SDK complains of is not repeated: here
    it was counted all the same.
    """
    async with BridgedShow(limit=2) as show, audience(show, folder, 2, **knobs) as counters:
        show.begin()
        for _ in range(3):
            await show.play(*counters)
        await show.end(*counters)
        assert show.votes == (2, 2, 2)
        assert [players(each.history) for each in counters] == [[2, 2, 2]] * 2
        stats = [each.stats() for each in counters]
        assert [(each.votes_sent, each.votes_refused) for each in stats] == [(3, 3 * refused)] * 2


async def test_an_sdk_that_refuses_to_vote(folder: Path) -> None:
    """Votes are tried once each and are lost: low, never high; why is told, once."""
    async with BridgedShow(limit=2) as show:
        host = node_host(folder, show, answerThrows="before")
        transport = BridgeTransport(host)
        async with counter_of(transport) as counter:
            show.begin()
            for _ in range(3):
                await until(lambda: counter.stats().votes_refused == show.round)
                show.open()
                show.close()
            await show.end(counter)
        assert show.votes == (0, 0, 0)
        assert players(counter.history) == [None, None, None]
        assert counter.stats().votes_sent == 3
        assert transport.problems == ("answer() failed: not today",)


@pytest.mark.parametrize("knobs", [{}, {"losesOffline": False}], ids=["lost", "throws"])
async def test_a_vote_while_the_sdk_is_offline(folder: Path, knobs: dict[str, Any]) -> None:
    """Nobody is told that the SDK has no connection: the vote is lost, and not repeated."""
    async with BridgedShow(limit=2) as show, audience(show, folder, 1, **knobs) as (counter,):
        await show.stop_serving()
        # The event starts where nobody hears it; the bridge's other end votes by what it held.
        await show.serve_again()
        show.begin()
        await show.play(counter)
        await until(lambda: counter.stats().votes_sent == 2)
        await show.voted(1)
        await show.stop_serving()
        show.emulator.publish("trivia-2", show.now())
        show.emulator.close("trivia-2", show.now())
        show.round = 3
        await show.serve_again()
        await show.voted(1)
        await show.end(counter)
        assert show.votes == (1, 1, 1)


async def test_an_sdk_without_closed_elements(folder: Path) -> None:
    """Who was there from the start is counted right, also over a restart of the process."""
    async with (
        BridgedShow(limit=2) as show,
        audience(show, folder, 2, lists_closed=False, listsClosed=False) as counters,
    ):
        show.begin()
        await show.play(*counters)
        await show.voted(2)  # in the second round: nothing is under way
        await lose_node(counters)
        for _ in range(2):
            await show.play(*counters)
        await show.end(*counters)
        assert show.votes == (2, 2, 2)
        assert [players(each.history) for each in counters] == [[2, 2, 2]] * 2


async def test_a_latecomer_without_closed_elements(folder: Path) -> None:
    """Who comes later cannot know the round, and neither votes nor reads a count."""
    async with BridgedShow(limit=2) as show:
        show.begin()
        show.open()
        show.close()
        async with audience(show, folder, 1, lists_closed=False, listsClosed=False) as (late,):
            show.open()
            show.close()
            await until(lambda: [each.state for each in late.elements] == ["opened", "closed"])
            assert late.state is State.UPCOMING
            await show.end(late)
            assert late.latest is None
        assert show.votes == (0, 0, 0)


async def test_missing_closed_elements_are_noticed(folder: Path) -> None:
    """Where the app does not know that of its SDK, it is told after the first trivia."""
    async with BridgedShow() as show:
        transport = BridgeTransport(node_host(folder, show, listsClosed=False))
        async with counter_of(transport) as counter:
            await until(lambda: counter.state is State.UPCOMING)
            show.begin()
            await show.play(counter)
            await until(lambda: transport.problems)
            await show.play(counter)
        (problem,) = transport.problems
        assert "pass lists_closed=False" in problem


# Losses


async def test_node_is_killed(folder: Path) -> None:
    """A process that dies is started again; the counts stay right, and no vote is doubled."""
    async with BridgedShow(limit=2) as show, audience(show, folder, 3) as counters:
        show.begin()
        for _ in range(3):
            await show.voted(3)
            await lose_node(counters)
            await show.play(*counters)
        await show.end(*counters)
        assert show.votes == (3, 3, 3)
        assert [players(each.history) for each in counters] == [[3, 3, 3]] * 3


async def test_the_platform_is_restarted(folder: Path) -> None:
    """The SDK comes back by itself, and tells what it missed."""
    async with BridgedShow(limit=2) as show, audience(show, folder, 2) as counters:
        show.begin()
        for _ in range(3):
            await show.voted(2)
            await show.stop_serving()
            await show.serve_again()
            await until(lambda: show.connected == 2)
            await show.play(*counters)
        await show.end(*counters)
        assert show.votes == (2, 2, 2)
        assert [players(each.history) for each in counters] == [[2, 2, 2]] * 2


@pytest.mark.parametrize("kept", [True, False])
async def test_the_sdks_storage(folder: Path, tmp_path: Path, kept: bool) -> None:  # noqa: FBT001 - a parameter
    """With a file the SDK finds its user's id again; without one a restart is a new user."""
    storage = tmp_path / "storage.json" if kept else None
    async with BridgedShow() as show:
        transport = BridgeTransport(node_host(folder, show, storage=storage))
        async with counter_of(transport) as counter:
            users = set[str]()
            for connects in (1, 2):
                await until(lambda connects=connects: counter.stats().connects == connects)  # type: ignore[misc]
                users |= set(show.emulator.event(EVENT).users.values())
                (pid,) = children()
                os.kill(pid, signal.SIGKILL)
    assert len(users) == (1 if kept else 2)
    if storage is not None:
        assert json.loads(storage.read_text()) == {"sid": users.pop()}
        assert stat.S_IMODE(storage.stat().st_mode) == 0o600


async def test_the_process_ends_with_the_app(folder: Path) -> None:
    """An app that is killed leaves no process behind."""
    async with BridgedShow() as show:
        host = node_host(folder, show)
        code = f"""if True:
            import asyncio
            from poll_counter import *
            from poll_counter.bridge import *
            async def main():
                host = NodeHost({str(host.folder)!r}, {SDK}, {host.configure!r})
                transport = BridgeTransport(host)
                async with PollCounter(transport=transport, event_id={EVENT!r}, journal=MEMORY):
                    await asyncio.sleep(60)
            asyncio.run(main())
        """
        app = subprocess.Popen([sys.executable, "-c", code])  # noqa: ASYNC220 - it is only started
        try:
            await until(lambda: show.connected)
            (pid,) = (node for node, parent in node_processes().items() if parent == app.pid)
        finally:
            app.kill()
            app.wait()
        await until(lambda: pid not in node_processes())
        await until(lambda: not show.connected)


async def test_the_token_is_not_on_the_command_line(folder: Path) -> None:
    """Everybody on a machine may read command lines and, as the same user, environments."""
    async with BridgedShow() as show:
        transport = BridgeTransport(node_host(folder, show))
        async with counter_of(transport):
            await until(lambda: show.connected)
            (pid,) = children()
            token = transport.websocket_url.rpartition("/")[2].encode()
            told = Path(f"/proc/{pid}")
            assert b"bridge-node.mjs" in told.joinpath("cmdline").read_bytes()
            for each in ("cmdline", "environ"):
                assert token not in told.joinpath(each).read_bytes()


async def test_a_process_of_ones_own(folder: Path, tmp_path: Path) -> None:
    """With a file for its configuration somebody else may look after the process."""
    async with BridgedShow() as show:
        host = NodeHost(folder, SDK, show.configure(), supervised=False)
        transport = BridgeTransport(host)
        async with counter_of(transport) as counter:
            file = tmp_path / "bridge.json"
            file.write_text(json.dumps(host.configuration(transport.websocket_url)))
            command: list[str | Path] = ["node", SCRIPT, "--config", file]
            own = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: ASYNC220 - see above
            try:
                show.begin()
                await show.play(counter)
            finally:
                own.kill()
                own.wait()
        assert players(counter.history) == [1]


# What goes wrong, in a sentence


async def problem_of(show: BridgedShow, host: NodeHost) -> str:
    """The first thing that a host says is wrong."""
    transport = BridgeTransport(host)
    async with counter_of(transport):
        await until(lambda: transport.problems)
        assert not show.connected
        return transport.problems[0]


@pytest.mark.parametrize(
    ("sdk", "expected"),
    [
        (["@fake/sdk-nowhere"], "Cannot find package '@fake/sdk-nowhere'"),
        (["@fake/sdk-core"], "the SDK has no function getElements, answer, onEventState"),
        (["./broken.mjs"], "the SDK broke"),
        (["./silent.mjs"], "with status 3, without a word"),
        (["./late.mjs"], "it broke later"),
        (["./long.mjs"], "it is over"),
    ],
    ids=["missing", "lacking", "broken", "silent", "late", "long"],
)
async def test_a_host_that_cannot_work(folder: Path, sdk: list[str], expected: str) -> None:
    """The process ends with a sentence, which reaches the app, and is started again."""
    everything = 'export * from "@fake/sdk-util";\n'
    scripts = {
        "broken": 'throw new Error("the SDK broke\\nand more");',
        "silent": "process.exit(3);",
        "late": f'{everything} setTimeout(() => Promise.reject("it broke later"), 50);',
        "long": 'console.error("x".repeat(200000)); throw new Error("it is over");',
    }
    for name, script in scripts.items():
        folder.joinpath(f"{name}.mjs").write_text(script)
    async with BridgedShow() as show:
        problem = await problem_of(show, NodeHost(folder, sdk, show.configure()))
    assert problem.startswith("the bridge's Node.js process ended: ")
    assert expected in problem


async def test_a_storage_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    """It is left as it is: to begin a new one would be a new user of the platform."""
    storage = tmp_path / "storage.json"
    storage.write_text("{")
    async with BridgedShow() as show:
        problem = await problem_of(show, node_host(folder, show, storage=storage))
    assert f"the storage file {storage} cannot be read" in problem
    assert storage.read_text() == "{"


async def test_an_event_that_is_not_there(folder: Path) -> None:
    """The platform may not have it yet: it is asked for again, and that is said once."""
    async with BridgedShow() as show:
        transport = BridgeTransport(node_host(folder, show))
        async with PollCounter(transport=transport, event_id="none", journal=MEMORY) as counter:
            await until(lambda: transport.problems)
            assert transport.problems == ("the SDK knows no event none",)
            assert counter.state is State.OFFLINE
            show.emulator.add_event("none")
            await until(lambda: counter.state is State.UPCOMING)
            assert transport.problems == ("the SDK knows no event none",)


def test_the_blocking_counter(folder: Path) -> None:
    """The same on the background thread of `poll_counter.sync`, for apps that block."""
    with ServedShow(rounds=1) as show:
        transport = BridgeTransport(NodeHost(folder, SDK, {"host": show.url}))
        with sync.PollCounter(
            transport=transport, event_id="show", journal=MEMORY, recognise=RECOGNISE, spread_s=0.0
        ) as counter:
            show.start()
            for count in counter:
                if count.players == 1:
                    break
            show.play(1)
            show.stop()
            list(counter)
        assert players(counter.history)[0] == 1
    assert children() == []


# A process that will not


async def test_a_process_that_does_not_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that heeds neither its stdin nor a polite request is killed in the end."""
    monkeypatch.setattr(node, "GOODBYE_S", 0.1)
    stubborn = script(tmp_path, "trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done")
    transport = BridgeTransport(NodeHost(tmp_path, ["sdk"], node=stubborn))
    async with counter_of(transport):
        await until((tmp_path / "pid").exists)
    await until(lambda: not lives(tmp_path))


async def test_an_app_in_a_hurry(tmp_path: Path) -> None:
    """Who is cancelled while a process takes its time has it killed at once."""
    # What it was told is read first: who is cancelled before is still starting it.
    stubborn = script(
        tmp_path, "read told; trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done"
    )
    host = NodeHost(tmp_path, ["sdk"], node=stubborn)
    running = asyncio.create_task(host.run("ws://nowhere", print))
    await until((tmp_path / "pid").exists)
    running.cancel()
    await asyncio.sleep(0.05)  # it is waited for, for two seconds
    assert not running.done()
    running.cancel()
    await asyncio.wait([running], timeout=10.0)
    assert running.cancelled()
    assert not lives(tmp_path)


async def test_a_program_that_is_gone(tmp_path: Path) -> None:
    """What was there when it was named, and cannot be started, is a problem like any other."""
    program = script(tmp_path, "exit 0")
    transport = BridgeTransport(NodeHost(tmp_path, ["sdk"], node=program))
    Path(program).unlink()  # noqa: ASYNC240 - a file of a test's own
    async with counter_of(transport):
        await until(lambda: transport.problems)
    assert "it could not be started" in transport.problems[0]


async def test_starts_are_spread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that dies again and again is started less and less often, until one lives."""
    program = script(tmp_path, "echo so it goes >&2; exit 1")
    caplog.set_level(logging.DEBUG, logger="poll_counter.bridge.node")
    attempts = list[int]()

    def delay(attempt: int, *, first_s: float, cap_s: float) -> float:
        attempts.append(attempt)
        monkeypatch.setattr(node, "CAP_S", -1.0 if len(attempts) == 3 else 1000.0)
        return 0.0

    monkeypatch.setattr(node, "backoff_s", delay)
    problems = list[str]()
    host = NodeHost(tmp_path, ["sdk"], node=program)
    running = asyncio.create_task(host.run("ws://nowhere", problems.append))
    await until(lambda: len(attempts) >= 5)
    running.cancel()
    await asyncio.wait([running])
    assert attempts[:5] == [0, 1, 2, 0, 1]
    assert set(problems) == {"the bridge's Node.js process ended: so it goes"}


def lives(folder: Path) -> bool:
    """Whether the program that wrote its id there is still a process."""
    return Path("/proc", folder.joinpath("pid").read_text().strip()).exists()


def script(folder: Path, commands: str) -> str:
    """Make a program that stands for Node.js."""
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{commands}\n")
    program.chmod(0o755)
    return str(program)
