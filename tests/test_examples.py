"""The examples: short, they print what the file beside them says, and their pages are true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent

import pytest

from poll_counter.cli.options import make_parser as make_producers_parser
from simulator.__main__ import main as simulator
from simulator.load.options import make_parser as make_show_parser
from simulator.options import make_parser, read_scenario

EXAMPLES = Path(__file__).parents[1] / "examples"
GOLDEN = sorted(EXAMPLES.glob("*.out"))
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
PAGES = sorted(EXAMPLES.glob("[0-9]*.md"))
QUOTING = [*PAGES, EXAMPLES / "toward_the_internet.md"]
"""Pages that quote the script beside them."""
EVERY_PAGE = [*sorted(EXAMPLES.rglob("*.md")), EXAMPLES.parent / "simulator" / "README.md"]
ARGUMENTS = {"07_a_million_players": ["5000"]}
"""Script -> what its golden output was made with: less than what a person runs."""
LONGER = {"web_backend": 100, "web_transport": 100}
"""Script -> its most lines, where that is more: a platform, and the way to it."""
PLAYERS = 50
"""The crowd of a page's command, when a test runs it."""


def named(path: Path) -> str:
    """How a file's test is called."""
    return path.stem


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page, of one language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(page: Path) -> Iterator[list[str]]:
    """The commands of a page, in words."""
    for block in blocks(page, "console"):
        for line in block.splitlines():
            assert line.startswith("$ "), f"{page.name}: a console block has commands only: {line}"
            yield shlex.split(line.removeprefix("$ "), comments=True)


@pytest.mark.parametrize("golden", GOLDEN, ids=named)
def test_an_example_prints_its_golden_output(golden: Path) -> None:
    """Every script prints exactly its `.out`, and warns of nothing."""
    script = golden.with_suffix(".py")
    command = [sys.executable, "-W", "error", str(script), *ARGUMENTS.get(golden.stem, [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == (golden.read_text(encoding="utf-8"), "")


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_an_example_fits_on_a_page(script: Path) -> None:
    """Every script has at most 60 lines, but for those named."""
    assert len(script.read_text(encoding="utf-8").splitlines()) <= LONGER.get(script.stem, 60)


def test_a_transport_is_a_few_dozen_lines() -> None:
    """All that another platform needs, with what reads its messages, is at most 80 lines."""
    script = (EXAMPLES / "web_transport.py").read_text(encoding="utf-8")
    before_the_show, _ = script.split("\nasync def count(")
    assert len(before_the_show.strip().splitlines()) <= 80


def test_tutorials_are_numbered_and_complete() -> None:
    """There are ten, each a script, its output and its page, and the list names them in order."""
    numbered = [path.stem for path in SCRIPTS if path.stem[0].isdigit()]
    assert [name[:2] for name in numbered] == [f"{n:02}" for n in range(1, 11)]
    for suffix in (".md", ".out"):
        assert [path.stem for path in sorted(EXAMPLES.glob(f"[0-9]*{suffix}"))] == numbered
    listed = re.findall(r"\]\((\d\d_\w+)\.md\)", (EXAMPLES / "README.md").read_text("utf-8"))
    assert listed == numbered


@pytest.mark.parametrize("page", QUOTING, ids=named)
def test_a_page_shows_the_scripts_own_code_and_output(page: Path) -> None:
    """What a page quotes is in the script beside it, and what it shows, in the golden output."""
    script = page.with_suffix(".py").read_text(encoding="utf-8")
    quoted = blocks(page, "python")
    assert quoted
    for block in quoted:
        assert _stands_in(block, script), f"not in {page.stem}.py:\n{block}"
    told = page.with_suffix(".out").read_text(encoding="utf-8")
    shown = blocks(page, "text")
    assert shown
    for block in shown:
        assert block in told, f"not in {page.stem}.out:\n{block}"


def _stands_in(block: str, script: str) -> bool:
    """Whether whole lines of a script are those of a block, however far both are indented."""
    lines = dedent(block)
    return any(f"\n{indent(lines, ' ' * depth)}" in f"\n{script}" for depth in range(0, 24, 4))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_says_what_can_go_wrong(page: Path) -> None:
    """Every tutorial begins with its command, tells what can go wrong, and leads on."""
    text = page.read_text(encoding="utf-8")
    assert next(commands(page)) == ["python", f"examples/{page.stem}.py"]
    _, _, wrong = text.partition("## What can go wrong, and how you notice\n")
    assert wrong.count("\n- **") >= 3
    assert re.search(r"^(Next|Back to) .*\]\(\S+\.md\)\.$|^Next: \[", wrong, re.MULTILINE)


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_a_pages_commands_are_understood(page: Path) -> None:
    """Every command of a page names a script that is there, or is one that its parser takes."""
    for words in commands(page):
        match words:
            case ["python", "-m", "simulator", "locust", *arguments]:
                make_show_parser().parse_known_args(arguments)  # the rest is Locust's
            case ["python", "-m", "simulator", *arguments]:
                parser = make_parser()
                options = parser.parse_args(arguments)
                if options.command in {None, "run", "serve", "crowd"}:
                    read_scenario(parser, options)
            case ["poll-counter", *arguments]:
                make_producers_parser().parse_args(arguments)
            case ["python", "-m", "pip", "install", *_] | ["python3", "-m", "venv", *_]:
                pass
            case ["redis-server", *_]:
                pass  # Redis's own command line
            case ["python", "-m", "pytest", script] | ["python", script, *_]:
                assert (EXAMPLES.parent / script).is_file()
            case _:
                pytest.fail(f"nobody has tried {shlex.join(words)}")


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_a_pages_scenarios_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every scenario that a page runs in virtual time holds, here with fewer players."""
    monkeypatch.chdir(tmp_path)
    for words in commands(page):
        if words[:4] == ["python", "-m", "simulator", "run"] and "sockets" not in words:
            assert simulator([*words[3:], "--players", str(PLAYERS)]) == 0


def test_the_tests_of_the_last_tutorial_are_pytests(tmp_path: Path) -> None:
    """Its file runs under pytest as it is, with the fixture where the page says."""
    script = EXAMPLES / "10_test_your_app.py"
    copy = tmp_path / "test_app.py"
    copy.write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    fixture = "from poll_counter.testing import fake_platform"
    assert f"`{fixture}`" in script.with_suffix(".md").read_text(encoding="utf-8")
    (tmp_path / "conftest.py").write_text(f"{fixture}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", str(copy)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
