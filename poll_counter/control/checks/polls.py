"""One hidden poll: its fields, who may vote in it and how often, when it is seen and open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from poll_counter.control.held import HeldPoll, plain
from poll_counter.elements import PAGE_FIELD, POLL_MARK, SAMPLE_RATE_FIELD, SPREAD_FIELD, number
from poll_counter.rounds import SPREAD_S_MAX
from poll_counter.sampling import RATE_MIN, is_rate

from .finding import Finding, mendable
from .show import Show

__all__ = ["about_fields", "about_publishing", "about_votes"]


def about_fields(show: Show, poll: HeldPoll) -> Iterable[Finding]:
    """The custom fields that clients read (rule 10)."""
    if not poll.is_marked:
        yield mendable(
            poll,
            "mark-missing",
            POLL_MARK,
            f"The custom field {POLL_MARK} is not 1, so apps take the poll for one to be shown, "
            "and count nothing.",
            wanted=f"{POLL_MARK} = 1",
            repair=_field(POLL_MARK, 1),
        )
    if poll.page is None:
        yield from _about_page(show, poll)
    yield from _about_spread(poll)
    rate = poll.field(SAMPLE_RATE_FIELD)
    told = number(rate)
    if rate is not None and (told is None or not is_rate(told)):
        yield mendable(
            poll,
            "sample-rate",
            SAMPLE_RATE_FIELD,
            f"The sample rate is {rate!r}, which is no share from {RATE_MIN:g} to 1: apps take it "
            "for 1, and every player votes.",
            wanted=f"{SAMPLE_RATE_FIELD} = 1, or a share such as 0.1",
            repair=_field(SAMPLE_RATE_FIELD, 1),
        )
    for key in (POLL_MARK, PAGE_FIELD, SPREAD_FIELD, SAMPLE_RATE_FIELD):
        value = poll.field(key)
        if isinstance(value, str) and number(value) is not None:
            yield mendable(
                poll,
                "number-in-string",
                key,
                f"{key} is a text, {value!r}, where a number belongs. Apps of this library read "
                "it; others may not.",
                wanted=f"{key} = {value.strip()}, a number",
                repair=_field(key, plain(number(value) or 0.0)),
                severity="warning",
            )


def _about_page(show: Show, poll: HeldPoll) -> Iterable[Finding]:
    """A page that is not named, or is none."""
    value, page = poll.field(PAGE_FIELD), show.page_of(poll)
    absent = value is None
    yield mendable(
        poll,
        "page-unnamed" if absent else "page-not-whole",
        PAGE_FIELD,
        ("The poll names no page" if absent else f"The page is {value!r}, no whole number from 0")
        + ", so apps go by the order in which polls were published.",
        wanted=f"{PAGE_FIELD} = {page}",
        repair=_field(PAGE_FIELD, page),
        severity="error" if len(show.present) > 1 else "warning",
    )


def _about_spread(poll: HeldPoll) -> Iterable[Finding]:
    value = poll.field(SPREAD_FIELD)
    told = number(value)
    if value is not None and (told is None or not 0.0 <= told <= SPREAD_S_MAX):
        used = poll.spread_s if told is None else min(max(told, 0.0), SPREAD_S_MAX)
        yield mendable(
            poll,
            "spread",
            SPREAD_FIELD,
            f"The spread is {value!r}, which is no number of seconds from 0 to {SPREAD_S_MAX:g}: "
            f"apps take it for {used:g}.",
            wanted=f"{SPREAD_FIELD} = {used:g}",
            repair=_field(SPREAD_FIELD, plain(used)),
            severity="warning",
        )


def about_votes(_show: Show, poll: HeldPoll) -> Iterable[Finding]:
    """Who may vote, and how often."""
    per_user = poll.amount("max_votes_per_user")
    if per_user is not None and per_user < poll.options:
        yield _number(
            poll,
            "votes-per-user",
            "max_votes_per_user",
            poll.options,
            f"max_votes_per_user is {per_user:g}, and every player votes once for each of the "
            f"{poll.options} options: the votes of later rounds are refused.",
        )
    per_option = poll.amount("max_votes_per_option")
    if per_option is not None and per_option < 1:
        yield _number(
            poll, "votes-per-option", "max_votes_per_option", 1, "No option takes any vote."
        )
    elif per_option is not None and per_option > 1:
        yield mendable(
            poll,
            "votes-per-option",
            "max_votes_per_option",
            f"An option takes {per_option:g} votes of one user. A vote that may be lost is then "
            "not repeated, for it could count twice: the counts may be too low.",
            wanted="max_votes_per_option = 1",
            repair={"max_votes_per_option": 1},
            severity="warning",
        )
    for attribute, sign in (("min_options_per_vote", 1), ("max_options_per_vote", -1)):
        amount = poll.amount(attribute)
        if amount is not None and sign * amount > sign:
            yield _number(
                poll,
                "options-per-vote",
                attribute,
                1,
                f"{attribute} is {amount:g}, and apps vote for one option at a time: all their "
                "votes are refused.",
            )
    if poll.told("require_verified_user") is True:
        yield mendable(
            poll,
            "verified-only",
            "require_verified_user",
            "Only verified users may vote: all other players are not counted.",
            wanted="require_verified_user = false",
            repair={"require_verified_user": False},
        )
    if poll.told("certification") is True:
        yield mendable(
            poll,
            "certification",
            "certification",
            "Certification is on: votes are audited, which takes time, and some may be excluded.",
            wanted="certification = false",
            repair={"certification": False},
            severity="warning",
        )


def about_publishing(show: Show, poll: HeldPoll) -> Iterable[Finding]:
    """When it is open, and who sees its results."""
    mode = poll.told("reveal_results_mode")
    if mode is not None and mode != "vote":
        yield mendable(
            poll,
            "reveal-results",
            "reveal_results_mode",
            f"Its results are revealed by the mode {mode!r}, not while it is open: apps have no "
            "count to show.",
            wanted='reveal_results_mode = "vote"',
            repair={"reveal_results_mode": "vote"},
        )
    open_s, show_s = poll.amount("duration"), show.event.duration
    is_fixed = poll.told("duration_mode") in {None, "fixed"}
    if open_s is not None and show_s is not None and is_fixed and open_s < show_s:
        yield mendable(
            poll,
            "duration",
            "duration",
            f"It is open for {open_s:g} s and the event lasts {show_s:g} s: the rounds after it "
            "closed are not counted.",
            wanted=f"duration = {show_s:g}",
            repair={"duration": show_s},
        )
    if poll.told("include_in_latest_results_feed") is True:
        yield mendable(
            poll,
            "latest-results",
            "include_in_latest_results_feed",
            "It is in the feed of the latest results, where the public sees it.",
            wanted="include_in_latest_results_feed = false",
            repair={"include_in_latest_results_feed": False},
            severity="warning",
        )
    if poll.is_published:
        return
    page = show.page_of(poll)
    if poll.told("start_mode") == "timecode":
        yield mendable(
            poll,
            "timecode",
            "start_mode",
            "It is published by the clock, so many seconds after the event began: rounds that are "
            "played before are not counted.",
            wanted='start_mode = "manual"',
            repair={"start_mode": "manual", "offset": 0},
            severity="warning",
        )
    elif show.event.state == "current" and page is not None and page * show.size <= show.finished:
        yield Finding(
            "not-published",
            "warning",
            "The event is on and the poll is not published: as long as it is not, rounds are not "
            "counted.",
            f"Publish it in Studio, or: {show.create((page + 1) * show.size)} --publish",
            poll.id,
            "state",
        )


def _number(poll: HeldPoll, code: str, attribute: str, value: int, reason: str) -> Finding:
    """A setting that should have another number."""
    return mendable(
        poll, code, attribute, reason, wanted=f"{attribute} = {value}", repair={attribute: value}
    )


def _field(key: str, value: float | None) -> dict[str, Any]:
    return {"custom_fields": [{"key": key, "values": {"all": value}}]}
