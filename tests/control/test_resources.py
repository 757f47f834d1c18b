"""Reading what the Control API tells: tolerantly, and with everything as it was sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poll_counter.control.documents import Unreadable
from poll_counter.control.resources import (
    App,
    Element,
    ElementSpec,
    Event,
    EventTemplate,
    Localised,
    Project,
    localised,
)

DOCUMENTED = {
    "id": "e1",
    "type": "events",
    "attributes": {
        "name": "Final",
        "duration": 3600,
        "start_mode": "manual",
        "repeat": False,
        "start_at": 1546290000,
        "end_at": 1546293600,
        "settings": [
            {"key": "bool", "values": {"all": True}},
            {"key": "text", "values": {"ab": None, "en": "hello"}},
            {"key": "both", "values": {"en": "one", "all": 6}},
        ],
        "state": "future",
        "actions": [],
    },
    "relationships": {
        "stats": {"data": {"id": "s1", "type": "stats"}},
        "project": {"data": {"id": "p1", "type": "projects"}},
    },
}


def test_an_event_as_documented() -> None:
    """Contract section 6.3."""
    event = Event.read(DOCUMENTED)
    assert (event.id, event.name, event.state) == ("e1", "Final", "future")
    assert (event.duration, event.start_at, event.end_at) == (3600, 1546290000, 1546293600)
    assert (event.start_mode, event.project_id, event.stats) == ("manual", "p1", None)
    assert event.fields == {"bool": True, "text": None, "both": 6}
    assert event.attributes == DOCUMENTED["attributes"]


def test_stats_are_found_by_the_id_that_the_event_names_or_its_own() -> None:
    """Get Event uses the event's own id (contract 1.1)."""
    named = {"id": "s1", "type": "stats", "attributes": {"current_concurrency": 1}}
    own = {"id": "e1", "type": "stats", "attributes": {"current_concurrency": 2}}
    other = {"id": "e2", "type": "stats", "attributes": {"current_concurrency": 3}}
    for stats, told in (([other, named], 1), ([other, own], 2)):
        event = Event.read(DOCUMENTED, stats)
        assert event.stats is not None
        assert event.stats.current_concurrency == told
    assert Event.read(DOCUMENTED, [other]).stats is None


def test_stats_of_another_type_than_documented() -> None:
    """A number in a string is read; what is no number is None; unknown ones stay as sent."""
    attributes = {
        "interactions": "12",
        "peak_concurrency": None,
        "current_concurrency": "many",
        "average_session_length": 1.5,
        "later": 1,
    }
    stats = Event.read(DOCUMENTED, [{"id": "e1", "attributes": attributes}]).stats
    assert stats is not None
    assert (stats.interactions, stats.average_session_length) == (12, 1.5)
    assert (stats.peak_concurrency, stats.current_concurrency, stats.unique_users) == (None,) * 3
    assert stats.attributes == attributes
    empty = Event.read(DOCUMENTED, [{"id": "e1", "attributes": 7}]).stats
    assert empty is not None
    assert empty.attributes == {}


ELEMENT = {
    "id": "x1",
    "type": "elements",
    "attributes": {
        "content_type": "rpoll-custom",
        "label": 7,
        "state": "later",
        "duration": None,
        "max_votes_per_user": "10",
        "max_votes_per_option": 1,
        "min_options_per_vote": "one",
        "require_verified_user": False,
        "certification": "true",
        "custom_fields": [
            {"key": "poll_counter", "values": {"all": 1}},
            {"key": 7, "values": {}},
            {"values": {"all": 1}},
            "no field",
        ],
        "question": {
            "label": "Which?",
            "fields": [{"key": "text", "values": {"en": "Which?"}}],
            "options": [
                {"label": "A", "fields": [{"key": "text", "values": {"en": "Ann"}}]},
                {"label": "B", "fields": None},
                "no option",
                {"fields": [{"key": "text", "values": {"all": 4}}]},
            ],
        },
    },
    "relationships": {"event": {"data": {"id": "e1", "type": "events"}}},
}


def test_an_element_is_read_as_far_as_it_can_be() -> None:
    """Absent, null and odd attributes are None, numbers in strings numbers (contract 17)."""
    element = Element.read(ELEMENT)
    assert (element.id, element.event_id, element.content_type) == ("x1", "e1", "rpoll-custom")
    assert (element.label, element.state, element.duration) == ("7", "later", None)
    assert (element.max_votes_per_user, element.max_votes_per_option) == (10, 1)
    assert (element.min_options_per_vote, element.max_options_per_vote) == (None, None)
    assert (element.require_verified_user, element.certification) == (False, True)
    assert element.reveal_results_mode == ""
    assert element.fields == {"poll_counter": 1, "7": None}
    assert element.option_texts == ["Ann", "", "4"]
    assert element.question is not None
    assert (element.question.text, element.question.options[1].label) == ("Which?", "B")
    assert element.attributes == ELEMENT["attributes"]


def test_an_element_without_anything() -> None:
    """Only its id is demanded."""
    element = Element.read({"id": "x1"})
    assert (element.event_id, element.question, element.stats) == (None, None, None)
    assert (element.option_texts, element.fields, element.attributes) == ([], {}, {})
    assert element.content_type == element.state == element.label == ""


def test_attributes_do_not_pass_for_what_stands_elsewhere() -> None:
    """An attribute that is called `id` or `attributes` is no id."""
    odd = {"id": "wrong", "attributes": "wrong", "stats": 7, "event_id": 7}
    element = Element.read({"id": "x1", "attributes": odd})
    assert (element.id, element.attributes) == ("x1", odd)
    assert (element.stats, element.event_id) == (None, None)


def test_element_stats_as_in_the_feeds() -> None:
    """Their attributes are not documented (contract 7.3); odd ones are left out."""
    attributes = {
        "votes": 3,
        "voters": "2",
        "results": [{"votes": 1, "percentage": 33.33}, {"votes": "2"}, 7],
        "results_are_final": False,
    }
    stats = Element.read(ELEMENT, [{"id": "x1", "attributes": attributes}]).stats
    assert stats is not None
    assert (stats.votes, stats.voters, stats.results_are_final) == (3, 2, False)
    assert [(each.votes, each.percentage) for each in stats.results] == [(1, 33.33), (2, None)]
    assert stats.attributes == attributes


@pytest.mark.parametrize("cls", [Event, Element, Project])
def test_without_an_id_a_resource_cannot_be_read(cls: type[Event | Element | Project]) -> None:
    """And it says so."""
    without: list[dict[str, Any]] = [{}, {"id": None}, {"id": ""}, {"id": []}]
    for id_ in without:
        with pytest.raises(Unreadable, match=f"{cls.__name__.lower()} has no id"):
            cls.read({**id_, "attributes": {}})


def test_attributes_that_are_none() -> None:
    """Null is as absent; anything else is said."""
    assert App.of({"id": "a1", "attributes": None}).spec_url == ""
    with pytest.raises(Unreadable, match="the attributes of an app are no object"):
        App.of({"id": "a1", "attributes": [1]})
    with pytest.raises(Unreadable, match="the attributes of an event are no object"):
        EventTemplate.of({"id": "a1", "attributes": [1]})


def test_a_project_leads_to_its_app() -> None:
    """Contract 18.5; where it does not, None."""
    app = {"app": {"data": {"id": "a1", "type": "apps"}}}
    assert Project.read({"id": "p1", "relationships": app}).app_id == "a1"
    for broken in ({}, {"app": None}, {"app": {"data": {"id": 7}}}, {"app": {"data": {"id": ""}}}):
        assert Project.read({"id": "p1", "relationships": broken}).app_id is None


def test_an_entry_of_the_elements_spec() -> None:
    """Contract section 8: what a hidden poll's content type has to allow."""
    entry = {
        "name": "Hidden poll",
        "content_type": "hidden-poll",
        "derived_from": "rpoll",
        "options_number": {"min": "1", "max": 20},
        "custom_fields": [
            {"name": "Count", "properties": [{"key": "poll_counter"}, {"key": 7}, 7]},
            {"properties": None},
            7,
        ],
    }
    spec = ElementSpec.read(entry)
    assert (spec.name, spec.content_type, spec.derived_from) == (
        "Hidden poll",
        "hidden-poll",
        "rpoll",
    )
    assert (spec.options_min, spec.options_max) == (1, 20)
    assert spec.field_keys == ("poll_counter",)
    assert spec.attributes == entry
    bare = ElementSpec.read({"content_type": "x", "options_number": 7, "custom_fields": 7})
    assert (bare.options_max, bare.field_keys, bare.derived_from) == (None, (), "")


def test_a_value_for_all_or_in_one_locale() -> None:
    """As the platform takes it (contract section 4)."""
    assert localised("title", "Final") == {"key": "title", "values": {"all": "Final"}}
    assert localised("title", None, "en") == {"key": "title", "values": {"en": None}}
    assert Localised(key="title", values={"en": 1, "de": 2}).value == 1
    assert Localised(key="title", values={}).value is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
NAMES = st.sampled_from([*Element.model_fields, *Event.model_fields, "later"])


@given(attributes=st.dictionaries(NAMES, VALUES), relationships=VALUES, stats=VALUES)
def test_no_attribute_makes_a_resource_unreadable(
    attributes: dict[str, Any], relationships: Any, stats: Any
) -> None:
    """Whatever the platform sends, a tool goes on."""
    resource = {"id": "x1", "attributes": attributes, "relationships": relationships}
    for cls in (Event, Element):
        read = cls.read(resource, [{"id": "x1", "attributes": stats}])
        assert read.id == "x1"
        assert read.fields is not None
    if isinstance(relationships, dict):
        ElementSpec.read(relationships | attributes)
