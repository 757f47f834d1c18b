"""A show before a million players, on a laptop: the same machines, in virtual time.

python 07_a_million_players.py [PLAYERS]
"""

import sys

from rich.console import Console
from rich.progress import Progress

from simulator.page import peak
from simulator.scenario import Scenario
from simulator.virtual import run_virtual


def main(players: int) -> None:
    scenario = Scenario.load("prime-time", players=players, drop=0.01)
    people = Console(stderr=True)  # what is not the answer goes to standard error, on a terminal
    with Progress(console=people, transient=True, disable=not people.is_terminal) as progress:
        task = progress.add_task("players", total=players)
        report = run_virtual(
            scenario,
            processes=2,
            show_progress=lambda done, _total: progress.update(task, completed=done),
        )
    right = sum(row.must <= row.counted <= row.may for row in report.rows)
    print(f"{players:,} players, {report.reconnects:,} reconnects")
    print(f"{report.votes_accepted:,} votes, at most {peak(report.findings, 1000):,} in a second")
    print(f"{right} of {scenario.rounds} rounds are counted right")
    if people.is_terminal:
        people.print(f"it took {report.wall_s:.0f} s and {report.peak_rss_mb:.0f} MB a process")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
