"""The way back: from the results of the hidden poll to the players of each round.

Pure values and one small book-keeper, `Counts`, that a machine keeps per player.
"""

from __future__ import annotations

from dataclasses import dataclass

from .elements import Element
from .rounds import Progress, is_repeatable, spread_of
from .sampling import estimate, interval

__all__ = ["Counts", "RoundCount", "Tally", "unknown_count"]

SETTLED_AFTER_S = 1.0
"""Beyond the spread: the longest that an undisturbed vote and its tally take (rule 8)."""


@dataclass(frozen=True, slots=True)
class RoundCount:
    """How many players are in a round: those who were there before its trivia.

    For example:

    ```python
    count = counter.latest
    if count is not None and count.players is not None:
        print(f"{count.players:,} players are in round {count.round}")
    ```
    """

    round: int
    """The round, counted from 1; trivia k is played in round k."""
    players: int | None
    """The player count; None when there is none to tell (no poll, results hidden, no votes).

    Where only a sample of the players votes, an estimate: votes / sample_rate, rounded.
    """
    votes: int
    """The highest tally that the platform told for the round's option."""
    low: int
    """The lower bound of the players that the tally stands for: of a sample, to 95 %."""
    high: int | None
    """The upper bound; None while not settled, or when votes may be missing."""
    sample_rate: float
    """The share of players that vote, 0 < rate <= 1."""
    settled: bool
    """Whether the tally is believed complete (rule 8)."""
    as_of: float | None
    """When the tally was told: the client's monotonic clock, seconds; None before any."""


def unknown_count(round_: int, sample_rate: float) -> RoundCount:
    """Make the count of a round that nothing is known of yet."""
    return RoundCount(round_, None, 0, 0, None, sample_rate, settled=False, as_of=None)


@dataclass(frozen=True, slots=True)
class Tally:
    """The results of one poll, as far as the platform told them."""

    votes: tuple[int, ...]
    """Votes per option, in option order."""
    final: bool
    """Whether the poll's final results have come."""
    as_of: float
    """When results were last told: the client's monotonic clock, seconds."""

    def told(self, votes: tuple[int, ...], *, final: bool, now: float) -> Tally:
        """Take in results told later.

        The tallies of an open poll only grow, so a lower number comes from a lagging edge and is
        ignored; the first final results replace what was told before (rule 7).
        """
        first_final = final and not self.final
        if not first_final and votes != self.votes:
            votes = tuple(map(max, self.votes, votes))
        return Tally(votes, final or self.final, now)


@dataclass(slots=True)
class _Book:
    """What the count of one round is read from."""

    held_at: float
    """When this client first held the round, with the poll that counts it."""
    poll_id: str | None = None
    """The poll that counts the round; kept once the round is over and counted (rule 6)."""
    poll: Element | None = None
    """That poll, as it was read last."""
    option: int = 0
    complete: bool = False
    """Whether every vote for that poll arrives in the end (rule 8)."""
    settles_at: float = 0.0
    """When the spread and a second have passed."""
    finished_at: float | None = None
    """Since when the round's trivia is held finished."""


class Counts:
    """The tallies held, and for every round which of them counts it.

    Args:
        acknowledges: whether the transport tells if an answer was accepted.
        spread_s: the spread of a poll that names none, seconds.
    """

    __slots__ = ("_acknowledges", "_books", "_closed", "_spread_s", "tallies")

    def __init__(self, *, acknowledges: bool, spread_s: float) -> None:
        self.tallies: dict[str, Tally] = {}
        """Poll id -> its results so far; kept when the poll is gone."""
        self._books: dict[int, _Book] = {}
        self._closed = 0  # the books of so many rounds, over and counted, stay as they are
        self._acknowledges = acknowledges
        self._spread_s = spread_s

    def tell(self, poll_id: str, votes: tuple[int, ...], *, final: bool, now: float) -> bool:
        """Take in results of a hidden poll; returns whether another may count a round now.

        As long as a tally only grows it is the poll that counted it before, and there is no need
        to `keep` the books.
        """
        held = self.tallies.get(poll_id)
        if held is None or len(held.votes) != len(votes):  # a poll whose options were changed
            self.tallies[poll_id] = Tally(votes, final, now)
        else:
            self.tallies[poll_id] = held.told(votes, final=final, now=now)
            if not final:
                return False
        self._closed = 0
        return True

    @property
    def told_at(self) -> float | None:
        """When results were last told; None before any."""
        return max((tally.as_of for tally in self.tallies.values()), default=None)

    def all_final(self, progress: Progress) -> bool:
        """Tell whether every hidden poll present has its final results; true without a poll."""
        held = (self.tallies.get(poll.id) for poll in progress.polls)
        return all(tally is not None and tally.final for tally in held)

    def keep(self, progress: Progress, now: float, *, since: float, live: bool) -> None:
        """Keep the books after a change of progress: which option of which poll counts a round.

        A round gets a book when there is a poll for it or its trivia is open: before that there
        is nothing to tell, so that a show ends quietly. A round that is over keeps the poll that
        counted it; while not `live`, a round is not begun.

        Args:
            progress: how far the show is.
            now: seconds.
            since: when the present round was first held, with the poll it has now.
            live: whether the client is connected to an active event.
        """
        self._closed = min(self._closed, progress.round - 1)
        for round_ in range(self._closed + 1, progress.round + live):
            book = self._books.get(round_)
            present = round_ == progress.round
            counted = book is not None and not present and self._votes(book) > 0
            found = None if counted else progress.poll_for(round_)
            held_at = since if present else now
            if book is None:
                if found is None and not (present and progress.opened):
                    continue
                book = self._books[round_] = _Book(held_at)
            if found is not None:
                poll, book.option = found
                if book.poll is not poll:
                    self._read(book, poll, held_at)
            elif present:
                book.poll_id = book.poll = None
            if present:
                book.finished_at = None
            else:
                if book.finished_at is None:
                    book.finished_at = now
                if counted and self._closed == round_ - 1:
                    self._closed = round_

    def _read(self, book: _Book, poll: Element, held_at: float) -> None:
        """Read what counts a round, and until when, from its poll."""
        if book.poll_id != poll.id:
            book.poll_id, book.held_at = poll.id, held_at  # its votes begin to come now
        book.poll = poll
        book.complete = is_repeatable(poll, acknowledges=self._acknowledges)
        spread_s = spread_of(poll, self._spread_s)
        book.settles_at = book.held_at + spread_s + SETTLED_AFTER_S

    def begin(self, round_: int, since: float) -> None:
        """Open a round's book, if there is none: the round was reported."""
        self._books.setdefault(round_, _Book(since))

    def count(self, progress: Progress, round_: int, now: float) -> RoundCount | None:
        """The count of a round as it stands at `now`; None for a round without a book."""
        book = self._books.get(round_)
        if book is None:
            return None
        rate = progress.rates.get(book.poll_id or "", 1.0)
        tally = self.tallies.get(book.poll_id or "")
        if tally is None or book.option >= len(tally.votes):
            return unknown_count(round_, rate)
        votes = tally.votes[book.option]
        settled = (
            tally.final
            or (book.finished_at is not None and tally.as_of >= book.finished_at)
            or now >= book.settles_at
        )
        # A waiting round may have no players yet; a playing or past one without votes was not
        # counted (rule 1), nor will be one whose poll was closed before it began (rule 6).
        known = votes > 0 or (
            round_ == progress.round and not progress.opened and self._open(progress, book)
        )
        low, high = interval(votes, rate)
        return RoundCount(
            round=round_,
            players=estimate(votes, rate) if known else None,
            votes=votes,
            low=low,
            high=high if known and settled and book.complete else None,
            sample_rate=rate,
            settled=settled,
            as_of=tally.as_of,
        )

    def history(self, progress: Progress, now: float) -> dict[int, RoundCount]:
        """The counts of the rounds so far, round -> count, as they stand at `now`.

        Every round that is over is there, and the present one if it has a book.
        """
        history = {r: unknown_count(r, 1.0) for r in range(1, progress.round)}
        for round_ in range(1, progress.round + 1):
            count = self.count(progress, round_, now)
            if count is not None:
                history[round_] = count
        return history

    def _votes(self, book: _Book) -> int:
        tally = self.tallies.get(book.poll_id or "")
        known = tally is not None and book.option < len(tally.votes)
        return tally.votes[book.option] if tally is not None and known else 0

    def _open(self, progress: Progress, book: _Book) -> bool:
        poll = progress.elements.get(book.poll_id or "")
        return poll is not None and poll.state == "opened"
