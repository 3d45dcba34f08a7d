"""Filtered vector search: recall@10, rows and latency where 1, 10 and 50 % of the documents pass, beside no filter.

Filters by chance (bucket), in the order of loading (n), and by topic, which has to do with the vectors: the topics
nearest to the query, and, as an adversary would ask, the farthest. All three fields are filterable. Queries are in no
index. The collection is kept for the next run; --fresh makes it anew, --drop keeps nothing.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from bench import common, given, metrics, vectors
from bench.search import K

NAME, TOPICS = "bench_filters", 100
SEARCH = "SELECT key::int FROM lore.search(%s, NULL, k => %s, filter => %s::jsonb, vector => %s)"
Filter = Callable[[np.ndarray], dict[str, Any] | None]  # of a query's topics, the nearest first


def filters(rows: int) -> dict[str, Filter]:
    """What is filtered by, as a function of the query."""
    shares = {"1 %": 0.01, "10 %": 0.1, "50 %": 0.5}
    found: dict[str, Filter] = {"none": lambda topics: None}
    for name, share in shares.items():
        number = int(share * 100)
        found[f"by chance, {name}"] = lambda topics, n=number: {"bucket": {"$in": list(range(n))}}
        found[f"by order, {name}"] = lambda topics, n=int(share * rows): {"n": {"$lt": n}}
        found[f"nearest topics, {name}"] = lambda topics, n=number: {"topic": {"$in": sorted(topics[:n].tolist())}}
        found[f"farthest topics, {name}"] = lambda topics, n=number: {"topic": {"$in": sorted(topics[-n:].tolist())}}
    return found


def passes(filter: dict[str, Any] | None, fields: dict[str, np.ndarray]) -> np.ndarray:
    """The places of the vectors whose documents pass, ascending."""
    if filter is None:
        return np.arange(len(fields["n"]))
    ((field, test),) = filter.items()
    if "$lt" in test:
        return np.flatnonzero(fields[field] < test["$lt"])
    return np.flatnonzero(np.isin(fields[field], test["$in"]))


def measure(
    db: psycopg.Connection,
    data: np.ndarray,
    queries: np.ndarray,
    topics: np.ndarray,
    fields: dict[str, np.ndarray],
    filters: dict[str, Filter],
) -> dict[str, dict[str, float]]:
    """Recall, rows short of k and latencies of each filter; the filters take turns, so that load meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in filters}
    recalls: dict[str, list[float]] = {name: [] for name in filters}
    shares: dict[str, list[float]] = {name: [] for name in filters}
    short = dict.fromkeys(filters, 0)
    for number, query in enumerate(queries):
        for name, make in filters.items():
            filter = make(topics[number])
            places = passes(filter, fields)
            if not len(places):
                continue
            scores = data[places] @ query
            near = places[np.argsort(-scores)[:K]]
            values = [NAME, K, json.dumps(filter) if filter else None, query]
            found, ms = common.timed(lambda values=values: db.execute(SEARCH, values).fetchall())
            if number >= 10:
                times[name].append(ms)
            recalls[name].append(len({key for (key,) in found}.intersection(near.tolist())) / len(near))
            shares[name].append(len(places) / len(data))
            short[name] += len(found) < len(near)
    return {
        name: {
            "passing": metrics.mean(shares[name]),
            "recall@10": metrics.mean(recalls[name]),
            "searches_with_rows_missing": short[name],
            "p50_ms": metrics.percentile(times[name], 50),
            "p95_ms": metrics.percentile(times[name], 95),
        }
        for name in filters
    }


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--queries", type=int, default=200)
    options.add_argument("--kind", action="append", help="kinds of index; default hnsw, hnsw_bit")
    options.add_argument("--tune", type=float, help="recall that lore.tune is to reach first; default: not tuned")
    options.add_argument("--drop", action="store_true", help="drop the collection afterwards")
    options.add_argument(
        "--manual", type=Path, help="folder of the PostgreSQL manual's HTML pages; default dev/manual.sh's"
    )
    options.add_argument("--embed-s", type=float, default=600, help="most seconds for embedding what is not kept yet")
    chosen = options.parse_args()
    with given.connect() as db:
        found = vectors.real(db, chosen.rows + chosen.queries, chosen.manual, chosen.embed_s)
        data, queries = found[: -chosen.queries], found[-chosen.queries :]
        centres = data[np.random.default_rng(0).choice(len(data), TOPICS, replace=False)]
        kept = db.execute("SELECT documents FROM lore.collections WHERE name = %s", [NAME]).fetchone()
        if chosen.fresh or kept is None or kept[0] != len(data):
            given.fill_vectors(db, NAME, data, (data @ centres.T).argmax(1))
        rows = db.execute(
            "SELECT (metadata ->> 'n')::int, (metadata ->> 'bucket')::int, (metadata ->> 'topic')::int "
            f"FROM lore_data.{NAME}_documents ORDER BY 1"
        ).fetchall()
        fields = dict(zip(("n", "bucket", "topic"), np.array(rows).T, strict=True))
        topics = np.argsort(-(queries @ centres.T))
        result: dict[str, Any] = {"rows": len(data)}
        for kind in chosen.kind or ["hnsw", "hnsw_bit"]:
            if db.execute("SELECT (o).searched FROM lore._open(%s) AS o", [NAME]).fetchone()[0] != kind:
                db.execute("SELECT lore.build_index(%s, %s)", [NAME, kind])
            if chosen.tune:
                db.execute("SELECT lore.tune(%s, %s)", [NAME, chosen.tune])
            result[kind] = measure(db, data, queries, topics, fields, filters(len(data)))
            unfiltered = result[kind]["none"]["p95_ms"]
            common.table(
                f"{len(data)} vectors, {kind}, {len(queries)} queries",
                ["filter", "passing", "recall@10", "rows missing", "p50 ms", "p95 ms", "p95 / unfiltered"],
                [[name, *f.values(), f["p95_ms"] / unfiltered] for name, f in result[kind].items()],
            )
        if chosen.drop:
            db.execute("SELECT lore.drop_collection(%s)", [NAME])
        common.finish("filters", db, result)


if __name__ == "__main__":
    main()
