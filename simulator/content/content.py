"""The producer's side of the platform, pure: events and elements, made, changed and published.

What the Control API reads and writes stands here, over the emulator that serves the clients: what
is published through it reaches them at once. No HTTP: `control_api` puts addresses, tokens and
status codes around it, `feeds` shows the same to the CDN.

Ours, where the documentation is silent: `Choices`; an event that is not finished can be stopped,
whether it runs or not; times of an event change only before they are past; an element can be
deleted while clients do not hold it. The live channel has no word for a right answer, so
`reveal_answer` is known to the producer alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from simulator.choices import Choices
from simulator.emulator import Delivery, Emulator

from .actions import (
    QUIZZES,
    check_element_action,
    check_event_action,
    check_publish,
    check_times,
)
from .attributes import (
    ROOT,
    ContentError,
    ElementAttributes,
    EventAttributes,
    scalars,
    settings_of,
)
from .projects import Projects, found, random_id
from .resources import ElementResource, EventResource
from .spec import base_type_of
from .writes import Kind, Write

__all__ = ["Content"]


class Content(Projects):
    """What producers have made, and what they may do to it.

        content = Content(Emulator())
        project_id = content.add_project("Quiz night")
        event_id, deliveries = content.create_event(project_id, {"name": "Friday"}, now)

    Writing takes attributes as a request has them, and gives what the clients are to be told. It
    raises ContentError for what the platform refuses, and then nothing has happened.

    Args:
        emulator: the platform that the clients are on.
        choices: what the documentation leaves open.
        new_id: makes the id of whatever is made.
    """

    def __init__(
        self,
        emulator: Emulator,
        choices: Choices = Choices(),  # noqa: B008 - frozen
        *,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        super().__init__(choices, new_id=new_id)
        self.emulator = emulator
        self._events: dict[str, EventResource] = {}
        self._elements: dict[str, ElementResource] = {}

    # Reading events and elements

    def event_resource(self, event_id: str) -> EventResource:
        """An event, to be read."""
        return found(self._events, event_id, "event")

    def element_resource(self, element_id: str) -> ElementResource:
        """An element, to be read."""
        return found(self._elements, element_id, "element")

    def events_of(self, project_id: str) -> list[EventResource]:
        """The events of a project by start time; equal ones as they were made, unknown last."""
        self.check_project(project_id)
        events = [each for each in self._events.values() if each.project_id == project_id]
        return sorted(events, key=_by_start)

    def elements_of(self, event_id: str) -> list[ElementResource]:
        """The elements of an event by publishing time; those to come by offset, and last."""
        event = self.event_resource(event_id).event
        elements = [self._elements[element_id] for element_id in event.elements]
        return sorted(elements, key=_by_publication)

    def listed(self, project_id: str, now: float) -> list[EventResource]:
        """The events that are in the listings (contract section 9.2), by start time.

        All that are current or on demand, the last of the past and the next of the future.
        """
        events = [(event.state(now), event) for event in self.events_of(project_id)]
        past = [event for state, event in events if state == "past"]
        future = [event for state, event in events if state == "future"]
        left_out = past[: max(0, len(past) - self.choices.listings_past)]
        left_out += future[self.choices.listings_future :]
        out = {event.event.id for event in left_out}
        return [event for _, event in events if event.event.id not in out]

    def events(
        self,
        project_id: str,
        now: float,
        *,
        states: Collection[str] = (),
        only_listings: bool = False,
        newest_first: bool = False,
    ) -> list[dict[str, Any]]:
        """The events of a project (contract section 6.1); no states means all of them."""
        events = self.listed(project_id, now) if only_listings else self.events_of(project_id)
        if newest_first:
            events.reverse()
        return [each.resource(now) for each in events if not states or each.state(now) in states]

    def event(self, event_id: str, now: float) -> dict[str, Any]:
        """An event (contract section 6.3)."""
        return self.event_resource(event_id).resource(now)

    def event_stats(self, event_id: str, now: float) -> dict[str, Any]:
        """An event's stats (contract section 1.1)."""
        return self.event_resource(event_id).stats(now)

    def elements(
        self,
        event_id: str,
        now: float,
        *,
        states: Collection[str] = (),
        in_latest_results: bool | None = None,
    ) -> list[dict[str, Any]]:
        """The elements of an event (contract section 7.3); no states means all of them."""
        return [
            each.resource(now)
            for each in self.elements_of(event_id)
            if (not states or each.state(now) in states)
            and in_latest_results in {None, bool(each.attributes.include_in_latest_results_feed)}
        ]

    def element(self, element_id: str, now: float) -> dict[str, Any]:
        """An element (contract section 7.1)."""
        return self.element_resource(element_id).resource(now)

    def element_stats(self, element_id: str, now: float) -> dict[str, Any]:  # noqa: ARG002 - as all reading
        """An element's stats, ours: the votes, as the feeds name them."""
        return self.element_resource(element_id).stats()

    # Writing

    def new_write(self, kind: Kind, about: str, attributes: Mapping[str, Any], now: float) -> Write:
        """Put into a value what a producer asks for."""
        new_id = self._new_id() if kind.startswith("create") else ""
        return Write(kind, about, attributes, now, new_id)

    def write(self, write: Write) -> tuple[str, list[Delivery]]:
        """Do what a producer asks for; returns the id of what it is about, or of what it made."""
        kind, about, attributes, now, new_id = write
        if kind == "create_event":
            return self.create_event(about, attributes, now, event_id=new_id)
        if kind == "create_element":
            return self.create_element(about, attributes, now, element_id=new_id)
        if kind == "update_event":
            return about, self.update_event(about, attributes, now)
        if kind == "update_element":
            return about, self.update_element(about, attributes, now)
        return about, self.delete_element(about, now)

    # Writing events

    def create_event(
        self,
        project_id: str,
        attributes: Mapping[str, Any],
        now: float,
        *,
        event_id: str | None = None,
    ) -> tuple[str, list[Delivery]]:
        """Make an event (contract section 6.4); returns its id.

        A clock event starts by itself; one without a start, and a manual one, when it is told to.
        """
        self.check_project(project_id)
        given = EventAttributes.read(attributes)
        if given.name is None:
            raise ContentError(f"{ROOT}/name", "can't be blank")
        event_id, choices = event_id or self._new_id(), self.choices
        fields = scalars(given.settings, choices.locale)
        emulator = self.emulator
        emulator.add_event(event_id, given.name, fields, peak_sample_s=choices.peak_sample_s)
        event = EventResource(project_id, given, emulator.event(event_id), choices)
        self._events[event_id] = event
        self._schedule(event)
        return event_id, self._settle(now)

    def update_event(
        self, event_id: str, attributes: Mapping[str, Any], now: float
    ) -> list[Delivery]:
        """Change an event, or start or stop it (contract section 6.5).

        Its name and settings reach every client at once. When it starts can change until it has
        started, how long it is until it has ended.
        """
        event = self.event_resource(event_id)
        given = EventAttributes.read(attributes)
        held = event.attributes.with_(given)
        check_times(event.event, event.attributes.changed(held))
        if given.action is not None:
            check_event_action(event.event, given.action)
        event.attributes = held
        out: list[Delivery] = []
        if given.name is not None or given.settings:
            fields = scalars(event.attributes.settings, self.choices.locale)
            out += self.emulator.update_event(event_id, now, name=given.name, fields=fields)
        self._schedule(event)
        if given.action == "start":
            out += self.emulator.start(event_id, now)
        elif given.action == "stop":
            out += self.emulator.stop(event_id, now)
        return out + self._settle(now)

    # Writing elements

    def create_element(
        self,
        event_id: str,
        attributes: Mapping[str, Any],
        now: float,
        *,
        element_id: str | None = None,
    ) -> tuple[str, list[Delivery]]:
        """Make an element, and publish it if `action` says so (contract section 7.4).

        Returns its id.
        """
        event = self.event_resource(event_id)
        given = ElementAttributes.read(attributes)
        base_type = self._base_type(event, given)
        settings = settings_of(given, base_type=base_type, choices=self.choices)
        if base_type in QUIZZES and "correct_option" not in given.model_fields_set:
            raise ContentError(f"{ROOT}/correct_option", "can't be blank")
        if given.action not in {None, "publish"}:
            raise ContentError(f"{ROOT}/action", "must be 'publish'")
        if given.action is not None:
            check_publish(event.event)
        element_id = element_id or self._new_id()
        self.emulator.add_element(event_id, element_id, settings)
        element = ElementResource(event, given, self.emulator.element(element_id))
        self._elements[element_id] = element
        out = self.emulator.publish(element_id, now) if given.action else []
        return element_id, out + self._settle(now)

    def update_element(
        self, element_id: str, attributes: Mapping[str, Any], now: float
    ) -> list[Delivery]:
        """Change an element, or act on it (contract section 7.5).

        Once published its custom fields alone change, and reach every client at once.
        """
        element = self.element_resource(element_id)
        given = ElementAttributes.read(attributes)
        held = element.attributes.with_(given)
        if given.action == "reveal_answer" and not held.correct_option:  # 0 stands for none
            known = element.attributes.correct_option
            held = held.model_copy(update={"correct_option": known})
        of_action = {"action"} | ({"correct_option"} if given.action == "reveal_answer" else set())
        fixed = element.attributes.changed(held) - of_action - {"custom_fields"}
        if fixed and element.element.published_at is not None:
            raise ContentError(f"{ROOT}/{min(fixed)}", "can't be changed once published")
        base_type = self._base_type(element.event, held)
        settings = settings_of(held, base_type=base_type, choices=self.choices)
        if given.action is not None:
            again = self.choices.republish_revoked
            check_element_action(element, given.action, held.correct_option, again=again)
        element.attributes = held
        out: list[Delivery] = []
        if given.model_fields_set - of_action:
            out += self.emulator.update_element(element_id, settings, now)
        return out + self._act(element, given.action, now) + self._settle(now)

    def delete_element(self, element_id: str, now: float) -> list[Delivery]:  # noqa: ARG002 - as all writing
        """Delete an element that clients do not hold: never published, or revoked."""
        element = self.element_resource(element_id)
        if element.element.live is not None:
            raise ContentError("/data", "is published: revoke it before")
        self.emulator.remove_element(element_id)
        del self._elements[element_id]
        return []

    # Inside

    def _schedule(self, event: EventResource) -> None:
        """Tell the emulator when the event starts and ends by itself."""
        held, clock = event.attributes, event.attributes.start_mode == "clock"
        planned = held.start_at or None
        runs_s = event.planned_duration if clock or self.choices.manual_events_end else None
        scheduled = held.end_mode == "scheduled" and planned is not None
        self.emulator.schedule(
            event.event.id,
            starts_at=planned if clock else None,
            runs_s=runs_s,
            ends_at=planned + event.planned_duration if planned and scheduled else None,
        )

    def _settle(self, now: float) -> list[Delivery]:
        """Let happen at once what is due already."""
        return self.emulator.keep_schedule(now)

    def _base_type(self, event: EventResource, given: ElementAttributes) -> str:
        """The base type of an element's content type; holds it to the spec as `Choices` say."""
        spec = self.spec_of(event.project_id)
        entry = next((e for e in spec if e.get("content_type") == given.content_type), None)
        unknown = given.content_type is not None and entry is None
        if unknown and self.choices.refuse_unknown_content_types:
            raise ContentError(f"{ROOT}/content_type", "is not in the app's elements spec")
        bounds = (entry or {}).get("options_number")
        if bounds and self.choices.enforce_options_number:
            least, most, number = bounds.get("min", 0), bounds.get("max"), len(given.options)
            if number < least or (most is not None and number > most):
                detail = f"must be from {least} to {most}"
                raise ContentError(f"{ROOT}/question/options", detail)
        return base_type_of(spec, given.content_type or "")

    def _act(self, element: ElementResource, action: str | None, now: float) -> list[Delivery]:
        emulator = self.emulator
        if action == "reveal_answer":
            element.answer_revealed = now
        actions = {
            "publish": emulator.publish,
            "stop": emulator.close,
            "reveal_results": emulator.reveal_results,
            "revoke": emulator.revoke,
        }
        act = actions.get(action or "")
        return [] if act is None else act(element.element.id, now)


def _by_start(event: EventResource) -> float:
    at = event.end_at if event.start_at is None else event.start_at
    return float("inf") if at is None else at


def _by_publication(element: ElementResource) -> tuple[float, float]:
    at, offset_s = element.element.published_at, element.element.settings.offset_s
    never = float("inf")
    return (never if at is None else at, never if offset_s is None else offset_s)
