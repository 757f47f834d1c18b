"""The platform's Control API, specs and CDN feeds over HTTP, as the documentation has them.

Every request ends in `content`, the producer's side of the pure emulator, and what comes of it is
told at once: an element that is published here reaches every client of the live channel. Here the
rooms of HTTP are put together: the gate (who may ask), the table of endpoints (what may be asked),
queries and bodies (how), handlers (what is done), documents (what is answered).

Ours, where the documentation is silent: all errors are JSON:API's; a viewer's token writes nothing
(403); a parameter that JSON:API reserves and an endpoint does not have is refused (400); an
unknown id is 404, also where a new resource is to belong to it; what else is wrong with a body that
is JSON is 422.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.content import Content, Write
from simulator.emulator import Delivery

from .bodies import read_within, related, written
from .documents import Refusal
from .endpoints import Endpoint, endpoints
from .gate import Gate, grant_of
from .handlers import Call, Handlers
from .openapi import describe
from .queries import Query
from .tokens import Tokens

__all__ = ["control_api"]


def control_api(
    content: Content,
    *,
    now: Callable[[], float],
    tell: Callable[[list[Delivery]], object],
    tokens: Tokens,
    write: Callable[[Write], Awaitable[str]] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Starlette:
    """Make the application, to be served by `WebServer`.

    Args:
        content: the producer's side of the platform.
        now: the emulator's clock, unix time.
        tell: takes what is to be told to the clients of the live channel.
        tokens: who may ask, and how often.
        write: does what a producer asks for, has it told, and gives the id of what it is about;
            None: it is done here and now.
        monotonic: the clock of the tokens' buckets.
    """
    table = endpoints(content.choices)

    async def write_here(write: Write) -> str:
        about, told = content.write(write)
        tell(told)
        return about

    handlers = Handlers(content, tell, write or write_here, describe(table))
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in table:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    app = Starlette(
        routes=[_route(path, rows, handlers, now) for path, rows in by_path.items()],
        middleware=[Middleware(Gate, tokens=tokens, monotonic=monotonic)],
        exception_handlers={Refusal: _refused, HTTPException: _not_served, 500: _broken},
    )
    app.router.redirect_slashes = False  # a path is what the documentation says
    return app


def _route(
    path: str, rows: Mapping[str, Endpoint], handlers: Handlers, now: Callable[[], float]
) -> Route:
    """One route for all methods of a path, so that 405 names all that are allowed."""

    async def answer(request: Request) -> Response:
        endpoint = rows["GET" if request.method == "HEAD" else request.method]
        return await handlers.answer(endpoint, await _read(endpoint, request, handlers, now))

    return Route(path, answer, methods=list(rows))


async def _read(
    endpoint: Endpoint, request: Request, handlers: Handlers, now: Callable[[], float]
) -> Call:
    """Read a request that came through the gate; raises Refusal."""
    grant = grant_of(request.scope)
    if endpoint.for_producers and (grant is None or grant.rights != "producer"):
        raise Refusal(403, "this token has a viewer's rights: it may read")
    query = Query(request.query_params.multi_items(), endpoint.parameters)
    attributes, owner_id = dict[str, Any](), ""
    if endpoint.writes:
        choices = handlers.choices
        body = await read_within(request, choices.body_bytes_max, choices.body_timeout_s)
        resource = written(body, endpoint.writes, new=bool(endpoint.owner))
        attributes = resource.attributes
        if endpoint.owner:
            owner_id = related(resource.relationships, endpoint.owner)
    return Call(request, query, now(), attributes, owner_id)


def _refused(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return refusal.response()


def _not_served(_: Request, error: Exception) -> Response:
    """Answer 404 and 405, which come from the routing."""
    assert isinstance(error, HTTPException)
    return Refusal(error.status_code, error.detail, headers=error.headers).response()


def _broken(_: Request, __: Exception) -> Response:
    """Answer for a bug of ours, which whoever serves the application logs."""
    return Refusal(500, "the emulator is broken: its log says how").response()
