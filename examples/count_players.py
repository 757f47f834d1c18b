"""Count the players of every round. Here the show is rehearsed; yours has a wss:// address."""

import asyncio

from own_transport import Rehearsal

from poll_counter import MEMORY, PollCounter


async def main() -> None:
    rehearsal = Rehearsal()  # instead of this, pass PollCounter("wss://...", ...) an address,
    # and for the journal a file that outlives the app: journal="player.json"
    async with PollCounter(transport=rehearsal, event_id="show", journal=MEMORY) as counter:
        async for count in counter:  # whenever the number or the round changes
            if count.players:  # None: nothing to tell
                print(f"{count.players} players are in round {count.round}")


asyncio.run(main())
