"""The blocking `ControlApi`: the same names and signatures, one implementation."""

from __future__ import annotations

import inspect
import threading
from typing import assert_type

import httpx
import pytest

from poll_counter.control import api as asynchronous
from poll_counter.control.resources import Element, Event
from poll_counter.control.sync import ControlApi
from poll_counter.errors import ControlApiError, MisuseError

from .support import TOKEN, Platform, Step, everything_about

EVENT = {"data": {"id": "e1", "type": "events", "attributes": {"name": "Final"}}}


def blocking(*steps: Step) -> tuple[ControlApi, Platform]:
    """An api, and the platform that it is on."""
    platform = Platform(list(steps))
    return ControlApi("https://platform.example", token=TOKEN, transport=platform), platform


def _public(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


def test_it_has_the_same_names() -> None:
    """`with` does what `aclose` does; `call` is its own."""
    assert _public(ControlApi) == _public(asynchronous.ControlApi) - {"aclose"} | {"call"}


def test_it_takes_the_same_arguments() -> None:
    """With the same defaults."""
    ours = inspect.signature(ControlApi).parameters
    theirs = inspect.signature(asynchronous.ControlApi).parameters
    assert [*map(str, ours.values())] == [*map(str, theirs.values())]


METHODS = sorted(_public(ControlApi) - {"call", "key"})


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_the_other_one(name: str) -> None:
    """Its name, its documentation and its signature, for editors and `help` too."""
    ours, theirs = getattr(ControlApi, name), getattr(asynchronous.ControlApi, name)
    assert ours.__name__ == name == theirs.__name__
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)
    api, _ = blocking()
    bound = inspect.signature(getattr(api, name))
    assert [*bound.parameters] == [*inspect.signature(theirs).parameters][1:]


def test_it_blocks_and_gives_what_the_other_gives() -> None:
    """And type checkers know it."""
    api, platform = blocking(EVENT, {"data": []}, lambda _: httpx.Response(204))
    with api as entered:
        assert entered is api
        event = api.event("e1", include=["stats"])
        elements = api.elements("e1", stats=True)
        api.start_event(event_id="e1")
    assert_type(event, Event)
    assert_type(elements, list[Element])
    assert event.name == "Final"
    assert len(platform.requests) == 3
    assert platform.closed


def test_errors_are_the_same() -> None:
    """And do not tell the token."""
    api, _ = blocking(httpx.Response(422, json={"error": "over"}))
    with api, pytest.raises(ControlApiError, match="status 422, over") as caught:
        api.stop_event("e1")
    assert TOKEN not in everything_about(caught.value)
    assert repr(api) == "ControlApi('https://platform.example/api/v2')"


def test_functions_of_the_producers_side_are_called_with_the_other_one() -> None:
    """`hidden_poll.create` and whatever else takes a `ControlApi` first."""

    async def name_of(api: asynchronous.ControlApi, event_id: str, *, loud: bool = False) -> str:
        event = await api.event(event_id)
        return event.name.upper() if loud else event.name

    api, _ = blocking(EVENT, EVENT)
    with api:
        assert_type(api.call(name_of, "e1"), str)
        assert api.call(name_of, "e1", loud=True) == "FINAL"


def test_it_has_to_be_entered() -> None:
    """Nothing is sent before, nor after."""
    api, platform = blocking()
    with pytest.raises(MisuseError, match=r"with ControlApi\(\.\.\.\) as api"):
        api.me()
    with api:
        pass
    with pytest.raises(MisuseError, match=r"with ControlApi\(\.\.\.\) as api"):
        api.me()
    with api, pytest.raises(MisuseError, match="closed"):
        api.me()
    assert platform.requests == []


def test_its_key_is_the_others() -> None:
    """So that publishers of both take turns."""
    api, _ = blocking()
    other = asynchronous.ControlApi("https://platform.example", token=TOKEN)
    assert api.key == other.key


def test_any_thread_may_use_it() -> None:
    """At the same time; afterwards no thread is left."""
    api, platform = blocking(*[EVENT] * 8)
    names = list[str]()
    with api:
        threads = [
            threading.Thread(target=lambda: names.append(api.event("e1").name)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert names == ["Final"] * 8
    assert len(platform.requests) == 8
    assert "poll_counter" not in {thread.name for thread in threading.enumerate()}


def test_it_must_not_wait_for_itself() -> None:
    """On the background thread there is the other one."""

    async def blocks(_: asynchronous.ControlApi) -> None:
        api.me()

    api, platform = blocking()
    with api, pytest.raises(MisuseError, match="wait for itself"):
        api.call(blocks)
    assert platform.requests == []
