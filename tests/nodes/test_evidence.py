"""The logs of several nodes, made one."""

from __future__ import annotations

from simulator.emulator import Entry
from tests.support.nodes.evidence import NodeLog, merged

SHOW = [Entry(0.0, "event", "E", detail="active"), Entry(5.0, "closed", "E", element_id="T1")]


def test_what_happened_to_the_show_happened_once() -> None:
    """Every node writes it down, at the same time; a late one also what was before it."""
    logs = [NodeLog("one", SHOW), NodeLog("two", SHOW), NodeLog("three", SHOW[:1])]
    assert merged(logs, []) == SHOW


def test_connections_have_numbers_of_their_own() -> None:
    """Each node counts from 0; Redis wrote down the votes with those numbers."""
    joined = [Entry(1.0, "joined", "E", 0, "ann"), Entry(2.0, "joined", "E", 0, "bob")]
    vote = Entry(3.0, "accepted", "", 0, "bob", "P", 0, tally=1)
    log = merged([NodeLog("one", joined[:1]), NodeLog("two", joined[1:])], [("two", vote)])
    assert [(e.kind, e.connection) for e in log] == [("joined", 0), ("joined", 1), ("accepted", 1)]


def test_connections_end_with_their_node() -> None:
    """When it was killed; but for those that had ended, and none before it began."""
    entries = [
        Entry(1.0, "joined", "E", 0, "ann"),
        Entry(1.0, "joined", "E", 1, "bob"),
        Entry(2.0, "left", "E", 1, "bob"),
        Entry(4.2, "joined", "E", 2, "cyd"),
    ]
    log = merged([NodeLog("one", entries, died_at=4.0)], [])
    left = [(e.at, e.user) for e in log if e.kind == "left"]
    assert left == [(2.0, "bob"), (4.0, "ann"), (4.2, "cyd")]
    assert [e.kind for e in merged([NodeLog("one", entries)], [])].count("left") == 1
