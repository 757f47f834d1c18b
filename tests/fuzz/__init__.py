"""Fuzzing: bytes become what a peer or a disk may say, and rules are checked at every step.

A target is a function that takes bytes and returns, or raises. `python -m tests.fuzz` runs one for
as long as it is told; `corpus` keeps inputs that reach all that was ever reached, and `crashes`
what once broke something. `tests/test_fuzz.py` replays both.
"""
