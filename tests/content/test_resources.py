"""How the platform writes moments and results."""

from __future__ import annotations

import pytest

from simulator.content.attributes import ContentError, EventAttributes
from simulator.content.resources import iso, shares


def test_moments_are_written_in_utc_with_z() -> None:
    """Whole seconds, as in the documented samples (contract section 4)."""
    assert iso(1546290000) == "2018-12-31T21:00:00Z"
    assert iso(1546290000.9) == "2018-12-31T21:00:00Z"
    assert iso(None) is None
    assert iso(0) == "1970-01-01T00:00:00Z"


def test_the_last_moment_that_is_taken_can_be_written() -> None:
    """A later one is refused, rather than found to have no date when it is read."""
    last = EventAttributes.read({"start_at": 2**35 - 1, "duration": 2**31 - 1})
    assert (iso((last.start_at or 0) + (last.duration or 0)) or "").startswith("3126-")
    with pytest.raises(ContentError, match="/data/attributes/start_at: must be less than"):
        EventAttributes.read({"start_at": 2**35})


@pytest.mark.parametrize(
    ("votes", "digits", "percentages"),
    [
        ([10, 30, 10], 2, [20, 60, 20]),
        ([1, 2], 2, [33.33, 66.67]),
        ([1, 2], 0, [33, 67]),
        ([1, 1, 1], 1, [33.3, 33.3, 33.3]),
        ([0, 0], 2, [0, 0]),
        ([], 2, []),
    ],
)
def test_results_have_votes_and_shares(
    votes: list[int], digits: int, percentages: list[float]
) -> None:
    """In option order; 10/30/10 is 20/60/20 (contract section 13)."""
    results = shares(votes, digits)
    assert [each["votes"] for each in results] == votes
    assert [each["percentage"] for each in results] == percentages
