"""`PollCounter`: the machine driven by asyncio, over a platform in memory and over sockets."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import logging
import random
import ssl
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from websockets.protocol import State as ConnectionState

from poll_counter import (
    MEMORY,
    CastVote,
    FileJournal,
    Ids,
    JournalError,
    MemoryJournal,
    MisuseError,
    PlatformError,
    PollCounter,
    Recognise,
    RoundCount,
    State,
    Stats,
    WebSocketTransport,
    is_hidden,
)
from poll_counter.commands import Remember, RememberRate
from poll_counter.elements import Element
from poll_counter.facts import (
    AnswerAccepted,
    AnswerRefused,
    Disconnected,
    ElementPublished,
    ElementRevoked,
    ElementUpdated,
    EventStateChanged,
    EventUpdated,
    Fact,
    FrameSkipped,
    ResultsTold,
    Welcomed,
)
from poll_counter.journal import Entry
from poll_counter.machine import WRITE_AGAIN_S
from poll_counter.sampling import is_sampled
from poll_counter.testing import FakeClock, FakePlatform, FakeTransport
from simulator.emulator import Emulator, Settings
from simulator.scenario import Scenario
from simulator.server import LiveServer
from simulator.show import poll_settings
from tests.support.scripted_server import ScriptedServer, frame, open_connections
from tests.support.show import poll, trivia
from tests.support.waiting import GUARD_S, soon, until

Said: TypeAlias = tuple[int, int | None]
"""What a count says: round, players."""

SPREAD_S: Final = 3.0
"""The platform's spread: a vote is cast within it."""
REPEAT_S: Final = 25.0
"""Within this a vote that is not answered is repeated: 5 s, and full jitter up to 20 s."""
VOTE: Final = CastVote("poll-0", 0)
IN_SAMPLE, OUT_OF_SAMPLE = (
    next(f"{n:032x}" for n in range(1000) if is_sampled("poll-0", f"{n:032x}", 0.9) is votes)
    for votes in (True, False)
)
"""Players who vote, and do not, where nine of ten do."""


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """Draw the same delays in every run."""
    random.seed(7)


@pytest.fixture
def platform() -> FakePlatform:
    """A platform in memory, with a clock that the test advances."""
    return FakePlatform(spread_s=SPREAD_S)


def said(count: RoundCount | None) -> Said | None:
    """What a count says: round and players; None where there is no count."""
    return None if count is None else (count.round, count.players)


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Fail if a task that began inside is still there."""
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() <= before


async def settled(platform: FakePlatform) -> None:
    """Let the counters that were just entered connect."""
    await platform.clock.advance(0.0)


class Script:
    """A transport that brings what it is given: facts, an exception that it raises, or its end."""

    acknowledges = True

    def __init__(self, *told: Fact | Exception | None) -> None:
        self.sent: list[CastVote] = []
        self.closed = False
        self._told: asyncio.Queue[Fact | Exception | None] = asyncio.Queue()
        self.tell(*told)

    def tell(self, *told: Fact | Exception | None) -> None:
        """Bring more."""
        for each in told:
            self._told.put_nowait(each)

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Bring it, one after the other, then wait."""
        assert event_id == "test-show"
        assert len(player_id) == 32
        try:
            while (told := await self._told.get()) is not None:
                if isinstance(told, Exception):
                    raise told
                yield told
        finally:
            self.closed = True

    async def send(self, vote: CastVote) -> None:
        """Take a vote."""
        self.sent.append(vote)


# The iterator


async def test_counts_come_when_they_change(platform: FakePlatform) -> None:
    """A count is given for each new number and round, and for nothing else."""
    counts: list[Said | None] = []
    async with platform.counter(on_count=lambda count: counts.append(said(count))):
        await platform.start()
        await platform.join(41)
        await platform.clock.advance(SPREAD_S)
        await platform.tally("poll-0", [42] + [0] * 9)  # the same again
        await platform.publish_trivia()  # the number is known and stays
        await platform.close()
        await platform.clock.advance(SPREAD_S)
    assert counts == [(1, 0), (1, 41), (1, 42), (2, 0), (2, 41), (2, 42)]


async def test_iterator_gives_what_callbacks_are_told(platform: FakePlatform) -> None:
    """Reader and callback are told the same, in the same order, up to the last."""
    called: list[RoundCount] = []

    async def read(counter: PollCounter) -> list[RoundCount]:
        return [count async for count in counter]

    async with platform.counter(on_count=called.append) as counter:
        reader = asyncio.create_task(read(counter))
        await platform.start()
        for _ in range(3):
            await platform.join(1)
            await platform.clock.advance(SPREAD_S)
            await platform.publish_trivia()
            await platform.close()
        await platform.stop()
        counts = await soon(reader)
    assert counts == [count for count in called if count in counts]
    assert {count.round for count in counts} == {1, 2, 3, 4}
    assert counts[-1] == called[-1]


async def test_slow_reader_gets_the_latest(platform: FakePlatform) -> None:
    """Who reads slowly is given the latest count only, and then waits."""
    async with platform.counter() as counter:
        await platform.start()
        for _ in range(5):
            await platform.join(10)
        assert said(await soon(anext(counter))) == (1, 50)
        waiting = asyncio.ensure_future(anext(counter))
        await platform.disconnect()
        await platform.reconnect()
        assert not waiting.done()
        await platform.join(1)
        assert said(await soon(waiting)) == (1, 51)


async def test_iterator_ends_with_the_event(platform: FakePlatform) -> None:
    """The last count is still given, then the iterator ends; the history stays readable."""
    async with platform.counter() as counter:
        await platform.start()
        await platform.join(6)
        await platform.clock.advance(SPREAD_S)
        await platform.publish_trivia()
        await platform.close()
        await platform.stop()
        assert counter.state is State.FINISHED
        assert [said(count) async for count in counter] == [(2, 6)]
        assert [said(count) async for count in counter] == []
    assert {k: said(count) for k, count in counter.history.items()} == {1: (1, 7), 2: (2, 6)}
    assert counter.history[1].settled
    assert said(counter.latest) == (2, 6)


async def test_reader_is_woken_by_the_end(platform: FakePlatform) -> None:
    """A reader that waits when the event ends does not wait for ever."""
    async with platform.counter() as counter:
        await platform.start()
        await platform.join(2)
        assert said(await soon(anext(counter))) == (1, 2)
        waiting = asyncio.ensure_future(anext(counter))
        await platform.stop()
        with pytest.raises(StopAsyncIteration):
            await soon(waiting)


async def test_final_results_that_never_come(platform: FakePlatform) -> None:
    """A finished event is left after 10 s without final results."""
    states: list[State] = []
    async with nothing_left(), platform.counter(on_state=states.append) as counter:
        await platform.start()
        await platform.join(3)
        await platform.tell(EventStateChanged("finished"))
        await platform.clock.advance(9.0)
        assert states[-1:] == [State.ENDING]
        await platform.clock.advance(1.0)
        assert states[-1:] == [State.FINISHED]
        assert platform.transports == []
        assert [said(count) async for count in counter] == [(1, 3)]


async def test_a_reader_that_gives_up_loses_nothing(platform: FakePlatform) -> None:
    """Reading with a timeout is safe: what comes later is there for the next reader."""
    async with platform.counter() as counter:
        waiting = asyncio.ensure_future(anext(counter))
        await platform.disconnect()
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        await platform.start()
        assert said(await soon(anext(counter))) == (1, 0)


# What the app reads


async def test_latest_and_history(platform: FakePlatform) -> None:
    """Both tell how things stand now; before the first count there is nothing to tell."""
    counter = platform.counter()
    assert counter.latest is None
    assert counter.history == {}
    async with counter:
        await platform.start()
        await platform.join(2)
        assert said(counter.latest) == (1, 2)
        assert counter.latest is not None
        assert not counter.latest.settled
        await platform.clock.advance(SPREAD_S + 1.0)
        assert counter.latest.settled
        assert said(counter.latest) == (1, 3)
        assert list(counter.history) == [1]


async def test_without_a_clock_nothing_is_known_before_it_is_entered() -> None:
    """A counter that is not entered can be read: it stands still."""
    counter = PollCounter(transport=Script(), event_id="test-show", journal=MEMORY)
    assert counter.latest is None
    assert counter.history == {}
    assert counter.state is State.OFFLINE
    assert counter.elements == ()
    assert counter.fields == {}
    assert counter.active
    assert counter.stats().connects == 0


async def test_states(platform: FakePlatform) -> None:
    """The app is told every new state, once."""
    states: list[State] = []
    async with platform.counter(on_state=states.append) as counter:
        assert counter.state is State.OFFLINE
        await settled(platform)
        await platform.start()
        await platform.publish_trivia()
        await platform.disconnect()
        await platform.reconnect()
        await platform.close()
        await platform.stop()
    assert [state.name for state in states] == [
        "UPCOMING",
        "WAITING",
        "PLAYING",
        "OFFLINE",
        "PLAYING",
        "WAITING",
        "ENDING",
        "FINISHED",
    ]


async def test_warning(platform: FakePlatform, caplog: pytest.LogCaptureFixture) -> None:
    """A trivia that no poll counts is told to the app and to the log, once."""
    warnings: list[str] = []
    async with platform.counter(on_warning=warnings.append):
        await platform.start()
        await platform.revoke("poll-0")
        await platform.publish_trivia()
        await platform.disconnect()
        await platform.reconnect()
    (text,) = warnings
    assert "no poll for round 1" in text
    logged = [r for r in caplog.records if r.getMessage() == text]
    assert [record.levelno for record in logged] == [logging.WARNING]
    assert logged[0].name == "poll_counter"


async def test_failing_callbacks(platform: FakePlatform, caplog: pytest.LogCaptureFixture) -> None:
    """A callback that raises is logged with its traceback; the counting goes on."""

    def fail(value: object) -> None:
        raise ValueError(f"cannot show {value}")

    options = {"on_count": fail, "on_state": fail, "on_warning": fail}
    async with platform.counter(**options) as counter:
        await settled(platform)
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        await platform.revoke("poll-0")
        await platform.publish_trivia()
        await platform.publish_poll(page=0)
        await platform.close()
        await platform.clock.advance(SPREAD_S)
        assert said(counter.latest) == (2, 1)
        assert counter.state is State.WAITING
    records = [record for record in caplog.records if record.exc_info]
    assert {record.getMessage() for record in records} == {"a callback of the app failed"}
    told = {record.exc_text.rsplit("cannot show ")[-1] for record in records if record.exc_text}
    assert {"State.UPCOMING", "State.WAITING", "State.PLAYING"} <= told
    assert any(text.startswith("RoundCount") for text in told)
    assert any(text.startswith("no poll for round 1") for text in told)


async def test_callback_may_act(platform: FakePlatform) -> None:
    """A callback may change `active`: here a player who leaves the game with the first trivia."""
    counter: PollCounter

    def leave(state: State) -> None:
        if state is State.PLAYING:
            counter.active = False

    transport = platform.transport()
    counter = platform.counter(transport=transport, on_state=leave)
    async with counter:
        await platform.start()
        await platform.publish_trivia()
        await platform.close()
        await platform.clock.advance(SPREAD_S)
        assert transport.sent == []
        assert not counter.active


async def test_inactive_player_does_not_vote(platform: FakePlatform) -> None:
    """`active = False` drops the vote that is due; True while waiting lets it fall due anew."""
    transport = platform.transport()
    async with platform.counter(transport=transport) as counter:
        await platform.start()
        assert counter.active
        counter.active = False
        assert not counter.active
        await platform.clock.advance(SPREAD_S)
        assert transport.sent == []
        await platform.join(4)
        assert said(counter.latest) == (1, 4)
        counter.active = True
        assert counter.active
        await platform.clock.advance(SPREAD_S)
        assert transport.sent == [VOTE]
        assert said(counter.latest) == (1, 5)


async def test_inactive_from_the_start(platform: FakePlatform) -> None:
    """A spectator's app says so before it enters; activated while playing, it counts from next."""
    transport = platform.transport()
    counter = platform.counter(transport=transport)
    counter.active = False
    async with counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        await platform.publish_trivia()
        counter.active = True
        await platform.clock.advance(SPREAD_S)
        assert transport.sent == []
        await platform.close()
        await platform.clock.advance(SPREAD_S)
        assert transport.sent == [CastVote("poll-0", 1)]


async def test_activation_after_leaving_votes_no_more() -> None:
    """Once the counter is left, nothing is sent and no task begins, whatever the app sets."""
    platform = FakePlatform(spread_s=0.0)
    transport = platform.transport()
    counter = platform.counter(transport=transport)
    counter.active = False
    async with nothing_left():
        async with counter:
            await platform.start()
        counter.active = True
        await platform.clock.advance(REPEAT_S)
        assert transport.sent == []


async def test_stats(platform: FakePlatform) -> None:
    """What a counter has done is counted: connections, votes, and what was left out."""
    async with platform.counter() as counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S)  # round 1: accepted
        await platform.publish_trivia()
        await platform.close()
        await platform.disconnect()
        await platform.clock.advance(SPREAD_S)
        await platform.publish_trivia()
        await platform.close()  # round 2: lapsed
        await platform.reconnect()
        platform.refuse = AnswerRefused("", 0, "closed")
        await platform.clock.advance(SPREAD_S)  # round 3: refused
        platform.refuse, platform.silent = None, True
        await platform.publish_trivia()
        await platform.close()
        await platform.clock.advance(SPREAD_S)
        await platform.clock.advance(REPEAT_S)  # round 4: repeated, not answered
        await platform.tell(FrameSkipped("malformed"))
        await platform.tell(FrameSkipped("malformed"))
        await platform.tell(ElementRevoked("poll-0", 0))
        stats = counter.stats()
        sent = stats.votes_sent
        assert sent >= 4
        assert counter.stats() == replace(
            stats,
            connects=2,
            reconnects=1,
            votes_due=4,
            votes_sent=sent,
            votes_accepted=1,
            votes_refused=1,
            votes_lapsed=1,
            skipped={"malformed": 2, "old_rev": 1},
        )


async def test_stats_count_every_vote_handed_over(platform: FakePlatform) -> None:
    """`votes_sent` is what the transport was handed, repeats included."""
    platform.silent = True
    transport = platform.transport()
    async with platform.counter(transport=transport) as counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S + 4 * REPEAT_S)
        assert len(transport.sent) > 2
        assert counter.stats().votes_sent == len(transport.sent)
        assert counter.stats().votes_due == 1


async def test_freshness(platform: FakePlatform) -> None:
    """How old the last results are: unknown before any, then the seconds since."""
    async with platform.counter() as counter:
        assert counter.stats().freshness_s is None
        await platform.start()
        counter.active = False
        await platform.clock.advance(2.5)
        assert counter.stats().freshness_s == 2.5
        await platform.tally("poll-0", [1] * 10)
        assert counter.stats().freshness_s == 0.0


async def test_stats_are_a_copy(platform: FakePlatform) -> None:
    """Stats that were read do not change any more."""
    async with platform.counter() as counter:
        await platform.start()
        before: Stats = counter.stats()
        await platform.tell(FrameSkipped("malformed"))
        assert before.skipped == {}
        assert counter.stats().skipped == {"malformed": 1}


async def test_skipped_is_logged_once(
    platform: FakePlatform, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be understood is logged once per reason, however often it comes."""
    caplog.set_level(logging.INFO, "poll_counter")
    async with platform.counter():
        await settled(platform)
        for reason in ("malformed", "invalid", "malformed"):
            await platform.tell(FrameSkipped(reason))
    told = [r.getMessage() for r in caplog.records if "left out" in r.getMessage()]
    assert [text.rsplit(" ", 1)[-1] for text in told] == ["malformed", "invalid"]


async def test_elements_in_the_order_of_publication() -> None:
    """The event's elements are sorted by the time of their publication, then by id."""
    hidden = poll("Z", published_at=2.0)
    first, last = replace(trivia(2), published_at=1.0), replace(trivia(1), published_at=2.0)
    script = Script(Welcomed("active", (hidden, last, first)))
    async with PollCounter(transport=script, event_id="test-show", journal=MEMORY) as counter:
        await until(lambda: counter.elements)
        assert [element.id for element in counter.elements] == ["T2", "T1", "Z"]
        assert [e.id for e in counter.elements if not counter.is_hidden(e)] == ["T2", "T1"]
        assert [e.id for e in counter.elements if not is_hidden(e)] == ["T2", "T1"]


async def test_is_hidden_as_recognised(platform: FakePlatform) -> None:
    """A counter that was told how to recognise the poll tells it that way."""
    counter = platform.counter(recognise=Recognise(hidden_poll=Ids("Q")))
    assert counter.is_hidden(poll("Q"))
    assert not counter.is_hidden(poll("P"))


async def test_fields_of_the_event() -> None:
    """The event's custom fields come with the snapshot, and are replaced by what follows."""
    script = Script(Welcomed("active", (), fields={"a": 1, "b": "x"}))
    async with PollCounter(transport=script, event_id="test-show", journal=MEMORY) as counter:
        await until(lambda: counter.fields == {"a": 1, "b": "x"})
        script.tell(EventUpdated({"a": 2}))
        await until(lambda: counter.fields == {"a": 2})
        script.tell(Disconnected(), Welcomed("active", (), fields={"c": None}))
        await until(lambda: counter.fields == {"c": None})


async def test_older_fields_of_the_event_are_left_out() -> None:
    """A lagging edge may tell what was before; what is told at the same revision is the same."""
    script = Script(Welcomed("active", (), rev=5, fields={"a": 5}))
    async with PollCounter(transport=script, event_id="test-show", journal=MEMORY) as counter:
        await until(lambda: counter.fields == {"a": 5})
        script.tell(EventUpdated({"a": 4}, rev=4), EventUpdated({"a": 6}, rev=6))
        await until(lambda: counter.fields == {"a": 6})
        script.tell(Disconnected(), Welcomed("active", (), rev=5, fields={"a": 5}))
        await until(lambda: counter.stats().connects == 2)
        assert counter.fields == {"a": 6}
        script.tell(EventUpdated({"a": 7}))
        await until(lambda: counter.fields == {"a": 7})


# Concurrency: the number that the producer writes into a field


async def test_concurrency_from_the_events_field(platform: FakePlatform) -> None:
    """It comes with the snapshot and with every change; None where nobody writes it."""
    told = list[int]()
    await platform.set_fields({"poll_counter_concurrency": 12_431})
    async with platform.counter(on_concurrency=told.append) as counter:
        assert counter.concurrency is None
        await platform.start()
        assert counter.concurrency == 12_431
        await platform.set_fields({"poll_counter_concurrency": 12_500})
        assert counter.concurrency == 12_500
        await platform.set_fields({"poll_counter_concurrency": 12_500, "sponsor": "us"})
        await platform.set_fields({"sponsor": "us"})
        assert counter.concurrency is None
        await platform.set_fields({"poll_counter_concurrency": "soon"})
        assert counter.concurrency is None
    assert told == [12_431, 12_500]


async def test_concurrency_from_a_field_of_ones_own(platform: FakePlatform) -> None:
    """The producer may name the field otherwise."""
    async with platform.counter(concurrency_field="viewers") as counter:
        await platform.set_fields({"poll_counter_concurrency": 1, "viewers": 77})
        assert counter.concurrency == 77


async def test_concurrency_from_an_elements_field() -> None:
    """Written into an element, it is republished with it, and ends with it."""
    told = list[int]()
    ticker = Element("N", "ticker", "opened", 5.0, custom_fields={"poll_counter_concurrency": 40})
    updated = replace(ticker, custom_fields={"poll_counter_concurrency": 41})
    script = Script(Welcomed("active", (trivia(1),)))
    async with PollCounter(
        transport=script, event_id="test-show", journal=MEMORY, on_concurrency=told.append
    ) as counter:
        script.tell(ElementPublished(ticker))
        await until(lambda: counter.concurrency == 40)
        script.tell(ElementUpdated(updated))
        await until(lambda: counter.concurrency == 41)
        script.tell(ElementRevoked("N"))
        await until(lambda: counter.concurrency is None)
        script.tell(Disconnected(), Welcomed("active", (ticker,)))
        await until(lambda: counter.concurrency == 40)
    assert told == [40, 41, 40]


# Misuse


def test_url_and_transport(platform: FakePlatform) -> None:
    """There is one way to the platform: neither none nor two."""
    with pytest.raises(MisuseError, match="either a URL or transport="):
        PollCounter(event_id="demo", journal=MEMORY)
    with pytest.raises(MisuseError, match="either a URL or transport="):
        PollCounter(
            "wss://live.example", transport=platform.transport(), event_id="demo", journal=MEMORY
        )


@pytest.mark.parametrize("event_id", ["", "e" * 201])
def test_event_id_that_no_event_has(event_id: str) -> None:
    """An event needs an id, of a length that the platform takes."""
    with pytest.raises(MisuseError, match=f"event_id has {len(event_id)} characters"):
        PollCounter("wss://live.example", event_id=event_id, journal=MEMORY)


@pytest.mark.parametrize("player_id", ["", "p" * 201])
def test_player_id_that_no_player_has(player_id: str) -> None:
    """A journal of the app's own gives an id that the platform takes."""
    journal = MemoryJournal()
    journal.player_id = player_id
    with pytest.raises(MisuseError, match="player_id"):
        PollCounter("wss://live.example", event_id="demo", journal=journal)


async def test_leaving_waits_for_the_write_on_its_way(platform: FakePlatform) -> None:
    """A vote that is being written down when the app leaves is written: the next run finds it."""
    begun, go_on = threading.Event(), threading.Event()

    class Disk:
        player_id = "0" * 32
        written: Final[list[Entry]] = []

        def recall(self, event_id: str) -> tuple[Entry, ...]:
            return ()

        def remember(self, event_id: str, entry: Entry) -> None:
            begun.set()
            go_on.wait(GUARD_S)
            self.written.append(entry)

    async with platform.counter(journal=Disk(), spread_s=0.0):
        await platform.start()
        await until(begun.is_set)
        asyncio.get_running_loop().call_soon(go_on.set)
    assert Disk.written == [Remember("poll-0", 0)]


async def test_reading_a_closed_counter(platform: FakePlatform) -> None:
    """A new loop over a closed counter is misuse; one that was at work comes to its end."""
    async with platform.counter() as counter:
        reading = aiter(counter)
        assert not counter.closed
    assert counter.closed
    with pytest.raises(MisuseError, match="closed"):
        aiter(counter)
    with pytest.raises(StopAsyncIteration):
        await anext(reading)


@pytest.mark.parametrize("spread_s", [-0.1, 120.1, float("nan"), float("inf")])
def test_bad_spread(spread_s: float) -> None:
    """The spread is from 0 to 120 seconds."""
    with pytest.raises(MisuseError, match=r"seconds from 0 to 120$"):
        PollCounter("wss://live.example", event_id="demo", journal=MEMORY, spread_s=spread_s)


@pytest.mark.parametrize("spread_s", [0.0, 120.0])
def test_outermost_spread(spread_s: float) -> None:
    """0 and 120 seconds are spreads."""
    PollCounter("wss://live.example", event_id="demo", journal=MEMORY, spread_s=spread_s)


def test_options_of_an_address_with_a_transport(platform: FakePlatform) -> None:
    """What goes with a URL is set on a transport by whoever makes it."""
    with pytest.raises(MisuseError, match="set them on the transport"):
        platform.counter(ssl=ssl.create_default_context())
    with pytest.raises(MisuseError, match="set them on the transport"):
        platform.counter(allow_plain=True)


def test_options_of_an_address() -> None:
    """A URL is checked when the counter is made, with what goes with it."""
    with pytest.raises(MisuseError, match="allow_plain"):
        PollCounter("ws://live.example", event_id="demo", journal=MEMORY)
    PollCounter("ws://live.example", event_id="demo", journal=MEMORY, allow_plain=True)
    context = ssl.create_default_context()
    with pytest.raises(MisuseError, match="ssl= has no use"):
        PollCounter("ws://127.0.0.1", event_id="demo", journal=MEMORY, ssl=context)
    PollCounter("wss://live.example", event_id="demo", journal=MEMORY, ssl=context)


def test_journal_that_cannot_be_made(tmp_path: Path) -> None:
    """A journal in a folder that is missing raises before anything is sent."""
    with pytest.raises(JournalError, match="cannot be written"):
        PollCounter("wss://live.example", event_id="demo", journal=tmp_path / "no" / "player.json")


async def test_reading_before_entering(platform: FakePlatform) -> None:
    """A counter that is not entered has nothing to wait for."""
    with pytest.raises(MisuseError, match="enter the counter first"):
        await soon(anext(platform.counter()))


async def test_entered_twice(platform: FakePlatform) -> None:
    """A counter is entered once, also after it was left."""
    counter = platform.counter()
    async with nothing_left():
        async with counter:
            with pytest.raises(MisuseError, match="entered once"):
                await counter.__aenter__()
            await platform.start()
            assert said(counter.latest) == (1, 0)  # it is none the worse
        with pytest.raises(MisuseError, match="entered once"):
            await counter.__aenter__()


async def test_two_readers(platform: FakePlatform) -> None:
    """A second reader at the same time is told so; the first goes on."""
    async with platform.counter() as counter:
        first = asyncio.ensure_future(anext(counter))
        await platform.disconnect()
        with pytest.raises(MisuseError, match="one reader at a time"):
            await soon(anext(counter))
        await platform.start()
        assert said(await soon(first)) == (1, 0)


# A transport that breaks off


@pytest.mark.parametrize("wait", [True, False])
async def test_transport_that_raises(
    *, wait: bool, platform: FakePlatform, caplog: pytest.LogCaptureFixture
) -> None:
    """What a transport raises comes out at the iterator, with the cause; leaving stays clean."""
    script = Script(ZeroDivisionError("bridge"))
    counter = platform.counter(transport=script)

    async def app() -> None:
        async with counter:
            if wait:
                await until(lambda: script.closed)
            await soon(anext(counter))

    async with nothing_left():
        with pytest.raises(PlatformError, match=r"broke off.*bridge") as raised:
            await app()
        assert isinstance(raised.value.__cause__, ZeroDivisionError)
        with pytest.raises(PlatformError):  # it stays broken
            await soon(anext(counter))
    assert any("broke off for good" in r.getMessage() for r in caplog.records)


async def test_transport_that_ends(platform: FakePlatform) -> None:
    """A transport that stops bringing facts before the event's end has broken off."""
    async with nothing_left(), platform.counter(transport=Script(None)) as counter:
        with pytest.raises(PlatformError, match="stopped bringing facts"):
            await soon(anext(counter))


async def test_counts_before_the_break_are_given(platform: FakePlatform) -> None:
    """A count that was not read yet comes first, then the error; the history stays."""
    told = Welcomed("active", (poll("P"),), (ResultsTold("P", (7,) + (0,) * 9),))
    script = Script(told, OSError("gone"))
    async with nothing_left(), platform.counter(transport=script) as counter:
        await until(lambda: script.closed)
        assert said(await soon(anext(counter))) == (1, 7)
        with pytest.raises(PlatformError, match="gone"):
            await soon(anext(counter))
        await platform.clock.advance(SPREAD_S)
        assert script.sent == []  # there is nobody to vote to
        assert said(counter.history[1]) == (1, 7)


async def test_transport_that_fails_to_close(platform: FakePlatform) -> None:
    """What goes wrong while closing after the event's end is no break: the iterator just ends."""

    class Clumsy(Script):
        async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
            try:
                async for fact in super().facts(event_id, player_id):
                    yield fact
            finally:
                self.closed = True
                raise OSError("cannot say goodbye")

    script = Clumsy(Welcomed("finished", ()))
    async with nothing_left(), platform.counter(transport=script) as counter:
        await until(lambda: script.closed)
        assert counter.state is State.FINISHED
        assert [said(count) async for count in counter] == []


async def test_wrong_event_of_the_fake(platform: FakePlatform) -> None:
    """A transport that cannot reach the event says so through the iterator."""
    async with nothing_left(), platform.counter(event_id="another") as counter:
        with pytest.raises(PlatformError, match="test-show"):
            await soon(anext(counter))


@pytest.mark.parametrize(("limit", "repeats"), [(1, True), (2, False), (None, False)])
async def test_send_that_raises(
    *,
    limit: int | None,
    repeats: bool,
    platform: FakePlatform,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever `send` raises, the vote counts as cast: it is repeated only where that is safe."""
    caplog.set_level(logging.DEBUG, "poll_counter")

    class Broken(Script):
        async def send(self, vote: CastVote) -> None:
            await super().send(vote)
            raise ValueError("no way out")

    script = Broken(Welcomed("active", (poll("P", limit=limit),)))
    async with nothing_left(), platform.counter(transport=script) as counter:
        await until(lambda: counter.state is State.WAITING)
        await platform.clock.advance(SPREAD_S + 2 * REPEAT_S)
        assert script.sent
        assert (len(script.sent) > 1) is repeats
        assert counter.stats().votes_sent == len(script.sent)
        assert counter.state is State.WAITING
    assert any("no way out" in record.getMessage() for record in caplog.records)


# The clock


@pytest.mark.parametrize("spread_s", [0.0, 120.0])
async def test_spread(spread_s: float, platform: FakePlatform) -> None:
    """A vote is cast within the spread that the app passed: at once without one."""
    random.seed(1)
    at = random.Random(1).random() * spread_s
    transport = platform.transport()
    async with platform.counter(transport=transport, spread_s=spread_s) as counter:
        await platform.start()
        if at:
            await platform.clock.advance(at - 0.001)
            assert transport.sent == []
            await platform.clock.advance(0.002)
        assert transport.sent == [VOTE]
        assert said(counter.latest) == (1, 1)


class EarlyClock(FakeClock):
    """Calls back a moment before the time asked for, as an event loop may."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Any:
        """Call back a microsecond too early."""
        return super().call_at(when - 1e-6, callback)


async def test_clock_that_is_a_tick_early(platform: FakePlatform) -> None:
    """A clock that calls back too early by a tick does its work: the vote is cast, once."""
    platform.clock = EarlyClock()
    transport = platform.transport()
    async with platform.counter(transport=transport):
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        assert transport.sent == [VOTE]
        await platform.clock.advance(REPEAT_S)
        assert transport.sent == [VOTE]


# The journal


class Diary(MemoryJournal):
    """A journal that writes into a log, and fails while it is full."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log
        self.full = False
        self.failures = 0

    def remember(self, event_id: str, entry: Entry) -> None:
        """Write down."""
        assert event_id == "test-show"
        if self.full:
            self.failures += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        super().remember(event_id, entry)
        if isinstance(entry, RememberRate):
            self.log.append(f"rate {entry.sample_rate}")
        else:
            self.log.append("accepted" if entry.answered else "cast")


class Threaded:
    """The same, as a journal of the app's own: its writing may block, and has a thread."""

    def __init__(self, log: list[str]) -> None:
        self.diary = Diary(log)
        self.player_id = self.diary.player_id
        self.threads: set[int] = set()

    def recall(self, event_id: str) -> tuple[Entry, ...]:
        """What was remembered."""
        return self.diary.recall(event_id)

    def remember(self, event_id: str, entry: Entry) -> None:
        """Write down."""
        self.threads.add(threading.get_ident())
        self.diary.remember(event_id, entry)


class Noted(FakeTransport):
    """A transport that writes into the journal's log when it is handed a vote."""

    def __init__(self, platform: FakePlatform, log: list[str]) -> None:
        super().__init__(platform, acknowledges=True)
        self._log = log

    async def send(self, vote: CastVote) -> None:
        """Take a vote."""
        self._log.append("sent")
        await super().send(vote)


async def test_votes_are_remembered_before_they_are_sent(platform: FakePlatform) -> None:
    """A vote is written down, handed over, and written down again when it is accepted."""
    log: list[str] = []
    async with platform.counter(journal=Diary(log), transport=Noted(platform, log)):
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        assert log == ["cast", "sent", "accepted"]
        await platform.publish_trivia()
        await platform.close()
        await platform.clock.advance(SPREAD_S)
        assert log == ["cast", "sent", "accepted"] * 2


async def test_a_slow_disk_does_not_stop_the_app(platform: FakePlatform) -> None:
    """A journal that may block writes in another thread, in the same order."""
    log: list[str] = []
    journal = Threaded(log)
    async with platform.counter(journal=journal, transport=Noted(platform, log)):
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        await until(lambda: len(log) == 3)
        assert log == ["cast", "sent", "accepted"]
        assert threading.get_ident() not in journal.threads


async def test_votes_wait_for_a_slow_disk(platform: FakePlatform) -> None:
    """While a vote is being written down it is not handed over, and the app goes on."""
    may_write, writing = threading.Event(), threading.Event()

    class Slow(Threaded):
        def remember(self, event_id: str, entry: Entry) -> None:
            writing.set()
            may_write.wait(GUARD_S)
            super().remember(event_id, entry)

    transport = platform.transport()
    async with platform.counter(journal=Slow([]), transport=transport) as counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        await until(writing.is_set)
        assert transport.sent == []
        await platform.join(8)
        assert said(counter.latest) == (1, 8)
        may_write.set()
        await until(lambda: transport.sent == [VOTE])


async def test_a_full_disk(platform: FakePlatform, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be written down is not cast, which is told once, and tried again until it is."""
    journal = Diary([])
    journal.full = True
    transport = platform.transport()
    async with platform.counter(journal=journal, transport=transport) as counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        assert journal.failures
        before = journal.failures
        await platform.clock.advance(WRITE_AGAIN_S)
        assert journal.failures == before + 1
        assert transport.sent == []
        assert journal.recall("test-show") == ()
        assert counter.stats().votes_sent == 0
        warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        (warning,) = warnings
        assert "No space left" in warning
        assert "votes are not cast" in warning
        journal.full = False
        await platform.clock.advance(WRITE_AGAIN_S)
        assert transport.sent == [VOTE]
        assert said(counter.latest) == (1, 1)
        assert journal.log == ["cast", "accepted"]
        await platform.clock.advance(4 * REPEAT_S)
        assert transport.sent == [VOTE]
        assert len(caplog.records) == len(warnings)


async def test_a_full_disk_when_a_vote_is_accepted(platform: FakePlatform) -> None:
    """A vote whose acceptance cannot be written down stays cast, and counted once."""
    journal = Diary([])
    platform.silent = True
    transport = platform.transport()
    async with platform.counter(journal=journal, transport=transport) as counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        journal.full = True
        await platform.tell(AnswerAccepted("poll-0", 0))
        assert journal.failures == 1
        assert journal.recall("test-show") == (Remember("poll-0", 0),)
        await platform.clock.advance(4 * REPEAT_S)
        assert transport.sent == [VOTE]
        assert counter.stats().votes_accepted == 1


async def test_a_full_disk_is_told_again(
    platform: FakePlatform, caplog: pytest.LogCaptureFixture
) -> None:
    """A journal that fails anew after it could be written is another warning."""
    journal = Diary([])
    async with platform.counter(journal=journal):
        await platform.start()
        for _ in range(2):
            journal.full = True
            await platform.clock.advance(SPREAD_S + 2 * WRITE_AGAIN_S)
            journal.full = False
            await platform.clock.advance(WRITE_AGAIN_S)
            await platform.publish_trivia()
            await platform.close()
    assert journal.failures > 2
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 2


async def test_a_vote_lapses_on_a_full_disk(platform: FakePlatform) -> None:
    """A vote that could not be written down before its round was over is one that lapsed."""
    journal = Diary([])
    journal.full = True
    transport = platform.transport()
    async with platform.counter(journal=journal, transport=transport) as counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        await platform.publish_trivia()
        await platform.close()
        journal.full = False
        await platform.clock.advance(SPREAD_S)
        assert transport.sent == [CastVote("poll-0", 1)]
        assert counter.stats().votes_lapsed == 1


async def test_a_slow_disk_that_fails(platform: FakePlatform) -> None:
    """Repeats asked for while a vote was being written are held back with it."""
    may_fail, writing = threading.Event(), threading.Event()

    class Failing(Threaded):
        def remember(self, event_id: str, entry: Entry) -> None:
            if not may_fail.is_set():
                writing.set()
                may_fail.wait(GUARD_S)
                raise OSError(errno.EIO, "Input/output error")
            super().remember(event_id, entry)

    transport = platform.transport()
    async with platform.counter(journal=Failing([]), transport=transport) as counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        await until(writing.is_set)
        await platform.clock.advance(REPEAT_S)
        may_fail.set()
        await until(lambda: not counter._outbox)
        assert transport.sent == []
        await platform.clock.advance(WRITE_AGAIN_S)
        await until(lambda: counter.stats().votes_accepted == 1)
        assert transport.sent == [VOTE]


async def test_a_full_disk_without_repeats(platform: FakePlatform) -> None:
    """A vote that was not handed over is cast later also where no vote may be repeated."""
    journal = Diary([])
    journal.full = True
    transport = platform.transport(acknowledges=False)
    async with platform.counter(journal=journal, transport=transport):
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        assert transport.sent == []
        journal.full = False
        await platform.clock.advance(4 * REPEAT_S)
        assert transport.sent == [VOTE]


SAMPLED = replace(poll("poll-0", spread_s=0, sample_rate=0.9), rev=1)


async def test_sample_rate_is_written_before_a_vote_leaves(platform: FakePlatform) -> None:
    """The rate that a poll was first seen with is written down, once, before any vote for it."""
    log: list[str] = []
    journal, script = Diary(log), Script(Welcomed("active", (SAMPLED,)))
    journal.player_id = IN_SAMPLE
    async with platform.counter(journal=journal, transport=script):
        await until(lambda: script.sent == [VOTE])
    assert log == ["rate 0.9", "cast"]
    again = Script(Welcomed("active", (replace(SAMPLED, custom_fields=poll().custom_fields),)))
    async with platform.counter(journal=journal, transport=again) as counter:
        await until(lambda: again.sent == [VOTE])  # repeated after the restart
        assert counter.history[1].sample_rate == 0.9
    assert log == ["rate 0.9", "cast"]


async def test_player_outside_the_sample_does_not_vote(platform: FakePlatform) -> None:
    """The journal's id decides; who does not vote reads the counts like everybody."""
    journal, script = Diary([]), Script(Welcomed("active", (SAMPLED,)))
    journal.player_id = OUT_OF_SAMPLE
    script.tell(ResultsTold("poll-0", (90, *[0] * 9)))
    async with platform.counter(journal=journal, transport=script) as counter:
        await until(lambda: said(counter.latest) == (1, 100))
        await platform.clock.advance(REPEAT_S)
        assert script.sent == []
        assert counter.stats().votes_due == 0
    assert journal.log == ["rate 0.9"]


async def test_a_full_disk_for_a_sample_rate(platform: FakePlatform) -> None:
    """A rate that cannot be written holds the votes back, and is written before the repeat."""
    journal, script = Diary([]), Script(Welcomed("active", (SAMPLED,)))
    journal.player_id, journal.full = IN_SAMPLE, True
    async with platform.counter(journal=journal, transport=script) as counter:
        await until(lambda: journal.failures == 2)  # rate; and once more, before the vote
        assert script.sent == []
        assert counter.state is State.WAITING
        journal.full = False
        await platform.clock.advance(REPEAT_S)
        assert set(script.sent) == {VOTE}
    assert journal.log == ["rate 0.9", "cast"]


async def test_journal_that_fails_in_its_own_way(platform: FakePlatform) -> None:
    """Whatever a journal raises, a vote that is not written down is not cast."""

    class Database(MemoryJournal):
        def remember(self, event_id: str, entry: Entry) -> None:
            raise RuntimeError(f"{event_id} is locked: {entry}")

    transport = platform.transport()
    async with platform.counter(journal=Database(), transport=transport) as counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        await platform.join(3)
        await platform.publish_trivia()
        await platform.clock.advance(REPEAT_S)
        assert transport.sent == []
        assert said(counter.latest) == (1, 3)


class Borrowed(Diary):
    """A journal of the app's own that another process holds."""

    writable = False


async def test_second_process_reads_counts(platform: FakePlatform) -> None:
    """A counter whose journal is not writable casts nothing, repeats nothing, and counts."""
    journal = Borrowed([])
    MemoryJournal.remember(journal, "test-show", Remember("poll-0", 1))  # by the other process
    transport = platform.transport()
    async with platform.counter(journal=journal, transport=transport) as counter:
        assert not counter.active
        await platform.start()
        await platform.join(3)
        counter.active = True
        assert not counter.active
        await platform.clock.advance(SPREAD_S)
        assert said(counter.latest) == (1, 3)
        await platform.publish_trivia()
        await platform.close()
        await platform.clock.advance(REPEAT_S)
        assert said(counter.latest) == (2, 3)
        stats = counter.stats()
        assert (stats.journal_writable, stats.votes_due, stats.votes_sent) == (False, 0, 0)
    assert transport.sent == []
    assert journal.log == []


async def test_second_process_writes_no_rate(
    platform: FakePlatform, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does it try to write the sample rate of a poll."""
    journal, script = Borrowed([]), Script(Welcomed("active", (SAMPLED,)))
    async with platform.counter(journal=journal, transport=script) as counter:
        await until(lambda: counter.state is State.WAITING)
        await platform.clock.advance(REPEAT_S)
    assert (script.sent, journal.log, caplog.records) == ([], [], [])


async def test_file_is_free_when_the_counter_is_left(
    platform: FakePlatform, tmp_path: Path
) -> None:
    """One that was left can still be read, and keeps no other process from the file."""
    path = tmp_path / "player.json"
    async with platform.counter(journal=path) as counter:
        assert counter.stats().journal_writable
        with (tmp_path / "player.json.lock").open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (tmp_path / "player.json.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not FileJournal(path).writable
    assert counter.stats().journal_writable


@pytest.fixture(params=["memory", "file"])
def reopen(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[], MemoryJournal | FileJournal]:
    """How an app has its journal again after a restart: in memory, or from its file."""
    memory = MemoryJournal()
    return lambda: memory if request.param == "memory" else FileJournal(tmp_path / "player.json")


async def test_restart_does_not_vote_twice(
    platform: FakePlatform, reopen: Callable[[], MemoryJournal | FileJournal]
) -> None:
    """An app that restarts with its journal is the same player, and has voted."""
    accepted = Remember("poll-0", 0, answered=True)
    players: set[str] = set()
    await platform.start()
    for sent in ([VOTE], [], []):
        transport = platform.transport()
        async with platform.counter(journal=reopen(), transport=transport) as counter:
            await settled(platform)
            await platform.clock.advance(SPREAD_S)
            await until(lambda: reopen().recall("test-show") == (accepted,))
            await platform.clock.advance(REPEAT_S)
            assert transport.sent == sent
            assert said(counter.latest) == (1, 1)
            players.add(transport.player_id)
    assert len(players) == 1


async def test_restart_without_a_journal(platform: FakePlatform) -> None:
    """With MEMORY an app that restarts is a new player, and is counted twice: documented."""
    await platform.start()
    for votes in (1, 2):
        async with platform.counter(journal=MEMORY) as counter:
            await settled(platform)
            await platform.clock.advance(SPREAD_S)
            assert said(counter.latest) == (1, votes)


@pytest.mark.parametrize("acknowledges", [True, False])
async def test_restart_with_a_vote_unanswered(
    *,
    acknowledges: bool,
    platform: FakePlatform,
    reopen: Callable[[], MemoryJournal | FileJournal],
) -> None:
    """A vote that nobody answered is repeated by the restarted app if that is safe, else never."""
    platform.silent = True
    await platform.start()
    first = platform.transport(acknowledges=acknowledges)
    async with platform.counter(journal=reopen(), transport=first):
        await settled(platform)
        await platform.clock.advance(SPREAD_S)
        await until(lambda: first.sent == [VOTE])
    platform.silent = False
    second = platform.transport(acknowledges=acknowledges)
    async with platform.counter(journal=reopen(), transport=second) as counter:
        await settled(platform)
        await platform.clock.advance(4 * REPEAT_S)
        if acknowledges:
            await until(lambda: counter.stats().votes_accepted == 1)
        assert second.sent == ([VOTE] if acknowledges else [])
        assert said(counter.latest) == (1, 1 if acknowledges else 0)


async def test_restart_with_a_limit_that_allows_doubles() -> None:
    """A poll that takes several votes per option gets one all the same, also after a restart."""
    journal = MemoryJournal()
    show = Welcomed("active", (poll("P", limit=2),))

    async def run() -> list[CastVote]:
        script, clock = Script(show), FakeClock()
        async with PollCounter(
            transport=script, event_id="test-show", journal=journal, clock=clock
        ) as counter:
            await until(lambda: counter.state is State.WAITING)
            await clock.advance(SPREAD_S + 2 * REPEAT_S)
        return script.sent

    assert [await run(), await run()] == [[CastVote("P", 0)], []]


# Leaving


async def test_leaving_closes_the_transport(platform: FakePlatform) -> None:
    """Leaving ends the connection and every task, and what was counted stays readable."""
    async with nothing_left():
        async with platform.counter() as counter:
            await platform.start()
            await platform.join(2)
            assert len(platform.transports) == 1
        assert platform.transports == []
    assert said(counter.latest) == (1, 2)


async def test_leaving_at_once(platform: FakePlatform) -> None:
    """Leaving before the first turn of the event loop leaves nothing either."""
    async with nothing_left():
        async with platform.counter():
            pass
        assert platform.transports == []


async def test_leaving_stops_the_clock(platform: FakePlatform) -> None:
    """A vote that is due when the app leaves is not cast afterwards."""
    transport = platform.transport()
    async with platform.counter(transport=transport):
        await platform.start()
    await platform.clock.advance(REPEAT_S)
    assert transport.sent == []


async def test_timers(platform: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is asked where it would call too late; a counter that was left asks no more."""
    monkeypatch.setattr(random, "random", iter((0.5, 0.75, 0.25, 0.5)).__next__)

    class Noting(FakeClock):
        asked = 0

        def call_at(self, when: float, callback: Callable[[], object], /) -> Any:
            self.asked += 1
            return super().call_at(when, callback)

    clock = Noting()
    counter = platform.counter(clock=clock)
    counter.active = False
    async with counter:
        await platform.start()
        assert clock.asked == 0
        counter.active = True
        assert clock.asked == 1
        await platform.tell(FrameSkipped("malformed"))
        assert clock.asked == 1  # the deadline is the same
        for asked in (1, 2):  # one drawn later, then one drawn earlier
            counter.active = False
            counter.active = True
            assert clock.asked == asked
        counter.active = False
    counter.active = True
    assert clock.asked == 2


async def test_timer_that_is_too_early_does_no_harm(
    platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vote that is due later than its timer was set for is cast when it is due, not before."""
    monkeypatch.setattr(random, "random", iter((0.25, 0.75, 0.0)).__next__)
    transport = platform.transport()
    async with platform.counter(transport=transport) as counter:
        await platform.start()
        counter.active = False
        counter.active = True
        await platform.clock.advance(0.7 * SPREAD_S)
        assert transport.sent == []
        await platform.clock.advance(0.1 * SPREAD_S)
        assert transport.sent == [VOTE]


async def test_exception_in_the_body(platform: FakePlatform) -> None:
    """What the app raises comes out as it is, and nothing is left."""

    async def app() -> None:
        async with platform.counter():
            await platform.start()
            raise KeyError("mine")

    async with nothing_left():
        with pytest.raises(KeyError, match="mine"):
            await app()
        assert platform.transports == []


async def test_cancelled_while_reading(platform: FakePlatform) -> None:
    """A task that is cancelled inside `async for` ends as cancelled, and nothing is left."""
    reading = asyncio.Event()

    async def app() -> None:
        async with platform.counter() as counter:
            async for _ in counter:
                reading.set()

    async with nothing_left():
        task = asyncio.create_task(app())
        await platform.start()
        await soon(reading.wait())
        await platform.disconnect()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert platform.transports == []


@pytest.mark.parametrize("turns", range(8))
async def test_cancelled_at_any_turn(turns: int, platform: FakePlatform) -> None:
    """Cancelled while entering, reading or leaving, at whatever turn: nothing is left."""

    async def app() -> None:
        async with platform.counter() as counter:
            for _ in range(3):
                await asyncio.sleep(0)
            assert counter.state is not State.FINISHED

    async with nothing_left():
        task = asyncio.create_task(app())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert platform.transports == []


async def test_cancelled_while_leaving(platform: FakePlatform) -> None:
    """Cancelled while the transport still says goodbye, the app waits for no one, cleanly."""
    closing = asyncio.Event()

    class Polite(Script):
        async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
            try:
                async for fact in super().facts(event_id, player_id):
                    yield fact
            finally:
                closing.set()
                await asyncio.Event().wait()  # a goodbye that is never answered

    async def app() -> None:
        async with platform.counter(transport=Polite(Welcomed("active", ()))) as counter:
            await until(lambda: counter.state is State.WAITING)

    async with nothing_left():
        task = asyncio.create_task(app())
        await soon(closing.wait())
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(task)


async def test_leaving_while_a_vote_is_being_handed_over(platform: FakePlatform) -> None:
    """A `send` that hangs is given up with the rest."""
    sending = asyncio.Event()

    class Hanging(Script):
        async def send(self, vote: CastVote) -> None:
            await super().send(vote)
            sending.set()
            await asyncio.Event().wait()

    script = Hanging(Welcomed("active", (poll("P"),)))
    async with nothing_left(), platform.counter(transport=script) as counter:
        await until(lambda: counter.state is State.WAITING)
        await platform.clock.advance(SPREAD_S)
        await soon(sending.wait())


# On sockets


def emulated() -> Emulator:
    """Make a platform with one event: a hidden poll without spread, and two trivia."""
    emulator = Emulator(results_interval_s=0.0)
    emulator.add_event("demo", "Demo", {"sponsor": "us"})
    emulator.add_element("demo", "P", poll_settings(Scenario(spread=0.0), 0))
    for element_id in ("T1", "T2"):
        emulator.add_element("demo", element_id, Settings("quiz", "trivia", options=("a", "b")))
    return emulator


def begin(server: LiveServer) -> None:
    """Start the event, with its hidden poll."""
    server.act(server.emulator.start, "demo")
    server.act(server.emulator.publish, "P")


def on_sockets(server: LiveServer, **options: Any) -> PollCounter:
    """Make a counter over real sockets that comes back at once."""
    transport = WebSocketTransport(server.url, reconnect_first_s=0.0)
    return PollCounter(**{"transport": transport, "event_id": "demo", "journal": MEMORY, **options})


async def until_said(counter: PollCounter, last: Said) -> list[Said | None]:
    """Read counts until one says what is awaited."""
    read: list[Said | None] = []
    async with asyncio.timeout(GUARD_S):
        async for count in counter:
            read.append(said(count))
            if read[-1] == last:
                break
    return read


@asynccontextmanager
async def no_socket_left(emulator: Emulator) -> AsyncIterator[None]:
    """Fail if a client leaves a socket or a task behind; the server outlives what is inside."""
    before = asyncio.all_tasks()
    yield
    assert open_connections() == []
    await until(lambda: emulator.connected("demo") == 0)
    await until(lambda: asyncio.all_tasks() <= before)
    gc.collect()  # a socket that was forgotten warns now, and a warning is an error


async def test_votes_are_counted() -> None:
    """Two apps on real sockets: both vote in every round, and both are told how many they are."""
    emulator = emulated()
    async with LiveServer(emulator) as server, no_socket_left(emulator):
        async with (
            PollCounter(server.url, event_id="demo", journal=MEMORY) as one,
            PollCounter(server.url, event_id="demo", journal=MEMORY) as two,
        ):
            await until(lambda: {one.state, two.state} == {State.UPCOMING})
            assert one.fields == {"sponsor": "us"}
            begin(server)
            assert (await until_said(one, (1, 2)))[-1] == (1, 2)
            server.act(emulator.publish, "T1")
            server.act(emulator.close, "T1")
            assert (await until_said(two, (2, 2)))[-1] == (2, 2)
            await until(lambda: one.stats().votes_accepted == two.stats().votes_accepted == 2)
            assert emulator.votes("P") == (2, 2, *[0] * 8)
            server.act(emulator.stop, "demo")
            for counter in (one, two):
                async with asyncio.timeout(GUARD_S):
                    assert [said(count) async for count in counter] in ([], [(2, 2)])
        assert {k: said(count) for k, count in one.history.items()} == {1: (1, 2), 2: (2, 2)}
        assert one.state is two.state is State.FINISHED


async def test_server_restart() -> None:
    """A server that restarts is come back to; the counts go on, and nobody votes twice."""
    emulator = emulated()
    async with AsyncExitStack() as clients:
        async with LiveServer(emulator) as first:
            begin(first)
            counter = await clients.enter_async_context(on_sockets(first))
            await until_said(counter, (1, 1))
        await until(lambda: counter.state is State.OFFLINE)
        assert said(counter.latest) == (1, 1)
        port = int(first.url.rpartition(":")[2])
        async with LiveServer(emulator, port=port) as second, no_socket_left(emulator):
            await until(lambda: counter.state is State.WAITING)
            assert counter.stats().reconnects == 1
            second.act(emulator.publish, "T1")
            second.act(emulator.close, "T1")
            await until_said(counter, (2, 1))
            assert emulator.votes("P")[:2] == (1, 1)
            await clients.aclose()


async def test_app_restart(tmp_path: Path) -> None:
    """An app that restarts with its file is the same player to a real server."""
    emulator = emulated()
    async with LiveServer(emulator) as server, no_socket_left(emulator):
        begin(server)
        for _ in range(3):
            async with on_sockets(server, journal=tmp_path / "player.json") as counter:
                await until_said(counter, (1, 1))
        server.act(emulator.publish, "T1")
        server.act(emulator.close, "T1")
        async with on_sockets(server, journal=tmp_path / "player.json") as counter:
            await until_said(counter, (2, 1))
        assert emulator.votes("P")[:2] == (1, 1)


async def test_exception_on_sockets() -> None:
    """What the app raises comes out as it is, and its socket is closed."""
    emulator = emulated()

    async def app() -> None:
        async with on_sockets(server) as counter:
            await until(lambda: counter.state is State.UPCOMING)
            raise KeyError("mine")

    async with LiveServer(emulator) as server, no_socket_left(emulator):
        with pytest.raises(KeyError, match="mine"):
            await app()


@pytest.mark.usefixtures("quick_to_collect")
async def test_cancelled_on_sockets() -> None:
    """Cancelled while connecting, reading or leaving, at whatever turn: no socket is left."""
    emulator = emulated()

    async def app() -> None:
        async with on_sockets(server) as counter:
            await until(lambda: counter.state is State.UPCOMING)

    async with LiveServer(emulator) as server:
        for turns in range(40):
            async with no_socket_left(emulator):
                task = asyncio.create_task(app())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])


async def test_cancelled_while_the_server_does_not_answer() -> None:
    """Cancelled while the goodbye is not answered: no socket is left open."""
    async with ScriptedServer() as server:
        before = asyncio.all_tasks()
        left = asyncio.Event()

        async def app() -> None:
            async with PollCounter(server.url, event_id="demo", journal=MEMORY):
                await left.wait()

        task = asyncio.create_task(app())
        peer = await server.welcome()
        (connection,) = open_connections()
        peer.transport.pause_reading()
        left.set()
        await until(lambda: connection.state is not ConnectionState.OPEN)
        task.cancel()
        await asyncio.wait([task])
        try:
            assert open_connections() == []
        finally:
            connection.transport.abort()
            peer.transport.abort()
            await until(lambda: asyncio.all_tasks() <= before)


async def test_end_of_the_show_with_a_slow_server() -> None:
    """A reader that leaves when the event ends leaves no socket open, however slow the server."""
    async with ScriptedServer() as server:
        before = asyncio.all_tasks()
        async with PollCounter(server.url, event_id="demo", journal=MEMORY) as counter:
            peer = await server.welcome()
            await until(lambda: counter.state is State.WAITING)
            (connection,) = open_connections()
            peer.transport.pause_reading()  # it will be a while until it answers a goodbye
            await peer.send(frame("event_state", state="finished", rev=2))
            async with asyncio.timeout(GUARD_S):
                assert [count async for count in counter] == []
            assert counter.state is State.FINISHED
        try:
            assert open_connections() == []
        finally:
            connection.transport.abort()
            peer.transport.abort()
            await until(lambda: asyncio.all_tasks() <= before)
