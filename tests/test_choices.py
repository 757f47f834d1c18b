"""What the documentation leaves open, and how it is set."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from pydantic import ValidationError

from simulator.choices import Choices


def test_what_is_documented_is_the_default() -> None:
    """The two fields that the documentation settles have its values."""
    choices = Choices()
    assert (choices.bucket, choices.peak_sample_s, choices.elements_feed) == (15, 5.0, False)


def test_choices_are_read_from_a_file(tmp_path: Path) -> None:
    """What the file leaves out stays at its default."""
    path = tmp_path / "choices.toml"
    path.write_text('bucket = 3\nlocale = "de"\n', encoding="utf-8")
    assert Choices.load(path) == Choices(bucket=3, locale="de")
    assert Choices.load(str(path)).page_size == 20


@pytest.mark.parametrize(
    "line",
    [
        "buckets = 3",
        "bucket = 0",
        "refill_per_s = 0.0",
        "create_event_status = 204",
        "max_votes_per_option = 256",
        'reveal_results_mode = "sometimes"',
        "percentage_digits = -1",
    ],
)
def test_what_does_not_fit_is_refused(line: str, tmp_path: Path) -> None:
    """A misspelt or impossible choice is no choice."""
    path = tmp_path / "choices.toml"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(ValidationError, match=line.split(" ", maxsplit=1)[0]):
        Choices.load(path)


def test_every_choice_says_which_gap_it_fills() -> None:
    """Each field is followed by its docstring."""
    source = inspect.getsource(Choices)
    for name in Choices.model_fields:
        declaration = source.index(f"    {name}: ")
        after = source[declaration:].split("\n", maxsplit=1)[1]
        assert after.lstrip().startswith('"""'), name
