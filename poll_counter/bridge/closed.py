"""For an SDK whose list of elements leaves closed ones out: how far the show is, all the same."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from poll_counter.elements import Element, EventState
from poll_counter.facts import (
    ElementPublished,
    ElementRevoked,
    ElementUpdated,
    EventStateChanged,
    Fact,
    Welcomed,
)

__all__ = ["ClosedKept"]

logger = logging.getLogger(__name__)


@dataclass
class ClosedKept:
    """Puts the closed elements back into snapshots that lack them.

    Whoever was there from the event's start knows them: an element that is gone was closed. Who
    came later cannot know the round: the event is told them as upcoming until it is over, so that
    they neither vote nor read counts. A trivia that comes and goes while no bridge is there is
    missed: the counter is then a round behind.
    """

    _elements: Mapping[str, Element] | None = None
    """The elements told so far; None before the first snapshot."""
    _late: bool = False

    def complete(self, fact: Fact) -> Fact:
        """Take in a fact, and give it as it has to be told."""
        match fact:
            case Welcomed():
                if self._elements is None:
                    self._late = fact.event_state == "active"
                    if self._late:
                        logger.warning(_LATE)
                gone = {key: replace(e, state="closed") for key, e in self._held.items()}
                self._elements = gone | {element.id: element for element in fact.elements}
                elements = tuple(self._elements.values())
                return replace(fact, elements=elements, event_state=self._told(fact.event_state))
            case ElementPublished(element) | ElementUpdated(element):
                self._elements = {**self._held, element.id: element}
            case ElementRevoked(element_id):
                self._elements = {k: v for k, v in self._held.items() if k != element_id}
            case EventStateChanged(state):
                return replace(fact, state=self._told(state))
        return fact

    @property
    def _held(self) -> Mapping[str, Element]:
        return self._elements or {}

    def _told(self, state: EventState) -> EventState:
        return "upcoming" if self._late and state == "active" else state


_LATE = (
    "this counter came after the event had begun, to an SDK that does not list closed elements: "
    "it cannot know the round, and sits this event out"
)
