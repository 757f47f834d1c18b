"""The state machine: from the progress of a show to votes, and from results to player counts.

Pure: no sockets, no clock, no event loop, no randomness of its own. A driver tells it facts and
the time, and carries out the commands it returns, in order:

```python
machine = Machine(draw=random.random)
commands = machine.receive(fact, now)      # whenever something happened
commands = machine.wake(now)               # when machine.deadline has come; early is harmless
```

`now` is a monotonic clock in seconds. Three small machines stand side by side:

* the counter's `State`, in which `TABLE` lists every fact: who handles it and where it may lead,
  or that it is ignored;
* whether the player takes part (`active`), and which rounds it has *seen*;
* one vote per (poll, option): due -> cast -> accepted or refused, or lapsed before it was cast.

A fact changes what is held first. If that changed, `_settle` then works out what follows, the
same after every fact; what follows from the progress of the show alone is in `standing.py`, shared
by all machines that hold the same progress. In the end `_vote` sees what is due. The rules are
numbered as in the README's counting rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from .commands import Command, Remember, RememberRate, ReportCount, Skip, Warn
from .counts import Counts, RoundCount
from .elements import Element, Recognise
from .errors import MisuseError
from .facts import (
    ActiveChanged,
    AnswerAccepted,
    AnswerRefused,
    Disconnected,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
    EventUpdated,
    Fact,
    FrameSkipped,
    ResultsTold,
    TimePassed,
    VoteHeldBack,
    Welcomed,
)
from .rounds import Progress, is_repeatable
from .sampling import is_rate, is_sampled
from .standing import Ballot, Standing, State

__all__ = ["IGNORED", "TABLE", "Machine", "Row", "State"]

ANSWER_TIMEOUT_S = 5.0
"""A vote without an answer is repeated no sooner than this (rule 5)."""
REPEAT_JITTERS_S = 5.0, 10.0, 20.0
"""After the timeout: full jitter up to this for the first repeat, the second, all further."""
BUSY_S_MIN = 1.0
"""A busy platform is left alone at least this long, whatever it says."""
WRITE_AGAIN_S = 2.0
"""A vote that could not be written down is tried again after this."""
ENDING_S = 10.0
"""How long a finished event's final results are waited for (rule 12)."""
DEFAULT_SPREAD_S = 3.0
"""The spread for a poll that names none (rule 10)."""


@dataclass(slots=True, eq=False)
class _Vote:
    """A vote on its way: due (not cast yet), or cast and not answered."""

    ballot: Ballot
    round: int
    at: float
    """When to cast it, or to repeat it."""
    casts: int = 0
    """How often it was handed over; 0 while due."""
    not_before: float = float("-inf")
    """What the platform asked for with `busy`."""


class Machine:
    """One player's counter: told facts, it votes once per round and counts the players.

    Args:
        draw: gives a number in [0, 1), anew at each call; delays are drawn with it.
        recognise: how hidden poll and trivia are told.
        remembered: what earlier machines of this player asked to remember for this event.
        acknowledges: whether the transport tells if an answer was accepted.
        spread_s: seconds over which votes are spread for a poll that names no spread.
        player_id: whose votes these are; it decides who votes where only a sample does.
        progress: instead of `recognise`, what to start from: machines that are told the same
            facts share what follows from one.

    For example:

    ```python
    machine = Machine(draw=random.random)
    for fact in facts:
        for command in machine.receive(fact, now=time.monotonic()):
            carry_out(command)
    ```
    """

    __slots__ = (
        "_acknowledges", "_connected", "_counts", "_draw", "_ended", "_ends_at", "_held",
        "_pending", "_player_id", "_playing", "_rates", "_sampled_out", "_seen", "_settled",
        "_since", "_spread_s", "_standing", "_told", "_untold", "_voted", "_warned",
        "active", "deadline", "progress", "state",
        "votes_accepted", "votes_due", "votes_lapsed", "votes_refused",
    )  # fmt: skip

    def __init__(
        self,
        *,
        draw: Callable[[], float],
        recognise: Recognise | None = None,
        remembered: Iterable[Remember | RememberRate] = (),
        acknowledges: bool = True,
        spread_s: float = DEFAULT_SPREAD_S,
        player_id: str = "",
        progress: Progress | None = None,
    ) -> None:
        if recognise is not None and progress is not None:
            raise MisuseError("pass either recognise= or progress=, which has one")
        self.state: State = _OFFLINE
        """Where the counter stands."""
        self.deadline: float | None = None
        """When to call `wake`, on the clock of `now`; None for never."""
        self.active: bool = True
        """Whether the player takes part; changed by the fact `ActiveChanged`."""
        self.progress: Progress = progress or Progress(recognise or Recognise())
        """How far the show is."""
        self.votes_due: int = 0
        self.votes_accepted: int = 0
        self.votes_refused: int = 0
        self.votes_lapsed: int = 0

        self._draw = draw
        self._acknowledges = acknowledges
        self._spread_s = spread_s
        self._player_id = player_id
        self._connected = False

        # A million machines fit into memory: rounds and options are bits, and what most of them
        # never need is made when it is needed.
        self._seen = 0  # one bit per round
        self._voted: dict[str, int] = {}  # poll id -> one bit per option cast, ever
        self._pending: tuple[_Vote, ...] = ()  # due, or cast and not answered
        self._sampled_out = ""  # the poll that this player was found not to vote in
        self._rates: Mapping[str, float] = _NO_RATES  # poll id -> sample rate, as remembered
        self._counts: Counts | None = None  # from the first results on

        self._settled: Progress | None = None  # the progress for which all below was worked out
        self._standing = Standing.of(self.progress)
        self._held: tuple[int, str | None] = _NOTHING_HELD  # the round last live, and its poll
        self._since = 0.0  # since when
        self._told: tuple[int, int | None] | None = None
        self._untold = False  # results have come since
        self._playing = 0  # the round whose trivia is held open; 0 for none
        self._warned: frozenset[tuple[str, object]] = frozenset()
        self._ends_at: float | None = None
        self._ended = False
        self._recall(remembered)

    def _recall(self, remembered: Iterable[Remember | RememberRate]) -> None:
        rates: dict[str, float] = {}
        votes: dict[tuple[str, int], bool] = {}
        for entry in remembered:
            if isinstance(entry, RememberRate):
                if not is_rate(entry.sample_rate):
                    raise MisuseError(f"{entry} is remembered, but is no sample rate")
                rates[entry.poll_id] = entry.sample_rate
            else:
                key = entry.poll_id, entry.option
                votes[key] = votes.get(key, False) or entry.answered
        for (poll_id, option), answered in votes.items():
            rates.setdefault(poll_id, 1.0)  # else its rate would have been remembered first
            ballot = Ballot(poll_id, option)
            self._voted[poll_id] = self._voted.get(poll_id, 0) | ballot.option_bit
            if not answered:
                self._pending += (_Vote(ballot, 0, at=float("-inf"), casts=1),)
        if rates:
            self.progress = self.progress.with_rates(rates)
            self._rates = rates

    # What a driver calls

    def receive(self, fact: Fact, now: float) -> tuple[Command, ...]:
        """Take in a fact at the time `now`; returns what to do about it, in order.

        A fact that `TABLE` ignores in this state changes nothing. Raises `MisuseError` for what
        is no fact; what the platform says never raises.
        """
        try:
            row = TABLE[self.state][type(fact)]
        except KeyError:
            raise MisuseError(f"{fact!r} is no fact; see poll_counter.facts") from None
        if row is None:  # IGNORED
            return ()
        out: list[Command] = []
        row.handler(self, fact, now, out)
        changed = self._settled is not self.progress or self._ends_at is not None
        if changed:
            self._settle(now, out)
        self.deadline = self._ends_at
        live = self._connected and self._standing.live
        if live and self.active:
            self._vote(now, out)
        if changed or self._untold:
            self._report(now, out, live=live)
        return tuple(out)

    def wake(self, now: float) -> tuple[Command, ...]:
        """Let time pass: call it when `deadline` has come; earlier or later does no harm."""
        return self.receive(_TIME_PASSED, now)

    def history(self, now: float) -> dict[int, RoundCount]:
        """The counts of the rounds so far, round -> count, as they stand at `now`.

        Every round that is over is there, and the present one when there is a poll for it or its
        trivia is open; a round that nothing is known of has `players` None.
        """
        return self._read(now).history(self.progress, now)

    @property
    def told_at(self) -> float | None:
        """When results of a hidden poll were last told, on the clock of `now`."""
        return None if self._counts is None else self._counts.told_at

    def latest(self, now: float) -> RoundCount | None:
        """The count that was last reported, as it stands at `now`; None before the first."""
        if self._told is None:
            return None
        return self._read(now).count(self.progress, self._told[0], now)

    # What a fact changes; the handlers that TABLE names

    def _welcomed(self, fact: Welcomed, now: float, out: list[Command]) -> None:
        self._connected, self._settled = True, None
        self.progress = self.progress.with_welcome(
            fact.elements, fact.rev, fact.event_state, fact.event_rev
        )
        for results in fact.results:
            self._results_told(results, now, out)

    def _disconnected(self, _fact: Disconnected, now: float, _out: list[Command]) -> None:
        self._connected, self._settled = False, None
        for vote in self._pending:
            if vote.casts:
                # Repeated at once after the reconnect (rule 5), but for what `busy` asks.
                vote.at = min(vote.at, max(now, vote.not_before))

    def _element_told(
        self, fact: ElementPublished | ElementUpdated, _now: float, out: list[Command]
    ) -> None:
        before = self.progress
        self.progress = before.with_element(fact.element)
        if self.progress is before:
            out.append(Skip("too_many" if before.is_full_for(fact.element.id) else "old_rev"))

    def _state_changed(self, fact: ElementStateChanged, _now: float, out: list[Command]) -> None:
        before = self.progress
        self.progress = before.with_state(fact.element_id, fact.state, fact.rev)
        if self.progress is before:
            out.append(Skip("unknown_element" if fact.rev is None else "old_rev"))

    def _revoked(self, fact: ElementRevoked, _now: float, out: list[Command]) -> None:
        before = self.progress
        self.progress = before.without(fact.element_id, fact.rev)
        if self.progress is before:
            out.append(Skip("old_rev"))

    def _results_told(self, fact: ResultsTold, now: float, out: list[Command]) -> None:
        poll = self.progress.elements.get(fact.element_id)
        if poll is None:
            out.append(Skip("unknown_element"))
        elif not self.progress.recognise.is_hidden(poll):
            return
        elif len(fact.votes) != len(poll.options):
            out.append(Skip("results_length"))
        else:
            if self._counts is None:
                self._counts = self._new_counts()
            if self._counts.tell(poll.id, fact.votes, final=fact.final, now=now):
                self._settled = None
            self._untold = True

    def _event_state_changed(
        self, fact: EventStateChanged, _now: float, _out: list[Command]
    ) -> None:
        self.progress = self.progress.with_event(fact.state, fact.rev)

    def _answer_accepted(
        self, fact: AnswerAccepted | AnswerRefused, _now: float, out: list[Command]
    ) -> None:
        vote = self._pending_for((fact.element_id, fact.option))
        if vote is not None and vote.casts:
            self._drop(vote)
            self.votes_accepted += 1
            out.append(vote.ballot.answered)

    def _answer_refused(self, fact: AnswerRefused, now: float, out: list[Command]) -> None:
        vote = self._pending_for((fact.element_id, fact.option))
        if vote is None or not vote.casts:
            return
        poll = self.progress.elements.get(fact.element_id)
        if fact.reason == "already_voted":
            self._answer_accepted(fact, now, out)
        elif fact.reason == "busy" and poll is not None and self._repeats(poll):
            told = fact.retry_after_s
            again = self._repeat_at(vote, now) if told is None else now + max(told, BUSY_S_MIN)
            vote.at = vote.not_before = again
        else:
            self._drop(vote)
            self.votes_refused += 1
            out.append(vote.ballot.answered)

    def _active_changed(self, fact: ActiveChanged, _now: float, _out: list[Command]) -> None:
        self.active = fact.active
        if not fact.active:
            self._seen = 0
            self._pending = tuple(vote for vote in self._pending if vote.casts)

    def _held_back(self, fact: VoteHeldBack, now: float, _out: list[Command]) -> None:
        """What was not written down was not cast: it is due again, and lapses like any other."""
        vote = self._pending_for((fact.element_id, fact.option))
        if vote is not None and vote.casts:
            self._voted[fact.element_id] &= ~vote.ballot.option_bit
            vote.casts, vote.at, self._settled = 0, now + WRITE_AGAIN_S, None
            if not self.active:  # as if it had become inactive now (rule 11)
                self._drop(vote)

    def _frame_skipped(self, fact: FrameSkipped, _now: float, out: list[Command]) -> None:
        out.append(Skip(fact.reason))

    def _nothing(self, _fact: Fact, _now: float, _out: list[Command]) -> None:
        """Nothing is held anew; `_vote` sees what is due by now."""

    # What follows from what is held, when it has changed

    def _settle(self, now: float, out: list[Command]) -> None:
        progress = self._settled = self.progress
        standing = self._standing = Standing.of(progress)
        if self._pending:
            self._lapse(standing)
        if not standing.over:
            self._ends_at = None
        else:
            self._end(now)
        if self._ended:
            self.state = _FINISHED
        else:
            self.state = standing.state if self._connected else _OFFLINE
        if self._rates is not progress.rates:
            self._keep_rates(out)
        live = self._connected and standing.live
        if live and self._held != standing.held:
            self._held, self._since = standing.held, now
        if self._counts is not None:
            self._counts.keep(progress, now, since=self._since, live=live)

    def _lapse(self, standing: Standing) -> None:
        """Due votes lapse when their round or the event is over (rules 2 and 12).

        So does one whose option is now that of another round, for which it was not due.
        """
        key = None if standing.ballot is None else standing.ballot.key
        for vote in self._pending:
            moved = vote.ballot.key == key and vote.round != standing.round
            if not vote.casts and (standing.over or vote.round < standing.round or moved):
                self._drop(vote)
                self.votes_lapsed += 1

    def _end(self, now: float) -> None:
        """A finished event is left with the final results, or after a while (rule 12)."""
        if self._ends_at is None:
            self._ends_at = now + ENDING_S
        final = self._counts is not None and self._counts.all_final(self.progress)
        if final or not self.progress.polls or now >= self._ends_at:
            self._ended, self._ends_at = True, None

    def _keep_rates(self, out: list[Command]) -> None:
        """Have the sample rates of new polls remembered; of those where everybody votes, none."""
        for poll_id, rate in self.progress.rates.items():
            if rate != 1.0 and poll_id not in self._rates:
                out.append(RememberRate(poll_id, rate))
        self._rates = self.progress.rates

    def _vote(self, now: float, out: list[Command]) -> None:
        """See the round, let its vote fall due, and cast it when its time has come (rule 2)."""
        standing = self._standing
        if self.state is _WAITING:
            self._seen |= standing.round_bit
        ballot = standing.ballot
        if ballot is None:
            return
        vote = self._pending_for(ballot.key) if self._pending else None
        if vote is None:
            if (
                not self._seen & standing.round_bit
                or self._voted.get(ballot.poll_id, 0) & ballot.option_bit
                or (
                    standing.sample_rate != 1.0
                    and self._sits_out(ballot.poll_id, standing.sample_rate)
                )
            ):
                return
            spread_s = self._spread_s if standing.spread_s is None else standing.spread_s
            vote = _Vote(ballot, standing.round, now + self._draw() * spread_s)
            self._pending += (vote,)
            self.votes_due += 1
        repeats = standing.limited and self._acknowledges
        if vote.casts and not repeats:
            return
        if now >= vote.at:
            if not vote.casts:
                voted = self._voted.get(ballot.poll_id, 0)
                self._voted[ballot.poll_id] = voted | ballot.option_bit
                out.append(ballot.remember)
            vote.at = self._repeat_at(vote, now)
            vote.casts += 1
            out.append(ballot.cast)
        if repeats or not vote.casts:
            self.deadline = vote.at

    def _sits_out(self, poll_id: str, sample_rate: float) -> bool:
        """Tell whether this player is not in the sample that votes (rule 9)."""
        if poll_id == self._sampled_out:
            return True
        if is_sampled(poll_id, self._player_id, sample_rate):
            return False
        self._sampled_out = poll_id  # a hash takes as long as the rest of a call
        return True

    def _pending_for(self, key: tuple[str, int]) -> _Vote | None:
        for vote in self._pending:
            if vote.ballot.key == key:
                return vote
        return None

    def _drop(self, vote: _Vote) -> None:
        pending, at = self._pending, self._pending.index(vote)
        self._pending = pending[:at] + pending[at + 1 :]

    def _repeats(self, poll: Element) -> bool:
        return is_repeatable(poll, acknowledges=self._acknowledges)

    def _repeat_at(self, vote: _Vote, now: float) -> float:
        jitter_s = REPEAT_JITTERS_S[min(vote.casts, 2)]
        return now + ANSWER_TIMEOUT_S + self._draw() * jitter_s

    # What the app is told

    def _report(self, now: float, out: list[Command], *, live: bool) -> None:
        """Tell the app when the number or the round has changed, and what spoils the count."""
        standing, count, self._untold = self._standing, None, False
        if self._counts is not None:
            count = self._counts.count(self.progress, standing.round, now)
        if count is not None:
            if self._told != (standing.round, count.players):
                self._told = standing.round, count.players
                out.append(ReportCount(count))
        elif live and standing.counted and self._told != standing.told:
            self._told = standing.told
            out.append(standing.report)
        playing = standing.round if self.state is _PLAYING else 0
        if playing != self._playing:  # its trivia was published, or found open
            self._playing = playing
            if playing and standing.ballot is None and not (count and count.votes):
                self._warn(("no_poll", playing), Warn("no_poll", _NO_POLL.format(playing)), out)
        if live:
            for poll_id, warning in standing.warnings:
                self._warn((warning.kind, poll_id), warning, out)

    def _warn(self, about: tuple[str, object], warning: Warn, out: list[Command]) -> None:
        if about not in self._warned:
            self._warned |= {about}
            out.append(warning)

    def _new_counts(self) -> Counts:
        return Counts(acknowledges=self._acknowledges, spread_s=self._spread_s)

    def _read(self, now: float) -> Counts:
        """The counts; who was never told results keeps none, and makes them when asked."""
        if self._counts is not None:
            return self._counts
        counts = self._new_counts()
        if self._told is not None:
            counts.begin(self._told[0], self._since)
        live = self.state in {_WAITING, _PLAYING}
        counts.keep(self.progress, now, since=self._since, live=live)
        return counts


_NO_POLL = (
    "no poll for round {0}: its trivia was published without an open hidden poll that has an "
    "option for it, so the round is not counted; publish a hidden poll for the rounds to come"
)
_NO_RATES: Final[Mapping[str, float]] = {}
_NOTHING_HELD: Final = 0, None

# Looked up once: finding a member of an enumeration is slow, for what is done at every call.
_OFFLINE, _WAITING, _PLAYING = State.OFFLINE, State.WAITING, State.PLAYING
_FINISHED = State.FINISHED
_TIME_PASSED = TimePassed()

_Handler: TypeAlias = Callable[[Machine, Any, float, list[Command]], None]


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes of a fact in a state."""

    handler: _Handler
    """Takes the fact in."""
    to: frozenset[State]
    """Every state that may follow."""


IGNORED: Final = None
"""The row of a fact that changes nothing in a state."""

_LETTERS: Final = {state.name[0]: state for state in State}

# Fact, handler, and by state (OFFLINE, UPCOMING, WAITING, PLAYING, ENDING, FINISHED) the initials
# of every state that may follow; - is IGNORED.
_ROWS: Final[tuple[tuple[type[Fact], _Handler, str], ...]] = (
    #                                                OFF     UP       WAIT    PLAY    END    FIN
    (Welcomed, Machine._welcomed,                   "UWPEF   UWPEF    UWPEF   UWPEF   UWPEF  -"),
    (Disconnected, Machine._disconnected,           "-       O        O       O       OF     -"),
    (ElementPublished, Machine._element_told,       "-       U        WP      WP      EF     -"),
    (ElementUpdated, Machine._element_told,         "-       U        WP      WP      EF     -"),
    (ElementStateChanged, Machine._state_changed,   "-       U        WP      WP      EF     -"),
    (ElementRevoked, Machine._revoked,              "-       U        W       WP      EF     -"),
    (ResultsTold, Machine._results_told,            "-       U        W       P       EF     -"),
    (EventStateChanged, Machine._event_state_changed, "-     UWPEF    UWEF    UPEF    UWPEF  -"),
    (EventUpdated, Machine._nothing,                "-       -        -       -       -      -"),
    (AnswerAccepted, Machine._answer_accepted,      "OF      U        W       P       EF     -"),
    (AnswerRefused, Machine._answer_refused,        "OF      U        W       P       EF     -"),
    (FrameSkipped, Machine._frame_skipped,          "OF      U        W       P       EF     -"),
    (ActiveChanged, Machine._active_changed,        "OF      U        W       P       EF     -"),
    (VoteHeldBack, Machine._held_back,              "OF      U        W       P       EF     -"),
    (TimePassed, Machine._nothing,                  "OF      U        W       P       EF     -"),
)  # fmt: skip


def _table() -> Mapping[State, Mapping[type[Fact], Row | None]]:
    table: dict[State, dict[type[Fact], Row | None]] = {state: {} for state in State}
    for fact, handler, columns in _ROWS:
        for state, letters in zip(State, columns.split(), strict=True):
            to = frozenset(_LETTERS[letter] for letter in letters if letter != "-")
            table[state][fact] = Row(handler, to) if to else IGNORED
    return table


TABLE: Final = _table()
"""state -> fact -> row; total: a fact that is ignored in a state is listed as ignored."""
