"""A counter behind a network that fails in every way: what it notices, and what is counted."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import socket
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple, NoReturn

import pytest

from poll_counter import MEMORY, PollCounter, State, WebSocketTransport
from poll_counter.transport import CLOSE_S
from simulator.emulator import Emulator
from simulator.scenario import Scenario
from simulator.server import LiveServer
from simulator.show import Show, prepare
from tests.support.certificates import Authority
from tests.support.chaos_proxy import (
    BlackHole,
    ChaosProxy,
    Corrupt,
    Direction,
    Drip,
    Latency,
    Link,
    Stall,
    Toxic,
    Truncate,
)
from tests.support.scripted_server import ScriptedServer, frame
from tests.support.waiting import GUARD_S, until

ROUNDS: Final = 3
LOOK_S: Final = 0.005
"""How often a test looks whether it has what it waits for."""
DEAD_AFTER_S: Final = 0.8
OPEN_TIMEOUT_S: Final = 0.5
FIRST_S, CAP_S = 0.05, 0.2
NOTICED_S: Final = DEAD_AFTER_S + CLOSE_S + 1.2
"""A dead link is noticed within this: a second and more for a machine that is busy."""


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """Draw the same delays in every run."""
    random.seed(7)


class Stage:
    """A show of three rounds, a player behind a proxy, and one whose network is never disturbed."""

    def __init__(self, server: LiveServer, show: Show, proxy: ChaosProxy) -> None:
        self.proxy = proxy
        self.present: Callable[[str, str], None]
        """Lets the server show an authority's certificate for a name, where it speaks TLS."""
        self.player: PollCounter
        self.other: PollCounter
        self._server = server
        self._show = show

    @property
    def votes(self) -> tuple[int, ...]:
        """The platform's own tallies of the rounds."""
        return tuple(self._server.emulator.votes(self._show.polls[0]))[:ROUNDS]

    def start(self) -> None:
        """Start the event and publish the hidden poll: round 1 is waited for."""
        self._server.act(self._server.emulator.start, self._show.event_id)
        self._server.act(self._server.emulator.publish, self._show.polls[0])

    def publish(self, number: int) -> None:
        """Publish a trivia."""
        self._server.act(self._server.emulator.publish, self._show.trivia[number - 1])

    def close(self, number: int) -> None:
        """Close a trivia: the next round is waited for."""
        self._server.act(self._server.emulator.close, self._show.trivia[number - 1])

    def stop(self) -> None:
        """Stop the event."""
        self._server.act(self._server.emulator.stop, self._show.event_id)

    async def counted(self, *votes: int) -> None:
        """Wait until the platform holds these votes in the rounds, and see that none comes on."""
        await until(lambda: self.votes >= votes, LOOK_S)
        assert self.votes == votes


@asynccontextmanager
async def staged(authorities: Mapping[str, Authority] | None = None) -> AsyncGenerator[Stage]:
    """Serve a show, both players in round 1, over TLS where authorities are given."""
    emulator = Emulator(results_interval_s=0.01)
    show = prepare(emulator, Scenario(rounds=ROUNDS, round_time=0.2), "show")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(LiveServer(emulator))
        port, url = int(server.url.rpartition(":")[2]), "ws://localhost:"
        tls = trust = None
        if authorities is not None:
            own = authorities["own"]
            tls, trust = own.served("DNS:localhost"), own.trusting()
            end_of_tls = await stack.enter_async_context(ChaosProxy(port, ssl=tls))
            port, url = end_of_tls.port, "wss://localhost:"
        proxy = await stack.enter_async_context(ChaosProxy(port))
        transport = WebSocketTransport(
            f"{url}{proxy.port}",
            ssl=trust,
            open_timeout_s=OPEN_TIMEOUT_S,
            welcome_timeout_s=OPEN_TIMEOUT_S,
            dead_after_s=DEAD_AFTER_S,
            reconnect_first_s=FIRST_S,
            reconnect_cap_s=CAP_S,
        )
        stage = Stage(server, show, proxy)
        if authorities is not None and tls is not None:
            stage.present = lambda by, name: authorities[by].present(tls, name)
        stage.player = await stack.enter_async_context(
            PollCounter(transport=transport, event_id="show", journal=MEMORY)
        )
        stage.other = await stack.enter_async_context(
            PollCounter(server.url, event_id="show", journal=MEMORY)
        )
        stage.start()
        await stage.counted(2, 0, 0)
        yield stage


async def finish(stage: Stage) -> None:
    """Play what is left, and see that both players were counted once in every round."""
    await stage.counted(2, 2, 0)
    stage.publish(2)
    await until(lambda: stage.player.state is State.PLAYING, LOOK_S)
    stage.close(2)
    await stage.counted(2, 2, 2)
    stage.publish(3)
    stage.close(3)
    stage.stop()
    for counter in (stage.player, stage.other):
        await until(lambda counter=counter: counter.state is State.FINISHED, LOOK_S)  # type: ignore[misc]
        history = {round_: count.players for round_, count in counter.history.items()}
        assert {round_: history.get(round_) for round_ in (1, 2, 3)} == {1: 2, 2: 2, 3: 2}
    assert stage.votes == (2, 2, 2), "votes of two players, none lost and none doubled"


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Authority]:
    """An authority that the app trusts, and one that it does not."""
    return {name: Authority(tmp_path_factory.mktemp(name)) for name in ("own", "stranger")}


# The faults


class Fault(NamedTuple):
    """What goes wrong, while a block runs, and what the client makes of it."""

    happens: Callable[[Stage], AbstractAsyncContextManager[None]]
    breaks: bool = True
    """Whether the link is lost by it."""
    over_tls: bool = False


@asynccontextmanager
async def shut(stage: Stage, ends: Callable[[ChaosProxy], None]) -> AsyncGenerator[None]:
    """All links end, and nobody gets in."""
    stage.proxy.shut()
    ends(stage.proxy)
    yield
    await stage.proxy.open()


@asynccontextmanager
async def poisoned(
    stage: Stage, make: Callable[[], Toxic], *directions: Direction
) -> AsyncGenerator[None]:
    """Something happens to the bytes."""
    with stage.proxy.poisoned(make(), *directions):
        yield


@asynccontextmanager
async def stalled(stage: Stage) -> AsyncGenerator[None]:
    """Nothing passes; then all of it does, at once."""
    stall = Stall()
    with stage.proxy.poisoned(stall, "up", "down"):
        yield
    stall.let_go()


@asynccontextmanager
async def mute(stage: Stage) -> AsyncGenerator[None]:
    """The links end; who connects again is accepted, and never answered."""
    with stage.proxy.poisoned(BlackHole(), "up", "down"):
        stage.proxy.reset()
        yield


@asynccontextmanager
async def unknown_name(stage: Stage) -> AsyncGenerator[None]:
    """The name cannot be looked up."""

    def look_up(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with pytest.MonkeyPatch.context() as resolver:
        resolver.setattr(socket, "getaddrinfo", look_up)
        stage.proxy.reset()
        yield


@asynccontextmanager
async def silent_resolver(stage: Stage) -> AsyncGenerator[None]:
    """The look-up of the name does not end, in a thread that nobody can stop."""
    over = threading.Event()
    real = socket.getaddrinfo

    def look_up(*args: Any, **options: Any) -> object:
        over.wait(GUARD_S)
        return real(*args, **options)

    with pytest.MonkeyPatch.context() as resolver:
        resolver.setattr(socket, "getaddrinfo", look_up)
        stage.proxy.reset()
        try:
            yield
        finally:
            over.set()


@asynccontextmanager
async def certified(stage: Stage, by: str, name: str) -> AsyncGenerator[None]:
    """The server shows another certificate."""
    stage.present(by, name)
    stage.proxy.reset()
    yield
    stage.present("own", "DNS:localhost")


@asynccontextmanager
async def no_tls(stage: Stage) -> AsyncGenerator[None]:
    """Something answers, and it is not TLS."""

    class Babble(Toxic):
        async def pieces(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
            yield b"HTTP/1.1 400 Bad Request\r\n\r\n"

    with stage.proxy.poisoned(Babble(), "down"):
        yield


FAULTS: Final[Mapping[str, Fault]] = {
    "reset and refused": Fault(lambda s: shut(s, ChaosProxy.reset)),
    "closed and refused": Fault(lambda s: shut(s, ChaosProxy.finish)),
    "accepted and never answered": Fault(mute),
    "half open": Fault(lambda s: poisoned(s, BlackHole, "up", "down")),
    "half open, the client is not heard": Fault(lambda s: poisoned(s, BlackHole, "up")),
    "half open, the client hears nothing": Fault(lambda s: poisoned(s, BlackHole, "down")),
    "half open, TLS": Fault(lambda s: poisoned(s, BlackHole, "up", "down"), over_tls=True),
    "stalled": Fault(stalled),
    "latency with jitter": Fault(
        lambda s: poisoned(s, lambda: Latency(0.01, 0.09), "up", "down"), breaks=False
    ),
    "slow drip": Fault(lambda s: poisoned(s, lambda: Drip(16, 0.002), "up", "down"), breaks=False),
    "drip too slow to live": Fault(lambda s: poisoned(s, lambda: Drip(1, 0.2), "up", "down")),
    "frames cut off, closed": Fault(lambda s: poisoned(s, lambda: Truncate(3, "finish"), "down")),
    "frames cut off, reset": Fault(lambda s: poisoned(s, lambda: Truncate(3, "reset"), "down")),
    "votes cut off": Fault(lambda s: poisoned(s, lambda: Truncate(9, "reset"), "up")),
    "corrupted on the way down": Fault(lambda s: poisoned(s, lambda: Corrupt(7), "down")),
    "corrupted on the way up": Fault(lambda s: poisoned(s, lambda: Corrupt(7), "up")),
    "corrupted, TLS": Fault(
        lambda s: poisoned(s, lambda: Corrupt(40), "up", "down"), over_tls=True
    ),
    "unknown name": Fault(unknown_name),
    "a resolver that does not answer": Fault(silent_resolver),
    "a stranger's certificate": Fault(
        lambda s: certified(s, "stranger", "DNS:localhost"), over_tls=True
    ),
    "a certificate for another name": Fault(
        lambda s: certified(s, "own", "DNS:live.example"), over_tls=True
    ),
    "not TLS at all": Fault(no_tls, over_tls=True),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_fault(name: str, request: pytest.FixtureRequest) -> None:
    """The loss is noticed in time; once the fault is gone, every round counts everybody once."""
    fault, loop = FAULTS[name], asyncio.get_running_loop()
    authorities = request.getfixturevalue("authorities") if fault.over_tls else None
    async with staged(authorities) as stage:
        stage.publish(1)
        await until(lambda: stage.player.state is State.PLAYING, LOOK_S)
        began = loop.time()
        async with fault.happens(stage):
            stage.close(1)
            if fault.breaks:
                await until(lambda: stage.player.state is State.OFFLINE, LOOK_S)
                assert loop.time() - began < NOTICED_S
                tried = stage.player.stats().connects
                await until(lambda: stage.votes[1] >= 1, LOOK_S)
                await asyncio.sleep(2 * CAP_S)  # long enough to come back, could it
                assert stage.player.state is State.OFFLINE
                assert stage.player.stats().connects == tried
            else:
                await stage.counted(2, 2, 0)
        await finish(stage)
        stats = stage.player.stats()
        assert stats.votes_accepted == ROUNDS
        assert stats.reconnects >= fault.breaks


class AnswersLost(Toxic):
    """Passes what comes next, and is dead from then on: what was asked for is done, unheard."""

    async def pieces(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        """Give all, for the last time."""
        yield data
        link.is_dead = True


async def test_answer_that_is_lost() -> None:
    """A vote that was counted, and whose answer never came, is repeated and counted once."""
    async with staged() as stage:
        stage.publish(1)
        await until(lambda: stage.player.state is State.PLAYING, LOOK_S)
        sent = stage.player.stats().votes_sent
        with stage.proxy.poisoned(AnswersLost(), "up"):
            stage.close(1)
            await stage.counted(2, 2, 0)
        assert stage.player.stats().votes_accepted == 1
        await until(lambda: stage.player.stats().votes_accepted == 2, LOOK_S)
        assert stage.player.stats().votes_sent == sent + 2
        assert stage.player.stats().reconnects == 1
        await finish(stage)


async def test_link_that_flaps() -> None:
    """Cut again and again, in every way, at no chosen moment: everybody is counted once."""
    moments = random.Random(3)
    cut = itertools.cycle([ChaosProxy.reset, ChaosProxy.finish])

    async def flap(stage: Stage) -> None:
        for _ in range(12):
            await asyncio.sleep(moments.uniform(0.0, 2 * FIRST_S))
            next(cut)(stage.proxy)

    async with staged() as stage:
        await flap(stage)
        stage.publish(1)
        await flap(stage)
        await until(lambda: stage.player.state is State.PLAYING, LOOK_S)
        stage.close(1)
        await flap(stage)
        await finish(stage)
        assert stage.player.stats().reconnects > 3


async def test_backing_off(caplog: pytest.LogCaptureFixture) -> None:
    """While nobody lets it in, a client waits ever longer, up to the cap, and never in step."""
    caplog.set_level(logging.DEBUG, "poll_counter")

    def delays() -> list[float]:
        records = [record for record in caplog.records if "again in" in record.msg]
        return [record.args[1] for record in records if isinstance(record.args, tuple)]  # type: ignore[misc]

    async with staged() as stage, shut(stage, ChaosProxy.reset):
        await until(lambda: len(delays()) >= 12, LOOK_S)
    told = delays()
    assert all(0.0 <= delay <= min(CAP_S, FIRST_S * 2**n) for n, delay in enumerate(told))
    assert len(set(told)) == len(told)
    assert max(told[3:]) > 2 * FIRST_S, "the first delay is doubled"


async def test_retry_after() -> None:
    """A client whose link is lost stays away for as long as the server asked, then is back."""
    loop = asyncio.get_running_loop()
    async with (
        ScriptedServer() as server,
        ChaosProxy(int(server.url.rpartition(":")[2])) as proxy,
        PollCounter(
            transport=WebSocketTransport(f"ws://127.0.0.1:{proxy.port}", reconnect_first_s=0.0),
            event_id="demo",
            journal=MEMORY,
        ) as counter,
    ):
        peer = await server.welcome()
        await peer.send(frame("retry_after", seconds=0.3))
        await peer.send(frame("event_updated", fields={"heard": 1}, rev=2))
        await until(lambda: counter.fields == {"heard": 1})
        lost = loop.time()
        proxy.reset()
        await server.welcome()
        assert loop.time() - lost >= 0.3
        await until(lambda: counter.state is State.WAITING)


@pytest.mark.parametrize(("toxic", "least_s"), [(Latency(0.1, 0.2), 0.1), (Drip(100, 0.01), 0.1)])
async def test_toxics_are_felt(toxic: Toxic, least_s: float) -> None:
    """Latency and drips, which lose nothing, do delay what passes."""
    loop = asyncio.get_running_loop()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1000))
        writer.close()

    async with (
        await asyncio.start_server(echo, "127.0.0.1", 0) as server,
        ChaosProxy(server.sockets[0].getsockname()[1]) as proxy,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with proxy.poisoned(toxic, "down"):
            began = loop.time()
            writer.write(bytes(1000))
            assert await reader.read() == bytes(1000)
            assert loop.time() - began >= least_s * 0.99
        writer.close()
