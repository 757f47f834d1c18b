"""Nodes as processes, killed with -9 in the middle of a show, which is judged as ever."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from simulator.__main__ import main
from tests.support.nodes.hosts import hosts
from tests.support.nodes.process import NodeProcess
from tests.support.nodes.redis_server import IN_MEMORY, RedisServer, redis_command
from tests.support.nodes.show import run_nodes, small_show

ROOT = Path(__file__).parents[2]


async def test_nodes_die_and_redis_is_restarted(tmp_path: Path) -> None:
    """On hosts of their own: in every second round a node is killed, once Redis; all count once."""
    with hosts(3) as made:
        assert len({place.host for place in made.places}) == 3
        shown = await run_nodes(
            small_show(40),
            tmp_path,
            places=made.places,
            redis_round=3,
            redis=RedisServer(redis_command(), made.redis, parent=IN_MEMORY),
        )
    assert len(shown.killed) == 2
    rows = [(row.must, row.may, row.counted) for row in shown.report.rows]
    assert rows == [(40, 40, 40)] * 4, [*shown.figures.lines, *shown.report.violations]
    assert shown.report.ok, shown.report.violations
    # Who is quick also votes for a round 5, before the event is stopped.
    assert 160 <= sum(shown.votes_by_node.values()) <= 200
    told = shown.figures
    assert told.quiet_ms is not None
    assert told.disturbed_ms is not None
    assert told.outage_s is not None
    assert told.resumed_s is not None
    assert told.outage_s > 0.0
    assert told.resumed_s > 0.0


def test_a_round_bears_a_redis_that_is_slow_to_start() -> None:
    """With other work on the machine it takes seconds, and a count is not to hang on that."""
    assert small_show(40).bearable_s > 3.5


async def test_serve_as_a_node(redis: RedisServer, tmp_path: Path) -> None:
    """The first node makes the show, the others show it; each says which it is."""
    nodes = [NodeProcess(name, redis.url, tmp_path) for name in ("one", "two")]
    try:
        for node in nodes:
            await node.start()
        one, two = (node.ready for node in nodes)
        assert (one["node"], two["node"]) == ("one", "two")
        assert one["event_id"] == two["event_id"]
        assert one["project_id"] == two["project_id"]
        assert [await node.stop() for node in nodes] == [0, 0]
        assert "press Enter" in nodes[0].errors
        assert "the node that made the show runs it" in nodes[1].errors
    finally:
        for node in nodes:
            node.end()


async def test_a_node_that_cannot_go_on_says_why(own_redis: RedisServer) -> None:
    """Its exit code is 2, and the sentence tells what to do."""
    node = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator", "serve", "--json", "--rounds", "1"),
        *("--redis", own_redis.url, "--node", "one"),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        assert node.stdout is not None
        async with asyncio.timeout(30.0):
            json.loads(await node.stdout.readline())
            own_redis.kill()
            own_redis.forget()
            await asyncio.to_thread(own_redis.start)
            _, errors = await node.communicate()
        assert node.returncode == 2
        assert "has lost the show: was it started again without --appendonly yes?" in (
            errors.decode()
        )
    finally:
        if node.returncode is None:
            node.send_signal(signal.SIGKILL)
            await node.communicate()


@pytest.mark.parametrize("given", [["--redis", "redis://127.0.0.1"], ["--node", "one"]])
def test_redis_and_node_go_together(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One without the other is a mistake."""
    assert main(["serve", *given]) == 2
    assert "--redis and --node go together" in capsys.readouterr().err


def test_a_name_is_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """It stands in Redis, and in its list of clients."""
    with pytest.raises(SystemExit):
        main(["serve", "--redis", "redis://127.0.0.1", "--node", "two words"])
    assert "a name is 1 to 64 letters" in capsys.readouterr().err


def test_a_log_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is served without it."""
    assert main(["serve", "--log", str(tmp_path / "no" / "log")]) == 2
    assert "the log cannot be written" in capsys.readouterr().err
