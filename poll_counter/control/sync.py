"""The same for programs that block: `ControlApi` without `await`.

```python
from poll_counter.control.sync import ControlApi

with ControlApi("eu") as api:
    for event in api.events(project_id, states=["current"]):
        print(event.id, event.name)
```

No second implementation: each method is the asyncio one, run on the background loop of this
process (see `portal`). Everything may be called from any thread.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from functools import wraps
from types import MethodType, TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

import httpx

from poll_counter.errors import MisuseError
from poll_counter.portal import background, wait

from . import api
from .http import Sleep
from .token import Token

__all__ = ["ControlApi"]

P = ParamSpec("P")
T = TypeVar("T")


class _Blocking(Generic[P, T]):
    """A method of the asyncio one, to be called without `await`; of the same signature."""

    def __init__(
        self, method: Callable[Concatenate[api.ControlApi, P], Coroutine[Any, Any, T]]
    ) -> None:
        @wraps(method)
        def blocking(blocker: ControlApi, *args: P.args, **kwargs: P.kwargs) -> T:
            return blocker.call(method, *args, **kwargs)

        self._blocking = blocking

    @overload
    def __get__(
        self, instance: None, owner: type[ControlApi]
    ) -> Callable[Concatenate[ControlApi, P], T]: ...

    @overload
    def __get__(self, instance: ControlApi, owner: type[ControlApi]) -> Callable[P, T]: ...

    def __get__(self, instance: ControlApi | None, owner: type[ControlApi]) -> Callable[..., T]:
        """The function of the class, or the method of an object."""
        return self._blocking if instance is None else MethodType(self._blocking, instance)


class ControlApi:
    """The Control API, blocking; the counterpart of `poll_counter.control.ControlApi`.

    It takes the same arguments and has the same methods; `call` is its own.

    Args:
        base: see `poll_counter.control.ControlApi`, for this and the others.
        token: by default from the environment variable `POLL_COUNTER_TOKEN`.
        timeout_s: for a connection, and for each part of an answer.
        attempts: how often a call is sent at most.
        allow_plain: allow `http://` to other hosts.
        transport: instead of the network, for tests.
        sleep: for tests, waits between attempts.
        draw: for tests, draws the jitter.

    Raises `MisuseError` and `ControlApiError` as the other does.

    For example:

    ```python
    with ControlApi("eu") as api:
        api.publish(element_id)
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
        self._api = api.ControlApi(
            base,
            token=held,
            timeout_s=timeout_s,
            attempts=attempts,
            allow_plain=allow_plain,
            transport=transport,
            sleep=sleep,
            draw=draw,
        )
        self._base = self._api.key[0]
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"ControlApi({self._base!r})"

    def __enter__(self) -> Self:
        """Nothing is sent yet."""
        self._loop = background.enter()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections; leaves no thread behind with the last that uses it."""
        loop, self._loop = self._loop, None
        assert loop is not None  # it was entered
        try:
            wait(loop, self._api.aclose())
        finally:
            background.leave()

    def call(
        self,
        function: Callable[Concatenate[api.ControlApi, P], Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a function of the producer's side that takes the asyncio `ControlApi` first.

        Args:
            function: such as `hidden_poll.create`.
            args: its further arguments.
            kwargs: those with names.
        """
        if self._loop is None:
            raise MisuseError("enter it first: with ControlApi(...) as api")
        return wait(self._loop, function(self._api, *args, **kwargs))

    @property
    def key(self) -> tuple[str, str]:
        """Tells apart who calls and where, in this process; the token cannot be had from it."""
        return self._api.key

    me = _Blocking(api.ControlApi.me)
    project = _Blocking(api.ControlApi.project)
    app = _Blocking(api.ControlApi.app)
    elements_spec = _Blocking(api.ControlApi.elements_spec)
    events = _Blocking(api.ControlApi.events)
    event = _Blocking(api.ControlApi.event)
    create_event = _Blocking(api.ControlApi.create_event)
    update_event = _Blocking(api.ControlApi.update_event)
    start_event = _Blocking(api.ControlApi.start_event)
    stop_event = _Blocking(api.ControlApi.stop_event)
    elements = _Blocking(api.ControlApi.elements)
    element = _Blocking(api.ControlApi.element)
    create_element = _Blocking(api.ControlApi.create_element)
    update_element = _Blocking(api.ControlApi.update_element)
    publish = _Blocking(api.ControlApi.publish)
    stop_element = _Blocking(api.ControlApi.stop_element)
    revoke = _Blocking(api.ControlApi.revoke)
    reveal_results = _Blocking(api.ControlApi.reveal_results)
    reveal_answer = _Blocking(api.ControlApi.reveal_answer)
    delete_element = _Blocking(api.ControlApi.delete_element)
    event_templates = _Blocking(api.ControlApi.event_templates)
    event_template = _Blocking(api.ControlApi.event_template)
