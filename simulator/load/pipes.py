"""A process that is somebody's child: words come in on its standard input, and go out again.

It is a process of its own so that its event loop has nothing to do with that of its parent:
Locust's is gevent, which has sockets, threads and selectors of its own. A child whose parent is
gone reads the end of its input, and ends.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from simulator.loops import run

from .words import Word, decode

__all__ = ["Pipe", "pipe", "run_child"]

LINE_MAX = 2**26
"""The longest line that is taken, bytes."""


class Pipe:
    """Words from a parent, and to it.

    Args:
        reader: what it says.
        writer: where to answer; written to at once, waiting for nobody.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.WriteTransport) -> None:
        self._reader = reader
        self._writer = writer

    def tell(self, word: Word) -> None:
        """Say a word."""
        self._writer.write(word.line.encode() + b"\n")

    def end(self) -> None:
        """Say no more: the other end reads its end, after what was said."""
        self._writer.close()

    async def word(self) -> Word | None:
        """Wait for the next word; None: the parent is gone."""
        line = await self._reader.readline()
        return decode(line) if line else None


@asynccontextmanager
async def pipe(source: Any = None, sink: Any = None) -> AsyncGenerator[Pipe, None]:
    """Talk to the parent while the block runs; what was said is sent before it ends.

    Args:
        source: a file that is a pipe; standard input unless told.
        sink: the same; standard output.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_MAX)
    incoming, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), source or sys.stdin
    )
    outgoing, protocol = await loop.connect_write_pipe(_Closing, sink or sys.stdout)
    try:
        yield Pipe(reader, outgoing)
    finally:
        outgoing.close()  # after what is written
        incoming.close()
        await protocol.closed.wait()


def run_child(child: Callable[[Pipe], Coroutine[Any, Any, None]]) -> None:
    """Be a child: the main function of its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for its parent, which ends it

    async def main() -> None:
        async with pipe() as talk:
            await child(talk)

    run(main())


class _Closing(asyncio.Protocol):
    """Tells when all is written."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # the parent is gone: that is read on the other pipe
        self.closed.set()
