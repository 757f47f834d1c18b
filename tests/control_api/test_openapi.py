"""The description of the HTTP side: it is all that is served, and what is served keeps to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from simulator.choices import Choices
from simulator.control_api.endpoints import endpoints
from simulator.control_api.openapi import describe
from tests.support.http_site import POLL, PRODUCER, Site

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
CHOICES = Choices(bucket=10**9, refuse_unknown_content_types=False, elements_feed=True)
EVENT, LATER = "an-event", "a-later-event"
OPEN, CLOSED, WAITING, REVOKED = "an-open-poll", "a-closed-poll", "a-waiting-poll", "a-revoked-poll"
IDS = {
    "project": ["a-project"],
    "app": ["an-app"],
    "template": ["a-template"],
    "event": [EVENT, LATER],
    "element": [OPEN, CLOSED, WAITING, REVOKED],
}
"""What a path or a body names -> the ids of it that there are, in the order of making."""
FIELDS = {"custom_fields": [{"key": "poll_counter", "values": {"all": 1}}]}


def site() -> Site:
    """A platform that always has the same ids, in every state that they can be in."""
    made = Site(
        CHOICES, new_id=map(str, itertools.chain(*IDS.values(), itertools.count())).__next__
    )
    content, now = made.content, made.now
    content.add_event_template("a-project", "A template", {"duration": 60})
    content.create_event("a-project", {"name": "Now"}, now)
    content.create_event("a-project", {"name": "Later", "start_at": int(now) + 60}, now)
    content.update_event(EVENT, {"action": "start"}, now)
    for element in IDS["element"]:
        content.create_element(EVENT, {**POLL, **FIELDS}, now)
        if element != WAITING:
            content.update_element(element, {"action": "publish"}, now)
    content.update_element(CLOSED, {"action": "stop"}, now)
    content.update_element(REVOKED, {"action": "revoke"}, now)
    return made


class Served:
    """The application of the moment."""

    def __init__(self) -> None:
        self.site = site()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        await self.site.app(scope, receive, send)


def described() -> dict[str, Any]:
    """The description, with ids that exist: by chance they would never be found."""
    description = describe(endpoints(CHOICES))
    for path, methods in description["paths"].items():
        prefixes = ["a-"] if "project_id" in path else ["an"]
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path":
                    ids = IDS.get(parameter["name"].removesuffix("_id"), prefixes)
                    parameter |= {"schema": {"enum": [*ids, "unknown"]}, "example": ids[0]}
            for content in operation.get("requestBody", {}).get("content", {}).values():
                for name, owner in _owners(content["schema"]):
                    owner["properties"]["data"]["properties"]["id"] = {"enum": IDS[name]}
                example = content["examples"]["usual"]["value"]["data"]
                for name, owner in example.get("relationships", {}).items():
                    owner["data"]["id"] = IDS[name][0]
    return description


def _owners(body: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    properties = body["properties"]["data"]["properties"]
    owners: dict[str, Any] = properties.get("relationships", {}).get("properties", {})
    return owners.items()


served = Served()
schema = schemathesis.openapi.from_dict(described())
schema.app = served


@pytest.mark.untraced
@schema.parametrize()
@settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_nothing_breaks_the_description(case: schemathesis.Case[Any]) -> None:
    """Examples, boundary values and fuzz: no server error, nothing that is not described."""
    response = case.call(headers={"authorization": f"Bearer {PRODUCER}"})
    if case.method != "GET" and response.status_code < 300:  # the next one finds what it needs
        served.site = site()
    case.validate_response(response, checks=CHECKS)


def test_the_phases_are_on() -> None:
    """Examples, coverage and fuzzing; and the description is one of OpenAPI's."""
    phases = schema.config.phases
    assert phases.examples.enabled
    assert phases.coverage.enabled
    assert phases.fuzzing.enabled
    schema.validate()


def test_an_answer_that_is_not_described_is_found() -> None:
    """Without 404 in the description an unknown id breaks it."""
    description = described()
    path = "/api/v2/elements/{element_id}"
    del description["paths"][path]["get"]["responses"]["404"]
    lacking = schemathesis.openapi.from_dict(description)
    lacking.app = served
    case = lacking[path]["GET"].Case(path_parameters={"element_id": "unknown"})
    response = case.call(headers={"authorization": f"Bearer {PRODUCER}"})
    with pytest.raises(FailureGroup, match=r"(?s)Undocumented.*404"):
        case.validate_response(response, checks=CHECKS)


def test_all_that_is_served_is_described() -> None:
    """Route by route, method by method."""
    routes = {
        (route.path, method)
        for route in served.site.app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    paths = describe(endpoints(CHOICES))["paths"]
    assert routes == {
        (path, method.upper()) for path, methods in paths.items() for method in methods
    }
    assert len(routes) == len(endpoints(CHOICES)) == 21


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("/api/v2/me", "get", "200 400 401 405 429"),
        ("/api/v2/events/{event_id}", "get", "200 400 401 404 405 429"),
        ("/api/v2/events", "post", "201 400 401 403 404 405 413 415 422 429 503"),
        ("/api/v2/events/{event_id}", "patch", "204 400 401 403 404 405 413 415 422 429 503"),
        ("/api/v2/elements/{element_id}", "delete", "204 400 401 403 404 405 422 429 503"),
        ("/apps/{app_id}/config/lvis/spec.json", "get", "200 404 405"),
        ("/events/{prefix}/{event_id}/history.json", "get", "200 304 404 405"),
        ("/openapi.json", "get", "200 405"),
    ],
)
def test_every_status_is_described(path: str, method: str, statuses: str) -> None:
    """No more and no less than an endpoint answers."""
    operation = describe(endpoints(CHOICES))["paths"][path][method]
    assert list(operation["responses"]) == statuses.split()
    assert ("security" in operation) == path.startswith("/api/v2/")


async def test_the_description_is_served() -> None:
    """To whoever asks, without a token."""
    answer = await served.site.get("/openapi.json", token=None)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == describe(endpoints(CHOICES))
    assert answer.json()["openapi"].startswith("3.1.")


@pytest.mark.parametrize(
    ("choices", "operation", "status"),
    [
        (Choices(), ("/api/v2/events", "post"), "201"),
        (Choices(create_event_status=200), ("/api/v2/events", "post"), "200"),
        (Choices(), ("/api/v2/elements/{element_id}", "delete"), "204"),
        (Choices(delete_status=200), ("/api/v2/elements/{element_id}", "delete"), "200"),
    ],
)
def test_chosen_statuses_are_described(
    choices: Choices, operation: tuple[str, str], status: str
) -> None:
    """What the platform's documentation leaves open stands in ours as it is chosen."""
    path, method = operation
    responses = describe(endpoints(choices))["paths"][path][method]["responses"]
    assert [each for each in responses if each < "300"] == [status]
    assert ("content" in responses[status]) == (status != "204")
