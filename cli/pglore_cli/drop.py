"""`pglore drop`: delete a collection."""

from __future__ import annotations

import click

import pglore

from .options import database
from .output import print_json


@click.command("drop")
@click.argument("collection")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@database
def command(collection: str, yes: bool, dsn: str | None, as_json: bool) -> None:
    """Delete a collection with all its documents.

    \b
    Example:
      pglore drop drafts --yes
    """
    if not yes:
        click.confirm(f'Delete collection "{collection}" with all its documents?', abort=True, err=True)
    with pglore.connect(dsn, application_name="pglore drop") as client:
        client.collection(collection).drop()
    print_json({"dropped": collection}) if as_json else click.echo(f'Dropped collection "{collection}".')
