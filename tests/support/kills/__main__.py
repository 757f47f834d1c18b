"""Kill a player's process often: python -m tests.support.kills --times 200."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from . import many


def main() -> int:
    """Kill, and print what became of the votes; 1 if one was doubled, or lost where none may be."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.kills")
    parser.add_argument("--times", type=int, default=200, help="kills for each limit")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wrong = 0
    for limit in 1, 2:
        begun = time.monotonic()
        total = asyncio.run(many(options.times, options.seed, limit=limit))
        wrong += total.doubled + (total.lost if limit == 1 else 0)
        stages = ", ".join(f"{stage} {n}" for stage, n in sorted(total.died_with.items()))
        print(
            f"{limit} vote(s) per option allowed: {total.kills} kills in {total.rounds} rounds, "
            f"{total.doubled} doubled, {total.lost} lost; by how far the vote was: {stages}; "
            f"{time.monotonic() - begun:.0f} s"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
