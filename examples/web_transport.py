"""Another platform: a web backend with votes by POST and the show by server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import httpx
from web_backend import Backend

from poll_counter import MEMORY, CastVote, Element, PollCounter, facts
from poll_counter.transport import backoff_s


class WebTransport:
    acknowledges = True  # a POST is answered, and a second vote of a player refused

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=10.0)
        self._told: asyncio.Queue[facts.Fact] = asyncio.Queue()
        self._player = ""

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[facts.Fact, None]:
        self._player = player_id
        listening = asyncio.create_task(self._listen(event_id))
        try:
            while True:
                yield await self._told.get()  # from the stream, or an answer to a vote
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await self._client.aclose()

    async def send(self, vote: CastVote) -> None:
        ballot = {"player": self._player, "poll": vote.poll_id, "option": vote.option}
        status = (await self._client.post("/votes", json=ballot)).status_code
        if status == httpx.codes.OK:
            self._told.put_nowait(facts.AnswerAccepted(vote.poll_id, vote.option))
        elif status == httpx.codes.CONFLICT:
            self._told.put_nowait(facts.AnswerRefused(vote.poll_id, vote.option, "already_voted"))
        else:  # it is not well: the vote is repeated later
            self._told.put_nowait(facts.AnswerRefused(vote.poll_id, vote.option, "busy"))

    async def _listen(self, event_id: str) -> None:
        for attempt in range(1_000_000):
            with suppress(httpx.HTTPError):  # a lost connection is nothing: there is the next one
                async with self._client.stream("GET", f"/shows/{event_id}") as response:
                    async for line in response.aiter_lines():
                        if line.startswith("data: "):
                            self._told.put_nowait(as_fact(json.loads(line.removeprefix("data: "))))
            self._told.put_nowait(facts.Disconnected())
            await asyncio.sleep(backoff_s(min(attempt, 5), first_s=0.1, cap_s=20.0))


def as_fact(told: dict[str, Any]) -> facts.Fact:
    match told["news"]:
        case "show":
            return facts.Welcomed("active", tuple(map(as_element, told["elements"])))
        case "element":
            return facts.ElementPublished(as_element(told["element"]))
        case "tallies":
            return facts.ResultsTold(told["id"], tuple(told["votes"]), final=told["final"])
        case _:
            return facts.EventStateChanged("finished")


def as_element(told: dict[str, Any]) -> Element:
    fields = {"poll_counter": 1, "poll_counter_spread_s": 0.2} if "hidden" in told else {}
    kind, state, options = told["kind"], told["state"], tuple(told["options"])
    return Element(
        told["id"], kind, state, 0.0, options=options, custom_fields=fields, max_votes_per_option=1
    )


async def count(url: str) -> list[int | None]:
    transport = WebTransport(url)
    async with PollCounter(transport=transport, event_id="show", journal=MEMORY) as counter:
        async for _ in counter:
            pass
        return [each.players for each in counter.history.values()]


async def main() -> None:
    with Backend(players=5) as backend:  # which hangs up on everybody after every round
        show = asyncio.gather(*map(asyncio.to_thread, (backend.serve_forever, backend.play)))
        counts = await asyncio.gather(*(count(backend.url) for _ in range(5)))
        backend.shutdown()
        await show
    print(*counts, sep="\n")


if __name__ == "__main__":
    asyncio.run(main())
