"""Many connections with short queries, beside threads on one SentenceTransformer and beside a model in each backend.

The peers: threads of one process that share a model, measured in a child process; and a PL/Python function that loads
the model into its backend, as PostgresML does. All read the same files of the same model.
"""

from typing import Any

import psycopg

from bench import common, load, metrics, peer

CONNECTIONS = (1, 8, 32, 64)
THREADS = (1, 8, 32)
BACKENDS = 16
ALONE = 4  # of the backends make their first call while nothing else runs: with all at once it takes minutes


def memory(db: psycopg.Connection, pid: int = 0) -> tuple[int, int]:
    """Proportional and private bytes of this connection's backend, or of another process of the server's account."""
    return db.execute("SELECT * FROM pg_temp.memory(%s)", [pid]).fetchone()


def shared_model(queries: list[str], seconds: float) -> dict[str, Any]:
    """Connections to the model host, by their number."""
    found = {}
    for number in CONNECTIONS:
        calls = load.run(number, seconds, queries)
        found[str(number)] = calls.summary() | {
            "first_p50_ms": metrics.percentile(calls.first, 50),
            "first_max_ms": max(calls.first),
        }
    return found


def opened(number: int) -> list[psycopg.Connection]:
    """Open connections that can tell their memory."""
    databases = [common.connect() for _ in range(number)]
    for db in databases:
        db.execute(peer.MEMORY)
    return databases


def measured(databases: list[psycopg.Connection], queries: list[str], call: load.Call, seconds: float) -> dict:
    """First calls one after the other, then all connections together, and the memory of their backends."""
    first = [
        common.timed(lambda db=db, text=text: call(db, text))[1]
        for db, text in zip(databases[:ALONE], queries, strict=False)
    ]
    warm = load.run(len(databases), 0.01, queries, call, databases=databases)
    calls = load.run(len(databases), seconds, queries, call, databases=databases)
    used = [memory(db) for db in databases]
    return calls.summary() | {
        "first_alone_p50_ms": metrics.percentile(first, 50),
        "first_together_max_ms": max(warm.later),
        "backend_private_mb": metrics.percentile([private / 2**20 for _, private in used], 50),
        "backends_mb": sum(pss for pss, _ in used) / 2**20,
    }


def in_host(queries: list[str], seconds: float) -> dict[str, Any]:
    """Connections to the model host, whose own memory counts too."""
    databases = opened(BACKENDS)
    try:
        found = measured(databases, queries, load.embed, seconds)
        pid = databases[0].execute("SELECT pid FROM lore.host_status()").fetchone()[0]
        found["host_mb"] = memory(databases[0], pid)[0] / 2**20
    finally:
        for db in databases:
            db.close()
    return found | {"total_mb": found["backends_mb"] + found["host_mb"]}


def in_backends(db: psycopg.Connection, queries: list[str], seconds: float) -> dict[str, Any] | None:
    """A model in each backend; None where the server's Python cannot import what it needs."""
    packages, folder = peer.packages(), peer.folder()

    def call(db: psycopg.Connection, text: str) -> None:
        db.execute("SELECT bench_peer.embed(%s, %s, %s)::text", [text, packages, folder]).fetchone()

    databases: list[psycopg.Connection] = []
    try:
        db.execute(peer.IN_BACKEND)
        databases = opened(BACKENDS)
        found = measured(databases, queries, call, seconds)
    except psycopg.errors.ExternalRoutineException as error:
        common.console.print(f"no model in the backends: {error.diag.message_primary}")
        return None
    finally:
        for other in databases:
            other.close()
        db.execute("DROP SCHEMA IF EXISTS bench_peer CASCADE")
    return found | {"total_mb": found["backends_mb"]}


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--seconds", type=float, default=4, help="of each measurement")
    options.add_argument(
        "--no-backends", action="store_true", help="leave out the model in each backend: it takes 8 GB"
    )
    chosen = options.parse_args()
    queries = common.questions()
    with common.connect() as db:
        load.embed(db, load.WARM)
        ours = shared_model(queries, chosen.seconds)
        theirs = {str(number): peer.threads(number, chosen.seconds) for number in THREADS}
        host = in_host(queries, chosen.seconds)
        backends = None if chosen.no_backends else in_backends(db, queries, chosen.seconds)
        columns = ["calls_per_s", "p50_ms", "p95_ms", "first_p50_ms", "first_max_ms"]
        rows = [[f"{number} connections", *(row[c] for c in columns)] for number, row in ours.items()]
        rows += [[f"{number} threads, one model", *(row.get(c, "") for c in columns)] for number, row in theirs.items()]
        common.table("short queries", ["who", "calls/s", "p50 ms", "p95 ms", "first p50 ms", "first max ms"], rows)
        result: dict[str, Any] = {
            "connections": ours,
            "threads": theirs,
            "speedup_32": ours["32"]["calls_per_s"] / theirs["32"]["calls_per_s"],
            "host_16": host,
        }
        if backends:
            result |= {
                "backends_16": backends,
                "memory_share": host["total_mb"] / backends["total_mb"],
                "first_call_share": host["first_alone_p50_ms"] / backends["first_alone_p50_ms"],
            }
            common.table(
                f"{BACKENDS} connections",
                ["figure", "one model host", "a model in each backend"],
                [[name, host[name], backends[name]] for name in backends],
            )
        common.finish("concurrency", db, result)


if __name__ == "__main__":
    main()
