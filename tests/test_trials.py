"""The table of trials: what is measured, that harm is seen, and that the faults do none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import pytest
from rich.console import Console

from poll_counter import RoundCount
from poll_counter.commands import CastVote, Command
from poll_counter.facts import Fact
from poll_counter.machine import Machine
from simulator import trials as trying
from simulator.checks import Evidence, Observation, Violation
from simulator.checks.recovery import Kind, Moment, moments, recoveries, settled_at
from simulator.emulator import Entry
from simulator.scenario import Scenario
from simulator.trials import TRIALS, Outcome, Trial, Trials, print_trials, run_trials, try_
from simulator.world import World
from tests.test_planted_bugs import AcceptsAgain

VIRTUAL = [trial for trial in TRIALS if trial.mode == "virtual"]
SOCKETS = {trial.fault: trial for trial in TRIALS if trial.mode == "sockets"}


def trial(fault: str) -> Trial:
    """The trial of a fault in virtual time."""
    (found,) = [each for each in VIRTUAL if each.fault == fault]
    return found


# The trials


@pytest.mark.untraced
@pytest.mark.parametrize("each", VIRTUAL, ids=lambda each: each.fault)
def test_a_fault_in_virtual_time_does_no_harm(each: Trial) -> None:
    """It happened, nothing is lost or doubled, every count is right, and again in bounded time."""
    found = try_(each, quick=True)
    assert found.broken == []
    assert (found.lost, found.doubled, found.count_error) == (0, 0, 0)
    assert found.times > 0
    assert found.ok
    assert max(found.recovery_s) < 10.0


@pytest.mark.parametrize("fault", ["all connections cut at once", "server restarts"])
def test_a_fault_on_sockets_does_no_harm(fault: str) -> None:
    """Two of them here; the command tries all."""
    found = try_(SOCKETS[fault], quick=True)
    assert found.ok, found
    assert found.mode == "sockets"


def test_there_are_faults_enough() -> None:
    """At least fifteen kinds, each once in its mode."""
    assert len({(each.fault, each.mode) for each in TRIALS}) == len(TRIALS)
    assert len({each.fault for each in TRIALS}) >= 15


class Mute(Machine):
    """Casts no vote."""

    def receive(self, fact: Fact, now: float) -> tuple[Command, ...]:
        """Swallow every vote."""
        return tuple(c for c in super().receive(fact, now) if not isinstance(c, CastVote))

    def wake(self, now: float) -> tuple[Command, ...]:
        """Swallow every vote."""
        return tuple(c for c in super().wake(now) if not isinstance(c, CastVote))


def test_votes_that_never_come_are_lost() -> None:
    """Sixty players, six rounds: every vote that had to be counted, and counts off by all."""
    found = try_(trial("connections lost")._replace(make=Mute), quick=True)
    assert not found.ok
    assert found.lost > 200
    assert found.count_error >= 58
    assert found.doubled == 0


def test_votes_that_count_twice_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the platform takes a vote that comes twice, the log says so."""
    world = partial(World, make_emulator=AcceptsAgain)
    monkeypatch.setattr(trying, "World", world)
    found = try_(trial("messages repeated"), quick=True)
    assert found.doubled > 0
    assert not found.ok


@pytest.mark.untraced
def test_votes_on_their_way_when_an_app_ends_are_told_apart() -> None:
    """Without acknowledgements they are not sent again; the slower the network, the more are."""
    once = trial("apps restart, unacknowledged")
    once = once._replace(scenario={**once.scenario, "latency_ms": (100, 200)})
    found = try_(once)
    assert found.ok
    assert found.excused == 6
    strict = try_(once._replace(acknowledged=True))
    assert (strict.lost, strict.count_error, strict.excused, strict.ok) == (6, 1, 0, False)


def test_only_apps_that_ended_are_excused() -> None:
    """Who never votes is lost, whether votes are acknowledged or not."""
    once = trial("apps restart, unacknowledged")._replace(make=Mute)
    found = try_(once, quick=True)
    assert found.lost > 200
    assert 0 < found.excused <= found.times


def test_shows_of_a_trial_add_up() -> None:
    """Numbers are added, of errors and times the greatest counts, and harm is never lost."""
    broken = Violation(2, "a rule", "how")
    one = Outcome("a fault", "virtual", 3, 0, 1, 0, 1, [0.5, 2.0], [])
    two = Outcome("a fault", "virtual", 4, 2, 0, 1, 0, [1.0], [broken])
    both = one + two
    assert both.as_dict() == {
        "fault": "a fault",
        "mode": "virtual",
        "times": 7,
        "lost": 2,
        "excused": 1,
        "doubled": 1,
        "count_error": 1,
        "recovery_s": 2.0,
        "recovery_median_s": 1.0,
        "broken": [broken._asdict()],
        "ok": False,
    }


GOOD = Outcome("a fault", "virtual", 3, 0, 0, 0, 0, [0.5], [])


@pytest.mark.parametrize(
    "bad",
    [
        Outcome("lost", "virtual", 3, 1, 0, 0, 0, [0.5], []),
        Outcome("doubled", "virtual", 3, 0, 0, 1, 0, [0.5], []),
        Outcome("off", "virtual", 3, 0, 0, 0, 1, [0.5], []),
        Outcome("broken", "virtual", 3, 0, 0, 0, 0, [0.5], [Violation(1, "a rule", "how")]),
        Outcome("never happened", "virtual", 0, 0, 0, 0, 0, [0.5], []),
        Outcome("never measured", "virtual", 3, 0, 0, 0, 0, [], []),
    ],
    ids=lambda bad: bad.fault,
)
def test_any_harm_fails(bad: Outcome) -> None:
    """Nor is a fault that did not happen, or was not measured, one that did no harm."""
    assert Trials([GOOD], 1.0).ok
    trials = Trials([GOOD, bad], 1.0)
    assert not trials.ok
    told = json.loads(trials.as_json())
    assert (told["ok"], len(told["trials"])) == (False, 2)
    assert {"fault", "times", "lost", "doubled", "count_error", "recovery_s"} <= told["trials"][
        0
    ].keys()
    console = Console(width=100)
    with console.capture() as capture:
        print_trials(trials, console)
    assert capture.get().splitlines()[-1] == f"FAILED: {bad.fault} (virtual)"


def test_for_people_it_is_a_table_and_a_verdict() -> None:
    """Each fault a line; what was broken, and what was on its way, after it."""
    one = Outcome("a fault", "virtual", 3, 0, 2, 0, 0, [0.5, 1.5, 2.0], [])
    console = Console(width=100)
    with console.capture() as capture:
        print_trials(Trials([one], 2.0), console)
    lines = capture.get().splitlines()
    assert lines[1].split() == ["a", "fault", "virtual", "3", "0", "0", "0", "1.50", "2.00"]
    assert lines[3].startswith("a fault: 2 missing beside, of players whose app ended")
    assert lines[-2:] == [
        "1 faults tried in 2.0 s",
        "OK: nothing is lost but what is said above and nothing is doubled",
    ]


def test_progress_is_told() -> None:
    """Who watches learns what came of each, in order."""
    told: list[Outcome] = []
    trials = run_trials(VIRTUAL[-2:], quick=True, show_progress=told.append)
    assert told == trials.outcomes
    assert [each.fault for each in told] == [each.fault for each in VIRTUAL[-2:]]


# Recovery


def entry(at: float, kind: str, user: str = "", element: str = "", detail: str = "") -> Entry:
    """A line of the log."""
    return Entry(at, kind, "show", user=user, element_id=element, detail=detail)  # type: ignore[arg-type]


LOG = [
    entry(1.0, "joined", "ann"),
    entry(2.0, "joined", "bob"),
    entry(10.0, "event", detail="active"),
    entry(10.0, "published", element="poll"),
    entry(11.0, "joined", "cid"),
    entry(12.0, "left", "ann"),
    entry(13.0, "joined", "ann"),
    entry(14.0, "published", element="t1"),
    entry(15.0, "revoked", element="t1"),
    entry(16.0, "published", element="t1"),
    entry(17.0, "closed", element="t1"),
    entry(18.0, "published", element="poll-1"),
    entry(19.0, "left", "bob"),
    entry(20.0, "published", element="t2"),
    entry(22.0, "closed", element="t2"),
    entry(22.0, "event", detail="finished"),
    entry(30.0, "left", "ann"),
]
EVIDENCE = Evidence(
    scenario=Scenario(rounds=2, healed=1),
    log=LOG,
    pages=[["poll", "poll-1"]],
    trivia=["t1", "t2"],
    latency_s=0.1,
)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("losses", [(12.0, "ann")]),
        ("joins", [(11.0, "cid")]),
        ("heal", [(17.0, None)]),
        ("revocations", [(15.0, None)]),
        ("replacements", [(18.0, None)]),
        ("rounds", [(10.0, None), (15.0, None), (17.0, None)][:2]),
    ],
)
def test_the_log_says_when_faults_ended(kind: Kind, expected: Sequence[tuple[float, str]]) -> None:
    """Of who came back, late or not; nothing before or after the show."""
    assert moments(EVIDENCE, kind) == [Moment(*each) for each in expected]


def reads(*told: tuple[float, int, int], connected: bool = True) -> Observation:
    """What a player read."""
    counts: dict[int, RoundCount] = {}
    return Observation(connected, undisturbed=True, counts=counts, shown={}, told=told)


def test_a_count_is_right_when_it_has_its_last_number() -> None:
    """Numbers that are told again do not count, other rounds neither."""
    observation = reads((11.0, 1, 4), (12.5, 1, 6), (13.0, 1, 6), (18.0, 2, 7))
    assert settled_at(observation, 1) == 12.5
    assert settled_at(observation, 2) == 18.0
    assert settled_at(observation, 3) == 0.0


def test_recovery_is_that_of_the_slowest_it_happened_to() -> None:
    """Of a player's own fault the player's; who was gone in the end is not asked."""
    observations = {
        "ann": reads((11.0, 1, 4), (13.5, 1, 6), (18.0, 2, 7)),
        "bob": reads((12.5, 1, 6), (19.0, 2, 7)),
        "cid": reads((16.5, 1, 6), connected=False),
    }
    find = partial(recoveries, EVIDENCE, observations)
    assert find([Moment(12.0, "ann")]) == [1.5]
    assert find([Moment(12.0, "bob")]) == [0.5]
    assert find([Moment(12.0)]) == [1.5]
    assert find([Moment(16.0)]) == [0.0]
    assert find([Moment(17.0)]) == [2.0]
    assert find([Moment(12.0, "cid"), Moment(9.0), Moment(22.0)]) == []
