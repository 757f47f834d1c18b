"""Counts a show of two rounds by way of Node.js, with nothing of the repository but the library.

`python tests/support/wheel_bridge.py FOLDER`, in an environment that has the wheel alone: that the
JavaScript is in it, and found. FOLDER has a `node_modules` with the package `ws`.
"""

import asyncio
import sys
from pathlib import Path

from poll_counter import MEMORY, ContentType, PollCounter, Recognise
from poll_counter.bridge import BridgeTransport, NodeHost

SDK = """
const event = { id: "show", name: "", state: "active", fields: {} };
const poll = { id: "poll", contentType: "poll", state: "opened", results: null };
poll.answerOptions = [{ text: "1" }, { text: "2" }];
const votes = [{ votes: 41 }, { votes: 38 }];
const callbacks = {};
const on = (what) => (subject, callback) => void (callbacks[what + (subject.id ?? "")] = callback);
export const configure = () => {};
export const getEvent = async () => event;
export const getElements = async () => [poll];
export const onEventState = on("state");
export const onEventUpdated = on("updated");
export const onElementPublished = on("published");
export const onElementRevoked = on("revoked");
export const onElementStateChanged = on("state ");
export const onElementResults = on("results ");
export function answer(element, option) {
  votes[option].votes += 1;
  poll.results = votes;
  setTimeout(() => {
    const trivia = { id: `trivia ${option}`, type: "trivia", state: "opened", results: null };
    callbacks["results poll"]();
    callbacks["publishedshow"](trivia);
    trivia.state = "closed";
    callbacks[`state ${trivia.id}`]();
    if (option === 0) return;
    event.state = "finished";
    callbacks["stateshow"]();
    poll.state = "closed";
    callbacks["state poll"]();
    callbacks["results poll"]();
  });
}
"""


async def main(folder: Path) -> None:
    """Play the show, and hold how many players each round had against what the SDK says."""
    folder.joinpath("sdk.mjs").write_text(SDK, encoding="utf-8")
    transport = BridgeTransport(NodeHost(folder, ["./sdk.mjs"], {"host": "nowhere"}))
    recognise = Recognise(hidden_poll=ContentType("poll"))
    async with (
        asyncio.timeout(60),
        PollCounter(
            transport=transport, event_id="show", journal=MEMORY, recognise=recognise, spread_s=0.0
        ) as counter,
    ):
        async for _ in counter:
            pass
    assert not transport.problems, transport.problems
    assert [count.players for count in counter.history.values()] == [42, 39]


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
