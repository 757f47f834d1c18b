"""Players' tokens: who holds one may say hello as one user in one event, until it is over.

The backend of an app makes them, for it knows who is signed in; the platform only checks them. So
the two share a secret key, and nothing else. The format is ours, and is told in `PROTOCOL.md`.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable

__all__ = ["KEY_BYTES_MIN", "PlayerTokens"]

KEY_BYTES_MIN = 32
"""A shorter key could be guessed; HMAC-SHA-256 gains nothing from a longer one (RFC 2104)."""
PURPOSE = "poll-counter.v1 player"
"""What is signed begins with it, so that no signature of another kind passes for one of these."""


class PlayerTokens:
    """Makes tokens, as a backend does, and checks them, as the platform does.

    Args:
        keys: the secret key; then older ones, whose tokens are still good.
        lifetime_s: how long a fresh token is good for, in seconds.
        clock: gives unix time.

    Raises ValueError for a key that is too short.
    """

    def __init__(
        self, *keys: bytes, lifetime_s: float = 86_400.0, clock: Callable[[], float] = time.time
    ) -> None:
        if not keys or min(map(len, keys)) < KEY_BYTES_MIN:
            raise ValueError(f"a key for players' tokens has at least {KEY_BYTES_MIN} bytes")
        self._keys = keys
        self._lifetime_s = lifetime_s
        self._clock = clock

    def issue(self, event_id: str, user: str, expires_at: float) -> str:
        """Make a token for one user of one event, good until a unix time."""
        expires = str(int(expires_at))
        return f"{expires}.{_signature(self._keys[0], event_id, user, expires)}"

    async def fresh(self, event_id: str, user: str) -> str:
        """Make one that is good from now on: what an app's `token=` function asks its backend."""
        return self.issue(event_id, user, self._clock() + self._lifetime_s)

    def refusal(self, token: str | None, event_id: str, user: str, now: float) -> str:
        """Say why somebody with this token may not be this user; empty: it may."""
        if token is None:
            return "this event needs a player's token"
        expires = token.partition(".")[0]
        given, fits = token.encode(errors="surrogatepass"), False
        for key in self._keys:  # all of them, whichever made it
            made = f"{expires}.{_signature(key, event_id, user, expires)}"
            fits |= hmac.compare_digest(made.encode(errors="surrogatepass"), given)
        if not fits:
            return "this token is not for this user and event"
        if float(expires) <= now:
            return "this token is over; get another"
        return ""


def _signature(key: bytes, event_id: str, user: str, expires: str) -> str:
    """Sign what a token is for; a list in JSON, so that no two of them read alike."""
    signed = json.dumps([PURPOSE, event_id, user, expires]).encode()
    return base64.urlsafe_b64encode(hmac.digest(key, signed, "sha256")).decode().rstrip("=")
