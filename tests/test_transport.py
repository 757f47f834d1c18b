"""The live channel over real sockets: a server on loopback, scripted frame by frame."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import socket
import ssl
import subprocess
from collections import Counter
from contextlib import aclosing
from itertools import permutations
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.protocol import State
from websockets.protocol import State as ConnectionState

from poll_counter.commands import CastVote
from poll_counter.errors import MisuseError
from poll_counter.facts import (
    AnswerAccepted,
    Disconnected,
    ElementRevoked,
    EventStateChanged,
    FrameSkipped,
    ResultsTold,
)
from poll_counter.transport import WebSocketTransport, backoff_s
from tests.support.listener import WELCOMED, Listener, quick
from tests.support.scripted_server import ScriptedServer, frame, open_connections, welcome
from tests.support.waiting import soon, until

LEFT: Final = {1000, 1001}
"""Close codes of a client that leaves: it is done, or going away. 1011 is an internal error."""
SAME = settings(derandomize=True, deadline=None, database=None)


def delays(caplog: pytest.LogCaptureFixture) -> list[float]:
    """The delays before reconnects, seconds, as the transport logs them."""
    records = [record for record in caplog.records if "again in" in record.msg]
    return [record.args[1] for record in records if isinstance(record.args, tuple)]  # type: ignore[misc]


# A connection


async def test_hello_comes_first() -> None:
    """The first frame says which event and which user; nothing follows it unasked."""
    async with ScriptedServer() as server, Listener(quick(server.url)):
        peer = await server.accept()
        assert peer.subprotocol == "poll-counter.v1"
        assert await server.read(peer) == {"type": "hello", "event": "demo", "user": "me"}


async def test_facts_come_in_order() -> None:
    """Every frame is told, in the order sent, the snapshot first."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome()
        await peer.send(frame("event_state", state="finished", rev=2))
        await peer.send(frame("results", element="P", votes=[3, 1], final=True))
        await peer.send(frame("element_revoked", element="P", rev=3))
        assert [await listener.next() for _ in range(4)] == [
            WELCOMED,
            EventStateChanged("finished", 2),
            ResultsTold("P", (3, 1), final=True),
            ElementRevoked("P", 3),
        ]


async def test_binary_frame() -> None:
    """A binary frame with the same JSON says the same."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.accept()
        await peer.send(welcome().encode())
        assert await listener.next() == WELCOMED


async def test_what_cannot_be_understood_is_skipped() -> None:
    """Bad frames are told by a word each, and the connection stays."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome()
        await peer.send("shrug")
        await peer.send(frame("shrug"))
        await peer.send(frame("results"))
        await peer.send(frame("event_state", state="active", rev=2))
        assert [await listener.next() for _ in range(5)] == [
            WELCOMED,
            FrameSkipped("malformed"),
            FrameSkipped("unknown_type"),
            FrameSkipped("invalid"),
            EventStateChanged("active", 2),
        ]


async def test_votes_are_sent_as_answers() -> None:
    """A vote is an answer with an id of its own; it is answered on the same connection."""
    async with ScriptedServer() as server:
        transport = quick(server.url)
        assert transport.acknowledges
        async with Listener(transport) as listener:
            peer = await server.welcome()
            assert await listener.next() == WELCOMED
            await transport.send(CastVote("P", 3))
            await transport.send(CastVote("Q", 0))
            answers = [await server.read(peer), await server.read(peer)]
            assert answers == [
                {"type": "answer", "id": "1", "element": "P", "options": [3]},
                {"type": "answer", "id": "2", "element": "Q", "options": [0]},
            ]
            await peer.send(frame("answer_accepted", id="2", element="Q", options=[0]))
            assert await listener.next() == AnswerAccepted("Q", 0, "2")


async def test_offline_votes_are_refused() -> None:
    """Without a connection `send` raises ConnectionError: before the first and after a lost one."""
    async with ScriptedServer() as server:
        transport = quick(server.url, reconnect_first_s=100.0)
        with pytest.raises(ConnectionError, match="not connected"):
            await transport.send(CastVote("P", 0))
        async with Listener(transport) as listener:
            peer = await server.welcome()
            assert await listener.next() == WELCOMED
            peer.transport.abort()
            assert await listener.next() == Disconnected()
            with pytest.raises(ConnectionError, match="not connected"):
                await transport.send(CastVote("P", 0))


async def test_votes_on_a_connection_that_is_closing_are_refused() -> None:
    """`send` does not pretend: nothing can be sent once the connection is being closed."""
    async with ScriptedServer() as server:
        transport = quick(server.url)
        async with Listener(transport) as listener:
            await server.welcome()
            assert await listener.next() == WELCOMED
            assert transport._connection is not None
            transport._connection.protocol.state = State.CLOSING
            with pytest.raises(ConnectionError, match="not connected"):
                await transport.send(CastVote("P", 0))


async def test_closing_closes_the_connection() -> None:
    """Closing the facts says goodbye to the server, and leaves nothing open."""
    async with ScriptedServer() as server:
        before = asyncio.all_tasks()
        async with Listener(quick(server.url)) as listener:
            peer = await server.welcome()
            assert await listener.next() == WELCOMED
        assert open_connections() == []
        await soon(peer.wait_closed())
        assert peer.close_code in LEFT
        await until(lambda: not asyncio.all_tasks() - before)


async def test_closing_while_reading() -> None:
    """A consumer that leaves in the middle of its facts closes the connection as well."""
    async with ScriptedServer() as server:
        transport = quick(server.url)
        async with aclosing(transport.facts("demo", "me")) as facts:
            first = asyncio.ensure_future(anext(facts))
            peer = await server.welcome()
            assert await soon(first) == WELCOMED
        assert open_connections() == []
        await soon(peer.wait_closed())
        assert peer.close_code in LEFT
        with pytest.raises(ConnectionError):
            await transport.send(CastVote("P", 0))


async def test_closing_while_the_server_does_not_answer() -> None:
    """A consumer that is cancelled again while saying goodbye leaves no socket open."""
    async with ScriptedServer() as server:
        before = asyncio.all_tasks()
        facts = quick(server.url).facts("demo", "me")

        async def listen() -> None:
            async with aclosing(facts):
                async for _ in facts:
                    pass

        task = asyncio.create_task(listen())
        peer = await server.welcome()
        peer.transport.pause_reading()  # it hears no goodbye
        (connection,) = open_connections()
        task.cancel()
        await until(lambda: connection.state is not ConnectionState.OPEN)
        task.cancel()
        await asyncio.wait([task])
        try:
            assert open_connections() == []
        finally:
            connection.transport.abort()
            peer.transport.abort()
            await until(lambda: not asyncio.all_tasks() - before)


async def test_closing_while_waiting_to_reconnect() -> None:
    """Nobody has to wait for a reconnect that is no longer wanted."""
    async with ScriptedServer() as server:
        before = asyncio.all_tasks()
        async with Listener(
            quick(server.url, reconnect_first_s=1e6, reconnect_cap_s=1e6)
        ) as listener:
            peer = await server.accept()
            peer.transport.abort()
            assert await listener.next() == Disconnected()
        await until(lambda: not asyncio.all_tasks() - before)


# Reconnecting


async def test_reconnects() -> None:
    """A lost connection is told, and the next begins with hello and a snapshot."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome()
        assert await listener.next() == WELCOMED
        for _ in range(3):
            peer.transport.abort()
            peer = await server.accept()
            assert await server.read(peer) == {"type": "hello", "event": "demo", "user": "me"}
            await peer.send(welcome())
            assert await listener.next() == Disconnected()
            assert await listener.next() == WELCOMED


async def test_reconnects_after_a_goodbye() -> None:
    """A server that closes in order is come back to as well."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome()
        assert await listener.next() == WELCOMED
        await peer.close(1001)
        await server.welcome()
        assert [await listener.next(), await listener.next()] == [Disconnected(), WELCOMED]


async def test_reconnects_to_a_restarted_server() -> None:
    """While nobody listens, the attempts that fail are told; then the snapshot comes."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        await server.welcome()
        assert await listener.next() == WELCOMED
        await server.stop()
        assert [await listener.next() for _ in range(3)] == [Disconnected()] * 3
        await server.start()
        await server.welcome()
        while (fact := await listener.next()) == Disconnected():
            pass
        assert fact == WELCOMED


async def test_server_that_refuses_connections() -> None:
    """Who answers no WebSocket, or not at all, is asked again."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.pop(0))
        writer.close()
        await writer.wait_closed()

    answers = [
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ]
    count = len(answers)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Listener(quick(f"ws://127.0.0.1:{port}")) as listener:
            assert [await listener.next() for _ in range(count)] == [Disconnected()] * count


async def test_redirect_to_nowhere() -> None:
    """A redirect to what is no address, as from a broken proxy, is trouble of the network."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:99999/\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Listener(quick(f"ws://127.0.0.1:{port}")) as listener:
            assert [await listener.next() for _ in range(2)] == [Disconnected()] * 2


@pytest.mark.parametrize("allow_plain", [False, True])
async def test_redirect_to_plain(allow_plain: bool) -> None:  # noqa: FBT001 - a parameter
    """A redirect to where the app itself might not have connected is not followed."""
    async with ScriptedServer() as server:

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            # This machine, as only a resolver can tell.
            location = server.url.replace("127.0.0.1", "127.1")
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode())
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as redirecting:
            url = f"ws://127.0.0.1:{redirecting.sockets[0].getsockname()[1]}"
            transport = WebSocketTransport(url, reconnect_first_s=0.0, allow_plain=allow_plain)
            async with Listener(transport) as listener:
                if allow_plain:
                    await server.welcome()
                    assert await listener.next() == WELCOMED
                else:
                    assert [await listener.next() for _ in range(3)] == [Disconnected()] * 3
                    assert server.accepted == 0


async def test_wrong_subprotocol() -> None:
    """A server of something else is told, sent away, and asked again."""
    async with (
        ScriptedServer(subprotocol=None) as server,
        Listener(quick(server.url)) as listener,
    ):
        for _ in range(2):
            peer = await server.accept()
            assert await listener.next() == FrameSkipped("wrong_subprotocol")
            assert await listener.next() == Disconnected()
            await soon(peer.wait_closed())
            assert peer.close_code == 1002
            assert peer.close_reason == "speak poll-counter.v1"


async def test_welcome_for_another_event() -> None:
    """A welcome to another event is told and not passed on; the right one is waited for."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome("another")
        assert await listener.next() == FrameSkipped("wrong_event")
        assert await listener.next() == Disconnected()
        await soon(peer.wait_closed())
        assert peer.close_code == 1002
        await server.welcome()
        assert await listener.next() == WELCOMED


async def test_server_that_never_answers() -> None:
    """A hello without an answer ends the connection after a while, and another is tried."""
    async with (
        ScriptedServer() as server,
        Listener(quick(server.url, welcome_timeout_s=0.01)) as listener,
    ):
        for _ in range(2):
            peer = await server.accept()
            assert (await server.read(peer))["type"] == "hello"
            assert await listener.next() == Disconnected()
            await soon(peer.wait_closed())


async def test_something_else_than_a_welcome() -> None:
    """It is the welcome that has to come within the time: nothing else stands for it."""
    async with (
        ScriptedServer() as server,
        Listener(quick(server.url, welcome_timeout_s=0.05)) as listener,
    ):
        peer = await server.accept()
        await server.read(peer)
        await peer.send(frame("error", code="busy"))
        await peer.send("shrug")
        assert await listener.next() == FrameSkipped("malformed")
        assert await listener.next() == Disconnected()


async def test_silence_after_the_welcome() -> None:
    """Only the first frame has to come within the time: a quiet show is no lost one."""
    async with (
        ScriptedServer() as server,
        Listener(quick(server.url, welcome_timeout_s=0.1)) as listener,
    ):
        peer = await server.welcome()
        assert await listener.next() == WELCOMED
        async with Listener(quick(server.url, welcome_timeout_s=0.1)) as later:
            await server.accept()
            assert await later.next() == Disconnected()  # which began after the first
        await peer.send(frame("event_state", state="active", rev=2))
        assert await listener.next() == EventStateChanged("active", 2)


async def test_frame_that_is_too_long(caplog: pytest.LogCaptureFixture) -> None:
    """A frame of the limit is read; one above it ends the connection, and is warned of."""
    async with (
        ScriptedServer() as server,
        Listener(quick(server.url, max_frame_bytes=1000)) as listener,
    ):
        peer = await server.welcome()
        assert await listener.next() == WELCOMED
        await peer.send("x" * 1000)
        assert await listener.next() == FrameSkipped("malformed")
        await peer.send("x" * 1001)
        assert await listener.next() == FrameSkipped("too_long")
        assert await listener.next() == Disconnected()
        await soon(peer.wait_closed())
        assert peer.close_code == 1009
        await server.welcome()
        assert await listener.next() == WELCOMED
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "a frame of more than 1,000 bytes" in warning.getMessage()
    assert "pass WebSocketTransport(..., max_frame_bytes=...)" in warning.getMessage()


async def test_text_that_is_no_utf8() -> None:
    """A text frame that is no UTF-8 breaks the WebSocket protocol: another connection follows."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome()
        assert await listener.next() == WELCOMED
        await peer.send(b"\xff\xfe", text=True)
        assert await listener.next() == Disconnected()
        await soon(peer.wait_closed())
        assert peer.close_code == 1007
        await server.welcome()
        assert await listener.next() == WELCOMED


# What is not a fact


async def test_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What the server says is wrong is for the log, and nothing else changes."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome()
        await peer.send(frame("error", code="second_hello", message="say it once"))
        await peer.send(frame("event_state", state="active", rev=2))
        assert await listener.next() == WELCOMED
        assert await listener.next() == EventStateChanged("active", 2)
    (record,) = [record for record in caplog.records if record.name == "poll_counter.transport"]
    assert record.levelno == logging.WARNING
    assert "say it once" in record.getMessage()
    assert "second_hello" in record.getMessage()


async def test_error_before_the_welcome(caplog: pytest.LogCaptureFixture) -> None:
    """The server's reason is in the log when it welcomes nobody: once loudly, for it repeats."""
    caplog.set_level(logging.DEBUG, "poll_counter")
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        for _ in range(2):
            peer = await server.accept()
            assert await server.read(peer) == {"type": "hello", "event": "demo", "user": "me"}
            await peer.send(frame("error", code="unknown_event", message="no such event"))
            await peer.close(4404)
            assert await listener.next() == Disconnected()
    said = [record.levelno for record in caplog.records if "no such event" in record.getMessage()]
    assert said == [logging.WARNING, logging.DEBUG]


async def test_retry_after(caplog: pytest.LogCaptureFixture) -> None:
    """What the server asks for is added to the next delay, and to that one alone."""
    caplog.set_level(logging.DEBUG, "poll_counter")
    loop = asyncio.get_running_loop()
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome()
        await peer.send(frame("retry_after", seconds=0.125))
        await peer.send(frame("event_state", state="active", rev=2))
        assert await listener.next() == WELCOMED
        assert await listener.next() == EventStateChanged("active", 2)
        lost = loop.time()
        peer.transport.abort()
        peer = await server.welcome()
        assert loop.time() >= lost + 0.125
        peer.transport.abort()
        await server.accept()
    assert delays(caplog) == [0.125, 0.0]


async def test_retry_after_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """A server that errs by a factor of a million does not end the show for anybody."""
    caplog.set_level(logging.DEBUG, "poll_counter")
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome()
        await peer.send(frame("retry_after", seconds=2**53))
        assert await listener.next() == WELCOMED
        await peer.close()
        assert await listener.next() == Disconnected()
        await until(lambda: delays(caplog))
    assert delays(caplog) == [300.0]


@pytest.mark.parametrize(
    ("headers", "delay_s"),
    [
        ("Retry-After: 7\r\n", 7.0),
        ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nRetry-After: 8\r\n", 8.0),
        ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", 0.0),
        ("Retry-After: -7\r\n", 0.0),
        (f"Retry-After: {'9' * 500}\r\n", 300.0),
        ("", 0.0),
    ],
)
async def test_retry_after_by_http(
    headers: str, delay_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Who refuses the handshake may say for how long, by HTTP's own word for it."""
    caplog.set_level(logging.DEBUG, "poll_counter")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 503 Service Unavailable\r\n{headers}\r\n".encode())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Listener(quick(f"ws://127.0.0.1:{port}")) as listener:
            assert await listener.next() == Disconnected()
            await until(lambda: delays(caplog))
    assert delays(caplog)[0] == delay_s


async def test_delays(caplog: pytest.LogCaptureFixture) -> None:
    """Delays have full jitter, doubled with every attempt that is not welcomed, up to the cap."""
    caplog.set_level(logging.DEBUG, "poll_counter")
    random.seed(5)  # websockets draws from elsewhere
    first, cap = 2.0**-12, 2.0**-10
    options = {"reconnect_first_s": first, "reconnect_cap_s": cap}
    async with ScriptedServer() as server, Listener(quick(server.url, **options)) as listener:
        for _ in range(4):
            (await server.accept()).transport.abort()
            assert await listener.next() == Disconnected()
        (await server.welcome()).transport.abort()
        assert await listener.next() == WELCOMED
        assert await listener.next() == Disconnected()
        await server.accept()
    draws = random.Random(5)
    most = [first, first * 2, cap, cap, first]
    least = [0.0, first, first, first, 0.0]
    assert delays(caplog) == [
        low + draws.random() * (high - low) for low, high in zip(least, most, strict=True)
    ]


@SAME
@given(
    st.integers(0, 5) | st.integers(0, 10_000),
    st.floats(0.0, 1e6),
    st.floats(0.0, 1e6),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_backoff(attempt: int, first_s: float, cap_s: float, drawn: float) -> None:
    """The delay is uniform on [first, min(cap, first * 2^attempt)], and the first on [0, first]."""
    least, delay, most, after = (
        backoff_s(number, first_s=first_s, cap_s=cap_s, draw=lambda at=at: at)  # type: ignore[misc]
        for number, at in [(attempt, 0.0), (attempt, drawn), (attempt, 1.0), (attempt + 1, 1.0)]
    )
    assert delay == pytest.approx(least + drawn * (most - least))
    assert least == pytest.approx(min(first_s, most / 2.0) if attempt else 0.0)
    assert attempt or most == first_s
    capped = min(2 * most, max(first_s, cap_s))
    assert capped >= most * (1.0 - 1e-12)
    assert after == pytest.approx(capped) or attempt >= 32


@pytest.mark.parametrize(
    ("attempt", "least", "most"),
    [(0, 0.0, 5.0), (1, 5.0, 10.0), (2, 5.0, 20.0), (3, 5.0, 20.0), (1000, 5.0, 20.0)],
)
def test_backoff_of_the_defaults(attempt: int, least: float, most: float) -> None:
    """With 5 s first and a cap of 20 s: up to 5 s, 5 to 10 s, then 5 to 20 s."""
    assert backoff_s(attempt, first_s=5.0, cap_s=20.0, draw=lambda: 0.0) == least
    assert backoff_s(attempt, first_s=5.0, cap_s=20.0, draw=lambda: 0.5) == (least + most) / 2
    assert backoff_s(attempt, first_s=5.0, cap_s=20.0, draw=lambda: 1.0) == most
    assert least <= backoff_s(attempt, first_s=5.0, cap_s=20.0) < most


def test_backoff_with_a_cap_under_the_first() -> None:
    """A first delay above the cap is kept, and not doubled; nobody comes in step for it."""
    for draw, expected in [(0.0, [0.0, 2.5, 2.5]), (1.0, [5.0, 5.0, 5.0])]:
        delays = [backoff_s(n, first_s=5.0, cap_s=1.0, draw=lambda at=draw: at) for n in range(3)]  # type: ignore[misc]
        assert delays == expected


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "",
        "live.example/show",
        "https://live.example/show",
        "wss://",
        "wss:///show",
        "wss://live.example/#show",
        "wss://me@live.example/",
        "wss://live.example:port/",
        "wss://live.example:99999/",
        "wss://[::1/",
    ],
)
def test_no_address(url: str) -> None:
    """What is no WebSocket address raises at once, and the message shows one."""
    with pytest.raises(MisuseError, match=r"no WebSocket address.*wss://host/path"):
        WebSocketTransport(url)


@pytest.mark.parametrize(
    "host",
    [
        "live.example",
        "192.168.0.7",
        "10.0.0.1",
        "127.0.0.1.live.example",
        "[2001:db8::1]",
        "[::ffff:10.0.0.1]",
        "[fe80::1%25lo]",
        "0.0.0.0",
        "[::]",
        # What a resolver may take for this machine; it may as well be lied to.
        "localhost.",
        "player.localhost",
        "localhost.localdomain",
        "ip6-localhost",
        "127.0.0.1.",
        "127.1",
        "127.0.0.01",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        # What looks like this machine, and is only a name before the host.
        "127.0.0.1:80@live.example",
        "localhost:80@live.example",
        "127.0.0.1:80@127.0.0.1@live.example",
        "127.0.0.1\n.live.example",
        "127.0.0.1%00.live.example",
        "127.0.0.1\\.live.example",
    ],
)
def test_plain_address(host: str) -> None:
    """Plain ws:// to another machine raises, unless the app says that the network is trusted."""
    url = f"ws://{host}:8765/show"
    with pytest.raises(MisuseError, match=r"is not this machine; use wss://.*allow_plain=True"):
        WebSocketTransport(url)
    assert WebSocketTransport(url, allow_plain=True).url == url
    assert WebSocketTransport(url.replace("ws:", "wss:")).url.startswith("wss:")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost",
        "127.0.0.1",
        "127.1.2.3",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "live.example:80@127.0.0.1",
        "\N{FULLWIDTH DIGIT ONE}27.0.0.1",
    ],
)
def test_plain_address_of_this_machine(host: str) -> None:
    """Plain ws:// reaches this machine."""
    assert WebSocketTransport(f"ws://{host}:8765").url == f"ws://{host}:8765"


def test_no_address_at_all() -> None:
    """Several addresses are at least one, and every one of them has to work."""
    with pytest.raises(MisuseError, match="there is no address to connect to"):
        WebSocketTransport([])
    with pytest.raises(MisuseError, match="no WebSocket address"):
        WebSocketTransport(["wss://live.example/show", "wss://"])
    with pytest.raises(MisuseError, match="is not this machine"):
        WebSocketTransport(["wss://live.example/show", "ws://live.example/show"])


def test_several_addresses_are_equal() -> None:
    """A crowd with one list of servers begins at all of them, alike."""
    urls = [f"wss://{name}.live.example/show" for name in "abc"]
    begun = Counter(WebSocketTransport(urls).url for _ in range(300))
    assert sorted(begun) == urls
    assert min(begun.values()) > 60  # of 100: six standard deviations are 49


async def test_who_loses_a_server_goes_to_any_other() -> None:
    """The clients of one that dies are shared by all that are left, whichever it was."""
    nobody = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    urls = [f"ws://127.0.0.1:{each.getsockname()[1]}" for each in nobody]
    for each in nobody:
        each.close()
    went = Counter[tuple[str, str]]()
    for _ in range(300):
        transport, tried = quick(urls), list[str]()
        async with aclosing(transport.facts("demo", "me")) as facts:
            for _ in range(2):
                assert await anext(facts) == Disconnected()
                tried.append(transport.url)
        went[tried[0], tried[1]] += 1
    assert sorted(went) == sorted(permutations(urls, 2))
    assert min(went.values()) > 11  # of 50: six standard deviations are 38.7


async def test_the_next_address_has_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    """After a failure to connect, and after a loss, the next server is tried; delays as ever."""
    caplog.set_level(logging.DEBUG, "poll_counter")
    nobody = socket.create_server(("127.0.0.1", 0))
    closed = f"ws://127.0.0.1:{nobody.getsockname()[1]}"
    nobody.close()
    async with ScriptedServer() as one, ScriptedServer() as two:
        transport = quick([one.url, closed, two.url])
        transport._addresses.sort(key=lambda each: [one.url, closed, two.url].index(each.url))
        async with Listener(transport) as listener:
            for server in (one, two, one, two):
                peer = await server.welcome()
                assert await listener.next() == WELCOMED
                assert transport.url == server.url
                peer.transport.abort()
                assert await listener.next() == Disconnected()
                if server is one:
                    assert await listener.next() == Disconnected()  # nobody is at the second
    assert len(delays(caplog)) >= 6


def test_ssl_goes_to_those_with_tls() -> None:
    """A TLS context is for the addresses that have a use for it; one is enough."""
    context = ssl.create_default_context()
    WebSocketTransport(["ws://127.0.0.1:8765", "wss://live.example"], ssl=context)
    with pytest.raises(MisuseError, match="ssl= has no use; make it wss://"):
        WebSocketTransport(["ws://127.0.0.1:8765", "ws://127.0.0.1:8766"], ssl=context)


def test_ssl_without_wss() -> None:
    """A TLS context for an address without TLS is a mistake."""
    context = ssl.create_default_context()
    with pytest.raises(MisuseError, match="ssl= has no use; make it wss://"):
        WebSocketTransport("ws://127.0.0.1:8765", ssl=context)
    WebSocketTransport("wss://127.0.0.1:8765", ssl=context)


def test_secrets_of_an_address_are_not_told() -> None:
    """An address may carry a token: what is raised about plain addresses does not repeat it."""
    with pytest.raises(MisuseError) as raised:
        WebSocketTransport("ws://live.example/show?token=secret")
    assert "secret" not in str(raised.value)


async def test_proxies() -> None:
    """A proxy of the environment is used for other machines, and not for this one."""
    asked: asyncio.Queue[bytes] = asyncio.Queue()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy, ScriptedServer() as own:
        port = proxy.sockets[0].getsockname()[1]
        with pytest.MonkeyPatch.context() as environment:
            for name in ("no_proxy", "ws_proxy", "socks_proxy", "https_proxy", "all_proxy"):
                environment.delenv(name, raising=False)
                environment.delenv(name.upper(), raising=False)
            environment.setenv("http_proxy", f"http://127.0.0.1:{port}")
            far = WebSocketTransport("ws://live.example:80/", allow_plain=True)
            async with Listener(far) as listener:
                assert await soon(asked.get()) == b"CONNECT live.example:80 HTTP/1.1\r\n"
                assert await listener.next() == Disconnected()
            async with Listener(quick(own.url)) as listener:
                await own.welcome()
                assert await listener.next() == WELCOMED
        assert asked.empty()


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody else has signed, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl command to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    own, key = folder / "own.pem", folder / "key.pem"
    name = ["-subj", "/CN=poll_counter test", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command: list[str | Path] = [
        openssl,
        "req",
        *kind,
        "-keyout",
        key,
        "-out",
        own,
        "-days",
        "2",
        *name,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return own, key


async def test_tls(certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture) -> None:
    """Certificates are verified: a stranger's is refused, unless the app's context trusts it.

    It is warned of once: a person has to mend that.
    """
    own, key = certificate
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(own, key)
    async with ScriptedServer(ssl=served) as server:
        async with Listener(quick(server.url)) as listener:
            assert [await listener.next() for _ in range(2)] == [Disconnected()] * 2
        (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert "CERTIFICATE_VERIFY_FAILED" in warning.getMessage()
        trusting = ssl.create_default_context(cafile=own)
        transport = WebSocketTransport(server.url, ssl=trusting, reconnect_first_s=0.0)
        async with Listener(transport) as listener:
            await server.welcome()  # of the clients refused none came this far
            assert await listener.next() == WELCOMED


def test_the_address_is_not_told_on() -> None:
    """An address may carry a token: the error says what is wrong without it."""
    for url in (
        "wss://host:99999/?token=secret",
        "http://host/?token=secret",
        "wss://me:secret/word@host/",
        "wss://me:secret@ho\N{ACCOUNT OF}st/",
        "ws://me:secret@live.example/",
    ):
        with pytest.raises(MisuseError) as raised:
            WebSocketTransport(url)
        assert "secret" not in str(raised.value)
        assert raised.value.__cause__ is None


async def test_a_server_that_hangs_up_before_hello_is_heard() -> None:
    """What a server says before it closes is read, though there is nobody to say hello to."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        for seconds in (0.0, 0.2):
            peer = await server.accept()
            await peer.send(frame("retry_after", seconds=seconds))
            await peer.close()
            assert await soon(listener.next()) == Disconnected()
        asked = asyncio.get_running_loop().time()
        await server.accept()
        assert asyncio.get_running_loop().time() - asked >= 0.15


async def test_a_server_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Each thing that is wrong is warned of once, and no more than some twenty things."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome()
        for number in range(60):
            await peer.send(frame("error", code=f"wrong {number % 30}", message="x" * 1000))
        await peer.close()
        assert await listener.next() == WELCOMED
        assert await listener.next() == Disconnected()
    warnings = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == len(set(warnings)) == 20
    assert max(map(len, warnings)) < 300


async def test_what_is_no_network_trouble_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """A loss that only a person can mend is told once; the transport goes on trying."""
    async with Listener(quick("ws://" + "x" * 70 + ".localhost", allow_plain=True)) as listener:
        assert await listener.next() == Disconnected()
        assert await listener.next() == Disconnected()
    warnings = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "no connection to" in warnings[0]
