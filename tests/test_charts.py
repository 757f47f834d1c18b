"""The drawings of the page: that all is at its place, inside, and can be read and heard."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.charts import (
    COLUMNS_MAX,
    COLUMNS_MIN,
    MARKS,
    Bins,
    Series,
    _at,
    _Plot,
    _step,
    _top,
    _unit,
    column_size,
    common_length,
    duration,
    histogram,
    mark,
    most,
    panel,
    plural,
    reaches,
    rounds_chart,
)
from simulator.checks.freshness import percentiles
from simulator.checks.judge import Row
from tests.support.drawings import columns, row


def rounds(*rows: Row, broken: tuple[int, ...] = ()) -> ET.Element:
    """Draw rounds."""
    return ET.fromstring(rounds_chart(rows, broken))


def votes(buckets: Mapping[int, int], highest: int | None = None) -> ET.Element:
    """Draw votes over time, by default on a scale of their own."""
    series = Series.of("Spread", "first", buckets)
    top = series.highest if highest is None else highest
    return ET.fromstring(panel("Votes", series, length=common_length([series]), highest=top))


def delays(times: Mapping[int, int]) -> ET.Element:
    """Draw how long things took: milliseconds -> how many."""
    shares = percentiles(times)
    assert shares is not None
    return ET.fromstring(histogram("Delays", Bins.of(times, shares["p99"]), shares))


FAILED = rounds(
    row(1, must=900, high=None),
    row(2, counted=1210, low=1210, high=1210, difference=10),
    broken=(2,),
)
HUNDRED = rounds(*(row(number) for number in range(1, 101)))
TWO_ROUNDS = votes({510: 700, 511: 500, 1510: 700, 1515: 500})
DRAWN = {
    "calm": rounds(row(1), row(2)),
    "failed": FAILED,
    "100 rounds": HUNDRED,
    "nobody had to be": rounds(row(1, must=0)),
    "millions": rounds(row(1, high=3_000_000)),
    "votes": TWO_ROUNDS,
    "votes far below the scale": votes({0: 1, 7: 3}, 12_000),
    "no votes beside some": votes({}, 12_000),
    "a long run": votes(dict.fromkeys(range(30_000), 1)),
    "delays": delays({100: 98, 250: 2}),
    "a long tail": delays({100: 980, 300: 15, 90_000: 5}),
    "only before its time": delays({-4: 1}),
    "before its time": delays({-1174: 3, 100: 9}),
}
EVERY = pytest.mark.parametrize("chart", DRAWN.values(), ids=DRAWN.keys())
SIZES = st.integers(0, 3_000_000)


# Arithmetic


@given(st.dictionaries(st.integers(0, 100), st.integers(1, 50), min_size=1), st.integers(1, 40))
def test_columns_keep_the_peak(buckets: dict[int, int], size: int) -> None:
    """However many buckets a column stands for, the highest is seen."""
    series = Series.of("", "first", buckets)
    assert max(series.columns(size)) == series.highest == max(buckets.values())
    assert len(series.columns(size)) == -(-series.length // size)


@given(st.integers(1, 10**6))
def test_columns_can_be_told_apart(length: int) -> None:
    """They are never more than there can be, and of no more buckets than they must."""
    size = column_size(length)
    assert -(-length // size) <= COLUMNS_MAX
    assert size == 1 or length > (size - 1) * COLUMNS_MAX


def test_the_longest_has_room() -> None:
    """Beside it the others are drawn; very short ones have room to spare."""
    short, long = (Series.of("", "first", {7: 1, 7 + last: 1}) for last in (3, 99))
    assert common_length([short, long]) == common_length([long]) == 100
    assert common_length([short]) == COLUMNS_MIN


@given(st.dictionaries(st.integers(-2000, 100_000), st.integers(1, 50), min_size=1))
def test_no_measurement_is_lost_in_bins(times: dict[int, int]) -> None:
    """Bins and what is beyond them hold all; the bins are few."""
    ordered = sorted(Counter(times).elements())
    bins = Bins.of(times, ordered[int(0.99 * (len(ordered) - 1))])
    assert sum(bins.votes) + bins.beyond == sum(times.values())
    assert len(bins.votes) <= 62
    assert bins.beyond == sum(many for ms, many in times.items() if ms >= bins.end)


def test_a_long_tail_is_cut_behind_the_p99() -> None:
    """It would squeeze all else; what is beyond is a column of its own."""
    assert Bins.of({100: 980, 300: 15, 90_000: 5}, 300).beyond == 5
    assert len(DRAWN["a long tail"].findall("path[@class='must']")) == 1
    assert Bins.of({100: 9, 300: 9}, 300).beyond == 0
    assert DRAWN["delays"].findall("path[@class='must']") == []


@given(st.integers(1, 10**9), st.integers(1, 60))
def test_steps_are_round(highest: int, parts: int) -> None:
    """1, 2 or 5 times a power of ten; the least that will do."""
    step = _step(highest, parts)
    assert str(step).rstrip("0") in {"1", "2", "5"}
    assert step * parts >= highest
    assert step == 1 or step * parts < 3 * highest


@given(st.integers(0, 10**9))
def test_an_axis_has_room(highest: int) -> None:
    """Nothing is above its end, and its end is not far above; without anything it is there."""
    top = _top(highest)
    assert max(1, highest) <= top <= max(1, 2 * highest)
    unit, _ = _unit(top)
    assert top / unit < 10_000 or unit == 1_000_000


def test_words() -> None:
    """One is not many; tenths of a second are told where they matter."""
    assert [plural(n, "vote") for n in (0, 1, 1200)] == ["0 votes", "1 vote", "1,200 votes"]
    assert [duration(s) for s in (7.04, 99.96, 1234.5)] == ["7.0 s", "100.0 s", "1,234 s"]


def test_what_is_drawn_of_a_round() -> None:
    """The highest of all; an interval only where there is one."""
    assert most(row(1, shown=1300)) == 1300
    assert most(row(1, high=1400)) == 1400
    assert most(row(1, high=None)) == 1200
    assert [reaches(row(1, high=high)) for high in (None, 1200, 1201)] == [True, False, True]


# Form


def places(chart: ET.Element) -> list[tuple[float, float]]:
    """Where something is drawn, and what is the most it may be."""
    found: list[tuple[float, float]] = []
    for element in chart.iter():
        for name, highest in (("x", 720), ("y", 320), ("cx", 720), ("cy", 320)):
            found.append((float(element.get(name, "0")), highest))
        for kind, numbers in re.findall(r"([MLHV])([\d. -]+)", element.get("d", "")):
            ends = {"H": [720], "V": [320]}.get(kind, [720, 320])
            found += zip(map(float, numbers.split()), ends, strict=True)
    return found


@EVERY
def test_charts_are_fluid_and_all_is_inside(chart: ET.Element) -> None:
    """A box of their own, and no place outside of it."""
    assert chart.get("viewBox") == "0 0 720 320"
    assert chart.get("width") is None
    assert all(0 <= place <= highest for place, highest in places(chart))


@given(st.lists(st.tuples(SIZES, SIZES, SIZES, SIZES, SIZES, SIZES), min_size=1, max_size=100))
def test_any_rounds_are_inside(drawn: list[tuple[int, int, int, int, int, int]]) -> None:
    """Whatever the platform said."""
    rows = [
        row(n, must=must, may=must + more, counted=counted, shown=shown, low=low, high=low + wide)
        for n, (must, more, counted, shown, low, wide) in enumerate(drawn, start=1)
    ]
    chart = rounds(*rows, broken=(1,))
    assert all(0 <= place <= highest for place, highest in places(chart))


@EVERY
def test_charts_can_be_heard(chart: ET.Element) -> None:
    """A label tells the figures."""
    assert chart.get("role") == "img"
    assert re.search(r"\d", chart.attrib["aria-label"])


@pytest.mark.parametrize("kind", MARKS)
def test_marks_are_drawn_as_in_the_chart(kind: str) -> None:
    """With the same class, so with the same colour; hidden from those who hear the page."""
    drawing = ET.fromstring(mark(kind))
    assert drawing.get("aria-hidden") == "true"
    assert [each.get("class") for each in drawing] == [kind]


def test_a_title_is_text() -> None:
    """What looks like HTML is none."""
    chart = ET.fromstring(
        panel('<b>"&', Series.of("", "first", {0: 1}), length=COLUMNS_MIN, highest=1)
    )
    assert chart.attrib["aria-label"].startswith('<b>"&: 1 vote in')


def below(chart: ET.Element) -> list[ET.Element]:
    """The labels along the bottom."""
    return [text for text in chart.findall("text") if text.get("y") == "264"][:-1]


@EVERY
def test_axes_have_a_few_labels(chart: ET.Element) -> None:
    """From zero on, at even steps."""
    ends = chart.findall("text[@text-anchor='end']")
    values = [each.text for each in ends if each.get("class") is None]
    assert values[0] == "0"
    assert 2 <= len(values) <= 6
    assert len(below(chart)) <= 12


@pytest.mark.parametrize(
    ("highest", "told"), [(7_900, "8,000"), (30_000, "30k"), (3_000_000, "3M")]
)
def test_large_numbers_are_short(highest: int, told: str) -> None:
    """Of thousands and millions, where digits would not fit."""
    assert told in {text.text for text in votes({0: highest}).findall("text")}


# Rounds


def test_bars_begin_at_zero() -> None:
    """A bar is as high as its number of players: 900 of 1,200 is three quarters."""
    first, second = FAILED.findall(".//rect[@class='must']")
    foot = [float(bar.attrib["y"]) + float(bar.attrib["height"]) for bar in (first, second)]
    assert foot == [pytest.approx(258.0, abs=0.11)] * 2
    ratio = float(first.attrib["height"]) / float(second.attrib["height"])
    assert ratio == pytest.approx(0.75, abs=0.002)
    (beyond,) = FAILED.findall(".//rect[@class='may']")
    ends = float(beyond.attrib["y"]) + float(beyond.attrib["height"])
    assert ends == pytest.approx(float(first.attrib["y"]), abs=0.11)


def test_counts_are_marked_where_they_are() -> None:
    """The dot of a count is at its height; what was shown is beside it."""
    chart = rounds(row(1, counted=600, shown=300))
    (bar,) = chart.findall(".//rect[@class='must']")
    (dot,) = chart.findall(".//circle[@class='counted']")
    (shown,) = chart.findall(".//path[@class='shown']")
    height = float(bar.attrib["height"])
    assert 258 - float(dot.attrib["cy"]) == pytest.approx(height / 2, abs=0.11)
    place = re.match(r"M(\S+) ([\d.]+)", shown.attrib["d"])
    assert place is not None
    assert 258 - float(place[2]) == pytest.approx(height / 4, abs=0.11)
    assert float(place[1]) > float(dot.attrib["cx"])


def test_an_interval_is_drawn_where_there_is_one() -> None:
    """From low to high with ends; without end where nothing bounds it; else not at all."""
    reach = ".//path[@class='reach']"
    assert DRAWN["calm"].findall(reach) == []
    sampled = rounds(row(1, must=5000, may=5000, counted=5210, low=4802, high=5653))
    line, ends = (each.attrib["d"] for each in sampled.findall(reach))
    plot = _Plot(1, 6000, above=26.0)
    assert line.endswith(f" {_at(plot.y(4802))}V{_at(plot.y(5653))}")
    assert ends.count("H") == 2
    assert len(FAILED.findall(".//path[@class='reach open']")) == 1
    assert [each.attrib["d"].count("H") for each in FAILED.findall(reach)] == [1]


def test_broken_rounds_are_crossed() -> None:
    """Each once, and it can be heard."""
    first, second = FAILED.findall("g")
    assert first.findall("path[@class='broken']") == []
    assert len(second.findall("path[@class='broken']")) == 1
    assert FAILED.attrib["aria-label"].endswith(" Rules were broken in round 2.")


def test_labels_of_many_rounds_are_few() -> None:
    """So that they can be read; one that would not fit is left out."""
    labels = below(HUNDRED)
    assert [each.text for each in labels] == ["1", *map(str, range(10, 100, 10))]
    assert [each.get("class") for each in labels] == [None, "odd"] * 5  # odd ones: wide screens
    assert len(HUNDRED.findall(".//circle")) == 100
    few = below(rounds(*(row(n) for n in range(1, 36))))
    assert [each.text for each in few] == ["1", *map(str, range(5, 36, 5))]


def test_what_is_heard_of_the_rounds() -> None:
    """From the lowest to the highest."""
    chart = rounds(*(row(n, counted=c) for n, c in enumerate((1200, 90, 1100), start=1)))
    assert chart.attrib["aria-label"] == (
        "Players in 3 rounds: counted 90 to 1,200, must 1,200, may 1,200."
    )


# Votes over time


def test_a_long_run_has_as_many_columns_as_can_be_seen() -> None:
    """Each as high as the highest bucket in it."""
    assert len(columns(DRAWN["a long run"], "first")) == COLUMNS_MAX


def test_a_short_run_is_narrow_columns() -> None:
    """Three votes are no wall; one vote among very many others can be seen."""
    drawn = columns(votes({0: 1, 1: 100_000}), "first")
    assert drawn[0] == (74.0, 1.0)
    assert drawn[1][0] == pytest.approx(74 + 632 / 20, abs=0.06)


def test_heights_are_on_the_scale_that_is_given() -> None:
    """So that two pictures compare."""
    (_, low), (_, high) = (columns(votes({0: 700}, top), "first")[0] for top in (10_000, 1_000))
    assert high == pytest.approx(10 * low, abs=0.6)


def test_time_begins_with_the_first_vote() -> None:
    """Whatever the platform's clock says, which may be any number."""
    first, *_, last = (x for x, _ in columns(TWO_ROUNDS, "first"))
    assert first == 74.0
    assert last > 700.0


def test_what_is_heard_of_votes() -> None:
    """How many, for how long, and the peak."""
    label = TWO_ROUNDS.attrib["aria-label"]
    assert label == "Votes: 2,400 votes in 101 s, at most 700 in 0.1 s."


# How long things took


def test_percentiles_are_marked() -> None:
    """By a line and its name each, and they can be heard."""
    chart = DRAWN["delays"]
    assert chart.attrib["aria-label"] == "Delays: p50 100 ms, p99 250 ms."
    names = {text.text: text.get("text-anchor") for text in chart.findall("text[@class='name']")}
    assert names == {"p50 100 ms": "end", "p99 250 ms": "end", "milliseconds": "middle"}
    assert len(chart.findall("path[@class='at']")) == 2


def test_a_name_without_room_at_its_left_is_at_the_right() -> None:
    """Of its line."""
    names = delays({1: 98, 900: 2}).findall("text[@class='name']")
    sides = {text.text: text.get("text-anchor") for text in names}
    assert sides["p50 1 ms"] == "start"
