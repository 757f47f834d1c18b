"""The platform's Control API, specs and CDN feeds over HTTP."""

from .app import control_api
from .tokens import Tokens

__all__ = ["Tokens", "control_api"]
