"""The app's specification: which content types it has, and what they are derived from.

The root spec and the elements spec are what an app gives to the platform (contract section 8); a
producer's tool reads them to know what elements it can make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from poll_counter.control.blueprint import spec_entry
from simulator.choices import Choices

__all__ = ["DEFAULT_SPEC", "FRAME_TYPES", "base_type_of", "root_spec"]

FRAME_TYPES = {"poll": "rpoll"}
"""Base type -> its name in specs and feeds, where the two differ (contract section 8)."""
BASE_TYPES = {frame_type: base_type for base_type, frame_type in FRAME_TYPES.items()}


def _field(key: str, kind: str, label: str) -> dict[str, Any]:
    return {"key": key, "label": label, "field": kind, "mandatory": False}


_QUESTION: dict[str, Any] = {
    "label": "{{question.text}}",
    "question": [_field("text", "text", "Question"), _field("image_url", "image", "Image")],
    "option": [_field("text", "text", "Option")],
}

DEFAULT_SPEC: tuple[Mapping[str, Any], ...] = (
    {
        "name": "Poll",
        "content_type": "rpoll-custom",
        "derived_from": "rpoll",
        "duration": {"mode": "fixed", "default": 60},
        "options_number": {"min": 2, "max": 10},
        **_QUESTION,
    },
    {
        "name": "Trivia",
        "content_type": "trivia",
        "derived_from": "trivia",
        "duration": {"mode": "fixed", "default": 20},
        "options_number": {"min": 2, "max": 4},
        **_QUESTION,
    },
    {
        "name": "Prediction",
        "content_type": "prediction-custom",
        "derived_from": "prediction",
        "duration": {"mode": "fixed", "default": 60},
        "options_number": {"min": 2, "max": 4},
        **_QUESTION,
    },
    spec_entry(),
    {
        "name": "Article",
        "content_type": "article",
        "derived_from": "data",
        "label": "{{text}}",
        "custom_fields": [{"name": "Article", "properties": [_field("text", "text", "Text")]}],
    },
)
"""The elements spec of an app that nobody gave one: what a live trivia show needs. The hidden poll
stands there as the library has producers put it into theirs."""


def base_type_of(spec: Sequence[Mapping[str, Any]], content_type: str) -> str:
    """The base type of a content type; empty where the spec does not tell.

    A type derived from `rpoll` is of the base type `poll`, so clients are told.
    """
    derived = {entry.get("content_type"): entry.get("derived_from", "") for entry in spec}
    name = str(derived.get(content_type) or "")
    return BASE_TYPES.get(name, name)


def root_spec(app_id: str, name: str, choices: Choices) -> dict[str, Any]:
    """The app's root spec; its URLs are relative, at the conventional paths."""
    return {
        "id": app_id,
        "name": name,
        "version": "1",
        "base_apps_url": "/",
        "listings": {"past": choices.listings_past, "future": choices.listings_future},
        "elements": "/config/lvis/elements.json",
        "embed_url": "/app.html",
        "curation": False,
        "schedule": True,
        "analytics": True,
        "live_activity": True,
        "localisation": False,
    }
