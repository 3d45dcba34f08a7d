"""Clients on pooled connections, which the adapters have in common."""

import asyncio

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import pglore
from pglore import pool


def test_a_pool_serves_threads_and_event_loops_one_after_the_other():
    ours = pool.Pool(max_size=2)

    async def count() -> int:
        async def one() -> int:
            async with ours.aclient() as lore:
                return (await lore.connection.execute("SELECT 1 FROM pg_sleep(0.01)")).rowcount

        return sum(await asyncio.gather(*(one() for _ in range(5))))

    assert asyncio.run(count()) == asyncio.run(count()) == 5  # an event loop each
    with ours.client() as first, ours.client() as second:
        assert first.connection is not second.connection
    ours.close()


def test_a_connection_that_was_ended_is_not_given_again():
    ours = pool.Pool()
    with ours.client() as lore, pglore.connect() as other:
        number = lore.connection.info.backend_pid
        other.connection.execute("SELECT pg_terminate_backend(%s, 5000)", [number])
    with ours.client() as lore:
        assert lore.similarity("a", "a") == pytest.approx(1, abs=1e-3)
    ours.close()


def test_a_refused_connection_is_told_at_once_by_its_cause(dsn):
    ours = pool.Pool(make_conninfo(dsn, dbname="no_such_database"))
    with pytest.raises(psycopg.OperationalError, match="no_such_database"), ours.client():
        pass


def test_those_who_name_the_same_database_share_a_pool(dsn):
    assert pool.shared() is pool.shared(dsn) is not pool.shared(f"{dsn} user=other")
