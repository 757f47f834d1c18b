"""How long `import poll_counter` takes, against what it must import: at most 1.3 times.

Both are compiled beforehand, as pip does with what it installs: in a checkout they might not be.

Run it with `python -m tests.benchmarks --only import`.
"""

from __future__ import annotations

import compileall
import subprocess
import sys
from pathlib import Path

from .figures import Figure, in_turns

OURS = "poll_counter"
FLOOR = "pydantic, websockets.asyncio.client"
PAIRS = 15
RATIO_MAX = 1.3


def import_ms(modules: str) -> float:
    """Time an import in a process of its own, milliseconds."""
    code = f"import time; t = time.perf_counter(); import {modules}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return 1000.0 * float(done.stdout)


def measure(*, quick: bool) -> list[Figure]:
    """Measure in turns."""
    compileall.compile_dir(Path(__file__).parents[2] / OURS, quiet=1)
    import_ms(OURS)
    ours, floor, ratio = in_turns(
        lambda: import_ms(OURS), lambda: import_ms(FLOOR), 9 if quick else PAIRS
    )
    told = f"{floor:.0f} ms, {FLOOR}"
    return [Figure(f"import {OURS}", f"{ours:.0f} ms", told, ratio, RATIO_MAX)]
