"""Progress: from the elements held to the round, its poll and its option."""

from __future__ import annotations

import gc
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poll_counter import rounds
from poll_counter.elements import Element, FieldValue, Ids, Mark, Recognise
from poll_counter.rounds import EARLY_MAX, Progress, spread_of
from poll_counter.standing import Standing
from tests.support.show import finished, is_value, poll, trivia


def progress(*elements: Element, recognise: Recognise | None = None) -> Progress:
    """Hold elements that came one by one, in order."""
    held = Progress(recognise or Recognise())
    for element in elements:
        held = held.with_element(element)
    return held


def ids(held: Progress) -> set[str]:
    """The ids of the elements present."""
    return set(held.elements)


def found(held: Progress, round_: int) -> tuple[str, int] | None:
    """The id of the poll and the option of a round."""
    pair = held.poll_for(round_)
    return None if pair is None else (pair[0].id, pair[1])


# How far the show is


def test_nothing_held_is_round_one() -> None:
    """Before anything is told the show is in round 1, its event upcoming, without a poll."""
    held = Progress(Recognise())
    assert (held.round, held.finished, held.opened) == (1, 0, 0)
    assert held.event_state == "upcoming"
    assert (held.poll_for(1), held.options_per_poll) == (None, 0)


def test_finished_and_opened_count_the_trivia_present() -> None:
    """Trivia present are counted by state; polls and other elements are not."""
    held = progress(*finished(3), trivia(4), poll(state="closed"))
    assert (held.finished, held.opened, held.round) == (3, 1, 4)


def test_one_id_counts_once() -> None:
    """The same trivia told again is still one trivia."""
    held = progress(trivia(1, "closed"), trivia(1, "closed"))
    assert held.finished == 1


def test_trivia_is_told_by_the_criteria_given() -> None:
    """What counts as trivia is what `recognise` says."""
    recognise = Recognise(trivia=Ids("T2"))
    assert progress(*finished(3), recognise=recognise).finished == 1


def test_state_changes_move_between_opened_and_finished() -> None:
    """Closing a trivia ends the round, opening it again steps back."""
    held = progress(trivia(1)).with_state("T1", "closed", None)
    assert (held.finished, held.opened) == (1, 0)
    held = held.with_state("T1", "opened", None)
    assert (held.finished, held.opened) == (0, 1)


def test_revoking_a_finished_trivia_steps_back() -> None:
    """Finished is derived from what is present: revoked = absent, republished = present."""
    held = progress(*finished(2)).without("T1", None)
    assert held.round == 2
    assert held.with_element(trivia(1, "closed")).round == 3


def test_every_change_is_a_new_value() -> None:
    """A change leaves the progress before it as it was."""
    before = progress(poll(), trivia(1))
    before.with_state("T1", "closed", 5)
    before.without("P", 6)
    before.with_event("active", 7)
    before.with_snapshot([], 8)
    assert before == progress(poll(), trivia(1))


def test_elements_held_cannot_be_changed() -> None:
    """What players share is read-only, also when the sender keeps its own dictionary."""
    held = progress(trivia(1))
    with pytest.raises(TypeError):
        held.elements["T2"] = trivia(2)  # type: ignore[index]
    assert is_value(held)


def test_repr_says_how_far_the_show_is() -> None:
    """A progress reads well in a log: how far it is, not all that it holds."""
    text = repr(progress(poll("P"), *finished(3)))
    assert "finished=3" in text
    assert not any(word in text for word in ("elements", "pages", "revoked", "custom"))


# Revisions


@pytest.mark.parametrize(("rev", "old"), [(4, True), (5, True), (6, False), (None, False)])
def test_rev_must_be_above_the_one_held(rev: int | None, *, old: bool) -> None:
    """A change is old unless its rev is above the element's; without a rev it is in order."""
    held = progress(trivia(1, rev=5), trivia(2, rev=9))
    assert held.is_old("T1", rev) is old


def test_first_rev_is_never_old() -> None:
    """An element never heard of is new at any revision, revision 0 included."""
    assert not Progress(Recognise()).is_old("T1", 0)
    assert not progress(trivia(2, rev=9)).is_old("T1", 0)


def test_element_held_without_rev_gives_way_to_any_rev() -> None:
    """An element held without a revision is older than each that has one."""
    assert not progress(trivia(1)).is_old("T1", 0)


def test_revoked_element_stays_revoked() -> None:
    """What was sent before the revocation is old when it comes after it."""
    held = progress(trivia(1, rev=5)).without("T1", 6)
    assert ids(held) == set()
    assert held.is_old("T1", 5)
    assert held.is_old("T1", 6)
    assert not held.is_old("T1", 7)


def test_revocation_may_overtake_the_publication() -> None:
    """A revocation that comes before the publication it revokes is kept in mind."""
    held = progress().without("T1", 6)
    assert held.is_old("T1", 5)
    assert not held.is_old("T1", 7)


def test_revocation_without_rev_leaves_no_trace() -> None:
    """Without revisions a revoked element may be published again at any time."""
    held = progress(trivia(1)).without("T1", None)
    assert not held.is_old("T1", 0)


def test_republished_element_is_compared_with_its_own_rev() -> None:
    """After a revocation and a republication, the republication's revision is what counts."""
    held = progress(trivia(1, rev=5)).without("T1", 6).with_element(trivia(1, rev=8))
    assert held.is_old("T1", 8)
    assert not held.is_old("T1", 9)


def test_state_change_raises_the_rev_held() -> None:
    """A change of state carries a revision of its own."""
    held = progress(trivia(1, rev=5)).with_state("T1", "closed", 7)
    assert held.is_old("T1", 7)
    assert held.elements["T1"].rev == 7


def test_changes_in_any_order_lead_to_the_same_elements() -> None:
    """Whole elements and revocations with revisions converge in every order, repeats included."""
    told: list[tuple[str, int, Element | None]] = [
        ("T1", 1, trivia(1, rev=1)),
        ("T1", 4, trivia(1, "closed", rev=4)),
        ("P", 2, poll(rev=2)),
        ("P", 3, None),
        ("P", 5, poll(rev=5, options=4)),
    ]
    for order in permutations(told):
        held = Progress(Recognise())
        for element_id, rev, element in (*order, order[0], order[2]):
            if not held.is_old(element_id, rev):
                held = (
                    held.without(element_id, rev) if element is None else held.with_element(element)
                )
        assert held.elements == {"T1": told[1][2], "P": told[4][2]}


# States that overtake the publication


def test_state_may_overtake_the_publication() -> None:
    """A close that comes before its publication counts as soon as that comes."""
    held = progress().with_state("T1", "closed", 6)
    assert ids(held) == set()
    assert (held.finished, held.highest_rev) == (0, 6)
    held = held.with_element(trivia(1, rev=5))
    assert (held.finished, held.opened) == (1, 0)
    assert held.elements["T1"].rev == 6
    assert held.early == {}


def test_later_publication_has_a_state_of_its_own() -> None:
    """A publication above the early state's revision, or without one, says what counts."""
    held = progress().with_state("T1", "closed", 6)
    for rev in (7, None):
        later = held.with_element(trivia(1, rev=rev))
        assert (later.finished, later.opened, later.early) == (0, 1, {})


def test_newest_early_state_counts() -> None:
    """Of two early states the one with the higher revision counts, in whatever order they came."""
    for first, second in ((6, 7), (7, 6)):
        states = {6: "closed", 7: "opened"}
        held = progress()
        for rev in (first, second, first):
            held = held.with_state("T1", "closed" if states[rev] == "closed" else "opened", rev)
        assert held.with_element(trivia(1, "closed", rev=5)).opened == 1


def test_early_state_told_again_changes_nothing() -> None:
    """The same early state, or an older one, leaves the progress as it is."""
    held = progress().with_state("T1", "closed", 6)
    assert held.with_state("T1", "closed", 6) is held
    assert held.with_state("T1", "opened", 5) is held


def test_state_of_an_unknown_element_without_rev_is_ignored() -> None:
    """Without a revision nobody could tell which was first."""
    held = progress()
    assert held.with_state("T1", "closed", None) is held


def test_state_up_to_the_revocation_is_old() -> None:
    """A state of an element that was revoked later does not wait for anything."""
    held = progress(trivia(1, rev=3)).without("T1", 6)
    assert held.with_state("T1", "closed", 5) is held
    assert held.with_state("T1", "closed", 7).early == {"T1": ("closed", 7)}


def test_replacing_snapshot_forgets_early_states() -> None:
    """A snapshot at the highest revision seen knows all that came early; a lagging one does not."""
    held = progress().with_state("T1", "closed", 6)
    assert held.with_snapshot([], 6).early == {}
    lagging = held.with_snapshot([trivia(1, rev=4), trivia(2, rev=5)], 5)
    assert (lagging.finished, lagging.opened) == (1, 1)


def test_early_states_are_bounded() -> None:
    """Of more early states than any show has the oldest go."""
    held = progress()
    for n in range(EARLY_MAX + 3):
        held = held.with_state(f"T{n}", "closed", 1 + n)
    assert len(held.early) == EARLY_MAX
    assert set(held.early) == {f"T{n}" for n in range(3, EARLY_MAX + 3)}


def test_elements_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the most none is taken in, one by one or merged; those held still change."""
    monkeypatch.setattr(rounds, "ELEMENTS_MAX", 3)
    held = progress(*finished(2), poll())
    assert held.is_full_for("T3")
    assert held.with_element(trivia(3)) is held
    assert held.with_element(trivia(2, "opened")).opened == 1
    lagging = progress(trivia(1, rev=9)).with_snapshot([trivia(n, rev=n) for n in range(1, 6)], 5)
    assert ids(lagging) == {"T1", "T2", "T3"}
    assert ids(held.without("T1", None).with_element(trivia(3))) == {"P", "T2", "T3"}


def test_revocations_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten."""
    monkeypatch.setattr(rounds, "ELEMENTS_MAX", 3)
    held = progress()
    for n in range(5):
        held = held.without(f"T{n}", n)
    assert held.revoked == {"T2": 2, "T3": 3, "T4": 4}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["T1", "T2", "T3", "P1", "P2", "x"]),
            st.sampled_from(["opened", "closed", "revoked", "updated"]),
        ),
        max_size=30,
    )
)
def test_one_change_after_the_other_is_worked_out_as_all_at_once(
    changes: list[tuple[str, str]],
) -> None:
    """What follows from the elements held does not depend on how they came."""
    held = Progress(Recognise())
    for rev, (element_id, change) in enumerate(changes, start=1):
        if change == "revoked":
            held = held.without(element_id, rev)
        elif change == "updated" or element_id not in held.elements:
            number = int(element_id[1:] or 0)
            made = poll(element_id, page=number - 1) if element_id[0] == "P" else trivia(number)
            named = replace(made, id=element_id, rev=rev, published_at=float(rev % 3))
            held = held.with_element(
                replace(named, type="text", content_type="text") if element_id == "x" else named
            )
        else:
            held = held.with_state(element_id, "closed" if change == "closed" else "opened", rev)
    at_once = Progress(Recognise()).with_snapshot(held.elements.values(), None)
    for name in ("elements", "finished", "opened", "polls", "pages", "options_per_poll"):
        assert getattr(held, name) == getattr(at_once, name)


def test_a_change_asks_nothing_of_the_other_elements() -> None:
    """Thousands of elements that come one by one are each looked at a few times, not each time."""
    asked: list[str] = []

    class Asking(Mark):
        def matches(self, element: Element) -> bool:
            asked.append(element.id)
            return super().matches(element)

    held = Progress(Recognise(hidden_poll=Asking())).with_snapshot(
        [trivia(n) for n in range(50)], 1
    )
    asked.clear()
    held.with_element(trivia(51, rev=2)).with_state("T51", "closed", 3).without("T51", 4)
    assert set(asked) == {"T51"}


# Sample rates


def test_rate_is_kept_as_first_seen() -> None:
    """Another rate of the same poll is ignored, also after it was revoked or replaced by all."""
    held = progress(poll(sample_rate=0.5))
    for after in (
        held.with_element(poll(sample_rate=0.1)),
        held.with_element(poll()),
        held.without("P", None).with_element(poll(sample_rate=0.1)),
        held.with_snapshot([], None).with_snapshot([poll(sample_rate=0.1)], None),
    ):
        assert after.rates == {"P": 0.5}
    assert held.with_element(poll("Q", sample_rate="0.1")).rates == {"P": 0.5, "Q": 0.1}


def test_rate_one_is_kept_too() -> None:
    """A poll first seen without a rate keeps 1, and one with a rate that cannot be read."""
    for told in (None, "half", 0, 7):
        held = progress(poll(sample_rate=told)).with_element(poll(sample_rate=0.1))
        assert held.rates == {"P": 1.0}


def test_rates_known_from_before_win() -> None:
    """What was remembered is what was seen first."""
    held = progress().with_rates({"P": 0.5}).with_element(poll(sample_rate=0.1))
    assert held.rates == {"P": 0.5}
    assert held.with_rates({"P": 0.5}) is held


def test_rates_are_of_hidden_polls() -> None:
    """What is no hidden poll has no rate."""
    assert progress(trivia(1)).rates == {}


# What is told to many is worked out once


@pytest.mark.parametrize("step", ["element", "state", "early", "without", "event", "snapshot"])
def test_same_change_leads_to_the_same_progress(step: str) -> None:
    """Who holds the same progress and is told the same holds the same afterwards."""
    held, told = progress(trivia(1, rev=3)), poll(rev=7)
    elements = (told,)

    def after() -> Progress:
        return {
            "element": lambda: held.with_element(told),
            "state": lambda: held.with_state("T1", "closed", 7),
            "early": lambda: held.with_state("T9", "closed", 7),
            "without": lambda: held.without("T1", 7),
            "event": lambda: held.with_event("active", 7),
            "snapshot": lambda: held.with_snapshot(elements, 7),
        }[step]()

    assert after() is after()
    assert after() is not held


def test_different_changes_are_not_taken_for_each_other() -> None:
    """Changes that look alike lead where each of them leads."""
    held = progress(trivia(1, rev=3), Element("active", "rpoll", "opened", 1.0, rev=3))
    assert held.with_event("active", 7).event_state == "active"
    assert ids(held.without("active", 7)) == {"T1"}
    assert ids(held.without("T1", 7)) == {"active"}
    assert held.with_state("T1", "closed", 7).finished == 1
    assert held.with_state("T1", "opened", 7).opened == 1
    assert held.with_state("T1", "closed", 8).elements["T1"].rev == 8
    assert held.with_element(trivia(1, "closed", rev=7)).finished == 1
    assert held.with_element(trivia(1, "opened", rev=7)).finished == 0
    elements = (trivia(1, "closed", rev=7),)
    assert held.with_snapshot(elements, 7).snapshot_rev == 7
    assert held.with_snapshot(elements, 8).snapshot_rev == 8


def test_elements_told_are_not_mixed_up_when_memory_is_used_again() -> None:
    """An element told is known by which object it is: that object is kept, so none replaces it."""
    held = progress()
    for n in range(1000):
        assert ids(held.with_element(trivia(n, rev=n))) == {f"T{n}"}
        assert ids(held.with_snapshot([trivia(n, rev=n)], 1000)) == {f"T{n}"}


def welcome(*elements: Element, rev: int = 9, event_rev: int = 1) -> Progress:
    """What a client of its own holds after its first snapshot."""
    held = Progress(Recognise())
    return held.with_welcome(tuple(map(replace, elements)), rev, "active", event_rev)


def test_clients_of_a_process_share_what_they_were_told() -> None:
    """Told equal things in objects of their own, clients hold one progress from the first on."""
    elements = poll(rev=1, spread_s=3), trivia(1, rev=2)
    one, other = welcome(*elements), welcome(*elements)
    assert one is other
    assert one.event_state == "active"
    assert one.with_element(trivia(2, rev=10)) is other.with_element(trivia(2, rev=10))
    assert one.with_state("T1", "closed", 11) is other.with_state("T1", "closed", 11)


def test_what_a_crowd_is_told_as_it_joins_is_worked_out_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As long as somebody holds it, and for those alone who held the same before."""
    worked_out, work_out = list[int | None](), Progress._with_snapshot

    def noted(before: Progress, elements: tuple[Element, ...], rev: int | None) -> Progress:
        worked_out.append(rev)
        return work_out(before, elements, rev)

    monkeypatch.setattr(Progress, "_with_snapshot", noted)
    held = welcome(poll(rev=1))
    assert all(welcome(poll(rev=1)) is held for _ in range(3))
    assert worked_out == [9]
    restarted = Progress(Recognise()).with_rates({"P": 0.5})
    other = restarted.with_welcome((poll(rev=1),), 9, "active", 1)
    assert (held.rates, other.rates) == ({"P": 1.0}, {"P": 0.5})
    assert worked_out == [9, 9]


@pytest.mark.parametrize(
    "other",
    [
        welcome(poll(rev=1, spread_s=True), trivia(1, rev=2)),
        welcome(poll(rev=1, spread_s=1.0), trivia(1, rev=2)),
        welcome(trivia(1, rev=2), poll(rev=1, spread_s=1)),
        welcome(poll(rev=1, spread_s=1), trivia(1, rev=2), rev=8),
        welcome(poll(rev=1, spread_s=1), trivia(1, rev=2), event_rev=2),
        welcome(poll(rev=1, spread_s=1)),
    ],
    ids=["true is no 1", "1.0 is no 1", "another order", "rev", "event's rev", "elements"],
)
def test_clients_told_otherwise_share_nothing(other: Progress) -> None:
    """Whatever differs, be it that 1 is written as true, keeps clients apart."""
    one = welcome(poll(rev=1, spread_s=1), trivia(1, rev=2))
    assert one is not other


def test_fields_that_only_look_equal_are_told_apart() -> None:
    """An element published to one with a field 1, and with true to the other, is not one."""
    one = welcome()
    assert one is welcome()
    spreads = [one.with_element(poll(rev=10, spread_s=value)) for value in (1, True)]
    assert [spread_of(each.polls[0], None) for each in spreads] == [1.0, None]


def test_crowd_that_comes_back_leaves_nothing_of_its_own() -> None:
    """What thousands are told in objects of their own is kept once."""
    held = welcome(trivia(1, rev=3))
    for _ in range(3):
        held.with_element(trivia(2, rev=10))
        held.with_welcome((trivia(1, "closed", rev=10),), 10, "active", 1)
    assert len(held._told) == 4  # by value, and by which object it was


def test_what_a_crowd_held_is_freed() -> None:
    """What was told by a snapshot is kept for as long as somebody holds it."""
    gc.disable()
    try:
        before = len(rounds._held), len(rounds._welcomed)
        held = [welcome(poll(rev=1)) for _ in range(3)]
        assert (len(rounds._held), len(rounds._welcomed)) == (before[0] + 1, before[1] + 1)
        held.clear()
        assert (len(rounds._held), len(rounds._welcomed)) == before
    finally:
        gc.enable()


def test_welcome_that_changes_nothing_leads_nowhere() -> None:
    """A snapshot from a lagging edge that brings nothing new leaves the very same progress."""
    held = welcome(trivia(1, rev=3))
    assert held.with_welcome((trivia(1, rev=3),), 5, "active", 1) is held


def test_progress_that_nobody_holds_is_freed() -> None:
    """A lone client does not keep the past: what was worked out points forward only."""

    def alive() -> int:
        return sum(type(each) is Progress for each in gc.get_objects())

    gc.disable()  # it is freed at once: there is no cycle to be found later
    try:
        before = alive()
        held = progress(trivia(1, rev=0)).with_event("active", 0)
        for rev in range(1, 50):
            held = held.with_state("T1", "closed" if rev % 2 else "opened", rev)
            held.with_state("T1", "closed", rev)  # ignored
            held.with_snapshot((), rev - 1)
            Standing.of(held)
        assert alive() - before == 1
    finally:
        gc.enable()


# Snapshots


def test_snapshot_replaces_all() -> None:
    """A snapshot at the highest revision seen replaces what is held: absent = revoked."""
    held = progress(trivia(1, rev=3), trivia(2, rev=4), poll(rev=5))
    for rev in (5, 9, None):
        assert ids(held.with_snapshot([trivia(2, "closed", rev=4)], rev)) == {"T2"}
        assert held.with_snapshot([trivia(2, "closed", rev=4)], rev).round == 2


def test_what_came_before_the_snapshot_is_old_after_it() -> None:
    """No change up to the snapshot's revision counts after it, whatever the element."""
    held = progress(trivia(1, rev=3)).with_snapshot([trivia(2, rev=4)], 9)
    assert held.is_old("T1", 9)
    assert held.is_old("T2", 9)
    assert held.is_old("T3", 9)
    assert not held.is_old("T1", 10)


def test_lagging_snapshot_is_merged_by_rev() -> None:
    """A snapshot below the highest revision seen adds and renews, and takes nothing away."""
    held = progress(trivia(1, rev=3), trivia(2, "closed", rev=8))
    merged = held.with_snapshot([trivia(2, rev=5), trivia(3, "closed", rev=6)], 7)
    assert ids(merged) == {"T1", "T2", "T3"}
    assert merged.elements["T2"].state == "closed"
    assert (merged.finished, merged.opened) == (2, 1)


def test_lagging_snapshot_renews_what_it_knows_later() -> None:
    """An element that the lagging edge knows at a higher revision is renewed."""
    held = progress(trivia(1, rev=3), trivia(2, rev=8))
    assert held.with_snapshot([trivia(1, "closed", rev=5)], 7).finished == 1


def test_lagging_snapshot_without_news_changes_nothing() -> None:
    """A lagging snapshot that knows nothing newer leaves the progress as it is."""
    held = progress(trivia(1, "closed", rev=8))
    assert held.with_snapshot([trivia(1, rev=3)], 7) is held


def test_lagging_snapshot_brings_no_revoked_element_back() -> None:
    """What was revoked above the lagging edge's revision stays absent."""
    held = progress(poll(rev=3)).without("P", 8)
    assert ids(held.with_snapshot([poll(rev=3)], 7)) == set()


def test_lagging_snapshot_is_no_bar_to_later_changes() -> None:
    """After a merge the elements' own revisions still decide, and the highest stays."""
    held = progress(trivia(1, rev=8)).with_snapshot([trivia(2, rev=5)], 7)
    assert not held.is_old("T2", 6)
    assert not held.is_old("T3", 6)
    assert ids(held.with_snapshot([], 7)) == {"T1", "T2"}
    assert ids(held.with_snapshot([], 8)) == set()


def test_revocations_before_a_snapshot_are_in_it() -> None:
    """A snapshot makes earlier tombstones needless: its own revision says the same."""
    held = progress(poll(rev=3)).without("P", 8).with_snapshot([], 8)
    assert held.revoked == {}
    assert held.is_old("P", 8)
    assert not held.is_old("P", 9)


def test_snapshots_without_rev_count_as_in_order() -> None:
    """A transport without revisions is believed: each snapshot replaces all."""
    held = progress(trivia(1), trivia(2)).with_snapshot([trivia(3)], None)
    assert ids(held) == {"T3"}
    assert not held.is_old("T3", 0)
    assert (held.snapshot_rev, held.highest_rev) == (-1, -1)


@pytest.mark.parametrize("step", ["element", "state", "without", "event", "snapshot"])
def test_every_change_raises_the_highest_rev(step: str) -> None:
    """The highest revision seen comes from any kind of change; a lower one leaves it."""
    held = progress(trivia(1, rev=3))
    after = {
        "element": held.with_element(poll(rev=7)),
        "state": held.with_state("T1", "closed", 7),
        "without": held.without("X", 7),
        "event": held.with_event("active", 7),
        "snapshot": held.with_snapshot([], 7),
    }[step]
    assert after.highest_rev == 7
    assert after.with_element(poll("Q", rev=5)).highest_rev == 7
    assert after.with_event("finished", 5 if step != "event" else 8).highest_rev in {7, 8}


# The event


def test_event_state_follows_its_own_rev() -> None:
    """A state of the event not above the revision held is ignored; elements do not matter."""
    held = progress(trivia(1, rev=9)).with_event("active", 2)
    assert held.event_state == "active"
    assert held.with_event("finished", 2) is held
    assert held.with_event("finished", 1) is held
    assert held.with_event("finished", 3).event_state == "finished"


def test_event_state_without_rev_counts_as_in_order() -> None:
    """Without a revision each state of the event is believed, and the revision held stays."""
    held = progress().with_event("active", 2).with_event("finished", None)
    assert (held.event_state, held.event_rev) == ("finished", 2)


# Polls, pages, options


def test_option_of_a_round_is_the_number_of_trivia_finished() -> None:
    """Round k is voted for at option k - 1; after the last option there is none."""
    held = progress(poll(options=10))
    assert [found(held, k) for k in (1, 5, 10)] == [("P", 0), ("P", 4), ("P", 9)]
    assert held.poll_for(11) is None


def test_closed_poll_is_still_the_poll_of_its_rounds() -> None:
    """A poll closed counts what it counted: which poll counts a round is not a matter of state."""
    assert found(progress(poll(state="closed")), 1) == ("P", 0)


def test_polls_chain_by_their_page_field() -> None:
    """A page named in the custom field wins over the order of publishing."""
    held = progress(poll("B", page=1, published_at=1), poll("A", page="0", published_at=2))
    assert [found(held, k) for k in (1, 10, 11, 20, 21)] == [
        ("A", 0),
        ("A", 9),
        ("B", 0),
        ("B", 9),
        None,
    ]


def test_polls_chain_by_the_order_of_publishing() -> None:
    """Without a page named, polls chain in the order they were published, then by id."""
    held = progress(
        poll("Z", options=2, published_at=1),
        poll("C", options=2, published_at=5),
        poll("B", options=2, published_at=5),
    )
    assert [found(held, k) for k in (1, 3, 5)] == [("Z", 0), ("B", 0), ("C", 0)]


def test_polls_chain_by_the_order_of_ids() -> None:
    """With ids configured the page is the index in the list, whatever field or time say."""
    recognise = Recognise(hidden_poll=Ids("X", "Y"))
    held = progress(
        poll("Y", options=2, page=0, published_at=1),
        poll("X", options=2, page=1, published_at=2),
        poll("P", options=2, published_at=3),
        recognise=recognise,
    )
    assert [found(held, k) for k in (1, 3, 5)] == [("X", 0), ("Y", 0), None]


@pytest.mark.parametrize("page", ["one", -1, 0.5, True, "nan"])
def test_unreadable_page_goes_by_the_order_of_publishing(page: FieldValue) -> None:
    """A page that is no whole number from 0 on is as good as none."""
    held = progress(poll("A", published_at=1), poll("B", page=page, published_at=2))
    assert found(held, 11) == ("B", 0)


def test_later_published_poll_of_a_page_wins() -> None:
    """Of two polls for one page the later published counts, in whatever order they came."""
    early, late = poll("A", page=0, published_at=1), poll("B", page=0, published_at=2)
    for order in permutations([early, late]):
        assert found(progress(*order), 1) == ("B", 0)
    assert found(progress(early, late).without("B", None), 1) == ("A", 0)


def test_every_page_has_the_options_of_page_zero() -> None:
    """Page 0 says how many rounds a page holds; an option that a page lacks is no option."""
    held = progress(poll("A", page=0, options=4), poll("B", page=1, options=2))
    assert [found(held, k) for k in (4, 5, 6, 7, 8, 9)] == [
        ("A", 3),
        ("B", 0),
        ("B", 1),
        None,
        None,
        None,
    ]


def test_longer_page_does_not_change_the_chain() -> None:
    """A later page with more options than page 0 holds as many rounds as page 0."""
    held = progress(
        poll("A", page=0, options=2), poll("B", page=1, options=5), poll("C", page=2, options=2)
    )
    assert [found(held, k) for k in (3, 4, 5)] == [("B", 0), ("B", 1), ("C", 0)]


def test_missing_page_leaves_its_rounds_without_a_poll() -> None:
    """The rounds of a page that is not present have no poll; those of other pages keep theirs."""
    held = progress(poll("A", page=0), poll("C", page=2))
    assert [found(held, k) for k in (1, 11, 21)] == [("A", 0), None, ("C", 0)]


def test_poll_without_options_counts_nothing() -> None:
    """A hidden poll without options has no round."""
    assert progress(poll(options=0)).poll_for(1) is None


# Spread


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (None, 3.0),
        ("soon", 3.0),
        (True, 3.0),
        (0, 0.0),
        (10, 10.0),
        ("2.5", 2.5),
        (-4, 0.0),
        (120, 120.0),
        (121, 120.0),
        ("9e9", 120.0),
    ],
)
def test_spread_is_the_polls_clamped_else_the_default(told: FieldValue, seconds: float) -> None:
    """A poll names its spread, clamped to 0..120 s; what cannot be read is the default."""
    assert spread_of(poll(spread_s=told), 3.0) == seconds
