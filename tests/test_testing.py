"""The fakes for the tests of apps: what such a test may rely on."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from poll_counter import (
    CastVote,
    MemoryJournal,
    MisuseError,
    PlatformError,
    RoundCount,
    State,
    testing,
)
from poll_counter.facts import (
    AnswerAccepted,
    AnswerRefused,
    Disconnected,
    EventStateChanged,
    Fact,
    FrameSkipped,
    ResultsTold,
    Welcomed,
)
from poll_counter.testing import (
    FakeClock,
    FakePlatform,
    fake_platform,
)
from tests.support.waiting import GUARD_S, soon

__all__ = ["fake_platform"]  # a fixture is imported where it is used

SPREAD_S = 3.0
REPEAT_S = 25.0


def players(counts: dict[int, RoundCount]) -> dict[int, int | None]:
    """The counts of a history: round -> players."""
    return {round_: count.players for round_, count in counts.items()}


async def play(platform: FakePlatform, rounds: int = 1) -> None:
    """Play rounds to their end: the waiting phase of each, then its trivia."""
    for _ in range(rounds):
        await platform.clock.advance(SPREAD_S)
        await platform.publish_trivia()
        await platform.close()


# The clock


async def test_clock_stands_still() -> None:
    """Time passes when the test says so, by what it says."""
    clock = FakeClock()
    start = clock.time()
    await asyncio.sleep(0)
    assert clock.time() == start
    await clock.advance(2.5)
    assert clock.time() == start + 2.5
    await clock.advance(0.0)
    assert clock.time() == start + 2.5


async def test_clock_calls_back_in_order() -> None:
    """Calls are made in the order of their times, then of their making, each at its time."""
    clock = FakeClock()
    start = clock.time()
    calls: list[tuple[str, float]] = []

    def call(name: str) -> None:
        calls.append((name, clock.time() - start))

    for name, after in (("c", 2.0), ("a", 1.0), ("d", 2.0), ("b", 1.5), ("e", 2.25)):
        clock.call_at(start + after, lambda name=name: call(name))  # type: ignore[misc]
    await clock.advance(0.75)
    assert calls == []
    await clock.advance(1.25)
    assert calls == [("a", 1.0), ("b", 1.5), ("c", 2.0), ("d", 2.0)]
    await clock.advance(10.0)
    assert calls[4:] == [("e", 2.25)]
    assert clock.time() == start + 12.0


async def test_timer() -> None:
    """A timer that is cancelled is not called; cancelling it again, or too late, does no harm."""
    clock = FakeClock()
    calls: list[str] = []
    kept = clock.call_at(1001.0, lambda: calls.append("kept"))
    dropped = clock.call_at(1002.0, lambda: calls.append("dropped"))
    dropped.cancel()
    dropped.cancel()
    await clock.advance(5.0)
    assert calls == ["kept"]
    kept.cancel()


async def test_timer_set_by_a_timer() -> None:
    """What a call sets up within the time that passes is called too; what is past, at once."""
    clock = FakeClock()
    start = clock.time()
    calls: list[float] = []

    def again() -> None:
        calls.append(clock.time() - start)
        if len(calls) < 3:
            clock.call_at(clock.time() + 1.0, again)

    clock.call_at(start - 5.0, again)
    await clock.advance(1.5)
    assert calls == [0.0, 1.0]
    await clock.advance(1.5)
    assert calls == [0.0, 1.0, 2.0]


async def test_tasks_run_while_time_passes() -> None:
    """What a call starts has its turns before the next call is made."""
    clock = FakeClock()
    calls: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def work() -> None:
        await asyncio.sleep(0)
        calls.append("worked")

    clock.call_at(1001.0, lambda: tasks.append(asyncio.create_task(work())))
    clock.call_at(1002.0, lambda: calls.append("next"))
    await clock.advance(2.0)
    assert calls == ["worked", "next"]


# The fixture


async def test_as_documented(fake_platform: FakePlatform) -> None:
    """The example in the module's docstring holds."""
    async with fake_platform.counter() as counter:
        await fake_platform.start()
        await fake_platform.join(41)
        await fake_platform.clock.advance(3.0)
        assert counter.latest is not None
        assert counter.latest.players == 42


async def test_platform_of_its_own(fake_platform: FakePlatform) -> None:
    """Every test has a platform of its own: on this one nobody is in yet, and nothing begun."""
    assert fake_platform.transports == []
    assert fake_platform.others == 0
    assert fake_platform.snapshot().event_state == "upcoming"
    assert fake_platform.snapshot().elements == ()


@pytest.fixture
def platform() -> FakePlatform:
    """A platform in memory."""
    return FakePlatform(spread_s=SPREAD_S)


# The show


async def test_a_whole_show(platform: FakePlatform) -> None:
    """Others vote in every round as soon as it begins, our own vote comes within the spread."""
    async with platform.counter() as counter:
        await platform.start()
        await platform.join(9)
        await play(platform, rounds=10)
        await platform.stop()
        assert counter.state is State.FINISHED
        assert players(counter.history) == dict.fromkeys(range(1, 11), 10)


async def test_states(platform: FakePlatform) -> None:
    """What the producer does is told when the call returns."""
    async with platform.counter() as counter:
        states = []
        await platform.disconnect()
        await platform.reconnect()
        states.append(counter.state)
        await platform.start()
        states.append(counter.state)
        assert await platform.publish_trivia() == "trivia-1"
        states.append(counter.state)
        await platform.close()
        states.append(counter.state)
        assert await platform.publish_trivia() == "trivia-2"
        states.append(counter.state)
        await platform.stop()
        states.append(counter.state)
    assert [state.name for state in states] == [
        "UPCOMING",
        "WAITING",
        "PLAYING",
        "WAITING",
        "PLAYING",
        "FINISHED",
    ]


async def test_counter_that_enters_later(platform: FakePlatform) -> None:
    """A counter is told on entry how things stand: elements, results, state."""
    await platform.start()
    await platform.join(5)
    await platform.publish_trivia()
    await platform.close()
    await platform.publish_trivia()
    async with platform.counter() as counter:
        await platform.reconnect()
        assert counter.state is State.PLAYING
        assert [element.id for element in counter.elements] == ["poll-0", "trivia-1", "trivia-2"]
        assert players(counter.history) == {1: 5, 2: 5}
        await platform.clock.advance(REPEAT_S)
        assert players(counter.history) == {1: 5, 2: 5}  # a latecomer


async def test_time_passes_for_a_counter_just_entered(platform: FakePlatform) -> None:
    """A counter that was entered before time passes is connected before it does."""
    await platform.start()
    async with platform.counter() as counter:
        await platform.clock.advance(SPREAD_S)
        assert players(counter.history) == {1: 1}


async def test_facts_for_a_counter_just_entered(platform: FakePlatform) -> None:
    """A counter that was entered before a fact is told it."""
    async with platform.counter() as counter:
        await platform.tell(FrameSkipped("malformed"))
        assert counter.stats().skipped == {"malformed": 1}


async def test_two_counters(platform: FakePlatform) -> None:
    """Every counter is a player of its own, and all are told the same."""
    async with platform.counter() as one, platform.counter() as two:
        await platform.start()
        assert len(platform.transports) == 2
        assert len({transport.player_id for transport in platform.transports}) == 2
        await platform.clock.advance(SPREAD_S)
        assert players(one.history) == players(two.history) == {1: 2}
    assert platform.transports == []


async def test_options_of_the_counter(platform: FakePlatform) -> None:
    """What is passed to `counter()` is the counter's; the rest fits the platform."""
    platform = FakePlatform("finals", spread_s=0.0)
    transport, journal = platform.transport(), MemoryJournal()
    async with platform.counter(transport=transport, journal=journal):
        await platform.start()
        assert transport.sent == [CastVote("poll-0", 0)]  # without a spread: at once
        assert transport.player_id == journal.player_id
        assert journal.recall("finals") != ()


async def test_joining_while_playing(platform: FakePlatform) -> None:
    """Who joins while a trivia is open is counted from the next round on."""
    async with platform.counter() as counter:
        counter.active = False
        await platform.start()
        await platform.join(3)
        await platform.publish_trivia()
        await platform.join(4)
        assert players(counter.history) == {1: 3}
        await platform.close()
        assert players(counter.history) == {1: 3, 2: 7}
        await platform.join(1)
        assert players(counter.history) == {1: 3, 2: 8}


async def test_joining_before_the_start(platform: FakePlatform) -> None:
    """Who joins before the event begins is in round 1."""
    async with platform.counter() as counter:
        counter.active = False
        await platform.join(2)
        await platform.start()
        assert players(counter.history) == {1: 2}


async def test_others_vote_once(platform: FakePlatform) -> None:
    """A round that comes back does not make others vote again."""
    async with platform.counter() as counter:
        counter.active = False
        await platform.start()
        await platform.join(6)
        trivia = await platform.publish_trivia()
        await platform.close()
        assert players(counter.history) == {1: 6, 2: 6}
        await platform.revoke(trivia)
        assert counter.state is State.WAITING
        assert players(counter.history) == {1: 6}
        assert await platform.publish_trivia(trivia) == trivia
        await platform.close(trivia)
        assert players(counter.history) == {1: 6, 2: 6}


async def test_second_page(platform: FakePlatform) -> None:
    """Polls chain: the next one that is published counts the rounds after the last one's."""
    platform = FakePlatform(options=2, spread_s=SPREAD_S)
    async with platform.counter() as counter:
        await platform.start()
        await platform.join(1)
        await play(platform, rounds=2)
        assert players(counter.history) == {1: 2, 2: 2}
        assert await platform.publish_poll() == "poll-1"
        await platform.clock.advance(SPREAD_S)
        assert players(counter.history) == {1: 2, 2: 2, 3: 2}
        assert [len(element.options) for element in counter.elements[-1:]] == [2]


async def test_replaced_poll(platform: FakePlatform) -> None:
    """A poll may be replaced by another of its page: all vote anew in the round that waits."""
    transport = platform.transport()
    async with platform.counter(transport=transport) as counter:
        await platform.start()
        await platform.join(4)
        await play(platform)
        await platform.clock.advance(SPREAD_S)
        await platform.revoke("poll-0")
        await platform.clock.advance(1.0)
        assert await platform.publish_poll(page=0) == "poll-1"
        await platform.clock.advance(SPREAD_S)
        assert players(counter.history) == {1: 5, 2: 5}
        assert transport.sent[-1] == CastVote("poll-1", 1)


async def test_closed_poll(platform: FakePlatform) -> None:
    """A poll that is closed has final results, and takes no more of the others' votes."""
    async with platform.counter() as counter:
        counter.active = False
        await platform.start()
        await platform.join(4)
        assert counter.history[1].high is None
        await platform.close("poll-0")
        assert counter.history[1].settled
        await platform.join(1)
        assert players(counter.history) == {1: 4}


async def test_tally(platform: FakePlatform) -> None:
    """Any results may be told, whatever was voted."""
    async with platform.counter() as counter:
        await platform.start()
        await platform.tally("poll-0", [12_431] + [0] * 9)
        assert players(counter.history) == {1: 12_431}
        await platform.tally("poll-0", [1])
        assert counter.stats().skipped == {"results_length": 1}


# What goes wrong


async def test_disconnect_and_reconnect(platform: FakePlatform) -> None:
    """What is missed while disconnected comes with the snapshot; doing it twice changes nothing."""
    transport = platform.transport()
    async with platform.counter(transport=transport) as counter:
        await platform.start()
        await platform.disconnect()
        await platform.disconnect()
        assert counter.state is State.OFFLINE
        assert not transport.connected
        await platform.join(8)
        await platform.clock.advance(SPREAD_S)
        assert transport.sent == []
        assert players(counter.history) == {1: 0}
        await platform.reconnect()
        await platform.reconnect()
        assert transport.connected
        assert counter.stats().connects == 2
        assert transport.sent == [CastVote("poll-0", 0)]
        assert players(counter.history) == {1: 9}


async def test_sending_while_disconnected(platform: FakePlatform) -> None:
    """A vote that is handed over without a connection is noted, and refused."""
    transport = platform.transport()
    with pytest.raises(ConnectionError, match="disconnected"):
        await transport.send(CastVote("poll-0", 0))
    assert transport.sent == [CastVote("poll-0", 0)]


@pytest.mark.parametrize("reason", ["closed", "not_allowed"])
async def test_refuse(reason: str, platform: FakePlatform) -> None:
    """Every vote is refused with the reason given, until told otherwise."""
    platform.refuse = AnswerRefused("", 0, reason)  # type: ignore[arg-type]
    async with platform.counter() as counter:
        await platform.start()
        await play(platform, rounds=2)
        assert counter.stats().votes_refused == 2
        platform.refuse = None
        await play(platform)
        assert counter.stats().votes_refused == 2
        assert counter.stats().votes_accepted == 1
        assert players(counter.history) == {1: None, 2: None, 3: 1, 4: 0}


async def test_busy(platform: FakePlatform) -> None:
    """A busy platform may be asked again after the time it says."""
    platform.refuse = AnswerRefused("", 0, "busy", retry_after_s=60.0)
    transport = platform.transport()
    async with platform.counter(transport=transport) as counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        assert transport.sent == [CastVote("poll-0", 0)]
        platform.refuse = None
        await platform.clock.advance(56.0)
        assert transport.sent == [CastVote("poll-0", 0)]
        await platform.clock.advance(4.0)
        assert transport.sent == [CastVote("poll-0", 0)] * 2
        assert players(counter.history) == {1: 1}


async def test_silent(platform: FakePlatform) -> None:
    """A silent platform neither counts nor answers; the vote is repeated when it is heard again."""
    transport = platform.transport()
    platform.silent = True
    async with platform.counter(transport=transport) as counter:
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        assert len(transport.sent) == 1
        assert players(counter.history) == {1: 0}
        platform.silent = False
        await platform.clock.advance(REPEAT_S)
        assert counter.stats().votes_accepted == 1
        assert players(counter.history) == {1: 1}


async def test_already_voted(platform: FakePlatform) -> None:
    """One player on two devices is counted once."""
    journal = MemoryJournal()
    async with (
        platform.counter(journal=journal) as one,
        platform.counter(journal=journal) as two,
    ):
        await platform.start()
        await platform.clock.advance(SPREAD_S)
        assert one.stats().votes_accepted == two.stats().votes_accepted == 1
        assert players(one.history) == {1: 1}


async def test_platform_that_does_not_acknowledge(platform: FakePlatform) -> None:
    """A transport may say that its platform does not answer votes: nothing is repeated."""
    transport = platform.transport(acknowledges=False)
    assert platform.transport().acknowledges
    platform.silent = True
    async with platform.counter(transport=transport):
        await platform.start()
        await platform.clock.advance(4 * REPEAT_S)
        assert transport.sent == [CastVote("poll-0", 0)]


async def test_odd_facts(platform: FakePlatform) -> None:
    """Any fact may be told, to every counter that is connected."""
    async with platform.counter() as one, platform.counter() as two:
        await platform.start()
        await platform.tell(FrameSkipped("odd"))
        assert one.stats().skipped == two.stats().skipped == {"odd": 1}


async def test_failing_counter_holds_nobody_up(platform: FakePlatform) -> None:
    """A counter that is left while it is told things keeps no other call waiting."""
    async with platform.counter() as counter:
        await platform.start()
        await platform.disconnect()
    async with asyncio.timeout(GUARD_S):
        await platform.join(1)
        await platform.stop()
    assert counter.state is State.OFFLINE


# The transport by itself


async def test_transport_tells_in_order(platform: FakePlatform) -> None:
    """A transport brings the snapshot first, then what is told, in order."""
    transport = platform.transport()
    await platform.start()
    async with aclosing(transport.facts("test-show", "me")) as facts:
        told: list[Fact] = [await soon(anext(facts))]
        transport.tell(EventStateChanged("finished", 9))
        transport.disconnect()
        transport.tell(FrameSkipped("lost"))
        transport.connect()
        told += [await soon(anext(facts)) for _ in range(3)]
    assert told[1:3] == [EventStateChanged("finished", 9), Disconnected()]
    for welcomed in (told[0], told[3]):
        assert isinstance(welcomed, Welcomed)
        assert welcomed.event_id == "test-show"
        assert [element.id for element in welcomed.elements] == ["poll-0"]
        assert welcomed.results == (ResultsTold("poll-0", (0,) * 10),)
    assert platform.transports == []
    assert not transport.connected


async def test_votes_are_answered(platform: FakePlatform) -> None:
    """A vote is counted once and answered to its sender; the results are told to all."""
    one, two = platform.transport(), platform.transport()
    await platform.start()
    async with (
        aclosing(one.facts("test-show", "me")) as mine,
        aclosing(two.facts("test-show", "you")) as yours,
    ):
        await soon(anext(mine))
        await soon(anext(yours))
        await one.send(CastVote("poll-0", 3))
        results = ResultsTold("poll-0", (0, 0, 0, 1, 0, 0, 0, 0, 0, 0))
        assert await soon(anext(mine)) == AnswerAccepted("poll-0", 3)
        assert await soon(anext(mine)) == results
        assert await soon(anext(yours)) == results
        await one.send(CastVote("poll-0", 3))
        assert await soon(anext(mine)) == AnswerRefused("poll-0", 3, "already_voted")
        await two.send(CastVote("poll-0", 3))
        assert await soon(anext(yours)) == AnswerAccepted("poll-0", 3)
        assert platform.snapshot().results[0].votes[3] == 2


async def test_taken_in(platform: FakePlatform) -> None:
    """What was told is taken in when the next fact is asked for, or the transport is closed."""
    transport = platform.transport()
    facts = transport.facts("test-show", "me")
    await soon(anext(facts))
    waiting = asyncio.create_task(transport.taken_in())
    await asyncio.sleep(0)
    assert not waiting.done()
    following = asyncio.ensure_future(anext(facts))
    await soon(waiting)
    transport.tell(FrameSkipped("one"))
    transport.tell(FrameSkipped("two"))
    assert await following == FrameSkipped("one")
    waiting = asyncio.create_task(transport.taken_in())
    await asyncio.sleep(0)
    assert not waiting.done()
    await facts.aclose()
    await soon(waiting)


async def test_closing_while_waiting(platform: FakePlatform) -> None:
    """A transport that is closed while it waits for a fact has taken in all."""
    transport = platform.transport()
    facts = transport.facts("test-show", "me")
    await soon(anext(facts))
    waiting = asyncio.ensure_future(anext(facts))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await soon(transport.taken_in())
    assert platform.transports == []


# Misuse


async def test_wrong_event(platform: FakePlatform) -> None:
    """A counter of another event finds no platform; the message names this one's."""
    transport = platform.transport()
    with pytest.raises(MisuseError, match="test-show"):
        await soon(anext(transport.facts("another", "me")))
    assert platform.transports == []
    async with platform.counter(event_id="another") as counter:
        with pytest.raises(PlatformError, match="test-show"):
            await soon(anext(counter))


async def test_nothing_to_close(platform: FakePlatform) -> None:
    """A test that closes or revokes what is not there is told so."""
    await platform.start()
    with pytest.raises(MisuseError, match="no such element to close"):
        await platform.close()
    with pytest.raises(MisuseError, match="no such element to close"):
        await platform.close("trivia-1")
    await platform.publish_trivia()
    await platform.close()
    with pytest.raises(MisuseError, match="no such element to close"):
        await platform.close()


async def test_nothing_to_revoke(platform: FakePlatform) -> None:
    """A test that revokes what is not there is told so."""
    with pytest.raises(MisuseError, match=r"no .*element"):
        await platform.revoke("trivia-1")


# Without pytest


def run(code: str) -> str:
    """Run Python code by itself, on this checkout."""
    command = [sys.executable, "-W", "error", "-c", code]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_pytest() -> None:
    """The fakes work where pytest is missing; only the fixture is not there."""
    code = """
import sys
sys.modules["pytest"] = None
import asyncio
from poll_counter.testing import *
import poll_counter.testing

async def main():
    platform = FakePlatform()
    async with platform.counter() as counter:
        await platform.start()
        await platform.clock.advance(3.0)
        print(counter.latest.players)

asyncio.run(main())
print(hasattr(poll_counter.testing, "fake_platform"), poll_counter.testing.__all__)
"""
    assert run(code) == "1\nFalse ['FakeClock', 'FakePlatform', 'FakeTransport']\n"


def test_fixture_is_left_out_without_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module itself loads without pytest, and does not name the fixture then."""
    monkeypatch.setitem(sys.modules, "pytest", None)
    spec = importlib.util.spec_from_file_location("poll_counter.again", testing.__file__)
    assert spec is not None
    assert spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    assert set(testing.__all__) - set(again.__all__) == {"fake_platform"}
    assert not hasattr(again, "fake_platform")


def test_with_pytest() -> None:
    """Where pytest is there, so is the fixture."""
    code = "from poll_counter.testing import *; print(fake_platform.__name__, FakeClock.__name__)"
    assert run(code) == "fake_platform FakeClock\n"


async def test_time_does_not_run_backwards(platform: FakePlatform) -> None:
    """A clock that would be turned back says so."""
    with pytest.raises(MisuseError, match="backwards"):
        await platform.clock.advance(-1.0)
