"""Short queries while a saturating bulk load runs, and what is left of the load's speed beside them.

The bulk speed is what the engine itself counts in a time, less the queries: whole statements would be too coarse.
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
ENGINE = "SELECT batches * batch_texts FROM lore.host_metrics() WHERE alias = %s"


def alias(db: psycopg.Connection) -> str:
    """The default embedder's name."""
    return db.execute("SELECT alias FROM lore.models WHERE task = 'embed' AND is_default").fetchone()[0]


def texts_run(db: psycopg.Connection, name: str) -> tuple[float, float]:
    """Texts that the engine has run so far, and when that was so."""
    number = db.execute(ENGINE, [name]).fetchone()[0]
    return float(number or 0), time.perf_counter()


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
        alone = load.run(1, seconds / 2, queries)
        speeds: list[float] = []  # of the bulk load alone, before and after: what else the machine does changes
        beside: dict[str, Any] = {}
        with saturated(3):
            for clients in (0, *CLIENTS, 0):
                before, started = texts_run(db, name)
                if clients:
                    calls = load.run(clients, seconds, queries)
                else:
                    time.sleep(seconds)
                after, ended = texts_run(db, name)
                asked = len(calls.first) + len(calls.later) if clients else 0
                speed = (after - before - asked) / (ended - started)
                if clients:
                    beside[str(clients)] = calls.summary() | {"bulk_passages_per_s": speed}
                else:
                    speeds.append(speed)
        bulk, p50 = sum(speeds) / len(speeds), metrics.percentile(alone.later, 50)
        for row in beside.values():
            row |= {"bulk_share": row["bulk_passages_per_s"] / bulk, "p95_over_p50_alone_ms": row["p95_ms"] - p50}
        result = {
            "alone": alone.summary(),
            "bulk_alone_passages_per_s": bulk,
            "bulk_alone_runs": speeds,
            "beside": beside,
        }
        common.table(
            f"{BULK} connections embed arrays of {ARRAY} passages",
            ["who", "query p50 ms", "query p95 ms", "bulk passages/s", "share of bulk alone"],
            [
                ["one query client alone", p50, metrics.percentile(alone.later, 95), "", ""],
                ["bulk alone, before and after", "", "", " ".join(f"{speed:.1f}" for speed in speeds), 1.0],
                *(
                    [f"{c} query clients beside", r["p50_ms"], r["p95_ms"], r["bulk_passages_per_s"], r["bulk_share"]]
                    for c, r in beside.items()
                ),
            ],
        )
        common.finish("priority", db, result)


if __name__ == "__main__":
    main()
