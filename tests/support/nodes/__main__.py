"""`python -m tests.support.nodes`: three nodes, a crowd, nodes killed and Redis restarted."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from simulator.report import print_report

from .hosts import hosts
from .redis_server import RedisServer
from .show import Disturbed, Place, run_nodes


def main() -> int:
    """Run the show; the exit code is 0 only if every check holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.nodes", description=__doc__)
    parser.add_argument("--players", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--round-time", type=float, default=10.0)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--kill-every", type=int, default=2, help="0: no node is killed")
    parser.add_argument("--redis-round", type=int, default=5, help="0: Redis stays up")
    parser.add_argument("--processes", type=int, default=1, help="of the crowd")
    parser.add_argument("--results-interval", type=float, default=0.25, metavar="SECONDS")
    parser.add_argument("--hosts", action="store_true", help="each node on a host of its own")
    parser.add_argument("--quick", action="store_true", help="300 players, 4 rounds of 4 s")
    options = parser.parse_args()
    logging.getLogger("poll_counter").setLevel(logging.ERROR)
    console = Console(highlight=False)
    shape = {"players": options.players, "rounds": options.rounds, "round_time": options.round_time}
    redis_round = options.redis_round
    if options.quick:
        shape, redis_round = {"players": 300, "rounds": 4, "round_time": 4.0}, 3
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="poll-counter-nodes-"))
        places, redis = [Place()] * options.nodes, RedisServer()
        if options.hosts:
            made = stack.enter_context(hosts(options.nodes))
            places, redis = made.places, RedisServer(host=made.redis)
            kind = "network namespaces" if made.are_namespaces else "loopback addresses"
            console.print(f"hosts are {kind}: {', '.join(place.host for place in places)}")
        shown = asyncio.run(
            run_nodes(
                Disturbed(**shape),
                Path(folder),
                places=places,
                redis=redis,
                kill_every=options.kill_every,
                redis_round=redis_round or None,
                processes=options.processes,
                results_interval_s=options.results_interval,
                say=console.print,
            )
        )
    print_report(shown.report, console)
    for name, votes in shown.votes_by_node.items():
        console.print(f"{name} had {votes:,} votes counted")
    console.print(f"{'exact' if shown.is_exact else 'NOT exact'} in every round")
    return 0 if shown.is_exact else 1


if __name__ == "__main__":
    sys.exit(main())
