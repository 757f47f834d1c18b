"""Where a show stands, and what that means to everybody who is there: worked out once.

A `Standing` follows from a `Progress` alone. All machines that hold the same progress share one,
with the commands that they will ask for: so a crowd of a million costs little more than one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, TypeAlias, get_args

from .commands import CastVote, Remember, ReportCount, Warn
from .counts import unknown_count
from .elements import SAMPLE_RATE_FIELD, Element, EventState
from .rounds import Progress, is_repeatable, sample_rate_of, spread_of

__all__ = ["Ballot", "Standing", "State"]


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

    __hash__ = object.__hash__  # there is one of each, and TABLE is asked at every call


class Ballot:
    """One option of a hidden poll, voted for in a round, and the commands to do so.

    Attributes:
        poll_id: the hidden poll.
        option: the option, 0-based.
        option_bit: the option as a bit.
        round: the round; 0 for a vote cast by an earlier machine, which did not say.
        first: the commands to cast it the first time.
        again: the commands to cast it once more.
        answered: the commands when it was answered.
    """

    __slots__ = ("again", "answered", "first", "option", "option_bit", "poll_id", "round")

    def __init__(self, poll_id: str, option: int, round_: int) -> None:
        self.poll_id = poll_id
        self.option = option
        self.option_bit = 1 << option
        self.round = round_
        cast = CastVote(poll_id, option)
        self.first = Remember(poll_id, option), cast
        self.again = (cast,)
        self.answered = (Remember(poll_id, option, answered=True),)


_Warning: TypeAlias = tuple[object, Warn]
"""What it is about, so that it is told once; and the warning."""


@dataclass(slots=True, eq=False)
class Standing:
    """What follows from a progress for whoever is connected, or for whoever is not."""

    state: State
    """The state of a counter that is not finished."""
    live: bool
    """Whether the counter is connected and the event active."""
    over: bool
    """Whether the event is finished."""
    round: int
    """The round that the show is in."""
    round_bit: int
    """The round as a bit."""
    waiting_bit: int
    """The round as a bit while it waits; else 0."""
    playing: int
    """The round while it is played; else 0."""
    choice: tuple[str, int] | None
    """The round's hidden poll and its option in it; None without an open poll for it."""
    ballot: Ballot | None
    """What is voted for now, while `live`: the choice."""
    limited: bool
    """Whether that poll takes one vote of each: where answers come, a vote may be repeated."""
    spread_s: float | None
    """The seconds over which its votes are spread; None where it names none."""
    sample_rate: float
    """The share of players that vote in it."""
    counted: bool
    """Whether there is a count to tell: there is a poll for the round, or its trivia is open."""
    uncounted: _Warning | None
    """That no poll counts the trivia that is open."""
    held: tuple[int, str | None]
    """The round and its poll: what a count's time is reckoned from, when first held (rule 8)."""
    told: tuple[int, int | None]
    """The round and its players, without results."""
    report: tuple[ReportCount]
    """The command to report the round, without results."""
    warnings: tuple[_Warning, ...]
    """What the producer spoilt."""
    spoilt: bool
    """Whether there is anything to warn of."""

    def is_past(self, ballot: Ballot) -> bool:
        """Tell whether it is too late to cast a ballot (rules 2 and 12).

        So it is when its option is now that of another round, for which it was not due.
        """
        moved = ballot.round != self.round and (ballot.poll_id, ballot.option) == self.choice
        return self.over or ballot.round < self.round or moved

    @classmethod
    def of(cls, progress: Progress, before: Standing | None = None) -> Standing:
        """Give the one standing of a progress, for whoever is connected.

        What of the round is as it was in the standing `before` is the very same object, so that
        a machine sees at a glance that it is, and nothing is made twice.
        """
        known: Standing | None = progress.memo.get(cls)
        if known is None:
            known = progress.memo[cls] = cls._of(progress, before)
        return known

    @classmethod
    def offline(cls, progress: Progress) -> Standing:
        """Give the one standing of a progress, for whoever is not connected."""
        known: Standing | None = progress.memo.get(State.OFFLINE)
        if known is None:
            known = progress.memo[State.OFFLINE] = replace(
                cls.of(progress),
                state=State.OFFLINE,
                live=False,
                ballot=None,
                waiting_bit=0,
                playing=0,
                counted=False,
                uncounted=None,
                warnings=(),
                spoilt=False,
            )
        return known

    @classmethod
    def _of(cls, progress: Progress, before: Standing | None) -> Standing:
        event, round_ = progress.event_state, progress.round
        state, live = _STATES[event, progress.opened > 0], event == "active"
        poll, option = progress.poll_for(round_) or (None, 0)
        rate = 1.0 if poll is None else progress.rates[poll.id]
        choice = (poll.id, option) if poll is not None and poll.state == "opened" else None
        held = round_, None if poll is None else poll.id
        kept = before  # as long as it is the same round, and the same vote
        if kept is not None and (kept.held, kept.choice, kept.sample_rate) != (held, choice, rate):
            kept = None
        ballot = None if kept is None else kept.ballot
        if not live or choice is None:
            ballot = None
        elif ballot is None:
            ballot = Ballot(*choice, round_)
        playing = round_ if state is State.PLAYING else 0
        uncounted = None
        if playing and not choice:
            uncounted = ("no_poll", round_), Warn("no_poll", _NO_POLL.format(round_))
        warnings = tuple(_warnings(progress, poll)) if live else ()
        return cls(
            state=state,
            live=live,
            over=event == "finished",
            round=round_,
            round_bit=1 << round_,
            waiting_bit=1 << round_ if state is State.WAITING else 0,
            playing=playing,
            choice=choice,
            ballot=ballot,
            limited=poll is not None and is_repeatable(poll, acknowledges=True),
            spread_s=None if poll is None else spread_of(poll, None),
            sample_rate=rate,
            counted=live and (poll is not None or playing > 0),
            uncounted=uncounted,
            held=kept.held if kept else held,
            told=kept.told if kept else (round_, None),
            report=kept.report if kept else (ReportCount(unknown_count(round_, rate)),),
            warnings=warnings,
            spoilt=uncounted is not None or bool(warnings),
        )


# Looked up once: finding a member of an enumeration is slow.
_STATES: Final = {
    (event, playing): {
        "upcoming": State.UPCOMING,
        "active": State.PLAYING if playing else State.WAITING,
        "finished": State.ENDING,
    }[event]
    for event in get_args(EventState)
    for playing in (False, True)
}


def _warnings(progress: Progress, present: Element | None) -> list[_Warning]:
    warnings: list[_Warning] = [
        (
            ("sample_rate", poll.id),
            Warn("sample_rate", _RATE.format(poll.custom_fields[SAMPLE_RATE_FIELD])),
        )
        for poll in progress.polls
        if sample_rate_of(poll) is None
    ]
    if present is not None and present.reveal_results_mode not in {None, "vote"}:
        told = Warn("results_hidden", _HIDDEN.format(present.reveal_results_mode))
        warnings.append((("results_hidden", ""), told))
    return warnings


_NO_POLL = (
    "no poll for round {0}: its trivia was published without an open hidden poll that has an "
    "option for it, so the round is not counted; publish a hidden poll for the rounds to come"
)
_RATE = (
    "the sample rate of a hidden poll, {0!r}, is no number above 0 and up to 1: the poll keeps the "
    "rate it was first seen with, which is 1 where none was read, so that everybody votes; "
    "publish a new poll with a rate that can be read"
)
_HIDDEN = (
    "the results of the hidden poll are hidden by its reveal_results_mode {0!r}: votes are cast, "
    "but there is no player count to show; make the poll with 'vote'"
)
