"""For one's own app: a platform that stays up, and a crowd that goes to a platform.

`serve_show` keeps the emulator up with a show that starts on a key press; `join_show` drives a
crowd against it, or against anything that speaks the live channel, from another terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from poll_counter import MisuseError, PollCounterError
from poll_counter.control import ControlApi

from .checks.observers import check_observers
from .choices import Choices
from .emulator import EntryLog
from .host import make_show, run_show
from .platform import Platform, Shared
from .player_tokens import PlayerTokens
from .report import CrowdReport
from .scenario import Scenario
from .shards import gathered
from .show import Show
from .sockets import arrival, end_task, show_progress
from .swarm import Swarm, make_transport

__all__ = ["check_host", "join_show", "serve_show", "stop_signals"]

NEAR = [
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1",
        "fc00::/7",
    )
]
"""Loopback and private networks (RFC 1918, RFC 4193): where a crowd may go unasked."""
PATIENCE_S = 5.0
"""When nobody of a crowd is in by then, people are told."""


def check_host(url: str, allowed: Collection[str]) -> None:
    """Refuse to send a crowd anywhere but to this machine, a private network, or where told.

    Raises `MisuseError` with what to do.
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError as error:
        raise MisuseError(f"{url!r} is no address: {error}") from error
    if host in {"localhost", *(name.lower() for name in allowed)}:
        return
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        near = False
    else:
        near = any(address in network for network in NEAR)
    if not near:
        raise MisuseError(
            f"a crowd goes to loopback and private addresses only, and {host or url!r} is none; if "
            f"that platform is yours to load, add --allow-host {host or 'HOST'}"
        )


@asynccontextmanager
async def stop_signals() -> AsyncGenerator[asyncio.Event, None]:
    """Give an event that SIGINT and SIGTERM set, instead of breaking the program off."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C breaks off
        for number in signals:
            loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        with contextlib.suppress(NotImplementedError):
            for number in signals:
                loop.remove_signal_handler(number)


def _key_press() -> asyncio.Event:
    """Give an event that Enter sets; a thread waits for it, as not every input can be polled."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        if sys.stdin is not None and os.read(sys.stdin.fileno(), 1):
            with contextlib.suppress(RuntimeError):  # the program has ended meanwhile
                loop.call_soon_threadsafe(pressed.set)

    threading.Thread(target=wait, name="key press", daemon=True).start()
    return pressed


async def _first(*waits: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    tasks = [asyncio.ensure_future(event.wait()) for event in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def serve_show(
    scenario: Scenario,
    *,
    choices: Choices,
    port: int,
    web_port: int,
    autostart: bool,
    as_json: bool,
    console: Console,
    host: str = "127.0.0.1",
    log: EntryLog | None = None,
    shared: Shared | None = None,
) -> None:
    """Keep the platform up until SIGINT or SIGTERM; run one show, with a crowd if one is asked for.

    Args:
        scenario: the show, and the crowd to attach.
        choices: what the platform's documentation leaves open.
        port: where the live channel listens; 0 for any port that is free.
        web_port: the same for the Control API and the CDN feeds.
        autostart: start the show as soon as the crowd is in, instead of on a key press.
        as_json: print one line of JSON with what a client needs, once ready.
        console: where everything else is printed.
        host: the address to listen on.
        log: takes a line for everything that happens.
        shared: makes it one of several nodes; the first one makes the show, and runs it.

    Raises OSError when the port is taken, MisuseError when a node cannot join the others, or go on.
    """
    platform = Platform(
        choices, log=log, host=host, web_host=host, port=port, web_port=web_port, shared=shared
    )
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_signals())
        await stack.enter_async_context(platform)
        api = await stack.enter_async_context(platform.api())
        show, is_ours = await _show(platform, api, scenario)
        live_url, web_url = platform.live.url, platform.web.url
        if as_json:
            ready = {
                "live_url": live_url,
                "event_id": show.event_id,
                "control_url": web_url,
                "cdn_url": web_url,
                "project_id": platform.project_id,
                "token": platform.token,
            }
            if shared is not None:
                ready["node"] = shared.name
            print(json.dumps(ready), flush=True)
        console.print(
            f"live channel: {live_url}  event: {show.event_id}  (Ctrl-C stops)\n"
            f"Control API and CDN feeds: {web_url}  project: {platform.project_id}\n"
            f"token of the producer: {platform.token}",
            soft_wrap=True,
        )
        make = partial(make_transport, tokens=choices.player_tokens())
        swarm = Swarm(live_url, show.event_id, scenario, make)
        crowd = asyncio.create_task(swarm.run())
        stack.push_async_callback(end_task, crowd)
        if platform.node is not None:
            ending = asyncio.create_task(_stop_with(platform.node.ended, stop))
            stack.push_async_callback(end_task, ending)
        if not is_ours:
            console.print("the node that made the show runs it")
        elif not autostart:
            console.print(f"press Enter to start the show of {scenario.rounds} rounds")
            await _first(stop, _key_press())
        await _first(stop, swarm.arrived)
        if is_ours and not stop.is_set():
            console.print(f"the show is on, for {scenario.show_s:.0f} s")
            playing = asyncio.create_task(_play(api, show, scenario, swarm, console))
            stack.push_async_callback(end_task, playing)
        await stop.wait()
        console.print("stopped")
    if platform.node is not None and platform.node.failure is not None:
        raise platform.node.failure


async def _show(platform: Platform, api: ControlApi, scenario: Scenario) -> tuple[Show, bool]:
    """Make the show, unless another node has; tells whether it was made here."""
    if platform.node is None:
        return await make_show(api, platform.project_id, scenario), True

    async def make() -> str:
        show = await make_show(api, platform.project_id, scenario)
        return json.dumps(dataclasses.astuple(show))

    held, is_ours = await platform.node.once("show", make)
    event_id, pages, trivia = json.loads(held)
    return Show(event_id, tuple(map(tuple, pages)), tuple(trivia)), is_ours


async def _stop_with(ended: asyncio.Event, stop: asyncio.Event) -> None:
    await ended.wait()
    stop.set()


async def _play(
    api: ControlApi, show: Show, scenario: Scenario, swarm: Swarm, console: Console
) -> None:
    """Run the show to its end, or as far as the platform lets it."""
    try:
        await run_show(api, show, scenario, keep_time=swarm.keep_time)
    except PollCounterError as error:  # who tries things by hand may have stopped the event
        console.print(f"the show broke off: {error}", markup=False)
    else:
        console.print("the show is over (Ctrl-C stops)")


async def join_show(
    scenario: Scenario,
    url: str | Sequence[str],
    event_id: str,
    show_live: Callable[[Table], object] | None = None,
    *,
    processes: int = 1,
    tokens: PlayerTokens | None = None,
    tell: Callable[[str], object] = lambda _text: None,
) -> CrowdReport:
    """Drive a crowd against a platform until the event ends, or SIGINT or SIGTERM.

    Args:
        scenario: how many players, and what happens to them.
        url: the platform's live channel, or those of its nodes; see `check_host`.
        event_id: the event.
        show_live: takes the live table, four times a second.
        processes: over how many processes the crowd is spread.
        tokens: makes the players' tokens, where the platform asks for them.
        tell: told, in a sentence, when nobody gets in for a while.

    Raises `MisuseError` when the crowd cannot get in, `WorkerLostError` when a process is lost.
    """
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_signals())
        crowd = await stack.enter_async_context(
            gathered(
                url,
                event_id,
                scenario,
                partial(make_transport, tokens=tokens),
                processes=processes,
            )
        )
        coming = asyncio.create_task(crowd.run())
        stack.push_async_callback(end_task, coming)

        def tell_of_silence() -> None:
            if not crowd.connected:
                tell(
                    "nobody is in yet: is the platform up, and is that its event? "
                    "Still trying (Ctrl-C stops)"
                )

        patience = asyncio.get_running_loop().call_later(PATIENCE_S, tell_of_silence)
        stack.callback(patience.cancel)
        if show_live is not None:
            progress = show_progress(crowd, lambda: crowd.votes_accepted, show_live)
            stack.push_async_callback(end_task, asyncio.create_task(progress))
        await arrival(crowd, coming, stop)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([coming, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        statement = await crowd.make_statement()
    observations = [*statement.observations.values()]
    counts: dict[int, int] = {}
    for observation in observations:
        for round_, count in observation.counts.items():
            if observation.connected and count.players is not None:
                counts[round_] = min(count.players, counts.get(round_, count.players))
    totals = {"players": len(observations), **statement.stats}
    return CrowdReport(counts, check_observers(observations), totals)
