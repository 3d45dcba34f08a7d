"""Vector search through SQL beside pgvector, Chroma, LanceDB and FAISS: recall@10, latency, throughput, build, size.

Every search is given the query's vector. Queries are vectors that are in no index. lore.tune sets the effort of each
kind beforehand. Real vectors are sentences of the PostgreSQL manual (bench/vectors.py), others are made to be hard.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from bench import common, given, metrics, vectors
from bench.peers import peers

NAME, K = "bench_search", 10
OURS = "SELECT key::int FROM lore.search(%(name)s, NULL, k => %(k)s, vector => %(vector)s)"
PLAIN = "SELECT id FROM bench_plain ORDER BY embedding <=> %(vector)s LIMIT %(k)s"
Find = Callable[[np.ndarray, int], list[int]]


def measure(find: Find, queries: np.ndarray, true: list[set[int]]) -> dict[str, float]:
    """Mean recall, latencies in ms, and queries per second of one client."""
    for query in queries[:20]:
        find(query, K)
    times, recalls = [], []
    for query, neighbours in zip(queries, true, strict=True):
        found, ms = common.timed(lambda query=query: find(query, K))
        times.append(ms)
        recalls.append(len(neighbours.intersection(found)) / K)
    return {
        "recall@10": metrics.mean(recalls),
        "p50_ms": metrics.percentile(times, 50),
        "p95_ms": metrics.percentile(times, 95),
        "qps_1": 1000 * len(times) / sum(times),
    }


def throughput(connects: Callable[[], Find], queries: np.ndarray, clients: int = 8, seconds: float = 3) -> float:
    """Queries per second of several clients at once, each in a thread with its own connection."""
    counts, until = [0] * clients, time.perf_counter() + seconds

    def work(number: int) -> None:
        find = connects()
        while time.perf_counter() < until:
            find(queries[counts[number] % len(queries)], K)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def through_sql(statement: str) -> Find:
    """A search on a connection of its own."""
    db = given.connect()

    def find(vector: np.ndarray, k: int) -> list[int]:
        values = {"name": NAME, "k": k, "vector": vector}
        return [key for (key,) in db.execute(statement, values).fetchall()]

    return find


def ours(db: psycopg.Connection, kind: str, target: float, queries: np.ndarray, true: list[set[int]]) -> dict[str, Any]:
    """One kind of index of a collection: built, tuned, measured through lore.search."""
    built = db.execute("SELECT index_bytes, seconds FROM lore.build_index(%s, %s)", [NAME, kind]).fetchone()
    effort = None
    if kind != "exact":
        effort = db.execute("SELECT effort FROM lore.tune(%s, %s, sample => 300)", [NAME, target]).fetchone()[0]
    result = measure(through_sql(OURS), queries, true)
    result["qps_8"] = throughput(lambda: through_sql(OURS), queries)
    return {**result, "build_s": built[1], "size_mb": built[0] / 1e6, "effort": effort}


def plain(db: psycopg.Connection, data: np.ndarray, queries: np.ndarray, true: list[set[int]]) -> dict[str, Any]:
    """pgvector as its manual shows it: a table, hnsw on vector with its defaults, a bare statement."""
    db.execute("DROP TABLE IF EXISTS bench_plain")
    db.execute(f"CREATE TABLE bench_plain (id int PRIMARY KEY, embedding vector({data.shape[1]}))")
    with db.cursor().copy("COPY bench_plain FROM STDIN") as copy:
        for place, vector in enumerate(data):
            copy.write_row((place, given.text(vector)))
    db.execute("VACUUM ANALYZE bench_plain")
    _, ms = common.timed(
        lambda: db.execute("CREATE INDEX bench_plain_hnsw ON bench_plain USING hnsw (embedding vector_cosine_ops)")
    )
    size = db.execute("SELECT pg_relation_size('bench_plain_hnsw')").fetchone()[0]
    result = measure(through_sql(PLAIN), queries, true)
    result["qps_8"] = throughput(lambda: through_sql(PLAIN), queries)
    db.execute("DROP TABLE bench_plain")
    return {**result, "build_s": ms / 1000, "size_mb": size / 1e6, "effort": 40}


def run(
    db: psycopg.Connection, data: np.ndarray, queries: np.ndarray, kinds: list[str], target: float
) -> dict[str, Any]:
    """Every way of searching the same vectors."""
    true = vectors.neighbours(data, queries, K)
    given.fill_vectors(db, NAME, data)
    result = {f"lore.search, {kind}": ours(db, kind, target, queries, true) for kind in kinds}
    db.execute("SELECT lore.drop_collection(%s)", [NAME])
    result["pgvector hnsw, defaults"] = plain(db, data, queries, true)
    for peer in peers(data):
        if isinstance(peer, str):
            common.console.print(peer)
            continue
        figures = measure(peer.find, queries, true)
        figures["qps_8"] = throughput(lambda peer=peer: peer.find, queries)
        result[peer.name] = {
            **figures,
            "build_s": peer.build_s,
            "size_mb": (peer.size_bytes or 0) / 1e6,
            "effort": None,
        }
    return result


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--queries", type=int, default=500)
    options.add_argument("--set", choices=["real", "hard"], action="append", help="only this one (may be repeated)")
    options.add_argument("--kind", action="append", help="kinds of index; default hnsw, hnsw_bit")
    options.add_argument("--target", type=float, default=0.99, help="recall that lore.tune is to reach")
    options.add_argument(
        "--manual", type=Path, help="folder of the PostgreSQL manual's HTML pages; default dev/manual.sh's"
    )
    options.add_argument("--embed-s", type=float, default=600, help="most seconds for embedding what is not kept yet")
    chosen = options.parse_args()
    with given.connect() as db:
        result: dict[str, Any] = {}
        for name in chosen.set or ["real", "hard"]:
            if name == "real":
                found = vectors.real(db, chosen.rows + chosen.queries, chosen.manual, chosen.embed_s)
            else:
                found = vectors.hard(chosen.rows + chosen.queries)
            data, queries = found[: -chosen.queries], found[-chosen.queries :]
            result[name] = {
                "rows": len(data),
                **run(db, data, queries, chosen.kind or ["hnsw", "hnsw_bit"], chosen.target),
            }
            common.table(
                f"{len(data)} {name} vectors of {data.shape[1]} dimensions, {len(queries)} queries",
                ["how", "recall@10", "p50 ms", "p95 ms", "q/s, 1", "q/s, 8", "build s", "size MB", "effort"],
                [[how, *figures.values()] for how, figures in result[name].items() if how != "rows"],
            )
        common.finish("search", db, result)


if __name__ == "__main__":
    main()
