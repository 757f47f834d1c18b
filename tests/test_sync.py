"""The blocking counter: the same counts, one thread, and nothing left behind."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from poll_counter import MEMORY, MisuseError, PlatformError, RoundCount, State
from poll_counter.facts import Disconnected, Fact, Welcomed
from poll_counter.sync import PollCounter
from tests.support.served import ServedShow


class Silent:
    """A transport that connects and never brings anything."""

    acknowledges = True

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Wait for ever."""
        await asyncio.Event().wait()
        yield Disconnected()  # an async generator has a yield

    async def send(self, vote: object) -> None:
        """Never called."""


class Broken(Silent):
    """A transport that breaks at once."""

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Break."""
        raise OSError("no network card")
        yield Disconnected()


def silent(**options: object) -> PollCounter:
    """A counter on a platform that says nothing."""
    return PollCounter(transport=Silent(), event_id="e", journal=MEMORY, **options)  # type: ignore[arg-type]


def until(condition: Callable[[], bool]) -> None:
    """Wait until something that another thread does has happened; fail if it never does."""
    for _ in range(10_000):
        if condition():
            return
        threading.Event().wait(0.001)
    pytest.fail("it never happened")


def background() -> list[str]:
    """The threads that the library has started."""
    return [t.name for t in threading.enumerate() if t.name == "poll_counter"]


def test_a_show_is_counted_and_the_iterator_ends_with_it() -> None:
    """Counts come as they change, over a real socket; history stays readable afterwards."""
    with ServedShow() as served:
        counter = PollCounter(served.url, event_id="show", journal=MEMORY, spread_s=0.0)
        with counter:
            served.start()
            for count in counter:
                if count.players == 1:
                    if count.round == 3:
                        served.stop()
                    else:
                        served.play(count.round)
            assert counter.state is State.FINISHED
        assert {r: c.players for r, c in counter.history.items()} == {1: 1, 2: 1, 3: 1}
        assert counter.stats().votes_accepted == 3
        assert counter.latest is not None
        assert [e.id for e in counter.elements if not counter.is_hidden(e)] == list(
            served.show.trivia
        )
    assert background() == []


class Written(Silent):
    """A transport of a platform whose producer writes the connected users into a field."""

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Tell the number, and no more."""
        yield Welcomed("active", (), fields={"viewers": 12_431})
        async for fact in super().facts(event_id, player_id):
            yield fact


def test_the_concurrency_that_the_producer_writes() -> None:
    """It can be read, and is called back with; here, too."""
    told = queue.SimpleQueue[int]()
    with PollCounter(
        transport=Written(),
        event_id="e",
        journal=MEMORY,
        concurrency_field="viewers",
        on_concurrency=told.put,
    ) as counter:
        assert told.get(timeout=10) == 12_431
        assert counter.concurrency == 12_431


def test_no_connection_is_left_when_the_app_dies() -> None:
    """An exception in the body closes the connection and ends the thread."""
    with ServedShow() as served:
        served.start()
        counter = PollCounter(served.url, event_id="show", journal=MEMORY)
        with pytest.raises(ZeroDivisionError), counter:  # noqa: PT012 - it dies in the middle
            next(counter)
            assert served.connected == 1
            assert background() == ["poll_counter"]
            raise ZeroDivisionError
        assert background() == []
        until(lambda: not served.connected)


def test_counters_share_one_thread_which_ends_with_the_last() -> None:
    """Entering and leaving in any order keeps exactly one thread while it is used."""
    with silent() as first:
        with silent():
            assert background() == ["poll_counter"]
        assert background() == ["poll_counter"]
        assert first.state is State.OFFLINE
    assert background() == []
    with silent():
        assert background() == ["poll_counter"]
    assert background() == []


def test_an_entry_that_fails_leaves_no_thread() -> None:
    """Entering twice is misuse, and the second entry keeps nothing alive."""
    counter = silent()
    with counter:
        pass
    with pytest.raises(MisuseError, match="once"), counter:
        pass
    assert background() == []


def test_reading_needs_an_entered_counter() -> None:
    """Iterating before `with` says what to do."""
    with pytest.raises(MisuseError, match="with PollCounter"):
        next(silent())


def test_reading_a_closed_counter() -> None:
    """A new loop over a closed counter is misuse; one that was at work comes to its end."""
    with silent() as counter:
        reading = iter(counter)
    assert counter.closed
    with pytest.raises(MisuseError, match="closed"):
        iter(counter)
    assert next(reading, None) is None


def test_values_can_be_read_before_and_after() -> None:
    """Properties answer at any time."""
    counter = silent()
    assert (counter.latest, counter.history, counter.elements) == (None, {}, ())
    assert (counter.state, counter.active, dict(counter.fields)) == (State.OFFLINE, True, {})
    counter.active = False
    with counter:
        assert counter.active is False
        counter.active = True
    assert counter.active is True
    assert counter.stats().connects == 0


def test_many_threads_may_read_at_once() -> None:
    """Reads from several threads agree, while the counter works."""
    with (
        ServedShow() as served,
        PollCounter(served.url, event_id="show", journal=MEMORY, spread_s=0.0) as counter,
        ThreadPoolExecutor(4) as pool,
    ):
        served.start()
        while next(counter).players != 1:
            pass
        latest = [pool.submit(lambda: counter.latest) for _ in range(100)]
        assert {got.result().players for got in latest if got.result()} == {1}  # type: ignore[union-attr] # filtered


def test_one_reader_at_a_time() -> None:
    """A second thread that waits for counts is told so; leaving ends the first one's wait."""
    ended = queue.Queue[object]()

    def read() -> None:
        ended.put(list(counter))

    with silent() as counter:
        reader = threading.Thread(target=read)
        reader.start()
        until(lambda: counter._counter._reading)
        with pytest.raises(MisuseError, match="one reader"):
            next(counter)
    reader.join(timeout=10)
    assert ended.get_nowait() == []


def test_a_broken_transport_is_told_to_the_reader() -> None:
    """What breaks for good is raised where counts are read."""
    counter = PollCounter(transport=Broken(), event_id="e", journal=MEMORY)
    with counter, pytest.raises(PlatformError, match="no network card"):
        next(counter)
    assert background() == []


def test_callbacks_run_on_the_thread_of_the_apps_choice() -> None:
    """With `call_in` the app's own loop makes the calls; without, the background thread does."""
    calls = queue.Queue[Callable[[], object]]()
    told: list[tuple[str, object]] = []

    def note(value: object) -> None:
        told.append((threading.current_thread().name, value))

    with ServedShow() as served:
        first = PollCounter(
            served.url, event_id="show", journal=MEMORY, on_state=note, call_in=calls.put
        )
        with first:
            calls.get(timeout=10)()
        states = queue.Queue[str]()
        second = PollCounter(
            served.url,
            event_id="show",
            journal=MEMORY,
            on_state=lambda _: states.put(threading.current_thread().name),
        )
        with second:
            assert states.get(timeout=10) == "poll_counter"
    assert told == [(threading.current_thread().name, State.UPCOMING)]


def test_a_callback_that_would_block_is_refused() -> None:
    """Waiting on the background thread would wait for itself; reading values there works."""
    got = queue.Queue[object]()

    def on_state(_: State) -> None:
        got.put(counter.latest)
        try:
            next(counter)
        except MisuseError as error:
            got.put(str(error))

    with ServedShow() as served:
        counter = PollCounter(served.url, event_id="show", journal=MEMORY, on_state=on_state)
        with counter:
            assert got.get(timeout=10) is None
            assert "call_in" in str(got.get(timeout=10))


def test_interrupting_a_wait_leaves_nothing_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while waiting for a count cancels the wait; the counter can be read again."""
    with silent() as counter:

        def interrupted(self: object, timeout: float | None = None) -> RoundCount:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("concurrent.futures.Future.result", interrupted)
            with pytest.raises(KeyboardInterrupt):
                next(counter)
        until(lambda: not counter._counter._reading)
    assert background() == []
