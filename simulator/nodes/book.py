"""The book of votes that nodes share: one script in Redis, which counts a batch in one step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

from redis.asyncio import Redis

from poll_counter.facts import RefusalReason
from simulator.emulator import Entry
from simulator.records import Settings

__all__ = ["Book", "Client", "Gate", "Ledger", "Tally", "Vote", "audit"]

Client: TypeAlias = Redis
"""A connection to Redis whose answers are bytes."""

SCRIPT = Path(__file__).with_name("votes.lua")
_Line: TypeAlias = tuple[bytes, Mapping[bytes, bytes]]
"""Its id in the stream, and what is in it."""
OPTION_MAX = 2**31
"""An option above this is not one: the script's numbers end somewhere."""


class Gate(NamedTuple):
    """Whether an element takes votes, and which; as of a position in the log."""

    element_id: str
    at: int
    """How many entries of the log were done."""
    state: str
    """`opened`, `closed` or `revoked`."""
    settings: Settings

    def told(self) -> Mapping[str, Any]:
        """As the script has it."""
        settings = self.settings
        rules = {
            "options": len(settings.options),
            "options_min": settings.min_options_per_vote,
            "options_max": settings.max_options_per_vote,
            "per_option": settings.max_votes_per_option,
            "per_user": settings.max_votes_per_user,
            "verified": settings.require_verified_user,
        }
        return {"element": self.element_id, "at": self.at, "state": self.state, "rules": rules}


class Vote(NamedTuple):
    """An answer of a client."""

    element_id: str
    user: str
    options: Sequence[int]
    connection: int
    """Its number on this node."""
    answer_id: str = ""

    def told(self) -> Sequence[Any]:
        """As the script has it; an option that no element has is -1, however great."""
        options = [option if 0 <= option <= OPTION_MAX else -1 for option in self.options]
        return [self.element_id, self.user, options, self.connection]


class Tally(NamedTuple):
    """The votes of an element, of all nodes."""

    state: str
    """As in its gate; empty if none was told."""
    voters: int
    votes: Sequence[int]
    """Per option."""


class Ledger(NamedTuple):
    """What the book answers."""

    position: int
    """How long the log is."""
    decisions: Sequence[RefusalReason | None]
    """For each vote: None if it is counted, else why not."""
    tallies: Sequence[Tally]
    """Of each element that was asked for."""
    elsewhere: Sequence[int]
    """For each event: how many connections the other nodes have."""


async def audit(client: Client, key: str) -> list[tuple[str, Entry]]:
    """Read what an audited book wrote down: (node, vote accepted), in order.

    Raises RedisError when Redis is away.
    """
    lines = cast("Sequence[_Line]", await client.xrange(f"{key}:accepted"))
    found = list[tuple[str, Entry]]()
    for _, held in lines:
        at = float(held[b"now"])
        votes = json.loads(held[b"votes"].decode("utf-8", "surrogatepass"))
        for connection, user, element_id, option, tally in votes:
            who = connection, user, element_id, option
            found.append((held[b"node"].decode(), Entry(at, "accepted", "", *who, tally=tally)))
    return found


class Book:
    """Counts votes in Redis.

    Args:
        client: the connection; it must not repeat what fails by itself.
        key: what the names of all keys begin with.
        node: who asks.
        audited: whether Redis writes down accepted votes one by one, for the checks.
    """

    def __init__(self, client: Client, key: str, node: str, *, audited: bool = False) -> None:
        self._count = client.register_script(SCRIPT.read_text(encoding="utf-8"))
        self._key = key
        self._node = node
        self._audited = audited

    async def count(
        self,
        votes: Sequence[Vote] = (),
        *,
        now: float,
        gates: Iterable[Gate] = (),
        asked: Sequence[str] = (),
        here: Sequence[tuple[str, int]] = (),
    ) -> Ledger:
        """Bring gates, then votes, and ask for tallies, in one step.

        Args:
            votes: what clients have answered.
            now: the node's clock.
            gates: what has changed of elements; older than what is known changes nothing.
            asked: elements whose tallies are wanted.
            here: (event, how many connections the node has to it).

        Raises RedisError when Redis is away; then the votes may be counted or not.
        """
        told = {
            "node": self._node,
            "now": now,
            "gates": [gate.told() for gate in gates],
            "votes": [vote.told() for vote in votes],
            "asked": asked,
            "here": here,
            "audited": self._audited,
        }
        as_bytes = json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass")
        position, decisions, tallies, elsewhere = await self._count(
            keys=[self._key], args=[as_bytes]
        )
        return Ledger(
            position,
            [cast("RefusalReason", reason.decode()) if reason else None for reason in decisions],
            [Tally(state.decode(), voters, votes) for state, voters, *votes in tallies],
            elsewhere,
        )
