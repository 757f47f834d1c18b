"""What the machine asks for: one frozen dataclass per command, named in the imperative.

The driver carries commands out in the order they come in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .counts import RoundCount

__all__ = [
    "CastVote",
    "Command",
    "Remember",
    "RememberRate",
    "ReportCount",
    "Skip",
    "Warn",
    "WarningKind",
]

WarningKind: TypeAlias = Literal["no_poll", "results_hidden", "sample_rate"]
"""What an app is warned of: a trivia that no poll counts; results that nobody may see; a sample
rate that nobody can read."""


@dataclass(frozen=True, slots=True)
class Remember:
    """Write down, durably, how far a vote is; what was written starts the next machine.

    A driver that cannot write must not hand the vote over: it could be cast again after a
    restart (counting rule 5). It tells `VoteHeldBack` then.
    """

    poll_id: str
    """The hidden poll."""
    option: int
    """The option, 0-based."""
    answered: bool = False
    """False: about to be cast. True: the platform has counted it, or refused it for good."""


@dataclass(frozen=True, slots=True)
class RememberRate:
    """Write down, durably, the sample rate that a poll was first seen with (counting rule 9).

    A poll that votes are remembered for, but no rate, had the rate 1. A driver that cannot write
    it must neither write down nor hand over a vote for the poll.
    """

    poll_id: str
    """The hidden poll."""
    sample_rate: float
    """The share of players that vote, 0 < rate < 1."""


@dataclass(frozen=True, slots=True)
class CastVote:
    """Hand a vote to the transport: one option of a hidden poll.

    For example:

    ```python
    async def send(self, vote: CastVote) -> None:  # of a Transport
        await self.post({"poll": vote.poll_id, "option": vote.option})
    ```
    """

    poll_id: str
    """The hidden poll."""
    option: int
    """The option, 0-based."""


@dataclass(frozen=True, slots=True)
class ReportCount:
    """Tell the app: the number, or the round, has changed."""

    count: RoundCount
    """The count of the round that the show is in."""


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell the app something that only a person can mend; once each."""

    kind: WarningKind
    """What it is about."""
    text: str
    """A sentence with the reason and the mend."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Count a fact that was left out, and why."""

    reason: str
    """A word, such as `old_rev` or `results_length`."""


Command: TypeAlias = Remember | RememberRate | CastVote | ReportCount | Warn | Skip
"""Everything that a machine can ask for."""
