"""`poll-counter watch`: the counts of an event, live, for one who does not vote."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
from collections.abc import Iterable
from contextlib import nullcontext

from poll_counter.client import PollCounter
from poll_counter.counts import RoundCount
from poll_counter.journal import MEMORY
from poll_counter.standing import State

from .terminal import Bar, Terminal

__all__ = ["bars", "line", "watch_event"]

PATIENCE_S = 5.0
"""Without a connection by then, people are told."""


async def watch_event(options: argparse.Namespace, terminal: Terminal) -> int:
    """Show every count until the event ends."""

    def tell(state: State) -> None:
        patience.cancel()  # there was a connection
        if state is State.OFFLINE:
            terminal.note("poll-counter: the connection is lost; connecting again")

    def tell_of_silence() -> None:
        terminal.note("poll-counter: there is no connection yet; still trying (Ctrl-C stops)")

    counter = PollCounter(
        options.url,
        event_id=options.event,
        journal=MEMORY,
        allow_plain=options.allow_plain,
        on_state=tell,
    )
    counter.active = False  # before it connects: who watches must not be counted
    patience = asyncio.get_running_loop().call_later(PATIENCE_S, tell_of_silence)
    try:
        with nullcontext() if options.json else terminal.bars() as show:
            async with counter:
                async for count in counter:
                    if options.json:
                        terminal.json(dataclasses.asdict(count))
                    elif show is None:
                        terminal.say(line(count))
                    else:
                        show(bars(counter.history.values()), _caption(counter))
                if show is not None:
                    show(bars(counter.history.values()), _caption(counter))
    finally:
        patience.cancel()
    return 0


def _players(count: RoundCount) -> str:
    """The players of a round, with the bounds where only a sample of them votes."""
    if count.players is None:
        return "no count"
    is_sampled = count.sample_rate < 1.0 and count.high is not None
    bounds = f" ({count.low:,} to {count.high:,})" if is_sampled else ""
    return f"{count.players:,} player{'' if count.players == 1 else 's'}{bounds}"


def line(count: RoundCount) -> str:
    """A count in one line, for a log."""
    return f"round {count.round}: {_players(count)}" + ("" if count.settled else ", and counting")


def bars(history: Iterable[RoundCount]) -> list[Bar]:
    """A bar for every round."""
    return [(f"round {count.round}", count.players or 0, _players(count)) for count in history]


def _caption(counter: PollCounter) -> str:
    connected = counter.concurrency
    return counter.state.value + ("" if connected is None else f", {connected:,} users connected")
