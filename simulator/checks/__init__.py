"""The truth of a run, and whether the counts are true; one file for each thing that must hold.

Nothing here knows the machine, the client or the players: the truth comes from the scenario, and
from what the emulator and the network wrote down.
"""

from __future__ import annotations

from .evidence import Evidence, Observation, Violation
from .findings import Findings, examine
from .judge import Row, judge
from .observers import check_observers
from .truth import Truth

__all__ = [
    "Evidence",
    "Findings",
    "Observation",
    "Row",
    "Truth",
    "Violation",
    "check_observers",
    "examine",
    "judge",
]
