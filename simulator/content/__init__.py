"""The producer's side of the platform, pure: what is made, changed and published."""

from .attributes import ContentError, UnknownIdError, settings_of
from .content import Content
from .projects import random_id
from .writes import BusyError, Kind, Write

__all__ = [
    "BusyError",
    "Content",
    "ContentError",
    "Kind",
    "UnknownIdError",
    "Write",
    "random_id",
    "settings_of",
]
