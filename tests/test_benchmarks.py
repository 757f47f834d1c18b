"""What the benchmarks make of what they measure."""

from __future__ import annotations

import asyncio
import json
import socket
from functools import partial
from io import StringIO

import pytest
from rich.console import Console

from tests.benchmarks import __main__ as command
from tests.benchmarks.figures import Figure, as_json, in_turns, print_figures
from tests.benchmarks.presence.costs import Bytes, little_by_little, pushes

FIGURE = Figure("a call", "3 us", "2 us, a floor", 1.5, 2.0)


def test_a_limit_holds_or_does_not() -> None:
    """At most, at least, or none at all."""
    assert FIGURE.ok
    assert not FIGURE._replace(ratio=2.1).ok
    assert FIGURE._replace(at_least=True, ratio=2.1).ok
    assert not FIGURE._replace(at_least=True).ok
    assert FIGURE._replace(limit=None, ratio=99.0).ok


def test_both_are_measured_in_turns() -> None:
    """Now one first, now the other; a turn in which something else happened does not count."""
    order, times = list[str](), iter([2.0, 2.0, 2.0, 90.0, 2.0])

    def ours() -> float:
        order.append("ours")
        return next(times)

    def other() -> float:
        order.append("other")
        return 1.0

    assert in_turns(ours, other, 1) == (2.0, 1.0, 2.0)
    assert order[:6] == ["ours", "other", "other", "ours", "ours", "other"]


def test_figures_are_told_with_their_machine() -> None:
    """For people a table, for scripts one object."""
    console = Console(width=120, file=StringIO())
    print_figures([FIGURE], console)
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[0].startswith("cpu ")
    assert " ".join(lines[-1].split()) == "a call 3 us 2 us, a floor 1.50 <= 2"
    told = json.loads(as_json([FIGURE]))
    assert told["machine"]["cores"].isdigit()
    assert told["figures"][0]["ratio"] == 1.5
    assert told["figures"][0]["ok"] is True


def test_a_limit_that_does_not_hold_is_an_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that CI sees it; with --json, standard output has one object and nothing else."""
    found = [FIGURE]
    monkeypatch.setattr(command, "BENCHMARKS", {"calls": lambda *, quick: found})
    assert command.main(["--quick"]) == 0
    found[0] = FIGURE._replace(ratio=9.0)
    assert command.main(["--only", "calls", "--json"]) == 1
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1])["figures"][0]["ok"] is False


def test_a_show_has_pushes_of_its_own() -> None:
    """A trivia is published, and closed with its results; others send the same."""
    kinds = [json.loads(frame)["type"] for frame in pushes(2)]
    assert kinds == ["element_published", "element_state", "results"] * 2


def test_bytes_are_those_of_both_ways() -> None:
    """What the system counted for a connection, whatever wrote it; a handshake of TCP counts 1."""
    on_wire = Bytes()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as server,
    ):
        client.sendall(b"x" * 1000)
        assert server.recv(1000, socket.MSG_WAITALL)
        server.sendall(b"y" * 333)
        assert client.recv(333, socket.MSG_WAITALL)  # and so the first are acknowledged
        on_wire.read(client)
        on_wire.read(client)
    assert on_wire.total == 2 * (1000 + 333 + 1)


async def test_a_crowd_comes_little_by_little() -> None:
    """Each at its time, in order; the end is when all have come."""
    loop, came = asyncio.get_running_loop(), list[tuple[int, float]]()
    began = loop.time()

    async def come(number: int) -> None:
        came.append((number, loop.time() - began))

    await little_by_little([partial(come, number) for number in range(4)], 0.04)
    assert [number for number, _ in came] == [0, 1, 2, 3]
    assert all(at > 0.01 * number - 0.005 for number, at in came)
