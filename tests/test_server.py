"""The server on loopback, met by raw WebSocket clients."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from poll_counter.wire import SUBPROTOCOL
from simulator.emulator import Emulator, Settings
from simulator.limits import Limits
from simulator.server import LiveServer
from tests.support.raw_clients import dismissed, hear, joined, knocking, say, serving
from tests.support.waiting import until

# Who gets in


async def test_hello_is_answered_with_a_snapshot() -> None:
    """The first frame after hello is the welcome, with event, elements and results."""
    async with serving() as (server, served), knocking(server) as connection:
        await say(connection, type="hello", event="E", user="ann")
        welcome = await hear(connection)
        assert welcome.pop("server_time") <= server.now()
        assert welcome == {
            "type": "welcome",
            "rev": 2,
            "event": {
                "id": "E",
                "name": "The show",
                "state": "active",
                "rev": 1,
                "fields": {"host": "Ada"},
            },
            "elements": [
                {
                    "id": "P",
                    "content_type": "poll-custom",
                    "type": "poll",
                    "state": "opened",
                    "rev": 2,
                    "published_at": 0.0,
                    "question": {"text": "Who is in?"},
                    "answer_options": [{"text": "a"}, {"text": "b"}],
                    "custom_fields": {"poll_counter": 1},
                    "max_votes_per_option": 1,
                    "reveal_results_mode": "vote",
                    "results": {"votes": [0, 0], "final": False},
                }
            ],
        }
        assert connection.subprotocol == SUBPROTOCOL
        assert served.kinds("ann") == ["joined"]


async def test_the_url_names_the_port_that_was_free() -> None:
    """Port 0 becomes the one that the system gave."""
    async with serving() as (server, _):
        host, port = server.url.removeprefix("ws://").split(":")
        assert host == "127.0.0.1"
        assert int(port) > 0


async def test_an_unknown_event_is_refused() -> None:
    """Who asks for an event that does not exist is told so, and the connection is closed."""
    async with serving() as (server, served), knocking(server) as connection:
        await say(connection, type="hello", event="nowhere", user="ann")
        assert await dismissed(connection) == (4404, "unknown_event")
        assert connection.close_reason == "there is no event 'nowhere'"
        assert served.kinds("ann") == []


async def test_unknown_events_leave_nothing_behind() -> None:
    """A peer that makes up event ids does not fill the server's memory."""
    async with serving() as (server, _):
        for number in range(3):
            async with knocking(server) as connection:
                await say(connection, type="hello", event=f"made up {number}", user="ann")
                await dismissed(connection)
        assert not [event for event in server._members if event.startswith("made up")]


@pytest.mark.parametrize(
    "frame",
    [
        '{"type": "answer", "id": "1", "element": "P", "options": [0]}',
        '{"type": "hello", "event": "E"}',
        "hello",
        b"\xff\x00",
    ],
    ids=["an answer", "half a hello", "no JSON", "no UTF-8"],
)
async def test_who_does_not_say_hello_first_is_dismissed(frame: str | bytes) -> None:
    """Anything else as the first frame ends the connection, and nothing is counted."""
    async with serving() as (server, served), knocking(server) as connection:
        await connection.send(frame)
        assert await dismissed(connection) == (1002, "no_hello")
        assert served.emulator.votes("P") == (0, 0)


async def test_who_says_nothing_is_dismissed() -> None:
    """A client that does not say hello in time gives its place back."""
    async with (
        serving(limits=Limits(hello_timeout_s=0.01)) as (server, _),
        knocking(server) as connection,
    ):
        assert await dismissed(connection) == (1002, "no_hello")


@pytest.mark.parametrize("offered", [("chat.v1",), None], ids=["another", "none"])
async def test_another_subprotocol_is_refused(offered: Sequence[str] | None) -> None:
    """Who does not offer the live channel's subprotocol gets no connection, but HTTP 400."""
    async with serving() as (server, _):
        with pytest.raises(InvalidStatus) as caught:
            async with knocking(server, offered):
                pass
        assert caught.value.response.status_code == 400
        async with joined(server):
            pass


async def test_the_subprotocol_may_be_one_of_several() -> None:
    """The live channel's is chosen, wherever it stands among those offered."""
    async with serving() as (server, _), knocking(server, ("chat.v1", SUBPROTOCOL)) as connection:
        assert connection.subprotocol == SUBPROTOCOL


async def test_who_leaves_before_hello_does_no_harm() -> None:
    """A connection that goes without a word is forgotten, and others are served."""
    async with serving() as (server, served):
        async with knocking(server) as connection:
            connection.transport.abort()
        async with joined(server, "bob"):
            assert served.emulator.connected("E") == 1


# What is told


async def test_everybody_is_told_what_the_producer_does() -> None:
    """Publications, closings, revocations and the event's state reach all, in the same order."""
    async with (
        serving() as (server, served),
        joined(server, "ann") as ann,
        joined(server, "bob") as bob,
    ):
        emulator = served.emulator
        server.act(emulator.publish, "T")
        server.act(emulator.close, "T")
        server.act(emulator.revoke, "T")
        server.act(emulator.stop, "E")
        for connection in (ann, bob):
            published = await hear(connection)
            assert (published["type"], published["element"]["id"]) == ("element_published", "T")
            assert await hear(connection) == {
                "type": "element_state",
                "element": "T",
                "state": "closed",
                "rev": 4,
            }
            assert await hear(connection) == {
                "type": "element_revoked",
                "element": "T",
                "rev": 5,
            }
            assert await hear(connection) == {
                "type": "event_state",
                "state": "finished",
                "rev": 6,
            }
            assert (await hear(connection))["element"] == "P"
            assert await hear(connection) == {
                "type": "results",
                "element": "P",
                "votes": [0, 0],
                "final": True,
            }


async def test_one_event_is_not_told_of_another() -> None:
    """A broadcast reaches the members of its event alone."""
    async with serving() as (server, served):
        served.emulator.add_event("F")
        async with joined(server, "ann") as ann, joined(server, "fay", event="F") as fay:
            server.act(served.emulator.publish, "T")
            server.act(served.emulator.start, "F")
            assert (await hear(ann))["type"] == "element_published"
            assert (await hear(fay)) == {"type": "event_state", "state": "active", "rev": 1}


async def test_a_vote_is_accepted_and_its_results_reach_all() -> None:
    """The voter gets the reply; soon after, everybody gets the results, without being asked."""
    async with (
        serving() as (server, served),
        joined(server, "ann") as ann,
        joined(server, "bob") as bob,
    ):
        await say(ann, type="answer", id="17", element="P", options=[1])
        assert await hear(ann) == {
            "type": "answer_accepted",
            "id": "17",
            "element": "P",
            "options": [1],
        }
        results = {"type": "results", "element": "P", "votes": [0, 1], "final": False}
        assert await hear(ann) == results
        assert await hear(bob) == results
        assert served.kinds("ann") == ["joined", "accepted"]
        assert served.emulator.votes("P") == (0, 1)


async def test_a_vote_beyond_the_limits_is_refused() -> None:
    """The voter is told why, with the id it gave."""
    async with serving() as (server, _), joined(server) as ann:
        await say(ann, type="answer", id="1", element="P", options=[5])
        refused = {"type": "answer_refused", "id": "1", "element": "P", "options": [5]}
        assert await hear(ann) == {**refused, "reason": "wrong_options"}
        await say(ann, type="answer", id="2", element="X", options=[0])
        told = await hear(ann)
        assert (told["id"], told["reason"]) == ("2", "unknown_element")


async def test_one_user_on_two_connections_votes_once() -> None:
    """Who says hello twice is one user all the same, and each connection gets its own reply."""
    async with serving() as (server, served), joined(server) as first, joined(server) as second:
        await say(first, type="answer", id="1", element="P", options=[0])
        assert (await hear(first))["type"] == "answer_accepted"
        assert (await hear(second))["type"] == "results"
        await say(second, type="answer", id="1", element="P", options=[0])
        assert (await hear(second))["reason"] == "already_voted"
        assert served.emulator.votes("P") == (1, 0)


async def test_elements_close_by_themselves() -> None:
    """The server wakes the emulator at its deadline, and everybody is told."""
    async with serving() as (server, served), joined(server) as ann:
        brief = Settings(content_type="brief", duration_s=0.01)
        served.emulator.add_element("E", "B", brief)
        server.act(served.emulator.publish, "B")
        assert (await hear(ann))["type"] == "element_published"
        closed = await hear(ann)
        assert (closed["type"], closed["element"]) == ("element_state", "B")


async def test_an_earlier_deadline_takes_the_place_of_a_later_one() -> None:
    """Results do not wait for an element that closes in an hour."""
    async with serving() as (server, served), joined(server) as ann:
        served.emulator.add_element("E", "B", Settings(content_type="long", duration_s=3600.0))
        server.act(served.emulator.publish, "B")
        assert (await hear(ann))["type"] == "element_published"
        timer = server._timer
        server.act(served.emulator.publish, "T")
        assert (await hear(ann))["type"] == "element_published"
        assert server._timer is timer, "what changes no deadline leaves the timer alone"
        await say(ann, type="answer", id="1", element="P", options=[0])
        assert (await hear(ann))["type"] == "answer_accepted"
        assert (await hear(ann))["type"] == "results"
        server.act(served.emulator.close, "B")
        assert (await hear(ann))["type"] == "element_state"
        assert served.emulator.deadline is None
        assert server._timer is None


# What goes wrong


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('{"type": "hello", "event": "E", "user": "eve"}', "second_hello"),
        ("{", "malformed"),
        (b"\xff\xfe", "malformed"),
        ('{"type": "welcome"}', "unknown_type"),
        ('{"type": "answer", "id": "1", "element": "P", "options": []}', "invalid"),
        ('{"type": "answer", "id": "1", "element": "P", "options": ["0"]}', "invalid"),
    ],
)
async def test_what_cannot_be_understood_is_answered_with_an_error(
    frame: str | bytes, code: str
) -> None:
    """The sender is told, nobody else is, and the connection goes on."""
    async with (
        serving() as (server, served),
        joined(server, "ann") as ann,
        joined(server, "bob") as bob,
    ):
        await ann.send(frame)
        error = await hear(ann)
        assert (error["type"], error["code"]) == ("error", code)
        await say(ann, type="answer", id="1", element="P", options=[0])
        assert (await hear(ann))["type"] == "answer_accepted"
        assert (await hear(bob))["type"] == "results"
        assert served.kinds("eve") == []
        assert served.kinds("ann") == ["joined", "accepted"]


async def test_a_frame_that_is_too_long_ends_the_connection() -> None:
    """Over 8 KiB the connection is closed with 1009, and counts as left."""
    async with serving() as (server, served), joined(server) as ann:
        await ann.send("x" * (2**13 + 1))
        with pytest.raises(ConnectionClosed):
            await hear(ann)
        assert ann.close_code == 1009
        await until(lambda: served.kinds("ann") == ["joined", "left"])


async def test_a_client_that_is_gone_without_a_goodbye_is_logged_as_left() -> None:
    """A connection that breaks is left at once, and those who stay go on."""
    async with serving() as (server, served), joined(server, "bob") as bob:
        async with joined(server, "ann") as ann:
            ann.transport.abort()
            await until(lambda: "left" in served.kinds("ann"))
        assert served.emulator.connected("E") == 1
        server.act(served.emulator.publish, "T")
        assert (await hear(bob))["type"] == "element_published"


async def test_a_client_that_says_goodbye_is_logged_as_left() -> None:
    """A connection that is closed is left, and told nothing more."""
    async with serving() as (server, served):
        async with joined(server, "ann"):
            pass
        await until(lambda: served.kinds("ann") == ["joined", "left"])
        server.act(served.emulator.publish, "T")
        assert server._members == {"E": {}}


async def test_a_taken_port_is_an_error() -> None:
    """A second server on the same port does not come up, and the first goes on."""
    async with serving() as (server, _):
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            async with serving(port=port):
                pass
        async with joined(server):
            pass


async def test_nothing_is_left_behind() -> None:
    """After the server is closed there is no task, timer, connection or listener of it."""
    async with serving() as (server, served), joined(server) as ann:
        served.emulator.add_element("E", "B", Settings(content_type="long", duration_s=3600.0))
        server.act(served.emulator.publish, "B")  # sets a timer
        await server.__aexit__(None, None, None)
        await ann.wait_closed()
        assert ann.close_code == 1001
        assert served.emulator.connected("E") == 0
        assert server._timer is None
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        with pytest.raises(ConnectionRefusedError):
            await connect(server.url, proxy=None)


async def test_what_arrives_while_closing_leaves_no_timer() -> None:
    """A vote that comes while the server closes does not set its timer again."""
    async with serving(interval_s=1e9) as (server, served), joined(server) as ann:
        await say(ann, type="answer", id="1", element="P", options=[0])
        await server.__aexit__(None, None, None)
        assert served.kinds("ann")[-1] == "left"
        assert server._timer is None


async def test_a_server_that_never_listened_can_be_left() -> None:
    """Leaving it is harmless: there is nothing to close."""
    await LiveServer(Emulator()).__aexit__(None, None, None)


# IPv6


def _ipv6_reason() -> str:
    """Why there is no IPv6 loopback here; empty if there is."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        return f"no IPv6 loopback on this machine: {error}"
    return ""


@pytest.mark.skipif(bool(_ipv6_reason()), reason=_ipv6_reason() or "-")
async def test_an_ipv6_address_stands_in_brackets() -> None:
    """The URL of a server on ::1 is one that a client can use."""
    async with serving(host="::1") as (server, _):
        assert server.url.startswith("ws://[::1]:")
        async with joined(server):
            pass


async def test_the_clock_is_unix_time() -> None:
    """What is published now carries the time of day, as the platform's documentation has it."""
    emulator = Emulator()
    emulator.add_event("show")
    async with LiveServer(emulator) as server:
        before = time.time()
        now = server.now()
        assert before - 5.0 < now < before + 5.0
        assert now == pytest.approx(server.epoch + asyncio.get_running_loop().time(), abs=5.0)
