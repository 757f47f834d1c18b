"""What a show over several nodes went through: how fresh counts were, what was sent again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from simulator.checks.evidence import Observation
from simulator.checks.freshness import freshness, percentiles
from simulator.emulator import Entry

__all__ = ["Figures", "Outage", "figures"]


class Outage(NamedTuple):
    """When Redis was gone: from its kill until it answered again, on the log's clock."""

    began: float
    ended: float


class Figures(NamedTuple):
    """What happened to votes on their way."""

    quiet_ms: Mapping[str, float] | None
    """From the acceptance of a vote to the count that players read, in rounds in which nothing was
    killed: `p50` and `p99`; None where there are none."""
    disturbed_ms: Mapping[str, float] | None
    """The same in the other rounds: who lost its node reads again when it has another."""
    repeated: int
    """Votes that were sent once more after they had been counted, and refused."""
    busy: int
    """Votes that were answered with busy while Redis was away: their clients held them."""
    outage_s: float | None
    """How long Redis was gone."""
    resumed_s: float | None
    """How long after its kill the next vote was brought that was counted; None: there was none."""

    @property
    def lines(self) -> Iterable[str]:
        """For people."""
        for what, ages in (("quiet", self.quiet_ms), ("disturbed", self.disturbed_ms)):
            if ages is not None:
                yield (
                    f"in {what} rounds a vote is in the count that players read after "
                    f"{ages['p50']:.0f} ms, p99 {ages['p99']:.0f} ms"
                )
        yield f"{self.repeated:,} votes were sent again after they had been counted, and refused"
        if self.outage_s is not None:
            resumed = "no vote was counted since"
            if self.resumed_s is not None:
                resumed = f"the next vote was counted {self.resumed_s:.2f} s after it went"
            yield (
                f"Redis was down for {self.outage_s:.2f} s: {self.busy:,} votes were answered with "
                f"busy, {resumed}"
            )


def figures(
    log: Sequence[Entry],
    accepted: Mapping[int, Mapping[int, int]],
    observations: Sequence[Observation],
    *,
    quiet: Collection[int],
    outage: Outage | None = None,
) -> Figures:
    """Find the figures of a show.

    Args:
        log: of all nodes, made one.
        accepted: round -> millisecond -> votes accepted for it.
        observations: what players read; who was not connected in the end is not asked.
        quiet: the rounds in which nothing was killed.
        outage: of Redis.
    """
    # Everybody loses a node once; in a quiet round nobody does.
    asked = [each._replace(undisturbed=True) for each in observations]

    def ages(rounds: Iterable[int]) -> Mapping[str, float] | None:
        return percentiles(freshness({k: accepted[k] for k in rounds if k in accepted}, asked))

    refused = Counter(entry.detail for entry in log if entry.kind == "refused")
    resumed = None
    if outage is not None:
        later = (e.at for e in log if e.kind == "accepted" and e.at > outage.began)
        resumed = min(later, default=None)
    return Figures(
        quiet_ms=ages(quiet),
        disturbed_ms=ages(accepted.keys() - {*quiet}),
        repeated=refused["already_voted"],
        busy=refused["busy"],
        outage_s=None if outage is None else outage.ended - outage.began,
        resumed_s=None if outage is None or resumed is None else resumed - outage.began,
    )
