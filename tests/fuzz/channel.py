"""Targets from the wire to the machine: `wire` takes frames as they are, `show` composes them."""

from __future__ import annotations

import json
from typing import Any, Final

from poll_counter.facts import ActiveChanged, Disconnected, FrameSkipped

from .player import Player
from .reader import Reader

__all__ = ["show", "wire"]

_WAITS_S: Final = (0.1, 0.5, 1.0, 2.0, 3.0, 6.0, 12.0, 40.0)
_OWN: Final = (
    Disconnected(),
    ActiveChanged(active=False),
    ActiveChanged(active=True),
    FrameSkipped("malformed"),
)
"""What the machine is told by its own side."""


def wire(data: bytes) -> None:
    """Take every line as a frame, or, where it begins with `!`, as acts of the client's own side.

    The first line, where it begins with `?`, says that answers are not acknowledged.
    """
    player = Player(acknowledges=not data.startswith(b"?"))
    for line in data.split(b"\n")[:64]:
        if not line.startswith(b"!"):
            player.frame(line)
            continue
        for letter in line[1:9]:
            _own_side(player, letter)
    player.end()


def _own_side(player: Player, letter: int) -> None:
    """A digit waits; of the letters, a restart, a full disk, or a fact."""
    if letter < ord("A"):
        player.elapse(_WAITS_S[letter % 8])
    elif letter == ord("R"):
        player.restart()
    elif letter == ord("F"):
        player.hold_back()
    else:
        player.tell(_OWN[letter % 4])


_ELEMENTS: Final = ("P", "Q", "T1", "T2", "T3", "T4", "x")
_STATES: Final = ("opened", "closed")
_EVENT_STATES: Final = ("active", "active", "upcoming", "finished")
_REVEAL: Final = ("vote", "vote", None, "close", "manual", "what")
_LIMITS: Final = (1, 1, 1, None, 2, 0, -1)
_VALUES: Final[tuple[Any, ...]] = (
    None, 0, 1, 2, 3, 0.5, "0.5", "1", -1, "", "no", True, False, 1e-9, 1e-10, 1e308, 2**53,
    10**400, "9" * 400, "nan", "inf", "-0", " 1 ", "1e400", "\u0661", "1_0", "0x1", 121, 0.999,
)  # fmt: skip
_REASONS: Final = ("busy", "already_voted", "limit", "closed", "unknown_element", "what")
_RETRY: Final = (None, 0, 0.5, 3, 60, 2**53)
_FIELDS: Final = ("poll_counter_page", "poll_counter_sample_rate", "poll_counter_spread_s")


class _Composer:
    """Composes frames out of bytes: well formed, and of few names, so that they belong together."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rev = 0

    def rev(self) -> int:
        """The next revision, most often; else one of before, or one far ahead."""
        kind = self._reader.byte()
        if kind < 200:
            self._rev += 1
            return self._rev
        return max(0, self._rev - kind % 8) if kind < 250 else self._rev + kind

    def element(self) -> dict[str, Any]:
        reader = self._reader
        element_id = reader.pick(_ELEMENTS)
        element: dict[str, Any] = {
            "id": element_id,
            "content_type": "c",
            "state": reader.pick(_STATES),
            "rev": self.rev(),
            "published_at": reader.byte() % 16,
        }
        if element_id.startswith("T"):
            return element | {"type": "trivia"}
        fields: dict[str, Any] = {}
        if element_id != "x" or reader.byte() % 2:
            fields["poll_counter"] = 1 if reader.byte() % 16 else reader.pick(_VALUES)
        shape = reader.byte()
        for place, name in enumerate(_FIELDS):
            if shape >> place & 1:
                fields[name] = reader.pick(_VALUES)
        element |= {
            "type": "poll",
            "answer_options": [{}] * (shape >> 3 & 3),
            "custom_fields": fields,
            "max_votes_per_option": reader.pick(_LIMITS),
            "reveal_results_mode": reader.pick(_REVEAL),
        }
        if shape & 0x80:
            element["results"] = self.results()
        return element

    def results(self) -> dict[str, Any]:
        reader = self._reader
        shape = reader.byte()
        votes: list[Any] = [reader.byte() for _ in range(shape & 3)]
        if votes and shape & 0x40:
            votes[0] = (2**53, -1, 2**53 + 1, 1.5)[shape >> 4 & 3]
        return {"votes": votes, "final": shape & 0x80 != 0}

    def frame(self, kind: int) -> dict[str, Any]:
        """One of ten kinds of frame."""
        reader = self._reader
        if kind == 0:
            return self.welcome()
        if kind < 3:
            name = "element_published" if kind == 1 else "element_updated"
            return {"type": name, "element": self.element()}
        if kind > 7:
            return self.answer(refused=kind == 9)
        if kind == 5:
            return {"type": "results", "element": reader.pick(_ELEMENTS), **self.results()}
        of: dict[str, Any] = {"element": reader.pick(_ELEMENTS), "rev": self.rev()}
        if kind == 3:
            of |= {"type": "element_state", "state": reader.pick(_STATES)}
        elif kind == 4:
            of |= {"type": "element_revoked"}
        elif kind == 6:
            of |= {"type": "event_state", "state": reader.pick(_EVENT_STATES)}
        else:
            of |= {"type": "event_updated", "fields": {"a": reader.pick(_VALUES)}}
        return of

    def welcome(self) -> dict[str, Any]:
        reader = self._reader
        event = {"id": "e", "state": reader.pick(_EVENT_STATES), "rev": self.rev()}
        elements: list[Any] = [self.element() for _ in range(reader.byte() % 6)]
        rev = self.rev()
        return {
            "type": "welcome",
            "rev": rev,
            "server_time": 1,
            "event": event,
            "elements": elements,
        }

    def answer(self, *, refused: bool) -> dict[str, Any]:
        reader = self._reader
        answer: dict[str, Any] = {
            "type": "answer_refused" if refused else "answer_accepted",
            "id": "1",
            "element": reader.pick(_ELEMENTS[:3]),
            "options": [reader.pick((0, 1, 2, -1, 10**30))],
        }
        if refused:
            answer["reason"] = reader.pick(_REASONS)
            answer["retry_after_s"] = reader.pick(_RETRY)
        return answer


def show(data: bytes) -> None:
    """Compose a show: every few bytes are a frame that fits, or an act of the client's side."""
    reader = Reader(data)
    player = Player(acknowledges=reader.byte() % 4 != 3)
    composer = _Composer(reader)
    for _ in range(64):
        if not reader:
            break
        kind = reader.byte() % 16
        if kind < 10:
            player.frame(json.dumps(composer.frame(kind)))
        elif kind < 14:
            player.elapse(reader.pick(_WAITS_S))
        else:
            _own_side(player, reader.pick(b"DHIKRF"))
    player.end()
