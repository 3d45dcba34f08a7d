"""What an error looks like on the terminal, and the exit code it gives."""

from __future__ import annotations

import json

import pglore

from .output import clean, stderr

ERROR = 1
USAGE = 2
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h

# PostgreSQL's own errors that a user of pglore meets, and what to do about each.
HINTS = {
    "42501": "Ask the database's owner: GRANT lore_reader (to search and ask), lore_writer (to load) or lore_admin.",
    "28P01": "Check the user and password of --dsn, PGLORE_DSN or PGPASSWORD.",
    "3D000": "Name a database that exists in --dsn or PGLORE_DSN, or create it.",
}
AGAIN = {
    "53300",
    "57P01",
    "57P03",
    "40001",
    "40P01",
}  # too many connections, shutdown, starting, serialization, deadlock
NO_CONNECTION = "Name the server with --dsn or PGLORE_DSN, and see that it runs."


def describe(error: Exception) -> tuple[str, str | None, str | None, int] | None:
    """(message, hint, SQLSTATE, exit code) of an error of the server, the connection or a file; None for a bug."""
    error = pglore.errors.from_driver(error) or error
    if isinstance(error, pglore.Error):
        return str(error), error.hint, error.sqlstate, TRY_AGAIN if isinstance(error, pglore.TryAgain) else ERROR
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename}" if error.filename else str(error), None, None, ERROR
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate
    message = error.diag.message_primary or str(error).strip()
    hint = error.diag.message_hint or HINTS.get(state or "")
    if hint is None and isinstance(error, psycopg.OperationalError) and state in (None, "08001", "08006"):
        hint = NO_CONNECTION
    return message, hint, state, TRY_AGAIN if state in AGAIN else ERROR


def report(error: Exception, *, as_json: bool = False) -> int | None:
    """Print an error on standard error; its exit code, or None where it is no expected one."""
    described = describe(error)
    if described is None:
        return None
    message, hint, state, code = described
    if as_json:
        stderr().print(json.dumps({"error": {"code": state, "message": message, "hint": hint}}), markup=False)
        return code
    console = stderr()
    console.print(f"[bold red]Error:[/] [bold]{escape(clean(message))}[/]" + (f" [dim]({state})[/]" if state else ""))
    if hint:
        console.print(f"[dim]Hint:[/]  {escape(clean(hint))}")
    return code


def escape(text: str) -> str:
    """Text that rich prints as it is."""
    from rich.markup import escape

    return escape(text)
