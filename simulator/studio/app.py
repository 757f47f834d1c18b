"""The studio over HTTP: the page, the frames, and the buttons."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from poll_counter import PollCounterError
from simulator.web import WebServer

from .actions import ACTIONS, act
from .frames import PAGES_MAX, Frames
from .guard import Guard
from .sentences import sentence
from .studio import Studio

__all__ = ["StudioServer", "studio_app"]

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""The end of a file's name -> its media type."""
BODY_BYTES_MAX = 4096
"""The most that a button sends."""


def studio_app(studio: Studio, frames: Frames) -> Starlette:
    """Make the application, to be served on loopback.

    Args:
        studio: what the buttons act on.
        frames: what the page is told.
    """
    answers = _Answers(studio, frames)
    return Starlette(
        routes=[
            Route("/", answers.page),
            Route("/frames", answers.frames),
            Route("/static/{name}", answers.file),
            Route("/actions/{name}", answers.press, methods=["POST"]),
        ],
        middleware=[Middleware(Guard)],
    )


class _Answers:
    """What is answered to a request that the guard has let through."""

    def __init__(self, studio: Studio, frames: Frames) -> None:
        self._studio = studio
        self._frames = frames
        files = (path for path in STATIC.iterdir() if path.suffix in TYPES)
        self._files = {path.name: path.read_bytes() for path in files}

    async def page(self, _: Request) -> Response:
        """The page."""
        return Response(self._files["index.html"], media_type="text/html")

    async def file(self, request: Request) -> Response:
        """What the page loads."""
        name = request.path_params["name"]
        if name not in self._files:
            return _refused(404, "There is no such file.")
        return Response(self._files[name], media_type=TYPES[Path(name).suffix])

    async def frames(self, _: Request) -> Response:
        """Frames, as long as the page looks on."""
        full = self._frames.pages >= PAGES_MAX
        events = self._frames.refuse() if full else self._frames.stream()
        return StreamingResponse(events, media_type="text/event-stream")

    async def press(self, request: Request) -> Response:
        """A button."""
        name = request.path_params["name"]
        if name not in ACTIONS:
            return _refused(404, "There is no such button.")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > BODY_BYTES_MAX:
                return _refused(413, "That is more than a button sends.")
        try:
            told = await act(self._studio, name, bytes(body))
        except (PollCounterError, ValidationError) as error:
            return _refused(422, sentence(error))
        self._frames.make()  # the page sees at once what it did
        return JSONResponse({"told": told})


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"refused": why}, status)


class StudioServer:
    """Serves a studio's page on loopback while its block runs.

    Args:
        studio: the studio, entered.
        port: the port; 0 for any that is free.

    Raises OSError when the port is taken.
    """

    def __init__(self, studio: Studio, port: int = 0) -> None:
        self.frames = Frames(studio)
        self._web = WebServer(studio_app(studio, self.frames), port=port)

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._web.__aenter__()
        await self.frames.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the streams, close every connection and stop listening."""
        await self.frames.__aexit__(exc_type, exc, traceback)
        await self._web.__aexit__(exc_type, exc, traceback)

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._web.url
