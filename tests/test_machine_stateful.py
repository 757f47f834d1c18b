"""The machine on a bad network: a model platform, a channel with faults, restarts, and time.

The channel loses, repeats, reorders and delays what the platform tells; snapshots may lag; answers
get lost; the app restarts with what it remembered. Safety is checked at every step. In the end the
network heals, and the client must converge.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from math import isfinite
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from poll_counter.commands import CastVote, Command, Remember, RememberRate, Skip
from poll_counter.elements import Element, is_hidden
from poll_counter.facts import (
    ActiveChanged,
    AnswerAccepted,
    AnswerRefused,
    Disconnected,
    ElementStateChanged,
    ElementUpdated,
    EventUpdated,
    Fact,
    ResultsTold,
    TimePassed,
    VoteHeldBack,
    Welcomed,
)
from poll_counter.machine import TABLE, Machine, State
from poll_counter.sampling import interval, is_sampled
from tests.support.model import (
    OPTIONS,
    Platform,
    View,
    Vote,
    counted_by,
    is_played,
    round_of,
    vote_of,
)
from tests.support.show import poll, trivia

PAGES: Final = 3
POLLS_MAX: Final = 6
TRIVIA_MAX: Final = 6
LIMITS: Final = (1, 1, None, 5)
"""Votes per option that a poll allows: of 1 a repeat is safe, of the others it is not."""

numbers: Final = st.integers(0, 9)
"""Picks from a list, whatever its length."""
ways: Final = st.sampled_from(["in order"] * 3 + ["late", "twice", "ahead", "lost"])
"""How the channel brings what the platform tells; `ahead` overtakes what is late."""
lags: Final = st.sampled_from([0, 0, 1, 2, 4])
"""How many changes an edge does not know of yet."""
fates: Final = st.sampled_from(["counted"] * 3 + ["answer lost", "lost", "busy", "busy"])
"""What becomes of a vote on its way to the platform, and of its answer."""
changes: Final = st.sampled_from(
    ["next trivia"] * 4
    + ["close or reopen", "revoke", "revoke", "republish", "republish", "update"]
    + ["new poll", "results", "results", "start or stop"]
)
"""What happens in the show."""


class BadNetwork(RuleBasedStateMachine):
    """One player's machine, over several lives, against a platform behind a bad network."""

    @initialize(
        acknowledges=st.sampled_from([True, True, False]),
        seed=st.integers(0, 99),
        limits=st.lists(st.sampled_from(LIMITS), min_size=1, max_size=PAGES),
        closed=st.sampled_from([0, 0, 1, 3]),
        begun=st.sampled_from([True, True, True, False]),
        rate=st.sampled_from([1.0, 1.0, 0.6]),
    )
    def begin(
        self,
        *,
        acknowledges: bool,
        seed: int,
        limits: list[int | None],
        closed: int,
        begun: bool,
        rate: float,
    ) -> None:
        """A show, most often begun and with polls, and a client that connects to it."""
        self.acknowledges, self.seed, self.drawn = acknowledges, seed, 0
        self.now = 0.0
        self.platform = Platform()
        self.polls_made = 0
        self.rate, self.player_id = rate, f"player {seed}"
        self.active = True
        self.down: list[Fact] = []
        self.up: list[CastVote] = []
        self.journal: list[Remember | RememberRate] = []
        self.first_cast: set[Vote] = set()
        self.numbers_told: dict[int, set[int]] = defaultdict(set)
        self.disk_full = False
        self.live_again()
        for page, limit in enumerate(limits):
            self.platform.publish(self.new_poll(page, limit))
        for n in range(closed):
            self.platform.publish(trivia(n + 1, "closed"))
        self.platform.go("active" if begun else "upcoming")
        self.connect(0)

    def live_again(self) -> None:
        """Start a life of the client, with what was remembered in those before."""
        self.machine = Machine(
            draw=self.draw,
            remembered=self.journal,
            acknowledges=self.acknowledges,
            player_id=self.player_id,
        )
        self.machine.receive(ActiveChanged(self.active), self.now)
        self.connected = False
        self.view = View()
        self.seen: set[int] = set()
        self.refused: set[Vote] = set()
        self.votes_told: dict[int, tuple[Vote | None, int]] = {}

    def draw(self) -> float:
        """Draw numbers that look random and are not."""
        self.drawn += 1
        return (self.seed + self.drawn) * 0.618034 % 1

    def new_poll(self, page: int, limit: int | None) -> Element:
        """Make a poll with an id of its own."""
        self.polls_made += 1
        rate = None if self.rate == 1.0 else self.rate
        made = f"P{self.polls_made}"
        return poll(made, options=OPTIONS, page=page, limit=limit, sample_rate=rate)

    def votes_in(self, poll_id: str) -> bool:
        """Whether the player is in a poll's sample."""
        return is_sampled(poll_id, self.player_id, self.rate)

    # Telling the machine, and judging what it does

    def tell(self, fact: Fact) -> tuple[Command, ...]:
        """Tell the machine a fact, and check its answer against what it may do."""
        before = self.machine.state
        row = TABLE[before][type(fact)]
        commands = self.machine.receive(fact, self.now)
        assert self.machine.state in ({before} if row is None else row.to)
        deadline = self.machine.deadline
        assert deadline is None or (isfinite(deadline) and deadline > self.now)
        if before is State.FINISHED:
            assert commands == ()
            return ()
        self.be_shown(fact)
        self.judge_answer(fact, commands)
        for place, command in enumerate(commands):
            match command:
                case RememberRate(poll_id, rate):
                    assert rate == self.rate != 1.0
                    assert command not in self.journal, "remembered before"
                case Remember(poll_id, option, answered=False):
                    assert commands[place + 1 : place + 2] == (CastVote(poll_id, option),)
                case CastVote():
                    self.judge_vote(command, commands[place - 1 : place])
                    self.up.append(command)
                case _:
                    pass
        if isinstance(fact, ElementStateChanged):
            assert Skip("unknown_element") not in commands, "it may only have come too early"
        self.journal += [c for c in commands if isinstance(c, Remember | RememberRate)]
        self.judge_counts()
        if self.disk_full:
            self.hold_back([c for c in commands if isinstance(c, Remember) and not c.answered])
        return commands

    def hold_back(self, unwritten: list[Remember]) -> None:
        """What cannot be written down is not handed over, and the machine is told so."""
        for entry in unwritten:
            key = entry.poll_id, entry.option
            self.journal.remove(entry)
            self.up.remove(CastVote(*key))
            self.first_cast.remove(key)
            self.tell(VoteHeldBack(*key))

    def be_shown(self, fact: Fact) -> None:
        """Keep in mind what the client was shown."""
        if isinstance(fact, Welcomed | Disconnected):
            self.connected = isinstance(fact, Welcomed)
        elif isinstance(fact, ActiveChanged):
            self.active = fact.active
            self.seen = self.seen if fact.active else set()
        self.view.take(fact)
        told = fact.results if isinstance(fact, Welcomed) else (fact,)
        for results in told:
            if isinstance(results, ResultsTold):
                for option, votes in enumerate(results.votes):
                    self.numbers_told[option].add(votes)
        if self.is_live() and self.active and not is_played(self.view.elements):
            self.seen.add(round_of(self.view.elements))

    def is_live(self) -> bool:
        """Whether the client is connected to an active event."""
        return self.connected and self.view.event[1] == "active"

    def judge_vote(self, vote: CastVote, before: tuple[Command, ...]) -> None:
        """A vote is for the present round, once remembered; a repeat needs a safe poll."""
        key = vote.poll_id, vote.option
        assert self.is_live()
        assert self.active
        assert key == vote_of(self.view.elements)
        assert self.votes_in(vote.poll_id), "not in the sample"
        assert self.rate == 1.0 or RememberRate(vote.poll_id, self.rate) in self.journal
        if before == (Remember(*key),):
            assert key not in self.first_cast, "cast as if for the first time"
            assert round_of(self.view.elements) in self.seen, "the waiting phase was not shown"
            self.first_cast.add(key)
        else:
            assert key in self.first_cast, "cast but not remembered"
            assert self.is_safe(vote.poll_id), "an at-most-once vote repeated"
            assert key not in self.refused, "a vote refused for good repeated"
            assert Remember(*key, answered=True) not in self.journal, "an accepted one repeated"

    def judge_answer(self, fact: Fact, commands: tuple[Command, ...]) -> None:
        """What the platform says for good is remembered, once."""
        if not isinstance(fact, AnswerAccepted | AnswerRefused):
            return
        key = fact.element_id, fact.option
        answered = Remember(*key, answered=True)
        asked = key in self.first_cast and key not in self.refused and answered not in self.journal
        counted = isinstance(fact, AnswerAccepted) or fact.reason == "already_voted"
        held = self.view.elements.get(fact.element_id)
        busy = isinstance(fact, AnswerRefused) and fact.reason == "busy"
        final = counted or not busy or held is None or not self.is_safe(held.id)
        assert (answered in commands) == (asked and final)
        if asked and final and not counted:
            self.refused.add(key)

    def judge_counts(self) -> None:
        """Votes were told, and only grow; none are None, never 0, once the trivia is open."""
        present = self.machine.progress.round
        found = counted_by(self.view.elements)
        before, self.votes_told = self.votes_told, {}
        for round_, count in self.machine.history(self.now).items():
            assert count.votes in self.numbers_told[(round_ - 1) % OPTIONS] | {0}
            assert count.players in {None, round(count.votes / count.sample_rate)}
            low, high = interval(count.votes, count.sample_rate)
            assert count.low == low
            assert count.high in ({None, high} if count.settled else {None})
            assert count.sample_rate in {1.0, self.rate}
            assert self.acknowledges or count.high is None
            if round_ < present or self.machine.progress.opened:
                assert count.players != 0
            by, votes = before.get(round_, (None, 0))
            if round_ == present:
                if self.is_live():  # else it is not begun, and read from what it was read from
                    due = found and (found[0].id, found[1])
                    by, votes = due, votes if due is not None and due == by else 0
            elif not votes:
                by = None  # a round over without a number is read from any poll that has one
            assert count.votes >= votes
            self.votes_told[round_] = by, count.votes

    def is_safe(self, poll_id: str) -> bool:
        """Whether a repeat cannot be counted twice."""
        platform = self.platform
        element = platform.elements.get(poll_id) or platform.gone[poll_id]
        return self.acknowledges and element.max_votes_per_option == 1

    # The show

    @rule(told=st.lists(st.tuples(changes, numbers, ways), min_size=1, max_size=5))
    def show_goes_on(self, told: list[tuple[str, int, str]]) -> None:
        """Things happen in the show, half a second after each other, and are told, or not."""
        for change, pick, way in told:
            self.elapse(0.5)
            fact = self.change(change, pick)
            if fact is not None:
                self.send(fact, way)

    def change(self, change: str, pick: int) -> Fact | None:
        """Do something in the show, if it can be done."""
        platform = self.platform
        if change == "next trivia":
            return self.next_trivia()
        if change == "start or stop":
            return platform.go("upcoming" if pick == 0 else "finished" if pick == 1 else "active")
        if change == "new poll":
            made = self.new_poll(pick % PAGES, LIMITS[pick % len(LIMITS)])
            return platform.publish(made) if self.polls_made < POLLS_MAX else None
        return self.results(pick) if change == "results" else self.meddle(change, pick)

    def meddle(self, change: str, pick: int) -> Fact | None:
        """Close, reopen, revoke, publish again or update any element."""
        platform = self.platform
        among = platform.gone if change == "republish" else platform.elements
        if not among:
            return None
        chosen = sorted(among)[pick % len(among)]
        if change == "republish":
            return platform.publish(among[chosen])
        if change == "revoke":
            return platform.revoke(chosen)
        if change == "update":
            return platform.put(among[chosen], ElementUpdated)
        return platform.close(chosen)

    def next_trivia(self) -> Fact | None:
        """Close the trivia that is open, else publish the next."""
        elements = self.platform.elements
        playing = [e.id for e in elements.values() if e.type == "trivia" and e.state == "opened"]
        n = sum(key.startswith("T") for key in (*elements, *self.platform.gone)) + 1
        if playing:
            return self.platform.close(playing[0])
        return self.platform.publish(trivia(n)) if n <= TRIVIA_MAX else None

    def results(self, pick: int) -> Fact | None:
        """Others vote, and results are told, perhaps by an edge that lags."""
        elements = self.platform.elements
        polls = sorted(element.id for element in elements.values() if is_hidden(element))
        if not polls:
            return EventUpdated({"viewers": pick}, self.platform.rev)
        chosen = polls[pick % len(polls)]
        if elements[chosen].state == "opened":
            self.platform.tallies[chosen][pick % OPTIONS] += pick
        return self.platform.results(chosen, lag=max(0, pick - 6))

    # The network

    def send(self, fact: Fact, way: str) -> None:
        """The platform tells something on the connection, if there is one."""
        if not self.connected or way == "lost":
            return
        if way == "ahead":
            self.tell(fact)
            return
        self.down.append(fact)
        if way != "late":
            self.deliver()
        if way == "twice":
            self.tell(fact)

    @precondition(lambda self: self.down)
    @rule()
    def deliver(self) -> None:
        """Bring all that is on its way, in order."""
        while self.down:
            self.tell(self.down.pop(0))

    @precondition(lambda self: self.up)
    @rule(pick=numbers, fate=fates, retry_after_s=st.sampled_from([None, 0.5, 30.0]), way=ways)
    def vote_arrives(self, pick: int, fate: str, retry_after_s: float | None, way: str) -> None:
        """A vote reaches the platform, or not, and so does its answer."""
        vote = self.up.pop(pick % len(self.up))
        if fate == "busy":
            busy = AnswerRefused(vote.poll_id, vote.option, "busy", retry_after_s)
            self.answer(busy, way)
        elif fate != "lost":
            answer = self.platform.take(vote)
            if fate == "counted":
                self.answer(answer, way)

    def answer(self, fact: Fact, way: str) -> None:
        """Answers are told where the transport acknowledges."""
        if self.acknowledges:
            self.send(fact, way)

    @rule(lag=lags)
    def connection_breaks_or_comes_back(self, lag: int) -> None:
        """Lose the connection, or get the next, from an edge that may lag."""
        if self.connected:
            self.disconnect()
        else:
            self.connect(lag)

    def disconnect(self) -> None:
        """The connection is lost, with all that is on its way to the client."""
        self.down.clear()
        self.tell(Disconnected())
        self.connected = False

    def connect(self, lag: int) -> None:
        """Connect, to an edge that lags by some changes; one that does not has fresh results."""
        snapshots = self.platform.snapshots
        welcome = snapshots[max(0, len(snapshots) - 1 - lag)]
        if lag == 0:
            held = self.platform.elements.values()
            fresh = tuple(self.platform.results(e.id) for e in held if is_hidden(e))
            welcome = replace(welcome, results=fresh)
        self.tell(welcome)

    @rule(
        lag=lags,
        unsent=st.booleans(),
        unwritten=st.booleans(),
        at_once=st.sampled_from([True, True, False]),
    )
    def restart(self, lag: int, *, unsent: bool, unwritten: bool, at_once: bool) -> None:
        """The app restarts: votes not sent yet may be lost, and an acceptance not yet written."""
        if unsent:
            self.up.clear()
        last = self.journal[-1] if self.journal else None
        if unwritten and isinstance(last, Remember) and last.answered:
            self.journal.pop()
        self.down.clear()
        self.live_again()
        if at_once:
            self.connect(lag)

    # The player and time

    @rule(active=st.sampled_from([True, True, False]))
    def take_part(self, *, active: bool) -> None:
        """The player takes part from now on, or no longer."""
        self.tell(ActiveChanged(active))

    @rule(full=st.booleans())
    def disk_fills_up(self, *, full: bool) -> None:
        """From now on no vote can be written down, or all can again."""
        self.disk_full = full

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        """Nothing happens for a while."""
        self.elapse(seconds)

    @precondition(lambda self: self.machine.deadline is not None)
    @rule()
    def deadline_comes(self) -> None:
        """The machine is woken when it asked for it."""
        assert self.machine.deadline is not None
        self.now = self.machine.deadline
        self.tell(TimePassed())

    def elapse(self, seconds: float) -> None:
        """Wake the machine at every deadline on the way, and early in the end."""
        until = self.now + seconds
        while self.machine.deadline is not None and self.machine.deadline <= until:
            self.deadline_comes()
        self.now = until
        state, deadline = self.machine.state, self.machine.deadline
        assert self.tell(TimePassed()) == ()
        assert (self.machine.state, self.machine.deadline) == (state, deadline)

    # In the end

    def teardown(self) -> None:
        """In the end the network heals, and the client converges."""
        self.heal()
        if self.machine.state is State.FINISHED:
            return
        elements, event = self.platform.elements, self.platform.event
        assert self.machine.progress.elements == elements
        assert self.machine.progress.event_state == event
        assert self.machine.progress.round == round_of(elements)
        if event == "active":
            played = is_played(elements)
            assert self.machine.state is (State.PLAYING if played else State.WAITING)
            vote = vote_of(elements)
            if vote is not None:
                self.judge_vote_in_the_end(vote)
                self.judge_count_in_the_end(vote, played=played)
        else:
            assert self.machine.state is State.UPCOMING

    def heal(self) -> None:
        """Connect to an edge that does not lag, and let every vote and answer through."""
        self.disk_full = False
        if self.connected:
            self.disconnect()
        self.up.clear()
        self.connect(0)
        for _ in range(20):
            while self.up:
                self.answer(self.platform.take(self.up.pop(0)), "in order")
            if self.machine.deadline is None:
                return
            self.deadline_comes()
        raise AssertionError("the client never comes to rest")

    def judge_vote_in_the_end(self, vote: Vote) -> None:
        """Who saw the round has voted in it, and where that can be made sure it is counted."""
        if self.active and round_of(self.view.elements) in self.seen:
            assert (vote in self.first_cast) == self.votes_in(vote[0])
            if vote in self.first_cast and self.is_safe(vote[0]) and vote not in self.refused:
                assert self.platform.counted[vote] == 1

    def judge_count_in_the_end(self, vote: Vote, *, played: bool) -> None:
        """The count of the round is the platform's tally."""
        for element in tuple(self.platform.elements.values()):
            if is_hidden(element):
                self.tell(self.platform.results(element.id))
        latest = self.machine.latest(self.now)
        votes = self.platform.tallies[vote[0]][vote[1]]
        assert latest is not None
        assert (latest.round, latest.votes) == (round_of(self.view.elements), votes)
        assert latest.players == (None if played and not votes else round(votes / self.rate))

    # What always holds

    @invariant()
    def no_vote_is_counted_twice(self) -> None:
        """Over all lives the platform counts each (poll, option) of the player once at most."""
        assert all(times <= 1 for times in self.platform.counted.values())

    @invariant()
    def the_machine_holds_what_it_was_shown(self) -> None:
        """Reordered, repeated and lagging facts leave the elements with the highest revisions."""
        if self.machine.state is not State.FINISHED:
            assert self.machine.progress.elements == self.view.elements
            assert self.machine.progress.event_state == self.view.event[1]


TestBadNetwork = pytest.mark.untraced(BadNetwork.TestCase)
TestBadNetwork.settings = settings(
    derandomize=True, max_examples=400, stateful_step_count=40, deadline=None
)
