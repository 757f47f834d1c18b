"""The journal: who the player is and what was voted, over restarts and broken files."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import multiprocessing
import os
import signal
import string
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import pytest

from poll_counter.commands import Remember, RememberRate
from poll_counter.errors import JournalError
from poll_counter.journal import (
    ENTRIES_MAX,
    EVENTS_MAX,
    FILE_BYTES_MAX,
    MEMORY,
    Entry,
    FileJournal,
    Journal,
    MemoryJournal,
    _after_fork,
    open_journal,
)

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
    """The files beside a journal, but for its lock."""
    return sorted(set(path.parent.iterdir()) - {path, lock_of(path)})


def lock_of(path: Path) -> Path:
    """The file that a process locks."""
    return path.with_name(path.name + ".lock")


def on_disk(path: Path, event_id: str = "show") -> tuple[Entry, ...]:
    """What the file says, whatever this process remembers."""
    copy = path.with_name("copy")
    copy.mkdir()
    try:
        (copy / "player.json").write_bytes(path.read_bytes())
        return FileJournal(copy / "player.json").recall(event_id)
    finally:
        rmtree(copy)


@contextmanager
def another_process(path: Path) -> Iterator[None]:
    """Hold a journal's lock as another process does: the system knows locks by opened files."""
    with lock_of(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


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
    assert lock_of(path).read_bytes() == b""


def test_file_outlives_the_app(path: Path) -> None:
    """After reopening, the id and the votes of every event are the same."""
    first = FileJournal(path)
    player_id = first.player_id
    for vote in (CAST, Remember("Q", 0, answered=True), Remember("Q", 11)):
        first.remember("one", vote)
    first.remember("two", ACCEPTED)
    first.remember("two", RATE)
    first.remember("three", RATE)
    before = [first.recall(event) for event in ("one", "two", "three")]
    del first
    again = FileJournal(path)
    assert again.player_id == player_id
    assert [again.recall(event) for event in ("one", "two", "three")] == before
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
    assert on_disk(path) == (CAST,)
    journal.remember("show", ACCEPTED)
    assert on_disk(path) == (ACCEPTED,)
    assert aside(path) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to name a descriptor")
def test_a_crash_cannot_undo_a_vote(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is synced before it takes the old one's place, and then the folder is."""
    journal = FileJournal(path)
    done: list[str] = []
    whole: list[object] = []
    fsync, replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        done.append(f"sync {name}")
        fsync(descriptor)

    def move(source: Path, target: Path) -> None:
        whole.append(json.loads(source.read_text())["events"])
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
    assert whole == [{"show": {"P": {"3": "cast"}}}]


def test_where_folders_cannot_be_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On systems where a folder cannot be opened, a vote is written all the same."""
    journal = FileJournal(path)

    def refuse(*_args: object) -> int:
        raise PermissionError("a folder cannot be opened")

    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        windows.setattr(os, "open", refuse)
        journal.remember("show", CAST)
    assert on_disk(path) == (CAST,)


def test_one_journal_for_several_counters(path: Path) -> None:
    """Counters write in threads: a journal that serves several of them loses nothing."""
    journal = FileJournal(path)

    def vote(event: str) -> None:
        for option in range(20):
            journal.remember(event, Remember("P", option))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(vote, "abcd"))
    assert [len(on_disk(path, event)) for event in "abcd"] == [20] * 4


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
    del journal
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
        pytest.param('{"a":' * 100_000, id="deep objects"),
        pytest.param(journal_of()[:-1] + f', "x": {"9" * 5000}}}', id="a number without end"),
        pytest.param(journal_of() + " " * FILE_BYTES_MAX, id="a large one"),
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
    assert json.loads(path.read_text())["player_id"] == journal.player_id
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
    """A path that is a folder raises at once, and leaves nothing behind."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(JournalError, match="cannot be read: it is no file"):
        FileJournal(folder)
    assert list(tmp_path.iterdir()) == [folder]


def test_pipe_instead_of_a_file(path: Path) -> None:
    """A path that is a pipe raises at once: to read it would be to wait."""
    os.mkfifo(path)
    with pytest.raises(JournalError, match="cannot be read: it is no file"):
        FileJournal(path)


def test_links_lead_to_the_file(path: Path) -> None:
    """A journal named by a link is the one that the link names, and the link stays."""
    link = path.with_name("link.json")
    link.symlink_to(path)
    named, linked = FileJournal(path), FileJournal(link)
    linked.remember("show", CAST)
    assert named.recall("show") == on_disk(path) == (CAST,)
    assert link.is_symlink()
    assert linked.path == path


def test_link_to_itself(path: Path) -> None:
    """A file that cannot be opened raises at once, and is not locked any more."""
    path.symlink_to(path)
    with pytest.raises(JournalError, match="cannot be written or read"):
        FileJournal(path)
    with another_process(path):
        pass


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
    for entry in (ACCEPTED, Remember("Q", 1), RATE):
        with pytest.raises(OSError, match=r"player\.json\.new"):
            journal.remember("show", entry)
        with pytest.raises(OSError, match=r"player\.json\.new"):
            journal.remember("another", entry)
    assert path.read_bytes() == before
    assert journal.recall("show") == on_disk(path) == (CAST,)
    assert journal.recall("another") == ()
    blocked.rmdir()
    journal.remember("show", ACCEPTED)
    assert journal.recall("show") == on_disk(path) == (ACCEPTED,)
    assert on_disk(path, "another") == ()


@pytest.mark.skipif(os.name != "posix" or not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk(path: Path) -> None:
    """A disk that fills up while writing raises OSError, and the old file is whole."""
    journal = FileJournal(path)
    journal.remember("show", CAST)
    path.with_name("player.json.new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        journal.remember("show", ACCEPTED)
    assert journal.recall("show") == on_disk(path) == (CAST,)


def test_folder_that_went_away(path: Path) -> None:
    """A vote that cannot be written because the folder is gone raises OSError."""
    folder = path.parent / "inner"
    folder.mkdir()
    journal = FileJournal(folder / "player.json")
    rmtree(folder)
    with pytest.raises(OSError, match="inner"):
        journal.remember("show", CAST)


def test_counters_of_one_process_share_a_file(path: Path) -> None:
    """Opened twice, a file is one journal: what one remembers is not lost when another writes."""
    first, second = open_journal(path), open_journal(str(path))
    first.remember("A", Remember("P", 0))
    second.remember("B", Remember("P", 1))
    assert on_disk(path, "A") == (Remember("P", 0),)
    assert on_disk(path, "B") == (Remember("P", 1),)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_path_that_no_file_can_have(name: str) -> None:
    """A name that the file system cannot take is a JournalError, whatever is wrong with it."""
    with pytest.raises(JournalError, match="cannot be read"):
        FileJournal(name)


# A second process

IN_USE: Final = "another process uses the journal {}: this one reads counts and casts no vote"


def test_second_process_only_reads(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is the same player, remembers the same, and writes nothing; why is logged once."""
    path.write_text(journal_of())
    with another_process(path):
        journal = FileJournal(path)
        assert not journal.writable
        assert (journal.player_id, journal.recall("show")) == (ID, (CAST,))
        for _ in range(2):
            with pytest.raises(OSError, match="another process uses the journal"):
                journal.remember("show", ACCEPTED)
    assert journal.recall("show") == on_disk(path) == (CAST,)
    assert [IN_USE.format(path) in record.getMessage() for record in caplog.records] == [True]
    assert caplog.records[0].levelno == logging.WARNING
    assert "close the other" in caplog.records[0].getMessage()


@pytest.mark.parametrize("held", [None, "", "counts = 12", "[" * 100_000])
def test_second_process_begins_nothing(held: str | None, path: Path) -> None:
    """What it finds is the other's to begin or to set aside: it is nobody, who casts no vote."""
    if held is not None:
        path.write_text(held)
    with another_process(path):
        journal = FileJournal(path)
    assert not journal.writable
    assert journal.player_id != ID
    assert journal.recall("show") == ()
    assert path.exists() is (held is not None)
    assert aside(path) == []


def test_file_is_free_again(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Opened anew when the other is gone, the file can be written; who was late stays a reader."""
    with another_process(path):
        late = FileJournal(path)
    path.write_text(journal_of())
    journal = open_journal(path)
    assert (journal.player_id, journal.recall("show")) == (ID, (CAST,))
    journal.remember("show", ACCEPTED)
    assert on_disk(path) == (ACCEPTED,)
    assert not late.writable
    assert len(caplog.records) == 1


def test_lock_is_given_back_with_the_last_journal(path: Path) -> None:
    """As long as one of a process's journals of the file is there, no other process may write."""
    journals = [FileJournal(path), FileJournal(path)]
    while journals:
        assert journals[0].writable
        with pytest.raises(BlockingIOError), another_process(path):
            pass
        journals.pop()
    with another_process(path):
        pass


def test_journal_that_cannot_be_begun_gives_the_lock_back(path: Path) -> None:
    """Nobody is kept out by a journal that raised."""
    path.with_name("player.json.new").mkdir()
    with pytest.raises(JournalError) as raised:
        FileJournal(path)
    with another_process(path):
        assert raised


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_files_cannot_be_locked(
    code: int, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the file system knows no locks, votes are cast all the same, with a warning."""

    def refuse(*_args: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    journal = FileJournal(path)
    journal.remember("show", CAST)
    assert journal.writable
    (record,) = caplog.records
    assert "cannot be locked" in record.getMessage()


def ask(path: Path, then: str = "") -> str:
    """Open a journal in another process, and read what it says."""
    code = (
        "import os, sys\n"
        "from poll_counter import FileJournal\n"
        "journal = FileJournal(sys.argv[1])\n"
        f"print(journal.writable, journal.player_id, flush=True)\n{then}"
    )
    command = [sys.executable, "-c", code, str(path)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=root, check=False)
    assert done.returncode == (-signal.SIGKILL if "SIGKILL" in then else 0)
    return done.stdout.strip()


def test_real_second_process(path: Path) -> None:
    """A process finds the file in use while this one has it, and free when it has not."""
    journal = FileJournal(path)
    player_id = journal.player_id
    assert ask(path) == f"False {player_id}"
    del journal
    assert ask(path) == f"True {player_id}"


def test_lock_dies_with_its_process(path: Path) -> None:
    """The lock of a process that was killed is gone, though a child of it lives on."""
    fork = (
        "import signal\n"
        "forked, told = os.pipe()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os.close(1)\n"
        "    os.write(told, b'!')\n"
        "    signal.pause()\n"
        "os.read(forked, 1)\n"
        "print(child, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    first, child = ask(path, fork).split("\n")
    try:
        assert f"True {FileJournal(path).player_id}" == first
        assert FileJournal(path).writable
    finally:
        os.kill(int(child), signal.SIGKILL)


def look_after_a_fork(journal: FileJournal, answers: Connection) -> None:
    """In a forked child: may it write the parent's journal, or one of its own?"""
    answers.send((journal.writable, FileJournal(journal.path).writable))


def test_forked_child_owns_nothing(path: Path) -> None:
    """A child that was forked does not write its parent's journal, nor take the lock from it."""
    journal = FileJournal(path)
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    child = fork.Process(target=look_after_a_fork, args=(journal, theirs))
    child.start()
    assert ours.recv() == (False, False)
    child.join()
    assert journal.writable
    with pytest.raises(BlockingIOError), another_process(path):
        pass


def test_what_is_done_after_a_fork(path: Path) -> None:
    """The child lets go of the lock: it is nobody's, were the parent gone."""
    journal = FileJournal(path)
    _after_fork()
    assert not journal.writable
    assert FileJournal(path).writable


# Bounds


def test_events_used_last_are_remembered(path: Path) -> None:
    """The event that was not used longest is forgotten, in memory and on the disk."""
    for journal in MemoryJournal(), FileJournal(path):
        for n in range(EVENTS_MAX):
            journal.remember(f"show {n}", CAST)
        journal.remember("show 0", ACCEPTED)
        journal.remember("one more", RATE)
        assert journal.recall("show 0") == (ACCEPTED,)
        assert journal.recall("show 1") == ()
        assert journal.recall("show 2") == (CAST,)
        assert journal.recall("one more") == (RATE,)
    assert on_disk(path, "show 1") == ()
    del journal
    again = FileJournal(path)
    again.remember("another", CAST)
    assert again.recall("show 2") == ()  # the order of use outlives a restart
    assert again.recall("show 0") == (ACCEPTED,)


def test_last_votes_of_an_event_are_remembered() -> None:
    """So many votes are not cast by one player: the oldest is forgotten."""
    journal = MemoryJournal()
    for n in range(ENTRIES_MAX + 1):
        journal.remember("show", Remember(f"P{n}", 0))
        journal.remember("show", RememberRate(f"P{n}", 0.5))
    recalled = journal.recall("show")
    assert len(recalled) == 2 * ENTRIES_MAX
    for entry in Remember("P0", 0), RememberRate("P0", 0.5):
        assert entry not in recalled
    for entry in Remember("P1", 0), RememberRate(f"P{ENTRIES_MAX}", 0.5):
        assert entry in recalled


def test_file_is_never_too_large_to_be_read(path: Path) -> None:
    """Before the file grows too large, events are forgotten, the one used last never."""
    journal = FileJournal(path)
    long = "x" * (FILE_BYTES_MAX // 3)
    for event in "one", "two", "three":
        journal.remember(event, Remember(long, 0))
        assert path.stat().st_size <= FILE_BYTES_MAX
        assert on_disk(path, event) == (Remember(long, 0),)
    assert [len(journal.recall(event)) for event in ("one", "two", "three")] == [0, 1, 1]
    with pytest.raises(OSError, match="too much to remember"):
        journal.remember("three", Remember(3 * long, 0))
    assert journal.recall("three") == on_disk(path, "three") == (Remember(long, 0),)


def test_large_file_is_not_taken_into_memory(path: Path) -> None:
    """A file of a terabyte is set aside unread."""
    with path.open("wb") as file:
        file.truncate(2**40)
    journal = FileJournal(path)
    (kept,) = aside(path)
    assert kept.stat().st_size == 2**40
    assert journal.recall("show") == ()
