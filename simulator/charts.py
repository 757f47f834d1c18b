"""The drawings of the page of a run: from numbers to the text of an SVG, and nothing else.

Colours and lines are those of the page's style sheet, by class.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from .checks.judge import Row

__all__ = [
    "BUCKET_MS",
    "Bins",
    "Series",
    "column_size",
    "common_length",
    "duration",
    "histogram",
    "mark",
    "most",
    "panel",
    "plural",
    "reaches",
    "rounds_chart",
]

BUCKET_MS = 100
"""What the votes over time are drawn in."""
COLUMNS_MAX = 300
"""How many columns of a chart can be told apart on a phone."""
COLUMNS_MIN = 20
"""The fewest, so that a short run does not look like a wall."""
BINS_MAX = 60
"""The most bins of a histogram."""

WIDTH, HEIGHT = 720.0, 320.0
"""Of a chart, in its own units; it is as wide as the page."""
LEFT, RIGHT, TOP, BOTTOM = 74.0, 14.0, 12.0, 62.0
"""The margins of a chart: its labels grow on a phone."""
ROW = 26.0
"""The height of a line of text above a chart, as on a phone."""
LETTER = 14.0
"""The width of a letter, as on a phone."""
MARK_MIN, MARK_MAX = 1.5, 7.0
"""The radius of a mark."""
BAR_MAX = 46.0
"""The widest bar."""
TICKS = 5
"""About how many labels an axis has."""
TICKS_WIDE = 10
"""About how many labels an axis along the bottom has; every second one on a phone."""
LABELS_ALL = 12
"""Up to how many rounds all have a label."""
LABELS_FIFTH = 60
"""Up to how many rounds every fifth has a label; then every tenth."""


# Words


def plural(number: int, noun: str) -> str:
    """So many of something."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """So many seconds, to a tenth where that tells something."""
    return f"{seconds:,.1f} s" if seconds < 100 else f"{seconds:,.0f} s"  # noqa: PLR2004


def _range(numbers: Iterable[int]) -> str:
    held = sorted(set(numbers))
    return f"{held[0]:,}" if len(held) == 1 else f"{held[0]:,} to {held[-1]:,}"


# Axes


def _step(most: float, parts: int) -> int:
    """The least of 1, 2, 5, 10, 20, 50 and so on of which so many parts cover the most."""
    step = 1
    while step * parts < most:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step


def _top(highest: float) -> int:
    """Where an axis ends: at a label, not below the highest."""
    step = _step(max(1.0, highest), TICKS)
    return step * max(1, math.ceil(highest / step))


def _unit(top: float) -> tuple[int, str]:
    """What an axis is told in: what it is divided by, and its name."""
    if top >= 1_000_000:  # noqa: PLR2004
        return 1_000_000, "M"
    return (1_000, "k") if top >= 10_000 else (1, "")  # noqa: PLR2004


def _at(number: float) -> str:
    """A coordinate."""
    return f"{number:.1f}".removesuffix(".0")


class _Plot(NamedTuple):
    """Where things are drawn: x in [0, wide], y in [0, top], as units of the chart."""

    wide: float
    top: float
    above: float = TOP
    """The room above."""

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / self.wide

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - self.above) * value / self.top

    def column(self, begin: float, end: float, value: float) -> str:
        """A column as a piece of a path; what is more than nothing can be seen."""
        if value <= 0:
            return ""
        base = self.y(0)
        y = min(self.y(value), base - 1.0)
        return f"M{_at(self.x(begin))} {_at(base)}V{_at(y)}H{_at(self.x(end))}V{_at(base)}z"

    def frame(self) -> str:
        """The axis along the side, its grid and labels."""
        step = _step(self.top, TICKS)
        unit, name = _unit(self.top)
        left, right = _at(LEFT), _at(WIDTH - RIGHT)
        parts = []
        for value in range(0, round(self.top) + 1, step):
            kind, y = "grid" if value else "base", _at(self.y(value))
            parts.append(f'<path class="{kind}" d="M{left} {y}H{right}"/>')
            text = f"{value / unit:,.4g}{name}" if value else "0"
            parts.append(_label(LEFT - 8, self.y(value), text, "0.35em", anchor="end"))
        return "".join(parts)

    def below(self, labels: Iterable[tuple[float, str]], name: str) -> str:
        """The labels along the bottom, every second one for wide screens, and the axis' name."""
        y = HEIGHT - BOTTOM + 6
        texts = [
            _label(self.x(x), y, text, "0.85em", kind="odd" if number % 2 else "")
            for number, (x, text) in enumerate(labels)
            if self.x(x) + len(text) * LETTER / 2 <= WIDTH
        ]
        middle = (LEFT + WIDTH - RIGHT) / 2
        return "".join((*texts, _label(middle, y, name, "2.1em", kind="name")))


def _label(
    x: float, y: float, text: str, dy: str, *, kind: str = "", anchor: str = "middle"
) -> str:
    """A text; `dy` is where its foot is below y, in heights of the text."""
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{_at(x)}" y="{_at(y)}" dy="{dy}" text-anchor="{anchor}">{text}</text>'


def _svg(label: str, *parts: str) -> str:
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


# Rounds


def most(row: Row) -> int:
    """The most that is drawn of a round."""
    return max(row.may, row.counted, row.shown, row.high or 0)


def reaches(row: Row) -> bool:
    """Whether a count stands for more than one number of players."""
    return row.high is None or row.high > row.low


def rounds_chart(rows: Sequence[Row], broken: Collection[int]) -> str:
    """Draw the players of each round; a cross marks those in which a rule was broken."""
    plot = _Plot(len(rows), _top(1.02 * max(map(most, rows))), above=ROW)
    parts = [_round(plot, n, row, broken=row.round in broken) for n, row in enumerate(rows)]
    every = 1 if len(rows) <= LABELS_ALL else 5 if len(rows) <= LABELS_FIFTH else 10
    labels = [
        (number + 0.5, str(row.round))
        for number, row in enumerate(rows)
        if row.round == 1 or row.round % every == 0
    ]
    label = f"Players in {plural(len(rows), 'round')}: counted {_range(r.counted for r in rows)}, "
    label += f"must {_range(r.must for r in rows)}, may {_range(r.may for r in rows)}."
    if broken:
        label += f" Rules were broken in round {', '.join(map(str, sorted(broken)))}."
    return _svg(label, plot.frame(), *parts, plot.below(labels, "round"))


def _round(plot: _Plot, number: int, row: Row, *, broken: bool) -> str:
    """One round: bars for must and may, and before them the marks for counted and shown."""
    slot, middle, base = plot.x(1) - plot.x(0), plot.x(number + 0.5), plot.y(0)
    wide, radius = min(BAR_MAX, 0.7 * slot), max(MARK_MIN, min(MARK_MAX, 0.17 * slot))
    left, high, low = middle - wide / 2, plot.y(row.may), plot.y(row.must)
    told = f"round {row.round}: must {row.must:,}, may {row.may:,}, counted {row.counted:,}, "
    parts = [f"<title>{told}shown {row.shown:,}</title>"]
    if row.must:
        parts.append(_rectangle("must", left, low, wide, base - low))
    if row.may > row.must:
        parts.append(_rectangle("may", left, high, wide, low - high))
    x, beside = middle - wide / 4, middle + wide / 4
    if reaches(row):
        parts.append(_reach(plot, x, radius, row))
    parts.append(_diamond(beside, plot.y(row.shown), radius))
    parts.append(_dot(x, plot.y(row.counted), radius))
    if broken:
        parts.append(_cross(middle, ROW / 2, min(7.0, 0.3 * slot)))
    return f"<g>{''.join(parts)}</g>"


def _reach(plot: _Plot, x: float, half: float, row: Row) -> str:
    """The line from low to high, with ends; dashed and without end where nothing bounds it."""
    low = plot.y(row.low)
    high = plot.above if row.high is None else plot.y(row.high)
    top = "" if row.high is None else f"M{_at(x - half)} {_at(high)}H{_at(x + half)}"
    ends = f"M{_at(x - half)} {_at(low)}H{_at(x + half)}{top}"
    kind = "reach open" if row.high is None else "reach"
    line = f'<path class="{kind}" d="M{_at(x)} {_at(low)}V{_at(high)}"/>'
    return f'{line}<path class="reach" d="{ends}"/>'


def _rectangle(kind: str, x: float, y: float, wide: float, high: float) -> str:
    return (
        f'<rect class="{kind}" x="{_at(x)}" y="{_at(y)}" width="{_at(wide)}" height="{_at(high)}"/>'
    )


def _dot(x: float, y: float, radius: float) -> str:
    return f'<circle class="counted" cx="{_at(x)}" cy="{_at(y)}" r="{_at(radius)}"/>'


def _diamond(x: float, y: float, half: float) -> str:
    left, right, top, bottom = _around(x, y, half)
    way = f"M{left} {_at(y)}L{_at(x)} {top}L{right} {_at(y)}L{_at(x)} {bottom}z"
    return f'<path class="shown" d="{way}"/>'


def _cross(x: float, y: float, half: float) -> str:
    left, right, top, bottom = _around(x, y, half)
    way = f"M{left} {top}L{right} {bottom}M{right} {top}L{left} {bottom}"
    return f'<path class="broken" d="{way}"/>'


def _around(x: float, y: float, half: float) -> tuple[str, str, str, str]:
    """The left, right, top and bottom of a mark."""
    return _at(x - half), _at(x + half), _at(y - half), _at(y + half)


MARKS = {
    "must": _rectangle("must", 5, 2, 14, 16),
    "may": _rectangle("may", 5, 2, 14, 16),
    "counted": _dot(12, 10, 6),
    "reach": '<path class="reach" d="M12 2V18M7 2H17M7 18H17"/>',
    "shown": _diamond(12, 10, 6.5),
    "broken": _cross(12, 10, 6),
}


def mark(kind: str) -> str:
    """What is drawn of a round, to stand beside its name in the key."""
    return f'<svg viewBox="0 0 24 20" aria-hidden="true">{MARKS[kind]}</svg>'


# Votes over time


class Series(NamedTuple):
    """The votes of a run over time."""

    title: str
    kind: str
    buckets: Mapping[int, int]
    """Bucket of `BUCKET_MS`, counted from that of the first vote -> votes."""

    @classmethod
    def of(cls, title: str, kind: str, votes: Mapping[int, int]) -> Series:
        """Take bucket -> votes, in which the first bucket may be any."""
        first = min(votes, default=0)
        return cls(title, kind, {bucket - first: many for bucket, many in votes.items()})

    @property
    def length(self) -> int:
        """In buckets."""
        return 1 + max(self.buckets, default=0)

    @property
    def highest(self) -> int:
        """The most votes in a bucket."""
        return max(self.buckets.values(), default=0)

    def columns(self, size: int) -> list[int]:
        """The highest of every so many buckets."""
        highest = [0] * -(-self.length // size)
        for bucket, votes in self.buckets.items():
            highest[bucket // size] = max(highest[bucket // size], votes)
        return highest


def common_length(series: Iterable[Series]) -> int:
    """The buckets that panels of all of them have room for."""
    return max(COLUMNS_MIN, *(each.length for each in series))


def column_size(length: int) -> int:
    """How many buckets are one column of a panel of that length."""
    return -(-length // COLUMNS_MAX)


def panel(title: str, series: Series, *, length: int, highest: int) -> str:
    """Draw the votes of a run, with room for so many buckets, the highest of so many votes."""
    plot = _Plot(length, _top(highest))
    size = column_size(length)
    path = "".join(
        plot.column(n * size, min(length, (n + 1) * size), votes)
        for n, votes in enumerate(series.columns(size))
    )
    per_s = 1000 // BUCKET_MS
    seconds = length / per_s
    step = _step(seconds, TICKS_WIDE)
    labels = [(n * step * per_s, f"{n * step:,}") for n in range(1 + int(seconds / step))]
    votes = plural(sum(series.buckets.values()), "vote")
    return _svg(
        f"{title}: {votes} in {duration(series.length / per_s)}, "
        f"at most {series.highest:,} in 0.1 s.",
        plot.frame(),
        f'<path class="{series.kind}" d="{path}"/>',
        plot.below(labels, "seconds since the first vote"),
    )


# How long things took


class Bins(NamedTuple):
    """A histogram: bins from `begin` on, `width` each, and what is beyond the last."""

    begin: int
    width: int
    votes: Sequence[int]
    beyond: int

    @property
    def end(self) -> int:
        """Where the last bin ends."""
        return self.begin + self.width * len(self.votes)

    @classmethod
    def of(cls, times: Mapping[int, int], p99: float) -> Bins:
        """Choose bins for milliseconds -> how many; a long tail is cut behind the p99."""
        lowest, highest = min(0, *times), max(times)
        last = math.ceil(1.25 * p99) if 0 < 2 * p99 < highest else highest
        width = _step(last - lowest + 1, BINS_MAX)
        first, count = lowest // width, last // width - lowest // width + 1
        votes, beyond = [0] * count, 0
        for ms, many in times.items():
            place = ms // width - first
            if place < count:
                votes[place] += many
            else:
                beyond += many
        return cls(first * width, width, votes, beyond)


def histogram(title: str, bins: Bins, shares: Mapping[str, float]) -> str:
    """Draw bins, with a line at each percentile: name -> milliseconds."""
    count = len(bins.votes)
    wide = count + 2 * bool(bins.beyond)
    plot = _Plot(wide, _top(max(*bins.votes, bins.beyond)), above=TOP + 2 * ROW)
    path = "".join(plot.column(n, n + 1, votes) for n, votes in enumerate(bins.votes))
    rest = plot.column(count + 1, count + 2, bins.beyond)
    step = _step(bins.end - bins.begin, TICKS_WIDE)
    first = -(-bins.begin // step)
    labels = [
        ((ms - bins.begin) / bins.width, f"{ms:,}")
        for ms in range(first * step, bins.end + 1, step)
    ]
    told = [(f"{name} {ms:,.0f} ms", ms) for name, ms in shares.items()]
    marks = [
        _percentile(plot, (ms - bins.begin + 0.5) / bins.width, TOP + row * ROW, text)
        for row, (text, ms) in enumerate(reversed(told))
    ]
    return _svg(
        f"{title}: {', '.join(text for text, _ in told)}.",
        plot.frame(),
        f'<path class="first" d="{path}"/>',
        f'<path class="must" d="{rest}"/>' if rest else "",
        *marks,
        plot.below(labels, "milliseconds"),
    )


def _percentile(plot: _Plot, at: float, y: float, text: str) -> str:
    """A dashed line at a percentile, and its name beside its top, to the left if there is room."""
    x = plot.x(at)
    end = x - LEFT > len(text) * LETTER
    side, anchor = (x - 6, "end") if end else (x + 6, "start")
    way = f"M{_at(x)} {_at(y)}V{_at(plot.y(0))}"
    lines = f'<path class="halo" d="{way}"/><path class="at" d="{way}"/>'
    return lines + _label(side, y + 2, text, "0.7em", kind="name", anchor=anchor)
