"""What holds for all tests."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping

import pytest


def pytest_configure() -> None:
    """Heed SIGINT, as tests expect, also where a shell started them in its background."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def quick_to_collect() -> Generator[None]:
    """Keep the garbage collector, which some tests call often, from what is there for all tests."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Trace nothing that is `untraced`: pytest-cov's own `no_cover` does nothing under xdist."""
    if item.get_closest_marker("untraced") is None:
        return (yield)
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(trace)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where every service is there (POLL_COUNTER_NO_SKIPS), a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get("POLL_COUNTER_NO_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


def _eager_loop() -> asyncio.AbstractEventLoop:
    if sys.version_info < (3, 12):
        raise pytest.UsageError("POLL_COUNTER_LOOP=eager needs Python 3.12 or newer")
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 - an option, needed where it is asked for

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "eager": _eager_loop,
    "uvloop": _uvloop,
}


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run asynchronous tests on the loop that POLL_COUNTER_LOOP names: see LOOPS."""
    name = os.environ.get("POLL_COUNTER_LOOP", "asyncio")
    return {name: LOOPS[name]}
