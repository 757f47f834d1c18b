"""The attributes that a producer sends for an event or an element, read and checked.

Unknown attributes are tolerated, null counts as not given, and what is wrong is named by a JSON
pointer, as the platform's errors do (contract section 3). What an element's attributes mean for
the live channel is told by `settings_of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from poll_counter.elements import FieldValue
from simulator.choices import Choices
from simulator.records import VOTES_PER_OPTION_MAX, RevealMode, Settings

__all__ = [
    "ROOT",
    "ContentError",
    "ElementAttributes",
    "EventAttributes",
    "Localised",
    "Option",
    "Question",
    "UnknownIdError",
    "merged",
    "scalar",
    "scalars",
    "settings_of",
    "text",
]

ROOT = "/data/attributes"
"""Where the attributes stand in a request: what pointers begin with."""
PER_FIELD = {"settings", "custom_fields"}
"""The attributes of which an update replaces single fields (contract sections 6.5 and 7.5)."""
ALL = "all"
"""Stands in the place of a locale where a value is not localised (contract section 4)."""


class ContentError(ValueError):
    """The platform does not do what the producer asks: status 422 (contract section 3)."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer = pointer
        """Where in the request it is wrong: a JSON pointer."""
        self.detail = detail
        """What is wrong."""


class UnknownIdError(ContentError):
    """There is nothing of that id: status 404."""


def _digits(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _unicode(value: str) -> str:
    """Refuse half of a surrogate pair, which JSON can write and UTF-8 cannot."""
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise PydanticCustomError("unicode", "must be valid Unicode")
    return value


def _value(value: object) -> FieldValue:
    """Take a field's value as it is."""
    if isinstance(value, str):
        return _unicode(value)
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    raise PydanticCustomError("value", "must be a string, a finite number, a boolean or null")


Text: TypeAlias = Annotated[str, AfterValidator(_unicode)]
Words: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_unicode)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
Seconds: TypeAlias = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
Moment: TypeAlias = Annotated[int, Field(strict=True, ge=0, lt=2**35)]
Limit: TypeAlias = Annotated[int, Field(strict=True, ge=1)]
Value: TypeAlias = Annotated[FieldValue, PlainValidator(_value)]


class _Attributes(BaseModel):
    """What a request says; None for what it does not."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Read JSON values; raises ContentError with the place of the first that is wrong."""
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors()[0]
            detail = first["msg"].replace("Input should", "must")
            detail = detail.replace("should", "must").replace("tuple", "array")
            if first["type"] in {"missing", "string_too_short"}:
                detail = "can't be blank"
            raise ContentError(_pointer(given, first["loc"]), detail) from None

    def with_(self, given: Self) -> Self:
        """These attributes after an update: fields are replaced one by one, all else as sent."""
        changed = {name: getattr(given, name) for name in given.model_fields_set}
        for name, value in changed.items():
            held = getattr(self, name)
            if name in PER_FIELD:
                changed[name] = merged(held or (), value or ())
            elif isinstance(value, Question) and isinstance(held, Question):
                changed[name] = held.with_(value)
        return self.model_copy(update=changed)

    def changed(self, after: Self) -> set[str]:
        """Which attributes an update changes; to say what is so already changes nothing."""
        names = type(self).model_fields
        return {name for name in names if getattr(self, name) != getattr(after, name)}


def _pointer(given: Any, location: Sequence[str | int]) -> str:
    """The JSON pointer of an error; a name that is not there ends it."""
    parts, at = [ROOT], given
    for part in location:
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
        if isinstance(at, Mapping) and part not in at:
            break
        at = at[part]
    return "/".join(parts)


class Localised(_Attributes):
    """A field's value, per locale (contract section 4)."""

    key: Text
    """The field."""
    values: dict[Text, Value] = Field(default_factory=dict)
    """Locale, or `all`, -> value."""


class Option(_Attributes):
    """An option of a question."""

    label: Text | None = None
    filter_keywords: tuple[Text, ...] | None = None
    fields: tuple[Localised, ...] | None = None


class Question(_Attributes):
    """The question of an element, and its options."""

    label: Text | None = None
    filter_keywords: tuple[Text, ...] | None = None
    fields: tuple[Localised, ...] | None = None
    options: tuple[Option, ...] | None = None


class EventAttributes(_Attributes):
    """The writable attributes of an event (contract sections 6.4 and 6.5), two of them ours."""

    name: Words | None = None
    start_mode: Literal["manual", "clock"] | None = None
    start_at: Moment | None = None
    """Unix seconds; 0 for none."""
    duration: Annotated[Seconds, Field(ge=1)] | None = None
    end_mode: Literal["duration", "scheduled"] | None = None
    repeat: Flag | None = None
    repeat_in: Seconds | None = None
    """Minutes. Kept and told; that an event comes again by itself is not emulated."""
    settings: tuple[Localised, ...] | None = None
    on_demand_duration: Seconds | None = None
    """Ours to write: so long after its end the event is `on_demand`."""
    extra_time_duration: Seconds | None = None
    """Ours to write: the `extra_time` of the feeds."""
    action: Literal["start", "stop"] | None = None


class ElementAttributes(_Attributes):
    """The writable attributes of an element (contract section 7.1)."""

    content_type: Words | None = None
    label: Text | None = None
    name: Text | None = None
    start_mode: Literal["manual", "timecode"] | None = None
    offset: Seconds | None = None
    duration: Seconds | None = None
    duration_mode: Literal["fixed", "flexible"] | None = None
    """The word `flexible` is ours."""
    custom_fields: tuple[Localised, ...] | None = None
    question: Question | None = None
    reveal_results_mode: RevealMode | None = None
    require_verified_user: Flag | None = None
    include_in_latest_results_feed: Flag | None = None
    certification: Flag | None = None
    correct_option: Annotated[int, Field(strict=True, ge=0)] | None = None
    """1-based; 0, which a client sends that has none, counts as none (contract section 18.11)."""
    max_votes_per_user: Annotated[Limit, BeforeValidator(_digits)] | None = None
    """May come as a string (contract section 17.1)."""
    max_votes_per_option: Annotated[Limit, Field(le=VOTES_PER_OPTION_MAX)] | None = None
    min_options_per_vote: Limit | None = None
    max_options_per_vote: Limit | None = None
    reveal_answer_mode: Literal["auto", "manual"] | None = None
    reveal_answer_in: Seconds | None = None
    reveal_answer_on_vote: Flag | None = Field(
        default=None,
        validation_alias=AliasChoices("reveal_answer_on_vote", "reveal_answer_on_user_vote"),
    )
    """Has two names (contract section 17.2)."""
    fade: Seconds | None = None
    action: Literal["publish", "stop", "reveal_answer", "reveal_results", "revoke"] | None = None

    @property
    def duration_s(self) -> int | None:
        """The fixed duration; None for a flexible one."""
        return None if self.duration_mode == "flexible" else self.duration

    @property
    def options(self) -> tuple[Option, ...]:
        """The options of the question."""
        return (self.question.options if self.question else None) or ()

    def check(self) -> None:
        """Hold the attributes against each other; raises ContentError."""
        if self.duration_mode == "fixed" and self.duration is None:
            raise ContentError(f"{ROOT}/duration", "can't be blank")
        if self.offset and self.start_mode != "timecode":
            raise ContentError(f"{ROOT}/offset", "is for start_mode timecode alone")
        if (self.correct_option or 0) > len(self.options):
            detail = f"must be less than or equal to {len(self.options)}"
            raise ContentError(f"{ROOT}/correct_option", detail)


def merged(held: Sequence[Localised], given: Sequence[Localised]) -> tuple[Localised, ...]:
    """Fields after an update: one that is given is replaced whole, the others stay."""
    return tuple(({each.key: each for each in held} | {each.key: each for each in given}).values())


def scalar(values: Mapping[str, FieldValue], locale: str) -> FieldValue:
    """The one value that clients are told: of `all`, else of the locale, else the first."""
    return values.get(ALL, values.get(locale, next(iter(values.values()), None)))


def scalars(fields: Sequence[Localised] | None, locale: str) -> dict[str, FieldValue]:
    """Field key -> the value that clients are told."""
    return {each.key: scalar(each.values, locale) for each in fields or ()}


def text(piece: Question | Option | None, locale: str) -> str:
    """The words of a question or an option: its field `text`, else its label."""
    if piece is None:
        return ""
    value = scalars(piece.fields, locale).get("text")
    return str(value) if value is not None else piece.label or ""


def settings_of(
    attributes: Mapping[str, Any] | ElementAttributes,
    *,
    base_type: str = "",
    choices: Choices = Choices(),  # noqa: B008 - frozen
) -> Settings:
    """What an element's attributes mean for the live channel: the emulator's settings.

    Args:
        attributes: what Create Element takes, as JSON values or read already.
        base_type: the base type of its content type: `poll`, `trivia`, `data`, ... An element of
            type `data` has no options.
        choices: the defaults.

    Raises ContentError.
    """
    held = attributes
    if not isinstance(held, ElementAttributes):
        held = ElementAttributes.read(held)
    if held.content_type is None:
        raise ContentError(f"{ROOT}/content_type", "can't be blank")
    held.check()
    locale, options = choices.locale, () if base_type == "data" else held.options
    least = held.min_options_per_vote or choices.min_options_per_vote
    most = held.max_options_per_vote or max(least, choices.max_options_per_vote)
    if least > most:
        detail = f"must be greater than or equal to {least}"
        raise ContentError(f"{ROOT}/max_options_per_vote", detail)
    return Settings(
        content_type=held.content_type,
        type=base_type,
        question=text(held.question, locale),
        options=tuple(text(option, locale) for option in options),
        custom_fields=scalars(held.custom_fields, locale),
        duration_s=held.duration_s,
        max_votes_per_user=held.max_votes_per_user or choices.max_votes_per_user,
        max_votes_per_option=held.max_votes_per_option or choices.max_votes_per_option,
        min_options_per_vote=least,
        max_options_per_vote=most,
        reveal_results_mode=held.reveal_results_mode or choices.reveal_results_mode,
        offset_s=(held.offset or 0) if held.start_mode == "timecode" else None,
        require_verified_user=bool(held.require_verified_user),
    )
