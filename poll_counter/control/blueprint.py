"""The hidden poll as the platform is asked for it: its settings, its fields, and its App Spec.

Pure. A poll that is made otherwise counts wrongly or not at all; `findings.py` says which
setting spoils what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from poll_counter.elements import (
    CONCURRENCY_FIELD,
    PAGE_FIELD,
    POLL_MARK,
    SAMPLE_RATE_FIELD,
    SPREAD_FIELD,
)
from poll_counter.errors import MisuseError
from poll_counter.machine import DEFAULT_SPREAD_S
from poll_counter.rounds import SPREAD_S_MAX
from poll_counter.sampling import RATE_MIN, is_rate

__all__ = [
    "CONTENT_TYPE",
    "DURATION_S",
    "OPTIONS_MAX",
    "ROUNDS",
    "Blueprint",
    "attributes",
    "concurrency_entry",
    "options",
    "spec_entry",
]

CONTENT_TYPE = "hidden-poll"
"""The content type of the poll: the app's own, named in its elements spec."""
ROUNDS = 10
"""The rounds of the documented case, and the options of its one poll (contract section 1.2)."""
ROUNDS_MAX = 1000
"""More rounds than any show has: a slip of the finger makes no thousand polls."""
OPTIONS_MAX = 100
"""The most options of one poll. The platform's own limit is not documented, but per app."""
DURATION_S = 6 * 3600
"""How long the poll is open where neither the producer nor the event says, in seconds."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The hidden polls of one show: as many pages as its rounds need.

    Raises `MisuseError` for what cannot be.
    """

    rounds: int = ROUNDS
    """How many trivia the show has."""
    options_per_poll: int = ROUNDS
    """The options of every page; all have the same number (rule 6)."""
    spread_s: float = DEFAULT_SPREAD_S
    """Over how many seconds the votes of a round are spread, 0 to 120."""
    sample_rate: float = 1.0
    """The share of players that vote, above 0 and up to 1 (rule 9)."""
    content_type: str = CONTENT_TYPE
    """The content type, as the elements spec names it."""
    duration_s: int | None = None
    """How long the poll is open, in seconds; None: the platform is told none."""
    locale: str = "all"
    """Of the texts: a locale of the project, or `all` where it is not localised."""

    def __post_init__(self) -> None:
        _check("rounds", self.rounds, 1, ROUNDS_MAX)
        _check("options_per_poll", self.options_per_poll, 1, OPTIONS_MAX)
        if not 0.0 <= self.spread_s <= SPREAD_S_MAX:
            raise MisuseError(
                f"spread_s is {self.spread_s}; pass seconds from 0 to {SPREAD_S_MAX:g}"
            )
        if not is_rate(self.sample_rate):
            raise MisuseError(
                f"sample_rate is {self.sample_rate}; pass a share from {RATE_MIN:g} to 1"
            )
        if self.duration_s is not None and not (isfinite(self.duration_s) and self.duration_s >= 1):
            raise MisuseError(f"duration_s is {self.duration_s}; pass seconds from 1 on")
        for name in ("content_type", "locale"):
            if not getattr(self, name):
                raise MisuseError(f"{name} is empty; leave it out, or name one of your project")

    @property
    def pages(self) -> int:
        """How many polls the rounds need."""
        return -(-self.rounds // self.options_per_poll)

    def attributes(self, page: int) -> dict[str, Any]:
        """One poll, as Create Element takes it (contract sections 7.1 and 7.4)."""
        size = self.options_per_poll
        first = page * size + 1
        rounds = f"round {first}" if size == 1 else f"rounds {first} to {first + size - 1}"
        question = self._texts(f"Players of {rounds}")
        return {
            "content_type": self.content_type,
            "label": f"Player count, {rounds}",
            "start_mode": "manual",
            **({} if self.duration_s is None else {"duration": int(self.duration_s)}),
            "question": {**question, "options": options(first, size, self.locale)},
            "max_votes_per_user": size,
            "max_votes_per_option": 1,
            "min_options_per_vote": 1,
            "max_options_per_vote": 1,
            "reveal_results_mode": "vote",
            "require_verified_user": False,
            "certification": False,
            "include_in_latest_results_feed": False,
            "custom_fields": [
                _field(POLL_MARK, 1),
                _field(PAGE_FIELD, page),
                _field(SPREAD_FIELD, self.spread_s),
                _field(SAMPLE_RATE_FIELD, self.sample_rate),
            ],
        }

    def _texts(self, text: str) -> dict[str, Any]:
        return {"label": text, "fields": [_field("text", text, self.locale)]}


def attributes(
    page: int = 0,
    *,
    options_per_poll: int = ROUNDS,
    spread_s: float = DEFAULT_SPREAD_S,
    sample_rate: float = 1.0,
    content_type: str = CONTENT_TYPE,
    duration_s: int | None = None,
    locale: str = "all",
) -> dict[str, Any]:
    """The attributes that Create Element takes for one hidden poll (contract section 7.4).

    Args:
        page: counted from 0; page k counts the rounds from k times `options_per_poll` + 1 on.
        options_per_poll: the options of every page.
        spread_s: over how many seconds the votes of a round are spread, 0 to 120.
        sample_rate: the share of players that vote, above 0 and up to 1.
        content_type: the app's own, as its elements spec names it.
        duration_s: how long the poll is open; None: the platform is told none.
        locale: of the texts; `all` where the project is not localised.

    Raises `MisuseError` for what cannot be.

    For example:

    ```python
    await api.create_element(event_id, hidden_poll.attributes(duration_s=7200))
    ```
    """
    _check("page", page, 0, ROUNDS_MAX - 1)
    return Blueprint(
        options_per_poll=options_per_poll,
        spread_s=spread_s,
        sample_rate=sample_rate,
        content_type=content_type,
        duration_s=duration_s,
        locale=locale,
    ).attributes(page)


def options(first: int, count: int, locale: str = "all") -> list[dict[str, Any]]:
    """Answer options for as many rounds, from round `first` on."""
    texts = (f"Round {first + place}" for place in range(count))
    return [{"label": text, "fields": [_field("text", text, locale)]} for text in texts]


def spec_entry(
    *,
    content_type: str = CONTENT_TYPE,
    options_per_poll: int = ROUNDS,
    duration_s: int = DURATION_S,
) -> dict[str, Any]:
    """The hidden poll in an app's elements spec (contract section 8), ready for elements.json.

    The keys are documented. Which words `field` takes for a text and a number is not: `text` and
    `number` are ours, to be set as your other entries have them.

    Args:
        content_type: the app's own name for it, unique in the spec.
        options_per_poll: the most options of one poll; the platform holds the producer to it.
        duration_s: how long a poll is open that Studio makes, in seconds.

    Raises `MisuseError` for what cannot be.
    """
    Blueprint(options_per_poll=options_per_poll, content_type=content_type, duration_s=duration_s)
    return {
        "name": "Hidden poll (player count)",
        "content_type": content_type,
        "derived_from": "rpoll",
        "duration": {"mode": "fixed", "default": duration_s},
        "label": "{{question.text}}",
        "label_question": "{{question.text}}",
        "label_option": "{{option.text}}",
        "options_number": {"min": 1, "max": options_per_poll},
        "certification": {"default": False, "visible": False},
        "question": [_property("text", "Question", "text", "Nobody sees it.", mandatory=True)],
        "option": [_property("text", "Option", "text", "One for every round.", mandatory=True)],
        "custom_fields": [
            {
                "name": "Player count",
                "properties": [
                    _property(
                        POLL_MARK, "Hidden poll", "number", "1: apps vote unseen.", mandatory=True
                    ),
                    _property(
                        PAGE_FIELD,
                        "Page",
                        "number",
                        "0 for the first poll; the next one counts the rounds after its last.",
                        mandatory=True,
                    ),
                    _property(
                        SPREAD_FIELD,
                        "Spread of the votes (s)",
                        "number",
                        f"Seconds, 0 to {SPREAD_S_MAX:g}, over which the votes of a round come in.",
                    ),
                    _property(
                        SAMPLE_RATE_FIELD,
                        "Sample rate",
                        "number",
                        "The share of players that vote, above 0 and up to 1.",
                    ),
                ],
            }
        ],
    }


def concurrency_entry() -> dict[str, Any]:
    """The field for the connected users in an app's spec (contract section 1.1).

    It stands among the event's fields (event_settings.json), or in the `custom_fields` of an
    element's entry. What `field` says of a number is ours, as in `spec_entry`.
    """
    return {
        "name": "Player count",
        "properties": [
            _property(
                CONCURRENCY_FIELD,
                "Connected users",
                "number",
                "A script writes it, at most once a minute; leave it empty.",
            )
        ],
    }


def _check(name: str, value: int, low: int, high: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise MisuseError(f"{name} is {value}; pass a whole number from {low} to {high}")


def _field(key: str, value: float | str, locale: str = "all") -> dict[str, Any]:
    return {"key": key, "values": {locale: value}}


def _property(
    key: str, label: str, field: str, description: str, *, mandatory: bool = False
) -> Mapping[str, Any]:
    return {
        "label": label,
        "key": key,
        "field": field,
        "mandatory": mandatory,
        "description": description,
    }
