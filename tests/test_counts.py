"""Counts: from the results of the hidden poll to the players of each round."""

from __future__ import annotations

import pytest

from poll_counter.counts import Counts, RoundCount, Tally, unknown_count
from poll_counter.elements import Element, Recognise
from poll_counter.rounds import Progress
from tests.support.show import finished, is_value, poll, trivia


def show(*elements: Element) -> Progress:
    """The progress of an active event with these elements."""
    held = Progress(Recognise()).with_event("active", None)
    return held.with_snapshot(elements, None)


def counts(*, acknowledges: bool = True, spread_s: float = 3.0) -> Counts:
    """Make the books of one player."""
    return Counts(acknowledges=acknowledges, spread_s=spread_s)


def kept(*steps: tuple[Progress, float]) -> Counts:
    """Make books that were kept for each progress at its time, live."""
    books = counts()
    for progress, now in steps:
        keep(books, progress, now)
    return books


def keep(
    books: Counts, progress: Progress, now: float, *, since: float | None = None, live: bool = True
) -> None:
    """Keep books; the present round is held since now, unless told otherwise."""
    books.keep(progress, now, since=now if since is None else since, live=live)


def tell(books: Counts, votes: tuple[int, ...], now: float, *, final: bool = False) -> None:
    """Tell results of the poll P."""
    books.tell("P", votes, final=final, now=now)


def count(books: Counts, progress: Progress, round_: int, now: float) -> RoundCount:
    """The count of a round that has a book."""
    found = books.count(progress, round_, now)
    assert found is not None
    return found


def players(books: Counts, progress: Progress, now: float = 0.0) -> dict[int, int | None]:
    """The history: round -> players."""
    return {k: each.players for k, each in books.history(progress, now).items()}


P3 = poll(options=3)


# Tallies (rule 7)


def test_open_tally_only_grows() -> None:
    """A lower number of an open poll comes from a lagging edge: it is ignored, by option."""
    tally = Tally((5, 2, 0), final=False, as_of=1.0).told((4, 3, 0), final=False, now=2.0)
    assert tally == Tally((5, 3, 0), final=False, as_of=2.0)


def test_first_final_results_replace() -> None:
    """The first final results are right, also where they are lower."""
    tally = Tally((5, 2, 0), final=False, as_of=1.0).told((4, 3, 0), final=True, now=2.0)
    assert tally == Tally((4, 3, 0), final=True, as_of=2.0)


@pytest.mark.parametrize("final", [False, True])
def test_after_final_results_lower_numbers_are_ignored(*, final: bool) -> None:
    """After final results a lower number is ignored, final or not, and they stay final."""
    tally = Tally((4, 3, 0), final=True, as_of=1.0).told((3, 9, 0), final=final, now=2.0)
    assert tally == Tally((4, 9, 0), final=True, as_of=2.0)


def test_results_told_again_are_news_of_the_time_only() -> None:
    """The same results told again move the time that the tally is of."""
    tally = Tally((4, 3), final=False, as_of=1.0).told((4, 3), final=False, now=2.0)
    assert tally == Tally((4, 3), final=False, as_of=2.0)


def test_tallies_are_kept_by_poll() -> None:
    """Each poll has a tally of its own."""
    books = counts()
    books.tell("P", (1, 2), final=False, now=1.0)
    books.tell("Q", (7, 8), final=True, now=2.0)
    books.tell("P", (0, 3), final=False, now=3.0)
    assert books.tallies == {
        "P": Tally((1, 3), final=False, as_of=3.0),
        "Q": Tally((7, 8), final=True, as_of=2.0),
    }


def test_all_final_asks_every_poll_present() -> None:
    """All is final when each poll present has final results, and when there is no poll."""
    books, both = counts(), show(poll("P", page=0), poll("Q", page=1))
    assert books.all_final(show())
    assert not books.all_final(both)
    books.tell("P", (1,), final=True, now=0.0)
    books.tell("Q", (1,), final=False, now=0.0)
    assert not books.all_final(both)
    assert books.all_final(show(poll("P")))
    books.tell("Q", (1,), final=True, now=0.0)
    assert books.all_final(both)


# What a count says (rules 1 and 8)


def test_count_of_a_waiting_round() -> None:
    """In the waiting phase the count is the votes of the round's option, growing."""
    progress = show(P3, *finished(1))
    books = kept((progress, 10.0))
    tell(books, (30, 7, 0), 11.0)
    assert count(books, progress, 2, 11.5) == RoundCount(
        round=2,
        players=7,
        votes=7,
        low=7,
        high=None,
        sample_rate=1.0,
        settled=False,
        as_of=11.0,
    )


def test_count_before_any_results() -> None:
    """A round with a poll but no results told has no player count, no time, and never settles."""
    progress = show(P3)
    unknown = RoundCount(1, None, 0, 0, None, 1.0, settled=False, as_of=None)
    assert count(kept((progress, 0.0)), progress, 1, 99.0) == unknown


def test_zero_votes_count_only_while_waiting() -> None:
    """No votes are 0 players while waiting, and None, never 0, in a playing or past round."""
    waiting, playing, past = show(P3), show(P3, trivia(1)), show(P3, *finished(1))
    books = kept((waiting, 0.0))
    tell(books, (0, 0, 0), 1.0)
    assert players(books, waiting) == {1: 0}
    keep(books, playing, 2.0)
    assert players(books, playing) == {1: None}
    keep(books, past, 3.0)
    assert players(books, past) == {1: None, 2: 0}
    assert count(books, past, 1, 99.0).high is None


def test_votes_count_in_playing_and_past_rounds() -> None:
    """Votes make players in every phase."""
    books = kept((show(P3), 0.0))
    tell(books, (1, 0, 0), 1.0)
    for progress in (show(P3), show(P3, trivia(1)), show(P3, *finished(1))):
        keep(books, progress, 2.0)
        assert players(books, progress)[1] == 1


def test_zero_votes_in_a_closed_poll_are_no_count() -> None:
    """A round whose poll was closed before it began is not counted: None, never 0 (rule 6)."""
    progress = show(poll(options=3, state="closed"), *finished(1))
    books = kept((progress, 0.0))
    tell(books, (9, 0, 0), 1.0)
    assert players(books, progress) == {1: 9, 2: None}


def test_counts_are_values() -> None:
    """A count, once told, cannot be changed; nor can a tally."""
    assert is_value(RoundCount(1, None, 0, 0, None, 1.0, settled=False, as_of=None))
    assert is_value(Tally((1,), final=False, as_of=0.0))


# Settled


def test_settled_by_final_results() -> None:
    """Final results settle every round of the poll at once."""
    progress = show(P3)
    books = kept((progress, 0.0))
    tell(books, (4, 0, 0), 0.5)
    assert not count(books, progress, 1, 0.5).settled
    tell(books, (4, 0, 0), 0.6, final=True)
    assert count(books, progress, 1, 0.6).settled


def test_settled_by_results_since_the_trivia_finished() -> None:
    """A finished round settles with the first results told since, not with older ones."""
    waiting, past = show(P3), show(P3, *finished(1))
    books = kept((waiting, 0.0))
    tell(books, (4, 0, 0), 0.5)
    keep(books, past, 1.0)
    assert not count(books, past, 1, 1.5).settled
    tell(books, (4, 1, 0), 2.0)
    assert count(books, past, 1, 2.0).settled
    assert not count(books, past, 2, 2.0).settled


def test_settled_by_results_at_the_moment_the_trivia_finished() -> None:
    """Results told together with the end of the trivia, as in a snapshot, count as since."""
    past = show(P3, *finished(1))
    books = kept((show(P3), 0.0))
    tell(books, (4, 0, 0), 1.0)
    keep(books, past, 1.0)
    assert count(books, past, 1, 1.0).settled


def test_finishing_is_when_it_was_first_held() -> None:
    """Further changes of the show do not move the time at which a round was finished."""
    past = show(P3, *finished(1))
    books = kept((show(P3), 0.0), (past, 1.0))
    tell(books, (4, 0, 0), 1.5)
    keep(books, show(P3, *finished(1), trivia(2)), 2.0)
    assert count(books, past, 1, 2.0).settled


def test_stepping_back_unsettles() -> None:
    """A round stepped back to is present again: results since it was finished say nothing."""
    waiting, past = show(P3), show(P3, *finished(1))
    books = kept((waiting, 0.0), (past, 1.0))
    tell(books, (4, 0, 0), 1.5)
    keep(books, waiting, 2.0)
    assert not count(books, waiting, 1, 2.0).settled
    keep(books, past, 3.0)
    assert not count(books, past, 1, 3.0).settled
    tell(books, (4, 0, 0), 3.5)
    assert count(books, past, 1, 3.5).settled


@pytest.mark.parametrize(("spread_s", "settles_at"), [(None, 14.0), (10, 21.0), (0, 11.0)])
def test_settled_by_spread_and_a_second(spread_s: int | None, settles_at: float) -> None:
    """A round settles when its poll's spread and 1 s have passed since it was first held."""
    progress = show(poll(options=3, spread_s=spread_s))
    books = kept((progress, 10.0))
    tell(books, (4, 0, 0), 10.5)
    keep(books, show(*progress.elements.values()), 10.7)
    assert not count(books, progress, 1, settles_at - 0.01).settled
    assert count(books, progress, 1, settles_at).settled


# Bounds


def test_high_is_known_when_settled() -> None:
    """With acknowledged, limited votes the bounds close once the count is settled."""
    progress = show(P3)
    books = kept((progress, 0.0))
    tell(books, (4, 0, 0), 1.0)
    early, late = count(books, progress, 1, 1.0), count(books, progress, 1, 4.0)
    assert (early.low, early.high) == (4, None)
    assert (late.low, late.high) == (4, 4)


@pytest.mark.parametrize("limit", [None, 2, 10])
def test_high_is_unknown_for_an_at_most_once_poll(limit: int | None) -> None:
    """Where a vote may not be repeated votes may be missing: no upper bound, settled or not."""
    progress = show(poll(options=3, limit=limit))
    books = kept((progress, 0.0))
    tell(books, (4, 0, 0), 1.0)
    settled = count(books, progress, 1, 9.0)
    assert (settled.settled, settled.players, settled.high) == (True, 4, None)


def test_high_is_unknown_without_acknowledgements() -> None:
    """Where answers are not acknowledged votes may be missing: no upper bound."""
    progress, books = show(P3), counts(acknowledges=False)
    keep(books, progress, 0.0)
    tell(books, (4, 0, 0), 1.0)
    assert count(books, progress, 1, 9.0).high is None


# Which poll counts a round (rule 6)


def test_waiting_round_without_a_poll_has_no_count() -> None:
    """Before its trivia a round without a poll has nothing to tell: shows end quietly."""
    progress = show(*finished(1))
    assert kept((progress, 0.0)).count(progress, 2, 0.0) is None
    assert players(kept((progress, 0.0)), progress) == {1: None}


def test_playing_round_without_a_poll_counts_none() -> None:
    """A round whose trivia is open without a poll is reported, as None."""
    progress = show(*finished(1), trivia(2))
    assert players(kept((progress, 0.0)), progress) == {1: None, 2: None}


def test_poll_that_comes_late_counts_the_playing_round() -> None:
    """A poll published while the trivia is open counts its round from then on."""
    playing, late = show(trivia(1)), show(P3, trivia(1))
    books = kept((playing, 0.0), (late, 1.0))
    tell(books, (4, 0, 0), 2.0)
    assert players(books, late) == {1: 4}


def test_a_round_without_votes_is_read_from_the_poll_that_has_them() -> None:
    """Who missed that the poll was replaced while a round was on learns its count later."""
    first, second = show(P3, *finished(1)), show(poll("Q", options=3), *finished(2))
    books = kept((show(P3), 0.0), (first, 5.0))
    tell(books, (4, 0, 0), 6.0)
    keep(books, second, 12.0)
    assert players(books, second) == {1: 4, 2: None, 3: None}
    books.tell("Q", (9, 7, 0), final=False, now=13.0)
    keep(books, second, 13.0)
    assert players(books, second) == {1: 4, 2: 7, 3: 0}


def test_replaced_poll_leaves_earlier_rounds_alone() -> None:
    """Past rounds keep the counts of the poll they had; the present one takes the new poll."""
    before = show(poll("A", options=3), *finished(1))
    after = show(poll("B", options=3), *finished(1))
    books = kept((before, 0.0))
    books.tell("A", (30, 20, 0), final=False, now=1.0)
    assert players(books, before) == {1: 30, 2: 20}
    keep(books, after, 2.0)
    books.tell("B", (0, 5, 0), final=False, now=3.0)
    assert players(books, after) == {1: 30, 2: 5}
    books.tell("A", (31, 21, 0), final=True, now=4.0)
    assert players(books, after) == {1: 31, 2: 5}


def test_revoked_poll_leaves_the_present_round_without_a_count() -> None:
    """Revoked without a successor: None from then on, and still None when the round is over."""
    before, after = show(P3, *finished(1)), show(*finished(1))
    books = kept((before, 0.0))
    tell(books, (30, 20, 0), 1.0)
    keep(books, after, 2.0)
    assert players(books, after) == {1: 30, 2: None}
    keep(books, show(*finished(2)), 3.0)
    assert players(books, show(*finished(2))) == {1: 30, 2: None}


def test_finished_round_without_a_poll_is_read_as_a_latecomer_reads_it() -> None:
    """A round played without a poll is read from the one that comes later, as by everybody."""
    books = kept((show(trivia(1)), 0.0))
    late = show(P3, *finished(1))
    keep(books, late, 1.0)
    tell(books, (8, 0, 0), 2.0)
    assert players(books, late) == {1: 8, 2: 0}


def test_latecomer_reads_the_rounds_before() -> None:
    """Who joins late reads past rounds from the tallies, settled by the snapshot's results."""
    progress, books = show(P3, *finished(2)), counts()
    tell(books, (30, 20, 10), 5.0)
    keep(books, progress, 5.0)
    history = books.history(progress, 5.0)
    assert {k: (c.players, c.high, c.settled) for k, c in history.items()} == {
        1: (30, 30, True),
        2: (20, 20, True),
        3: (10, None, False),
    }


def test_latecomer_to_rounds_without_a_poll_reads_nothing() -> None:
    """Past rounds that no poll present counts are in a latecomer's history without a number."""
    progress = show(poll("Q", options=3, page=1), *finished(3))
    books = kept((progress, 0.0))
    books.tell("Q", (6, 0, 0), final=False, now=0.0)
    assert players(books, progress) == {1: None, 2: None, 3: None, 4: 6}


def test_tally_that_only_grows_leaves_the_books() -> None:
    """Results tell whether another poll may count a round now: not while a tally grows."""
    books = counts()
    assert books.tell("P", (1, 0, 0), final=False, now=0.0)  # the first
    assert not books.tell("P", (2, 0, 0), final=False, now=1.0)
    assert books.tell("P", (2, 0), final=False, now=2.0)  # of other options
    assert books.tell("P", (2, 0), final=True, now=3.0)  # it may be less


def test_round_counted_no_more_takes_the_poll_that_is_there() -> None:
    """A past round whose final results say that nobody voted is looked up anew, as any other."""
    first = show(P3, *finished(2))
    books = kept((first, 0.0))
    tell(books, (30, 20, 0), 1.0)
    keep(books, first, 1.0)
    other = show(poll("Q", options=3), *finished(2))
    keep(books, other, 2.0)
    books.tell("Q", (7, 6, 5), final=False, now=3.0)
    keep(books, other, 3.0)
    assert players(books, other) == {1: 30, 2: 20, 3: 5}
    tell(books, (30, 0, 0), 4.0, final=True)
    keep(books, other, 4.0)
    assert players(books, other) == {1: 30, 2: 6, 3: 5}


def test_round_stepped_back_to_is_open_again() -> None:
    """A counted round that is the present one again is settled by its spread, not by its end."""
    books = kept((show(P3), 0.0))
    tell(books, (30, 20, 0), 0.5)
    keep(books, show(P3, *finished(2)), 1.0)
    keep(books, show(P3), 2.0)
    tell(books, (31, 20, 0), 3.0)
    assert not count(books, show(P3), 1, 3.0).settled


def test_round_before_a_counted_one_may_be_counted_later() -> None:
    """A past round without a poll takes one that comes, though the round after it is counted."""
    second = poll("B", page=1, options=1)
    books = kept((show(second, *finished(2)), 0.0))
    books.tell("B", (20,), final=False, now=0.0)
    keep(books, show(second, *finished(2)), 1.0)
    both = show(poll("A", page=0, options=1), second, *finished(2))
    keep(books, both, 2.0)
    books.tell("A", (30,), final=False, now=3.0)
    assert players(books, both) == {1: 30, 2: 20}


def test_poll_that_is_back_counts_again() -> None:
    """The very poll that was gone counts its round when it is there again."""
    books = kept((show(P3), 0.0), (show(trivia(1)), 1.0), (show(P3, trivia(1)), 2.0))
    tell(books, (4, 0, 0), 3.0)
    assert players(books, show(P3, trivia(1))) == {1: 4}


def test_no_round_begins_while_not_live() -> None:
    """While not connected to an active event the books end with the last finished trivia."""
    progress, books = show(P3, *finished(1)), counts()
    tell(books, (30, 20, 0), 0.0)
    keep(books, progress, 0.0, live=False)
    assert players(books, progress) == {1: 30}
    keep(books, progress, 1.0)
    assert players(books, progress) == {1: 30, 2: 20}


def test_history_ends_with_the_present_round() -> None:
    """When the show steps back, the rounds to come are not in the history, until it goes on."""
    back, on = show(P3), show(P3, *finished(1))
    books = kept((on, 0.0), (back, 1.0))
    tell(books, (5, 4, 0), 2.0)
    assert players(books, back) == {1: 5}
    keep(books, on, 3.0)
    assert players(books, on) == {1: 5, 2: 4}


def test_history_is_in_order_of_rounds() -> None:
    """History lists the rounds in order, also where a book was opened later than the next."""
    late = show(poll("A", page=0, options=2), poll("B", page=1, options=2), *finished(2))
    books = kept((show(poll("B", page=1, options=2), *finished(2), trivia(3)), 0.0), (late, 1.0))
    assert list(books.history(late, 1.0)) == [1, 2, 3]


def test_round_reported_has_a_book() -> None:
    """A book is opened for a round that was reported, unless it has one, and tells nothing new."""
    progress = show(*finished(1))
    books = kept((progress, 0.0))
    assert books.count(progress, 2, 0.0) is None
    books.begin(2, 0.0)
    assert books.count(progress, 2, 0.0) == unknown_count(2, 1.0)
    tell(books, (5, 4, 3), 1.0)
    keep(books, show(P3, *finished(1)), 1.0)
    books.begin(2, 9.0)
    assert count(books, show(P3, *finished(1)), 2, 1.0).votes == 4


def test_time_is_reckoned_from_when_the_round_was_first_held() -> None:
    """Books that are begun late settle when they would have, had they been kept all the time."""
    progress, books = show(P3), counts()
    tell(books, (4, 0, 0), 8.0)
    keep(books, progress, 8.0, since=6.0)
    assert not count(books, progress, 1, 9.99).settled
    assert count(books, progress, 1, 10.0).settled


# Sampling (rule 9)


def test_count_of_a_sample() -> None:
    """The players are estimated from the votes, with the interval of what is tallied."""
    progress = show(poll(options=3, sample_rate=0.1))
    books = kept((progress, 0.0))
    tell(books, (40, 0, 0), 1.0)
    early, late = count(books, progress, 1, 1.0), count(books, progress, 1, 4.0)
    assert early == RoundCount(
        round=1,
        players=400,
        votes=40,
        low=298,
        high=None,
        sample_rate=0.1,
        settled=False,
        as_of=1.0,
    )
    assert (late.settled, late.low, late.high) == (True, 298, 537)


def test_sample_of_an_at_most_once_poll_has_no_upper_bound() -> None:
    """Where votes may be missing there is no upper bound, of a sample either."""
    progress = show(poll(options=3, sample_rate=0.1, limit=None))
    books = kept((progress, 0.0))
    tell(books, (40, 0, 0), 1.0)
    settled = count(books, progress, 1, 9.0)
    assert (settled.settled, settled.players, settled.high) == (True, 400, None)


def test_no_votes_of_a_sample() -> None:
    """No votes in a waiting round are 0 players, and say how many there may be at most."""
    progress = show(poll(options=3, sample_rate=0.1))
    books = kept((progress, 0.0))
    tell(books, (0, 0, 0), 1.0)
    settled = count(books, progress, 1, 9.0)
    assert (settled.players, settled.low, settled.high) == (0, 0, 35)
    past = show(poll(options=3, sample_rate=0.1), *finished(1))
    keep(books, past, 9.0)
    gone = count(books, past, 1, 9.0)
    assert (gone.players, gone.low, gone.high, gone.sample_rate) == (None, 0, None, 0.1)


def test_count_before_any_results_knows_the_rate_of_its_poll() -> None:
    """What is not known yet is not known of a sample."""
    progress = show(poll(options=3, sample_rate=0.1))
    assert count(kept((progress, 0.0)), progress, 1, 9.0) == unknown_count(1, 0.1)


def test_counts_of_a_poll_that_is_gone_keep_its_rate() -> None:
    """Each round is read at the rate of the poll that counted it, held or not."""
    before = show(poll("A", options=3, sample_rate=0.5))
    books = kept((before, 0.0))
    books.tell("A", (30, 0, 0), final=False, now=1.0)
    after = before.without("A", None).with_element(poll("B", options=3, sample_rate=0.1))
    after = after.with_element(trivia(1, "closed"))
    keep(books, after, 2.0)
    books.tell("B", (9, 7, 0), final=False, now=3.0)
    assert players(books, after) == {1: 60, 2: 70}


# What the platform may get wrong


def test_options_added_to_a_poll_do_not_break_its_count() -> None:
    """A round whose option is newer than the results told has no votes yet."""
    books = kept((show(poll(options=1)), 0.0))
    books.tell("P", (5,), final=False, now=0.0)
    more = show(P3, *finished(1))
    keep(books, more, 1.0)
    assert players(books, more) == {1: 5, 2: None}
    books.tell("P", (5, 4, 0), final=False, now=2.0)
    assert players(books, more) == {1: 5, 2: 4}
