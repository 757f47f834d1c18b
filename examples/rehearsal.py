"""A platform in memory, which plays a show of three rounds: what the first examples count."""

import asyncio
from collections.abc import AsyncGenerator

from poll_counter import CastVote, Element, facts

FIELDS = {"poll_counter": 1, "poll_counter_spread_s": 0}  # the mark of the hidden poll
POLL = Element("poll", "poll", "opened", 0.0, options=("1", "2", "3"), custom_fields=FIELDS)


class Rehearsal:
    """A transport that needs no network; there are 41, 38 and 40 other players."""

    acknowledges = False  # it does not say whether a vote counts, so none is ever repeated

    def __init__(self) -> None:
        self.votes, self.voted = [0, 0, 0], asyncio.Event()

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[facts.Fact, None]:
        yield facts.Welcomed("active", (POLL,))
        for option, others in enumerate((41, 38, 40)):
            self.votes[option] += others
            await self.voted.wait()  # the counter has seen the round, and votes for it
            self.voted.clear()
            yield facts.ResultsTold("poll", tuple(self.votes))
            yield facts.ElementPublished(Element(f"trivia {option + 1}", "trivia", "opened", 1.0))
            await asyncio.sleep(0.01)  # a short trivia
            yield facts.ElementStateChanged(f"trivia {option + 1}", "closed")
        yield facts.EventStateChanged("finished")
        yield facts.ResultsTold("poll", tuple(self.votes), final=True)

    async def send(self, vote: CastVote) -> None:
        self.votes[vote.option] += 1
        self.voted.set()
