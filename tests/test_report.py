"""Reports: the exact strings that a run prints, and the keys of its JSON."""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from simulator.checks import Row, Violation
from simulator.checks.findings import Findings
from simulator.options import make_parser, read_scenario
from simulator.report import (
    CrowdReport,
    Report,
    by_round,
    live_table,
    options_line,
    peak_rss_mb,
    print_crowd,
    print_report,
)
from simulator.scenario import Scenario
from simulator.show import Publication

ROWS = [
    Row(1, 1200, 1200, 1200, 1199, low=1200, high=1200, sample_rate=1.0, difference=0),
    Row(2, 1100, 1200, 1099, 1000, low=1099, high=None, sample_rate=1.0, difference=-1),
]
VIOLATIONS = [
    Violation(2, "must <= counted <= may", "counted 1099, must be 1100 to 1200"),
    Violation(4, "once per (poll, option)", "3 votes cast again"),
]


def report(**changed: Any) -> Report:
    """Make a report of a run that went well."""
    content: dict[str, Any] = {
        "scenario": Scenario(players=1200, rounds=2, seed=7, drop=0.25),
        "mode": "sockets",
        "rows": ROWS[:1],
        "violations": [],
        "findings": Findings(accepted={("P", 0): {5: 1200}, ("P", 1): {7: 100, 9: 1100}}),
        "votes_sent": 2412,
        "reconnects": 1300,
        "wall_s": 7.0456,
        "peak_rss_mb": 71.25,
        "freshness": Counter({126: 98, 251: 2}),
    }
    return Report(**{**content, **changed})


def console() -> Console:
    """Make a console that keeps what is printed."""
    return Console(width=100, file=StringIO())


def printed(it: Console) -> list[str]:
    """The lines printed, without the blanks at their ends."""
    assert isinstance(it.file, StringIO)
    return [line.rstrip() for line in it.file.getvalue().splitlines()]


def rendered(renderable: RenderableType) -> list[str]:
    """The lines of something that can be printed."""
    it = console()
    it.print(renderable)
    return printed(it)


# The report of a run


def test_a_good_report() -> None:
    """The table of rounds, the totals, the freshness and the verdict."""
    it = console()
    print_report(report(), it)
    assert printed(it) == [
        " round   must    may  counted  shown  difference",
        "     1  1,200  1,200    1,200  1,199           0",
        "",
        "2,400 votes accepted of 2,412 sent, 1,300 reconnects, 7.0 s",
        "a vote is in the count that players read after 126 ms, p99 251 ms",
        "OK: every round is counted right",
    ]


def test_a_report_of_several_processes() -> None:
    """The loop and the processes are told, also in the line that runs it again."""
    it = console()
    print_report(report(violations=VIOLATIONS, loop="uvloop", processes=2), it)
    lines = printed(it)
    assert "1,300 reconnects, 7.0 s on uvloop in 2 processes" in "\n".join(lines)
    assert lines[-1] == f"    {AGAIN} --processes 2"


AGAIN = (
    "python -m simulator --players 1200 --rounds 2 --seed 7 --round-time 2 --leave 0 --drop 0.25 "
    "--late 0"
)


def test_a_failed_report() -> None:
    """Every rule that was broken, in which rounds, and the one line that runs it again."""
    it = console()
    print_report(report(rows=ROWS, violations=VIOLATIONS, freshness=Counter()), it)
    assert printed(it) == [
        " round   must    may  counted  shown  difference",
        "     1  1,200  1,200    1,200  1,199           0",
        "     2  1,100  1,200    1,099  1,000          -1",
        "",
        "round 2: broken: must <= counted <= may",
        "    counted 1099, must be 1100 to 1200",
        "round 4: broken: once per (poll, option)",
        "    3 votes cast again",
        "2,400 votes accepted of 2,412 sent, 1,300 reconnects, 7.0 s",
        "FAILED in round 2, 4; run it again with",
        "    " + AGAIN,
    ]


def test_a_round_that_is_named_once() -> None:
    """Two rules broken in one round are one round in the verdict."""
    it = console()
    print_report(report(violations=[VIOLATIONS[0], VIOLATIONS[0]]), it)
    assert "FAILED in round 2; run it again with" in printed(it)


def test_the_line_that_runs_it_again_is_one_line() -> None:
    """It is copied to a shell, so a narrow terminal does not break it."""
    it = Console(width=40, file=StringIO())
    print_report(report(violations=VIOLATIONS), it)
    assert f"    {options_line(report().scenario)}" in printed(it)


def test_another_job_has_another_line_that_runs_it_again() -> None:
    """As it was given, whatever is in a path."""
    it, line = console(), "python -m simulator run 'my [red]show.toml' --mode virtual"
    print_report(report(violations=VIOLATIONS), it, replay=line)
    assert printed(it)[-1] == f"    {line}"


def test_colours_are_for_terminals() -> None:
    """A round that is wrong stands out, and so does the verdict."""
    it = Console(
        width=100, file=StringIO(), force_terminal=True, color_system="standard", highlight=False
    )
    print_report(report(rows=ROWS, violations=VIOLATIONS), it)
    lines = printed(it)
    assert [number for number, line in enumerate(lines) if "\x1b[31m" in line] == [2, 4, 6]
    assert "\x1b[1;31mFAILED in round 2, 4; run it again with" in "".join(lines)
    print_report(report(), it)
    assert printed(it)[-1] == "\x1b[1;32mOK: every round is counted right\x1b[0m"


# JSON

KEYS = {
    *("ok", "mode", "scenario", "seed", "players", "rounds", "violations"),
    *("votes_sent", "votes_accepted", "reconnects", "wall_s", "peak_rss_mb", "freshness_ms"),
    *("publications", "loop", "processes"),
}
"""What is promised to scripts."""


def test_the_json_has_the_keys_promised() -> None:
    """Scripts read these, and no others are there that they might come to rely on."""
    assert set(json.loads(report().as_json())) == KEYS


PUBLICATIONS = [
    Publication("poll", 0, 3.06),
    Publication("trivia", 1, 41.25),
    Publication("trivia", 2, 4.4),
]


def test_a_report_says_how_late_publications_were() -> None:
    """The median and the most for people, each for scripts; a virtual run publishes at once."""
    it = console()
    print_report(report(publications=PUBLICATIONS), it)
    told = "3 publications through the Control API, 4 ms late, 41 ms at most"
    assert printed(it)[-2] == told
    held = json.loads(report(publications=PUBLICATIONS).as_json())
    assert held["publications"] == [
        {"kind": "poll", "number": 0, "late_ms": 3.1},
        {"kind": "trivia", "number": 1, "late_ms": 41.2},
        {"kind": "trivia", "number": 2, "late_ms": 4.4},
    ]
    assert json.loads(report().as_json())["publications"] == []


def test_the_json_has_what_was_found() -> None:
    """Figures as numbers, rounds and violations as objects."""
    text = report(rows=ROWS[1:], violations=VIOLATIONS[:1]).as_json()
    assert "\n" not in text
    held = json.loads(text)
    assert {key: held[key] for key in KEYS} == {
        "ok": False,
        "mode": "sockets",
        "scenario": "",
        "seed": 7,
        "players": 1200,
        "rounds": [
            {
                "round": 2,
                "must": 1100,
                "may": 1200,
                "counted": 1099,
                "shown": 1000,
                "low": 1099,
                "high": None,
                "sample_rate": 1.0,
                "difference": -1,
            }
        ],
        "violations": [
            {
                "round": 2,
                "rule": "must <= counted <= may",
                "text": "counted 1099, must be 1100 to 1200",
            }
        ],
        "votes_sent": 2412,
        "votes_accepted": 2400,
        "reconnects": 1300,
        "loop": None,
        "processes": 1,
        "wall_s": 7.046,
        "peak_rss_mb": 71.2,
        "publications": [],
        "freshness_ms": {"p50": 126.0, "p99": 251.0},
    }


def test_the_json_of_a_run_that_went_well() -> None:
    """No violations is ok; without observers there is no freshness."""
    held = json.loads(report(freshness=Counter()).as_json())
    assert (held["ok"], held["violations"], held["freshness_ms"]) == (True, [], None)


def test_the_json_names_the_scenario_and_the_clock() -> None:
    """So that results of several runs can be told apart."""
    held = json.loads(report(scenario=Scenario(name="calm"), mode="virtual").as_json())
    assert (held["scenario"], held["mode"]) == ("calm", "virtual")


# What reports are made of


def test_votes_are_told_by_round() -> None:
    """Of the last poll of every page, which is the one that counted; by millisecond."""
    accepted = {
        ("A", 0): {1: 1},
        ("B", 0): {1: 2, 5: 3},
        ("B", 1): {6: 4},
        ("C", 1): {9: 5},
        ("D", 0): {9: 6},
    }
    scenario = Scenario(rounds=4, options_per_poll=2)
    pages = (("A", "B"), ("C",))
    found = by_round(scenario, pages, Findings(accepted=accepted))
    assert found == {1: {1: 2, 5: 3}, 2: {6: 4}, 4: {9: 5}}


@pytest.mark.parametrize(("platform", "unit"), [("linux", 2**10), ("darwin", 2**20)])
def test_the_most_memory_is_told_in_megabytes(
    platform: str, unit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systems count it in kilobytes, or in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    monkeypatch.setattr(sys, "platform", platform)
    assert peak_rss_mb() == pytest.approx(peak / unit, rel=0.2)


# The line that runs it again


def parsed(line: str) -> Scenario:
    """The scenario that a command line runs."""
    python, dash_m, module, *arguments = line.split()
    assert [python, dash_m, module] == ["python", "-m", "simulator"]
    parser = make_parser()
    return read_scenario(parser, parser.parse_args(arguments))


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(),
        Scenario(players=5, rounds=3, seed=99, round_time=0.6, leave=0.125, drop=0.3, late=1.0),
        Scenario(players=100_000, rounds=100, seed=2**63, round_time=3600.0),
    ],
)
def test_the_options_run_the_same_scenario(scenario: Scenario) -> None:
    """What is printed, parsed again, is what was run."""
    assert parsed(options_line(scenario)) == scenario


@settings(max_examples=50, derandomize=True, deadline=None)
@given(
    scenario=st.builds(
        Scenario,
        players=st.integers(0, 100_000),
        rounds=st.integers(1, 100),
        seed=st.integers(0, 2**64),
        round_time=st.floats(0.2, 3600.0),
        leave=st.floats(0.0, 1.0),
        drop=st.floats(0.0, 1.0),
        late=st.floats(0.0, 1.0),
    )
)
def test_the_options_run_any_scenario_again(scenario: Scenario) -> None:
    """Also rates and times with many digits: a rate rounded may choose another player."""
    assert parsed(options_line(scenario)) == scenario


# The live table


def test_the_live_table() -> None:
    """How far the show is, who is there, and the counts so far."""
    table = live_table(
        phase="waiting", elapsed_s=5.0, total_s=20.0, connected=1200, votes=3456, counts=["12", "-"]
    )
    assert rendered(table) == [
        "     show  ########----------------------",
        "           waiting, 5 of 20 s",
        "connected  1,200",
        "    votes  3,456",
        "  players  12 -",
    ]


@pytest.mark.parametrize(
    ("elapsed_s", "total_s", "bar", "text"),
    [
        (-1.0, 10.0, "-" * 30, "0 of 10 s"),
        (0.0, 10.0, "-" * 30, "0 of 10 s"),
        (10.0, 10.0, "#" * 30, "10 of 10 s"),
        (12.0, 10.0, "#" * 30, "12 of 10 s"),
        (0.0, 0.0, "#" * 30, "0 of 0 s"),
    ],
)
def test_the_bar_of_the_live_table_stays_in_its_frame(
    elapsed_s: float, total_s: float, bar: str, text: str
) -> None:
    """Before the show it is empty, and after it full."""
    table = live_table(
        phase="over", elapsed_s=elapsed_s, total_s=total_s, connected=0, votes=0, counts=[]
    )
    lines = rendered(table)
    assert lines[0] == f"     show  {bar}"
    assert lines[1] == f"           over, {text}"
    assert lines[4] == "  players  -"


# The report of a crowd

CROWD = CrowdReport(
    counts={1: 1200, 2: 900},
    violations=[],
    stats={"players": 1200, "votes_sent": 2100, "votes_accepted": 2099, "reconnects": 3},
)


def test_what_a_crowd_saw() -> None:
    """The counts of every round, and the totals."""
    it = console()
    print_crowd(CROWD, it)
    assert CROWD.ok
    assert printed(it) == [
        " round  players counted",
        "     1            1,200",
        "     2              900",
        "1,200 players, 2,100 votes sent, 2,099 votes accepted, 3 reconnects",
    ]


def test_what_a_crowd_found_wrong() -> None:
    """Its players did not agree."""
    it = console()
    crowd = CrowdReport({}, [Violation(2, "all observers hold the same count", "held 1, 2")], {})
    print_crowd(crowd, it)
    assert not crowd.ok
    assert printed(it)[-3:] == [
        "round 2: broken: all observers hold the same count",
        "    held 1, 2",
        "",
    ]


def test_the_json_of_a_crowd() -> None:
    """One object: the counts, what was wrong, and the totals."""
    assert json.loads(CROWD.as_json()) == {
        "ok": True,
        "mode": "crowd",
        "rounds": [{"round": 1, "counted": 1200}, {"round": 2, "counted": 900}],
        "violations": [],
        "players": 1200,
        "votes_sent": 2100,
        "votes_accepted": 2099,
        "reconnects": 3,
    }
