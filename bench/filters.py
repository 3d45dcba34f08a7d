"""Filtered vector search: recall@10, rows and latency where 1, 10 and 50 % of the documents pass, beside no filter.

Filters by chance (bucket) and in the order of loading (n), where neighbours tend to pass together; both are filterable.
Queries are in no index.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from bench import common, given, metrics, vectors
from bench.search import K

NAME = "bench_filters"
SEARCH = "SELECT key::int FROM lore.search(%s, NULL, k => %s, filter => %s::jsonb, vector => %s)"
FILTERS: dict[str, tuple[float, Any]] = {
    "none": (1, None),
    "bucket = 7, 1 %": (0.01, {"bucket": 7}),
    "bucket in 10 of 100, 10 %": (0.1, {"bucket": {"$in": list(range(10))}}),
    "bucket < 50, 50 %": (0.5, {"bucket": {"$lt": 50}}),
    "n in the first 1 %": (0.01, "n"),
    "n in the first 10 %": (0.1, "n"),
    "n in the first 50 %": (0.5, "n"),
}


def passing(db: psycopg.Connection, filter: dict[str, Any] | None) -> np.ndarray:
    """The places of the vectors whose documents pass, ascending."""
    rows = db.execute(
        f"SELECT key::int FROM lore_data.{NAME}_documents "
        "WHERE coalesce(metadata @@ lore._filter(%s::jsonb), true) ORDER BY 1",
        [json.dumps(filter) if filter else None],
    ).fetchall()
    return np.array([key for (key,) in rows])


def measure(
    db: psycopg.Connection, data: np.ndarray, queries: np.ndarray, filter: dict[str, Any] | None
) -> dict[str, Any]:
    """Recall, fewest rows and latencies of one filter."""
    places = passing(db, filter)
    near = vectors.neighbours(data[places], queries, K)
    text = json.dumps(filter) if filter else None
    times, recalls, rows = [], [], []
    for number, (query, neighbours) in enumerate(zip(queries, near, strict=True)):
        values = [NAME, K, text, query]
        found, ms = common.timed(lambda values=values: db.execute(SEARCH, values).fetchall())
        if number >= 10:
            times.append(ms)
        true = {int(places[place]) for place in neighbours}
        recalls.append(len(true.intersection(key for (key,) in found)) / K)
        rows.append(len(found))
    return {
        "passing": len(places) / len(data),
        "recall@10": metrics.mean(recalls),
        "fewest rows": min(rows),
        "p50_ms": metrics.percentile(times, 50),
        "p95_ms": metrics.percentile(times, 95),
    }


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--queries", type=int, default=200)
    options.add_argument("--kind", action="append", help="kinds of index; default hnsw, hnsw_bit")
    options.add_argument(
        "--manual", type=Path, help="folder of the PostgreSQL manual's HTML pages; default dev/manual.sh's"
    )
    options.add_argument("--embed-s", type=float, default=600, help="most seconds for embedding what is not kept yet")
    chosen = options.parse_args()
    with given.connect() as db:
        found = vectors.real(db, chosen.rows + chosen.queries, chosen.manual, chosen.embed_s)
        data, queries = found[: -chosen.queries], found[-chosen.queries :]
        given.fill_vectors(db, NAME, data)
        result: dict[str, Any] = {"rows": len(data)}
        for kind in chosen.kind or ["hnsw", "hnsw_bit"]:
            db.execute("SELECT lore.build_index(%s, %s)", [NAME, kind])
            result[kind] = {}
            for name, (share, filter) in FILTERS.items():
                chosen_filter = {"n": {"$lt": int(share * len(data))}} if filter == "n" else filter
                result[kind][name] = measure(db, data, queries, chosen_filter)
            slowest = result[kind]["none"]["p95_ms"]
            common.table(
                f"{len(data)} vectors, {kind}, {len(queries)} queries",
                ["filter", "passing", "recall@10", "fewest rows", "p50 ms", "p95 ms", "p95 / unfiltered"],
                [[name, *f.values(), f["p95_ms"] / slowest] for name, f in result[kind].items()],
            )
        db.execute("SELECT lore.drop_collection(%s)", [NAME])
        common.finish("filters", db, result)


if __name__ == "__main__":
    main()
