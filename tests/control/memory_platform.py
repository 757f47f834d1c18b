"""A Control API in memory, small enough to be read at once: events and elements are dicts.

It takes what it is sent and checks next to nothing, so that tests can spoil what they like; what
the platform is like is the emulator's part.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import httpx

from poll_counter.control.api import ControlApi
from poll_counter.control.blueprint import spec_entry

TOKEN = "a-token-of-the-tests"
BASE = "https://control.example"
EVENT = "event-1"
PROJECT = "project-1"
SPEC_URL = "https://apps.example/config/lvis/spec.json"
TRIVIA_ENTRY: Mapping[str, Any] = {
    "name": "Trivia",
    "content_type": "trivia",
    "derived_from": "trivia",
}


class MemoryPlatform:
    """One project with one app and one event."""

    def __init__(self) -> None:
        self.event: dict[str, Any] = {
            "name": "Friday",
            "state": "future",
            "duration": 3600,
            "settings": [],
        }
        self.elements: dict[str, dict[str, Any]] = {}
        """Id -> attributes, in the order in which they were made."""
        self.spec: list[Any] = [dict(TRIVIA_ENTRY), spec_entry()]
        self.knows_project = self.project_is_told = True
        self.requests: list[tuple[str, str, Any]] = []
        """Method, path and attributes of every request."""
        self.refuses_from: int | None = None
        """From so many writing requests on, it refuses them."""

    def api(self, **options: Any) -> ControlApi:
        """The Control API of this platform."""
        options.setdefault("attempts", 1)
        return ControlApi(BASE, token=TOKEN, transport=httpx.MockTransport(self._answer), **options)

    @property
    def written(self) -> list[tuple[str, str, Any]]:
        """The requests that changed something."""
        return [each for each in self.requests if each[0] != "GET"]

    def add(self, attributes: Mapping[str, Any], *, state: str = "non_scheduled") -> str:
        """Make an element; returns its id."""
        id_ = f"element-{len(self.elements) + 1}"
        self.elements[id_] = {**copy.deepcopy(dict(attributes)), "state": state}
        return id_

    def add_trivia(self, count: int, *, state: str = "non_scheduled") -> None:
        """Make trivia."""
        for _ in range(count):
            self.add({"content_type": "trivia"}, state=state)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "apps.example":
            assert "authorization" not in request.headers
            return httpx.Response(200, json=self.spec)
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        path = request.url.path.removeprefix("/api/v2")
        document = json.loads(request.content) if request.content else {}
        attributes: dict[str, Any] = document.get("data", {}).get("attributes", {})
        self.requests.append((request.method, path, dict(attributes)))
        if self.refuses_from is not None and len(self.written) > self.refuses_from:
            return _problem("the platform is moody")
        read = self._read if request.method == "GET" else self._write
        missing = httpx.Response(404, json={"errors": [{"detail": "there is no such thing"}]})
        return read(path.strip("/").split("/"), attributes) or missing

    def _read(self, path: list[str], _attributes: Mapping[str, Any]) -> httpx.Response | None:
        match path:
            case ["events", id_] if id_ == EVENT:
                return _document(self._event())
            case ["events", id_, "elements"] if id_ == EVENT:
                return _document([self._element(each) for each in self.elements])
            case ["elements", id_] if id_ in self.elements:
                return _document(self._element(id_))
            case ["projects", id_] if id_ == PROJECT and self.knows_project:
                app = {"data": {"type": "apps", "id": "app-1"}}
                return _document({"id": id_, "type": "projects", "relationships": {"app": app}})
            case ["apps", id_]:
                spec = {"spec_url": SPEC_URL}
                return _document({"id": id_, "type": "apps", "attributes": spec})
        return None

    def _write(self, path: list[str], attributes: dict[str, Any]) -> httpx.Response | None:
        action = attributes.pop("action", None)
        match path:
            case ["elements"]:
                new = self.add(attributes)
                return self._act(new, action) or _document(self._element(new), 201)
            case ["elements", id_] if id_ in self.elements:
                self._update(id_, attributes)
                return self._act(id_, action) or httpx.Response(204)
        return None

    def _act(self, id_: str, action: str | None) -> httpx.Response | None:
        if action == "publish" and self.event["state"] != "current":
            return _problem("the event is not active")
        states = {"publish": "current", "stop": "past", "revoke": "revoked"}
        if action is not None:
            self.elements[id_]["state"] = states[action]
        return None

    def _update(self, id_: str, attributes: Mapping[str, Any]) -> None:
        held = self.elements[id_]
        fields = {each["key"]: each for each in held.get("custom_fields", ())}
        fields |= {each["key"]: each for each in attributes.get("custom_fields", ())}
        held.update(copy.deepcopy(dict(attributes)))
        held["custom_fields"] = [*fields.values()]

    def _event(self) -> dict[str, Any]:
        project = {"project": {"data": {"type": "projects", "id": PROJECT}}}
        related = project if self.project_is_told else {}
        return {"id": EVENT, "type": "events", "attributes": self.event, "relationships": related}

    def _element(self, id_: str) -> dict[str, Any]:
        return {
            "id": id_,
            "type": "elements",
            "attributes": self.elements[id_],
            "relationships": {"event": {"data": {"type": "events", "id": EVENT}}},
        }


def _document(data: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json={"data": data})


def _problem(detail: str) -> httpx.Response:
    problem = {"source": {"pointer": "/data/attributes/action"}, "detail": detail}
    return httpx.Response(422, json={"errors": [problem]})
