"""A psycopg connection and how a call runs on it: the only place that waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from itertools import count
from typing import TYPE_CHECKING, Any

from .call import Statement
from .errors import BadArgument, from_driver

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection

_numbers = count(1)  # of cursors: two may be open on one connection


def translate(error: Exception) -> Exception:
    """The pglore exception for what a statement raised, or the same error where it is PostgreSQL's."""
    if isinstance(error, UnicodeEncodeError):
        return BadArgument(f"text cannot be encoded: {error.reason}", hint="Remove lone surrogates from the text.")
    return from_driver(error) or error


class AsyncSession:
    """Runs statements on one connection, which stays the caller's to commit, to share and to close."""

    connection: AsyncConnection[Any]

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self.connection = connection

    async def _rows(self, statement: Statement) -> list[dict[str, Any]]:
        from psycopg.rows import dict_row

        try:
            async with self.connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(*statement)
                return await cursor.fetchall()
        except Exception as error:
            translated = translate(error)
            if translated is error:
                raise
            raise translated from error

    async def _stream(self, statement: Statement) -> AsyncGenerator[dict[str, Any]]:
        """Rows one at a time, as they come, through a cursor; in a transaction of its own where none is open."""
        from psycopg.pq import TransactionStatus
        from psycopg.rows import dict_row

        idle = self.connection.info.transaction_status == TransactionStatus.IDLE
        own = self.connection.autocommit and idle
        try:
            if own:
                await self.connection.execute("BEGIN")
            async with self.connection.cursor(f"pglore_{next(_numbers)}", row_factory=dict_row) as cursor:
                cursor.itersize = 1
                await cursor.execute(*statement)
                async for row in cursor:
                    yield dict(row)
        except Exception as error:
            translated = translate(error)
            if translated is error:
                raise
            raise translated from error
        finally:
            if own and not self.connection.closed:
                await self.connection.execute("COMMIT")  # after an error it is a rollback


# Below: the same without async, written by `python pyclient/derive.py`.


class Session:
    """Runs statements on one connection, which stays the caller's to commit, to share and to close."""

    connection: Connection[Any]

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection

    def _rows(self, statement: Statement) -> list[dict[str, Any]]:
        from psycopg.rows import dict_row

        try:
            with self.connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute(*statement)
                return cursor.fetchall()
        except Exception as error:
            translated = translate(error)
            if translated is error:
                raise
            raise translated from error

    def _stream(self, statement: Statement) -> Generator[dict[str, Any]]:
        """Rows one at a time, as they come, through a cursor; in a transaction of its own where none is open."""
        from psycopg.pq import TransactionStatus
        from psycopg.rows import dict_row

        idle = self.connection.info.transaction_status == TransactionStatus.IDLE
        own = self.connection.autocommit and idle
        try:
            if own:
                self.connection.execute("BEGIN")
            with self.connection.cursor(f"pglore_{next(_numbers)}", row_factory=dict_row) as cursor:
                cursor.itersize = 1
                cursor.execute(*statement)
                for row in cursor:
                    yield dict(row)
        except Exception as error:
            translated = translate(error)
            if translated is error:
                raise
            raise translated from error
        finally:
            if own and not self.connection.closed:
                self.connection.execute("COMMIT")  # after an error it is a rollback
