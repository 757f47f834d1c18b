"""The whole platform on loopback: the live channel, the Control API and the CDN feeds.

All of them serve one pure emulator, so that what is published over the Control API reaches every
client at once.
"""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from poll_counter.control import ControlApi

from .choices import Choices
from .content import Content
from .control_api import Tokens, control_api
from .emulator import Emulator, Entry
from .server import LiveServer
from .web import WebServer

__all__ = ["Platform"]


class Platform:
    """A platform with one project, an event template and tokens for it, as long as the block runs.

        async with Platform() as platform, platform.api() as api:
            event = await api.create_event(platform.project_id, {"name": "A show"})

    Args:
        choices: what the platform's documentation leaves open.
        log: takes a line for everything that happens; pass a list to check the truth later.
        host: the address that the live channel listens on; the rest stays on loopback.
        port: where the live channel listens; 0 for any port that is free.
        web_port: the same for the Control API and the CDN feeds.

    Raises OSError when a port is taken.
    """

    def __init__(
        self,
        choices: Choices | None = None,
        *,
        log: list[Entry] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        web_port: int = 0,
    ) -> None:
        choices = choices or Choices()
        self.emulator = Emulator(results_interval_s=choices.results_interval_s, log=log)
        self.content = Content(self.emulator, choices)
        self.project_id = self.content.add_project("A trivia show")
        template = {"start_mode": "manual", "duration": choices.event_duration_s, "settings": []}
        self.content.add_event_template(self.project_id, "A trivia show", template)
        self.token = secrets.token_urlsafe(24)
        """A producer's bearer token, for whoever tries the platform."""
        self._host_token = secrets.token_urlsafe(24)  # a bucket of its own
        tokens = Tokens(choices)
        tokens.add(self.token, "producer")
        tokens.add(self._host_token, "producer")
        self.live = LiveServer(
            self.emulator,
            host=host,
            port=port,
            limits=choices.limits,
            tokens=choices.player_tokens(),
        )
        app = control_api(self.content, now=self.live.now, tell=self.live.tell, tokens=tokens)
        self.web = WebServer(app, port=web_port)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.live)
            await stack.enter_async_context(self.web)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every connection and stop listening."""
        await self._stack.aclose()

    def api(self) -> ControlApi:
        """The Control API as the host of a show uses it, with a token of its own; enter it."""
        return ControlApi(self.web.url, token=self._host_token)
