"""The truth beside the count, while the show goes on.

It is that of the simulator's own checks: *must* and *may* of every round, read off the platform's
log as if the show ended now. What is counted is what the phone holds; a round that is over and
settled is right when must <= counted <= may. While a round goes on nothing is judged.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from poll_counter import RoundCount
from simulator.checks.evidence import Evidence, Observation, disturbed
from simulator.checks.findings import Option
from simulator.checks.freshness import freshness, percentiles
from simulator.checks.judge import off_by
from simulator.checks.truth import Truth
from simulator.emulator import Entry
from simulator.scenario import Scenario

from .stage import ROUNDS, Poll, Standing

__all__ = ["BUCKETS", "BUCKET_S", "Ledger", "Told", "TruthRow"]

BUCKET_S = 0.25
"""What the votes over time are counted in."""
BUCKETS = 120
"""How many buckets are kept: half a minute."""
MARGIN_S = 1.0
"""What a vote may take beyond its spread on a machine that also carries the crowd."""
TIMES_AS_LONG = 10.0
"""The truth is read anew after so many times as long as the last reading took: while players only
come and go it takes at most a tenth of the time."""


@dataclass(frozen=True, slots=True)
class TruthRow:
    """A round, its truth and its count."""

    round: int
    must: int
    """Players who had to be counted; those so far, while the round goes on."""
    may: int
    """Players who could be."""
    count: RoundCount | None
    """As the phone holds it."""
    off_by: int | None
    """0: the count is right; else by how many it is too high, or (below 0) too low. None: it is
    too early to tell, or nothing was counted."""


class Told(NamedTuple):
    """What the phone was told: the counts that are held against the truth."""

    counts: Mapping[int, RoundCount]
    """Round -> the count that it holds."""
    reports: Sequence[tuple[float, int, int]]
    """(when, round, votes) of every count reported; the platform's clock."""


class Ledger:
    """Reads the platform's log as it grows, and tells the truth of the show that is on.

    Args:
        clock: what the reading of the truth is timed with, seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.log: list[Entry] = []
        """What the platform writes to; taken in, and emptied, by `read`."""
        self._clock = clock
        self._begin("")

    def _begin(self, event_id: str) -> None:
        self._event_id = event_id
        self.votes_accepted = 0
        """Votes of this show, those of hostile peers among them."""
        self.rows: list[TruthRow] = []
        """The rounds so far, as `judge` found them last."""
        self.freshness_ms: Mapping[str, float] | None = None
        """From a vote's acceptance to the phone's count with it, in the last round with votes:
        the median and the 99th percentile; None before any."""
        self._story: list[Entry] = []  # all but the votes
        self._voters: dict[Option, Counter[str]] = defaultdict(Counter)
        self._accepted_ms: dict[Option, Counter[int]] = defaultdict(Counter)
        self._buckets: deque[tuple[int, int]] = deque(maxlen=BUCKETS)  # number, votes
        self._show_changed = True
        self._next_reading_at = float("-inf")
        self._truth = Truth({}, {})

    def read(self, event_id: str) -> None:
        """Take in what the platform has written since; what is of another event is left out."""
        if event_id != self._event_id:
            self._begin(event_id)
        for entry in self.log:
            if entry.event_id == event_id and entry.kind == "accepted":
                self._accept(entry)
            elif entry.event_id == event_id and entry.kind != "refused":
                self._story.append(entry)
                self._show_changed |= entry.kind not in {"joined", "left"}
        self.log.clear()

    def _accept(self, entry: Entry) -> None:
        option = entry.element_id, entry.option
        self._voters[option][entry.user] += 1
        self._accepted_ms[option][round(entry.at * 1000.0)] += 1
        self.votes_accepted += 1
        number = int(entry.at / BUCKET_S)
        if self._buckets and self._buckets[-1][0] == number:
            self._buckets[-1] = number, self._buckets[-1][1] + 1
        else:
            self._buckets.append((number, 1))

    def votes_over_time(self, now: float) -> list[int]:
        """Votes accepted in each of the last buckets that are over; the latest comes last."""
        votes, end = dict(self._buckets), int(now / BUCKET_S)
        return [votes.get(number, 0) for number in range(end - BUCKETS, end)]

    def judge(
        self,
        now: float,
        show: Standing,
        told: Told,
        *,
        hostile: AbstractSet[str] = frozenset(),
        disturbances: Mapping[str, Sequence[float]] = MappingProxyType({}),
    ) -> None:
        """Hold what the phone was told against the truth.

        Args:
            now: the platform's clock.
            show: where the show stands.
            told: what the phone was told.
            hostile: users who are hostile peers.
            disturbances: user -> when the network did something to its messages; the same clock.
        """
        over = show.event_state == "finished"
        last = 0 if show.event_state == "upcoming" else min(show.round, ROUNDS)
        if self._show_changed or now >= self._next_reading_at:
            began = self._clock()
            evidence = self._evidence(now, show, hostile, disturbances)
            self._truth = Truth.of(evidence)
            self.freshness_ms = self._freshness(evidence, told)
            self._next_reading_at = now + TIMES_AS_LONG * (self._clock() - began)
            self._show_changed = False
        polls = _counting(show.polls)
        self.rows = [
            self._row(number, polls.get(number), told, hostile, ended=over or number < show.round)
            for number in range(1, last + 1)
        ]

    def _row(
        self, number: int, poll: Poll | None, told: Told, hostile: AbstractSet[str], *, ended: bool
    ) -> TruthRow:
        count = told.counts.get(number)
        voters = self._voters.get(("" if poll is None else poll.id, number - 1), Counter())
        admitted = sum(voters[user] for user in hostile)
        must = len(self._truth.must.get(number, ())) + admitted
        may = len(self._truth.may.get(number, ())) + admitted
        off = None
        if ended and poll is not None and count is not None and count.settled:
            rate = poll.settings.sample_rate
            off = off_by(count, must, may, hostile=admitted, sample_rate=rate)
        return TruthRow(number, must, may, count, off)

    def _evidence(
        self,
        now: float,
        show: Standing,
        hostile: AbstractSet[str],
        disturbances: Mapping[str, Sequence[float]],
    ) -> Evidence:
        """What is known of the show, as if it ended now."""
        spread_s = max((poll.settings.spread_s for poll in show.polls), default=0.0)
        end = Entry(now, "event", self._event_id, detail="finished")
        return Evidence(
            scenario=Scenario(rounds=ROUNDS, round_time=10.0 * MARGIN_S, spread=spread_s),
            log=self._story if show.event_state == "finished" else [*self._story, end],
            pages=[[poll.id for poll in show.polls]],
            trivia=show.trivia,
            latency_s=MARGIN_S / 2.0,
            hostile=hostile,
            disturbed=disturbed(self._story, disturbances),
        )

    def _freshness(self, evidence: Evidence, told: Told) -> Mapping[str, float] | None:
        rounds = {evidence.rounds.get(option): option for option in self._accepted_ms}
        voted = {number: rounds[number] for number in told.counts if number in rounds}
        if not voted:
            return None
        number = max(voted)
        phone = Observation(
            connected=True, undisturbed=True, counts=told.counts, shown={}, told=told.reports
        )
        return percentiles(freshness({number: self._accepted_ms[voted[number]]}, [phone]))


def _counting(polls: Sequence[Poll]) -> dict[int, Poll]:
    """Round -> the poll that counts it: the last that came before its end."""
    return {
        number: [poll for poll in polls if poll.round <= number][-1]
        for number in range(min((p.round for p in polls), default=ROUNDS + 1), ROUNDS + 1)
    }
