"""The public face: documented, typed, and no more than is meant."""

from __future__ import annotations

import inspect
from importlib.resources import files
from typing import TYPE_CHECKING, assert_type

import pytest

import poll_counter
from poll_counter import (
    Element,
    FileJournal,
    MemoryJournal,
    PollCounter,
    RoundCount,
    State,
    Stats,
    Transport,
    WebSocketTransport,
    is_hidden,
    sync,
)
from poll_counter.journal import Journal

CLASSES_AND_FUNCTIONS = [
    value
    for value in (*(getattr(poll_counter, name) for name in poll_counter.__all__), sync.PollCounter)
    if inspect.isclass(value) or inspect.isfunction(value)
]


@pytest.mark.parametrize("thing", CLASSES_AND_FUNCTIONS, ids=lambda thing: thing.__qualname__)
def test_every_public_name_is_documented_with_an_example(thing: object) -> None:
    """Purpose first, then an example of its use."""
    text = inspect.getdoc(thing) or ""
    assert "For example:\n\n```python\n" in text
    assert text.split("\n")[0].endswith((".", "other's."))


@pytest.mark.parametrize("thing", CLASSES_AND_FUNCTIONS, ids=lambda thing: thing.__qualname__)
def test_every_public_member_is_documented(thing: object) -> None:
    """Methods and properties say what they are for."""
    members = [(n, m) for n, m in vars(thing).items() if not n.startswith("_")]
    functions = [(n, m) for n, m in members if inspect.isfunction(m) or isinstance(m, property)]
    assert [name for name, member in functions if not inspect.getdoc(member)] == []


def test_the_blocking_counter_has_the_same_names() -> None:
    """`sync.PollCounter` lacks nothing that the asyncio one offers, in names and arguments."""
    ours = {name for name in vars(PollCounter) if not name.startswith("_")}
    assert ours == {name for name in vars(sync.PollCounter) if not name.startswith("_")}
    arguments = set(inspect.signature(PollCounter).parameters) - {"clock"}
    assert set(inspect.signature(sync.PollCounter).parameters) == {*arguments, "call_in"}


def test_types_are_shipped() -> None:
    """Type checkers are told that the package is typed."""
    assert files("poll_counter").joinpath("py.typed").is_file()


if TYPE_CHECKING:

    async def _types_of_the_counter(counter: PollCounter, element: Element) -> None:
        assert_type(counter.latest, RoundCount | None)
        assert_type(counter.history, dict[int, RoundCount])
        assert_type(counter.state, State)
        assert_type(counter.stats(), Stats)
        assert_type(is_hidden(element), bool)
        async with counter as entered:
            assert_type(entered, PollCounter)
            async for count in entered:
                assert_type(count, RoundCount)
                assert_type(count.players, int | None)

    def _types_of_the_blocking_counter(counter: sync.PollCounter) -> None:
        assert_type(counter.latest, RoundCount | None)
        with counter as entered:
            for count in entered:
                assert_type(count, RoundCount)

    def _types_that_fit() -> tuple[Transport, Journal, Journal]:
        return WebSocketTransport("ws://127.0.0.1"), FileJournal("player.json"), MemoryJournal()
