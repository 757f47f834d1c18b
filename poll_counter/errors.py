"""The error tree.

* `PollCounterError`: catch this one to catch them all
    * `MisuseError`: yours; the message says what to do instead
    * `PlatformError`: theirs; the platform answered in a way that cannot be worked with
    * `JournalError`: the file that remembers the votes cannot be read or written

Network trouble raises nothing: the client reconnects for ever (`State.OFFLINE` tells).
"""

from __future__ import annotations

__all__ = ["JournalError", "MisuseError", "PlatformError", "PollCounterError"]


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


class JournalError(PollCounterError):
    """The journal's file cannot be used at all: its folder is missing or may not be written.

    For example:

    ```python
    FileJournal("/no/such/folder/player.json")  # JournalError: ... cannot be written ...
    ```
    """
