"""The publisher: once a minute at most, whatever happens, and it says what it did."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from poll_counter.control.api import ControlApi
from poll_counter.control.concurrency import ConcurrencyPublisher, Published
from poll_counter.control.stats import EVENT_STATS
from poll_counter.control.sync import ControlApi as BlockingControlApi
from poll_counter.elements import CONCURRENCY_FIELD
from poll_counter.errors import ControlApiError, MisuseError

from .support import VirtualTime, api_on, new_token


def told(value: Any, state: str = "current") -> dict[str, Any]:
    """Get Event with `include=stats`."""
    return {
        "data": {"id": "e1", "type": "events", "attributes": {"state": state}},
        "included": [
            {"id": "e1", "type": "stats", "attributes": {"current_concurrency": value}},
        ],
    }


@dataclass
class Studio(httpx.AsyncBaseTransport):
    """A platform that tells numbers, and notes when it was asked and what was written."""

    clock: Callable[[], float]
    told: list[Any] = field(default_factory=list)
    """What the next reads are answered with; then 7."""
    slow: Callable[[], Awaitable[object]] | None = None
    """Before a read is answered."""
    refuse: list[int] = field(default_factory=list)
    """The statuses of the next writes; then 204."""
    read_at: list[float] = field(default_factory=list)
    written: list[tuple[str, Any]] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        if request.method == "PATCH":
            document = httpx.Response(200, content=await request.aread()).json()
            self.written.append((request.url.path, document["data"]["attributes"]))
            return httpx.Response(self.refuse.pop(0) if self.refuse else 204)
        self.read_at.append(self.clock())
        assert dict(request.url.params) == {"include": "stats"}
        answer = self.told.pop(0) if self.told else told(7)
        if self.slow is not None:
            await self.slow()
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def api(self, token: str) -> ControlApi:
        """One with this platform."""
        return ControlApi("https://platform.example", token=token, transport=self, draw=lambda: 0.0)


@pytest.fixture
def time() -> VirtualTime:
    """The tests' clock; begins at 1000."""
    return VirtualTime()


def publisher(
    studio: Studio, time: VirtualTime, *, token: str = "", **more: Any
) -> ConcurrencyPublisher:
    """One on the tests' clock, with a schedule of its own unless a token is given."""
    api = more.pop("api", None) or studio.api(token or new_token())
    return ConcurrencyPublisher(
        api, "e1", clock=time.clock, sleep=time.sleep, now=lambda: time.now + 1e9, **more
    )


@asynccontextmanager
async def running(
    *publishers: ConcurrencyPublisher,
) -> AsyncGenerator[list[Published], None]:
    """Let some publish; what they report."""
    reports = list[Published]()
    tasks = [asyncio.create_task(each.run(reports.append)) for each in publishers]
    try:
        yield reports
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def test_it_reads_once_a_minute_and_writes_the_number(time: VirtualTime) -> None:
    """The first read waits out a full interval: a restart cannot break the rule."""
    studio = Studio(time.clock, [told(1), told(2)])
    async with running(publisher(studio, time)) as reports:
        await time.run(1059.9)
        assert studio.read_at == []
        await time.run(1179.9)
    assert studio.read_at == [1060.0, 1120.0]
    assert [path for path, _ in studio.written] == ["/api/v2/events/e1"] * 2
    assert [body["settings"] for _, body in studio.written] == [
        [{"key": CONCURRENCY_FIELD, "values": {"all": 1}}],
        [{"key": CONCURRENCY_FIELD, "values": {"all": 2}}],
    ]
    assert reports == [
        Published(at=1e9 + 1060.0, stat="current_concurrency", value=1, written=True),
        Published(at=1e9 + 1120.0, stat="current_concurrency", value=2, written=True),
    ]


async def test_it_can_write_into_a_field_of_an_element(time: VirtualTime) -> None:
    """Of any name, in any locale."""
    studio = Studio(time.clock)
    one = publisher(studio, time, element_id="x1", field="crowd", locale="en", interval_s=90.0)
    async with running(one):
        await time.run(1090.0)
    assert studio.written == [
        ("/api/v2/elements/x1", {"custom_fields": [{"key": "crowd", "values": {"en": 7}}]})
    ]


@pytest.mark.parametrize("interval_s", [59.999, 0.0, -60.0, float("nan"), float("inf")])
def test_less_than_a_minute_is_refused(interval_s: float, time: VirtualTime) -> None:
    """At construction, with the reason."""
    with pytest.raises(MisuseError, match="allows one read of the stats in 60 s"):
        publisher(Studio(time.clock), time, interval_s=interval_s)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stat": "players"}, "take one of " + ", ".join(EVENT_STATS)),
        ({"field": ""}, "field is empty"),
        ({"locale": ""}, "locale is empty"),
        ({"element_id": ""}, "no id of an element"),
        ({"testing_interval_s": 0.0}, "testing_interval_s"),
        ({"testing_interval_s": float("inf")}, "testing_interval_s"),
    ],
    ids=str,
)
def test_misuse_is_refused_at_construction(
    wrong: dict[str, Any], message: str, time: VirtualTime
) -> None:
    """And says what to do."""
    with pytest.raises(MisuseError, match=message):
        publisher(Studio(time.clock), time, **wrong)


def test_an_event_has_an_id() -> None:
    """As for every other call."""
    with pytest.raises(MisuseError, match="no id of an event"):
        ConcurrencyPublisher(api_on()[0], "")


@pytest.mark.parametrize("stat", EVENT_STATS)
async def test_any_stat_can_be_published(stat: Any, time: VirtualTime) -> None:
    """As a whole number; there is half a second in an average session."""
    answer = told(0)
    answer["included"][0]["attributes"] = {stat: 12.6}
    studio = Studio(time.clock, [answer])
    async with running(publisher(studio, time, stat=stat)) as reports:
        await time.run(1060.0)
    assert [(each.stat, each.value, each.written) for each in reports] == [(stat, 13, True)]


async def test_tests_alone_can_shorten_the_minute(time: VirtualTime) -> None:
    """By an argument that says so."""
    studio = Studio(time.clock)
    async with running(publisher(studio, time, testing_interval_s=0.5)):
        await time.run(1002.0)
    assert studio.read_at == [1000.5, 1001.0, 1001.5, 1002.0]


async def test_publishers_of_one_token_take_turns(time: VirtualTime) -> None:
    """Of different objects, too: the platform sees one token, and a minute between its reads."""
    studio, token = Studio(time.clock), new_token()
    ones = [publisher(studio, time, token=token, field=name) for name in "abc"]
    async with running(*ones):
        await time.run(1360.0)
    assert studio.read_at == [1060.0, 1120.0, 1180.0, 1240.0, 1300.0, 1360.0]
    fields = [body["settings"][0]["key"] for _, body in studio.written]
    assert fields == ["a", "b", "c"]  # and then the number has not changed


async def test_publishers_of_other_tokens_do_not_wait(time: VirtualTime) -> None:
    """Each token has a minute of its own."""
    studio = Studio(time.clock)
    async with running(publisher(studio, time), publisher(studio, time)):
        await time.run(1060.0)
    assert studio.read_at == [1060.0, 1060.0]


async def test_a_publisher_that_was_stopped_is_not_waited_for(time: VirtualTime) -> None:
    """Nor does one that is started anew read at once."""
    studio, token = Studio(time.clock), new_token()
    async with running(publisher(studio, time, token=token)):
        await time.run(1050.0)
    async with running(publisher(studio, time, token=token)):
        await time.run(1109.0)
        assert studio.read_at == []
        await time.run(1110.0)
        assert studio.read_at == [1110.0]
    async with running(publisher(studio, time, token=token)):
        await time.run(1169.0)
        assert studio.read_at == [1110.0]


async def test_a_slow_read_counts_from_its_end(time: VirtualTime) -> None:
    """The platform may have looked at its clock late."""
    studio, token = Studio(time.clock), new_token()
    studio.slow = lambda: time.sleep(9.0)
    async with running(*(publisher(studio, time, token=token) for _ in range(2))):
        await time.run(1240.0)
    assert studio.read_at == [1060.0, 1129.0, 1198.0]


FAILURES = [
    httpx.Response(429, headers={"Retry-After": "1"}),
    httpx.Response(503),
    httpx.Response(401),
    httpx.Response(200, text="<html>"),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout(""),
]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
async def test_errors_are_reported_and_survived(
    failure: httpx.Response | Exception, time: VirtualTime
) -> None:
    """A read is never repeated inside of the minute, whatever the platform says."""
    studio = Studio(time.clock, [failure])
    async with running(publisher(studio, time)) as reports:
        await time.run(1120.0)
    assert studio.read_at == [1060.0, 1120.0]
    failed, fine = reports
    assert isinstance(failed.error, ControlApiError)
    assert (failed.value, failed.written, failed.why) == (None, False, str(failed.error))
    assert (fine.value, fine.written, fine.error) == (7, True, None)


@pytest.mark.parametrize("value", [None, "many", -1, True, [1]])
async def test_a_number_that_is_not_told_is_not_written(value: Any, time: VirtualTime) -> None:
    """No 0 where nothing is known."""
    studio = Studio(time.clock, [told(value)])
    async with running(publisher(studio, time)) as reports:
        await time.run(1060.0)
    (report,) = reports
    assert (report.value, report.written) == (None, False)
    assert report.why == "the platform told no current_concurrency"
    assert studio.written == []


async def test_an_event_without_stats_is_survived(time: VirtualTime) -> None:
    """Its stats may come later."""
    studio = Studio(time.clock, [{"data": {"id": "e1"}}])
    async with running(publisher(studio, time)) as reports:
        await time.run(1120.0)
    assert [(each.value, each.written) for each in reports] == [(None, False), (7, True)]


async def test_a_number_that_has_not_changed_is_not_written_again(time: VirtualTime) -> None:
    """Every write goes to every client; zero is a number like others."""
    studio = Studio(time.clock, [told(n) for n in (0, 0, 5, 5, 0)])
    async with running(publisher(studio, time)) as reports:
        await time.run(1300.0)
    assert [(each.value, each.why) for each in reports] == [
        (0, ""),
        (0, "it has not changed"),
        (5, ""),
        (5, "it has not changed"),
        (0, ""),
    ]
    assert len(studio.written) == 3


async def test_after_a_write_that_failed_the_field_is_written_anew(time: VirtualTime) -> None:
    """Nobody knows what it holds then: neither the new number nor the old one is taken for it."""
    studio = Studio(time.clock, [told(n) for n in (5, 6, 6, 7, 6)], refuse=[204, 422, 204, 422])
    async with running(publisher(studio, time)) as reports:
        await time.run(1300.0)
    assert [each.written for each in reports] == [True, False, True, False, True]
    assert reports[1].value == 6
    assert isinstance(reports[1].error, ControlApiError)
    assert reports[1].error.status == 422
    written = [body["settings"][0]["values"]["all"] for _, body in studio.written]
    assert written == [5, 6, 6, 7, 6]


async def test_a_dry_run_reads_and_reports_only(time: VirtualTime) -> None:
    """With the same care for the minute; it says what would not be written, too."""
    studio = Studio(time.clock, [told(5), told(5)])
    async with running(publisher(studio, time, dry_run=True)) as reports:
        await time.run(1120.0)
    assert [(each.value, each.written, each.why) for each in reports] == [
        (5, False, "dry run"),
        (5, False, "it has not changed"),
    ]
    assert studio.read_at == [1060.0, 1120.0]
    assert studio.written == []


async def test_it_ends_with_the_event(time: VirtualTime) -> None:
    """The last report says so; nothing is written any more."""
    studio = Studio(time.clock, [told(5, "future"), told(6, "on_demand"), told(7, "past")])
    reports = list[Published]()
    task = asyncio.create_task(publisher(studio, time).run(reports.append))
    await time.run(1300.0)
    await task
    assert [(each.value, each.written) for each in reports] == [(5, True), (6, True), (7, False)]
    assert reports[-1].why == "the event is over"
    assert len(studio.read_at) == 3


async def test_reports_need_not_be_taken(time: VirtualTime) -> None:
    """`run` alone publishes."""
    studio = Studio(time.clock, [told(5), told(6, "past")])
    task = asyncio.create_task(publisher(studio, time).run())
    await time.run(1120.0)
    await task
    assert len(studio.written) == 1


async def test_it_can_be_iterated(time: VirtualTime) -> None:
    """A slow reader of reports delays the next turn, and breaks no rule."""
    studio = Studio(time.clock, [told(5), told(6), told(7, "past")])
    values = list[int | None]()

    async def follow() -> None:
        async for report in publisher(studio, time):
            values.append(report.value)
            await time.sleep(100.0)

    task = asyncio.create_task(follow())
    await time.run(2000.0)
    await task
    assert values == [5, 6, 7]
    assert studio.read_at == [1060.0, 1160.0, 1260.0]


async def test_iterating_again_waits_again(time: VirtualTime) -> None:
    """A full interval, as after a restart."""
    studio = Studio(time.clock)
    one = publisher(studio, time)

    async def twice() -> None:
        for _ in range(2):
            async with aclosing(aiter(one)) as reports:  # type: ignore[type-var]
                await anext(reports)

    task = asyncio.create_task(twice())
    await time.run(1200.0)
    await task
    assert studio.read_at == [1060.0, 1120.0]


async def test_a_closed_api_is_misuse_not_an_error_of_the_platform(time: VirtualTime) -> None:
    """It would fail for ever."""
    studio = Studio(time.clock)
    api = studio.api(new_token())
    task = asyncio.create_task(publisher(studio, time, api=api).run())
    await time.run(1050.0)
    await api.aclose()
    await time.run(1060.0)
    with pytest.raises(MisuseError, match="closed"):
        await task


def test_a_blocking_program_publishes_by_way_of_call() -> None:
    """With the minute shortened for the test; turns are taken across event loops and threads."""
    reads, token, lock = list[str](), new_token(), threading.Lock()

    def answer(name: str) -> Callable[[httpx.Request], httpx.Response]:
        def _answer(request: httpx.Request) -> httpx.Response:
            if request.method == "PATCH":
                return httpx.Response(204)
            with lock:
                reads.append(name)
                return httpx.Response(200, json=told(1, "past" if len(reads) > 3 else "current"))

        return _answer

    async def on_another_loop() -> None:
        transport = httpx.MockTransport(answer("asyncio"))
        async with ControlApi("https://platform.example", token=token, transport=transport) as api:
            await ConcurrencyPublisher(api, "e1", testing_interval_s=0.02).run()

    thread = threading.Thread(target=asyncio.run, args=(on_another_loop(),))
    thread.start()
    reports = list[Published]()
    transport = httpx.MockTransport(answer("blocking"))
    with BlockingControlApi("https://platform.example", token=token, transport=transport) as api:
        api.call(
            lambda api: ConcurrencyPublisher(api, "e1", testing_interval_s=0.02).run(reports.append)
        )
    thread.join()
    assert {*reads} == {"asyncio", "blocking"}
    assert reports[-1].why == "the event is over"
