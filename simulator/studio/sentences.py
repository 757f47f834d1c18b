"""What went wrong, as a sentence for the page."""

from __future__ import annotations

from pydantic import ValidationError

from poll_counter import PollCounterError
from poll_counter.errors import ControlApiError

__all__ = ["sentence"]


def sentence(error: PollCounterError | ValidationError) -> str:
    """Say what was refused, and why, in the words of who refused it."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "what was sent"
        return _whole(f"{place} cannot be {str(first['input'])[:40]!r}: {first['msg']}")
    if isinstance(error, ControlApiError) and error.problems:
        told = "; ".join(problem.detail for problem in error.problems)
        return _whole(f"The platform refused ({error.status}): {told}")
    return _whole(str(error))


def _whole(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
