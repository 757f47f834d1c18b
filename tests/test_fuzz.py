"""The fuzz targets: what was kept is replayed, and a slice is searched anew."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poll_counter.commands import Command
from poll_counter.machine import Machine
from simulator.records import ElementRecord
from tests.fuzz.__main__ import NAMES
from tests.fuzz.targets import TARGETS, kept

KEPT_BYTES_MAX: Final = 300_000
"""The most that all inputs kept may take."""


def test_every_target_can_be_named() -> None:
    """The command's names are the targets."""
    assert tuple(TARGETS) == NAMES


@pytest.mark.parametrize("kind", ["corpus", "crashes"])
@pytest.mark.parametrize("name", NAMES)
def test_what_was_kept_breaks_nothing(kind: str, name: str) -> None:
    """Inputs that reach all that was reached, and those that once broke something."""
    for path in kept(kind, name):
        TARGETS[name](path.read_bytes())


def test_corpus_is_there_and_small() -> None:
    """Every target has one."""
    sizes = {name: [path.stat().st_size for path in kept("corpus", name)] for name in NAMES}
    assert all(sizes.values())
    assert sum(map(sum, sizes.values())) <= KEPT_BYTES_MAX


@pytest.mark.parametrize("name", NAMES)
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
    vote = Machine._vote

    def forgetful(machine: Machine, now: float, out: list[Command]) -> None:
        machine._voted.clear()
        vote(machine, now, out)

    monkeypatch.setattr(Machine, "_vote", forgetful)
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
