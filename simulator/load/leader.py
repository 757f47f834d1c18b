"""The leader of a load test, pure: who is invited where, and when which word goes to whom.

The stage has the platform, the host and the checks; followers have the crowd. Who started them,
and how words get about, is no matter here: `heard` and `staged` take words in, `tell_follower` and
`tell_stage` are handed what goes out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.scenario import Scenario

from .ramp import Ramp
from .words import (
    Arrived,
    Begin,
    Come,
    Failure,
    Glance,
    Here,
    Invite,
    KeepTime,
    Lost,
    Open,
    Over,
    Ready,
    Said,
    Seats,
    Tell,
    Verdict,
    Word,
)

__all__ = ["CLOCKS_APART_S", "Leader"]

CLOCKS_APART_S = 1.0
"""How far the clocks of two machines may be apart, the way of a message included: what players
read is held against the platform's log by time, with a second of slack."""


@dataclass(slots=True)
class _Follower:
    """A part of the crowd, as the leader knows it."""

    ready: bool = False
    glance: Glance = field(default_factory=Glance)
    has_said: bool = False
    """Whether all its players have said what they saw."""


class Leader:
    """Leads a show from the first follower to the verdict.

    Args:
        scenario: the show and its crowd.
        expected: how many followers have to be ready before the crowd arrives; more may come.
        tell_follower: sends a word to the follower of that name.
        tell_stage: sends a word to the stage.
    """

    def __init__(
        self,
        scenario: Scenario,
        expected: int,
        tell_follower: Callable[[str, Word], object],
        tell_stage: Callable[[Word], object],
    ) -> None:
        self.scenario = scenario
        self.verdict: Verdict | None = None
        """Whether the counts are true; None: the show goes on."""
        self._expected = max(1, expected)
        self._tell_follower = tell_follower
        self._tell_stage = tell_stage
        self._ramp = Ramp(scenario)
        self._uninvited = deque(self._ramp.players)
        self._followers: dict[str, _Follower] = {}
        self._open: Open | None = None
        self._begun_at: float | None = None
        self._show_at: float | None = None
        self._telling = False
        self._told = set[type[Word]]()  # what the stage is told once

    @property
    def followers(self) -> frozenset[str]:
        """The names of all followers."""
        return frozenset(self._followers)

    # What is heard

    def heard(self, name: str, word: Word, now: float, unix: float) -> None:
        """A follower says something.

        Args:
            name: the follower's.
            word: what it says.
            now: seconds on any clock that is steady.
            unix: the time of day, unix seconds.
        """
        if isinstance(word, Here):
            self._welcome(name, word, unix)
        elif name not in self._followers:
            return  # it has something left to say of the show before
        elif isinstance(word, Lost):
            self.lost(name, word.why)
        else:
            self._take(name, self._followers[name], word, now)

    def staged(self, word: Word, now: float) -> None:
        """The stage says something."""
        if isinstance(word, Open):
            self._open = word
            for name in self._followers:
                self._bid(name, word)
        elif isinstance(word, KeepTime):
            self._show_at = now - word.at
            self._tell_all(word)
        elif isinstance(word, Tell):
            self._telling = True
            self._tell_all(word)
        elif isinstance(word, Verdict):
            self.verdict = self.verdict or word
        elif isinstance(word, Lost):
            self._fail("the platform stays up", word.why)

    def lost(self, name: str, why: str) -> None:
        """A follower is gone: if it had players that have not said what they saw, all is."""
        follower = self._followers.get(name)
        if follower is not None and not follower.has_said:
            self._fail("no part of the crowd is lost", f"{name}: {why}")

    def due(self, now: float) -> int:
        """How many users there are to be."""
        if self._begun_at is None:
            return 0
        show_s = None if self._show_at is None else now - self._show_at
        return self._ramp.due(now - self._begun_at, show_s)

    # What is done about it

    def _welcome(self, name: str, word: Here, unix: float) -> None:
        apart_s = unix - word.at
        if abs(apart_s) > CLOCKS_APART_S:
            self._fail(
                "clocks agree",
                f"{name} is {apart_s:.1f} s off: let its machine keep time by NTP, for what its "
                "players read could not be held against the log",
            )
        self._followers[name] = _Follower()
        if self._open is not None:
            self._bid(name, self._open)

    def _bid(self, name: str, stage: Open) -> None:
        come = Come(url=stage.url, event_id=stage.event_id, scenario=self.scenario)
        self._tell_follower(name, come)

    def _take(self, name: str, follower: _Follower, word: Word, now: float) -> None:
        if isinstance(word, Ready):
            follower.ready = True
            if self._begun_at is not None:
                self._tell_follower(name, Begin(arriving_s=now - self._begun_at))
                if self._telling:
                    self._tell_follower(name, Tell())
            elif sum(each.ready for each in self._followers.values()) >= self._expected:
                self._begun_at = now
                self._tell_all(Begin(arriving_s=0.0))
                self._look()
        elif isinstance(word, Seats):
            invited = min(word.more, len(self._uninvited))
            if invited:
                players = tuple(self._uninvited.popleft() for _ in range(invited))
                self._tell_follower(name, Invite(players=players))
        elif isinstance(word, Glance):
            follower.glance = word
            self._look()
        elif isinstance(word, Said):
            self._tell_stage(word.model_copy(update={"last": False}))
            follower.has_said = word.last
            if all(each.has_said for each in self._followers.values() if each.ready):
                self._tell_once(Said(statement="", last=True))

    def _look(self) -> None:
        """See how the whole crowd is, and tell the stage."""
        glances = [each.glance for each in self._followers.values()]
        total = Glance(
            arrived=sum(glance.arrived for glance in glances),
            connected=sum(glance.connected for glance in glances),
            playing=sum(glance.playing for glance in glances),
            votes_accepted=sum(glance.votes_accepted for glance in glances),
        )
        self._tell_stage(total)
        if self._begun_at is not None and total.arrived >= self._ramp.early:
            self._tell_once(Arrived())
        if self._show_at is not None and not (total.playing or self._uninvited):
            self._tell_once(Over())

    def _tell_once(self, word: Word) -> None:
        if type(word) not in self._told:
            self._told.add(type(word))
            self._tell_stage(word)

    def _tell_all(self, word: Word) -> None:
        for name, follower in self._followers.items():
            if follower.ready:
                self._tell_follower(name, word)

    def _fail(self, rule: str, text: str) -> None:
        failure = Failure(rule=rule, text=text)
        self.verdict = self.verdict or Verdict(text=f"{rule}: {text}", failures=(failure,))
