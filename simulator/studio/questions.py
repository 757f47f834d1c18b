"""The ten questions of the studio's shows, as the Control API takes them."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["COUNTDOWN_FIELD", "QUESTIONS", "Question", "trivia_attributes"]

COUNTDOWN_FIELD = "seconds"
"""The custom field of a trivia that tells the app for how long it is open."""


class Question(NamedTuple):
    """One question of a show."""

    text: str
    options: tuple[str, str, str]
    correct: int
    """The right option, counted from 1 (contract section 17.8)."""


QUESTIONS = (
    Question("Which planet has the shortest day?", ("Mercury", "Jupiter", "Earth"), 2),
    Question("How many hearts has an octopus?", ("One", "Two", "Three"), 3),
    Question("Which of these is a fruit to a botanist?", ("Tomato", "Rhubarb", "Carrot"), 1),
    Question("What did Ada Lovelace write for?", ("A loom", "An engine", "A telegraph"), 2),
    Question("Which metal is liquid at room temperature?", ("Mercury", "Tin", "Zinc"), 1),
    Question("How long is a marathon?", ("26.2 km", "40.0 km", "42.2 km"), 3),
    Question("What does a sommelier know about?", ("Wine", "Sleep", "Summits"), 1),
    Question("Which sea has no shore?", ("Dead Sea", "Sargasso Sea", "Baltic Sea"), 2),
    Question("How many keys has a full piano?", ("76", "82", "88"), 3),
    Question("Which bird can fly backwards?", ("Hummingbird", "Swift", "Owl"), 1),
)


def trivia_attributes(number: int, open_s: int) -> dict[str, Any]:
    """A trivia as Create and Update Element take it; it closes by itself after `open_s`."""
    question = QUESTIONS[number - 1]

    def text(words: str) -> dict[str, Any]:
        return {"fields": [{"key": "text", "values": {"all": words}}]}

    return {
        "content_type": "trivia",
        "label": f"Trivia {number}",
        "start_mode": "manual",
        "duration": open_s,
        "question": {**text(question.text), "options": [text(each) for each in question.options]},
        "correct_option": question.correct,
        "reveal_results_mode": "close",
        "custom_fields": [{"key": COUNTDOWN_FIELD, "values": {"all": open_s}}],
    }
