"""`pglore search`: the chunks of a collection that answer a query."""

from __future__ import annotations

from typing import Any

import click

import pglore

from .explain import show_stages
from .options import database, ranking, retrieval
from .output import line, print_block, print_json, stdout


@click.command("search")
@click.argument("query", required=False)
@retrieval
@ranking
@click.option("-k", default=10, show_default=True, help="Most hits.")
@click.option("--full", is_flag=True, help="Print whole chunks, not their first lines.")
@click.option("--sql", is_flag=True, help="Print the SQL statement that does this search instead.")
@click.option("--explain", is_flag=True, help="Print where the time of this search goes instead.")
@database
def command(
    query: str | None,
    collection: str,
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
    """
    if query is None and options["vector"] is None:
        raise click.UsageError("Missing argument 'QUERY', or --vector.")
    if sql and explain:
        raise click.UsageError("--sql and --explain exclude each other.")
    with pglore.connect(dsn, application_name="pglore search") as client:
        source = client.collection(collection)
        if sql:
            statement = source.search_sql(query, **options)
            return print_json({"sql": statement}) if as_json else click.echo(statement)
        if explain:
            stages = source.explain_search(query, **options)
            return print_json(stages) if as_json else show_stages(stages)
        hits = source.search(query, **options)
    if as_json:
        return print_json(hits)
    if not hits:
        click.echo(f'Nothing found in collection "{collection}".', err=True)
    for hit in hits:
        show(hit, full)


def show(hit: pglore.Hit, full: bool) -> None:
    """One hit: rank, key, score and heading on a line, its text below."""
    from rich.text import Text

    console = stdout()
    head = Text.assemble((f"{hit.rank:>2}  ", "bold"), (line(hit.key), "bold cyan"), (f"  {hit.score:.3f}", "dim"))
    if hit.heading:
        head.append(f"  {line(hit.heading)}", "italic")
    console.print(head)
    width = None if full else max(console.width * 3, 240) if console.is_terminal else 240
    print_block(line(hit.content, width))
