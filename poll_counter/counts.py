"""The way back: from the results of the hidden poll to the players of each round.

Pure values and one small book-keeper, `Counts`, that a machine keeps per player.
"""

from __future__ import annotations

from dataclasses import dataclass

from .rounds import Progress, is_repeatable, spread_of

__all__ = ["Counts", "RoundCount", "Tally"]

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
    """The player count; None when there is none to tell (no poll, results hidden, no votes)."""
    votes: int
    """The highest tally that the platform told for the round's option."""
    low: int
    """The lower bound of the players that the tally stands for."""
    high: int | None
    """The upper bound; None while not settled, or when votes may be missing."""
    sample_rate: float
    """The share of players that vote, 0 < rate <= 1."""
    settled: bool
    """Whether the tally is believed complete (rule 8)."""
    as_of: float | None
    """When the tally was told: the client's monotonic clock, seconds; None before any."""


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

    __slots__ = ("_acknowledges", "_books", "_spread_s", "tallies")

    def __init__(self, *, acknowledges: bool, spread_s: float) -> None:
        self.tallies: dict[str, Tally] = {}
        """Poll id -> its results so far; kept when the poll is gone."""
        self._books: dict[int, _Book] = {}
        self._acknowledges = acknowledges
        self._spread_s = spread_s

    def tell(self, poll_id: str, votes: tuple[int, ...], *, final: bool, now: float) -> None:
        """Take in results of a hidden poll."""
        held = self.tallies.get(poll_id)
        if held is None or len(held.votes) != len(votes):  # a poll whose options were changed
            self.tallies[poll_id] = Tally(votes, final, now)
        else:
            self.tallies[poll_id] = held.told(votes, final=final, now=now)

    @property
    def told_at(self) -> float | None:
        """When results were last told; None before any."""
        return max((tally.as_of for tally in self.tallies.values()), default=None)

    def all_final(self, progress: Progress) -> bool:
        """Tell whether every hidden poll present has its final results; true without a poll."""
        is_hidden = progress.recognise.is_hidden
        polls = (element for element in progress.elements.values() if is_hidden(element))
        held = (self.tallies.get(poll.id) for poll in polls)
        return all(tally is not None and tally.final for tally in held)

    def keep(self, progress: Progress, now: float, *, live: bool) -> None:
        """Keep the books after a change of progress: which option of which poll counts a round.

        A round gets a book when there is a poll for it or its trivia is open: before that there
        is nothing to tell, so that a show ends quietly. A round that is over keeps the poll that
        counted it; while not `live`, a round is not begun.
        """
        for round_ in range(1, progress.round + live):
            found = progress.poll_for(round_)
            present = round_ == progress.round
            book = self._books.get(round_)
            if book is None:
                if found is None and not (present and progress.opened):
                    continue
                book = self._books[round_] = _Book(held_at=now)
            elif not present and book.poll_id in self.tallies:
                found = None
            if found is not None:
                poll, book.option = found
                if book.poll_id != poll.id:
                    book.poll_id, book.held_at = poll.id, now  # its votes begin to come now
                book.complete = is_repeatable(poll, acknowledges=self._acknowledges)
                spread_s = spread_of(poll, self._spread_s)
                book.settles_at = book.held_at + spread_s + SETTLED_AFTER_S
            elif present:
                book.poll_id = None
            if present:
                book.finished_at = None
            elif book.finished_at is None:
                book.finished_at = now

    def count(self, progress: Progress, round_: int, now: float) -> RoundCount | None:
        """The count of a round as it stands at `now`; None for a round without a book."""
        book = self._books.get(round_)
        if book is None:
            return None
        tally = self.tallies.get(book.poll_id or "")
        if tally is None or book.option >= len(tally.votes):
            return RoundCount(round_, None, 0, 0, None, 1.0, settled=False, as_of=None)
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
        return RoundCount(
            round=round_,
            players=votes if known else None,
            votes=votes,
            low=votes,
            high=votes if known and settled and book.complete else None,
            sample_rate=1.0,
            settled=settled,
            as_of=tally.as_of,
        )

    def history(self, progress: Progress, now: float) -> dict[int, RoundCount]:
        """The counts of the rounds so far, round -> count, as they stand at `now`."""
        rounds = (r for r in sorted(self._books) if r <= progress.round)
        counts = ((r, self.count(progress, r, now)) for r in rounds)
        return {round_: count for round_, count in counts if count is not None}

    def poll_is_open(self, progress: Progress, round_: int) -> bool:
        """Tell whether an open hidden poll counts the round."""
        book = self._books.get(round_)
        return book is not None and self._open(progress, book)

    def _open(self, progress: Progress, book: _Book) -> bool:
        poll = progress.elements.get(book.poll_id or "")
        return poll is not None and poll.state == "opened"
