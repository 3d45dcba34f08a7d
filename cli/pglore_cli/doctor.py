"""`pglore doctor`: what is wrong and what to do about it."""

from __future__ import annotations

import sys

import click

import pglore

from .failure import ERROR
from .options import database
from .output import clean, print_json, stdout

STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


@click.command("doctor")
@database
def command(dsn: str | None, as_json: bool) -> None:
    """Look for what is wrong, and say what to do.

    The exit code is 1 if there is an error.

    \b
    Example:
      pglore doctor
    """
    with pglore.connect(dsn, application_name="pglore doctor") as client:
        findings = client.doctor()
    if as_json:
        print_json(findings)
    else:
        show(findings)
    if any(finding.severity == "error" for finding in findings):
        sys.exit(ERROR)


def show(findings: list[pglore.Finding]) -> None:
    """Each finding beside its severity, its remedy below it."""
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    if not findings:
        console.print(Text("Nothing to mend.", "green"))
    if not console.is_terminal:
        for one in findings:
            click.echo(
                f"{clean(one.severity)}: {clean(one.finding)}" + (f"\n  {clean(one.remedy)}" if one.remedy else "")
            )
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    for one in findings:
        grid.add_row(Text(clean(one.severity), STYLES.get(one.severity, "bold")), Text(clean(one.finding)))
        grid.add_row("", Text(clean(one.remedy or ""), "dim"))
    console.print(grid)
