"""Hosts of one's own: network namespaces on one bridge, or loopback addresses where there are none.

Each namespace has an address of its own and its own loopback, so that what crosses between two of
them crosses a network; the machine itself is the bridge's first address.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from .show import Place

__all__ = ["Hosts", "hosts"]

NETWORK = "10.203"
"""The first two numbers of the addresses, of a private network that is unlikely to be in use; the
third tells processes apart that make hosts at the same time."""


class Hosts(NamedTuple):
    """Where nodes can be, and where Redis can: all of them reach it."""

    places: list[Place]
    redis: str
    are_namespaces: bool


@contextmanager
def hosts(many: int) -> Generator[Hosts]:
    """Make hosts while the block runs."""
    with ExitStack() as stack:
        try:
            made = _namespaces(stack, many)
        except (OSError, subprocess.CalledProcessError):  # not allowed here: what was made goes
            stack.close()
            made = Hosts(
                [Place(f"127.0.0.{n + 2}") for n in range(many)], "127.0.0.1", are_namespaces=False
            )
        yield made


def _namespaces(stack: ExitStack, many: int) -> Hosts:
    ip = shutil.which("ip")
    if ip is None:
        raise FileNotFoundError("there is no ip command")

    def run(*arguments: str) -> None:
        subprocess.run([ip, *arguments], check=True, capture_output=True)

    def made(kind: tuple[str, ...], name: str, *more: str) -> None:
        run(*kind, "add", name, *more)
        stack.callback(subprocess.run, [ip, *kind, "del", name], capture_output=True, check=False)

    tag = f"pc{os.getpid() % 100000}"  # a device's name has 15 letters at most
    network = f"{NETWORK}.{os.getpid() % 256}"
    bridge, redis = f"{tag}-br", f"{network}.1"
    made(("link",), bridge, "type", "bridge")
    run("address", "add", f"{redis}/24", "dev", bridge)
    run("link", "set", bridge, "up")
    places = []
    for number in itertools.islice(itertools.count(1), many):
        space, here, there = f"{tag}-{number}", f"{tag}-h{number}", f"{tag}-n{number}"
        address = f"{network}.{10 + number}"
        made(("netns",), space)
        made(("link",), here, "type", "veth", "peer", "name", there)
        run("link", "set", here, "master", bridge, "up")
        run("link", "set", there, "netns", space)
        for device in ("lo", there):
            run("-n", space, "link", "set", device, "up")
        run("-n", space, "address", "add", f"{address}/24", "dev", there)
        places.append(Place(address, (ip, "netns", "exec", space)))
    return Hosts(places, redis, are_namespaces=True)
