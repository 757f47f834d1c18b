"""`python -m simulator studio`: the studio, served until it is stopped."""

from __future__ import annotations

import asyncio
import webbrowser

from rich.console import Console

from simulator.serve import stop_signals

from .app import StudioServer
from .studio import Studio

__all__ = ["serve_studio"]


async def serve_studio(*, port: int, open_browser: bool, console: Console) -> None:
    """Serve the studio on loopback until SIGINT or SIGTERM.

    Args:
        port: of the page; 0 for any port that is free.
        open_browser: open the page in the user's browser, too.
        console: where its address is printed.

    Raises OSError when the port is taken.
    """
    async with stop_signals() as stop, Studio() as studio, StudioServer(studio, port) as server:
        console.print(f"studio: {server.url}  (Ctrl-C stops)", soft_wrap=True)
        console.print(
            f"a crowd of your own: python -m simulator crowd {studio.platform.live.url} "
            f"--event {studio.stage.event_id}",
            soft_wrap=True,
        )
        if open_browser:
            await asyncio.to_thread(webbrowser.open, server.url)
        await stop.wait()
        console.print("stopped")
