"""Tokens: rights, buckets, and that nothing tells them."""

from __future__ import annotations

import pickle
import traceback

import pytest

from simulator.choices import Choices
from simulator.control_api.tokens import Grant, Tokens

SECRET = "Secret-token_0123456789.abc~+/=="


def tokens(**choices: object) -> Tokens:
    """A set of tokens that has one."""
    made = Tokens(Choices.model_validate(choices))
    made.add(SECRET, "producer", name="Paula")
    return made


def test_a_token_has_its_holder_and_rights() -> None:
    """And the request passes at once."""
    known = tokens()
    known.add("another", "viewer")
    assert known.take(SECRET, 0.0) == Grant("Paula", "producer", 0.0)
    assert known.take("another", 0.0) == Grant("token 2", "viewer", 0.0)


@pytest.mark.parametrize(
    "token", ["", "secret", SECRET[:-1], SECRET + "=", SECRET.lower(), "\udc80"]
)
def test_an_unknown_token_is_none(token: str) -> None:
    assert tokens().take(token, 0.0) is None
    assert Tokens().take(token, 0.0) is None


def test_the_bucket_holds_so_many_requests() -> None:
    """15 at once, as documented; then it says how long until the next."""
    known = tokens()
    grants = [known.take(SECRET, 100.0) for _ in range(17)]
    waits = [grant and grant.wait_s for grant in grants]
    assert waits == [0.0] * 15 + [0.2, 0.2]  # who is refused takes nothing


def test_the_bucket_fills_again() -> None:
    """At the rate chosen, never beyond its size."""
    known = tokens(bucket=2, refill_per_s=0.5)

    def wait_s(now: float) -> float:
        grant = known.take(SECRET, now)
        assert grant is not None
        return grant.wait_s

    assert [wait_s(10.0) for _ in range(3)] == [0.0, 0.0, 2.0]
    assert wait_s(11.0) == 1.0
    assert wait_s(12.0) == 0.0
    assert wait_s(12.5) == 1.5
    assert [wait_s(1000.0) for _ in range(3)] == [0.0, 0.0, 2.0]


def test_every_token_has_a_bucket_of_its_own() -> None:
    known = tokens(bucket=1)
    known.add("another")
    assert known.take(SECRET, 0.0) == Grant("Paula", "producer", 0.0)
    assert known.take(SECRET, 0.0) == Grant("Paula", "producer", 0.2)
    assert known.take("another", 0.0) == Grant("token 2", "producer", 0.0)


def test_a_token_added_again_is_replaced() -> None:
    """With new rights and a full bucket."""
    known = tokens(bucket=1)
    known.take(SECRET, 0.0)
    known.add(SECRET, "viewer", name="Vic")
    assert known.take(SECRET, 0.0) == Grant("Vic", "viewer", 0.0)


def test_nothing_that_is_kept_tells_the_token() -> None:
    """Neither a repr nor the memory of it, down to its bytes."""
    known = tokens()
    known.take(SECRET, 0.0)
    assert SECRET not in repr(known) + repr(vars(known)) + repr(known.take(SECRET, 0.0))
    assert SECRET.encode() not in pickle.dumps(vars(known))


@pytest.mark.parametrize("token", [f"{SECRET} {SECRET}", f"={SECRET}", f"{SECRET}\udc80", ""])
def test_a_token_that_cannot_be_sent_is_refused(token: str) -> None:
    """And the error, even with local variables, does not have it."""
    with pytest.raises(ValueError, match="a token is made of letters") as caught:
        tokens().add(token)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    module = "simulator/control_api/tokens.py"
    inside = [str(frame.locals) for frame in frames if frame.filename.endswith(module)]
    assert inside
    assert SECRET not in "".join(inside) + repr(caught.value)
