"""A trivia game in the terminal, which says before each trivia how many players are in.

    python terminal_game.py wss://live.example/show EVENT

The counter runs on the app's own event loop, and the app draws when it is called back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Digits, Footer, Label, OptionList

from poll_counter import Element, PollCounter, RoundCount, State


class TerminalGame(App[None]):
    """The screen of one player.

    Args:
        make_counter: makes the counter, with callbacks added: `PollCounter` with its arguments,
            or in a test `FakePlatform.counter`.
    """

    TITLE = "Trivia night"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { align: center middle; }
    #card { width: 60; max-width: 100%; height: auto; padding: 1 2; border: round $primary; }
    #round, #players, #caption { width: 100%; text-align: center; }
    #players { color: $success; }
    #caption { color: $text-muted; margin-bottom: 1; }
    #question { width: 100%; text-style: bold; }
    #answers { height: auto; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "Leave the show")]

    def __init__(self, make_counter: Callable[..., PollCounter]) -> None:
        super().__init__()
        self.counter = make_counter(on_count=self.draw, on_state=self.draw)
        self.trivia: Element | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="card"):
            yield Label(id="round")
            yield Digits(id="players")
            yield Label(id="caption")
            yield Label(id="question", markup=False)
            yield OptionList(id="answers", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self.draw()
        self.run_worker(self.count())

    async def count(self) -> None:
        async with self.counter:
            async for _ in self.counter:  # the callbacks draw; this ends with the event
                pass
        self.draw()

    def draw(self, _news: object = None) -> None:
        """Show how things stand now."""
        count = self.counter.latest
        self.query_one("#round", Label).update(heading(self.counter.state, count))
        players = None if count is None else count.players
        self.query_one("#players", Digits).update("-" if players is None else f"{players:,}")
        self.query_one("#caption", Label).update("players are in" if players else "not counted yet")
        self.ask(open_trivia(self.counter))

    def ask(self, trivia: Element | None) -> None:
        """Put the open trivia to the player, once."""
        if trivia != self.trivia:
            self.trivia = trivia
            self.query_one("#question", Label).update(trivia.question if trivia else "")
            answers = self.query_one("#answers", OptionList)
            answers.clear_options()
            answers.add_options(trivia.options if trivia else ())
            answers.highlighted = 0 if trivia else None
            answers.focus()

    def on_option_list_option_selected(self, chosen: OptionList.OptionSelected) -> None:
        answer = chosen.option.prompt  # yours goes to the platform here, by its own SDK
        self.query_one("#question", Label).update(f"You said: {answer}")
        self.query_one("#answers", OptionList).clear_options()


def heading(state: State, count: RoundCount | None) -> str:
    """What is going on, in a few words."""
    if state is State.OFFLINE:
        return "Connecting..."
    if count is None or state is State.UPCOMING:
        return "The show begins soon"
    if state in {State.ENDING, State.FINISHED}:
        return f"The show is over after {count.round} rounds"
    return f"Round {count.round}" + (" is about to begin" if state is State.WAITING else "")


def open_trivia(counter: PollCounter) -> Element | None:
    """The trivia to answer; never the hidden poll."""
    shown = (each for each in counter.elements if not counter.is_hidden(each))
    return next((each for each in shown if each.state == "opened"), None)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python terminal_game.py URL EVENT; the simulator's `serve` prints both")
    url, event_id = sys.argv[1:]
    TerminalGame(partial(PollCounter, url, event_id=event_id, journal="player.json")).run()
