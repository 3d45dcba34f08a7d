"""`pglore budgets`: what roles may spend on models."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

import pglore

from .models import tell
from .options import database
from .output import print_json, print_table


def connection(dsn: str | None) -> pglore.Client:
    """A client that says who it is."""
    return pglore.connect(dsn, application_name="pglore budgets")


@click.group("budgets", invoke_without_command=True)
@database
@click.pass_context
def command(ctx: click.Context, dsn: str | None, as_json: bool) -> None:
    """List the budgets and what is spent of them, or set or drop one.

    \b
    Example:
      pglore budgets
      pglore budgets set analysts --tokens 1000000 --hours 24
    """
    if ctx.invoked_subcommand is not None:
        return
    with connection(dsn) as client:
        found = client.budgets()
    if as_json:
        return print_json(found)
    columns = ["role", "tokens", "spent", "seconds", "spent s", "period", "ends", "tokens/statement", "s/statement"]
    rows: list[list[Any]] = [
        [
            row.role, row.tokens, row.tokens_spent, row.seconds,
            None if row.seconds_spent is None else f"{row.seconds_spent:.1f}", row.period,
            row.ends_at and row.ends_at.astimezone().strftime("%Y-%m-%d %H:%M"),
            row.per_statement_tokens, row.per_statement_seconds,
        ]
        for row in found
    ]  # fmt: skip
    print_table(columns, rows, styles=("bold cyan",))


@command.command("set")
@click.argument("role")
@click.option("--tokens", type=click.IntRange(0), help="Read and written in a period.")
@click.option("--seconds", type=click.FloatRange(0), help="That models work for the role in a period.")
@click.option("--hours", type=click.FloatRange(0.001), default=24, show_default=True, help="Length of a period.")
@click.option("--for-ever", is_flag=True, help="One period that never ends.")
@click.option("--per-statement-tokens", type=click.IntRange(0), help="That one statement may spend.")
@click.option("--per-statement-seconds", type=click.FloatRange(0), help="That one statement may spend.")
@database
def set_budget(
    role: str, tokens: int | None, seconds: float | None, hours: float, for_ever: bool,
    per_statement_tokens: int | None, per_statement_seconds: float | None, dsn: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Give a role a budget; the role public stands for each that has none of its own."""
    period = None if for_ever else timedelta(hours=hours)
    with connection(dsn) as client:
        client.set_budget(
            role, tokens, seconds, period=period,
            per_statement_tokens=per_statement_tokens, per_statement_seconds=per_statement_seconds,
        )  # fmt: skip
    tell(as_json, f'Set the budget of "{role}".', role=role)


@command.command("drop")
@click.argument("role")
@database
def drop(role: str, dsn: str | None, as_json: bool) -> None:
    """Take a role's budget away."""
    with connection(dsn) as client:
        dropped = client.drop_budget(role)
    tell(as_json, f'"{role}" has no budget {"any more" if dropped else "of its own"}.', dropped=dropped)
