"""All benchmarks: each figure a ratio, measured side by side in one run, in turns.

    python -m tests.benchmarks [--quick] [--json] [--only WORD]

Exit code 1 if a limit does not hold. Peers that are not installed are left out (`pip install
--group benchmarks`).
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from . import alone, clients, frames, import_time, machine_calls, virtual_world
from .figures import Figure, as_json, print_figures
from .presence import measured as presence
from .rounds import measured

BENCHMARKS = {
    "import": import_time.measure,
    "frame": frames.measure,
    "machine": machine_calls.measure,
    "alone": alone.measure,
    "round": measured.measure,
    "client": clients.measure,
    "presence": presence.measure,
    "world": virtual_world.measure,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and tell whether the limits hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer clients and turns, for CI")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="may be given again")
    options = parser.parse_args(arguments)
    console = Console(stderr=options.json, highlight=False)
    figures: list[Figure] = []
    for name in options.only or BENCHMARKS:
        with console.status(f"measuring: {name}"):
            figures += BENCHMARKS[name](quick=options.quick)
    print_figures(figures, console)
    if options.json:
        print(as_json(figures))
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
