"""The journal: who the player is and what was voted, over restarts and broken files."""

from __future__ import annotations

import json
import logging
import os
import string
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from poll_counter.commands import Remember, RememberRate
from poll_counter.errors import JournalError
from poll_counter.journal import MEMORY, FileJournal, Journal, MemoryJournal, open_journal

CAST, ACCEPTED = Remember("P", 3), Remember("P", 3, answered=True)
RATE = RememberRate("P", 0.1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal is to be; nothing is there yet."""
    return tmp_path / "player.json"


@pytest.fixture(params=["memory", "file"])
def journal(request: pytest.FixtureRequest, path: Path) -> Journal:
    """A journal of each kind."""
    return MemoryJournal() if request.param == "memory" else FileJournal(path)


def aside(path: Path) -> list[Path]:
    """The files beside a journal."""
    return sorted(set(path.parent.iterdir()) - {path})


# Both kinds


def test_id_is_128_random_bits(journal: Journal) -> None:
    """The player's id is 32 hex digits."""
    assert len(journal.player_id) == 32
    assert set(journal.player_id) <= set(string.hexdigits.lower())


def test_ids_differ(tmp_path: Path) -> None:
    """Two journals are two players."""
    files = [FileJournal(tmp_path / name) for name in "ab"]
    made: list[Journal] = [MemoryJournal(), MemoryJournal(), *files]
    assert len({journal.player_id for journal in made}) == 4


def test_nothing_is_remembered_at_first(journal: Journal) -> None:
    """A new journal recalls nothing."""
    assert journal.recall("show") == ()


def test_votes_are_recalled(journal: Journal) -> None:
    """What was remembered is recalled, poll by poll and option by option."""
    votes = [CAST, Remember("P", 4), Remember("Q", 3, answered=True)]
    for vote in votes:
        journal.remember("show", vote)
    assert sorted(journal.recall("show"), key=str) == sorted(votes, key=str)


def test_accepted_replaces_cast(journal: Journal) -> None:
    """A vote that is accepted is no longer merely cast."""
    journal.remember("show", CAST)
    journal.remember("show", ACCEPTED)
    assert journal.recall("show") == (ACCEPTED,)


def test_events_are_kept_apart(journal: Journal) -> None:
    """Polls of two events may have the same id: each event recalls its own votes."""
    journal.remember("one", CAST)
    journal.remember("two", ACCEPTED)
    assert journal.recall("one") == (CAST,)
    assert journal.recall("two") == (ACCEPTED,)
    assert journal.recall("three") == ()


def test_rates_are_recalled(journal: Journal) -> None:
    """Sample rates are recalled, poll by poll and event by event, beside the votes."""
    journal.remember("one", RATE)
    journal.remember("one", CAST)
    journal.remember("one", RememberRate("Q", 1.0))
    journal.remember("two", RememberRate("P", 0.5))
    assert set(journal.recall("one")) == {RATE, CAST, RememberRate("Q", 1.0)}
    assert journal.recall("two") == (RememberRate("P", 0.5),)


# What is passed as journal=


def test_open_memory() -> None:
    """MEMORY is a new memory, and so a new player, for every counter."""
    first, second = open_journal(MEMORY), open_journal(MEMORY)
    assert isinstance(first, MemoryJournal)
    assert first.player_id != second.player_id


def test_open_path(path: Path) -> None:
    """A path, as text or as a Path, is a file that outlives the journal."""
    first, second = open_journal(str(path)), open_journal(path)
    assert isinstance(first, FileJournal)
    assert isinstance(second, FileJournal)
    assert first.player_id == second.player_id
    assert second.path == path


def test_open_journal() -> None:
    """A journal is itself."""
    journal = MemoryJournal()
    assert open_journal(journal) is journal


# The file


def test_file_is_made_at_once(path: Path) -> None:
    """The id is on the disk before anything is voted: an app that crashes then keeps it."""
    journal = FileJournal(path)
    held = json.loads(path.read_text())
    assert held == {"format": 1, "player_id": journal.player_id, "events": {}, "rates": {}}
    assert aside(path) == []


def test_file_outlives_the_app(path: Path) -> None:
    """After reopening, the id and the votes of every event are the same."""
    first = FileJournal(path)
    for vote in (CAST, Remember("Q", 0, answered=True), Remember("Q", 11)):
        first.remember("one", vote)
    first.remember("two", ACCEPTED)
    first.remember("two", RATE)
    first.remember("three", RATE)
    again = FileJournal(path)
    assert again.player_id == first.player_id
    for event in ("one", "two", "three"):
        assert again.recall(event) == first.recall(event)
    assert len(again.recall("one")) == 3
    assert again.recall("two") == (RATE, ACCEPTED)


def test_odd_names_outlive_the_app(path: Path) -> None:
    """Ids of polls and events may be any text."""
    odd = "".join(map(chr, range(256))) + "\u2028\ud800😀"
    FileJournal(path).remember(odd, Remember(odd, 0))
    assert FileJournal(path).recall(odd) == (Remember(odd, 0),)


def test_every_vote_is_on_the_disk_when_remember_returns(path: Path) -> None:
    """Another reader of the file sees a vote as soon as it was remembered."""
    journal = FileJournal(path)
    journal.remember("show", CAST)
    assert FileJournal(path).recall("show") == (CAST,)
    journal.remember("show", ACCEPTED)
    assert FileJournal(path).recall("show") == (ACCEPTED,)
    assert aside(path) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to name a descriptor")
def test_a_crash_cannot_undo_a_vote(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is synced before it takes the old one's place, and then the folder is."""
    journal = FileJournal(path)
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        done.append(f"sync {name}")
        fsync(descriptor)

    def move(source: Path, target: Path) -> None:
        assert FileJournal(source).recall("show") == (CAST,)  # whole by then
        done.append(f"{source.name} -> {target.name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", move)
    journal.remember("show", CAST)
    assert done == [
        "sync player.json.new",
        "player.json.new -> player.json",
        f"sync {path.parent.name}",
    ]


def test_where_folders_cannot_be_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On systems where a folder cannot be opened, a vote is written all the same."""
    journal = FileJournal(path)

    def refuse(*_args: object) -> int:
        raise PermissionError("a folder cannot be opened")

    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        windows.setattr(os, "open", refuse)
        journal.remember("show", CAST)
    assert FileJournal(path).recall("show") == (CAST,)


def test_one_journal_for_several_counters(path: Path) -> None:
    """Counters write in threads: a journal that serves several of them loses nothing."""
    journal = FileJournal(path)

    def vote(event: str) -> None:
        for option in range(20):
            journal.remember(event, Remember("P", option))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(vote, "abcd"))
    again = FileJournal(path)
    assert [len(again.recall(event)) for event in "abcd"] == [20] * 4


def test_reopening_writes_nothing(path: Path) -> None:
    """A file that can be read is left as it is."""
    FileJournal(path).remember("show", CAST)
    before = path.read_bytes(), path.stat().st_mtime_ns
    FileJournal(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_path_in_the_present_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bare file name is a file in the present folder."""
    monkeypatch.chdir(tmp_path)
    player_id = FileJournal("player.json").player_id
    assert FileJournal(tmp_path / "player.json").player_id == player_id


ID = "0123456789abcdef" * 2


def journal_of(**changes: Any) -> str:
    """Write a journal's file, with some keys changed."""
    events = {"show": {"P": {"3": "cast"}}}
    return json.dumps({"format": 1, "player_id": ID, "events": events, **changes})


def test_format(path: Path) -> None:
    """The format of the file, as it is read."""
    path.write_text(journal_of())
    journal = FileJournal(path)
    assert journal.player_id == ID
    assert journal.recall("show") == (CAST,)
    path.write_text(journal_of(rates={"show": {"P": 0.1, "Q": 1}}))
    rates = (RATE, RememberRate("Q", 1.0))
    assert FileJournal(path).recall("show") == (*rates, CAST)


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(journal_of()[:-20], id="torn"),
        pytest.param("\0" * 100, id="zeros after a crash"),
        pytest.param(b"\xff\xfe\x00\x01", id="no text"),
        pytest.param("counts = 12\n", id="foreign"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param("{}", id="an empty object"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param(journal_of(format=2), id="another format"),
        pytest.param(journal_of(format=None), id="no format"),
        pytest.param(journal_of(player_id=5), id="an id that is no text"),
        pytest.param(journal_of(player_id="me"), id="an id that is not hex"),
        pytest.param(journal_of(player_id=ID[:30]), id="a short id"),
        pytest.param(journal_of(player_id="aa " * 16), id="an id with blanks"),
        pytest.param(
            journal_of(events={"show": {"P": {"1000000000000000": "cast"}}}), id="a huge option"
        ),
        pytest.param(journal_of(events=[]), id="a list of events"),
        pytest.param(journal_of(events={"show": None}), id="an event without polls"),
        pytest.param(journal_of(events={"show": {"P": ["cast"]}}), id="a list of options"),
        pytest.param(journal_of(events={"show": {"P": {"3": "shrug"}}}), id="an unknown stage"),
        pytest.param(journal_of(events={"show": {"P": {"3": []}}}), id="a stage that is no text"),
        pytest.param(journal_of(events={"show": {"P": {"-1": "cast"}}}), id="a negative option"),
        pytest.param(journal_of(events={"show": {"P": {"x": "cast"}}}), id="an option in words"),
        pytest.param(journal_of(rates=[]), id="a list of rates"),
        pytest.param(journal_of(rates=None), id="no rates at all"),
        pytest.param(journal_of(rates={"show": [0.1]}), id="a list of an event's rates"),
        pytest.param(journal_of(rates={"show": {"P": 0}}), id="a rate of nobody"),
        pytest.param(journal_of(rates={"show": {"P": 1.5}}), id="a rate above 1"),
        pytest.param(journal_of(rates={"show": {"P": True}}), id="a rate that is true"),
        pytest.param(journal_of(rates={"show": {"P": "0.1"}}), id="a rate in a string"),
        pytest.param(journal_of(rates={"show": {"P": None}}), id="a rate that is null"),
        pytest.param(journal_of(rates={"show": {"P": float("nan")}}), id="a rate that is none"),
    ],
)
def test_unreadable_file_is_set_aside(
    held: str | bytes, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is no journal is kept under another name, told, and a new journal begun."""
    text = held.encode() if isinstance(held, str) else held
    path.write_bytes(text)
    journal = FileJournal(path)
    (kept,) = aside(path)
    assert kept.read_bytes() == text
    assert kept.name.startswith("player.json.")
    assert kept.suffix == ".broken"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(path) in record.getMessage()
    assert kept.name in record.getMessage()
    assert journal.player_id != ID
    assert journal.recall("show") == ()
    assert FileJournal(path).player_id == journal.player_id
    assert len(caplog.records) == 1


def test_two_broken_files_are_both_kept(path: Path) -> None:
    """What is set aside later does not replace what was set aside before."""
    for text in ("one", "two"):
        path.write_text(text)
        FileJournal(path)
    assert sorted(kept.read_text() for kept in aside(path)) == ["one", "two"]


def test_empty_file_is_begun(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An empty file holds nothing that could be lost: it becomes the journal."""
    path.touch()
    journal = FileJournal(path)
    assert FileJournal(path).player_id == journal.player_id
    assert aside(path) == []
    assert not caplog.records


def test_missing_folder(tmp_path: Path) -> None:
    """A file that cannot be made raises at once, and the message says what to do."""
    with pytest.raises(JournalError, match=r"cannot be written.*a folder that exists.*MEMORY"):
        FileJournal(tmp_path / "nowhere" / "player.json")


def test_file_that_cannot_be_written(path: Path) -> None:
    """A file that cannot be written raises at once, and the message says what to do."""
    blocked = path.with_name("player.json.new")
    blocked.mkdir()
    with pytest.raises(JournalError, match=r"player\.json cannot be written.*pass journal=MEMORY"):
        FileJournal(path)
    assert not path.exists()


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    """A path that is a folder raises at once."""
    with pytest.raises(JournalError, match="cannot be read"):
        FileJournal(tmp_path)


def test_broken_file_that_cannot_be_set_aside(tmp_path: Path) -> None:
    """A broken file that cannot be renamed is a JournalError too, and stays where it is."""
    path = tmp_path / ("n" * 245)  # with what is added to set it aside, too long for a name
    path.write_text("{")
    with pytest.raises(JournalError):
        FileJournal(path)
    assert path.read_text() == "{"


def test_failed_write(path: Path) -> None:
    """A write that fails raises OSError; the file on the disk is still the old one, and whole."""
    journal = FileJournal(path)
    journal.remember("show", CAST)
    before = path.read_bytes()
    blocked = path.with_name("player.json.new")
    blocked.mkdir()
    with pytest.raises(OSError, match=r"player\.json\.new"):
        journal.remember("show", ACCEPTED)
    assert path.read_bytes() == before
    assert FileJournal(path).recall("show") == (CAST,)
    blocked.rmdir()
    journal.remember("show", ACCEPTED)
    assert FileJournal(path).recall("show") == (ACCEPTED,)


@pytest.mark.skipif(os.name != "posix" or not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk(path: Path) -> None:
    """A disk that fills up while writing raises OSError, and the old file is whole."""
    journal = FileJournal(path)
    journal.remember("show", CAST)
    path.with_name("player.json.new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        journal.remember("show", ACCEPTED)
    assert FileJournal(path).recall("show") == (CAST,)


def test_folder_that_went_away(path: Path) -> None:
    """A vote that cannot be written because the folder is gone raises OSError."""
    folder = path.parent / "inner"
    folder.mkdir()
    journal = FileJournal(folder / "player.json")
    (folder / "player.json").unlink()
    folder.rmdir()
    with pytest.raises(OSError, match="inner"):
        journal.remember("show", CAST)


def test_counters_of_one_process_share_a_file(path: Path) -> None:
    """Opened twice, a file is one journal: what one remembers is not lost when another writes."""
    first, second = open_journal(path), open_journal(str(path))
    first.remember("A", Remember("P", 0))
    second.remember("B", Remember("P", 1))
    assert FileJournal(path).recall("A") == (Remember("P", 0),)
    assert FileJournal(path).recall("B") == (Remember("P", 1),)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_path_that_no_file_can_have(name: str) -> None:
    """A name that the file system cannot take is a JournalError, whatever is wrong with it."""
    with pytest.raises(JournalError, match="cannot be read"):
        FileJournal(name)
