"""What observers hold and were told: equal in the end, and only growing."""

from __future__ import annotations

import pytest

from simulator.checks import Violation, check_observers

from .stories import observed

SAME = "all observers hold the same count"
GROWING = "tallies only grow"


def test_who_holds_the_same_breaks_no_rule() -> None:
    """Nor does one alone, or nobody."""
    assert check_observers([observed(2, 3), observed(2, 3)]) == []
    assert check_observers([observed(2, 3)]) == []
    assert check_observers([]) == []


def test_observers_who_disagree_are_told_of() -> None:
    """By round, with all that is held."""
    found = check_observers([observed(2, 3, 4), observed(2, 1, 4), observed(2, 2, 5)])
    assert found == [Violation(2, SAME, "held 1, 2, 3"), Violation(3, SAME, "held 4, 5")]


def test_an_observer_without_a_count_disagrees() -> None:
    """To hold nothing, or nobody, is to hold none."""
    for other in (observed(2), observed(2, None)):
        assert check_observers([observed(2, 3), other]) == [Violation(2, SAME, "held 0, 3")]
    assert check_observers([observed(2, 0), observed(2), observed(2, None)]) == []


def test_who_was_gone_when_the_event_ended_is_not_asked() -> None:
    """It cannot know the last counts."""
    assert check_observers([observed(2, 3), observed(1, 1, connected=False)]) == []


def test_of_a_round_that_a_replaced_poll_counted_only_the_undisturbed_are_asked() -> None:
    """Who came later reads the new poll; of other rounds everybody is asked."""
    late = observed(None, 3, undisturbed=False)
    assert check_observers([observed(2, 3), late], before={1}) == []
    assert check_observers([observed(2, 3), late], before={2}) == [Violation(1, SAME, "held 0, 2")]
    wrong = [observed(2, 3), observed(1, 3), late]
    assert check_observers(wrong, before={1}) == [Violation(1, SAME, "held 1, 2")]


@pytest.mark.parametrize(
    ("told", "rounds"),
    [
        ([(1.0, 1, 2), (2.0, 2, 0), (3.0, 2, 3), (4.0, 2, 3)], []),
        ([(1.0, 1, 2), (2.0, 2, 0), (3.0, 2, 3), (4.0, 2, 2)], [2]),
        ([(1.0, 1, 2), (2.0, 1, 3), (3.0, 1, 0)], [1]),
        ([(1.0, 1, 2), (2.0, 2, 1), (3.0, 1, 1), (4.0, 2, 0)], [1, 2]),
    ],
    ids=["grows", "shrinks", "to nothing", "both"],
)
@pytest.mark.parametrize("connected", [True, False])
def test_nobody_is_told_fewer_votes_than_before(
    told: list[tuple[float, int, int]], rounds: list[int], *, connected: bool
) -> None:
    """Of one round; who is gone in the end was told so all the same."""
    found = check_observers([observed(connected=connected, told=told)])
    assert found == [Violation(n, GROWING, "an observer was told fewer votes") for n in rounds]


def test_observers_are_not_told_in_step() -> None:
    """One may be told fewer votes than another was before."""
    first, second = observed(told=[(1.0, 1, 5)]), observed(told=[(2.0, 1, 3), (3.0, 1, 5)])
    assert check_observers([first, second]) == []


def test_where_the_poll_is_replaced_the_tally_begins_again() -> None:
    """In that round, and in those that the poll had counted before."""
    observers = [observed(told=[(1.0, number, 5), (2.0, number, 0)]) for number in (1, 2, 3)]
    assert [v.round for v in check_observers(observers)] == [1, 2, 3]
    assert [v.round for v in check_observers(observers, replaced={2})] == [1, 3]
    assert [v.round for v in check_observers(observers, replaced={2}, before={1})] == [3]
