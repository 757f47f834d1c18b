"""The player's process killed at every step of writing and sending, and at any moment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.kills import die_at, die_at_random
from tests.support.mortal import SEND_STEPS, WRITE_STEPS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no kill -9")

WRITES = "begun", "round 1 cast", "round 1 answered", "round 2 cast", "round 2 answered"
"""How often the journal is written in two rounds, and what for."""
STEPS = [
    *(pytest.param(s, n + 1, id=f"{s}, {w}") for n, w in enumerate(WRITES) for s in WRITE_STEPS),
    *(pytest.param(s, n + 1, id=f"{s}, round {n + 1}") for n in range(2) for s in SEND_STEPS),
]


@pytest.mark.parametrize(("step", "nth"), STEPS)
async def test_killed_at_a_step(step: str, nth: int, tmp_path: Path) -> None:
    """Where the platform refuses second votes, the player is counted once in every round."""
    outcome = await die_at(tmp_path / "player.json", step, nth, limit=1)
    assert (outcome.kills, outcome.rounds) == (1, 3)
    assert (outcome.lost, outcome.doubled) == (0, 0)


@pytest.mark.parametrize(("step", "nth"), STEPS)
async def test_killed_at_a_step_where_votes_can_be_doubled(
    step: str, nth: int, tmp_path: Path
) -> None:
    """Where it takes two, a vote is lost that was written down and not sent; none is doubled."""
    outcome = await die_at(tmp_path / "player.json", step, nth, limit=2)
    assert (outcome.kills, outcome.rounds, outcome.doubled) == (1, 3, 0)
    cast = step in {"replaced", "done"} and WRITES[nth - 1].endswith("cast")
    if step != "sent":  # what the system was given when the process died may still arrive
        assert outcome.lost == (cast or step == "sending")


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_any_moment(limit: int, seed: int, tmp_path: Path) -> None:
    """Killed ten times while it starts or votes, the player is counted once in every round."""
    outcome = await die_at_random(tmp_path / "player.json", seed, limit=limit, times=10)
    assert (outcome.kills, outcome.rounds, outcome.doubled) == (10, 6, 0)
    assert limit > 1 or outcome.lost == 0
