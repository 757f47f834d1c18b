"""Where a show stands: one for all who hold the same progress, connected or not."""

from __future__ import annotations

from poll_counter.elements import Element, Recognise
from poll_counter.rounds import Progress
from poll_counter.standing import Ballot, Standing, State
from tests.support.show import finished, poll, trivia

P = poll()


def progress(*elements: Element) -> Progress:
    """An active event with these elements."""
    return Progress(Recognise()).with_snapshot(elements, None).with_event("active", None)


def test_there_is_one_for_each_progress() -> None:
    """Who is connected shares one, and so does who is not."""
    held = progress(P)
    assert Standing.of(held) is Standing.of(held)
    assert Standing.offline(held) is Standing.offline(held)


def test_what_stays_the_same_is_the_same_object() -> None:
    """From waiting to playing the ballot stays, so that a machine need not look at it again."""
    waiting = Standing.of(progress(P))
    playing = Standing.of(progress(P, trivia(1)), waiting)
    assert (waiting.state, playing.state) == (State.WAITING, State.PLAYING)
    assert playing.ballot is waiting.ballot
    assert playing.held is waiting.held
    assert playing.told is waiting.told
    assert playing.report is waiting.report


def test_another_round_or_poll_has_another_ballot() -> None:
    """What is voted for is never taken from another round, nor from another poll."""
    first = Standing.of(progress(P))
    second = Standing.of(progress(P, *finished(1)), first)
    other = Standing.of(progress(poll("Q")), first)
    moved = Standing.of(progress(poll(options=1, page=1), *finished(1)), first)
    for standing, told in ((second, ("P", 1, 2)), (other, ("Q", 0, 1)), (moved, ("P", 0, 2))):
        ballot = standing.ballot
        assert ballot is not None
        assert (ballot.poll_id, ballot.option, ballot.round) == told
        assert standing.held == (ballot.round, ballot.poll_id)


def test_another_option_of_the_same_poll_has_another_ballot() -> None:
    """The first page lost an option, so that the round is another option of the second."""
    pages = [[poll(options=options, page=0), poll("Q", page=1)] for options in (3, 2)]
    first, second = (progress(*page, *finished(3)) for page in pages)
    before = Standing.of(first)
    for standing, option in ((before, 0), (Standing.of(second, before), 1)):
        assert standing.choice == ("Q", option)
        assert standing.ballot is not None
        assert standing.ballot.option == option


def test_another_sample_rate_is_reported() -> None:
    """A report tells the rate that its poll is known by, whatever was told before."""
    sampled = progress(P).with_rates({"P": 0.5})
    (report,) = Standing.of(sampled, Standing.of(progress(P))).report
    assert report.count.sample_rate == 0.5


def test_offline_there_is_nothing_to_vote_for_nor_to_tell() -> None:
    """Who is not connected knows the round all the same, and what has lapsed with it."""
    for held in (progress(P), progress(trivia(1)), progress(poll(reveal="answer"))):
        live, offline = Standing.of(held), Standing.offline(held)
        assert all((live.live, live.counted))
        assert (offline.state, offline.round, offline.over) == (State.OFFLINE, 1, False)
        assert (offline.choice, offline.held) == (live.choice, live.held)
        assert not any((offline.live, offline.waiting_bit, offline.playing, offline.ballot))
        assert not any((offline.counted, offline.uncounted, offline.warnings, offline.spoilt))


def test_ballot_is_past_when_its_round_is_over_or_its_option_another_rounds() -> None:
    """A ballot is cast in the round that it was due in, and in no other."""
    standing = Standing.of(progress(P, *finished(1)))
    assert standing.is_past(Ballot("P", 0, 1))
    assert not standing.is_past(Ballot("P", 0, 2))
    assert standing.is_past(Ballot("P", 1, 3))
    assert not standing.is_past(Ballot("P", 1, 2))
    over = Standing.of(progress(P).with_event("finished", None))
    assert over.is_past(Ballot("P", 0, 1))
