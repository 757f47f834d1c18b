"""A trivia show in a few words: the elements, facts and clients that tests are written with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

from poll_counter.commands import (
    CastVote,
    Command,
    Remember,
    RememberRate,
    ReportCount,
    Skip,
    Warn,
    WarningKind,
)
from poll_counter.counts import Counts
from poll_counter.elements import (
    PAGE_FIELD,
    POLL_MARK,
    SAMPLE_RATE_FIELD,
    SPREAD_FIELD,
    Element,
    ElementState,
    EventState,
    FieldValue,
    Recognise,
)
from poll_counter.facts import (
    AnswerAccepted,
    AnswerRefused,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    Fact,
    RefusalReason,
    ResultsTold,
    Welcomed,
)
from poll_counter.machine import Machine


def poll(
    poll_id: str = "P",
    *,
    options: int = 10,
    state: ElementState = "opened",
    published_at: float = 1.0,
    rev: int | None = None,
    limit: int | None = 1,
    page: FieldValue = None,
    spread_s: FieldValue = None,
    sample_rate: FieldValue = None,
    reveal: str | None = "vote",
) -> Element:
    """Make a hidden poll; with `limit` 1 and an acknowledging transport, votes are repeated."""
    named = {PAGE_FIELD: page, SPREAD_FIELD: spread_s, SAMPLE_RATE_FIELD: sample_rate}
    return Element(
        id=poll_id,
        content_type="rpoll-custom",
        state=state,
        published_at=published_at,
        type="poll",
        rev=rev,
        options=tuple(f"trivia {n + 1}" for n in range(options)),
        custom_fields={POLL_MARK: 1} | {k: v for k, v in named.items() if v is not None},
        max_votes_per_option=limit,
        reveal_results_mode=reveal,
    )


def trivia(n: int, state: ElementState = "opened", *, rev: int | None = None) -> Element:
    """Make trivia n, whose id is T<n>."""
    return Element(
        id=f"T{n}",
        content_type="trivia-custom",
        state=state,
        published_at=100.0 + n,
        type="trivia",
        rev=rev,
        options=("yes", "no"),
    )


def finished(count: int) -> tuple[Element, ...]:
    """Make the trivia 1 to `count`, all closed."""
    return tuple(trivia(n, "closed") for n in range(1, count + 1))


def welcomed(
    *elements: Element,
    event: EventState = "active",
    results: Iterable[ResultsTold] = (),
    rev: int | None = None,
    event_rev: int | None = None,
) -> Welcomed:
    """A connection was answered with these elements."""
    return Welcomed(event, elements, tuple(results), rev=rev, event_rev=event_rev)


def published(element: Element) -> ElementPublished:
    """An element was published."""
    return ElementPublished(element)


def opens(n: int, *, rev: int | None = None) -> ElementPublished:
    """Trivia n was published."""
    return ElementPublished(trivia(n, rev=rev))


def closes(n: int, *, rev: int | None = None) -> ElementStateChanged:
    """Trivia n was closed."""
    return ElementStateChanged(f"T{n}", "closed", rev)


def revoked(element_id: str, *, rev: int | None = None) -> ElementRevoked:
    """An element was revoked."""
    return ElementRevoked(element_id, rev)


def results(
    poll_id: str, votes: Mapping[int, int], *, options: int = 10, final: bool = False
) -> ResultsTold:
    """A poll's results were told: option -> votes, the others 0."""
    return ResultsTold(poll_id, tuple(votes.get(n, 0) for n in range(options)), final)


def accepted(poll_id: str, option: int) -> AnswerAccepted:
    """The platform counted a vote."""
    return AnswerAccepted(poll_id, option)


def refused(
    poll_id: str, option: int, reason: RefusalReason, retry_after_s: float | None = None
) -> AnswerRefused:
    """The platform refused a vote."""
    return AnswerRefused(poll_id, option, reason, retry_after_s)


def half() -> float:
    """Draw the middle: with the default spread of 3 s a vote is cast 1.5 s after it fell due."""
    return 0.5


class Client:
    """A machine with a clock of its own and a log of what it asked for.

    With `accepts` the platform accepts each vote as soon as it is cast.
    """

    def __init__(
        self,
        *,
        draw: Callable[[], float] = half,
        recognise: Recognise | None = None,
        remembered: Iterable[Remember | RememberRate] = (),
        acknowledges: bool = True,
        spread_s: float = 3.0,
        accepts: bool = False,
        player_id: str = "",
    ) -> None:
        self.now = 0.0
        self.log: list[tuple[float, Command]] = []
        self.journal = list(remembered)
        self._accepts = accepts
        self._make: Callable[[], Machine] = lambda: Machine(
            draw=draw,
            recognise=recognise,
            remembered=self.journal,
            acknowledges=acknowledges,
            spread_s=spread_s,
            player_id=player_id,
        )
        self.machine = self._make()

    def tell(self, *facts: Fact) -> tuple[Command, ...]:
        """Tell facts now; returns what the machine asked for."""
        commands = tuple(c for fact in facts for c in self.machine.receive(fact, self.now))
        return commands + self._carry_out(commands)

    def wait(self, seconds: float) -> tuple[Command, ...]:
        """Let time pass, and wake the machine at every deadline on the way."""
        end, commands = self.now + seconds, list[Command]()
        while (deadline := self.machine.deadline) is not None and deadline <= end:
            assert deadline > self.now, "a deadline that has passed would wake for ever"
            self.now = deadline
            woken = self.machine.wake(self.now)
            commands += woken + self._carry_out(woken)
        self.now = end
        return tuple(commands)

    def restart(self) -> None:
        """Restart the app: what was remembered is all that is left; the clock runs on."""
        self.machine = self._make()

    def _carry_out(self, commands: tuple[Command, ...]) -> tuple[Command, ...]:
        self.log += [(self.now, command) for command in commands]
        self.journal += [
            command for command in commands if isinstance(command, Remember | RememberRate)
        ]
        votes = [command for command in commands if isinstance(command, CastVote)]
        if not self._accepts or not votes:
            return ()
        return self.tell(*(accepted(vote.poll_id, vote.option) for vote in votes))

    @property
    def casts(self) -> list[tuple[float, str, int]]:
        """The votes cast: when, poll, option."""
        return [(at, c.poll_id, c.option) for at, c in self.log if isinstance(c, CastVote)]

    @property
    def warned(self) -> list[WarningKind]:
        """What the app was warned of."""
        return [c.kind for _, c in self.log if isinstance(c, Warn)]

    @property
    def told(self) -> list[tuple[int, int | None]]:
        """The counts reported: round, players."""
        reports = [c.count for _, c in self.log if isinstance(c, ReportCount)]
        return [(count.round, count.players) for count in reports]

    @property
    def skipped(self) -> list[str]:
        """Why facts were left out."""
        return [c.reason for _, c in self.log if isinstance(c, Skip)]

    @property
    def players(self) -> dict[int, int | None]:
        """The history, as it stands now: round -> players."""
        history = self.machine.history(self.now)
        return {round_: count.players for round_, count in history.items()}


def held(value: object) -> object:
    """Copy all that a machine holds, slot by slot, into values that can be compared."""
    if isinstance(value, Mapping):
        return {key: held(item) for key, item in value.items()}
    if isinstance(value, set):
        return frozenset(value)
    if isinstance(value, Machine | Counts):
        return {slot: held(getattr(value, slot)) for slot in type(value).__slots__}
    if is_dataclass(value):
        compared = (each for each in fields(value) if each.compare)
        return {each.name: held(getattr(value, each.name)) for each in compared}
    return value


def is_value(instance: Any) -> bool:
    """Whether a dataclass is frozen and slotted: none of its fields can be set, nor another."""
    try:
        setattr(instance, next((each.name for each in fields(instance)), "another"), None)
    except (FrozenInstanceError, TypeError):
        return not hasattr(instance, "__dict__")
    return False
