"""Targets at the platform: `emulator` takes what clients send, `control` what producers send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from math import inf
from typing import Any, Final

from starlette.requests import Request

from poll_counter.facts import AnswerAccepted, AnswerRefused
from poll_counter.wire import Answer, Hello, decode_request, decode_server, encode, encode_fact
from simulator.content import Content, ContentError
from simulator.control_api.bodies import read, related, written
from simulator.control_api.documents import Refusal
from simulator.control_api.queries import Parameter, Query, page_after
from simulator.emulator import Delivery, Emulator, EmulatorError, RevealMode, Settings

from .reader import Reader

__all__ = ["control", "emulator"]

_ELEMENTS: Final = ("P", "Q", "x")
_REVEAL: Final[tuple[RevealMode, ...]] = ("vote", "vote", "close", "event_end", "never", "manual")
_ACTS: Final[tuple[Callable[[Emulator, str, float], list[Delivery]], ...]] = (
    Emulator.publish,
    Emulator.publish,
    Emulator.close,
    Emulator.revoke,
    Emulator.reveal_results,
)
_OPTIONS: Final = (0, 1, 2, 3, -1, 255, 10**30)


def emulator(data: bytes) -> None:
    """Serve clients that send what they like, composed or raw, while a producer acts."""
    reader = Reader(data)
    platform = _Platform(reader)
    for _ in range(64):
        if not reader:
            break
        platform.step()


class _Platform:
    """An emulator that is served as `LiveServer` serves it, and is judged after every step."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._emulator = Emulator()
        self._users: dict[int, str] = {}
        self._now = 1.0
        self._rev = 0
        self._emulator.add_event("e", peak_sample_s=1.0)
        for element_id in _ELEMENTS[:2]:
            with suppress(EmulatorError):
                self._emulator.add_element("e", element_id, self._settings())
        self._tell(self._emulator.start("e", self._now))

    def _settings(self) -> Settings:
        reader = self._reader
        shape = reader.byte()
        return Settings(
            content_type="c",
            type="poll",
            options=("a", "b", "c")[: shape & 3],
            duration_s=2.0 if shape & 4 else None,
            offset_s=1.0 if shape & 8 else None,
            require_verified_user=shape >> 4 == 15,
            max_votes_per_user=reader.pick((1, 2, 5, 400)),
            max_votes_per_option=reader.pick((1, 2, 255, 256, 0)),
            min_options_per_vote=reader.pick((1, 1, 2)),
            max_options_per_vote=reader.pick((1, 2, 3)),
            reveal_results_mode=reader.pick(_REVEAL),
        )

    def step(self) -> None:
        """Let somebody do something."""
        kind = self._reader.byte() % 16
        if kind < 10:
            self._take(self._reader.byte() % 4, kind)
        elif kind == 10:
            self._now += self._reader.byte() / 32
            self._tell(self._emulator.wake(self._now))
        elif kind == 11:
            number = self._reader.byte() % 4
            self._emulator.disconnect(number, self._now)
            self._users.pop(number, None)
        else:
            with suppress(EmulatorError):
                self._produce(kind)
        self._judge()

    def _produce(self, kind: int) -> None:
        reader, platform, now = self._reader, self._emulator, self._now
        element_id = reader.pick(_ELEMENTS)
        if kind == 12:
            self._tell(platform.update_element(element_id, self._settings(), now))
        elif kind == 13 and reader.byte() % 8 == 0:
            self._tell(platform.stop("e", now))
        elif kind == 13:
            platform.add_element("e", element_id, self._settings())
        else:
            self._tell(reader.pick(_ACTS)(platform, element_id, now))

    def _take(self, number: int, kind: int) -> None:
        """Take a frame of a connection, as the server does."""
        request = decode_request(self._frame(kind))
        if isinstance(request, Hello):
            if number not in self._users:
                try:
                    told = self._emulator.connect(number, request.event, request.user, self._now)
                except EmulatorError:
                    assert request.event != "e"
                else:
                    self._users[number] = request.user
                    self._tell(told)
        elif isinstance(request, Answer) and number in self._users:
            self._answer(number, request)

    def _frame(self, kind: int) -> str | bytes:
        reader = self._reader
        if kind == 0:
            return reader.take(255)
        if kind < 4:
            return encode(Hello(event=reader.pick(("e", "e", "f")), user=reader.pick("uvw")))
        options = [reader.pick(_OPTIONS) for _ in range(1 + reader.byte() % 3)]
        return encode(Answer(id="1", element=reader.pick(_ELEMENTS), options=options))

    def _answer(self, number: int, request: Answer) -> None:
        platform, user = self._emulator, self._users[number]
        before = self._votes()
        ((_, to, fact),) = told = platform.answer(
            number, request.element, request.options, request.id, self._now
        )
        assert to == number
        grown = {key: votes for key, votes in self._votes().items() if votes != before.get(key, 0)}
        if isinstance(fact, AnswerRefused):
            assert not grown, "refused, and counted"
        else:
            assert isinstance(fact, AnswerAccepted)
            for option in set(request.options):
                key = request.element, user, option
                times = request.options.count(option)
                assert grown.pop(key) == before.get(key, 0) + times
            assert not grown, "another's votes changed"
        self._tell(told)

    def _votes(self) -> Mapping[tuple[str, str, int], int]:
        """(element, user, option) -> votes."""
        elements = self._emulator.event("e").elements.values()
        return {
            (element.id, user, option): votes
            for element in elements
            for user, ballot in element.ballots.items()
            for option, votes in enumerate(ballot)
        }

    def _judge(self) -> None:
        """Tallies are the sums of ballots, within the limits; all else is in order."""
        event = self._emulator.event("e")
        assert event.users == self._users
        assert event.rev >= self._rev
        self._rev = event.rev
        for element in event.elements.values():
            ballots = element.ballots.values()
            assert element.votes == [sum(b[n] for b in ballots) for n in range(len(element.votes))]
            for ballot in ballots:
                assert max(ballot) <= element.settings.max_votes_per_option
                assert sum(ballot) <= element.settings.max_votes_per_user
        deadline = self._emulator.deadline  # -inf for results that were never told: at once
        assert deadline is None or deadline < inf

    def _tell(self, deliveries: list[Delivery]) -> None:
        """All that is told can be written, and is read as it was meant."""
        for delivery in deliveries:
            assert decode_server(encode_fact(delivery.fact)) == (delivery.fact,)


_PROJECT, _EVENT, _ELEMENT = "id1", "id3", "id4"
"""The ids of what is made first; a project's app takes one."""
_PARAMETERS: Final = (
    Parameter("filter[state]", "", "list", ("active", "upcoming", "finished")),
    Parameter("sort", "", "choice", ("start_time", "-start_time")),
    Parameter("filter[only_listings]", "", "flag"),
    Parameter("page[count]", "", "number", most=100),
    Parameter("page[cursor]", "", "text"),
)


def control(data: bytes) -> None:
    """Take every line as a request: a letter, a digit, and a body or a query.

    `E` makes an event and `F` changes it, `L` makes an element and `M` changes it, `Q` asks; the
    digit waits so many seconds before. What is refused names where it is wrong.
    """
    numbers = count(1)
    content = Content(Emulator(), new_id=lambda: f"id{next(numbers)}")
    now = 1.0
    assert content.add_project("p") == _PROJECT
    content.create_event(_PROJECT, {"name": "e"}, now)
    for line in data.split(b"\n")[:24]:
        now += line[1:2].isdigit() and int(line[1:2])
        for delivery in content.emulator.wake(now):
            encode_fact(delivery.fact)
        pointer = _request(line, content, now)
        assert pointer == "" or pointer.startswith("/")
    _read_all(content, now)


def _request(line: bytes, content: Content, now: float) -> str:
    """Do what a line asks for; returns the pointer to what is wrong where it is refused."""
    try:
        if line.startswith(b"Q"):
            _ask(line[2:], content, now)
        else:
            _write(line[:1], _body(line[2:]), content, now)
    except Refusal:
        return ""
    except ContentError as error:
        return error.pointer
    return ""


def _body(raw: bytes) -> Any:
    """Let the API read a body; nothing in it waits, so no event loop is needed."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": raw, "more_body": False}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    try:
        read(request, 2**16).send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def _write(letter: bytes, body: Any, content: Content, now: float) -> None:
    new = letter in {b"E", b"L"}
    type_ = "events" if letter in {b"E", b"F"} else "elements"
    resource = written(body, type_, new=new)
    attributes = resource.attributes
    told: list[Delivery] = []
    if letter == b"E":
        _, told = content.create_event(_PROJECT, attributes, now)
    elif letter == b"L":
        owner = related(resource.relationships, "event")
        _, told = content.create_element(owner, attributes, now)
    elif letter == b"F":
        told = content.update_event(_EVENT, attributes, now)
    else:
        told = content.update_element(_ELEMENT, attributes, now)
    for delivery in told:
        encode_fact(delivery.fact)


def _ask(raw: bytes, content: Content, now: float) -> None:
    pairs = Request(
        {"type": "http", "method": "GET", "headers": [], "query_string": raw}
    ).query_params.multi_items()
    query = Query(pairs, _PARAMETERS)
    everything = content.events(_PROJECT, now)
    found = content.events(
        _PROJECT,
        now,
        states=query.listed("filter[state]") or (),
        only_listings=query.flag("filter[only_listings]") or False,
        newest_first=query.choice("sort") == "-start_time",
    )
    order = [each["id"] for each in everything]
    page_count = query.number("page[count]", 2)
    page, cursor = page_after(query.text("page[cursor]"), found, order, page_count)
    assert len(page) <= page_count
    assert not cursor or page


def _read_all(content: Content, now: float) -> None:
    """Whatever was made can be read."""
    for event in content.events(_PROJECT, now):
        content.event_stats(event["id"], now)
        for element in content.elements(event["id"], now):
            content.element_stats(element["id"], now)
        encode_fact(content.emulator.snapshot(event["id"], now))
