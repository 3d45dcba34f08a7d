"""`pglore collections`: what there is to search, and changing what a collection is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

import pglore

from .options import INDEX_KINDS, KEYWORDS, Names, database
from .output import clean, print_json, print_table

if TYPE_CHECKING:
    from psycopg.errors import Diagnostic


@click.group("collections", invoke_without_command=True)
@database
@click.pass_context
def command(ctx: click.Context, dsn: str | None, as_json: bool) -> None:
    """List the collections with their sizes, or alter one.

    \b
    Example:
      pglore collections
      pglore collections alter manual --keyword bm25 --filterable section,year
    """
    if ctx.invoked_subcommand is None:
        with connection(dsn) as client:
            collections = client.collections()
        print_json(collections) if as_json else show(collections)


def connection(dsn: str | None) -> pglore.Client:
    """A client that says who it is."""
    return pglore.connect(dsn, application_name="pglore collections")


@command.command("alter")
@click.argument("collection")
@click.option("--name", metavar="NAME", help="Another name.")
@click.option("--language", metavar="CONFIGURATION", help="Of the keyword index, which is built anew.")
@click.option("--chunk-strategy", type=click.Choice(["auto", "markdown", "text"]), help="Of what is added later.")
@click.option("--chunk-size", type=int, metavar="TOKENS", help="Likewise.")
@click.option("--chunk-overlap", type=int, metavar="TOKENS", help="Likewise.")
@click.option("--keyword", type=click.Choice(KEYWORDS), help="Keyword index, which is built anew.")
@click.option("--index-kind", type=click.Choice(INDEX_KINDS), help="Of vector index; pglore index builds it.")
@click.option("--metric", type=click.Choice(["cosine", "ip", "l2"]), help="Distance of vectors.")
@click.option("--filterable", type=Names(), metavar="FIELDS", help="Fields with indexes for filters: section,year.")
@database
def alter(collection: str, dsn: str | None, as_json: bool, **settings: Any) -> None:
    """Change what a collection is, and keep all that it holds.

    \b
    Example:
      pglore collections alter manual --keyword bm25
      pglore collections alter manual --name handbook --filterable ""
    """
    with connection(dsn) as client:
        client.connection.add_notice_handler(tell)
        changes = client.collection(collection).alter(**settings)
    if as_json:
        return print_json(changes)
    if not changes:
        return click.echo(f'Nothing to change in collection "{collection}".')
    print_table(("setting", "before", "after"), ((one.setting, one.before, one.after) for one in changes))


def tell(notice: Diagnostic) -> None:
    """What the server has to say beside the result."""
    hint = f"\n  {clean(notice.message_hint)}" if notice.message_hint else ""
    click.echo(f"{clean(notice.message_primary)}{hint}", err=True)


def show(collections: list[pglore.CollectionInfo]) -> None:
    """A row for each collection."""
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
