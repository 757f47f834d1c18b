"""PROTOCOL.md is the live channel's full text: every message, with examples that are valid."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from poll_counter import wire
from poll_counter.facts import FrameSkipped, RefusalReason
from simulator import server
from simulator.limits import Limits

SERVER = inspect.getsource(server)
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
    refusals = _section("### answer_refused")
    assert set(re.findall(r"^\| `(\w+)` \| .* \| ", refusals, re.MULTILINE)) == set(
        get_args(RefusalReason)
    )


def test_every_limit_is_told_with_its_default() -> None:
    """The table has all limits, in their order, and no other number than the models."""
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", _section("## Limits"), re.MULTILINE)
    told = {
        name: number
        for names, numbers in rows
        for name, number in zip(
            re.findall(r"\w+", names), re.findall(r"\d+|loopback", numbers), strict=True
        )
    }
    limits = Limits().model_dump()
    assert list(told) == list(limits)
    assert told.pop("origins") == "loopback"
    assert {name: float(number) for name, number in told.items()} == {
        name: float(limits[name]) for name in told
    }


def test_every_close_code_is_told() -> None:
    """Those that the server has names for, with the words that go with them."""
    codes = set(re.findall(r"^\| (\d{4}) \| ", _section("### Close codes"), re.MULTILINE))
    ours = {str(value) for name, value in vars(server).items() if _is_a_code(name, value)}
    assert ours >= {"1002", "4400", "4404", "4429"}
    assert {code for code in codes if code.startswith("4")} == ours - {"1002"}
    words = set(re.findall(r"_dismiss\(.*?\"(\w+)\"", SERVER))
    assert words >= {"no_hello", "too_many_hellos", "too_many_bad_frames", "unknown_event"}
    assert [word for word in words if f"`{word}`" not in TEXT] == []


def _section(heading: str) -> str:
    """The text from a heading to the next one of its rank."""
    rank = heading.split(" ", maxsplit=1)[0]
    return re.split(rf"^#{{1,{len(rank)}}} ", TEXT.split(f"{heading}\n")[1], flags=re.MULTILINE)[0]


def _is_a_code(name: str, value: object) -> bool:
    return name.isupper() and isinstance(value, int) and 1000 <= value < 5000
