"""The hidden poll, from the producer's side: made, checked, mended.

On a server, never in an app: whoever holds the token can do whatever the producer can.

    async with ControlApi("eu") as api:
        await hidden_poll.create(api, event_id, publish=True)
        for finding in await hidden_poll.check(api, event_id):
            print(finding.reason, finding.mend)
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from operator import eq, ge, le
from typing import Any

from poll_counter.elements import PAGE_FIELD, POLL_MARK, SAMPLE_RATE_FIELD, SPREAD_FIELD
from poll_counter.errors import MisuseError, PlatformError
from poll_counter.machine import DEFAULT_SPREAD_S
from poll_counter.rounds import SPREAD_S_MAX

from .api import ControlApi
from .blueprint import (
    CONTENT_TYPE,
    DURATION_S,
    ROUNDS,
    Blueprint,
    attributes,
    concurrency_entry,
    spec_entry,
)
from .checks import Finding, findings
from .held import OVER, HeldPoll, chosen, hidden_polls
from .resources import Element, ElementSpec

__all__ = [
    "Finding",
    "attributes",
    "check",
    "concurrency_entry",
    "create",
    "findings",
    "fix",
    "replace",
    "spec_entry",
]

logger = logging.getLogger(__name__)

JUDGED = {
    "certification": eq,
    "content_type": eq,
    "duration": eq,
    "max_options_per_vote": ge,
    "max_votes_per_option": eq,
    "max_votes_per_user": ge,
    "min_options_per_vote": le,
    "require_verified_user": eq,
    "reveal_results_mode": eq,
}
"""How an attribute of a poll that is there has to stand to what is asked for."""


async def create(
    api: ControlApi,
    event_id: str,
    *,
    rounds: int = ROUNDS,
    options_per_poll: int = ROUNDS,
    spread_s: float = DEFAULT_SPREAD_S,
    sample_rate: float = 1.0,
    content_type: str = CONTENT_TYPE,
    duration_s: int | None = None,
    locale: str = "all",
    publish: bool = False,
) -> list[Element]:
    """Make the hidden polls of an event: those that are there are kept, so that twice is once.

    Args:
        api: the Control API.
        event_id: the event.
        rounds: how many trivia the show has.
        options_per_poll: more rounds than this take more polls, in pages.
        spread_s: over how many seconds the votes of a round are spread, 0 to 120.
        sample_rate: the share of players that vote, above 0 and up to 1.
        content_type: the app's own, as its elements spec names it.
        duration_s: how long each is open; None: as long as the event, or 6 hours.
        locale: of the texts; `all` where the project is not localised.
        publish: publish them, too; the event has to be on.

    Returns:
        The polls, in page order.

    Raises:
        MisuseError: for what cannot be, before anything is sent; for an event that is over, and
            for polls that are there with other settings, before anything is changed.
        ControlApiError: the platform refused, or cannot be reached. What was made by then is
            kept when this is run again.
    """
    blueprint = Blueprint(
        rounds, options_per_poll, spread_s, sample_rate, content_type, duration_s, locale
    )
    event = await api.event(event_id)
    if event.state in OVER:
        raise MisuseError(f"event {event_id} is over, so nobody can vote in it any more")
    elements = await api.elements(event_id)
    held = chosen(hidden_polls(elements, content_type=content_type))
    _refuse_others(held, blueprint)
    if duration_s is None:
        blueprint = dataclasses.replace(blueprint, duration_s=event.duration or DURATION_S)
    polls = [
        held[page].element
        if page in held
        else await api.create_element(event_id, blueprint.attributes(page))
        for page in range(blueprint.pages)
    ]
    due = [poll for poll in polls if publish and not HeldPoll(poll).is_published]
    for poll in due:
        await api.publish(poll.id)
    if due:
        now = {element.id: element for element in await api.elements(event_id)}
        polls = [now.get(poll.id, poll) for poll in polls]
    return polls


def _refuse_others(held: Mapping[int, HeldPoll], blueprint: Blueprint) -> None:
    """Raise MisuseError where a poll that is there is not as it is asked for."""
    for page, poll in sorted(held.items()):
        different = _differences(poll, blueprint.attributes(page))
        if page < blueprint.pages and different:
            raise MisuseError(
                f"the hidden poll of page {page} ({poll.id}) is there already, but otherwise: "
                f"{', '.join(different)}. Ask for what is there, or take it away (delete it, or "
                "revoke it once published) and create it anew; `check` says what would spoil the "
                "count, and can mend it"
            )


def _differences(poll: HeldPoll, wanted: Mapping[str, Any]) -> list[str]:
    """What is other than wanted, of what the platform tells; texts may be as the producer likes."""
    size = len(wanted["question"]["options"])
    different = [] if poll.options == size else [f"{poll.options} options, not {size}"]
    if not poll.is_marked:
        different.append(f"no {POLL_MARK} = 1")
    fields = {each["key"]: each["values"]["all"] for each in wanted["custom_fields"]}
    for key, value in ((SPREAD_FIELD, poll.spread_s), (SAMPLE_RATE_FIELD, poll.sample_rate)):
        if value != fields[key]:
            different.append(f"{key} {value:g}, not {fields[key]:g}")
    for key in JUDGED.keys() & wanted.keys():
        told = poll.told(key) if isinstance(wanted[key], bool | str) else poll.amount(key)
        if told is not None and not JUDGED[key](told, wanted[key]):
            different.append(f"{key} {told}, not {wanted[key]}")
    return sorted(different)


async def check(
    api: ControlApi,
    event_id: str,
    *,
    rounds: int | None = None,
    poll_ids: Sequence[str] = (),
    content_type: str = CONTENT_TYPE,
    project_id: str | None = None,
) -> list[Finding]:
    """Say what would spoil the count of an event, and how to mend it; errors come first.

    Args:
        api: the Control API; rights to read are enough.
        event_id: the event.
        rounds: how many trivia the show has; None: as many as the event has, if any.
        poll_ids: the polls, in page order, where the app is configured with ids.
        content_type: the type of hidden polls, to find those that lack the mark.
        project_id: whose app's elements spec is read; None: the event's.

    Raises:
        MisuseError: for a number of rounds that cannot be.
        ControlApiError: the event cannot be read. That the spec cannot is a finding.
    """
    if rounds is not None:
        Blueprint(rounds=rounds)  # raises before anything is sent
    event = await api.event(event_id)
    elements = await api.elements(event_id)
    spec = await _spec(api, project_id or event.project_id)
    return findings(
        elements, event, spec, rounds=rounds, poll_ids=poll_ids, content_type=content_type
    )


async def _spec(api: ControlApi, project_id: str | None) -> list[ElementSpec] | None:
    """Read the elements spec of a project's app; None where that cannot be."""
    if project_id is None:
        return None
    try:
        return await api.elements_spec(project_id)
    except PlatformError as error:
        logger.info("the elements spec could not be read: %s", error)
        return None


async def fix(
    api: ControlApi, found: Iterable[Finding], *, replace_published: bool = False
) -> list[Finding]:
    """Mend what was found, and can be: settings of polls that were not published yet.

    Args:
        api: the Control API, with rights to write.
        found: what `check` gave.
        replace_published: replace published polls, too; see `replace` for what is lost.

    Returns:
        The findings that were mended; check again for what is left.

    Raises:
        MisuseError: a published poll is to be replaced while its event is not on.
        ControlApiError: the platform refused, or cannot be reached.
    """
    mended = []
    by_poll = dict[str, list[Finding]]()
    for one in found:
        if one.element_id is not None and (one.fixable or (one.replaceable and replace_published)):
            by_poll.setdefault(one.element_id, []).append(one)
    for id_, ones in by_poll.items():
        repair = _together(ones)
        if ones[0].fixable:
            await api.update_element(id_, repair)
        else:
            fields = {f["key"]: f["values"]["all"] for f in repair.get("custom_fields", ())}
            options = repair["question"]["options"] if "question" in repair else None
            await replace(
                api,
                id_,
                page=fields.get(PAGE_FIELD),
                options_per_poll=None if options is None else len(options),
            )
        mended += ones
    return mended


def _together(found: Iterable[Finding]) -> dict[str, Any]:
    """The attributes that mend all of the findings about one poll."""
    repair: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for one in found:
        repair |= one.repair
        fields |= {each["key"]: each for each in one.repair.get("custom_fields", ())}
    return {**repair, "custom_fields": [*fields.values()]} if fields else repair


async def replace(
    api: ControlApi,
    element_id: str,
    *,
    page: int | None = None,
    options_per_poll: int | None = None,
    spread_s: float | None = None,
    sample_rate: float | None = None,
    content_type: str | None = None,
    duration_s: int | None = None,
    locale: str = "all",
) -> Element:
    """Publish another poll in the place of one, with the right settings, and revoke the old one.

    The votes of the present round are cast anew, in the new poll; those of earlier rounds are
    lost with the old one, except that apps which are running keep their last counts (rule 6).

    Args:
        api: the Control API, with rights to write.
        element_id: the poll that is replaced, published.
        page: what it counts; None, here and below: as the old poll has it.
        options_per_poll: its options.
        spread_s: over how many seconds the votes of a round are spread, 0 to 120.
        sample_rate: the share of players that vote, above 0 and up to 1.
        content_type: the app's own, as its elements spec names it.
        duration_s: how long it is open; None: as long as the event, or 6 hours.
        locale: of the texts; `all` where the project is not localised.

    Returns:
        The new poll.

    Raises:
        MisuseError: the old poll is not published, or its event is not on.
        ControlApiError: the platform refused, or cannot be reached. The old poll is revoked
            last, so that there is never none.
    """
    old = HeldPoll(await api.element(element_id))
    if not old.is_published:
        raise MisuseError(
            f"element {element_id} was never published: `fix` mends it, and it loses no votes"
        )
    event = await api.event(old.element.event_id or "")
    if event.state != "current":
        raise MisuseError(
            f"event {event.id} is not on, and an element is published only while it is: start it, "
            "then replace the poll"
        )
    spread_s = min(max(old.spread_s, 0.0), SPREAD_S_MAX) if spread_s is None else spread_s
    new = await api.create_element(
        event.id,
        attributes(
            (old.page or 0) if page is None else page,
            options_per_poll=old.options if options_per_poll is None else options_per_poll,
            spread_s=spread_s,
            sample_rate=old.sample_rate if sample_rate is None else sample_rate,
            content_type=content_type or old.element.content_type,
            duration_s=duration_s or event.duration or DURATION_S,
            locale=locale,
        )
        | {"action": "publish"},  # at once: there is no poll that is made and then left behind
    )
    if not old.is_over:
        await api.revoke(element_id)
    return await api.element(new.id)
