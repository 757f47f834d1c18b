"""The transition table: total, honest about what it ignores, and about where facts lead."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Final, TypeAlias, get_args

import pytest

from poll_counter.facts import (
    ActiveChanged,
    Disconnected,
    ElementPublished,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
    EventUpdated,
    Fact,
    FrameSkipped,
    TimePassed,
    VoteHeldBack,
)
from poll_counter.machine import IGNORED, TABLE, Machine, State
from tests.support.show import (
    accepted,
    closes,
    finished,
    half,
    held,
    is_value,
    opens,
    poll,
    refused,
    results,
    revoked,
    trivia,
    welcomed,
)

FACTS: Final[tuple[type[Fact], ...]] = get_args(Fact)
P, FINAL = poll(), results("P", {0: 3}, final=True)

Timed: TypeAlias = tuple[Fact, float]
"""A fact, and when it is told."""

SITUATIONS: Final[tuple[tuple[Timed, ...], ...]] = (
    (),
    ((welcomed(P), 0), (Disconnected(), 1)),
    ((welcomed(P), 0), (TimePassed(), 2), (Disconnected(), 3)),
    ((welcomed(P, trivia(1)), 0), (Disconnected(), 1)),
    ((welcomed(P, event="upcoming"), 0), (Disconnected(), 1)),
    ((welcomed(P, event="finished"), 0), (Disconnected(), 1)),
    ((welcomed(event="upcoming"), 0),),
    ((welcomed(P, event="upcoming"), 0),),
    ((welcomed(P, trivia(1), event="upcoming"), 0),),
    ((welcomed(P), 0), (TimePassed(), 2), (EventStateChanged("upcoming"), 3)),
    ((welcomed(), 0),),
    ((welcomed(P), 0),),
    ((welcomed(P), 0), (ActiveChanged(active=False), 1)),
    ((welcomed(P), 0), (TimePassed(), 2)),
    ((welcomed(P, results=[FINAL]), 0),),
    ((welcomed(P, *finished(1)), 0),),
    ((welcomed(trivia(1)), 0),),
    ((welcomed(P, trivia(1)), 0),),
    ((welcomed(P, trivia(1), results=[FINAL]), 0),),
    ((welcomed(P), 0), (opens(1), 1)),
    ((welcomed(P), 0), (TimePassed(), 2), (opens(1), 3)),
    ((welcomed(P, *finished(1), trivia(2), trivia(3)), 0),),
    ((welcomed(P, event="finished"), 0),),
    ((welcomed(P, trivia(1), event="finished"), 0),),
    ((welcomed(P), 0), (TimePassed(), 2), (EventStateChanged("finished"), 3)),
    ((welcomed(P), 0), (EventStateChanged("finished"), 1)),
    ((welcomed(event="finished"), 0),),
    ((welcomed(P, event="finished", results=[FINAL]), 0),),
    ((welcomed(P), 0), (EventStateChanged("finished"), 1), (TimePassed(), 11)),
)
"""What led to a state, in all the ways that matter; every state is among them."""

TOLD: Final[tuple[Fact, ...]] = (
    *(
        welcomed(*elements, event=event, results=told)
        for event in ("upcoming", "active", "finished")
        for elements in ((), (P,), (P, trivia(1)), (P, *finished(1)))
        for told in ((), (FINAL,))
    ),
    Disconnected(),
    *(kind(e) for kind in (ElementPublished, ElementUpdated) for e in (P, poll("Q"), trivia(9))),
    *(kind(trivia(1, "closed")) for kind in (ElementPublished, ElementUpdated)),
    *(kind(poll(state="closed")) for kind in (ElementPublished, ElementUpdated)),
    closes(1),
    closes(9),
    closes(9, rev=9),
    ElementStateChanged("T1", "opened"),
    ElementStateChanged("P", "closed"),
    *(revoked(element_id) for element_id in ("P", "T1", "T9")),
    results("P", {0: 2}),
    FINAL,
    results("T1", {}, options=2),
    *(EventStateChanged(state) for state in ("upcoming", "active", "finished")),
    EventUpdated({"x": 1}),
    accepted("P", 0),
    accepted("Q", 0),
    refused("P", 0, "closed"),
    refused("P", 0, "busy", 1.0),
    FrameSkipped("malformed"),
    ActiveChanged(active=True),
    ActiveChanged(active=False),
    VoteHeldBack("P", 0),
    VoteHeldBack("Q", 0),
    TimePassed(),
)
"""Every kind of fact, in all the ways that matter."""

LATER: Final = (11.0, 60.0)
"""When it is told: while an ending may last, and after any deadline."""


def machine_after(situation: tuple[Timed, ...]) -> Machine:
    """Make a machine and lead it into a situation."""
    machine = Machine(draw=half)
    for fact, now in situation:
        machine.receive(fact, now)
    return machine


@cache
def reached() -> dict[tuple[State, type[Fact]], set[State]]:
    """Where each fact led from each state, over all situations."""
    found: dict[tuple[State, type[Fact]], set[State]] = defaultdict(set)
    for situation in SITUATIONS:
        for fact in TOLD:
            for now in LATER:
                machine = machine_after(situation)
                before = machine.state
                machine.receive(fact, now)
                found[before, type(fact)].add(machine.state)
    return found


def rows(*, ignored: bool) -> list[tuple[State, type[Fact]]]:
    """The rows of the table, those that are ignored or the others."""
    return [
        (state, fact)
        for state, row_of in TABLE.items()
        for fact, row in row_of.items()
        if (row is IGNORED) is ignored
    ]


def named(value: State | type[Fact]) -> str:
    """Name a state or a fact in a test's id."""
    return value.name if isinstance(value, State) else value.__name__


def test_table_is_total() -> None:
    """Every state lists every fact, and nothing else."""
    assert set(TABLE) == set(State)
    for state in State:
        assert set(TABLE[state]) == set(FACTS)


def test_situations_are_rich() -> None:
    """The situations and facts of this file cover every state and every fact."""
    assert {machine_after(situation).state for situation in SITUATIONS} == set(State)
    assert {type(fact) for fact in TOLD} == set(FACTS)


@pytest.mark.parametrize(("state", "kind"), rows(ignored=False), ids=named)
def test_row_lists_exactly_the_states_that_follow(state: State, kind: type[Fact]) -> None:
    """A fact leads from a state to each of the states that its row lists, and to no other."""
    row = TABLE[state][kind]
    assert row is not None
    assert reached()[state, kind] == row.to


@pytest.mark.parametrize(("state", "kind"), rows(ignored=True), ids=named)
def test_ignored_fact_changes_nothing(state: State, kind: type[Fact]) -> None:
    """A fact that a row ignores is answered with nothing, and leaves every slot as it was."""
    tried = 0
    for situation in SITUATIONS:
        machine = machine_after(situation)
        if machine.state is not state:
            continue
        before = held(machine)
        for fact in TOLD:
            if type(fact) is kind:
                for now in LATER:
                    assert machine.receive(fact, now) == ()
                    assert held(machine) == before
                    tried += 1
    assert tried


def test_fact_that_is_not_ignored_does_something() -> None:
    """No row handles a fact that could be listed as ignored; time passes everywhere, though."""
    idle = {row for row in rows(ignored=False) if row[1] is not TimePassed}
    for situation in SITUATIONS:
        for fact in TOLD:
            machine = machine_after(situation)
            row, before = (machine.state, type(fact)), held(machine)
            if machine.receive(fact, LATER[0]) or held(machine) != before:
                idle.discard(row)
    assert idle == set()


@pytest.mark.parametrize("fact", TOLD, ids=lambda fact: type(fact).__name__)
def test_facts_are_values(fact: Fact) -> None:
    """A fact cannot be changed once it was told."""
    assert is_value(fact)
