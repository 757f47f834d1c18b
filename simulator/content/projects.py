"""What stands above the events: projects, each with its app, and templates for events."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from simulator.choices import Choices

from .attributes import UnknownIdError
from .spec import DEFAULT_SPEC, root_spec

__all__ = ["Projects", "found", "random_id"]

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class _Project:
    name: str
    app_id: str
    app_name: str
    spec: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class _Template:
    project_id: str
    name: str
    attributes: Mapping[str, Any]


def random_id() -> str:
    """Make an id as the platform's are: a UUID (contract section 4)."""
    return str(uuid.uuid4())


class Projects:
    """The projects of a platform, their apps and their event templates.

    Args:
        choices: what the documentation leaves open.
        new_id: makes the id of whatever is made.
    """

    def __init__(self, choices: Choices, *, new_id: Callable[[], str]) -> None:
        self.choices = choices
        self._new_id = new_id
        self._projects: dict[str, _Project] = {}
        self._project_of_app: dict[str, str] = {}
        self._templates: dict[str, _Template] = {}

    def add_project(
        self,
        name: str,
        *,
        app_name: str = "Live show",
        elements_spec: Sequence[Mapping[str, Any]] = DEFAULT_SPEC,
    ) -> str:
        """Make a project with an app of its own; returns the project's id."""
        project_id, app_id = self._new_id(), self._new_id()
        self._projects[project_id] = _Project(name, app_id, app_name, tuple(elements_spec))
        self._project_of_app[app_id] = project_id
        return project_id

    def add_event_template(
        self,
        project_id: str,
        name: str,
        attributes: Mapping[str, Any] = {},
    ) -> str:
        """Make an event template; returns its id. What is in one is not documented."""
        self.check_project(project_id)
        template_id = self._new_id()
        self._templates[template_id] = _Template(project_id, name, dict(attributes))
        return template_id

    def project(self, project_id: str) -> dict[str, Any]:
        """The project, and which app it has (contract section 18.5)."""
        project = found(self._projects, project_id, "project")
        return {
            "id": project_id,
            "type": "projects",
            "attributes": {"name": project.name},
            "relationships": {"app": {"data": {"id": project.app_id, "type": "apps"}}},
        }

    def app(self, app_id: str) -> dict[str, Any]:
        """The app; who serves it adds the address of its spec."""
        project = self._app(app_id)
        return {
            "id": app_id,
            "type": "apps",
            "attributes": {"name": project.app_name},
            "relationships": {},
        }

    def spec(self, app_id: str) -> dict[str, Any]:
        """The app's root spec (contract section 8)."""
        return root_spec(app_id, self._app(app_id).app_name, self.choices)

    def elements_spec(self, app_id: str) -> list[dict[str, Any]]:
        """The app's elements spec: a bare array (contract section 8)."""
        return [dict(entry) for entry in self._app(app_id).spec]

    def event_template(self, template_id: str) -> dict[str, Any]:
        """An event template."""
        template = found(self._templates, template_id, "event template")
        return {
            "id": template_id,
            "type": "event_templates",
            "attributes": {**template.attributes, "name": template.name},
            "relationships": {"project": {"data": {"id": template.project_id, "type": "projects"}}},
        }

    def event_templates(self, project_id: str) -> list[dict[str, Any]]:
        """The event templates of a project, oldest first."""
        self.check_project(project_id)
        return [
            self.event_template(template_id)
            for template_id, template in self._templates.items()
            if template.project_id == project_id
        ]

    def check_project(self, project_id: str) -> None:
        """Raise UnknownIdError where there is no such project."""
        found(self._projects, project_id, "project")

    def spec_of(self, project_id: str) -> Sequence[Mapping[str, Any]]:
        """The elements spec that the elements of a project are of."""
        return found(self._projects, project_id, "project").spec

    def _app(self, app_id: str) -> _Project:
        return self._projects[found(self._project_of_app, app_id, "app")]


def found(things: Mapping[str, Thing], key: str, kind: str) -> Thing:
    """Look something up by its id; raises UnknownIdError."""
    try:
        return things[key]
    except KeyError:
        raise UnknownIdError("/data/id", f"there is no {kind} {key!r}") from None
