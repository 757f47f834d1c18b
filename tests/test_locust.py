"""Whole shows under Locust itself: in one process, over several, and with its page."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]
GUARD_S = 120.0
"""A run that takes longer has failed."""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("locust") is None, reason="Locust is not installed"
)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def locust(*arguments: str) -> Generator[subprocess.Popen[str]]:
    """Run Locust while the block runs."""
    command = [sys.executable, "-m", "simulator", "locust", *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str], code: int) -> str:
    """What a run printed, when it has ended as it should."""
    out, _ = process.communicate(timeout=GUARD_S)
    assert process.returncode == code, out
    return out


def over_workers(workers: int, *arguments: str, code: int = 0) -> str:
    """What a master says that has so many workers; they end well, however the show ends."""
    port = str(free_port())
    master = ["--master", "--expect-workers", str(workers), "--master-bind-port", port]
    mine = [argument for argument in arguments if argument in {"-f", *PLANTED}]
    with locust(*master, *arguments) as leader:
        followers = []
        for _ in range(workers):
            following = locust("--worker", "--master-port", port, *mine)
            followers.append((following, following.__enter__()))
        try:
            out = said(leader, code)
            for _, follower in followers:
                said(follower, 0)
        finally:
            for following, _ in followers:
                following.__exit__(None, None, None)
    return out


DOUBLE_VOTERS = "tests/support/locust_double_voters.py"
NOBODY = "tests/support/locust_nobody.py"
PLANTED = {DOUBLE_VOTERS, NOBODY}


def rows(text: str) -> list[list[int]]:
    """The rounds of the table: round, must, may, counted, shown, difference."""
    found = re.findall(r"^ +(\d+(?: +-?\d+){5}) *$", text, re.MULTILINE)
    return [[int(number) for number in row.split()] for row in found]


def test_a_show_over_two_workers_is_counted_exactly(tmp_path: Path) -> None:
    """Everybody once in every round; what happened is in Locust's files, and in a page of ours."""
    out = over_workers(
        2,
        *("--players", "200", "--rounds", "2", "--round-time", "3"),
        *("--csv", str(tmp_path / "show"), "--html", str(tmp_path / "show.html")),
        *("--report", str(tmp_path / "page.html")),
    )
    assert [row[:4] for row in rows(out)] == [[1, 200, 200, 200], [2, 200, 200, 200]]
    assert "OK: every round is counted right" in out
    with (tmp_path / "show_stats.csv").open(encoding="utf-8") as file:
        stats = {row["Name"]: row for row in csv.DictReader(file)}
    times = {name: int(row["Request Count"]) for name, row in stats.items()}
    assert times["connect"] == 200
    # Between the close of the last trivia and the end, some vote for a round that never comes.
    assert 400 <= times["count fresh"] <= times["vote accepted"] < 600
    assert stats["every round is counted right"]["Failure Count"] == "0"
    assert "vote accepted" in (tmp_path / "show.html").read_text(encoding="utf-8")
    assert "<td>200</td>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_planted_double_voter_makes_locust_fail(tmp_path: Path) -> None:
    """It votes under a second id; the exit code says so, and so do Locust's files."""
    out = over_workers(
        2,
        *("-f", DOUBLE_VOTERS, "--players", "40", "--rounds", "1", "--round-time", "2"),
        *("--csv", str(tmp_path / "show")),
        code=1,
    )
    assert "42 ids were seen of a crowd that has 40" in out
    with (tmp_path / "show_failures.csv").open(encoding="utf-8") as file:
        (failure,) = csv.DictReader(file)
    assert failure["Name"] == "round 0: there are no more ids than players"


def test_a_part_of_the_crowd_that_is_lost_makes_locust_fail() -> None:
    """Nothing can be said of a show without what its players saw."""
    out = over_workers(1, "-f", NOBODY, "--players", "4", "--rounds", "1", code=1)
    assert "no part of the crowd is lost" in out
    assert "its process ended with code 1" in out


def test_a_worker_says_itself_where_its_crowd_may_go() -> None:
    """What the master allows itself is not allowed to its workers."""
    address = "0.0.0.0"
    out = over_workers(1, "--listen", address, "--allow-host", address, "--players", "4", code=1)
    assert "a crowd goes to loopback and private addresses only" in out


def test_one_process_is_enough() -> None:
    """Without workers it has the players itself; drops show as reconnects."""
    with locust(
        *("--players", "20", "--rounds", "2", "--round-time", "2", "--drop", "0.5", "--json")
    ) as process:
        out = said(process, 0)
    assert "OK: every round is counted right" in out
    (stats,) = (line for line in [out[out.index("[\n") :]] if line)
    names = {each["name"]: each["num_requests"] for each in json.JSONDecoder().raw_decode(stats)[0]}
    assert names["connect"] == 20
    assert names["reconnect"] == 10


def test_bad_options_exit_with_2_and_a_sentence() -> None:
    """Before anything is run."""
    with locust("--players", "-3") as process:
        out = said(process, 2)
    assert "--players: Input should be greater than or equal to 0" in out


def test_a_show_is_started_on_locusts_page() -> None:
    """It says how many players; the verdict is among the requests; then the next show may start.

    The exit code is the last show's.
    """
    port = free_port()
    with (
        locust("--web", "--web-port", str(port), "--players", "99") as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as page,
    ):
        until(lambda: page.get("/").status_code == httpx.codes.OK)
        assert "round_time" in page.get("/").text
        begin = {"players": "10", "rounds": "1", "round_time": "1", "user_count": "1"}
        for form, verdict in (
            (begin, ("every round is counted right", 0)),
            ({**begin, "players": "-1"}, ("the show can be played", 1)),
        ):
            assert page.post("/swarm", data=form).json()["success"]
            until(lambda verdict=verdict: verdict in checks(page))  # type: ignore[misc]
            until(lambda: page.get("/stats/requests").json()["state"] == "stopped")
        process.terminate()
        assert "players: Input should be greater than or equal to 0" in said(process, 1)


def checks(page: httpx.Client) -> list[tuple[str, int]]:
    """What Locust's page shows: names, and how many of each failed."""
    stats = page.get("/stats/requests").json()["stats"]
    return [(each["name"], each["num_failures"]) for each in stats]


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    ends = time.monotonic() + GUARD_S
    while time.monotonic() < ends:
        try:
            if holds():
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        time.sleep(0.1)
    raise AssertionError("it does not come to hold")
