"""The show by hand: each thing that a producer does to an event, through the Control API.

Nothing is kept back: what cannot be done now is asked for all the same, and the platform refuses
it in its own words. What the platform holds is read from its records, for the page is told four
times a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from poll_counter import MisuseError
from poll_counter.control import ControlApi, hidden_poll
from poll_counter.control.hidden_poll import Finding
from poll_counter.elements import EventState
from simulator.emulator import Emulator
from simulator.records import ElementRecord, EventRecord

from .questions import QUESTIONS, trivia_attributes
from .settings import Settings

__all__ = ["EVENT_S", "ROUNDS", "Poll", "Stage", "Standing", "Step"]

ROUNDS = len(QUESTIONS)
"""The trivia of a show: as many as the hidden poll has options (contract section 1.2)."""
EVENT_S = 6 * 3600
"""How long an event is planned: the host stops it, or it ends by itself."""

Step: TypeAlias = Literal["start", "publish_poll", "publish_trivia", "close_trivia", "stop"]
"""A step of a show in which everything goes well."""


@dataclass(frozen=True, slots=True)
class Poll:
    """A hidden poll of the show, and how it was made."""

    id: str
    settings: Settings
    round: int
    """The round in which it was published."""


class Standing(NamedTuple):
    """Where a show stands."""

    event_id: str
    event_state: EventState
    round: int
    """The round that the show is in: one more than trivia are closed."""
    trivia: Sequence[str]
    """The ids of the trivia, in the order in which they are played."""
    polls: Sequence[Poll]
    """The hidden polls that were published; each replaced the one before."""


class Stage:
    """One show after the other, each an event of ten trivia that is run by hand.

    Args:
        api: the Control API; all that is done goes through it.
        project_id: whose events they are.
        emulator: the platform, of which the stage only reads.
    """

    def __init__(self, api: ControlApi, project_id: str, emulator: Emulator) -> None:
        self.settings = Settings()
        """What is published next is made with these."""
        self.event_id = ""
        self.shows = 0
        """How many shows were made."""
        self.trivia: Sequence[str] = ()
        """The ids of the trivia, in the order in which they are played."""
        self.polls: list[Poll] = []
        """The hidden polls that were published; each replaced the one before."""
        self.findings: Sequence[Finding] = ()
        """What would spoil the count, as `hidden_poll.check` told last."""
        self._api = api
        self._project_id = project_id
        self._emulator = emulator

    # What the host does

    async def new_show(self) -> str:
        """Make an event with its trivia; one that is still on is stopped first."""
        if self.event_id and self.event.state != "finished":
            await self._api.stop_event(self.event_id)
        event = await self._api.create_event(
            self._project_id,
            {
                "name": f"Show {self.shows + 1}",
                "start_mode": "manual",
                "duration": EVENT_S,
                "end_mode": "duration",
                "settings": [],
            },
        )
        trivia = [
            (
                await self._api.create_element(
                    event.id, trivia_attributes(number, self.settings.trivia_s)
                )
            ).id
            for number in range(1, ROUNDS + 1)
        ]
        self.event_id, self.trivia, self.polls = event.id, trivia, []
        self.shows += 1
        await self._check()
        return f"Show {self.shows} is ready: {ROUNDS} trivia, nothing published yet."

    async def start(self) -> str:
        """Start the event."""
        await self._api.start_event(self.event_id)
        await self._check()
        return "The event is on. Nothing is counted before the hidden poll is published."

    async def publish_poll(self) -> str:
        """Make the hidden poll and publish it; one that is open is replaced."""
        settings, before = self.settings, self.poll
        if before is not None and before.live is not None and before.live.state == "opened":
            made = await hidden_poll.replace(
                self._api,
                before.id,
                spread_s=settings.spread_s,
                sample_rate=settings.sample_rate,
                duration_s=EVENT_S,
            )
            told = "Another hidden poll has taken its place: this round is voted anew."
        else:
            made = await self._api.create_element(
                self.event_id,
                hidden_poll.attributes(
                    options_per_poll=ROUNDS,
                    spread_s=settings.spread_s,
                    sample_rate=settings.sample_rate,
                    duration_s=EVENT_S,
                ),
            )
            try:
                await self._api.publish(made.id)
            except Exception:
                await self._api.delete_element(made.id)
                raise
            told = "The hidden poll is out. Every app votes in it, and none shows it."
        self.polls.append(Poll(made.id, settings, self.round))
        await self._check()
        return told

    async def publish_trivia(self) -> str:
        """Publish the next trivia."""
        number = self.next_trivia
        if number is None:
            raise MisuseError("All ten trivia are played. Stop the event, or make a new show.")
        element_id = self.trivia[number - 1]
        if self._emulator.element(element_id).published_at is None:
            await self._api.update_element(
                element_id, trivia_attributes(number, self.settings.trivia_s)
            )
        await self._api.publish(element_id)
        return f"Trivia {number} is open. Who was there before it is in round {number}."

    async def close_trivia(self) -> str:
        """Close the trivia that is open."""
        number = self.open_trivia
        if number is None:
            raise MisuseError("No trivia is open. Publish the next one first.")
        await self._api.stop_element(self.trivia[number - 1])
        return f"Trivia {number} is closed, and round {number} over."

    async def revoke_trivia(self) -> str:
        """Pull the last trivia back that is there."""
        there = [n for n, each in enumerate(self.trivia, start=1) if self._record(each).live]
        if not there:
            raise MisuseError("No trivia is published, so there is none to revoke.")
        await self._api.revoke(self.trivia[there[-1] - 1])
        return f"Trivia {there[-1]} is gone from every app. Its round begins again; votes stay."

    async def revoke_poll(self) -> str:
        """Pull the hidden poll back."""
        poll = self.poll
        if poll is None or poll.live is None:
            raise MisuseError("No hidden poll is published, so there is none to revoke.")
        await self._api.revoke(poll.id)
        await self._check()
        return "The hidden poll is gone. What was counted stays; nobody votes any more."

    async def stop(self) -> str:
        """Stop the event."""
        await self._api.stop_event(self.event_id)
        await self._check()
        return "The event is over. Its final results are told, and apps leave."

    async def take(self, step: Step) -> str:
        """Take a step of the show."""
        acts = {
            "start": self.start,
            "publish_poll": self.publish_poll,
            "publish_trivia": self.publish_trivia,
            "close_trivia": self.close_trivia,
            "stop": self.stop,
        }
        return await acts[step]()

    # Where the show stands

    @property
    def event(self) -> EventRecord:
        """The event, as the platform holds it."""
        return self._emulator.event(self.event_id)

    @property
    def poll(self) -> ElementRecord | None:
        """The hidden poll published last, as the platform holds it; None before any."""
        return self._record(self.polls[-1].id) if self.polls else None

    @property
    def open_trivia(self) -> int | None:
        """The number of the trivia that is open; None without one."""
        return self._first("opened")

    @property
    def next_trivia(self) -> int | None:
        """The number of the first trivia that is not there; None if all are."""
        return self._first(None)

    @property
    def round(self) -> int:
        """The round that the show is in: one more than trivia are closed."""
        return 1 + sum(self._state(each) == "closed" for each in self.trivia)

    @property
    def standing(self) -> Standing:
        """Where the show stands."""
        return Standing(self.event_id, self.event.state, self.round, self.trivia, self.polls)

    @property
    def next_step(self) -> Step | None:
        """What comes next if everything goes well; None when the show is over."""
        if self.event.state == "upcoming":
            return "start"
        if self.event.state == "finished":
            return None
        poll = self.poll
        if poll is None or poll.live is None:
            return "publish_poll"
        if self.open_trivia is not None:
            return "close_trivia"
        return "stop" if self.next_trivia is None else "publish_trivia"

    def _first(self, state: str | None) -> int | None:
        numbers = (n for n, each in enumerate(self.trivia, start=1) if self._state(each) == state)
        return next(numbers, None)

    def _state(self, element_id: str) -> str | None:
        live = self._record(element_id).live
        return None if live is None else live.state

    def _record(self, element_id: str) -> ElementRecord:
        return self._emulator.element(element_id)

    async def _check(self) -> None:
        """Ask what would spoil the count."""
        self.findings = await hidden_poll.check(self._api, self.event_id, rounds=ROUNDS)
