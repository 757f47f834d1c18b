"""A hundred hostile peers among a thousand players: what honest ones notice of them.

A calm show and an attacked one, in turns: the platform and the honest crowd (real clients) in this
process, the hostile peers in another one. Each of these offers more than a hundred frames a second,
until it is refused, and is back within a second: votes, hellos, garbage, frames that are too long,
pings, messages in pieces, handshakes that drip, peers that never read, and votes and hellos in the
name of others. Users need tokens; hostile peers have their own, and know everybody's ids.

Run it with `python -m tests.benchmarks.hostile_peers`; `--quick` is a small show.
"""

from __future__ import annotations

import asyncio
import statistics
import sys

from simulator.scenario import Scenario
from tests.support.attacked import Attacked, play_attacked

TURNS = 3
RATIO_MAX = 3.0
"""The p99 of what honest players wait for the answer to a vote, in times of the calm show's."""
WAIT_S_MIN = 0.02
"""A calm show's p99 below this is taken as this: a loop's turns, rather than a wait."""
FRAMES_PER_S_MIN = 100.0
"""What each hostile peer offers in a second, as long as it is connected."""


def wrong(show: Attacked, scenario: Scenario, hostile: int) -> list[str]:
    """What is not as it has to be, in sentences."""
    honest = scenario.players
    found = [f"{each.rule}, round {each.round}: {each.text}" for each in show.report.violations]
    found += [
        f"round {row.round} counts {row.counted}, not {honest} and {show.hostile_voters} hostile"
        for row in show.report.rows
        if row.counted != honest + show.hostile_voters
    ]
    if (
        len(show.accepted_after_s) < honest * scenario.rounds
    ):  # some vote for one that is not played
        found.append(f"only {len(show.accepted_after_s)} votes of honest players are accepted")
    if show.hostile_voters > hostile:
        found.append(f"{hostile} hostile peers vote as {show.hostile_voters} users")
    if hostile and show.outcome.frames_per_s < FRAMES_PER_S_MIN:
        found.append(f"a hostile peer offers only {show.outcome.frames_per_s:.0f} frames a second")
    return found


def main() -> int:
    """Play in turns, and say whether the bounds hold."""
    quick = "--quick" in sys.argv[1:]
    players, hostile, rounds, round_time = (200, 20, 2, 2.0) if quick else (1000, 100, 2, 8.0)
    scenario = Scenario(players=players, rounds=rounds, round_time=round_time)
    found, ratios = list[str](), list[float]()
    for turn in range(1, TURNS + 1):
        calm, attacked = (asyncio.run(play_attacked(scenario, many)) for many in (0, hostile))
        found += wrong(calm, scenario, 0) + wrong(attacked, scenario, hostile)
        ratios.append(attacked.p99_s / max(calm.p99_s, WAIT_S_MIN))
        outcome = attacked.outcome
        print(
            f"turn {turn}: p99 of {players:,} honest players' votes {1e3 * calm.p99_s:.0f} ms "
            f"calm, {1e3 * attacked.p99_s:.0f} ms attacked by {hostile}, who offered "
            f"{outcome.offered.total():,} frames ({outcome.frames_per_s:.0f} a second each) and "
            f"were refused {outcome.refusals.total():,} times"
        )
    ratio = statistics.median(ratios)
    print(
        f"honest counts {'exact' if not found else 'WRONG'}; p99 attacked: {ratio:.2f} times the "
        f"calm one (at most {RATIO_MAX:g})"
    )
    for each in found:
        print(each)
    return 0 if ratio <= RATIO_MAX and not found else 1


if __name__ == "__main__":
    sys.exit(main())
