"""A player's machine that is watched: what it may never do, whatever a server says."""

from __future__ import annotations

from math import isfinite

from poll_counter.commands import CastVote, Command, Remember, RememberRate
from poll_counter.elements import Element
from poll_counter.facts import (
    ActiveChanged,
    AnswerAccepted,
    AnswerRefused,
    Fact,
    ResultsTold,
    VoteHeldBack,
    Welcomed,
)
from poll_counter.machine import TABLE, Machine, State
from poll_counter.rounds import is_repeatable
from poll_counter.wire import decode_server

NOTES_MAX = 400
"""Facts that one input may tell: beyond, it only takes longer."""


class Player:
    """One player, over several lives of the app.

    Args:
        acknowledges: whether answers are acknowledged; if not, a vote is handed over at most once.
    """

    def __init__(self, *, acknowledges: bool) -> None:
        self._acknowledges = acknowledges
        self._drawn = 0
        self._journal: list[Remember | RememberRate] = []
        self._first_cast: set[tuple[str, int]] = set()
        self._answered: set[tuple[str, int]] = set()
        self._told = 0
        self.now = 1.0
        self.cast: list[tuple[str, int]] = []
        """What was handed over, in order."""
        self.restart()

    def restart(self) -> None:
        """Start the app anew, with what it remembered."""
        self.machine = Machine(
            draw=self._draw,
            remembered=self._journal,
            acknowledges=self._acknowledges,
            player_id="player",
        )
        self._seen: set[int] = set()
        self._tallies: dict[str, tuple[tuple[int, ...], bool]] = {}

    def _draw(self) -> float:
        """Draw numbers that look random and are not."""
        self._drawn += 1
        return self._drawn * 0.618034 % 1

    def frame(self, frame: str | bytes) -> None:
        """Let the server say something."""
        for fact in decode_server(frame):
            if isinstance(fact, Fact):
                self.tell(fact)

    def elapse(self, seconds: float) -> None:
        """Let time pass, and wake the machine whenever it asked for it."""
        until = self.now + seconds
        for _ in range(8):
            deadline = self.machine.deadline
            if deadline is None or deadline > until:
                break
            self.now = deadline
            self._judge(self.machine.wake(self.now))
        self.now = max(self.now, until)
        self._judge(self.machine.wake(self.now))

    def tell(self, fact: Fact) -> None:
        """Tell the machine a fact, and judge what it does."""
        self._told += 1
        if self._told > NOTES_MAX:
            return
        machine = self.machine
        before = machine.state
        row = TABLE[before][type(fact)]
        commands = machine.receive(fact, self.now)
        assert machine.state in ({before} if row is None else row.to)
        if isinstance(fact, ActiveChanged) and not fact.active:
            self._seen.clear()
        if isinstance(fact, VoteHeldBack):
            self._first_cast.discard((fact.element_id, fact.option))
        if isinstance(fact, ResultsTold | Welcomed):
            self._judge_tallies()
        self._judge(commands)
        if isinstance(fact, AnswerAccepted | AnswerRefused):
            self._judge_answer(fact, commands)

    def hold_back(self) -> None:
        """What was handed over last could not be written down after all."""
        if self.cast and self.cast[-1] not in self._answered:
            key = self.cast[-1]
            once = self.cast.count(key) == 1 and Remember(*key) in self._journal
            if once:
                self.cast.pop()
                self._journal.remove(Remember(*key))
                self.tell(VoteHeldBack(*key))

    def _judge(self, commands: tuple[Command, ...]) -> None:
        machine = self.machine
        progress = machine.progress
        if machine.state is State.WAITING and machine.active:
            self._seen.add(progress.round)
        for place, command in enumerate(commands):
            if isinstance(command, CastVote):
                self._judge_vote(command, commands[place - 1 : place])
            elif isinstance(command, Remember) and command.answered:
                self._answered.add((command.poll_id, command.option))
            if isinstance(command, Remember | RememberRate):
                assert command not in self._journal, "remembered before"
                self._journal.append(command)
        deadline = machine.deadline
        assert deadline is None or (isfinite(deadline) and deadline > self.now)
        if commands:
            assert machine.wake(self.now) == (), "to wake too early does nothing"
            self._judge_tallies()

    def _judge_vote(self, vote: CastVote, before: tuple[Command, ...]) -> None:
        """A vote is for the present round and once; a repeat needs a poll that makes it safe."""
        machine, progress, key = self.machine, self.machine.progress, (vote.poll_id, vote.option)
        found = progress.poll_for(progress.round)
        assert found is not None
        poll: Element = found[0]
        assert (poll.id, found[1]) == key, "not the present round"
        assert progress.event_state == "active"
        assert poll.state == "opened"
        assert machine.active
        assert machine.state in {State.WAITING, State.PLAYING}
        if before == (Remember(*key),):
            assert key not in self._first_cast, "cast twice as if for the first time"
            assert progress.round in self._seen, "the waiting phase was not seen"
            self._first_cast.add(key)
        else:
            assert key in self._first_cast, "cast but not remembered"
            assert is_repeatable(poll, acknowledges=self._acknowledges), "repeated where once only"
            assert key not in self._answered, "repeated though it was answered"
        self.cast.append(key)

    def _judge_answer(
        self, fact: AnswerAccepted | AnswerRefused, commands: tuple[Command, ...]
    ) -> None:
        """An answer to what was never asked is nothing to remember."""
        key = fact.element_id, fact.option
        if Remember(*key, answered=True) in commands:
            assert key in self._first_cast

    def _judge_tallies(self) -> None:
        """While a poll is open its tallies only grow (rule 7)."""
        counts = self.machine._counts
        for poll_id, tally in () if counts is None else counts.tallies.items():
            votes, final = self._tallies.get(poll_id, ((), False))
            if len(votes) == len(tally.votes) and tally.final == final:
                assert all(map(int.__ge__, tally.votes, votes))
            self._tallies[poll_id] = tally.votes, tally.final

    def end(self) -> None:
        """Read what an app would read, and judge it."""
        machine = self.machine
        self._judge_tallies()
        for count in machine.history(self.now).values():
            assert count.votes >= 0
            assert count.players is None or count.low <= count.players
            assert count.high is None or (count.settled and count.low <= count.high)
            assert 0 < count.sample_rate <= 1
        latest = machine.latest(self.now)
        assert latest is None or latest.votes >= 0
        if not self._acknowledges:
            assert len(self.cast) == len(set(self.cast)), "cast twice"
        self.restart()
        self.elapse(30.0)
        assert machine.state in State
