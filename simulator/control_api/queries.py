"""What a request's query asks for: filters, what to include, the order, the page.

Names and values arrive percent-encoded or not, lists with commas (contract sections 2 and 18).
What JSON:API reserves and an endpoint does not have is refused with 400, as JSON:API demands; any
other parameter is let be.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .documents import Refusal, Resource

__all__ = ["Parameter", "Query", "page_after"]

RESERVED = re.compile(r"include|sort|(fields|filter|page)(\[.*)?", re.DOTALL)
"""The parameters that JSON:API gives a meaning."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter that an endpoint has."""

    name: str
    meaning: str
    """A line for the API's description."""
    kind: Literal["list", "choice", "flag", "number", "text"]
    """A comma list of `values`, one of them, true or false, 1 to `most`, anything."""
    values: tuple[str, ...] = ()
    most: int = 0
    required: bool = False


class Query:
    """The query parameters of one request, decoded.

    Raises `Refusal` (400, with the parameter) for one that is lacking or that JSON:API reserves
    and the endpoint has not; its methods do for a value that cannot be.

    Args:
        pairs: names and values, in order.
        parameters: those that the endpoint has.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], parameters: Iterable[Parameter]) -> None:
        self.pairs = list(pairs)
        """Names and values as they came."""
        self._parameters = {each.name: each for each in parameters}
        self._values: dict[str, list[str]] = {}
        for name, value in self.pairs:
            if name in self._parameters:
                self._values.setdefault(name, []).append(value)
            elif RESERVED.fullmatch(name):
                raise Refusal(400, "this endpoint has no such parameter", parameter=name)
        for name, parameter in self._parameters.items():
            if parameter.required and name not in self._values:
                raise Refusal(400, "is missing", parameter=name)

    def listed(self, name: str) -> tuple[str, ...] | None:
        """The items of a comma list, which may be empty; None if the parameter is absent."""
        if name not in self._values:
            return None
        items = [item.strip() for value in self._values[name] for item in value.split(",")]
        for item in filter(None, items):
            self._check_choice(name, item)
        return tuple(dict.fromkeys(filter(None, items)))

    def choice(self, name: str) -> str:
        """One of the parameter's values; empty if it is absent or empty."""
        value = self.text(name)
        if value:
            self._check_choice(name, value)
        return value

    def flag(self, name: str) -> bool | None:
        """`true` or `false`; None if the parameter is absent or empty."""
        value = self.text(name)
        if value not in {"", "true", "false"}:
            raise Refusal(400, f"{value!r} is neither true nor false", parameter=name)
        return value == "true" if value else None

    def number(self, name: str, default: int) -> int:
        """A whole number from 1 to the parameter's most; the default if absent or empty."""
        value, most = self.text(name), self._parameters[name].most
        if not value:
            return default
        if re.fullmatch(r"[0-9]{1,9}", value) is None or not 1 <= int(value) <= most:
            raise Refusal(400, f"{value!r} is no number from 1 to {most}", parameter=name)
        return int(value)

    def text(self, name: str) -> str:
        """One value; empty if the parameter is absent."""
        values = self._values.get(name, [""])
        if len(values) > 1:
            raise Refusal(400, "was given more than once", parameter=name)
        return values[0]

    def _check_choice(self, name: str, value: str) -> None:
        values = self._parameters[name].values
        if value not in values:
            raise Refusal(400, f"{value!r} is none of {', '.join(values)}", parameter=name)


def page_after(
    cursor: str, resources: Sequence[Resource], order: Sequence[str], count: int
) -> tuple[list[Resource], str]:
    """A page of a collection, and the cursor of the next one; empty if this is the last.

    A cursor names the resource that the page before ended with, by its id. So pages neither
    repeat nor lose a resource when others are added or leave the filter meanwhile.

    Args:
        cursor: where to go on; empty for the first page.
        resources: the collection, filtered, in order.
        order: the ids of the whole collection, without the filter.
        count: the size of a page.

    Raises Refusal (400) for a cursor that was not given out here.
    """
    if cursor:
        try:
            position = order.index(urlsafe_b64decode(cursor).decode())
        except ValueError:  # also of base64 and of UTF-8
            detail = "this cursor was not given out for this collection"
            raise Refusal(400, detail, parameter="page[cursor]") from None
        to_come = set(order[position + 1 :])
        resources = [each for each in resources if each["id"] in to_come]
    page = list(resources[:count])
    more = len(resources) > count
    return page, urlsafe_b64encode(page[-1]["id"].encode()).decode() if more else ""
