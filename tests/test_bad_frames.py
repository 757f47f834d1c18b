"""What a server, or whoever speaks for it, can send: every outcome is defined, and none does harm.

The table of these outcomes is in `simulator/PROTOCOL.md`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import struct
import tracemalloc
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import pytest

from poll_counter import MEMORY, PollCounter, State, wire
from poll_counter.elements import Element
from poll_counter.facts import (
    Disconnected,
    ElementPublished,
    EventStateChanged,
    EventUpdated,
    Fact,
    FrameSkipped,
    ResultsTold,
    Welcomed,
)
from poll_counter.transport import QUEUE_FRAMES, WebSocketTransport
from poll_counter.wire import LIST_MAX
from simulator.emulator import Emulator, Settings
from simulator.scenario import Scenario
from simulator.server import LiveServer
from simulator.show import poll_settings
from tests.support.listener import WELCOMED, Listener, quick
from tests.support.scripted_server import ScriptedServer, frame, open_connections, welcome
from tests.support.waiting import GUARD_S, until

MIB: Final = 2**20
SKIPPED: Final = {name: (FrameSkipped(name),) for name in ("malformed", "invalid", "unknown_type")}
LEAST: Final = '"content_type":"t","state":"opened","rev":2,"published_at":1'
"""What an element needs beside its id."""
NAMES: Final = "€" * 2000
"""6,000 bytes of text."""


def published(inside: str) -> str:
    """Write that an element was published."""
    return f'{{"type":"element_published","element":{{"id":"e",{LEAST},{inside}}}}}'


def fields(inside: str) -> str:
    """Write that the event's fields were changed."""
    return f'{{"type":"event_updated","rev":2,"fields":{{{inside}}}}}'


def results(votes: str) -> str:
    """Write an element's results."""
    return f'{{"type":"results","element":"e","votes":[{votes}]}}'


def many(item: str, count: int) -> str:
    """Write one thing many times."""
    return ",".join([item] * count)


def told_element(options: int) -> ElementPublished:
    """What `published` with empty options says."""
    return ElementPublished(Element("e", "t", "opened", 1.0, rev=2, options=("",) * options))


FRAMES: Final[Mapping[str, tuple[str | bytes, tuple[Fact, ...]]]] = {
    "empty": ("", SKIPPED["malformed"]),
    "empty, binary": (b"", SKIPPED["malformed"]),
    "spaces": ("  \n", SKIPPED["malformed"]),
    "a byte order mark": (b"\xef\xbb\xbf" + fields("").encode(), SKIPPED["malformed"]),
    "UTF-16": (fields("").encode("utf-16"), SKIPPED["malformed"]),
    "no UTF-8, binary": (fields('"a":"').encode() + b'\xff"}}', SKIPPED["malformed"]),
    "two messages": (fields("") * 2, SKIPPED["malformed"]),
    "deep lists": (fields('"a":' + "[" * 5000 + "]" * 5000), SKIPPED["malformed"]),
    "deep objects": (fields('"a":' + '{"b":' * 5000 + "0" + "}" * 5000), SKIPPED["malformed"]),
    "deep, and unknown": (
        f'{{"type":"event_updated","rev":2,"fields":{{}},"x":{"[" * 5000}{"]" * 5000}}}',
        SKIPPED["malformed"],
    ),
    "a million digits": (fields(f'"a":{"9" * 10**6}'), SKIPPED["malformed"]),
    "10**400 in a field": (fields(f'"a":{10**400}'), (EventUpdated({"a": 10**400}, 2),)),
    "10**400 votes": (results(f"{10**400}"), SKIPPED["invalid"]),
    "1e999 in a field": (fields('"a":1e999,"b":1'), (EventUpdated({"b": 1}, 2),)),
    "NaN in a field": (fields('"a":NaN,"b":1'), (EventUpdated({"b": 1}, 2),)),
    "infinity in a field": (
        fields('"a":Infinity,"b":-Infinity,"c":1'),
        (EventUpdated({"c": 1}, 2),),
    ),
    "NaN votes": (results("NaN"), SKIPPED["invalid"]),
    "1e2 votes": (results("1e2"), SKIPPED["invalid"]),
    "a revision of -0": (
        '{"type":"event_state","state":"active","rev":-0}',
        (EventStateChanged("active", 0),),
    ),
    "a field twice": (fields('"a":1,"a":2'), (EventUpdated({"a": 2}, 2),)),
    "zeros in a text": (fields('"a":"\\u0000"'), (EventUpdated({"a": "\0"}, 2),)),
    "a long text": (fields(f'"a":"{NAMES}"'), (EventUpdated({"a": NAMES}, 2),)),
    "thousands of options": (
        published(f'"answer_options":[{many("{}", 5000)}]'),
        (told_element(5000),),
    ),
    "the most options": (
        published(f'"answer_options":[{many("{}", LIST_MAX)}]'),
        (told_element(LIST_MAX),),
    ),
    "too many options": (
        published(f'"answer_options":[{many("{}", LIST_MAX + 1)}]'),
        SKIPPED["invalid"],
    ),
    "thousands of tallies": (results(many("1", 5000)), (ResultsTold("e", (1,) * 5000),)),
    "too many tallies": (results(many("1", LIST_MAX + 1)), SKIPPED["invalid"]),
    "too many results": (
        published(f'"results":{{"votes":[{many("1", LIST_MAX + 1)}]}}'),
        SKIPPED["invalid"],
    ),
    "thousands of fields": (
        fields(",".join(f'"{n}":{n}' for n in range(5000))),
        (EventUpdated({str(n): n for n in range(5000)}, 2),),
    ),
}
"""What is sent, and what is told."""


@pytest.mark.parametrize("name", FRAMES)
def test_frame_is_read(name: str) -> None:
    """Each has its outcome."""
    sent, told = FRAMES[name]
    assert wire.decode_server(sent) == told


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("", "malformed"),
        ('{"type":"answer","id":"1","element":"e","options":[' + "[" * 5000, "malformed"),
        ('{"type":"answer","id":"1","element":"e","options":[NaN]}', "invalid"),
        ('{"type":"answer","id":"1","element":"e","options":[Infinity]}', "invalid"),
        (f'{{"type":"answer","id":"1","element":"e","options":[{"9" * 5000}]}}', "malformed"),
    ],
)
def test_servers_read_in_the_same_way(sent: str, read: object) -> None:
    """What a client sends has the same outcomes."""
    assert wire.decode_request(sent) == read


@pytest.mark.parametrize(
    ("sent", "one", "other"),
    [
        (
            '{"type":"event_state","state":"active","state":"finished","rev":2}',
            EventStateChanged("active", 2),
            EventStateChanged("finished", 2),
        ),
        (
            results("1").replace("}", ',"type":"event_state","state":"active","rev":2}'),
            ResultsTold("e", (1,)),
            EventStateChanged("active", 2),
        ),
    ],
)
def test_a_key_twice(sent: str, one: Fact, other: Fact) -> None:
    """One of the two counts, or the frame is skipped: versions of pydantic differ in which."""
    assert wire.decode_server(sent) in {(one,), (other,), SKIPPED["invalid"]}


async def test_frames_are_received() -> None:
    """Over a socket each has the same outcome, and the connection stays."""
    async with ScriptedServer() as server, Listener(quick(server.url)) as listener:
        peer = await server.welcome()
        assert await listener.next() == WELCOMED
        for sent, told in FRAMES.values():
            await peer.send(sent)
            assert tuple([await listener.next() for _ in told]) == told
        await peer.send(frame("event_state", state="finished", rev=9))
        assert await listener.next() == EventStateChanged("finished", 9)


def element_list(count: int, item: str | None = None) -> str:
    """Write a welcome with so many elements."""
    elements = (f'{{"id":"e{n}",{LEAST}}}' if item is None else item for n in range(count))
    return welcome().replace('"elements": []', f'"elements": [{",".join(elements)}]')


def test_thousands_of_elements() -> None:
    """They are all held, up to the most; one more, and it is no welcome."""
    (welcomed,) = wire.decode_server(element_list(LIST_MAX))
    assert isinstance(welcomed, Welcomed)
    assert len(welcomed.elements) == LIST_MAX
    assert wire.decode_server(element_list(LIST_MAX + 1)) == SKIPPED["invalid"]


@pytest.mark.parametrize(
    "start",
    [
        '{"type":"results","element":"e","votes":[""',
        '{"type":"results","element":"e","votes":[1',
        f'{{"type":"element_published","element":{{"id":"e",{LEAST},"answer_options":[1',
        f'{{"type":"element_published","element":{{"id":"e",{LEAST},"answer_options":[{{}}',
        '{"type":"answer_accepted","id":"1","element":"e","options":[""',
        welcome().replace(": ", ":").replace("[]}", "[{}"),
    ],
)
def test_a_frame_takes_no_more_memory_than_it_may(start: str) -> None:
    """A frame of the limit becomes some tens of MB for a moment, not hundreds."""
    inner, _, item = start.rpartition("[")
    ends = {"results": "]}", "answer_accepted": "]}", "welcome": "]}", "element_published": "]}}"}
    tail = ends[start.split('"')[3]]
    sent = f"{inner}[{many(item, (MIB - len(inner) - 3) // (len(item) + 1))}{tail}"
    assert MIB - 100 < len(sent) <= MIB
    json.loads(sent)
    tracemalloc.start()
    try:
        assert wire.decode_server(sent) == SKIPPED["invalid"]
        assert tracemalloc.get_traced_memory()[1] < 40 * MIB
    finally:
        tracemalloc.stop()


async def test_a_crowded_event_is_counted() -> None:
    """Among thousands of elements, the hidden poll's thousands of options count all the same."""
    emulator = Emulator(results_interval_s=0.01)
    emulator.add_event("show")
    settings = poll_settings(Scenario(spread=0.0), 0)
    options = tuple(f"Round {number}" for number in range(1, 3001))
    emulator.add_element(
        "show", "poll", replace(settings, options=options, max_votes_per_user=len(options))
    )
    emulator.start("show", 0.0)
    for n in range(3000):
        emulator.add_element("show", f"{n}", Settings("text", "text"))
        emulator.publish(f"{n}", 0.0)
    emulator.publish("poll", 0.0)
    async with (
        LiveServer(emulator) as server,
        PollCounter(server.url, event_id="show", journal=MEMORY) as counter,
    ):
        await until(lambda: counter.latest is not None and counter.latest.players == 1)
        assert len(counter.elements) == 3001
    assert sum(emulator.votes("poll")) == emulator.votes("poll")[0] == 1


async def test_an_event_that_fits_into_no_frame_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """It cannot be joined: the app reads in its log what to do, and finds it counted."""
    emulator = Emulator()
    emulator.add_event("show")
    emulator.start("show", 0.0)
    emulator.add_element("show", "long", Settings("text", "text", question="x" * 2000))
    emulator.publish("long", 0.0)
    async with LiveServer(emulator) as server:
        small, large = quick(server.url, max_frame_bytes=1000), quick(server.url)
        async with PollCounter(event_id="show", journal=MEMORY, transport=small) as counter:
            await until(lambda: counter.stats().skipped.get("too_long", 0) > 1)
            assert counter.state is State.OFFLINE
        async with PollCounter(event_id="show", journal=MEMORY, transport=large) as counter:
            await until(lambda: counter.elements)
    (warning,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert "an event whose elements do not fit into one frame together" in warning.getMessage()


# Below JSON: what is no WebSocket message at all


def raw(opcode: int, data: bytes, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """Write a frame as a server does, right or wrong."""
    first = bytes([fin << 7 | rsv1 << 6 | opcode])
    if len(data) < 126:
        return first + bytes([len(data)]) + data
    if len(data) < 2**16:
        return first + struct.pack("!BH", 126, len(data)) + data
    return first + struct.pack("!BQ", 127, len(data)) + data


class RawServer:
    """Shakes hands, then sends bytes as they are; tells what each client closed with."""

    def __init__(self, sends: bytes, headers: str = "") -> None:
        self.closes: asyncio.Queue[int | None] = asyncio.Queue()
        self._sends = sends
        self._headers = headers

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[str]:
        """Serve while the block runs; gives the address."""
        async with await asyncio.start_server(self._converse, "127.0.0.1", 0) as server:
            yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        (key,) = [
            line[19:] for line in request.split("\r\n") if line.startswith("Sec-WebSocket-Key")
        ]
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        writer.write(
            (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n"
                f"Sec-WebSocket-Protocol: poll-counter.v1\r\n{self._headers}\r\n"
            ).encode()
            + raw(1, welcome().encode())
            + self._sends
        )
        try:
            self.closes.put_nowait(await self._close_code(reader))
        except (OSError, asyncio.IncompleteReadError):
            self.closes.put_nowait(None)
        writer.transport.abort()

    async def _close_code(self, reader: asyncio.StreamReader) -> int:
        """Read what a client sends, all of it short and masked, up to its close frame."""
        while True:
            opcode, length = await reader.readexactly(2)
            if length & 0x7F == 126:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
            else:
                size = length & 0x7F
            mask, data = await reader.readexactly(4), await reader.readexactly(size)
            if opcode & 0x0F == 8:
                return int.from_bytes(bytes(a ^ b for a, b in zip(data[:2], mask, strict=False)))


def deflated(text: str) -> bytes:
    """Compress as permessage-deflate does."""
    deflate = zlib.compressobj(wbits=-15)
    return (deflate.compress(text.encode()) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


BOMB: Final = deflated(fields(f'"a":"{"x" * 50 * MIB}"'))
CLOSED: Final[Mapping[str, tuple[bytes, int]]] = {
    "a compressed bomb": (raw(1, BOMB, rsv1=True), 1002),
    "a reserved kind of frame": (raw(3, b"{}"), 1002),
    "a masked frame": (b"\x81\x82\0\0\0\0{}", 1002),
    "a continuation of nothing": (raw(0, b"{}"), 1002),
    "a message within a message": (raw(1, b"{", fin=False) + raw(1, b"{}"), 1002),
    "a control frame that is too long": (raw(9, b"x" * 126), 1002),
    "a control frame in parts": (raw(9, b"x", fin=False), 1002),
    "a length that is announced": (b"\x81\x7f" + struct.pack("!Q", 2**62), 1009),
    "a length that adds up": (raw(1, b"x" * 2**19, fin=False) + raw(0, b"x" * (2**19 + 1)), 1009),
    "text that is no UTF-8": (raw(1, b"\xff"), 1007),
}
"""What is sent after the welcome, and the code that the client closes with."""


@pytest.mark.parametrize("name", CLOSED)
async def test_what_breaks_the_protocol_ends_the_connection(name: str) -> None:
    """It is told why by its code, and come back to."""
    sent, code = CLOSED[name]
    server = RawServer(sent)
    async with server.serving() as url, Listener(quick(url)) as listener:
        for _ in range(2):
            assert await listener.next() == WELCOMED
            if code == 1009:
                assert await listener.next() == FrameSkipped("too_long")
            assert await listener.next() == Disconnected()
            async with asyncio.timeout(GUARD_S):
                assert await server.closes.get() == code


async def test_an_extension_that_nobody_asked_for() -> None:
    """A server that compresses unasked is not talked to: bombs are never unpacked."""
    server = RawServer(raw(1, BOMB, rsv1=True), "Sec-WebSocket-Extensions: permessage-deflate\r\n")
    async with server.serving() as url, Listener(quick(url)) as listener:
        assert [await listener.next() for _ in range(2)] == [Disconnected()] * 2


async def test_messages_in_parts() -> None:
    """A message may come in parts, with pings between them."""
    text = frame("event_state", state="finished", rev=2).encode()
    parts = [raw(0, text[n : n + 1], fin=False) + raw(9, b"?") for n in range(1, len(text))]
    server = RawServer(raw(1, text[:1], fin=False) + b"".join(parts) + raw(0, b""))
    async with server.serving() as url, Listener(quick(url)) as listener:
        assert await listener.next() == WELCOMED
        assert await listener.next() == EventStateChanged("finished", 2)


async def test_a_busy_app_makes_the_server_wait() -> None:
    """Frames that nobody reads wait at the server: here is room for some, and none gets lost."""
    async with ScriptedServer() as server:
        facts = WebSocketTransport(server.url).facts("demo", "me")
        first = asyncio.ensure_future(anext(facts))
        peer = await server.welcome()
        assert await first == WELCOMED
        (connection,) = open_connections()
        count = 400

        async def tell() -> None:
            for rev in range(count):  # 40 MB, more than all buffers between the two hold
                text = frame("event_state", state="active", rev=rev, padding="x" * 100_000)
                await peer.send(text)

        telling = asyncio.create_task(tell())
        await until(lambda: not connection.transport.is_reading())
        assert QUEUE_FRAMES < len(connection.recv_messages.frames) < 2 * QUEUE_FRAMES
        assert not telling.done()
        for rev in range(count):
            assert await anext(facts) == EventStateChanged("active", rev)
        await telling
        await facts.aclose()
        await peer.wait_closed()
