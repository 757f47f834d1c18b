"""What Locust's worker does: it follows, with a part of the crowd in a child process."""

from __future__ import annotations

import time
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import LocalRunner, WorkerRunner

from poll_counter import MisuseError
from simulator.serve import check_host

from .child import Child
from .messages import TO_FOLLOWERS, TO_LEADER, RefusedError, fire, pack, unpack
from .words import Come, Here, Lost, Samples, Seats, Word

__all__ = ["Worker"]

SEATS_S = 0.1
"""How often it is told how many users were started."""


class Worker:
    """What a worker does: it has the players whom its users invite.

    Args:
        environment: Locust's.
        transport: what makes a player's transport, as `module:name`.
    """

    def __init__(self, environment: Environment, transport: str) -> None:
        self._environment = environment
        self._transport = transport
        self._guests: Child | None = None
        self._seats = 0
        # As it was said on this machine: where its crowd may go is not for the master to say.
        options: Any = environment.parsed_options
        self._allowed = tuple(options.allow_host)
        self.runner.register_message(TO_FOLLOWERS, self._on_message)
        gevent.spawn(self._keep_counting)

    @property
    def runner(self) -> WorkerRunner | LocalRunner:
        """Locust's runner."""
        runner = self._environment.runner
        assert isinstance(runner, WorkerRunner | LocalRunner)
        return runner

    def start(self) -> None:
        """A test starts: say hello to the leader."""
        self._seats = 0
        self._say(Here(at=time.time()))

    def take_seat(self) -> None:
        """A user was started, and invites a player."""
        self._seats += 1

    def stop(self) -> None:
        """The test is over, or was stopped."""
        if self._guests is not None:
            self._guests.end()
            self._guests = None

    def _keep_counting(self) -> None:
        while True:
            gevent.sleep(SEATS_S)
            if self._seats:
                more, self._seats = self._seats, 0
                self._say(Seats(more=more))

    def _on_message(self, msg: Any, **_: Any) -> None:
        word = unpack(msg)
        if isinstance(word, Come):
            self._come(word)
        elif self._guests is not None and word is not None:
            self._guests.tell(word)

    def _come(self, come: Come) -> None:
        try:
            check_host(come.url, self._allowed)
        except MisuseError as error:
            self._say(Lost(why=str(error)))
            return
        self._guests = Child(
            "simulator.load.guests",
            [self._transport],
            take=self._pass_on,
            gone=lambda how: self._say(Lost(why=how)),
        )
        self._guests.tell(come)

    def _pass_on(self, word: Word) -> None:
        if isinstance(word, Samples):
            for name, ms, error in word.samples:
                refused = RefusedError(error) if error else None
                fire(self._environment, "live channel", name, ms, refused)
        else:
            self._say(word)

    def _say(self, word: Word) -> None:
        self.runner.send_message(TO_LEADER, pack(word))
