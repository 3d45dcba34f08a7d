"""`pglore search`: the chunks of a collection that answer a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

import pglore

from .explain import show_stages
from .options import database, ranking, reading, retrieval
from .output import line, print_block, print_json, stdout


@click.command("search")
@click.argument("query", required=False)
@click.option(
    "-c",
    "--collection",
    metavar="NAME",
    multiple=True,
    default=["documents"],
    show_default=True,
    help="The collection. Repeat it to search several of one model at once.",
)
@retrieval
@ranking
@reading
@click.option("-k", default=10, show_default=True, help="Most hits.")
@click.option("--full", is_flag=True, help="Print whole chunks, not their first lines.")
@click.option("--sql", is_flag=True, help="Print the SQL statement that does this search instead.")
@click.option("--explain", is_flag=True, help="Print where the time of this search goes instead.")
@database
def command(
    query: str | None,
    collection: tuple[str, ...],
    dsn: str | None,
    as_json: bool,
    full: bool,
    sql: bool,
    explain: bool,
    **options: Any,
) -> None:
    """Find the passages that answer a query.

    \b
    Example:
      pglore search "reclaim disk space" -k 3 --filter '{"section": "maintenance"}'
      pglore search "reclaim disk space" --rerank default --diversity 0.3 --neighbours 1 --json
      pglore search "reclaim disk space" -c manual -c wiki --weights '{"keyword": 1}'
    """
    if query is None and options["vector"] is None:
        raise click.UsageError("Missing argument 'QUERY', or --vector.")
    if sql and explain:
        raise click.UsageError("--sql and --explain exclude each other.")
    if len(collection) > 1 and (sql or explain):
        raise click.UsageError("--sql and --explain take one collection.")
    with pglore.connect(dsn, application_name="pglore search") as client:
        if len(collection) > 1:
            return show_all(client.search_all(collection, query, **options), collection, full, as_json)
        source = client.collection(collection[0])
        if sql:
            statement = source.search_sql(query, **options)
            return print_json({"sql": statement}) if as_json else click.echo(statement)
        if explain:
            stages = source.explain_search(query, **options)
            return print_json(stages) if as_json else show_stages(stages)
        hits = source.search(query, **options)
    show_all(hits, collection, full, as_json)


def show_all(
    hits: Sequence[pglore.Hit | pglore.HitOfAll], collections: Sequence[str], full: bool, as_json: bool
) -> None:
    """The hits, or that there are none."""
    if as_json:
        return print_json(hits)
    if not hits:
        names = ", ".join(f'"{name}"' for name in collections)
        click.echo(f"Nothing found in collection {names}.", err=True)
    for hit in hits:
        show(hit, full)


def show(hit: pglore.Hit | pglore.HitOfAll, full: bool) -> None:
    """One hit: rank, key, score, collection where there are several, and heading on a line, its text below."""
    from rich.text import Text

    console = stdout()
    head = Text.assemble((f"{hit.rank:>2}  ", "bold"), (line(hit.key), "bold cyan"), (f"  {hit.score:.3f}", "dim"))
    if isinstance(hit, pglore.HitOfAll):
        head.append(f"  {line(hit.collection)}", "cyan")
    if hit.heading:
        head.append(f"  {line(hit.heading)}", "italic")
    console.print(head)
    width = None if full else max(console.width * 3, 240) if console.is_terminal else 240
    print_block(line(hit.content, width))
