"""What the benchmarks share: the connection, the data, collections filled once, tables and the last line.

Times are milliseconds unless a name says otherwise. Data is read from `../shared/data` or the folder PGLORE_DATA.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
Item = TypeVar("Item")
console = Console(highlight=False)


def connect(**settings: Any) -> psycopg.Connection:
    """An autocommit connection to PGLORE_DSN; ends the program where that is not set."""
    dsn = os.environ.get("PGLORE_DSN")
    if not dsn:
        sys.exit("PGLORE_DSN is not set: run `make bench NAME=...`, or set it to the server to measure.")
    return psycopg.connect(dsn, autocommit=True, **settings)


@dataclass(frozen=True)
class Dataset:
    """A retrieval test: documents by key, queries and their right keys."""

    name: str
    documents: dict[str, str]
    queries: list[dict]
    relevant: dict[str, set[str]]


def data_folder() -> Path:
    """Where the retrieval data lies; ends the program where it does not."""
    folder = Path(os.environ.get("PGLORE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        sys.exit(f"No test data in {folder}: set PGLORE_DATA to a folder with data sets in BEIR layout.")
    return folder


def prose() -> str:
    """English text that is always there: the sentences of the project's own pages, as one line."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]
    return " ".join(line for line in lines if line[:1].isalpha() and line.count("`") < 6)


def questions() -> list[str]:
    """Short queries that are always there."""
    return [question["question"] for question in lines(ROOT / "bench" / "data" / "manual_questions.jsonl")]


def beir(name: str) -> Dataset:
    """A data set in BEIR layout: corpus.jsonl, queries.jsonl, qrels.tsv."""
    folder = data_folder() / name
    relevant: dict[str, set[str]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query, key, grade = line.split("\t")
        if int(grade) > 0:
            relevant.setdefault(query, set()).add(key)
    corpus = lines(folder / "corpus.jsonl")
    queries = [query for query in lines(folder / "queries.jsonl") if query["_id"] in relevant]
    # Two documents of Cranfield are empty in the original: there is nothing to search in them.
    return Dataset(name, {d["_id"]: d["text"] for d in corpus if d["text"].strip()}, queries, relevant)


def lines(path: Path) -> list[dict]:
    """The objects of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def fill(db: psycopg.Connection, collection: str, documents: dict[str, str], *, fresh: bool = False) -> float:
    """Load documents into a collection unless it holds that many already; the seconds that took, 0 if none."""
    row = db.execute("SELECT documents FROM lore.collections WHERE name = %s", [collection]).fetchone()
    if row and row[0] == len(documents) and not fresh:
        return 0.0
    started = time.perf_counter()
    db.execute("SELECT lore.drop_collection(%s, if_exists => true)", [collection])
    db.execute("SELECT lore.create_collection(%s)", [collection])
    pending = list(batches(list(documents.items()), 100))
    for batch in track(pending, f"loading {collection}", console=Console(stderr=True)):
        keys, contents = zip(*batch, strict=True)
        db.execute("SELECT * FROM lore.add_many(%s, %s::text[], %s::text[])", [collection, list(keys), list(contents)])
    db.execute("ANALYZE")
    return time.perf_counter() - started


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Consecutive slices of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """The result of an action and its milliseconds."""
    started = time.perf_counter()
    result = action()
    return result, (time.perf_counter() - started) * 1000


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table: the first column is a name, the others are figures."""
    view = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        view.add_column(column, justify="left" if place == 0 else "right")
    for row in rows:
        view.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(view)


def machine(db: psycopg.Connection) -> dict[str, Any]:
    """What the figures were taken on."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    device = db.execute("SELECT device FROM lore.host_status()").fetchone()
    version = db.execute("SHOW server_version").fetchone()
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "device": device[0] if device else None,
        "postgresql": version[0] if version else None,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _cpuinfo() -> list[str]:
    """The lines of /proc/cpuinfo; none where there is no such file."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def finish(benchmark: str, db: psycopg.Connection, result: dict[str, Any]) -> None:
    """Print the result as one JSON object, the last line of every benchmark."""
    sys.stdout.flush()
    print(json.dumps({"benchmark": benchmark, **_rounded(result), "machine": machine(db)}))


def _rounded(value: Any) -> Any:
    """The same with every float cut to six decimals."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def parser(description: str) -> argparse.ArgumentParser:
    """Options that every benchmark has."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--fresh", action="store_true", help="load the collections again")
    return options


@contextmanager
def settings(db: psycopg.Connection, **values: str) -> Iterator[None]:
    """Set parameters of the session for the time of a block."""
    for name, value in values.items():
        db.execute("SELECT set_config(%s, %s, false)", [name, value])
    try:
        yield
    finally:
        for name in values:
            db.execute(sql.SQL("RESET {}").format(sql.Identifier(name)))
