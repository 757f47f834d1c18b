"""Bearer tokens of the Control API: who may do what, and how often.

A token has the rights of the user who made it and a bucket of requests (contract section 2). The
bucket's size is documented; how fast it fills again is ours: `Choices.refill_per_s`.

Tokens themselves are not kept: what is held is a keyed hash, so that no repr, log or traceback of
the emulator can tell one.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from simulator.choices import Choices

__all__ = ["Grant", "Rights", "Tokens"]

Rights: TypeAlias = Literal["viewer", "producer"]
"""A viewer reads, votes included; a producer also writes."""

B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token is made of (RFC 6750, section 2.1)."""


class Grant(NamedTuple):
    """What a request with a known token may do."""

    name: str
    """Whose token it is; never the token."""
    rights: Rights
    wait_s: float
    """0 if the request was in the bucket, else the seconds until the next one is."""


@dataclass(slots=True)
class _Holder:
    name: str
    rights: Rights
    requests: float  # left in the bucket
    at: float = float("-inf")  # when that was counted


class Tokens:
    """The tokens that the emulator knows, each with its bucket.

    Args:
        choices: gives the bucket's size and its refill rate.
    """

    def __init__(self, choices: Choices = Choices()) -> None:  # noqa: B008 - it is frozen
        self._bucket = float(choices.bucket)
        self._refill_per_s = choices.refill_per_s
        self._key = secrets.token_bytes(32)
        self._holders: dict[bytes, _Holder] = {}  # hash of a token -> whose it is

    def add(self, token: str, rights: Rights = "producer", *, name: str = "") -> None:
        """Make a token known, with a full bucket; adding it again replaces the former entry.

        Args:
            token: what comes after `Bearer`; ValueError if it could not be sent there.
            rights: what it allows.
            name: whose it is, for `GET /me`; a number unless given.
        """
        name = name or f"token {len(self._holders) + 1}"
        usable, digest = B64TOKEN.fullmatch(token) is not None, self._digest(token)
        del token  # whatever follows, a traceback with local variables does not have it
        if not usable:
            raise ValueError("a token is made of letters, digits, and -._~+/, then any =")
        self._holders[digest] = _Holder(name, rights, self._bucket)

    def take(self, token: str, now: float) -> Grant | None:
        """Take a request of a token from its bucket; None for a token that is not known.

        Args:
            token: what came after `Bearer`.
            now: a monotonic time, in seconds.
        """
        holder = self._find(self._digest(token))
        if holder is None:
            return None
        refilled = holder.requests + (now - holder.at) * self._refill_per_s
        holder.requests, holder.at = min(self._bucket, refilled), now
        if holder.requests < 1.0:
            return Grant(holder.name, holder.rights, (1.0 - holder.requests) / self._refill_per_s)
        holder.requests -= 1.0
        return Grant(holder.name, holder.rights, 0.0)

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode("utf-8", "surrogatepass"), "sha256")

    def _find(self, digest: bytes) -> _Holder | None:
        found = None
        for known, holder in self._holders.items():  # all of them, whichever matches
            if hmac.compare_digest(known, digest):
                found = holder
        return found
