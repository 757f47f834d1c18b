"""The whole platform on loopback: the live channel, the Control API and the CDN feeds.

All of them serve one pure emulator, so that what is published over the Control API reaches every
client at once.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from poll_counter import MisuseError
from poll_counter.control import ControlApi

from .choices import Choices
from .content import Content, random_id
from .control_api import Tokens, control_api
from .emulator import Emulator, EntryLog
from .server import LiveServer
from .web import WebServer

if TYPE_CHECKING:
    from .nodes.node import Node

__all__ = ["Platform", "Shared"]

SAME = uuid.UUID("6d1c3f0a-5b0e-4c39-9a54-0b5f1f3a7c11")
"""The namespace of the ids that all nodes have in common."""


class Shared(NamedTuple):
    """What a platform is a node of."""

    url: str
    """Where Redis is."""
    name: str
    """The node's name."""
    audited: bool = False
    """Whether Redis writes down accepted votes one by one, for the checks."""


class Platform:
    """A platform with one project, an event template and tokens for it, as long as the block runs.

        async with Platform() as platform, platform.api() as api:
            event = await api.create_event(platform.project_id, {"name": "A show"})

    Args:
        choices: what the platform's documentation leaves open.
        log: takes a line for everything that happens; pass a list to check the truth later.
        host: the address that the live channel listens on.
        web_host: the address that the rest listens on.
        port: where the live channel listens; 0 for any port that is free.
        web_port: the same for the Control API and the CDN feeds.
        shared: makes it one of several nodes that show the same, by way of Redis (see `nodes`).

    Raises OSError when a port is taken, MisuseError where a node cannot join the others.
    """

    def __init__(
        self,
        choices: Choices | None = None,
        *,
        log: EntryLog | None = None,
        host: str = "127.0.0.1",
        web_host: str = "127.0.0.1",
        port: int = 0,
        web_port: int = 0,
        shared: Shared | None = None,
    ) -> None:
        choices = choices or Choices()
        self.emulator = Emulator(
            results_interval_s=choices.results_interval_s, log=log, is_node=shared is not None
        )
        new_id = random_id if shared is None else _same_ids()
        self.content = Content(self.emulator, choices, new_id=new_id)
        self.project_id = self.content.add_project("A trivia show")
        template = {"start_mode": "manual", "duration": choices.event_duration_s, "settings": []}
        self.content.add_event_template(self.project_id, "A trivia show", template)
        self.token = secrets.token_urlsafe(24)
        """A producer's bearer token, for whoever tries the platform."""
        self._host_token = secrets.token_urlsafe(24)  # a bucket of its own
        tokens = Tokens(choices)
        tokens.add(self.token, "producer")
        tokens.add(self._host_token, "producer")
        self.live = live = LiveServer(
            self.emulator,
            host=host,
            port=port,
            limits=choices.limits,
            tokens=choices.player_tokens(),
        )
        self.node: Node | None = None
        """Its part in a show of several nodes."""
        if shared is not None:
            self.node = _node(shared, self.content, live)
            live.count = self.node.count
        write = None if self.node is None else self.node.write
        app = control_api(self.content, now=live.now, tell=live.tell, tokens=tokens, write=write)
        self.web = WebServer(app, host=web_host, port=web_port)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen."""
        async with AsyncExitStack() as stack:
            if self.node is not None:
                stack.push_async_callback(self.node.aclose)
                await self.node.catch_up()
            await stack.enter_async_context(self.live)
            if self.node is not None:
                await stack.enter_async_context(self.node)
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
        return ControlApi(self.web.url, token=self._host_token, allow_plain=True)


def _node(shared: Shared, content: Content, live: LiveServer) -> Node:
    try:
        from .nodes.node import Node  # noqa: PLC0415 - an extra, needed by nodes alone
    except ImportError as error:
        raise MisuseError(
            f"several nodes need the extra redis: pip install -e '.[simulator,redis]' ({error})"
        ) from error
    return Node(
        shared.name,
        shared.url,
        content,
        now=live.now,
        tell=live.tell,
        audited=shared.audited,
    )


def _same_ids() -> Callable[[], str]:
    """Make ids: what every node has from the beginning has the same id on all of them."""
    same = (str(uuid.uuid5(SAME, name)) for name in ("project", "app", "event template"))
    return lambda: next(same, None) or random_id()
