"""Test your own app against a platform and a clock in memory: no network, no waiting.

The tests at the end are pytest's; run as a script, they are called one after the other.
"""

import asyncio

from poll_counter import PollCounter, State
from poll_counter.testing import FakePlatform


def headline(counter: PollCounter) -> str:
    """Your app: what it writes above the question."""
    count = counter.latest
    if counter.state is State.OFFLINE:
        return "connecting..."
    if count is None or not count.players:  # None: nothing is known; 0: nobody has voted yet
        return "get ready!"
    return "1 player is in" if count.players == 1 else f"{count.players:,} players are in"


async def test_the_headline_tells_the_players(fake_platform: FakePlatform) -> None:
    async with fake_platform.counter() as counter:
        await fake_platform.start()
        assert headline(counter) == "get ready!"
        await fake_platform.join(12_430)  # others, who vote in every round
        await fake_platform.clock.advance(3.0)  # the spread of our own vote
        assert headline(counter) == "12,431 players are in"


async def test_a_lost_connection_is_no_lost_vote(fake_platform: FakePlatform) -> None:
    async with fake_platform.counter() as counter:
        await fake_platform.start()
        await fake_platform.disconnect()
        await fake_platform.clock.advance(3.0)
        assert headline(counter) == "connecting..."
        await fake_platform.reconnect()
        assert headline(counter) == "1 player is in"
        assert counter.stats().votes_accepted == 1


async def test_who_comes_late_sees_the_count_of_the_others(fake_platform: FakePlatform) -> None:
    await fake_platform.start()
    await fake_platform.join(7)
    await fake_platform.publish_trivia()
    async with fake_platform.counter() as counter:
        await fake_platform.clock.advance(3.0)
        assert headline(counter) == "7 players are in"
        assert counter.stats().votes_due == 0  # counted from the next round on


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            asyncio.run(test(FakePlatform()))
            print(name.removeprefix("test_").replace("_", " "), "- passed")
