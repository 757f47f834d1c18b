"""What was found in the evidence of some of the players; findings of several parts add up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from .evidence import Breach, Evidence
from .truth import Truth
from .votes import answered_again, counted_twice, missing, over, too_many, unseen, wavering

__all__ = ["Findings", "Option", "examine", "merge"]

Key = TypeVar("Key")
Option: TypeAlias = tuple[str, int]
"""A hidden poll's id and an option of it, 0-based."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out about some of the players of a run."""

    must: Mapping[int, int] = field(default_factory=dict)
    """Round -> how many of them must be counted."""
    may: Mapping[int, int] = field(default_factory=dict)
    """Round -> how many of them may be counted."""
    admitted: Mapping[Option, int] = field(default_factory=dict)
    """Votes of hostile peers that the platform admitted."""
    accepted: Mapping[Option, Mapping[int, int]] = field(default_factory=dict)
    """Option -> millisecond on the emulator's clock -> votes accepted."""
    staying: int = 0
    """How many of them take part and stay to the end."""
    ids: int = 0
    """Under how many ids they were seen; hostile peers are left out."""
    breaches: Sequence[Breach] = ()

    @property
    def votes_accepted(self) -> int:
        """Of all options."""
        return sum(sum(times.values()) for times in self.accepted.values())

    def votes(self, option: Option) -> int:
        """Votes accepted for one option."""
        return sum(self.accepted.get(option, {}).values())


def examine(evidence: Evidence, staying: int) -> Findings:
    """Find out what the evidence says; `staying` players take part and stay to the end."""
    truth = Truth.of(evidence)
    accepted, hostile = evidence.accepted, evidence.hostile
    admitted = {
        option: sum(entry.user in hostile for entry in entries)
        for option, entries in accepted.items()
        if hostile
    }
    return Findings(
        must={number: len(users) for number, users in truth.must.items()},
        may={number: len(users) for number, users in truth.may.items()},
        admitted={option: votes for option, votes in admitted.items() if votes},
        accepted={
            option: Counter(round(entry.at * 1000.0) for entry in entries)
            for option, entries in accepted.items()
            if entries
        },
        staying=staying,
        ids=len({entry.user for entry in evidence.log if entry.kind == "joined"} - hostile),
        breaches=[
            *unseen(evidence, truth),
            *missing(evidence, truth),
            *counted_twice(evidence),
            *over(evidence),
            *answered_again(evidence),
            *too_many(evidence),
            *wavering(evidence, truth),
        ],
    )


def merge(parts: Sequence[Findings]) -> Findings:
    """Add the findings of several parts of the players."""
    accepted: dict[Option, Counter[int]] = defaultdict(Counter)
    breaches: dict[tuple[int, str], Breach] = {}
    for part in parts:
        for option, times in part.accepted.items():
            accepted[option].update(times)
        for breach in part.breaches:
            known = breaches.get(breach[:2])
            before = 0 if known is None else known.times
            breaches[breach[:2]] = (known or breach)._replace(times=before + breach.times)
    return Findings(
        must=_added(part.must for part in parts),
        may=_added(part.may for part in parts),
        admitted=_added(part.admitted for part in parts),
        accepted=accepted,
        staying=sum(part.staying for part in parts),
        ids=sum(part.ids for part in parts),
        breaches=list(breaches.values()),
    )


def _added(parts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    total = Counter[Key]()
    for part in parts:
        total.update(part)
    return dict(total)
