"""`pglore models`: the models that SQL can name."""

from __future__ import annotations

import click

import pglore

from .options import database
from .output import print_json, print_table, size


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
    columns = (
        "task",
        "alias",
        "default",
        "engine",
        "device",
        "dtype",
        "dimensions",
        "window",
        "state",
        "memory",
        "why",
    )
    rows = (
        (
            model.task, model.alias, "yes" if model.is_default else "", model.engine, model.device, model.dtype,
            model.dimensions, model.window_tokens, model.state, size(model.memory_bytes), model.device_reason,
        )
        for model in models
    )  # fmt: skip
    print_table(columns, rows, styles=(None, "bold cyan"))
