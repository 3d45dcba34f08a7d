"""`pglore host`: starting, stopping and watching the model host."""

from __future__ import annotations

import click

import pglore

from . import status
from .options import database
from .output import print_json, print_table, size


@click.group("host")
@database
def command(dsn: str | None, as_json: bool) -> None:
    """Start, stop or watch the process that runs the models.

    \b
    Example:
      pglore host status
      pglore host metrics
      pglore host stop
    """


def connection(dsn: str | None) -> pglore.Client:
    """A client that says who it is."""
    return pglore.connect(dsn, application_name="pglore host")


@command.command("start")
@database
def start(dsn: str | None, as_json: bool) -> None:
    """Start the model host unless it runs; the first call of a model does so too."""
    with connection(dsn) as client:
        pid = client.host_start()
    print_json({"pid": pid}) if as_json else click.echo(f"The model host runs as process {pid}.")


@command.command("stop")
@database
def stop(dsn: str | None, as_json: bool) -> None:
    """Stop the model host once what is running has been answered. The next call starts it again."""
    with connection(dsn) as client:
        stopped = client.host_stop()
    said = "The model host has stopped." if stopped else "The model host was not running."
    print_json({"stopped": stopped}) if as_json else click.echo(said)


@command.command("status")
@database
def state(dsn: str | None, as_json: bool) -> None:
    """Show the model host: process, device, loaded models, memory, requests."""
    with connection(dsn) as client:
        host = client.host_status()
    print_json(host) if as_json else status.show(status.facts(host))


@command.command("metrics")
@database
def metrics(dsn: str | None, as_json: bool) -> None:
    """Show what each model has done and how fast: times in ms, speed of the last minute.

    \b
    Example:
      pglore host metrics
      pglore host metrics --json
    """
    with connection(dsn) as client:
        found = client.host_metrics()
    if as_json:
        return print_json(found)
    columns = [
        "model", "device", "memory", "waiting", "requests", "failed", "refused", "cancelled",
        "p50 ms", "p95 ms", "p99 ms", "bulk p95 ms", "tokens/s", "engine busy", "texts a batch", "padding",
    ]  # fmt: skip
    rows = [
        [
            row.alias, row.device, size(row.memory_bytes), waiting(row), row.requests, sum(row.errors.values()),
            row.refusals, row.cancelled, number(row.interactive_p50_ms), number(row.interactive_p95_ms),
            number(row.interactive_p99_ms), number(row.bulk_p95_ms), number(row.tokens_per_s), share(row.busy_share),
            number(row.batch_texts), share(row.padding_waste),
        ]
        for row in found
    ]  # fmt: skip
    print_table(columns, rows, styles=("bold cyan",))


def waiting(row: pglore.HostMetrics) -> int | None:
    """Texts that wait in both lanes."""
    lanes = [count for count in (row.interactive_queued, row.bulk_queued) if count is not None]
    return sum(lanes) if lanes else None


def number(value: float | None) -> str | None:
    """A figure with three digits that say something."""
    if value is None:
        return None
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def share(value: float | None) -> str | None:
    """A share of 1 in percent."""
    return None if value is None else f"{value:.0%}"
