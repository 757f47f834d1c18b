"""The phone: one player's app, and what its screen shows.

It is a real `PollCounter` on the live channel, a player like any other: it votes unseen, and it
knows what it is told and nothing else. What it shows is what an app of yours would.
"""

from __future__ import annotations

import asyncio
from typing import Any

from poll_counter import MemoryJournal, PollCounter, RoundCount, State, WebSocketTransport
from poll_counter.elements import Element, Recognise, number

from .questions import COUNTDOWN_FIELD
from .truth import Told

__all__ = ["Phone"]

RECONNECT_S = 2.0
"""The most that a first reconnect is delayed, and the cap of later ones."""


class Phone:
    """Follows one event, then the next.

    Args:
        url: the live channel.
        epoch: the unix time at which the event loop's clock stood at 0.
    """

    def __init__(self, url: str, epoch: float) -> None:
        self._url = url
        self._epoch = epoch
        self._journal = MemoryJournal()
        self._recognise = Recognise()
        self._counter: PollCounter | None = None
        self._task: asyncio.Task[None] | None = None
        self._reports: list[tuple[float, int, int]] = []

    async def follow(self, event_id: str) -> None:
        """Open the app for an event; it is closed for the one before."""
        await self.close()
        self._reports = []
        transport = WebSocketTransport(
            self._url, reconnect_first_s=RECONNECT_S, reconnect_cap_s=RECONNECT_S
        )
        self._counter = PollCounter(
            event_id=event_id,
            journal=self._journal,
            transport=transport,
            on_count=self._on_count,
        )
        self._task = asyncio.create_task(self._read(self._counter))

    async def close(self) -> None:
        """Close the app."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def told(self) -> Told:
        """The counts that it was told."""
        return Told({} if self._counter is None else self._counter.history, self._reports)

    def screen(self, now: float) -> dict[str, Any]:
        """What the screen shows; `now` is the platform's clock, unix seconds."""
        counter = self._counter
        if counter is None:
            return {"state": State.OFFLINE.value, "round": 0, "count": None, "trivia": None}
        shown = [each for each in counter.elements if not counter.is_hidden(each)]
        trivia = [each for each in shown if self._recognise.is_trivia(each)]
        opened = [each for each in trivia if each.state == "opened"]
        count = counter.latest
        return {
            "state": counter.state.value,
            "round": 1 + sum(each.state == "closed" for each in trivia),
            "count": None if count is None else _count(count),
            "trivia": _trivia(opened[-1], now) if opened else None,
        }

    async def _read(self, counter: PollCounter) -> None:
        async with counter:
            async for _ in counter:
                pass  # the screen is drawn four times a second, whatever comes

    def _on_count(self, count: RoundCount) -> None:
        if count.as_of is not None:
            self._reports.append((count.as_of + self._epoch, count.round, count.votes))


def _count(count: RoundCount) -> dict[str, Any]:
    return {
        "round": count.round,
        "players": count.players,
        "low": count.low,
        "high": count.high,
        "sampled": count.sample_rate < 1.0,
        "settled": count.settled,
    }


def _trivia(element: Element, now: float) -> dict[str, Any]:
    of_s = number(element.custom_fields.get(COUNTDOWN_FIELD))
    left_s = None if of_s is None else max(0.0, element.published_at + of_s - now)
    return {
        "question": element.question,
        "options": element.options,
        "left_s": None if left_s is None else round(left_s, 2),
        "of_s": of_s,
    }
