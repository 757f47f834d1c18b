"""How long `import poll_counter` takes, against what it must import: at most 1.3 times.

Both are compiled beforehand, as pip does with what it installs: in a checkout they might not be.

Run it with `python -m tests.benchmarks.import_time`.
"""

from __future__ import annotations

import compileall
import statistics
import subprocess
import sys
from pathlib import Path

OURS = "poll_counter"
FLOOR = "pydantic, websockets.asyncio.client"
PAIRS = 15
RATIO_MAX = 1.3


def import_ms(modules: str) -> float:
    """Time an import in a process of its own, milliseconds."""
    code = f"import time; t = time.perf_counter(); import {modules}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return 1000.0 * float(done.stdout)


def main() -> int:
    """Measure in turns, and say whether the ratio holds."""
    compileall.compile_dir(Path(__file__).parents[2] / OURS, quiet=1)
    pairs = [(import_ms(OURS), import_ms(FLOOR)) for _ in range(PAIRS + 1)][1:]
    ours, floor = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"import {OURS}: {ours:.0f} ms; {FLOOR}: {floor:.0f} ms; ratio {ratio:.2f}")
    return 0 if ratio <= RATIO_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
