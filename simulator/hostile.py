"""Peers that try to spoil the count: they follow the show, and answer as they should not."""

from __future__ import annotations

from typing import Literal, get_args

from poll_counter.commands import CastVote
from poll_counter.facts import (
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
    Fact,
    Welcomed,
)
from poll_counter.rounds import Progress

__all__ = ["FLOOD", "Hostile", "Manner"]

Manner = Literal["double", "wrong", "flood", "forge"]
"""Votes again and again for a round; votes for other rounds and for what is no poll; sends many
votes at once; comes back under another made-up id in every round."""

FLOOD = 50
"""How many votes a flood has."""


class Hostile:
    """One hostile peer, whatever its connection is.

    Args:
        number: which of the hostile peers; its manner follows from it.
        progress: to follow the show from.
    """

    def __init__(self, number: int, progress: Progress) -> None:
        manners: tuple[Manner, ...] = get_args(Manner)
        self.number = number
        self.manner: Manner = manners[number % len(manners)]
        self.ids = 0
        """How many ids it has made up."""
        self._start = progress
        self._progress = progress
        self._voted_in = 0

    @property
    def user(self) -> str:
        """The id that it says hello with."""
        return f"hostile-{self.number}-{self.ids}"

    def connected(self) -> None:
        """It has a new connection: what it knew of the show is told anew."""
        self._progress = self._start

    def take(self, fact: Fact) -> list[CastVote]:
        """Take in what the platform tells; gives what it answers."""
        self._follow(fact)
        show = self._progress
        found = show.poll_for(show.round)
        if show.event_state != "active" or show.opened or found is None:
            return []
        if self._voted_in == show.round:
            return []
        self._voted_in = show.round
        poll, option = found
        votes = [CastVote(poll.id, option)]
        if self.manner == "double":
            return votes * 2
        if self.manner == "flood":
            return votes * FLOOD
        if self.manner == "wrong":
            others = [CastVote(poll.id, n) for n in (option + 1, -1, len(poll.options))]
            return [*others, *(CastVote(key, 0) for key in show.elements if key != poll.id)]
        return votes

    def wants_another_id(self) -> bool:
        """Tell whether it now goes away, to come back as somebody else."""
        if self.manner == "forge" and self._voted_in and self._progress.opened:
            self._voted_in = 0
            self.ids += 1
            return True
        return False

    def _follow(self, fact: Fact) -> None:
        show = self._progress
        match fact:
            case Welcomed():
                show = show.with_snapshot(fact.elements, fact.rev)
                show = show.with_event(fact.event_state, fact.event_rev)
            case ElementPublished() | ElementUpdated():
                show = show.with_element(fact.element)
            case ElementStateChanged() if fact.element_id in show.elements:
                show = show.with_state(fact.element_id, fact.state, fact.rev)
            case ElementRevoked():
                show = show.without(fact.element_id, fact.rev)
            case EventStateChanged():
                show = show.with_event(fact.state, fact.rev)
            case _:
                pass
        self._progress = show
