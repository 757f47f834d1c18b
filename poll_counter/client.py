"""`PollCounter`: the machine, driven by asyncio.

It tells the machine what the transport brings and the time, and carries out what the machine
asks for. Nothing is decided here.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl as ssl_module
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from .commands import CastVote, Command, Remember, RememberRate, ReportCount, Warn
from .counts import RoundCount
from .elements import CONCURRENCY_FIELD, Element, FieldValue, Recognise, concurrency
from .errors import MisuseError, PlatformError
from .facts import (
    ActiveChanged,
    ElementPublished,
    ElementRevoked,
    ElementUpdated,
    EventUpdated,
    Fact,
    VoteHeldBack,
    Welcomed,
)
from .journal import Entry, JournalLike, MemoryJournal, open_journal
from .machine import DEFAULT_SPREAD_S, Machine, State
from .player_token import PlayerToken
from .rounds import SPREAD_S_MAX
from .transport import Transport, WebSocketTransport

__all__ = ["Clock", "PollCounter", "Stats", "Timer"]

logger = logging.getLogger("poll_counter")

ID_LENGTH_MAX = 200
"""The longest id that the live channel takes."""
MAY_TELL_CONCURRENCY = frozenset(
    {Welcomed, EventUpdated, ElementPublished, ElementUpdated, ElementRevoked}
)
"""The facts that can bring, change or end the field with the connected users."""


class Timer(Protocol):
    """What `Clock.call_at` gives: an `asyncio.TimerHandle` fits."""

    def cancel(self) -> None:
        """Do not call it after all."""
        ...


class Clock(Protocol):
    """A monotonic clock that calls back: an asyncio event loop fits."""

    def time(self) -> float:
        """Now, in seconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call back once, at a time on this clock."""
        ...


@dataclass(frozen=True, slots=True)
class Stats:
    """What a counter has done so far.

    For example:

    ```python
    stats = counter.stats()
    print(f"{stats.votes_accepted} of {stats.votes_due} votes counted")
    ```
    """

    connects: int
    """Connections that were answered with a snapshot."""
    reconnects: int
    """Those after the first."""
    votes_due: int
    """Votes that fell due: rounds seen, with an open poll."""
    acknowledges: bool
    """Whether the transport tells what became of a vote. If not, each is cast once, never repeated,
    and regarded as cast: `votes_accepted` stays 0, and a count may be low, never high."""
    votes_sent: int
    """Votes handed to the transport, repeats included."""
    votes_accepted: int
    """Votes that the platform said it counted."""
    votes_refused: int
    """Votes that the platform refused for good."""
    votes_lapsed: int
    """Votes that fell due and were not cast before their round was over."""
    skipped: Mapping[str, int]
    """What could not be understood or was out of date: reason -> how often."""
    journal_writable: bool
    """False while another process holds the journal's file: this counter then casts no vote."""
    freshness_s: float | None
    """Seconds since results were last told; None before any."""


class PollCounter:
    """Counts the players of every round of a trivia show, by voting unseen in a hidden poll.

    The iterator gives a `RoundCount` whenever the number or the round changes, the latest only
    when the app is slow, and ends with the event. Losing the network raises nothing.

    Args:
        url: the live channel's address, `wss://...`, or those of several servers of one platform.
        event_id: the platform's id of the event.
        journal: where this player's id and votes are kept: a path, or MEMORY, with which a
            restarted app is a new player. While another process uses the file, this counter
            reads counts and casts no vote; a warning is logged.
        recognise: how hidden poll and trivia are told; the default fits a hidden poll made by
            this library.
        transport: instead of a URL, another way to the platform.
        spread_s: seconds over which votes are spread for a poll that names no spread.
        ssl: a TLS context, for an own certificate authority.
        allow_plain: allow `ws://` to hosts other than this machine.
        token: the player's token, or a function that gets one, (event id, player id) -> token,
            asked for every connection; where the platform asks for one. See `player_id`.
        clock: for tests, another clock than the event loop's; see `poll_counter.testing`.
        on_count: called with each `RoundCount` that the iterator would give.
        on_state: called with each new `State`.
        on_warning: called with a sentence when the producer spoils the count.
        concurrency_field: the custom field, of the event or of an element, into which the producer
            writes the number of connected users; see `concurrency`.
        on_concurrency: called with each new number from that field.

    Raises `MisuseError` when called in a way that cannot work, `JournalError` when the journal's
    file cannot be made.

    For example:

    ```python
    async with PollCounter(url, event_id="...", journal="player.json") as counter:
        async for count in counter:
            print(f"{count.players} players are in round {count.round}")
    ```
    """

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        *,
        event_id: str,
        journal: JournalLike,
        recognise: Recognise | None = None,
        transport: Transport | None = None,
        spread_s: float = DEFAULT_SPREAD_S,
        ssl: ssl_module.SSLContext | None = None,
        allow_plain: bool = False,
        token: PlayerToken | None = None,
        clock: Clock | None = None,
        on_count: Callable[[RoundCount], object] | None = None,
        on_state: Callable[[State], object] | None = None,
        on_warning: Callable[[str], object] | None = None,
        concurrency_field: str = CONCURRENCY_FIELD,
        on_concurrency: Callable[[int], object] | None = None,
    ) -> None:
        if (url is None) == (transport is None):
            raise MisuseError("pass either a URL or transport=, one of the two")
        if not 0 < len(event_id) <= ID_LENGTH_MAX:
            raise MisuseError(
                f"event_id has {len(event_id)} characters; pass the platform's id of the event, "
                f"of 1 to {ID_LENGTH_MAX} characters"
            )
        if not 0.0 <= spread_s <= SPREAD_S_MAX:
            raise MisuseError(f"spread_s is {spread_s}; pass seconds from 0 to {SPREAD_S_MAX:g}")
        if url is not None:
            transport = WebSocketTransport(url, ssl=ssl, allow_plain=allow_plain, token=token)
        elif ssl is not None or allow_plain or token is not None:
            raise MisuseError(
                "ssl=, allow_plain= and token= go with a URL; set them on the transport"
            )
        assert transport is not None  # one of the two is there
        self._transport: Transport = transport
        self._event_id = event_id
        self._journal = open_journal(journal)
        if not 0 < len(self._journal.player_id) <= ID_LENGTH_MAX:
            raise MisuseError(f"the journal's player_id must have 1 to {ID_LENGTH_MAX} characters")
        self._player_id = self._journal.player_id
        self._recognise = recognise or Recognise()
        self._on_count = on_count
        self._on_state = on_state
        self._on_warning = on_warning
        self._concurrency_field = concurrency_field
        self._on_concurrency = on_concurrency

        self._machine = Machine(
            draw=random.random,
            recognise=self._recognise,
            remembered=self._journal.recall(event_id),
            acknowledges=transport.acknowledges,
            spread_s=spread_s,
            player_id=self._journal.player_id,
        )
        self._may_vote: bool = getattr(self._journal, "writable", True)
        if not self._may_vote:
            self._machine.receive(ActiveChanged(active=False), 0.0)
        self._fields: Mapping[str, FieldValue] = {}
        self._fields_rev = -1
        self._concurrency: int | None = None
        self._connects = 0
        self._sent = 0
        self._skipped: Counter[str] = Counter()

        self._clock: Clock | None = clock
        self._entered = False
        self._left = False
        self._reader: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._outbox: deque[Entry | CastVote] = deque()
        self._unwritten_rates: dict[str, RememberRate] = {}  # by poll
        self._held_back: set[CastVote] = set()  # with all their casts that are in the outbox
        self._writes_fail = False
        self._writing: asyncio.Future[None] | None = None
        self._unread: RoundCount | None = None
        self._reading = False
        self._news = asyncio.Event()
        self._over = False
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        """Begin to connect; does not wait for the network."""
        if self._entered:
            raise MisuseError("a PollCounter is entered once; make a new one")
        self._entered = True
        self._clock = self._clock or asyncio.get_running_loop()
        self._reader = asyncio.create_task(self._read(), name="poll_counter reader")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection, and leave no task behind."""
        self._stop()
        self._left = True
        tasks = [task for task in (self._reader, self._sender) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._writing is not None:  # who opens the journal next finds it whole
            await asyncio.wait([self._writing])
        del self._journal  # its file is free for another process

    # What the app reads

    @property
    def player_id(self) -> str:
        """The player's id, made once and kept in the journal; for the app's backend alone.

        A backend that makes tokens binds one id to an account: who gets tokens for many ids votes
        with each of them.
        """
        return self._player_id

    def __aiter__(self) -> Self:
        """Give a `RoundCount` whenever the number or the round changes, until the event ends.

        Raises `MisuseError` when the counter is closed; who reads while it is being closed just
        comes to an end.
        """
        if self.closed:
            raise MisuseError("the counter is closed; read its history, or make a new PollCounter")
        return self

    async def __anext__(self) -> RoundCount:
        """Wait for the next count.

        Raises `MisuseError` before `async with` and for two readers at the same time, and
        `PlatformError` when the transport broke off for good.
        """
        if not self._entered:
            raise MisuseError("enter the counter first: async with PollCounter(...) as counter")
        if self._reading:
            raise MisuseError("one reader at a time; use on_count= to tell several")
        while self._unread is None:
            if self._failure is not None:
                raise PlatformError(
                    f"the transport broke off: {self._failure!r}"
                ) from self._failure
            if self._over:
                raise StopAsyncIteration
            self._news.clear()
            self._reading = True
            try:
                await self._news.wait()
            finally:
                self._reading = False
        count, self._unread = self._unread, None
        return count

    @property
    def latest(self) -> RoundCount | None:
        """The count that was last reported, as it stands now; None before the first."""
        return self._machine.latest(self._now())

    @property
    def history(self) -> dict[int, RoundCount]:
        """The counts of all rounds so far, round -> count, as they stand now."""
        return self._machine.history(self._now())

    @property
    def state(self) -> State:
        """Where the counter stands."""
        return self._machine.state

    @property
    def elements(self) -> tuple[Element, ...]:
        """The event's elements, in the order of their publication; see `is_hidden`."""
        held = self._machine.progress.elements.values()
        return tuple(sorted(held, key=lambda element: (element.published_at, element.id)))

    @property
    def fields(self) -> Mapping[str, FieldValue]:
        """The event's custom fields, key -> value."""
        return self._fields

    @property
    def concurrency(self) -> int | None:
        """The connected users, from the field that the producer writes them into; None without.

        The other documented way to a number: a script on the producer's side reads it from the
        Control API, at most once a minute, and writes it into a field of the event or of an
        element. It counts connections, not the players of a round.
        """
        return self._concurrency

    @property
    def closed(self) -> bool:
        """Whether the counter was left; `latest` and `history` can still be read."""
        return self._left

    @property
    def active(self) -> bool:
        """Whether the player takes part; set it to False for one who only watches (rule 11).

        Stays False while another process uses the journal.
        """
        return self._machine.active

    @active.setter
    def active(self, value: bool) -> None:
        self._tell(ActiveChanged(value and self._may_vote))

    def is_hidden(self, element: Element) -> bool:
        """Tell whether an element is the hidden poll, as this counter recognises it."""
        return self._recognise.is_hidden(element)

    def stats(self) -> Stats:
        """What the counter has done so far."""
        machine = self._machine
        told_at = machine.told_at
        return Stats(
            connects=self._connects,
            reconnects=max(0, self._connects - 1),
            acknowledges=self._transport.acknowledges,
            votes_due=machine.votes_due,
            votes_sent=self._sent,
            votes_accepted=machine.votes_accepted,
            votes_refused=machine.votes_refused,
            votes_lapsed=machine.votes_lapsed,
            skipped=dict(self._skipped),
            journal_writable=self._may_vote,
            freshness_s=None if told_at is None else self._now() - told_at,
        )

    # What drives the machine

    def _now(self) -> float:
        """The time on the machine's clock, which starts with `async with`."""
        return 0.0 if self._clock is None else self._clock.time()

    async def _read(self) -> None:
        """Tell the machine what the transport brings, until the event is over."""
        try:
            facts = self._transport.facts(self._event_id, self._journal.player_id)
            async with aclosing(facts):
                async for fact in facts:
                    if isinstance(fact, Welcomed):
                        self._connects += 1
                    if isinstance(fact, (Welcomed, EventUpdated)):  # quicker than a union
                        self._hold_fields(fact)
                    self._tell(fact)
                    if type(fact) in MAY_TELL_CONCURRENCY:
                        self._read_concurrency()
                    if self._over:
                        return
            self._fail(PlatformError("it stopped bringing facts"))
        except Exception as error:  # noqa: BLE001 - a transport may raise anything; the app learns
            self._fail(error)

    def _hold_fields(self, fact: Welcomed | EventUpdated) -> None:
        """Hold the event's fields, but for older ones from a lagging edge."""
        if fact.rev is None or fact.rev >= self._fields_rev:
            self._fields = fact.fields
            self._fields_rev = self._fields_rev if fact.rev is None else fact.rev

    def _read_concurrency(self) -> None:
        """Read the field that the producer writes the connected users into."""
        before = self._concurrency
        self._concurrency = concurrency(self._fields, self.elements, self._concurrency_field)
        if self._concurrency is not None and self._concurrency != before:
            _call(self._on_concurrency, self._concurrency)

    def _fail(self, error: Exception) -> None:
        if self._over:  # it only failed to say goodbye
            logger.debug("the transport failed at its end: %r", error)
            return
        logger.warning("the transport broke off for good: %r", error)
        self._failure = error
        self._stop()

    def _tell(self, fact: Fact) -> None:
        before = self._machine.state
        self._carry_out(self._machine.receive(fact, self._now()), before)

    def _wake(self) -> None:
        # An event loop may be a clock tick early; the machine's time is not.
        self._timer, before = None, self._machine.state
        now = max(self._now(), self._timer_at)
        self._carry_out(self._machine.wake(now), before)

    def _carry_out(self, commands: tuple[Command, ...], before: State) -> None:
        state = self._machine.state
        if state is not before:
            logger.debug("%s -> %s", before.name, state.name)
            _call(self._on_state, state)
        for command in commands:
            match command:
                case Remember() | RememberRate() | CastVote():
                    if self._may_vote:
                        self._outbox.append(command)
                case ReportCount(count):
                    self._unread = count
                    self._news.set()
                    _call(self._on_count, count)
                case Warn(text=text):
                    logger.warning("%s", text)
                    _call(self._on_warning, text)
                case _:
                    self._skip(command.reason)
        self._set_timer()
        idle = self._sender is None or self._sender.done()
        if self._outbox and idle and not self._left:
            self._write_down_at_once()
        if self._outbox and idle and not self._left:
            self._sender = asyncio.create_task(self._send(), name="poll_counter sender")
        if state is State.FINISHED:
            self._stop()

    def _write_down_at_once(self) -> None:
        """Write down what comes before a vote, where that takes no time and cannot fail."""
        while type(self._journal) is MemoryJournal and self._outbox:
            entry = self._outbox[0]
            if isinstance(entry, CastVote):
                return
            self._journal.remember(self._event_id, entry)
            self._outbox.popleft()

    def _skip(self, reason: str) -> None:
        if not self._skipped[reason]:
            logger.info("left out something the platform told: %s", reason)
        self._skipped[reason] += 1

    def _set_timer(self) -> None:
        """See to it that the machine is woken in time; a timer that is too early does no harm."""
        deadline = self._machine.deadline
        if deadline is None or self._clock is None or self._over:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer, self._timer_at = self._clock.call_at(deadline, self._wake), deadline

    async def _send(self) -> None:
        """Write votes down and hand them over, in the order the machine asked for."""
        while self._outbox:
            command = self._outbox.popleft()
            if not isinstance(command, CastVote):
                await self._write_down(command)
            elif command not in self._held_back:
                self._sent += 1
                await self._hand_over(command)

    async def _write_down(self, entry: Entry) -> None:
        """Write an entry down; a vote for which that fails is held back, and due again (rule 5)."""
        rate = self._unwritten_rates.pop(entry.poll_id, None)
        entries = deque([entry] if rate is None else [rate, entry])  # without it, it would be 1
        try:
            while entries:
                await self._remember(entries[0])
                entries.popleft()
        except Exception as error:  # noqa: BLE001 - a journal of the app's own may raise anything
            self._log_failure(error)
            for each in entries:
                if isinstance(each, RememberRate):
                    self._unwritten_rates[each.poll_id] = each
                elif not each.answered:
                    self._held_back.add(CastVote(each.poll_id, each.option))
                    self._tell(VoteHeldBack(each.poll_id, each.option))
        else:
            self._writes_fail = False
            if isinstance(entry, Remember):
                self._held_back.discard(CastVote(entry.poll_id, entry.option))

    def _log_failure(self, error: Exception) -> None:
        """Warn once of a journal that cannot be written, until it can again."""
        logger.log(
            logging.DEBUG if self._writes_fail else logging.WARNING,
            "the journal cannot be written (%s): votes are not cast, for after a restart they "
            "would be cast twice; make room or name another file",
            error,
        )
        self._writes_fail = True

    async def _remember(self, entry: Entry) -> None:
        if isinstance(self._journal, MemoryJournal):
            self._journal.remember(self._event_id, entry)
        else:  # a disk may take its time; the app's loop goes on
            work = asyncio.to_thread(self._journal.remember, self._event_id, entry)
            self._writing = asyncio.ensure_future(work)
            await asyncio.shield(self._writing)

    async def _hand_over(self, vote: CastVote) -> None:
        try:
            await self._transport.send(vote)
        except Exception as error:  # noqa: BLE001 - whatever it raised, the vote counts as cast
            logger.debug("a vote could not be handed over: %r", error)

    def _stop(self) -> None:
        """Let readers end and the connection close."""
        self._over = True
        self._news.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reader is not None and self._reader is not asyncio.current_task():
            self._reader.cancel()


def _call(callback: Callable[[Any], object] | None, value: object) -> None:
    """Call the app back; its mistakes are logged, and do not stop the counting."""
    if callback is not None:
        try:
            callback(value)
        except Exception:
            logger.exception("a callback of the app failed")
