"""`pglore collections`: what there is to search."""

from __future__ import annotations

import click

import pglore

from .options import database
from .output import print_json, print_table


@click.command("collections")
@database
def command(dsn: str | None, as_json: bool) -> None:
    """List the collections with their sizes.

    \b
    Example:
      pglore collections
    """
    with pglore.connect(dsn, application_name="pglore collections") as client:
        collections = client.collections()
    if as_json:
        return print_json(collections)
    columns = ("name", "documents", "chunks", "model", "dimensions", "keyword", "created")
    rows = (
        (
            one.name,
            one.documents,
            one.chunks,
            one.model,
            one.dimensions,
            one.keyword,
            f"{one.created_at:%Y-%m-%d %H:%M}",
        )
        for one in collections
    )
    print_table(columns, rows, styles=("bold cyan",))
