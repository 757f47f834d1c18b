"""The producer's side of the platform, pure: what is made, changed and published."""

from .attributes import ContentError, UnknownIdError, settings_of
from .content import Content

__all__ = ["Content", "ContentError", "UnknownIdError", "settings_of"]
