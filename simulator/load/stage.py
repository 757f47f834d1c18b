"""The leader's platform, host and checks, in a process of their own, with the crowd elsewhere.

It is the same show as on one machine, on an event loop that has nothing to do with Locust's. Run
as a command (by whoever leads) it takes words on standard input and answers on standard output.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import StringIO

from rich.console import Console

from poll_counter import PollCounterError
from simulator.page import page
from simulator.report import Report, print_report
from simulator.scenario import Scenario
from simulator.sockets import conclude, end_task, play
from simulator.statement import Statement
from simulator.swarm import Crowd

from .pipes import Pipe, run_child
from .statements import from_lines
from .words import (
    Arrived,
    Failure,
    Glance,
    KeepTime,
    Lost,
    Open,
    Over,
    Prepare,
    Said,
    Tell,
    Verdict,
)

__all__ = ["CrowdElsewhere", "set_stage"]

WIDTH = 100
"""Of the table of rounds, in characters."""


class CrowdElsewhere:
    """A crowd that others lead here: see `Crowd`.

    Args:
        talk: to whoever leads it.
        scenario: what happens to it.
    """

    def __init__(self, talk: Pipe, scenario: Scenario) -> None:
        self.scenario = scenario
        self.arrived = asyncio.Event()
        self.counts: list[str] = []  # its players hold them, and tell in the end
        self._talk = talk
        self._glance = Glance()
        self._over = asyncio.Event()
        self._began = 0.0
        self._lines: list[str] = []
        self._said = asyncio.Event()

    @property
    def connected(self) -> int:
        """How many players are connected now."""
        return self._glance.connected

    @property
    def votes_accepted(self) -> int:
        """How many of their votes were said to be counted, so far."""
        return self._glance.votes_accepted

    @property
    def phase(self) -> str:
        """What is going on."""
        return "the show is on" if self.arrived.is_set() else "players arrive"

    @property
    def elapsed_s(self) -> float:
        """Seconds since round 1 began; 0 before."""
        return asyncio.get_running_loop().time() - self._began if self._began else 0.0

    def keep_time(self, at: float) -> None:
        """The show is there now, in seconds from the beginning of round 1, as planned."""
        self._began = asyncio.get_running_loop().time() - at
        self._talk.tell(KeepTime(at=at))

    async def run(self) -> None:
        """Wait until everybody has left, or seen the end of the event."""
        await self._over.wait()

    async def make_statement(self) -> Statement:
        """Tell what became of everybody."""
        self._talk.tell(Tell())
        await self._said.wait()
        epoch = time.time() - asyncio.get_running_loop().time()
        return from_lines(self._lines, epoch)

    async def listen(self) -> None:
        """Take in what is said of the crowd, until nobody is there to say it."""
        while (word := await self._talk.word()) is not None:
            if isinstance(word, Glance):
                self._glance = word
            elif isinstance(word, Arrived):
                self.arrived.set()
            elif isinstance(word, Over):
                self._over.set()
            elif isinstance(word, Said) and not word.last:
                self._lines.append(word.statement)
            elif isinstance(word, Said):
                self._said.set()


async def set_stage(talk: Pipe) -> None:
    """Play a show as the other end says, and tell the verdict; ends early when it is gone."""
    prepare = await talk.word()
    if not isinstance(prepare, Prepare):
        return
    scenario = prepare.scenario.on_sockets()
    crowd = CrowdElsewhere(talk, scenario)

    @asynccontextmanager
    async def gather(url: str, event_id: str) -> AsyncGenerator[Crowd, None]:
        talk.tell(Open(url=url, event_id=event_id))
        yield crowd

    async def perform() -> None:
        try:
            played = await play(scenario, gather=gather, host=prepare.listen)
            talk.tell(_verdict(conclude(played), prepare.replay))
        except (PollCounterError, OSError, ValueError) as error:
            talk.tell(Lost(why=str(error)))

    performing = asyncio.create_task(perform())
    listening = asyncio.create_task(crowd.listen())
    await asyncio.wait([performing, listening], return_when=asyncio.FIRST_COMPLETED)
    await end_task(performing)
    await end_task(listening)


def _verdict(report: Report, replay: str) -> Verdict:
    console = Console(file=StringIO(), width=WIDTH, highlight=False)
    print_report(report, console, replay=replay)
    assert isinstance(console.file, StringIO)
    return Verdict(
        text=console.file.getvalue(),
        page=page(report, replay=replay),
        failures=tuple(
            Failure(rule=f"round {broken.round}: {broken.rule}", text=broken.text)
            for broken in report.violations
        ),
    )


if __name__ == "__main__":
    run_child(set_stage)
