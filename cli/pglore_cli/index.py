"""`pglore index`: build the vector index of a collection while others read and write."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import click

import pglore

from .options import INDEX_KINDS, JsonObject, database
from .output import print_json, print_table, size, stderr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PROGRESS = """
    SELECT phase, CASE WHEN tuples_total > 0 THEN tuples_done::float8 / tuples_total
                       WHEN blocks_total > 0 THEN blocks_done::float8 / blocks_total END AS done
    FROM pg_stat_progress_create_index WHERE pid = %s
"""


@click.command("index")
@click.argument("collection")
@click.option("--kind", type=click.Choice(INDEX_KINDS), default="auto", show_default=True, help="Kind of index.")
@click.option("--options", metavar="JSON", type=JsonObject(), help="Of the kind: '{\"m\": 16}'.")
@click.option("--estimate", is_flag=True, help="Only tell what each kind would take.")
@click.option("--sql", is_flag=True, help="Only print the statements.")
@click.option("--tune", metavar="RECALL", type=float, help="Then find the least effort that reaches this recall.")
@database
def command(
    collection: str,
    kind: str,
    options: dict[str, Any] | None,
    estimate: bool,
    sql: bool,
    tune: float | None,
    dsn: str | None,
    as_json: bool,
) -> None:
    """Build the vector index of a collection; others read and write meanwhile.

    \b
    Example:
      pglore index manual --kind hnsw_bit --tune 0.95
    """
    with pglore.connect(dsn, application_name="pglore index") as client:
        source = client.collection(collection)
        if estimate:
            return show_estimate(source.index_estimate(), as_json)
        statements = source.index_sql(kind, options)
        if sql:
            return print_json({"sql": statements}) if as_json else click.echo(";\n".join(statements) + ";")
        build(client, statements, dsn)
        bands = source.tune(tune) if tune is not None else []
        # What is there now; a second build of the same would only say how long it took.
        [info] = [one for one in client.collections() if one.name == collection]
    if as_json:
        return print_json({"collection": collection, "index_kind": info.index_kind, "tuned": bands})
    click.echo(f'Collection "{collection}": {info.index_kind}, {info.chunks} chunks.')
    if bands:
        columns = ("share that passes", "effort", "recall", "ms")
        print_table(columns, ((f"{b.share:g}", b.effort or "exact", f"{b.recall:.3f}", f"{b.ms:.2f}") for b in bands))


def build(client: pglore.Client, statements: list[str], dsn: str | None) -> None:
    """Run the statements, each on its own, with a bar on a terminal."""
    from rich.progress import Progress

    backend = client.connection.info.backend_pid
    ended = threading.Event()
    with Progress(console=stderr(), transient=True) as progress:
        task = progress.add_task("building", total=1.0)
        watcher = threading.Thread(target=watch, args=(dsn, backend, ended, progress, task), daemon=True)
        watcher.start()
        try:
            for place, statement in enumerate(statements):
                try:
                    client.connection.execute(statement.encode())
                except BaseException:
                    if statement.startswith("CREATE INDEX"):  # half an index is left: the statement before drops it
                        with contextlib.suppress(Exception):  # what ended the build is told
                            client.connection.execute(statements[place - 1].encode())
                    raise
        finally:
            ended.set()
            watcher.join(5)


def watch(dsn: str | None, backend: int, ended: threading.Event, progress: Progress, task: TaskID) -> None:
    """Show how far the server is, as seen from a second connection, until the build has ended."""
    with pglore.connect(dsn, application_name="pglore index progress") as client:
        while not ended.wait(0.5):
            row: Any = client.connection.execute(PROGRESS, [backend]).fetchone()
            if row:
                progress.update(task, description=row[0], completed=row[1] or 0)


def show_estimate(rows: list[pglore.IndexEstimate], as_json: bool) -> None:
    """The estimates, one kind a line."""
    if as_json:
        return print_json(rows)
    columns = ("kind", "chunks", "on disk", "memory to build", "auto", "note")
    cells = (
        (r.index_kind, r.chunks, size(r.index_bytes), size(r.build_bytes), "*" if r.chosen else None, r.note)
        for r in rows
    )
    print_table(columns, cells, styles=("bold cyan",))
