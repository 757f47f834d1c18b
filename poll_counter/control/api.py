"""`ControlApi`: the platform's Control API, for a server-side program of the producer's.

One method for each thing that can be asked for (contract section 5). What is sent is what is
given: the platform judges it, and its problems are raised.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from poll_counter.errors import ControlApiError, MisuseError

from .address import base_url, segment
from .documents import CURSOR, Unreadable, included, many, next_cursor, one
from .http import Answer, Call, Params, Sender, Sleep
from .resources import (
    EVENT_STATES,
    App,
    Element,
    ElementSpec,
    Event,
    EventStateName,
    EventTemplate,
    Project,
)
from .token import Token

__all__ = ["ControlApi"]

PAGE_SIZE = 100
"""Events per page; what the platform's own tools ask for at most (contract section 2)."""
SPEC, ELEMENTS_SPEC = "spec.json", "elements.json"
"""The root spec's name in its URL, and what stands there for the elements spec (18.5)."""


class ControlApi:
    """The Control API of one environment, with one token.

    Server side only: an app must not call it, and would give its token to everybody.

    Args:
        base: `eu`, `us`, `dev` or a URL; `http://` for this machine alone, unless `allow_plain`.
        token: made in Studio (Account Settings, API Credentials); by default it is read from the
            environment variable `POLL_COUNTER_TOKEN`. It is shown nowhere.
        timeout_s: for a connection, and for each part of an answer.
        attempts: how often a call is sent at most. Repeated is what the platform did not carry out
            (429, no connection), and after 500 to 504 or without an answer what does no more when
            done twice: reads, deletions, the writing of attributes. Never a creation or an action.
        allow_plain: allow `http://` to other hosts: anybody on the way reads the token.
        transport: instead of the network, for tests.
        sleep: for tests, waits between attempts.
        draw: for tests, draws the jitter, uniform on [0, 1).

    Raises `MisuseError` when called in a way that cannot work. Every call raises `ControlApiError`
    when it fails.

    For example:

    ```python
    async with ControlApi("eu") as api:
        for event in await api.events(project_id, states=["current"]):
            print(event.id, event.name)
    ```
    """

    _base = ""  # so that one that is half made has a representation, for tracebacks

    def __init__(
        self,
        base: str = "eu",
        *,
        token: str | Token | None = None,
        timeout_s: float = 10.0,
        attempts: int = 5,
        allow_plain: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        held = token if isinstance(token, Token) else Token(token)
        del token  # what is raised from here on does not have it
        held.check()
        self._base = base_url(base, allow_plain=allow_plain)
        self._sender = Sender(
            self._base,
            token=held,
            timeout_s=timeout_s,
            attempts=attempts,
            transport=transport,
            sleep=sleep,
            draw=draw,
        )

    def __repr__(self) -> str:
        return f"ControlApi({self._base!r})"

    async def __aenter__(self) -> Self:
        """Nothing is sent yet."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; afterwards every call raises `MisuseError`."""
        await self._sender.aclose()

    @property
    def key(self) -> tuple[str, str]:
        """Tells apart who calls and where; the same for the same token and base, in this process.

        The token cannot be had from it.
        """
        return self._base, self._sender.token.key

    # Projects and apps

    async def me(self) -> None:
        """Check the token; raises `ControlApiError` where it does not work."""
        await self._get("/me")

    async def project(self, project_id: str) -> Project:
        """A project, which leads to its app."""
        answer = await self._get(f"/projects/{segment(project_id, 'a project')}")
        return answer.read(lambda document: Project.read(one(document)))

    async def app(self, app_id: str) -> App:
        """An app, which leads to its spec."""
        answer = await self._get(f"/apps/{segment(app_id, 'an app')}")
        return answer.read(lambda document: App.of(one(document)))

    async def elements_spec(self, project_id: str) -> list[ElementSpec]:
        """The content types that a project's app knows (contract sections 8 and 18.5).

        The spec is the app's own and may be anywhere, so it is read without the token.
        """
        project = await self.project(project_id)
        if project.app_id is None:
            raise ControlApiError(f"project {project_id} names no app, so there is no spec")
        app = await self.app(project.app_id)
        if SPEC not in app.spec_url:
            raise ControlApiError(f"app {app.id} names no spec_url with {SPEC} in it")
        answer = await self._sender.fetch(app.spec_url.replace(SPEC, ELEMENTS_SPEC, 1))
        return answer.read(_elements_spec)

    # Events

    async def events(
        self,
        project_id: str,
        *,
        states: Sequence[EventStateName] = EVENT_STATES,
        only_listings: bool | None = None,
        include: Sequence[Literal["stats", "project"]] = (),
        newest_first: bool = False,
    ) -> list[Event]:
        """The events of a project, by their start; all pages of them (contract section 6.1).

        Args:
            project_id: the project's id.
            states: those that are wanted, one at least.
            only_listings: those in the listings alone.
            include: `stats`, for `Event.stats`.
            newest_first: the latest start first.
        """
        if not states:
            raise MisuseError("the platform wants at least one state; leave out states= for all")
        params = [("filter[state]", _listed(states)), ("page[count]", str(PAGE_SIZE))]
        if only_listings is not None:
            params.append(("filter[only_listings]", _flag(only_listings)))
        if include:
            params.append(("include", _listed(include)))
        if newest_first:
            params.append(("sort", "-start_time"))
        pages = await self._pages(f"/projects/{segment(project_id, 'a project')}/events", params)
        return [event for page in pages for event in page.read(_events)]

    async def event(
        self,
        event_id: str,
        *,
        include: Sequence[Literal["stats", "project"]] = (),
        attempts: int | None = None,
    ) -> Event:
        """An event (contract section 6.3).

        Args:
            event_id: the event's id.
            include: `stats`, for `Event.stats`; not more than once a minute (contract 1.1).
            attempts: for this call, instead of the object's own.
        """
        params = [("include", _listed(include))] if include else []
        call = Call("GET", f"/events/{segment(event_id, 'an event')}", params)
        answer = await self._sender.send(call, attempts=attempts)
        return answer.read(_event)

    async def create_event(self, project_id: str, attributes: Mapping[str, Any]) -> Event:
        """Make an event (contract section 6.4); never repeated, for that might make two.

        Args:
            project_id: the project that it is for.
            attributes: `name`, `duration`, `start_mode` and so on, as they are sent.
        """
        answer = await self._create("events", attributes, "project", "projects", project_id)
        return answer.read(_event)

    async def update_event(self, event_id: str, attributes: Mapping[str, Any]) -> None:
        """Change an event (contract section 6.5).

        A field in `settings` is rewritten completely, those that are left out stay; see
        `localised`. With an `action` among the attributes the call is never repeated.
        """
        await self._update("events", segment(event_id, "an event"), event_id, attributes)

    async def start_event(self, event_id: str) -> None:
        """Start an event whose start is manual."""
        await self.update_event(event_id, {"action": "start"})

    async def stop_event(self, event_id: str) -> None:
        """End an event; one that has ended cannot be stopped (status 422)."""
        await self.update_event(event_id, {"action": "stop"})

    # Elements

    async def elements(
        self,
        event_id: str,
        *,
        states: Sequence[str] = (),
        in_latest_results: bool | None = None,
        stats: bool = False,
    ) -> list[Element]:
        """The elements of an event, by publishing time (contract section 7.3).

        Args:
            event_id: the event's id.
            states: those that are wanted; all where none is named.
            in_latest_results: by the attribute `include_in_latest_results_feed`.
            stats: with `Element.stats`.
        """
        params = list[tuple[str, str]]()
        if states:
            params.append(("filter[state]", _listed(states)))
        if in_latest_results is not None:
            params.append(("filter[include_in_latest_results]", _flag(in_latest_results)))
        if stats:
            params.append(("include", "stats"))
        pages = await self._pages(f"/events/{segment(event_id, 'an event')}/elements", params)
        return [element for page in pages for element in page.read(_elements)]

    async def element(self, element_id: str) -> Element:
        """An element."""
        answer = await self._get(f"/elements/{segment(element_id, 'an element')}")
        return answer.read(lambda document: Element.read(one(document)))

    async def create_element(self, event_id: str, attributes: Mapping[str, Any]) -> Element:
        """Make an element (contract section 7.4); never repeated, for that might make two.

        Args:
            event_id: the event that it is for.
            attributes: `content_type`, `duration`, `question` and so on, as they are sent.
        """
        answer = await self._create("elements", attributes, "event", "events", event_id)
        return answer.read(lambda document: Element.read(one(document)))

    async def update_element(self, element_id: str, attributes: Mapping[str, Any]) -> None:
        """Change an element (contract section 7.5).

        A field in `custom_fields` is rewritten completely, those that are left out stay; see
        `localised`. With an `action` among the attributes the call is never repeated.
        """
        await self._update("elements", segment(element_id, "an element"), element_id, attributes)

    async def publish(self, element_id: str) -> None:
        """Publish an element; its event has to be active."""
        await self.update_element(element_id, {"action": "publish"})

    async def stop_element(self, element_id: str) -> None:
        """Close an element that is open."""
        await self.update_element(element_id, {"action": "stop"})

    async def revoke(self, element_id: str) -> None:
        """Pull an element back: it goes from every client, in real time."""
        await self.update_element(element_id, {"action": "revoke"})

    async def reveal_results(self, element_id: str) -> None:
        """Show an element's results to users, where that is done by hand."""
        await self.update_element(element_id, {"action": "reveal_results"})

    async def reveal_answer(self, element_id: str, correct_option: int | None = None) -> None:
        """Reveal the right answer of a trivia or a prediction.

        Args:
            element_id: the element's id.
            correct_option: the right one, counted from 1 (contract 17), where it is not set yet.
        """
        more = {} if correct_option is None else {"correct_option": correct_option}
        await self.update_element(element_id, {"action": "reveal_answer", **more})

    async def delete_element(self, element_id: str) -> None:
        """Delete an element; what the platform allows here is not documented."""
        await self._sender.send(Call("DELETE", f"/elements/{segment(element_id, 'an element')}"))

    # Event templates

    async def event_templates(self, project_id: str) -> list[EventTemplate]:
        """The templates of a project's events; their attributes are not documented."""
        path = f"/projects/{segment(project_id, 'a project')}/event_templates"
        pages = await self._pages(path, [])
        return [template for page in pages for template in page.read(_templates)]

    async def event_template(self, template_id: str) -> EventTemplate:
        """A template for events."""
        answer = await self._get(f"/event_templates/{segment(template_id, 'a template')}")
        return answer.read(lambda document: EventTemplate.of(one(document)))

    # How

    async def _get(self, path: str, params: Params = ()) -> Answer:
        return await self._sender.send(Call("GET", path, params))

    async def _pages(self, path: str, params: Params) -> list[Answer]:
        """All pages of a list, which must not go in circles."""
        pages = [await self._get(path, params)]
        cursors = set[str]()
        while (cursor := pages[-1].read(_cursor)) is not None:
            if cursor in cursors:
                raise ControlApiError(f"{pages[-1].about}: the pages of the list go in circles")
            cursors.add(cursor)
            pages.append(await self._get(path, [*params, (CURSOR, cursor)]))
        return pages

    async def _create(
        self, type_: str, attributes: Mapping[str, Any], name: str, owner: str, owner_id: str
    ) -> Answer:
        segment(owner_id, f"a {name}")
        data = {
            "type": type_,
            "attributes": dict(attributes),
            "relationships": {name: {"data": {"type": owner, "id": owner_id}}},
        }
        return await self._sender.send(
            Call("POST", f"/{type_}", body={"data": data}, repeatable=False)
        )

    async def _update(self, type_: str, part: str, id_: str, attributes: Mapping[str, Any]) -> None:
        data = {"id": id_, "type": type_, "attributes": dict(attributes)}
        await self._sender.send(
            Call(
                "PATCH",
                f"/{type_}/{part}",
                body={"data": data},
                repeatable="action" not in attributes,
            )
        )


def _event(document: Any) -> Event:
    return Event.read(one(document), included(document, "stats"))


def _events(document: Any) -> Iterable[Event]:
    stats = included(document, "stats")
    return [Event.read(each, stats) for each in many(document)]


def _elements(document: Any) -> Iterable[Element]:
    stats = included(document, "stats")
    return [Element.read(each, stats) for each in many(document)]


def _templates(document: Any) -> Iterable[EventTemplate]:
    return [EventTemplate.of(each) for each in many(document)]


def _cursor(document: Any) -> str | None:
    many(document)
    return next_cursor(document)


def _elements_spec(document: Any) -> list[ElementSpec]:
    if not isinstance(document, list):
        raise Unreadable("an elements spec is a list of content types")
    return [ElementSpec.read(entry) for entry in document if isinstance(entry, dict)]


def _listed(names: Sequence[str]) -> str:
    if isinstance(names, str):
        raise MisuseError(f"{names!r} is one name; pass a list: [{names!r}]")
    return ",".join(names)


def _flag(value: bool) -> str:  # noqa: FBT001 - it is the value that is written
    return "true" if value else "false"
