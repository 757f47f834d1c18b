"""Evidence written by hand: a log told line by line, and what players read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from poll_counter import RoundCount
from simulator.checks import Evidence, Observation
from simulator.emulator import Entry
from simulator.scenario import Scenario

__all__ = ["SCENARIO", "STORY", "connections", "count", "evidence", "log", "observed", "show"]

SCENARIO = Scenario(players=3, rounds=2, round_time=10.0)
"""Calm: 6 s of waiting, a spread of 3 s, g 1 s."""
STORY = """
    -1.0 joined ann
    -1.0 joined bob
    0.0 event active
    0.0 published P
    1.0 accepted ann P 0
    2.0 accepted bob P 0
    6.0 published T1
    7.0 joined cyd
    10.0 closed T1
    11.0 accepted ann P 1
    12.0 accepted bob P 1
    13.0 accepted cyd P 1
    16.0 published T2
    20.0 closed T2
    21.0 event finished
"""
"""Of SCENARIO: ann and bob are there all the time, cyd in round 2 only; nothing is wrong."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def connections(story: str, edges: int = 1) -> dict[str, int]:
    """Number the connections of a story by the order of their lines: name -> number."""
    lines = [line.split() for line in story.splitlines()]
    names = [words[2].partition("@") for words in lines if words[1:2] == ["joined"]]
    return {name: place * edges + int(edge or 0) for place, (name, _, edge) in enumerate(names)}


def log(story: str, edges: int = 1) -> list[Entry]:
    """Write a log: on each line the time, what happened, to whom or what.

    `0.0 event active`, `1.5 published T1`; `0.2 joined ann`, to edge 1 `0.2 joined ann@1`;
    `0.9 left ann`; a user's second connection is `ann/2`. `0.3 accepted ann P 0` and `refused`:
    the poll and the option, and why. Lines may stand in any order; those of one time keep theirs.
    """
    numbers = connections(story, edges)
    entries, tallies = list[Entry](), dict[tuple[str, str], int]()
    lines = [line.split() for line in story.splitlines() if line.strip()]
    for at, kind, *rest in sorted(lines, key=lambda words: float(words[0])):
        made: dict[str, Any]
        if kind == "event":
            made = {"detail": rest[0]}
        elif kind in {"published", "closed", "revoked"}:
            made = {"element_id": rest[0]}
        else:
            name = rest[0].partition("@")[0]
            made = {"connection": numbers[name], "user": name.partition("/")[0]}
            if kind in {"accepted", "refused"}:
                made |= {"element_id": rest[1], "option": int(rest[2]), "detail": "".join(rest[3:])}
            if kind == "accepted":
                key = rest[1], rest[2]
                made["tally"] = tallies[key] = tallies.get(key, 0) + 1
        entries.append(Entry(float(at), kind, "E", **made))  # type: ignore[arg-type] # a Kind
    return entries


def evidence(
    story: str = STORY,
    scenario: Scenario = SCENARIO,
    *,
    lags: Sequence[tuple[float, float]] = ((0.0, 0.0),),
    disturbed: Mapping[str, float] = _NOTHING,
    repeated: Collection[str] = (),
    deliveries: Mapping[str, int] = _NOTHING,
    **changed: Any,
) -> Evidence:
    """Make evidence of a story; connections are told by their names, latencies are 0.1 s."""
    numbers = connections(story, len(lags))
    content: dict[str, Any] = {
        "pages": [["P"]],
        "trivia": [f"T{number + 1}" for number in range(scenario.rounds)],
        "latency_s": 0.1,
    }
    return Evidence(
        scenario=scenario,
        log=log(story, len(lags)),
        lags=lags,
        disturbed={numbers[name]: at for name, at in disturbed.items()},
        repeated={numbers[name] for name in repeated},
        deliveries={numbers[name]: many for name, many in deliveries.items()},
        **{**content, **changed},
    )


def show(rounds: int, *more: str) -> str:
    """Write the story of a show: each round waits for 6 s and is played for 4 s; and `more`."""
    story = ["0.0 event active", "0.0 published P", f"{10.0 * rounds} event finished"]
    for number in range(rounds):
        begin = 10.0 * number
        story += [f"{begin + 6.0} published T{number + 1}", f"{begin + 10.0} closed T{number + 1}"]
    return "\n".join((*sorted(story, key=_at), *more))


def _at(line: str) -> float:
    return float(line.split(maxsplit=1)[0])


def count(round_: int, players: int | None, rate: float = 1.0) -> RoundCount:
    """Make a settled count, of the votes that stand for so many players."""
    votes = round((players or 0) * rate)
    return RoundCount(round_, players, votes, votes, players, rate, settled=True, as_of=20.0)


def observed(
    *players: int | None,
    rate: float = 1.0,
    connected: bool = True,
    undisturbed: bool = True,
    shown: Mapping[int, int] | None = None,
    told: Sequence[tuple[float, int, int]] = (),
) -> Observation:
    """What a player read: the players of round 1, 2, ...; shown alike unless given."""
    held = {number: count(number, each, rate) for number, each in enumerate(players, start=1)}
    seen = {n: c.players or 0 for n, c in held.items()} if shown is None else shown
    return Observation(connected, undisturbed, held, seen, told)
