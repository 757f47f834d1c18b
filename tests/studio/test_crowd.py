"""The crowd by hand: real players on a served platform, who come and go as they are told."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from poll_counter import MisuseError
from simulator.emulator import Emulator, Entry
from simulator.scenario import Scenario
from simulator.server import LiveServer
from simulator.show import Show, prepare
from simulator.studio import crowd as module
from simulator.studio.crowd import HOSTILE_MAX, PLAYERS_MAX, Crowd
from tests.support.waiting import until


class Made:
    """A crowd at a platform with two shows."""

    def __init__(self, server: LiveServer, log: list[Entry]) -> None:
        self.server = server
        self.emulator = server.emulator
        self.log = log
        self.shows = [
            prepare(self.emulator, Scenario(rounds=2, spread=0.0), name) for name in ("one", "two")
        ]
        self.crowd = Crowd(server.url, draw=lambda: 0.0)

    def start(self, show: Show) -> None:
        """Start a show, with its hidden poll."""
        self.server.act(self.emulator.start, show.event_id)
        self.server.act(self.emulator.publish, show.polls[0])

    async def arrived(self, many: int, show: Show | None = None) -> None:
        """Wait until so many are connected, and know it."""
        event_id = (show or self.shows[0]).event_id
        await until(lambda: self.emulator.connected(event_id) == many)
        await until(lambda: self.crowd.connected == many - self.crowd.hostile)


@pytest.fixture
async def made(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Made]:
    """A crowd of nobody, which follows the first show, and joins and reconnects at once."""
    monkeypatch.setattr(module, "JOINS_PER_S", 1e6)
    monkeypatch.setattr(module, "RECONNECT_S", 0.01)
    log = list[Entry]()
    async with LiveServer(Emulator(results_interval_s=0.01, log=log)) as server:
        made = Made(server, log)
        await made.crowd.follow("one")
        yield made
        await made.crowd.leave()


async def test_players_come_and_are_counted(made: Made) -> None:
    """Each votes by itself in the hidden poll."""
    assert made.crowd.add(5) == "5 players joining: 5 run in this process."
    await made.arrived(5)
    made.start(made.shows[0])
    await until(lambda: made.emulator.votes(made.shows[0].polls[0])[0] == 5)
    assert made.crowd.add(1) == "1 player joining: 6 run in this process."
    await until(lambda: made.emulator.votes(made.shows[0].polls[0])[0] == 6)


async def test_players_leave_for_good(made: Made) -> None:
    """As many as there are; of nobody nobody can leave."""
    made.crowd.add(3)
    await made.arrived(3)
    assert "2 players left" in made.crowd.remove(2)
    await made.arrived(1)
    assert "1 player left" in made.crowd.remove(2)
    await made.arrived(0)
    with pytest.raises(MisuseError, match="no player in this process"):
        made.crowd.remove(1)


async def test_one_process_has_room_for_so_many(made: Made) -> None:
    """More are refused, all of them, with what to do instead; those to come have their room."""
    made.crowd.add_late(PLAYERS_MAX - 1, trivia_is_open=False)
    with pytest.raises(MisuseError, match=r"room for 1 more. .* from another terminal"):
        made.crowd.add(2)
    assert made.crowd.players == 0


async def test_the_system_has_room_for_so_many(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends of every connection are asked for; where that is refused, nobody joins."""
    asked = list[int]()

    def allow(connections: int) -> None:
        asked.append(connections)
        if connections > 2 * (5 + HOSTILE_MAX):
            raise MisuseError("more than this machine allows")

    monkeypatch.setattr(module, "allow_descriptors", allow)
    made.crowd.add(2)
    made.crowd.add_late(3, trivia_is_open=False)
    with pytest.raises(MisuseError, match="more than this machine allows"):
        made.crowd.add(1)
    assert asked == [2 * (players + HOSTILE_MAX) for players in (2, 5, 6)]
    assert (made.crowd.players, made.crowd.waits) == (2, 3)


async def test_late_players_come_amid_the_next_trivia(made: Made) -> None:
    """Or amid the one that is open; until then they are not there, and may stay away."""
    told = made.crowd.add_late(3, trivia_is_open=False)
    assert told == "3 players will come late to the next trivia."
    assert "1 player left" in made.crowd.remove(1)
    assert (made.crowd.waits, made.crowd.players) == (2, 0)
    made.crowd.trivia_opened()
    await made.arrived(2)
    assert made.crowd.waits == 0
    assert "from the next round on" in made.crowd.add_late(1, trivia_is_open=True)
    await made.arrived(3)


async def test_some_are_dropped_and_come_back(made: Made) -> None:
    """Their connections end, at least one; who is not connected cannot be dropped."""
    with pytest.raises(MisuseError, match="none can be dropped"):
        made.crowd.drop(0.3)
    made.crowd.add(10)
    await made.arrived(10)
    assert "3 connections cut" in made.crowd.drop(0.3)
    await until(lambda: sum(entry.kind == "left" for entry in made.log) == 3)
    await made.arrived(10)
    assert "1 connections cut" in made.crowd.drop(0.01)


async def test_links_are_slow_for_a_third(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens to their messages is known, also of who has left; then all is good again."""
    made.crowd.add(3)
    await made.arrived(3)
    assert "1 player on a slow link" in made.crowd.slow_links(slow=True)
    made.start(made.shows[0])  # a draw of 0: every message is late, by 0 s
    await until(lambda: made.crowd.disturbances)
    (user,) = made.crowd.disturbances
    assert made.crowd.slow
    made.crowd.add(1)
    await until(lambda: len(made.crowd.disturbances) == 2)
    assert made.crowd.slow_links(slow=False) == "All links are good again."
    await made.arrived(4)
    made.crowd.remove(4)
    assert user in made.crowd.disturbances
    assert not made.crowd.slow


async def test_hostile_peers_try_what_they_can(made: Made) -> None:
    """They are as many as is said, whoever they claim to be, and no players."""
    assert made.crowd.set_hostile(4).startswith("4 hostile")
    await made.arrived(4)
    made.start(made.shows[0])
    await until(lambda: any(entry.kind == "refused" for entry in made.log))
    assert (made.crowd.hostile, made.crowd.players, made.crowd.connected) == (4, 0, 0)
    assert made.crowd.hostile_users >= {f"hostile-{number}-0" for number in range(4)}
    made.crowd.set_hostile(1)
    await made.arrived(1)
    assert made.crowd.set_hostile(0) == "No hostile peer is left."
    await made.arrived(0)
    with pytest.raises(MisuseError, match=f"0 to {HOSTILE_MAX}"):
        made.crowd.set_hostile(HOSTILE_MAX + 1)


async def test_the_crowd_follows_to_the_next_show(made: Made) -> None:
    """All players and hostile peers; each player is who it was, on links as they were."""
    made.crowd.add(3)
    made.crowd.set_hostile(1)
    made.crowd.slow_links(slow=True)
    await made.arrived(4)
    made.crowd.add_late(2, trivia_is_open=False)
    users = {entry.user for entry in made.log if entry.kind == "joined"}
    made.log.clear()
    await made.crowd.follow("two")
    await made.arrived(4, made.shows[1])
    await until(lambda: made.emulator.connected("one") == 0)
    assert {entry.user for entry in made.log if entry.kind == "joined"} == users
    assert (made.crowd.hostile, made.crowd.slow, made.crowd.waits) == (1, True, 0)
    made.start(made.shows[1])
    await until(lambda: made.emulator.votes(made.shows[1].polls[0])[0] == 4)


async def test_a_show_that_is_over_is_left(made: Made) -> None:
    """Players go home by themselves, and are there again for the next show."""
    made.crowd.add(2)
    await made.arrived(2)
    made.start(made.shows[0])
    made.server.act(made.emulator.stop, "one")
    await made.arrived(0)
    assert made.crowd.players == 2
    await made.crowd.follow("two")
    await made.arrived(2, made.shows[1])
