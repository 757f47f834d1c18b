"""PROTOCOL.md is the live channel's full text: every message, with examples that are valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from poll_counter import wire
from poll_counter.facts import FrameSkipped, RefusalReason

TEXT = (Path(__file__).parents[1] / "simulator" / "PROTOCOL.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json (client|server)\n(.*?)```", TEXT, re.DOTALL)


def _types(union: object) -> set[str]:
    members = get_args(get_args(union)[0])
    return {member.model_fields["type"].default for member in members}


@pytest.mark.parametrize(("end", "example"), EXAMPLES)
def test_every_example_fits_its_model(end: str, example: str) -> None:
    """What the text shows, the models read."""
    if end == "client":
        assert not isinstance(wire.decode_request(example), str)
    else:
        told = wire.decode_server(example)
        assert told
        assert not any(isinstance(fact, FrameSkipped) for fact in told)


@pytest.mark.parametrize(
    ("end", "union"), [("client", wire.ClientMessage), ("server", wire.ServerMessage)]
)
def test_every_message_has_an_example_and_a_heading(end: str, union: object) -> None:
    """No message of the models is missing from the text, and none is there that does not exist."""
    shown = {re.findall(r'"type": "(\w+)"', text)[0] for who, text in EXAMPLES if who == end}
    assert shown == _types(union)
    for name in shown:
        assert f"### {name}\n" in TEXT


def test_every_refusal_is_explained() -> None:
    """Each reason for a refusal has its line in the table."""
    assert set(re.findall(r"^\| `(\w+)` \| .* \| ", TEXT, re.MULTILINE)) == set(
        get_args(RefusalReason)
    )
