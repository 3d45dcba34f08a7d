"""`pglore models`: the models that SQL can name; adding, dropping, loading them."""

from __future__ import annotations

import json
from typing import Any

import click

import pglore

from .options import JsonObject, database
from .output import clean, print_json, print_table, size, stdout

TASKS = ["embed", "rerank", "generate"]


@click.group("models", invoke_without_command=True)
@database
@click.pass_context
def command(ctx: click.Context, dsn: str | None, as_json: bool) -> None:
    """List the models, or add, drop, load one.

    \b
    Example:
      pglore models --json
      pglore models add small embed /srv/models/bge-small -o dtype=float32
    """
    if ctx.invoked_subcommand is None:
        with connection(dsn) as client:
            models = client.models()
        print_json(models) if as_json else show(models)


def connection(dsn: str | None) -> pglore.Client:
    """A client that says who it is."""
    return pglore.connect(dsn, application_name="pglore models")


def tell(as_json: bool, what: str, **result: Any) -> None:
    """One line for people, an object for programs."""
    print_json(result) if as_json else click.echo(clean(what))


class Option(click.ParamType):
    """NAME=VALUE; a value that is JSON is taken as such."""

    name = "option"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not equals or not name:
            self.fail(f"{value!r} is not NAME=VALUE, such as dtype=float32", param, ctx)
        try:
            return name, json.loads(text)
        except ValueError:
            return name, text


@command.command("add")
@click.argument("alias")
@click.argument("task", type=click.Choice(TASKS))
@click.argument("source")
@click.option("-o", "--option", "given", type=Option(), multiple=True, help="NAME=VALUE, such as dtype=float32.")
@click.option("--options", type=JsonObject(), default="{}", help='All at once: \'{"dtype": "float32"}\'.')
@click.option("--replace", is_flag=True, help="Take the place of a model of that alias.")
@database
def add(
    alias: str, task: str, source: str, given: tuple, options: dict, replace: bool, dsn: str | None, as_json: bool
) -> None:
    """Register a model: a folder, package:NAME, hub:ORGANISATION/NAME or the URL of a server.

    \b
    Example:
      pglore models add small embed /srv/models/bge-small -o dimensions=256
      pglore models add far embed https://gpu-7/v1 -o protocol=openai -o name=bge-m3 -o key_env=FAR_KEY
    """
    with connection(dsn) as client:
        client.add_model(alias, task, source, {**options, **dict(given)}, replace=replace)
    tell(as_json, f'Added model "{alias}" for {task}.', added=alias)


@command.command("drop")
@click.argument("alias")
@click.option("--if-exists", is_flag=True, help="Do nothing where there is none.")
@database
def drop(alias: str, if_exists: bool, dsn: str | None, as_json: bool) -> None:
    """Forget a model; its files stay."""
    with connection(dsn) as client:
        dropped = client.drop_model(alias, if_exists=if_exists)
    tell(as_json, f'Dropped model "{alias}".' if dropped else f'There is no model "{alias}".', dropped=dropped)


@command.command("default")
@click.argument("alias")
@database
def default(alias: str, dsn: str | None, as_json: bool) -> None:
    """Take this model where a call names none."""
    with connection(dsn) as client:
        task = client.set_default(alias)
    tell(as_json, f'"{alias}" is now the default for {task}.', task=task, default=alias)


@command.command("load")
@click.argument("alias")
@database
def load(alias: str, dsn: str | None, as_json: bool) -> None:
    """Load a model now instead of at its first use."""
    with connection(dsn) as client:
        client.load_model(alias)
    tell(as_json, f'Loaded model "{alias}".', loaded=alias)


@command.command("unload")
@click.argument("alias")
@database
def unload(alias: str, dsn: str | None, as_json: bool) -> None:
    """Give a model's memory back; its next use loads it again."""
    with connection(dsn) as client:
        unloaded = client.unload_model(alias)
    tell(as_json, f'Unloaded model "{alias}".' if unloaded else f'Model "{alias}" was not loaded.', unloaded=unloaded)


@command.command("grant")
@click.argument("alias")
@click.argument("role")
@database
def grant(alias: str, role: str, dsn: str | None, as_json: bool) -> None:
    """Let a role and its members use a model; public lets all."""
    with connection(dsn) as client:
        client.grant_model(alias, role)
    tell(as_json, f'"{role}" may use the model "{alias}".', granted=alias, role=role)


@command.command("revoke")
@click.argument("alias")
@click.argument("role")
@database
def revoke(alias: str, role: str, dsn: str | None, as_json: bool) -> None:
    """Take a model from a role; from public: from all to whom it is not granted."""
    with connection(dsn) as client:
        client.revoke_model(alias, role)
    tell(as_json, f'The model "{alias}" is taken from "{role}".', revoked=alias, role=role)


@command.command("sources")
@database
def sources(dsn: str | None, as_json: bool) -> None:
    """Show where each model comes from and its options."""
    with connection(dsn) as client:
        found = client.model_sources()
    if as_json:
        return print_json(found)
    rows = [[m.task, m.alias, m.source, json.dumps(m.options), m.added_at] for m in found]
    print_table(["task", "alias", "source", "options", "added"], rows, styles=(None, "bold cyan"))


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
    reasons = [model.error or model.device_reason for model in models]
    from rich.text import Text

    console = stdout()
    if not console.is_terminal:
        return print_table([*columns, "why"], ([*row, reason] for row, reason in zip(rows, reasons, strict=True)))
    print_table(columns, rows, styles=(None, "bold cyan"))
    for reason in dict.fromkeys(filter(None, reasons)):
        names = ", ".join(model.alias for model, why in zip(models, reasons, strict=True) if why == reason)
        console.print(Text(clean(f"\n{names}: {reason}"), "dim"))
