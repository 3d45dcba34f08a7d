"""Latency of search by vector as a collection grows from 10,000 to 1,000,000 vectors, tuned to the same recall.

The vectors are made from real ones (bench/vectors.py). Collections, indexes and tuning are kept, so that a second run,
or one that goes on where another was stopped, makes only what is missing; --fresh makes all anew, --drop keeps nothing.
"""

import gc
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from bench import common, given, metrics, vectors
from bench.search import K

SEARCH = "SELECT key::int FROM lore.search(%s, NULL, k => %s, vector => %s)"


def ready(db: psycopg.Connection, name: str, data: np.ndarray, kind: str, target: float, fresh: bool) -> dict[str, Any]:
    """Fill a collection, build its index and tune it, each unless that was done before; kind, effort, seconds, MB."""
    kept = db.execute("SELECT documents FROM lore.collections WHERE name = %s", [name]).fetchone()
    if fresh or kept is None or kept[0] != len(data):
        given.fill_vectors(db, name, data)
    searched, wanted = db.execute("SELECT (o).searched, (o).index_kind FROM lore._open(%s) AS o", [name]).fetchone()
    seconds = None
    if wanted != kind or searched != kind != "auto":
        (seconds,) = db.execute("SELECT seconds FROM lore.build_index(%s, %s)", [name, kind]).fetchone()
    found = "SELECT (o).searched, (o).tuning, pg_relation_size((o).vector_index::regclass) FROM lore._open(%s) AS o"
    searched, tuning, size = db.execute(found, [name]).fetchone()
    if searched != "exact" and (not tuning or tuning["target"] != target):
        db.execute("SELECT lore.tune(%s, %s, sample => 200)", [name, target])
        searched, tuning, size = db.execute(found, [name]).fetchone()
    effort = tuning["bands"][0]["effort"] if tuning else None
    return {"kind": searched, "effort": effort, "build_s": seconds, "index_mb": (size or 0) / 1e6}


def measure(db: psycopg.Connection, name: str, queries: np.ndarray, near: list[set[int]]) -> dict[str, float]:
    """Recall and latencies of a collection; all queries are run twice, and the second time counts."""
    times, recalls = [], []
    for counts in (False, True):
        for query, true in zip(queries, near, strict=True):
            values = [name, K, query]
            found, ms = common.timed(lambda values=values: db.execute(SEARCH, values).fetchall())
            if counts:
                times.append(ms)
                recalls.append(len(true.intersection(key for (key,) in found)) / K)
    return {
        "recall@10": metrics.mean(recalls),
        "p50_ms": metrics.percentile(times, 50),
        "p95_ms": metrics.percentile(times, 95),
    }


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rows", type=int, action="append", help="sizes; default 10,000, 100,000 and 1,000,000")
    options.add_argument("--queries", type=int, default=200)
    options.add_argument("--kind", default="hnsw_bit", help="kind of index; 'auto' leaves small collections exact")
    options.add_argument("--target", type=float, default=0.95, help="recall that lore.tune is to reach")
    options.add_argument("--drop", action="store_true", help="drop the collections afterwards")
    options.add_argument(
        "--manual", type=Path, help="folder of the PostgreSQL manual's HTML pages; default dev/manual.sh's"
    )
    options.add_argument("--embed-s", type=float, default=600, help="most seconds for embedding what is not kept yet")
    chosen = options.parse_args()
    sizes = sorted(chosen.rows or [10_000, 100_000, 1_000_000])
    result: dict[str, Any] = {}
    with given.connect() as db:
        real = vectors.real(db, 100_000, chosen.manual, chosen.embed_s)
        queries = vectors.alike(real, chosen.queries, seed=2)
        prepared = {}
        for rows in sizes:
            data = vectors.alike(real, rows)
            name = f"bench_growth_{rows}"
            near = vectors.neighbours(data, queries, K)
            prepared[name] = (rows, ready(db, name, data, chosen.kind, chosen.target, chosen.fresh), near)
            del data
            gc.collect()
        for name, (rows, how, near) in prepared.items():
            result[str(rows)] = {**how, **measure(db, name, queries, near)}
        if chosen.drop:
            for name in prepared:
                db.execute("SELECT lore.drop_collection(%s)", [name])
        first = result[str(sizes[0])]["p50_ms"]
        common.table(
            f"lore.search by vector, {chosen.kind} tuned to {chosen.target}, vectors made from {len(real)} real ones",
            ["rows", "kind", "effort", "build s", "index MB", "recall@10", "p50 ms", "p95 ms", "p50 / smallest"],
            [[rows, *figures.values(), figures["p50_ms"] / first] for rows, figures in result.items()],
        )
        common.finish("growth", db, result)


if __name__ == "__main__":
    main()
