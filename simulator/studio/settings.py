"""What the host chooses before it publishes: of the next hidden poll, and of the next trivia."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from poll_counter.sampling import RATE_MIN

__all__ = ["Settings"]


class Settings(BaseModel):
    """The host's settings; each holds from the next element that is published."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    spread_s: Annotated[float, Field(ge=0.0, le=120.0)] = 3.0
    """Seconds over which the votes of a round are spread."""
    sample_rate: Annotated[float, Field(ge=RATE_MIN, le=1.0)] = 1.0
    """The share of players that vote."""
    trivia_s: Annotated[int, Field(ge=3, le=120)] = 10
    """Seconds for which a trivia is open, unless it is closed by hand."""
