"""`pglore eval`: how well a retrieval test in BEIR layout is searched, with one or several settings side by side."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import pglore

from . import measures, options
from .corpus import Corpus, read
from .corpus_load import CorpusLoad
from .failure import ERROR
from .files import File
from .ingest import display, report
from .load import digests
from .output import print_json, print_table, stderr


class Variant(click.ParamType):
    """NAME=JSON: a name and the arguments of a search."""

    name = "variant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, dict]:
        if isinstance(value, tuple):
            return value
        name, separator, arguments = value.partition("=")
        if not separator or not name.strip():
            self.fail(f'{value!r} is not NAME=JSON such as vector={{"mode": "vector"}}', param, ctx)
        return name.strip(), options.JsonObject().convert(arguments or "{}", param, ctx)


@click.command("eval")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-c", "--collection", metavar="NAME", help="Load into this collection; by default eval_ and DIR's name.")
@click.option("--split", metavar="NAME", help="Judgements of qrels/NAME.tsv; default test, or the only ones.")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Documents looked at.")
@click.option(
    "--variant", "variants", metavar="NAME=JSON", type=Variant(), multiple=True,
    help="Arguments of lore.search, such as vector='{\"mode\": \"vector\"}'; the first is compared with. Repeat it.",
)  # fmt: skip
@click.option(
    "--measure", "names", metavar="NAME", multiple=True,
    help="A further measure of the library ir_measures, such as AP@100. Repeat it. Needs pglore[eval].",
)  # fmt: skip
@click.option("--as-is", is_flag=True, help="Load nothing: search the collection as it is.")
@click.option("--keep", is_flag=True, help="Keep the collection; one that was there before is always kept.")
@click.option("--model", metavar="ALIAS", help="Embedder of the collection; default the default one.")
@click.option("--language", metavar="NAME", help="Language of the collection; default english.")
@click.option("--connections", type=click.IntRange(1, 16), default=2, show_default=True, help="Batches in flight.")
@options.database
def command(
    folder: Path, collection: str | None, split: str | None, k: int, variants: Sequence[tuple[str, dict]],
    names: Sequence[str], as_is: bool, keep: bool, model: str | None, language: str | None, connections: int,
    dsn: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure how well a retrieval test is searched.

    DIR is in BEIR layout: corpus.jsonl, queries.jsonl and qrels/test.tsv (or qrels.tsv), whose lines may also be
    those of TREC. Its documents are loaded into a collection, which is dropped at the end; a load that was stopped
    goes on where it was. What is found is kept in the view lore.evaluations. Where pglore[eval] is installed, its
    library checks the figures.

    \b
    Example:
      pglore eval scifact/ --variant 'default={}' --variant 'vector={"mode": "vector"}'
    """
    if len(dict(variants)) < len(variants):
        raise click.UsageError("Two variants have the same name.")
    further = measures.parse(names)
    corpus = read(folder, split)
    measures.rehearse(further, corpus.judgements)
    name = collection or "eval_" + re.sub(r"[^A-Za-z0-9_.-]", "_", folder.resolve().name)[:43]
    with pglore.connect(dsn, application_name="pglore eval") as client:
        source = client.collection(name)
        present = {} if as_is else digests(client, name)
        if present is None:
            client.create_collection(name, model=model, language=language or "english", if_not_exists=True)
        else:
            require(client, name, model=model, language=language)
        chosen = dict(variants) or {"default": {}}
        if not as_is:
            rehearse(source, corpus, chosen, k, new=present is None)
        failed = not as_is and load(corpus, folder, name, present or {}, connections, dsn, as_json)
        if present is None:
            settle(client, name)
        try:
            with progress(as_json) as changed:
                rows = source.evaluate(corpus.queries, corpus.judgements, k=k, variants=chosen, progress=changed)
            results = [result(client, row, k, corpus, further) for row in rows]
        except BaseException:
            if present is None and not keep:
                stays = f'Collection "{name}" stays as it was loaded: the same command uses it, pglore drop deletes it.'
                click.echo(stays, err=True)
            raise
        if present is None and not keep:
            source.drop()
    show(results, name, k, corpus, as_json)
    if failed:
        sys.exit(ERROR)


def require(client: pglore.Client, collection: str, **wanted: str | None) -> None:
    """raises BadArgument for a collection that was made otherwise than it is wanted; None is as it is"""
    made = next((info for info in client.collections() if info.name == collection), None)
    for setting, value in wanted.items():
        if made and value and getattr(made, setting) != value:
            message = f'collection "{collection}" is there, and its {setting} is {getattr(made, setting)}, not {value}'
            raise pglore.BadArgument(message, hint=f"Leave --{setting} out, or name another collection with -c.")


def rehearse(source: pglore.Collection, corpus: Corpus, variants: dict[str, dict], k: int, *, new: bool) -> None:
    """Evaluate one query before the load, which takes long: what would fail behind it fails here."""
    first = next(key for key, graded in corpus.judgements.items() if max(graded.values()) > 0)
    judgements = {
        key: graded if key == first else dict.fromkeys(graded, 0) for key, graded in corpus.judgements.items()
    }
    try:
        source.evaluate(corpus.queries, judgements, k=k, variants=variants, keep=False)
    except BaseException:
        if new:
            source.drop()
        raise


def load(
    corpus: Corpus, folder: Path, collection: str, present: dict[str, str], connections: int, dsn: str | None,
    quiet: bool,
) -> bool:  # fmt: skip
    """Load what is not there yet; whether a document could not be loaded. Ends the program where it was stopped."""
    path = folder / "corpus.jsonl"
    files = [File(path, key, len(document.content), None) for key, document in corpus.documents.items()]
    with display(files, quiet=quiet, of="documents") as changed:
        task = CorpusLoad(
            dsn, collection, present=present, metadata={}, connections=connections, changed=changed,
        )  # fmt: skip
        task.documents = corpus.documents
        try:
            asyncio.run(task.run(files))
        except KeyboardInterrupt:
            click.echo("Stopped. What is loaded stays; the same command goes on from here.", err=True)
            sys.exit(128 + signal.SIGINT)
    for failure in task.progress.failures:
        report(failure)
    if others := present.keys() - corpus.documents.keys():
        click.echo(f'Collection "{collection}" holds {len(others):,} documents that are not in {path}.', err=True)
    return bool(task.progress.failures)


def settle(client: pglore.Client, collection: str) -> None:
    """Do for a collection that was made what a server does in time: read statistics, build the index that it needs."""
    from psycopg import sql

    tables = [sql.Identifier("lore_data", f"{collection}_{part}") for part in ("documents", "chunks")]
    client.connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(tables)))
    client.connection.execute("SELECT FROM lore.maintain(%s)", [collection])


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A function that shows how many queries are done: a bar on a terminal, else a line for each tenth."""
    if quiet:
        yield lambda done, of: None
        return
    if sys.stderr.isatty():
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(), TextColumn("{task.completed:,} of {task.total:,} queries"), TimeRemainingColumn())
        with Bar(*columns, console=stderr(), transient=True) as bar:
            task = bar.add_task("evaluate", total=1)
            yield lambda done, of: bar.update(task, completed=done, total=of)
        return
    tenths = {0}

    def line(done: int, of: int) -> None:
        if (tenth := done * 10 // of) not in tenths:
            tenths.add(tenth)
            click.echo(f"{tenth * 10:>3} %  {done:,} of {of:,} queries", err=True)

    yield line


def result(client: pglore.Client, row: pglore.Evaluation, k: int, corpus: Corpus, further: Sequence[Any]) -> dict:
    """What the server found for a variant, checked with the library where it is there, with the further measures."""
    from dataclasses import asdict

    found = asdict(row)
    rankings = {}
    if row.evaluation is not None and measures.load_library():
        rankings = {query.query_id: query.keys for query in client.evaluation_queries(row.evaluation)}
        measures.check(row, k, corpus.judgements, rankings)
    elif further:
        raise pglore.SetupError(
            "further measures need the rankings, which are kept for lore_writer only",
            hint="Let the database's owner GRANT lore_writer, or leave --measure out.",
        )
    return {**found, "checked": bool(rankings), "measures": measures.measure(further, corpus.judgements, rankings)}


def show(results: Sequence[dict], collection: str, k: int, corpus: Corpus, as_json: bool) -> None:
    """The results as a table, or as one JSON document."""
    if as_json:
        counts = {"documents": len(corpus.documents), "empty": corpus.empty, "queries": len(corpus.queries), "k": k}
        return print_json({"collection": collection, **counts, "variants": results})
    further = list(results[0]["measures"])
    columns = ["variant", f"nDCG@{k}", "p", f"recall@{k}", "p", f"MRR@{k}", "p", *further, "p50 ms", "p95 ms", "p99 ms"]
    rows = []
    for row in results:
        pairs = [(row[name], row[f"{name}_p"]) for name in ("ndcg", "recall", "mrr")]
        cells = [cell for value, p in pairs for cell in (f"{value:.4f}", None if p is None else f"{p:.3f}")]
        times = [f"{row[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms")]
        rows.append([row["variant"], *cells, *(f"{value:.4f}" for value in row["measures"].values()), *times])
    print_table(columns, rows)
    note = f"{results[0]['judged']:,} queries, {len(corpus.documents):,} documents"
    if missing := results[0]["missing"]:
        note += f", {missing:,} relevant documents are not there"
    if results[0]["checked"]:
        note += "; ir_measures finds the same"
    click.echo(note, err=True)
