"""Whole shows over real sockets: right crowds pass, and broken ones are found out."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from io import StringIO
from typing import Any, cast

import pytest
from rich.console import Console
from rich.table import Table

from poll_counter import MisuseError, PlatformError
from poll_counter.commands import CastVote
from poll_counter.elements import SPREAD_FIELD, Element, Recognise
from poll_counter.facts import EventStateChanged, Fact, Welcomed
from simulator import sockets
from simulator.checks.evidence import disturbed
from simulator.emulator import Entry
from simulator.report import Report
from simulator.scenario import Scenario
from simulator.sockets import run_sockets
from simulator.swarm import PlayerTransport, Swarm, TransportFactory
from tests.support.double_voters import double_voters

IN_BOUNDS = "must <= counted <= may"
UNSEEN = "no vote for a round whose waiting phase was not seen"
ONCE = "once per (poll, option)"
VOTED = "who must be counted has voted"


async def run(scenario: Scenario, broken: type[PlayerTransport] | None = None) -> Report:
    """Run a show, with a broken crowd if one is given, and look for what it leaves behind."""
    threads = threading.active_count()
    report = await (run_sockets(scenario, made_of(broken)) if broken else run_sockets(scenario))
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert threading.active_count() <= threads  # one of an earlier test may end meanwhile
    return report


def made_of(broken: type[PlayerTransport]) -> TransportFactory:
    """Make players' transports of a class."""

    def make(url: str | Sequence[str], scenario: Scenario) -> PlayerTransport:
        return broken(url, reconnect_first_s=scenario.reconnect_s)

    return make


def rules(report: Report, rounds: Iterable[int]) -> dict[int, set[str]]:
    """The rules that were broken in these rounds."""
    found: dict[int, set[str]] = {round_: set() for round_ in rounds}
    for violation in report.violations:
        if violation.round in found:
            found[violation.round].add(violation.rule)
    return found


# Right crowds


async def test_an_undisturbed_crowd_is_counted_exactly() -> None:
    """Everybody must be, may be and is counted in every round, with one vote each."""
    report = await run(Scenario(players=20, rounds=3, options_per_poll=3, round_time=0.6))
    assert report.violations == []
    assert report.ok
    for number, row in enumerate(report.rows, start=1):
        assert (row.round, row.must, row.may, row.counted) == (number, 20, 20, 20)
        assert (row.low, row.high, row.sample_rate, row.difference) == (20, 20, 1.0, 0)
    assert report.votes_sent == report.votes_accepted == 60
    assert report.reconnects == 0
    assert report.wall_s > 0.0
    assert report.freshness_ms is not None
    assert 0.0 <= report.freshness_ms["p50"] <= report.freshness_ms["p99"]


async def test_a_calm_show_also_shows_the_right_number() -> None:
    """With a second beyond the spread, what the audience is shown is the whole crowd."""
    scenario = Scenario(players=20, rounds=1, round_time=3.35)
    assert scenario.is_calm
    report = await run(scenario)
    assert report.ok
    assert (report.rows[0].shown, report.rows[0].counted) == (20, 20)


async def test_a_disturbed_crowd_is_counted_within_its_bounds() -> None:
    """With some late, some leaving and some dropping, bounds are apart and counts between them."""
    scenario = Scenario(
        players=20, rounds=3, round_time=1.0, seed=96, drop=0.4, leave=0.3, late=0.4
    )
    report = await run(scenario)
    assert report.violations == []
    assert report.reconnects == sum(len(plan.cuts) for plan in scenario.plans()) == 8
    for row in report.rows:
        assert 0 < row.must <= row.counted <= row.may < scenario.players
    assert any(row.must < row.may for row in report.rows)


async def test_rounds_go_on_over_two_polls() -> None:
    """The last of five rounds is counted by the second poll."""
    report = await run(Scenario(players=10, rounds=5, options_per_poll=4, round_time=0.5))
    assert report.violations == []
    assert [(row.round, row.counted) for row in report.rows] == [(n, 10) for n in range(1, 6)]


async def test_a_show_without_players_is_right() -> None:
    """Nobody must be counted, and nobody is."""
    report = await run(Scenario(players=0, rounds=1, round_time=0.2))
    assert report.ok
    assert (report.rows[0].must, report.rows[0].may, report.rows[0].counted) == (0, 0, 0)
    assert (report.votes_sent, report.freshness_ms) == (0, None)


async def test_a_show_that_is_changed_is_counted_right() -> None:
    """Trivia pulled and taken back, the poll replaced, by the same steps as in virtual time."""
    scenario = Scenario(
        players=10, rounds=2, round_time=1.0, pulled=(1,), taken_back=(2,), replaced=(2,)
    )
    report = await run(scenario)
    assert report.violations == []
    assert [(row.must, row.may, row.counted) for row in report.rows] == [(10, 10, 10)] * 2
    (first,) = {poll for poll, option in report.findings.accepted if option == 0}
    (other,) = {poll for poll, _ in report.findings.accepted} - {first}
    assert report.findings.votes((first, 0)) == report.findings.votes((other, 1)) == 10
    assert [each[:2] for each in report.publications] == [
        ("poll", 0),
        ("trivia", 1),
        ("trivia", 1),
        ("poll", 0),
        ("trivia", 2),
        ("trivia", 2),
    ]
    assert (report.mode, report.latencies) == ("sockets", {})
    assert report.peak_rss_mb > 10.0


async def test_who_watches_is_not_counted() -> None:
    """And nobody has to wait for its votes."""
    report = await run(Scenario(players=10, rounds=1, round_time=0.6, watch=0.4))
    assert report.ok
    assert [(row.must, row.may, row.counted) for row in report.rows] == [(6, 6, 6)]
    assert report.findings.staying == 6


# What is written down


async def test_what_the_network_did_is_known_by_connection() -> None:
    """Also what it did to apps that were started again since, and under another id."""
    swarm = Swarm("ws://127.0.0.1:1", "show", Scenario(players=1))
    (player,) = swarm.players
    transports = [PlayerTransport("ws://127.0.0.1:1") for _ in range(3)]
    transports[0].disturbances = [2.0, 2.5]
    transports[1].disturbances = [9.0]
    transports[2].disturbances = [12.5]
    player.transports = list(zip(("ann", "ann", "bob"), transports, strict=True))

    def entry(at: float, kind: str, connection: int, user: str) -> Entry:
        return Entry(at, cast("Any", kind), "show", connection, user)

    log = [
        entry(1.0, "joined", 1, "ann"),
        entry(3.0, "left", 1, "ann"),
        entry(4.0, "joined", 2, "ann"),
        entry(6.0, "left", 2, "ann"),
        entry(7.0, "joined", 3, "ann"),
        entry(8.0, "joined", 4, "eve"),
        entry(12.0, "joined", 5, "bob"),
    ]
    told = await swarm.make_statement()
    assert disturbed(log, told.disturbances) == {1: 2.0, 3: 9.0, 5: 12.5}


# Broken crowds

BROKEN = Scenario(players=10, rounds=2, round_time=0.5)


class Mute(PlayerTransport):
    """Never votes."""

    async def send(self, vote: CastVote) -> None:
        """Swallow the vote."""


async def test_a_crowd_that_never_votes_is_found_out() -> None:
    """Everybody must be counted and nobody is."""
    report = await run(BROKEN, Mute)
    assert not report.ok
    assert [(r.must, r.may, r.counted, r.difference) for r in report.rows] == [(10, 10, 0, -10)] * 2
    assert rules(report, (1, 2)) == {1: {IN_BOUNDS, VOTED}, 2: {IN_BOUNDS, VOTED}}
    assert report.violations[0] == (1, IN_BOUNDS, "counted 0, must be 10 to 10")
    assert report.votes_accepted == 0


class TooFar(PlayerTransport):
    """Votes for the option of the round after."""

    async def send(self, vote: CastVote) -> None:
        """Vote one option too far."""
        await super().send(replace(vote, option=vote.option + 1))


async def test_a_crowd_that_votes_one_option_too_far_is_found_out() -> None:
    """Round 1 is not counted at all, and the rounds after it before they began."""
    report = await run(BROKEN, TooFar)
    assert not report.ok
    assert rules(report, (1, 2, 3)) == {1: {IN_BOUNDS, VOTED}, 2: {UNSEEN}, 3: {UNSEEN}}


class Twice(PlayerTransport):
    """Sends every vote two times."""

    async def send(self, vote: CastVote) -> None:
        """Vote, and vote again."""
        await super().send(vote)
        await super().send(vote)


async def test_a_crowd_that_votes_twice_is_found_out() -> None:
    """The platform keeps the count right, and still the votes are too many, in both polls."""
    rounds = range(1, 6)
    scenario = Scenario(players=10, rounds=5, options_per_poll=4, round_time=0.25)
    report = await run(scenario, Twice)
    assert not report.ok
    assert rules(report, rounds) == {round_: {ONCE} for round_ in rounds}
    assert [row.difference for row in report.rows] == [0] * 5


class Blind(PlayerTransport):
    """Takes no notice, on its first connection, of a trivia that is open; and votes at once."""

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Give a snapshot of the waiting phase that was before, and then the real one."""
        first = True
        async with aclosing(super().facts(event_id, player_id)) as facts:
            async for fact in facts:
                if first and isinstance(fact, Welcomed):
                    first = False
                    elements = tuple(_at_once(e) for e in fact.elements if _not_open(e))
                    yield replace(fact, elements=elements)
                yield fact


def _not_open(element: Element) -> bool:
    return not (Recognise().is_trivia(element) and element.state == "opened")


def _at_once(element: Element) -> Element:
    return replace(element, custom_fields={**element.custom_fields, SPREAD_FIELD: 0})


async def test_a_crowd_that_votes_for_rounds_it_came_late_for_is_found_out() -> None:
    """Those who come while a trivia is open vote for its round, and are named."""
    scenario = Scenario(players=20, rounds=2, round_time=1.0, seed=164, late=1.0)
    joins = [divmod(plan.join_at, 1.0) for plan in scenario.plans()]
    while_open = [1 + int(finished) for finished, at in joins if 0.63 < at < 0.8]
    assert min(while_open.count(1), while_open.count(2)) >= 4
    report = await run(scenario, Blind)
    assert not report.ok
    found = rules(report, (1, 2))
    assert UNSEEN in found[1]
    assert UNSEEN in found[2]
    assert all(rule in {UNSEEN, IN_BOUNDS} for rule in found[1] | found[2])


async def test_players_who_vote_under_a_second_id_are_found_out() -> None:
    """To the platform they are two players each; the crowd is known to have fewer."""
    report = await run_sockets(Scenario(players=30, rounds=1, round_time=0.6), double_voters(10))
    assert [violation[:2] for violation in report.violations] == [
        (0, "there are no more ids than players")
    ]
    assert (report.rows[0].counted, report.findings.ids) == (33, 33)


# What may go wrong with a run itself


class Failing(PlayerTransport):
    """Breaks off for good with its first fact."""

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Give the snapshot and fail."""
        async with aclosing(super().facts(event_id, player_id)) as facts:
            yield await anext(facts)
            raise ValueError("a mistake")


@pytest.mark.parametrize("players", [1, 2])
async def test_a_mistake_in_the_crowd_is_not_taken_for_silence(players: int) -> None:
    """A client that breaks off breaks the run off, instead of making a bad report.

    Of two players the second has not arrived when the first fails, and never will.
    """
    with pytest.raises(ExceptionGroup) as caught:
        await run_sockets(Scenario(players=players, rounds=1, round_time=0.2), made_of(Failing))
    assert caught.group_contains(PlatformError, match="a mistake")
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Away(PlayerTransport):
    """Never gets in."""

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Wait for ever."""
        await asyncio.Event().wait()
        yield Welcomed("upcoming", ())


async def test_a_crowd_that_does_not_arrive_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The show does not begin without those who are to be there."""
    monkeypatch.setattr(sockets, "ARRIVAL_TIMEOUT_S", 0.05)
    with pytest.raises(MisuseError, match="of the crowd are in"):
        await run_sockets(Scenario(players=2), made_of(Away))
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Clinging(PlayerTransport):
    """Does not hear that the event is over."""

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[Fact, None]:
        """Leave the end out."""
        async with aclosing(super().facts(event_id, player_id)) as facts:
            async for fact in facts:
                if not isinstance(fact, EventStateChanged) or fact.state != "finished":
                    yield fact


async def test_clients_that_do_not_leave_are_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that misses the end of the event does not hold up the report for ever."""
    monkeypatch.setattr(sockets, "FAREWELL_S", 0.05)
    report = await run(Scenario(players=2, rounds=1, round_time=0.2), Clinging)
    assert report.votes_accepted >= 2


# What is shown while it runs


async def test_the_live_table_follows_the_show() -> None:
    """The crowd arrives, waits and plays; votes and counts are seen to grow."""
    tables = list[Table]()
    scenario = Scenario(players=5, rounds=2, round_time=1.0)
    report = await run_sockets(scenario, show_live=tables.append)
    assert report.ok
    texts = [_text(table) for table in tables]
    assert "players arrive, 0 of 2 s" in texts[0]
    assert "connected  0\n" in texts[0]
    for phase in ("waiting", "playing"):
        assert any(f"{phase}, " in text for text in texts)
    assert any("connected  5\n" in text for text in texts)
    assert any("votes  5\n" in text for text in texts)
    assert any(re.search(r"players  5\b", text) for text in texts)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def _text(table: Table) -> str:
    console = Console(width=100, file=StringIO())
    console.print(table)
    assert isinstance(console.file, StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


async def test_a_crowd_that_leaves_nobody_to_ask_is_not_called_miscounted() -> None:
    """When everybody has left there is no count to judge; the verdict says so, and fails."""
    report = await run(Scenario(players=3, rounds=1, round_time=0.4, leave=1.0))
    assert [v.rule for v in report.violations] == ["an observer stays to the end"]
