"""Findings: what the evidence says, and how the findings of several parts add up."""

from __future__ import annotations

from simulator.checks import Findings, examine
from simulator.checks.evidence import Breach
from simulator.checks.findings import merge

from .stories import STORY, evidence

EVE = """
    -1.0 joined eve
    1.0 accepted eve P 0
    1.5 accepted eve P 3
    1.6 accepted eve T1 0
    1.7 refused eve P 0
"""


def test_right_evidence_says_who_was_counted_and_breaks_no_rule() -> None:
    """Must and may by round, also of one that is not played any more; votes by the millisecond."""
    assert examine(evidence(), staying=3) == Findings(
        must={1: 2, 2: 3, 3: 0},
        may={1: 2, 2: 3, 3: 3},
        admitted={},
        accepted={
            ("P", 0): {1000: 1, 2000: 1},
            ("P", 1): {11000: 1, 12000: 1, 13000: 1},
        },
        staying=3,
        ids=3,
        breaches=[],
    )


def test_votes_of_hostile_peers_are_admitted() -> None:
    """By option, among those accepted; what is no hidden poll's is nobody's business."""
    found = examine(evidence(STORY + EVE, hostile={"eve"}), staying=3)
    assert found.admitted == {("P", 0): 1, ("P", 3): 1}
    assert found.accepted[("P", 0)] == {1000: 2, 2000: 1}
    assert found.must == {1: 2, 2: 3, 3: 0}
    assert found.may == {1: 2, 2: 3, 3: 3}
    assert found.breaches == []
    assert found.ids == 3
    assert found.votes_accepted == 7
    assert [found.votes(("P", option)) for option in (0, 1, 2, 3)] == [3, 3, 0, 1]


def test_every_rule_is_asked() -> None:
    """A log in which all that can go wrong goes wrong."""
    wrong = """
        8.0 accepted cyd P 0
        15.0 accepted ann P 0
    """
    scenario = evidence().scenario.model_copy(update={"sample_rate": 0.5})
    story = STORY.replace("2.0 accepted bob P 0", "") + wrong + "2.5 refused cyd P 5\n" * 40
    found = examine(evidence(story, scenario, deliveries={"bob": 99}), staying=3)
    everybody = examine(evidence(story), staying=3)
    assert (1, "who must be counted has voted") in {b[:2] for b in everybody.breaches}
    assert {breach[:2] for breach in found.breaches} == {
        (1, "no vote for a round whose waiting phase was not seen"),
        (1, "nobody is counted twice"),
        (1, "no vote for a round that is over"),
        (1, "once per (poll, option)"),
        (6, "once per (poll, option)"),
        (0, "votes per player are bounded"),
        (0, "deliveries per player are bounded"),
        (1, "who votes in one round of a sampled poll votes in all"),
    }


ONE = Findings(
    must={1: 2, 2: 0},
    may={1: 3, 2: 0},
    admitted={("P", 0): 1},
    accepted={("P", 0): {1000: 1, 2000: 1}},
    staying=2,
    ids=3,
    breaches=[Breach(1, "a", 2, "ann"), Breach(1, "b", 1, "bob")],
)
TWO = Findings(
    must={1: 1, 3: 4},
    may={1: 1, 3: 5},
    admitted={("P", 0): 2, ("P", 1): 1},
    accepted={("P", 0): {2000: 3}, ("P", 1): {3000: 1}},
    staying=3,
    ids=4,
    breaches=[Breach(1, "a", 5, "cyd"), Breach(2, "a", 1, "dan")],
)


def test_findings_of_several_parts_add_up() -> None:
    """Players, votes and breaches; of a rule broken in several parts the first example is told."""
    assert merge([ONE, TWO]) == Findings(
        must={1: 3, 2: 0, 3: 4},
        may={1: 4, 2: 0, 3: 5},
        admitted={("P", 0): 3, ("P", 1): 1},
        accepted={("P", 0): {1000: 1, 2000: 4}, ("P", 1): {3000: 1}},
        staying=5,
        ids=7,
        breaches=[
            Breach(1, "a", 7, "ann"),
            Breach(1, "b", 1, "bob"),
            Breach(2, "a", 1, "dan"),
        ],
    )


def test_adding_keeps_the_parts_as_they_were() -> None:
    """One part twice is twice as many; the part itself has not changed."""
    assert merge([ONE, ONE, ONE]) == Findings(
        must={1: 6, 2: 0},
        may={1: 9, 2: 0},
        admitted={("P", 0): 3},
        accepted={("P", 0): {1000: 3, 2000: 3}},
        staying=6,
        ids=9,
        breaches=[Breach(1, "a", 6, "ann"), Breach(1, "b", 3, "bob")],
    )
    assert ONE.accepted == {("P", 0): {1000: 1, 2000: 1}}
    assert ONE.must == {1: 2, 2: 0}


def test_nothing_adds_up_to_nothing() -> None:
    """One part alone is what it was."""
    assert merge([]) == Findings(breaches=[])
    assert merge([ONE]) == ONE
