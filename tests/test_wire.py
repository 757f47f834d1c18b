"""The live channel on the wire: what is written is read back, and nothing read does harm."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poll_counter import wire
from poll_counter.elements import Element, ElementState, EventState, FieldValue
from poll_counter.facts import (
    ActiveChanged,
    AnswerAccepted,
    AnswerRefused,
    Disconnected,
    ElementPublished,
    ElementRevoked,
    ElementStateChanged,
    ElementUpdated,
    EventStateChanged,
    EventUpdated,
    Fact,
    FrameSkipped,
    RefusalReason,
    ResultsTold,
    TimePassed,
    VoteHeldBack,
    Welcomed,
)

Frame: TypeAlias = dict[str, Any]

SAME = settings(derandomize=True, deadline=None, database=None)
"""The same examples in every run."""
LARGEST: Final = 2**53
"""The largest integer that every JSON reader holds exactly."""

ids = st.text(min_size=1, max_size=20)
revs = st.integers(0, LARGEST)
seconds = st.floats(0, LARGEST)
votes = st.lists(st.integers(0, LARGEST), max_size=12).map(tuple)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
finite = values.filter(lambda value: not isinstance(value, float) or abs(value) < float("inf"))
custom_fields = st.dictionaries(st.text(), finite, max_size=4)
element_states = st.sampled_from(get_args(ElementState))
event_states = st.sampled_from(get_args(EventState))
elements = st.builds(
    Element,
    id=ids,
    content_type=st.text(),
    state=element_states,
    published_at=seconds,
    type=st.text(),
    rev=revs,
    options=st.lists(st.text(), max_size=4).map(tuple),
    question=st.text(),
    custom_fields=custom_fields,
    max_votes_per_option=st.none() | st.integers(),
    reveal_results_mode=st.none() | st.text(),
)
options = st.integers(-LARGEST, LARGEST)


@st.composite
def welcomes(draw: st.DrawFn) -> Welcomed:
    """Draw a snapshot: elements, and results of some of them."""
    present = draw(st.lists(elements, max_size=4, unique_by=lambda element: element.id))
    tallied = [element for element in present if draw(st.booleans())]
    return Welcomed(
        event_state=draw(event_states),
        elements=tuple(present),
        results=tuple(ResultsTold(e.id, draw(votes), draw(st.booleans())) for e in tallied),
        rev=draw(revs),
        event_rev=draw(revs),
        event_id=draw(ids),
        event_name=draw(st.text()),
        fields=draw(custom_fields),
        server_time=draw(seconds),
    )


facts: st.SearchStrategy[Fact] = st.one_of(
    welcomes(),
    st.builds(ElementPublished, elements),
    st.builds(ElementUpdated, elements),
    st.builds(ElementStateChanged, ids, element_states, revs),
    st.builds(ElementRevoked, ids, revs),
    st.builds(ResultsTold, ids, votes, st.booleans()),
    st.builds(EventStateChanged, event_states, revs),
    st.builds(EventUpdated, custom_fields, revs),
    st.builds(AnswerAccepted, ids, options, st.text()),
    st.builds(
        AnswerRefused,
        ids,
        options,
        st.sampled_from(get_args(RefusalReason)),
        st.none() | seconds,
        st.text(),
    ),
)


def element(**changes: object) -> Frame:
    """Write an element as a server does, with some fields changed."""
    plain = {
        "id": "P",
        "content_type": "hidden-poll",
        "type": "poll",
        "state": "opened",
        "rev": 7,
        "published_at": 12.5,
        "question": {"text": "Who is in?"},
        "answer_options": [{"text": "one"}, {"text": "two"}],
        "custom_fields": {"poll_counter": 1},
        "max_votes_per_option": 1,
        "reveal_results_mode": "vote",
    }
    return {**plain, **changes}


def welcome(*present: object, **changes: object) -> Frame:
    """Write a welcome as a server does."""
    event = {"id": "demo", "name": "Demo", "state": "active", "rev": 3, "fields": {"a": 1}}
    plain = {"type": "welcome", "rev": 9, "server_time": 99.5, "event": event}
    return {**plain, "elements": list(present), **changes}


HELD: Final = Element(
    id="P",
    content_type="hidden-poll",
    state="opened",
    published_at=12.5,
    type="poll",
    rev=7,
    options=("one", "two"),
    question="Who is in?",
    custom_fields={"poll_counter": 1},
    max_votes_per_option=1,
    reveal_results_mode="vote",
)
"""What a client holds of `element()`."""

FRAMES: Final[Mapping[str, Frame]] = {
    "welcome": welcome(),
    "element_published": {"type": "element_published", "element": element()},
    "element_updated": {"type": "element_updated", "element": element()},
    "element_state": {"type": "element_state", "element": "P", "state": "closed", "rev": 8},
    "element_revoked": {"type": "element_revoked", "element": "P", "rev": 8},
    "results": {"type": "results", "element": "P", "votes": [4, 0], "final": True},
    "event_updated": {"type": "event_updated", "fields": {"a": "b"}, "rev": 4},
    "event_state": {"type": "event_state", "state": "finished", "rev": 5},
    "answer_accepted": {"type": "answer_accepted", "id": "1", "element": "P", "options": [2]},
    "answer_refused": {
        "type": "answer_refused",
        "id": "1",
        "element": "P",
        "options": [2],
        "reason": "busy",
        "retry_after_s": 1.5,
    },
    "error": {"type": "error", "code": "unknown_event", "message": "no such event"},
    "retry_after": {"type": "retry_after", "seconds": 2.5},
}
"""A good frame of every type that a server sends."""

READ: Final[Mapping[str, Fact | wire.Error | wire.RetryAfter]] = {
    "welcome": Welcomed("active", (), (), 9, 3, "demo", "Demo", {"a": 1}, 99.5),
    "element_published": ElementPublished(HELD),
    "element_updated": ElementUpdated(HELD),
    "element_state": ElementStateChanged("P", "closed", 8),
    "element_revoked": ElementRevoked("P", 8),
    "results": ResultsTold("P", (4, 0), final=True),
    "event_updated": EventUpdated({"a": "b"}, 4),
    "event_state": EventStateChanged("finished", 5),
    "answer_accepted": AnswerAccepted("P", 2, "1"),
    "answer_refused": AnswerRefused("P", 2, "busy", 1.5, "1"),
    "error": wire.Error(code="unknown_event", message="no such event"),
    "retry_after": wire.RetryAfter(seconds=2.5),
}
"""What each of them says."""


def decode(frame: object) -> Sequence[Fact | wire.Error | wire.RetryAfter]:
    """Read a frame given as JSON values; NaN and infinity are written as Python writes them."""
    return wire.decode_server(json.dumps(frame))


def skipped(reason: str) -> tuple[FrameSkipped]:
    """What a frame left out is read as."""
    return (FrameSkipped(reason),)


# There and back


@SAME
@given(facts)
def test_every_fact_comes_back(fact: Fact) -> None:
    """A fact of the platform that is written and read is the same fact, and the only one."""
    assert wire.decode_server(wire.encode_fact(fact)) == (fact,)


@SAME
@given(facts)
def test_frame_may_be_bytes(fact: Fact) -> None:
    """A binary frame with the same JSON says the same."""
    assert wire.decode_server(wire.encode_fact(fact).encode()) == (fact,)


@SAME
@given(facts)
def test_type_comes_first(fact: Fact) -> None:
    """The first key of every frame is its type, one that a client knows."""
    pairs = json.loads(wire.encode_fact(fact), object_pairs_hook=list)
    assert pairs[0][0] == "type"
    assert pairs[0][1] in FRAMES


@pytest.mark.parametrize("name", FRAMES)
def test_frame_says(name: str) -> None:
    """A frame as the protocol has it is read as its fact, or as the message itself."""
    assert decode(FRAMES[name]) == (READ[name],)


@pytest.mark.parametrize("name", sorted(FRAMES.keys() - {"error", "retry_after"}))
def test_fact_is_written_as_the_protocol_has_it(name: str) -> None:
    """A fact is written as the frame that the protocol has for it."""
    assert json.loads(wire.encode_fact(cast("Fact", READ[name]))) == FRAMES[name]


def test_nothing_unknown_is_written() -> None:
    """What a server does not know of an element or an answer is absent, not null."""
    bare = Element("T1", "trivia", "opened", 1.0, rev=1)
    frame = json.loads(wire.encode_fact(ElementPublished(bare)))
    assert not {"max_votes_per_option", "reveal_results_mode", "results"} & frame["element"].keys()
    frame = json.loads(wire.encode_fact(AnswerRefused("P", 0, "closed")))
    assert "retry_after_s" not in frame


def test_defaults() -> None:
    """What a server may leave out has a default; an element needs its id, type, state and rev."""
    least = {"id": "x", "content_type": "trivia", "state": "closed", "rev": 0, "published_at": 0}
    event = {"id": "demo", "state": "upcoming", "rev": 0}
    frame = {"type": "welcome", "rev": 0, "server_time": 0, "event": event, "elements": [least]}
    held = Element("x", "trivia", "closed", 0.0, rev=0)
    assert decode(frame) == (Welcomed("upcoming", (held,), (), 0, 0, "demo", "", {}, 0.0),)
    assert decode({"type": "error", "code": "x"}) == (wire.Error(code="x"),)
    assert decode({"type": "results", "element": "P", "votes": []}) == (ResultsTold("P", ()),)


def test_server_time_unknown() -> None:
    """A snapshot without the server's time is written as of time 0."""
    fact = Welcomed("active", (), rev=1, event_rev=1, event_id="demo")
    assert json.loads(wire.encode_fact(fact))["server_time"] == 0.0


@pytest.mark.parametrize("name", ["element_published", "element_updated"])
def test_results_that_come_with_an_element(name: str) -> None:
    """An element that carries results is two facts: the element first, then its results."""
    frame = {"type": name, "element": element(results={"votes": [1, 2], "final": True})}
    assert decode(frame) == (READ[name], ResultsTold("P", (1, 2), final=True))


# What cannot be understood


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param("", id="empty"),
        pytest.param("hello", id="no JSON"),
        pytest.param('{"type":"results"', id="cut off"),
        pytest.param(b"\xff\xfe\x00", id="invalid UTF-8"),
        pytest.param(b'{"type":"error","code":"\xff"}', id="invalid UTF-8 inside"),
        pytest.param('{"type":"\\ud800"}', id="half a character"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param(f'{{"type":"retry_after","seconds":{"9" * 5000}}}', id="5000 digits"),
    ],
)
def test_malformed(frame: str | bytes) -> None:
    """What is no JSON is malformed, from a server and from a client."""
    assert wire.decode_server(frame) == skipped("malformed")
    assert wire.decode_request(frame) == "malformed"


@pytest.mark.parametrize("kind", ["", "Welcome", "hello", "answer", "shrug", 5, None, [], {}])
def test_unknown_type(kind: object) -> None:
    """A type that servers do not send, whatever else the frame holds, is unknown."""
    assert decode({**welcome(), "type": kind}) == skipped("unknown_type")


@pytest.mark.parametrize("frame", [None, 1, "welcome", [], [welcome()], {}, {"Type": "welcome"}])
def test_without_type(frame: object) -> None:
    """JSON that is no object with a type is invalid."""
    assert decode(frame) == skipped("invalid")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (name, key)
        for name, frame in FRAMES.items()
        for key in frame
        if key not in {"type", "retry_after_s", "message", "final"}
    ],
)
@pytest.mark.parametrize("change", ["missing", "null", "an object in a list"])
def test_invalid_field(name: str, key: str, change: str) -> None:
    """A frame that lacks a field, or has a wrong kind of value in it, is left out."""
    frame = {**FRAMES[name], key: None if change == "null" else [{}]}
    if change == "missing":
        del frame[key]
    may_hold_anything = (name, key) == ("welcome", "elements") and change == "an object in a list"
    expected = (READ[name], FrameSkipped("invalid_element"))
    assert decode(frame) == (expected if may_hold_anything else skipped("invalid"))


@pytest.mark.parametrize("number", [-1, LARGEST + 1, 10**30, 1.5, 1.0, "1", True, float("nan")])
def test_bad_integers(number: object) -> None:
    """Votes and revisions are integers from 0 to 2^53, written as such."""
    assert decode({**FRAMES["results"], "votes": [0, number]}) == skipped("invalid")
    assert decode({**FRAMES["element_state"], "rev": number}) == skipped("invalid")
    assert decode(welcome(rev=number)) == skipped("invalid")
    assert decode(welcome(element(rev=number)))[1:] == skipped("invalid_element")
    with_results = element(results={"votes": [number]})
    assert decode(welcome(with_results))[1:] == skipped("invalid_element")


@pytest.mark.parametrize("number", [0, LARGEST])
def test_outermost_integers(number: int) -> None:
    """0 and 2^53 are votes and revisions."""
    assert decode({**FRAMES["results"], "votes": [number]}) == (
        ResultsTold("P", (number,), final=True),
    )
    assert decode({**FRAMES["element_revoked"], "rev": number}) == (ElementRevoked("P", number),)


@pytest.mark.parametrize(
    "number", [-0.5, float("nan"), float("inf"), float("-inf"), 1e300, "1", False]
)
def test_bad_seconds(number: object) -> None:
    """Times are numbers from 0 to 2^53: no NaN, no infinity."""
    assert decode({"type": "retry_after", "seconds": number}) == skipped("invalid")
    assert decode({**FRAMES["answer_refused"], "retry_after_s": number}) == skipped("invalid")
    assert decode(welcome(server_time=number)) == skipped("invalid")
    assert decode(welcome(element(published_at=number)))[1:] == skipped("invalid_element")


@pytest.mark.parametrize("name", ["answer_accepted", "answer_refused"])
@pytest.mark.parametrize("bad", [[], [1.5], ["1"], [True], list(range(101))])
def test_bad_options(name: str, bad: list[object]) -> None:
    """Options are 1 to 100 integers."""
    assert decode({**FRAMES[name], "options": bad}) == skipped("invalid")


@pytest.mark.parametrize("key", ["element"])
@pytest.mark.parametrize("bad", ["", "x" * 201])
def test_bad_ids(key: str, bad: str) -> None:
    """Ids have 1 to 200 characters."""
    assert decode({**FRAMES["element_revoked"], key: bad}) == skipped("invalid")
    assert decode(welcome(element(id=bad)))[1:] == skipped("invalid_element")
    assert decode({**FRAMES["element_revoked"], key: "x" * 200}) == (ElementRevoked("x" * 200, 8),)


@pytest.mark.parametrize(
    ("name", "state"),
    [("element_state", "active"), ("event_state", "opened"), ("event_state", "Active")],
)
def test_unknown_state(name: str, state: str) -> None:
    """A state that the platform does not name is invalid."""
    assert decode({**FRAMES[name], "state": state}) == skipped("invalid")


@pytest.mark.parametrize("name", FRAMES)
def test_unknown_fields(name: str) -> None:
    """Fields that this version does not know are ignored."""
    assert decode({**FRAMES[name], "since": "v2", "more": {"a": [1]}}) == (READ[name],)


def test_unknown_fields_inside() -> None:
    """Unknown fields are ignored at every depth: of the event, an element, its texts, results."""
    results = {"votes": [1], "final": False, "new": 1}
    texts: Frame = {"question": {"text": "?", "new": 1}, "answer_options": [{"text": "a", "b": 2}]}
    event = {"id": "demo", "state": "active", "rev": 3, "new": []}
    told = decode(welcome(element(**texts, results=results, new=None), event=event))
    assert isinstance(told[0], Welcomed)
    assert told[0].elements[0].question == "?"
    assert told[0].elements[0].options == ("a",)
    assert told[0].results == (ResultsTold("P", (1,)),)
    assert len(told) == 1


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "P",
        [],
        {},
        element(state="active"),
        element(rev=-1),
        element(custom_fields=[]),
        element(answer_options=["yes"]),
        element(max_votes_per_option="1"),
        element(results={"votes": [-1]}),
    ],
)
def test_one_bad_element_spoils_no_other(bad: object) -> None:
    """In a welcome a bad element is left out, told after the snapshot; the others stay."""
    first, last = element(id="A"), element(id="B", results={"votes": [5]})
    welcomed, *rest = decode(welcome(first, bad, last, bad))
    assert isinstance(welcomed, Welcomed)
    assert [e.id for e in welcomed.elements] == ["A", "B"]
    assert welcomed.results == (ResultsTold("B", (5,)),)
    assert rest == [FrameSkipped("invalid_element")] * 2


@pytest.mark.parametrize("name", ["element_published", "element_updated"])
def test_bad_element_alone(name: str) -> None:
    """A frame about one bad element is left out."""
    assert decode({"type": name, "element": element(rev=None)}) == skipped("invalid")


def test_nested_custom_fields() -> None:
    """Of custom fields, lists and objects are left out; what a field may hold is kept."""
    kept: dict[str, FieldValue] = {"a": "x", "b": 1, "c": 1.5, "d": True, "e": None}
    fields = {**kept, "f": [1], "g": {"h": 2}, "i": []}
    event = {"id": "demo", "state": "active", "rev": 3, "fields": fields}
    (welcomed,) = decode(welcome(element(custom_fields=fields), event=event))
    assert isinstance(welcomed, Welcomed)
    assert welcomed.fields == kept
    assert welcomed.elements[0].custom_fields == kept
    assert decode({**FRAMES["event_updated"], "fields": fields}) == (EventUpdated(kept, 4),)


@pytest.mark.parametrize("reason", ["", "Busy", "too_late", "\0"])
def test_unknown_refusal_reason(reason: str) -> None:
    """A reason that this version does not know counts as not_allowed."""
    told = AnswerRefused("P", 2, "not_allowed", 1.5, "1")
    assert decode({**FRAMES["answer_refused"], "reason": reason}) == (told,)


@pytest.mark.parametrize("reason", get_args(RefusalReason))
def test_known_refusal_reason(reason: RefusalReason) -> None:
    """A reason that is known is told as it is."""
    told = AnswerRefused("P", 2, reason, 1.5, "1")
    assert decode({**FRAMES["answer_refused"], "reason": reason}) == (told,)


# Nothing raises

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """Draw a good frame in which one value, at any depth, is replaced."""
    frame = json.loads(json.dumps(draw(st.sampled_from([*FRAMES.values(), welcome(element())]))))
    place: Any = frame
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return json.dumps(frame)
        key = draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or draw(st.booleans()):
            place[key] = draw(json_values)
            return json.dumps(frame)
        place = place[key]


@SAME
@given(
    st.text(st.characters())
    | st.binary()
    | json_values.map(json.dumps)
    | st.dictionaries(st.sampled_from(["type", "element", "rev"]), json_values).map(json.dumps)
    | spoiled()
)
def test_decoding_never_raises(frame: str | bytes) -> None:
    """Whatever a frame holds, a client reads something from it and a server has a reason."""
    told = wire.decode_server(frame)
    assert told
    reasons = {fact.reason for fact in told if isinstance(fact, FrameSkipped)}
    assert reasons <= {"malformed", "unknown_type", "invalid", "invalid_element"}
    request = wire.decode_request(frame)
    if isinstance(request, str):
        assert request in {"malformed", "unknown_type", "invalid"}


# What clients send


@SAME
@given(ids, ids)
def test_hello_comes_back(event: str, user: str) -> None:
    """A hello that is written and read is the same."""
    hello = wire.Hello(event=event, user=user)
    assert wire.decode_request(wire.encode(hello)) == hello
    assert json.loads(wire.encode(hello)) == {"type": "hello", "event": event, "user": user}


@SAME
@given(ids, ids, st.lists(options, min_size=1, max_size=100))
def test_answer_comes_back(answer_id: str, element_id: str, chosen: list[int]) -> None:
    """An answer that is written and read, also from bytes, is the same."""
    answer = wire.Answer(id=answer_id, element=element_id, options=chosen)
    assert wire.decode_request(wire.encode(answer).encode()) == answer


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({"type": "welcome"}, "unknown_type"),
        ({"type": 1}, "unknown_type"),
        ({"event": "demo", "user": "me"}, "invalid"),
        ([], "invalid"),
        ({"type": "hello", "event": "", "user": "me"}, "invalid"),
        ({"type": "hello", "event": "demo", "user": "x" * 201}, "invalid"),
        ({"type": "hello", "event": "demo"}, "invalid"),
        ({"type": "answer", "id": "1", "element": "P", "options": []}, "invalid"),
        ({"type": "answer", "id": "1", "element": "P", "options": [0] * 101}, "invalid"),
        ({"type": "answer", "id": 1, "element": "P", "options": [0]}, "invalid"),
    ],
)
def test_request_left_out(frame: object, reason: str) -> None:
    """A client's frame that cannot be understood is told by a word."""
    assert wire.decode_request(json.dumps(frame)) == reason


def test_request_with_unknown_fields() -> None:
    """Fields of a request that this version does not know are ignored."""
    frame = {"type": "hello", "event": "demo", "user": "me", "version": 2}
    assert wire.decode_request(json.dumps(frame)) == wire.Hello(event="demo", user="me")


# What is not for the wire


@pytest.mark.parametrize(
    "fact",
    [
        Disconnected(),
        FrameSkipped("x"),
        ActiveChanged(active=True),
        VoteHeldBack("P", 0),
        TimePassed(),
    ],
)
def test_not_the_platforms_to_tell(fact: Fact) -> None:
    """A fact that is not the platform's cannot be written; the error names it."""
    with pytest.raises(TypeError, match=f"{type(fact).__name__} is not for the wire"):
        wire.encode_fact(fact)


BARE: Final = Element("P", "poll", "opened", 1.0)


@pytest.mark.parametrize(
    "fact",
    [
        Welcomed("active", (), event_rev=1, event_id="demo"),
        Welcomed("active", (), rev=1, event_id="demo"),
        Welcomed("active", (BARE,), rev=1, event_rev=1, event_id="demo"),
        ElementPublished(BARE),
        ElementUpdated(BARE),
        ElementStateChanged("P", "closed"),
        ElementRevoked("P"),
        EventStateChanged("active"),
        EventUpdated({}),
    ],
)
def test_no_revision(fact: Fact) -> None:
    """On the wire every element and change carries its rev; a server that forgets it learns."""
    with pytest.raises(TypeError, match="carries its rev"):
        wire.encode_fact(fact)
