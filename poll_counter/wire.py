"""The live channel on the wire: one JSON object per text frame, `type` first.

The models are the protocol, in both directions; `simulator/PROTOCOL.md` is its full text. What a
client reads is decoded into facts, and what it cannot understand is skipped: unknown fields are
ignored, and a frame or an element that fails to fit becomes a `FrameSkipped` fact with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .elements import Element, ElementState, EventState, FieldValue
from .facts import (
    AnswerAccepted,
    AnswerRefused,
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
    Welcomed,
)

__all__ = [
    "SUBPROTOCOL",
    "Answer",
    "ClientMessage",
    "Error",
    "Hello",
    "RetryAfter",
    "ServerMessage",
    "decode_request",
    "decode_server",
    "encode",
    "encode_fact",
]

SUBPROTOCOL: Final = "poll-counter.v1"
"""The WebSocket subprotocol that both ends must agree on."""

LIST_MAX: Final = 10_000
"""The most elements, answer options or tallies in a list: without a limit, a frame of 1 MiB would
make 300 MB of models, or of reasons why each is wrong."""
_SHORT: Final = Field(max_length=LIST_MAX)

Id: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Rev: TypeAlias = Annotated[int, Field(ge=0, le=2**53)]
Votes: TypeAlias = Annotated[int, Field(ge=0, le=2**53)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=2**53, allow_inf_nan=False)]
Tallies: TypeAlias = Annotated[list[Votes], _SHORT]
Options: TypeAlias = Annotated[list[int], Field(min_length=1, max_length=100)]
Fields: TypeAlias = dict[str, object]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Hello(_Message):
    """Client: I am this user, show me this event. The first frame of a connection."""

    type: Literal["hello"] = "hello"
    event: Id
    user: Id
    token: Annotated[str | None, Field(max_length=1000, repr=False)] = None


class Answer(_Message):
    """Client: my answer to an element, a list of options; `id` comes back with the reply."""

    type: Literal["answer"] = "answer"
    id: Id
    element: Id
    options: Options


class _Text(_Message):
    text: str = ""


class _Results(_Message):
    votes: Tallies
    final: bool = False


class _Element(_Message):
    id: Id
    content_type: str
    type: str = ""
    state: ElementState
    rev: Rev
    published_at: Seconds
    question: _Text = _Text()
    answer_options: Annotated[list[_Text], _SHORT] = []
    custom_fields: Fields = {}
    max_votes_per_option: int | None = None
    reveal_results_mode: str | None = None
    results: _Results | None = None

    def held(self) -> Element:
        """The element as a client holds it."""
        return Element(
            id=self.id,
            content_type=self.content_type,
            type=self.type,
            state=self.state,
            rev=self.rev,
            published_at=self.published_at,
            question=self.question.text,
            options=tuple(option.text for option in self.answer_options),
            custom_fields=_scalars(self.custom_fields),
            max_votes_per_option=self.max_votes_per_option,
            reveal_results_mode=self.reveal_results_mode,
        )

    def told(self) -> tuple[ResultsTold, ...]:
        """The results that came with the element, if any."""
        results = self.results
        if results is None:
            return ()
        return (ResultsTold(self.id, tuple(results.votes), results.final),)

    @classmethod
    def of(cls, element: Element, results: ResultsTold | None = None) -> Self:
        told = None
        if results is not None:
            told = _Results(votes=list(results.votes), final=results.final)
        return cls(
            id=element.id,
            content_type=element.content_type,
            type=element.type,
            state=element.state,
            rev=_known(element.rev),
            published_at=element.published_at,
            question=_Text(text=element.question),
            answer_options=[_Text(text=text) for text in element.options],
            custom_fields=dict(element.custom_fields),
            max_votes_per_option=element.max_votes_per_option,
            reveal_results_mode=element.reveal_results_mode,
            results=told,
        )


class _Event(_Message):
    id: Id
    name: str = ""
    state: EventState
    rev: Rev
    fields: Fields = {}


class _Welcome(_Message):
    type: Literal["welcome"] = "welcome"
    rev: Rev
    server_time: Seconds
    event: _Event
    elements: Annotated[list[object], _SHORT]  # each validated by itself: none spoils another

    def facts(self) -> tuple[Fact, ...]:
        elements, results, skipped = list[Element](), list[ResultsTold](), list[Fact]()
        for raw in self.elements:
            try:
                element = _Element.model_validate(raw)
            except ValidationError:
                skipped.append(FrameSkipped("invalid_element"))
            else:
                elements.append(element.held())
                results.extend(element.told())
        welcomed = Welcomed(
            event_state=self.event.state,
            elements=tuple(elements),
            results=tuple(results),
            rev=self.rev,
            event_rev=self.event.rev,
            event_id=self.event.id,
            event_name=self.event.name,
            fields=_scalars(self.event.fields),
            server_time=self.server_time,
        )
        return welcomed, *skipped

    @classmethod
    def of(cls, fact: Welcomed) -> Self:
        results = {told.element_id: told for told in fact.results}
        event = _Event(
            id=fact.event_id,
            name=fact.event_name,
            state=fact.event_state,
            rev=_known(fact.event_rev),
            fields=dict(fact.fields),
        )
        return cls(
            rev=_known(fact.rev),
            server_time=fact.server_time or 0.0,
            event=event,
            elements=[_Element.of(e, results.get(e.id)) for e in fact.elements],
        )


class _Published(_Message):
    type: Literal["element_published"] = "element_published"
    element: _Element

    def facts(self) -> tuple[Fact, ...]:
        return ElementPublished(self.element.held()), *self.element.told()

    @classmethod
    def of(cls, fact: ElementPublished) -> Self:
        return cls(element=_Element.of(fact.element))


class _Updated(_Message):
    type: Literal["element_updated"] = "element_updated"
    element: _Element

    def facts(self) -> tuple[Fact, ...]:
        return ElementUpdated(self.element.held()), *self.element.told()

    @classmethod
    def of(cls, fact: ElementUpdated) -> Self:
        return cls(element=_Element.of(fact.element))


class _StateOfElement(_Message):
    type: Literal["element_state"] = "element_state"
    element: Id
    state: ElementState
    rev: Rev

    def facts(self) -> tuple[Fact, ...]:
        return (ElementStateChanged(self.element, self.state, self.rev),)

    @classmethod
    def of(cls, fact: ElementStateChanged) -> Self:
        return cls(element=fact.element_id, state=fact.state, rev=_known(fact.rev))


class _Revoked(_Message):
    type: Literal["element_revoked"] = "element_revoked"
    element: Id
    rev: Rev

    def facts(self) -> tuple[Fact, ...]:
        return (ElementRevoked(self.element, self.rev),)

    @classmethod
    def of(cls, fact: ElementRevoked) -> Self:
        return cls(element=fact.element_id, rev=_known(fact.rev))


class _ResultsOf(_Message):
    type: Literal["results"] = "results"
    element: Id
    votes: Tallies
    final: bool = False

    def facts(self) -> tuple[Fact, ...]:
        return (ResultsTold(self.element, tuple(self.votes), self.final),)

    @classmethod
    def of(cls, fact: ResultsTold) -> Self:
        return cls(element=fact.element_id, votes=list(fact.votes), final=fact.final)


class _EventUpdated(_Message):
    type: Literal["event_updated"] = "event_updated"
    fields: Fields
    rev: Rev

    def facts(self) -> tuple[Fact, ...]:
        return (EventUpdated(_scalars(self.fields), self.rev),)

    @classmethod
    def of(cls, fact: EventUpdated) -> Self:
        return cls(fields=dict(fact.fields), rev=_known(fact.rev))


class _StateOfEvent(_Message):
    type: Literal["event_state"] = "event_state"
    state: EventState
    rev: Rev

    def facts(self) -> tuple[Fact, ...]:
        return (EventStateChanged(self.state, self.rev),)

    @classmethod
    def of(cls, fact: EventStateChanged) -> Self:
        return cls(state=fact.state, rev=_known(fact.rev))


class _Accepted(_Message):
    type: Literal["answer_accepted"] = "answer_accepted"
    id: str
    element: Id
    options: Options

    def facts(self) -> tuple[Fact, ...]:
        return (AnswerAccepted(self.element, self.options[0], self.id),)

    @classmethod
    def of(cls, fact: AnswerAccepted) -> Self:
        return cls(id=fact.answer_id, element=fact.element_id, options=[fact.option])


class _Refused(_Message):
    type: Literal["answer_refused"] = "answer_refused"
    id: str
    element: Id
    options: Options
    reason: str
    retry_after_s: Seconds | None = None

    def facts(self) -> tuple[Fact, ...]:
        reason: Any = self.reason if self.reason in _REASONS else "not_allowed"
        option = self.options[0]
        return (AnswerRefused(self.element, option, reason, self.retry_after_s, self.id),)

    @classmethod
    def of(cls, fact: AnswerRefused) -> Self:
        return cls(
            id=fact.answer_id,
            element=fact.element_id,
            options=[fact.option],
            reason=fact.reason,
            retry_after_s=fact.retry_after_s,
        )


class Error(_Message):
    """Server: something you sent cannot be worked with; a sentence for a person."""

    type: Literal["error"] = "error"
    code: str
    message: str = ""

    def facts(self) -> tuple[Error]:
        """No fact: the message itself."""
        return (self,)


class RetryAfter(_Message):
    """Server: should the connection end, do not come back sooner than this."""

    type: Literal["retry_after"] = "retry_after"
    seconds: Seconds

    def facts(self) -> tuple[RetryAfter]:
        """No fact: the message itself."""
        return (self,)


ServerMessage: TypeAlias = Annotated[
    _Welcome | _Published | _Updated | _StateOfElement | _Revoked | _ResultsOf | _EventUpdated
    | _StateOfEvent | _Accepted | _Refused | Error | RetryAfter,
    Field(discriminator="type"),
]  # fmt: skip
"""Every message that a server sends."""
ClientMessage: TypeAlias = Annotated[Hello | Answer, Field(discriminator="type")]
"""Every message that a client sends."""

# The validators alone: a frame goes through them a tenth quicker than through their adapters.
_SERVER: Final = TypeAdapter[ServerMessage](ServerMessage).validator
_CLIENT: Final = TypeAdapter[Hello | Answer](ClientMessage).validator
_WRITERS: Final = cast(
    "Mapping[type, Callable[[Any], BaseModel]]",
    {
        Welcomed: _Welcome.of,
        ElementPublished: _Published.of,
        ElementUpdated: _Updated.of,
        ElementStateChanged: _StateOfElement.of,
        ElementRevoked: _Revoked.of,
        ResultsTold: _ResultsOf.of,
        EventUpdated: _EventUpdated.of,
        EventStateChanged: _StateOfEvent.of,
        AnswerAccepted: _Accepted.of,
        AnswerRefused: _Refused.of,
    },
)
_REASONS: Final = frozenset(get_args(RefusalReason))


def encode(message: BaseModel) -> str:
    """Write a message as the text of a frame."""
    return message.model_dump_json(exclude_none=True)


def decode_request(frame: str | bytes) -> Hello | Answer | str:
    """Read a client's frame; returns the reason, a word, where it cannot be understood."""
    try:
        message: Hello | Answer = _CLIENT.validate_json(frame)
    except ValidationError as error:
        return _reason(error)
    return message


def decode_server(frame: str | bytes) -> tuple[Fact | Error | RetryAfter, ...]:
    """Read a server's frame: its facts in order; never raises."""
    try:
        message: ServerMessage = _SERVER.validate_json(frame)
    except ValidationError as error:
        return (FrameSkipped(_reason(error)),)
    return message.facts()


def encode_fact(fact: Fact) -> str:
    """Write what a server has to tell as the text of a frame; the inverse of `decode_server`.

    Every element and change needs its revision. Raises TypeError for a fact that is not the
    platform's to tell.
    """
    write = _WRITERS.get(type(fact))
    if write is None:
        raise TypeError(f"{type(fact).__name__} is not for the wire")
    return encode(write(fact))


def _reason(error: ValidationError) -> str:
    kind = error.errors(include_url=False, include_context=False, include_input=False)[0]["type"]
    if kind == "json_invalid":
        return "malformed"
    return "unknown_type" if kind == "union_tag_invalid" else "invalid"


def _scalars(fields: Fields) -> Mapping[str, FieldValue]:
    """Keep the values that a field may have; the others cannot be meant for us.

    NaN and the infinities are none: JSON has no word for them, though many programs write one.
    """
    return {
        key: value
        for key, value in fields.items()
        if value is None
        or isinstance(value, str | int)
        or (isinstance(value, float) and isfinite(value))
    }


def _known(rev: int | None) -> int:
    if rev is None:
        raise TypeError("on the wire every element and change carries its rev")
    return rev
