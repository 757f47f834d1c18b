"""The endpoints of the emulator, as a table: what is served, and what is described.

The Control API routes by this table and its OpenAPI description is made from it, so that the two
cannot drift (contract section 5; what is ours there is said in the rows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from simulator.choices import Choices

from .documents import API
from .queries import Parameter

__all__ = ["ELEMENT_STATES", "EVENT_STATES", "Endpoint", "endpoints"]

EVENT_STATES = ("future", "current", "on_demand", "past")
"""Contract section 6.1."""
ELEMENT_STATES = (
    "non_scheduled",
    "future",
    "cancelled",
    "current",
    "on_demand",
    "past",
    "revoked",
)
"""Contract section 7.2."""

Method: TypeAlias = Literal["GET", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What may be asked at a path, with a method."""

    method: Method
    path: str
    name: str
    """The operation: of who handles it, and in the description."""
    summary: str
    answer: str
    """The schema of what is answered, in `openapi`; empty for an answer without a body."""
    parameters: tuple[Parameter, ...] = ()
    writes: str = ""
    """The type of resource that the body holds; empty for a request without a body."""
    owner: str = ""
    """The relationship that a new resource needs: to what it belongs; of the type with an s."""
    status: int = 200
    cached: bool = False
    """Whether the answer is a CDN feed, which may be kept and asked for conditionally."""

    @property
    def is_api(self) -> bool:
        """Whether a bearer token is needed: for all but the specs, the feeds, the description."""
        return self.path.startswith(API)

    @property
    def for_producers(self) -> bool:
        """Whether a viewer's token does not do."""
        return self.method != "GET"


def endpoints(choices: Choices) -> tuple[Endpoint, ...]:
    """Every endpoint; statuses and page sizes that are ours come from the choices."""
    event_include = Parameter("include", "related resources", "list", ("stats", "project"))
    element_include = Parameter("include", "related resources", "list", ("stats",))
    return (
        Endpoint("GET", f"{API}/me", "me", "Whose the token is; the body is ours", "user"),
        Endpoint("GET", f"{API}/projects/{{project_id}}", "project", "A project", "project"),
        Endpoint("GET", f"{API}/apps/{{app_id}}", "app", "An app, with its spec's URL", "app"),
        Endpoint(
            "GET",
            f"{API}/projects/{{project_id}}/events",
            "events",
            "Get Events",
            "events",
            (
                Parameter("filter[state]", "empty for all", "list", EVENT_STATES, required=True),
                Parameter("filter[only_listings]", "only events in listings", "flag"),
                event_include,
                Parameter("page[cursor]", "from links.next of the page before", "text"),
                Parameter("page[count]", "size of a page", "number", most=choices.page_size_max),
                Parameter(
                    "sort", "earliest first unless -", "choice", ("start_time", "-start_time")
                ),
            ),
        ),
        Endpoint(
            "GET", f"{API}/events/{{event_id}}", "event", "Get Event", "event", (event_include,)
        ),
        Endpoint(
            "POST",
            f"{API}/events",
            "create_event",
            "Create Event",
            "event",
            writes="events",
            owner="project",
            status=choices.create_event_status,
        ),
        Endpoint(
            "PATCH",
            f"{API}/events/{{event_id}}",
            "update_event",
            "Update Event: attributes, or an action",
            "",
            writes="events",
            status=204,
        ),
        Endpoint(
            "GET",
            f"{API}/events/{{event_id}}/elements",
            "elements",
            "Get Elements, by publishing time",
            "elements",
            (
                Parameter("filter[state]", "all unless given", "list", ELEMENT_STATES),
                Parameter("filter[include_in_latest_results]", "of the attribute", "flag"),
                element_include,
            ),
        ),
        Endpoint(
            "GET",
            f"{API}/elements/{{element_id}}",
            "element",
            "Get Element",
            "element",
            (element_include,),
        ),
        Endpoint(
            "POST",
            f"{API}/elements",
            "create_element",
            "Create Element",
            "element",
            writes="elements",
            owner="event",
            status=201,
        ),
        Endpoint(
            "PATCH",
            f"{API}/elements/{{element_id}}",
            "update_element",
            "Update Element: attributes, or an action",
            "",
            writes="elements",
            status=204,
        ),
        Endpoint(
            "DELETE",
            f"{API}/elements/{{element_id}}",
            "delete_element",
            "Delete Element",
            "meta" if choices.delete_status == 200 else "",  # noqa: PLR2004 - a status
            status=choices.delete_status,
        ),
        Endpoint(
            "GET",
            f"{API}/projects/{{project_id}}/event_templates",
            "event_templates",
            "The templates of a project's events; the attributes are ours",
            "event_templates",
        ),
        Endpoint(
            "GET",
            f"{API}/event_templates/{{template_id}}",
            "event_template",
            "A template for events",
            "event_template",
        ),
        Endpoint(
            "GET",
            "/apps/{app_id}/config/lvis/spec.json",
            "spec",
            "The app's root spec; an app's spec_url leads here",
            "spec",
        ),
        Endpoint(
            "GET",
            "/apps/{app_id}/config/lvis/elements.json",
            "elements_spec",
            "The app's elements spec, a bare array",
            "elements_spec",
        ),
        Endpoint(
            "GET",
            "/projects/{prefix}/{project_id}/listings.json",
            "listings",
            "CDN feed: the events in a project's listings",
            "feed",
            cached=True,
        ),
        Endpoint(
            "GET",
            "/events/{prefix}/{event_id}/history.json",
            "history",
            "CDN feed: an event's completed elements",
            "feed",
            cached=True,
        ),
        Endpoint(
            "GET",
            "/projects/{prefix}/{project_id}/elements.json",
            "all_elements",
            "CDN feed: All Elements, off unless switched on; the path is ours",
            "feed",
            cached=True,
        ),
        Endpoint(
            "GET",
            "/projects/{prefix}/{project_id}/published_elements.json",
            "all_published",
            "CDN feed: All Published, off unless switched on; the path is ours",
            "feed",
            cached=True,
        ),
        Endpoint(
            "GET", "/openapi.json", "openapi", "This description of the emulator", "description"
        ),
    )
