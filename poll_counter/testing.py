"""For the tests of apps that embed the counter: a platform and a clock, in memory.

```python
from poll_counter.testing import fake_platform  # a pytest fixture

async def test_my_app(fake_platform):
    async with fake_platform.counter() as counter:
        await fake_platform.start()
        await fake_platform.join(41)              # other players, who vote in every round
        await fake_platform.clock.advance(3.0)    # the spread of our own vote
        assert counter.latest.players == 42
```

Nothing sleeps and nothing touches a network: time passes when the test says so, and every call
that is awaited returns when all counters have taken in what it told them.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from .client import PollCounter
from .commands import CastVote
from .elements import PAGE_FIELD, POLL_MARK, Element, EventState, FieldValue
from .errors import MisuseError
from .facts import (
    AnswerAccepted,
    AnswerRefused,
    Disconnected,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    EventStateChanged,
    EventUpdated,
    Fact,
    ResultsTold,
    Welcomed,
)
from .journal import MEMORY

__all__ = ["FakeClock", "FakePlatform", "FakeTransport"]

_TURNS = 10
"""Turns of the event loop that let a told counter cast, and the platform answer."""


class _Timer:
    """A call that is due at a time."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Forget the call."""
        self._callback = None

    def fire(self) -> None:
        """Call, unless cancelled."""
        if self._callback is not None:
            self._callback()


class FakeClock:
    """A clock that stands still until it is advanced. Pass it as `PollCounter(clock=...)`."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._numbers = count()

    def time(self) -> float:
        """Now, in seconds."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], object], /) -> _Timer:
        """Call back when the clock is advanced to `when`."""
        timer = _Timer(callback)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    async def advance(self, seconds: float) -> None:
        """Let time pass: everything that falls due is done, in order, each at its time."""
        if seconds < 0:
            raise MisuseError("time does not run backwards; advance by 0 seconds or more")
        await _turns()  # what has just begun sets its timers first
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            timer.fire()
            await _turns()
        self._now = end
        await _turns()


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class FakeTransport:
    """One counter's way to a `FakePlatform`; `FakePlatform.transport()` makes it."""

    def __init__(self, platform: FakePlatform, *, acknowledges: bool) -> None:
        self.acknowledges = acknowledges
        self.sent: list[CastVote] = []
        """Every vote that the counter handed over, repeats included."""
        self.player_id = ""
        self.connected = False
        self._platform = platform
        self._facts: asyncio.Queue[Fact] = asyncio.Queue()

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Give what the platform tells, until the counter is closed."""
        if event_id != self._platform.event_id:
            raise MisuseError(f"this platform's event is {self._platform.event_id!r}")
        self.player_id = player_id
        await asyncio.sleep(0)  # connecting takes a moment, with eager tasks too
        self._platform.transports.append(self)
        self.connect()
        reading = False
        try:
            while True:
                fact = await self._facts.get()
                reading = True
                yield fact
                self._facts.task_done()  # the counter asks for more: it has taken this one in
                reading = False
        finally:
            self.connected = False
            self._platform.transports.remove(self)
            for _ in range(self._facts.qsize() + reading):  # nobody is to wait for a closed counter
                self._facts.task_done()

    async def send(self, vote: CastVote) -> None:
        """Take a vote; raises ConnectionError while disconnected."""
        self.sent.append(vote)
        if not self.connected:
            raise ConnectionError("disconnected")
        self._platform.take(self, vote)

    def tell(self, fact: Fact) -> None:
        """Tell the counter a fact, if it is connected."""
        if self.connected:
            self._facts.put_nowait(fact)

    def connect(self) -> None:
        """Connect, with a snapshot."""
        if not self.connected:
            self.connected = True
            self.tell(self._platform.snapshot())

    def disconnect(self) -> None:
        """Lose the connection; `connect` brings it back."""
        self.tell(Disconnected())
        self.connected = False

    async def taken_in(self) -> None:
        """Wait until the counter has taken in what it was told."""
        await self._facts.join()


class FakePlatform:
    """A platform with one event, in memory; its hidden poll is published with the event.

    Args:
        event_id: the event's id.
        options: options of a hidden poll.
        spread_s: what `counter()` passes as the spread, seconds.
    """

    def __init__(
        self, event_id: str = "test-show", *, options: int = 10, spread_s: float = 3.0
    ) -> None:
        self.event_id = event_id
        self.clock = FakeClock()
        """The clock of the counters that `counter()` makes."""
        self.transports: list[FakeTransport] = []
        """Those of the counters that are entered."""
        self.others = 0
        """Other players, who vote in every round as soon as it begins."""
        self.silent = False
        """Set to True to let votes arrive without counting or answering them."""
        self.refuse: AnswerRefused | None = None
        """Set to refuse every vote with this reason."""
        self._options = options
        self._spread_s = spread_s
        self._state: EventState = "upcoming"
        self._fields: Mapping[str, FieldValue] = {}
        self._elements: dict[str, Element] = {}
        self._votes: dict[str, list[int]] = {}
        self._voted: set[tuple[str, str, int]] = set()
        self._rev = 0
        self._trivia = 0
        self._polls = 0

    # What the test's app uses

    def transport(self, *, acknowledges: bool = True) -> FakeTransport:
        """Make a transport for `PollCounter(transport=...)`."""
        return FakeTransport(self, acknowledges=acknowledges)

    def counter(self, **options: Any) -> PollCounter:
        """Make a counter on this platform and clock; `options` are `PollCounter`'s."""
        defaults: dict[str, Any] = {
            "event_id": self.event_id,
            "journal": MEMORY,
            "clock": self.clock,
            "spread_s": self._spread_s,
        }
        if "transport" not in options:
            defaults["transport"] = self.transport()
        return PollCounter(**{**defaults, **options})

    # What the producer does

    async def start(self) -> None:
        """Start the event, and publish the hidden poll of the first rounds."""
        self._state = "active"
        self._tell(EventStateChanged("active", self._next_rev()))
        await self.publish_poll()

    async def publish_poll(self, page: int | None = None) -> str:
        """Publish a hidden poll, by default for the next page; returns its id."""
        number = next(n for n in count() if f"poll-{n}" not in self._votes)
        fields = {POLL_MARK: 1, PAGE_FIELD: self._polls if page is None else page}
        self._polls += 1
        poll = Element(
            id=f"poll-{number}",
            content_type="hidden-poll",
            type="poll",
            state="opened",
            published_at=self.clock.time(),
            rev=self._next_rev(),
            options=tuple(f"Round {n + 1}" for n in range(self._options)),
            custom_fields=fields,
            max_votes_per_option=1,
            reveal_results_mode="vote",
        )
        self._elements[poll.id] = poll
        self._votes[poll.id] = [0] * self._options
        self._tell(ElementPublished(poll))
        await self._let_others_vote()
        return poll.id

    async def publish_trivia(self, element_id: str | None = None) -> str:
        """Publish the next trivia, or a revoked one again; returns its id."""
        if element_id is None:
            self._trivia += 1
            element_id = f"trivia-{self._trivia}"
        trivia = Element(
            id=element_id,
            content_type="trivia",
            type="trivia",
            state="opened",
            published_at=self.clock.time(),
            rev=self._next_rev(),
            question=f"Question {self._trivia}?",
            options=("yes", "no"),
        )
        self._elements[element_id] = trivia
        await self._told(ElementPublished(trivia))
        return element_id

    async def close(self, element_id: str | None = None) -> None:
        """Close an element, by default the trivia that is open; a poll's results are final then."""
        if element_id is None:
            element_id = next(self._open_trivia(), None)
        if element_id is None or element_id not in self._elements:
            raise MisuseError("there is no such element to close; publish a trivia first")
        element = replace(self._elements[element_id], state="closed", rev=self._next_rev())
        self._elements[element_id] = element
        self._tell(ElementStateChanged(element_id, "closed", element.rev))
        if element_id in self._votes:
            self._tell(self._results(element_id))
        await self._let_others_vote()

    async def revoke(self, element_id: str) -> None:
        """Pull an element back."""
        if element_id not in self._elements:
            raise MisuseError(f"there is no element {element_id!r} to revoke")
        del self._elements[element_id]
        await self._told(ElementRevoked(element_id, self._next_rev()))

    async def set_fields(self, fields: Mapping[str, FieldValue]) -> None:
        """Change the event's custom fields: these are all of them from now on."""
        self._fields = dict(fields)
        await self._told(EventUpdated(self._fields, self._next_rev()))

    async def stop(self) -> None:
        """Stop the event, with the final results of its hidden polls."""
        self._state = "finished"
        self._tell(EventStateChanged("finished", self._next_rev()))
        for poll in [element_id for element_id in self._votes if element_id in self._elements]:
            await self.close(poll)
        await self._told()

    # What others do, and what goes wrong

    async def join(self, players: int) -> None:
        """Let other players join: they vote in this round, if it waits, and in those to come."""
        self.others += players
        await self._let_others_vote(players)

    async def tally(self, element_id: str, votes: list[int]) -> None:
        """Tell results as they are given, whatever was voted."""
        await self._told(ResultsTold(element_id, tuple(votes)))

    async def tell(self, fact: Fact) -> None:
        """Tell every connected counter a fact, however odd."""
        await self._told(fact)

    async def disconnect(self) -> None:
        """Let every counter lose its connection."""
        for transport in self.transports:
            transport.disconnect()
        await self._told()

    async def reconnect(self) -> None:
        """Let every counter connect again."""
        for transport in self.transports:
            transport.connect()
        await self._told()

    # What transports use

    def snapshot(self) -> Welcomed:
        """What a new connection is told."""
        return Welcomed(
            event_state=self._state,
            elements=tuple(self._elements.values()),
            results=tuple(self._results(poll) for poll in self._votes if poll in self._elements),
            rev=self._rev,
            event_rev=self._rev,
            event_id=self.event_id,
            fields=self._fields,
        )

    def take(self, transport: FakeTransport, vote: CastVote) -> None:
        """Take a vote: count it once, and answer."""
        key = transport.player_id, vote.poll_id, vote.option
        if self.silent:
            return
        if self.refuse is not None:
            transport.tell(replace(self.refuse, element_id=vote.poll_id, option=vote.option))
        elif key in self._voted:
            transport.tell(AnswerRefused(vote.poll_id, vote.option, "already_voted"))
        else:
            self._voted.add(key)
            self._votes[vote.poll_id][vote.option] += 1
            transport.tell(AnswerAccepted(vote.poll_id, vote.option))
            self._tell(self._results(vote.poll_id))

    # Inside

    def _next_rev(self) -> int:
        self._rev += 1
        return self._rev

    def _open_trivia(self) -> Iterator[str]:
        elements = self._elements.values()
        return (e.id for e in elements if e.id not in self._votes and e.state == "opened")

    def _results(self, poll: str) -> ResultsTold:
        return ResultsTold(poll, tuple(self._votes[poll]), self._elements[poll].state == "closed")

    async def _let_others_vote(self, players: int | None = None) -> None:
        """In a waiting phase, other players vote for its option; once each."""
        waiting = self._state == "active" and next(self._open_trivia(), None) is None
        elements = self._elements.values()
        finished = sum(e.id not in self._votes and e.state == "closed" for e in elements)
        page, option = divmod(finished, self._options)
        polls = [e for e in elements if e.custom_fields.get(PAGE_FIELD) == page]
        if waiting and polls and polls[-1].state == "opened":
            key = "", polls[-1].id, option
            if players is not None or key not in self._voted:
                self._voted.add(key)
                self._votes[polls[-1].id][option] += self.others if players is None else players
            self._tell(self._results(polls[-1].id))
        await self._told()

    def _tell(self, fact: Fact) -> None:
        for transport in self.transports:
            transport.tell(fact)

    async def _told(self, *facts: Fact) -> None:
        """Tell every connected counter, and wait until all have taken it in and acted."""
        await _turns()  # who has just been entered connects first
        for fact in facts:
            self._tell(fact)
        for _ in range(2):  # what was told may make them vote, and that is answered
            await _turns()
            for transport in list(self.transports):
                await transport.taken_in()


try:
    import pytest
except ImportError:  # the library itself does not need it
    pass
else:

    @pytest.fixture
    def fake_platform() -> FakePlatform:
        """A pytest fixture: a platform of its own for every test; import it where it is used."""
        return FakePlatform()

    __all__ += ["fake_platform"]
