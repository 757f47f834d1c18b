"""A node: does what the log says, has votes counted in Redis, and tells its clients of both."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from poll_counter import MisuseError
from poll_counter.facts import (
    AnswerAccepted,
    AnswerRefused,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
)
from poll_counter.transport import backoff_s
from poll_counter.wire import Answer
from simulator.content import BusyError, Content, ContentError, Write
from simulator.emulator import Delivery, EmulatorError

from .book import Book, Client, Gate, Ledger, Vote
from .log import Log, Logged

__all__ = ["KEY", "Node"]

logger = logging.getLogger(__name__)

KEY = "{poll-counter}"
"""What the names of all keys in Redis begin with."""
VOTES_MAX = 500
"""How many votes are brought at a time: Redis does nothing else meanwhile."""
PACE_S = 0.01
"""Votes that come within this are brought together."""
ALIVE_S = 1.0
"""A node that has nothing to ask says that it is there as often as this."""
REDIS_TIMEOUT_S = 2.0
"""An answer of Redis that is not there by then will not come."""
BACKOFF_FIRST_S, BACKOFF_CAP_S = 0.1, 1.0
"""Between two tries to reach Redis (`backoff_s`): up to the first, doubled up to the other."""
BUSY_S = 1.0
"""Clients that were told to be busy come back after this, and up to as much again."""
WRITE_S = 5.0
"""How long a producer's request may take."""
GATED = frozenset({"unknown_element", "closed"})
"""Refusals that only a node may say that has done all of the log."""
AWAY = (RedisError, OSError)

T = TypeVar("T")


class Node:
    """One of several emulators that show the same.

        node = Node("one", "redis://127.0.0.1", content, now=live.now, tell=live.tell)
        await node.catch_up()
        async with node:
            ...
        await node.aclose()

    Args:
        name: which node this is; each has its own.
        url: where Redis is: `redis://`, `rediss://` or `unix://`.
        content: the producer's side of an emulator that `is_node`.
        now: the emulator's clock.
        tell: takes what is to be told to the clients.
        audited: whether Redis writes down accepted votes one by one, for the checks.

    Raises `MisuseError` for an address that cannot work.
    """

    def __init__(
        self,
        name: str,
        url: str,
        content: Content,
        *,
        now: Callable[[], float],
        tell: Callable[[list[Delivery]], object],
        audited: bool = False,
    ) -> None:
        self.name = name
        self.ended = asyncio.Event()
        """Set when it cannot go on; `failure` says why."""
        self.failure: BaseException | None = None
        self.away = False
        """Whether Redis is."""
        self._content = content
        self._emulator = content.emulator
        self._now = now
        self._tell = tell
        self._where = _without_secrets(url)
        self._client, self._reader = _client(url, name), _client(url, name)
        self._book = Book(self._client, KEY, name, audited=audited)
        self._log, self._pen = Log(self._reader, KEY), Log(self._client, KEY)
        self._serves = False
        self._position = 0  # how many entries of the log are done
        self._time = 0.0  # when the last was
        self._done = set[str]()  # their tokens
        self._waiting: dict[str, asyncio.Future[str]] = {}  # token -> whoever asked
        self._kept_at: float | None = None  # the time that was last asked to pass
        self._gates: dict[str, Gate] = {}  # what Redis does not know yet, by element
        self._votes: list[Vote] = []
        self._held: list[tuple[int, Vote]] = []  # not to be refused before so much of the log
        self._asked_at = float("-inf")
        self._work_to_do = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def catch_up(self) -> None:
        """Do all of the log, before anybody is served.

        Raises `MisuseError` where there is no Redis, or nodes of other choices.
        """
        try:
            await self._agree()
            while entries := await self._log.read():
                self._do(entries)
            await self._count()
        except AWAY as error:
            raise MisuseError(
                f"there is no Redis at {self._where}: {error}; start one, such as "
                "redis-server --appendonly yes --appendfsync always"
            ) from error

    async def __aenter__(self) -> Self:
        """Follow the log, and have votes counted."""
        self._serves = True
        self._tell([])
        for work in (self._follow(), self._work()):
            task = asyncio.create_task(work)
            task.add_done_callback(self._has_ended)
            self._tasks.append(task)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the other nodes to themselves."""
        for task in self._tasks:
            while not task.done():  # a cancellation may be lost on its way out of a client of Redis
                task.cancel()
                await asyncio.wait([task], timeout=PACE_S)

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        for client in (self._client, self._reader):
            await client.aclose()

    async def once(self, name: str, make: Callable[[], Awaitable[str]]) -> tuple[str, bool]:
        """Have something made by one of the nodes.

        Returns what was made, and whether it was made here. Who dies while making it leaves it to
        another after half a minute.
        """
        held, claim = f"{KEY}:{name}", f"{KEY}:{name}:claim"
        while True:
            found = await self._client.get(held)
            if found is not None:
                await self._in_step()
                return _text(found), False
            if await self._client.set(claim, self.name, nx=True, ex=30):
                made = await make()
                await self._client.set(held, made)
                return made, True
            await asyncio.sleep(ALIVE_S / 10.0)

    async def _in_step(self) -> None:
        """Wait until all is done here that is in the log now."""
        length = await self._pen.length()
        while self._position < length:  # noqa: ASYNC110 - for a moment, when a node begins
            await asyncio.sleep(PACE_S)

    # What the server asks

    async def write(self, write: Write) -> str:
        """Append what a producer asks for, and wait until it is done here.

        Raises what doing it raises, and BusyError when that cannot be known in time.
        """
        entry = Logged(uuid.uuid4().hex, write.now, write)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()
        self._waiting[entry.token] = done
        appending = asyncio.create_task(self._append(entry, loop.time() + WRITE_S))
        try:
            await asyncio.wait([done], timeout=WRITE_S)
            if done.done():
                return done.result()
        finally:
            del self._waiting[entry.token]
            appending.cancel()
        raise BusyError(
            "the nodes of this platform cannot agree now, for Redis is away; it may yet be done"
        )

    def count(self, connection: int, answer: Answer) -> None:
        """Take a client's answer; what becomes of it is told."""
        user = self._emulator.user(connection)
        vote = Vote(answer.element, user, answer.options, connection, answer.id)
        if self.away:
            self._say_busy([vote])
        else:
            self._votes.append(vote)
            self._work_to_do.set()

    # The log

    async def _agree(self) -> None:
        """See that all nodes have the same choices: else the same writes would do other things."""
        # Limits and keys of a node are its own affair, and keys are nobody else's.
        own = self._content.choices.model_dump_json(exclude={"limits", "player_keys"})
        await self._client.set(f"{KEY}:choices", own, nx=True)
        held = await self._client.get(f"{KEY}:choices")
        if held is not None and _text(held) != own:
            theirs, ours = json.loads(held), json.loads(own)
            names = sorted(name for name in ours if theirs.get(name) != ours[name])
            raise MisuseError(
                f"the other nodes have other choices ({', '.join(names)}): start every node with "
                "the same --choices, or this one on another Redis"
            )

    async def _append(self, entry: Logged, until: float) -> None:
        """Append an entry, however often that takes: it is done once."""
        attempt, loop = 0, asyncio.get_running_loop()
        while loop.time() < until:
            try:
                await self._pen.append(entry)
            except AWAY:
                await asyncio.sleep(_backoff(attempt))
                attempt += 1
            else:
                return

    async def _follow(self) -> None:
        attempt = 0
        while True:
            try:
                entries = await self._log.read(ALIVE_S)
            except AWAY:
                await asyncio.sleep(_backoff(attempt))
                attempt += 1
            else:
                attempt = 0
                self._do(entries)

    def _do(self, entries: Sequence[Logged]) -> None:
        for entry in entries:
            self._position += 1
            if entry.token not in self._done:
                self._done.add(entry.token)
                self._do_one(entry)
        ready = [vote for position, vote in self._held if position <= self._position]
        if ready:
            self._held = [each for each in self._held if each[0] > self._position]
            self._votes = ready + self._votes
        if entries:
            self._work_to_do.set()

    def _do_one(self, entry: Logged) -> None:
        """Do an entry of the log as every node does it."""
        self._time = now = max(self._time, entry.now)  # the clocks of nodes differ
        told = self._emulator.keep_schedule(now)
        about, failure = "", None
        if entry.write is not None:
            try:
                about, more = self._content.write(entry.write._replace(now=now))
                told += more
            except ContentError as error:
                failure = error
        for delivery in told:
            self._note_gate(delivery)
        if self._serves:
            self._tell(told)
        waiting = self._waiting.get(entry.token)
        if waiting is not None and not waiting.done():
            if failure is None:
                waiting.set_result(about)
            else:
                waiting.set_exception(failure)

    def _note_gate(self, delivery: Delivery) -> None:
        """Redis is to know which elements take votes."""
        match delivery.fact:
            case ElementPublished(element):
                element_id, state = element.id, "opened"
            case ElementStateChanged(element_id, state):
                pass
            case ElementRevoked(element_id):
                state = "revoked"
            case _:
                return
        settings = self._emulator.element(element_id).settings
        self._gates[element_id] = Gate(element_id, self._position, state, settings)

    # The votes

    async def _work(self) -> None:
        attempt = 0
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(self._work_at()):
                    await self._work_to_do.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(self._asked_at + PACE_S - loop.time())
            self._work_to_do.clear()
            try:
                await self._let_time_pass()
                await self._count()
            except AWAY as error:
                if not self.away:
                    logger.warning("Redis is away, votes are answered with busy: %s", error)
                self.away = True
                self._say_busy(self._votes)
                self._votes = []
                await asyncio.sleep(_backoff(attempt))
                attempt += 1
            else:
                if self.away:
                    logger.warning("Redis is back")
                self.away, attempt = False, 0
            if self._votes:
                self._work_to_do.set()

    def _work_at(self) -> float:
        """When there is something to ask even if nothing comes; on the event loop's clock."""
        loop = asyncio.get_running_loop()
        interval_s = ALIVE_S
        if self._emulator.uncounted():
            interval_s = max(PACE_S, min(interval_s, self._content.choices.results_interval_s))
        at = self._asked_at + interval_s
        scheduled_at = self._emulator.scheduled_at
        if scheduled_at is not None and scheduled_at != self._kept_at:
            at = min(at, loop.time() + scheduled_at - self._now())
        return at

    async def _let_time_pass(self) -> None:
        """What happens by itself happens when the log says so."""
        scheduled_at = self._emulator.scheduled_at
        if scheduled_at is not None and scheduled_at != self._kept_at:
            now = self._now()
            if scheduled_at <= now:
                await self._pen.append(Logged(uuid.uuid4().hex, now, None))
                self._kept_at = scheduled_at

    async def _count(self) -> None:
        """Bring votes, and take in what Redis knows; raises RedisError when it is away."""
        self._asked_at = asyncio.get_running_loop().time()
        votes, self._votes = self._votes[:VOTES_MAX], self._votes[VOTES_MAX:]
        gates, asked = list(self._gates.values()), self._emulator.uncounted()
        here = self._emulator.connections()
        now = self._now() if self._serves else 0.0
        position = self._position
        try:
            ledger = await self._book.count(votes, now=now, gates=gates, asked=asked, here=here)
        except BaseException:  # they are counted, or not: that is for their clients to find out
            self._say_busy(votes)
            raise
        if ledger.position < position:
            raise MisuseError(
                f"Redis at {self._where} has lost the show: was it started again without "
                "--appendonly yes? Start all nodes anew"
            )
        for gate in gates:
            if self._gates.get(gate.element_id) is gate:
                del self._gates[gate.element_id]
        told = self._decided(votes, ledger, behind=ledger.position > position)
        for element_id, tally in zip(asked, ledger.tallies, strict=True):
            if tally.state:
                final = tally.state == "closed" and element_id not in self._gates
                told += self._tallied(element_id, tally.votes, tally.voters, final=final)
        for (event_id, _), connections in zip(here, ledger.elsewhere, strict=True):
            self._emulator.connected_elsewhere(event_id, connections)
        if self._serves:
            self._tell(told)

    def _tallied(
        self, element_id: str, votes: Sequence[int], voters: int, *, final: bool
    ) -> list[Delivery]:
        try:
            return self._emulator.tally(element_id, votes, voters, final=final)
        except EmulatorError:  # it was deleted meanwhile
            return []

    def _decided(self, votes: Sequence[Vote], ledger: Ledger, *, behind: bool) -> list[Delivery]:
        """Tell clients what became of their votes, but for those that came too early."""
        told = list[Delivery]()
        for vote, reason in zip(votes, ledger.decisions, strict=True):
            if behind and reason in GATED:
                self._held.append((ledger.position, vote))
                continue
            about, answer_id = (vote.element_id, vote.options[0]), vote.answer_id
            fact = (
                AnswerAccepted(*about, answer_id)
                if reason is None
                else AnswerRefused(*about, reason, answer_id=answer_id)
            )
            told += self._emulator.answered(vote.connection, fact, self._now())
        return told

    def _say_busy(self, votes: Sequence[Vote]) -> None:
        told = list[Delivery]()
        for vote in votes:
            again_s = BUSY_S * (1.0 + random.random())
            fact = AnswerRefused(
                vote.element_id, vote.options[0], "busy", again_s, answer_id=vote.answer_id
            )
            told += self._emulator.answered(vote.connection, fact, self._now())
        if told:
            self._tell(told)

    def _has_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.failure = task.exception()
            logger.error("this node cannot go on: %s", self.failure)
            self.away = True
            self.ended.set()


def _client(url: str, name: str) -> Client:
    try:
        client: Client = Redis.from_url(
            url,
            client_name=name,
            protocol=2,
            socket_timeout=REDIS_TIMEOUT_S,
            socket_connect_timeout=REDIS_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # what is to be repeated is known here alone
        )
    except ValueError as error:
        raise MisuseError(
            f"that is no address of Redis; pass one such as redis://127.0.0.1:6379: {error}"
        ) from None
    return client


def _text(held: bytes | str) -> str:
    return held if isinstance(held, str) else held.decode()


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]


def _backoff(attempt: int) -> float:
    return backoff_s(attempt, first_s=BACKOFF_FIRST_S, cap_s=BACKOFF_CAP_S)
