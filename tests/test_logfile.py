"""The emulator's log as a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.emulator import Emulator, Entry
from simulator.logfile import LogFile, read_log


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every line is there at once, without a closing; another writer goes on in the file."""
    path = tmp_path / "log"
    with LogFile(path) as file:
        emulator, log = Emulator(log=file), list[Entry]()
        emulator.add_event("E")
        emulator.start("E", 1.5)
        assert read_log(path) == [Entry(1.5, "event", "E", detail="active")]
        emulator.connect(7, "E", "ä\n", 2.5)
        log = read_log(path)
        assert log[1:] == [Entry(2.5, "joined", "E", 7, "ä\n")]
    with LogFile(path) as file:
        file.append(log[0])
    assert read_log(path) == [*log, log[0]]


def test_a_line_that_its_writer_died_in_is_left_out(tmp_path: Path) -> None:
    """What is before it is read."""
    path = tmp_path / "log"
    with LogFile(path) as file:
        file.append(Entry(1.5, "event", "E", detail="active"))
    path.write_text(path.read_text() + '[2.5, "joi')
    assert read_log(path) == [Entry(1.5, "event", "E", detail="active")]


def test_what_is_no_log(tmp_path: Path) -> None:
    """It is said, as ValueError or OSError."""
    path = tmp_path / "log"
    with pytest.raises(OSError, match="log"):
        read_log(path)
    path.write_text("hello\n")
    with pytest.raises(ValueError, match="Expecting value"):
        read_log(path)
    with pytest.raises(OSError, match="directory"):
        LogFile(tmp_path)
