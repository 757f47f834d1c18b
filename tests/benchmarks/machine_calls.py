"""What a call of the machine costs in a crowd that is told the same: a ratio, and bytes.

A crowd of machines shares one progress and one set of facts, and is told no results: this is most
of a virtual world. Run it with `python -m tests.benchmarks --only machine`.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import cycle

from poll_counter.commands import CastVote, Command, Remember, ReportCount
from poll_counter.counts import unknown_count
from poll_counter.elements import Recognise
from poll_counter.facts import (
    AnswerAccepted,
    ElementPublished,
    ElementStateChanged,
    Fact,
    TimePassed,
    Welcomed,
)
from poll_counter.machine import Machine
from poll_counter.rounds import Progress
from poll_counter.sampling import is_sampled
from tests.support.show import poll, trivia

from .figures import Figure, in_turns

MACHINES = 20_000
ROUNDS = 10
CALLS_A_ROUND = 4
POLL = "5f2c0d5e-8a3f-4c57-9c3c-1f6a0c8e9b11"
TURNS = 7
RATIO_MAX = 4.0
"""Times a dict dispatch, which knows nothing but a calm show: some 3.6, of 0.17 us."""
QUICK_RATIO_MAX = 5.0
"""The same of fewer turns, on a machine that may have more to do: it read 4.07 beside others."""
DECISION_RATIO_MAX = 3.0
"""Whether a player is in a sample, in times of the bare hash of its id: some 1.3 us of 0.8."""
BYTES_MAX = 900


class Dispatch:
    """The floor: facts looked up in a dict by the state, and the commands of a calm show.

    It asks for what a machine asks for in this benchmark's show, and knows no other: no polls but
    this one, nothing late, repeated, revoked, refused or lost.
    """

    __slots__ = ("accepted", "deadline", "draw", "round", "state")

    def __init__(self, draw: Callable[[], float]) -> None:
        self.state = "offline"
        self.deadline: float | None = None
        self.round = 0
        self.accepted = 0
        self.draw = draw

    def receive(self, fact: object, now: float) -> tuple[Command, ...]:
        """Take in a fact."""
        handler = DISPATCH[self.state].get(type(fact))
        return () if handler is None else handler(self, fact, now)

    def wake(self, now: float) -> tuple[Command, ...]:
        """Let time pass."""
        return self.receive(WOKEN, now)

    def _begins(self, _fact: object, now: float) -> tuple[Command, ...]:
        self.state, self.deadline = "waiting", now + 3.0 * self.draw()
        return (REPORTS[self.round],)

    def _opens(self, _fact: object, _now: float) -> tuple[Command, ...]:
        self.state = "playing"
        return ()

    def _closes(self, _fact: object, now: float) -> tuple[Command, ...]:
        self.state, self.deadline = "waiting", now + 3.0 * self.draw()
        self.round += 1
        return (REPORTS[self.round],)

    def _woken(self, _fact: object, now: float) -> tuple[Command, ...]:
        if self.deadline is None or now < self.deadline:
            return ()
        self.deadline = now + 5.0 + 5.0 * self.draw()
        return VOTES[self.round]

    def _accepted(self, _fact: object, _now: float) -> tuple[Command, ...]:
        self.deadline = None
        self.accepted += 1
        return (ANSWERED[self.round],)


Handler = Callable[[Dispatch, object, float], tuple[Command, ...]]
WOKEN = TimePassed()
DISPATCH: dict[str, dict[type, Handler]] = {
    "offline": {Welcomed: Dispatch._begins},
    "waiting": {
        ElementPublished: Dispatch._opens,
        TimePassed: Dispatch._woken,
        AnswerAccepted: Dispatch._accepted,
    },
    "playing": {ElementStateChanged: Dispatch._closes},
}
REPORTS = [ReportCount(unknown_count(n + 1, 1.0)) for n in range(ROUNDS + 1)]
VOTES = [(Remember(POLL, n), CastVote(POLL, n)) for n in range(ROUNDS)]
ANSWERED = [Remember(POLL, n, answered=True) for n in range(ROUNDS)]


@dataclass
class Show:
    """The facts of a show of ten rounds; each is one object that everybody is told."""

    begins: Welcomed
    rounds: list[tuple[ElementPublished, ElementStateChanged, AnswerAccepted]]


def show() -> Show:
    """Make a show with one hidden poll of ten options."""
    asked = poll(POLL, rev=1, spread_s=3)
    return Show(
        Welcomed("active", (asked,), rev=1, event_rev=0),
        [
            (
                ElementPublished(trivia(n + 1, rev=2 * n + 2)),
                ElementStateChanged(f"T{n + 1}", "closed", 2 * n + 3),
                AnswerAccepted(asked.id, n),
            )
            for n in range(ROUNDS)
        ],
    )


def crowd() -> list[Machine]:
    """Make a crowd that shares what it starts from."""
    shared, draw = Progress(Recognise()), _draw()
    return [Machine(draw=draw, player_id=f"{n:032x}", progress=shared) for n in range(MACHINES)]


def dispatches() -> list[Dispatch]:
    """Make a crowd of the floor's."""
    draw = _draw()
    return [Dispatch(draw) for _ in range(MACHINES)]


def _draw() -> Callable[[], float]:
    return cycle(n * 0.618034 % 1.0 for n in range(997)).__next__


def play(machines: Sequence[Machine | Dispatch]) -> float:
    """Play a show with a crowd that has seen none; returns microseconds per call, wakes included.

    The votes of round 1 fall due with the welcome, and those of the others with the closing.
    """
    told = show()
    for machine in machines:
        machine.receive(told.begins, 0.0)
    spent, now = 0.0, 0.0
    for opens, closes, accepted in told.rounds:
        spent += _wakes(machines) + _tells(machines, accepted, now + 4.0)
        now += 10.0
        spent += _tells(machines, opens, now) + _tells(machines, closes, now + 5.0)
        now += 5.0
    assert all(_accepted(machine) == ROUNDS for machine in machines)
    return 1e6 * spent / (len(machines) * ROUNDS * CALLS_A_ROUND)


def _accepted(machine: Machine | Dispatch) -> int:
    return machine.votes_accepted if isinstance(machine, Machine) else machine.accepted


def _tells(machines: Sequence[Machine | Dispatch], fact: Fact, now: float) -> float:
    begin = time.perf_counter()
    for machine in machines:
        machine.receive(fact, now)
    return time.perf_counter() - begin


def _wakes(machines: Sequence[Machine | Dispatch]) -> float:
    due = [(machine, machine.deadline) for machine in machines]
    begin = time.perf_counter()
    for machine, deadline in due:
        if deadline is not None:
            machine.wake(deadline)
    return time.perf_counter() - begin


def decision() -> float:
    """Measure a sampling decision in times of the bare hash that it needs."""
    players, poll_id = (
        [f"{n:032x}" for n in range(MACHINES)],
        POLL,
    )
    ratios = []
    for _ in range(TURNS):
        begin = time.perf_counter()
        for player in players:
            blake2b(player.encode(), key=b"sample").digest()
        middle = time.perf_counter()
        for player in players:
            is_sampled(poll_id, player, 0.01)
        ratios.append((time.perf_counter() - middle) / (middle - begin))
    return statistics.median(ratios)


def bytes_per_machine() -> float:
    """Measure what a machine holds after a whole show, its player id included."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    machines = crowd()
    play(machines)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / len(machines)


def measure(*, quick: bool) -> list[Figure]:
    """Measure in turns."""
    turns = TURNS if quick else 2 * TURNS
    play(crowd())
    us, floor_us, ratio = in_turns(lambda: play(crowd()), lambda: play(dispatches()), turns)
    size, sampling = bytes_per_machine(), decision()
    limit = QUICK_RATIO_MAX if quick else RATIO_MAX
    dispatch = f"{floor_us:.2f} us, a dict dispatch"
    return [
        Figure("a call of the machine, in a crowd", f"{us:.2f} us", dispatch, ratio, limit),
        Figure(
            "a machine after a show",
            f"{size:.0f} bytes",
            f"{BYTES_MAX} bytes, the limit",
            size / BYTES_MAX,
            1.0,
        ),
        Figure(
            "a sampling decision",
            f"{sampling:.2f}",
            "1, the bare hash of an id",
            sampling,
            DECISION_RATIO_MAX,
        ),
    ]
