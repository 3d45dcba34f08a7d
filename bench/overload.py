"""Four times as many connections as a model takes: refusals are quick, who is admitted is served as before.

The model is an alias of its own with a short queue. Who is refused waits as the hint says, longer each time in a row.
"""

import random
import re
from typing import Any

import psycopg

from bench import common, load, metrics

CAPACITY = 8  # connections that keep the engine busy
TIMES = 4
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0
HINT = re.compile(r"([\d.]+) s")


def pause(error: psycopg.Error, row: int) -> float:
    """Seconds to wait after a refusal: what the hint says or FIRST_WAIT_S, doubled each time in a row, with chance."""
    told = HINT.search(error.diag.message_hint or "")
    wait = float(told[1]) if told else FIRST_WAIT_S
    return min(LONGEST_WAIT_S, wait * 2 ** (row - 1)) * random.uniform(0.5, 1.5)


def host_mb(db: psycopg.Connection) -> float:
    """Resident memory of the model host."""
    return db.execute("SELECT memory_bytes FROM lore.host_status()").fetchone()[0] / 2**20


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--seconds", type=float, default=12, help="of each measurement")
    seconds = options.parse_args().seconds
    queries = common.questions()
    with common.connect() as db, load.model(db, "bench-overload", queue_texts=CAPACITY) as alias:

        def call(db: psycopg.Connection, text: str) -> None:
            load.embed(db, text, alias)

        databases = [common.connect() for _ in range(CAPACITY * TIMES)]
        # A connection's first call is another matter; and every shape of batch has been run then, all memory is taken.
        load.run(len(databases), 1, queries, load.embed, databases=databases)
        load.run(len(databases), 1, queries, call, pause, databases)
        before_mb = host_mb(db)
        usual = load.run(CAPACITY, seconds / 2, queries, call, pause, databases[:CAPACITY])
        over = load.run(len(databases), seconds, queries, call, pause, databases)
        # Half before and half after, as what else the machine does changes.
        usual.extend(load.run(CAPACITY, seconds / 2, queries, call, pause, databases[:CAPACITY]))
        after_mb = host_mb(db)
        usual_p99, over_p99 = metrics.percentile(usual.later, 99), metrics.percentile(over.later, 99)
        refused_p99 = metrics.percentile(over.refused, 99) if over.refused else None
        result: dict[str, Any] = {
            "at_capacity": usual.summary() | {"connections": CAPACITY, "refused": len(usual.refused)},
            "overload": over.summary() | {"connections": CAPACITY * TIMES, "refused": len(over.refused)},
            "refused_p50_ms": metrics.percentile(over.refused, 50) if over.refused else None,
            "refused_p99_ms": refused_p99,
            "admitted_p99_times": over_p99 / usual_p99,
            "throughput_share": over.summary()["calls_per_s"] / usual.summary()["calls_per_s"],
            "host_mb": [before_mb, after_mb],
        }
        common.table(
            f"an alias with a queue of {CAPACITY} texts",
            ["connections", "calls/s", "p50 ms", "p99 ms", "refused", "refused p99 ms"],
            [
                [str(CAPACITY), len(usual.later) / usual.seconds, metrics.percentile(usual.later, 50), usual_p99,
                 len(usual.refused), ""],
                [str(CAPACITY * TIMES), len(over.later) / over.seconds, metrics.percentile(over.later, 50), over_p99,
                 len(over.refused), refused_p99 or ""],
            ],
        )  # fmt: skip
        common.console.print(f"host memory {before_mb:.0f} MB before, {after_mb:.0f} MB after")
        common.finish("overload", db, result)


if __name__ == "__main__":
    main()
