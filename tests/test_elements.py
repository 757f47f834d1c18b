"""Elements: reading custom fields, and telling hidden poll and trivia apart."""

from __future__ import annotations

import pytest

from poll_counter.elements import (
    ContentType,
    Criterion,
    Element,
    FieldValue,
    Ids,
    Mark,
    Recognise,
    concurrency,
    is_hidden,
    number,
)
from tests.support.show import is_value, poll, trivia


def element(
    element_id: str = "E",
    *,
    content_type: str = "custom",
    base_type: str = "",
    fields: dict[str, FieldValue] | None = None,
) -> Element:
    """Make an element of no particular kind."""
    return Element(element_id, content_type, "opened", 0.0, base_type, custom_fields=fields or {})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0),
        (0.25, 0.25),
        (-1, -1.0),
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("1e3", 1000.0),
    ],
)
def test_number_reads_numbers_and_numbers_in_strings(value: FieldValue, expected: float) -> None:
    """A number counts, and so does a number in a string."""
    assert number(value) == expected


@pytest.mark.parametrize(
    "value",
    [None, True, False, "", "seven", "nan", "inf", "-inf", float("nan"), float("inf"), 10**400],
)
def test_number_reads_nothing_else(value: FieldValue) -> None:
    """Truth values, text, nothing, NaN, infinity and what is too large are no numbers."""
    assert number(value) is None


@pytest.mark.parametrize("value", [1, 1.0, "1", " 1 ", True])
def test_mark_is_one(value: FieldValue) -> None:
    """A mark is the value 1, as a number, in a string, or as true."""
    assert Mark().matches(element(fields={"poll_counter": value}))


@pytest.mark.parametrize("value", [0, 2, "0", "yes", "", False, None])
def test_any_other_value_is_no_mark(value: FieldValue) -> None:
    """Any other value of the field marks nothing."""
    assert not Mark().matches(element(fields={"poll_counter": value}))


def test_mark_names_its_field() -> None:
    """A mark looks at its own field alone; without the field nothing is marked."""
    marked = element(fields={"ours": 1})
    assert Mark("ours").matches(marked)
    assert not Mark().matches(marked)
    assert not Mark("ours").matches(element())


def test_content_type_or_base_type() -> None:
    """An element is told by its content type, or by the base type it is derived from."""
    quiz = ContentType("quiz", "trivia")
    assert quiz.matches(element(content_type="quiz"))
    assert quiz.matches(element(content_type="custom", base_type="trivia"))
    assert not quiz.matches(element(content_type="custom", base_type="poll"))


def test_ids_keep_their_order() -> None:
    """Ids match the elements named, and keep the order that they were named in."""
    ids = Ids("B", "A")
    assert ids.ids == ("B", "A")
    assert ids.matches(element("A"))
    assert not ids.matches(element("C"))


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (Mark(), Mark("poll_counter"), Mark("x")),
        (ContentType("a", "b"), ContentType("b", "a"), ContentType("a")),
        (Ids("a", "b"), Ids("a", "b"), Ids("b", "a")),
    ],
)
def test_criteria_are_values(one: Criterion, same: Criterion, other: Criterion) -> None:
    """Criteria that say the same are equal and hash alike."""
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


@pytest.mark.parametrize("value", [poll(), Mark(), ContentType("a"), Ids("a"), Recognise()])
def test_values_cannot_be_changed(value: Element | Criterion | Recognise) -> None:
    """Elements and criteria are shared, and cannot be changed."""
    assert is_value(value)


def test_elements_are_values_that_hash() -> None:
    """Equal elements are equal and hash alike, whatever mapping holds their custom fields."""
    assert poll() == poll()
    assert hash(poll()) == hash(poll())
    assert poll() != poll(rev=1)


def test_default_recognises_marked_poll_and_base_type_trivia() -> None:
    """Unless told, the hidden poll is the marked one, and a trivia is of that base type."""
    recognise = Recognise()
    assert recognise.is_hidden(poll())
    assert not recognise.is_trivia(poll())
    assert recognise.is_trivia(trivia(1))
    assert not recognise.is_hidden(trivia(1))
    assert not recognise.is_hidden(element())
    assert not recognise.is_trivia(element())


def test_hidden_poll_is_never_a_trivia() -> None:
    """What fits both criteria is the hidden poll, and no trivia."""
    marked = element(base_type="trivia", fields={"poll_counter": 1})
    assert Recognise().is_hidden(marked)
    assert not Recognise().is_trivia(marked)


def test_is_hidden_is_what_an_app_filters_with() -> None:
    """`is_hidden` tells by the default, or by the criteria that the counter was given."""
    assert is_hidden(poll())
    assert not is_hidden(trivia(1))
    assert is_hidden(element("X"), Recognise(hidden_poll=Ids("X")))
    assert not is_hidden(poll("P"), Recognise(hidden_poll=Ids("X")))


@pytest.mark.parametrize(
    ("fields", "in_elements", "expected"),
    [
        ({}, [], None),
        ({"n": 5}, [], 5),
        ({"n": "5"}, [], 5),
        ({"n": 5.0}, [], 5),
        ({"n": 0}, [], 0),
        ({"n": -1}, [], None),
        ({"n": 5.5}, [], None),
        ({"n": True}, [], None),
        ({"n": None}, [{"n": 7}], None),
        ({"n": 5}, [{"n": 7}], 5),
        ({"m": 5}, [{"n": 7}, {"n": 8}, {}], 8),
        ({}, [{"n": 7}, {"n": "x"}], None),
        ({}, [{"m": 7}], None),
    ],
)
def test_concurrency_is_read_from_the_event_then_from_the_last_element(
    fields: dict[str, FieldValue], in_elements: list[dict[str, FieldValue]], expected: int | None
) -> None:
    """A whole number from 0; what stands first and cannot be read is not passed over."""
    elements = [element(f"E{place}", fields=each) for place, each in enumerate(in_elements)]
    assert concurrency(fields, elements, "n") == expected
