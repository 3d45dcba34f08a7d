"""`pglore models`: the models that SQL can name."""

from __future__ import annotations

import click

import pglore

from .options import database
from .output import clean, print_json, print_table, size, stdout


@click.command("models")
@database
def command(dsn: str | None, as_json: bool) -> None:
    """List the models: engine, device and why, state.

    \b
    Example:
      pglore models --json
    """
    with pglore.connect(dsn, application_name="pglore models") as client:
        models = client.models()
    if as_json:
        return print_json(models)
    show(models)


def show(models: list[pglore.Model]) -> None:
    """A row for each model; why it runs where it does below the table, or as the last column in a pipe."""
    columns = ["task", "alias", "default", "engine", "device", "dtype", "dimensions", "window", "state", "memory"]
    rows = [
        [
            model.task, model.alias, "yes" if model.is_default else "", model.engine, model.device, model.dtype,
            model.dimensions, model.window_tokens, model.state, size(model.memory_bytes),
        ]
        for model in models
    ]  # fmt: skip
    reasons = [model.device_reason for model in models]
    from rich.text import Text

    console = stdout()
    if not console.is_terminal:
        return print_table([*columns, "why"], ([*row, reason] for row, reason in zip(rows, reasons, strict=True)))
    print_table(columns, rows, styles=(None, "bold cyan"))
    for reason in dict.fromkeys(filter(None, reasons)):
        names = ", ".join(model.alias for model in models if model.device_reason == reason)
        console.print(Text(clean(f"\n{names}: {reason}"), "dim"))
