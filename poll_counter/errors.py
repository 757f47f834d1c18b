"""The error tree.

* `PollCounterError`: catch this one to catch them all
    * `MisuseError`: yours; the message says what to do instead
    * `PlatformError`: theirs; the platform answered in a way that cannot be worked with
        * `ControlApiError`: a call of the Control API failed; producer's side only
    * `JournalError`: the file that remembers the votes cannot be read or written

In an app, network trouble raises nothing: the client reconnects for ever (`State.OFFLINE` tells).
On the producer's side a call that cannot be repeated, or was repeated in vain, does raise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "ControlApiError",
    "JournalError",
    "MisuseError",
    "PlatformError",
    "PollCounterError",
    "Problem",
]


class PollCounterError(Exception):
    """The base of every error that this library raises.

    For example:

    ```python
    try:
        main()
    except PollCounterError as error:
        sys.exit(f"cannot count: {error}")
    ```
    """


class MisuseError(PollCounterError):
    """The library was called in a way that cannot work; raised before anything is sent.

    For example:

    ```python
    PollCounter("http://live.example", ...)  # MisuseError: ... is no WebSocket address ...
    ```
    """


class PlatformError(PollCounterError):
    """The transport broke off for good; raised to who reads counts.

    The library's own transport reconnects for ever and never raises it; one of yours may.

    For example:

    ```python
    try:
        async for count in counter:
            show(count)
    except PlatformError as error:
        show_without_count(error)
    ```
    """


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that the platform found wrong with a call (contract section 3).

    For example:

    ```python
    Problem("/data/attributes/duration", "must be greater than or equal to 0")
    ```
    """

    pointer: str
    """Where in the call: a JSON pointer, or a query parameter's name; empty where not told."""
    detail: str
    """What is wrong, in the platform's words."""


class ControlApiError(PlatformError):
    """A call of the Control API failed: refused, not understood, or never answered.

    The message names the call, the status and the problems; it never holds the token.

    Args:
        message: what was called, and what came of it.
        status: the HTTP status; None where there was no answer.
        problems: what the platform found wrong.

    For example:

    ```python
    try:
        await api.stop_event(event_id)
    except ControlApiError as error:
        print(error.status, [problem.detail for problem in error.problems])
    ```
    """

    def __init__(
        self, message: str, *, status: int | None = None, problems: Iterable[Problem] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problems = tuple(problems)


class JournalError(PollCounterError):
    """The journal's file cannot be used at all: its folder is missing or may not be written.

    For example:

    ```python
    FileJournal("/no/such/folder/player.json")  # JournalError: ... cannot be written ...
    ```
    """
