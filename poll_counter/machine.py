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

A fact changes what is held first; `_settle` then works out what follows, the same after every
fact. The rules are numbered as in the README's counting rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from .commands import CastVote, Command, Remember, ReportCount, Skip, Warn, WarningKind
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
    Welcomed,
)
from .rounds import Progress, is_repeatable, spread_of

__all__ = ["IGNORED", "TABLE", "Machine", "Row", "State"]

ANSWER_TIMEOUT_S = 5.0
"""A vote without an answer is repeated no sooner than this (rule 5)."""
REPEAT_JITTER_S = 5.0
"""After the timeout: full jitter up to this for the first repeat, doubled for each further."""
REPEAT_JITTER_S_MAX = 20.0
"""The most that the doubling leads to."""
BUSY_S_MIN = 1.0
"""A busy platform is left alone at least this long, whatever it says."""
ENDING_S = 10.0
"""How long a finished event's final results are waited for (rule 12)."""
DEFAULT_SPREAD_S = 3.0
"""The spread for a poll that names none (rule 10)."""


class State(Enum):
    """Where the counter stands.

    For example:

    ```python
    if counter.state is State.OFFLINE:
        print("connecting...")
    ```
    """

    OFFLINE = "offline"
    """No connection with a snapshot; the transport is at work on one."""
    UPCOMING = "upcoming"
    """Connected; the event has not begun."""
    WAITING = "waiting"
    """Connected, the event active, no trivia open: the waiting phase of a round."""
    PLAYING = "playing"
    """Connected, the event active, a trivia open."""
    ENDING = "ending"
    """The event is over; its final results are still to come."""
    FINISHED = "finished"
    """Over for good: nothing more is cast or reported."""


@dataclass(slots=True)
class _Vote:
    """A vote on its way: due (not cast yet), or cast and not answered."""

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

    For example:

    ```python
    machine = Machine(draw=random.random)
    for fact in facts:
        for command in machine.receive(fact, now=time.monotonic()):
            carry_out(command)
    ```
    """

    __slots__ = (
        "_acknowledges", "_connected", "_counts", "_draw", "_ended", "_ends_at", "_kept_for",
        "_pending", "_playing", "_seen", "_spread_s", "_told", "_voted", "_warned",
        "active", "deadline", "progress", "state",
        "votes_accepted", "votes_due", "votes_lapsed", "votes_refused",
    )  # fmt: skip

    def __init__(
        self,
        *,
        draw: Callable[[], float],
        recognise: Recognise | None = None,
        remembered: Iterable[Remember] = (),
        acknowledges: bool = True,
        spread_s: float = DEFAULT_SPREAD_S,
    ) -> None:
        self.state: State = State.OFFLINE
        """Where the counter stands."""
        self.deadline: float | None = None
        """When to call `wake`, on the clock of `now`; None for never."""
        self.active: bool = True
        """Whether the player takes part; changed by the fact `ActiveChanged`."""
        self.progress: Progress = Progress(recognise or Recognise())
        """How far the show is."""
        self.votes_due: int = 0
        self.votes_accepted: int = 0
        self.votes_refused: int = 0
        self.votes_lapsed: int = 0

        self._draw = draw
        self._acknowledges = acknowledges
        self._spread_s = spread_s
        self._connected = False
        self._seen = 0  # one bit per round: a million machines fit into memory
        self._voted: dict[str, int] = {}  # poll id -> one bit per option cast, ever
        self._pending: dict[tuple[str, int], _Vote] = {}  # due, or cast and not answered
        self._counts = Counts(acknowledges=acknowledges, spread_s=spread_s)
        self._kept_for: Progress | None = None  # what the books were last kept for, while live
        self._told: tuple[int, int | None] | None = None
        self._playing = 0  # the round whose trivia is held open; 0 for none
        self._warned: set[tuple[WarningKind, int]] = set()
        self._ends_at: float | None = None
        self._ended = False
        for vote in sorted(remembered, key=lambda vote: vote.accepted):
            key = vote.poll_id, vote.option
            self._voted[vote.poll_id] = self._voted.get(vote.poll_id, 0) | 1 << vote.option
            if vote.accepted:
                self._pending.pop(key, None)
            else:
                self._pending[key] = _Vote(0, at=float("-inf"), casts=1)

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
        self._settle(now, out)
        self._report(now, out)
        return tuple(out)

    def wake(self, now: float) -> tuple[Command, ...]:
        """Let time pass: call it when `deadline` has come; earlier or later does no harm."""
        return self.receive(_TIME_PASSED, now)

    def history(self, now: float) -> dict[int, RoundCount]:
        """The counts of all rounds known, round -> count, as they stand at `now`."""
        return self._counts.history(self.progress, now)

    @property
    def told_at(self) -> float | None:
        """When results of a hidden poll were last told, on the clock of `now`."""
        return self._counts.told_at

    def latest(self, now: float) -> RoundCount | None:
        """The count that was last reported, as it stands at `now`; None before the first."""
        return None if self._told is None else self._counts.count(self.progress, self._told[0], now)

    # What a fact changes; the handlers that TABLE names

    def _welcomed(self, fact: Welcomed, now: float, out: list[Command]) -> None:
        self._connected = True
        self.progress = self.progress.with_snapshot(fact.elements, fact.rev).with_event(
            fact.event_state, fact.event_rev
        )
        for results in fact.results:
            self._results_told(results, now, out)

    def _disconnected(self, _fact: Disconnected, now: float, _out: list[Command]) -> None:
        self._connected = False
        for vote in self._pending.values():
            if vote.casts:
                # Repeated at once after the reconnect (rule 5), but for what `busy` asks.
                vote.at = min(vote.at, max(now, vote.not_before))

    def _element_told(
        self, fact: ElementPublished | ElementUpdated, _now: float, out: list[Command]
    ) -> None:
        if self.progress.is_old(fact.element.id, fact.element.rev):
            out.append(Skip("old_rev"))
        else:
            self.progress = self.progress.with_element(fact.element)

    def _state_changed(self, fact: ElementStateChanged, _now: float, out: list[Command]) -> None:
        if self.progress.is_old(fact.element_id, fact.rev):
            out.append(Skip("old_rev"))
        elif fact.element_id not in self.progress.elements:
            out.append(Skip("unknown_element"))
        else:
            self.progress = self.progress.with_state(fact.element_id, fact.state, fact.rev)

    def _revoked(self, fact: ElementRevoked, _now: float, out: list[Command]) -> None:
        if self.progress.is_old(fact.element_id, fact.rev):
            out.append(Skip("old_rev"))
        else:
            self.progress = self.progress.without(fact.element_id, fact.rev)

    def _results_told(self, fact: ResultsTold, now: float, out: list[Command]) -> None:
        poll = self.progress.elements.get(fact.element_id)
        if poll is None:
            out.append(Skip("unknown_element"))
        elif not self.progress.recognise.is_hidden(poll):
            return
        elif len(fact.votes) != len(poll.options):
            out.append(Skip("results_length"))
        else:
            self._counts.tell(poll.id, fact.votes, final=fact.final, now=now)

    def _event_state_changed(
        self, fact: EventStateChanged, _now: float, _out: list[Command]
    ) -> None:
        self.progress = self.progress.with_event(fact.state, fact.rev)

    def _answer_accepted(
        self, fact: AnswerAccepted | AnswerRefused, _now: float, out: list[Command]
    ) -> None:
        key = fact.element_id, fact.option
        vote = self._pending.get(key)
        if vote is not None and vote.casts:
            del self._pending[key]
            self.votes_accepted += 1
            out.append(Remember(*key, accepted=True))

    def _answer_refused(self, fact: AnswerRefused, now: float, out: list[Command]) -> None:
        key = fact.element_id, fact.option
        vote = self._pending.get(key)
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
            del self._pending[key]
            self.votes_refused += 1

    def _active_changed(self, fact: ActiveChanged, _now: float, _out: list[Command]) -> None:
        self.active = fact.active
        if not fact.active:
            self._seen = 0
            self._pending = {key: vote for key, vote in self._pending.items() if vote.casts}

    def _frame_skipped(self, fact: FrameSkipped, _now: float, out: list[Command]) -> None:
        out.append(Skip(fact.reason))

    def _nothing(self, _fact: Fact, _now: float, _out: list[Command]) -> None:
        """Nothing is held anew; `_settle` sees what is due by now."""

    # What follows from what is held

    def _settle(self, now: float, out: list[Command]) -> None:
        over = self.progress.event_state == "finished"
        self._lapse(over=over)
        if not over:
            self._ends_at = None
        else:
            self._end(now)
        self.state = self._state()
        live = self.state in _LIVE
        if self._kept_for is not self.progress or not live:
            self._kept_for = self.progress if live else None
            self._counts.keep(self.progress, now, live=live)
        self.deadline = self._ends_at
        if live and self.active:
            self._vote(now, out)

    def _lapse(self, *, over: bool) -> None:
        """Due votes lapse when their round or the event is over (rules 2 and 12)."""
        for key, vote in list(self._pending.items()):
            if not vote.casts and (over or vote.round <= self.progress.finished):
                del self._pending[key]
                self.votes_lapsed += 1

    def _end(self, now: float) -> None:
        """A finished event is left with the final results, or after a while (rule 12)."""
        if self._ends_at is None:
            self._ends_at = now + ENDING_S
        if self._counts.all_final(self.progress) or now >= self._ends_at:
            self._ended, self._ends_at = True, None

    def _state(self) -> State:
        if self._ended:
            return State.FINISHED
        if not self._connected:
            return State.OFFLINE
        if self.progress.event_state == "upcoming":
            return State.UPCOMING
        if self.progress.event_state == "finished":
            return State.ENDING
        return State.PLAYING if self.progress.opened else State.WAITING

    def _vote(self, now: float, out: list[Command]) -> None:
        """See the round, let its vote fall due, and cast it when its time has come (rule 2)."""
        round_ = self.progress.round
        if self.state is State.WAITING:
            self._seen |= 1 << round_
        found = self.progress.poll_for(round_)
        if found is None or found[0].state != "opened":
            return
        poll, option = found
        key = poll.id, option
        vote = self._pending.get(key)
        if vote is None:
            if not self._seen >> round_ & 1 or self._voted.get(poll.id, 0) >> option & 1:
                return
            spread_s = spread_of(poll, self._spread_s)
            vote = self._pending[key] = _Vote(round_, at=now + self._draw() * spread_s)
            self.votes_due += 1
        if vote.casts and not self._repeats(poll):
            return
        if now >= vote.at:
            if not vote.casts:
                self._voted[poll.id] = self._voted.get(poll.id, 0) | 1 << option
                out.append(Remember(poll.id, option))
            vote.at = self._repeat_at(vote, now)
            vote.casts += 1
            out.append(CastVote(poll.id, option))
        if not vote.casts or self._repeats(poll):
            self.deadline = vote.at

    def _repeats(self, poll: Element) -> bool:
        return is_repeatable(poll, acknowledges=self._acknowledges)

    def _repeat_at(self, vote: _Vote, now: float) -> float:
        jitter_s = min(REPEAT_JITTER_S_MAX, REPEAT_JITTER_S * 2.0 ** min(vote.casts, 8))
        return now + ANSWER_TIMEOUT_S + self._draw() * jitter_s

    # What the app is told

    def _report(self, now: float, out: list[Command]) -> None:
        """Tell the app when the number or the round has changed, and what spoils the count."""
        round_ = self.progress.round
        count = self._counts.count(self.progress, round_, now)
        if count is None:
            return
        if self._told != (round_, count.players):
            self._told = round_, count.players
            out.append(ReportCount(count))
        playing = round_ if self.state is State.PLAYING else 0
        if playing != self._playing:  # its trivia was published, or found open
            self._playing = playing
            if playing and not count.votes and not self._counts.poll_is_open(self.progress, round_):
                self._warn("no_poll", round_, _NO_POLL.format(round_), out)
        found = self.progress.poll_for(round_)
        if found is not None and found[0].reveal_results_mode not in {None, "vote"}:
            self._warn("results_hidden", 0, _HIDDEN.format(found[0].reveal_results_mode), out)

    def _warn(self, kind: WarningKind, about: int, text: str, out: list[Command]) -> None:
        if (kind, about) not in self._warned:
            self._warned.add((kind, about))
            out.append(Warn(kind, text))


_NO_POLL = (
    "no poll for round {0}: its trivia was published without an open hidden poll that has an "
    "option for it, so the round is not counted; publish a hidden poll for the rounds to come"
)
_HIDDEN = (
    "the results of the hidden poll are hidden by its reveal_results_mode {0!r}: votes are cast, "
    "but there is no player count to show; make the poll with 'vote'"
)
_TIME_PASSED = TimePassed()
_LIVE: Final = frozenset({State.WAITING, State.PLAYING})

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
