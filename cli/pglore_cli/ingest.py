"""`pglore ingest`: files and folders into a collection."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import pglore

from . import options
from .failure import ERROR
from .files import Failure, File, find
from .load import Load, Progress, digests
from .output import clean, print_json, stderr

PAUSE_S = 1.0


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@options.collection
@click.option(
    "--base", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Keys are paths below this."
)
@click.option("--metadata", type=options.JsonObject(), default="{}", metavar="JSON", help="Put on every document.")
@click.option("--model", metavar="ALIAS", help="Embedder of a collection that is made; default the default one.")
@click.option("--language", default="english", show_default=True, help="Language of a collection that is made.")
@click.option("--connections", type=click.IntRange(1, 16), default=2, show_default=True, help="Batches in flight.")
@options.database
def command(
    paths: Sequence[Path], collection: str, base: Path | None, metadata: dict[str, Any], model: str | None,
    language: str, connections: int, dsn: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Load HTML, Markdown and text files into a collection.

    PATHS are files and folders. The collection is made if it is not there. A document's key is its path below the
    folder named. A file that is there unchanged is left alone, so that a load that was stopped goes on where it was.
    A file that cannot be loaded is reported and skipped, and the exit code is 1.

    \b
    Example:
      pglore ingest handbook/ notes.md --collection handbook --metadata '{"year": 2026}'
    """
    started = time.monotonic()
    files, failures = find(paths, base)
    with pglore.connect(dsn, application_name="pglore ingest") as client:
        present = digests(client, collection)
        if present is None:  # asked first, since a writer may load into a collection without the right to make one
            client.create_collection(collection, model=model, language=language, if_not_exists=True)
    with display(files, quiet=as_json) as changed:
        load = Load(dsn, collection, present=present or {}, metadata=metadata, connections=connections, changed=changed)
        load.progress.failures.extend(failures)
        interrupted = run(load, files)
    summary(load.progress, collection, time.monotonic() - started, as_json)
    if interrupted:
        click.echo("Stopped. What is loaded stays; the same command goes on from here.", err=True)
        sys.exit(128 + signal.SIGINT)
    if not files and not failures:
        click.echo("No HTML, Markdown or text files there.", err=True)
    if load.progress.failures or not files:
        sys.exit(ERROR)


def run(load: Load, files: Sequence[File]) -> bool:
    """Do the load; whether it was stopped with Ctrl-C, which cancels what the server is doing for it."""
    try:
        asyncio.run(load.run(files))
    except KeyboardInterrupt:
        return True
    return False


@contextmanager
def display(files: Sequence[File], *, quiet: bool, of: str = "files") -> Any:
    """A function that shows progress: a bar on a terminal, else a line at each tenth; nothing where quiet."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with bar(files, of) as changed:
            yield changed
    else:
        yield lines(files, of)


@contextmanager
def bar(files: Sequence[File], of: str) -> Any:
    """A function that moves a bar, which is gone at the end."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("[dim]{task.fields[done]}"),
        TimeRemainingColumn(compact=True),
    )  # fmt: skip
    with Bar(*columns, console=stderr(), transient=True) as shown:
        task = shown.add_task("load", total=sum(file.size for file in files), done="")
        yield lambda progress: shown.update(task, completed=progress.bytes, done=counts(progress, len(files), of))


def lines(files: Sequence[File], of: str) -> Callable[[Progress], None]:
    """A function that prints a line at each tenth, where there is at least PAUSE_S between them."""
    total = sum(file.size for file in files) or 1
    shown, shown_s = 0, time.monotonic()

    def changed(progress: Progress) -> None:
        nonlocal shown, shown_s
        tenth = progress.bytes * 10 // total
        if tenth > shown and time.monotonic() >= shown_s + PAUSE_S:
            shown, shown_s = tenth, time.monotonic()
            click.echo(f"{tenth * 10:>3} %  {counts(progress, len(files), of)}", err=True)

    return changed


def counts(progress: Progress, files: int, of: str) -> str:
    """How far it is."""
    return f"{progress.files:,} of {files:,} {of}, {progress.total.tokens:,} tokens"


def summary(progress: Progress, collection: str, seconds: float, as_json: bool) -> None:
    """What was done: on standard output, and the skipped files on standard error."""
    total = progress.total
    if as_json:
        done = {"collection": collection, **dataclasses.asdict(total), "seconds": round(seconds, 3)}
        return print_json({**done, "failed": progress.failures})
    for failure in progress.failures:
        report(failure)
    counted = f"{total.added:,} added, {total.updated:,} updated, {total.unchanged:,} unchanged"
    if progress.failures:
        counted += f", {len(progress.failures):,} skipped"
    embedded = f"{total.chunks:,} chunks, {total.tokens:,} tokens, {seconds:.1f} s"
    click.echo(f'{counted} in collection "{collection}": {embedded}')


def report(failure: Failure) -> None:
    """One skipped file and why."""
    from rich.text import Text

    why = failure.error + (f" ({failure.hint})" if failure.hint else "")
    stderr().print(Text.assemble(("Skipped ", "yellow"), (clean(failure.key), "bold"), f": {clean(why)}"))
