"""Keep the hidden poll off the screen: an app shows the elements that are not hidden."""

import asyncio

from rehearsal import Rehearsal

from poll_counter import MEMORY, PollCounter, State


async def main() -> None:
    def show(state: State) -> None:
        every = [element.id for element in counter.elements]
        shown = [element.id for element in counter.elements if not counter.is_hidden(element)]
        print(f"{state.value}: of {every} the screen shows {shown}")

    counter = PollCounter(transport=Rehearsal(), event_id="show", journal=MEMORY, on_state=show)
    async with counter:
        async for _ in counter:
            pass


asyncio.run(main())
