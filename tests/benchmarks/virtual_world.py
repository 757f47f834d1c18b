"""The virtual world against its floor: what clock, network draws and calls alone would take.

The floor makes the same clock entries, the same draws and the same calls, but its machines are
empty, and there are no platform, no truth and no checks. Both run the scenario `prime-time` in one
process, in turns of some thousand players each; the median ratio has to stay below the limit.

    python -m tests.benchmarks.virtual_world [--players N] [--turns N]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from simulator.clock import TICKS_PER_S, Clock, ticks
from simulator.network import Draws
from simulator.report import Report
from simulator.scenario import Scenario
from simulator.virtual import conclude, parts, run_world

LIMIT = 3.0
"""The most that the virtual world may take, in times of the floor."""
ANSWER_TIMEOUT_S = 5.0


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
        self._here: list[tuple[EmptyMachine, Draws]] = []
        for number in players:
            player = EmptyMachine(), Draws(scenario.seed, f"player {number}")
            join_at = scenario.plan(number).join_at
            self.clock.at(self._origin + ticks(join_at), (self._hello, player, None, None))
        for step, seconds in zip(scenario.steps, scenario.step_times, strict=True):
            due = "vote" if step.action == "close" or step.kind == "poll" else None
            self.clock.at(self._origin + ticks(seconds), (self._tell, due, None, None))

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

    def _tell(self, due: str | None, *_: object) -> None:
        for player in self._here:
            self._send(player, self._deliver, due)

    def _deliver(self, player: Any, due: str | None, *_: object) -> None:
        player[0].receive("fact", self.clock.now / TICKS_PER_S)
        if due:
            delay = ticks(player[1]() * self.scenario.spread_s)
            self.clock.at(self.clock.now + delay, (self._wake, player, None, None))

    def _wake(self, player: Any, *_: object) -> None:
        player[0].wake(self.clock.now / TICKS_PER_S)
        again = ticks(ANSWER_TIMEOUT_S + player[1]() * 5.0)
        self.clock.at(self.clock.now + again, (self._too_late, player, None, None))
        self._send(player, self._answer, None)

    def _answer(self, player: Any, *_: object) -> None:
        self._send(player, self._deliver, None)

    def _too_late(self, player: Any, *_: object) -> None:
        """The vote was answered in time."""


def floor_s(scenario: Scenario, players: Sequence[int]) -> float:
    """Run the floor of some players; gives the seconds that it took."""
    begun = time.perf_counter()
    floor = Floor(scenario, players)
    gc.disable()
    floor.run()
    gc.enable()
    return time.perf_counter() - begun


def measure(scenario: Scenario) -> tuple[float, float, Report]:
    """Run floor and world in turns, part by part; gives the seconds of both, and the report."""
    watched, worlds = parts(scenario)
    floor, world, started, done = 0.0, 0.0, time.monotonic(), []
    for players in worlds:
        floor += floor_s(scenario, players)
        begun = time.perf_counter()
        done.append(run_world(scenario, players))
        world += time.perf_counter() - begun
    floor += floor_s(scenario, watched)
    begun = time.perf_counter()
    report = conclude(scenario, done, started)
    return floor, world + time.perf_counter() - begun, report


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and tell whether the limit holds."""
    parser = argparse.ArgumentParser(description="The virtual world against its floor.")
    parser.add_argument("--players", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args(arguments)
    scenario = Scenario.load("prime-time", players=options.players)
    ratios = []
    for turn in range(options.turns):
        floor, world, report = measure(scenario)
        if not report.ok:
            print(f"the run failed: {report.violations[:3]}")
            return 1
        ratios.append(world / floor)
        print(
            f"turn {turn + 1}: world {world:.1f} s, floor {floor:.1f} s, {ratios[-1]:.2f}; "
            f"{report.peak_rss_mb:.0f} MB"
        )
    ratio = statistics.median(ratios)
    print(f"virtual world: {ratio:.2f} times its floor, at most {LIMIT}")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
