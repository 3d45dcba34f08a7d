"""`pglore init`: the extension and the catalog."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import click

import pglore
from pglore.client import default_dsn

from .failure import ERROR
from .options import database
from .output import print_json

if TYPE_CHECKING:
    from psycopg import Connection


@click.command("init")
@click.option("--check", is_flag=True, help="Change nothing; the exit code is 1 if something is missing.")
@click.option("--downgrade", is_flag=True, help="Remove the catalog, with every collection. Asks first.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@database
def command(check: bool, downgrade: bool, yes: bool, dsn: str | None, as_json: bool) -> None:
    """Make the extension and the catalog, or update the catalog.

    Where the server has pg_textsearch (BM25) and pg_trgm (misspelt words), those extensions are made too.
    Running it again does no harm. Needs pglore[catalog].

    \b
    Example:
      pglore init --dsn postgresql:///mydb
    """
    if check and downgrade:
        raise click.UsageError("--check and --downgrade exclude each other.")
    migrations = load_migrations()
    import psycopg

    with psycopg.connect(default_dsn(dsn), autocommit=True, application_name="pglore init") as connection:
        connection.execute("SET client_min_messages = warning")
        if downgrade:
            if not yes:
                name = connection.info.dbname
                click.confirm(f'Delete the catalog of database "{name}", with every collection?', abort=True, err=True)
            migrations.downgrade(connection)
            return tell("The catalog is removed; the extension stays.", {"catalog": None}, as_json)
        if check:
            version = extension(connection)
            current = version is not None and migrations.check(connection)
            message = (
                "Up to date." if current else f"Not up to date: run pglore init. Extension: {version or 'missing'}."
            )
            tell(message, {"extension": version, "current": current}, as_json)
            sys.exit(0 if current else ERROR)
        create_extension(connection)
        create_keyword_extensions(connection)
        migrations.upgrade(connection)
        version = extension(connection)
        tell(f"Ready: extension pglore {version} and its catalog.", {"extension": version, "current": True}, as_json)


def load_migrations() -> Any:
    """The catalog's revisions, which need Alembic."""
    try:
        import pglore_migrations
    except ImportError as error:
        if error.name not in ("alembic", "sqlalchemy"):
            raise
        raise pglore.SetupError("pglore init needs Alembic", hint="pip install 'pglore[catalog]'") from error
    return pglore_migrations


def extension(connection: Connection) -> str | None:
    """The extension's version in this database."""
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'pglore'").fetchone()
    return row[0] if row else None


def create_extension(connection: Connection) -> None:
    """Make the extension where it is missing. raises SetupError where that needs somebody else"""
    import psycopg

    if extension(connection):
        return
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pglore CASCADE")
    except psycopg.errors.InsufficientPrivilege as error:
        hint = "Let a superuser run: CREATE EXTENSION pglore CASCADE; then run pglore init again."
        raise pglore.SetupError(str(error.diag.message_primary), sqlstate=error.sqlstate, hint=hint) from error
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as error:
        hint = "Install it into the server on the server's machine: make install PG_CONFIG=/path/to/pg_config."
        raise pglore.SetupError(str(error.diag.message_primary), sqlstate=error.sqlstate, hint=hint) from error


def create_keyword_extensions(connection: Connection) -> None:
    """Make pg_textsearch, for BM25, and pg_trgm, for misspelt words, where the server has them."""
    import psycopg

    # Nothing depends on them: where one is not preloaded or not allowed, searches do without, and the doctor says so.
    for name in ("pg_textsearch", "pg_trgm"):
        with contextlib.suppress(psycopg.Error):
            if connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = %s", [name]).fetchone():
                connection.execute(f"CREATE EXTENSION IF NOT EXISTS {name}")


def tell(message: str, value: dict[str, Any], as_json: bool) -> None:
    """The outcome, as text or as JSON."""
    print_json(value) if as_json else click.echo(message)
