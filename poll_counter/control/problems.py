"""What the platform says went wrong, in whatever shape it says it (contract section 3).

Pure. Documented are `errors` with `source.pointer` and `detail`; a vendor's client also reads
`title`, and a top-level `error` or `message`. Bodies of 401, 403, 404 and 429 are not documented.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic_core import from_json

from poll_counter.errors import Problem

__all__ = ["TEXT_MAX", "problems_of", "told"]

TEXT_MAX = 200
"""The most characters that are repeated of one text."""
PROBLEMS_MAX = 20
"""The most problems that are read of one answer."""
ADVICE = {
    401: "is the token right, and of this environment?",
    403: "may the token's user do that, in that project?",
}
"""What to look at, for a status that comes without a documented body."""


def problems_of(body: bytes) -> tuple[Problem, ...]:
    """Read the body of an answer that is no success; what is no JSON is one problem's text."""
    try:
        document = from_json(body)
    except ValueError:
        return _texts([body[: 4 * TEXT_MAX].decode(errors="replace")])
    if not isinstance(document, dict):
        return ()
    errors = document.get("errors")
    found = [*_errors(errors[:PROBLEMS_MAX])] if isinstance(errors, list) else []
    return tuple(found) or _texts([document.get("error")]) or _texts([document.get("message")])


def told(status: int, problems: Iterable[Problem]) -> str:
    """A status and its problems as part of a sentence."""
    said = "; ".join(
        f"{each.pointer}: {each.detail}" if each.pointer else each.detail for each in problems
    )
    return ", ".join(part for part in (f"status {status}", said, ADVICE.get(status, "")) if part)


def _errors(errors: Iterable[Any]) -> Iterator[Problem]:
    for error in errors:
        if isinstance(error, dict):
            source = error.get("source")
            source = source if isinstance(source, dict) else {}
            detail = _text(error.get("detail")) or _text(error.get("title"))
            pointer = _text(source.get("pointer")) or _text(source.get("parameter"))
            if detail or pointer:
                yield Problem(pointer, detail or "refused")


def _texts(values: Iterable[Any]) -> tuple[Problem, ...]:
    return tuple(Problem("", text) for text in map(_text, values) if text)


def _text(value: Any) -> str:
    """A text on one line, cut; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    line = "".join(c if c.isprintable() else " " for c in value[: 4 * TEXT_MAX])
    return " ".join(line.split())[:TEXT_MAX]
