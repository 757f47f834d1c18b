"""The app's specification."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.choices import Choices
from simulator.content.spec import DEFAULT_SPEC, base_type_of, root_spec


@pytest.mark.parametrize(
    ("content_type", "base_type"),
    [
        ("rpoll-custom", "poll"),
        ("trivia", "trivia"),
        ("prediction-custom", "prediction"),
        ("hidden-poll", "poll"),
        ("article", "data"),
        ("unheard-of", ""),
    ],
)
def test_the_base_type_is_what_the_content_type_is_derived_from(
    content_type: str, base_type: str
) -> None:
    """`rpoll` of the spec is `poll` to clients."""
    assert base_type_of(DEFAULT_SPEC, content_type) == base_type


def test_an_entry_may_keep_its_base_type_to_itself() -> None:
    """`derived_from` may be absent, or null."""
    spec: list[dict[str, Any]] = [
        {"name": "A", "content_type": "a"},
        {"content_type": "b", "derived_from": None},
    ]
    assert (base_type_of(spec, "a"), base_type_of(spec, "b")) == ("", "")


def test_content_types_are_told_apart_by_name() -> None:
    """Names of a spec are unique."""
    for key in ("name", "content_type"):
        assert len({entry[key] for entry in DEFAULT_SPEC}) == len(DEFAULT_SPEC)


def test_the_root_spec_has_what_is_mandatory() -> None:
    """And the project's numbers of listed events."""
    spec = root_spec("app-1", "Live", Choices(listings_past=1, listings_future=2))
    assert {"name", "id", "version", "base_apps_url"} <= set(spec)
    assert (spec["id"], spec["name"]) == ("app-1", "Live")
    assert spec["listings"] == {"past": 1, "future": 2}
