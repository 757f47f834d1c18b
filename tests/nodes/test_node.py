"""Nodes in one process, over a real Redis: what they hold in common, and what they say to votes."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from poll_counter import MisuseError
from poll_counter.control import ControlApi, ControlApiError
from poll_counter.wire import SUBPROTOCOL
from simulator.choices import Choices
from simulator.emulator import Entry
from simulator.nodes.log import Log, Logged
from simulator.nodes.node import KEY, Node
from simulator.platform import Platform, Shared
from tests.support.nodes.redis_server import RedisServer
from tests.support.waiting import soon, until

CHOICES = Choices(results_interval_s=0.02, bucket=1000, refill_per_s=1000.0)
POLL = {
    "content_type": "hidden-poll",
    "start_mode": "manual",
    "max_votes_per_user": 3,
    "question": {
        "fields": [{"key": "text", "values": {"all": "Who is in?"}}],
        "options": [{"fields": [{"key": "text", "values": {"all": each}}]} for each in "abc"],
    },
}


@asynccontextmanager
async def node(
    redis: RedisServer, name: str, choices: Choices = CHOICES, log: list[Entry] | None = None
) -> AsyncGenerator[Platform]:
    """A node, as long as the block runs."""
    async with Platform(choices, log=log, shared=Shared(redis.url, name, audited=True)) as it:
        yield it


class Pair:
    """Two nodes, a producer at each, and an event that is on."""

    def __init__(self, one: Platform, two: Platform, apis: tuple[ControlApi, ControlApi]) -> None:
        self.one, self.two = one, two
        self.apis = apis
        self.api = apis[0]
        self.event = ""

    async def poll(self, **attributes: Any) -> str:
        """Make a poll and publish it; returns its id, once both nodes hold it."""
        poll = await self.api.create_element(self.event, {**POLL, **attributes})
        await self.api.publish(poll.id)
        await self.in_step()
        return poll.id

    async def in_step(self) -> None:
        """Wait until the second node holds what the first does."""
        await until(lambda: state(self.one) == state(self.two))


def state(platform: Platform) -> list[object]:
    """All that a node holds of its events, but for votes and connections."""
    emulator = platform.emulator
    return [
        (
            *(event.id, event.state, event.rev, event.fields, event.started_at, event.ended_at),
            *((e.id, e.live, e.number, e.changed_at) for e in event.elements.values()),
        )
        for event in (emulator.event(event_id) for event_id, _ in emulator.connections())
    ]


def connected(platform: Platform, event: str, many: int) -> bool:
    """Whether a node holds that so many are connected, on all nodes."""
    return platform.emulator.event(event).connected == many


def is_back(platform: Platform) -> bool:
    """Whether Redis is there, for a node."""
    return platform.node is not None and not platform.node.away


@asynccontextmanager
async def pair(redis: RedisServer) -> AsyncGenerator[Pair]:
    """Two nodes on a Redis."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(node(redis, "one"))
        two = await stack.enter_async_context(node(redis, "two"))
        apis = [await stack.enter_async_context(each.api()) for each in (one, two)]
        both = Pair(one, two, (apis[0], apis[1]))
        event = await both.api.create_event(one.project_id, {"name": "A show"})
        await both.api.start_event(event.id)
        both.event = event.id
        await both.in_step()
        yield both


class Client:
    """A client of one node."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.results: dict[str, tuple[list[int], bool]] = {}
        """Element -> (votes, whether final), as last told."""

    async def vote(self, poll: str, option: int) -> str:
        """Vote; returns `accepted`, or why not."""
        await self.say(poll, option)
        return await self.answer()

    async def say(self, poll: str, option: int) -> None:
        """Vote, and do not wait."""
        answer = {"type": "answer", "id": "1", "element": poll, "options": [option]}
        await self._connection.send(json.dumps(answer))

    async def answer(self) -> str:
        """Wait for the answer to a vote."""
        while True:
            frame = await self.hear()
            if frame["type"].startswith("answer_"):
                reason: str = frame.get("reason", "accepted")
                return reason

    async def told(self, poll: str, *votes: int, final: bool = False) -> None:
        """Wait until these results are told."""
        while self.results.get(poll) != ([*votes], final):
            await self.hear()

    async def hear(self) -> dict[str, Any]:
        """The next frame."""
        frame: dict[str, Any] = json.loads(await soon(self._connection.recv()))
        if frame["type"] == "results":
            self.results[frame["element"]] = frame["votes"], frame["final"]
        if frame["type"] == "welcome":
            held = {each["id"]: each["results"] for each in frame["elements"] if "results" in each}
            self.results = {id_: (told["votes"], told["final"]) for id_, told in held.items()}
        return frame


@asynccontextmanager
async def joined(platform: Platform, event: str, user: str) -> AsyncGenerator[Client]:
    """A client that has its welcome."""
    url, name = platform.live.url, Subprotocol(SUBPROTOCOL)
    async with connect(url, subprotocols=[name], compression=None) as connection:
        await connection.send(json.dumps({"type": "hello", "event": event, "user": user}))
        client = Client(connection)
        assert (await client.hear())["type"] == "welcome"
        yield client


# What nodes have in common


async def test_all_nodes_hold_the_same_whoever_was_asked(redis: RedisServer) -> None:
    """Elements, states, revisions and times; a request is answered when it is done."""
    async with pair(redis) as both:
        assert both.one.project_id == both.two.project_id
        first, second = both.apis
        poll = await first.create_element(both.event, POLL)
        await first.publish(poll.id)
        await both.in_step()
        await second.stop_element(poll.id)
        assert (await second.element(poll.id)).state == "past"
        await both.in_step()
        await first.revoke(poll.id)
        await both.in_step()
        await second.stop_event(both.event)
        await both.in_step()
        assert both.one.emulator.event(both.event).state == "finished"


async def test_requests_that_come_at_once_are_in_one_order(redis: RedisServer) -> None:
    """Of two nodes that are asked to publish the same, one is told that it is published."""
    async with pair(redis) as both:
        poll = await both.api.create_element(both.event, POLL)
        await both.in_step()
        told = await asyncio.gather(
            *(api.publish(poll.id) for api in both.apis * 3), return_exceptions=True
        )
        refused = [each for each in told if isinstance(each, ControlApiError)]
        assert len(refused) == 5
        assert {each.status for each in refused} == {422}
        await both.in_step()
        assert both.one.emulator.event(both.event).rev == 2


async def test_a_late_node_holds_all_before_it_serves(redis: RedisServer) -> None:
    """Elements, votes, final results and who has voted."""
    async with pair(redis) as both:
        done, on = await both.poll(), await both.poll()
        async with joined(both.one, both.event, "ann") as ann:
            assert await ann.vote(done, 0) == await ann.vote(on, 1) == "accepted"
        await both.api.stop_element(done)
        async with node(redis, "three") as late:
            await both.in_step()
            assert state(late) == state(both.one)
            assert late.emulator.element(done).results().votes == (1, 0, 0)
            assert late.emulator.element(done).results().final
            assert late.emulator.votes(on) == (0, 1, 0)
            async with joined(late, both.event, "ann") as ann:
                assert await ann.vote(on, 1) == "already_voted"
                assert await ann.vote(on, 2) == "accepted"
                await ann.told(on, 0, 1, 1)


async def test_what_happens_by_itself_happens_at_one_time(redis: RedisServer) -> None:
    """An element with a duration closes everywhere, as of the same moment."""
    async with pair(redis) as both:
        poll = await both.poll(duration=1)
        async with joined(both.two, both.event, "ann") as ann:
            assert await ann.vote(poll, 0) == "accepted"
            await ann.told(poll, 1, 0, 0, final=True)
        await both.in_step()
        one, two = (each.emulator.element(poll) for each in (both.one, both.two))
        assert one.closed_at == two.closed_at
        assert one.closed_at is not None
        assert one.published_at is not None
        assert one.closed_at >= one.published_at + 1.0


async def test_an_entry_that_was_appended_twice_is_done_once(
    redis: RedisServer, client: Redis
) -> None:
    """Its writer did not know whether it was there."""
    async with pair(redis) as both:
        content, event = both.one.content, both.event
        write = content.new_write("update_event", event, {"name": "Once"}, time.time())
        for _ in range(2):
            await Log(client, KEY).append(Logged("token", time.time(), write))
        await both.api.update_event(event, {"name": "After"})
        await both.in_step()
        assert both.one.emulator.event(event).rev == 3  # started, once, after


async def test_time_does_not_go_back(redis: RedisServer, client: Redis) -> None:
    """A node whose clock is behind does what it does at the time of what came before."""
    async with pair(redis) as both:
        poll = await both.api.create_element(both.event, POLL)
        write = both.one.content.new_write("update_element", poll.id, {"action": "publish"}, 5.0)
        await Log(client, KEY).append(Logged("token", 5.0, write))
        await until(lambda: both.one.emulator.element(poll.id).live)
        started_at = both.one.emulator.event(both.event).started_at
        published_at = both.one.emulator.element(poll.id).published_at
        assert started_at is not None
        assert published_at is not None
        assert published_at >= started_at


async def test_connections_are_counted_on_all_nodes(redis: RedisServer) -> None:
    """Whichever node is asked tells of all: what the producer's concurrency is read from."""
    async with pair(redis) as both, joined(both.one, both.event, "ann"):
        async with joined(both.two, both.event, "bob"), joined(both.two, both.event, "cyd"):
            for each in (both.one, both.two):
                await until(partial(connected, each, both.event, 3))
            for api in both.apis:
                stats = (await api.event(both.event, include=["stats"])).stats
                assert stats is not None
                assert stats.current_concurrency == 3
        await until(partial(connected, both.one, both.event, 1))


# Votes


async def test_a_vote_counts_once_on_whichever_node(redis: RedisServer) -> None:
    """Its client goes to another node and repeats it; all nodes tell the same results."""
    async with pair(redis) as both:
        poll = await both.poll()
        async with joined(both.one, both.event, "ann") as ann:
            assert await ann.vote(poll, 0) == "accepted"
            assert await ann.vote(poll, 0) == "already_voted"
        async with (
            joined(both.two, both.event, "ann") as ann,
            joined(both.one, both.event, "bob") as bob,
        ):
            assert await ann.vote(poll, 0) == "already_voted"
            assert await bob.vote(poll, 0) == "accepted"
            for client in (ann, bob):
                await client.told(poll, 2, 0, 0)
            await both.api.stop_element(poll)
            for client in (ann, bob):
                await client.told(poll, 2, 0, 0, final=True)
            assert await ann.vote(poll, 1) == "closed"
            assert await bob.vote("nothing", 1) == "unknown_element"


async def test_voters_are_counted_on_all_nodes(redis: RedisServer) -> None:
    """The producer reads how many users have voted, not only through this node."""
    async with pair(redis) as both:
        poll = await both.poll()
        async with (
            joined(both.one, both.event, "ann") as ann,
            joined(both.two, both.event, "bob") as bob,
        ):
            assert await ann.vote(poll, 0) == await bob.vote(poll, 0) == "accepted"
            assert await bob.vote(poll, 1) == "accepted"
            await ann.told(poll, 2, 1, 0)
        stats = both.one.content.element_resource(poll).stats()["attributes"]
        assert (stats["votes"], stats["voters"]) == (3, 2)


async def test_a_node_that_is_behind_refuses_nothing(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client knows of the poll from another node; it is answered when this one does, too."""
    async with pair(redis) as both:
        assert both.two.node is not None
        go_on, reads = asyncio.Event(), both.two.node._log.read

        async def stalled(wait_s: float | None = None) -> Any:
            found = await reads(wait_s)
            await go_on.wait()
            return found

        monkeypatch.setattr(both.two.node._log, "read", stalled)
        poll = await both.api.create_element(both.event, POLL)
        await both.api.publish(poll.id)
        await both.api.stop_element(poll.id)
        await both.api.revoke(poll.id)
        await until(lambda: not both.one.node or not both.one.node._gates)
        await both.api.publish(poll.id)  # the first node may or may not have told Redis of it yet
        async with (
            joined(both.two, both.event, "ann") as ann,
            joined(both.two, both.event, "bob") as bob,
        ):
            await ann.say(poll.id, 0)
            await bob.say("nothing", 0)
            await until(lambda: both.two.node and (both.two.node._held or not ann))
            go_on.set()
            assert await ann.answer() == "accepted"
            assert await bob.answer() == "unknown_element"


async def test_what_a_node_accepts_that_is_behind_is_in_the_final_results(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results are final when Redis knows that the element is closed, and not before."""
    async with pair(redis) as both:
        poll = await both.poll()
        assert both.one.node is not None
        go_on, counts = asyncio.Event(), both.one.node._book.count

        async def stalled(*args: Any, **named: Any) -> Any:
            await go_on.wait()
            return await counts(*args, **named)

        async with (
            joined(both.one, both.event, "ann") as ann,
            joined(both.two, both.event, "bob") as bob,
        ):
            monkeypatch.setattr(both.one.node._book, "count", stalled)
            assert await bob.vote(poll, 0) == "accepted"
            both.two.node._gates.clear()  # type: ignore[union-attr] # it is a node
            monkeypatch.setattr(both.two.node, "_note_gate", lambda _: None)
            await both.api.stop_element(poll)
            await both.in_step()
            assert not both.one.emulator.element(poll).results().final
            assert await bob.vote(poll, 1) == "accepted"  # Redis was not told of the closing yet
            go_on.set()
            await ann.told(poll, 1, 1, 0, final=True)
            await bob.told(poll, 1, 1, 0, final=True)
            assert await bob.vote(poll, 2) == "closed"


async def test_who_left_is_not_answered(redis: RedisServer) -> None:
    """A vote is counted when it has come, whether or not its client is still there."""
    async with pair(redis) as both:
        poll = await both.poll()
        async with joined(both.one, both.event, "ann") as ann:
            await ann.say(poll, 0)
        async with joined(both.two, both.event, "bob") as bob:
            await bob.told(poll, 1, 0, 0)


async def test_what_was_deleted_meanwhile_is_let_be(redis: RedisServer) -> None:
    """Its votes are asked for no more."""
    async with pair(redis) as both:
        poll = await both.poll()
        await both.api.stop_element(poll)
        await both.api.revoke(poll)
        await both.api.delete_element(poll)
        assert both.one.node is not None
        assert both.one.node._tallied(poll, [1, 0, 0], 1, final=True) == []
        other = await both.poll()
        async with joined(both.one, both.event, "ann") as ann:
            assert await ann.vote(other, 0) == "accepted"


# Redis away


async def test_while_redis_is_away_the_platform_is_busy(own_redis: RedisServer) -> None:
    """Votes are answered with busy, writes with 503; what is held is served; nothing is lost."""
    async with pair(own_redis) as both:
        poll = await both.poll()
        async with joined(both.one, both.event, "ann") as ann:
            assert await ann.vote(poll, 0) == "accepted"
            await ann.told(poll, 1, 0, 0)
            own_redis.kill()
            assert await ann.vote(poll, 1) == "busy"
            assert await ann.vote(poll, 1) == "busy"
            async with joined(both.two, both.event, "bob") as bob:
                assert await bob.vote(poll, 0) == "busy"
            assert (await both.api.element(poll)).state == "current"
            await asyncio.to_thread(own_redis.start)
            for each in (both.one, both.two):
                await until(partial(is_back, each), every_s=0.01)
            assert await ann.vote(poll, 0) == "already_voted"
            assert await ann.vote(poll, 1) == "accepted"
            await ann.told(poll, 1, 1, 0)
        await both.api.stop_element(poll)
        await both.in_step()


async def test_writes_while_redis_is_away(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, which says that it may yet be done; a node that starts says what is missing."""
    async with pair(own_redis) as both:
        monkeypatch.setattr("simulator.nodes.node.WRITE_S", 0.3)
        own_redis.kill()
        url = both.one.web.url
        async with ControlApi(url, token=both.one.token, attempts=1) as once:
            with pytest.raises(ControlApiError, match="cannot agree") as refused:
                await once.stop_event(both.event)
        assert refused.value.status == 503
        with pytest.raises(MisuseError, match=r"no Redis at 127\.0\.0\.1:.*redis-server --append"):
            async with node(own_redis, "three"):
                pass
        await asyncio.to_thread(own_redis.start)
        monkeypatch.undo()
        await both.api.stop_event(both.event)
        await both.in_step()


async def test_a_redis_that_hangs_is_away(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vote that it may have counted is answered with busy, and is counted once."""
    monkeypatch.setattr("simulator.nodes.node.REDIS_TIMEOUT_S", 0.3)
    async with pair(own_redis) as both, joined(both.one, both.event, "ann") as ann:
        poll = await both.poll()
        own_redis.pause()
        assert await ann.vote(poll, 0) == "busy"
        own_redis.resume()
        await until(lambda: both.one.node and not both.one.node.away, every_s=0.01)
        assert await ann.vote(poll, 0) in {"accepted", "already_voted"}
        await ann.told(poll, 1, 0, 0)


async def test_a_redis_that_has_forgotten_ends_the_nodes(own_redis: RedisServer) -> None:
    """They would go on with another show than a late node; why is said, and what to do."""
    async with pair(own_redis) as both:
        own_redis.kill()
        own_redis.forget()
        await asyncio.to_thread(own_redis.start)
        for each in (both.one, both.two):
            assert each.node is not None
            await soon(each.node.ended.wait())
            assert isinstance(each.node.failure, MisuseError)
            assert "has lost the show" in str(each.node.failure)
            assert each.node.away


# What cannot work


async def test_nodes_have_the_same_choices(redis: RedisServer) -> None:
    """With others the same requests would do other things; the sentence names what differs."""
    async with node(redis, "one"):
        with pytest.raises(MisuseError, match=r"other choices \(locale\).*same --choices"):
            async with node(redis, "two", CHOICES.model_copy(update={"locale": "de"})):
                pass
        async with node(redis, "two"):
            pass


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "http://127.0.0.1", "redis://127.0.0.1:port"])
async def test_an_address_that_is_none(url: str) -> None:
    """It is refused at once."""
    with pytest.raises(MisuseError, match="no address of Redis; pass one such as redis://"):
        Platform(shared=Shared(url, "one"))


async def test_where_redis_is_is_told_without_the_password() -> None:
    """Addresses may have one."""
    platform = Platform(shared=Shared("redis://:secret@127.0.0.1:1", "one"))
    with pytest.raises(MisuseError, match=r"no Redis at 127\.0\.0\.1:1") as raised:
        async with platform:
            pass
    assert "secret" not in str(raised.value)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said."""
    monkeypatch.setitem(sys.modules, "simulator.nodes.node", None)
    with pytest.raises(MisuseError, match=r"several nodes need the extra redis: pip install"):
        Platform(shared=Shared("redis://127.0.0.1", "one"))


async def test_one_of_the_nodes_makes_the_show(redis: RedisServer) -> None:
    """Those that start at the same time wait for it; so do those whose maker died."""
    async with pair(redis) as both:
        made = []

        async def make() -> str:
            made.append(1)
            await asyncio.sleep(0)
            return "the show"

        assert both.one.node is not None
        assert both.two.node is not None
        nodes: list[Node] = [both.one.node, both.two.node]
        told = await asyncio.gather(*(each.once("thing", make) for each in nodes * 2))
        assert sorted(told) == [("the show", False)] * 3 + [("the show", True)]
        assert made == [1]
