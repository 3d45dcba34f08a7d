"""The command `pglore`: its commands by name, loaded when used, and the exit codes of what they raise."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

import pglore

from . import failure

COMMANDS = (
    "ask",
    "budgets",
    "cache",
    "calls",
    "chat",
    "collections",
    "doctor",
    "drop",
    "estimate",
    "eval",
    "generate",
    "host",
    "index",
    "ingest",
    "init",
    "models",
    "search",
    "status",
)


class Commands(click.Group):
    """Commands found by name, `pglore_cli.<name>.command`; errors become a message, a hint and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return import_module(f"{__package__}.{name}").command if name in COMMANDS else None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            code = failure.report(error, as_json=ctx.meta.get("pglore.json", False))
            if code is None:
                raise
            sys.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(pglore.__version__, prog_name="pglore")
def main() -> None:
    """A whole AI stack inside PostgreSQL: load documents, search them, ask them.

    \b
    The database is --dsn, else PGLORE_DSN, else libpq's own environment.
    Exit codes: 0 well, 1 error, 2 wrong usage, 75 try again later.

    \b
    Example:
      pglore init
      pglore ingest docs/
      pglore ask "How do I take a backup?"
    """
