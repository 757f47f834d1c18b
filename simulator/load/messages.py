"""Words as Locust carries them between its machines, and what it is told of a crowd."""

from __future__ import annotations

import logging
from typing import Any

from locust.env import Environment

from .words import Word, decode

__all__ = ["TO_FOLLOWERS", "TO_LEADER", "CheckError", "RefusedError", "fire", "pack", "unpack"]

logger = logging.getLogger(__name__)

TO_FOLLOWERS = "crowd"
"""The name of the messages from the master."""
TO_LEADER = "crowd-says"
"""The name of the messages to the master."""


class CheckError(AssertionError):
    """A check does not hold."""


class RefusedError(Exception):
    """The platform did not count a vote."""


def pack(word: Word) -> dict[str, Any]:
    """What a message carries."""
    return {"line": word.line}


def unpack(message: Any) -> Word | None:
    """The word that a message carries; None for what a machine of another version may send."""
    try:
        return decode(message.data["line"])
    except (LookupError, TypeError, ValueError) as error:
        logger.warning("left out what %s said: %s", message.node_id, error)
        return None


def fire(
    environment: Environment, kind: str, name: str, ms: float, error: Exception | None = None
) -> None:
    """Let Locust know of something that took its time, as it knows requests.

    Args:
        environment: Locust's.
        kind: the type of request that it is shown as.
        name: of what happened.
        ms: how long it took.
        error: what went wrong.
    """
    environment.events.request.fire(
        request_type=kind,
        name=name,
        response_time=ms,
        response_length=0,
        exception=error,
        context={},
    )
