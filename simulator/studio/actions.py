"""What the page may ask for: each button, with what it sends.

Every action is one name, a model of its body, and what it does; it gives a sentence for the page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from .crowd import HOSTILE_MAX, PLAYERS_MAX
from .settings import Settings
from .stage import Step
from .studio import Studio

__all__ = ["ACTIONS", "Action", "act"]

Body = TypeVar("Body", bound=BaseModel)


class _Sent(BaseModel):
    """What a button sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Nothing(_Sent):
    """A button that says it all."""


class Players(_Sent):
    """So many players."""

    players: Annotated[int, Field(ge=1, le=PLAYERS_MAX)]


class Share(_Sent):
    """A share of the players."""

    share: Annotated[float, Field(gt=0.0, le=1.0)]


class Peers(_Sent):
    """So many hostile peers, in all."""

    peers: Annotated[int, Field(ge=0, le=HOSTILE_MAX)]


class Switch(_Sent):
    """On or off."""

    on: bool


class Action(NamedTuple, Generic[Body]):
    """What can be asked for."""

    body: type[Body]
    do: Callable[[Studio, Body], Awaitable[str]]


def _step(step: Step) -> Action[Nothing]:
    async def do(studio: Studio, _: Nothing) -> str:
        return await studio.take(step)

    return Action(Nothing, do)


async def _revoke_trivia(studio: Studio, _: Nothing) -> str:
    return await studio.stage.revoke_trivia()


async def _revoke_poll(studio: Studio, _: Nothing) -> str:
    return await studio.stage.revoke_poll()


async def _new_show(studio: Studio, _: Nothing) -> str:
    return await studio.new_show()


async def _set(studio: Studio, settings: Settings) -> str:
    studio.stage.settings = settings
    return "Set. It holds from the next poll, and the next trivia, that is published."


async def _autoplay(studio: Studio, switch: Switch) -> str:
    return await studio.set_autoplay(on=switch.on)


async def _add(studio: Studio, sent: Players) -> str:
    return studio.crowd.add(sent.players)


async def _add_late(studio: Studio, sent: Players) -> str:
    is_open = studio.stage.open_trivia is not None
    return studio.crowd.add_late(sent.players, trivia_is_open=is_open)


async def _remove(studio: Studio, sent: Players) -> str:
    return studio.crowd.remove(sent.players)


async def _drop(studio: Studio, sent: Share) -> str:
    return studio.crowd.drop(sent.share)


async def _slow(studio: Studio, switch: Switch) -> str:
    return studio.crowd.slow_links(slow=switch.on)


async def _hostile(studio: Studio, sent: Peers) -> str:
    return studio.crowd.set_hostile(sent.peers)


ACTIONS: Mapping[str, Action[Any]] = {
    "start": _step("start"),
    "publish_poll": _step("publish_poll"),
    "publish_trivia": _step("publish_trivia"),
    "close_trivia": _step("close_trivia"),
    "stop": _step("stop"),
    "revoke_trivia": Action(Nothing, _revoke_trivia),
    "revoke_poll": Action(Nothing, _revoke_poll),
    "new_show": Action(Nothing, _new_show),
    "settings": Action(Settings, _set),
    "autoplay": Action(Switch, _autoplay),
    "add": Action(Players, _add),
    "add_late": Action(Players, _add_late),
    "remove": Action(Players, _remove),
    "drop": Action(Share, _drop),
    "slow": Action(Switch, _slow),
    "hostile": Action(Peers, _hostile),
}
"""Name -> action."""


async def act(studio: Studio, name: str, body: bytes) -> str:
    """Do what the page asks for; gives what to tell.

    Raises KeyError for a name that is none, ValidationError for a body that does not fit, and
    PollCounterError for what cannot be done now.
    """
    action = ACTIONS[name]
    sent = action.body.model_validate_json(body)
    async with studio.acting:
        return await action.do(studio, sent)
