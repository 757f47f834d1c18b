"""Bugs planted into the machine and the platform: random scenarios find each of them out.

A check that never fails proves nothing. Each of these machines breaks one rule, and is told apart
from the right one within 200 seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from poll_counter import RoundCount
from poll_counter.commands import CastVote, Command, Remember, RememberRate, ReportCount
from poll_counter.facts import (
    ActiveChanged,
    AnswerRefused,
    Disconnected,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    Fact,
    RefusalReason,
    ResultsTold,
)
from poll_counter.machine import Machine
from poll_counter.rounds import Progress
from simulator.emulator import Emulator, Settings
from simulator.explore import try_seed
from simulator.person import MakeMachine
from simulator.records import ElementRecord

SEEDS_MAX = 200

Commands = tuple[Command, ...]


class OptionOffByOne(Machine):
    """Votes for the option after the right one."""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Cast for the next option."""
        return tuple(
            CastVote(c.poll_id, c.option + 1) if isinstance(c, CastVote) else c
            for c in super().receive(fact, now)
        )


class NeverVotes(Machine):
    """Remembers to have voted, and does not."""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Swallow every vote."""
        return tuple(c for c in super().receive(fact, now) if not isinstance(c, CastVote))


class RetriesAfterAlreadyVoted(Machine):
    """Takes `already_voted` for a reason to try once more."""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Cast again."""
        commands = super().receive(fact, now)
        if not isinstance(fact, AnswerRefused) or fact.reason != "already_voted":
            return commands
        again = [CastVote(c.poll_id, c.option) for c in commands if isinstance(c, Remember)]
        return (*commands, *again)


class CastsLate(Machine):
    """Casts what should lapse."""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Cast whatever was due, and is not any more."""
        self._lay_aside()
        due = [vote.ballot for vote in self._aside if not vote.casts]
        commands = super().receive(fact, now)
        self._lay_aside()
        kept = [vote.ballot for vote in self._aside]
        return sum((ballot.again for ballot in due if ballot not in kept), commands)


class SeesThePlayingPhase(Machine):
    """Votes for a round of which it saw the playing phase only."""

    def _vote(self, now: float) -> Commands:
        self._seen |= self._standing.round_bit
        return super()._vote(now)


class CountsMessages(Machine):
    """Counts a trivia as finished as often as it is told so."""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Take a close that is told again for another trivia's."""
        if isinstance(fact, ElementStateChanged) and fact.state == "closed":
            held = self.progress.elements.get(fact.element_id)
            if held is not None and held.state == "closed" and held.type == "trivia":
                ghost = replace(held, id=f"ghost {fact.rev} {len(self.progress.elements)}")
                return super().receive(ElementPublished(replace(ghost, rev=None)), now)
        return super().receive(fact, now)


class TossesACoin(Machine):
    """Decides anew with every connection whether it is in the sample."""

    _coin: bool | None = None

    def receive(self, fact: Fact, now: float) -> Commands:
        """Forget the coin with the connection."""
        if isinstance(fact, Disconnected):
            self._coin = None
        return super().receive(fact, now)

    def _sits_out(self, poll_id: str, sample_rate: float) -> bool:
        if self._coin is None:
            self._coin = self._draw() >= sample_rate
        return self._coin


class KeepsTheOldPoll(Machine):
    """Does not take notice of a poll that replaces another."""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Leave out what changes a poll."""
        hidden = self.progress.recognise.is_hidden
        held = self.progress.elements
        revoked = held.get(fact.element_id) if isinstance(fact, ElementRevoked) else None
        if revoked is not None and hidden(revoked):
            return ()
        if isinstance(fact, ElementPublished) and hidden(fact.element) and self.progress.polls:
            pages = {poll.custom_fields["poll_counter_page"] for poll in self.progress.polls}
            if fact.element.custom_fields["poll_counter_page"] in pages:
                return ()
        return super().receive(fact, now)


class AddsItsOwnVote(Machine):
    """Counts itself, without waiting to be told."""

    def history(self, now: float) -> dict[int, RoundCount]:
        """One more in every round."""
        return {
            number: replace(held, players=held.players and held.players + 1, votes=held.votes + 1)
            for number, held in super().history(now).items()
        }


class TakesLowerTallies(Machine):
    """Believes whatever was told last."""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Forget the tally before."""
        if isinstance(fact, ResultsTold) and self._counts is not None and not fact.final:
            self._counts.tallies.pop(fact.element_id, None)
        return super().receive(fact, now)


class NeverInactive(Machine):
    """Votes also for who only watches."""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Do not listen."""
        return () if isinstance(fact, ActiveChanged) else super().receive(fact, now)


class ForgetsWhatItSaw(Machine):
    """Loses with its connection what it has seen, and what is due."""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Forget."""
        if isinstance(fact, Disconnected):
            self._seen = 0
            self._lay_aside()
            self._aside = tuple(vote for vote in self._aside if vote.casts)
        return super().receive(fact, now)


class StaysOnTheFirstPage(Machine):
    """Votes on the first poll that it knows, whatever the page."""

    _first = ""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Cast on the first poll."""
        commands: list[Command] = []
        for command in super().receive(fact, now):
            if isinstance(command, CastVote):
                self._first = self._first or command.poll_id
                commands.append(CastVote(self._first, command.option))
            else:
                commands.append(command)
        return tuple(commands)


class ReportsNothing(Machine):
    """Never tells the app."""

    def receive(self, fact: Fact, now: float) -> Commands:
        """Swallow every report."""
        return tuple(c for c in super().receive(fact, now) if not isinstance(c, ReportCount))

    def history(self, now: float) -> dict[int, RoundCount]:
        """Nothing either."""
        return {}


def forgets_its_journal(
    *,
    draw: Callable[[], float],
    player_id: str,
    remembered: Iterable[Remember | RememberRate],
    progress: Progress,
) -> Machine:
    """Start without what was written down."""
    del remembered
    return Machine(draw=draw, player_id=player_id, progress=progress)


def never_repeats(
    *,
    draw: Callable[[], float],
    player_id: str,
    remembered: Iterable[Remember | RememberRate],
    progress: Progress,
) -> Machine:
    """Do not wait for answers."""
    return Machine(
        draw=draw,
        player_id=player_id,
        remembered=remembered,
        progress=progress,
        acknowledges=False,
    )


class Lenient(ElementRecord):
    """An element that counts a second vote."""

    def refusal(self, user: str, options: list[int]) -> RefusalReason | None:
        """Refuse anything else."""
        reason = super().refusal(user, options)
        return None if reason == "already_voted" else reason


class AcceptsAgain(Emulator):
    """Counts a second vote."""

    def add_element(self, event_id: str, element_id: str, settings: Settings) -> None:
        """Make an element that does so."""
        super().add_element(event_id, element_id, settings)
        self.event(event_id).elements[element_id] = Lenient(element_id, settings)


class ForgetsTallies(Emulator):
    """Loses an option's votes when somebody disconnects."""

    def disconnect(self, connection: int, now: float) -> None:
        """Forget a vote."""
        super().disconnect(connection, now)
        for event in self._events.values():
            for element in event.elements.values():
                if element.live is not None and element.live.state == "opened":
                    element.votes = [max(0, votes - 1) for votes in element.votes]


UNSEEN = "no vote for a round whose waiting phase was not seen"
BOUNDS = "must <= counted <= may"
MISSING = "who must be counted has voted"

# The machine, the rules that it breaks, and the first seed that shows it.
MACHINES: list[tuple[MakeMachine, set[str], int]] = [
    (OptionOffByOne, {UNSEEN}, 1),
    (NeverVotes, {BOUNDS}, 1),
    (RetriesAfterAlreadyVoted, {"once per (poll, option)"}, 3),
    (forgets_its_journal, {"once per (poll, option)"}, 14),
    (never_repeats, {MISSING}, 6),
    (CastsLate, {"no vote for a round that is over"}, 170),
    (SeesThePlayingPhase, {UNSEEN}, 1),
    (CountsMessages, {UNSEEN}, 1),
    (TossesACoin, {"who votes in one round of a sampled poll votes in all"}, 2),
    (KeepsTheOldPoll, {MISSING}, 1),
    (AddsItsOwnVote, {"the count is what was accepted"}, 1),
    (TakesLowerTallies, {"tallies only grow"}, 3),
    (NeverInactive, {UNSEEN}, 1),
    (ForgetsWhatItSaw, {MISSING}, 39),
    (StaysOnTheFirstPage, {BOUNDS, UNSEEN}, 1),
    (ReportsNothing, {BOUNDS}, 1),
]
EMULATORS: list[tuple[type[Emulator], set[str], int]] = [
    (AcceptsAgain, {"nobody is counted twice"}, 1),
    (ForgetsTallies, {"the count is what was accepted", BOUNDS}, 1),
]


def found_out(rules: set[str], first: int, **planted: Any) -> int | None:
    """A seed in which one of the rules is broken, `first` tried before all; None if in none."""
    seeds: list[int] = [first, *range(1, SEEDS_MAX + 1)]
    for seed in seeds:
        if rules & {violation.rule for violation in try_seed(seed, **planted).violations}:
            return seed
    return None


@pytest.mark.untraced
@pytest.mark.parametrize(("make", "rules", "first"), MACHINES)
def test_a_bug_in_the_machine_is_found_out(make: MakeMachine, rules: set[str], first: int) -> None:
    """Some seed breaks the very rule that the bug is about."""
    assert found_out(rules, first, make=make) is not None


@pytest.mark.untraced
@pytest.mark.parametrize(("make_emulator", "rules", "first"), EMULATORS)
def test_a_bug_in_the_platform_is_found_out(
    make_emulator: type[Emulator], rules: set[str], first: int
) -> None:
    """Some seed breaks the very rule that the bug is about."""
    assert found_out(rules, first, make_emulator=make_emulator) is not None


@pytest.mark.untraced
@pytest.mark.parametrize("first", sorted({first for _, _, first in (*MACHINES, *EMULATORS)}))
def test_without_a_bug_those_seeds_break_no_rule(first: int) -> None:
    """It is the bug that is found out."""
    assert try_seed(first).violations == []
