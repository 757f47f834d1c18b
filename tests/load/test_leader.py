"""The leader tells who is invited where, and the stage how the whole crowd is."""

from __future__ import annotations

import pytest

from simulator.load.leader import CLOCKS_APART_S, Leader
from simulator.load.words import (
    Arrived,
    Begin,
    Come,
    Failure,
    Glance,
    Here,
    Invite,
    KeepTime,
    Lost,
    Open,
    Over,
    Ready,
    Said,
    Samples,
    Seats,
    Tell,
    Verdict,
    Word,
)
from simulator.scenario import Scenario

OPEN = Open(url="ws://127.0.0.1:1", event_id="E")
UNIX = 1_700_000_000.0


class Led:
    """A leader, and all that it said."""

    def __init__(self, scenario: Scenario | None = None, expected: int = 2) -> None:
        self.scenario = scenario or Scenario(players=5, late=0.2, arrive=1.0)
        self.told: list[tuple[str, Word]] = []
        self.staged: list[Word] = []
        self.now = 100.0
        self.leader = Leader(
            self.scenario,
            expected,
            lambda name, word: self.told.append((name, word)),
            self.staged.append,
        )

    def hear(self, name: str, *words: Word) -> None:
        """Let a follower say words."""
        for word in words:
            self.leader.heard(name, word, self.now, UNIX)

    def hear_stage(self, *words: Word) -> None:
        """Let the stage say words."""
        for word in words:
            self.leader.staged(word, self.now)

    def begin(self) -> None:
        """Let two followers be ready on an open stage."""
        self.hear_stage(OPEN)
        for name in ("A", "B"):
            self.hear(name, Here(at=UNIX), Ready())
        self.told.clear()
        self.staged.clear()

    def to(self, name: str) -> list[Word]:
        """What a follower was told."""
        return [word for each, word in self.told if each == name]

    def failure(self) -> Failure:
        """Why it failed."""
        assert self.leader.verdict is not None
        (failure,) = self.leader.verdict.failures
        return failure


# Coming together


def test_followers_come_when_the_stage_is_open() -> None:
    """Whoever says hello before it waits; whoever says it after it is bidden at once."""
    led = Led()
    led.hear("A", Here(at=UNIX))
    assert led.told == []
    led.hear_stage(OPEN)
    led.hear("B", Here(at=UNIX))
    come = Come(url=OPEN.url, event_id="E", scenario=led.scenario)
    assert led.told == [("A", come), ("B", come)]


def test_the_crowd_arrives_when_all_are_ready() -> None:
    """Until then no user is due; the one who comes later is told since when."""
    led = Led()
    led.hear_stage(OPEN)
    led.hear("A", Here(at=UNIX), Ready())
    assert (led.leader.due(led.now), led.to("A")[1:]) == (0, [])
    led.hear("B", Here(at=UNIX), Ready())
    assert led.to("A")[1:] == led.to("B")[1:] == [Begin(arriving_s=0.0)]
    assert led.leader.due(led.now) == 4
    led.now += 2.5
    led.hear("C", Here(at=UNIX), Ready())
    assert led.to("C")[1:] == [Begin(arriving_s=2.5)]
    assert led.leader.followers == {"A", "B", "C"}


def test_users_are_due_as_the_show_goes_on() -> None:
    """The latecomer is, too, when its time is near."""
    led = Led(Scenario(players=5, late=0.2, arrive=1.0, round_time=60.0))
    (late,) = (plan.join_at for plan in led.scenario.plans() if plan.join_at >= 0.0)
    led.begin()
    led.now += 50.0
    assert led.leader.due(led.now) == 4
    led.hear_stage(KeepTime(at=late - 10.0))
    assert led.leader.due(led.now) == 4
    assert led.leader.due(led.now + 10.0) == 5


# Who lives where


def test_every_user_gets_the_next_player() -> None:
    """First come, first served; users beyond the players get none."""
    led = Led()
    led.begin()
    led.hear("A", Seats(more=2))
    led.hear("B", Seats(more=2))
    led.hear("A", Seats(more=9))
    led.hear("B", Seats(more=1))
    order = led.leader._ramp.players
    assert led.told == [
        ("A", Invite(players=tuple(order[:2]))),
        ("B", Invite(players=tuple(order[2:4]))),
        ("A", Invite(players=(order[4],))),
    ]


# How the crowd is


def test_the_stage_is_told_how_all_are_together() -> None:
    """And once, when everybody who is not late has been connected."""
    led = Led()
    led.begin()
    led.hear("A", Glance(arrived=3, connected=2, playing=3, votes_accepted=1))
    assert led.staged == [Glance(arrived=3, connected=2, playing=3, votes_accepted=1)]
    led.hear("B", Glance(arrived=1, connected=1, playing=1, votes_accepted=5))
    led.hear("B", Glance(arrived=1, connected=0, playing=1, votes_accepted=6))
    assert led.staged[1:] == [
        Glance(arrived=4, connected=3, playing=4, votes_accepted=6),
        Arrived(),
        Glance(arrived=4, connected=2, playing=4, votes_accepted=7),
    ]


def test_a_crowd_of_latecomers_has_arrived_when_it_may() -> None:
    """There is nobody to wait for: the show may begin."""
    led = Led(Scenario(players=2, late=1.0), expected=1)
    led.hear_stage(OPEN)
    led.hear("A", Here(at=UNIX), Ready())
    assert led.staged == [Glance(), Arrived()]


def test_it_is_over_when_all_have_come_and_gone() -> None:
    """Not before the show, and not while somebody is still to be invited."""
    led = Led()
    led.begin()
    led.hear("A", Seats(more=4), Glance(playing=0))
    assert Over() not in led.staged
    led.hear_stage(KeepTime(at=1.0))
    led.hear("A", Glance(playing=0))
    assert Over() not in led.staged
    led.hear("B", Seats(more=1), Glance(playing=1))
    assert Over() not in led.staged
    led.hear("B", Glance(playing=0))
    led.hear("A", Glance(playing=0))
    assert led.staged.count(Over()) == 1


# Orders, and what is said in the end


def test_what_the_stage_orders_reaches_all_who_are_ready() -> None:
    """Who is not ready could not obey."""
    led = Led()
    led.begin()
    led.hear("C", Here(at=UNIX))
    led.told.clear()
    led.hear_stage(KeepTime(at=1.5), Tell())
    assert led.told == [
        ("A", KeepTime(at=1.5)),
        ("B", KeepTime(at=1.5)),
        ("A", Tell()),
        ("B", Tell()),
    ]
    led.hear("C", Ready())
    assert led.to("C") == [Begin(arriving_s=0.0), Tell()]


def test_statements_are_passed_on_and_the_last_is_told() -> None:
    """Whose is whose does not matter; that all have spoken does."""
    led = Led()
    led.begin()
    led.hear("A", Said(statement="1", last=False), Said(statement="2", last=True))
    assert led.staged == [Said(statement="1", last=False), Said(statement="2", last=False)]
    led.hear("B", Said(statement="3", last=True))
    assert led.staged[2:] == [Said(statement="3", last=False), Said(statement="", last=True)]


def test_the_verdict_is_the_stages() -> None:
    """The first one."""
    led = Led()
    led.begin()
    right, wrong = Verdict(text="right"), Verdict(text="wrong")
    led.hear_stage(right, wrong)
    assert led.leader.verdict == right


# What goes wrong


@pytest.mark.parametrize("apart_s", [CLOCKS_APART_S + 0.1, -CLOCKS_APART_S - 0.1])
def test_clocks_that_disagree_end_the_run(apart_s: float) -> None:
    """What players read could not be held against the log."""
    led = Led()
    led.hear("A", Here(at=UNIX + apart_s))
    assert led.failure().rule == "clocks agree"
    assert f"A is {-apart_s:.1f} s off" in led.failure().text
    near = Led()
    near.hear("A", Here(at=UNIX + CLOCKS_APART_S - 0.1))
    assert near.leader.verdict is None


def test_a_part_of_the_crowd_that_is_lost_ends_the_run() -> None:
    """Whether it says so itself, or others do; not when it has said all that it saw."""
    led = Led()
    led.begin()
    led.hear("A", Said(statement="1", last=True))
    led.leader.lost("A", "gone")
    led.leader.lost("nobody", "gone")
    assert led.leader.verdict is None
    led.hear("B", Lost(why="no memory"))
    assert led.failure() == Failure(rule="no part of the crowd is lost", text="B: no memory")


def test_a_stage_that_is_lost_ends_the_run() -> None:
    """Nothing can be said without its log."""
    led = Led()
    led.hear_stage(Lost(why="a port is taken"))
    assert led.failure() == Failure(rule="the platform stays up", text="a port is taken")


def test_who_does_not_say_hello_is_not_listened_to() -> None:
    """It has something left to say of the show before."""
    led = Led()
    led.begin()
    led.hear("Z", Seats(more=1), Glance(arrived=4), Lost(why="that show is over"))
    assert (led.told, led.staged, led.leader.verdict) == ([], [], None)


def test_what_is_said_to_the_wrong_one_changes_nothing() -> None:
    """Followers and the stage have words of their own."""
    led = Led()
    led.begin()
    led.hear("A", Samples(samples=()), Over(), Tell())
    led.hear_stage(Ready(), Seats(more=1))
    assert (led.told, led.staged, led.leader.verdict) == ([], [], None)
