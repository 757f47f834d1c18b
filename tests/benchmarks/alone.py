"""What a round tells a client, from frames to commands: alone, and in a crowd of one process.

The clients of a process share what follows from what all of them are told; one alone, as in an
app, works out all of it. Run it with `python -m tests.benchmarks --only alone`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

from poll_counter.facts import Fact, ResultsTold
from poll_counter.machine import Machine
from poll_counter.wire import decode_server, encode_fact

from .figures import Figure, in_turns
from .machine_calls import POLL, ROUNDS, show

CROWD = 1000
ALONE = 50
"""How many shows one client alone has in a turn, for the median of them."""
TURNS = 5
RATIO_MAX = 2.5
"""Times what a client of a crowd takes: some 1.8, of 35 us."""


def _frames() -> tuple[str, list[list[str]]]:
    """The welcome; and by round its vote's acceptance, the results, the trivia, its end."""
    told = show()
    rounds = []
    for number, (opens, closes, accepted) in enumerate(told.rounds, start=1):
        votes = (CROWD,) * number + (0,) * (ROUNDS - number)
        facts = accepted, ResultsTold(POLL, votes), opens, closes
        rounds.append([encode_fact(fact) for fact in facts])
    return encode_fact(replace(told.begins, event_id="show")), rounds


def play(clients: int) -> float:
    """Play a show with a crowd that has seen none; gives microseconds per client and round."""
    welcome, rounds = _frames()
    machines = [Machine(draw=lambda: 0.5) for _ in range(clients)]
    _tell(machines, welcome, 0.0)
    spent, now = 0.0, 0.0
    for frames in rounds:
        now += 4.0
        begin = time.perf_counter()
        for machine in machines:
            machine.wake(now)
        for frame in frames:
            now += 1.0
            _tell(machines, frame, now)
        spent += time.perf_counter() - begin
    for machine in machines:
        last = machine.history(now)[ROUNDS]
        assert (machine.votes_accepted, last.players) == (ROUNDS, CROWD)
    return 1e6 * spent / clients / ROUNDS


def _tell(machines: Sequence[Machine], frame: str, now: float) -> None:
    for machine in machines:
        for fact in decode_server(frame):
            assert isinstance(fact, Fact)
            machine.receive(fact, now)


def measure(*, quick: bool) -> list[Figure]:
    """Measure in turns."""
    del quick  # it takes a second
    play(CROWD)
    alone_us, crowd_us, ratio = in_turns(
        lambda: statistics.median(play(1) for _ in range(ALONE)), lambda: play(CROWD), TURNS
    )
    return [
        Figure(
            "what a round tells one client alone",
            f"{alone_us:.0f} us",
            f"{crowd_us:.0f} us, in a crowd",
            ratio,
            RATIO_MAX,
        )
    ]
