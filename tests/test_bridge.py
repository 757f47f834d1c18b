"""The counter's end of the bridge: a bridge on loopback that the test scripts frame by frame."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from poll_counter.bridge import BridgeTransport, PageHost
from poll_counter.bridge.closed import ClosedKept
from poll_counter.commands import CastVote
from poll_counter.elements import Element
from poll_counter.errors import MisuseError
from poll_counter.facts import (
    AnswerRefused,
    Disconnected,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
    EventUpdated,
    FrameSkipped,
    ResultsTold,
    Welcomed,
)
from tests.support.listener import Listener
from tests.support.scripted_server import frame, welcome
from tests.support.waiting import soon, until

PAGE = "https://app.example"
WELCOMED = Welcomed("active", (), event_id="demo", server_time=0.0)
"""What `welcome()` says, without revisions."""


def transport_of(**options: Any) -> BridgeTransport:
    """Make a transport for a page of the app."""
    return BridgeTransport(PageHost(origins=[PAGE]), **options)


@pytest.fixture
async def transport() -> AsyncIterator[BridgeTransport]:
    """A transport."""
    made = transport_of()
    yield made
    made.close()


def bridge(transport: BridgeTransport) -> connect:
    """Connect as a bridge does."""
    protocols = [Subprotocol("poll-counter.v1")]
    url, origin = transport.websocket_url, PAGE
    return connect(url, subprotocols=protocols, origin=origin, proxy=None)  # type: ignore[arg-type]


async def read(connection: ClientConnection) -> Any:
    """What the counter says next."""
    return json.loads(await soon(connection.recv()))


def element(**changes: object) -> dict[str, object]:
    """An element as a bridge tells it."""
    return {"id": "P", "content_type": "poll", "state": "opened", "rev": 0, "published_at": 0.0} | (
        changes
    )


async def test_hello_names_the_event_and_not_the_player(transport: BridgeTransport) -> None:
    """The platform has its own id of the user; the player's is not for a page to know."""
    async with Listener(transport) as listener, bridge(transport) as own:
        assert await read(own) == {"type": "hello", "event": "demo", "user": "bridge"}
        await own.send(welcome())
        assert await listener.next() == WELCOMED
        assert transport.connected


async def test_facts_have_no_revisions(transport: BridgeTransport) -> None:
    """The SDK tells changes in order: none is ever older than another."""
    told = Element("P", "poll", "opened", 0.0)
    async with Listener(transport) as listener, bridge(transport) as own:
        for text in (
            frame("element_published", element=element(rev=4)),
            frame("element_updated", element=element(rev=3)),
            frame("element_state", element="P", state="closed", rev=2),
            frame("element_revoked", element="P", rev=1),
            frame("results", element="P", votes=[1]),
            frame("event_state", state="finished", rev=0),
            frame("event_updated", fields={"a": 1}, rev=0),
            frame("answer_refused", id="1", element="P", options=[0], reason="not_allowed"),
            frame("retry_after", seconds=100),
            "shrug",
        ):
            await own.send(text)
        assert [await listener.next() for _ in range(9)] == [
            ElementPublished(told),
            ElementUpdated(told),
            ElementStateChanged("P", "closed"),
            ElementRevoked("P"),
            ResultsTold("P", (1,)),
            EventStateChanged("finished"),
            EventUpdated({"a": 1}),
            AnswerRefused("P", 0, "not_allowed", answer_id="1"),
            FrameSkipped("malformed"),
        ]
        snapshot = {"id": "demo", "state": "active", "rev": 9}
        elements = [element(rev=9)]
        await own.send(frame("welcome", rev=9, server_time=0, event=snapshot, elements=elements))
        assert await listener.next() == Welcomed("active", (told,), event_id="demo", server_time=0)


async def test_votes(transport: BridgeTransport) -> None:
    """A vote is an answer; without a bridge it is lost, and never acknowledged."""
    assert not transport.acknowledges
    with pytest.raises(ConnectionError, match="no bridge"):
        await transport.send(CastVote("P", 0))
    async with Listener(transport) as listener:
        for number in (1, 2):
            async with bridge(transport) as own:
                assert (await read(own))["type"] == "hello"
                await transport.send(CastVote("P", 3))
                answer = {"type": "answer", "id": str(number), "element": "P", "options": [3]}
                assert await read(own) == answer
            assert await listener.next() == Disconnected()
            with pytest.raises(ConnectionError, match="no bridge"):
                await transport.send(CastVote("P", 0))


async def test_a_bridge_that_finds_no_event(caplog: pytest.LogCaptureFixture) -> None:
    """What does not come in time is not waited for, and that is said, once."""
    transport = transport_of(welcome_timeout_s=0.05)
    async with Listener(transport) as listener:
        for _ in range(2):
            async with bridge(transport) as own:
                assert await listener.next() == Disconnected()
                await soon(own.wait_closed())
                assert own.close_code == 4408
    assert transport.problems == ("the SDK has not found the event demo in 0.05 s",)
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        *transport.problems
    ]


async def test_problems_are_bounded(transport: BridgeTransport) -> None:
    """A page that invents ever more trouble fills neither the log nor memory."""
    async with Listener(transport) as listener, bridge(transport) as own:
        for number in range(60):
            await own.send(frame("error", code="bridge", message=f"wrong {number % 30}"))
        await own.send(welcome())
        assert await listener.next() == WELCOMED
    assert transport.problems == tuple(f"wrong {number}" for number in range(20))


async def test_a_bridge_that_left_before_it_was_heard(transport: BridgeTransport) -> None:
    """It is as one that came and went; the next one is let in."""
    async with Listener(transport) as listener:
        for _ in range(3):
            async with bridge(transport):
                pass
            assert await listener.next() == Disconnected()
        async with bridge(transport) as own:
            await own.send(welcome())
            assert await listener.next() == WELCOMED


async def test_a_silent_link_is_given_up() -> None:
    """A page that was frozen, and answers no ping, makes room for another bridge."""
    transport = transport_of(dead_after_s=0.6)
    async with Listener(transport) as listener, bridge(transport) as own:
        await own.send(welcome())
        assert await listener.next() == WELCOMED
        own.transport.pause_reading()
        assert await listener.next() == Disconnected()
        own.transport.abort()


async def test_it_serves_one_counter(transport: BridgeTransport) -> None:
    """A second one, or one after it was closed, is told to make another."""
    async with Listener(transport):
        await until(lambda: transport._entered)
        with pytest.raises(MisuseError, match="serves one counter, once; make a new one"):
            await anext(transport.facts("demo", "me"))
    closed = transport_of()
    closed.close()
    with pytest.raises(MisuseError, match="serves one counter, once; make a new one"):
        await anext(closed.facts("demo", "me"))


async def test_closing_leaves_nothing() -> None:
    """No task, no port, no connection: also when a bridge is slow to say goodbye."""
    before = asyncio.all_tasks()
    transport = transport_of()
    port = int(transport.websocket_url.rpartition("/")[0].rpartition(":")[2])
    facts = transport.facts("demo", "me")
    first = asyncio.ensure_future(anext(facts))
    async with bridge(transport) as own:
        await own.send(welcome())
        assert await soon(first) == WELCOMED
        own.transport.pause_reading()  # it hears no goodbye
        closing = asyncio.ensure_future(facts.aclose())
        await asyncio.sleep(0)
        closing.cancel()  # somebody is in a hurry
        await asyncio.wait([closing])
        assert closing.cancelled()
        transport_of(port=port).close()
        own.transport.abort()
    await until(lambda: not asyncio.all_tasks() - before)


def test_a_transport_that_is_forgotten_lets_its_port_go() -> None:
    """Nobody has to close what was never used."""
    transport = transport_of()
    port = int(transport.websocket_url.rpartition("/")[0].rpartition(":")[2])
    del transport
    gc.collect()
    transport_of(port=port).close()


# Where closed elements are not listed


def poll(state: Any = "opened", element_id: str = "P") -> Element:
    """An element."""
    return Element(element_id, "poll", state, 0.0)


def test_what_is_gone_was_closed() -> None:
    """In a snapshot the elements told before come again, closed; those revoked do not."""
    kept = ClosedKept()
    assert kept.complete(Welcomed("upcoming", ())) == Welcomed("upcoming", ())
    for fact in (
        EventStateChanged("active"),
        ElementPublished(poll()),
        ElementPublished(poll(element_id="T")),
        ElementUpdated(poll("closed", "T")),
        ElementPublished(poll(element_id="R")),
        ElementRevoked("R"),
        ResultsTold("P", (1,)),
        Disconnected(),
    ):
        assert kept.complete(fact) is fact or kept.complete(fact) == fact
    expected = poll("closed"), poll("closed", "T"), poll(element_id="U")
    assert kept.complete(Welcomed("active", (poll(element_id="U"),))) == Welcomed(
        "active", expected
    )


def test_a_latecomer_sits_out(caplog: pytest.LogCaptureFixture) -> None:
    """Until the event is over it is told as not begun; why is said, once."""
    kept = ClosedKept()
    for _ in range(2):
        assert kept.complete(Welcomed("active", ())) == Welcomed("upcoming", ())
    assert kept.complete(EventStateChanged("active")) == EventStateChanged("upcoming")
    assert kept.complete(EventStateChanged("finished")) == EventStateChanged("finished")
    assert kept.complete(Welcomed("finished", ())) == Welcomed("finished", ())
    assert len(caplog.records) == 1
    assert "sits this event out" in caplog.text
