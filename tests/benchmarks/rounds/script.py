"""What is sent in a round: the frames of the library's own show, for others to send alike."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, Self

from poll_counter.wire import encode_fact
from simulator.emulator import Emulator
from simulator.scenario import Scenario
from simulator.show import Show, prepare

__all__ = [
    "ROUNDS",
    "SCENARIO",
    "Peer",
    "Round",
    "Script",
    "accepted",
    "answer",
    "open_poll",
    "started",
]

ROUNDS = 10
SCENARIO = Scenario(rounds=ROUNDS, spread=0.0)
"""A show whose votes are cast at once, so that a round has no idle time."""
NEVER_S = 1e6
EVENT = "6396746d-50a9-4b0c-8c5c-5a4b5d0c2b7e"


class Peer(Protocol):
    """A server and its clients, who play rounds."""

    def __init__(self, clients: int) -> None:
        """Take how many clients there are to be."""

    async def __aenter__(self) -> Self:
        """Serve, and connect all clients."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Leave nothing behind."""
        ...

    async def prepare(self, number: int) -> None:
        """Do what comes before a round; it is not timed."""
        ...

    async def play(self, number: int) -> None:
        """Play a round, counted from 1, to the moment at which every client holds its tally."""
        ...


class Round(NamedTuple):
    """The frames of a round, but for votes and what they are answered."""

    pushes: tuple[str, ...]
    """To everybody: the trivia is closed, and its own results."""
    tally: str
    """To everybody: the votes of the hidden poll."""


class Script(NamedTuple):
    """The frames of a show of so many clients."""

    poll: str
    """The hidden poll's id."""
    welcome: str
    """To each: the show before its hidden poll, so that nobody votes while others connect."""
    rounds: tuple[Round, ...]

    @classmethod
    def of(cls, clients: int) -> Script:
        """Write down what the emulator tells in a show."""
        emulator, show = started()
        emulator.connect(0, EVENT, "a" * 32, 0.0)
        welcome = encode_fact(emulator.snapshot(EVENT, 1234567890.123456))
        open_poll(emulator, show)
        poll, rounds = show.polls[0], []
        for option, trivia in enumerate(show.trivia):
            emulator.publish(trivia, 0.0)
            pushes = [encode_fact(each.fact) for each in emulator.close(trivia, 0.0)]
            for voter in range(clients):
                emulator.connect(1 + voter, EVENT, f"{voter:032x}", 0.0)
                emulator.answer(1 + voter, poll, [option], "1", 0.0)
            (tally,) = (encode_fact(each.fact) for each in emulator.wake(emulator.deadline or 0.0))
            rounds.append(Round(tuple(pushes), tally))
        return cls(poll, welcome, tuple(rounds))


def started() -> tuple[Emulator, Show]:
    """Make a platform with the show on, before its hidden poll; it tells no tally by itself."""
    emulator = Emulator(results_interval_s=NEVER_S)
    show = prepare(emulator, SCENARIO, EVENT)
    emulator.start(EVENT, 0.0)
    return emulator, show


def open_poll(emulator: Emulator, show: Show) -> None:
    """Publish the hidden poll, before there is anybody to be told."""
    emulator.publish(show.polls[0], 0.0)
    emulator.wake(emulator.deadline or 0.0)


def answer(number: int, poll: str, option: int) -> dict[str, Any]:
    """A vote, as it goes over the wire."""
    return {"type": "answer", "id": str(number), "element": poll, "options": [option]}


def accepted(vote: dict[str, Any]) -> dict[str, Any]:
    """What it is answered."""
    return {**vote, "type": "answer_accepted"}
