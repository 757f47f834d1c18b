"""The token: where it comes from, what it may be, and that it is not shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from poll_counter.control.api import ControlApi
from poll_counter.control.sync import ControlApi as BlockingControlApi
from poll_counter.control.token import TOKEN_VARIABLE, Token
from poll_counter.errors import MisuseError

from .support import TOKEN, everything_about

BROKEN = {
    "with a space": f"Bearer {TOKEN}",
    "with a newline": f"{TOKEN}\n",
    "with a header": f"{TOKEN}\r\nX-Evil: 1",
    "beyond ASCII": f"{TOKEN}\u00e9",
    "with a control character": f"{TOKEN}\x7f",
}


def test_it_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument comes first."""
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert ControlApi("dev").key == ControlApi("dev", token=TOKEN).key
    assert ControlApi("dev").key != ControlApi("dev", token="other").key


def test_without_one_the_message_says_where_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variable, or pass it."""
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(MisuseError, match="set the environment variable POLL_COUNTER_TOKEN"):
        ControlApi("dev")


def test_an_empty_one_is_not_replaced_by_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who passes an empty token has lost theirs."""
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    with pytest.raises(MisuseError, match="the token is empty"):
        ControlApi("dev", token="")
    monkeypatch.setenv(TOKEN_VARIABLE, "")
    with pytest.raises(MisuseError, match="the token is empty"):
        ControlApi("dev")


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("made", [ControlApi, BlockingControlApi])
def test_one_that_cannot_be_sent_is_refused_and_not_repeated(
    broken: str, made: type[ControlApi | BlockingControlApi]
) -> None:
    """Nor is it among the local variables of the traceback."""
    with pytest.raises(MisuseError, match="pass the token alone") as caught:
        made("dev", token=BROKEN[broken])
    assert TOKEN not in everything_about(caught.value)


@pytest.mark.parametrize("made", [ControlApi, BlockingControlApi])
@pytest.mark.parametrize(
    "wrong", [{"base": "nowhere"}, {"attempts": 0}, {"timeout_s": -1.0}], ids=str
)
def test_no_other_misuse_tells_it(wrong: dict[str, object], made: Callable[..., object]) -> None:
    """It is hidden before anything else is looked at."""
    with pytest.raises(MisuseError) as caught:
        made(token=TOKEN, **wrong)
    assert TOKEN not in everything_about(caught.value)


def test_it_has_no_representation() -> None:
    """Neither has what holds it; two tokens are told apart by a key that does not tell them."""
    token = Token(TOKEN)
    assert TOKEN not in f"{token!r} {token} {token.key}"
    assert token.key == Token(TOKEN).key != Token("other").key


def test_it_is_taken_out_of_what_the_platform_says() -> None:
    """Should an error repeat it."""
    assert Token(TOKEN).hide(f"no {TOKEN}!") == "no [token]!"
