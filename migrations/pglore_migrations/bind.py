"""Any connection as the SQLAlchemy connection that Alembic works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool


@contextmanager
def bound(connection: Any) -> Iterator[Connection]:
    """A SQLAlchemy connection inside one transaction; nested in the caller's where the caller has one open.

    connection  a DSN or URL, a psycopg connection, or a SQLAlchemy connection
    """
    if isinstance(connection, str):
        with psycopg.connect(connection) as opened, bound(opened) as bind:
            yield bind
    elif isinstance(connection, psycopg.Connection):
        with connection.transaction(), _borrow(connection) as bind:
            yield bind
    elif connection.in_transaction():
        yield connection
    else:
        with connection.begin():
            yield connection


@contextmanager
def _borrow(connection: psycopg.Connection) -> Iterator[Connection]:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: _Borrowed(connection),
        poolclass=StaticPool,
        pool_reset_on_return=None,
        use_native_hstore=False,
    )
    with engine.connect() as bind, bind.begin():
        yield bind


class _Borrowed:
    """A psycopg connection whose transaction and life stay its owner's."""

    def __init__(self, connection: psycopg.Connection):
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        """A cursor that gives tuples, whatever the owner's rows are."""
        return self._connection.cursor(*arguments, **{**options, "row_factory": tuple_row})

    def commit(self) -> None:
        """Leave it to the owner's transaction."""

    def rollback(self) -> None:
        """Leave it to the owner's transaction."""

    def close(self) -> None:
        """Leave the connection open."""
