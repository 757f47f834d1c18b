"""The studio amid a large crowd: how often its page draws, and how often it is told something new.

The studio is in this process, its page in a real Chromium, which counts the frames that it draws
and when it is told; the crowd attaches from another process, as one from another terminal does. The
page is watched with nobody there, then in rounds in which everybody votes within a few seconds. It
holds 30 frames a second or more, and the median time between updates stays at a quarter second.

The crowd is lean: it votes and answers pings, and reads nothing, so that its own work does not
decide. That everybody is counted is checked all the same.

    python -m tests.benchmarks.studio_frames [--players N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import sys
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest

from poll_counter.wire import SUBPROTOCOL
from simulator.loops import allow_descriptors, run
from simulator.studio.app import StudioServer
from simulator.studio.studio import Studio
from tests.benchmarks.rounds.raw import MEDIUM, SMALL, frame
from tests.support.browser import chromium, open_page

if TYPE_CHECKING:
    from playwright.async_api import Page

PLAYERS = 5000
FPS_MIN = 30.0
GAP_MS = (200.0, 300.0)
"""What the median time between two updates may be: a quarter second."""
ROUNDS = 2
WATCH_S = 12.0
"""How long the page is watched each time."""
VOTING_S = 3.0
"""Over how long the crowd spreads its votes of a round."""
ATTACHING, BREATH_S = 50, 0.03
"""So many attach at once, then so long nobody."""
PATIENCE_S = 60.0
"""How long the crowd may take to be in."""
PING, PONG = 9, 0x8A
"""Opcodes (RFC 6455, 5.2); that of a pong as the first byte of its frame."""
WATCH = """(watch_ms) => new Promise((done) => {
  const drawn = [], told = [], began = performance.now();
  const updates = new MutationObserver(() => told.push(performance.now()));
  updates.observe(document.documentElement, { attributes: true, attributeFilter: ["data-frame"] });
  const gaps = (times) => times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
  const draw = (now) => {
    drawn.push(now);
    if (now - began < watch_ms) return requestAnimationFrame(draw);
    updates.disconnect();
    const between = gaps(drawn), waits = gaps(told);
    done({
      fps: 1000 * between.length / (drawn.at(-1) - drawn[0]),
      drawn_p99_ms: between[Math.floor(0.99 * between.length)],
      drawn_max_ms: between.at(-1),
      updates: told.length,
      gap_p50_ms: waits[waits.length >> 1] ?? Infinity,
      gap_max_ms: waits.at(-1) ?? Infinity,
    });
  };
  requestAnimationFrame(draw);
})"""
HEADINGS = (
    f"{'':<14} {'frames/s':>9} {'p99':>7} {'worst':>7}"
    f"  {'updates':>8} {'median gap':>11} {'worst':>7}"
)


class Watched(NamedTuple):
    """What the page counted in a while."""

    fps: float
    """Frames drawn in a second."""
    drawn_p99_ms: float
    """Between two frames, the 99th percentile."""
    drawn_max_ms: float
    updates: int
    """How often it was told something new."""
    gap_p50_ms: float
    """Between two updates, the median."""
    gap_max_ms: float

    @property
    def ok(self) -> bool:
        """Whether the limits hold."""
        return self.fps >= FPS_MIN and GAP_MS[0] <= self.gap_p50_ms <= GAP_MS[1]

    def line(self, when: str) -> str:
        """A line of the table."""
        return (
            f"{when:<14} {self.fps:>9.1f} {self.drawn_p99_ms:>4.0f} ms {self.drawn_max_ms:>4.0f} ms"
            f"  {self.updates:>8} {self.gap_p50_ms:>8.0f} ms {self.gap_max_ms:>4.0f} ms"
            f"{'' if self.ok else '  NOT WITHIN LIMITS'}"
        )


async def watch(page: Page) -> Watched:
    """Let the page count for a while."""
    return Watched(**await page.evaluate(WATCH, 1e3 * WATCH_S))


async def measure(players: int, crowd: Connection) -> bool:
    """Watch the page with nobody there, then round by round; tells whether all is as it has to be.

    Args:
        players: how many attach.
        crowd: to the other process, which runs `attach`.
    """
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(chromium())
        studio = await stack.enter_async_context(Studio())
        server = await stack.enter_async_context(StudioServer(studio))
        page = await stack.enter_async_context(open_page(browser, server.url))
        print(HEADINGS)
        seen = [await watch(page)]
        print(seen[0].line("nobody"))
        event_id = studio.stage.event_id
        crowd.send((studio.platform.live.url, event_id))
        everybody = players + 1  # with the phone
        async with asyncio.timeout(PATIENCE_S):
            while studio.platform.emulator.connected(event_id) < everybody:  # noqa: ASYNC110 - pure
                await asyncio.sleep(0.1)
        async with studio.acting:
            await studio.take("start")
            await studio.take("publish_poll")
        for number in range(ROUNDS):
            crowd.send((studio.stage.polls[-1].id, number))
            seen.append(await watch(page))
            print(seen[-1].line(f"round {number + 1}"))
            async with studio.acting:
                await studio.take("publish_trivia")
                await studio.take("close_trivia")
        studio.read()
        rows = studio.ledger.rows[:ROUNDS]
        are_exact = [(row.must, row.off_by) for row in rows] == [(everybody, 0)] * ROUNDS
    print(f"{everybody:,} players: {'all counted' if are_exact else 'NOT ALL COUNTED'}", end="; ")
    slowest = min(each.fps for each in seen)
    print(f"{slowest:.1f} frames a second at the least, limit {FPS_MIN:g}")
    return are_exact and all(each.ok for each in seen)


# The crowd, in its own process


class Client(asyncio.Protocol):
    """A player's connection that says hello, votes when told, and answers pings.

    Args:
        host: host and port of the live channel.
        event_id: where it says hello.
    """

    def __init__(self, host: str, event_id: str) -> None:
        self._host, self._event_id = host, event_id
        self._buffer = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(
            f"GET / HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Skip what is told, frame by frame, but for pings."""
        data, at = self._buffer + data, 0
        if not self._is_open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return
            self._is_open, at = True, end + 4
            self._say(type="hello", event=self._event_id, user=os.urandom(16).hex())
        while len(data) - at >= 4:  # no frame of the platform's is shorter, nor above 64 KiB
            length, start = data[at + 1], at + 2
            if length >= SMALL:
                length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            if len(data) < start + length:
                break
            if data[at] & 15 == PING:
                mask = bytes(4)  # it changes nothing
                body = data[start : start + length]
                self._transport.write(bytes((PONG, 128 | length)) + mask + body)
            at = start + length
        self._buffer = data[at:]

    def vote(self, poll: str, option: int) -> None:
        """Vote in the hidden poll."""
        self._say(type="answer", id=str(option), element=poll, options=[option])

    def _say(self, **message: object) -> None:
        text = json.dumps(message)
        assert len(text) < MEDIUM
        self._transport.write(frame(text, os.urandom(4)))


def attach(told: Connection, players: int) -> None:
    """Be the crowd: the main function of its process, until the pipe ends.

    Args:
        told: gives (url, event id), then (poll id, option) for each round.
        players: how many attach.
    """
    allow_descriptors(players)
    run(_attach(told, players))


async def _attach(told: Connection, players: int) -> None:
    loop, clients = asyncio.get_running_loop(), list[Client]()
    try:
        url, event_id = await asyncio.to_thread(told.recv)
        host = url.removeprefix("ws://")
        name, _, port = host.rpartition(":")
        for number in range(players):
            _, client = await loop.create_connection(
                lambda: Client(host, event_id), name, int(port)
            )
            clients.append(client)
            if number % ATTACHING == ATTACHING - 1:
                await asyncio.sleep(BREATH_S)
        while True:
            poll, option = await asyncio.to_thread(told.recv)
            for client in clients:
                loop.call_later(VOTING_S * random.random(), client.vote, poll, option)
    except EOFError:  # the studio is closed
        return


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and tell whether the limits hold."""
    parser = argparse.ArgumentParser(description="The studio's page amid a large crowd.")
    parser.add_argument("--players", type=int, default=PLAYERS, help=f"default: {PLAYERS:,}")
    players = parser.parse_args(arguments).players
    allow_descriptors(players)
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    crowd = context.Process(target=attach, args=(theirs, players), daemon=True)
    crowd.start()
    theirs.close()
    try:
        is_well = run(measure(players, ours))
    except pytest.skip.Exception as reason:  # no browser: nothing was measured
        print(reason)
        is_well = False
    finally:
        ours.close()
        crowd.join(10.0)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
