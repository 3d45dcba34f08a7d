"""Short queries while a saturating bulk load runs, and what is left of the load's speed beside them.

The bulk speed is what the engine itself counts in a time, less the queries: whole statements would be too coarse.
It is counted in tokens, as the passages of a moment are longer or shorter than those of the next.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bench import common, load, metrics, passages

BULK = 3  # connections that embed arrays without a pause
ARRAY = 2000
CLIENTS = (1, 4)  # that query beside them
ENGINE = "SELECT batches * batch_texts, batches * batch_tokens FROM lore.host_metrics() WHERE alias = %s"


def alias(db: psycopg.Connection) -> str:
    """The default embedder's name."""
    return db.execute("SELECT alias FROM lore.models WHERE task = 'embed' AND is_default").fetchone()[0]


def engine_ran(db: psycopg.Connection, name: str) -> tuple[float, float, float]:
    """Texts and tokens that the engine has run so far, and when that was so."""
    texts, tokens = db.execute(ENGINE, [name]).fetchone()
    return float(texts or 0), float(tokens or 0), time.perf_counter()


def speed(before: tuple, after: tuple, queries: int = 0, query_tokens: float = 0) -> float:
    """Tokens a second between two looks, without those of so many queries."""
    return (after[1] - before[1] - queries * query_tokens) / (after[2] - before[2])


@contextmanager
def saturated(settle_s: float) -> Iterator[None]:
    """A block beside connections that embed one array after the other; their statements are cancelled at its end."""
    texts = passages.take(ARRAY)
    databases = [common.connect() for _ in range(BULK)]
    ending = threading.Event()

    def work(db: psycopg.Connection, first: int) -> None:
        while not ending.is_set():
            try:
                db.execute("SELECT cardinality(lore.embed(%s::text[]))", [texts[first:] + texts[:first]])
            except psycopg.errors.QueryCanceled:
                return

    workers = [
        threading.Thread(target=work, args=(db, place * ARRAY // BULK), daemon=True)
        for place, db in enumerate(databases)
    ]
    for worker in workers:
        worker.start()
    time.sleep(settle_s)
    try:
        yield
    finally:
        ending.set()
        for db, worker in zip(databases, workers, strict=True):
            while worker.is_alive():
                db.cancel()
                worker.join(0.1)
            db.close()


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--seconds", type=float, default=10, help="of each measurement")
    seconds = options.parse_args().seconds
    queries = common.questions()
    with common.connect() as db:
        load.embed(db, load.WARM)
        name = alias(db)
        start = engine_ran(db, name)
        alone = load.run(1, seconds / 2, queries)
        end = engine_ran(db, name)
        query_tokens = (end[1] - start[1]) / (end[0] - start[0])
        speeds: list[float] = []  # of the bulk load alone, before and after: what else the machine does changes
        beside: dict[str, Any] = {}
        with saturated(3):
            first = engine_ran(db, name)
            for clients in (0, *CLIENTS, 0):
                before = engine_ran(db, name)
                if not clients:
                    time.sleep(seconds)
                    speeds.append(speed(before, engine_ran(db, name)))
                    continue
                calls = load.run(clients, seconds, queries)
                asked = len(calls.first) + len(calls.later)
                bulk = speed(before, engine_ran(db, name), asked, query_tokens)
                beside[str(clients)] = calls.summary() | {"bulk_tokens_per_s": bulk}
            last = engine_ran(db, name)
        bulk, p50 = sum(speeds) / len(speeds), metrics.percentile(alone.later, 50)
        for row in beside.values():
            row |= {"bulk_share": row["bulk_tokens_per_s"] / bulk, "p95_over_p50_alone_ms": row["p95_ms"] - p50}
        result = {
            "alone": alone.summary(),
            "bulk_alone_tokens_per_s": bulk,
            "bulk_alone_runs": speeds,
            "tokens_per_text": (last[1] - first[1]) / (last[0] - first[0]),
            "beside": beside,
        }
        common.table(
            f"{BULK} connections embed arrays of {ARRAY} passages",
            ["who", "query p50 ms", "query p95 ms", "bulk tokens/s", "share of bulk alone"],
            [
                ["one query client alone", p50, metrics.percentile(alone.later, 95), "", ""],
                ["bulk alone, before and after", "", "", " ".join(f"{one:.0f}" for one in speeds), 1.0],
                *(
                    [
                        f"{c} query clients beside",
                        r["p50_ms"],
                        r["p95_ms"],
                        f"{r['bulk_tokens_per_s']:.0f}",
                        r["bulk_share"],
                    ]
                    for c, r in beside.items()
                ),
            ],
        )
        common.finish("priority", db, result)


if __name__ == "__main__":
    main()
