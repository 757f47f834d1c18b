"""The studio itself: platform, stage, phone and crowd, and the show that goes on by itself."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from poll_counter import MisuseError, PollCounterError
from simulator.choices import Choices
from simulator.loops import allow_descriptors
from simulator.platform import Platform

from .crowd import Crowd
from .phone import Phone
from .sentences import sentence
from .stage import Stage, Step
from .truth import Ledger

__all__ = ["Studio"]

TICK_S = 0.25
"""How often autoplay looks whether a step is due."""
STEP_S = 1.0
"""How long autoplay waits before most steps."""
WAITING_S = 2.0
"""How long autoplay lets a round wait beyond the spread of its votes."""
VISITORS = 10_000
"""For so many connections of a crowd from another terminal there is room, if the system allows."""
PATIENT = Choices(bucket=200, refill_per_s=50.0)
"""A platform whose bucket of requests lets a person click as quickly as can be."""


class Studio:
    """All that the page shows and does, while its block runs.

    async with Studio() as studio:
        await studio.take("start")
        await studio.take("publish_poll")
    """

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        """A page that finds another one here knows that the studio was started anew."""
        self.ledger = Ledger()
        self.platform = Platform(PATIENT, log=self.ledger.log)
        self.acting = asyncio.Lock()
        """Held by whoever does something to the show: one thing is done after the other."""
        self.autoplay = False
        """Whether the show goes on by itself."""
        self.trouble = ""
        """Why autoplay broke off, a sentence; empty where it did not."""
        self._here: tuple[object, ...] = ()
        self._since = 0.0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the platform, and make the first show; raises OSError without a free port."""
        with suppress(MisuseError):  # of players who come in this process the page is told
            allow_descriptors(VISITORS)
        async with AsyncExitStack() as stack:
            platform = await stack.enter_async_context(self.platform)
            api = await stack.enter_async_context(platform.api())
            self.stage = Stage(api, platform.project_id, platform.emulator)
            self.phone = Phone(platform.live.url, platform.live.epoch)
            self.crowd = Crowd(platform.live.url)
            stack.push_async_callback(self.phone.close)
            stack.push_async_callback(self.crowd.leave)
            await self.new_show()
            self._ticking = asyncio.create_task(self._tick())
            stack.push_async_callback(self._end_ticking)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the apps, and the platform."""
        await self._stack.aclose()

    @property
    def now(self) -> float:
        """The platform's clock, unix seconds."""
        return self.platform.live.now()

    def read(self) -> None:
        """Take in what has happened since, and hold the counts against the truth."""
        now, epoch = self.now, self.platform.live.epoch
        disturbances = self.crowd.disturbances
        self.ledger.read(self.stage.event_id)
        self.ledger.judge(
            now,
            self.stage.standing,
            self.phone.told,
            hostile=self.crowd.hostile_users,
            disturbances={u: [at + epoch for at in times] for u, times in disturbances.items()},
        )

    # What is done to the show; who calls holds `acting`

    async def new_show(self) -> str:
        """Make another show; phone and crowd go there."""
        told = await self.stage.new_show()
        await self.phone.follow(self.stage.event_id)
        await self.crowd.follow(self.stage.event_id)
        return told

    async def take(self, step: Step) -> str:
        """Take a step of the show; raises what the stage raises."""
        told = await self.stage.take(step)
        if step == "publish_trivia":
            self.crowd.trivia_opened()
        return told

    async def set_autoplay(self, *, on: bool) -> str:
        """Let the show go on by itself, or not any more; of a show that is over comes another."""
        self.trouble = ""
        if on and self.stage.next_step is None:
            await self.new_show()
        self.autoplay, self._here = on, ()
        if on:
            return "The show goes on by itself. You can lend a hand at any time."
        return "The show waits for you."

    # The show that goes on by itself

    async def go_on(self, now: float) -> None:
        """Take the next step if it is due; `now` is the platform's clock."""
        step = self.stage.next_step
        here = self.stage.event_id, step, self.stage.round
        if here != self._here:
            self._here, self._since = here, now
        if step is None:
            self.autoplay = False
        elif now >= self._since + self._pause_s(step):
            try:
                await self.take(step)
            except PollCounterError as error:
                self.autoplay, self.trouble = False, f"Autoplay broke off. {sentence(error)}"

    def _pause_s(self, step: Step) -> float:
        if step == "close_trivia":
            return float("inf")  # it closes by itself
        poll = self.stage.polls[-1] if self.stage.polls else None
        spread_s = 0.0 if poll is None else poll.settings.spread_s
        return {"publish_trivia": spread_s + WAITING_S, "stop": WAITING_S}.get(step, STEP_S)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            async with self.acting:
                if self.autoplay:
                    await self.go_on(self.now)

    async def _end_ticking(self) -> None:
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)
