"""Bytes, read as numbers and picks; past the end all are 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Reader"]

_T = TypeVar("_T")


class Reader:
    """Reads an input.

    Args:
        data: the input.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def byte(self) -> int:
        """The next byte."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def pick(self, among: Sequence[_T]) -> _T:
        """One of a few things."""
        return among[self.byte() % len(among)]

    def take(self, most: int) -> bytes:
        """Some bytes as they are: their number, up to a most, comes first."""
        count = self.byte() % (most + 1)
        self._at += count
        return self._data[self._at - count : self._at]
