"""The stats of events and elements (contract sections 1.1, 6.6 and 7.3)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, WrapValidator

from .fields import Flag, Number, Tolerant, Whole, readable

__all__ = ["EVENT_STATS", "ElementStats", "EventStatName", "EventStats", "OptionResult"]

EventStatName: TypeAlias = Literal[
    "interactions",
    "peak_concurrency",
    "current_concurrency",
    "unique_users",
    "average_session_length",
    "elements_count",
]
"""The stats of an event: the complete documented list (contract 1.1)."""
EVENT_STATS: tuple[EventStatName, ...] = (
    "interactions",
    "peak_concurrency",
    "current_concurrency",
    "unique_users",
    "average_session_length",
    "elements_count",
)
"""All of them."""


class EventStats(Tolerant):
    """The stats of an event; section 6.6 of the contract has what is known of their meaning.

    For example:

    ```python
    event = await api.event(event_id, include=["stats"])
    print(event.stats and event.stats.current_concurrency)
    ```
    """

    interactions: Number = None
    """Not defined by the documentation."""
    peak_concurrency: Number = None
    """The most clients connected at once; sampled every 5 s."""
    current_concurrency: Number = None
    """The clients connected; how old the number is, is not documented."""
    unique_users: Number = None
    """Different ids that connected: not humans."""
    average_session_length: Number = None
    """Total duration of all sessions by their number; a reconnect is a second session."""
    elements_count: Number = None
    """Not defined by the documentation."""
    attributes: dict[str, Any] = Field(default_factory=dict, repr=False)
    """All attributes, as they were sent."""


class OptionResult(Tolerant):
    """The votes of one option."""

    votes: Whole = None
    """How many."""
    percentage: Number = None
    """Their share of all votes; how it is rounded is not documented."""


class ElementStats(Tolerant):
    """The results of an element; the attributes are not documented, and read as in the feeds.

    For example:

    ```python
    for element in await api.elements(event_id, stats=True):
        print(element.label, element.stats and element.stats.votes)
    ```
    """

    votes: Whole = None
    """All votes."""
    voters: Whole = None
    """Who voted, once or more."""
    results: Annotated[list[OptionResult], WrapValidator(readable)] = Field(default_factory=list)
    """The votes of each option, in option order."""
    results_are_final: Flag = None
    """Whether they change no more."""
    attributes: dict[str, Any] = Field(default_factory=dict, repr=False)
    """All attributes, as they were sent."""
