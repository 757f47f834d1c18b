"""`python -m tests.support.nodes`: three nodes, a crowd, nodes killed and Redis restarted."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from simulator.loops import run
from simulator.report import print_report

from .hosts import hosts
from .redis_server import IN_MEMORY, RedisServer
from .show import Disturbed, Place, run_nodes, small_show

ROUND_S = 20.0
"""Of the whole show. A node dies at about a seventh of a round, with most of the clients: those of
the one that died before it went to it. Who is to be counted has to be back, for as long as the
spread and a tenth of the round, before the round is over. So up to 2,500 clients come back in half
a round, on two cores that also play the show."""
SPREAD = 0.25
"""The share of a round over which its votes are spread: a node dies while they come."""
PROCESSES = 2
"""The host shares no event loop with the crowd: else it is late when they are busy."""


def main() -> int:
    """Run the show; the exit code is 0 only if every check holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.nodes", description=__doc__)
    parser.add_argument("--players", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--round-time", type=float, default=ROUND_S, metavar="SECONDS")
    parser.add_argument(
        "--spread", type=float, metavar="SECONDS", help="of votes; a quarter of a round unless told"
    )
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--kill-every", type=int, default=2, help="0: no node is killed")
    parser.add_argument("--redis-round", type=int, default=5, help="0: Redis stays up")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="of the crowd")
    parser.add_argument("--hosts", action="store_true", help="each node on a host of its own")
    parser.add_argument("--quick", action="store_true", help="300 players, 4 rounds of 8 s")
    options = parser.parse_args()
    logging.getLogger("poll_counter").setLevel(logging.ERROR)
    console = Console(highlight=False)
    scenario = Disturbed(
        players=options.players,
        rounds=options.rounds,
        round_time=options.round_time,
        spread=SPREAD * options.round_time if options.spread is None else options.spread,
    )
    redis_round, processes = options.redis_round, options.processes
    if options.quick:
        scenario = small_show(300)
        redis_round, processes = 3, 1
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="poll-counter-nodes-"))
        parent = IN_MEMORY if options.quick else None
        places, redis = [Place()] * options.nodes, RedisServer(parent=parent)
        if options.hosts:
            made = stack.enter_context(hosts(options.nodes))
            places, redis = made.places, RedisServer(host=made.redis, parent=parent)
            kind = "network namespaces" if made.are_namespaces else "loopback addresses"
            console.print(f"hosts are {kind}: {', '.join(place.host for place in places)}")
        shown = run(
            run_nodes(
                scenario,
                Path(folder),
                places=places,
                redis=redis,
                kill_every=options.kill_every,
                redis_round=redis_round or None,
                processes=processes,
                say=console.print,
            )
        )
    print_report(shown.report, console, shlex.join([*parser.prog.split(), *sys.argv[1:]]))
    for line in shown.figures.lines:
        console.print(line, soft_wrap=True)
    for name, votes in shown.votes_by_node.items():
        console.print(f"{name} had {votes:,} votes counted")
    console.print(f"{'exact' if shown.is_exact else 'NOT exact'} in every round")
    return 0 if shown.is_exact else 1


if __name__ == "__main__":
    sys.exit(main())
