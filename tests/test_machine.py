"""The machine: the counting rules of the design, as traces and rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain, count, repeat
from typing import Any, Final, NamedTuple, TypeAlias

import pytest

from poll_counter import rounds
from poll_counter.commands import (
    CastVote,
    Command,
    Remember,
    RememberRate,
    ReportCount,
    Skip,
    Warn,
)
from poll_counter.counts import RoundCount, unknown_count
from poll_counter.elements import ContentType, Element, EventState, FieldValue, Ids, Recognise
from poll_counter.errors import MisuseError
from poll_counter.facts import (
    ActiveChanged,
    Disconnected,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
    EventUpdated,
    Fact,
    FrameSkipped,
    RefusalReason,
    TimePassed,
    VoteHeldBack,
)
from poll_counter.machine import Machine, State
from poll_counter.rounds import Progress
from poll_counter.sampling import interval, is_sampled
from tests.support.show import (
    Client,
    accepted,
    closes,
    finished,
    held,
    is_value,
    opens,
    poll,
    published,
    refused,
    results,
    revoked,
    trivia,
    welcomed,
)

OUT, BACK, OFFLINE = ActiveChanged(active=False), ActiveChanged(active=True), Disconnected()
ACTIVE, OVER = EventStateChanged("active"), EventStateChanged("finished")
RESTART: Final = "restart"

Step: TypeAlias = Fact | float | str
"""A fact told, seconds waited, or RESTART."""


def play(client: Client, *steps: Step) -> Client:
    """Take a client through the steps."""
    for step in steps:
        if isinstance(step, int | float):
            client.wait(step)
        elif isinstance(step, str):
            client.restart()
        else:
            client.tell(step)
    return client


def state_of(client: Client) -> State:
    """Where a client stands now."""
    return client.machine.state


def draws(*values: float) -> Callable[[], float]:
    """Draw these numbers, one after the other, then the last for ever."""
    numbers = chain(values, repeat(values[-1]))
    return lambda: next(numbers)


# The trace table of design section 3


class Trace(NamedTuple):
    """One case of a row: what happens, and what the client casts (when, poll, option)."""

    row: str
    steps: tuple[Step, ...]
    casts: list[tuple[float, str, int]]
    players: Mapping[int, int | None] | None = None
    """The history in the end: round -> players; None: not looked at."""
    warned: tuple[str, ...] = ()
    accepts: bool = True
    """Whether the platform accepts each vote at once; else answers are lost."""
    acknowledges: bool = True


P: Final = poll()
A: Final = poll("A")
B: Final = poll("B", page=1, published_at=2)

TRACES: Final = (
    Trace(
        "first connect in waiting k: due in k",
        (welcomed(P, *finished(2)), 5),
        [(1.5, "P", 2)],
    ),
    Trace(
        "first connect in playing k: from k+1",
        (welcomed(P, *finished(2), trivia(3)), 10, closes(3), 5),
        [(11.5, "P", 3)],
    ),
    Trace(
        "saw k, dropped before due, back in playing k: cast at once if its time has passed",
        (welcomed(P), 1, OFFLINE, 9, welcomed(P, trivia(1)), 5),
        [(10.0, "P", 0)],
    ),
    Trace(
        "saw k, dropped before due, back in playing k: else cast at its time",
        (welcomed(P), 0.5, OFFLINE, 0.5, welcomed(P, trivia(1)), 5),
        [(1.5, "P", 0)],
    ),
    Trace(
        "saw k, dropped before due, back in waiting k+1: k lapsed, k+1 due",
        (welcomed(P), 1, OFFLINE, 9, welcomed(P, *finished(1)), 5),
        [(11.5, "P", 1)],
    ),
    Trace(
        "saw k, dropped before due, back in playing k+1: neither, counted from k+2",
        (welcomed(P), 1, OFFLINE, 9, welcomed(P, *finished(1), trivia(2)), 10, closes(2), 5),
        [(21.5, "P", 2)],
    ),
    Trace(
        "restart before send, waiting: due anew",
        (welcomed(P), 1, RESTART, 9, welcomed(P), 5),
        [(11.5, "P", 0)],
    ),
    Trace(
        "restart before send, playing: lost in k",
        (welcomed(P), 1, RESTART, 9, welcomed(P, trivia(1)), 10, closes(1), 5),
        [(21.5, "P", 1)],
    ),
    Trace(
        "restart, cast unacknowledged, k waiting: limit 1: repeated, a refusal = counted",
        (welcomed(P), 2, RESTART, 8, welcomed(P), refused("P", 0, "already_voted"), 60),
        [(1.5, "P", 0), (10.0, "P", 0)],
        accepts=False,
    ),
    Trace(
        "restart, cast unacknowledged, k playing: limit 1: repeated, a refusal = counted",
        (welcomed(P), 2, RESTART, 8, welcomed(P, trivia(1)), refused("P", 0, "already_voted"), 60),
        [(1.5, "P", 0), (10.0, "P", 0)],
        accepts=False,
    ),
    Trace(
        "restart, cast unacknowledged, k finished: not repeated",
        (welcomed(P), 2, RESTART, 8, welcomed(P, *finished(1), trivia(2)), 60),
        [(1.5, "P", 0)],
        accepts=False,
    ),
    Trace(
        "restart, cast unacknowledged, k not finished: limit 2: not repeated",
        (welcomed(poll(limit=2)), 2, RESTART, 8, welcomed(poll(limit=2)), 60),
        [(1.5, "P", 0)],
        accepts=False,
    ),
    Trace(
        "restart, cast unacknowledged, k not finished: limit not told: not repeated",
        (welcomed(poll(limit=None)), 2, RESTART, 8, welcomed(poll(limit=None)), 60),
        [(1.5, "P", 0)],
        accepts=False,
    ),
    Trace(
        "restart, cast, k not finished: transport without acknowledgements: not repeated",
        (welcomed(P), 2, RESTART, 8, welcomed(P), 60),
        [(1.5, "P", 0)],
        accepts=False,
        acknowledges=False,
    ),
    Trace(
        "poll appears while k is playing: client saw k: due",
        (welcomed(), 10, opens(1), 5, published(P), 5),
        [(16.5, "P", 0)],
        warned=("no_poll",),
    ),
    Trace(
        "poll appears while k is playing: client did not see k: not due",
        (welcomed(trivia(1)), 10, published(P), 10, closes(1), 5),
        [(21.5, "P", 1)],
        warned=("no_poll",),
    ),
    Trace(
        "trivia k revoked while open: waiting k again, no second vote",
        (welcomed(P), 5, opens(1), 5, revoked("T1"), 5, opens(2), closes(2), 5),
        [(1.5, "P", 0), (16.5, "P", 1)],
    ),
    Trace(
        "trivia k revoked while finished: steps back to k, no second vote",
        (welcomed(P), 5, opens(1), closes(1), 5, revoked("T1"), results("P", {0: 3, 1: 2}), 60),
        [(1.5, "P", 0), (6.5, "P", 1)],
        players={1: 3},
    ),
    Trace(
        "trivia k revoked while finished, then republished: forward again, no second vote",
        (welcomed(P), 5, opens(1), closes(1), 5, revoked("T1"), 5, opens(1), closes(1), 60,
         results("P", {0: 3, 1: 2})),
        [(1.5, "P", 0), (6.5, "P", 1)],
        players={1: 3, 2: 2},
    ),
    Trace(
        "poll A replaced by B in round k after A's vote: B's option k-1 due anew, A's counts stay",
        (welcomed(A, *finished(2), results=[results("A", {0: 30, 1: 20, 2: 10})]), 5,
         revoked("A"), published(poll("B")), 5, results("B", {2: 9})),
        [(1.5, "A", 2), (6.5, "B", 2)],
        players={1: 30, 2: 20, 3: 9},
    ),
    Trace(
        "poll A replaced by B of the same page, A still present: the same",
        (welcomed(poll("A", page=0), *finished(2), results=[results("A", {0: 30, 1: 20, 2: 10})]),
         5, published(poll("B", page=0, published_at=2)), 5, results("B", {2: 9})),
        [(1.5, "A", 2), (6.5, "B", 2)],
        players={1: 30, 2: 20, 3: 9},
    ),
    Trace(
        "trivia A and B open, A closes, B closes: round 2 playing at once: None; "
        "round 3 waiting, option 2",
        (welcomed(P), 5, opens(1), opens(2), results("P", {0: 7}), closes(1), 5, closes(2), 5,
         results("P", {0: 7, 2: 6})),
        [(1.5, "P", 0), (11.5, "P", 2)],
        players={1: 7, 2: None, 3: 6},
    ),
    Trace(
        "next trivia published inside the window: votes cast while playing",
        (welcomed(P), 1, opens(1), 5),
        [(1.5, "P", 0)],
    ),
    Trace(
        "next trivia published inside the window, then closed early: those still due lapse",
        (welcomed(P), 0.5, opens(1), 0.5, closes(1), 5),
        [(2.5, "P", 1)],
    ),
    Trace(
        "trivia 10 finished, page 1 present: page 1 option 0 due",
        (welcomed(A, B, *finished(9), trivia(10)), 5, closes(10), 5),
        [(6.5, "B", 0)],
    ),
    Trace(
        "trivia 10 finished, page 1 comes later: due from then",
        (welcomed(A, *finished(10)), 10, published(B), 5),
        [(11.5, "B", 0)],
    ),
    Trace(
        "trivia 10 finished, page 1 never comes: quiet",
        (welcomed(A, *finished(9), trivia(10)), closes(10), 60),
        [],
        players={**dict.fromkeys(range(1, 11))},
    ),
    Trace(
        "trivia 10 finished, page 1 never comes: notice if trivia 11 is published",
        (welcomed(A, *finished(10)), 60, opens(11), 60),
        [],
        warned=("no_poll",),
    ),
    Trace(
        "inactive at the due time, active again in waiting: new draw",
        (welcomed(P), 1, OUT, 9, BACK, 5),
        [(11.5, "P", 0)],
    ),
    Trace(
        "inactive at the due time, active again in playing: from k+1",
        (welcomed(P), 1, OUT, 4, opens(1), BACK, 5, closes(1), 5),
        [(11.5, "P", 1)],
    ),
)  # fmt: skip


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.row)
def test_trace(trace: Trace) -> None:
    """Each row of the design's trace table holds."""
    client = Client(accepts=trace.accepts, acknowledges=trace.acknowledges)
    play(client, *trace.steps)
    assert client.casts == trace.casts
    assert tuple(client.warned) == trace.warned
    if trace.players is not None:
        assert client.players == trace.players


# Rule 1: progress


def test_state_follows_event_and_trivia() -> None:
    """Connected, the state is upcoming, waiting or playing, as event and trivia say."""
    client = Client()
    seen = [client.machine.state]
    for fact in (
        welcomed(P, event="upcoming"),
        ACTIVE,
        opens(1),
        opens(2),
        closes(1),
        closes(2),
        OFFLINE,
        welcomed(P, event="active"),
    ):
        client.tell(fact)
        seen.append(client.machine.state)
    assert [state.value for state in seen] == [
        "offline",
        "upcoming",
        "waiting",
        "playing",
        "playing",
        "playing",
        "waiting",
        "offline",
        "waiting",
    ]


def test_revoked_trivia_steps_back_and_its_votes_stay() -> None:
    """Revoking a finished trivia steps the round back; what was told of its votes stays."""
    client = Client(accepts=True)
    play(client, welcomed(P), 5, results("P", {0: 4}), opens(1), closes(1), 5, revoked("T1"))
    assert client.machine.progress.round == 1
    assert client.told[-1] == (1, 4)


def test_changes_in_place_are_taken_in() -> None:
    """A poll updated while held counts as it is now: here its spread, before the vote is due."""
    client = Client(accepts=True)
    play(client, welcomed(trivia(1), P), 1, ElementUpdated(poll(spread_s=20)), closes(1), 60)
    assert client.casts == [(11.0, "P", 1)]


def test_recognised_as_configured() -> None:
    """Hidden poll and trivia are told as the client was told to tell them."""
    recognise = Recognise(hidden_poll=Ids("X"), trivia=ContentType("quiz"))
    quiz = Element("Q1", "quiz", "closed", 5.0)
    client = Client(recognise=recognise, accepts=True)
    play(client, welcomed(P, poll("X"), quiz, trivia(2)), 5)
    assert client.casts == [(1.5, "X", 1)]


# Rule 2: when a vote is due


@pytest.mark.parametrize(("drawn", "at"), [(0.0, 0.0), (0.25, 0.75), (0.75, 2.25)])
def test_delay_is_drawn_over_the_spread(drawn: float, at: float) -> None:
    """The delay is uniform on [0, spread]."""
    client = play(Client(draw=lambda: drawn, acknowledges=False), welcomed(P), 5)
    assert client.casts == [(at, "P", 0)]


def test_delay_is_drawn_over_the_polls_own_spread() -> None:
    """A spread named by the poll wins over the client's, which wins over the default."""
    assert play(Client(spread_s=8), welcomed(P), 4).casts == [(4.0, "P", 0)]
    own = welcomed(poll(spread_s=20))
    assert play(Client(spread_s=8), own, 9.9).casts == []
    assert play(Client(spread_s=8), own, 10).casts == [(10.0, "P", 0)]
    assert play(Client(spread_s=8), welcomed(poll(spread_s=0)), 0).casts == [(0.0, "P", 0)]


def test_default_spread_is_three_seconds() -> None:
    """Without any spread given, votes are spread over 3 s."""
    machine = Machine(draw=lambda: 1.0)
    machine.receive(welcomed(P), 100.0)
    assert machine.deadline == 103.0


def test_delay_is_drawn_once() -> None:
    """Whatever happens before the vote is cast, there is one draw per (poll, option)."""
    client = Client(draw=draws(0.5, 0.0), acknowledges=False)
    play(
        client,
        *(welcomed(P), 0.2, OFFLINE, 0.2, welcomed(P), 0.2, opens(1), 0.2, revoked("T1")),
        *(ElementUpdated(poll(spread_s=100)), results("P", {0: 3}), 0.2, BACK, 60),
    )
    assert client.casts == [(1.5, "P", 0)]
    assert client.machine.votes_due == 1


def test_vote_falls_due_when_the_poll_comes() -> None:
    """A round seen without a poll is voted for when an open poll comes, with a delay from then."""
    assert play(Client(accepts=True), welcomed(), 10, published(P), 5).casts == [(11.5, "P", 0)]


def test_round_seen_stays_seen_over_a_disconnect() -> None:
    """Who saw the round and comes back in play votes, also if the poll comes only then."""
    client = play(Client(accepts=True), welcomed(), 5, OFFLINE, 5, welcomed(trivia(1)))
    play(client, published(P), 5)
    assert client.casts == [(11.5, "P", 0)]


def test_vote_due_waits_for_the_connection() -> None:
    """A vote whose time comes while offline is cast right after the next snapshot."""
    client = play(Client(accepts=True), welcomed(P), 1, OFFLINE)
    assert client.machine.deadline is None
    play(client, 60)
    assert client.casts == []
    client.tell(welcomed(P))
    assert client.casts == [(61.0, "P", 0)]


def test_lapsed_vote_is_due_again_when_the_show_steps_back() -> None:
    """A vote that lapsed is due again, with a new draw, only if the show itself steps back."""
    client = Client(draw=draws(0.5, 0.75, 0.25), acknowledges=False)
    play(client, welcomed(P), 1, opens(1), closes(1), 1)
    assert client.machine.votes_lapsed == 1
    play(client, revoked("T1"), 60)
    assert client.casts == [(2.75, "P", 0)]


def test_round_stepped_back_to_is_due_for_who_has_not_voted_in_it() -> None:
    """A latecomer sees an earlier round when the show steps back to it, and votes in it."""
    client = play(Client(accepts=True), welcomed(P, *finished(1)), 5, revoked("T1"), 5)
    assert client.casts == [(1.5, "P", 1), (6.5, "P", 0)]


def test_due_vote_survives_a_step_back() -> None:
    """A due vote neither lapses nor is drawn anew when the show steps back before its round."""
    client = Client(draw=draws(0.0, 0.0, 0.5, 0.0), acknowledges=False)
    play(client, welcomed(P), opens(1), closes(1), 1, revoked("T1"), 1, opens(1), closes(1), 5)
    assert client.casts == [(0.0, "P", 0), (2.0, "P", 1)]


def test_vote_is_not_cast_while_the_poll_is_closed() -> None:
    """A poll closed takes no vote; opened again it takes the due one, at once if late."""
    client = play(Client(accepts=True), welcomed(P), 1, ElementStateChanged("P", "closed"), 9)
    assert client.casts == []
    assert client.machine.deadline is None
    client.tell(ElementStateChanged("P", "opened"))
    assert client.casts == [(10.0, "P", 0)]


def test_every_round_is_voted_once() -> None:
    """Over a whole show of ten trivia, each option is voted for once, in its round."""
    client = play(Client(accepts=True), welcomed(P))
    for n in range(1, 11):
        play(client, 10, opens(n), 10, closes(n))
    play(client, 60)
    assert client.casts == [(20.0 * n + 1.5, "P", n) for n in range(10)]
    machine = client.machine
    assert (machine.votes_due, machine.votes_accepted) == (10, 10)
    assert (machine.votes_refused, machine.votes_lapsed) == (0, 0)


def test_elements_of_a_platform_gone_mad_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the most none is taken in, which is told; the round is counted all the same."""
    monkeypatch.setattr(rounds, "ELEMENTS_MAX", 2)
    client = Client(accepts=True)
    play(client, welcomed(poll(rev=1), trivia(1, rev=2), rev=2))
    play(client, published(trivia(2, rev=3)), published(trivia(1, rev=2)))
    assert client.skipped == ["too_many", "old_rev"]
    assert [*client.machine.progress.elements] == ["P", "T1"]


# Rule 4: once


def test_repeated_and_reordered_messages_lead_to_one_vote() -> None:
    """Messages told again, or late, are left out, and lead to no second vote."""
    client = Client(accepts=True)
    play(client, welcomed(poll(rev=1), rev=1), 5, opens(1, rev=4), closes(1, rev=5), 5)
    play(client, opens(1, rev=4), published(poll(rev=1)), revoked("P", rev=1), closes(1, rev=5), 5)
    assert client.casts == [(1.5, "P", 0), (6.5, "P", 1)]
    assert client.skipped == ["old_rev"] * 4
    assert state_of(client) is State.WAITING


def test_poll_revoked_and_published_again_is_the_same_poll() -> None:
    """The unit is (poll id, option): the same id published again is not voted a second time."""
    client = play(Client(accepts=True), welcomed(P), 5, revoked("P"), 5, published(P), 60)
    assert client.casts == [(1.5, "P", 0)]


@pytest.mark.parametrize("backwards", [True, False])
def test_accepted_vote_is_never_cast_again(*, backwards: bool) -> None:
    """What was accepted is not cast again, over reconnects and restarts, in whatever order read."""
    client = play(Client(accepts=True), welcomed(P), 5, OFFLINE, 1, welcomed(P), 60)
    assert client.journal == [Remember("P", 0), Remember("P", 0, answered=True)]
    client.journal = client.journal[::-1] if backwards else client.journal
    play(client, RESTART, welcomed(P), 60)
    assert client.casts == [(1.5, "P", 0)]


# Rule 5: delivery


def test_vote_is_remembered_before_it_is_cast() -> None:
    """The command to remember stands right before the vote, in one answer of the machine."""
    client = Client()
    client.tell(welcomed(P))
    commands = client.wait(1.5)
    assert commands == (Remember("P", 0), CastVote("P", 0))
    assert client.tell(accepted("P", 0)) == (Remember("P", 0, answered=True),)


def test_vote_is_repeated_with_full_jitter() -> None:
    """Without an answer: after 5 s and up to 5, 10, 20, 20 s more; only the first is remembered."""
    client = Client(draw=lambda: 1.0, spread_s=0)
    play(client, welcomed(P), 100)
    assert [at for at, _, _ in client.casts] == [0.0, 10.0, 25.0, 50.0, 75.0, 100.0]
    assert client.journal == [Remember("P", 0)]
    at_once = play(Client(draw=lambda: 0.0), welcomed(P), 20)
    assert [at for at, _, _ in at_once.casts] == [0.0, 5.0, 10.0, 15.0, 20.0]


def test_repeats_never_overflow() -> None:
    """The jitter stops to grow; days without an answer do no harm."""
    client = play(Client(draw=lambda: 1.0, spread_s=0), welcomed(P), 50_000)
    assert client.casts[-1][0] - client.casts[-2][0] == 25.0


@pytest.mark.parametrize("playing", [True, False])
def test_vote_unanswered_is_repeated_at_once_after_a_reconnect(*, playing: bool) -> None:
    """After a reconnect there is no waiting for the timeout, while the round lasts."""
    client = play(Client(), welcomed(P), 2, OFFLINE, 0.5)
    client.tell(welcomed(P, *([trivia(1)] if playing else [])))
    assert client.casts == [(1.5, "P", 0), (2.5, "P", 0)]


def test_vote_unanswered_is_repeated_while_playing_until_the_round_is_over() -> None:
    """Repeats go on while the trivia is open, and end with the round."""
    client = play(Client(draw=lambda: 0.0), welcomed(P), 1, opens(1), 11, closes(1), 0)
    client.tell(accepted("P", 1))
    play(client, 60)
    assert client.casts == [(0.0, "P", 0), (5.0, "P", 0), (10.0, "P", 0), (12.0, "P", 1)]
    assert client.machine.deadline is None


def test_answer_to_an_earlier_vote_leaves_the_present_one_as_it_was() -> None:
    """Of two votes on their way the one is answered, or put off, and the other is repeated."""
    for answer in (accepted("P", 0), refused("P", 0, "closed"), refused("P", 0, "busy", 1.0)):
        client = play(Client(), welcomed(P), 2, opens(1), closes(1), 2)
        assert client.machine.deadline == 3.5 + 5 + 0.5 * 5
        play(client, answer)
        assert client.machine.deadline == 11.0
        play(client, 8)
        assert client.casts == [(1.5, "P", 0), (3.5, "P", 1), (11.0, "P", 1)]


def test_late_acceptance_is_remembered() -> None:
    """An acceptance that comes after the round, or after a restart, is still remembered."""
    client = play(Client(), welcomed(P), 2, opens(1), closes(1))
    play(client, RESTART, welcomed(P, *finished(1)))
    assert client.tell(accepted("P", 0)) == (Remember("P", 0, answered=True),)
    assert client.machine.votes_accepted == 1


def test_already_voted_is_accepted() -> None:
    """A refusal that says `already_voted` says that the vote is counted."""
    client = play(Client(), welcomed(P), 2)
    assert client.tell(refused("P", 0, "already_voted")) == (Remember("P", 0, answered=True),)
    play(client, OFFLINE, welcomed(P), 60)
    assert client.casts == [(1.5, "P", 0)]
    assert (client.machine.votes_accepted, client.machine.votes_refused) == (1, 0)


@pytest.mark.parametrize(
    "reason", ["closed", "limit", "not_allowed", "unknown_element", "wrong_options"]
)
def test_other_refusals_are_final(reason: RefusalReason) -> None:
    """Any other refusal ends that (poll, option), also over a reconnect; the next round is due."""
    client = play(Client(), welcomed(P), 2)
    assert client.tell(refused("P", 0, reason)) == (Remember("P", 0, answered=True),)
    play(client, 60, OFFLINE, 1, welcomed(P), 60)
    assert client.casts == [(1.5, "P", 0)]
    assert (client.machine.votes_accepted, client.machine.votes_refused) == (0, 1)
    play(client, opens(1), closes(1), 2)
    assert client.casts[1:] == [(124.5, "P", 1)]


def test_a_refusal_is_final_after_a_restart() -> None:
    """What was refused for good is not asked again by the app started anew."""
    client = play(Client(), welcomed(P), 2, refused("P", 0, "not_allowed"))
    again = play(Client(remembered=client.journal), welcomed(P), 60)
    assert again.casts == []


def test_busy_is_repeated_when_told() -> None:
    """`busy` with a time is repeated at that time, whatever the timeout was."""
    for retry_after_s in (1.5, 30.0):
        client = play(Client(), welcomed(P), 2, refused("P", 0, "busy", retry_after_s), 31)
        assert client.casts[:2] == [(1.5, "P", 0), (2 + retry_after_s, "P", 0)]
        assert client.machine.votes_refused == 0


def test_busy_without_a_time_is_repeated_with_full_jitter() -> None:
    """`busy` without a time is repeated as if the answer had been lost."""
    client = play(Client(), welcomed(P), 2, refused("P", 0, "busy"), 12)
    assert client.casts == [(1.5, "P", 0), (2 + 5 + 0.5 * 10, "P", 0)]


def test_busy_platform_is_not_hammered_after_a_reconnect() -> None:
    """What `busy` asks for holds over a reconnect too."""
    refusal = refused("P", 0, "busy", 10.0)
    client = play(Client(), welcomed(P), 2, refusal, OFFLINE, 1, welcomed(P), 12)
    assert client.casts[:2] == [(1.5, "P", 0), (12.0, "P", 0)]


def test_poll_closed_while_a_trivia_is_open_was_published_with_it() -> None:
    """The notice is about trivia published without a poll, not about a poll that ends early."""
    closing = ElementStateChanged("P", "closed")
    client = play(Client(), welcomed(P), 1, opens(1), closing, 5, OFFLINE, 5)
    assert client.warned == []
    play(client, welcomed(poll(state="closed"), trivia(1)))  # found open, and without one
    assert client.warned == ["no_poll"]


def test_observers_agree_after_an_outage() -> None:
    """Who was away when a past round's results came reads what a latecomer reads."""
    back = welcomed(poll("B"), *finished(1), results=[results("B", {0: 50})])
    latecomer = play(Client(), back)
    assert latecomer.players[1] == 50
    for before in (welcomed(), welcomed(poll("A"))):
        returned = play(Client(), before, 0.1, opens(1), OFFLINE, 5, back)
        assert returned.players[1] == 50


def test_count_of_a_replaced_poll_is_not_settled_by_the_first() -> None:
    """Votes for a poll that came late are still on their way: no upper bound is claimed."""
    client = play(Client(), welcomed(P), 10, revoked("P"), published(poll("B")))
    client.tell(results("B", {0: 1}))
    count = client.machine.latest(client.now)
    assert count is not None
    assert (count.players, count.settled, count.high) == (1, False, None)


def test_the_end_waits_for_the_results_of_a_replaced_poll_too() -> None:
    """Of two polls of one page both have counted rounds: both final results are waited for."""
    both = poll(page=0), poll("B", page=0, published_at=2.0)
    client = play(Client(), welcomed(*both), EventStateChanged("finished"))
    states: list[State] = []
    for told in (results("B", {}, final=True), results("P", {0: 3}, final=True)):
        client.tell(told)
        states.append(client.machine.state)
    assert states == [State.ENDING, State.FINISHED]


def test_busy_is_about_one_vote_alone() -> None:
    """The vote of the next round is repeated at once after a reconnect, all the same."""
    client = play(Client(), welcomed(P), 2, refused("P", 0, "busy", 60.0), opens(1), closes(1), 2)
    play(client, OFFLINE, 1, welcomed(P, *finished(1)))
    assert client.casts == [(1.5, "P", 0), (3.5, "P", 1), (5.0, "P", 1)]


def test_busy_with_a_time_gone_is_repeated_soon() -> None:
    """No time to wait, or a negative one, is a second: a busy platform is not hammered."""
    client = play(Client(), welcomed(P), 2, refused("P", 0, "busy", -3.0), 1)
    assert client.casts == [(1.5, "P", 0), (3.0, "P", 0)]


def test_busy_poll_revoked_meanwhile() -> None:
    """`busy` for a poll that is gone by then does no harm: nothing is cast while it is gone."""
    client = play(Client(), welcomed(P), 2, revoked("P"), refused("P", 0, "busy", 1.0), 60)
    assert client.casts == [(1.5, "P", 0)]
    assert client.machine.deadline is None


def test_busy_is_final_for_an_at_most_once_poll() -> None:
    """Where a vote may not be repeated, `busy` is a refusal like any other."""
    client = play(Client(), welcomed(poll(limit=2)), 2, refused("P", 0, "busy", 1.0))
    assert client.machine.votes_refused == 1
    assert client.tell(accepted("P", 0)) == ()


def test_answers_are_acknowledged_unless_told_otherwise() -> None:
    """By default a transport acknowledges, and votes are repeated."""
    machine = Machine(draw=lambda: 0.0)
    machine.receive(welcomed(P), 0.0)
    assert machine.deadline == 5.0


@pytest.mark.parametrize(
    ("limit", "acknowledges"), [(None, True), (0, True), (2, True), (10, True), (1, False)]
)
@pytest.mark.parametrize("busy", [True, False])
def test_at_most_once(limit: int | None, *, acknowledges: bool, busy: bool) -> None:
    """Where a repeat could be counted twice a vote is never repeated, whatever happens to it."""
    show = welcomed(poll(limit=limit))
    client = play(Client(acknowledges=acknowledges), show, 2)
    assert client.machine.deadline is None
    play(client, *([refused("P", 0, "busy", 1.0)] if busy else []), 60)
    play(client, OFFLINE, 1, show, 60, RESTART, show, 60, OFFLINE, 1, show, 60)
    assert client.casts == [(1.5, "P", 0)]


def test_poll_that_becomes_limited_is_then_repeated() -> None:
    """The poll as held now decides: limit 1 makes repeats safe, a higher one ends them."""
    client = play(Client(), welcomed(poll(limit=2)), 10, ElementUpdated(P), 0)
    assert client.casts == [(1.5, "P", 0), (10.0, "P", 0)]
    play(client, ElementUpdated(poll(limit=2)), 60)
    assert len(client.casts) == 2


@pytest.mark.parametrize(
    "answer", [accepted("P", 0), refused("P", 0, "closed"), refused("P", 0, "already_voted")]
)
@pytest.mark.parametrize("due", [True, False])
def test_answers_to_what_was_not_asked_are_ignored(answer: Fact, *, due: bool) -> None:
    """An answer to a vote that was never cast changes nothing, due or not."""
    client = Client()
    client.tell(welcomed(*([P] if due else [])))
    before = held(client.machine)
    assert client.tell(answer) == ()
    assert held(client.machine) == before


def test_answer_told_again_is_ignored() -> None:
    """The second answer to a vote says nothing new."""
    client = play(Client(), welcomed(P), 2, accepted("P", 0))
    assert client.tell(accepted("P", 0)) == ()
    assert client.tell(refused("P", 0, "closed")) == ()
    assert (client.machine.votes_accepted, client.machine.votes_refused) == (1, 0)


def test_remembered_votes_of_other_rounds_are_left_alone() -> None:
    """What an earlier life cast for a round that is over, or to come, is not cast now."""
    remembered = [Remember("P", 0), Remember("P", 1, answered=True), Remember("Q", 2)]
    client = play(Client(remembered=remembered, accepts=True), welcomed(P, *finished(2)), 5)
    assert client.casts == [(1.5, "P", 2)]


def test_remembered_votes_leave_the_other_options_of_their_poll_alone() -> None:
    """What was voted is remembered by option: the other rounds of the poll are still due."""
    remembered = [Remember("P", 1), Remember("P", 1, answered=True)]
    client = play(Client(remembered=remembered, accepts=True), welcomed(P), 5, opens(1), closes(1))
    play(client, 5, opens(2), closes(2), 5)
    assert client.casts == [(1.5, "P", 0), (11.5, "P", 2)]


def test_repeat_after_a_restart_is_the_second_cast() -> None:
    """A restart repeats at once, and then takes the time of a second repeat."""
    client = Client(draw=lambda: 1.0, remembered=[Remember("P", 0)])
    play(client, welcomed(P), 60)
    assert [at for at, _, _ in client.casts] == [0.0, 15.0, 40.0]


# Rule 6: polls


def test_replaced_poll_is_voted_by_those_who_saw_the_round_only() -> None:
    """A poll replaced while playing is due anew for who saw the round, and not for who did not."""
    replaced = (revoked("A"), published(poll("B")), 5)
    saw = play(Client(accepts=True), welcomed(A), 5, opens(1), *replaced)
    assert saw.casts == [(1.5, "A", 0), (6.5, "B", 0)]
    assert play(Client(accepts=True), welcomed(A, trivia(1)), 5, *replaced).casts == []


def test_replaced_poll_leaves_no_second_vote_in_the_old() -> None:
    """A vote due in a poll that is replaced is cast in the new one alone, and lapses."""
    client = Client(accepts=True)
    play(client, welcomed(A), 1, revoked("A"), published(poll("B")), 5, opens(1), closes(1), 5)
    assert client.casts == [(2.5, "B", 0), (7.5, "B", 1)]
    assert client.machine.votes_lapsed == 1


def test_due_vote_is_for_its_round_alone() -> None:
    """A vote due lapses if its option comes to count another round, which may not have been seen.

    The show steps back, and a poll less makes the other poll's first option that of round 1.
    """
    client = Client(accepts=True)
    both = poll("A", options=1), poll("B", options=1, published_at=2)
    play(client, welcomed(*both, *finished(1)), 1, welcomed(both[1], trivia(1)), 30)
    assert client.casts == []
    assert (client.machine.votes_due, client.machine.votes_lapsed) == (1, 1)


def test_poll_revoked_without_successor_gives_no_vote_and_no_count() -> None:
    """A poll revoked before its vote was cast: no vote, and no player count."""
    client = Client(accepts=True)
    play(client, welcomed(P), 1, results("P", {0: 4}), revoked("P"), 60)
    assert client.casts == []
    assert client.players == {1: None}
    assert client.told[-1] == (1, None)
    assert client.warned == []


def test_poll_closed_before_the_round_gives_no_vote_and_no_count() -> None:
    """A poll closed before round k began: no vote, no player count, and a notice in play."""
    client = Client(accepts=True)
    play(client, welcomed(poll(state="closed"), *finished(1), results=[results("P", {0: 4})]), 60)
    assert client.casts == []
    assert client.players == {1: 4, 2: None}
    assert client.warned == []
    client.tell(opens(2))
    assert client.warned == ["no_poll"]


def test_notice_comes_once_per_round_without_a_poll() -> None:
    """The notice comes with the trivia, names its round, and comes once for each."""
    client = play(Client(), welcomed(), 60)
    assert client.warned == []
    (report, notice) = client.tell(opens(1))
    assert isinstance(report, ReportCount)
    assert isinstance(notice, Warn)
    assert "round 1" in notice.text
    play(client, OFFLINE, welcomed(trivia(1)), 5, closes(1), 5)
    assert client.warned == ["no_poll"]
    play(client, opens(2), revoked("T2"), opens(2))
    assert client.warned == ["no_poll", "no_poll"]


def test_notice_comes_for_a_poll_that_closed_before_the_trivia() -> None:
    """A round that was told with its poll has none any more when its trivia is published."""
    client = play(Client(), welcomed(P), ElementStateChanged("P", "closed"))
    assert client.warned == []
    assert [type(c) for c in client.tell(opens(1))] == [Warn]


def test_no_notice_for_a_round_that_has_votes() -> None:
    """What a poll had counted before it closed is the count of the round, whenever it closed."""
    closed = ElementStateChanged("P", "closed")
    client = play(Client(), welcomed(P), 1, results("P", {0: 4}), closed, opens(1))
    assert client.warned == []
    assert client.machine.history(client.now)[1].players == 4


def test_no_notice_for_a_round_that_a_poll_counts() -> None:
    """A trivia published with an open poll brings no notice, with or without votes as yet."""
    client = play(Client(), welcomed(P), 1, opens(1), results("P", {}), 1)
    assert client.warned == []


def test_no_notice_for_a_round_that_was_counted() -> None:
    """A round whose votes are in brings no notice when the poll closes during its trivia."""
    client = play(Client(), welcomed(P), results("P", {0: 4}), opens(1))
    client.tell(ElementStateChanged("P", "closed"))
    assert client.warned == []
    assert client.players == {1: 4}


# A state that overtakes its publication


def test_close_may_overtake_its_publication() -> None:
    """A trivia whose close comes first is closed as soon as it is published, and no error."""
    client = Client(accepts=True)
    play(client, welcomed(poll(rev=1), rev=1), 5, closes(1, rev=3))
    assert client.machine.progress.round == 1
    play(client, opens(1, rev=2), 5)
    assert client.machine.progress.round == 2
    assert client.casts == [(1.5, "P", 0), (6.5, "P", 1)]
    assert client.skipped == []
    play(client, closes(1, rev=3), opens(1, rev=2), closes(9, rev=2), closes(9, rev=2))
    assert client.skipped == ["old_rev"] * 3


# Rule 9: sampling


IN, SITS_OUT = (
    next(f"{n}" for n in range(1000) if is_sampled("P", f"{n}", 0.5) is votes)
    for votes in (True, False)
)
HALF: Final = poll(sample_rate=0.5)


def test_player_in_the_sample_votes() -> None:
    """Who is in the sample votes as ever; the rate is remembered first, once."""
    client = play(Client(player_id=IN), welcomed(HALF), 2)
    assert client.casts == [(1.5, "P", 0)]
    assert client.journal == [RememberRate("P", 0.5), Remember("P", 0)]
    play(
        client, accepted("P", 0), opens(1), closes(1), 5, accepted("P", 1), OFFLINE, welcomed(HALF)
    )
    assert client.journal.count(RememberRate("P", 0.5)) == 1
    assert client.machine.votes_due == 2


def test_player_outside_the_sample_has_no_vote_due() -> None:
    """Who is not in the sample never votes, and counts like everybody."""
    client = play(Client(player_id=SITS_OUT), welcomed(HALF), 5, results("P", {0: 40}))
    assert (client.casts, client.machine.votes_due, client.machine.deadline) == ([], 0, None)
    play(client, opens(1), closes(1), 5, OFFLINE, 5, welcomed(HALF, *finished(1)), 60)
    assert client.casts == []
    assert client.told == [(1, None), (1, 80), (2, 0)]
    assert client.journal == [RememberRate("P", 0.5)]
    play(client, RESTART, welcomed(HALF, *finished(1)), 60)
    assert client.casts == []


def test_player_outside_the_sample_sees_the_rounds() -> None:
    """Who sits out of one poll votes in the next for a round seen: samples are the polls' own."""
    other = next(f"Q{n}" for n in range(99) if is_sampled(f"Q{n}", SITS_OUT, 0.5))
    client = play(Client(player_id=SITS_OUT, accepts=True), welcomed(HALF), 5, opens(1), 5)
    play(client, published(poll(other, sample_rate=0.5, published_at=2, page=0)), 5)
    assert client.casts == [(11.5, other, 0)]


def test_count_of_a_sampled_poll() -> None:
    """The players are estimated, and bounded once settled; the rate is told from the start."""
    client = play(Client(player_id=SITS_OUT), welcomed(poll(sample_rate="0.1")))
    assert client.machine.latest(0.0) == unknown_count(1, 0.1)
    play(client, 1, results("P", {0: 40}))
    early, late = client.machine.latest(1.0), client.machine.latest(4.0)
    assert early is not None
    assert late is not None
    assert (early.players, early.votes, early.low, early.high) == (400, 40, 298, None)
    assert (late.low, late.high, late.sample_rate) == (298, 537, 0.1)


@pytest.mark.parametrize("restarts", [True, False])
@pytest.mark.parametrize(("first", "then"), [(0.5, 0.9), (0.5, None), (0.5, "x"), (None, 0.001)])
def test_rate_of_a_poll_stays_as_first_seen(
    first: float | None, then: FieldValue, *, restarts: bool
) -> None:
    """Another rate on the same poll is ignored, live and after a restart."""
    client = play(Client(player_id=IN, accepts=True), welcomed(poll(sample_rate=first)), 5)
    changed = poll(sample_rate=then)
    if restarts:
        play(client, RESTART, welcomed(changed, *finished(1)), 5)
    else:
        play(client, ElementUpdated(changed), opens(1), closes(1), 5)
    play(client, results("P", {0: 40, 1: 40}))
    rate = first or 1.0
    assert client.players == {1: 40 / rate, 2: 40 / rate}
    assert {each.sample_rate for each in client.machine.history(5.0).values()} == {rate}
    assert len(client.casts) == 2
    assert [c for c in client.journal if isinstance(c, RememberRate)] == (
        [RememberRate("P", 0.5)] if first else []
    )


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.5, float("nan")])
def test_rate_remembered_must_be_one(rate: float) -> None:
    """What a journal of the app's own brings and nobody asked for raises at once."""
    with pytest.raises(MisuseError, match="no sample rate"):
        Machine(draw=lambda: 0.5, remembered=[RememberRate("P", rate)])


def test_new_poll_has_a_rate_of_its_own() -> None:
    """Another rate needs a new poll: then each round is read at the rate of its poll."""
    client = play(Client(player_id=SITS_OUT), welcomed(HALF), results("P", {0: 40}), opens(1))
    play(client, closes(1), revoked("P"), published(poll("B", sample_rate=0.1)))
    play(client, results("B", {1: 40}))
    assert client.players == {1: 80, 2: 400}
    assert client.journal == [RememberRate("P", 0.5), RememberRate("B", 0.1)]


@pytest.mark.parametrize("told", ["half", "", 0, -1, 1.5, True, "nan", 1e-300])
def test_unreadable_rate_is_one_and_warned_of_once(told: FieldValue) -> None:
    """Nobody sits out of a poll whose rate cannot be read, and the app is told why, once."""
    odd = poll(sample_rate=told)
    client = play(Client(player_id=SITS_OUT, accepts=True), welcomed(odd), 5)
    play(client, ElementUpdated(odd), opens(1), closes(1), 5, OFFLINE, welcomed(odd), 5)
    play(client, results("P", {0: 40}))
    assert client.casts[0] == (1.5, "P", 0)
    assert client.players == {1: 40}
    assert client.warned == ["sample_rate"]
    (warning,) = [c for _, c in client.log if isinstance(c, Warn)]
    assert repr(told) in warning.text
    assert "publish a new poll" in warning.text
    assert [c for c in client.journal if isinstance(c, RememberRate)] == []


def test_unreadable_rates_are_warned_of_poll_by_poll() -> None:
    """Each poll whose rate cannot be read is told of, one of a later page too, to readers too."""
    client = play(
        Client(), OUT, welcomed(poll(sample_rate="a"), poll("B", page=1, sample_rate="b"))
    )
    assert client.warned == ["sample_rate", "sample_rate"]


def test_rate_of_one_leaves_all_as_before() -> None:
    """A poll that names 1 is a poll that names none: nothing is remembered, all vote."""
    client = play(Client(player_id=SITS_OUT), welcomed(poll(sample_rate=1)), 2)
    assert client.casts == [(1.5, "P", 0)]
    assert client.journal == [Remember("P", 0)]


def test_rate_is_remembered_before_the_event_begins() -> None:
    """The rate is what was first seen, also while nothing is due yet, by spectators too."""
    client = play(Client(), OUT, welcomed(HALF, event="upcoming"))
    assert client.journal == [RememberRate("P", 0.5)]


def test_reconnecting_players_leave_the_estimate_as_it_was() -> None:
    """With 30 % of the players restarting in the round, each is still counted once at most."""
    tallied: set[tuple[str, str, int]] = set()
    voted: list[tuple[str, str, int]] = []
    players = [f"{n:032x}" for n in range(2000)]
    for n, player_id in enumerate(players):
        client = play(Client(player_id=player_id, accepts=True), welcomed(HALF), 5)
        if n % 10 < 3:
            client.journal = [] if n % 10 == 0 else client.journal  # some lose their memory
            play(client, RESTART, welcomed(HALF), 5)
        voted += [(player_id, poll_id, option) for _, poll_id, option in client.casts]
    tallied.update(voted)
    assert {player_id for player_id, _, _ in tallied} == {
        player_id for player_id in players if is_sampled("P", player_id, 0.5)
    }
    low, high = interval(len(tallied), 0.5)
    assert low <= len(players) <= high


# What a crowd shares


def test_machines_of_a_crowd_share_what_they_hold() -> None:
    """Told the same, machines that started from one progress hold one, and ask for the same."""
    shared = Progress(Recognise())
    one, other = (Machine(draw=lambda: 0.5, progress=shared) for _ in range(2))
    begins, opening = welcomed(poll(rev=1), rev=1, event_rev=0), opens(1, rev=2)
    told: list[Fact] = [begins, TimePassed(), accepted("P", 0), opening, closes(1, rev=3)]
    for now, fact in enumerate(told):
        ours, theirs = one.receive(fact, 2.0 * now), other.receive(fact, 2.0 * now)
        assert ours == theirs
        assert ours or fact is opening
        assert all(a is b for a, b in zip(ours, theirs, strict=True))
        assert one.progress is other.progress
    assert one.progress.round == 2
    assert one.progress is not shared


def test_machines_of_a_crowd_keep_times_of_their_own() -> None:
    """Where a newcomer was first, a machine does not forget when it first held the round."""
    shared, later = Progress(Recognise()), welcomed(P, poll("Q", page=1))
    one, newcomer = (Machine(draw=lambda: 0.5, progress=shared) for _ in range(2))
    one.receive(welcomed(P), 0.0)
    for machine in (newcomer, one):
        machine.receive(later, 9.0)
        machine.receive(results("P", {0: 5}), 10.0)
    assert one.progress is newcomer.progress
    counts = one.latest(10.0), newcomer.latest(10.0)
    assert [count is not None and count.settled for count in counts] == [True, False]


def test_machine_starts_from_the_progress_it_is_given() -> None:
    """A machine told what another was told before stands where that one stands."""
    recognise = Recognise(hidden_poll=Ids("X"))
    first = Machine(draw=lambda: 0.5, recognise=recognise, player_id=IN)
    first.receive(welcomed(poll("X", sample_rate=0.5)), 0.0)
    later = Machine(draw=lambda: 0.5, progress=first.progress)
    assert later.progress is first.progress
    assert RememberRate("X", 0.5) in later.receive(welcomed(poll("X")), 1.0)
    with pytest.raises(MisuseError, match="progress="):
        Machine(draw=lambda: 0.5, progress=first.progress, recognise=recognise)


def test_restarted_machines_of_a_crowd_share_too() -> None:
    """Who remembers the same sample rates shares what follows from them."""
    shared, remembered = Progress(Recognise()), (RememberRate("P", 0.5), Remember("P", 0))
    one, other = (
        Machine(draw=lambda: 0.5, progress=shared, remembered=remembered) for _ in range(2)
    )
    assert one.progress is other.progress
    assert one.progress.rates == {"P": 0.5}


# Rules 7 and 8: tallies, and what a count says


def test_count_is_reported_when_number_or_round_changes() -> None:
    """The app is told of each new number and each new round, and of nothing twice."""
    client = play(Client(accepts=True), welcomed(P, results=[results("P", {})]))
    play(client, results("P", {0: 2}), results("P", {0: 2}), results("P", {0: 2, 5: 9}), 5)
    play(client, results("P", {0: 1}), opens(1), results("P", {0: 3}), closes(1))
    play(client, results("P", {0: 3, 1: 1}), results("P", {0: 9, 1: 1}))
    assert client.told == [(1, 0), (1, 2), (1, 3), (2, 0), (2, 1)]


def test_votes_of_our_own_are_not_counted_locally() -> None:
    """Only what the platform told counts: a vote accepted does not raise the number."""
    client = play(Client(accepts=True), welcomed(P, results=[results("P", {0: 4})]), 5)
    assert client.casts != []
    assert client.told == [(1, 4)]


def test_count_reported_is_the_count_of_the_round() -> None:
    """A report carries the whole count, as it stood."""
    client = play(Client(), welcomed(P), 0.5)
    (report,) = client.tell(results("P", {0: 4}))
    assert report == ReportCount(client.machine.history(0.5)[1])
    assert isinstance(report, ReportCount)
    assert (report.count.as_of, report.count.settled, report.count.high) == (0.5, False, None)


def test_latest_is_the_last_report_as_it_stands_now() -> None:
    """`latest` is None before the first report, and settles as time passes without a new one."""
    client = Client(accepts=True)
    assert client.machine.latest(0.0) is None
    play(client, welcomed(P, results=[results("P", {0: 4})]))
    early, late = client.machine.latest(0.1), client.machine.latest(4.0)
    assert early is not None
    assert late is not None
    assert (early.settled, early.high, late.settled, late.high) == (False, None, True, 4)
    assert len(client.told) == 1


def test_told_at_is_when_results_came_last() -> None:
    """When results of any poll were last told; None before any."""
    client = play(Client(accepts=True), welcomed(A, B), 5)
    assert client.machine.told_at is None
    play(client, results("B", {}), 5, results("A", {0: 4}), 5, results("nobody", {}))
    assert client.machine.told_at == 10.0


def test_history_without_results() -> None:
    """Who was told no results has every round that is over, and the present one, unknown."""
    client = play(Client(accepts=True), welcomed(P, *finished(1), trivia(2)), 5)
    assert client.players == {1: None, 2: None}
    play(client, closes(2), 5)
    assert client.players == {1: None, 2: None, 3: None}
    assert client.machine.history(client.now)[3] == unknown_count(3, 1.0)
    assert client.machine.latest(client.now) == unknown_count(3, 1.0)
    assert client.told == [(2, None), (3, None)]
    play(client, revoked("P"))
    assert client.players == {1: None, 2: None, 3: None}
    assert client.machine.latest(client.now) == unknown_count(3, 1.0)
    play(client, OFFLINE)
    assert client.players == {1: None, 2: None, 3: None}


def test_first_results_settle_what_they_would_have_settled() -> None:
    """The time of a round is reckoned from when it was first held, results told by then or not."""
    for told_at in (1.0, 3.5):
        client = play(Client(), welcomed(P), told_at, results("P", {0: 4}), 3.99 - told_at)
        early = client.machine.latest(client.now)
        late = client.machine.latest(4.0)
        assert early is not None
        assert late is not None
        assert (early.settled, late.settled) == (False, True)


def test_first_results_after_an_outage_settle_from_when_the_round_was_first_held() -> None:
    """A disconnect does not make a round new, nor does a poll that is told again."""
    back = welcomed(P, results=[results("P", {0: 4})])
    client = play(Client(), welcomed(P), 1, OFFLINE, 2.5, back)
    early, late = client.machine.latest(3.99), client.machine.latest(4.0)
    assert early is not None
    assert late is not None
    assert (early.settled, late.settled) == (False, True)


def test_latest_is_none_in_a_show_without_rounds_counted() -> None:
    """A show in which nothing was reported has no latest count."""
    client = play(Client(), welcomed(*finished(10)), 60)
    assert client.machine.latest(client.now) is None
    assert client.players == dict.fromkeys(range(1, 11))


def test_snapshot_of_a_latecomer_tells_the_past() -> None:
    """Results in a snapshot count for all rounds so far."""
    client = Client()
    client.tell(welcomed(P, *finished(2), results=[results("P", {0: 30, 1: 20, 2: 10})]))
    assert client.players == {1: 30, 2: 20, 3: 10}


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (results("nobody", {}), "unknown_element"),
        (results("P", {}, options=3), "results_length"),
        (closes(7), "unknown_element"),
        (FrameSkipped("malformed"), "malformed"),
    ],
)
def test_what_cannot_be_used_is_skipped(fact: Fact, reason: str) -> None:
    """What the platform tells and nobody can use is counted, and changes nothing."""
    client = play(Client(), welcomed(P))
    before = held(client.machine)
    assert client.tell(fact) == (Skip(reason),)
    assert held(client.machine) == before


def test_results_of_other_elements_are_none_of_ours() -> None:
    """Results of a trivia are neither counted nor skipped."""
    client = play(Client(), welcomed(P, trivia(1)))
    before = held(client.machine)
    assert client.tell(results("T1", {0: 3}, options=2)) == ()
    assert held(client.machine) == before


def test_lagging_snapshot_changes_nothing_back() -> None:
    """A snapshot from a lagging edge neither reopens a trivia nor steps the event back."""
    client = play(Client(accepts=True), welcomed(poll(rev=1), event="upcoming", rev=1, event_rev=0))
    play(client, EventStateChanged("active", 2), opens(1, rev=3), closes(1, rev=4), 5, OFFLINE)
    lagging = welcomed(poll(rev=1), trivia(1, rev=3), event="upcoming", rev=3, event_rev=0)
    client.tell(lagging)
    assert state_of(client) is State.WAITING
    assert client.machine.progress.round == 2


# Rule 11: active


def test_inactive_drops_the_due_vote_and_forgets_the_round() -> None:
    """Who does not take part casts nothing; coming back while playing does not help."""
    client = play(Client(accepts=True), welcomed(P), 1, OUT)
    assert client.machine.deadline is None
    assert client.machine.active is False
    play(client, 9, opens(1), BACK, 60)
    assert client.casts == []
    assert client.machine.votes_lapsed == 0
    assert client.machine.active is True


def test_inactive_in_the_waiting_phase_does_not_see_the_round() -> None:
    """A round that began while inactive is not seen, a poll that comes later or not."""
    client = play(Client(accepts=True), OUT, welcomed(), 5, opens(1), BACK, published(P), 60)
    assert client.casts == []


def test_active_again_while_offline_does_not_see_the_round() -> None:
    """A round is seen on a live connection only."""
    client = play(Client(), welcomed(P), OUT, OFFLINE, BACK, 1, welcomed(P, trivia(1)), 5)
    assert client.casts == []


def test_active_again_in_waiting_draws_anew() -> None:
    """Coming back in the waiting phase sees the round anew, with a new draw."""
    client = Client(draw=draws(0.5, 0.75, 0.0), acknowledges=False)
    play(client, welcomed(P), 1, OUT, BACK, 60)
    assert client.casts == [(3.25, "P", 0)]


def test_cast_vote_cannot_be_recalled() -> None:
    """Coming back does not vote a second time for what was cast before."""
    client = play(Client(accepts=True), welcomed(P), 5, OUT, 5, BACK, 60)
    assert client.casts == [(1.5, "P", 0)]


def test_cast_vote_is_answered_while_inactive() -> None:
    """An answer to a cast vote counts also while inactive."""
    client = play(Client(), welcomed(P), 2, OUT)
    assert client.tell(accepted("P", 0)) == (Remember("P", 0, answered=True),)


def test_inactive_client_still_counts() -> None:
    """Who only watches is told the counts like everyone."""
    client = play(Client(), OUT, welcomed(P), results("P", {0: 4}), 5)
    assert client.told == [(1, None), (1, 4)]


# Rule 12: start and end


def test_nothing_is_due_before_the_event_begins() -> None:
    """In an upcoming event nothing is due; with its start round 1 is seen."""
    client = play(Client(accepts=True), welcomed(P, event="upcoming"), 60)
    assert state_of(client) is State.UPCOMING
    assert (client.casts, client.machine.deadline) == ([], None)
    play(client, ACTIVE, 5)
    assert client.casts == [(61.5, "P", 0)]


def test_nothing_is_counted_before_the_event_begins() -> None:
    """A count is reported, and its time reckoned, from the start of the event on."""
    client = play(Client(), welcomed(P, event="upcoming"), 10)
    assert client.told == []
    play(client, ACTIVE, results("P", {0: 4}))
    assert client.told == [(1, None), (1, 4)]
    early, late = client.machine.latest(13.99), client.machine.latest(14.0)
    assert early is not None
    assert late is not None
    assert (early.settled, late.settled) == (False, True)


def test_event_that_begins_while_a_trivia_is_open_has_no_waiting_phase() -> None:
    """A trivia open at the start of the event is played by nobody who was counted."""
    client = play(Client(accepts=True), welcomed(P, trivia(1), event="upcoming"), ACTIVE, 60)
    assert state_of(client) is State.PLAYING
    assert client.casts == []


def test_due_votes_lapse_with_the_event() -> None:
    """When the event is over due votes lapse, also if it becomes active again in time."""
    client = Client(draw=draws(0.5, 0.5, 0.0), acknowledges=False)
    play(client, welcomed(P), 1, OVER)
    assert state_of(client) is State.ENDING
    assert client.machine.votes_lapsed == 1
    play(client, 1, ACTIVE, 5)
    assert client.casts == [(3.5, "P", 0)]


def test_due_votes_are_due_anew_if_the_event_goes_on() -> None:
    """Who saw the round votes in it, as if the event had not been over, but at another time."""
    client = play(Client(), welcomed(P), 0.5, opens(1), OVER, 0.5, ACTIVE, 5)
    assert client.casts == [(1 + 1.5, "P", 0)]
    assert (client.machine.votes_due, client.machine.votes_lapsed) == (2, 1)


def test_ending_lasts_until_final_results() -> None:
    """The client stays until the results of every poll are final."""
    client = play(Client(), welcomed(A, B, *finished(1)), OVER, 5, results("A", {0: 4}))
    play(client, results("A", {0: 5}, final=True))
    assert state_of(client) is State.ENDING
    play(client, results("B", {}, final=True))
    assert state_of(client) is State.FINISHED
    assert client.machine.deadline is None
    assert client.players[1] == 5


def test_ending_lasts_ten_seconds_at_most() -> None:
    """Without final results the end comes 10 s after the event's, whatever is told meanwhile."""
    client = play(Client(), welcomed(P), OVER)
    assert client.machine.deadline == 10.0
    play(client, 6, results("P", {0: 4}), OFFLINE, 2, welcomed(P, event="finished"), 1.9)
    assert state_of(client) is State.ENDING
    play(client, 0.1)
    assert state_of(client) is State.FINISHED


def test_ending_goes_on_offline() -> None:
    """Who loses the connection while ending is finished after 10 s as well."""
    client = play(Client(), welcomed(P), OVER, 5, OFFLINE, 4)
    assert state_of(client) is State.OFFLINE
    play(client, 1)
    assert state_of(client) is State.FINISHED


def test_ending_of_an_event_that_goes_on_is_forgotten() -> None:
    """An event active again is not ended by the 10 s of its first end."""
    client = play(Client(accepts=True), welcomed(P), 5, OVER, 5, ACTIVE, 60)
    assert state_of(client) is State.WAITING
    play(client, OVER, 9)
    assert state_of(client) is State.ENDING


def test_event_without_polls_is_over_at_once() -> None:
    """Without a hidden poll there are no results to wait for."""
    assert play(Client(), welcomed(*finished(1)), OVER).machine.state is State.FINISHED


def test_connecting_after_the_end_tells_the_history() -> None:
    """Who comes when all is over reads the counts, and is finished."""
    client = Client()
    final = results("P", {0: 4, 1: 3}, final=True)
    play(client, welcomed(P, *finished(2), event="finished", results=[final]), 60)
    assert state_of(client) is State.FINISHED
    assert client.players == {1: 4, 2: 3}
    assert client.casts == []


def test_history_and_latest_stay_readable() -> None:
    """After the end the counts are read as before."""
    client = play(Client(accepts=True), welcomed(P), results("P", {0: 4}), opens(1), OVER, 60)
    assert state_of(client) is State.FINISHED
    latest = client.machine.latest(client.now)
    assert latest is not None
    assert (latest.round, latest.players, latest.settled) == (1, 4, True)
    assert client.players == {1: 4}


def test_finished_is_finished() -> None:
    """Nothing that comes after the end is looked at."""
    client = play(Client(), welcomed(P), OVER, 60)
    before = held(client.machine)
    play(client, ACTIVE, welcomed(P), OFFLINE, results("P", {0: 1}), closes(1), OUT, 60)
    assert held(client.machine) == before


@pytest.mark.parametrize("mode", ["close", "event_end", "never", "manual"])
def test_hidden_results_bring_one_notice(mode: str) -> None:
    """Results that the reveal mode hides: votes are cast, no player count, and one notice."""
    hidden = poll(reveal=mode)
    client = play(Client(accepts=True), welcomed(hidden), 5, opens(1), closes(1), 5, opens(2))
    play(client, OFFLINE, welcomed(hidden, *finished(1), trivia(2)), 5)
    assert client.casts == [(1.5, "P", 0), (6.5, "P", 1)]
    assert client.players == {1: None, 2: None}
    (notice,) = [c for _, c in client.log if isinstance(c, Warn)]
    assert notice.kind == "results_hidden"
    assert repr(mode) in notice.text


def test_results_hidden_later_bring_the_notice_then() -> None:
    """The poll as held now decides, in a round that was told already; not before the event."""
    client = play(Client(), welcomed(P), 1, ElementUpdated(poll(reveal="answer")))
    assert client.warned == ["results_hidden"]
    early = play(Client(), welcomed(poll(reveal="answer"), event="upcoming"))
    assert early.warned == []
    assert play(early, ACTIVE).warned == ["results_hidden"]


@pytest.mark.parametrize("mode", ["vote", None])
def test_visible_results_bring_no_notice(mode: str | None) -> None:
    """The mode that reveals, or a transport that does not tell the mode, brings no notice."""
    assert play(Client(accepts=True), welcomed(poll(reveal=mode)), 5, opens(1), 5).warned == []


# The machine's face


@pytest.mark.parametrize("event", ["upcoming", "active", "finished"])
@pytest.mark.parametrize("connected", [True, False])
def test_waking_early_changes_nothing(event: EventState, *, connected: bool) -> None:
    """A wake before the deadline is a no-op: nothing is asked for, nothing held changes."""
    client = play(Client(), welcomed(P, event=event), 1, *([] if connected else [OFFLINE]))
    before, deadline = held(client.machine), client.machine.deadline
    for now in (1.0, 1.25, 1.49):
        assert client.machine.wake(now) == ()
        assert client.machine.receive(TimePassed(), now) == ()
        assert held(client.machine) == before
    assert client.machine.deadline == deadline


def test_waking_late_does_no_harm() -> None:
    """A wake long after the deadline casts once."""
    machine = Machine(draw=lambda: 0.5, acknowledges=False)
    machine.receive(welcomed(P), 0.0)
    assert machine.wake(1000.0) == (Remember("P", 0), CastVote("P", 0))
    assert machine.wake(2000.0) == ()


def test_event_fields_are_not_the_machines() -> None:
    """Fields of the event change nothing."""
    client = play(Client(), welcomed(P), 1)
    before = held(client.machine)
    assert client.tell(EventUpdated({"x": 1}, rev=9)) == ()
    assert held(client.machine) == before


@pytest.mark.parametrize("nonsense", [None, "welcomed", 7, Fact, P, CastVote("P", 0), Disconnected])
@pytest.mark.parametrize("event", [None, "active", "finished"])
def test_what_is_no_fact_is_misuse(nonsense: Any, event: EventState | None) -> None:
    """A call with something that is no fact raises, and nothing happens."""
    client = play(Client(), *([] if event is None else [welcomed(P, event=event)]), 60)
    before = held(client.machine)
    with pytest.raises(MisuseError, match="is no fact"):
        client.machine.receive(nonsense, client.now)
    assert held(client.machine) == before


@pytest.mark.parametrize(
    "command",
    [
        Remember("P", 0),
        RememberRate("P", 0.5),
        CastVote("P", 0),
        Skip("x"),
        Warn("no_poll", "x"),
        ReportCount(RoundCount(1, None, 0, 0, None, 1.0, settled=False, as_of=None)),
    ],
    ids=lambda command: type(command).__name__,
)
def test_commands_are_values(command: Command) -> None:
    """A command cannot be changed once it was given."""
    assert is_value(command)


def test_machines_with_the_same_draws_do_the_same() -> None:
    """All that a machine does follows from facts, times and draws."""

    def logged() -> list[tuple[float, Command]]:
        numbers = count()
        client = Client(draw=lambda: next(numbers) * 0.618 % 1)
        play(client, welcomed(A, B), 9, opens(1), 9, OFFLINE, 9, welcomed(A, B, *finished(1)), 40)
        return client.log

    assert logged() == logged()
    assert len(logged()) > 4


@pytest.mark.parametrize("options", [2, 4])
def test_options_changed_on_air_do_not_crash(options: int) -> None:
    """A poll whose options are changed after results were told never makes the app crash."""
    client = play(Client(accepts=True), welcomed(poll(options=3), *finished(2)), 5)
    play(client, results("P", {1: 4, 2: 3}, options=3), opens(3), closes(3))
    client.tell(ElementUpdated(poll(options=options)))
    assert client.players[2] == 4
    client.tell(results("P", {1: 4}, options=options, final=True))
    assert client.players[2] == 4


# Votes that cannot be written down

HELD_BACK: Final = VoteHeldBack("P", 0)


def test_vote_held_back_is_due_again() -> None:
    """A vote that could not be written down is cast 2 s later, as if for the first time."""
    client = play(Client(), welcomed(poll()), 1.5, HELD_BACK)
    assert client.machine.deadline == 3.5
    assert client.wait(2) == (Remember("P", 0), CastVote("P", 0))
    assert client.machine.votes_due == 1
    assert [at for at, *_ in client.casts] == [1.5, 3.5]


@pytest.mark.parametrize(
    ("limit", "acknowledges"), [(1, True), (2, True), (None, True), (1, False)]
)
def test_vote_held_back_is_lost_nowhere(limit: int | None, *, acknowledges: bool) -> None:
    """It was never cast, so it is safe to cast where no vote may be repeated."""
    client = Client(acknowledges=acknowledges)
    play(client, welcomed(poll(limit=limit)), 1.5, HELD_BACK, 1.5, HELD_BACK, 2)
    assert len(client.casts) == 2
    assert client.machine.votes_due == 1


@pytest.mark.parametrize("end", [(opens(1), closes(1)), (OVER,)], ids=["round", "event"])
def test_vote_held_back_lapses(end: tuple[Fact, ...]) -> None:
    """One that is held back when its round, or the event, is over has lapsed."""
    for steps in ((*end, HELD_BACK), (HELD_BACK, *end)):
        client = play(Client(), welcomed(poll()), 1.5, *steps, 30)
        assert [option for _, _, option in client.casts].count(0) == 1
        assert client.machine.votes_lapsed == 1


@pytest.mark.parametrize("steps", [(OUT, HELD_BACK), (HELD_BACK, OUT)])
def test_vote_held_back_of_an_inactive_player(steps: tuple[Fact, ...]) -> None:
    """Who has become inactive does not cast it; who takes part again sees the round anew."""
    client = play(Client(), welcomed(poll()), 1.5, *steps, 30)
    assert len(client.casts) == 1
    play(client, BACK, 1.5)
    assert len(client.casts) == 2
    assert client.machine.votes_due == 2


def test_vote_held_back_of_an_earlier_life_is_due_anew() -> None:
    """It was due in no round of this life, and lapses; whoever has seen its round votes in it."""
    client = play(Client(remembered=[Remember("P", 0)]), welcomed(P), 1, opens(1), HELD_BACK, 4)
    assert client.casts == [(0.0, "P", 0), (1 + 1.5, "P", 0)]
    assert client.machine.votes_lapsed == 1


def test_vote_held_back_waits_for_a_connection() -> None:
    """Due again while offline, it is cast with the next snapshot that shows its round."""
    client = play(Client(), welcomed(poll()), 1.5, HELD_BACK, OFFLINE, 30)
    assert len(client.casts) == 1
    play(client, welcomed(poll()))
    assert [at for at, *_ in client.casts] == [1.5, 31.5]


@pytest.mark.parametrize("steps", [(), (1.5, accepted("P", 0)), (1.5, HELD_BACK)])
def test_vote_held_back_that_was_not_cast(steps: tuple[Step, ...]) -> None:
    """What is said of a vote that is not on its way changes nothing."""
    client = play(Client(), welcomed(poll()), *steps)
    before = held(client.machine)
    assert client.tell(HELD_BACK, VoteHeldBack("Q", 0)) == ()
    assert held(client.machine) == before
