"""What it costs to read a frame of results, from text to fact, against pydantic alone."""

from __future__ import annotations

import time

from pydantic import TypeAdapter

from poll_counter.facts import ResultsTold
from poll_counter.wire import ServerMessage, decode_server, encode_fact

from .figures import Figure, in_turns

__all__ = ["measure"]

RATIO_MAX = 1.5
QUICK_RATIO_MAX = 1.8
"""Where others are at work on the machine: two microseconds are easily disturbed."""
FRAME = encode_fact(ResultsTold("5f2c0d5e-8a3f-4c57-9c3c-1f6a0c8e9b11", (12431,) * 10))


def measure(*, quick: bool) -> list[Figure]:
    """Measure in turns."""
    calls, limit = (5_000, QUICK_RATIO_MAX) if quick else (20_000, RATIO_MAX)
    adapter: TypeAdapter[object] = TypeAdapter(ServerMessage)

    def ours() -> float:
        begin = time.process_time()
        for _ in range(calls):
            decode_server(FRAME)
        return 1e6 * (time.process_time() - begin) / calls

    def floor() -> float:
        begin = time.process_time()
        for _ in range(calls):
            adapter.validate_json(FRAME)
        return 1e6 * (time.process_time() - begin) / calls

    us, floor_us, ratio = in_turns(ours, floor, 11)
    told = f"{floor_us:.2f} us, pydantic's validate_json"
    return [Figure("a frame of results to a fact", f"{us:.2f} us", told, ratio, limit)]
