"""The ledger of what is held: growth is found, what only varies is not."""

from __future__ import annotations

import gc

import pytest

from simulator.leaks import ENDS_MIN, Holdings, Ledger, growth

CALM = Holdings(rss_mb=50.0, tasks=1, descriptors=9, objects={"a.A": 3, "b.B": 5})


def ledger(*held: Holdings) -> Ledger:
    """A ledger of shows that ended every minute."""
    found = Ledger()
    for minute, each in enumerate(held):
        found.add(60.0 * minute, each)
    return found


def test_what_stays_the_same_does_not_leak() -> None:
    """Nor does what is less at the end than at first."""
    fewer = Holdings(rss_mb=49.0, tasks=0, descriptors=8, objects={"a.A": 3})
    assert ledger(CALM, CALM, CALM, CALM).leaks() == []
    found = ledger(CALM, CALM, CALM, fewer)
    assert found.leaks() == []
    assert found.changed == {"b.B": (5, 0)}


@pytest.mark.parametrize(
    ("more", "leak"),
    [
        (CALM._replace(tasks=2), "tasks: 2 where there were 1"),
        (CALM._replace(descriptors=1010), "descriptors: 1,010 where there were 9"),
        (
            CALM._replace(objects={"a.A": 4, "b.B": 5}),
            "objects of a.A: 4 where there were 3",
        ),
        (
            CALM._replace(objects={"a.A": 3, "b.B": 5, "c.C": 1}),
            "objects of c.C: 1 where there were 0",
        ),
    ],
    ids=["tasks", "descriptors", "objects", "a new type"],
)
def test_one_more_at_the_end_is_a_leak(more: Holdings, leak: str) -> None:
    """Not one that was there in between."""
    assert ledger(CALM, CALM, CALM, more).leaks() == [leak]
    found = ledger(CALM, CALM, more, CALM)
    assert found.leaks() == []
    assert not found.is_back_at_first(more)
    assert found.is_back_at_first(CALM)


def test_many_types_are_not_all_named() -> None:
    """Those that grew most are."""
    grown = {f"t{number}": number for number in range(1, 9)}
    *named, rest = ledger(CALM, CALM, CALM, CALM._replace(objects=grown)).leaks()
    assert named[0] == "objects of t8: 8 where there were 0"
    assert len(named) == 5
    assert rest == "and objects of 3 types more"


def test_memory_that_grows_leaks() -> None:
    """Along the line that fits best: 4 % are let be, 6 % are not."""
    steps = [0.0, 1.0, 2.0, 3.0]
    slow, fast = (
        ledger(*(CALM._replace(rss_mb=50.0 + per_step * step) for step in steps))
        for per_step in (2.0 / 3.0, 1.0)
    )
    assert slow.leaks() == []
    assert slow.memory_growth == pytest.approx(0.04)
    assert fast.leaks() == ["memory grew by 6.0% after the warm-up, to 53.0 MB"]


def test_a_leap_of_memory_that_goes_back_is_no_leak() -> None:
    """One end of many does not decide."""
    many = [CALM] * 20
    assert ledger(*many, CALM._replace(rss_mb=60.0), *many).leaks() == []


def test_growth_is_a_share_of_the_beginning() -> None:
    """Whenever that was; two points make a line, one makes none."""
    assert growth([300.0, 1800.0], [100.0, 104.0]) == pytest.approx(0.04)
    assert growth([0.0, 1.0, 2.0], [4.0, 4.0, 4.0]) == 0.0
    assert growth([7.0], [4.0]) == 0.0
    assert growth([0.0, 1.0], [0.0, 1.0]) == 0.0, "of nothing there is no share"


def test_the_warm_up_is_not_judged() -> None:
    """The first end after it is what the others are held against."""
    found = Ledger()
    for minute, tasks in enumerate([0, 5]):
        held = CALM._replace(tasks=tasks)
        found.add(60.0 * minute, held, warming_up=True)
        assert found.is_back_at_first(held._replace(tasks=9))
    for minute in range(2, 6):
        found.add(60.0 * minute, CALM._replace(tasks=7))
    assert found.leaks() == []
    assert found.ends == 4
    found.add(600.0, CALM._replace(tasks=8))
    assert found.leaks() == ["tasks: 8 where there were 7"]


@pytest.mark.parametrize("ends", range(ENDS_MIN))
def test_few_ends_tell_nothing(ends: int) -> None:
    """Which is no success."""
    found = ledger(*[CALM] * ends)
    (told,) = found.leaks()
    assert told.startswith(f"only {ends} shows ended after the warm-up, and 4 are needed")
    assert found.changed == {}
    assert found.memory_growth == 0.0


@pytest.mark.usefixtures("quick_to_collect")
def test_the_ledger_does_not_grow() -> None:
    """It holds as many objects after thirty ends as after the first that was judged."""

    def held() -> Holdings:
        return Holdings(50.0, 1, 9, dict.fromkeys(("a.A", "b.B"), 3))

    found = Ledger()
    found.add(0.0, held(), warming_up=True)
    sizes = []
    for number in range(30):
        gc.collect()
        sizes.append(len(gc.get_objects()))
        found.add(float(number), held())
    assert sizes[-1] <= sizes[0]
