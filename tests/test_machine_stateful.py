"""The machine on a bad network: a model platform, a channel with faults, restarts, and time.

The channel loses, repeats, reorders and delays what the platform tells; snapshots may lag; answers
get lost; the app restarts with what it remembered. Safety is checked after every step. Then the
network heals, and the client must converge.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Final, TypeAlias

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from poll_counter.commands import CastVote, Command, Remember
from poll_counter.elements import PAGE_FIELD, Element, ElementState, EventState, is_hidden
from poll_counter.facts import (
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
    RefusalReason,
    ResultsTold,
    TimePassed,
    Welcomed,
)
from poll_counter.machine import TABLE, Machine, State
from tests.support.show import poll, trivia

OPTIONS: Final = 2
"""Options of every poll, so that polls chain soon."""
PAGES: Final = 3
TRIVIA_MAX: Final = 6

Vote: TypeAlias = tuple[str, int]
"""A poll and an option: the unit that is voted once."""


def due_in(elements: dict[str, Element]) -> tuple[int, Vote | None]:
    """The round of a show with these elements, and its vote if an open poll takes it."""
    values = list(elements.values())
    closed = sum(e.type == "trivia" and e.state == "closed" for e in values)
    page, option = divmod(closed, OPTIONS)
    polls = [e for e in values if is_hidden(e) and e.custom_fields[PAGE_FIELD] == page]
    if not polls:
        return closed + 1, None
    latest = max(polls, key=lambda e: (e.published_at, e.id))
    return closed + 1, (latest.id, option) if latest.state == "opened" else None


def is_played(elements: dict[str, Element]) -> bool:
    """Whether a trivia is open."""
    return any(e.type == "trivia" and e.state == "opened" for e in elements.values())


@dataclass
class Platform:
    """The show as it is, and the votes of our player and of the others."""

    rev: int = 0
    event: EventState = "upcoming"
    event_rev: int = 0
    elements: dict[str, Element] = field(default_factory=dict)
    gone: dict[str, Element] = field(default_factory=dict)
    made: int = 0
    counted: Counter[Vote] = field(default_factory=Counter)
    """Votes of our player, as often as each was counted."""
    tallies: dict[str, list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0] * OPTIONS)
    )
    snapshots: list[Welcomed] = field(default_factory=list)
    """All there ever were, so that an edge may lag."""

    def changed(self, fact: Fact) -> Fact:
        """Keep a snapshot of the show as it is after a change."""
        self.snapshots.append(
            Welcomed(
                self.event,
                tuple(self.elements.values()),
                tuple(self.results(e.id) for e in self.elements.values() if is_hidden(e)),
                rev=self.rev,
                event_rev=self.event_rev,
            )
        )
        return fact

    def put(self, element: Element, kind: type[ElementPublished | ElementUpdated]) -> Fact:
        """Publish or update an element."""
        self.rev += 1
        element = replace(element, rev=self.rev)
        self.elements[element.id] = element
        self.gone.pop(element.id, None)
        return self.changed(kind(element))

    def publish(self, element: Element) -> Fact:
        """Publish an element, at a time later than any before."""
        self.made += 1
        return self.put(replace(element, published_at=float(self.made)), ElementPublished)

    def close(self, element_id: str) -> Fact:
        """Close an element, or open it again."""
        self.rev += 1
        element = self.elements[element_id]
        state: ElementState = "closed" if element.state == "opened" else "opened"
        self.elements[element_id] = replace(element, state=state, rev=self.rev)
        return self.changed(ElementStateChanged(element_id, state, self.rev))

    def revoke(self, element_id: str) -> Fact:
        """Revoke an element."""
        self.rev += 1
        self.gone[element_id] = self.elements.pop(element_id)
        return self.changed(ElementRevoked(element_id, self.rev))

    def go(self, state: EventState) -> Fact:
        """Start or stop the event."""
        self.rev += 1
        self.event, self.event_rev = state, self.rev
        return self.changed(EventStateChanged(state, self.rev))

    def results(self, poll_id: str, lag: int = 0) -> ResultsTold:
        """The results of a poll; those of an open poll may come from an edge that lags."""
        final = self.elements[poll_id].state == "closed"
        less = 0 if final else lag
        votes = tuple(max(0, number - less) for number in self.tallies[poll_id])
        return ResultsTold(poll_id, votes, final)

    def take(self, vote: CastVote) -> Fact:
        """Count a vote or refuse it, as the platform's rules say."""
        element, key = self.elements.get(vote.poll_id), (vote.poll_id, vote.option)
        reason: RefusalReason | None = None
        if element is None:
            reason = "unknown_element"
        elif element.state == "closed":
            reason = "closed"
        elif element.max_votes_per_option == 1 and self.counted[key]:
            reason = "already_voted"
        if reason is not None:
            return AnswerRefused(*key, reason)
        self.counted[key] += 1
        self.tallies[vote.poll_id][vote.option] += 1
        return AnswerAccepted(*key)


@dataclass
class View:
    """What a machine was shown: of each element the change with the highest revision counts."""

    shown: dict[str, tuple[int, Element | None]] = field(default_factory=dict)
    floor: int = -1
    highest: int = -1
    event: tuple[int, EventState] = (-1, "upcoming")

    @property
    def elements(self) -> dict[str, Element]:
        """The elements present."""
        return {key: element for key, (_, element) in self.shown.items() if element is not None}

    def take(self, fact: Fact) -> None:
        """Show a fact."""
        match fact:
            case Welcomed(event_state, elements, _, rev, event_rev):
                assert rev is not None
                assert event_rev is not None
                if rev >= self.highest:
                    self.shown, self.floor, self.highest = {}, -1, rev
                for element in elements:
                    self._show(element.id, element.rev, element)
                self.floor = max(self.floor, rev if self.highest == rev else -1)
                self._take_event(event_state, event_rev)
            case ElementPublished(element) | ElementUpdated(element):
                self._show(element.id, element.rev, element)
            case ElementStateChanged(element_id, state, rev):
                if element_id in self.elements:
                    element = replace(self.elements[element_id], state=state, rev=rev)
                    self._show(element_id, rev, element)
            case ElementRevoked(element_id, rev):
                self._show(element_id, rev, None)
            case EventStateChanged(state, rev):
                assert rev is not None
                self._take_event(state, rev)
            case _:
                pass

    def _show(self, element_id: str, rev: int | None, element: Element | None) -> None:
        assert rev is not None
        if rev > max(self.floor, self.shown.get(element_id, (-1, None))[0]):
            self.shown[element_id] = rev, element
            self.highest = max(self.highest, rev)

    def _take_event(self, state: EventState, rev: int) -> None:
        self.event = max(self.event, (rev, state), key=lambda told: told[0])
        self.highest = max(self.highest, rev)


numbers: Final = st.integers(0, 9)
"""Picks from a list, whatever its length."""
ways: Final = st.sampled_from(
    ["in order", "in order", "in order", "late", "twice", "ahead", "lost"]
)
"""How the channel brings what the platform tells; `ahead` overtakes what is late."""
lags: Final = st.sampled_from([0, 0, 1, 2, 4])
"""How many changes an edge does not know of yet."""
fates: Final = st.sampled_from(["counted", "counted", "counted", "answer lost", "lost", "busy"])
"""What becomes of a vote on its way to the platform, and of its answer."""


class BadNetwork(RuleBasedStateMachine):
    """One player's machine, over several lives, against a platform behind a bad network."""

    @initialize(
        acknowledges=st.sampled_from([True, True, False]),
        seed=st.integers(0, 99),
        limits=st.lists(st.sampled_from([1, 1, None, 5]), min_size=1, max_size=PAGES),
        closed=st.sampled_from([0, 0, 1, 3]),
        begun=st.sampled_from([True, True, True, False]),
    )
    def begin(
        self,
        *,
        acknowledges: bool,
        seed: int,
        limits: list[int | None],
        closed: int,
        begun: bool,
    ) -> None:
        """A show, most often begun and with polls, and a client that connects to it."""
        self.acknowledges, self.seed, self.drawn = acknowledges, seed, 0
        self.now = 0.0
        self.platform, self.view = Platform(), View()
        self.down: list[Fact] = []
        self.up: list[CastVote] = []
        self.connected = False
        self.active = True
        self.journal: list[Remember] = []
        self.first_cast: set[Vote] = set()
        self.seen: set[int] = set()
        self.refused: set[Vote] = set()
        self.numbers_told: dict[int, set[int]] = defaultdict(set)
        self.polls_made = 0
        self.make()
        for page, limit in enumerate(limits):
            self.platform.publish(self.new_poll(page, limit))
        for n in range(closed):
            self.platform.publish(trivia(n + 1, "closed"))
        self.platform.go("active" if begun else "upcoming")
        self.connect(0)

    def make(self) -> None:
        """Start a life of the client."""
        self.machine = Machine(
            draw=self.draw, remembered=self.journal, acknowledges=self.acknowledges
        )
        self.machine.receive(ActiveChanged(self.active), self.now)
        self.view, self.seen, self.refused = View(), set(), set()

    def draw(self) -> float:
        """Draw numbers that look random and are not."""
        self.drawn += 1
        return (self.seed + self.drawn) * 0.618034 % 1

    def new_poll(self, page: int, limit: int | None) -> Element:
        """Make a poll with an id of its own."""
        self.polls_made += 1
        return poll(f"P{self.polls_made}", options=OPTIONS, page=page, limit=limit)

    # Telling the machine, and judging what it does

    def tell(self, fact: Fact) -> tuple[Command, ...]:
        """Tell the machine a fact, and check its answer against what it may do."""
        before = self.machine.state
        row = TABLE[before][type(fact)]
        commands = self.machine.receive(fact, self.now)
        assert self.machine.state in ({before} if row is None else row.to)
        if before is State.FINISHED:
            assert commands == ()
            return ()
        self.connected = isinstance(fact, Welcomed) or (
            self.connected and not isinstance(fact, Disconnected)
        )
        self.view.take(fact)
        if isinstance(fact, ResultsTold):
            self.note(fact)
        elif isinstance(fact, Welcomed):
            for each in fact.results:
                self.note(each)
        live = self.connected and self.view.event[1] == "active"
        if live and self.active and not is_played(self.view.elements):
            self.seen.add(due_in(self.view.elements)[0])
        self.judge_answer(fact, commands)
        for place, command in enumerate(commands):
            follows = commands[place + 1 : place + 2]
            match command:
                case Remember(poll_id, option, accepted=False):
                    assert follows == (CastVote(poll_id, option),)
                case CastVote():
                    assert live
                    self.judge_vote(command, first=commands[place - 1 : place])
                    self.up.append(command)
                case _:
                    pass
        self.journal += [command for command in commands if isinstance(command, Remember)]
        deadline = self.machine.deadline
        assert deadline is None or (isfinite(deadline) and deadline > self.now)
        return commands

    def note(self, results: ResultsTold) -> None:
        """Note the numbers that the platform told for each option."""
        for option, votes in enumerate(results.votes):
            self.numbers_told[option].add(votes)

    def judge_vote(self, vote: CastVote, first: tuple[Command, ...]) -> None:
        """A vote is for the present round, once remembered; a repeat needs a safe poll."""
        key = vote.poll_id, vote.option
        round_, due = due_in(self.view.elements)
        assert self.active
        assert key == due
        if first == (Remember(*key),):
            assert key not in self.first_cast, "a vote was cast as if for the first time"
            assert round_ in self.seen, "a vote for a round whose waiting phase was not shown"
            self.first_cast.add(key)
        else:
            assert key in self.first_cast, "a vote was cast that was not remembered"
            assert self.is_safe(vote.poll_id), "an at-most-once vote was repeated"
            assert key not in self.refused, "a vote refused for good was repeated"
            assert Remember(*key, accepted=True) not in self.journal, "an accepted one was"

    def judge_answer(self, fact: Fact, commands: tuple[Command, ...]) -> None:
        """An acceptance is remembered, once, unless the vote was refused before."""
        if not isinstance(fact, AnswerAccepted | AnswerRefused):
            return
        key = fact.element_id, fact.option
        accepted = Remember(*key, accepted=True)
        open_ = key in self.first_cast and key not in self.refused and accepted not in self.journal
        counted = isinstance(fact, AnswerAccepted) or fact.reason == "already_voted"
        assert (accepted in commands) == (open_ and counted)
        if (
            open_
            and isinstance(fact, AnswerRefused)
            and fact.reason not in {"already_voted", "busy"}
        ):
            self.refused.add(key)
        if open_ and isinstance(fact, AnswerRefused) and fact.reason == "busy":
            held = self.view.elements.get(fact.element_id)
            if held is None or not self.is_safe(held.id):
                self.refused.add(key)

    def is_safe(self, poll_id: str) -> bool:
        """Whether a repeat cannot be counted twice."""
        platform = self.platform
        element = platform.elements.get(poll_id) or platform.gone[poll_id]
        return self.acknowledges and element.max_votes_per_option == 1

    # The show

    def send(self, fact: Fact, way: str) -> None:
        """After a moment the platform tells something on the connection, if there is one."""
        self.elapse(0.4)
        if not self.connected or way == "lost":
            return
        if way == "ahead":
            self.tell(fact)
            return
        self.down.append(fact)
        if way != "late":
            self.deliver_all()
        if way == "twice":
            self.tell(fact)

    @rule(way=ways)
    def show_goes_on(self, way: str) -> None:
        """Close the trivia that is open, else publish the next."""
        elements = self.platform.elements
        playing = [e.id for e in elements.values() if e.type == "trivia" and e.state == "opened"]
        n = sum(e.startswith("T") for e in (*elements, *self.platform.gone)) + 1
        if playing:
            self.send(self.platform.close(playing[0]), way)
        elif n <= TRIVIA_MAX:
            self.send(self.platform.publish(trivia(n)), way)

    @precondition(lambda self: self.platform.elements)
    @rule(
        how=st.sampled_from(
            ["close or reopen", "revoke", "republish", "republish", "update", "update"]
        ),
        pick=numbers,
        way=ways,
    )
    def producer_meddles(self, how: str, pick: int, way: str) -> None:
        """Close, reopen, revoke, publish again or update any element."""
        platform = self.platform
        chosen = sorted(platform.elements)[pick % len(platform.elements)]
        if how == "close or reopen":
            fact = platform.close(chosen)
        elif how == "revoke":
            fact = platform.revoke(chosen)
        elif how == "republish" and platform.gone:
            fact = platform.publish(platform.gone[sorted(platform.gone)[pick % len(platform.gone)]])
        else:
            fact = platform.put(platform.elements[chosen], ElementUpdated)
            self.send(EventUpdated({"x": pick}, platform.rev), "late")
        self.send(fact, way)

    @rule(page=st.integers(0, PAGES - 1), limit=st.sampled_from([1, 1, None, 5]), way=ways)
    def publish_poll(self, page: int, limit: int | None, way: str) -> None:
        """Publish a poll; one of a page that has one replaces it."""
        if self.polls_made < 6:
            self.send(self.platform.publish(self.new_poll(page, limit)), way)

    @rule(
        state=st.sampled_from([*["active"] * 8, "upcoming", "finished"]),
        way=ways,
    )
    def start_or_stop(self, state: EventState, way: str) -> None:
        """Start or stop the event, or take that back."""
        if state != self.platform.event:
            self.send(self.platform.go(state), way)

    @precondition(lambda self: any(is_hidden(e) for e in self.platform.elements.values()))
    @rule(pick=numbers, others=numbers, lag=st.sampled_from([0, 0, 1, 9]), way=ways)
    def vote_and_tell(self, pick: int, others: int, lag: int, way: str) -> None:
        """Others vote, and results are told, perhaps by an edge that lags."""
        polls = sorted(e.id for e in self.platform.elements.values() if is_hidden(e))
        chosen = polls[pick % len(polls)]
        if self.platform.elements[chosen].state == "opened":
            self.platform.tallies[chosen][pick % OPTIONS] += others
        self.send(self.platform.results(chosen, lag), way)

    # The network

    @precondition(lambda self: self.down)
    @rule()
    def deliver_all(self) -> None:
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
        if unwritten and self.journal and self.journal[-1].accepted:
            self.journal.pop()
        self.down.clear()
        self.connected = False
        self.make()
        if at_once:
            self.connect(lag)

    # The player and time

    @rule(active=st.sampled_from([True, True, False]))
    def take_part(self, *, active: bool) -> None:
        """The player takes part from now on, or no longer."""
        if self.machine.state is not State.FINISHED:
            self.active = active
            self.seen = self.seen if active else set()
        self.tell(ActiveChanged(active))

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

    def teardown(self) -> None:
        """In the end the network heals, and the client converges."""
        self.heal()
        if self.machine.state is State.FINISHED:
            return
        elements, event = self.platform.elements, self.platform.event
        assert self.machine.progress.elements == elements
        assert self.machine.progress.event_state == event
        round_, vote = due_in(elements)
        assert self.machine.progress.round == round_
        if event == "active":
            played = is_played(elements)
            assert self.machine.state is (State.PLAYING if played else State.WAITING)
            if vote is not None:
                self.judge_vote_in_the_end(round_, vote)
                self.judge_count_in_the_end(round_, vote, played=played)
        else:
            assert self.machine.state is State.UPCOMING

    def heal(self) -> None:
        """Connect to an edge that does not lag, and let every vote and answer through."""
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

    def judge_vote_in_the_end(self, round_: int, vote: Vote) -> None:
        """Who saw the round has voted in it, and where that can be made sure it is counted."""
        if self.active and round_ in self.seen:
            assert vote in self.first_cast
            if self.is_safe(vote[0]) and vote not in self.refused:
                assert self.platform.counted[vote] == 1

    def judge_count_in_the_end(self, round_: int, vote: Vote, *, played: bool) -> None:
        """The count of the round is the platform's tally."""
        for element in tuple(self.platform.elements.values()):
            if is_hidden(element):
                self.tell(self.platform.results(element.id))
        latest = self.machine.latest(self.now)
        votes = self.platform.tallies[vote[0]][vote[1]]
        assert latest is not None
        assert (latest.round, latest.votes) == (round_, votes)
        assert latest.players == (None if played and not votes else votes)

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

    @invariant()
    def counts_say_what_the_platform_told(self) -> None:
        """Votes are numbers that were told; no votes are None, never 0, once the trivia is open."""
        progress = self.machine.progress
        for round_, count in self.machine.history(self.now).items():
            assert count.votes in self.numbers_told[(round_ - 1) % OPTIONS] | {0}
            assert count.players in {None, count.votes}
            assert count.high in {None, count.votes}
            assert count.settled or count.high is None
            if round_ < progress.round or progress.opened:
                assert count.players != 0


TestBadNetwork = BadNetwork.TestCase
TestBadNetwork.settings = settings(
    derandomize=True, max_examples=400, stateful_step_count=50, deadline=None
)
