"""`pglore doctor`: what is wrong and what to do about it."""

from __future__ import annotations

import sys

import click

import pglore

from .failure import ERROR
from .options import database
from .output import clean, print_json, stdout

STYLES = {"error": "bold red", "warning": "yellow", "ok": "green"}


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
    """Each finding with its remedy below."""
    from rich.text import Text

    console = stdout()
    if not findings:
        console.print(Text("Nothing to mend.", "green"))
    for finding in findings:
        style = STYLES.get(finding.severity, "bold")
        console.print(Text.assemble((f"{clean(finding.severity):<8} ", style), clean(finding.finding)))
        if finding.remedy:
            console.print(Text(f"         {clean(finding.remedy)}", "dim"))
