"""`pglore status`: the model host and what the database holds."""

from __future__ import annotations

from collections.abc import Mapping

import click

import pglore

from .options import database
from .output import clean, print_json, size, stdout


@click.command("status")
@database
def command(dsn: str | None, as_json: bool) -> None:
    """Show the model host and the collections.

    \b
    Example:
      pglore status --dsn postgresql:///mydb
    """
    with pglore.connect(dsn, application_name="pglore status") as client:
        host = client.host_status()
        try:
            collections = client.collections()
        except pglore.CatalogMissing:
            collections = None
    if as_json:
        return print_json({"host": host, "collections": collections})
    found = facts(host) | {"collections": "no catalog: run pglore init" if collections is None else len(collections)}
    for collection in collections or ():
        counted = f"{collection.documents} documents, {collection.chunks} chunks"
        found[f"  {collection.name}"] = "closed to this role" if collection.documents is None else counted
    show(found)


def facts(host: pglore.HostStatus) -> dict[str, object]:
    """What is told of the model host, by name."""
    return {
        "model host": f"{host.version}, process {host.pid}, up {str(host.uptime).split('.')[0]}",
        "device": f"{host.device}" + (f" ({host.device_reason})" if host.device_reason else ""),
        "loaded models": ", ".join(host.loaded) or "none yet",
        "memory": size(host.memory_bytes),
        "requests": f"{host.requests} done, {host.active} running, {host.queued} waiting",
        "connections": host.connections,
    }


def show(facts: Mapping[str, object]) -> None:
    """Names and values in two columns."""
    from rich.text import Text

    console = stdout()
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        console.print(Text.assemble((f"{clean(name):<{width}}  ", "bold"), clean(value)))
