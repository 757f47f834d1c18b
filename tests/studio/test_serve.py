"""`python -m simulator studio`: the studio from the command line."""

from __future__ import annotations

import os
import re
import signal
import webbrowser
from io import StringIO

import httpx
import pytest
from rich.console import Console

from simulator.__main__ import main
from simulator.studio.serve import serve_studio
from simulator.web import WebServer
from tests.test_serve import ended, read_line, simulator


async def test_it_is_there_until_it_is_stopped() -> None:
    """The first line says where; Ctrl-C ends it, with a word and exit code 0."""
    async with simulator("studio", "--port", "0") as process:
        url = (await read_line(process.stdout)).removeprefix("studio: ").split()[0]
        crowd = await read_line(process.stdout)
        assert re.search(r"crowd ws://127\.0\.0\.1:\d+ --event [0-9a-f-]{36}$", crowd)
        async with httpx.AsyncClient() as client:
            assert "studio" in (await client.get(url)).text
        process.send_signal(signal.SIGINT)
        assert await ended(process) == (0, "stopped\n", "")


async def test_a_taken_port_is_said_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do."""
    async with WebServer(lambda *_: None) as taken:  # type: ignore[arg-type]
        port = taken.url.rpartition(":")[2]
        async with simulator("studio", "--port", port) as process:
            code, out, err = await ended(process)
    assert (code, out) == (2, "")
    assert f"127.0.0.1:{port}; try --port 0" in err


async def test_the_browser_is_opened_if_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the page's address."""
    opened = list[str]()

    def see(url: str) -> None:
        opened.append(url)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(webbrowser, "open", see)
    out = StringIO()
    await serve_studio(port=0, open_browser=True, console=Console(file=out))
    assert out.getvalue().startswith(f"studio: {opened[0]}  (Ctrl-C stops)\n")


def test_options_of_a_show_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The studio's show is run by hand."""
    with pytest.raises(SystemExit):
        main(["--players", "5", "studio"])
    assert "studio takes no --players" in capsys.readouterr().err
