"""Latency of search by vector as a collection grows from 10,000 to 1,000,000 hard synthetic vectors."""

from typing import Any

from bench import common, given, metrics, vectors
from bench.search import OURS, K

NAME = "bench_search"


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rows", type=int, action="append", help="sizes; default 10,000, 100,000 and 1,000,000")
    options.add_argument("--queries", type=int, default=200)
    options.add_argument("--kind", default="hnsw_bit", help="kind of index; 'auto' leaves small collections exact")
    chosen = options.parse_args()
    sizes = sorted(chosen.rows or [10_000, 100_000, 1_000_000])
    result: dict[str, Any] = {}
    with given.connect() as db:
        for rows in sizes:
            made = vectors.hard(rows + chosen.queries)
            data, queries = made[: -chosen.queries], made[-chosen.queries :]
            near = vectors.neighbours(data, queries, K)
            given.fill_vectors(db, NAME, data)
            built = db.execute(
                "SELECT index_kind, seconds FROM lore.build_index(%s, %s)", [NAME, chosen.kind]
            ).fetchone()
            times, recalls = [], []
            for number, (query, true) in enumerate(zip(queries, near, strict=True)):
                values = {"name": NAME, "k": K, "vector": query}
                found, ms = common.timed(lambda values=values: db.execute(OURS, values).fetchall())
                if number >= 20:
                    times.append(ms)
                recalls.append(len(true.intersection(key for (key,) in found)) / K)
            result[str(rows)] = {
                "kind": built[0],
                "build_s": built[1],
                "recall@10": metrics.mean(recalls),
                "p50_ms": metrics.percentile(times, 50),
                "p95_ms": metrics.percentile(times, 95),
            }
        db.execute("SELECT lore.drop_collection(%s)", [NAME])
        first = result[str(sizes[0])]["p50_ms"]
        common.table(
            "lore.search by vector, hard synthetic vectors",
            ["rows", "kind", "build s", "recall@10", "p50 ms", "p95 ms", "p50 / smallest"],
            [[rows, *figures.values(), figures["p50_ms"] / first] for rows, figures in result.items()],
        )
        common.finish("growth", db, result)


if __name__ == "__main__":
    main()
