"""The server under attack, on sockets: each limit holds, and nobody else notices.

What the limits decide is tested in `test_limits` and `test_door`; here they are carried out.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from poll_counter.facts import Disconnected, Welcomed
from poll_counter.transport import WebSocketTransport
from simulator import server as server_module
from simulator import turnstile
from simulator.emulator import Settings
from simulator.limits import Limits
from simulator.server import LiveServer
from tests.support.raw_clients import Served, dismissed, hear, joined, knocking, say, serving
from tests.support.waiting import GUARD_S, soon, until

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
"""The beginning of a handshake."""


async def vote(connection: ClientConnection, option: int = 0, id_: str = "1") -> dict[str, Any]:
    """Vote, and wait for the answer, whatever results are told meanwhile."""
    await say(connection, type="answer", id=id_, element="P", options=[option])
    while (told := await hear(connection))["type"] == "results":
        pass
    return told


async def ended(connection: ClientConnection) -> int | None:
    """Wait until the server has ended a connection; gives its code, 1006 if it said none."""
    with suppress(ConnectionClosed):
        while True:
            await hear(connection)
    return connection.close_code


async def refused(server: LiveServer, **options: Any) -> tuple[int, str | None]:
    """Knock in vain; gives HTTP's status and when to come back."""
    with pytest.raises(InvalidStatus) as caught:
        async with knocking(server, **options):
            pass
    response = caught.value.response
    return response.status_code, response.headers.get("Retry-After")


@asynccontextmanager
async def half_open(server: LiveServer, said: bytes) -> AsyncGenerator[asyncio.StreamReader]:
    """Open a socket, and say something that is no whole handshake."""
    host, port = server.url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said)
    try:
        yield reader
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def gone(reader: asyncio.StreamReader) -> None:
    """Wait until the server has closed a half-open socket."""
    with suppress(ConnectionResetError):
        assert await soon(reader.read()) == b""


# Connections


async def test_a_full_server_says_when_to_come_back() -> None:
    """HTTP 503 with Retry-After; who is in stays, and who leaves makes room."""
    async with serving(limits=Limits(connections_max=2)) as (server, served), joined(server) as ann:
        async with joined(server, "bob"):
            assert await refused(server) == (503, "5")
            assert (await vote(ann))["type"] == "answer_accepted"
        await until(lambda: served.emulator.connected("E") == 1)
        async with joined(server, "eve"):
            assert served.emulator.connected("E") == 2


async def test_an_address_has_its_share_of_connections() -> None:
    """HTTP 429 with Retry-After for one more; another address is let in."""
    async with (
        serving(limits=Limits(connections_per_address_max=1)) as (server, _),
        knocking(server, address="127.0.0.2"),
    ):
        assert await refused(server, address="127.0.0.2") == (429, "5")
        async with joined(server):
            pass


async def test_an_address_connects_only_so_often() -> None:
    """However soon its connections are gone again."""
    limits = Limits(connects_burst=2, connects_per_s=0.01)
    async with serving(limits=limits) as (server, _):
        for _ in range(2):
            async with knocking(server, address="127.0.0.2"):
                pass
        status, retry_after = await refused(server, address="127.0.0.2")
        assert status == 429
        assert 1 <= int(retry_after or 0) <= 100
        async with joined(server):
            pass


async def test_who_is_refused_and_asks_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that only holds its place, without a request to answer, has none."""
    monkeypatch.setattr(turnstile, "FAREWELL_S", 0.01)
    async with (
        serving(limits=Limits(connections_max=1)) as (server, _),
        joined(server),
        half_open(server, b"") as silent,
    ):
        await gone(silent)


async def test_of_many_who_are_refused_most_are_told_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Refusing takes no place either: beyond some that wait, sockets are closed at once."""
    monkeypatch.setattr("simulator.door.TURNED_AWAY_MAX", 1)
    monkeypatch.setattr(turnstile, "FAREWELL_S", GUARD_S)
    async with (
        serving(limits=Limits(connections_max=1)) as (server, _),
        joined(server),
        half_open(server, b"") as first,
    ):
        await until(lambda: server._door._turned_away)
        async with half_open(server, b"") as second:
            await gone(second)
            assert not first.at_eof(), "it may still ask"


async def test_a_handshake_that_drips_ends() -> None:
    """Time runs from the connection on, whatever comes meanwhile."""
    async with (
        serving(limits=Limits(handshake_timeout_s=0.05)) as (server, _),
        half_open(server, REQUEST) as dripping,
    ):
        await gone(dripping)
        async with joined(server):
            pass


async def test_slow_handshakes_give_way() -> None:
    """They fill only so many places, and never keep out who shakes hands at once."""
    async with (
        serving(limits=Limits(handshakes_max=2)) as (server, _),
        half_open(server, REQUEST) as first,
    ):
        await until(lambda: server._door.connections == 1)
        async with half_open(server, REQUEST) as second:
            await until(lambda: server._door.connections == 2)
            async with half_open(server, REQUEST) as third:
                await gone(first)
                async with joined(server) as ann:
                    await gone(second)
                    assert (await vote(ann))["type"] == "answer_accepted"
                    assert not third.at_eof()


async def test_who_has_shaken_hands_does_not_give_way() -> None:
    """However long it has been there."""
    async with (
        serving(limits=Limits(handshakes_max=1)) as (server, _),
        joined(server, "ann") as ann,
        joined(server, "bob"),
        half_open(server, REQUEST),
    ):
        await until(lambda: server._door.connections == 3)
        assert (await vote(ann))["type"] == "answer_accepted"


async def test_nothing_is_kept_of_connections_that_are_gone() -> None:
    """Whether they were let in, refused, or never said anything."""
    async with serving(limits=Limits(connections_max=3)) as (server, served):
        async with joined(server), knocking(server), half_open(server, REQUEST):
            await until(lambda: server._door.connections == 3)
            await refused(server)
        await until(lambda: not server._door.connections)
        await until(lambda: served.emulator.connected("E") == 0)
        kept = server._door._connections, server._door._waiting, server._door._turned_away
        assert not any(kept)


@pytest.mark.parametrize("origin", ["http://localhost:8080", "http://127.0.0.1", None])
async def test_pages_of_this_machine_connect(origin: str | None) -> None:
    """And so does who is no page."""
    async with serving() as (server, _), knocking(server, origin=origin) as connection:
        await say(connection, type="hello", event="E", user="ann")
        assert (await hear(connection))["type"] == "welcome"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example"]
)
async def test_other_pages_do_not(origin: str) -> None:
    """HTTP 403: a page that a player has open elsewhere does not vote for the player."""
    async with serving() as (server, _):
        assert await refused(server, origin=origin) == (403, None)


async def test_a_page_that_is_named_connects() -> None:
    """It alone, where that is what was asked for."""
    limits = Limits(origins=("https://show.example",))
    async with serving(limits=limits) as (server, _):
        async with knocking(server, origin="https://show.example"):
            pass
        assert await refused(server, origin="http://localhost:8080") == (403, None)


# Frames


async def test_a_flood_of_frames_waits() -> None:
    """It is read as fast as it may be, all of it in the end; others are answered at once."""
    limits = Limits(frames_burst=2, frames_per_s=1.0, votes_burst=100)
    async with (
        serving(limits=limits) as (server, served),
        joined(server, "eve") as eve,
        joined(server, "ann") as ann,
    ):
        for number in range(20):
            await say(eve, type="answer", id=str(number), element="P", options=[0])
        assert (await vote(ann))["type"] == "answer_accepted"
        answered = [kind for kind in served.kinds("eve") if kind in {"accepted", "refused"}]
        assert len(answered) < 20, "the last is due in 18 s"
        _, member = min(server._members["E"].items())
        await until(lambda: not member.transport.is_reading())
        eve.transport.abort()
        await until(lambda: "left" in served.kinds("eve"))  # what it said is not waited for


async def test_a_peer_that_sends_too_much_is_cut_off() -> None:
    """Pings, which no other limit sees, and which would be answered one by one."""
    limits = Limits(bytes_burst=2_000, bytes_per_s=1.0)
    async with serving(limits=limits) as (server, served), joined(server, "ann") as ann:
        async with joined(server, "eve") as eve:
            with suppress(ConnectionClosed):
                for number in range(2_000):
                    await eve.ping(str(number))
            assert await ended(eve) == 1006
        await until(lambda: "left" in served.kinds("eve"))
        assert (await vote(ann))["type"] == "answer_accepted"


async def test_a_message_in_a_thousand_pieces_is_too_much() -> None:
    """A frame is one message, but each of its pieces is work."""
    limits = Limits(bytes_burst=2_000, bytes_per_s=1.0)
    async with serving(limits=limits) as (server, _), joined(server, "eve") as eve:
        with suppress(ConnectionClosed):
            await eve.send(["x"] * 2_000)
        assert await ended(eve) == 1006


@pytest.mark.parametrize("bad", ["{", '{"type": "hello", "event": "E", "user": "eve"}', "[]"])
async def test_garbage_ends_the_connection(bad: str) -> None:
    """After so many frames that say nothing; up to there each is answered."""
    async with serving(limits=Limits(bad_frames_max=3)) as (server, served):
        async with joined(server, "eve") as eve, joined(server, "ann") as ann:
            assert (await vote(eve))["type"] == "answer_accepted"
            for _ in range(3):
                await eve.send(bad)
            codes = list[str]()
            while "too_many_bad_frames" not in codes:
                told = await hear(eve)
                codes += [told["code"]] if told["type"] == "error" else []
            assert codes[:3] == [codes[0]] * 3
            assert await ended(eve) == 4400
            assert (await vote(ann))["type"] == "answer_accepted"
        assert served.emulator.votes("P") == (2, 0), "what was voted before counts"


# Users


async def test_a_user_says_hello_only_so_often() -> None:
    """On whatever connections: 4429, and when to come back; another user is welcome."""
    limits = Limits(hellos_burst=2, hellos_per_s=0.01)
    async with serving(limits=limits) as (server, served):
        for _ in range(2):
            async with joined(server, "eve"):
                pass
        async with knocking(server) as eve:
            await say(eve, type="hello", event="E", user="eve")
            told = await hear(eve)
            assert told["type"] == "retry_after"
            assert 0.0 < told["seconds"] <= 100.0
            assert await dismissed(eve) == (4429, "too_many_hellos")
        async with joined(server, "ann"):
            pass
        assert served.kinds("eve").count("joined") == 2


async def test_a_user_votes_only_so_often() -> None:
    """On whatever connections: busy, and when to repeat it; another user's vote is taken."""
    limits = Limits(votes_burst=2, votes_per_s=0.01)
    async with (
        serving(limits=limits) as (server, served),
        joined(server, "eve") as first,
        joined(server, "eve") as second,
        joined(server, "ann") as ann,
    ):
        assert (await vote(first, 0))["type"] == "answer_accepted"
        assert (await vote(second, 0))["reason"] == "already_voted"
        for connection in (first, second):
            told = await vote(connection, 1, "again")
            assert 0.0 < told.pop("retry_after_s") <= 100.0
            assert told == {
                "type": "answer_refused",
                "id": "again",
                "element": "P",
                "options": [1],
                "reason": "busy",
            }
        assert (await vote(ann))["type"] == "answer_accepted"
        assert served.emulator.votes("P") == (2, 0)


# Peers that do not read


def tell_much(server: LiveServer, served: Served) -> None:
    """Tell every member some 60,000 bytes."""
    if "L" not in served.emulator.event("E").elements:
        settings = Settings(content_type="t", question="x" * 60_000)
        served.emulator.add_element("E", "L", settings)
    server.act(served.emulator.publish, "L")
    server.act(served.emulator.revoke, "L")


async def test_who_does_not_read_is_cut_off() -> None:
    """What waits for it is bounded; then it is gone, and who reads goes on."""
    limits = Limits(send_bytes_max=100_000)
    async with (
        serving(limits=limits) as (server, served),
        joined(server, "ann") as ann,
        joined(server, "eve") as eve,
    ):
        eve.transport.pause_reading()
        _, member = server._members["E"].values()
        waiting = [0]
        while "left" not in served.kinds("eve"):
            assert waiting[-1] < 200_000, "it is not cut off"
            tell_much(server, served)
            for _ in range(2):
                assert (await hear(ann))["type"] in {"element_published", "element_revoked"}
            waiting.append(member.transport.get_write_buffer_size())
        assert max(waiting) > 0, "at first it waits"
        assert (await vote(ann))["type"] == "answer_accepted"
        eve.transport.abort()


async def test_nothing_is_written_to_who_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    """Or every write would be complained of in the log, which peers could so fill."""
    async with serving() as (server, served), joined(server, "eve"):
        (member,) = server._members["E"].values()
        member.transport.abort()
        for _ in range(10):
            tell_much(server, served)
        await until(lambda: "left" in served.kinds("eve"))
    assert "socket.send() raised" not in caplog.text


async def test_who_is_dismissed_and_does_not_read_is_gone_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A goodbye that is not taken is not waited for."""
    monkeypatch.setattr(server_module, "CLOSE_S", 0.01)
    limits = Limits(bad_frames_max=1)
    async with serving(limits=limits) as (server, served), joined(server, "eve") as eve:
        eve.transport.pause_reading()
        (member,) = server._members["E"].values()
        while member.transport.get_write_buffer_size() < 2**16:
            tell_much(server, served)
            await asyncio.sleep(0)
        await eve.send("{")
        await until(lambda: "left" in served.kinds("eve"))
        eve.transport.abort()


# Honest clients


async def test_a_client_comes_back_when_it_may(caplog: pytest.LogCaptureFixture) -> None:
    """Refused with HTTP or on the channel, it stays away for as long as it was told."""
    caplog.set_level(logging.DEBUG, logger="poll_counter")
    limits = Limits(connections_max=1, hellos_burst=1, hellos_per_s=0.05)
    async with AsyncExitStack() as stack:
        server, _ = await stack.enter_async_context(serving(limits=limits))
        transport = WebSocketTransport(server.url, reconnect_first_s=0.0)
        async with joined(server, "ann"):
            facts = await stack.enter_async_context(aclosing(transport.facts("E", "bob")))
            assert await soon(anext(facts)) == Disconnected()
            waiting = asyncio.ensure_future(anext(facts))  # it now waits for its next attempt
            await until(lambda: "again in" in caplog.text)
            waiting.cancel()
        await until(lambda: not server._door.connections)
        for told in (Welcomed, Disconnected):
            async with aclosing(transport.facts("E", "eve")) as facts:
                assert isinstance(await soon(anext(facts)), told)
                if told is Disconnected:
                    waiting = asyncio.ensure_future(anext(facts))
                    await until(lambda: caplog.text.count("again in") == 2)
                    waiting.cancel()
                    await asyncio.wait([waiting])
            await until(lambda: not server._door.connections)
    delays = [r.args[1] for r in caplog.records if "again in" in r.msg and r.args]  # type: ignore[index]
    assert delays == [5.0, pytest.approx(20.0, abs=GUARD_S)]


async def test_what_users_say_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Not even at level DEBUG, where websockets would write frames down."""
    caplog.set_level(logging.DEBUG)
    async with serving() as (server, _), knocking(server) as connection:
        frame = json.dumps({"type": "hello", "event": "E", "user": "0f9ab3"}).encode()
        connection.transport.write(Frame(Opcode.TEXT, frame).serialize(mask=True))
        await hear(connection)
    told = [record.getMessage() for record in caplog.records if record.name != "websockets.client"]
    assert not [line for line in told if "0f9ab3" in line]
