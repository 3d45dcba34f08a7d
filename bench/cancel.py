"""Cancels at random moments of running calls, and a statement timeout: how soon the error, and how soon the work ends.

The work has ended when the host takes no more than a tick (10 ms) of processor time in QUIET_S; counted from the error.
That is read from /proc, so only where the host runs on this machine.
"""

import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import psycopg

from bench import common, metrics

TEXTS, TIMEOUT_MS, IDLE_LIMIT_S = 20_000, 500, 30
QUIET_S, QUIET_TICKS = 0.2, 1  # the event loop itself may take a tick
EMBED = (
    "SELECT count(*) FROM unnest(lore.embed((SELECT array_agg(i || %s) FROM generate_series(1, %s) AS g(i)))) AS u(v)"
)
CALLS = {  # with one text as parameter; each takes far longer than the latest cancel
    "embed, bulk": "SELECT count(*) FROM unnest(lore.embed(ARRAY(SELECT i || %s FROM generate_series(1, 5000) i)))",
    "embed, one": "SELECT lore.embed(repeat(%s, 4)) FROM generate_series(1, 1000)",
    "rerank": "SELECT count(*) FROM lore.rerank('a query', ARRAY(SELECT i || %s FROM generate_series(1, 3000) i))",
    "chunk": "SELECT count(*) FROM lore.chunk(left(repeat(%s, 2000), 4000000))",
    "parse": "SELECT length(content) FROM lore.parse(convert_to(repeat('<h2>a</h2><p>' || %s, 2500), 'UTF8'))",
}


def cpu_ticks(pid: int) -> int:
    """Ticks of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def work_ends(pid: int, since: float) -> float | None:
    """Milliseconds from `since` (time.perf_counter) to the end of the host's work; None if it does not end in time."""
    samples: list[tuple[float, int]] = []
    while (now := time.perf_counter()) - since < IDLE_LIMIT_S:
        ticks = cpu_ticks(pid)
        samples.append((now, ticks))
        quiet = next(at for at, seen in samples if seen >= ticks - QUIET_TICKS)
        if now - quiet >= QUIET_S:
            return (quiet - since) * 1000
        time.sleep(0.005)
    return None


def cancel(db: psycopg.Connection, statement: str, text: str, after_s: float, pid: int) -> dict[str, Any]:
    """Cancel a statement that runs: its SQLSTATE, the milliseconds to its error and to the end of its work."""
    ended: dict[str, Any] = {"sqlstate": None, "at": 0.0}

    def run() -> None:
        try:
            db.execute(statement, [text] * statement.count("%s"))
        except psycopg.Error as error:
            ended["sqlstate"] = error.sqlstate
        ended["at"] = time.perf_counter()

    thread = threading.Thread(target=run)
    thread.start()
    with common.connect() as other:  # a cancel that comes before the statement has begun is for nothing
        running = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = %s"
        while not other.execute(running, [db.info.backend_pid]).fetchone()[0]:
            time.sleep(0.001)
    time.sleep(after_s)
    asked = time.perf_counter()
    db.cancel_safe()
    thread.join()
    stopped = work_ends(pid, ended["at"]) if os.path.exists(f"/proc/{pid}/stat") else None
    return {"sqlstate": ended["sqlstate"], "error_ms": (ended["at"] - asked) * 1000, "work_ms": stopped}


def cancels(db: psycopg.Connection, rounds: int, text: str, seed: int, latest_s: float = 0.6) -> list[dict[str, Any]]:
    """Cancels at random moments, each kind of call in its turn."""
    pid = db.execute("SELECT pid FROM lore.host_status()").fetchone()[0]
    source, seen, names = random.Random(seed), [], list(CALLS)
    for number in range(rounds):
        name = names[number % len(names)]
        moment = source.uniform(0.0, 0.2 if name == "parse" else latest_s)
        seen.append({"call": name, **cancel(db, CALLS[name], text, moment, pid)})
    return seen


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


def row(name: str, seen: list[dict[str, Any]]) -> list[Any]:
    """One row of the table of cancels."""
    times = [entry["error_ms"] for entry in seen]
    work = [IDLE_LIMIT_S * 1000 if entry["work_ms"] is None else entry["work_ms"] for entry in seen]
    states = " ".join(sorted({str(entry["sqlstate"]) for entry in seen}))
    return [name, len(seen), states, metrics.percentile(times, 50), max(times), metrics.percentile(work, 50), max(work)]


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=5, help="of the statement timeout")
    options.add_argument("--cancels", type=int, default=100)
    options.add_argument("--seed", type=int, default=7)
    chosen = options.parse_args()
    text = " " + common.prose()[:2000]
    rounds = []
    with common.connect() as db:
        db.execute("SELECT lore.embed('the model is loaded before anything is timed')")
        seen = cancels(db, chosen.cancels, text, chosen.seed)
        table = [row(name, found) for name in CALLS if (found := [entry for entry in seen if entry["call"] == name])]
        total = row("all", seen)
        common.table(
            f"{len(seen)} cancels at random moments",
            ["call", "cancels", "SQLSTATE", "error p50 ms", "max ms", "work ends p50 ms", "max ms"],
            [*table, total],
        )
        for _ in range(chosen.rounds):
            outcome = cut_off(db, text)
            rounds.append(outcome | {"idle_ms": idle_after(db)})
        common.table(
            f"statement_timeout {TIMEOUT_MS} ms on an embed of {TEXTS} texts of {len(text)} characters",
            ["round", "error after ms", "SQLSTATE", "host idle after ms"],
            [[i + 1, r["error_ms"], r["sqlstate"], r["idle_ms"]] for i, r in enumerate(rounds)],
        )
        result = {
            "cancels": len(seen),
            "cancel_sqlstates": total[2],
            "cancel_p50_ms": total[3],
            "cancel_max_ms": total[4],
            "cancel_work_ends_p50_ms": total[5],
            "cancel_work_ends_max_ms": total[6],
            "error_max_ms": max(r["error_ms"] for r in rounds),
            "sqlstates": sorted({str(r["sqlstate"]) for r in rounds}),
            "idle_max_ms": max((r["idle_ms"] or IDLE_LIMIT_S * 1000) for r in rounds),
        }
        common.finish("cancel", db, result)


if __name__ == "__main__":
    main()
