"""What must hold of the counts that players read, whatever the truth: equal, and only growing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .evidence import Observation, Violation

__all__ = ["check_observers"]


def check_observers(
    observations: Sequence[Observation],
    *,
    replaced: Collection[int] = (),
    before: Collection[int] = (),
) -> list[Violation]:
    """All observers hold the same in the end, and none was told fewer votes than before.

    Args:
        observations: of all players; who was gone when the event ended is not asked.
        replaced: rounds in which the poll was replaced: their tallies begin again.
        before: rounds that were counted by a poll that was replaced since. Of these only
            undisturbed players are asked: who came later, or still thought a round to be open
            when the new poll came, reads that poll.
    """
    again = {*replaced, *before}
    shrinking = [v for v in _shrinking(observations) if v.round not in again]
    return _unequal(observations, before) + shrinking


def _unequal(observations: Sequence[Observation], before: Collection[int]) -> list[Violation]:
    observers = [o for o in observations if o.connected]
    rule = "all observers hold the same count"
    found = []
    for round_ in sorted({round_ for o in observers for round_ in o.counts}):
        held = set[int]()
        for observer in observers:
            if observer.undisturbed or round_ not in before:
                count = observer.counts.get(round_)
                held.add((count.players or 0) if count is not None else 0)
        if len(held) > 1:
            told = ", ".join(map(str, sorted(held)))
            found.append(Violation(round_, rule, f"held {told}"))
    return found


def _shrinking(observations: Sequence[Observation]) -> list[Violation]:
    rounds = set[int]()
    for observation in observations:
        highest: dict[int, int] = {}
        for _, round_, votes in observation.told:
            if votes < highest.get(round_, 0):
                rounds.add(round_)
            highest[round_] = votes
    rule = "tallies only grow"
    return [Violation(round_, rule, "an observer was told fewer votes") for round_ in rounds]
