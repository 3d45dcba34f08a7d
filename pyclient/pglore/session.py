"""A psycopg connection and how a call runs on it: the only place that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .call import Statement
from .errors import BadArgument, from_driver

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection


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
