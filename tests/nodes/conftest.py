"""A Redis for all tests of a process, empty for each."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Generator

import pytest
from redis.asyncio import Redis

from tests.support.nodes.redis_server import IN_MEMORY, RedisServer, redis_command


@pytest.fixture(scope="session")
def shared_redis() -> Generator[RedisServer]:
    """A Redis that is started once."""
    with RedisServer(redis_command(), parent=IN_MEMORY) as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """A Redis that is empty."""
    with socket.create_connection(("127.0.0.1", shared_redis.port)) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(16) == b"+OK\r\n"
    return shared_redis


@pytest.fixture
async def client(redis: RedisServer) -> AsyncGenerator[Redis]:
    """A connection to it."""
    client = Redis.from_url(redis.url, protocol=2)
    yield client
    await client.aclose()


@pytest.fixture
def own_redis() -> Generator[RedisServer]:
    """A Redis that the test may stop, start, pause and have forget."""
    with RedisServer(redis_command(), parent=IN_MEMORY) as server:
        yield server
