"""`serve` and `crowd`: a platform for one's own app, and a crowd that goes to a platform."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from io import StringIO
from pathlib import Path
from typing import IO

import httpx
import pytest
from rich.console import Console
from rich.table import Table
from websockets.asyncio.server import ServerConnection

from poll_counter import MEMORY, MisuseError, PollCounter
from poll_counter.control import ControlApi
from simulator import serve, sockets
from simulator.__main__ import main
from simulator.choices import Choices
from simulator.report import CrowdReport
from simulator.scenario import Scenario
from simulator.serve import check_host, join_show, serve_show
from simulator.server import LiveServer
from tests.support import served as support
from tests.support.served import ServedShow
from tests.support.waiting import until

ROOT = Path(__file__).parents[1]
GUARD_S = 30.0


# Processes


@asynccontextmanager
async def simulator(*arguments: str) -> AsyncGenerator[Process]:
    """Run `python -m simulator` while the block runs; nothing of it is left afterwards."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator", *arguments),
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(GUARD_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def read_line(stream: asyncio.StreamReader | None) -> str:
    """Read the next line that a process prints."""
    assert stream is not None
    return (await stream.readline()).decode().rstrip("\n")


async def read_until(stream: asyncio.StreamReader | None, text: str) -> list[str]:
    """Read lines up to the one that has the text in it."""
    lines = [await read_line(stream)]
    while text not in lines[-1]:
        lines.append(await read_line(stream))
        assert lines[-1], f"{text!r} was not printed, but {lines}"
    return lines


async def ended(process: Process) -> tuple[int | None, str, str]:
    """Wait for a process to end; returns its exit code and what else it printed."""
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


# serve


async def test_serve_is_for_other_apps() -> None:
    """One line of JSON says where it is; an app that attaches is counted with the crowd."""
    options = ("--port", "0", "--rounds", "2", "--round-time", "1", "--players", "5")
    async with simulator("serve", "--autostart", "--json", *options) as process:
        ready = json.loads(await read_line(process.stdout))
        assert sorted(ready) == [
            "cdn_url",
            "control_url",
            "event_id",
            "live_url",
            "project_id",
            "token",
        ]
        assert ready["live_url"].startswith("ws://127.0.0.1:")
        async with PollCounter(
            ready["live_url"], event_id=ready["event_id"], journal=MEMORY
        ) as counter:
            async for _ in counter:
                pass
            assert {k: c.players for k, c in counter.history.items() if k <= 2} == {1: 6, 2: 6}
        told = await read_until(process.stderr, "the show is over")
        process.send_signal(signal.SIGTERM)
        code, out, err = await ended(process)
        assert (code, out) == (0, "")
        assert [*told, *err.splitlines()] == [
            f"live channel: {ready['live_url']}  event: {ready['event_id']}  (Ctrl-C stops)",
            f"Control API and CDN feeds: {ready['control_url']}  project: {ready['project_id']}",
            f"token of the producer: {ready['token']}",
            "the show is on, for 2 s",
            "the show is over (Ctrl-C stops)",
            "stopped",
        ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
async def test_a_signal_stops_it_before_the_show(number: signal.Signals) -> None:
    """Waiting for the key press, it stops cleanly."""
    async with simulator("serve", "--rounds", "3", "--players", "2") as process:
        lines = await read_until(process.stdout, "press Enter")
        assert re.fullmatch(
            r"live channel: ws://127\.0\.0\.1:\d+  event: [0-9a-f-]{36}  \(Ctrl-C stops\)", lines[0]
        )
        assert lines[3:] == ["press Enter to start the show of 3 rounds"]
        process.send_signal(number)
        assert await ended(process) == (0, "stopped\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
async def test_a_signal_stops_it_in_the_middle_of_the_show(number: signal.Signals) -> None:
    """The show and its crowd go with it, without a word of complaint."""
    async with simulator("serve", "--autostart", "--players", "3") as process:
        await read_until(process.stdout, "the show is on, for 100 s")
        process.send_signal(number)
        code, out, err = await ended(process)
        assert (code, err) == (0, "")
        assert out.splitlines()[-1:] in (["stopped"], ["the show is over (Ctrl-C stops)"])


async def test_a_key_press_starts_the_show() -> None:
    """Enter, and the show is on; not before."""
    async with simulator("serve", "--rounds", "1", "--round-time", "0.2") as process:
        await read_until(process.stdout, "press Enter")
        assert process.stdin is not None
        process.stdin.write(b"\n")
        assert await read_line(process.stdout) == "the show is on, for 0 s"
        assert await read_line(process.stdout) == "the show is over (Ctrl-C stops)"
        process.send_signal(signal.SIGINT)
        assert await ended(process) == (0, "stopped\n", "")


@pytest.mark.parametrize("option", ["--port", "--web-port"])
def test_a_taken_port_is_told(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence and exit code 2, instead of a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", option, str(port)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("python -m simulator: cannot listen: ")
    assert f"{port}" in err
    assert "address already in use" in err.lower()


def test_choices_are_read_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be read, or is no choice, is told in a sentence."""
    choices = tmp_path / "choices.toml"
    for content, told in (
        (None, "cannot be read"),
        ("refill_per_s = [", "cannot be read"),
        ("refill_per_s = -1", "refill_per_s"),
        ("refil = 1", "refil"),
    ):
        if content is not None:
            choices.write_text(content)
        with pytest.raises(SystemExit) as exit_:
            main(["serve", "--choices", str(choices)])
        assert exit_.value.code == 2
        error = capsys.readouterr().err
        assert "choices.toml" in error
        assert told in error


async def test_the_documented_call_gives_the_stats() -> None:
    """With the token that is printed: all six attributes, true for the crowd connected."""
    options = ("--rounds", "1", "--round-time", "30", "--players", "7")
    async with simulator("serve", "--autostart", "--json", *options) as process:
        ready = json.loads(await read_line(process.stdout))
        await read_until(process.stderr, "the show is on")
        url = f"{ready['control_url']}/api/v2/events/{ready['event_id']}?include=stats"
        async with httpx.AsyncClient() as client:
            headers = {"Authorization": f"Bearer {ready['token']}"}
            answer = await client.get(url, headers=headers)
        (stats,) = answer.json()["included"]
        assert (stats["id"], stats["type"]) == (ready["event_id"], "stats")
        attributes = stats["attributes"]
        assert sorted(attributes) == [
            "average_session_length",
            "current_concurrency",
            "elements_count",
            "interactions",
            "peak_concurrency",
            "unique_users",
        ]
        assert attributes["current_concurrency"] == attributes["unique_users"] == 7
        process.send_signal(signal.SIGTERM)
        await ended(process)


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_cannot_be_is_told(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence and exit code 2, instead of a traceback."""
    try:
        code: object = main(["serve", "--port", port])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert port in capsys.readouterr().err


# serve, in this process


@contextmanager
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Generator[IO[str]]:
    """Give the other end of standard input."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin, os.fdopen(writer, "w") as keys:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keys
        keys.close()
        for thread in threading.enumerate():
            if thread.name == "key press":
                thread.join(GUARD_S)


def test_serve_exits_with_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command as a whole: JSON on standard output, the rest on standard error."""
    heard = StringIO()
    monkeypatch.setattr(sys, "stderr", heard)

    def stop_when_over() -> None:
        wait_for(lambda: "the show is over" in heard.getvalue())
        os.kill(os.getpid(), signal.SIGTERM)

    with in_thread(stop_when_over):
        options = ["--autostart", "--json", "--rounds", "1", "--round-time", "0.2"]
        assert main(["serve", *options]) == 0
    assert heard.getvalue().endswith("stopped\n")
    assert json.loads(capsys.readouterr().out)["event_id"] in heard.getvalue()


async def test_a_show_is_served_until_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a crowd of its own, started by a key press; after the show it stays up."""
    scenario = Scenario(players=3, rounds=1, round_time=0.3)
    console = Console(file=StringIO(), width=100)
    with keyboard(monkeypatch) as keys:
        serving = asyncio.create_task(
            serve_show(
                scenario,
                choices=Choices(),
                port=0,
                web_port=0,
                autostart=False,
                as_json=True,
                console=console,
            )
        )
        await until(lambda: "press Enter" in _printed(console))
        keys.write("\n")
        keys.flush()
        ready = json.loads(capsys.readouterr().out)
        url, event_id = ready["live_url"], ready["event_id"]
        async with PollCounter(url, event_id=event_id, journal=MEMORY) as counter:
            async for _ in counter:
                pass
        await until(lambda: "the show is over" in _printed(console))
        assert not serving.done()
        assert counter.history[1].votes in {3, 4}, "the crowd, and perhaps the counter"
        signal.raise_signal(signal.SIGINT)
        await serving
    assert _printed(console).endswith("stopped\n")
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_show_that_is_stopped_from_elsewhere_breaks_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who tries the Control API by hand may stop the event; the platform stays up."""
    console = Console(file=StringIO(), width=100)
    serving = asyncio.create_task(
        serve_show(
            Scenario(players=0, rounds=1, round_time=1.0),
            choices=Choices(),
            port=0,
            web_port=0,
            autostart=True,
            as_json=True,
            console=console,
        )
    )
    await until(lambda: "the show is on" in _printed(console))
    ready = json.loads(capsys.readouterr().out)
    async with ControlApi(ready["control_url"], token=ready["token"]) as api:
        await until_state(api, ready["event_id"], "current")
        await api.stop_event(ready["event_id"])
        await until(lambda: "the show broke off" in _printed(console))
        assert "unless the event is active" in _printed(console)
        assert (await api.event(ready["event_id"])).state == "past"
    signal.raise_signal(signal.SIGTERM)
    await serving


async def until_state(api: ControlApi, event_id: str, state: str) -> None:
    """Wait until an event is in a state."""
    for _ in range(100):
        if (await api.event(event_id)).state == state:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"it never was {state}")


async def test_a_stop_before_the_key_press_starts_no_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked last is done."""
    console = Console(file=StringIO(), width=100)
    with keyboard(monkeypatch):
        serving = asyncio.create_task(
            serve_show(
                Scenario(players=1),
                choices=Choices(),
                port=0,
                web_port=0,
                autostart=False,
                as_json=False,
                console=console,
            )
        )
        await until(lambda: "press Enter" in _printed(console))
        signal.raise_signal(signal.SIGTERM)
        await serving
    assert "the show is on" not in _printed(console)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_end_of_input_is_no_key_press(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started without a terminal, the show waits for a key press that does not come."""
    with keyboard(monkeypatch):
        pressed = serve._key_press()
    await asyncio.sleep(0)  # what the thread may have asked of the loop is done now
    assert not pressed.is_set()


async def test_without_any_input_there_is_no_key_press(monkeypatch: pytest.MonkeyPatch) -> None:
    """With standard input closed, python has none: nothing breaks."""
    monkeypatch.setattr(sys, "stdin", None)
    pressed = serve._key_press()
    for thread in threading.enumerate():
        if thread.name == "key press":
            thread.join(GUARD_S)
    await asyncio.sleep(0)
    assert not pressed.is_set()


def _printed(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


# Where a crowd may go


@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.1:8765",
        "ws://127.9.9.9",
        "ws://localhost:8765/show",
        "ws://LOCALHOST",
        "ws://[::1]:8765",
        "wss://10.1.2.3",
        "wss://172.16.0.9",
        "wss://192.168.1.20:8443",
        "wss://[fd00::5]",
    ],
)
def test_a_crowd_may_go_to_this_machine_and_private_networks(url: str) -> None:
    """Loopback and private addresses need no leave."""
    check_host(url, [])


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("wss://live.example.com/show", "live.example.com"),
        ("ws://8.8.8.8:80", "8.8.8.8"),
        ("wss://[2001:4860:4860::8888]", "2001:4860:4860::8888"),
        ("wss://[::ffff:8.8.8.8]", "::ffff:8.8.8.8"),
        ("wss://localhost.example.com", "localhost.example.com"),
        ("wss://127.0.0.1.example.com", "127.0.0.1.example.com"),
        ("wss://127.0.0.1@example.com", "example.com"),
        ("wss://172.32.0.1", "172.32.0.1"),
    ],
)
def test_a_crowd_goes_nowhere_else_without_leave(url: str, host: str) -> None:
    """A public host is refused with the option that allows it, and allowed with it."""
    with pytest.raises(MisuseError, match=f"add --allow-host {re.escape(host)}$"):
        check_host(url, ["another.example.com"])
    check_host(url, ["another.example.com", host])


def test_a_host_is_allowed_in_whatever_case_it_is_written() -> None:
    """Names of hosts do not differ by case."""
    check_host("wss://Live.Example.com", ["Live.Example.com"])


def test_an_address_without_a_host_is_refused() -> None:
    """There is nothing to allow."""
    with pytest.raises(MisuseError, match=r"'8765' is none; .* add --allow-host HOST$"):
        check_host("8765", [])


NOT_QUITE = "127.1"
"""An address that the system takes for 127.0.0.1, but which is none in the eyes of python."""


async def test_nothing_is_sent_to_a_host_that_is_not_allowed() -> None:
    """The crowd is refused with exit code 2 before a connection is made; with leave it goes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.0)
        url = f"ws://{NOT_QUITE}:{listener.getsockname()[1]}"
        arguments = ("crowd", url, "--event", "demo", "--players", "1")
        async with simulator(*arguments) as process:
            code, out, err = await ended(process)
        assert (code, out) == (2, "")
        assert err.startswith("python -m simulator: a crowd goes to loopback and private addresses")
        with pytest.raises(BlockingIOError):
            listener.accept()
        async with simulator(*arguments, "--allow-host", NOT_QUITE) as process:
            knock, _ = await asyncio.get_running_loop().sock_accept(listener)
            knock.close()
            process.send_signal(signal.SIGINT)
            code, _, _ = await ended(process)
            assert code == 0


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8765", "ws://[::1", "ws://127.0.0.1:99999", "localhost"]
)
def test_an_address_that_is_none_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence and exit code 2, instead of a traceback."""
    assert main(["crowd", url, "--event", "demo", "--players", "1"]) == 2
    assert capsys.readouterr().err.startswith("python -m simulator: ")


# A crowd on its way: another thread runs the show, as fast as the crowd votes


def wait_for(condition: Callable[[], object]) -> None:
    """Wait in a thread until the condition holds; fails if it never does."""
    pause, end = threading.Event(), time.monotonic() + GUARD_S
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        pause.wait(0.002)


@contextmanager
def in_thread(action: Callable[[], None]) -> Generator[None]:
    """Run an action in another thread while the block runs; its errors are raised here."""
    errors = list[BaseException]()

    def run() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)
            os.kill(os.getpid(), signal.SIGINT)  # so that the block does not wait for ever

    thread = threading.Thread(target=run, name="director")
    thread.start()
    try:
        yield
    finally:
        thread.join()
        if errors:
            raise errors[0]


def play_for(show: ServedShow, players: int, rounds: Iterable[int] = (1, 2)) -> None:
    """Wait for the crowd, and run a show that waits for its votes."""
    wait_for(lambda: show.connected == players)
    show.start()
    for round_ in rounds:
        wait_for_votes(show, round_, players)
        show.play(round_)
    show.stop()


def wait_for_votes(show: ServedShow, round_: int, players: int) -> None:
    """Wait until everybody has voted in a round."""
    (poll,) = show.show.polls
    wait_for(lambda: show.emulator.votes(poll)[round_ - 1] == players)


def crowd_of(show: ServedShow, players: int, *options: str) -> list[str]:
    """The arguments of a crowd that goes to a show."""
    return ["crowd", show.url, "--event", "show", "--players", str(players), *options]


def test_a_crowd_from_another_process_is_counted() -> None:
    """All its players are counted in both rounds; JSON alone on standard output, exit code 0."""
    with ServedShow() as show, in_thread(lambda: play_for(show, 12)):
        done = subprocess.run(
            [sys.executable, "-m", "simulator", *crowd_of(show, 12, "--json")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=GUARD_S,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    report = json.loads(done.stdout)
    assert (report["ok"], report["mode"], report["players"]) == (True, "crowd", 12)
    counted = {row["round"]: row["counted"] for row in report["rounds"]}
    assert (counted[1], counted[2]) == (12, 12)
    assert report["violations"] == []
    assert report["votes_accepted"] >= 24
    assert report["reconnects"] == 0


def test_a_crowd_prints_what_it_saw(capsys: pytest.CaptureFixture[str]) -> None:
    """For people: the players counted in every round, and the totals."""
    with ServedShow() as show, in_thread(lambda: play_for(show, 4)):
        assert main(crowd_of(show, 4)) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["round", "players", "counted"]
    assert [line.split() for line in lines[1:3]] == [["1", "4"], ["2", "4"]]
    assert lines[-1].startswith("4 players, ")
    assert err == ""


class Lying(LiveServer):
    """Tells its first client of one vote less than the others, in final results."""

    def _send(self, connections: Iterable[ServerConnection], frame: str) -> None:
        first, *others = connections
        told = json.loads(frame)
        if told["type"] == "results" and told["final"]:
            votes = [max(0, number - 1) for number in told["votes"]]
            super()._send([first], json.dumps({**told, "votes": votes}))
        else:
            super()._send([first], frame)
        super()._send(others, frame)


def test_a_crowd_that_does_not_agree_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A platform that tells one player less than the others is found out."""
    monkeypatch.setattr(support, "LiveServer", Lying)
    with ServedShow() as show, in_thread(lambda: play_for(show, 3)):
        assert main(["--json", *crowd_of(show, 3)]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["violations"][0] == {
        "round": 1,
        "rule": "all observers hold the same count",
        "text": "held 2, 3",
    }
    assert report["rounds"][0] == {"round": 1, "counted": 2}


def test_a_crowd_is_shown_live_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While it waits for the show to begin, one sees who is in."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any output for a terminal then
    with ServedShow() as show, in_thread(lambda: play_for(show, 2)):
        assert main(crowd_of(show, 2)) == 0
    assert "players arrive" in capsys.readouterr().out


def test_a_crowd_for_an_unknown_event_gives_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence that says what may be wrong, and exit code 2."""
    monkeypatch.setattr(sockets, "ARRIVAL_TIMEOUT_S", 0.1)
    with ServedShow() as show:
        assert main(["crowd", show.url, "--event", "nowhere", "--players", "2"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(
            r"python -m simulator: after 0 s only 0 of the crowd are in; is the platform up, .*\?",
            err.splitlines()[-1],
        )


def test_ctrl_c_ends_a_crowd_with_what_it_has_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """The crowd leaves in the middle of the show, and reports."""

    def interrupt() -> None:
        wait_for(lambda: show.connected == 3)
        show.start()
        wait_for_votes(show, 1, 3)
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(lambda: show.connected == 0)

    with ServedShow() as show, in_thread(interrupt):
        assert main(crowd_of(show, 3, "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["players"] == 3
    assert report["votes_sent"] == 3


async def test_ctrl_c_ends_a_crowd_that_is_not_in_yet() -> None:
    """It does not have to wait for a platform that does not answer."""
    tables = list[Table]()

    def interrupt(table: Table) -> None:
        tables.append(table)
        signal.raise_signal(signal.SIGINT)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        report = await join_show(Scenario(players=2), url, "demo", interrupt)
    assert report == CrowdReport(
        {}, [], {"players": 2, "votes_sent": 0, "votes_accepted": 0, "reconnects": 0}
    )
    assert tables
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_crowd_that_gets_nowhere_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on trying, and people are told before they wonder."""
    monkeypatch.setattr("simulator.serve.PATIENCE_S", 0.0)
    told = list[str]()

    def tell(text: str) -> None:
        told.append(text)
        signal.raise_signal(signal.SIGINT)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        await join_show(Scenario(players=2), url, "demo", tell=tell)
    (text,) = told
    assert text.startswith("nobody is in yet: is the platform up")


async def test_a_crowd_joins_a_platform_that_is_served_elsewhere() -> None:
    """`serve` in one process, a crowd in another: all are counted when the key is pressed."""
    options = ("--rounds", "2", "--round-time", "0.6")
    async with simulator("serve", "--json", *options) as process:
        ready = json.loads(await read_line(process.stdout))

        def press(table: Table) -> None:
            assert process.stdin is not None
            if "connected  8\n" in _text(table) and not pressed:
                pressed.append(True)
                process.stdin.write(b"\n")

        pressed = list[bool]()
        scenario = Scenario(players=8, rounds=2, round_time=0.6)
        report = await join_show(scenario, ready["live_url"], ready["event_id"], press)
        assert report.ok
        assert {k: n for k, n in report.counts.items() if k <= 2} == {1: 8, 2: 8}
        process.send_signal(signal.SIGINT)
        code, _, err = await ended(process)
        assert (code, err.splitlines()[-1]) == (0, "stopped")


def _text(table: Table) -> str:
    console = Console(width=100, file=StringIO())
    console.print(table)
    return "".join(line.rstrip() + "\n" for line in _printed(console).splitlines())
