"""The book of votes: one script in Redis, which decides as the emulator in memory does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from poll_counter.facts import AnswerAccepted, AnswerRefused
from simulator.emulator import Emulator, Entry, Settings
from simulator.nodes.book import Book, Gate, Ledger, Vote, audit
from tests.support.nodes.redis_server import RedisServer

POLL = Settings("hidden-poll", "poll", options=("a", "b", "c"), max_votes_per_user=3)
NOW = 1000.0


def opened(at: int = 1, settings: Settings = POLL, element_id: str = "P") -> Gate:
    """An element that takes votes since a position in the log."""
    return Gate(element_id, at, "opened", settings)


def vote(user: str, *options: int, element_id: str = "P") -> Vote:
    """An answer of a user, over connection 7."""
    return Vote(element_id, user, options, 7)


async def decided(book: Book, *votes: Vote, gates: Sequence[Gate] = ()) -> list[str | None]:
    """What is said to some votes, brought together."""
    return [*(await book.count(votes, now=NOW, gates=gates)).decisions]


async def tallied(book: Book, element_id: str = "P") -> tuple[str, int, list[int]]:
    """What is held of an element."""
    (tally,) = (await book.count(now=NOW, asked=[element_id])).tallies
    return tally.state, tally.voters, [*tally.votes]


@pytest.fixture
def book(client: Redis) -> Book:
    """The book as a node has it."""
    return Book(client, "{test}", "one")


@pytest.fixture
def other(client: Redis) -> Book:
    """The book as another node has it."""
    return Book(client, "{test}", "two")


async def test_a_vote_counts_once_whichever_node_brings_it(book: Book, other: Book) -> None:
    """Per user and option, in one batch, in the next, and from another node."""
    assert await decided(book, vote("ann", 0), vote("ann", 0), gates=[opened()]) == [
        None,
        "already_voted",
    ]
    assert await decided(other, vote("ann", 0), vote("ann", 1), vote("bob", 0)) == [
        "already_voted",
        None,
        None,
    ]
    assert await tallied(book) == ("opened", 2, [2, 1, 0])


async def test_votes_that_come_at_once_count_once(client: Redis) -> None:
    """Fifty nodes bring the same vote at the same moment: one of them is told that it counts."""
    books = [Book(client, "{test}", f"node-{number}") for number in range(50)]
    await books[0].count(now=NOW, gates=[opened()])
    told = await asyncio.gather(*(decided(each, vote("ann", 2)) for each in books))
    assert sorted(told, key=str) == [["already_voted"]] * 49 + [[None]]
    assert await tallied(books[0]) == ("opened", 1, [0, 0, 1])


async def test_what_no_node_has_told_of_takes_no_votes(book: Book) -> None:
    """An element that is not known, whatever it is called."""
    assert (
        await decided(book, vote("ann", 0), vote("ann", 0, element_id="\0:{x}"))
        == ["unknown_element"] * 2
    )
    assert await tallied(book) == ("", 0, [])


@pytest.mark.parametrize(
    ("state", "reason"), [("closed", "closed"), ("revoked", "unknown_element")]
)
async def test_closing_and_voting_are_in_order(
    book: Book, other: Book, state: str, reason: str
) -> None:
    """From the moment that any node has told of it, no node's votes are counted any more."""
    assert await decided(book, vote("ann", 0), gates=[opened(1)]) == [None]
    await other.count(now=NOW, gates=[Gate("P", 2, state, POLL)])
    assert await decided(book, vote("bob", 0)) == [reason]
    assert await tallied(book) == (state, 1, [1, 0, 0])


async def test_gates_come_before_the_votes_that_they_come_with(book: Book) -> None:
    """In one step: opened and voted, and closed and voted."""
    assert await decided(book, vote("ann", 0), gates=[opened(1)]) == [None]
    gates = [Gate("P", 2, "closed", POLL)]
    assert await decided(book, vote("bob", 0), gates=gates) == ["closed"]


async def test_a_node_that_is_behind_opens_nothing_again(book: Book, other: Book) -> None:
    """What it tells of is older than what is known; as old counts as older."""
    await book.count(now=NOW, gates=[Gate("P", 9, "closed", POLL)])
    assert await decided(other, vote("ann", 0), gates=[opened(1)]) == ["closed"]
    assert await decided(other, vote("ann", 0), gates=[opened(9)]) == ["closed"]
    assert await decided(other, vote("ann", 0), gates=[opened(10)]) == [None]


async def test_votes_outlive_a_revocation(book: Book) -> None:
    """Published again, the element has the votes that it had."""
    await book.count([vote("ann", 1)], now=NOW, gates=[opened(1)])
    await book.count(now=NOW, gates=[Gate("P", 2, "revoked", POLL)])
    assert await decided(book, vote("ann", 1), gates=[opened(3)]) == ["already_voted"]
    assert await tallied(book) == ("opened", 1, [0, 1, 0])


async def test_an_answer_with_a_wrong_option_counts_for_none(book: Book) -> None:
    """Also beside right ones; numbers that no language has included."""
    await book.count(now=NOW, gates=[opened(1, replace(POLL, max_options_per_vote=3))])
    great = 10**400
    votes = [vote("ann", *options) for options in ((-1,), (0, 3), (great,), (1, -great))]
    assert await decided(book, *votes) == ["wrong_options"] * 4
    assert await tallied(book) == ("opened", 0, [0, 0, 0])


@pytest.mark.parametrize("user", ["", "\0", "\ud800", "ä" * 200, '"\\', "{}"])
async def test_any_user_can_vote(book: Book, user: str) -> None:
    """Whatever the characters of its id are, it is one user."""
    assert await decided(book, vote(user, 0), gates=[opened()]) == [None]
    assert await decided(book, vote(user, 0), vote(user + "x", 0)) == ["already_voted", None]


async def test_how_long_the_log_is(book: Book, client: Redis) -> None:
    """Every answer says it, so that a node knows whether it is behind."""
    assert (await book.count(now=NOW)).position == 0
    await client.xadd("{test}:log", {"a": "b"})
    assert (await book.count(now=NOW)).position == 1


async def test_connections_of_other_nodes(book: Book, other: Book) -> None:
    """Each is told of the others', of the events that it asks about."""
    assert (await book.count(now=NOW, here=[("E", 5), ("F", 1)])).elsewhere == [0, 0]
    assert (await other.count(now=NOW, here=[("E", 2)])).elsewhere == [5]
    assert (await book.count(now=NOW, here=[("F", 0), ("E", 6)])).elsewhere == [0, 2]


async def test_a_node_that_is_silent_has_no_connections(
    book: Book, other: Book, client: Redis
) -> None:
    """After five seconds it is taken for dead."""
    await other.count(now=NOW, here=[("E", 2)])
    assert (await book.count(now=NOW, here=[("E", 1)])).elsewhere == [2]
    await client.zincrby("{test}:nodes", -5.5, "two")
    assert (await book.count(now=NOW, here=[("E", 1)])).elsewhere == [0]


async def test_accepted_votes_are_written_down_where_it_is_asked_for(client: Redis) -> None:
    """In the step that counts them: who, over which connection of which node, when."""
    audited = Book(client, "{test}", "one", audited=True)
    gates = [
        opened(
            settings=Settings("x", options=("a", "b"), max_options_per_vote=2, max_votes_per_user=2)
        )
    ]
    await audited.count([vote("ann", 1, 0), vote("ann", 1)], now=12.5, gates=gates)
    await Book(client, "{test}", "two").count([vote("bob", 0)], now=13.0)
    await audited.count([vote("cyd", 0)], now=14.25)
    assert await audit(client, "{test}") == [
        ("one", Entry(12.5, "accepted", "", 7, "ann", "P", 1, tally=1)),
        ("one", Entry(12.5, "accepted", "", 7, "ann", "P", 0, tally=1)),
        ("one", Entry(14.25, "accepted", "", 7, "cyd", "P", 0, tally=3)),
    ]
    assert await audit(client, "{another}") == []


# As in memory


SETTINGS = st.builds(
    Settings,
    content_type=st.just("x"),
    options=st.integers(0, 4).map(lambda many: tuple("abcd"[:many])),
    max_votes_per_user=st.integers(1, 4),
    max_votes_per_option=st.sampled_from([1, 1, 2, 3, 255]),
    min_options_per_vote=st.integers(1, 2),
    max_options_per_vote=st.integers(1, 3),
    require_verified_user=st.sampled_from([False, False, False, True]),
)
STEPS = st.lists(
    st.sampled_from(["publish", "close", "revoke"])
    | st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob", "cyd"]),
            st.lists(st.integers(-1, 4), min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=6,
    ),
    max_size=25,
)


class InMemory:
    """An element P of the emulator, and what it says to votes."""

    def __init__(self, made: Settings) -> None:
        self.emulator = Emulator()
        self.emulator.add_event("E")
        self.emulator.add_element("E", "P", made)
        self.emulator.start("E", 0.0)
        self.users: dict[str, int] = {}

    def act(self, step: str) -> bool:
        """Publish, close or revoke, if that can be."""
        live = self.emulator.element("P").live
        if step == "publish":
            fits = live is None
        else:
            fits = live is not None and (step == "revoke" or live.state == "opened")
        if fits:
            getattr(self.emulator, step)("P", 0.0)
        return fits

    def vote(self, user: str, options: list[int]) -> str | None:
        """What is said to a vote."""
        if user not in self.users:
            self.users[user] = len(self.users)
            self.emulator.connect(self.users[user], "E", user, 0.0)
        (told,) = self.emulator.answer(self.users[user], "P", options, "", 0.0)
        if isinstance(told.fact, AnswerRefused):
            return told.fact.reason
        assert isinstance(told.fact, AnswerAccepted)
        return None


@pytest.mark.untraced
@settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(made=SETTINGS, steps=STEPS, seed=st.integers(0, 2**16))
def test_the_script_decides_as_the_emulator_does(
    shared_redis: RedisServer,
    made: Settings,
    steps: list[str | list[tuple[str, list[int]]]],
    seed: int,
) -> None:
    """Whatever is published, closed and revoked, whichever node brings the votes, in batches."""

    async def compare() -> None:
        async with Redis.from_url(shared_redis.url, protocol=2) as client:
            await client.flushall()
            await play(client)

    async def play(client: Redis) -> None:
        memory, draws = InMemory(made), random.Random(seed)
        books = [Book(client, "{test}", name) for name in ("one", "two", "three")]
        gates, position = list[Gate](), 0
        for step in steps:
            position += 1
            if isinstance(step, str):
                if memory.act(step):
                    state = {"publish": "opened", "close": "closed", "revoke": "revoked"}[step]
                    gates.append(Gate("P", position, state, made))
                continue
            ledger: Ledger = await draws.choice(books).count(
                [Vote("P", user, options, 0) for user, options in step],
                now=0.0,
                gates=gates[draws.randrange(2) * (len(gates) - 1) :],  # all of them, or the last
                asked=["P"],
            )
            assert ledger.decisions == [memory.vote(*each) for each in step]
            element = memory.emulator.element("P")
            (tally,) = ledger.tallies
            if gates:
                assert (tally.voters, [*tally.votes]) == (len(element.ballots), element.votes)

    asyncio.run(compare())
