"""Names the lowest versions that pyproject.toml allows, for pip: a job tests with them."""

from __future__ import annotations

import tomllib
from pathlib import Path


def lowest_versions() -> list[str]:
    """Requirements as pip takes them, `name==version`, of the library and the simulator."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["simulator"], *extras["redis"]]
    return [requirement.replace(">=", "==") for requirement in wanted]


if __name__ == "__main__":
    print(" ".join(lowest_versions()))
