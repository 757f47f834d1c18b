"""A plain web backend for `web_transport.py`: votes by POST, the show by server-sent events."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Condition
from typing import Any

POLL = {"id": "poll", "kind": "poll", "state": "opened", "options": ["1", "2", "3"], "hidden": True}


class Backend(ThreadingHTTPServer):
    def __init__(self, players: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.players, self.elements = players, {"poll": POLL}
        self.votes: list[set[str]] = [set(), set(), set()]
        self.streams: list[SimpleQueue[dict[str, Any] | None]] = []
        self.changed = Condition()

    def vote(self, player: str, option: int) -> bool:
        """Count a vote; False for a second one."""
        with self.changed:
            new = player not in self.votes[option]
            self.votes[option].add(player)
            self.tell(self.tallies())
        return new

    def tallies(self, *, final: bool = False) -> dict[str, Any]:
        votes = [len(each) for each in self.votes]
        return {"news": "tallies", "id": "poll", "votes": votes, "final": final}

    def listen(self) -> SimpleQueue[dict[str, Any] | None]:
        """A stream of news, the show as it is first; None hangs up."""
        stream: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        with self.changed:
            stream.put({"news": "show", "elements": list(self.elements.values())})
            stream.put(self.tallies())
            self.streams.append(stream)
            self.changed.notify_all()
        return stream

    def tell(self, *news: dict[str, Any] | None) -> None:
        for stream in self.streams:
            for each in news:
                stream.put(each)
        self.changed.notify_all()

    def change(self, element: dict[str, Any], state: str) -> None:
        self.elements[element["id"]] = {**element, "state": state}
        self.tell({"news": "element", "element": self.elements[element["id"]]})

    def play(self) -> None:
        """Play three rounds; each waits for all players, and then loses their connections."""
        with self.changed:
            for number, votes in enumerate(self.votes, start=1):
                self.wait(lambda: len(self.streams) == self.players)
                self.wait(lambda votes=votes: len(votes) == self.players)
                question = {"id": f"trivia {number}", "kind": "trivia", "options": ["yes", "no"]}
                self.change(question, "opened")
                self.change(question, "closed")
                self.tell(None)  # hang up on everybody
                self.streams.clear()
            self.wait(lambda: len(self.streams) == self.players)
            self.tell({"news": "over"}, self.tallies(final=True), None)

    def wait(self, condition: Callable[[], bool]) -> None:
        if not self.changed.wait_for(condition, timeout=20):
            raise TimeoutError("a player is missing")


class Handler(BaseHTTPRequestHandler):
    server: Backend  # pyright: ignore[reportIncompatibleVariableOverride] - ours alone

    def do_POST(self) -> None:
        vote = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200 if self.server.vote(vote["player"], vote["option"]) else 409)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for news in iter(self.server.listen().get, None):
            self.wfile.write(f"data: {json.dumps(news)}\n\n".encode())

    def log_message(self, *_: object, **__: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    with Backend(players=2) as backend:
        print(backend.vote("ann", 0), backend.vote("bob", 0), backend.vote("ann", 0))
        print(backend.tallies()["votes"])
