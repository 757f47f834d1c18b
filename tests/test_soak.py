"""The soak: shows in one process, and planted leaks, each of which must make it fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console, RenderableType
from rich.table import Table

from poll_counter import MisuseError
from simulator import soak as soaking
from simulator.leaks import Ledger
from simulator.report import Report
from simulator.scenario import Scenario
from simulator.soak import Kind, RunShow, Soaked, held_now, print_soak, soak
from simulator.sockets import run_sockets
from simulator.virtual import run_virtual
from tests.test_main import mute

pytestmark = pytest.mark.usefixtures("quick_to_collect")

SHOW = Scenario(players=6, rounds=1, round_time=1.0, drop=0.3)
ON_SOCKETS = Scenario(players=4, rounds=1, round_time=0.4)

Live = Callable[[Table], object] | None


class Minutes:
    """A clock that goes on by half a minute whenever it is asked, which is five times a show."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        """The time."""
        self._now += 30.0
        return self._now


async def right(scenario: Scenario, _live: Live = None) -> Report:
    """Run a show that leaves nothing behind."""
    return run_virtual(scenario)


async def soaked_with(run: RunShow, scenario: Scenario = SHOW) -> Soaked:
    """Soak for some shows, all run like this."""
    return await soak(
        scenario, minutes=20.0, kinds=["virtual"], run={"virtual": run}, now=Minutes(), settle_s=0.0
    )


async def test_shows_that_leave_nothing_behind_pass() -> None:
    """In virtual time, at some speed: nothing grows, and no type has more objects."""
    soaked = await soaked_with(right)
    assert soaked.ledger.leaks() == []
    assert soaked.ok
    assert all(after < before for before, after in soaked.ledger.changed.values())
    assert soaked.shows["virtual"] == 8
    assert soaked.votes > 0


async def test_shows_on_sockets_leave_nothing_behind() -> None:
    """Platform, host and real clients; time is shared with shows in virtual time."""
    soaked = await soak(ON_SOCKETS, minutes=20.0, now=Minutes())
    assert soaked.ledger.leaks() == []
    assert soaked.ok, soaked.wrong
    assert soaked.shows == {"virtual": 4, "sockets": 4}


async def test_a_leak_of_tasks_is_found() -> None:
    """A task that is left waiting after every show."""
    left = []

    async def leaky(scenario: Scenario, live: Live) -> Report:
        left.append(asyncio.create_task(asyncio.Event().wait()))
        return await right(scenario, live)

    soaked = await soaked_with(leaky)
    for task in left:
        task.cancel()
    assert any(leak.startswith("tasks: 8 where there were") for leak in soaked.ledger.leaks())
    assert not soaked.ok
    assert printed(soaked)[-1] == "FAILED: more is held at the end"


async def test_a_leak_of_descriptors_is_found(tmp_path: Path) -> None:
    """A file that is left open after every show."""
    left = []

    async def leaky(scenario: Scenario, live: Live) -> Report:
        left.append((tmp_path / "log").open("w"))
        return await right(scenario, live)

    soaked = await soaked_with(leaky)
    for file in left:
        file.close()
    assert any(leak.startswith("descriptors: ") for leak in soaked.ledger.leaks())


async def test_a_leak_of_objects_is_found() -> None:
    """A report that is kept of every show."""
    left = []

    async def leaky(scenario: Scenario, live: Live) -> Report:
        left.append(await right(scenario, live))
        return left[-1]

    leaks = (await soaked_with(leaky)).ledger.leaks()
    report = "objects of simulator.report.Report: 8 where there were 2"
    named = [leak for leak in leaks if leak.startswith("objects of ")]
    assert report in leaks or leaks[-1].endswith("types more")
    assert named


async def test_a_leak_of_memory_is_found() -> None:
    """What the garbage collector knows nothing of: bytes."""
    left = []

    async def leaky(scenario: Scenario, live: Live) -> Report:
        left.append(b"x" * 2**24)
        return await right(scenario, live)

    leaks = (await soaked_with(leaky)).ledger.leaks()
    assert leaks[0].startswith("memory grew by ")


async def test_what_is_gone_in_a_moment_is_no_leak() -> None:
    """A task that ends by itself soon after the show."""
    turns: list[int] = []

    async def slow_to_go(scenario: Scenario, live: Live) -> Report:
        turns.append(len(asyncio.all_tasks()))
        if len(turns) > 3:
            task = asyncio.create_task(asyncio.sleep(0.05))
            task.add_done_callback(lambda _: None)
        return await right(scenario, live)

    run: dict[Kind, RunShow] = {"virtual": slow_to_go}
    soaked = await soak(SHOW, minutes=20.0, kinds=["virtual"], run=run, now=Minutes())
    assert soaked.ledger.leaks() == []
    assert (await soaked_with(slow_to_go)).ledger.leaks() != [], "without that moment it is one"


async def test_a_show_that_goes_wrong_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing leaks; the line that runs it again is told."""

    async def wrong(scenario: Scenario, _live: Live) -> Report:
        return await run_sockets(scenario, make_transport=mute)

    soaked = await soak(
        ON_SOCKETS, minutes=0.0, kinds=["sockets"], run={"sockets": wrong}, now=Minutes()
    )
    assert not soaked.ok
    assert soaked.wrong_shows == 1
    first, line = soaked.wrong[0].splitlines()
    assert first.startswith("sockets, round 1: broken: ")
    assert line.strip() == (
        "python -m simulator soak --mode sockets --minutes 0 --players 4 --rounds 1 --seed 1 "
        "--round-time 0.4 --leave 0 --drop 0 --late 0"
    )
    monkeypatch.setattr(soaking, "WRONG_MAX", 1)
    report = await wrong(ON_SOCKETS, None)
    soaked.add("sockets", 1.0, report)
    assert (soaked.wrong_shows, len(soaked.wrong)) == (2, 1)


async def test_every_show_has_a_seed_of_its_own() -> None:
    """From the scenario's on."""
    seeds: list[int] = []

    async def noted(scenario: Scenario, live: Live) -> Report:
        seeds.append(scenario.seed)
        return await right(scenario, live)

    await soaked_with(noted, SHOW.model_copy(update={"seed": 7}))
    assert seeds == list(range(7, 15))


async def test_for_people_it_is_a_table_and_a_verdict() -> None:
    """What was held at first and last, the shows, the verdict."""
    told = printed(await soaked_with(right))
    assert told[0].split() == ["at", "the", "end", "of", "a", "show", "first", "last"]
    assert [line.split()[0] for line in told[1:5]] == ["memory,", "tasks", "file", "objects"]
    assert told[5].split() == ["shows,", "virtual", "8"]
    assert told[-2].startswith("8 shows and ")
    assert told[-2].endswith("as many objects of every type")
    assert told[-1] == "OK: every count is right, and nothing leaks"


async def test_for_people_a_failure_says_what_failed() -> None:
    """Counts, leaks, or both."""

    async def wrong(scenario: Scenario, _live: Live) -> Report:
        return await run_sockets(scenario, make_transport=mute)

    few = await soak(SHOW, minutes=0.0, kinds=["virtual"], now=Minutes())
    assert printed(few)[-3].startswith("only 0 shows ended after the warm-up")
    assert printed(few)[-1] == "FAILED: too few shows ended to tell a leak"
    run: dict[Kind, RunShow] = {"sockets": wrong}
    both = await soak(ON_SOCKETS, minutes=0.0, kinds=["sockets"], run=run, now=Minutes())
    assert printed(both)[-1] == "FAILED: 1 shows went wrong; too few shows ended to tell a leak"


async def test_for_scripts_it_is_one_object() -> None:
    """With what was held at first and last."""
    told = json.loads((await soaked_with(right)).as_json())
    assert told["ok"] is True
    assert told["leaks"] == told["wrong"] == []
    assert told["shows"] == {"virtual": 8, "sockets": 0}
    assert told["changed_objects"] == {}
    assert told["first"]["tasks"] == told["last"]["tasks"]
    assert told["first"].keys() == {"rss_mb", "tasks", "descriptors", "objects"}
    assert json.loads(Soaked(SHOW, Ledger()).as_json())["first"] is None


async def test_the_live_table_is_shown_and_does_not_leak() -> None:
    """Above that of the show that is on; a display that holds it holds no more at the end."""
    shown: list[RenderableType] = [""]

    def show_live(table: RenderableType) -> None:
        shown[0] = table
        seen.add(type(table).__name__)

    seen: set[str] = set()
    soaked = await soak(ON_SOCKETS, minutes=20.0, now=Minutes(), show_live=show_live)
    assert soaked.ledger.leaks() == []
    assert seen == {"Group", "Table"}


async def test_a_system_that_does_not_tell_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    monkeypatch.setattr(soaking, "PROCESS", Path("/nowhere"))
    with pytest.raises(MisuseError, match="run it on Linux"):
        held_now()


def printed(soaked: Soaked) -> list[str]:
    """What people are told."""
    console = Console(width=200)
    with console.capture() as capture:
        print_soak(soaked, console)
    return capture.get().splitlines()
