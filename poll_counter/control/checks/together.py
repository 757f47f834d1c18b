"""The polls of a show together: whether they are there, in pages that fit, for every round."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from poll_counter.control.blueprint import ROUNDS, options
from poll_counter.control.held import HeldPoll
from poll_counter.elements import PAGE_FIELD, POLL_MARK

from .finding import Finding, mendable
from .show import Show

__all__ = ["about_pages", "about_presence", "about_rounds", "about_those_over"]


def about_presence(show: Show) -> Iterable[Finding]:
    """There is no poll, or not the one that the app is configured with."""
    held = {poll.id for poll in show.polls}
    for id_ in show.poll_ids:
        if id_ not in held:
            yield Finding(
                "poll-unknown",
                "error",
                f"The event has no element {id_}, which the app takes for a hidden poll.",
                "Configure the app with the ids of this event's polls, or let it go by the mark.",
                id_,
            )
    if not show.polls and not show.poll_ids:
        yield Finding(
            "no-poll",
            "error",
            f"The event has no hidden poll (custom field {POLL_MARK} = 1), so no round is counted.",
            f"Make it: {show.create(show.rounds or ROUNDS)}",
        )


def about_those_over(show: Show) -> Iterable[Finding]:
    """Polls that are closed, revoked or cancelled, with rounds left and no successor."""
    last = {poll.page or 0: poll for poll in show.polls if poll.is_over}
    for page, poll in sorted(last.items()):
        first = page * show.size  # the rounds before it
        is_needed = first < (show.rounds or max(show.pages, default=0) * show.size + 1)
        is_through = show.finished >= first + show.size
        if page in show.pages or not is_needed or is_through:
            continue
        word = poll.state if poll.state in {"revoked", "cancelled"} else "closed"
        yield Finding(
            f"poll-{word}",
            "error",
            f"The hidden poll of page {page} is {word} and takes no more votes, so the rounds that "
            "it has left are not counted.",
            f"Make another one: {show.create(show.rounds or ROUNDS)} --publish",
            poll.id,
            "state",
        )


def about_pages(show: Show) -> Iterable[Finding]:
    """Pages that are missing, there twice, or of another length than the first."""
    for page in range(max(show.pages, default=0)):
        if page not in show.known:
            yield Finding(
                "page-missing",
                "error",
                f"There is no hidden poll for page {page}, so rounds {page * show.size + 1} to "
                f"{(page + 1) * show.size} are not counted.",
                f"Make it: {show.create((max(show.pages) + 1) * show.size)}",
                attribute=PAGE_FIELD,
            )
    for poll in show.present:
        if show.page_of(poll) is None and poll.page is not None:
            yield Finding(
                "page-duplicate",
                "error",
                f"Two hidden polls are page {poll.page}: this one and {show.pages[poll.page].id}. "
                "Apps use the one published last, and vote anew there.",
                "Delete one of the two; revoke it if it was published.",
                poll.id,
                PAGE_FIELD,
            )
    for page, poll in sorted(show.pages.items()):
        if poll.options != show.size:
            fewer = poll.options < show.size
            yield mendable(
                poll,
                "pages-differ",
                "question",
                f"Page {page} has {poll.options} options and the first page {show.size}, which "
                "apps take for the length of all: "
                + ("some rounds are not counted." if fewer else "the rest is never voted for."),
                wanted=f"{show.size} options",
                repair=_with_options(poll, show.size, page * show.size + 1),
                severity="error" if fewer else "warning",
            )


def about_rounds(show: Show) -> Iterable[Finding]:
    """Fewer options than rounds."""
    if not show.pages:
        return
    there = (max(show.known) + 1) * show.size
    if show.rounds is None:
        if there < ROUNDS:
            yield Finding(
                "few-options",
                "warning",
                f"There are options for {there} rounds. Whether they are enough cannot be told, "
                "for the event has no trivia yet.",
                "Check again with the number of rounds: --rounds N",
                attribute="question",
            )
    elif there < show.rounds:
        reason = (
            f"There are options for {there} rounds and the show has {show.rounds}: the rounds "
            "after them are not counted."
        )
        more = f"Add polls: {show.create(show.rounds)}"
        if show.known == {0} and (show.rounds <= ROUNDS or not show.size):
            count = min(show.rounds, ROUNDS)
            yield mendable(
                show.pages[0],
                "too-few-options",
                "question",
                reason,
                wanted=f"{count} options",
                repair=_with_options(show.pages[0], count, 1),
                instead=f"Or lose none. {more} --publish" if show.size else "",
            )
        else:
            yield Finding("too-few-options", "error", reason, more, attribute="question")


def _with_options(poll: HeldPoll, count: int, first: int) -> dict[str, Any]:
    """The attributes that give a poll so many options; those that it has keep their texts."""
    held = list(poll.question.get("options") or [])[:count]
    missing = options(first + len(held), count - len(held))
    return {
        "question": {**poll.question, "options": [*held, *missing]},
        "max_votes_per_user": count,
    }
