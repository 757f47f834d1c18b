"""How a call of the Control API is sent, repeated where that is safe, and understood.

Every error that leaves here is the library's own and has no other behind it: those of httpx hold
the request, and with it the token.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic_core import from_json

from poll_counter.errors import ControlApiError, MisuseError, Problem
from poll_counter.transport import backoff_s

from .documents import Unreadable
from .problems import problems_of, told
from .token import Token

__all__ = ["Answer", "Call", "Sender", "Sleep", "retry_after_s"]

T = TypeVar("T")
Sleep: TypeAlias = Callable[[float], Awaitable[object]]
"""Waits for so many seconds."""
Params: TypeAlias = Sequence[tuple[str, str]]

logger = logging.getLogger(__name__)

HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/vnd.api+json",
    "User-Agent": "poll-counter",
}
"""What the platform's own tools send, on reads as well (contract sections 2 and 18)."""
RETRY_FIRST_S = 1.0
"""The first repeat is delayed uniformly on [0, this], the n-th on [0, this * 2^n]."""
RETRY_CAP_S = 20.0
"""The most that the doubling leads to."""
RETRY_AFTER_MAX_S = 60.0
"""The most that the platform can ask for with Retry-After."""
PASSING = {429, 500, 502, 503, 504}
"""The statuses that may be another one the next time."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the Control API."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    """Behind the base URL, from `/` on."""
    params: Params = ()
    body: Mapping[str, Any] | None = None
    """The document to send."""
    repeatable: bool = True
    """Whether twice does no more than once: a read, a deletion, the writing of attributes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A document, and what it answers."""

    about: str
    """The call, for messages."""
    status: int
    document: Any
    """None where the body is empty."""

    def read(self, reader: Callable[[Any], T]) -> T:
        """Read the document; raises `ControlApiError` where the reader raises `Unreadable`."""
        try:
            return reader(self.document)
        except Unreadable as error:
            why = str(error)
        raise ControlApiError(f"{self.about}: {why}", status=self.status)


@dataclass(frozen=True, slots=True)
class _Failure:
    """One attempt that failed, in words; holds nothing of the request."""

    why: str
    status: int | None = None
    problems: tuple[Problem, ...] = ()
    passing: bool = False
    """Whether the next attempt may succeed."""
    untouched: bool = False
    """Whether the platform has certainly not carried it out."""
    wait_s: float = 0.0
    """How long the platform asks to wait."""

    def error(self, about: str) -> ControlApiError:
        """As what is raised."""
        return ControlApiError(f"{about}: {self.why}", status=self.status, problems=self.problems)


class Sender:
    """Sends calls to one place, with the token.

    Args:
        base: the address that paths are put behind.
        token: who calls; it has been checked.
        timeout_s: for a connection, and for each part of an answer.
        attempts: how often a call is sent at most.
        transport: instead of the network, for tests.
        sleep: waits between attempts.
        draw: uniform on [0, 1), for the jitter.
    """

    def __init__(
        self,
        base: str,
        *,
        token: Token,
        timeout_s: float = 10.0,
        attempts: int = 5,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        if not 0.0 < timeout_s < float("inf"):
            raise MisuseError(f"timeout_s is {timeout_s}; pass seconds above 0")
        self.base = base
        self.token = token
        self._timeout_s = timeout_s
        self._attempts = _checked(attempts)
        self._sleep = sleep
        self._draw = draw
        self._client = httpx.AsyncClient(
            headers=HEADERS,
            timeout=timeout_s,
            transport=transport,
            follow_redirects=False,  # the token is for one host
            trust_env=base.startswith("https:"),  # a proxy could read what is not encrypted
        )

    async def send(self, call: Call, *, attempts: int | None = None) -> Answer:
        """Send a call, again where that is safe.

        Repeated, with jitter (`backoff_s`): what was certainly not carried out (429, no
        connection), and whatever is `repeatable` after a status of 500 to 504 or without an answer.

        Raises `ControlApiError` for anything but success.
        """
        url = self.base + call.path
        about = f"{call.method} {urlsplit(url).path}"
        most = self._attempts if attempts is None else _checked(attempts)
        request = self._request(call, url)
        return await self._sent(request, about, self.token, most, repeatable=call.repeatable)

    async def fetch(self, url: str) -> Answer:
        """Read a JSON document that is not the Control API's own, without the token.

        Raises `ControlApiError` for anything but success.
        """
        about = f"GET {url}"
        try:
            request = self._client.build_request("GET", url)
        except (httpx.InvalidURL, ValueError):
            request = None
        if request is None or request.url.scheme not in {"http", "https"} or not request.url.host:
            raise ControlApiError(f"{about}: that is no address that can be read")
        return await self._sent(request, about, None, self._attempts, repeatable=True)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _request(self, call: Call, url: str) -> httpx.Request:
        if self._client.is_closed:
            raise MisuseError("this ControlApi was closed; make another one")
        content = None
        if call.body is not None:
            try:
                content = json.dumps(call.body, allow_nan=False).encode()
            except (TypeError, ValueError) as error:
                raise MisuseError(f"attributes have to be JSON: {error}") from None
        return self._client.build_request(
            call.method, url, params=list(call.params) or None, content=content
        )

    async def _sent(
        self,
        request: httpx.Request,
        about: str,
        token: Token | None,
        most: int,
        *,
        repeatable: bool,
    ) -> Answer:
        """Send a request, `most` times at most."""
        attempt, unsure = 0, False
        while True:
            outcome = await self._exchange(request, about, token)
            if isinstance(outcome, Answer):
                return outcome
            if unsure and request.method == "DELETE" and outcome.status == HTTPStatus.NOT_FOUND:
                return Answer(about, HTTPStatus.NOT_FOUND, None)  # an answer was lost: it is done
            unsure = unsure or not outcome.untouched
            attempt += 1
            if attempt == most or not (outcome.passing and (outcome.untouched or repeatable)):
                raise outcome.error(about)
            delay_s = outcome.wait_s + backoff_s(
                attempt - 1, first_s=RETRY_FIRST_S, cap_s=RETRY_CAP_S, draw=self._draw
            )
            logger.info("%s: %s; again in %.1f s", about, outcome.why, delay_s)
            await self._sleep(delay_s)

    async def _exchange(
        self, request: httpx.Request, about: str, token: Token | None
    ) -> Answer | _Failure:
        """Try once."""
        try:
            response = await self._client.send(request, auth=token)
        except httpx.HTTPError as error:
            return self._failure(error)
        except BaseException as error:  # noqa: BLE001 - raised below, where no frame has the token
            stopped = error
        else:
            return self._understood(response, about)
        stopped.__cause__ = stopped.__context__ = None
        raise stopped.with_traceback(None)

    def _failure(self, error: httpx.HTTPError) -> _Failure:
        """What an exchange without an answer means."""
        connecting = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        if isinstance(error, httpx.TimeoutException):
            why = f"no {'connection' if connecting else 'answer'} within {self._timeout_s:g} s"
        else:
            why = "cannot connect" if connecting else f"no answer ({type(error).__name__})"
            why += f": {self.token.hide(str(error))}" if str(error) else ""
        passing = isinstance(error, httpx.TransportError)
        return _Failure(why, passing=passing, untouched=connecting)

    def _understood(self, response: httpx.Response, about: str) -> Answer | _Failure:
        status = response.status_code
        if response.is_success:
            try:
                return Answer(about, status, _document(response.content))
            except ValueError:
                return _Failure(f"status {status}, but the answer is no JSON", status)
        if response.is_redirect:
            why = "a redirect, which is not followed: the token is for this address alone"
            return _Failure(f"status {status}, {why}", status)
        problems = tuple(
            Problem(self.token.hide(each.pointer), self.token.hide(each.detail))
            for each in problems_of(response.content)
        )
        return _Failure(
            told(status, problems),
            status,
            problems,
            passing=status in PASSING,
            untouched=status == HTTPStatus.TOO_MANY_REQUESTS,
            wait_s=retry_after_s(response.headers) if status in PASSING else 0.0,
        )


def retry_after_s(headers: Mapping[str, str]) -> float:
    """The seconds that Retry-After asks for, 60 at most; 0 where it does not.

    It is a number of seconds or a date (RFC 9110, section 10.2.3); a date is compared with the
    answer's own, so that the clocks need not agree.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return min(float(value), RETRY_AFTER_MAX_S)
    until, now = _date(value), _date(headers.get("Date", ""))
    if until is None:
        return 0.0
    return min(max(0.0, (until - (now or datetime.now(UTC))).total_seconds()), RETRY_AFTER_MAX_S)


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


def _document(content: bytes) -> Any:
    return from_json(content) if content.strip() else None


def _checked(attempts: int) -> int:
    if attempts < 1:
        raise MisuseError(f"attempts is {attempts}; pass 1 to try once, or more")
    return attempts
