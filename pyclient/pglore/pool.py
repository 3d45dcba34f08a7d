"""Clients for many threads and event loops: a connection for each call, kept for the next. Needs psycopg-pool."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from threading import Lock
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from .client import AsyncClient, Client, _notice, default_dsn

WAIT_S = 30.0  # for a free connection


class Pool:
    """Connections to one database, opened when needed. A psycopg connection does one thing at a time; this does more.

    dsn       a connection string; None reads PGLORE_DSN, then libpq's own environment
    max_size  most connections at once, of the threads together and of each event loop
    options   psycopg's, of each connection
    """

    def __init__(self, dsn: str | None = None, *, max_size: int = 8, **options: Any) -> None:
        self._dsn = default_dsn(dsn)
        self._max_size = max_size
        self._options = {"autocommit": True, **options}
        self._lock = Lock()
        self._sync: ConnectionPool | None = None
        self._async: dict[asyncio.AbstractEventLoop, AsyncConnectionPool] = {}

    @contextmanager
    def client(self, timeout_s: float | None = None) -> Iterator[Client]:
        """A client on a free connection. raises psycopg.OperationalError

        timeout_s  bound of each statement
        """
        with self._threads().connection() as connection:
            if timeout_s is not None:
                connection.execute(_bound(timeout_s))
            try:
                yield Client(connection)
            finally:
                if timeout_s is not None and not connection.closed:
                    connection.execute("RESET statement_timeout")

    @asynccontextmanager
    async def aclient(self, timeout_s: float | None = None) -> AsyncIterator[AsyncClient]:
        """The same with `await`, for the running event loop."""
        pool = await self._loop()
        async with pool.connection() as connection:
            if timeout_s is not None:
                await connection.execute(_bound(timeout_s))
            try:
                yield AsyncClient(connection)
            finally:
                if timeout_s is not None and not connection.closed:
                    await connection.execute("RESET statement_timeout")

    def close(self) -> None:
        """Close the connections of the threads; those of an event loop end with it."""
        with self._lock:
            pool, self._sync = self._sync, None
        if pool is not None:
            pool.close()

    def _threads(self) -> ConnectionPool:
        with self._lock:
            if self._sync is None:
                # Once by hand: a pool tells of a refused connection only after it has tried for long.
                Connection.connect(self._dsn, **self._options).close()
                check = ConnectionPool.check_connection
                self._sync = ConnectionPool(
                    self._dsn, min_size=0, max_size=self._max_size, kwargs=self._options, timeout=WAIT_S,
                    configure=_listen, check=check, open=True,
                )  # fmt: skip
            return self._sync

    async def _loop(self) -> AsyncConnectionPool:
        loop = asyncio.get_running_loop()
        if loop not in self._async:
            for old in [old for old in self._async if old.is_closed()]:
                del self._async[old]
            await (await AsyncConnection.connect(self._dsn, **self._options)).close()
            pool = AsyncConnectionPool(
                self._dsn, min_size=0, max_size=self._max_size, kwargs=self._options, timeout=WAIT_S,
                configure=_alisten, check=AsyncConnectionPool.check_connection, open=False,
            )  # fmt: skip
            self._async.setdefault(loop, pool)
        pool = self._async[loop]
        await pool.open()  # does nothing where it is open
        return pool


def shared(dsn: str | None = None) -> Pool:
    """The pool of a database that all who name no other have in common; closed when the program ends."""
    return _shared(default_dsn(dsn))


@cache
def _shared(dsn: str) -> Pool:
    pool = Pool(dsn, application_name="pglore")
    atexit.register(pool.close)
    return pool


def _bound(timeout_s: float) -> str:
    return f"SET statement_timeout = {max(round(float(timeout_s) * 1000), 1)}"


def _listen(connection: Connection[Any]) -> None:
    connection.add_notice_handler(_notice)


async def _alisten(connection: AsyncConnection[Any]) -> None:
    connection.add_notice_handler(_notice)
