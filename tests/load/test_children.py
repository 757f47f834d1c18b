"""Stage and guests as children: what they do when something is not as it should be."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys

import pytest

from simulator.load.guests import attend, find_factory
from simulator.load.stage import set_stage
from simulator.load.words import (
    Come,
    Glance,
    Invite,
    Lost,
    Open,
    Prepare,
    Ready,
    Said,
    Tell,
    decode,
)
from simulator.scenario import Scenario
from simulator.swarm import make_transport

from .led import GUARD_S, conversation, next_word

SCENARIO = Scenario(players=3, rounds=1, round_time=0.2)
COME = Come(url="ws://127.0.0.1:9", event_id="E", scenario=SCENARIO)
PREPARE = Prepare(scenario=SCENARIO, listen="127.0.0.1", replay="again")


# Guests


async def test_guests_that_are_left_alone_end() -> None:
    """Whose parent is gone has nobody to tell anything."""
    async with conversation() as (parent, child):
        attending = asyncio.create_task(attend(child, make_transport))
        parent.tell(COME)
        assert isinstance(await next_word(parent, Ready), Ready)
        parent.end()
        async with asyncio.timeout(GUARD_S):
            await attending


async def test_guests_come_only_where_they_are_told() -> None:
    """Without a place to go to there is nothing to do."""
    async with conversation() as (parent, child), asyncio.timeout(GUARD_S):
        parent.tell(Tell())
        await attend(child, make_transport)


async def test_nobody_who_came_has_little_to_say() -> None:
    """It says so, in one line."""
    async with conversation() as (parent, child):
        attending = asyncio.create_task(attend(child, make_transport))
        parent.tell(COME)
        parent.tell(Tell())
        said = await next_word(parent, Said)
        assert isinstance(said, Said)
        assert said.last
        assert json.loads(said.statement)["observations"] == {}
        await attending


async def test_more_guests_than_a_machine_can_have_are_lost() -> None:
    """It is said why, and nobody is let in by halves."""
    async with conversation() as (parent, child):
        attending = asyncio.create_task(attend(child, make_transport))
        parent.tell(COME)
        parent.tell(Invite(players=(0,) * 10_000_000))
        lost = await next_word(parent, Lost)
        assert isinstance(lost, Lost)
        assert "more than this machine allows" in lost.why
        glance = await next_word(parent, Glance)
        assert isinstance(glance, Glance)
        assert glance.playing == 0
        parent.end()
        await attending


async def test_guests_wait_at_the_door() -> None:
    """Who is invited before the crowd may arrive is there, and does not come."""
    async with conversation() as (parent, child):
        attending = asyncio.create_task(attend(child, make_transport))
        parent.tell(COME)
        parent.tell(Invite(players=(0, 2)))
        glance = await next_word(parent, Glance)
        assert glance == Glance(arrived=0, connected=0, playing=2)
        parent.end()
        await attending


def test_what_makes_transports_is_found_by_name() -> None:
    """In any module."""
    assert find_factory("simulator.swarm:make_transport") is make_transport


# The stage


async def test_a_stage_that_is_left_alone_ends() -> None:
    """In the middle of a show; with nothing left behind."""
    before = asyncio.all_tasks()
    async with conversation() as (parent, child):
        setting = asyncio.create_task(set_stage(child))
        parent.tell(PREPARE)
        assert isinstance(await next_word(parent, Open), Open)
        parent.end()
        async with asyncio.timeout(GUARD_S):
            await setting
    assert asyncio.all_tasks() == before


async def test_a_stage_plays_only_what_it_is_told() -> None:
    """Without a show there is nothing to do."""
    async with conversation() as (parent, child), asyncio.timeout(GUARD_S):
        parent.tell(Tell())
        await set_stage(child)


async def test_a_stage_that_cannot_listen_is_lost() -> None:
    """It is said why."""
    async with conversation() as (parent, child):
        setting = asyncio.create_task(set_stage(child))
        parent.tell(PREPARE.model_copy(update={"listen": "192.0.2.1"}))
        lost = await next_word(parent, Lost)
        assert isinstance(lost, Lost)
        assert "192.0.2.1" in lost.why
        await setting


async def test_a_stage_that_is_told_nonsense_is_lost() -> None:
    """What is no statement ends the run with a sentence."""
    async with conversation() as (parent, child):
        setting = asyncio.create_task(set_stage(child))
        parent.tell(PREPARE.model_copy(update={"scenario": Scenario(players=0, rounds=1)}))
        await next_word(parent, Open)
        parent.tell(decode('{"type": "arrived"}'))
        parent.tell(decode('{"type": "over"}'))
        await next_word(parent, Tell)
        parent.tell(Said(statement="nonsense", last=False))
        parent.tell(Said(statement="", last=True))
        lost = await next_word(parent, Lost)
        assert isinstance(lost, Lost)
        assert "Statement" in lost.why
        await setting


# Words


@pytest.mark.parametrize("line", ["", "{}", '{"type": "dance"}', '{"type": "seats", "more": 0}'])
def test_what_is_no_word_is_an_error(line: str) -> None:
    """Of the kind that JSON that is none is, too."""
    with pytest.raises(ValueError, match="validation error"):
        decode(line)


def test_a_word_is_one_line() -> None:
    """And the same when it is read."""
    word = Open(url="ws://[::1]:1", event_id="two\nlines")
    assert "\n" not in word.line
    assert decode(word.line) == word


# As processes


@pytest.mark.parametrize(
    ("command", "word", "answer"),
    [
        (["simulator.load.guests", "simulator.swarm:make_transport"], COME, "ready"),
        (["simulator.load.stage"], PREPARE, "open"),
    ],
    ids=["guests", "stage"],
)
def test_a_child_is_a_process_without_gevent(
    command: list[str], word: Come | Prepare, answer: str
) -> None:
    """It speaks as soon as it is spoken to, ends with its input, and has Python's own sockets."""
    spy = (
        "import runpy, sys, socket, select, threading; mine = socket.socket;"
        f"sys.argv[1:] = {command[1:]!r};"
        f"runpy.run_module({command[0]!r}, run_name='__main__');"
        "assert not {'gevent', 'locust'} & {name.partition('.')[0] for name in sys.modules};"
        "assert socket.socket is mine"
    )
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", spy],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(word.line + "\n")
    child.stdin.flush()
    assert json.loads(child.stdout.readline())["type"] == answer
    child.send_signal(signal.SIGINT)  # Ctrl-C is for its parent
    _, errors = child.communicate(timeout=GUARD_S)
    assert (child.returncode, errors) == (0, "")
