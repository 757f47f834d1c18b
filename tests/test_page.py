"""The page of a report: what it says, that it stands by itself, and what it makes of odd runs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.charts import COLUMNS_MAX
from simulator.checks.evidence import Violation
from simulator.checks.findings import Findings
from simulator.markup import plain, times_as_many
from simulator.page import VIOLATIONS_MAX, page, peak, votes_per
from simulator.report import Report
from simulator.scenario import Fault, Scenario
from simulator.virtual import run_virtual
from tests.support.drawings import columns, row

OPTION = ("poll", 0)
VOID = {"meta", "br"}
"""Elements without an end."""


def report(**changed: Any) -> Report:
    """Make a report of a run that went well: 2,400 votes in two rounds of 100 s."""
    content: dict[str, Any] = {
        "scenario": Scenario(name="tried", players=1200, rounds=2, seed=70_001, round_time=100.0),
        "mode": "virtual",
        "rows": [row(1), row(2)],
        "violations": [],
        "findings": Findings(
            accepted={
                OPTION: {51_010: 500, 51_090: 200, 51_100: 500},
                ("poll", 1): {151_000: 700, 151_500: 500},
            }
        ),
        "votes_sent": 2412,
        "reconnects": 1300,
        "wall_s": 7.0456,
        "peak_rss_mb": 1234.56,
        "freshness": Counter({100: 98, 250: 2}),
    }
    return Report(**{**content, **changed})


AT_ONCE = report(
    scenario=Scenario(name="tried", players=1200, rounds=2, spread=0.0),
    findings=Findings(accepted={OPTION: {1_000: 12_000}, ("poll", 1): {101_000: 12_000}}),
)
"""The same show without a spread, with more votes."""


class Reader(HTMLParser):
    """Reads a page, and holds every element against its end."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.met = Counter[str]()
        self.attributes: list[tuple[str, str, str]] = []
        """(element, attribute, value)"""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.met[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that ends at once."""
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Hold an end against its beginning."""
        assert self.open.pop() == tag


def text_of(source: str) -> str:
    """What is read, in one line."""
    body = source.partition("<body>")[2]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def cells(source: str, label: str) -> list[list[str]]:
    """The cells of a table, by its label; heads first."""
    found = re.search(rf'aria-label="{label}".*?</table>', source, re.DOTALL)
    assert found is not None
    return [
        [text_of(f"<body>{cell}").strip() for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", line)]
        for line in re.findall(r"<tr>(.*?)</tr>", found[0])
    ]


def charts(source: str) -> list[ET.Element]:
    """The drawings that tell something."""
    drawings = [ET.fromstring(text) for text in re.findall(r"<svg.*?</svg>", source, re.DOTALL)]
    return [each for each in drawings if each.get("role") == "img"]


def failed() -> Report:
    """Make a report with a round that is wrong, one without an upper bound, and faults."""
    return report(
        scenario=Scenario(
            rounds=2, faults=(Fault(verdict="drop", share=0.00005),), healed=1, reinstall=0.1
        ),
        mode="sockets",
        rows=[
            row(1, must=900, high=None),
            row(2, counted=1210, low=1210, high=1210, difference=10),
        ],
        violations=[Violation(2, "must <= counted <= may", "counted 1210, must be 1200 to 1200")],
        latencies=Counter({70: 5}),
        verdicts=Counter(drop=3, later=12_345),
    )


def nobody() -> Report:
    """Make a report of a show to which nobody came."""
    zero = dict.fromkeys(("must", "may", "counted", "shown", "low"), 0)
    return report(
        scenario=Scenario(players=0),
        rows=[row(1, **zero, high=None)],
        findings=Findings(),
        votes_sent=0,
        freshness=Counter(),
    )


def sampled() -> Report:
    """Make a report of a show in which one of ten votes."""
    held = row(1, must=5000, may=5000, counted=5210, low=4802, high=5653, sample_rate=0.1)
    return report(rows=[held])


PAGES = {
    "calm": page(report(), replay="run it"),
    "both": page(report(), AT_ONCE),
    "failed": page(failed()),
    "nobody": page(nobody()),
    "nobody twice": page(nobody(), nobody()),
    "one of two": page(nobody(), AT_ONCE),
    "the other of two": page(AT_ONCE, nobody()),
    "sampled": page(sampled()),
    "100 rounds": page(report(scenario=Scenario(rounds=100), rows=[row(n) for n in range(1, 101)])),
    "nobody had to be": page(report(rows=[row(1, must=0)])),
    "no rows": page(report(rows=[])),
    "only before its time": page(report(freshness=Counter({-4: 1}))),
    "before its time": page(report(freshness=Counter({-1174: 3, 100: 9}))),
}
EVERY = pytest.mark.parametrize("source", PAGES.values(), ids=PAGES.keys())


# Arithmetic


def test_votes_fall_into_aligned_buckets() -> None:
    """Of all options together; a bucket begins at a multiple of its width."""
    findings = Findings(accepted={OPTION: {99: 1, 100: 2, 199: 4}, ("poll", 1): {100: 8, 200: 16}})
    assert votes_per(findings, 100) == {0: 1, 1: 14, 2: 16}
    assert votes_per(findings, 1000) == {0: 31}


def test_the_peak_is_the_fullest_bucket() -> None:
    """Which depends on the width; without votes it is 0."""
    findings = Findings(accepted={OPTION: {99: 5, 100: 6, 950: 7}})
    assert [peak(findings, ms) for ms in (1, 100, 500, 1000)] == [7, 7, 11, 18]
    assert peak(Findings(), 100) == 0


@given(st.dictionaries(st.integers(0, 10_000), st.integers(1, 50)), st.integers(1, 2000))
def test_no_vote_is_lost_in_buckets(times: dict[int, int], ms: int) -> None:
    """Buckets hold all votes, and the peak is at least their mean."""
    findings = Findings(accepted={OPTION: times})
    votes = votes_per(findings, ms)
    assert votes.total() == sum(times.values())
    assert peak(findings, ms) * len(votes) >= votes.total()


def test_a_tail_that_is_cut_is_told() -> None:
    """How much it is, and how far it goes."""
    times = {100: 980, 300: 15, 90_000: 5}
    source = page(report(freshness=Counter(times)))
    assert "all the rest: 0.5 % took 380 ms or more, 90,000 ms at most" in text_of(source)
    assert "all the rest" not in text_of(PAGES["calm"])


@pytest.mark.parametrize(
    ("more", "less", "told"),
    [(7200, 100, "72 times"), (98, 10, "9.8 times"), (5, 0, "–"), (0, 5, "0.0 times")],  # noqa: RUF001
)
def test_ratios(more: int, less: int, told: str) -> None:
    """No more digits than are of use."""
    assert times_as_many(more, less) == told


@pytest.mark.parametrize(
    ("number", "told"),
    [(0.1 + 0.2, "0.3"), (2.0, "2"), (86_400.0, "86,400"), (100_000_000, "100,000,000")],
)
def test_plain_numbers(number: float, told: str) -> None:
    """Without the noise of floats."""
    assert plain(number) == told


# Form


@EVERY
def test_the_page_is_well_formed(source: str) -> None:
    """Every element ends, drawings are XML, and there is one heading of the page."""
    assert source.startswith("<!DOCTYPE html>")
    met = Reader(source).met
    assert met["h1"] == met["title"] - source.count("<g><title>") == met["main"] == 1
    for drawing in re.findall(r"<svg.*?</svg>", source, re.DOTALL):
        ET.fromstring(drawing)


@EVERY
def test_the_page_is_light_and_dark(source: str) -> None:
    """All colours have two values; on paper they are the light ones."""
    light, dark = re.findall(r":root \{(.*?)\}", source, re.DOTALL)
    assert set(re.findall(r"--\w+:", light)) == set(re.findall(r"--\w+:", dark))
    assert source.count("@media screen and (prefers-color-scheme: dark) {\n  :root") == 1


@EVERY
def test_the_page_stands_by_itself(source: str) -> None:
    """Nothing is loaded, nothing is run."""
    reader = Reader(source)
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(reader.met)
    names = {name for _, name, _ in reader.attributes}
    assert not {name for name in names if name in {"src", "href", "srcset"} or name[:2] == "on"}
    assert not re.search(r"https?:|//|url\(|@import|javascript:", source)


@EVERY
def test_drawings_can_be_heard(source: str) -> None:
    """Each has a label that tells its figures; those of the key are hidden from readers."""
    for drawing in re.findall(r"<svg[^>]*>", source):
        told = re.search(r'role="img".*aria-label="[^"]*\d[^"]*"', drawing)
        assert told or 'aria-hidden="true"' in drawing


@EVERY
def test_wide_tables_scroll_by_themselves(source: str) -> None:
    """A table that may be wider than a phone stands in a box that scrolls, with keys too."""
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in source
    boxed = re.findall(r'<div class="scroll"[^>]*tabindex="0">\s*<table>', source)
    assert len(boxed) == source.count("<table>")


# What it says


def test_the_heading() -> None:
    """What was run, and how it went."""
    text = text_of(PAGES["calm"])
    assert cells(PAGES["calm"], "The run") == [
        ["rounds", "2, each of 100 s"],
        ["mode", "virtual time: network and clock are simulated"],
        ["seed", "70001"],
    ]
    assert "OK : every round is counted right, and no rule was broken." in text
    assert "To run it again: run it" in text
    assert "<title>tried: OK</title>" in PAGES["calm"]


def figures(source: str) -> dict[str, str]:
    """The figures at the top of a page: what -> how many."""
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", source))


def test_a_glance_is_enough() -> None:
    """The verdict comes first, then the few figures that people ask for."""
    source = PAGES["calm"]
    assert figures(source) == {
        "rounds counted right": "2 of 2",
        "players": "1,200",
        "votes accepted": "2,400",
        "votes in a second, at most": "1,200",
        "until a vote is read, p99": "250 ms",
    }
    places = [source.index(each) for each in ("<h1>", 'class="verdict', 'class="glance"', "<h2>")]
    assert places == sorted(places)


def test_a_glance_does_not_flatter() -> None:
    """A round in which a rule was broken is not right; what was not measured is not there."""
    broken = report(violations=[Violation(1, "rule", "text")], freshness=Counter())
    told = figures(page(broken))
    assert told["rounds counted right"] == "1 of 2"
    assert "until a vote is read, p99" not in told
    assert figures(PAGES["failed"])["rounds counted right"] == "1 of 2"


def test_what_is_not_told_is_left_out() -> None:
    """A scenario without a name has one made up; without a line to run it again none is shown."""
    text = text_of(PAGES["failed"])
    assert text.startswith(" A show of 2 rounds ")
    assert "run it again" not in text
    assert "None" not in text


def test_a_failed_run() -> None:
    """Every rule that was broken, and the rounds, also in the picture and the table."""
    source = PAGES["failed"]
    assert "FAILED in round 2. Broken:" in text_of(source)
    assert "round 2: must <= counted <= may counted 1210, must be 1200 to 1200" in text_of(source)
    assert "OK" not in text_of(source)
    assert re.findall(r'">(\d)</th><td class="(bad )?number"', source) == [("1", ""), ("2", "bad ")]
    assert len(charts(source)[0].findall(".//path[@class='broken']")) == 1
    assert "Rules were broken in round 2." in charts(source)[0].attrib["aria-label"]


def test_a_failed_run_of_many_rounds() -> None:
    """All rounds are named; the list ends somewhere."""
    broken = [Violation(1 + n % 3, "rule", f"text {n}") for n in range(VIOLATIONS_MAX + 1001)]
    text = text_of(page(report(violations=broken)))
    assert "FAILED in rounds 1, 2, 3." in text
    assert f"text {VIOLATIONS_MAX - 1} " in text
    assert f"text {VIOLATIONS_MAX} " not in text
    assert "And 1,001 more." in text


def test_the_table_of_rounds() -> None:
    """All figures, and a dash where no bound is claimed."""
    assert cells(PAGES["failed"], "Players of each round") == [
        ["round", "must", "may", "counted", "shown", "low", "high", "difference"],
        ["1", "900", "1,200", "1,200", "1,200", "1,200", "–", "0"],  # noqa: RUF001
        ["2", "1,200", "1,200", "1,210", "1,200", "1,210", "1,210", "+10"],
    ]
    assert cells(PAGES["calm"], "Players of each round")[0] == [
        *("round", "must", "may", "counted", "shown"),  # an interval of one number is no news
        "difference",
    ]
    assert cells(PAGES["sampled"], "Players of each round")[0][5:7] == ["low", "high"]
    assert "no upper bound is claimed" in text_of(PAGES["failed"])
    assert "no upper bound is claimed" not in text_of(PAGES["calm"])


def test_a_sample_is_explained() -> None:
    """How many vote, and what the bounds are."""
    assert "A sample votes: 10 % of the players." in text_of(PAGES["sampled"])
    assert "A sample votes" not in text_of(PAGES["calm"])


def test_more_counted_than_players_is_explained() -> None:
    """By new players, and by hostile peers."""
    assert "An app that is installed anew" in text_of(PAGES["failed"])
    hostile = text_of(page(report(scenario=Scenario(players=1200, hostile=0.05))))
    assert "Beside the players, 60 hostile peers did what they could" in hostile
    assert "Beside the players" not in text_of(PAGES["calm"])


def test_the_peaks_of_one_run() -> None:
    """In a tenth of a second, and in a second."""
    text = text_of(PAGES["calm"])
    assert "Votes spread over 30 s, the platform takes at most 700 votes in 0.1 s" in text
    assert "1,200 in 1 s (in whole tenths of a second, and whole seconds" in text
    assert len(charts(PAGES["calm"])) == 3
    label = charts(PAGES["calm"])[1].attrib["aria-label"]
    assert label.endswith(": 2,400 votes in 101 s, at most 700 in 0.1 s.")


def test_the_peaks_of_two_runs() -> None:
    """Beside each other, with the ratio."""
    assert cells(PAGES["both"], "Peaks of the votes") == [
        ["most votes", "in 0.1 s", "in 1 s"],
        ["Without a spread", "12,000", "12,000"],
        ["Votes spread over 30 s", "700", "1,200"],
        ["Ratio", "17 times", "10 times"],
    ]


def test_a_run_without_votes_beside_one_with() -> None:
    """Nothing of it can be made larger."""
    assert len(charts(PAGES["one of two"])) == 2


def test_two_runs_have_one_scale() -> None:
    """So that heights compare; the lower is drawn again, larger."""
    source = PAGES["both"]
    _, at_once, spread, larger, _ = charts(source)
    highest = max(high for _, high in columns(at_once, "second"))
    assert [high for _, high in columns(at_once, "second")] == [highest, highest]
    assert max(high for _, high in columns(spread, "first")) == pytest.approx(
        highest * 0.7 / 12, abs=0.2
    )
    assert max(high for _, high in columns(larger, "first")) > highest / 2
    titles = re.findall(r"<h3>(.*?)</h3>", source)
    assert titles[:3] == [
        "Without a spread: votes per 0.1 s",
        "Votes spread over 30 s: votes per 0.1 s",
        "Votes spread over 30 s: the same on a scale of its own",
    ]
    assert "The first two pictures have the same scale." in text_of(source)


def test_runs_that_are_alike_are_not_drawn_again() -> None:
    """Two pictures say it."""
    source = page(report(), report())
    assert len(charts(source)) == 4
    assert "Both pictures have the same scale." in text_of(source)


def test_a_long_run_has_as_many_columns_as_can_be_seen() -> None:
    """Each as high as the highest tenth of a second in it, and it is said so."""
    findings = Findings(accepted={OPTION: dict.fromkeys(range(0, 3_000_000, 100), 1)})
    source = page(report(findings=findings))
    assert len(columns(charts(source)[1], "first")) == COLUMNS_MAX
    assert "Each column stands for 10 s, and is as high as the highest 0.1 s" in text_of(source)


def test_delays() -> None:
    """The percentiles in words, in the label, and in the picture."""
    source = PAGES["calm"]
    text = text_of(source)
    assert "Half of them take at most 100 ms (p50), 99 of 100 at most 250 ms (p99)." in text
    assert "100 measurements." in text
    assert "How soon votes were answered was not measured in this run." in text
    chart = charts(source)[-1]
    assert chart.attrib["aria-label"].endswith(": p50 100 ms, p99 250 ms.")
    assert {"p50 100 ms", "p99 250 ms"} < {each.text for each in chart.findall("text")}
    assert len(chart.findall("path[@class='at']")) == 2


def test_latencies() -> None:
    """Beside the freshness, where they were measured."""
    text = text_of(PAGES["failed"])
    assert "From a vote's cast to its answer Half of them take at most 70 ms" in text
    assert "not measured" not in text


def test_nobody_came() -> None:
    """It is said, and nothing is drawn."""
    text = text_of(PAGES["nobody"])
    assert "OK : no rule was broken, but there was nobody to be counted." in text
    assert "No vote was accepted." in text
    assert "How soon players read a count was not measured: that takes votes" in text
    assert charts(PAGES["nobody"]) == []


def test_what_the_network_did() -> None:
    """In words, sorted; nothing done is said, and so is nothing known."""
    assert cells(PAGES["failed"], "Verdicts")[1:] == [
        ["lost", "3"],
        ["late, with all that followed on the connection", "12,345"],
    ]
    assert "No message was lost, doubled, overtaken or held up" in text_of(PAGES["calm"])
    unknown = page(report(mode="sockets"))
    assert "What became of single messages was not counted" in text_of(unknown)


def test_the_figures_of_the_run() -> None:
    """With separators, and no more digits than mean something."""
    assert cells(PAGES["calm"], "Figures") == [
        ["votes sent", "2,412"],
        ["votes accepted", "2,400"],
        ["reconnects", "1,300"],
        ["the run took", "7.0 s"],
        ["peak memory", "1,235 MB"],
    ]


def test_the_scenario() -> None:
    """What differs from the defaults, then all."""
    source = PAGES["failed"]
    assert cells(source, "Fields that differ from the defaults") == [
        ["field", "value", "default"],
        ["rounds", "2", "10"],
        ["reinstall", "0.1", "0"],
        ["faults", "0.005 % lost (all messages)", "none"],
        ["healed", "1", "0"],
    ]
    held = dict(cells(source, "All fields")[1:])
    assert list(held) == list(Scenario.model_fields)
    assert held["latency_ms"] == "20, 60"
    assert held["without_spread"] == "no"
    later = report(scenario=Scenario(faults=(Fault(verdict="later", share=0.02),), healed=1))
    told = dict(cells(page(later), "All fields")[1:])["faults"]
    assert (
        told == "2 % late, with all that followed on the connection, by 1 s at most (all messages)"
    )
    assert "All fields have their defaults." in text_of(page(report(scenario=Scenario())))


# Hostile text, and sameness

HOSTILE = "<script>alert('1')</script>\"><img src=x onerror=y> & <b>"


def test_what_others_wrote_is_text() -> None:
    """A name, a description, a rule, a finding, a verdict and a line to run it: none is HTML."""
    bad = report(
        scenario=Scenario(name=HOSTILE, description=HOSTILE),
        violations=[Violation(1, HOSTILE, HOSTILE)],
        verdicts=Counter({HOSTILE: 1}),
    )
    source = page(bad, bad, replay=HOSTILE)
    met = Reader(source).met
    assert not {"script", "img", "b"} & set(met)
    assert text_of(source).count("<script>alert('1')</script>") == 8  # name and description twice
    assert source.count("<title>&lt;script&gt;") == 1


@given(st.text(max_size=40))
def test_any_name_is_shown(name: str) -> None:
    """As it was written."""
    source = page(nobody() if not name else replace(nobody(), scenario=Scenario(name=name)))
    heading = re.search(r"<h1>(.*?)</h1>", source, re.DOTALL)
    assert heading is not None
    assert not re.search("[<>\"']", heading[1])
    if name and "\r" not in name and name.isprintable():
        assert unescape(heading[1]) == name


def test_the_same_run_is_the_same_page() -> None:
    """But for how long it took, and the memory."""
    scenario = Scenario(name="again", players=20, rounds=2, drop=0.3, healed=1)
    first, second = (replace(run_virtual(scenario), wall_s=1.0, peak_rss_mb=1.0) for _ in range(2))
    assert page(first, second, replay="line") == page(second, first, replay="line")
    slower = page(replace(first, wall_s=2.0, peak_rss_mb=3.0))
    changed = [
        (one, other)
        for one, other in zip(page(first).split("\n"), slower.split("\n"), strict=True)
        if one != other
    ]
    assert [re.sub("<.*?>", " ", one).split() for one, _ in changed] == [
        ["the", "run", "took", "1.0", "s"],
        ["peak", "memory", "1", "MB"],
    ]


def test_the_order_of_what_was_found_does_not_matter() -> None:
    """Counts that were added up in another order are the same page."""
    one, other = Counter(drop=1, later=2), Counter(later=2, drop=1)
    turned = Findings(accepted={("poll", 1): {151_000: 1200}, OPTION: {51_100: 500, 51_010: 700}})
    straight = Findings(accepted={OPTION: {51_010: 700, 51_100: 500}, ("poll", 1): {151_000: 1200}})
    ages, again = Counter({100: 98, 250: 2}), Counter({250: 2, 100: 98})
    first = report(verdicts=one, findings=straight, freshness=ages)
    assert page(first) == page(report(verdicts=other, findings=turned, freshness=again))
