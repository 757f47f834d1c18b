"""Who may import whom: the floors of both packages, read from the source with `ast`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("poll_counter", "simulator")

FLOORS = (
    # poll_counter, from the ground up: a module imports from the floors below its own
    ("poll_counter.errors", "poll_counter.elements"),
    ("poll_counter.sampling",),
    ("poll_counter.rounds",),
    ("poll_counter.counts",),
    ("poll_counter.facts", "poll_counter.commands"),
    ("poll_counter.standing",),
    ("poll_counter.machine",),
    ("poll_counter.wire", "poll_counter.journal"),
    ("poll_counter.player_token",),
    ("poll_counter.transport", "poll_counter.portal"),
    ("poll_counter.bridge.door", "poll_counter.bridge.closed", "poll_counter.bridge.node"),
    ("poll_counter.bridge.page",),
    ("poll_counter.bridge.transport",),
    ("poll_counter.bridge",),
    ("poll_counter.client",),
    ("poll_counter.sync", "poll_counter.testing"),
    ("poll_counter",),
    # the producer's side
    ("poll_counter.control.address", "poll_counter.control.token", "poll_counter.control.problems"),
    ("poll_counter.control.documents", "poll_counter.control.turns", "poll_counter.control.fields"),
    ("poll_counter.control.stats", "poll_counter.control.http", "poll_counter.control.blueprint"),
    ("poll_counter.control.resources",),
    ("poll_counter.control.held", "poll_counter.control.api"),
    ("poll_counter.control.checks.show", "poll_counter.control.checks.finding"),
    (
        "poll_counter.control.checks.polls",
        "poll_counter.control.checks.spec",
        "poll_counter.control.checks.together",
    ),
    ("poll_counter.control.checks",),
    (
        "poll_counter.control.hidden_poll",
        "poll_counter.control.concurrency",
        "poll_counter.control.sync",
    ),
    ("poll_counter.control",),
    ("poll_counter.cli.parser", "poll_counter.cli.control", "poll_counter.cli.screen"),
    ("poll_counter.cli.options",),
    ("poll_counter.cli.terminal",),
    ("poll_counter.cli.concurrency", "poll_counter.cli.polls", "poll_counter.cli.watch"),
    ("poll_counter.cli",),
    ("poll_counter.cli.__main__",),
    # simulator
    ("simulator", "simulator.scenario", "simulator.clock", "simulator.audience", "simulator.loops"),
    ("simulator.limits", "simulator.player_tokens", "simulator.patience", "simulator.leaks"),
    ("simulator.records", "simulator.network", "simulator.hostile", "simulator.door"),
    ("simulator.emulator", "simulator.choices"),
    ("simulator.logfile",),
    # the platform for producers
    ("simulator.content.attributes", "simulator.content.spec", "simulator.content.writes"),
    ("simulator.content.projects", "simulator.content.resources"),
    ("simulator.content.actions",),
    ("simulator.content.content",),
    ("simulator.content",),
    ("simulator.feeds", "simulator.show", "simulator.web"),
    ("simulator.control_api.documents", "simulator.control_api.tokens"),
    (
        "simulator.control_api.queries",
        "simulator.control_api.bodies",
        "simulator.control_api.cdn",
        "simulator.control_api.gate",
    ),
    ("simulator.control_api.endpoints",),
    ("simulator.control_api.schemas",),
    ("simulator.control_api.openapi", "simulator.control_api.handlers"),
    ("simulator.control_api.app",),
    ("simulator.control_api",),
    # the truth, and who runs a show
    ("simulator.checks.evidence", "simulator.turnstile"),
    (
        "simulator.checks.truth",
        "simulator.checks.observers",
        "simulator.checks.freshness",
        "simulator.server",
    ),
    ("simulator.checks.votes", "simulator.checks.recovery"),
    ("simulator.checks.findings",),
    ("simulator.checks.judge",),
    ("simulator.checks",),
    # several nodes
    ("simulator.nodes", "simulator.nodes.book"),
    ("simulator.nodes.log",),
    ("simulator.nodes.node",),
    ("simulator.platform",),
    (
        "simulator.host",
        "simulator.observer",
        "simulator.report",
        "simulator.charts",
        "simulator.markup",
    ),
    ("simulator.person", "simulator.statement"),
    ("simulator.world", "simulator.swarm"),
    ("simulator.shards",),
    ("simulator.sockets",),
    ("simulator.virtual", "simulator.page"),
    ("simulator.serve", "simulator.explore", "simulator.trials", "simulator.soak"),
    # the studio in the browser
    ("simulator.studio", "simulator.studio.settings", "simulator.studio.questions"),
    ("simulator.studio.stage", "simulator.studio.crowd", "simulator.studio.sentences"),
    ("simulator.studio.truth",),
    ("simulator.studio.phone",),
    ("simulator.studio.studio",),
    ("simulator.studio.actions", "simulator.studio.frame", "simulator.studio.guard"),
    ("simulator.studio.frames",),
    ("simulator.studio.app",),
    ("simulator.studio.serve",),
    ("simulator.options",),
    # a load test over many machines
    ("simulator.load", "simulator.load.words", "simulator.load.ramp"),
    (
        "simulator.load.leader",
        "simulator.load.meter",
        "simulator.load.pipes",
        "simulator.load.statements",
    ),
    ("simulator.load.guests", "simulator.load.stage", "simulator.load.options"),
    ("simulator.load.child", "simulator.load.messages"),
    ("simulator.load.master", "simulator.load.worker"),
    ("simulator.locustfile",),
    ("simulator.__main__",),
)
CORE = {
    "poll_counter.errors",
    "poll_counter.elements",
    "poll_counter.sampling",
    "poll_counter.rounds",
    "poll_counter.counts",
    "poll_counter.facts",
    "poll_counter.commands",
    "poll_counter.standing",
    "poll_counter.machine",
}
KNOWN = {("poll_counter", "RoundCount"), ("poll_counter.sampling", "interval")}
"""All that the checks may know of the library: what they judge, and the formula."""
SCREEN = "poll_counter.cli.screen"
"""The one module that needs rich."""
PRODUCERS = ("poll_counter.control", "poll_counter.cli")
"""The producer's side: modules and packages."""
IF_THERE = {("poll_counter.testing", "pytest"), ("poll_counter.cli.terminal", SCREEN)}
"""What may be imported where it is installed, and is done without elsewhere."""
UNDER_LOCUST = {
    "simulator.load.child",
    "simulator.load.messages",
    "simulator.load.master",
    "simulator.load.worker",
    "simulator.locustfile",
}
"""Who lives in Locust's process; nobody else knows of Locust, or of them."""
PURE = {"__future__", "collections.abc", "dataclasses", "enum", "types", "typing"}
"""The modules of the standard library that the core may import."""
PURE_FOR = {"poll_counter.sampling": {"hashlib", "math"}, "poll_counter.rounds": {"weakref"}}
"""Those that one of its modules alone may import."""


class Import(NamedTuple):
    """One name imported: `from module import name`, or `import module`."""

    by: str
    module: str
    """The module imported from, absolute."""
    name: str = ""
    """The name imported from it; empty for the module itself."""
    guarded: bool = False
    """Whether it stands in a `try` that catches ImportError."""


Imports = Mapping[str, list[Import]]
"""Module -> what it imports, wherever in the file: functions and TYPE_CHECKING too."""
Check = Callable[[Imports], list[str]]
"""Gives what breaks a rule."""


def module_of(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, str]:
    """Every module of both packages, and its source."""
    paths = [path for each in PACKAGES for path in (ROOT / each).rglob("*.py")]
    return {module_of(path): path.read_text(encoding="utf-8") for path in paths}


def imports_of(sources: Mapping[str, str]) -> Imports:
    """Read what each module imports; a submodule imported by name counts as that module."""
    return {module: list(_imports(module, source, sources)) for module, source in sources.items()}


def _imports(module: str, source: str, sources: Mapping[str, str]) -> Iterator[Import]:
    is_package = any(other.startswith(module + ".") for other in sources)
    package = module if is_package else module.rpartition(".")[0]
    for node, guarded in _statements(source):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, guarded=guarded)
        else:
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found = (whole, "") if whole in sources else (base, alias.name)
                yield Import(module, *found, guarded=guarded)


@cache
def _statements(source: str) -> list[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import of a source, and whether it stands in a `try` that catches ImportError."""
    nodes = list(ast.walk(ast.parse(source)))
    tries = [node for node in nodes if isinstance(node, ast.Try) and _catches(node)]
    guarded = {id(node) for each in tries for child in each.body for node in ast.walk(child)}
    found = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return [(node, id(node) in guarded) for node in found]


def _catches(node: ast.Try) -> bool:
    names = [handler.type for handler in node.handlers]
    return any(isinstance(name, ast.Name) and name.id == "ImportError" for name in names)


# The checks, each a list of what breaks the rule


def unplaced(imports: Imports) -> list[str]:
    """Modules that have no floor, and floors whose module is gone."""
    placed = {module for floor in FLOORS for module in floor}
    return sorted(placed ^ set(imports))


def upward(imports: Imports) -> list[str]:
    """Imports from the same floor or one above; simulator stands on top of poll_counter."""
    level = {module: number for number, floor in enumerate(FLOORS) for module in floor}
    return [
        f"{each.by} imports {each.module}"
        for found in imports.values()
        for each in found
        if each.module in level and level[each.module] >= level.get(each.by, 0)
    ]


def cycles(imports: Imports) -> list[str]:
    """Modules that, by way of others, import themselves."""
    direct = {by: {each.module for each in found} & set(imports) for by, found in imports.items()}
    found = []
    for module in sorted(direct):
        reached, news = set[str](), direct[module]
        while news:
            reached |= news
            news = {after for one in news for after in direct[one]} - reached
        if module in reached:
            found.append(module)
    return found


def impure(imports: Imports) -> list[str]:
    """What the core imports beyond itself and a few modules without effects."""
    return [
        f"{each.by} imports {each.module}"
        for module in sorted(CORE & set(imports))
        for each in imports[module]
        if each.module not in CORE | PURE | PURE_FOR.get(module, set())
    ]


def partial(imports: Imports) -> list[str]:
    """What the checks know of those whom they judge."""
    known = {"simulator.scenario", "simulator.emulator"}
    return [
        f"{each.by} imports {each.module} {each.name}".strip()
        for found in imports.values()
        for each in found
        if each.by.startswith("simulator.checks")
        and not each.module.startswith("simulator.checks")
        and (each.module.startswith(("simulator", "poll_counter")))
        and each.module not in known
        and each[1:3] not in KNOWN
    ]


def foreign(imports: Imports) -> list[str]:
    """What the library must not need: the simulator, and what only others need."""
    unwanted = {"simulator", "rich", "pytest", "tests"}
    return [
        f"{each.by} imports {each.module}"
        for found in imports.values()
        for each in found
        if _package(each.by) == "poll_counter"
        if _package(each.module) in unwanted or each.module == SCREEN
        if not (each.guarded and (each.by, each.module) in IF_THERE)
        if (each.by, _package(each.module)) != (SCREEN, "rich")
    ]


def for_producers(imports: Imports) -> list[str]:
    """What the client side imports of the producer's: apps hold no token (contract 1.1)."""
    return [
        f"{each.by} imports {each.module}"
        for found in imports.values()
        for each in found
        if _package(each.by) == "poll_counter" and not _is_producers(each.by)
        if _is_producers(each.module) or _package(each.module) == "httpx"
    ]


def _is_producers(module: str) -> bool:
    return any(f"{module}.".startswith(f"{each}.") for each in PRODUCERS)


def _package(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def under_locust(imports: Imports) -> list[str]:
    """Who imports Locust, or who lives in its process, where gevent has replaced the sockets."""
    return [
        f"{each.by} imports {each.module}"
        for found in imports.values()
        for each in found
        if each.by not in UNDER_LOCUST
        if _package(each.module) in {"locust", "gevent"} or each.module in UNDER_LOCUST
    ]


def rooted(imports: Imports) -> list[str]:
    """Modules inside poll_counter that import its root, which imports them."""
    return [
        f"{each.by} imports {each.name or 'all'} from the root"
        for found in imports.values()
        for each in found
        if each.by.startswith("poll_counter.") and each.module == "poll_counter"
    ]


CHECKS: tuple[Check, ...] = (
    unplaced,
    upward,
    cycles,
    impure,
    partial,
    foreign,
    for_producers,
    under_locust,
    rooted,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_stands(check: Check) -> None:
    """Nothing breaks the rule."""
    assert check(imports_of(modules())) == []


# That every check can fail: made-up modules among the real ones


@pytest.mark.parametrize(
    ("check", "module", "source", "broken"),
    [
        (unplaced, "simulator.ghost", "", ["simulator.ghost"]),
        (unplaced, "poll_counter.control.ghost", "", ["poll_counter.control.ghost"]),
        (
            upward,
            "poll_counter.rounds",
            "from .counts import Counts",
            ["poll_counter.rounds imports poll_counter.counts"],
        ),
        (
            upward,
            "poll_counter.facts",
            "def late():\n    from . import commands",
            ["poll_counter.facts imports poll_counter.commands"],
        ),
        (
            upward,
            "simulator.emulator",
            "import simulator.server",
            ["simulator.emulator imports simulator.server"],
        ),
        (
            upward,
            "poll_counter.client",
            "if TYPE_CHECKING:\n    from simulator.swarm import Swarm",
            ["poll_counter.client imports simulator.swarm"],
        ),
        (
            cycles,
            "poll_counter.elements",
            "from .machine import State",
            ["poll_counter.commands", "poll_counter.counts", "poll_counter.elements"],
        ),
        (impure, "poll_counter.errors", "import time", ["poll_counter.errors imports time"]),
        (
            impure,
            "poll_counter.machine",
            "from random import random",
            ["poll_counter.machine imports random"],
        ),
        (impure, "poll_counter.rounds", "import math", ["poll_counter.rounds imports math"]),
        (
            impure,
            "poll_counter.counts",
            "from .wire import Hello",
            ["poll_counter.counts imports poll_counter.wire"],
        ),
        (
            impure,
            "poll_counter.facts",
            "import collections",
            ["poll_counter.facts imports collections"],
        ),
        (
            partial,
            "simulator.checks",
            "from poll_counter import Machine, RoundCount",
            ["simulator.checks imports poll_counter Machine"],
        ),
        (
            partial,
            "simulator.checks",
            "from poll_counter.client import Stats",
            ["simulator.checks imports poll_counter.client Stats"],
        ),
        (
            partial,
            "simulator.checks",
            "import poll_counter",
            ["simulator.checks imports poll_counter"],
        ),
        (
            partial,
            "simulator.checks.truth",
            "from simulator.swarm import Player",
            ["simulator.checks.truth imports simulator.swarm Player"],
        ),
        (
            for_producers,
            "poll_counter.journal",
            "import httpx",
            ["poll_counter.journal imports httpx"],
        ),
        (
            for_producers,
            "poll_counter.client",
            "def late():\n    from .control import ControlApi",
            ["poll_counter.client imports poll_counter.control"],
        ),
        (
            for_producers,
            "poll_counter",
            "from .control.api import ControlApi",
            ["poll_counter imports poll_counter.control.api"],
        ),
        (
            foreign,
            "poll_counter.cli.watch",
            "import rich",
            ["poll_counter.cli.watch imports rich"],
        ),
        (
            foreign,
            "poll_counter.cli.terminal",
            "from .screen import RichScreen",
            ["poll_counter.cli.terminal imports poll_counter.cli.screen"],
        ),
        (
            foreign,
            "poll_counter.transport",
            "from rich.console import Console",
            ["poll_counter.transport imports rich.console"],
        ),
        (
            foreign,
            "poll_counter.testing",
            "import pytest",
            ["poll_counter.testing imports pytest"],
        ),
        (
            foreign,
            "poll_counter.client",
            "try:\n    import pytest\nexcept ImportError:\n    pass",
            ["poll_counter.client imports pytest"],
        ),
        (
            foreign,
            "poll_counter.testing",
            "from simulator.emulator import Emulator",
            ["poll_counter.testing imports simulator.emulator"],
        ),
        (
            under_locust,
            "simulator.load.guests",
            "def late():\n    from locust.env import Environment\nimport gevent.event",
            [
                "simulator.load.guests imports locust.env",
                "simulator.load.guests imports gevent.event",
            ],
        ),
        (
            under_locust,
            "simulator.load.stage",
            "from .child import Child\nimport simulator.locustfile",
            [
                "simulator.load.stage imports simulator.load.child",
                "simulator.load.stage imports simulator.locustfile",
            ],
        ),
        (
            rooted,
            "poll_counter.client",
            "from . import RoundCount",
            ["poll_counter.client imports RoundCount from the root"],
        ),
        (
            rooted,
            "poll_counter.sync",
            "import poll_counter",
            ["poll_counter.sync imports all from the root"],
        ),
        (
            rooted,
            "poll_counter.testing",
            "from poll_counter import PollCounter",
            ["poll_counter.testing imports PollCounter from the root"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", ""),
)
def test_a_breach_is_found(check: Check, module: str, source: str, broken: list[str]) -> None:
    """With a module changed, the check names it, and what it imports."""
    found = check(imports_of({**modules(), module: source}))
    assert set(broken) <= set(found)


def test_a_lost_module_is_found() -> None:
    """A floor whose module is gone is cleared away."""
    sources = modules()
    before = unplaced(imports_of(sources))
    del sources["simulator.host"]
    assert unplaced(imports_of(sources)) == sorted([*before, "simulator.host"])


def test_what_may_be_imported_is_let_be() -> None:
    """The guarded pytest of testing.py, a submodule by name, and the root from outside."""
    sources = {
        "poll_counter": "from .client import PollCounter",
        "poll_counter.client": "from . import elements",
        "poll_counter.elements": "",
        "poll_counter.testing": "try:\n    import pytest\nexcept ImportError:\n    pass",
        "simulator.checks": "from poll_counter import RoundCount",
    }
    imports = imports_of(sources)
    for check in (upward, cycles, impure, partial, foreign, for_producers, rooted):
        assert check(imports) == []


def test_relative_imports_are_read_as_absolute() -> None:
    """From a module, from a package's root, and from deeper down."""
    sources = {
        "poll_counter": "from .client import A\nfrom . import client",
        "poll_counter.client": "from . import B",
        "poll_counter.control.api": "from ..errors import C\nfrom .http import D",
    }
    assert imports_of(sources) == {
        "poll_counter": [
            Import("poll_counter", "poll_counter.client", "A"),
            Import("poll_counter", "poll_counter.client"),
        ],
        "poll_counter.client": [Import("poll_counter.client", "poll_counter", "B")],
        "poll_counter.control.api": [
            Import("poll_counter.control.api", "poll_counter.errors", "C"),
            Import("poll_counter.control.api", "poll_counter.control.http", "D"),
        ],
    }
