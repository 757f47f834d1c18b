"""What a producer asks for, as a value: it can be written down, sent to others and done there.

What comes of a write depends on it and on those before it alone: whoever does the same writes in
the same order holds the same show. Time and the id of what is made therefore belong to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = ["BusyError", "Kind", "Write"]

Kind: TypeAlias = Literal[
    "create_event", "update_event", "create_element", "update_element", "delete_element"
]


class Write(NamedTuple):
    """One thing that a producer asks for."""

    kind: Kind
    about: str
    """The id of what is changed; of what is made, the id of what it belongs to."""
    attributes: Mapping[str, Any]
    """As the request has them."""
    now: float
    new_id: str
    """The id of what is made; empty where nothing is."""


class BusyError(Exception):
    """The platform cannot write just now; it may have done what was asked, or yet do it."""
