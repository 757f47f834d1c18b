"""A trivia game on the desktop, which says before each trivia how many players are in.

    python desktop_game.py wss://live.example/show EVENT

The window asks the blocking counter ten times a second; a background thread does the work.
"""

from __future__ import annotations

import sys
import tkinter as tk
from functools import partial
from tkinter import ttk

from poll_counter import Element, RoundCount, State
from poll_counter.sync import PollCounter

EVERY_MS = 100
"""How often the window is drawn."""
BACK, TEXT, DIM, GREEN = "#14213d", "#f5f5f5", "#a9b4c8", "#7ee2a8"


class DesktopGame:
    """The window of one player.

    Args:
        window: an empty window.
        counter: a counter that was entered.
    """

    def __init__(self, window: tk.Tk, counter: PollCounter) -> None:
        self.window, self.counter = window, counter
        self.trivia: Element | None = None
        window.title("Trivia night")
        window.geometry("560x330")
        window.configure(bg=BACK)
        window.bind("<Escape>", lambda _: window.destroy())
        ttk.Style().configure("TButton", font=("TkDefaultFont", 13), padding=8)
        self.round = self._label(size=14, colour=DIM, pady=(28, 0))
        self.players = self._label(size=52, colour=GREEN)
        self.caption = self._label(size=14, colour=DIM)
        self.question = self._label(size=17, colour=TEXT, pady=(24, 8))
        self.answers = tk.Frame(window, bg=BACK)
        self.answers.pack()
        self.draw()

    def _label(self, *, size: int, colour: str, pady: tuple[int, int] = (0, 0)) -> tk.Label:
        font = ("TkDefaultFont", size, "bold" if size > 16 else "normal")
        label = tk.Label(self.window, font=font, fg=colour, bg=BACK, wraplength=520)
        label.pack(pady=pady)
        return label

    def draw(self) -> None:
        """Show how things stand now, and do so again soon."""
        count, state = self.counter.latest, self.counter.state
        self.round["text"] = heading(state, count)
        if count is None or count.players is None:  # None: nothing to tell, which is not 0
            self.players["text"], self.caption["text"] = "-", "not counted yet"
        else:
            self.players["text"], self.caption["text"] = f"{count.players:,}", "players are in"
            self.window.title(f"Trivia night: {count.players:,} players are in round {count.round}")
        self.ask(open_trivia(self.counter))
        self.window.after(EVERY_MS, self.draw)

    def ask(self, trivia: Element | None) -> None:
        """Put the open trivia to the player, once."""
        if trivia == self.trivia:
            return
        self.trivia = trivia
        self.question["text"] = trivia.question if trivia else ""
        for button in self.answers.winfo_children():
            button.destroy()
        for option in trivia.options if trivia else ():
            button = ttk.Button(self.answers, text=option, command=partial(self.answer, option))
            button.pack(side="left", padx=6)

    def answer(self, option: str) -> None:
        """Take the player's answer; yours goes to the platform here, by its own SDK."""
        for button in self.answers.winfo_children():
            button.destroy()
        self.question["text"] = f"You said: {option}"


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
        sys.exit("usage: python desktop_game.py URL EVENT; the simulator's `serve` prints both")
    url, event_id = sys.argv[1:]
    with PollCounter(url, event_id=event_id, journal="player.json") as counter:
        root = tk.Tk()
        DesktopGame(root, counter)
        root.mainloop()
