"""What Locust's master does: it leads a show, with the platform in a child process."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

from locust.env import Environment
from locust.runners import STATE_MISSING, LocalRunner, MasterRunner

from poll_counter import MisuseError

from .child import Child
from .leader import Leader
from .messages import TO_FOLLOWERS, TO_LEADER, CheckError, fire, pack, unpack
from .options import read_scenario, replay_line
from .words import Failure, Lost, Prepare, Verdict, Word

__all__ = ["Master"]

logger = logging.getLogger(__name__)

PATIENCE_S = 15.0
"""After how long a worker is lost. Locust calls it missing after three seconds without a
heartbeat, which a machine that is busy with connections may take, and then has it back."""


class Master:
    """What the master does: it leads a show, from the start of a test to its verdict.

    Args:
        environment: Locust's.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._options: Any = environment.parsed_options
        self._leader: Leader | None = None
        self._stage: Child | None = None
        self._unplayable: Verdict | None = None
        self._last_here: dict[str, float] = {}
        self._concluded = False
        read_scenario(self._options)  # who has it wrong learns it before the test
        self.runner.register_message(TO_LEADER, self._on_message)
        logging.getLogger("locust.runners").addFilter(_is_for_us)

    @property
    def runner(self) -> MasterRunner | LocalRunner:
        """Locust's runner."""
        runner = self._environment.runner
        assert isinstance(runner, MasterRunner | LocalRunner)
        return runner

    def start(self) -> None:
        """A test starts: set the stage."""
        options = self._options
        self._unplayable, self._concluded = None, False
        self._environment.process_exit_code = None
        try:
            scenario = read_scenario(options)
        except MisuseError as error:  # it was said on Locust's page
            failure = Failure(rule="the show can be played", text=str(error))
            self._unplayable = Verdict(text=str(error), failures=(failure,))
            return
        expected = self.runner.worker_count
        leader = Leader(scenario, expected, self._tell_follower, self._tell_stage)
        self._leader = leader
        self._stage = Child(
            "simulator.load.stage",
            [],
            take=lambda word: leader.staged(word, time.monotonic()),
            gone=lambda how: leader.staged(Lost(why=how), time.monotonic()),
        )
        prepare = Prepare(scenario=scenario, listen=options.listen, replay=replay_line(options))
        self._stage.tell(prepare)

    def due(self) -> int | None:
        """How many users there are to be; None: the show is over, or cannot go on."""
        leader, verdict = self._leader, self._unplayable
        if leader is not None:
            for name in self._gone(leader):
                leader.lost(name, "Locust has lost this worker")
            verdict = leader.verdict
        if verdict is not None:
            self._conclude(verdict)
            return None
        return 0 if leader is None else leader.due(time.monotonic())

    def stop(self) -> None:
        """The test is over, or was stopped."""
        if self._stage is not None:
            self._stage.end()
            self._stage = None
        if self._leader is not None and not self._concluded:
            self._environment.process_exit_code = 1
            logger.error("the show was broken off: nothing can be said of its counts")
        self._leader = None

    def _conclude(self, verdict: Verdict) -> None:
        """Tell people and Locust what the checks say."""
        options = self._options
        self._concluded = True
        self._environment.process_exit_code = 1 if verdict.failures else 0
        print(verdict.text, file=sys.stderr if options.json else sys.stdout, flush=True)
        if options.report is not None and verdict.page:
            try:
                Path(options.report).write_text(verdict.page, encoding="utf-8")
            except OSError as error:
                self._environment.process_exit_code = 2
                logger.error("the report cannot be written: %s", error)  # noqa: TRY400 - not ours
        for failure in verdict.failures:
            fire(self._environment, "check", failure.rule, 0.0, CheckError(failure.text))
        if not verdict.failures:
            fire(self._environment, "check", "every round is counted right", 0.0)

    def _gone(self, leader: Leader) -> list[str]:
        """The names of the followers that Locust does not hear of any more."""
        if isinstance(self.runner, LocalRunner):
            return []
        now, clients = time.monotonic(), self.runner.clients
        for name in leader.followers:
            node = clients.get(name)
            if node is not None and node.state != STATE_MISSING:
                self._last_here[name] = now
        since = now - PATIENCE_S
        return [n for n in leader.followers if self._last_here.setdefault(n, now) < since]

    def _on_message(self, msg: Any, **_: Any) -> None:
        word = unpack(msg)
        if self._leader is not None and word is not None:
            self._leader.heard(msg.node_id, word, time.monotonic(), time.time())

    def _tell_follower(self, name: str, word: Word) -> None:
        self.runner.send_message(TO_FOLLOWERS, pack(word), name)

    def _tell_stage(self, word: Word) -> None:
        if self._stage is not None:
            self._stage.tell(word)


def _is_for_us(record: logging.LogRecord) -> bool:
    """Tell whether a line of Locust's log is: starting users that only wait is no work."""
    return not str(record.msg).startswith("Your selected spawn rate is very high")
