"""What the Control API tells of projects, events and elements (contract sections 5 to 8).

The documentation promises no attribute, and its tables and samples do not agree on types (contract
17), so reading is tolerant: an attribute that is absent, null or not of its type is None (a text is
empty, a list too), a number in a string is read, an unknown state is let through. What was sent is
always there as it was, in `attributes`. Only an id is demanded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, ValidationError, WrapValidator

from .documents import Unreadable, related
from .fields import (
    Fields,
    Flag,
    Localised,
    Text,
    Tolerant,
    Whole,
    localised,
    or_none,
    readable,
    values_of,
)
from .stats import EVENT_STATS, ElementStats, EventStatName, EventStats, OptionResult

__all__ = [
    "EVENT_STATES",
    "EVENT_STATS",
    "App",
    "Element",
    "ElementSpec",
    "ElementStats",
    "Event",
    "EventStatName",
    "EventStateName",
    "EventStats",
    "EventTemplate",
    "Localised",
    "Option",
    "OptionResult",
    "Project",
    "Question",
    "localised",
]

EventStateName: TypeAlias = Literal["future", "current", "on_demand", "past"]
"""An event's state as the Control API names it (contract section 6.2)."""
EVENT_STATES: tuple[EventStateName, ...] = ("future", "current", "on_demand", "past")
"""All of them."""


class _Resource(Tolerant):
    id: str = Field(min_length=1)
    """The platform's id of it."""
    attributes: dict[str, Any] = Field(default_factory=dict, repr=False)
    """All attributes, as they were sent."""

    @classmethod
    def of(cls, resource: Mapping[str, Any], **more: Any) -> Self:
        """Read a JSON:API resource object; raises `Unreadable` where it is none.

        Args:
            resource: `id`, `attributes` and more.
            more: what comes from elsewhere in the document.
        """
        attributes = resource.get("attributes")
        if attributes is None:
            attributes = {}
        if not isinstance(attributes, dict):
            raise Unreadable(f"the attributes of {_named(cls)} are no object")
        own = {"id": resource.get("id"), "attributes": attributes, **more}
        try:
            return cls.model_validate({**attributes, **own})
        except ValidationError:
            pass
        raise Unreadable(f"{_named(cls)} has no id")


def _named(cls: type) -> str:
    name = cls.__name__.removesuffix("Template")
    return f"{'an' if name[0] in 'AE' else 'a'} {name.lower()}"


class Event(_Resource):
    """An event as the producer sees it (contract section 6.2).

    For example:

    ```python
    event = await api.event(event_id)
    print(event.name, event.state, event.fields)
    ```
    """

    name: Text = ""
    """Its name."""
    state: Text = ""
    """`future`, `current`, `on_demand` or `past`."""
    duration: Whole = None
    """Its real duration, in seconds."""
    start_mode: Text = ""
    """`manual` or `clock`."""
    start_at: Whole = None
    """When it starts or started, unix seconds."""
    end_at: Whole = None
    """When it ends or ended, unix seconds."""
    settings: Fields = Field(default_factory=list)
    """The custom event fields."""
    project_id: str | None = None
    """Its project's id, if told."""
    stats: EventStats | None = None
    """Its stats, if they were asked for."""

    @property
    def fields(self) -> dict[str, Any]:
        """The custom event fields, key -> value: the one for all, else the first locale's."""
        return values_of(self.settings)

    @classmethod
    def read(cls, resource: Mapping[str, Any], stats: Iterable[Mapping[str, Any]] = ()) -> Self:
        """Read an event and, among the stats that came along, its own."""
        found = _stats_of(resource, stats)
        return cls.of(
            resource,
            project_id=related(resource, "project"),
            stats=None if found is None else {**found, "attributes": found},
        )


class Option(Tolerant):
    """One option of a question."""

    label: Text = ""
    """As the producer sees it."""
    values: Annotated[Fields, Field(alias="fields")] = Field(default_factory=list)
    """Its fields; `text` has what users see."""

    @property
    def fields(self) -> dict[str, Any]:
        """Its fields, key -> value: the one for all, else the first locale's."""
        return values_of(self.values)

    @property
    def text(self) -> str:
        """What users see; empty where there is no text."""
        text = self.fields.get("text")
        return "" if text is None else str(text)


class Question(Option):
    """The question of an element, with its options in their order."""

    options: Annotated[list[Option], WrapValidator(readable)] = Field(default_factory=list)
    """Its options; the first is option 0 to those who vote."""


class Element(_Resource):
    """An element as the producer sees it (contract section 7.1).

    For example:

    ```python
    for element in await api.elements(event_id):
        print(element.content_type, element.state, element.option_texts)
    ```
    """

    event_id: str | None = None
    """Its event's id, if told."""
    content_type: Text = ""
    """The app's own type."""
    state: Text = ""
    """`non_scheduled`, `future`, `cancelled`, `current`, `on_demand`, `past` or `revoked`."""
    label: Text = ""
    """As the producer sees it."""
    start_mode: Text = ""
    """`manual` or `timecode`."""
    offset: Whole = None
    """Seconds from the event's start, with `timecode`."""
    duration: Whole = None
    """Seconds for which it is open; None where it is open until it is stopped."""
    max_votes_per_user: Whole = None
    """The most votes of one user."""
    max_votes_per_option: Whole = None
    """The most votes of one user for one option."""
    min_options_per_vote: Whole = None
    """The fewest options in one vote."""
    max_options_per_vote: Whole = None
    """The most options in one vote."""
    reveal_results_mode: Text = ""
    """When users may see results: `vote`, `close`, `event_end`, `never` or `manual`."""
    require_verified_user: Flag = None
    """Whether only verified users may vote."""
    certification: Flag = None
    """Whether votes are held for certification (contract 11.2)."""
    correct_option: Whole = None
    """The right one of a trivia, counted from 1 (contract 17)."""
    custom_fields: Fields = Field(default_factory=list)
    """Its custom fields."""
    question: Annotated[Question | None, WrapValidator(or_none)] = None
    """Its question, with the options; None for an element that has none."""
    stats: ElementStats | None = None
    """Its results, if they were asked for."""

    @property
    def fields(self) -> dict[str, Any]:
        """The custom fields, key -> value: the one for all, else the first locale's."""
        return values_of(self.custom_fields)

    @property
    def option_texts(self) -> list[str]:
        """The texts of its options, in option order."""
        return [option.text for option in self.question.options] if self.question else []

    @classmethod
    def read(cls, resource: Mapping[str, Any], stats: Iterable[Mapping[str, Any]] = ()) -> Self:
        """Read an element and, among the stats that came along, its own."""
        found = _stats_of(resource, stats)
        return cls.of(
            resource,
            event_id=related(resource, "event"),
            stats=None if found is None else {**found, "attributes": found},
        )


class Project(_Resource):
    """A project; it leads to its app."""

    name: Text = ""
    """Its name."""
    app_id: str | None = None
    """Its app's id, if told."""

    @classmethod
    def read(cls, resource: Mapping[str, Any]) -> Self:
        """Read a project."""
        return cls.of(resource, app_id=related(resource, "app"))


class App(_Resource):
    """An app; it leads to its spec."""

    name: Text = ""
    """Its name."""
    spec_url: Text = ""
    """Where its root spec is."""


class EventTemplate(_Resource):
    """A template for events; its attributes are not documented."""

    name: Text = ""
    """Its name."""


class ElementSpec(Tolerant):
    """One entry of an app's elements spec: a content type that the app knows (contract section 8).

    For example:

    ```python
    for entry in await api.elements_spec(project_id):
        print(entry.content_type, entry.derived_from, entry.options_max)
    ```
    """

    content_type: Text = ""
    """The app's own type."""
    name: Text = ""
    """As the producer sees it."""
    derived_from: Text = ""
    """The platform's base type: `rpoll`, `trivia` and so on; may not be told."""
    options_min: Whole = None
    """The fewest options, if bounded."""
    options_max: Whole = None
    """The most options, if bounded."""
    field_keys: tuple[str, ...] = ()
    """The keys of its custom fields."""
    attributes: dict[str, Any] = Field(default_factory=dict, repr=False)
    """The entry as it was sent."""

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Self:
        """Read an entry; of the custom fields the keys (their inside is not documented)."""
        number = entry.get("options_number")
        number = number if isinstance(number, dict) else {}
        return cls.model_validate(
            {
                **{key: entry.get(key) for key in ("content_type", "name", "derived_from")},
                "options_min": number.get("min"),
                "options_max": number.get("max"),
                "field_keys": tuple(_keys(entry.get("custom_fields"))),
                "attributes": dict(entry),
            }
        )


def _keys(groups: Any) -> Iterable[str]:
    for group in groups if isinstance(groups, list) else ():
        properties = group.get("properties") if isinstance(group, dict) else None
        for each in properties if isinstance(properties, list) else ():
            key = each.get("key") if isinstance(each, dict) else None
            if isinstance(key, str):
                yield key


def _stats_of(
    resource: Mapping[str, Any], stats: Iterable[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """The attributes of a resource's stats: those with the id that it names, else its own id."""
    ids = (related(resource, "stats"), resource.get("id"))
    for each in stats:
        if each.get("id") in ids:
            attributes = each.get("attributes")
            return attributes if isinstance(attributes, dict) else {}
    return None
