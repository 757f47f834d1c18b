"""The targets by name, and where their inputs are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from .channel import show, wire
from .disk import journal
from .platform import control, emulator

__all__ = ["TARGETS", "Target", "kept", "kept_in"]

Target: TypeAlias = Callable[[bytes], None]
TARGETS: Final[Mapping[str, Target]] = {
    "wire": wire,
    "show": show,
    "emulator": emulator,
    "control": control,
    "journal": journal,
}
HERE: Final = Path(__file__).parent


def kept_in(kind: str, name: str) -> Path:
    """The folder of a target's `corpus` or `crashes`."""
    return HERE / kind / name


def kept(kind: str, name: str) -> list[Path]:
    """A target's inputs of that kind, in order; those that begin with a dot are no inputs."""
    folder = kept_in(kind, name)
    return sorted(p for p in folder.glob("*") if p.is_file() and not p.name.startswith("."))
