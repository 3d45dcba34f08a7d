"""A statement timeout during a long embed: how soon the error comes, and how soon the model host is idle again."""

import time
from typing import Any

import psycopg

from bench import common

TEXTS, TIMEOUT_MS, IDLE_LIMIT_S = 20_000, 500, 30
EMBED = (
    "SELECT count(*) FROM unnest(lore.embed((SELECT array_agg(i || %s) FROM generate_series(1, %s) AS g(i)))) AS u(v)"
)


def cut_off(db: psycopg.Connection, text: str) -> dict[str, Any]:
    """Embed with a statement timeout: the milliseconds to the error, and its SQLSTATE."""
    started = time.perf_counter()
    with common.settings(db, statement_timeout=f"{TIMEOUT_MS}ms"):
        try:
            db.execute(EMBED, [text, TEXTS])
            state = None
        except psycopg.Error as error:
            state = error.sqlstate
        elapsed = (time.perf_counter() - started) * 1000
    return {"error_ms": elapsed, "sqlstate": state}


def idle_after(db: psycopg.Connection) -> float | None:
    """Milliseconds until the host has nothing queued and nothing under way; None if that takes too long."""
    started = time.perf_counter()
    while time.perf_counter() - started < IDLE_LIMIT_S:
        active, queued = db.execute("SELECT active, queued FROM lore.host_status()").fetchone()
        if not active and not queued:
            return (time.perf_counter() - started) * 1000
        time.sleep(0.02)
    return None


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    text = " " + common.prose()[:2000]
    rounds = []
    with common.connect() as db:
        db.execute("SELECT lore.embed('the model is loaded before anything is timed')")
        for _ in range(chosen.rounds):
            outcome = cut_off(db, text)
            rounds.append(outcome | {"idle_ms": idle_after(db)})
        common.table(
            f"statement_timeout {TIMEOUT_MS} ms on an embed of {TEXTS} texts of {len(text)} characters",
            ["round", "error after ms", "SQLSTATE", "host idle after ms"],
            [[i + 1, r["error_ms"], r["sqlstate"], r["idle_ms"]] for i, r in enumerate(rounds)],
        )
        result = {
            "error_max_ms": max(r["error_ms"] for r in rounds),
            "sqlstates": sorted({str(r["sqlstate"]) for r in rounds}),
            "idle_max_ms": max((r["idle_ms"] or IDLE_LIMIT_S * 1000) for r in rounds),
        }
        common.finish("cancel", db, result)


if __name__ == "__main__":
    main()
