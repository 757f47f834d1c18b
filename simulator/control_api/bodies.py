"""What a request's body says: JSON that is taken apart strictly, and a resource of a known type.

The body comes from outside, and everybody would be told what is in it. So it has to be JSON that
every reader understands alike (RFC 7493): UTF-8, no key twice, no NaN, no number that a double
cannot hold, no half of a surrogate pair; and it has bounds in size and depth.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any, NamedTuple, NoReturn

from starlette.requests import ClientDisconnect, Request

from .documents import JSON, JSON_API, Refusal

__all__ = ["DEPTH_MAX", "Written", "read", "read_within", "related", "written"]

DEPTH_MAX = 32
"""How deep a body may nest; a documented one nests seven deep."""
CLOSE = {"connection": "close"}
"""With the answer to a body that is not all there, rather than read what else comes."""
INTEGER_MAX = 2**53 - 1
"""The largest integer that every reader of JSON holds exactly (RFC 7493)."""


class Written(NamedTuple):
    """The resource that a request writes."""

    attributes: dict[str, Any]
    relationships: dict[str, Any]


async def read_within(request: Request, bytes_max: int, within_s: float) -> Any:
    """Read a request's body as JSON, in time; raises Refusal: what `read` raises, and 408.

    Time runs over the whole body, however it drips.
    """
    try:
        async with asyncio.timeout(within_s):
            return await read(request, bytes_max)
    except TimeoutError:
        detail = f"a body is there within {within_s:g} s"
        raise Refusal(408, detail, headers=CLOSE) from None


async def read(request: Request, bytes_max: int) -> Any:
    """Read a request's body as JSON.

    Raises Refusal: 415 for another media type than JSON:API's or JSON's (parameters such as a
    charset are let be, and so is a missing one), 413 for a body that is too large, 400 for one
    that is no JSON.
    """
    media_type = request.headers.get("content-type", JSON_API).partition(";")[0].strip().lower()
    if media_type not in {JSON_API, JSON}:
        raise Refusal(415, f"a body is {JSON_API} or {JSON}")
    raw = bytearray()
    try:
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > bytes_max:
                raise Refusal(413, f"a body has at most {bytes_max} bytes", headers=CLOSE)
    except ClientDisconnect:
        raise Refusal(400, "the body ended early") from None
    try:
        value = json.loads(
            raw.decode(), object_pairs_hook=_without_repeats, parse_constant=_refuse_constant
        )
        _check(value)
    except RecursionError:
        raise Refusal(400, "the body is not JSON: it nests too deep") from None
    except ValueError as error:  # also of UTF-8
        raise Refusal(400, f"the body is not JSON: {error}") from None
    return value


def written(body: Any, type_: str, *, new: bool) -> Written:
    """Take the resource out of a body: `{"data": {"type", "attributes", "relationships"}}`.

    An id is ignored in an update, where the documentation's own example has another one than the
    URL (contract section 17.10). For a new resource the platform gives the id.

    Args:
        body: the body, parsed.
        type_: what has to be written.
        new: whether it is to be made.

    Raises Refusal, with a pointer: 422 for what is missing or of the wrong kind, 403 for an id
    chosen by the client.
    """
    if not isinstance(body, dict):
        raise Refusal(422, "is missing: the body is no object", pointer="/data")
    data = _member(body, "data", "")
    if data.get("type") != type_:
        raise Refusal(422, f"must be {type_!r}", pointer="/data/type")
    if new and data.get("id") is not None:
        raise Refusal(403, "ids are given by the platform", pointer="/data/id")
    return Written(
        _member({"attributes": {}} | data, "attributes", "/data"),
        _member({"relationships": {}} | data, "relationships", "/data"),
    )


def related(relationships: dict[str, Any], name: str) -> str:
    """The id of what a new resource belongs to; its type is the relationship's name with an s.

    Raises Refusal, with a pointer: 422 for what is missing or of the wrong kind.
    """
    at = f"/data/relationships/{name}"
    owner = _member(_member(relationships, name, "/data/relationships"), "data", at)
    if owner.get("type") != f"{name}s":
        raise Refusal(422, f"must be '{name}s'", pointer=f"{at}/data/type")
    if not isinstance(owner.get("id"), str):
        raise Refusal(422, "must be a string", pointer=f"{at}/data/id")
    return str(owner["id"])


def _member(of: dict[str, Any], name: str, at: str) -> dict[str, Any]:
    """A member that is an object; `at` is the pointer to what it is a member of."""
    value = of.get(name)
    if not isinstance(value, dict):
        detail = "must be an object" if name in of else "is missing"
        raise Refusal(422, detail, pointer=f"{at}/{name}")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _check(value: Any) -> None:
    """ValueError for a value that not every reader understands alike."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise ValueError(f"it nests deeper than {DEPTH_MAX}")
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += [*each, *each.values()]
            elif isinstance(each, list):
                below += each
            elif isinstance(each, str):
                each.encode()
            elif isinstance(each, float) and not math.isfinite(each):
                raise ValueError("a number is out of range")
            elif isinstance(each, int) and abs(each) > INTEGER_MAX:
                raise ValueError("an integer is out of range")
        level = below
