"""Where a show stands, and what that means to everybody who is there: worked out once.

A `Standing` follows from a `Progress` alone. All machines that hold the same progress share one,
with the commands that they will ask for: so a crowd of a million costs little more than one.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple, get_args

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
    """One option of a hidden poll, and the commands to vote for it."""

    __slots__ = ("answered", "cast", "key", "option_bit", "poll_id", "remember")

    def __init__(self, poll_id: str, option: int) -> None:
        self.poll_id = poll_id
        self.key = poll_id, option
        self.option_bit = 1 << option
        self.remember = Remember(poll_id, option)
        self.cast = CastVote(poll_id, option)
        self.answered = Remember(poll_id, option, answered=True)


class Standing(NamedTuple):
    """What follows from a progress for whoever is connected."""

    state: State
    """The state of a counter that is connected and not finished."""
    live: bool
    """Whether the event is active."""
    over: bool
    """Whether the event is finished."""
    round: int
    """The round that the show is in."""
    round_bit: int
    """The round as a bit."""
    ballot: Ballot | None
    """What is voted in the round; None without an open hidden poll for it."""
    limited: bool
    """Whether that poll takes one vote of each: where answers come, a vote may be repeated."""
    spread_s: float | None
    """The seconds over which its votes are spread; None where it names none."""
    sample_rate: float
    """The share of players that vote in it."""
    counted: bool
    """Whether there is a count to tell: there is a poll for the round, or its trivia is open."""
    held: tuple[int, str | None]
    """The round and its poll: what a count's time is reckoned from, when first held (rule 8)."""
    told: tuple[int, int | None]
    """The round and its players, without results."""
    report: ReportCount
    """The report of the round, without results."""
    warnings: tuple[tuple[str, Warn], ...]
    """What the producer spoilt, and of which poll."""

    @classmethod
    def of(cls, progress: Progress) -> Standing:
        """Give the one standing of a progress."""
        known: Standing | None = progress.memo.get(cls)
        if known is None:
            known = progress.memo[cls] = cls._of(progress)
        return known

    @classmethod
    def _of(cls, progress: Progress) -> Standing:
        event, round_ = progress.event_state, progress.round
        poll, option = progress.poll_for(round_) or (None, 0)
        rate = 1.0 if poll is None else progress.rates[poll.id]
        return cls(
            state=_STATES[event, progress.opened > 0],
            live=event == "active",
            over=event == "finished",
            round=round_,
            round_bit=1 << round_,
            ballot=Ballot(poll.id, option) if poll is not None and poll.state == "opened" else None,
            limited=poll is not None and is_repeatable(poll, acknowledges=True),
            spread_s=None if poll is None else spread_of(poll, None),
            sample_rate=rate,
            counted=poll is not None or progress.opened > 0,
            held=(round_, None if poll is None else poll.id),
            told=(round_, None),
            report=ReportCount(unknown_count(round_, rate)),
            warnings=tuple(_warnings(progress, poll)),
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


def _warnings(progress: Progress, present: Element | None) -> list[tuple[str, Warn]]:
    warnings = [
        (poll.id, Warn("sample_rate", _RATE.format(poll.custom_fields[SAMPLE_RATE_FIELD])))
        for poll in progress.polls
        if sample_rate_of(poll) is None
    ]
    if present is not None and present.reveal_results_mode not in {None, "vote"}:
        warnings.append(("", Warn("results_hidden", _HIDDEN.format(present.reveal_results_mode))))
    return warnings


_RATE = (
    "the sample rate of a hidden poll, {0!r}, is no number above 0 and up to 1: the poll keeps the "
    "rate it was first seen with, which is 1 where none was read, so that everybody votes; "
    "publish a new poll with a rate that can be read"
)
_HIDDEN = (
    "the results of the hidden poll are hidden by its reveal_results_mode {0!r}: votes are cast, "
    "but there is no player count to show; make the poll with 'vote'"
)
