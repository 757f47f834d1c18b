"""The shows of all, one after another."""

from __future__ import annotations

from importlib.util import find_spec

from simulator.loops import allow_descriptors, run
from simulator.records import RESULTS_INTERVAL_S
from tests.benchmarks.figures import Figure

from . import ours
from .costs import Cost, Plan

__all__ = ["measure"]

OFTEN_S, SELDOM_S = RESULTS_INTERVAL_S, 1.0
"""How often a count is told at most: as a served platform does unless told, and less often."""
LESS_MIN = 8.0
"""How many times fewer messages ours takes, told often, than a room at every change."""
QUICK_LESS_MIN = 4.0
"""The same of a fifth of the players: what is told at every change grows with their square."""


def measure(*, quick: bool) -> list[Figure]:
    """Play the show by each; nothing where python-socketio is not installed."""
    if find_spec("socketio") is None or find_spec("aiohttp") is None:
        return []
    from . import rooms  # noqa: PLC0415 - a peer, where it is installed

    plan = Plan(players=200, rounds=3, ramp_s=1.0) if quick else Plan()
    allow_descriptors(2 * plan.players)
    seldom, often = (run(ours.play(plan, each_s)) for each_s in (SELDOM_S, OFTEN_S))
    always, careful = (run(rooms.play(plan, each_s)) for each_s in (0.0, OFTEN_S))
    at_every_change = "a room told at every change"
    found = _held_against(often, f"told each {OFTEN_S:g} s", always, at_every_change)
    limit = QUICK_LESS_MIN if quick else LESS_MIN
    found[0] = found[0]._replace(limit=limit, at_least=True)
    found += _held_against(seldom, f"told each {SELDOM_S:g} s", always, at_every_change)
    found += _held_against(
        often, f"told each {OFTEN_S:g} s", careful, f"a room told each {OFTEN_S:g} s"
    )
    return [each._replace(what=f"{each.what}, a show of {plan.players:,}") for each in found]


def _held_against(mine: Cost, how: str, theirs: Cost, peer: str) -> list[Figure]:
    """Hold a show against another: the ratio is how many times less ours takes."""
    columns = [
        ("messages", mine.messages, theirs.messages, "{:,}"),
        ("MB on the wire", mine.wire_bytes / 1e6, theirs.wire_bytes / 1e6, "{:.1f} MB"),
        ("processor time", mine.cpu_s, theirs.cpu_s, "{:.1f} s"),
    ]
    return [
        Figure(what, f"{shown.format(a)}, {how}", f"{shown.format(b)}, {peer}", b / a)
        for what, a, b, shown in columns
    ]
