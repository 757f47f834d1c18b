"""The emulator's HTTP side without sockets; the test sets its clocks and sees what is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from poll_counter.facts import Fact
from simulator.choices import Choices
from simulator.content import Content
from simulator.control_api import control_api
from simulator.control_api.tokens import Tokens
from simulator.emulator import Delivery, Emulator

PRODUCER = "producer-token-0123456789abcdef"
VIEWER = "viewer-token-0123456789abcdef"
JSON_API = "application/vnd.api+json"
HOST = "http://emulator.test"
API = f"{HOST}/api/v2"
PLENTY = Choices(bucket=10**9)
"""Choices with which no token ever has to wait."""
POLL: Mapping[str, Any] = {
    "content_type": "hidden-poll",
    "max_votes_per_user": 2,
    "question": {
        "fields": [{"key": "text", "values": {"en": "Who is in?"}}],
        "options": [{"fields": [{"key": "text", "values": {"en": text}}]} for text in "ab"],
    },
}
"""Attributes of a poll that can be made."""


class Site:
    """An application with one project, a producer's and a viewer's token.

    Args:
        choices: what the documentation leaves open.
        new_id: makes ids; random ones unless given.
    """

    def __init__(self, choices: Choices = PLENTY, new_id: Callable[[], str] | None = None) -> None:
        self.now = 1_800_000_000.0
        """The emulator's clock."""
        self.seconds = 0.0
        """The clock of the tokens' buckets."""
        self.told: list[Fact] = []
        """What clients were told."""
        self.emulator = Emulator(results_interval_s=choices.results_interval_s)
        own_ids = {} if new_id is None else {"new_id": new_id}
        self.content = Content(self.emulator, choices, **own_ids)
        self.project_id = self.content.add_project("Quiz night")
        self.tokens = Tokens(choices)
        self.tokens.add(PRODUCER, "producer", name="Paula")
        self.tokens.add(VIEWER, "viewer", name="Vic")
        self.app = control_api(
            self.content,
            now=lambda: self.now,
            tell=self._tell,
            tokens=self.tokens,
            monotonic=lambda: self.seconds,
        )
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app, raise_app_exceptions=True), base_url=HOST
        )

    def _tell(self, deliveries: list[Delivery]) -> None:
        self.told += [delivery.fact for delivery in deliveries]

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = PRODUCER,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> httpx.Response:
        """Send a request as the platform's tools do; `raw` is a body as it is.

        A path that does not begin with a slash is one of the Control API.
        """
        sent = {"accept": "application/json"}
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent["content-type"] = JSON_API
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        url = path if path.startswith("/") else f"/api/v2/{path}"
        return await self._client.request(
            method, url, content=raw, headers=sent | dict(headers or {})
        )

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """GET; see `ask`."""
        return await self.ask("GET", path, **options)

    async def write(self, type_: str, id_: str, **attributes: Any) -> httpx.Response:
        """PATCH a resource."""
        body = {"data": {"id": id_, "type": type_, "attributes": attributes}}
        return await self.ask("PATCH", f"{type_}/{id_}", body)

    async def make_event(self, **attributes: Any) -> str:
        """Make an event; returns its id."""
        body = event_body(self.project_id, {"name": "Friday", **attributes})
        made = await self.ask("POST", "events", body)
        return str(made.json()["data"]["id"])

    async def make_element(self, event_id: str, **attributes: Any) -> str:
        """Make a poll; returns its id."""
        made = await self.ask("POST", "elements", element_body(event_id, {**POLL, **attributes}))
        return str(made.json()["data"]["id"])


def event_body(project_id: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The body of Create Event."""
    owner = {"project": {"data": {"type": "projects", "id": project_id}}}
    return {"data": {"type": "events", "relationships": owner, "attributes": dict(attributes)}}


def element_body(event_id: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The body of Create Element."""
    owner = {"event": {"data": {"type": "events", "id": event_id}}}
    return {"data": {"type": "elements", "relationships": owner, "attributes": dict(attributes)}}


def errors_of(response: httpx.Response) -> list[tuple[str, str]]:
    """Where the errors of an answer are, and what they say; the answer has to be JSON:API's."""
    assert response.headers["content-type"] == JSON_API
    errors = response.json()["errors"]
    assert {error["status"] for error in errors} == {str(response.status_code)}
    places = [error.get("source", {}) for error in errors]
    return [
        (place.get("pointer", place.get("parameter", "")), error["detail"])
        for place, error in zip(places, errors, strict=True)
    ]
