"""A game loop, which draws the players of every round sixty times a second.

    python game_loop.py wss://live.example/show EVENT

Each frame reads the counter and moves the numbers on the screen a little towards it: nothing in
the loop waits for the network.
"""

from __future__ import annotations

import sys

import pygame

from poll_counter import State
from poll_counter.sync import PollCounter

FRAMES_PER_S = 60
SIZE = WIDTH, HEIGHT = 720, 420
BACK, TEXT, DIM, BAR, NOW = "#14213d", "#f5f5f5", "#a9b4c8", "#3d5a80", "#7ee2a8"
FLOOR, TALLEST = HEIGHT - 50, 180
"""Where bars stand, and the height of the longest, in pixels."""
ROUNDS = 10
"""How many bars have room."""
WORDS = {
    State.OFFLINE: "connecting...",
    State.UPCOMING: "the show begins soon",
    State.WAITING: "the next trivia is about to begin",
    State.PLAYING: "the trivia is on",
    State.ENDING: "the last votes are coming in",
    State.FINISHED: "the show is over",
}


class GameLoop:
    """The screen of one player.

    Args:
        screen: what is drawn on.
        counter: a counter that was entered.
    """

    def __init__(self, screen: pygame.Surface, counter: PollCounter) -> None:
        self.screen, self.counter = screen, counter
        self.drawn: dict[int, float] = {}
        """Round -> players, as far as the bar has grown."""
        self.fonts = {size: pygame.font.Font(None, size) for size in (24, 30, 110)}

    def frame(self) -> bool:
        """Draw one frame; False when the player has closed the window."""
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            return False
        counts = list(self.counter.history.values())[-ROUNDS:]
        for count in counts:
            drawn, players = self.drawn.get(count.round, 0.0), count.players or 0
            step = 0.15 * (players - drawn)
            self.drawn[count.round] = players if abs(step) < 0.5 else drawn + step
        self.screen.fill(BACK)
        latest = self.counter.latest
        if latest is not None and latest.players is not None:
            players = round(self.drawn.get(latest.round, 0.0))
            self.write(f"{players:,}", 110, NOW, (WIDTH / 2, 84))
            self.write(f"players are in round {latest.round}", 30, TEXT, (WIDTH / 2, 134))
            pygame.display.set_caption(f"{players:,} players are in round {latest.round}")
        self.write(WORDS[self.counter.state], 24, DIM, (WIDTH / 2, 26))
        self.draw_bars([count.round for count in counts])
        pygame.display.flip()
        return True

    def draw_bars(self, rounds: list[int]) -> None:
        """Draw a bar for each round, the present one in another colour."""
        most = max([1.0, *self.drawn.values()])
        place = WIDTH / ROUNDS
        for number, round_ in enumerate(rounds):
            height = TALLEST * self.drawn[round_] / most
            bar = pygame.Rect(number * place + 8, FLOOR - height, place - 16, height)
            colour = NOW if round_ == rounds[-1] else BAR
            pygame.draw.rect(self.screen, colour, bar, border_radius=4)
            self.write(f"{self.drawn[round_]:,.0f}", 24, TEXT, (bar.centerx, bar.top - 12))
            self.write(str(round_), 24, DIM, (bar.centerx, FLOOR + 18))

    def write(self, text: str, size: int, colour: str, middle: tuple[float, float]) -> None:
        """Write a line around a point."""
        line = self.fonts[size].render(text, antialias=True, color=colour)
        self.screen.blit(line, line.get_rect(center=middle))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python game_loop.py URL EVENT; the simulator's `serve` prints both")
    url, event_id = sys.argv[1:]
    pygame.init()
    clock = pygame.time.Clock()
    with PollCounter(url, event_id=event_id, journal="player.json") as player_counter:
        game = GameLoop(pygame.display.set_mode(SIZE), player_counter)
        while game.frame():
            clock.tick(FRAMES_PER_S)
    pygame.quit()
