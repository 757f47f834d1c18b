"""`poll-counter poll create`, `poll-counter poll check` and `poll-counter spec`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from poll_counter.control import hidden_poll
from poll_counter.control.held import HeldPoll
from poll_counter.control.resources import Element

from .control import control_api
from .terminal import Terminal

__all__ = ["check_polls", "create_polls", "print_spec"]

STYLES = {"error": "red", "warning": "yellow"}


async def create_polls(options: argparse.Namespace, terminal: Terminal) -> int:
    """Make the hidden polls of an event, and show them."""
    async with control_api(options) as api:
        polls = await hidden_poll.create(
            api,
            options.event,
            rounds=options.rounds,
            options_per_poll=options.options,
            spread_s=options.spread,
            sample_rate=options.sample_rate,
            content_type=options.content_type,
            duration_s=options.duration,
            locale=options.locale,
            publish=options.publish,
        )
    if options.json:
        terminal.json([_as_dict(poll) for poll in polls])
    else:
        rows = [list(map(str, _as_dict(poll).values())) for poll in polls]
        terminal.table(("id", "page", "options", "state"), rows)
    return 0


def _as_dict(poll: Element) -> dict[str, object]:
    held = HeldPoll(poll)
    return {"id": held.id, "page": held.page, "options": held.options, "state": held.state}


async def check_polls(options: argparse.Namespace, terminal: Terminal) -> int:
    """Say what would spoil the count; with --fix or --replace mend it, and check again."""
    mends = options.fix or options.replace
    async with control_api(options) as api:

        async def check() -> list[hidden_poll.Finding]:
            return await hidden_poll.check(
                api,
                options.event,
                rounds=options.rounds,
                poll_ids=options.polls,
                content_type=options.content_type,
                project_id=options.project,
            )

        found = await check()
        replaces = options.replace
        mended = await hidden_poll.fix(api, found, replace_published=replaces) if mends else []
        found = await check() if mended else found
    if options.json:
        terminal.json(
            {
                "ok": not found,
                "findings": [one.as_dict() for one in found],
                "mended": [one.as_dict() for one in mended],
            }
        )
    else:
        _print_findings(found, mended, terminal)
    return 1 if found else 0


def _print_findings(
    found: Sequence[hidden_poll.Finding],
    mended: Sequence[hidden_poll.Finding],
    terminal: Terminal,
) -> None:
    for one in mended:
        terminal.say(f"mended {_subject(one)}", "green")
        terminal.say(f"    {one.reason}")
    for one in found:
        terminal.say(f"{one.severity} {_subject(one)}", STYLES[one.severity])
        terminal.say(f"    {one.reason}")
        terminal.say(f"    {one.mend}")
    if not found:
        terminal.say("Nothing would spoil the count.", "green")
    fixable = sum(one.fixable for one in found)
    replaceable = sum(one.replaceable for one in found)
    if fixable:
        terminal.say(f"--fix mends {fixable} of {len(found)}.")
    if replaceable:
        terminal.say(
            f"--replace mends {replaceable} of {len(found)}, by new polls: the votes so far in the "
            "old ones are lost."
        )


def _subject(one: hidden_poll.Finding) -> str:
    return one.code if one.element_id is None else f"{one.code} ({one.element_id})"


def print_spec(options: argparse.Namespace, terminal: Terminal) -> int:
    """Print what to add to the App Spec."""
    entry = hidden_poll.spec_entry(
        content_type=options.content_type,
        options_per_poll=options.options,
        duration_s=options.duration,
    )
    field = hidden_poll.concurrency_entry()
    if options.json:
        terminal.json({"elements": [entry], "event_settings": [field]}, indent=2)
        return 0
    terminal.say("An entry of the array in elements.json, the hidden poll:", "bold")
    terminal.json(entry, indent=2)
    terminal.say("A group of fields for event_settings.json, the connected users:", "bold")
    terminal.json(field, indent=2)
    return 0
