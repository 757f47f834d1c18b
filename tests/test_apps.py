"""The apps that embed the counter: each on a real screen, or on its toolkit's stand-in for one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from poll_counter import MEMORY
from poll_counter.sync import PollCounter
from poll_counter.testing import FakePlatform, fake_platform
from tests.support.served import ServedShow
from tests.support.virtual_screen import VirtualScreen

__all__ = ["fake_platform"]

APPS = Path(__file__).parents[1] / "examples" / "apps"
SCRIPTS = sorted(APPS.glob("*.py"))
TOOLKITS = {"desktop_game": "tkinter", "game_loop": "pygame", "terminal_game": "textual"}
"""Script -> what it takes besides the library."""
PICTURES = os.environ.get("POLL_COUNTER_PICTURES")
"""A folder for pictures of the screens, to be looked at; none are kept without."""


def load(name: str) -> ModuleType:
    """Import an app's script."""
    spec = importlib.util.spec_from_file_location(name, APPS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def until(condition: Callable[[], object]) -> None:
    """Wait for what another thread or process does; fail if it never happens."""
    for _ in range(2_000):
        if condition():
            return
        threading.Event().wait(0.01)
    pytest.fail("it never happened")


@pytest.fixture
def show() -> Generator[ServedShow]:
    """A platform on loopback, with two other players in its show."""
    with ServedShow(rounds=2) as served, ExitStack() as stack:
        for _ in range(2):
            other = PollCounter(served.url, event_id=served.show.event_id, journal=MEMORY)
            stack.enter_context(other)
        yield served


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_app_is_short(script: Path) -> None:
    """An app has at most 120 lines, and can be copied on its own."""
    lines = script.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    for line in lines:
        if line.startswith(("from ", "import ")):
            assert line.split()[1].partition(".")[0] not in {"examples", "tests", "simulator"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_app_says_what_it_needs(script: Path) -> None:
    """Without an address and an event, an app says in a sentence what it takes."""
    pytest.importorskip(
        {"terminal_game": "textual", "game_loop": "pygame"}.get(script.stem, "tkinter")
    )
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"usage: python {script.name} URL EVENT; the simulator's `serve` prints both\n"
    )


# The terminal, driven by Textual's pilot


async def test_the_terminal_game_shows_the_players(fake_platform: FakePlatform) -> None:
    """It shows the count of every round, asks the trivia, and never shows the hidden poll."""
    pytest.importorskip("textual", reason="pip install --group apps")
    app: Any = load("terminal_game").TerminalGame(fake_platform.counter)

    def says(name: str) -> str:
        return str(app.query_one(f"#{name}").content)

    def players() -> str:
        return str(app.query_one("#players").value)

    async with app.run_test(size=(80, 24)) as pilot:
        assert (says("round"), players()) == ("The show begins soon", "-")
        await fake_platform.start()
        await fake_platform.join(12_430)
        await fake_platform.clock.advance(3.0)
        await pilot.pause()
        assert (says("round"), players()) == ("Round 1 is about to begin", "12,431")
        assert says("question") == ""

        await fake_platform.publish_trivia()
        await pilot.pause()
        assert (says("round"), says("question")) == ("Round 1", "Question 1?")
        if PICTURES is not None:
            app.save_screenshot("terminal_game.svg", path=PICTURES)
        await pilot.press("down", "enter")
        assert says("question") == "You said: no"

        await fake_platform.close()
        await fake_platform.disconnect()
        await pilot.pause()
        assert (says("round"), players()) == ("Connecting...", "12,430")  # of round 2, but for us
        await fake_platform.reconnect()
        await fake_platform.clock.advance(3.0)
        await fake_platform.stop()
        await pilot.pause()
        assert (says("round"), players()) == ("The show is over after 2 rounds", "12,431")
        await pilot.press("q")
    assert app.counter.closed


# The desktop, on a real X server


@pytest.fixture
def screen() -> Generator[VirtualScreen]:
    """A screen to open windows on."""
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    if VirtualScreen.missing():
        pytest.skip(f"not installed: {', '.join(VirtualScreen.missing())}")
    with VirtualScreen() as server:
        yield server


def test_the_desktop_game_shows_the_players(
    show: ServedShow, screen: VirtualScreen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows the count of every round, asks the trivia, and takes a click of the mouse."""
    import tkinter as tk  # noqa: PLC0415 - not every Python has it

    monkeypatch.setenv("DISPLAY", screen.environment["DISPLAY"])
    root = tk.Tk()
    with PollCounter(show.url, event_id=show.show.event_id, journal=MEMORY) as counter:
        game: Any = load("desktop_game").DesktopGame(root, counter)

        def says(**expected: str) -> bool:
            root.update()
            return all(getattr(game, name)["text"] == text for name, text in expected.items())

        assert says(players="-", caption="not counted yet", question="")
        until(lambda: show.connected == 3)
        show.start()
        until(
            lambda: says(players="3", caption="players are in", round="Round 1 is about to begin")
        )
        show.publish(1)
        until(lambda: says(round="Round 1", question="What is 1 times 2?"))
        if PICTURES is not None:
            screen.picture(Path(PICTURES) / "desktop_game.png")
        button = game.answers.winfo_children()[1]
        screen.click(button.winfo_rootx() + 5, button.winfo_rooty() + 5)
        until(lambda: says(question="You said: 2"))
        show.close(1)
        until(lambda: says(players="3", round="Round 2 is about to begin", question=""))
        show.stop()
        until(lambda: says(round="The show is over after 2 rounds"))
        root.destroy()


def test_the_desktop_game_runs_by_itself(
    show: ServedShow, screen: VirtualScreen, tmp_path: Path
) -> None:
    """The script opens its window, is counted, and ends when its player presses Escape."""
    command = [sys.executable, str(APPS / "desktop_game.py"), show.url, show.show.event_id]
    game = subprocess.Popen(command, env=screen.environment, cwd=tmp_path)
    try:
        window = screen.xdotool("search", "--sync", "--onlyvisible", "--name", "Trivia night")
        until(lambda: show.connected == 3)
        show.start()
        wanted = "Trivia night: 3 players are in round 1"
        until(lambda: screen.xdotool("getwindowname", window) == wanted)
        screen.xdotool("windowfocus", "--sync", window, "key", "Escape")
        assert game.wait(timeout=20) == 0
    finally:
        game.kill()
        game.wait()
    assert (tmp_path / "player.json").exists()


# The game loop, on SDL's dummy screen


def test_the_game_loop_shows_the_players(show: ServedShow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers move towards the counts frame by frame, and a closed window ends it."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    pygame = pytest.importorskip("pygame", reason="pip install --group apps")
    module: Any = load("game_loop")
    pygame.init()
    with PollCounter(show.url, event_id=show.show.event_id, journal=MEMORY) as counter:
        screen = pygame.display.set_mode(module.SIZE)
        game = module.GameLoop(screen, counter)

        def shows(title: str) -> bool:
            assert game.frame()
            return bool(pygame.display.get_caption()[0] == title)

        assert game.frame()  # connecting: a frame is drawn all the same
        blank = screen.copy()
        until(lambda: show.connected == 3)
        show.start()
        until(lambda: shows("3 players are in round 1"))
        show.play(1)
        until(lambda: shows("3 players are in round 2"))
        assert game.drawn == {1: 3, 2: 3}
        assert pygame.image.tobytes(screen, "RGB") != pygame.image.tobytes(blank, "RGB")
        if PICTURES is not None:
            pygame.image.save(screen, Path(PICTURES) / "game_loop.png")
        pygame.event.post(pygame.event.Event(pygame.QUIT))
        assert not game.frame()
    pygame.quit()


def test_the_game_loop_runs_by_itself(show: ServedShow, tmp_path: Path) -> None:
    """The script draws, is counted, and ends when it is told to."""
    pytest.importorskip("pygame", reason="pip install --group apps")
    command = [sys.executable, str(APPS / "game_loop.py"), show.url, show.show.event_id]
    environment = {**os.environ, "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"}
    game = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        until(lambda: show.connected == 3)
        show.start()
        until(lambda: show.votes() == 3)
        game.terminate()  # SDL makes of it what a closed window is
        assert game.wait(timeout=20) == 0
    finally:
        game.kill()
        game.wait()
