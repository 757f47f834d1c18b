"""Projects, apps and event templates."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from simulator.choices import Choices
from simulator.content.attributes import UnknownIdError
from simulator.content.projects import Projects, random_id
from simulator.content.spec import DEFAULT_SPEC


@pytest.fixture
def projects() -> Projects:
    """No projects yet; ids count from 1."""
    numbers = itertools.count(1)
    return Projects(Choices(listings_past=3), new_id=lambda: f"id-{next(numbers)}")


def app_of(projects: Projects, project_id: str) -> str:
    """The id of a project's app."""
    app = projects.project(project_id)["relationships"]["app"]["data"]
    assert app["type"] == "apps"
    return str(app["id"])


def test_a_project_leads_to_its_specs(projects: Projects) -> None:
    """Project, app, spec and elements spec, as a client walks them (contract section 18.5)."""
    project_id = projects.add_project("Quiz night")
    project = projects.project(project_id)
    assert (project["id"], project["type"]) == (project_id, "projects")
    assert project["attributes"] == {"name": "Quiz night"}
    app_id = app_of(projects, project_id)
    assert projects.app(app_id) == {
        "id": app_id,
        "type": "apps",
        "attributes": {"name": "Live show"},
        "relationships": {},
    }
    spec = projects.spec(app_id)
    assert (spec["id"], spec["name"], spec["listings"]["past"]) == (app_id, "Live show", 3)
    assert (
        projects.elements_spec(app_id) == list(DEFAULT_SPEC) == list(projects.spec_of(project_id))
    )


def test_projects_have_apps_of_their_own(projects: Projects) -> None:
    """Each with its own name and elements spec."""
    projects.add_project("Quiz night")
    spec = [{"name": "Vote", "content_type": "vote"}]
    other = projects.add_project("Other", app_name="Vote app", elements_spec=spec)
    app_id = app_of(projects, other)
    assert projects.elements_spec(app_id) == spec
    assert projects.spec_of(other) == tuple(spec)
    assert projects.spec(app_id)["name"] == "Vote app"


def test_event_templates_belong_to_a_project(projects: Projects) -> None:
    """They are listed in the order they were made."""
    project_id = projects.add_project("Quiz night")
    first = projects.add_event_template(project_id, "Weekly", {"duration": 60})
    other = projects.add_project("Other")
    projects.add_event_template(other, "Not here")
    second = projects.add_event_template(project_id, "Daily")
    assert [each["id"] for each in projects.event_templates(project_id)] == [first, second]
    assert projects.event_template(first) == {
        "id": first,
        "type": "event_templates",
        "attributes": {"name": "Weekly", "duration": 60},
        "relationships": {"project": {"data": {"id": project_id, "type": "projects"}}},
    }


ASKING: dict[str, Callable[[Projects], Any]] = {
    "project": lambda projects: projects.project("x"),
    "app": lambda projects: projects.app("x"),
    "spec": lambda projects: projects.spec("x"),
    "elements_spec": lambda projects: projects.elements_spec("x"),
    "spec_of": lambda projects: projects.spec_of("x"),
    "event_template": lambda projects: projects.event_template("x"),
    "event_templates": lambda projects: projects.event_templates("x"),
    "add_event_template": lambda projects: projects.add_event_template("x", "Weekly"),
}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)
def test_what_is_not_there_is_not_found(projects: Projects, ask: Callable[[Projects], Any]) -> None:
    """Every way to ask for it says so."""
    with pytest.raises(UnknownIdError, match=r"there is no [a-z ]+ 'x'"):
        ask(projects)


def test_ids_are_uuids() -> None:
    """As the platform's are (contract section 4), and no two are equal."""
    assert UUID(random_id()) != UUID(random_id())
