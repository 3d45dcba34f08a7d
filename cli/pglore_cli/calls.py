"""`pglore calls`: the log of calls of models."""

from __future__ import annotations

import click

import pglore

from .options import database
from .output import print_json, print_table


@click.command("calls")
@click.option(
    "-n", "--most", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The newest so many."
)
@click.option("--since", type=click.DateTime(), help="Only calls from then on, in local time.")
@database
def command(most: int, since: click.DateTime | None, dsn: str | None, as_json: bool) -> None:
    """Show which models were called by whom, what that took and what came of it.

    \b
    Example:
      pglore calls -n 20
      pglore calls --json | jq 'map(.output_tokens) | add'
    """
    then = since.astimezone() if since else None  # type: ignore[attr-defined]
    with pglore.connect(dsn, application_name="pglore calls") as client:
        found = client.calls(most=most, since=then)
    if as_json:
        return print_json(found)
    columns = [
        "started", "role", "operation", "model", "texts", "read", "written", "queue ms", "work ms", "total ms",
        "outcome",
    ]  # fmt: skip
    rows = [
        [
            row.started_at.astimezone().strftime("%Y-%m-%d %H:%M:%S"), row.role, row.operation, row.model, row.texts,
            row.input_tokens, row.output_tokens, f"{row.queue_ms:.1f}", f"{row.work_ms:.1f}", f"{row.total_ms:.1f}",
            row.outcome,
        ]
        for row in found
    ]  # fmt: skip
    print_table(columns, rows, styles=(None, None, None, "bold cyan"))
