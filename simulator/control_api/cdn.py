"""The CDN before the feeds: what was made is given out again until it is too old.

Feeds are meant for polling at scale, and the cache makes polling more often than it lets through
useless (contract section 9.1). The same holds here: within `Choices.cdn_max_age_s` everybody gets
the same bytes, however the platform has changed. How long the real one keeps them is not
documented.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import blake2b
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response

from .documents import JSON

__all__ = ["Cdn"]


@dataclass(frozen=True, slots=True)
class _Copy:
    body: bytes
    etag: str
    made_at: float
    changed_at: int  # whole seconds, as HTTP's dates are


class Cdn:
    """Keeps a copy of each feed, and answers conditional requests.

    Args:
        max_age_s: how long a copy is given out; 0 for one request only.
    """

    def __init__(self, max_age_s: int) -> None:
        self._max_age_s = max_age_s
        self._copies: dict[str, _Copy] = {}  # path -> what was made last

    def give(self, path: str, make: Callable[[], Any], request: Headers, now: float) -> Response:
        """Answer with a feed: 200, or 304 to who has it already.

        Args:
            path: the feed's path, by which the copy is kept.
            make: makes the feed; what it raises is raised, and nothing is kept.
            request: the request's headers.
            now: unix time.
        """
        copy = self._copies.get(path)
        if copy is None or now - copy.made_at >= self._max_age_s:
            copy = self._copies[path] = _copy_of(make(), now, copy)
        headers = {
            "cache-control": f"public, max-age={self._max_age_s}",
            "age": str(max(0, int(now - copy.made_at))),
            "etag": copy.etag,
            "last-modified": format_datetime(
                datetime.fromtimestamp(copy.changed_at, UTC), usegmt=True
            ),
        }
        if _has(request, copy):
            return Response(status_code=304, headers=headers)
        return Response(copy.body, headers=headers, media_type=JSON)


def _copy_of(feed: Any, now: float, former: _Copy | None) -> _Copy:
    body = json.dumps(feed, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    if former is not None and former.body == body:
        return _Copy(body, former.etag, now, former.changed_at)
    return _Copy(body, f'"{blake2b(body, digest_size=16).hexdigest()}"', now, int(now))


def _has(request: Headers, copy: _Copy) -> bool:
    """Whether a conditional request names the copy (RFC 9110, section 13.2.2)."""
    tags = request.get("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return bool(known & {copy.etag, "*"})
    try:
        since = parsedate_to_datetime(request.get("if-modified-since", ""))
    except ValueError:
        return False
    if since.tzinfo is None:  # "-0000" says that the zone is not known
        since = since.replace(tzinfo=UTC)
    return copy.changed_at <= since.timestamp()
