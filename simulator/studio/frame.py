"""What the page is told four times a second: all of it, in one object."""

from __future__ import annotations

from typing import Any

from poll_counter.control.hidden_poll import Finding

from .crowd import PLAYERS_MAX
from .stage import ROUNDS, Stage
from .studio import Studio
from .truth import TruthRow

__all__ = ["FRAME_S", "frame"]

FRAME_S = 0.25
"""How often the page is told."""


def frame(studio: Studio, number: int) -> dict[str, Any]:
    """Everything that the page shows, after reading what has happened.

    Args:
        studio: of which it is told.
        number: counts the frames.
    """
    studio.read()
    stage, now = studio.stage, studio.now
    return {
        "studio": studio.id,
        "number": number,
        "event": {"id": stage.event_id, "name": stage.event.name, "state": stage.event.state},
        "live_url": studio.platform.live.url,
        "host": _host(studio),
        "phone": studio.phone.screen(now),
        "truth": _truth(studio, now),
        "crowd": _crowd(studio),
    }


def _host(studio: Studio) -> dict[str, Any]:
    stage = studio.stage
    return {
        "next": stage.next_step,
        "rounds": ROUNDS,
        "round": stage.round,
        "open_trivia": stage.open_trivia,
        "next_trivia": stage.next_trivia,
        "poll": _poll(stage),
        "findings": [_finding(each) for each in stage.findings],
        "settings": stage.settings.model_dump(),
        "autoplay": studio.autoplay,
        "trouble": studio.trouble,
    }


def _poll(stage: Stage) -> dict[str, Any] | None:
    """The hidden poll as it was made; None before any."""
    record = stage.poll
    if record is None:
        return None
    made = record.settings
    return {
        "state": "revoked" if record.live is None else record.live.state,
        "options": len(made.options),
        "spread_s": stage.polls[-1].settings.spread_s,
        "sample_rate": stage.polls[-1].settings.sample_rate,
        "votes_per_user": made.max_votes_per_user,
        "votes_per_option": made.max_votes_per_option,
        "reveal": made.reveal_results_mode,
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {"severity": finding.severity, "reason": finding.reason, "mend": finding.mend}


def _truth(studio: Studio, now: float) -> dict[str, Any]:
    ledger = studio.ledger
    return {
        "connected": studio.platform.emulator.connected(studio.stage.event_id),
        "votes": ledger.votes_accepted,
        "over_time": ledger.votes_over_time(now),
        "freshness_ms": ledger.freshness_ms,
        "rounds": [_row(row) for row in ledger.rows],
    }


def _row(row: TruthRow) -> dict[str, Any]:
    count = row.count
    return {
        "round": row.round,
        "must": row.must,
        "may": row.may,
        "players": None if count is None else count.players,
        "low": None if count is None else count.low,
        "high": None if count is None else count.high,
        "settled": count is not None and count.settled,
        "off_by": row.off_by,
    }


def _crowd(studio: Studio) -> dict[str, Any]:
    crowd = studio.crowd
    return {
        "players": crowd.players,
        "most": PLAYERS_MAX,
        "connected": crowd.connected,
        "waits": crowd.waits,
        "hostile": crowd.hostile,
        "slow": crowd.slow,
    }
