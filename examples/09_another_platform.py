"""Write a transport for another platform: its words become facts, votes become its words."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import closing

from quiz_wire import Message, as_line, messages, quiz_server

from poll_counter import MEMORY, CastVote, Element, PollCounter, facts
from poll_counter.transport import backoff_s


def as_element(item: Message) -> Element:
    state, options, fields = item["state"], tuple(item["choices"]), item["tags"]
    return Element(item["id"], item["kind"], state, 0.0, options=options, custom_fields=fields)


def as_fact(message: Message) -> facts.Fact:
    match message:
        case {"say": "now", "items": items}:  # a snapshot, on every connect
            return facts.Welcomed("active", tuple(as_element(item) for item in items))
        case {"say": "item", "item": item}:  # new, or shut
            return facts.ElementPublished(as_element(item))
        case {"say": "score", "id": id_, "votes": votes, "last": last}:
            return facts.ResultsTold(id_, tuple(votes), final=last)
        case {"say": "over"}:
            return facts.EventStateChanged("finished")
    return facts.FrameSkipped("unknown")  # counted in stats().skipped


class TcpLines:
    acknowledges = False  # it answers no vote, so none is ever sent twice

    def __init__(self, port: int) -> None:
        self.port = port

    async def facts(self, event_id: str, player_id: str) -> AsyncGenerator[facts.Fact, None]:
        while True:  # connect, and reconnect for ever
            reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            with closing(self.writer):
                self.writer.write(as_line(join=event_id, who=player_id))
                async for message in messages(reader):
                    yield as_fact(message)
            yield facts.Disconnected()
            await asyncio.sleep(backoff_s(0, first_s=0.1, cap_s=20.0))

    async def send(self, vote: CastVote) -> None:
        self.writer.write(as_line(pick=vote.option))


async def main() -> None:
    async with quiz_server() as port:
        counter = PollCounter(transport=TcpLines(port), event_id="quiz", journal=MEMORY)
        async with counter:
            _ = [count async for count in counter]  # to the end of the show
    print([count.players for count in counter.history.values()], counter.stats().skipped)


asyncio.run(main())
