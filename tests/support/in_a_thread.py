"""Runs pytest in a thread that is not the main one: python -m tests.support.in_a_thread ARGS."""

from __future__ import annotations

import sys
import threading

import pytest


def main() -> int:
    """Run pytest in another thread; returns its exit code."""
    codes: list[int] = []
    runner = threading.Thread(target=lambda: codes.append(int(pytest.main(sys.argv[1:]))))
    runner.start()
    runner.join()
    return codes[0]


if __name__ == "__main__":
    sys.exit(main())
