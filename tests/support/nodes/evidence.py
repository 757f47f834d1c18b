"""The logs of several nodes and of Redis, made one, for the same checks as ever."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

from simulator.emulator import Entry

__all__ = ["NodeLog", "merged"]

OF_THE_SHOW = frozenset({"event", "published", "closed", "revoked"})
"""Every node writes these down, at the time that the common log has for them."""


class NodeLog(NamedTuple):
    """What one node wrote down."""

    name: str
    entries: Sequence[Entry]
    died_at: float | None = None
    """When it was killed: its connections ended then."""


def merged(logs: Sequence[NodeLog], accepted: Sequence[tuple[str, Entry]]) -> list[Entry]:
    """Make one log of all: one number for each connection, and what happened to the show once.

    Args:
        logs: of the nodes, each of another name.
        accepted: (node, vote), as Redis wrote them down when it counted them.
    """
    place = {log.name: number for number, log in enumerate(logs)}

    def numbered(node: str, entry: Entry) -> Entry:
        return entry._replace(connection=entry.connection * len(logs) + place[node])

    show = {entry for log in logs for entry in log.entries if entry.kind in OF_THE_SHOW}
    found = [
        numbered(log.name, entry)
        for log in logs
        for entry in (*log.entries, *_cut_off(log))
        if entry.kind not in OF_THE_SHOW
    ]
    votes = [numbered(node, entry) for node, entry in accepted]
    order = {"joined": 0, "left": 2}
    parts = (sorted(show), sorted(found), sorted(votes))
    return list(heapq.merge(*parts, key=lambda entry: (entry.at, order.get(entry.kind, 1))))


def _cut_off(log: NodeLog) -> list[Entry]:
    """Connections that ended with their node."""
    if log.died_at is None:
        return []
    there = {entry.connection: entry for entry in log.entries if entry.kind == "joined"}
    for entry in log.entries:
        if entry.kind == "left":
            del there[entry.connection]
    # It may have written a line between the noting of its death and the death.
    return [each._replace(at=max(log.died_at, each.at), kind="left") for each in there.values()]
