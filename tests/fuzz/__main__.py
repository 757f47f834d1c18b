"""Runs a target: `python -m tests.fuzz wire --minutes 60`.

With atheris (`pip install --group fuzz`) the search is guided by coverage and what reaches a new
branch is added to the corpus; at the end it tells for how many executions there was none.
hypothesis and `random`, which changes inputs of the corpus, need no more than the tests do. A crash
is written to `crashes` with the bytes that caused it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from hashlib import sha1
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .guided import guided
from .targets import TARGETS, kept, kept_in

BYTES_MAX = 4096


def main() -> None:
    """Run the target that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=10**9, help="stop after so many")
    parser.add_argument("--minutes", type=float, default=1.0, help="stop after this long")
    parser.add_argument(
        "--until-quiet",
        type=int,
        metavar="N",
        help="stop after so many executions that reach no new branch (atheris)",
    )
    parser.add_argument("--engine", choices=("atheris", "hypothesis", "random"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--minimise",
        action="store_true",
        help="keep those of the corpus that reach what smaller ones do not, and do nothing else",
    )
    args = parser.parse_args()
    engine = args.engine or ("atheris" if find_spec("atheris") else "hypothesis")
    if args.minimise:
        _minimise(args.target)
    elif engine == "atheris":
        _atheris(args)
    else:
        (_random if engine == "random" else _hypothesis)(args)


def _atheris(args: argparse.Namespace) -> None:
    corpus, crashes = (kept_in(kind, args.target) for kind in ("corpus", "crashes"))
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={args.runs}",
        f"-max_total_time={max(1, round(args.minutes * 60))}",
        f"-seed={args.seed}",
        f"-max_len={BYTES_MAX}",
        f"-artifact_prefix={crashes}/",
        f"-dict={Path(__file__).with_name('dictionary')}",
        "-timeout=20",
        "-print_final_stats=1",
    ]
    sys.exit(guided(args.target, corpus, options, args.until_quiet))


def _hypothesis(args: argparse.Namespace) -> None:
    from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: PLC0415
    from hypothesis import strategies as st  # noqa: PLC0415

    started, runs = time.monotonic(), 0
    settle = settings(
        max_examples=min(args.runs, 1000),
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    while runs < args.runs and time.monotonic() - started < args.minutes * 60:
        turn = given(st.binary(max_size=512))(lambda data: _try(args.target, data))
        seed(args.seed + runs)(settle(turn))()
        runs += min(args.runs, 1000)
    print(f"{args.target}: {runs} runs, no crash")


def _random(args: argparse.Namespace) -> None:
    corpus = [path.read_bytes() for path in kept("corpus", args.target)] or [b""]
    draw = random.Random(args.seed)
    started, runs = time.monotonic(), 0
    while runs < args.runs and time.monotonic() - started < args.minutes * 60:
        data = bytearray(draw.choice(corpus))
        for _ in range(draw.randint(1, 6)):
            at = draw.randint(0, len(data))
            other = draw.choice(corpus)
            piece = other[draw.randint(0, len(other)) :][: draw.choice((1, 2, 8, 64))]
            data[at : at + draw.choice((0, 1, 2, 8, 64))] = draw.choice(
                (piece, draw.randbytes(1), b"")
            )
        _try(args.target, bytes(data[:BYTES_MAX]))
        runs += 1
    print(f"{args.target}: {runs} runs, no crash")


def _try(name: str, data: bytes) -> None:
    """Run a target once; keep the input if it breaks something."""
    try:
        TARGETS[name](data)
    except Exception:
        folder = kept_in("crashes", name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"crash-{sha1(data).hexdigest()}").write_bytes(data)
        raise


def _minimise(name: str) -> None:
    """Drop inputs that step from no line to another but as smaller ones do."""
    reached: set[tuple[str, int, int]] = set()
    new: set[tuple[str, int, int]] = set()

    def trace(frame: Any, _event: str, _arg: object) -> Any:
        file = frame.f_code.co_filename
        if "/poll_counter/" not in file and "/simulator/" not in file:
            return None
        last = frame.f_lineno

        def line(frame: Any, event: str, _arg: object) -> Any:
            nonlocal last
            if event == "line":
                new.add((file, last, frame.f_lineno))
                last = frame.f_lineno
            return line

        return line

    paths = sorted(kept("corpus", name), key=lambda path: (path.stat().st_size, path.name))
    for path in paths:
        new.clear()
        sys.settrace(trace)
        try:
            TARGETS[name](path.read_bytes())
        finally:
            sys.settrace(None)
        if new <= reached:
            path.unlink()
        reached |= new
    print(f"{name}: {len(kept('corpus', name))} of {len(paths)} kept, {len(reached)} steps reached")


if __name__ == "__main__":
    main()
