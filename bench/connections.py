"""Many connections that each embed: the first call of a new one, and what all of them do together."""

import threading
import time
from typing import Any

from bench import common, metrics

CONNECTIONS = 32
EMBED = "SELECT lore.embed(%s)"


def worker(texts: list[str], start: threading.Barrier, first: list[float], later: list[float]) -> None:
    """Connect, wait for the others, embed one text a call; milliseconds go into the two lists."""
    with common.connect() as db:
        db.execute("SELECT 1")
        start.wait()
        for place, text in enumerate(texts):
            _, ms = common.timed(lambda text=text: db.execute(EMBED, [text]).fetchone())
            (later if place else first).append(ms)


def one_by_one(texts: list[str]) -> list[float]:
    """Milliseconds of the first call of each of several new connections, one after the other."""
    times = []
    for text in texts:
        with common.connect() as db:
            db.execute("SELECT 1")
            times.append(common.timed(lambda db=db, text=text: db.execute(EMBED, [text]).fetchone())[1])
    return times


def together(queries: list[str], calls: int) -> dict[str, Any]:
    """All connections at once: the latencies of first and later calls, and calls per second."""
    start = threading.Barrier(CONNECTIONS + 1)
    first: list[float] = []
    later: list[float] = []
    shares = [(queries * calls)[i * calls : (i + 1) * calls] for i in range(CONNECTIONS)]
    threads = [threading.Thread(target=worker, args=(share, start, first, later)) for share in shares]
    for thread in threads:
        thread.start()
    start.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    return {
        "first_p50_ms": metrics.percentile(first, 50),
        "first_max_ms": max(first),
        "later_p50_ms": metrics.percentile(later, 50),
        "later_p95_ms": metrics.percentile(later, 95),
        "calls_per_s": CONNECTIONS * calls / seconds,
    }


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--calls", type=int, default=50, help="calls of each connection")
    chosen = options.parse_args()
    queries = common.questions()
    with common.connect() as db:
        db.execute(EMBED, ["the model is loaded before anything is timed"])
        host = "SELECT pid, memory_bytes FROM lore.host_status()"
        pid, _ = db.execute(host).fetchone()
        alone = one_by_one(queries[:CONNECTIONS])
        result = {
            "connections": CONNECTIONS,
            "first_alone_p50_ms": metrics.percentile(alone, 50),
            "first_alone_max_ms": max(alone),
            **together(queries, chosen.calls),
        }
        after, memory = db.execute(host).fetchone()
        result |= {"same_host": pid == after, "host_memory_mb": memory / 2**20}
        common.table(f"{CONNECTIONS} connections, {chosen.calls} calls each", ["figure", "value"], result.items())
        common.finish("connections", db, result)


if __name__ == "__main__":
    main()
