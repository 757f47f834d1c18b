"""What must hold of the votes that reached the platform: whose, when, how often."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from simulator.emulator import Entry

from .evidence import Breach, Evidence
from .truth import Truth, waitings

__all__ = ["answered_again", "counted_twice", "missing", "over", "too_many", "unseen", "wavering"]

ANSWER_TIMEOUT_S = 5.0
"""On one connection a vote may be repeated no sooner than this (counting rule 5)."""
_NEVER = float("inf")


def _breaches(rule: str, wrong: Iterable[tuple[int, str]]) -> list[Breach]:
    """Gather (round, example) by round."""
    by_round: dict[int, list[str]] = defaultdict(list)
    for round_, example in wrong:
        by_round[round_].append(example)
    return [Breach(r, rule, len(texts), texts[0]) for r, texts in sorted(by_round.items())]


def unseen(evidence: Evidence, truth: Truth) -> list[Breach]:
    """No vote of a player for a round whose waiting phase was not sent to it before."""
    hostile, wrong = evidence.hostile, []
    for option, entries in evidence.accepted.items():
        number = evidence.rounds[option]
        seen = truth.may.get(number, {})
        early = [e for e in entries if e.at < seen.get(e.user, _NEVER) and e.user not in hostile]
        wrong += [(number, f"by player {entry.user}") for entry in early]
    return _breaches("no vote for a round whose waiting phase was not seen", wrong)


def missing(evidence: Evidence, truth: Truth) -> list[Breach]:
    """Every player who must be counted in a round has voted in it.

    Of a sampled poll this cannot be said: see `wavering`.
    """
    scenario, wrong = evidence.scenario, []
    if scenario.sample_rate != 1.0:
        return []
    for number, users in sorted(truth.must.items()):
        if number <= scenario.rounds:
            page, copy, option = scenario.counted_by(number)
            votes = evidence.accepted.get((evidence.pages[page][copy], option), ())
            absent = users - {entry.user for entry in votes}
            wrong += [(number, f"player {user}") for user in sorted(absent)]
    return _breaches("who must be counted has voted", wrong)


def counted_twice(evidence: Evidence) -> list[Breach]:
    """Nobody has two votes for one option of one poll."""
    wrong = []
    for option, entries in evidence.accepted.items():
        many = Counter(entry.user for entry in entries)
        if len(many) < len(entries):
            number = evidence.rounds[option]
            for user, votes in many.items():
                wrong += [(number, f"two votes of player {user}")] * (votes - 1)
    return _breaches("nobody is counted twice", wrong)


def over(evidence: Evidence) -> list[Breach]:
    """No vote of a player for a round that its edge had told to be over.

    Left out are votes on connections on which messages were late or repeated.
    """
    hostile, wrong = evidence.hostile, []
    disturbed, repeated, edges = evidence.disturbed, evidence.repeated, len(evidence.lags)
    ends: dict[int, float] = defaultdict(float)
    for phase in waitings(evidence.log, evidence.trivia):
        ends[phase.round] = max(phase.over, ends[phase.round])
    slack_s = 2.0 * evidence.patience_s
    for option, entries in evidence.accepted.items():
        number = evidence.rounds[option]
        end = ends.get(number)
        last = [
            0.0 if end is None else evidence.forwarded_at(edge, end) + slack_s
            for edge in range(edges)
        ]
        if entries and entries[-1].at > min(last):
            wrong += [
                (number, f"by player {entry.user}")
                for entry in entries
                if entry.at > last[entry.connection % edges]
                and entry.user not in hostile
                and entry.connection not in disturbed
                and entry.connection not in repeated
            ]
    return _breaches("no vote for a round that is over", wrong)


def answered_again(evidence: Evidence) -> list[Breach]:
    """A vote that was answered is not cast again, nor one on the same connection too soon."""
    disturbed, repeated, latency_s = evidence.disturbed, evidence.repeated, evidence.patience_s
    left = {e.connection: e.at for e in evidence.log if e.kind == "left"}
    wrong = []
    for option, one, two in _successive(evidence):
        connections = {one.connection, two.connection}
        if disturbed.keys() & connections or repeated & connections:
            continue
        apart_s = two.at - one.at
        told = left.get(one.connection, two.at) >= one.at + latency_s
        timed_out = len(connections) == 1 and apart_s >= ANSWER_TIMEOUT_S - latency_s
        too_soon = len(connections) == 1 and not timed_out
        if too_soon or (told and apart_s > 2 * latency_s):
            text = f"by player {one.user}"
            if timed_out:
                text += (
                    f", {apart_s:.1f} s after it was answered: who has no answer after "
                    f"{ANSWER_TIMEOUT_S:.0f} s asks again; is this machine too slow for the crowd?"
                )
            wrong.append((evidence.rounds.get(option, 0), text))
    return _breaches("once per (poll, option)", wrong)


def _successive(evidence: Evidence) -> Iterator[tuple[tuple[str, int], Entry, Entry]]:
    """Every two successive answers of one player to one option: the option, and the answers.

    Who is told that the platform is busy has no answer, and what came before it may be unanswered.
    """
    for option, entries in evidence.answers.items():
        if len({entry.user for entry in entries}) == len(entries):
            continue
        before: dict[str, Entry] = {}
        for entry in entries:
            if entry.detail == "busy":
                before.pop(entry.user, None)
                continue
            one = before.get(entry.user)
            if one is not None and entry.user not in evidence.hostile:
                yield option, one, entry
            before[entry.user] = entry


def too_many(evidence: Evidence) -> list[Breach]:
    """Votes and deliveries are bounded for each player, whatever the network does."""
    scenario, hostile = evidence.scenario, evidence.hostile
    entries = [entry for entries in evidence.answers.values() for entry in entries]
    answers = Counter(entry.user for entry in entries)
    over_connection = Counter(entry.connection for entry in entries)
    owner = {entry.connection: entry.user for entry in evidence.log if entry.kind == "joined"}
    connects = Counter(owner.values())
    options = len(evidence.rounds)
    repeats = scenario.show_s / ANSWER_TIMEOUT_S
    wrong = [
        (0, f"{many} votes of player {user}")
        for user, many in answers.items()
        if many > 2 * (options + connects[user] + repeats) and user not in hostile
    ]
    found = _breaches("votes per player are bounded", wrong)
    wrong = [
        (0, f"{many} deliveries to player {owner.get(connection, '?')}")
        for connection, many in evidence.deliveries.items()
        if many > 2 * (1 + evidence.broadcasts + over_connection[connection])
    ]
    return found + _breaches("deliveries per player are bounded", wrong)


def wavering(evidence: Evidence, truth: Truth) -> list[Breach]:
    """Of a sampled poll, who votes in one round votes in all that it must be counted in."""
    scenario = evidence.scenario
    if scenario.sample_rate == 1.0:
        return []
    voted: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for (poll, option), entries in evidence.accepted.items():
        for entry in entries:
            voted[poll][entry.user].add(evidence.rounds[poll, option])
    wrong = []
    for number, users in truth.must.items():
        if number <= scenario.rounds:
            page, copy, _ = scenario.counted_by(number)
            voters = voted[evidence.pages[page][copy]]
            absent = (user for user, rounds in voters.items() if number not in rounds)
            wrong += [(number, f"not by player {user}") for user in absent if user in users]
    return _breaches("who votes in one round of a sampled poll votes in all", wrong)
