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
same after every fact: what it means for the player's vote (`_vote`), and what the app is told of it
(`_report`). What follows from the progress of the show alone is in `standing.py`, shared by all
machines that hold the same progress. If nothing changed, a vote may still be due by now (`_cast`).
The rules are numbered as in the README's counting rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from .commands import Command, Remember, RememberRate, ReportCount, Skip
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

_LONG_AGO: Final = float("-inf")
_Commands: TypeAlias = tuple[Command, ...]


class _Vote(NamedTuple):
    """A vote on its way: due (not cast yet), or cast and not answered."""

    ballot: Ballot
    at: float
    """When to cast it, or to repeat it."""
    casts: int
    """How often it was handed over; 0 while due."""
    not_before: float
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
        "_acknowledges", "_aside", "_at", "_ballot", "_casts", "_connected", "_counts", "_draw",
        "_ends_at", "_held", "_not_before", "_player_id", "_rates", "_sampled_out", "_seen",
        "_settled", "_since", "_spread_s", "_standing", "_told", "_untold", "_voted", "_warned",
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
        self._sampled_out = ""  # the poll that this player was found not to vote in
        self._rates: Mapping[str, float] = _NO_RATES  # poll id -> sample rate, as remembered
        self._counts: Counts | None = None  # from the first results on

        # The votes on their way. One is in hand, as the fields of a `_Vote`: the present round's,
        # if that is on its way. Few players ever have others.
        self._ballot: Ballot | None = None  # None: none is in hand
        self._at = 0.0
        self._casts = 0
        self._not_before = _LONG_AGO
        self._aside: tuple[_Vote, ...] = ()  # the others

        # The progress for which `deadline` and all below was worked out; None: do it again.
        self._settled: Progress | None = None
        self._standing = _NOWHERE
        self._held: tuple[int, str | None] = _NOTHING_HELD  # the round last live, and its poll
        self._since = 0.0  # since when
        self._told: tuple[int, int | None] | None = None
        self._untold = False  # results have come since
        self._warned: frozenset[object] = frozenset()
        self._ends_at: float | None = None
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
            ballot = Ballot(poll_id, option, 0)
            self._voted[poll_id] = self._voted.get(poll_id, 0) | ballot.option_bit
            if not answered:
                self._aside += (_Vote(ballot, at=_LONG_AGO, casts=1, not_before=_LONG_AGO),)
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
        commands = row.handler(self, fact, now)
        if self._settled is not self.progress:
            return commands + self._settle(now)
        if self._ballot is not None and self.deadline is not None and now >= self.deadline:
            commands += self._cast(self._ballot, now)
        if self._untold:
            self._untold = False
            commands += self._report(now)
        return commands

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

    def _welcomed(self, fact: Welcomed, now: float) -> _Commands:
        self._connected, self._settled = True, None
        self.progress = self.progress.with_welcome(
            fact.elements, fact.rev, fact.event_state, fact.event_rev
        )
        skips: _Commands = ()
        for results in fact.results:
            skips += self._results_told(results, now)
        return skips

    def _disconnected(self, _fact: Disconnected, now: float) -> _Commands:
        self._connected, self._settled = False, None
        # Repeated at once after the reconnect (rule 5), but for what `busy` asks.
        self._lay_aside()
        self._aside = tuple(
            vote._replace(at=min(vote.at, max(now, vote.not_before))) if vote.casts else vote
            for vote in self._aside
        )
        return ()

    def _element_told(self, fact: ElementPublished | ElementUpdated, _now: float) -> _Commands:
        before = self.progress
        self.progress = before.with_element(fact.element)
        if self.progress is not before:
            return ()
        return (Skip("too_many" if before.is_full_for(fact.element.id) else "old_rev"),)

    def _state_changed(self, fact: ElementStateChanged, _now: float) -> _Commands:
        before = self.progress
        self.progress = before.with_state(fact.element_id, fact.state, fact.rev)
        if self.progress is not before:
            return ()
        return (Skip("unknown_element" if fact.rev is None else "old_rev"),)

    def _revoked(self, fact: ElementRevoked, _now: float) -> _Commands:
        before = self.progress
        self.progress = before.without(fact.element_id, fact.rev)
        return () if self.progress is not before else (Skip("old_rev"),)

    def _results_told(self, fact: ResultsTold, now: float) -> _Commands:
        poll = self.progress.elements.get(fact.element_id)
        if poll is None:
            return (Skip("unknown_element"),)
        if not self.progress.recognise.is_hidden(poll):
            return ()
        if len(fact.votes) != len(poll.options):
            return (Skip("results_length"),)
        if self._counts is None:
            self._counts = self._new_counts()
        if self._counts.tell(poll.id, fact.votes, final=fact.final, now=now):
            self._settled = None
        self._untold = True
        return ()

    def _event_state_changed(self, fact: EventStateChanged, _now: float) -> _Commands:
        self.progress = self.progress.with_event(fact.state, fact.rev)
        return ()

    def _answer_accepted(self, fact: AnswerAccepted | AnswerRefused, _now: float) -> _Commands:
        ballot = self._take(fact.element_id, fact.option)
        if ballot is None or not self._casts:
            return ()
        self._ballot = self.deadline = None
        self.votes_accepted += 1
        return ballot.answered

    def _answer_refused(self, fact: AnswerRefused, now: float) -> _Commands:
        if fact.reason == "already_voted":
            return self._answer_accepted(fact, now)
        ballot = self._take(fact.element_id, fact.option)
        if ballot is None or not self._casts:
            return ()
        poll = self.progress.elements.get(fact.element_id)
        if fact.reason == "busy" and poll is not None and self._repeats(poll):
            told = fact.retry_after_s
            again = self._repeat_at(now) if told is None else now + max(told, BUSY_S_MIN)
            self._at = self._not_before = again
            self._settled = None
            return ()
        self._ballot = self.deadline = None
        self.votes_refused += 1
        return ballot.answered

    def _active_changed(self, fact: ActiveChanged, _now: float) -> _Commands:
        self.active, self._settled = fact.active, None
        if not fact.active:
            self._seen = 0
            self._lay_aside()
            self._aside = tuple(vote for vote in self._aside if vote.casts)
        return ()

    def _held_back(self, fact: VoteHeldBack, now: float) -> _Commands:
        """What was not written down was not cast: it is due again, and lapses like any other."""
        ballot = self._take(fact.element_id, fact.option)
        if ballot is not None and self._casts:
            self._voted[fact.element_id] &= ~ballot.option_bit
            self._casts, self._at, self._settled = 0, now + WRITE_AGAIN_S, None
            if not self.active:  # as if it had become inactive now (rule 11)
                self._ballot = None
        return ()

    def _frame_skipped(self, fact: FrameSkipped, _now: float) -> _Commands:
        return (Skip(fact.reason),)

    def _nothing(self, _fact: Fact, _now: float) -> _Commands:
        """Nothing is held anew; but a vote may be due by now."""
        return ()

    # What follows from what is held, when it has changed

    def _settle(self, now: float) -> _Commands:
        """Work out anew where the counter stands, and what is to be voted and told."""
        before, progress = self._standing, self.progress
        if self._connected:  # in a crowd another machine has most often been here before
            standing = progress.memo.get(Standing) or Standing.of(progress, before)
        else:
            standing = Standing.offline(progress)
        self._settled, self._standing, self.state = progress, standing, standing.state
        self.deadline = None
        on_its_way = self._ballot is not None or self._aside
        if on_its_way:
            self._lapse(standing)
        if standing.over:
            self._end(now)
        else:
            self._ends_at = None
        if standing.held is not self._held and standing.live:
            if standing.held != self._held:
                self._since = now
            self._held = standing.held
        if self._counts is not None:
            self._counts.keep(progress, now, since=self._since, live=standing.live)
        commands: _Commands = () if self._rates is progress.rates else self._keep_rates()
        # With none on its way, a vote falls due only where the round is seen or its ballot is new.
        may_vote = on_its_way or standing.waiting_bit or standing.ballot is not before.ballot
        if may_vote and self.active:
            commands += self._vote(now)
        if standing.told is not self._told or self._counts is not None:
            self._untold = False
            commands += self._report(now)
        if standing.spoilt:
            commands += self._warn(now, before)
        return commands

    def _lapse(self, standing: Standing) -> None:
        """Due votes lapse when their round or the event is over (rules 2 and 12)."""
        if self._ballot is not None and not self._casts and standing.is_past(self._ballot):
            self._ballot = None
            self.votes_lapsed += 1
        if self._aside:
            before = self._aside
            self._aside = tuple(v for v in before if v.casts or not standing.is_past(v.ballot))
            self.votes_lapsed += len(before) - len(self._aside)

    def _end(self, now: float) -> None:
        """A finished event is left with the final results, or after a while (rule 12)."""
        if self._ends_at is None:
            self._ends_at = now + ENDING_S
        final = self._counts is not None and self._counts.all_final(self.progress)
        if final or not self.progress.polls or now >= self._ends_at:
            self.state, self._ends_at = _FINISHED, None
        else:
            self.deadline, self._settled = self._ends_at, None  # until then, look at every fact

    def _keep_rates(self) -> _Commands:
        """Have the sample rates of new polls remembered; of those where everybody votes, none."""
        before, self._rates = self._rates, self.progress.rates
        return tuple(
            RememberRate(poll_id, rate)
            for poll_id, rate in self._rates.items()
            if rate != 1.0 and poll_id not in before
        )

    def _vote(self, now: float) -> _Commands:
        """See the round, let its vote fall due, and cast it when its time has come (rule 2)."""
        standing = self._standing
        self._seen |= standing.waiting_bit
        ballot = standing.ballot
        if ballot is None:
            return ()
        on_its_way = self._ballot is not None or self._aside
        if not on_its_way or not self._take(ballot.poll_id, ballot.option):
            if not self._is_due(ballot, standing):
                return ()
            if self._ballot is not None:
                self._lay_aside()
            spread_s = self._spread_s if standing.spread_s is None else standing.spread_s
            self._at = now + self._draw() * spread_s
            self._ballot, self._casts, self._not_before = ballot, 0, _LONG_AGO
            self.votes_due += 1
        elif self._casts and not (standing.limited and self._acknowledges):
            return ()  # cast, and never again
        if now >= self._at:
            return self._cast(ballot, now)
        self.deadline = self._at
        return ()

    def _is_due(self, ballot: Ballot, standing: Standing) -> bool:
        """Tell whether the player has seen the round, has not voted in it, and is to vote."""
        return (
            self._seen & standing.round_bit != 0
            and not self._voted.get(ballot.poll_id, 0) & ballot.option_bit
            and (
                standing.sample_rate == 1.0
                or not self._sits_out(ballot.poll_id, standing.sample_rate)
            )
        )

    def _cast(self, ballot: Ballot, now: float) -> _Commands:
        """Cast the vote in hand, for the first time or again."""
        casts = self._casts
        self._at = self._repeat_at(now)
        self._casts = casts + 1
        self.deadline = self._at if self._standing.limited and self._acknowledges else None
        if casts:
            return ballot.again
        voted, poll_id = self._voted, ballot.poll_id
        voted[poll_id] = voted.get(poll_id, 0) | ballot.option_bit
        return ballot.first

    def _sits_out(self, poll_id: str, sample_rate: float) -> bool:
        """Tell whether this player is not in the sample that votes (rule 9)."""
        if poll_id == self._sampled_out:
            return True
        if is_sampled(poll_id, self._player_id, sample_rate):
            return False
        self._sampled_out = poll_id  # a hash takes as long as the rest of a call
        return True

    def _take(self, poll_id: str, option: int) -> Ballot | None:
        """Take the vote for an option in hand, if it is on its way; returns its ballot."""
        ballot = self._ballot
        if ballot is not None and ballot.option == option and ballot.poll_id == poll_id:
            return ballot
        for vote in self._aside:
            if vote.ballot.option == option and vote.ballot.poll_id == poll_id:
                self._lay_aside()
                self._aside = tuple(other for other in self._aside if other is not vote)
                self._ballot, self._at, self._casts, self._not_before = vote
                return self._ballot
        return None

    def _lay_aside(self) -> None:
        """Have no vote in hand; which of them should be is then found out anew."""
        if self._ballot is not None:
            vote = _Vote(self._ballot, self._at, self._casts, self._not_before)
            self._ballot, self._aside, self._settled = None, (*self._aside, vote), None

    def _repeats(self, poll: Element) -> bool:
        return is_repeatable(poll, acknowledges=self._acknowledges)

    def _repeat_at(self, now: float) -> float:
        casts, jitters_s = self._casts, REPEAT_JITTERS_S
        jitter_s = jitters_s[casts] if casts < len(jitters_s) else jitters_s[-1]
        return now + ANSWER_TIMEOUT_S + self._draw() * jitter_s

    # What the app is told

    def _report(self, now: float) -> _Commands:
        """Tell the app when the number or the round has changed."""
        standing = self._standing
        count = None if self._counts is None else self._count(now)
        if count is not None:
            if self._told == (standing.round, count.players):
                return ()
            self._told = standing.round, count.players
            return (ReportCount(count),)
        if not standing.counted:
            return ()
        before, self._told = self._told, standing.told
        return () if before == standing.told else standing.report

    def _warn(self, now: float, before: Standing) -> _Commands:
        """Tell the app what spoils the count, once of each."""
        standing, found = self._standing, self._standing.warnings
        if standing.uncounted is not None and standing.playing != before.playing:
            count = self._count(now)  # its trivia was published, or found open
            if count is None or not count.votes:
                found = (standing.uncounted, *found)
        new = tuple(each for each in found if each[0] not in self._warned)
        self._warned = self._warned.union(about for about, _ in new)
        return tuple(warning for _, warning in new)

    def _count(self, now: float) -> RoundCount | None:
        """The count of the present round, if results were told."""
        if self._counts is None:
            return None
        return self._counts.count(self.progress, self._standing.round, now)

    def _new_counts(self) -> Counts:
        return Counts(acknowledges=self._acknowledges, spread_s=self._spread_s)

    def _read(self, now: float) -> Counts:
        """The counts; who was never told results keeps none, and makes them when asked."""
        if self._counts is not None:
            return self._counts
        counts = self._new_counts()
        if self._told is not None:
            counts.begin(self._told[0], self._since)
        counts.keep(self.progress, now, since=self._since, live=self._standing.live)
        return counts


_NO_RATES: Final[Mapping[str, float]] = {}
_NOTHING_HELD: Final = 0, None
_NOWHERE: Final = Standing.offline(Progress(Recognise()))  # before anything was told

# Looked up once: finding a member of an enumeration is slow.
_OFFLINE, _FINISHED = State.OFFLINE, State.FINISHED
_TIME_PASSED = TimePassed()

_Handler: TypeAlias = Callable[[Machine, Any, float], _Commands]


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
