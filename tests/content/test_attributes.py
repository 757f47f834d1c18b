"""What a producer sends, read and checked."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.choices import Choices
from simulator.content.attributes import (
    ContentError,
    ElementAttributes,
    EventAttributes,
    Localised,
    merged,
    scalar,
    scalars,
    settings_of,
)
from simulator.emulator import Settings


def field(key: str, value: Any, locale: str = "all") -> dict[str, Any]:
    """Make a field as it travels."""
    return {"key": key, "values": {locale: value}}


def question(words: str, *options: str, locale: str = "en") -> dict[str, Any]:
    """Make a question as it travels."""
    made = [{"fields": [field("text", option, locale)]} for option in options]
    return {"fields": [field("text", words, locale)], "options": made}


# Localised values


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"all": 1, "en": 2}, 1),
        ({"de": 1, "en": 2}, 2),
        ({"de": 1, "fr": 2}, 1),
        ({"all": None, "en": 2}, None),
        ({"all": False}, False),
        ({}, None),
    ],
)
def test_clients_are_told_one_value(values: dict[str, Any], told: object) -> None:
    """Of `all`, else of the locale, else the first."""
    assert scalar(values, "en") is told


def test_fields_keep_the_types_of_their_values() -> None:
    """A string with a number in it stays one, and so does a flag."""
    sent = [
        field("a", "1"),
        field("b", 1),
        field("c", 1.5),
        field("d", value=True),
        field("e", None),
    ]
    held = EventAttributes.read({"settings": sent}).settings
    told = scalars(held, "en")
    assert repr(told) == "{'a': '1', 'b': 1, 'c': 1.5, 'd': True, 'e': None}"
    assert scalars(None, "en") == {}


def test_an_update_replaces_single_fields_whole() -> None:
    """A field that is present is rewritten with all its locales; the others stay in place."""
    held = [Localised(key="a", values={"en": 1, "de": 2}), Localised(key="b", values={"all": 3})]
    given = [Localised(key="c", values={"all": 4}), Localised(key="a", values={"en": 5})]
    assert [(each.key, each.values) for each in merged(held, given)] == [
        ("a", {"en": 5}),
        ("b", {"all": 3}),
        ("c", {"all": 4}),
    ]


# Updates


def test_an_update_changes_what_it_names() -> None:
    """Empty attributes change nothing, null takes back, fields are replaced one by one."""
    held = ElementAttributes.read(
        {"label": "A", "duration": 5, "custom_fields": [field("a", 1), field("b", 2)]}
    )
    assert held.changed(held.with_(ElementAttributes.read({}))) == set()
    assert held.changed(held.with_(ElementAttributes.read({"custom_fields": []}))) == set()
    assert held.changed(held.with_(ElementAttributes.read({"custom_fields": None}))) == set()
    assert held.changed(held.with_(ElementAttributes.read({"label": "A"}))) == set()
    after = held.with_(ElementAttributes.read({"duration": None, "custom_fields": [field("b", 3)]}))
    assert (after.label, after.duration) == ("A", None)
    assert scalars(after.custom_fields, "en") == {"a": 1, "b": 3}
    assert held.changed(after) == {"duration", "custom_fields"}


@pytest.mark.parametrize("name", ["reveal_answer_on_vote", "reveal_answer_on_user_vote"])
def test_one_attribute_has_two_names(name: str) -> None:
    """What comes under either takes the place of what came under the other."""
    held = ElementAttributes.read({"reveal_answer_on_user_vote": True})
    assert held.reveal_answer_on_vote is True
    assert held.with_(ElementAttributes.read({name: False})).reveal_answer_on_vote is False
    with pytest.raises(ContentError, match=f"/data/attributes/{name}: must be a valid boolean"):
        ElementAttributes.read({name: 1})


def test_a_first_field_is_added_to_none() -> None:
    """Where there were no fields, those that are given are all."""
    after = EventAttributes().with_(EventAttributes.read({"settings": [field("a", 1)]}))
    assert scalars(after.settings, "en") == {"a": 1}


def test_a_question_without_options_keeps_them() -> None:
    """And one with options replaces them all (contract section 18.11)."""
    held = ElementAttributes.read({"question": question("Q?", "x", "y")})
    after = held.with_(ElementAttributes.read({"question": {"label": "new"}}))
    settings = settings_of(after.model_copy(update={"content_type": "p"}))
    assert (settings.question, settings.options) == ("Q?", ("x", "y"))
    after = after.with_(ElementAttributes.read({"question": question("R?", "z")}))
    settings = settings_of(after.model_copy(update={"content_type": "p"}))
    assert (settings.question, settings.options) == ("R?", ("z",))
    assert after.question is not None
    assert after.question.label == "new"


def test_a_question_may_come_later() -> None:
    """An element that had none gets one, and may lose it again."""
    given = ElementAttributes.read({"question": question("Q?", "x")})
    assert ElementAttributes().with_(given) == given
    assert given.with_(ElementAttributes.read({"question": None})).options == ()


# What is wrong, and where


@pytest.mark.parametrize(
    ("given", "pointer", "detail"),
    [
        ({"duration": -1}, "duration", "must be greater than or equal to 0"),
        ({"duration": "45"}, "duration", "must be a valid integer"),
        ({"duration": True}, "duration", "must be a valid integer"),
        ({"duration": 2**31}, "duration", "must be less than 2147483648"),
        ({"content_type": ""}, "content_type", "can't be blank"),
        ({"max_votes_per_user": 0}, "max_votes_per_user", "must be greater than or equal to 1"),
        ({"max_votes_per_user": "0"}, "max_votes_per_user", "must be greater than or equal to 1"),
        ({"max_votes_per_user": "many"}, "max_votes_per_user", "must be a valid integer"),
        ({"max_votes_per_option": 256}, "max_votes_per_option", "must be less than or equal"),
        ({"min_options_per_vote": 0}, "min_options_per_vote", "must be greater than or equal to 1"),
        ({"correct_option": -1}, "correct_option", "must be greater than or equal to 0"),
        ({"certification": "yes"}, "certification", "must be a valid boolean"),
        ({"reveal_results_mode": "now"}, "reveal_results_mode", "must be 'vote', 'close'"),
        ({"action": "close"}, "action", "must be 'publish', 'stop'"),
        ({"label": "\ud800"}, "label", "must be valid Unicode"),
        ({"custom_fields": {}}, "custom_fields", "must be a valid array"),
        ({"custom_fields": [3]}, "custom_fields/0", "must be a valid dictionary"),
        ({"custom_fields": [{"values": {}}]}, "custom_fields/0/key", "can't be blank"),
        (
            {"custom_fields": [{"key": "k", "values": {"a/b~c": []}}]},
            "custom_fields/0/values/a~1b~0c",
            "must be a string, a finite number, a boolean or null",
        ),
        (
            {"custom_fields": [field("k", float("inf"))]},
            "custom_fields/0/values/all",
            "must be a string, a finite number",
        ),
        (
            {"custom_fields": [field("k", 1, locale="\udc00")]},
            "custom_fields/0/values/\ufffd\ufffd\ufffd",
            "must be valid Unicode",
        ),
        (
            {"custom_fields": [field("k", "\udfff")]},
            "custom_fields/0/values/all",
            "must be valid Unicode",
        ),
        (
            {"question": {"options": [{}, {"fields": [{"key": 1}]}]}},
            "question/options/1/fields/0/key",
            "must be a valid string",
        ),
    ],
)
def test_what_is_wrong_is_pointed_at(given: dict[str, Any], pointer: str, detail: str) -> None:
    """With the documented words where there are some (contract section 3)."""
    with pytest.raises(ContentError) as caught:
        ElementAttributes.read(given)
    assert caught.value.pointer == f"/data/attributes/{pointer}"
    assert detail in caught.value.detail
    assert str(caught.value) == f"{caught.value.pointer}: {caught.value.detail}"


def test_what_is_valid_unicode_is_taken() -> None:
    """Words may be in any script."""
    label = "Zwölf \U0001f3b2 \ue000"
    assert ElementAttributes.read({"label": label}).label == label


@pytest.mark.parametrize(
    "given",
    [
        {"max_votes_per_user": "10"},
        {"duration": 0},
        {"correct_option": 0},
        {"offset": 0, "start_mode": "manual"},
        {"colour": {"nobody": ["knows"]}},
        {"label": None, "question": None, "custom_fields": None},
        {"question": {"label": "", "filter_keywords": ["a"], "fields": [], "options": []}},
    ],
)
def test_what_is_tolerated(given: dict[str, Any]) -> None:
    """Numbers in strings, zeros of unset fields, null, and what is not known."""
    ElementAttributes.read(given)


@pytest.mark.parametrize(
    ("given", "pointer", "detail"),
    [
        ({}, "content_type", "can't be blank"),
        ({"content_type": "p", "duration_mode": "fixed"}, "duration", "can't be blank"),
        ({"content_type": "p", "offset": 1}, "offset", "is for start_mode timecode alone"),
        (
            {"content_type": "p", "question": question("Q", "x", "y"), "correct_option": 3},
            "correct_option",
            "must be less than or equal to 2",
        ),
        (
            {"content_type": "p", "min_options_per_vote": 3, "max_options_per_vote": 2},
            "max_options_per_vote",
            "must be greater than or equal to 3",
        ),
    ],
)
def test_attributes_that_contradict_each_other(
    given: dict[str, Any], pointer: str, detail: str
) -> None:
    """They are held against each other when it is known what the element is."""
    with pytest.raises(ContentError) as caught:
        settings_of(given)
    assert (caught.value.pointer, caught.value.detail) == (f"/data/attributes/{pointer}", detail)


# Settings


def test_the_settings_of_a_bare_element_are_the_choices() -> None:
    """What Create Element may leave out (contract section 18.9)."""
    choices = Choices(
        max_votes_per_user=2,
        max_votes_per_option=3,
        min_options_per_vote=4,
        max_options_per_vote=5,
        reveal_results_mode="close",
    )
    assert settings_of({"content_type": "p"}, base_type="poll", choices=choices) == Settings(
        content_type="p",
        type="poll",
        max_votes_per_user=2,
        max_votes_per_option=3,
        min_options_per_vote=4,
        max_options_per_vote=5,
        reveal_results_mode="close",
    )


def test_the_settings_are_what_the_attributes_say() -> None:
    """Under the names of the emulator; the words are those of the locale."""
    given = {
        "content_type": "hidden-poll",
        "duration": 45,
        "duration_mode": "fixed",
        "start_mode": "timecode",
        "offset": 7,
        "question": question("Q?", "x", "y", locale="en"),
        "custom_fields": [{"key": "k", "values": {"de": 1, "en": 2}}],
        "max_votes_per_user": "10",
        "max_votes_per_option": 2,
        "min_options_per_vote": 1,
        "max_options_per_vote": 2,
        "reveal_results_mode": "manual",
        "require_verified_user": True,
    }
    assert settings_of(given, base_type="poll") == Settings(
        content_type="hidden-poll",
        type="poll",
        question="Q?",
        options=("x", "y"),
        custom_fields={"k": 2},
        duration_s=45,
        max_votes_per_user=10,
        max_votes_per_option=2,
        min_options_per_vote=1,
        max_options_per_vote=2,
        reveal_results_mode="manual",
        offset_s=7,
        require_verified_user=True,
    )
    assert settings_of(given, choices=Choices(locale="de")).custom_fields == {"k": 1}


def test_one_who_must_choose_more_may_choose_as_many() -> None:
    """The default of the most options gives way to the least that is asked for."""
    settings = settings_of({"content_type": "p", "min_options_per_vote": 3})
    assert settings.max_options_per_vote == 3


def test_a_flexible_duration_is_none() -> None:
    """Whatever number stands beside it."""
    given = {"content_type": "p", "duration": 5}
    assert settings_of(given).duration_s == 5
    assert settings_of({**given, "duration_mode": "flexible"}).duration_s is None


def test_a_timecode_without_an_offset_is_the_start() -> None:
    """And a manual element has no offset."""
    given = {"content_type": "p", "start_mode": "timecode"}
    assert settings_of(given).offset_s == 0
    assert settings_of({"content_type": "p", "offset": 0}).offset_s is None


def test_data_has_no_options() -> None:
    """Nobody can vote for an element of the base type `data`."""
    given = {"content_type": "a", "question": question("Q", "x")}
    assert settings_of(given, base_type="data").options == ()
    assert settings_of(given, base_type="").options == ("x",)


def test_the_words_of_an_option_are_its_text_else_its_label() -> None:
    """An option without either has no words, and counts as one all the same."""
    options = [{"label": "A", "fields": [field("text", 7)]}, {"label": "B"}, {}]
    given = {"content_type": "p", "question": {"label": "Q", "options": options}}
    settings = settings_of(given)
    assert (settings.question, settings.options) == ("Q", ("7", "B", ""))
