"""The report of a run as one HTML page, for people who were not there.

HTML, a style sheet and inline SVG, all of it text: the page needs no network and no script, is
read on a phone and on paper, in light and dark. The same report is the same page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from .charts import (
    BUCKET_MS,
    Bins,
    Series,
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
from .checks.findings import Findings
from .checks.freshness import percentiles
from .checks.judge import Row
from .markup import DASH, data_table, facts_table, plain, share, times_as_many
from .report import Report
from .scenario import Fault, Scenario

__all__ = ["page", "peak", "votes_per"]

VIOLATIONS_MAX = 200
"""How many violations are listed."""
MAGNIFIED_FROM = 8.0
"""How many times lower votes are drawn once more, larger."""

MODES = {
    "virtual": "virtual time: network and clock are simulated",
    "sockets": "real time: every player has a connection on this machine",
}
VERDICTS = {
    "drop": "lost",
    "later": "late, with all that followed on the connection",
    "repeat": "delivered twice",
    "reorder": "overtaken by what followed",
}
"""What the network did to a message, in words."""
WAYS = {"up": "votes", "down": "all but votes", "both": "all messages"}
"""Which messages a rule of the network is about."""
STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


# Figures


def votes_per(findings: Findings, ms: int) -> Counter[int]:
    """Count the votes in buckets of so many milliseconds: bucket -> votes.

    Buckets are aligned to the platform's clock: bucket n begins at n times `ms`.
    """
    votes = Counter[int]()
    for times in findings.accepted.values():
        for at, many in times.items():
            votes[at // ms] += many
    return votes


def peak(findings: Findings, bucket_ms: int) -> int:
    """The most votes in a bucket of so many milliseconds; 0 without votes."""
    return max(votes_per(findings, bucket_ms).values(), default=0)


def page(report: Report, without_spread: Report | None = None, *, replay: str = "") -> str:
    """Write the report as an HTML page.

    Args:
        report: of the run.
        without_spread: of the same run without a spread, for comparison.
        replay: the line that runs it again.
    """
    title = escape(_name(report.scenario))
    told = "OK" if report.ok else "FAILED"
    sections = [
        _heading(report.scenario),
        _verdict(report),
        _glance(report),
        _about(report),
        _replay(replay),
        _rounds(report),
        _votes(report, without_spread),
        _delays(report),
        _run(report),
        _scenario(report.scenario),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}: {told}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, sections))
        + "\n</main>\n</body>\n</html>\n"
    )


# Sections


def _heading(scenario: Scenario) -> str:
    told = f"\n<p>{escape(scenario.description)}</p>" if scenario.description else ""
    return f"<h1>{escape(_name(scenario))}</h1>{told}"


def _glance(report: Report) -> str:
    """Tell the figures that most people came for."""
    broken = {violation.round for violation in report.violations}
    right = sum(not row.difference and row.round not in broken for row in report.rows)
    fresh = percentiles(report.freshness)
    figures = [
        ("rounds counted right", f"{right:,} of {len(report.rows):,}"),
        ("players", f"{report.scenario.players:,}"),
        ("votes accepted", f"{report.votes_accepted:,}"),
        ("votes in a second, at most", f"{peak(report.findings, 1000):,}"),
    ]
    if fresh is not None:
        figures.append(("until a vote is read, p99", f"{fresh['p99']:,.0f} ms"))
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>\n" for name, value in figures)
    return f'<dl class="glance">\n{items}</dl>'


def _about(report: Report) -> str:
    scenario = report.scenario
    facts = [
        ("rounds", f"{scenario.rounds:,}, each of {plain(scenario.round_time)} s"),
        ("mode", MODES[report.mode]),
        ("seed", str(scenario.seed)),
    ]
    return (
        '<p class="dim">A live trivia show, simulated. In every round each player\'s app votes '
        "once in a poll that nobody sees; the votes are the players of the round. This page holds "
        "what was counted against the platform's own log.</p>\n" + facts_table(facts, "The run")
    )


def _verdict(report: Report) -> str:
    if not report.ok:
        return _failed(report)
    if any(row.may or row.counted for row in report.rows):
        text = "every round is counted right, and no rule was broken."
    else:
        text = "no rule was broken, but there was nobody to be counted."
    return f'<p class="verdict good"><strong>OK</strong>: {text}</p>'


def _failed(report: Report) -> str:
    broken = report.violations
    rounds = sorted({violation.round for violation in broken})
    places = f"round{'s' * (len(rounds) > 1)} {', '.join(map(str, rounds))}"
    items = "".join(
        f"<li>round {v.round}: <strong>{escape(v.rule)}</strong><br>{escape(v.text)}</li>\n"
        for v in broken[:VIOLATIONS_MAX]
    )
    rest = len(broken) - VIOLATIONS_MAX
    more = f"<p>And {rest:,} more.</p>" if rest > 0 else ""
    return (
        f'<p class="verdict bad"><strong>FAILED</strong> in {places}. Broken:</p>\n'
        f"<ul>\n{items}</ul>\n{more}"
    )


def _replay(replay: str) -> str:
    return f"<p>To run it again:</p>\n<pre><code>{escape(replay)}</code></pre>" if replay else ""


def _rounds(report: Report) -> str:
    rows = report.rows
    rate = min((row.sample_rate for row in rows), default=1.0)
    sampled = (
        f"<p>A sample votes: {share(rate)} of the players. What is counted is an estimate, "
        "<em>low</em> to <em>high</em> its 95 % interval; the difference is 0 if an interval "
        "of six standard deviations meets <em>must</em> to <em>may</em>.</p>\n"
    )
    return (
        "<h2>Players of each round</h2>\n"
        "<p><em>Must</em> is how many players had to be counted, <em>may</em> how many could be. "
        "Between them are those who were not there long enough to be sure to vote, or whose "
        "connection was disturbed. A round is right when <em>counted</em> lies from <em>must</em> "
        "to <em>may</em>.</p>\n"
        + (sampled if rate < 1.0 else "")
        + _newcomers(report.scenario)
        + (_rounds_figure(report) if any(map(most, rows)) else "")
        + _rounds_table(rows)
    )


def _newcomers(scenario: Scenario) -> str:
    """Tell why there may be more than the players."""
    reasons = []
    if scenario.reinstall:
        reasons.append(
            "An app that is installed anew has forgotten who it is, and is a new player."
        )
    if scenario.hostile_peers:
        reasons.append(
            f"Beside the players, {plural(scenario.hostile_peers, 'hostile peer')} did what they "
            "could; votes of theirs that the platform admitted are part of all these numbers."
        )
    return f"<p>{' '.join(reasons)}</p>\n" if reasons else ""


def _rounds_figure(report: Report) -> str:
    rows = report.rows
    broken = {violation.round for violation in report.violations}
    drawn = {
        "must": "must be counted",
        "may": "may be counted, beyond that" if any(row.may > row.must for row in rows) else "",
        "counted": "counted in the end",
        "reach": "low to high" if any(map(reaches, rows)) else "",
        "shown": "shown to players when the trivia began",
        "broken": "a rule was broken" if broken else "",
    }
    key = "".join(f"<li>{mark(name)}{text}</li>" for name, text in drawn.items() if text)
    return (
        f'<figure>\n<ul class="key">{key}</ul>\n{rounds_chart(rows, broken)}\n'
        "<figcaption>Players per round. The axis begins at zero: differences too small to be "
        "seen are in the table.</figcaption>\n</figure>\n"
    )


def _rounds_table(rows: Sequence[Row]) -> str:
    """A table of the rounds; with their intervals, where those are more than the count."""
    has_interval = any((row.low, row.high) != (row.counted, row.counted) for row in rows)
    between = ("low", "high") if has_interval else ()
    names = ("round", "must", "may", "counted", "shown", *between, "difference")
    cells = [
        (
            str(row.round),
            *(f"{n:,}" for n in (row.must, row.may, row.counted, row.shown)),
            *_interval(row)[: len(between)],
            f"{row.difference:+,}" if row.difference else "0",
        )
        for row in rows
    ]
    wrong = {number for number, row in enumerate(rows) if row.difference}
    note = (
        f'<p class="dim">{DASH}: no upper bound is claimed, '
        "votes may be missing or still come.</p>\n"
        if any(row.high is None for row in rows)
        else ""
    )
    numbers = set(range(len(names)))
    return (
        data_table(names, cells, label="Players of each round", numbers=numbers, wrong=wrong) + note
    )


def _interval(row: Row) -> tuple[str, str]:
    return f"{row.low:,}", DASH if row.high is None else f"{row.high:,}"


def _votes(report: Report, other: Report | None) -> str:
    """Draw the votes over time, of one run or of two on one scale."""
    ours = _series(report, "first")
    series = [ours] if other is None else [_series(other, "second"), ours]
    if not any(each.buckets for each in series):
        return "<h2>Votes over time</h2>\n<p>No vote was accepted.</p>"
    length, highest = common_length(series), max(each.highest for each in series)
    drawn = [(f"{each.title}: votes per 0.1 s", each, highest) for each in series]
    if 0 < MAGNIFIED_FROM * ours.highest <= highest:
        drawn.append((f"{ours.title}: the same on a scale of its own", ours, ours.highest))
    panels = "".join(
        f"<h3>{title}</h3>\n{panel(title, each, length=length, highest=most_votes)}\n"
        for title, each, most_votes in drawn
    )
    return (
        "<h2>Votes over time</h2>\n"
        + _peaks(report, other)
        + f"<figure>\n{panels}<figcaption>{_columns_told(column_size(length), len(drawn))}"
        "</figcaption>\n</figure>"
    )


def _series(report: Report, kind: str) -> Series:
    return Series.of(_spread(report.scenario), kind, votes_per(report.findings, BUCKET_MS))


def _columns_told(size: int, panels: int) -> str:
    seconds = plain(size * BUCKET_MS / 1000)
    each = (
        f"Each column stands for {seconds} s, and is as high as the highest 0.1 s in it."
        if size > 1
        else "Each column is 0.1 s."
    )
    which = ("", "", " Both pictures", " The first two pictures")[panels]
    return f"{each}{which} have the same scale." if which else each


def _peaks(report: Report, other: Report | None) -> str:
    """Tell the peaks, and how they compare."""
    widths = {"0.1 s": BUCKET_MS, "1 s": 1000}
    ours = {name: peak(report.findings, ms) for name, ms in widths.items()}
    aligned = "in whole tenths of a second, and whole seconds, of the platform's clock"
    if other is None:
        return (
            f"<p>{_spread(report.scenario)}, the platform takes at most "
            f"<strong>{ours['0.1 s']:,}</strong> votes in 0.1 s and "
            f"<strong>{ours['1 s']:,}</strong> in 1 s ({aligned}).</p>\n"
        )
    theirs = {name: peak(other.findings, ms) for name, ms in widths.items()}
    ratios = [times_as_many(theirs[name], ours[name]) for name in widths]
    cells = [
        (_spread(other.scenario), *(f"{votes:,}" for votes in theirs.values())),
        (_spread(report.scenario), *(f"{votes:,}" for votes in ours.values())),
        ("<strong>Ratio</strong>", *(f"<strong>{ratio}</strong>" for ratio in ratios)),
    ]
    heads = ("most votes", *(f"in {name}" for name in widths))
    table = data_table(heads, cells, label="Peaks of the votes", numbers={1, 2})
    return f"{table}<p>The peaks are counted {aligned}.</p>\n"


def _delays(report: Report) -> str:
    fresh = _delay(
        report.freshness,
        "From a vote's acceptance to the count that includes it",
        "Measured at up to 25 players whom nothing disturbed, for every vote",
    )
    answer = _delay(
        report.latencies, "From a vote's cast to its answer", "Measured at players who were watched"
    )
    missing = []
    if not fresh:
        told = "How soon players read a count was not measured: "
        missing.append(told + "that takes votes, and players whom nothing disturbs.")
    if not answer:
        missing.append("How soon votes were answered was not measured in this run.")
    notes = f'<p class="dim">{" ".join(missing)}</p>' if missing else ""
    return f"<h2>How fast it is</h2>\n{fresh}{answer}{notes}"


def _delay(times: Mapping[int, int], title: str, how: str) -> str:
    """Draw a histogram, and tell its percentiles; empty without times."""
    shares = percentiles(times)
    if shares is None:
        return ""
    p50, p99 = shares["p50"], shares["p99"]
    bins = Bins.of(times, p99)
    beyond = (
        f" The last column, paler, is all the rest: {share(bins.beyond / sum(times.values()))} "
        f"took {bins.end:,} ms or more, {max(times):,} ms at most."
        if bins.beyond
        else ""
    )
    return (
        f"<h3>{title}</h3>\n<p>Half of them take at most <strong>{p50:,.0f} ms</strong> (p50), "
        f"99 of 100 at most <strong>{p99:,.0f} ms</strong> (p99).</p>\n"
        f"<figure>\n{histogram(title, bins, shares)}\n"
        f"<figcaption>How many took how long, in columns of {bins.width:,} ms. {how}: "
        f"{plural(sum(times.values()), 'measurement')}.{beyond}</figcaption>\n</figure>\n"
    )


def _run(report: Report) -> str:
    facts = [
        ("votes sent", f"{report.votes_sent:,}"),
        ("votes accepted", f"{report.votes_accepted:,}"),
        ("reconnects", f"{report.reconnects:,}"),
        ("the run took", duration(report.wall_s)),
        ("peak memory", f"{report.peak_rss_mb:,.0f} MB"),
    ]
    return f"<h2>What the network did</h2>\n{_verdicts(report)}{facts_table(facts, 'Figures')}"


def _verdicts(report: Report) -> str:
    if not report.verdicts:
        simulated = "No message was lost, doubled, overtaken or held up on purpose."
        real = "What became of single messages was not counted in this run."
        return f"<p>{simulated if report.mode == 'virtual' else real}</p>\n"
    cells = [
        (VERDICTS.get(verdict, escape(verdict)), f"{many:,}")
        for verdict, many in sorted(report.verdicts.items())
    ]
    return data_table(
        ("what happened to messages", "messages"), cells, label="Verdicts", numbers={1}
    )


def _scenario(scenario: Scenario) -> str:
    """Tell what the scenario changes, and all of it when asked."""
    fields = Scenario.model_fields
    told = {"name", "description"}
    values = {name: (getattr(scenario, name), field.default) for name, field in fields.items()}
    changed = [
        (f"<code>{name}</code>", escape(_value(value)), escape(_value(default)))
        for name, (value, default) in values.items()
        if value != default and name not in told
    ]
    full = [(f"<code>{name}</code>", escape(_value(value))) for name, (value, _) in values.items()]
    heads = ("field", "value", "default")
    table = data_table(heads, changed, label="Fields that differ from the defaults")
    differs = table if changed else "<p>All fields have their defaults.</p>\n"
    return (
        f"<h2>The scenario</h2>\n{differs}<details>\n<summary>All fields</summary>\n"
        f"{data_table(heads[:2], full, label='All fields')}</details>"
    )


# Words


def _name(scenario: Scenario) -> str:
    return scenario.name or f"A show of {plural(scenario.rounds, 'round')}"


def _spread(scenario: Scenario) -> str:
    spread = scenario.spread_s
    return f"Votes spread over {plain(spread)} s" if spread else "Without a spread"


def _fault(fault: Fault) -> str:
    """A rule of the network, for people."""
    late = "" if fault.verdict == "drop" else f", by {plain(fault.delay_s)} s at most"
    return f"{share(fault.share)} {VERDICTS[fault.verdict]}{late} ({WAYS[fault.way]})"


def _value(value: Any) -> str:
    """A field's value, for people."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, Fault):
        return _fault(value)
    if isinstance(value, BaseModel):
        return ", ".join(f"{name} {_value(each)}" for name, each in value)
    if isinstance(value, tuple):
        between = "; " if any(isinstance(each, BaseModel) for each in value) else ", "
        return between.join(map(_value, value)) or "none"
    if isinstance(value, int | float):
        return plain(value)
    return str(value) or "none"
