"""The fuzz targets: what was kept is replayed, and a slice is searched anew."""

from __future__ import annotations

import sys
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poll_counter.commands import Command
from poll_counter.facts import Fact
from poll_counter.machine import Machine
from simulator.records import ElementRecord
from tests.fuzz.guided import follow, watched
from tests.fuzz.targets import TARGETS, kept

KEPT_BYTES_MAX: Final = 300_000
"""The most that all inputs kept may take."""


@pytest.mark.parametrize("kind", ["corpus", "crashes"])
@pytest.mark.parametrize("name", TARGETS)
def test_what_was_kept_breaks_nothing(kind: str, name: str) -> None:
    """Inputs that reach all that was reached, and those that once broke something."""
    for path in kept(kind, name):
        TARGETS[name](path.read_bytes())


def test_corpus_is_there_and_small() -> None:
    """Every target has one."""
    sizes = {name: [path.stat().st_size for path in kept("corpus", name)] for name in TARGETS}
    assert all(sizes.values())
    assert sum(map(sum, sizes.values())) <= KEPT_BYTES_MAX


@pytest.mark.parametrize("name", TARGETS)
def test_a_slice_finds_nothing(name: str) -> None:
    """Few inputs, the same in every run: the command looks further."""
    inputs = st.binary(max_size=256)
    starts = st.sampled_from([path.read_bytes() for path in kept("corpus", name)])
    mixed = st.builds(
        lambda start, more, at: start[:at] + more, starts, inputs, st.integers(0, 256)
    )

    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.one_of(inputs, mixed))
    def turn(data: bytes) -> None:
        TARGETS[name](data)

    turn()


# That the targets can fail: each breaks a rule in one place, and is found out by the corpus.


def test_machine_that_forgets_what_it_cast_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vote cast again is seen."""
    receive = Machine.receive

    def forgetful(machine: Machine, fact: Fact, now: float) -> tuple[Command, ...]:
        machine._voted.clear()
        machine._settled = None  # it looks again what is due
        return receive(machine, fact, now)

    monkeypatch.setattr(Machine, "receive", forgetful)
    assert finds("wire")
    assert finds("show")


def test_emulator_without_limits_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vote beyond the limits is seen."""
    monkeypatch.setattr(ElementRecord, "refusal", lambda *_: None)
    assert finds("emulator")


def test_journal_that_forgets_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not remembered is seen."""
    monkeypatch.setattr("poll_counter.journal._with_entry", lambda events, *_: events)
    assert finds("journal")


def finds(name: str) -> bool:
    """Whether an input of the corpus breaks something."""
    for path in kept("corpus", name):
        try:
            TARGETS[name](path.read_bytes())
        except Exception:  # noqa: BLE001 - of any kind
            return True
    return False


# A guided search, read from outside

LINES: Final = """\
INFO: Seed: 1
#7	INITED cov: 90 ft: 200 corp: 7/1kb exec/s: 0 rss: 70Mb
#10000 ran
#12345	NEW    cov: 91 ft: 210 corp: 8/1kb lim: 60 exec/s: 2000 rss: 70Mb L: 9/9 MS: 1 X-
#13000	NEW    cov: 91 ft: 215 corp: 9/1kb lim: 60 exec/s: 2000 rss: 70Mb L: 9/9 MS: 1 X-
#14000	REDUCE cov: 91 ft: 215 corp: 9/1kb lim: 60 exec/s: 2000 rss: 70Mb L: 8/9 MS: 1 X-
#20000 ran
#30000 ran
#32768	pulse  cov: 91 ft: 215 corp: 9/1kb lim: 60 exec/s: 2000 rss: 70Mb
stat::number_of_executed_units: 32800
"""


def test_a_search_tells_for_how_long_it_found_nothing() -> None:
    """A new branch counts, more ways through old ones do not."""
    told: list[int] = []
    search = follow(LINES.splitlines(), None, pytest.fail, lambda s: told.append(s.executions))
    assert told == [7, 12345]
    assert (search.executions, search.branches, search.quiet_for) == (32768, 91, 20423)
    assert search.other == []
    assert search.as_text("wire") == (
        "wire: 32,768 executions, 91 branches, no new one in the last 20,423"
    )


def test_a_search_is_ended_once_it_is_quiet() -> None:
    """And read to its end."""
    ended: list[str] = []
    search = follow(LINES.splitlines(), 15_000, lambda: ended.append("now"))
    assert ended == ["now"]
    assert search.executions == 32768


@pytest.mark.parametrize(
    ("after", "until_quiet", "code"),
    [
        ("time.sleep(60)", 15_000, 0),
        ("sys.exit(0)", None, 0),
        ("print('it broke', file=sys.stderr); sys.exit(77)", None, 1),
        ("print('it broke', file=sys.stderr); os._exit(77)", 15_000, 1),
    ],
    ids=["ended by us", "over", "broke", "broke while it was ended"],
)
def test_what_breaks_is_told(
    after: str, until_quiet: int | None, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """A search that is ended has broken nothing."""
    ignored = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if code else "pass"
    script = f"import os, signal, sys, time; {ignored}\n"
    script += f"sys.stderr.write({LINES!r}); sys.stderr.flush()\n{after}"
    assert watched([sys.executable, "-c", script], "wire", until_quiet) == code
    out, err = capfd.readouterr()
    assert out.splitlines()[-1].startswith("wire: 32,768 executions, 91 branches")
    assert ("it broke" in err) == bool(code)
