"""Another platform: a quiz server that speaks lines of JSON over TCP, in words of its own."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

TAGS = {"poll_counter": 1, "poll_counter_spread_s": 0}
POLL = {"id": "p", "kind": "poll", "state": "opened", "choices": ["1", "2"], "tags": TAGS}


Message = dict[str, Any]


async def messages(reader: asyncio.StreamReader) -> AsyncGenerator[Message, None]:
    """Read messages until the connection ends."""
    async for line in reader:
        yield json.loads(line)


def as_line(**message: object) -> bytes:
    """Write a message as its peers read it."""
    return json.dumps(message).encode() + b"\n"


class QuizWire:
    """A show of two rounds, with 41 and 38 other players; the connection breaks amid the first."""

    def __init__(self) -> None:
        self.votes, self.items = [41, 38], list[Message]([POLL])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play one round on each connection, then close it."""
        await reader.readline()  # {"join": ..., "who": ...}
        writer.write(as_line(say="now", items=self.items))
        vote = json.loads(await reader.readline())  # {"pick": ...}
        self.votes[vote["pick"]] += 1
        question = {**POLL, "id": f"question {len(self.items)}", "kind": "trivia", "tags": {}}
        writer.write(as_line(say="item", item=question))
        writer.write(as_line(say="score", id="p", votes=self.votes, last=False))
        writer.write(as_line(say="weather", sunny=True))  # platforms say all kinds of things
        self.items.append({**question, "state": "closed"})
        if len(self.items) > 2:
            writer.write(as_line(say="item", item=self.items[-1]))
            writer.write(as_line(say="over"))
            writer.write(as_line(say="score", id="p", votes=self.votes, last=True))
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def quiz_server() -> AsyncGenerator[int, None]:
    """Serve the show on loopback; gives the port."""
    async with await asyncio.start_server(QuizWire().serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
