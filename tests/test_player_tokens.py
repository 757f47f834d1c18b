"""Players' tokens: made, checked, and sent; on a platform that asks for them nobody is another."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
import pickle
import re
import signal
import threading
import time
import traceback
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from poll_counter import MEMORY, MemoryJournal, MisuseError, PollCounter, State, sync
from poll_counter.facts import Disconnected, Welcomed
from poll_counter.player_token import TOKEN_LENGTH_MAX, TokenError, TokenSource
from poll_counter.transport import WebSocketTransport
from poll_counter.wire import SUBPROTOCOL, Hello
from simulator.__main__ import main
from simulator.choices import Choices
from simulator.emulator import Emulator
from simulator.limits import Limits
from simulator.player_tokens import PlayerTokens
from simulator.scenario import Scenario
from simulator.serve import join_show, serve_show
from simulator.server import LiveServer
from simulator.show import prepare
from tests.support.raw_clients import Served, dismissed, hear, joined, knocking, say, serving
from tests.support.served import ServedShow
from tests.support.waiting import GUARD_S, soon, until

KEY, OLD_KEY, OTHER_KEY = b"k" * 32, b"o" * 32, b"x" * 32
TOKENS = PlayerTokens(KEY)
FAR = 4_000_000_000.0
"""A unix time that is far away."""
SECRET = "a-token-that-nobody-may-see"
SAME = settings(derandomize=True, deadline=None, database=None)
ids = st.text(min_size=1, max_size=20)


# Made and checked


@SAME
@given(ids, ids, st.integers(0, 10**10))
def test_a_token_is_for_one_user_of_one_event(event: str, user: str, expires: int) -> None:
    """Until it is over it says so; and for nobody else, in no other event, under no other key."""
    token = TOKENS.issue(event, user, expires)
    assert TOKENS.refusal(token, event, user, expires - 1) == ""
    assert "over" in TOKENS.refusal(token, event, user, expires)
    for other in (user + "0", user[1:], event):
        if other != user:
            assert "not for this user" in TOKENS.refusal(token, event, other, 0)
    if event != user:
        assert TOKENS.refusal(token, user, event, 0)
    assert "not for this user" in PlayerTokens(OTHER_KEY).refusal(token, event, user, 0)


@SAME
@given(st.data())
def test_no_change_of_a_token_goes_unseen(data: st.DataObject) -> None:
    """A character changed, left out or put in: it says nothing."""
    token = TOKENS.issue("E", "ann", FAR)
    at = data.draw(st.integers(0, len(token)))
    new = data.draw(st.text(max_size=2))
    changed = token[:at] + new + token[at + data.draw(st.integers(0, 1)) :]
    assert bool(TOKENS.refusal(changed, "E", "ann", 0)) is (changed != token)


@SAME
@given(ids, ids, ids, ids)
def test_no_two_pairs_are_signed_alike(event: str, user: str, event_2: str, user_2: str) -> None:
    """Wherever the one id ends and the other begins."""
    if (event, user) != (event_2, user_2):
        assert TOKENS.issue(event, user, FAR) != TOKENS.issue(event_2, user_2, FAR)
    assert TOKENS.issue(event + user, "x", FAR) != TOKENS.issue(event, user + "x", FAR)


@pytest.mark.parametrize("token", [None, "", ".", "1.", f"{int(FAR)}.", "nan.x", "\ud800", "é.é"])
def test_what_is_no_token_says_nothing(token: str | None) -> None:
    """And breaks nothing."""
    assert TOKENS.refusal(token, "E", "ann", 0)


def test_keys_change() -> None:
    """Tokens of an older key are good until they are over; new ones are of the present key."""
    both = PlayerTokens(KEY, OLD_KEY)
    assert both.refusal(PlayerTokens(OLD_KEY).issue("E", "ann", FAR), "E", "ann", 0) == ""
    assert TOKENS.refusal(both.issue("E", "ann", FAR), "E", "ann", 0) == ""


async def test_a_fresh_token_is_good_for_its_lifetime() -> None:
    """From now on."""
    tokens = PlayerTokens(KEY, lifetime_s=60.0, clock=lambda: 1_000.0)
    assert await tokens.fresh("E", "ann") == tokens.issue("E", "ann", 1_060)


@pytest.mark.parametrize("keys", [(), (b"short",), (KEY, b"short")])
def test_a_key_that_can_be_guessed_is_none(keys: tuple[bytes, ...]) -> None:
    """It is refused, and not repeated."""
    with pytest.raises(ValueError, match="at least 32 bytes"):
        PlayerTokens(*keys)


def test_keys_are_not_shown(tmp_path: Path) -> None:
    """Not by what holds them, nor when they cannot be read."""
    shown = repr(PlayerTokens(KEY)) + repr(Choices(player_keys=(KEY.decode(),)))  # type: ignore[arg-type] # from a file they are strings
    assert KEY.decode() not in shown
    path = tmp_path / "choices.toml"
    path.write_text('player_keys = ["not long enough"]', encoding="utf-8")
    with pytest.raises(ValidationError) as caught:
        Choices.load(path)
    assert "player_keys" in str(caught.value)
    assert "not long enough" not in str(caught.value)
    copy: PlayerTokens = pickle.loads(pickle.dumps(TOKENS))  # a crowd's processes get one
    assert copy.issue("E", "ann", FAR) == TOKENS.issue("E", "ann", FAR)


def test_the_protocol_tells_how_they_are_made() -> None:
    """What PROTOCOL.md has in Python makes the same tokens."""
    text = (Path(__file__).parents[1] / "simulator" / "PROTOCOL.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(def token.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"base64": base64, "hmac": hmac, "json": json}
    exec(code, names)
    for event, user in (("E", "ann"), ("é\x00", '"\\')):
        assert names["token"](KEY, event, user, FAR + 0.5) == TOKENS.issue(event, user, FAR)


# On a platform that asks for them


@asynccontextmanager
async def asking(**options: Any) -> AsyncGenerator[tuple[LiveServer, Served]]:
    """Serve an event whose users need tokens."""
    async with serving(tokens=TOKENS, **options) as served:
        yield served


async def refused(server: LiveServer, user: str, token: str | None, event: str = "E") -> str:
    """Say hello in vain; gives the reason."""
    async with knocking(server) as connection:
        more = {} if token is None else {"token": token}
        await say(connection, type="hello", event=event, user=user, **more)
        assert await dismissed(connection) == (4401, "bad_token")
        assert connection.close_reason is not None
        return connection.close_reason


async def test_who_has_a_token_is_welcome() -> None:
    """And votes as the user that it is for."""
    async with (
        asking() as (server, served),
        joined(server, "ann", token=TOKENS.issue("E", "ann", FAR)) as ann,
    ):
        await say(ann, type="answer", id="1", element="P", options=[1])
        assert (await hear(ann))["type"] == "answer_accepted"
        assert served.kinds("ann") == ["joined", "accepted"]


async def test_nobody_votes_for_another() -> None:
    """Neither without a token, nor with one's own, nor with any that is not for that user."""
    eves = TOKENS.issue("E", "eve", FAR)
    over = TOKENS.issue("E", "ann", 1.0)
    async with asking() as (server, served):
        served.emulator.add_event("F")
        others = [None, eves, over, eves.replace("eve", "ann"), TOKENS.issue("F", "ann", FAR)]
        reasons = [await refused(server, "ann", token) for token in others]
        assert reasons == [
            "this event needs a player's token",
            "this token is not for this user and event",
            "this token is over; get another",
            "this token is not for this user and event",
            "this token is not for this user and event",
        ]
        async with joined(server, "eve", token=eves) as eve:
            frame = {"type": "answer", "id": "1", "element": "P", "options": [0]}
            await say(eve, **frame, user="ann", token=TOKENS.issue("E", "ann", FAR))
            assert (await hear(eve))["type"] == "answer_accepted"
        assert list(served.emulator.element("P").ballots) == ["eve"]
        assert served.kinds("ann") == []


async def test_who_is_not_believed_does_not_use_up_what_a_user_may() -> None:
    """Hellos without a token keep the user whose id they say from nothing."""
    limits = Limits(hellos_burst=1, hellos_per_s=0.001)
    async with asking(limits=limits) as (server, _):
        for _ in range(3):
            await refused(server, "ann", "none")
        async with joined(server, "ann", token=TOKENS.issue("E", "ann", FAR)):
            pass


async def test_who_is_not_believed_learns_nothing_of_events() -> None:
    """Whether there is one or not."""
    async with asking() as (server, _):
        assert await refused(server, "ann", None, "nowhere") == await refused(server, "ann", None)


async def test_a_token_that_is_over_keeps_nobody_from_staying() -> None:
    """It is looked at when somebody comes."""
    async with asking() as (server, _):
        soon_over = server.now() + 0.2
        token = TOKENS.issue("E", "ann", int(soon_over) + 1)
        async with joined(server, "ann", token=token) as ann:
            await until(lambda: TOKENS.refusal(token, "E", "ann", server.now()), 0.01)
            await say(ann, type="answer", id="1", element="P", options=[0])
            assert (await hear(ann))["type"] == "answer_accepted"


# The client's side


async def test_a_counter_gets_a_token_for_its_player() -> None:
    """The function is told the event and the player's id; its token goes to the platform."""
    asked = list[tuple[str, str]]()

    async def token(event_id: str, player_id: str) -> str:
        asked.append((event_id, player_id))
        return TOKENS.issue(event_id, player_id, FAR)

    async with asking() as (server, served):
        counter = PollCounter(server.url, event_id="E", journal=MEMORY, token=token)
        async with counter:
            await until(lambda: counter.state is State.WAITING)
        assert asked == [("E", counter.player_id)]
        assert served.kinds(counter.player_id)[0] == "joined"


async def test_a_token_may_be_had_beforehand() -> None:
    """The journal has the player's id before there is a counter."""
    journal = MemoryJournal()
    token = TOKENS.issue("E", journal.player_id, FAR)
    async with asking() as (server, _):
        counter = PollCounter(server.url, event_id="E", journal=journal, token=token)
        assert counter.player_id == journal.player_id
        async with counter:
            await until(lambda: counter.state is State.WAITING)


async def test_every_connection_gets_a_new_token() -> None:
    """One that was refused, or is over, is not the last one."""
    given = ["refused", TOKENS.issue("E", "me", FAR), TOKENS.issue("E", "me", FAR + 1)]
    left = list(given)
    async with asking() as (server, _):
        transport = WebSocketTransport(
            server.url, token=lambda *_: left.pop(0), reconnect_first_s=0.0
        )
        async with aclosing(transport.facts("E", "me")) as facts:
            assert isinstance(await soon(anext(facts)), Disconnected)
            assert isinstance(await soon(anext(facts)), Welcomed)
            assert transport._connection is not None
            transport._connection.transport.abort()
            assert isinstance(await soon(anext(facts)), Disconnected)
            assert isinstance(await soon(anext(facts)), Welcomed)
    assert left == []


async def test_a_platform_that_is_down_does_not_load_the_backend() -> None:
    """A token is asked for when there is somebody to send it to."""
    async with asking() as (server, _):
        url = server.url
    asked = list[str]()

    async def token(_event_id: str, player_id: str) -> str:
        asked.append(player_id)
        return SECRET

    transport = WebSocketTransport(url, token=token, reconnect_first_s=0.0)
    async with aclosing(transport.facts("E", "me")) as facts:
        for _ in range(3):
            assert isinstance(await soon(anext(facts)), Disconnected)
    assert asked == []


def test_the_blocking_counter_has_a_function_that_may_block() -> None:
    """It is called in no thread that anything else waits for."""
    called = list[str]()

    def token(event_id: str, player_id: str) -> str:
        called.append(threading.current_thread().name)
        return TOKENS.issue(event_id, player_id, FAR)

    with ServedShow() as served:
        event = served.show.event_id
        counter = sync.PollCounter(served.url, event_id=event, journal=MEMORY, token=token)
        with counter:
            deadline = time.monotonic() + GUARD_S
            while served.connected == 0 and time.monotonic() < deadline:
                time.sleep(0.001)
            assert served.connected == 1
        assert len(counter.player_id) == 32
    assert [name.startswith("asyncio_") for name in called] == [True], "one that asyncio keeps"


@pytest.mark.parametrize("kind", ["coroutine function", "function", "function of a coroutine"])
async def test_how_a_token_is_had(kind: str) -> None:
    """By whatever the app has; one that blocks does not hold up the loop."""

    async def coroutine_function(_event: str, _player: str) -> str:
        return SECRET

    source = {
        "coroutine function": coroutine_function,
        "function": lambda *_: SECRET,
        "function of a coroutine": lambda event, player: coroutine_function(player, event),
    }[kind]
    assert await TokenSource(source, 10.0).get("E", "me") == SECRET  # type: ignore[arg-type]


async def _fails(_event: str, _player: str) -> str:
    raise ValueError(SECRET)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (_fails, "the app's function raised ValueError"),
        (lambda *_: None, "what the app's function gave is of type NoneType, not str"),
        (lambda *_: "", "what the app's function gave has 0 characters, not 1 to 1000"),
        (
            lambda *_: SECRET * TOKEN_LENGTH_MAX,
            "what the app's function gave has 27000 characters, not 1 to 1000",
        ),
    ],
)
async def test_a_token_that_is_not_had_is_told(source: Any, why: str) -> None:
    """By what is wrong, and never by what it is."""
    with pytest.raises(TokenError) as caught:
        await TokenSource(source, 10.0).get("E", "me")
    assert str(caught.value) == why
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_a_backend_that_does_not_answer_is_given_up() -> None:
    """In time, and asked again on the next connection."""

    async def never(_event: str, _player: str) -> str:
        await asyncio.Event().wait()
        return ""

    with pytest.raises(TokenError, match="TimeoutError"):
        await TokenSource(never, 0.01).get("E", "me")


@pytest.mark.parametrize("token", ["", "x" * (TOKEN_LENGTH_MAX + 1)])
def test_a_token_that_cannot_be_one_is_misuse(token: str) -> None:
    """Told at once, where the app's author sees it; it is not repeated."""
    with pytest.raises(MisuseError, match="characters, not 1 to 1000") as caught:
        PollCounter("ws://127.0.0.1:1", event_id="E", journal=MEMORY, token=token)
    assert "xx" not in str(caught.value)


def test_a_transport_has_its_own_token() -> None:
    """Beside one it would be sent nowhere."""
    transport = WebSocketTransport("ws://127.0.0.1:1")
    with pytest.raises(MisuseError, match="set them on the transport"):
        PollCounter(transport=transport, event_id="E", journal=MEMORY, token="t")


async def test_a_token_is_shown_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Not by a repr; and not by a log, at no level, whether it is taken or refused."""
    caplog.set_level(logging.DEBUG)
    transport = WebSocketTransport("ws://127.0.0.1:1", token=SECRET)
    hello = Hello(event="E", user="me", token=SECRET)
    shown = f"{transport!r} {vars(transport)} {TokenSource(SECRET, 1.0)!r} {hello!r} {hello}"
    async with asking() as (server, _):
        for token in (SECRET, TOKENS.issue("E", "me", FAR)):
            transport = WebSocketTransport(server.url, token=token)
            async with aclosing(transport.facts("E", "me")) as facts:
                told = await soon(anext(facts))
                assert isinstance(told, Disconnected if token == SECRET else Welcomed)
            assert token not in shown + caplog.text
            assert token[-20:] not in caplog.text
    assert "this token is not for this user and event" in caplog.text, "but the reason is"


# The command line


def choices_file(folder: Path) -> str:
    """Write a file of choices with a key."""
    path = folder / "choices.toml"
    path.write_text(f'player_keys = ["{KEY.decode()}"]\n', encoding="utf-8")
    return str(path)


def test_the_command_makes_a_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that the platform with these choices takes, for as long as was said."""
    arguments = ["token", "--choices", choices_file(tmp_path), "--event", "E", "--user", "ann"]
    assert main([*arguments, "--hours", "0.5"]) == 0
    token = capsys.readouterr().out.strip()
    expires = float(token.partition(".")[0])
    assert TOKENS.refusal(token, "E", "ann", expires - 1800.0) == ""


def test_without_a_key_the_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It makes up none."""
    path = tmp_path / "choices.toml"
    path.write_text("bucket = 3\n", encoding="utf-8")
    assert main(["token", "--choices", str(path), "--event", "E", "--user", "ann"]) == 2
    assert "no player_keys" in capsys.readouterr().err


async def test_a_platform_that_is_served_asks_for_tokens() -> None:
    """Where its choices have a key; the crowd that it brings has them."""
    choices = Choices.model_validate({"player_keys": [KEY.decode()]})
    printed = StringIO()
    serving = asyncio.create_task(
        serve_show(
            Scenario(players=3, rounds=1, round_time=0.3),
            choices=choices,
            port=0,
            web_port=0,
            autostart=True,
            as_json=False,
            console=Console(file=printed, width=200),
        )
    )
    await until(lambda: "the show is over" in printed.getvalue(), 0.01)
    url, event = re.findall(r"live channel: (\S+)  event: (\S+)", printed.getvalue())[0]
    async with connect(url, subprotocols=[Subprotocol(SUBPROTOCOL)]) as nobody:
        await say(nobody, type="hello", event=event, user="ann")
        assert await dismissed(nobody) == (4401, "bad_token")
    signal.raise_signal(signal.SIGINT)
    await soon(serving)
    assert KEY.decode() not in printed.getvalue()


async def test_a_crowd_brings_its_tokens() -> None:
    """Where the platform asks for them it is let in, and counted."""
    emulator = Emulator(results_interval_s=0.01)
    scenario = Scenario(players=3, rounds=1, round_time=0.4)
    show = prepare(emulator, scenario, "show")
    async with LiveServer(emulator, tokens=TOKENS) as server:
        server.act(emulator.start, "show")
        server.act(emulator.publish, show.polls[0])

        async def end() -> None:
            await until(lambda: emulator.votes(show.polls[0])[0] == 3, 0.01)
            server.act(emulator.publish, show.trivia[0])
            server.act(emulator.stop, "show")

        ending = asyncio.create_task(end())
        report = await join_show(scenario, server.url, "show", tokens=TOKENS)
        await ending
    assert report.ok
