"""Count the players of every round: of a rehearsed show, or of a real one.

python 01_first_count.py                       a rehearsal in memory
python 01_first_count.py ws://... EVENT        a platform that is up
"""

import asyncio
import sys

from rehearsal import Rehearsal

from poll_counter import MEMORY, PollCounter


def make_counter(address: list[str]) -> PollCounter:
    if not address:
        return PollCounter(transport=Rehearsal(), event_id="show", journal=MEMORY)
    url, event = address
    return PollCounter(url, event_id=event, journal="player.json")


async def main() -> None:
    async with make_counter(sys.argv[1:]) as counter:
        async for count in counter:  # whenever the number or the round changes
            if count.players:  # None: nothing to tell
                print(f"{count.players} players are in round {count.round}")


asyncio.run(main())
