"""What is said between the machines of a load test, and between a process and its child.

Every word is one line of JSON, `type` first, on pipes as in Locust's messages. Moments that cross
from one machine to another are unix seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from simulator.scenario import Scenario

__all__ = [
    "Arrived",
    "Begin",
    "Come",
    "Failure",
    "Glance",
    "Here",
    "Invite",
    "KeepTime",
    "Lost",
    "Open",
    "Over",
    "Prepare",
    "Ready",
    "Said",
    "Sample",
    "Samples",
    "Seats",
    "Tell",
    "Verdict",
    "Word",
    "decode",
]


class _Word(BaseModel):
    model_config = ConfigDict(frozen=True)

    @property
    def line(self) -> str:
        """One line of JSON, without its end."""
        return self.model_dump_json()


# A follower, to the leader


class Here(_Word):
    """A follower is there, and would take part of the crowd."""

    type: Literal["here"] = "here"
    at: float
    """Its clock, unix seconds."""


class Ready(_Word):
    """Its part of the crowd may come."""

    type: Literal["ready"] = "ready"


class Seats(_Word):
    """So many more users were started there, and each takes a player."""

    type: Literal["seats"] = "seats"
    more: Annotated[int, Field(ge=1)]


class Glance(_Word):
    """How the players there are."""

    type: Literal["glance"] = "glance"
    arrived: int = 0
    """How many of those who are not late have ever been connected."""
    connected: int = 0
    playing: int = 0
    """How many have not left, nor seen the end of the event."""
    votes_accepted: int = 0


class Said(_Word):
    """What some of the players there say of the show."""

    type: Literal["said"] = "said"
    statement: str
    """A `Statement` as JSON, or nothing; who passes it on need not read it."""
    last: bool
    """Whether that was all."""


class Lost(_Word):
    """A part of the crowd, or the platform, is gone before its time."""

    type: Literal["lost"] = "lost"
    why: str


# The leader, to its followers


class Come(_Word):
    """Where the crowd goes, and what is to happen to it."""

    type: Literal["come"] = "come"
    url: str
    event_id: str
    scenario: Scenario


class Begin(_Word):
    """The crowd may arrive."""

    type: Literal["begin"] = "begin"
    arriving_s: float
    """Since how long it does already."""


class Invite(_Word):
    """These players of the scenario live there, and come when their time is."""

    type: Literal["invite"] = "invite"
    players: tuple[int, ...]


class KeepTime(_Word):
    """The show is there now."""

    type: Literal["keep_time"] = "keep_time"
    at: float
    """Seconds from the beginning of round 1, as planned."""


class Tell(_Word):
    """The show is over: tell what was seen."""

    type: Literal["tell"] = "tell"


# The leader, to the stage and back


class Prepare(_Word):
    """What is to be played."""

    type: Literal["prepare"] = "prepare"
    scenario: Scenario
    listen: str
    """The address that the platform listens on for the crowd."""
    replay: str
    """The command line that runs it again."""


class Open(_Word):
    """The platform is up, and the show made."""

    type: Literal["open"] = "open"
    url: str
    event_id: str


class Arrived(_Word):
    """Everybody who is not late is in."""

    type: Literal["arrived"] = "arrived"


class Over(_Word):
    """Everybody has left, or seen the end of the event."""

    type: Literal["over"] = "over"


class Failure(BaseModel):
    """A check that does not hold."""

    rule: str
    text: str


class Verdict(_Word):
    """Whether the counts are true."""

    type: Literal["verdict"] = "verdict"
    text: str
    """For people: the table of rounds, and what is wrong."""
    page: str = ""
    """The same, and more, as a page of HTML; empty where the show did not come to its end."""
    failures: tuple[Failure, ...] = ()
    """None: all checks held."""


# A crowd's process, to the follower


class Sample(NamedTuple):
    """Something that took its time."""

    name: str
    ms: float
    error: str = ""
    """What went wrong; empty: nothing."""


class Samples(_Word):
    """What happened to the players since the last time."""

    type: Literal["samples"] = "samples"
    samples: tuple[Sample, ...]


Word: TypeAlias = (
    Here
    | Ready
    | Seats
    | Glance
    | Said
    | Lost
    | Come
    | Begin
    | Invite
    | KeepTime
    | Tell
    | Prepare
    | Open
    | Arrived
    | Over
    | Verdict
    | Samples
)
_WORD: TypeAdapter[Word] = TypeAdapter(Annotated[Word, Field(discriminator="type")])


def decode(line: str | bytes) -> Word:
    """Read a word; raises ValueError for what is none."""
    return _WORD.validate_json(line)
