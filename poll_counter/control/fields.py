"""How attributes are read: tolerantly. And the platform's localised values (contract section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError, WrapValidator

from poll_counter.elements import FieldValue

__all__ = [
    "ALL",
    "Fields",
    "Flag",
    "Localised",
    "Number",
    "Text",
    "Tolerant",
    "Whole",
    "localised",
    "or_none",
    "readable",
    "values_of",
]

ALL = "all"
"""The locale of a value that is not localised (contract section 4)."""

Reader: TypeAlias = Callable[[Any], Any]


def or_none(value: Any, read: Reader) -> Any:
    """Read a value; None for one that is not of its type."""
    try:
        return read(value)
    except ValidationError:
        return None


def _number(value: Any, read: Reader) -> Any:
    """Read a number, also in a string; None for anything else, true and false included."""
    return None if isinstance(value, bool) else or_none(value, read)


def _or_empty(value: Any, read: Reader) -> Any:
    try:
        return read(value)
    except ValidationError:
        return ""


def readable(value: Any, read: Reader) -> list[Any]:
    """Read the items of a list, and leave out those that are not of their type."""
    found = list[Any]()
    for item in value if isinstance(value, list) else ():
        try:
            found += read([item])
        except ValidationError:
            continue
    return found


Whole: TypeAlias = Annotated[int | None, WrapValidator(_number)]
"""A whole number, also in a string; None for anything else, as with the next two."""
Number: TypeAlias = Annotated[int | float | None, WrapValidator(_number)]
Flag: TypeAlias = Annotated[bool | None, WrapValidator(or_none)]
Text: TypeAlias = Annotated[str, WrapValidator(_or_empty)]


class Tolerant(BaseModel):
    """A model that takes what it knows of what it is given."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class Localised(Tolerant):
    """A field's value, by locale (contract section 4).

    For example:

    ```python
    Localised(key="poll_counter", values={"all": 1}).value  # 1
    ```
    """

    key: str
    """The field's key, from the App Spec."""
    values: dict[str, Any]
    """Locale -> value; `all` where it is not localised."""

    @property
    def value(self) -> Any:
        """The value for all, else the first locale's; None where there is none."""
        return self.values.get(ALL, next(iter(self.values.values()), None))


Fields: TypeAlias = Annotated[list[Localised], WrapValidator(readable)]


def localised(key: str, value: FieldValue, locale: str = ALL) -> dict[str, Any]:
    """A field's value as the platform takes it, in settings and custom fields (contract section 4).

    A field that is sent is rewritten completely; those that are not stay as they are.

    For example:

    ```python
    await api.update_event(event_id, {"settings": [localised("title", "Final", "en")]})
    ```
    """
    return {"key": key, "values": {locale: value}}


def values_of(fields: Iterable[Localised]) -> dict[str, Any]:
    """Key -> value: the one for all, else the first locale's."""
    return {field.key: field.value for field in fields}
