"""The loop that carries a crowd, and how many connections it may have."""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
from types import SimpleNamespace

import pytest

from poll_counter import MisuseError
from simulator.loops import NEW_OBJECTS, OTHERS, allow_descriptors, at_rest, run, running


async def name() -> str:
    """Tell the loop's name."""
    return running()


async def fails() -> None:
    """Do not come to a good end."""
    raise ZeroDivisionError


def test_uvloop_runs_a_crowd_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And asyncio's own loop where it is not."""

    class Loop(asyncio.SelectorEventLoop):
        """Stands for uvloop's, which need not be there."""

    Loop.__module__ = "uvloop.loop"
    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=Loop))
    assert run(name()) == "uvloop"
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as if not there
    assert run(name()) == "asyncio"


def test_a_crowd_is_seldom_looked_through_for_garbage() -> None:
    """While it is on its loop: before and after all is as somebody else wanted it."""

    async def thresholds() -> tuple[int, int, int]:
        return gc.get_threshold()

    before = gc.get_threshold()
    try:
        for wanted, found in [
            ((700, 10, 9), (NEW_OBJECTS, 10, 9)),
            ((2 * NEW_OBJECTS, 10, 10), (2 * NEW_OBJECTS, 10, 10)),
            ((0, 10, 10), (0, 10, 10)),  # never, and so it stays
        ]:
            gc.set_threshold(*wanted)
            assert run(thresholds()) == found
            assert gc.get_threshold() == wanted
        gc.set_threshold(700, 10, 10)
        with pytest.raises(ZeroDivisionError):
            run(fails())
        assert gc.get_threshold() == (700, 10, 10)
    finally:
        gc.set_threshold(*before)


def test_descriptors_are_taken_as_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is raised to what is needed, never lowered; beyond the system's it is refused."""
    limits = [256, 20_000]

    def set_to(_kind: int, pair: tuple[int, int]) -> None:
        if pair[0] > limits[1]:
            raise ValueError("not allowed to raise maximum limit")
        limits[:] = pair

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", set_to)
    allow_descriptors(10)
    assert limits == [256, 20_000]
    allow_descriptors(1000)
    assert limits == [1000 + OTHERS, 20_000]
    with pytest.raises(MisuseError, match=r"30,000 connections .* \(20,000 descriptors\)"):
        allow_descriptors(30_000)
    limits[0] = resource.RLIM_INFINITY
    allow_descriptors(30_000)
    assert limits[0] == resource.RLIM_INFINITY


def test_the_collector_leaves_a_crowd_at_rest_alone() -> None:
    """What was there before is not looked at, until the block has ended."""
    there = [[n] for n in range(1000)]
    with at_rest():
        looked_at = {id(each) for each in gc.get_objects()}
        assert not any(id(each) in looked_at for each in there)
        assert gc.get_freeze_count() > len(there)
    assert gc.get_freeze_count() == 0
