"""The app's elements spec: whether it has the hidden poll, with its options and fields."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from poll_counter.control.blueprint import ROUNDS
from poll_counter.control.resources import ElementSpec
from poll_counter.elements import PAGE_FIELD, POLL_MARK, SAMPLE_RATE_FIELD, SPREAD_FIELD

from .finding import Finding
from .show import Show

__all__ = ["about_spec"]

POLLS = frozenset({"poll", "rpoll"})
"""The base types that are polls (contract section 8): two names for one."""
FIELDS = (POLL_MARK, PAGE_FIELD, SPREAD_FIELD, SAMPLE_RATE_FIELD)
PRINT = "`poll-counter spec` prints the entry that it needs."


def about_spec(show: Show) -> Iterable[Finding]:
    """What the spec says of the content types of the hidden polls."""
    if show.spec is None:
        yield Finding(
            "spec-unread",
            "warning",
            "The app's elements spec could not be read, so it was not checked whether it has the "
            "hidden poll.",
            "Use a token that may read the project and its app, or look at elements.json yourself.",
        )
        return
    sizes: dict[str, int] = {}
    for poll in show.present:
        type_ = poll.element.content_type
        sizes[type_] = max(sizes.get(type_, 0), poll.options)
    for type_, size in sizes.items() or [(show.content_type, min(show.rounds or ROUNDS, ROUNDS))]:
        yield from _about_type(show.spec, type_, size)


def _about_type(spec: Collection[ElementSpec], type_: str, size: int) -> Iterable[Finding]:
    entry = next((each for each in spec if each.content_type == type_), None)
    if entry is None:
        yield Finding(
            "content-type-unknown",
            "error",
            f"The app's elements spec has no content type {type_!r}: Studio cannot make the hidden "
            "poll, and the platform may refuse it.",
            f"Add it to elements.json. {PRINT}",
            attribute="content_type",
        )
        return
    if entry.derived_from not in {"", *POLLS}:
        yield Finding(
            "content-type-no-poll",
            "error",
            f"The content type {type_!r} is derived from {entry.derived_from!r}, which is no poll.",
            f"Derive it from rpoll in elements.json. {PRINT}",
            attribute="content_type",
        )
    most = entry.options_max
    if most is not None and most < size:
        yield Finding(
            "options-number",
            "error",
            f"The elements spec allows {type_!r} {most} options, and the hidden poll has {size}.",
            f"Raise options_number.max in elements.json to {size}.",
            attribute="options_number",
        )
    absent = [key for key in FIELDS if key not in entry.field_keys]
    if absent:
        yield Finding(
            "fields-absent",
            "error" if {POLL_MARK, PAGE_FIELD} & {*absent} else "warning",
            f"The elements spec gives {type_!r} no custom field {', '.join(absent)}: the platform "
            "may drop what is written there.",
            f"Add the fields in elements.json. {PRINT}",
            attribute="custom_fields",
        )
