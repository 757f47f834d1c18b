"""The log that nodes share: what producers asked for, in one order, as a stream in Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from simulator.content import Write

from .book import Client

__all__ = ["Log", "Logged"]

_Entry: TypeAlias = tuple[bytes, Mapping[bytes, bytes]]
"""An entry's id, and what is in it."""

ENTRIES_MAX = 500
"""How many entries are read at a time."""


class Logged(NamedTuple):
    """An entry of the log."""

    token: str
    """Chosen by whoever appended it: appended twice, it is done once."""
    now: float
    """When, on the clock of whoever appended it."""
    write: Write | None
    """What was asked for; None: time has passed, and what happens by itself is to happen."""


class Log:
    """Appends to the log, and reads it from the beginning.

    Args:
        client: the connection; it must not repeat what fails by itself.
        key: what the names of all keys begin with.
    """

    def __init__(self, client: Client, key: str) -> None:
        self._client = client
        self._key = f"{key}:log"
        self._read_to: bytes | str = "0"

    async def append(self, entry: Logged) -> None:
        """Append an entry; raises RedisError when Redis is away: then it may be there or not."""
        write = entry.write
        held: dict[Any, Any] = {"token": entry.token, "now": repr(entry.now)}
        if write is not None:
            held["write"] = json.dumps(write._asdict())
        await self._client.xadd(self._key, held)

    async def length(self) -> int:
        """How many entries there are; raises RedisError when Redis is away."""
        return await self._client.xlen(self._key)

    async def read(self, wait_s: float | None = None) -> Sequence[Logged]:
        """Read the next entries; waits for the first so long, None not at all.

        Raises RedisError when Redis is away.
        """
        wait_ms = None if wait_s is None else max(1, round(wait_s * 1000.0))
        found = await self._client.xread(
            {self._key: self._read_to}, count=ENTRIES_MAX, block=wait_ms
        )
        streams = cast("Sequence[tuple[bytes, Sequence[_Entry]]]", found or ())
        entries = [entry for _, entries in streams for entry in entries]
        if entries:
            self._read_to = entries[-1][0]
        return [_logged(held) for _, held in entries]


def _logged(held: Mapping[bytes, bytes]) -> Logged:
    write = held.get(b"write")
    return Logged(
        held[b"token"].decode(),
        float(held[b"now"]),
        None if write is None else Write(**json.loads(write)),
    )
