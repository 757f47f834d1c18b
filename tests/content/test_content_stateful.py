"""Producers that do anything, in any order: what holds all the while.

A refusal changes nothing and is a ContentError; what can be read is JSON of the documented
states; clients hold what the producer reads as published.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from simulator.choices import Choices
from simulator.content import Content, ContentError
from simulator.content.attributes import ElementAttributes, EventAttributes
from simulator.content.resources import ElementState, EventState
from simulator.emulator import Emulator
from simulator.feeds import elements_feed, history, listings

ANY = st.characters(exclude_categories=())
"""Surrogates too, which JSON can write and UTF-8 cannot."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(ANY),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(ANY), children),
    max_leaves=6,
)
EVENT_ATTRIBUTES = st.dictionaries(st.sampled_from([*EventAttributes.model_fields]), JSON)
ELEMENT_ATTRIBUTES = st.dictionaries(st.sampled_from([*ElementAttributes.model_fields]), JSON)
FIELDS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from("ab"),
            "values": st.dictionaries(st.sampled_from(["all", "en", "de"]), st.integers()),
        }
    ),
    max_size=2,
)
SENSIBLE_EVENT = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("Show"),
        "start_mode": st.sampled_from(["manual", "clock"]),
        "start_at": st.sampled_from([None, 0, 5, 50]),
        "duration": st.sampled_from([None, 1, 20]),
        "end_mode": st.sampled_from(["duration", "scheduled"]),
        "on_demand_duration": st.sampled_from([None, 0, 10]),
        "settings": FIELDS,
    },
)
SENSIBLE_ELEMENT = st.fixed_dictionaries(
    {},
    optional={
        "content_type": st.sampled_from(["rpoll-custom", "trivia", "article", "unheard-of"]),
        "start_mode": st.sampled_from(["manual", "timecode"]),
        "offset": st.sampled_from([0, 3, 30]),
        "duration": st.sampled_from([None, 0, 5]),
        "correct_option": st.sampled_from([None, 0, 1, 3]),
        "reveal_results_mode": st.sampled_from(["vote", "close", "event_end", "never", "manual"]),
        "max_votes_per_user": st.sampled_from([1, "2"]),
        "custom_fields": FIELDS,
        "question": st.sampled_from(
            [None, {}, {"label": "Q"}, {"options": [{"label": "x"}, {"label": "y"}]}]
        ),
    },
)


def as_json(thing: Any) -> str:
    """Write what is read as the Control API does: strict JSON in UTF-8."""
    text = json.dumps(thing, allow_nan=False, ensure_ascii=False)
    text.encode()
    return text


def refusal_of(write: Callable[..., object], *args: Any) -> ContentError | None:
    """Write; returns why it was refused, if it was."""
    try:
        write(*args)
    except ContentError as refusal:
        return refusal
    return None


@settings(derandomize=True, max_examples=100, deadline=None)
@given(EVENT_ATTRIBUTES, ELEMENT_ATTRIBUTES)
def test_no_attribute_breaks_the_platform(
    of_event: dict[str, Any], of_element: dict[str, Any]
) -> None:
    """Whatever JSON comes, it is refused at an attribute, or taken and can be read."""
    content = Content(Emulator(), Choices(elements_feed=True))
    project = content.add_project("Quiz night")
    event, _ = content.create_event(project, {"name": "Show"}, 0.0)
    element, _ = content.create_element(event, {"content_type": "rpoll-custom"}, 0.0)
    for write, thing, attributes in (
        (content.update_event, event, of_event),
        (content.update_element, element, of_element),
    ):
        refusal = refusal_of(write, thing, attributes, 1.0)
        if refusal is not None:
            assert refusal.pointer.startswith("/data/attributes/")
            as_json([refusal.pointer, refusal.detail])
    as_json([content.event(event, 1.0), content.element(element, 1.0)])
    as_json([listings(content, project, 1.0), history(content, event, 1.0)])
    as_json(elements_feed(content, project, 1.0, published_only=False))


class Producers(RuleBasedStateMachine):
    """Producers at work on one project, while time passes and users vote."""

    events = Bundle("events")
    elements = Bundle("elements")

    def __init__(self) -> None:
        super().__init__()
        numbers = itertools.count(1)
        self.emulator = Emulator()
        self.content = Content(
            self.emulator, Choices(elements_feed=True), new_id=lambda: f"id-{next(numbers)}"
        )
        self.project = self.content.add_project("Quiz night")
        self.now = 0.0
        self.connections = itertools.count(1)

    def state(self) -> str:
        """Everything that can be read."""
        content, now = self.content, self.now
        events = content.events(self.project, now)
        ids = [event["id"] for event in events]
        return as_json(
            [
                events,
                [content.event_stats(event, now) for event in ids],
                [content.elements(event, now) for event in ids],
                [history(content, event, now) for event in ids],
                listings(content, self.project, now),
                elements_feed(content, self.project, now, published_only=False),
            ]
        )

    def try_(self, write: Any, *args: Any) -> Any:
        """Write; a refusal changes nothing."""
        before = self.state()
        made: list[Any] = []
        refusal = refusal_of(lambda: made.append(write(*args, self.now)))
        if refusal is None:
            return made[0]
        assert refusal.pointer.startswith("/data")
        assert self.state() == before
        return None

    @rule(target=events, given=SENSIBLE_EVENT)
    def create_event(self, given: dict[str, Any]) -> str:
        """Make an event, which needs a name."""
        return self.content.create_event(self.project, {"name": "Show", **given}, self.now)[0]

    @rule(
        event=events,
        given=SENSIBLE_EVENT,
        action=st.sampled_from([{}, {"action": "start"}, {"action": "stop"}]),
    )
    def update_event(self, event: str, given: dict[str, Any], action: dict[str, str]) -> None:
        """Change an event, or act on it."""
        self.try_(self.content.update_event, event, {**given, **action})

    @rule(event=events)
    def start(self, event: str) -> None:
        """Start an event."""
        self.try_(self.content.update_event, event, {"action": "start"})

    @rule(
        target=elements,
        event=events,
        given=SENSIBLE_ELEMENT,
        action=st.sampled_from([{}, {"action": "publish"}]),
    )
    def create_element(self, event: str, given: dict[str, Any], action: dict[str, str]) -> str:
        """Make an element, if it can be made."""
        made = self.try_(self.content.create_element, event, {**given, **action})
        if made is None:
            given = {"content_type": "rpoll-custom"}
            made = self.content.create_element(event, given, self.now)
        element_id: str = made[0]
        return element_id

    @rule(
        element=elements,
        given=st.just({}) | SENSIBLE_ELEMENT,
        action=st.sampled_from(
            ["", "publish", "stop", "revoke", "reveal_answer", "reveal_results"]
        ),
    )
    def update_element(self, element: str, given: dict[str, Any], action: str) -> None:
        """Change an element, or act on it."""
        attributes = {**given, "action": action} if action else given
        self.try_(self.content.update_element, element, attributes)

    @rule(element=consumes(elements))
    def delete_element(self, element: str) -> None:
        """Delete an element that can be deleted, or leave it for good."""
        self.try_(self.content.delete_element, element)

    @rule(event=events, user=st.sampled_from("abc"))
    def vote(self, event: str, user: str) -> None:
        """A user comes, votes for whatever there is, and may stay."""
        connection = next(self.connections)
        self.emulator.connect(connection, event, user, self.now)
        for element in list(self.emulator.event(event).elements):
            self.emulator.answer(connection, element, [0], "", self.now)
        if connection % 2:
            self.emulator.disconnect(connection, self.now)

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 25.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.emulator.wake(self.now)

    @invariant()
    def what_clients_hold_is_what_is_published(self) -> None:
        """States are the documented ones, and agree with the live channel."""
        for event in self.content.events(self.project, self.now):
            attributes = event["attributes"]
            assert attributes["state"] in get_args(EventState)
            record = self.emulator.event(event["id"])
            assert (attributes["state"] == "current") == (record.state == "active")
            told = self.emulator.snapshot(event["id"], self.now)
            held = {element.id: element.state for element in told.elements}
            for element in self.content.elements(event["id"], self.now):
                state = element["attributes"]["state"]
                assert state in get_args(ElementState)
                assert (state == "current") == (held.get(element["id"]) == "opened")
                assert (state in {"past", "on_demand"}) == (held.get(element["id"]) == "closed")
                assert state != "current" or record.state == "active"
            stats = self.content.event_stats(event["id"], self.now)["attributes"]
            assert stats["peak_concurrency"] >= stats["current_concurrency"]
            assert stats["elements_count"] == len(held)


TestProducers = Producers.TestCase
TestProducers.settings = settings(
    derandomize=True, max_examples=30, stateful_step_count=30, deadline=None
)
