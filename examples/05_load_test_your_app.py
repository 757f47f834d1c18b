"""Put a crowd beside your own app, and see whether it counts right when it matters.

The platform and the crowd are a process of their own, so that your app has its own loop.
"""

import asyncio
import json
import subprocess
import sys

from poll_counter import MEMORY, PollCounter, State

CROWD, ROUNDS = 100, 3
SERVE = ["serve", "--json", "--players", str(CROWD), "--rounds", str(ROUNDS), "--round-time", "3"]


async def your_app(url: str, event: str, on_air: asyncio.Event) -> dict[int, int | None]:
    """Stands for your app: it counts a show to its end."""

    def look(state: State) -> None:
        if state is not State.OFFLINE:
            on_air.set()

    async with PollCounter(url, event_id=event, journal=MEMORY, on_state=look) as counter:
        async for _ in counter:
            pass
        assert counter.stats().votes_accepted >= ROUNDS  # after the last trivia a round begins, too
        return {k: count.players for k, count in counter.history.items() if k <= ROUNDS}


async def main() -> None:
    simulator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator", *SERVE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert simulator.stdin is not None
    assert simulator.stdout is not None
    ready = json.loads(await simulator.stdout.readline())

    on_air = asyncio.Event()
    app = asyncio.create_task(your_app(ready["live_url"], ready["event_id"], on_air))
    await on_air.wait()
    simulator.stdin.write(b"\n")  # Enter: the show begins
    for number, players in (await app).items():
        print(f"round {number}: {players} players, {CROWD} of the crowd and your app")
    simulator.terminate()
    await simulator.wait()


asyncio.run(main())
