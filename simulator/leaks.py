"""What a process holds at the ends of shows, and whether it keeps holding more: pure."""

from __future__ import annotations

import statistics
from array import array
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["ENDS_MIN", "GROWTH_MAX", "Holdings", "Ledger", "growth"]

GROWTH_MAX = 0.05
"""The most that resident memory may grow from the warm-up to the end, as a share."""
ENDS_MIN = 4
"""So many ends of shows, at least, tell a leak from a leap."""
NAMED_MAX = 5
"""Of so many types that leak the verdict gives the names."""


class Holdings(NamedTuple):
    """What a process holds at one moment."""

    rss_mb: float
    """Resident memory."""
    tasks: int
    """Of the event loop, but for the one that asks."""
    descriptors: int
    """Open files and sockets."""
    objects: Mapping[str, int]
    """Type -> how many objects that the garbage collector knows."""


class Ledger:
    """What a process held at the end of every show.

    It is of one size, however many shows there are: it must not be the leak that it looks for.
    """

    def __init__(self) -> None:
        self._at_s = array("d")
        self._rss_mb = array("d")
        self.first: Holdings | None = None
        """What was held at the first end that is judged: nothing may be more from then on."""
        self.last: Holdings | None = None

    @property
    def ends(self) -> int:
        """How many ends of shows are judged."""
        return len(self._at_s)

    def add(self, at_s: float, held: Holdings, *, warming_up: bool = False) -> None:
        """Take down what was held at the end of a show, so long after the beginning.

        What is held while all is warming up is not judged: caches fill, code is imported.
        """
        if not self.ends:  # two objects from the beginning, not one and then two
            self.first = held._replace(objects=dict(held.objects))
        if not warming_up:
            self._at_s.append(at_s)
            self._rss_mb.append(held.rss_mb)
        self.last = held

    def is_back_at_first(self, held: Holdings) -> bool:
        """Tell whether no more is held than at the first end that is judged; memory aside."""
        return not self.ends or self.first is None or not _more(self.first, held)

    @property
    def memory_growth(self) -> float:
        """By how much resident memory grew from the warm-up to the end, as a share."""
        return growth(self._at_s, self._rss_mb)

    @property
    def changed(self) -> dict[str, tuple[int, int]]:
        """Type -> how many objects there were at the first and at the last end, if not equal."""
        if self.first is None or self.last is None:
            return {}
        return _changed(self.first.objects, self.last.objects)

    def leaks(self) -> list[str]:
        """Say what is held ever more, each in a sentence; nothing if all is well."""
        if self.first is None or self.last is None or self.ends < ENDS_MIN:
            too_few = f"only {self.ends} shows ended after the warm-up, and {ENDS_MIN} are needed"
            return [f"{too_few} to tell: give it more minutes, or shorter shows"]
        found = _more(self.first, self.last)
        if self.memory_growth > GROWTH_MAX:
            found.insert(
                0,
                f"memory grew by {self.memory_growth:.1%} after the warm-up, to "
                f"{self.last.rss_mb:.1f} MB",
            )
        return found


def growth(at_s: Sequence[float], values: Sequence[float]) -> float:
    """By what share values grow along the straight line that fits them best (least squares).

    Args:
        at_s: when each was measured, ascending.
        values: the values; the share is of the line's value at the first of them.
    """
    if len(values) < 2:  # noqa: PLR2004 - a line has two points
        return 0.0
    slope, intercept = statistics.linear_regression(at_s, values)
    began = intercept + slope * at_s[0]
    return slope * (at_s[-1] - at_s[0]) / began if began > 0.0 else 0.0


def _more(first: Holdings, last: Holdings) -> list[str]:
    """What is held more than at first, each in a sentence; memory aside, for it is never equal."""
    found = [
        f"{name}: {after:,} where there were {before:,}"
        for name, before, after in (
            ("tasks", first.tasks, last.tasks),
            ("descriptors", first.descriptors, last.descriptors),
        )
        if after > before
    ]
    grown = [
        (after - before, kind, before, after)
        for kind, (before, after) in _changed(first.objects, last.objects).items()
        if after > before
    ]
    grown.sort(reverse=True)
    found += [
        f"objects of {kind}: {after:,} where there were {before:,}"
        for _, kind, before, after in grown[:NAMED_MAX]
    ]
    if len(grown) > NAMED_MAX:
        found.append(f"and objects of {len(grown) - NAMED_MAX} types more")
    return found


def _changed(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    kinds = before.keys() | after.keys()
    pairs = {kind: (before.get(kind, 0), after.get(kind, 0)) for kind in sorted(kinds)}
    return {kind: (then, now) for kind, (then, now) in pairs.items() if then != now}
