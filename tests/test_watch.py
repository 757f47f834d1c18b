"""`poll-counter watch`: the counts of a show, seen by one who does not vote."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from poll_counter import MEMORY, PollCounter
from poll_counter.cli import watch
from poll_counter.cli.options import make_parser
from poll_counter.cli.terminal import Terminal
from poll_counter.control import hidden_poll
from poll_counter.counts import RoundCount
from poll_counter.elements import CONCURRENCY_FIELD
from simulator.content import settings_of
from simulator.emulator import Emulator
from simulator.server import LiveServer

from .support.command_line import CommandLine
from .support.waiting import soon, until

EVENT = "show"


class Show:
    """A show of two rounds on loopback, with a hidden poll, and players who vote at once."""

    def __init__(self, live: LiveServer) -> None:
        self.live = live
        self.emulator = live.emulator
        self.emulator.add_event(EVENT, "Friday")
        poll = hidden_poll.attributes(spread_s=0.0)
        self.emulator.add_element(EVENT, "poll", settings_of(poll, base_type="poll"))
        for name in ("one", "two"):
            trivia = settings_of({"content_type": "trivia"}, base_type="trivia")
            self.emulator.add_element(EVENT, name, trivia)

    def start(self) -> None:
        """Start the event and publish the hidden poll."""
        self.live.act(self.emulator.start, EVENT)
        self.live.act(self.emulator.publish, "poll")

    def play(self, name: str) -> None:
        """Publish and close a trivia."""
        self.live.act(self.emulator.publish, name)
        self.live.act(self.emulator.close, name)

    def stop(self) -> None:
        """Stop the event, if that was not done before."""
        if self.emulator.event(EVENT).state != "finished":
            self.live.act(self.emulator.stop, EVENT)

    @asynccontextmanager
    async def players(self, count: int) -> AsyncIterator[None]:
        """Let players join, for as long as the block runs."""
        async with AsyncExitStack() as stack:
            for _ in range(count):
                counter = PollCounter(self.live.url, event_id=EVENT, journal=MEMORY)
                await stack.enter_async_context(counter)
            await until(lambda: self.emulator.connected(EVENT) >= count)
            yield

    async def connected(self, clients: int) -> None:
        """Wait until so many clients are connected."""
        await until(lambda: self.emulator.connected(EVENT) == clients)


@pytest.fixture
async def show() -> AsyncGenerator[Show, None]:
    """A show on loopback, over in the end: whoever still watches leaves."""
    async with LiveServer(Emulator(results_interval_s=0.01)) as live:
        show = Show(live)
        yield show
        show.stop()


async def test_a_line_for_every_count(show: Show) -> None:
    """Until the event ends; whoever watches does not vote."""
    command = CommandLine()
    watching = asyncio.create_task(command.run("watch", show.live.url, "--event", EVENT))
    async with show.players(3):
        await show.connected(4)
        show.start()
        await until(lambda: "round 1: 3 players" in command.out)
        show.play("one")
        await until(lambda: "round 2: 3 players" in command.out)
        show.stop()
        assert await soon(watching) == 0
    assert show.emulator.votes("poll")[:3] == (3, 3, 0)
    assert command.err == ""


async def test_a_line_of_json_for_every_count(show: Show) -> None:
    """All that a count says; also on a screen."""
    command = CommandLine()
    words = ("watch", show.live.url, "--event", EVENT, "--json")
    watching = asyncio.create_task(command.run(*words, screen=True))
    async with show.players(1):
        await show.connected(2)
        show.start()
        await until(lambda: '"players": 1' in command.out)
        show.stop()
        assert await soon(watching) == 0
    counts = [RoundCount(**json.loads(line)) for line in command.out.splitlines()]
    assert counts[-1].round == 1
    assert counts[-1].players == 1


async def test_bars_on_a_screen(show: Show) -> None:
    """A bar per round, with where the show is and what the producer says of the connected."""
    command = CommandLine()
    watching = asyncio.create_task(
        command.run("watch", show.live.url, "--event", EVENT, screen=True)
    )
    async with show.players(2):
        await show.connected(3)
        show.start()
        await until(lambda: "2 players" in command.out)
        assert "waiting" in command.out
        now = show.live.now()
        show.live.tell(show.emulator.update_event(EVENT, now, fields={CONCURRENCY_FIELD: 1234}))
        show.play("one")
        await until(lambda: "round 2" in command.out)
        show.stop()
        assert await soon(watching) == 0
    last = command.out[command.out.rindex("round 1") :]
    assert "round 2" in last
    assert "finished, 1,234 users connected" in last
    assert "━" in last


async def test_nothing_is_shown_where_nothing_was_counted(show: Show) -> None:
    """The event ends before it began."""
    command = CommandLine()
    watching = asyncio.create_task(
        command.run("watch", show.live.url, "--event", EVENT, screen=True)
    )
    await show.connected(1)
    show.stop()
    assert await soon(watching) == 0
    assert "round" not in command.out
    assert "finished" in command.out


async def test_silence_is_told(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers: people are told that it goes on trying."""
    monkeypatch.setattr(watch, "PATIENCE_S", 0.0)
    command = CommandLine()
    watching = asyncio.create_task(command.run("watch", show.live.url, "--event", EVENT))
    await until(lambda: "no connection yet" in command.err)
    await show.connected(1)
    show.stop()
    assert await soon(watching) == 0


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that shows the timers set on it."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: dict[float, asyncio.TimerHandle] = {}

    def call_later(self, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:  # type: ignore[override] # the same
        """Keep the timer by its delay."""
        timer = super().call_later(*args, **kwargs)
        self.timers[args[0]] = timer
        return timer


async def test_a_connection_is_no_silence(show: Show) -> None:
    """As soon as there is one, nobody is going to be told that there is none."""
    loop = _Loop()
    options = make_parser().parse_args(["watch", show.live.url, "--event", EVENT])

    def run() -> int:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(watch.watch_event(options, Terminal(io.StringIO())))

    watching = asyncio.create_task(asyncio.to_thread(run))
    await show.connected(1)
    await until(loop.timers[watch.PATIENCE_S].cancelled)
    show.stop()
    assert await soon(watching) == 0


async def test_a_lost_connection_is_told() -> None:
    """And one that is there is not called silent; it is made again."""
    command = CommandLine()
    async with LiveServer(Emulator()) as first:
        show, port = Show(first), int(first.url.rpartition(":")[2])
        words = ("watch", first.url, "--event", EVENT)
        watching = asyncio.create_task(command.run(*words))
        await show.connected(1)
    await until(lambda: "the connection is lost" in command.err)
    async with LiveServer(Emulator(), port=port) as second:
        show = Show(second)
        await show.connected(1)
        show.stop()
        assert await soon(watching) == 0
    assert command.err.count("\n") == 1


async def test_a_plain_address_has_to_be_allowed() -> None:
    """Unless it is this machine's."""
    command = CommandLine()
    assert await command.run("watch", "ws://live.example", "--event", EVENT) == 2
    assert "wss://" in command.err


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (RoundCount(1, None, 0, 0, None, 1.0, settled=False, as_of=None), "no count"),
        (RoundCount(1, 1, 1, 1, 1, 1.0, settled=True, as_of=1.0), "1 player"),
        (RoundCount(1, 1234, 1234, 1234, None, 1.0, settled=False, as_of=1.0), "1,234 players"),
        (
            RoundCount(1, 20000, 2000, 19155, 20883, 0.1, settled=True, as_of=1.0),
            "20,000 players (19,155 to 20,883)",
        ),
        (RoundCount(1, 20000, 2000, 19155, None, 0.1, settled=False, as_of=1.0), "20,000 players"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_count_in_words(count: RoundCount, text: str) -> None:
    """With bounds where a sample votes and they are known; a line says if more may come."""
    more = "" if count.settled else ", and counting"
    assert watch.line(count) == f"round 1: {text}{more}"
    assert watch.bars([count]) == [("round 1", count.players or 0, text)]
