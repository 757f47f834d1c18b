"""The producer's side: what a show needs from the platform's Control API.

```python
from poll_counter.control import ControlApi, hidden_poll

async with ControlApi("eu") as api:  # the token is in the environment variable POLL_COUNTER_TOKEN
    await hidden_poll.create(api, "6396746d-...", rounds=10, publish=True)
    for finding in await hidden_poll.check(api, "6396746d-..."):
        print(finding.reason, finding.mend)
```

For a server-side program alone, never for an app. The platform says so (contract 1.1): its Control
API is not made for an audience, and allows a token 15 requests at once. And the token has the
rights of the user who made it: what is in an app is in everybody's hands, who could then publish,
revoke and delete. So the client side of this library imports nothing from here.
"""

from poll_counter.errors import ControlApiError, Problem

from . import hidden_poll
from .api import ControlApi
from .concurrency import ConcurrencyPublisher, Published
from .resources import (
    App,
    Element,
    ElementSpec,
    ElementStats,
    Event,
    EventStats,
    EventTemplate,
    Localised,
    Project,
    localised,
)
from .token import TOKEN_VARIABLE, Token

__docformat__ = "google"

__all__ = [
    "TOKEN_VARIABLE",
    "App",
    "ConcurrencyPublisher",
    "ControlApi",
    "ControlApiError",
    "Element",
    "ElementSpec",
    "ElementStats",
    "Event",
    "EventStats",
    "EventTemplate",
    "Localised",
    "Problem",
    "Project",
    "Published",
    "Token",
    "hidden_poll",
    "localised",
]
