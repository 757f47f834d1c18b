"""What the platform's documentation leaves open: every choice of ours, in one place.

The documentation says what the endpoints, attributes and feeds are, and is silent on many a
default, limit and status (contract section 19). What the emulator does there is decided here,
once, and can be set: a tool that must work against the real platform is tried against both
answers.

    choices = Choices(create_event_status=200, refill_per_s=1.0)
    choices = Choices.load("choices.toml")
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from .limits import Limits
from .player_tokens import KEY_BYTES_MIN, PlayerTokens
from .records import RESULTS_INTERVAL_S, VOTES_PER_OPTION_MAX, RevealMode

__all__ = ["Choices"]

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0.0)]


class Choices(BaseModel):
    """How the emulator answers where the documentation does not say.

    Every field names the gap that it fills. Two are documented and stand here because a test of
    one's own may want them otherwise: `bucket` and `peak_sample_s`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # The Control API as a service

    bucket: Count = 15
    """Requests that a token may make at once (documented, contract section 2)."""
    refill_per_s: Seconds = 5.0
    """Requests that a token gets back in a second: the refill rate is not documented."""
    page_size: Count = 20
    """Events of a page of Get Events where `page[count]` is not given."""
    page_size_max: Count = 100
    """The most events of a page, whatever `page[count]` says."""
    create_event_status: Literal[200, 201] = 201
    """The status of Create Event; that of Create Element is documented."""
    delete_status: Literal[200, 204] = 204
    """The status of Delete Element."""

    # Events

    event_duration_s: Count = 3600
    """The duration of an event that is made without one, in seconds."""
    manual_events_end: bool = True
    """Whether an event that was started by hand ends by itself after its duration."""
    locale: str = "en"
    """The locale whose values are taken where a field has none for `all`: what clients are told
    on the live channel, and the plain `custom_fields` of the feeds."""

    # Elements

    refuse_unknown_content_types: bool = True
    """Whether Create Element refuses a content type that the app's elements spec does not have."""
    enforce_options_number: bool = False
    """Whether Create Element holds a question to the `options_number` of the elements spec."""
    max_votes_per_user: Count = 1
    """The default of the voting attribute, which Create Element may leave out."""
    max_votes_per_option: Annotated[int, Field(ge=1, le=VOTES_PER_OPTION_MAX)] = 1
    """The default of the voting attribute."""
    min_options_per_vote: Count = 1
    """The default of the voting attribute."""
    max_options_per_vote: Count = 1
    """The default of the voting attribute."""
    reveal_results_mode: RevealMode = "vote"
    """The default of the attribute."""
    republish_revoked: bool = True
    """Whether a revoked element can be published again, with the votes it had."""

    # Numbers

    results_interval_s: Annotated[float, Field(ge=0.0)] = RESULTS_INTERVAL_S
    """Results of one event are told to clients no more often than this, in seconds."""
    peak_sample_s: Seconds = 5.0
    """How often concurrency is sampled for its peak (documented, contract section 6.6)."""
    percentage_digits: Annotated[int, Field(ge=0, le=10)] = 2
    """The decimals of a percentage; percentages need not sum to 100."""

    # CDN feeds

    listings_past: Annotated[int, Field(ge=0)] = 10
    """The most past events in listings.json, a setting of the project (contract section 9.2)."""
    listings_future: Annotated[int, Field(ge=0)] = 10
    """The most future events in listings.json."""
    history_ignore_s: Annotated[int, Field(ge=0)] = 0
    """listings.json: seconds from an event's start in which clients need not read its history."""
    history_locale_buckets: bool = False
    """Whether `custom_fields` of history.json nest a locale bucket, as readers of the live feed
    have met them, rather than the documented key -> value (contract section 17.7)."""
    cdn_max_age_s: Annotated[int, Field(ge=0)] = 30
    """For how long the feeds may be cached, in seconds: readers poll no faster anyway."""
    elements_feed: bool = False
    """Whether the elements feeds are switched on (off is documented, contract section 9.1)."""
    hidden_results: Literal["zeros", "null"] = "zeros"
    """What the feeds show of results that the reveal mode hides: zeros keep the documented shape,
    nulls cannot be mistaken for a poll without votes."""
    body_bytes_max: Count = 2**18
    """Control API: a larger body of a request is refused with 413."""
    body_timeout_s: Seconds = 10.0
    """Control API: a body that is not all there by then is refused with 408."""

    # The live channel

    limits: Limits = Limits()
    """What one peer may ask of the live channel: no limit is documented. See `limits`."""

    player_keys: tuple[Annotated[SecretStr, Field(min_length=KEY_BYTES_MIN)], ...] = ()
    """Secret keys for players' tokens, the present one first; with one, nobody says hello without
    a token of the app's backend. Without one everybody is believed: nothing is documented."""

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read choices from a TOML file; what it leaves out stays at its default.

        Raises OSError for a file that cannot be read, and ValueError for one that does not fit.
        """
        return cls.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))

    def player_tokens(self) -> PlayerTokens | None:
        """What makes and checks players' tokens; None where everybody is believed."""
        keys = [key.get_secret_value().encode() for key in self.player_keys]
        return PlayerTokens(*keys) if keys else None
