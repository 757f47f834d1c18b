"""One finding: what is wrong, why it matters, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from poll_counter.control.held import HeldPoll

__all__ = ["Finding", "Severity", "mendable"]

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that would spoil the count.

    For example:

    ```python
    for finding in await hidden_poll.check(api, event_id):
        print(f"{finding.severity}: {finding.reason} {finding.mend}")
    ```
    """

    code: str
    """A short name that stays the same: `votes-per-user`."""
    severity: Severity
    """`error`: rounds are not counted, or wrongly; `warning`: they may be, or at a cost."""
    reason: str
    """What is wrong and what comes of it, a sentence or two."""
    mend: str
    """What to do."""
    element_id: str | None = None
    """The poll; None for what is not about one."""
    attribute: str | None = None
    """The attribute or custom field that is wrong."""
    fixable: bool = False
    """Whether `fix` mends it: the poll was not published yet."""
    replaceable: bool = False
    """Whether `replace` mends it: the poll is published, and its votes so far will be lost."""
    repair: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    """The attributes that mend it, as Update Element takes them."""

    def as_dict(self) -> dict[str, Any]:
        """The finding, for JSON."""
        names = ("code", "severity", "element_id", "attribute", "reason", "mend", "fixable")
        return {name: getattr(self, name) for name in (*names, "replaceable")}


def mendable(
    poll: HeldPoll,
    code: str,
    attribute: str,
    reason: str,
    *,
    wanted: str,
    repair: Mapping[str, Any],
    severity: Severity = "error",
    instead: str = "",
) -> Finding:
    """Make a finding that an update of the poll mends, or its replacement if it is published.

    An older page of the documentation lets no published element change (contract section 7.5),
    and a poll that was voted in is better not turned into another one.

    Args:
        poll: the poll.
        code: the finding's short name.
        attribute: what is wrong.
        reason: what comes of it.
        wanted: what it should be, to end a sentence with.
        repair: the attributes that make it so.
        severity: how bad it is.
        instead: what else can be done for a published poll, a sentence.
    """
    mend = f"Give it {wanted}."
    if poll.is_published:
        mend = (
            f"It is published, so only a replacement has {wanted}, and the votes so far are lost "
            f"with the old one. {instead}"
        ).rstrip()
    return Finding(
        code,
        severity,
        reason,
        mend,
        poll.id,
        attribute,
        fixable=not poll.is_published,
        replaceable=poll.is_published,
        repair=repair,
    )
