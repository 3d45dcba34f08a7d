"""`pglore host`: starting, stopping and watching the model host."""

from __future__ import annotations

import click

import pglore

from . import status
from .options import database
from .output import print_json


@click.group("host")
@database
def command(dsn: str | None, as_json: bool) -> None:
    """Start, stop or watch the process that runs the models.

    \b
    Example:
      pglore host status
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
