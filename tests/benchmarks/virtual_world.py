"""The virtual world against its floor: what clock, network draws and calls alone would take.

The floor makes the same clock entries, the same draws and the same calls, but its machines are
empty, and there are no platform, no truth and no checks; that it does no more than the world, and
no less, is checked first. Both run the scenario `prime-time` in one process, the world with all
that belongs to a run: checks, the players who are told results, the verdict.

Other programs on the machine must not decide, so

* CPU time is measured, not wall time, which is only told beside it;
* floor and world run in turns, in parts of some hundred players, now one first and now the other;
* of the parts of a crowd, which are as good as equal, the median ratio counts, so that one part
  during which something else happened does not. The conclusion, of which there is one to a run, is
  made several times; its median counts with its full weight:

    (parts * median floor * median ratio + median conclusion) / (parts * median floor + its floor)

    python -m tests.benchmarks.virtual_world [--players N] [--turns N]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, ParamSpec, TypeVar

from simulator.clock import TICKS_PER_S, Clock, ticks
from simulator.network import Draws
from simulator.report import Report
from simulator.scenario import Scenario
from simulator.virtual import Part, conclude, parts, run_world
from simulator.world import World

from .figures import Figure

Given = ParamSpec("Given")
Result = TypeVar("Result")

LIMIT = 3.0
"""The most that the virtual world may take, in times of the floor."""
CONCLUSIONS = 3
"""How often the conclusion is made."""
ANSWER_TIMEOUT_S = 5.0
ENDING_S = 10.0


class EmptyMachine:
    """Takes every call, and does nothing."""

    __slots__ = ("deadline",)

    def __init__(self) -> None:
        self.deadline: float | None = None

    def receive(self, _fact: object, _now: float) -> tuple[()]:
        """Nothing happens."""
        return ()

    def wake(self, _now: float) -> tuple[()]:
        """Nothing happens."""
        return ()


class Floor:
    """Some players of a scenario, reduced to entries, draws and calls."""

    def __init__(self, scenario: Scenario, players: Sequence[int]) -> None:
        self.scenario = scenario
        self.clock = Clock()
        self._low, high = scenario.latency_ms
        self._span = high - self._low + 1
        self._origin = ticks(scenario.arrive_s + 1.0)
        self.people: list[tuple[EmptyMachine, Draws]] = []
        self._here: list[tuple[EmptyMachine, Draws]] = []
        for number in players:
            player = EmptyMachine(), Draws(scenario.seed, f"player {number}")
            self.people.append(player)
            join_at = scenario.plan(number).join_at
            self.clock.at(self._origin + ticks(join_at), (self._hello, player, None, None))
        for step, seconds in zip(scenario.steps, scenario.step_times, strict=True):
            begins = step.action == "close" and step.number < scenario.rounds
            due = self._vote if begins or step.kind == "poll" else None
            call = self._stop if step.action == "stop" else self._tell
            self.clock.at(self._origin + ticks(seconds), (call, due, None, None))

    def run(self) -> None:
        """Run to the end."""
        self.clock.run()

    def _send(self, player: Any, arrive: Callable[[Any, Any, Any], object], what: Any) -> None:
        at = self.clock.now + self._low + int(self._span * player[1]())
        self.clock.at(at, (arrive, player, what, None))

    def _hello(self, player: Any, *_: object) -> None:
        self._send(player, self._welcome, None)

    def _welcome(self, player: Any, *_: object) -> None:
        self._here.append(player)
        self._send(player, self._deliver, None)

    def _tell(self, due: Callable[[Any], object] | None, *_: object) -> None:
        for player in self._here:
            self._send(player, self._deliver, due)

    def _stop(self, *_: object) -> None:
        self._tell(None)  # the poll is closed
        self._tell(self._end)

    def _deliver(self, player: Any, due: Callable[[Any], object] | None, *_: object) -> None:
        player[0].receive("fact", self.clock.now / TICKS_PER_S)
        if due is not None:
            due(player)

    def _vote(self, player: Any) -> None:
        delay = ticks(player[1]() * self.scenario.spread_s)
        self.clock.at(self.clock.now + delay, (self._wake, player, None, None))

    def _end(self, player: Any) -> None:
        self.clock.at(self.clock.now + ticks(ENDING_S), (self._leave, player, None, None))

    def _wake(self, player: Any, *_: object) -> None:
        player[0].wake(self.clock.now / TICKS_PER_S)
        again = ticks(ANSWER_TIMEOUT_S + player[1]() * 5.0)
        self.clock.at(self.clock.now + again, (self._too_late, player, None, None))
        self._send(player, self._answer, None)

    def _leave(self, player: Any, *_: object) -> None:
        player[0].wake(self.clock.now / TICKS_PER_S)

    def _answer(self, player: Any, *_: object) -> None:
        self._send(player, self._deliver, None)

    def _too_late(self, player: Any, *_: object) -> None:
        """The vote was answered in time."""


def is_fair(scenario: Scenario, players: Sequence[int]) -> bool:
    """Tell whether floor and world enter and draw the same for these players.

    But for very few: who says hello just when the event is started is told in another order.
    """
    floor, world = Floor(scenario, players), World(scenario, players, watched=False)
    floor.run()
    world.run()
    each = zip(floor.people, world.people, strict=True)
    alike = sum(draws._state == person.draws._state for (_, draws), person in each)
    entries = floor.clock.calls / world.clock.calls
    return alike >= 0.99 * len(players) and 0.999 <= entries <= 1.001


class Time(NamedTuple):
    """What something took: seconds."""

    cpu: float
    wall: float


def timed(
    run: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
) -> tuple[Time, Result]:
    """Run something; gives what it took, and its result."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = run(*given, **named)
    return Time(time.process_time() - cpu, time.perf_counter() - wall), result


def run_floor(scenario: Scenario, players: Sequence[int]) -> None:
    """Run the floor of some players; the collector of garbage rests, as it does for the world."""
    gc.disable()
    Floor(scenario, players).run()
    gc.enable()


@dataclass
class Turn:
    """What one run took, and its floor, part by part."""

    floors: list[Time]
    worlds: list[Time]
    last_floors: list[Time]
    """Of the watched players."""
    conclusions: list[Time]
    """The watched players, and the verdict."""
    report: Report

    @property
    def ratio(self) -> float:
        """The world in times of its floor."""
        floor = len(self.floors) * statistics.median(part.cpu for part in self.floors)
        pairs = zip(self.worlds, self.floors, strict=True)
        world = floor * statistics.median(world.cpu / floor.cpu for world, floor in pairs)
        world += statistics.median(last.cpu for last in self.conclusions)
        return world / (floor + statistics.median(last.cpu for last in self.last_floors))

    @property
    def sums(self) -> tuple[Time, Time]:
        """All that the world took, and its floor, with whatever else happened meanwhile."""
        return (
            _sum([*self.worlds, self.conclusions[0]]),
            _sum([*self.floors, self.last_floors[0]]),
        )


def _sum(times: Sequence[Time]) -> Time:
    return Time(sum(each.cpu for each in times), sum(each.wall for each in times))


def measure_turn(scenario: Scenario) -> Turn:
    """Run floor and world in turns, part by part."""
    watched, worlds = parts(scenario)
    started, done = time.monotonic(), list[Part]()
    floors, taken = list[Time](), list[Time]()
    for number, players in enumerate(worlds):
        if number % 2:
            floors.append(timed(run_floor, scenario, players)[0])
        took, part = timed(run_world, scenario, players)
        taken.append(took)
        done.append(part)
        if not number % 2:
            floors.append(timed(run_floor, scenario, players)[0])
    last_floors = [timed(run_floor, scenario, watched)[0] for _ in range(CONCLUSIONS)]
    conclusions = [timed(conclude, scenario, done, started) for _ in range(CONCLUSIONS)]
    return Turn(floors, taken, last_floors, [took for took, _ in conclusions], conclusions[0][1])


def measure_all(players: int, turns: int) -> list[Turn]:
    """Run the world and its floor some times; says on the way what each took."""
    scenario = Scenario.load("prime-time", players=players)
    if not is_fair(scenario, parts(scenario)[1][0]):
        raise RuntimeError("the floor does not do what the world does: mend the floor")
    done = []
    for _ in range(turns):
        turn = measure_turn(scenario)
        if not turn.report.ok:
            raise RuntimeError(f"the run failed: {turn.report.violations[:3]}")
        done.append(turn)
    return done


def measure(*, quick: bool) -> list[Figure]:
    """Measure the world, and how many entries of its clock a second of one core carries."""
    done = measure_all(100_000, 1 if quick else 3)
    ratio = statistics.median(turn.ratio for turn in done)
    world, floor = done[0].sums
    scenario = done[0].report.scenario
    floors = Floor(scenario, parts(scenario)[1][0])
    floors.run()
    entries = floors.clock.calls * len(done[0].floors)
    told = f"{entries / floor.cpu:,.0f}/s, clock, draws and calls alone"
    return [Figure("entries of the world", f"{entries / world.cpu:,.0f}/s", told, ratio, LIMIT)]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and tell whether the limit holds."""
    parser = argparse.ArgumentParser(description="The virtual world against its floor.")
    parser.add_argument("--players", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args(arguments)
    ratios = []
    for number, turn in enumerate(measure_all(options.players, options.turns)):
        ratios.append(turn.ratio)
        world, floor = turn.sums
        print(
            f"turn {number + 1}: {turn.ratio:.2f}; in all, CPU {world.cpu:.1f} s of {floor.cpu:.1f}"
            f" s, {world.cpu / floor.cpu:.2f}; wall {world.wall:.1f} s of {floor.wall:.1f} s, "
            f"{world.wall / floor.wall:.2f}; {turn.report.peak_rss_mb:.0f} MB"
        )
    ratio = statistics.median(ratios)
    print(f"virtual world: {ratio:.2f} times its floor, at most {LIMIT}")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
