"""What each endpoint does: a request that was let in and read, turned into an answer.

One method for each row of the table of endpoints, by the row's name. What is to be written is done
before, by `write`: the handler says what came of it. What was done is told before the answer is
sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import Response

from simulator import feeds
from simulator.content import BusyError, Content, ContentError, UnknownIdError, Write
from simulator.emulator import Delivery

from .cdn import Cdn
from .documents import (
    API,
    JSON,
    Refusal,
    Resource,
    base_of,
    collection,
    json_response,
    single,
    url,
)
from .endpoints import Endpoint
from .gate import grant_of
from .queries import Query, page_after

if TYPE_CHECKING:
    from simulator.content import Kind

__all__ = ["Call", "Handlers"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request, let in and read."""

    request: Request
    query: Query
    now: float
    attributes: Mapping[str, Any]
    """What it writes."""
    owner_id: str
    """For a new resource: the id of what it belongs to."""

    @property
    def base(self) -> str:
        """The address of this server, as the client knows it."""
        return base_of(self.request.scope)

    @property
    def about(self) -> str:
        """The id of what is written; of a new resource, of what it belongs to."""
        return self.owner_id or next(iter(self.request.path_params.values()))

    def id(self, name: str) -> str:
        """An id out of the path."""
        found: str = self.request.path_params[name]
        return found

    def here(self, **changed: str) -> str:
        """The link to what was asked for, with parameters of its query changed."""
        kept = [(name, value) for name, value in self.query.pairs if name not in changed]
        return url(self.base, self.request.scope["path"], [*kept, *changed.items()])


class Handlers:
    """The endpoints of one platform.

    Args:
        content: the producer's side of the platform.
        tell: takes what is to be told to the clients of the live channel.
        write: does what a producer asks for, has it told, and gives the id of what it is about.
        description: the API's description, to be served.
    """

    def __init__(
        self,
        content: Content,
        tell: Callable[[list[Delivery]], object],
        write: Callable[[Write], Awaitable[str]],
        description: Mapping[str, Any],
    ) -> None:
        self.choices = content.choices
        self._content = content
        self._tell = tell
        self._write = write
        self._description = description
        self._cdn = Cdn(content.choices.cdn_max_age_s)

    async def answer(self, endpoint: Endpoint, call: Call) -> Response:
        """Do what was asked, once all that was due before has happened; raises Refusal."""
        emulator = self._content.emulator
        if emulator.deadline is not None and emulator.deadline <= call.now:
            self._tell(emulator.wake(call.now))
        handler: Callable[..., Response] = getattr(self, endpoint.name)
        try:
            if not endpoint.for_producers:
                return handler(call)
            kind = cast("Kind", endpoint.name)
            write = self._content.new_write(kind, call.about, call.attributes, call.now)
            return handler(call, await self._write(write))
        except BusyError as error:
            raise Refusal(503, str(error), headers={"retry-after": "1"}) from error
        except UnknownIdError as error:
            pointer = f"/data/relationships/{endpoint.owner}/data/id" if endpoint.owner else ""
            raise Refusal(404, error.detail, pointer=pointer) from error
        except ContentError as error:
            raise Refusal(422, error.detail, pointer=error.pointer) from error

    # Projects and apps

    def me(self, call: Call) -> Response:
        """Whose the token is; what is told is ours."""
        grant = grant_of(call.request.scope)
        assert grant is not None
        attributes = {"name": grant.name, "rights": grant.rights}
        user = {"id": grant.name, "type": "users", "attributes": attributes}
        return json_response({"data": user, "links": {"self": call.here()}})

    def project(self, call: Call) -> Response:
        """A project, which leads to its app."""
        return _one(call, self._content.project(call.id("project_id")))

    def app(self, call: Call) -> Response:
        """An app, which leads to its spec (contract section 18.5)."""
        app = self._content.app(call.id("app_id"))
        spec_url = url(call.base, f"/apps/{app['id']}/config/lvis/spec.json")
        return _one(call, {**app, "attributes": {**app["attributes"], "spec_url": spec_url}})

    def event_templates(self, call: Call) -> Response:
        """The templates of a project's events."""
        return _many(call, self._content.event_templates(call.id("project_id")))

    def event_template(self, call: Call) -> Response:
        """A template for events."""
        return _one(call, self._content.event_template(call.id("template_id")))

    # Events

    def events(self, call: Call) -> Response:
        """A page of a project's events, by start (contract section 6.1)."""
        project_id, query = call.id("project_id"), call.query
        newest_first = query.choice("sort") == "-start_time"
        found = self._content.events(
            project_id,
            call.now,
            states=query.listed("filter[state]") or (),
            only_listings=query.flag("filter[only_listings]") or False,
            newest_first=newest_first,
        )
        everything = self._content.events(project_id, call.now, newest_first=newest_first)
        page, cursor = page_after(
            query.text("page[cursor]"),
            found,
            [each["id"] for each in everything],
            query.number("page[count]", self.choices.page_size),
        )
        links = {"next": call.here(**{"page[cursor]": cursor})} if cursor else {}
        return _many(call, page, self._with_events(call, page), **links)

    def event(self, call: Call) -> Response:
        """An event (contract section 6.3)."""
        found = self._content.event(call.id("event_id"), call.now)
        return _one(call, found, self._with_events(call, [found]))

    def create_event(self, call: Call, event_id: str) -> Response:
        """An event was made (contract section 6.4)."""
        status = self.choices.create_event_status
        return _made(call, self._content.event(event_id, call.now), status)

    def update_event(self, _call: Call, _event_id: str) -> Response:
        """An event was changed, or acted on (contract section 6.5)."""
        return Response(status_code=204)

    def _with_events(self, call: Call, events: Sequence[Resource]) -> list[Resource] | None:
        """What `include` wants with some events."""
        include = call.query.listed("include")
        if include is None:
            return None
        included = list[Resource]()
        for event in events:
            if "stats" in include:
                included.append(self._content.event_stats(event["id"], call.now))
            if "project" in include:
                project_id = event["relationships"]["project"]["data"]["id"]
                included.append(self._content.project(project_id))
        return included

    # Elements

    def elements(self, call: Call) -> Response:
        """The elements of an event (contract section 7.3)."""
        found = self._content.elements(
            call.id("event_id"),
            call.now,
            states=call.query.listed("filter[state]") or (),
            in_latest_results=call.query.flag("filter[include_in_latest_results]"),
        )
        return _many(call, found, self._with_elements(call, found))

    def element(self, call: Call) -> Response:
        """An element."""
        found = self._content.element(call.id("element_id"), call.now)
        return _one(call, found, self._with_elements(call, [found]))

    def create_element(self, call: Call, element_id: str) -> Response:
        """An element was made (contract section 7.4)."""
        return _made(call, self._content.element(element_id, call.now), 201)

    def update_element(self, _call: Call, _element_id: str) -> Response:
        """An element was changed, or acted on (contract section 7.5)."""
        return Response(status_code=204)

    def delete_element(self, _call: Call, _element_id: str) -> Response:
        """An element was deleted; what is answered is ours."""
        if self.choices.delete_status == 200:  # noqa: PLR2004 - a status
            return json_response({"meta": {}})
        return Response(status_code=204)

    def _with_elements(self, call: Call, elements: Sequence[Resource]) -> list[Resource] | None:
        """What `include` wants with some elements."""
        include = call.query.listed("include")
        if include is None:
            return None
        included = list[Resource]()
        for element in elements if "stats" in include else ():
            stats = self._content.element_stats(element["id"], call.now)
            link = {"data": {"id": stats["id"], "type": stats["type"]}}
            element["relationships"] = {**element["relationships"], "stats": link}
            included.append(stats)
        return included

    # What needs no token

    def spec(self, call: Call) -> Response:
        """The app's root spec; where the app itself is, is here."""
        app_id = call.id("app_id")
        home = url(call.base, f"/apps/{app_id}")
        return json_response(self._content.spec(app_id) | {"base_apps_url": home}, media_type=JSON)

    def elements_spec(self, call: Call) -> Response:
        """The app's elements spec: a bare array."""
        return json_response(self._content.elements_spec(call.id("app_id")), media_type=JSON)

    # The CDN

    def listings(self, call: Call) -> Response:
        """The events in a project's listings (contract section 9.2)."""
        host = call.base.partition("://")[2]
        return self._feed(call, "project_id", partial(feeds.listings, host=host))

    def history(self, call: Call) -> Response:
        """An event's completed elements (contract section 9.3)."""
        return self._feed(call, "event_id", feeds.history)

    def all_elements(self, call: Call) -> Response:
        """The elements of a project, with results (contract section 9.4)."""
        return self._feed(call, "project_id", partial(feeds.elements_feed, published_only=False))

    def all_published(self, call: Call) -> Response:
        """The same, of what clients hold."""
        return self._feed(call, "project_id", feeds.elements_feed)

    def _feed(
        self, call: Call, name: str, feed: Callable[[Content, str, float], dict[str, Any] | None]
    ) -> Response:
        """A feed about what the path names, by an id and the first two characters of it."""
        about = call.id(name)

        def make() -> dict[str, Any]:
            made = feed(self._content, about, call.now)
            if made is None or call.id("prefix") != about[:2]:
                raise Refusal(404, "there is no such feed, or it is switched off")
            return made

        request = call.request
        return self._cdn.give(request.scope["path"], make, request.headers, call.now)

    def openapi(self, _: Call) -> Response:
        """The description of all this."""
        return json_response(self._description, media_type=JSON)


def _one(call: Call, resource: Resource, included: Sequence[Resource] | None = None) -> Response:
    return json_response(single(resource, call.base, call.here(), included))


def _many(
    call: Call,
    resources: Sequence[Resource],
    included: Sequence[Resource] | None = None,
    **links: str,
) -> Response:
    here = {"self": call.here()}
    return json_response(collection(resources, call.base, here | links, included))


def _made(call: Call, resource: Resource, status: int) -> Response:
    """A new resource: its document, and where it is."""
    own = url(call.base, f"{API}/{resource['type']}/{resource['id']}")
    document = single(resource, call.base, own)
    return json_response(document, status, headers={"location": own})
