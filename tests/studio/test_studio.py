"""The whole studio on loopback: phone, autoplay, buttons, and what pages are told."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pydantic import ValidationError

from poll_counter import MisuseError, PollCounterError
from simulator.studio import crowd
from simulator.studio import studio as module
from simulator.studio.actions import ACTIONS, act
from simulator.studio.app import STATIC
from simulator.studio.frame import frame
from simulator.studio.sentences import sentence
from simulator.studio.stage import ROUNDS
from simulator.studio.studio import Studio
from tests.support.waiting import until


class Made:
    """A studio, as a page uses it."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    async def press(self, name: str, **body: Any) -> str:
        """Press a button; gives the sentence, of what is refused too."""
        try:
            return await act(self.studio, name, json.dumps(body).encode())
        except (PollCounterError, ValidationError) as error:
            return f"refused: {sentence(error)}"

    def tell(self) -> Any:
        """What a page is told now."""
        return json.loads(json.dumps(frame(self.studio, 1)))

    @property
    def screen(self) -> Any:
        """What the phone shows."""
        return self.tell()["phone"]

    async def counted(self, round_: int, players: int) -> None:
        """Wait until the phone counts so many in a round."""

        def is_so() -> bool:
            count = self.screen["count"]
            return count is not None and (count["round"], count["players"]) == (round_, players)

        await until(is_so, 0.01)


@pytest.fixture
async def made(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Made]:
    """A studio whose votes come at once, and whose clock autoplay does not look at."""
    monkeypatch.setattr(module, "TICK_S", 3600.0)
    monkeypatch.setattr(crowd, "JOINS_PER_S", 1e6)
    async with Studio() as studio:
        made = Made(studio)
        await made.press("settings", spread_s=0.0, sample_rate=1.0, trivia_s=10)
        yield made


async def test_a_show_by_hand(made: Made) -> None:
    """Everybody is counted, the phone among them, and every round that is over is right."""
    await made.press("add", players=9)
    await until(lambda: made.tell()["truth"]["connected"] == 10)
    for name in ("start", "publish_poll"):
        await made.press(name)
    for number in (1, 2):
        await made.counted(number, 10)
        await made.press("publish_trivia")
        await made.press("close_trivia")
    await made.counted(3, 10)
    await made.press("stop")
    await until(lambda: made.screen["state"] == "finished")
    told = made.tell()
    assert told["event"]["state"] == "finished"
    assert told["host"]["next"] is None
    rows = [(r["round"], r["may"], r["players"], r["off_by"]) for r in told["truth"]["rounds"]]
    assert rows == [(1, 10, 10, 0), (2, 10, 10, 0), (3, 10, 10, 0)]
    assert told["truth"]["votes"] == 30
    assert set(told["truth"]["freshness_ms"]) == {"p50", "p99"}


async def test_the_phone_shows_the_trivia_and_never_the_hidden_poll(made: Made) -> None:
    """Of an open poll and an open trivia, the trivia alone, with the seconds that are left."""
    assert (made.screen["round"], made.screen["count"], made.screen["trivia"]) == (1, None, None)
    await made.press("start")
    await made.press("publish_poll")
    await made.counted(1, 1)
    assert (made.screen["state"], made.screen["trivia"]) == ("waiting", None)
    await made.press("publish_trivia")
    await until(lambda: made.screen["trivia"], 0.01)
    trivia = made.screen["trivia"]
    assert (trivia["question"], len(trivia["options"])) == ("Which planet has the shortest day?", 3)
    assert 0.0 < trivia["left_s"] <= trivia["of_s"] == 10.0
    await made.press("close_trivia")
    await until(lambda: made.screen["trivia"] is None, 0.01)
    assert made.screen["round"] == 2


async def test_the_host_sees_how_the_poll_was_made(made: Made) -> None:
    """And what the check says of it; settings that come later are those of the next."""
    assert made.tell()["host"]["poll"] is None
    assert made.tell()["host"]["findings"][0]["severity"] == "error"
    await made.press("start")
    await made.press("publish_poll")
    await made.press("settings", spread_s=5.0, sample_rate=0.5, trivia_s=20)
    host = made.tell()["host"]
    assert host["poll"] == {
        "state": "opened",
        "options": 10,
        "spread_s": 0.0,
        "sample_rate": 1.0,
        "votes_per_user": 10,
        "votes_per_option": 1,
        "reveal": "vote",
    }
    assert host["findings"] == []
    assert host["settings"] == {"spread_s": 5.0, "sample_rate": 0.5, "trivia_s": 20}
    await made.press("revoke_poll")
    assert made.tell()["host"]["poll"]["state"] == "revoked"


async def test_what_is_refused_is_said_in_a_sentence(made: Made) -> None:
    """Whether the platform refuses it, the studio, or the model of what a button sends."""
    assert await made.press("publish_poll") == (
        "refused: The platform refused (422): can't publish unless the event is active."
    )
    assert (await made.press("close_trivia")).startswith("refused: No trivia is open.")
    assert await made.press("add", players=0) == (
        "refused: Players cannot be '0': Input should be greater than or equal to 1."
    )
    assert (await made.press("start", now=True)).startswith("refused: Now cannot be 'True':")
    assert (await made.press("settings", spread_s=-1)).startswith("refused: Spread_s cannot be")
    assert (await made.press("drop", share=0.3)).startswith("refused: No player of this process")
    with pytest.raises(ValidationError) as broken:
        await act(made.studio, "start", b"{")
    assert sentence(broken.value).startswith("What was sent cannot be")


async def test_trouble_can_be_made(made: Made) -> None:
    """Late players, slow links and hostile peers are told to the page."""
    await made.press("add", players=3)
    await made.press("add_late", players=2)
    await made.press("slow", on=True)
    await made.press("hostile", peers=2)
    told = made.tell()["crowd"]
    assert (told["players"], told["waits"], told["slow"], told["hostile"]) == (3, 2, True, 2)
    await made.press("start")
    await made.press("publish_poll")
    await made.press("publish_trivia")
    assert made.tell()["crowd"]["players"] == 5
    await made.press("remove", players=1)
    assert made.tell()["crowd"]["players"] == 4
    await made.press("revoke_trivia")
    assert made.tell()["host"]["open_trivia"] is None


async def test_a_new_show_takes_phone_and_crowd_along(made: Made) -> None:
    """They are connected to its event."""
    await made.press("add", players=2)
    await until(lambda: made.tell()["truth"]["connected"] == 3)
    first = made.tell()["event"]["id"]
    await made.press("new_show")
    assert made.tell()["event"]["id"] != first
    await until(lambda: made.tell()["truth"]["connected"] == 3)
    assert made.tell()["truth"]["rounds"] == []
    assert made.screen["round"] == 1


async def test_autoplay_runs_a_whole_show(made: Made) -> None:
    """Step by step, each when it is due, to its end; then it is off, and plays another if told."""
    studio = made.studio
    await made.press("autoplay", on=True)
    now, steps = studio.now, list[object]()
    while studio.autoplay and len(steps) < 4 * ROUNDS:
        step = studio.stage.next_step
        await studio.go_on(now)
        await studio.go_on(now + 0.9)  # nothing is due before a second has passed
        assert studio.stage.next_step == step
        if step == "close_trivia":
            await made.press("close_trivia")  # as it closes by itself
        else:
            await studio.go_on(now + 2.0)
        steps.append(step)
    rounds = ["publish_trivia", "close_trivia"] * ROUNDS
    assert steps == ["start", "publish_poll", *rounds, "stop", None]
    assert not made.tell()["host"]["autoplay"]
    await made.press("autoplay", on=True)
    assert (studio.stage.shows, studio.stage.next_step) == (2, "start")
    await made.press("autoplay", on=False)
    assert not studio.autoplay


async def test_autoplay_gives_votes_their_time(made: Made) -> None:
    """A round waits for the spread of its poll, and two seconds."""
    studio = made.studio
    await made.press("settings", spread_s=7.0, sample_rate=1.0, trivia_s=10)
    await made.press("start")
    await made.press("publish_poll")
    await made.press("autoplay", on=True)
    now, steps = studio.now, list[object]()
    for after_s in (0.0, 8.9, 9.1):
        await studio.go_on(now + after_s)
        steps.append(studio.stage.next_step)
    assert steps == ["publish_trivia", "publish_trivia", "close_trivia"]


async def test_autoplay_that_fails_says_so(made: Made) -> None:
    """And waits for the host; who starts it again wants to hear no more of it."""
    studio = made.studio
    await made.press("autoplay", on=True)
    now = studio.now
    await studio.go_on(now)
    await studio.stage._api.aclose()  # the platform cannot be asked any more
    await studio.go_on(now + 5.0)
    assert not studio.autoplay
    assert made.tell()["host"]["trouble"].startswith("Autoplay broke off. ")
    await made.press("autoplay", on=True)
    assert made.tell()["host"]["trouble"] == ""


async def test_the_clock_drives_autoplay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to press anything else."""
    for name in ("TICK_S", "STEP_S"):
        monkeypatch.setattr(module, name, 0.01)
    async with Studio() as studio:
        await act(studio, "autoplay", b'{"on": true}')
        await until(lambda: studio.stage.next_step == "publish_trivia", 0.01)


def test_every_button_of_the_page_is_an_action() -> None:
    """And every action has its button."""
    text = (STATIC / "index.html").read_text() + (STATIC / "crowd.js").read_text()
    text += (STATIC / "host.js").read_text()
    missing = [name for name in ACTIONS if f'"{name}"' not in text]
    assert missing == []


async def test_a_crowd_from_elsewhere_finds_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the system allows; a small studio runs where it does not."""
    asked = list[int]()

    def refuse(connections: int) -> None:
        asked.append(connections)
        raise MisuseError("more than this machine allows")

    monkeypatch.setattr(module, "allow_descriptors", refuse)
    async with Studio() as studio:
        assert studio.stage.event.state == "upcoming"
    assert asked == [module.VISITORS]
