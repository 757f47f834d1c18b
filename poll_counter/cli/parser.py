"""A parser whose errors are a sentence: what was wrong, and where help is to be found."""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches
from typing import NoReturn

__all__ = ["Parser"]

KINDS = {"float": "number"}
"""What argparse calls by the name of a function, in words; the rest are whole numbers."""


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that does not print its whole usage for a mistake of one letter."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2, and a sentence on standard error."""
        message = re.sub(
            "invalid ([a-z_]+) value: (.*)",
            lambda told: f"{told[2]} is no {KINDS.get(told[1], 'whole number')}",
            message,
        )
        message += _meant(message) or ";"
        self.exit(2, f"{self.prog}: {message} `{self.prog} --help` shows what there is\n")


def _meant(message: str) -> str:
    """Guess what was meant by a word that is none of a few; empty where nothing is like it."""
    told = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
    near = get_close_matches(told[1], re.findall(r"[\w-]+", told[2]), n=1) if told else []
    return f". Did you mean '{near[0]}'?" if near else ""
