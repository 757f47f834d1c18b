"""Rounds to be drawn, and what is read of drawings."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

from simulator.checks.judge import Row


def row(number: int, **changed: Any) -> Row:
    """Make a round of 1,200 players, counted right."""
    content: dict[str, Any] = {
        **dict.fromkeys(("must", "may", "counted", "shown", "low", "high"), 1200),
        "sample_rate": 1.0,
        "difference": 0,
    }
    return Row(number, **{**content, **changed})


def columns(chart: ET.Element, kind: str) -> list[tuple[float, float]]:
    """Where the columns of a chart begin, and how high they are."""
    (path,) = chart.findall(f"path[@class='{kind}']")
    found = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)", path.attrib["d"])
    return [(float(x), float(base) - float(top)) for x, base, top in found]
