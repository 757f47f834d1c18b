"""What a run is: the show, the crowd, the network, and all that happens to them, from one seed.

The same scenario runs in virtual time and on sockets. Presets are the TOML files in `presets/`.

Draws are counter hashes of (seed, purpose, player) rather than one shared stream, so that a
player's fate does not depend on who else is drawn, or in which order.
"""

from __future__ import annotations

import math
import tomllib
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from poll_counter.sampling import RATE_MIN

__all__ = [
    "OPTIONS_PER_POLL",
    "PRESETS",
    "VIRTUAL_ONLY",
    "Fault",
    "Plan",
    "Restart",
    "Scenario",
    "Step",
    "Verdict",
    "draw",
    "preset_names",
]

OPTIONS_PER_POLL = 10
"""The options of one hidden poll, as documented (contract section 1.2)."""
RUSH_S = 120.0
"""When the rush before a show begins: the last two minutes."""
LINK_SLOWER = 4
"""How many times the latency of a slow link is that of others."""
VIRTUAL_ONLY = ("latency_ms", "tail", "slow", "lag")
"""What sockets leave out of a scenario: they have their own latency, and one server."""
PRESETS = Path(__file__).parent / "presets"
"""The folder of the presets."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rounds = tuple[Annotated[int, Field(ge=1)], ...]
Verdict = Literal["drop", "later", "repeat", "reorder"]
"""What becomes of a message that does not pass: lost; late, and what follows with it; delivered
twice; overtaken by what follows."""


def preset_names() -> list[str]:
    """The names of the presets."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def draw(seed: int, purpose: str, number: int) -> float:
    """Draw a number in [0, 1) that depends on its arguments alone."""
    digest = blake2b(f"{seed} {purpose} {number}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


class Fault(BaseModel):
    """A rule of a bad network: which messages get which verdict, until the network heals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    share: Share
    """Of the messages."""
    way: Literal["up", "down", "both"] = "both"
    """Votes go up, all else comes down."""
    delay_s: Annotated[float, Field(gt=0.0, le=60.0)] = 1.0
    """With `later`, `repeat` and `reorder`: how much later, at most."""


class Restart(NamedTuple):
    """An app that ends and is started again."""

    at: float
    keeps_journal: bool
    """Whether it still knows its player id and its votes."""


class Plan(NamedTuple):
    """What happens to one player; seconds from the beginning of round 1."""

    player: int
    join_at: float
    """Below zero: joins before round 1."""
    leave_at: float | None = None
    """Leaves for good."""
    cuts: tuple[float, ...] = ()
    """Loses the connection, and comes back."""
    restarts: tuple[Restart, ...] = ()
    edge: int = 0
    """The edge that it connects to first."""
    roams: bool = False
    """Whether it comes back to the next edge."""
    slow: bool = False
    """Whether its link is slow."""
    watches: bool = False
    """Whether it only watches: inactive all the time."""

    @property
    def undisturbed(self) -> bool:
        """Whether it is there from the beginning to the end, with nothing planned against it."""
        return not (self.join_at >= 0.0 or self.leave_at is not None or self.cuts or self.restarts)


class Step(NamedTuple):
    """One thing that the host does, and how long it waits before."""

    after_s: float
    action: Literal["start", "publish", "close", "revoke", "stop"]
    kind: Literal["event", "poll", "trivia"]
    number: int = 0
    """A trivia's round, or a poll's page."""
    copy: int = 0
    """How many polls of that page were there before: it replaces them."""


class Scenario(BaseModel):
    """A show and its crowd. Shares are of the players, over the whole show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    description: str = ""

    # The show
    rounds: Annotated[int, Field(ge=1, le=100)] = 10
    round_time: Annotated[float, Field(ge=0.2, le=3600.0)] = 2.0
    """Seconds of one round: the waiting phase and the trivia."""
    waiting: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.6
    """The share of a round that is its waiting phase; in the rest its trivia is open."""
    spread: Annotated[float, Field(ge=0.0, le=120.0)] | None = None
    """Seconds over which the votes of a round are spread; 0.3 of a round unless told."""
    sample_rate: Annotated[float, Field(ge=RATE_MIN, le=1.0)] = 1.0
    """The share of players that vote (counting rule 9)."""
    options_per_poll: Annotated[int, Field(ge=1, le=100)] = OPTIONS_PER_POLL
    """More rounds than this take more polls, in pages."""
    pulled: Rounds = ()
    """Rounds whose trivia is revoked while open, and published again."""
    taken_back: Rounds = ()
    """Rounds whose trivia is revoked when finished, and played again."""
    replaced: Rounds = ()
    """Rounds in whose waiting phase the poll is replaced by another."""

    # The crowd
    players: Annotated[int, Field(ge=0, le=100_000_000)] = 200
    seed: Annotated[int, Field(ge=0)] = 1
    arrive: Annotated[float, Field(ge=0.0, le=86_400.0)] | None = None
    """Seconds before round 1 in which players join; as many as 400 a second take unless told."""
    rush: Share = 0.0
    """Of those who join before round 1: join in the last two minutes."""
    late: Share = 0.0
    """Join after round 1 began, amid one of the phases; everybody else joins before it."""
    leave: Share = 0.0
    """Leave for good at a uniform moment after round 1."""
    drop: Share = 0.0
    """Lose the connection at uniform moments, and reconnect."""
    drops: Annotated[int, Field(ge=1, le=100)] = 1
    """How often those who drop do so."""
    roam: Share = 0.0
    """Come back to another edge."""
    restart: Share = 0.0
    """Start their app again, which remembers what it voted."""
    reinstall: Share = 0.0
    """Start their app again, which has forgotten even who it is: a new player."""
    watch: Share = 0.0
    """Only watch: inactive all the time."""
    hostile: Share = 0.0
    """That many peers more vote twice, for wrong options, in floods, and under made-up ids."""

    # The network
    latency_ms: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(le=60_000)]] = (20, 60)
    """The least and the most of one way (virtual time)."""
    tail: Annotated[float, Field(ge=1.0, le=100.0)] = 1.0
    """1: latencies are uniform; above: most are near the least, a tail reaches to the most."""
    slow: Share = 0.0
    """Have a link with four times the latency (virtual time)."""
    edges: Annotated[int, Field(ge=1, le=1000)] = 1
    """Servers that players connect to; all show one platform."""
    edge_restarts: Annotated[int, Field(ge=0, le=100)] = 0
    """How often an edge restarts and loses its connections."""
    lag: Annotated[float, Field(ge=0.0, le=3600.0)] = 0.0
    """Seconds that the last edge is behind the platform until the heal (virtual time)."""
    faults: tuple[Fault, ...] = ()
    """What happens to messages, until the heal."""
    healed: Annotated[int, Field(ge=0, le=99)] = 0
    """That many rounds at the end are left in peace; nothing at all is to be missing in the
    last."""

    # The report
    without_spread: bool = False
    """Whether the report's picture also shows the votes as they would come without a spread."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        low, high = self.latency_ms
        if low > high:
            raise ValueError(f"latency_ms is ({low}, {high}): the least comes first")
        beyond = [k for k in (*self.pulled, *self.taken_back, *self.replaced) if k > self.rounds]
        if beyond:
            raise ValueError(f"there is no round {max(beyond)}: the show has {self.rounds}")
        if self.healed >= self.rounds:
            raise ValueError(f"all {self.rounds} rounds are healed: let at least one be broken")
        if self.faults and not self.healed:
            raise ValueError(
                "what faults lose is lost for good without a heal: let at least one round be healed"
            )
        return self

    @classmethod
    def load(cls, name: str, **changed: Any) -> Self:
        """Read a preset by name, or a TOML file by path; `changed` fields are set on top.

        With other `rounds`, what was to happen in rounds beyond them is left out.

        Raises FileNotFoundError, OSError, ValueError (no TOML) or pydantic's ValidationError.
        """
        known = PRESETS / f"{name}.toml"
        path = known if known.is_file() and "/" not in name else Path(name)
        held = {"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8"))}
        rounds = changed.get("rounds")
        if isinstance(rounds, int) and rounds > 0:
            for kind in ("pulled", "taken_back", "replaced"):
                held[kind] = [k for k in held.get(kind, ()) if k <= rounds]
            held["healed"] = min(held.get("healed", 0), rounds - 1)
        return cls(**{**held, **changed})

    # Times

    @property
    def waiting_s(self) -> float:
        """The waiting phase of a round."""
        return self.waiting * self.round_time

    @property
    def playing_s(self) -> float:
        """How long a trivia is open."""
        return self.round_time - self.waiting_s

    @property
    def spread_s(self) -> float:
        """Over what the votes of a round are spread."""
        return 0.3 * self.round_time if self.spread is None else self.spread

    @property
    def reconnect_s(self) -> float:
        """The most that the first reconnect is delayed."""
        return 0.1 * self.round_time

    @property
    def reconnect_cap_s(self) -> float:
        """The most that any reconnect is delayed."""
        return max(1.0, self.reconnect_s)

    @property
    def latency_s_max(self) -> float:
        """The latency bound: the most of one way."""
        return self.latency_ms[1] * (LINK_SLOWER if self.slow else 1) / 1000.0

    @property
    def margin_s(self) -> float:
        """g: what a vote may take beyond its spread, at least twice the latency bound."""
        return max(0.1 * self.round_time, 2.0 * self.latency_s_max)

    @property
    def arrive_s(self) -> float:
        """How long those who are not late take to arrive."""
        return max(0.3, self.players / 400) if self.arrive is None else self.arrive

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """What the host does, from the beginning of round 1."""
        steps = [Step(0.0, "start", "event")]
        pages = -(-self.rounds // self.options_per_poll)
        copies = [0] * pages
        steps += [Step(0.0, "publish", "poll", page) for page in range(pages)]
        half_s, playing_s = self.waiting_s / 2, self.playing_s
        for k in range(1, self.rounds + 1):
            if k in self.replaced:
                page = (k - 1) // self.options_per_poll
                steps.append(Step(half_s, "revoke", "poll", page, copies[page]))
                copies[page] += 1
                steps.append(Step(0.0, "publish", "poll", page, copies[page]))
            steps.append(Step(self.waiting_s, "publish", "trivia", k))
            if k in self.pulled:
                steps.append(Step(playing_s / 2, "revoke", "trivia", k))
                steps.append(Step(self.waiting_s, "publish", "trivia", k))
            steps.append(Step(playing_s, "close", "trivia", k))
            if k in self.taken_back:
                steps.append(Step(half_s, "revoke", "trivia", k))
                steps.append(Step(self.waiting_s, "publish", "trivia", k))
                steps.append(Step(playing_s, "close", "trivia", k))
        return (*steps, Step(0.0, "stop", "event"))

    def counted_by(self, number: int) -> tuple[int, int, int]:
        """What counts a round: the page, which poll of that page (0: its first), the option.

        It is the last poll that came before the round's end.
        """
        size = self.options_per_poll
        page, option = divmod(number - 1, size)
        copy = sum((k - 1) // size == page and k <= number for k in set(self.replaced))
        return page, copy, option

    @cached_property
    def step_times(self) -> tuple[float, ...]:
        """When each step is due, seconds from the beginning of round 1."""
        at, times = 0.0, []
        for step in self.steps:
            at += step.after_s
            times.append(at)
        return tuple(times)

    @property
    def show_s(self) -> float:
        """All rounds together."""
        return self.step_times[-1]

    @cached_property
    def heal_s(self) -> float:
        """When faults end: so many rounds before the end as are to be `healed`."""
        if not self.healed:
            return self.show_s
        last = self.rounds - self.healed
        ends = zip(self.steps, self.step_times, strict=True)
        return max(at for step, at in ends if step[1:4] == ("close", "trivia", last))

    @property
    def gives_time(self) -> bool:
        """Whether a round is long enough for a vote to have to arrive in it."""
        return self.round_time > self.spread_s + self.margin_s

    def on_sockets(self) -> Self:
        """The same without what sockets have of their own: latency, and one server."""
        fields = type(self).model_fields
        return self.model_copy(update={name: fields[name].default for name in VIRTUAL_ONLY})

    @property
    def is_calm(self) -> bool:
        """Whether what the audience is shown must be exact (design section 6)."""
        crowd = (self.leave, self.drop, self.late, self.restart, self.reinstall, self.hostile)
        show = (self.pulled, self.taken_back, self.replaced)
        network = (self.edge_restarts, self.lag, self.faults, self.slow)
        undisturbed = not any((*crowd, *show, *network))
        on_its_way_s = max(1.0, 3.0 * self.latency_s_max + 0.5)  # hello, welcome, vote, results
        return undisturbed and self.waiting_s >= self.spread_s + on_its_way_s

    # The crowd

    def plans(self) -> list[Plan]:
        """What happens to each player."""
        return [self.plan(number) for number in range(self.players)]

    def plan(self, player: int) -> Plan:
        """What happens to one player."""
        quiet_at = self.heal_s
        if self._chosen("late", player):
            join_at = self._amid_a_phase(self._uniform("join", player, 0.0, quiet_at))
        elif self._chosen("rush", player):
            join_at = self._uniform("join", player, -min(RUSH_S, self.arrive_s), 0.0)
        else:
            join_at = self._uniform("join", player, -self.arrive_s, 0.0)
        here, leave_at = max(join_at, 0.0), None
        if self._chosen("leave", player):
            leave_at = self._uniform("leave at", player, max(here, self.round_time), quiet_at)
        gone = quiet_at if leave_at is None else leave_at
        cuts: tuple[float, ...] = ()
        if self._chosen("drop", player):
            names = ("drop at", *(f"drop {n} at" for n in range(1, self.drops)))
            cuts = tuple(sorted(self._uniform(name, player, here, gone) for name in names))
        restarts = tuple(
            sorted(
                Restart(self._uniform(f"{name} at", player, here, gone), name == "restart")
                for name in ("restart", "reinstall")
                if self._chosen(name, player)
            )
        )
        return Plan(
            player,
            join_at,
            leave_at,
            cuts,
            restarts,
            edge=int(draw(self.seed, "edge", player) * self.edges) if self.edges > 1 else 0,
            roams=self._chosen("roam", player),
            slow=self._chosen("slow", player),
            watches=self._chosen("watch", player),
        )

    def edge_after(self, plan: Plan, connects: int) -> int:
        """The edge that a player is on after so many connects."""
        return (plan.edge + (connects - 1 if plan.roams else 0)) % self.edges

    @cached_property
    def edge_failures(self) -> tuple[tuple[float, int], ...]:
        """When which edge restarts, before the heal."""
        return tuple(
            sorted(
                (
                    self._uniform("edge restart at", number, 0.0, self.heal_s),
                    int(draw(self.seed, "edge restart", number) * self.edges),
                )
                for number in range(self.edge_restarts)
            )
        )

    @property
    def reinstalls(self) -> int:
        """How many ids players have beyond their first."""
        return round(self.reinstall * self.players)

    @property
    def hostile_peers(self) -> int:
        """How many hostile peers there are, beside the players."""
        return math.ceil(self.hostile * self.players)

    def lag_of(self, edge: int) -> float:
        """How many seconds an edge is behind the platform, until the heal."""
        return self.lag if edge == self.edges - 1 else 0.0

    def _uniform(self, purpose: str, player: int, low: float, high: float) -> float:
        return low + draw(self.seed, purpose, player) * max(0.0, high - low)

    def _chosen(self, purpose: str, player: int) -> bool:
        """Choose an exact share: those whom a permutation of the players puts first."""
        share: float = getattr(self, purpose)
        if not share:
            return False
        factor, offset, first = self._orders[purpose]
        return (factor * player + offset) % self.players < first

    @cached_property
    def _orders(self) -> dict[str, tuple[int, int, int]]:
        """Purpose -> the permutation n -> factor n + offset, and how many of it are chosen."""
        orders: dict[str, tuple[int, int, int]] = {}
        purposes = "late", "rush", "leave", "drop", "roam", "restart", "reinstall", "watch", "slow"
        for purpose in purposes:
            factor = 1 + int(draw(self.seed, purpose, 0) * self.players)
            while math.gcd(factor, self.players) > 1:
                factor += 1
            offset = int(draw(self.seed, purpose, 1) * self.players)
            orders[purpose] = factor, offset, round(getattr(self, purpose) * self.players)
        return orders

    def _amid_a_phase(self, at: float) -> float:
        """Move a moment away from the ends of its phase, where it could fall on either side."""
        for start, end in pairwise(self.step_times):
            if start <= at < end:
                share = (at - start) / (end - start)
                return start + (end - start) * (0.2 + 0.6 * share)
        return at
