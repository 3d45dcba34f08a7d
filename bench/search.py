"""Vector search through SQL beside pgvector, Chroma, LanceDB and FAISS: recall@10, latency, throughput, build, size.

Every search is given the query's vector. Queries are vectors that are in no index. lore.tune sets the effort of each
kind beforehand. Real vectors are sentences of the PostgreSQL manual (bench/vectors.py); where those are too few, others
are made from them; hard ones are made to be so.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
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


def measure(ways: dict[str, Find], queries: np.ndarray, true: list[set[int]]) -> dict[str, dict[str, float]]:
    """Mean recall, latencies in ms, and queries per second of one client, of each way of searching.

    The ways take turns, ten queries each, so that whatever else the machine does meets all of them alike.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    recalls: dict[str, list[float]] = {name: [] for name in ways}
    for find in ways.values():
        for query in queries[:20]:
            find(query, K)
    for start in range(0, len(queries), 10):
        for name, find in ways.items():
            for query, neighbours in zip(queries[start : start + 10], true[start : start + 10], strict=True):
                found, ms = common.timed(lambda find=find, query=query: find(query, K))
                times[name].append(ms)
                recalls[name].append(len(neighbours.intersection(found)) / K)
    return {
        name: {
            "recall@10": metrics.mean(recalls[name]),
            "p50_ms": metrics.percentile(times[name], 50),
            "p95_ms": metrics.percentile(times[name], 95),
            "qps_1": 1000 * len(times[name]) / sum(times[name]),
        }
        for name in ways
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


def through_sql(statement: str, name: str = "") -> Find:
    """A search, of a collection where the statement names one, on a connection of its own."""
    db = given.connect()

    def find(vector: np.ndarray, k: int) -> list[int]:
        values = {"name": name, "k": k, "vector": vector}
        return [key for (key,) in db.execute(statement, values).fetchall()]

    return find


def ours(db: psycopg.Connection, kind: str, target: float, data: np.ndarray) -> dict[str, Any]:
    """A collection of its own with one kind of index, built and tuned."""
    name = f"{NAME}_{kind}"
    given.fill_vectors(db, name, data)
    size, seconds = db.execute("SELECT index_bytes, seconds FROM lore.build_index(%s, %s)", [name, kind]).fetchone()
    effort = None
    if kind != "exact":
        effort = db.execute("SELECT effort FROM lore.tune(%s, %s)", [name, target]).fetchone()[0]
    return {"build_s": seconds, "size_mb": size / 1e6, "effort": effort}


def plain(db: psycopg.Connection, data: np.ndarray) -> dict[str, Any]:
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
    return {"build_s": ms / 1000, "size_mb": size / 1e6, "effort": 40}


def run(
    db: psycopg.Connection, data: np.ndarray, queries: np.ndarray, kinds: list[str], target: float, alone: bool
) -> dict[str, Any]:
    """Every way of searching the same vectors, all made before the first is measured."""
    true = vectors.neighbours(data, queries, K)
    ways: dict[str, Callable[[], Find]] = {}
    made: dict[str, dict[str, Any]] = {}
    with ExitStack() as files:
        for kind in kinds:
            made[f"lore.search, {kind}"] = ours(db, kind, target, data)
            ways[f"lore.search, {kind}"] = lambda kind=kind: through_sql(OURS, f"{NAME}_{kind}")
        made["pgvector hnsw, defaults"] = plain(db, data)
        ways["pgvector hnsw, defaults"] = lambda: through_sql(PLAIN)
        for peer in () if alone else peers(data, files):
            if isinstance(peer, str):
                common.console.print(peer)
                continue
            made[peer.name] = {"build_s": peer.build_s, "size_mb": (peer.size_bytes or 0) / 1e6, "effort": None}
            ways[peer.name] = lambda peer=peer: peer.find
        figures = measure({name: connect() for name, connect in ways.items()}, queries, true)
        for name, connects in ways.items():
            figures[name]["qps_8"] = throughput(connects, queries)
    for kind in kinds:
        db.execute("SELECT lore.drop_collection(%s)", [f"{NAME}_{kind}"])
    db.execute("DROP TABLE bench_plain")
    return {name: {**figures[name], **made[name]} for name in ways}


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--queries", type=int, default=500)
    options.add_argument(
        "--set",
        choices=["real", "hard", "alike"],
        action="append",
        help="only this one (may be repeated); default real, hard",
    )
    options.add_argument("--kind", action="append", help="kinds of index; default hnsw, hnsw_bit")
    options.add_argument("--alone", action="store_true", help="beside pgvector only")
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
            elif name == "alike":
                found = vectors.alike(
                    vectors.real(db, 100_000, chosen.manual, chosen.embed_s), chosen.rows + chosen.queries
                )
            else:
                found = vectors.hard(chosen.rows + chosen.queries)
            data, queries = found[: -chosen.queries], found[-chosen.queries :]
            result[name] = {
                "rows": len(data),
                **run(db, data, queries, chosen.kind or ["hnsw", "hnsw_bit"], chosen.target, chosen.alone),
            }
            common.table(
                f"{len(data)} {name} vectors of {data.shape[1]} dimensions, {len(queries)} queries",
                ["how", "recall@10", "p50 ms", "p95 ms", "q/s, 1", "q/s, 8", "build s", "size MB", "effort"],
                [[how, *figures.values()] for how, figures in result[name].items() if how != "rows"],
            )
        common.finish("search", db, result)


if __name__ == "__main__":
    main()
