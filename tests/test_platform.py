"""The whole platform: what is there when it is up, and whose tokens are whose."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from poll_counter.control import ControlApi, ControlApiError
from poll_counter.wire import SUBPROTOCOL
from simulator.choices import Choices
from simulator.limits import Limits
from simulator.platform import Platform
from tests.support.waiting import soon


async def test_an_event_is_made_from_the_template() -> None:
    """The project has one event template, whose attributes Create Event takes as they are."""
    async with Platform() as platform, platform.api() as api:
        (template,) = await api.event_templates(platform.project_id)
        assert (await api.event_template(template.id)).name == template.name == "A trivia show"
        event = await api.create_event(platform.project_id, template.attributes)
        assert (event.name, event.state, event.duration) == ("A trivia show", "future", 3600)


async def test_who_tries_the_platform_does_not_take_the_hosts_requests() -> None:
    """The token that is told has a bucket of its own; when it is empty the show goes on."""
    choices = Choices(bucket=2, refill_per_s=0.001)
    async with (
        Platform(choices) as platform,
        platform.api() as host,
        ControlApi(platform.web.url, token=platform.token, attempts=1) as guest,
    ):
        for _ in range(2):
            await guest.me()
        with pytest.raises(ControlApiError) as refused:
            await guest.me()
        assert refused.value.status == 429
        await host.me()


async def test_the_live_channel_has_the_limits_that_were_chosen() -> None:
    """They come with the other choices."""
    async with (
        Platform(Choices(limits=Limits(connections_max=1))) as platform,
        connect(platform.live.url, subprotocols=[Subprotocol(SUBPROTOCOL)]),
    ):
        with pytest.raises(InvalidStatus, match="503"):
            await connect(platform.live.url)


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """Whoever begins one and stops is answered, and its connection ends."""
    async with Platform(Choices(body_timeout_s=0.05)) as platform:
        port = int(platform.web.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /api/v2/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {platform.token}"
        writer.write(f"{head}\r\ncontent-length: 100\r\n\r\n{{".encode())
        assert (await soon(reader.read())).startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()


async def test_a_port_that_is_taken_leaves_nothing_open() -> None:
    """The live channel is closed again when the Control API cannot listen."""
    async with Platform() as first:
        taken = int(first.web.url.rpartition(":")[2])
        second = Platform(web_port=taken)
        with pytest.raises(OSError, match=str(taken)):
            await second.__aenter__()
        port = int(second.live.url.rpartition(":")[2])
    async with Platform(port=port) as third:
        assert third.live.url == second.live.url
