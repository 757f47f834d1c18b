"""The show that is judged: its hidden polls, their pages, and how many rounds it has."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from poll_counter.control.blueprint import Blueprint
from poll_counter.control.held import HeldPoll, chosen, hidden_polls, trivia
from poll_counter.control.resources import Element, ElementSpec, Event

__all__ = ["Show"]


@dataclass(frozen=True, slots=True)
class Show:
    """What is judged, and what follows from it at once."""

    event: Event
    spec: Collection[ElementSpec] | None
    """The app's elements spec; None where it could not be read."""
    poll_ids: Sequence[str]
    content_type: str
    polls: Sequence[HeldPoll]
    """All hidden polls, also those that are over."""
    present: Sequence[HeldPoll]
    """Those that take votes, or will."""
    pages: Mapping[int, HeldPoll]
    """Page -> the poll that counts it; one that names no page has the first that is free."""
    known: frozenset[int]
    """The pages for which there is or was a poll."""
    size: int
    """The options of every page: those of the first one (rule 6); 0 without a poll."""
    finished: int
    """How many trivia are over."""
    rounds: int | None
    """How many trivia the show has; None where nobody knows."""

    @classmethod
    def of(
        cls,
        elements: Sequence[Element],
        event: Event,
        spec: Collection[ElementSpec] | None,
        *,
        rounds: int | None,
        poll_ids: Sequence[str],
        content_type: str,
    ) -> Self:
        """Find the show among the elements of an event; see `findings`."""
        if rounds is not None:
            Blueprint(rounds=rounds)  # raises for what cannot be
        polls = hidden_polls(elements, poll_ids=poll_ids, content_type=content_type)
        present = [poll for poll in polls if not poll.is_over]
        pages = chosen(present)
        for poll in present:
            if poll.page is None:
                pages[next(n for n in range(len(pages) + 1) if n not in pages)] = poll
        by_page = {poll.page or 0: poll for poll in polls if poll.is_over} | pages
        held = trivia(elements, spec or ())
        return cls(
            event=event,
            spec=spec,
            poll_ids=poll_ids,
            content_type=content_type,
            polls=polls,
            present=present,
            pages=pages,
            known=frozenset(by_page),
            size=by_page[min(by_page)].options if by_page else 0,
            finished=sum(each.state in {"past", "on_demand"} for each in held),
            rounds=rounds if rounds is not None else len(held) or None,
        )

    def page_of(self, poll: HeldPoll) -> int | None:
        """The page that a poll counts; None for one whose page another poll has."""
        return next((page for page, other in self.pages.items() if other is poll), None)

    def create(self, rounds: int) -> str:
        """The command that makes the polls that are missing, like those that are there."""
        usual = Blueprint()
        words = ["poll-counter", "poll", "create", self.event.id]
        told: list[tuple[str, object, object]] = [("--rounds", rounds, usual.rounds)]
        if self.pages:
            first = self.pages[min(self.pages)]
            told += [
                ("--options", self.size or usual.options_per_poll, usual.options_per_poll),
                ("--spread", first.spread_s, usual.spread_s),
                ("--sample-rate", first.sample_rate, usual.sample_rate),
                ("--content-type", first.element.content_type, usual.content_type),
            ]
        for option, value, standard in told:
            if value != standard:
                words += [option, f"{value:g}" if isinstance(value, float) else str(value)]
        return shlex.join(words)
