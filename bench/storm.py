"""kill -9 of the model host again and again, under load of many connections: wrong rows, lost backends, failed calls.

A row is wrong when its vector is further than TOLERANCE (cosine distance) from the one of a calm moment.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import psycopg

from bench import common, metrics

TOLERANCE = 0.002  # bfloat16: a text's last bits depend on what is in its batch
TEXTS = 64
ONE = "SELECT lore.embed(%s) <=> %s::vector < %s"
MANY = """SELECT count(*) = %s AND max(v <=> e) < %s FROM unnest(lore.embed(%s::text[])) WITH ORDINALITY AS g(v, place)
    JOIN unnest(%s::vector[]) WITH ORDINALITY AS x(e, place) USING (place)"""
TOKENS = "SELECT lore.tokens(%s) = %s"
RERANK = "SELECT (SELECT ordinal FROM lore.rerank(%s, %s::text[]) LIMIT 1) = %s"


@dataclass
class Outcome:
    """What became of the calls: counts by kind ("right", "wrong", "lost", an SQLSTATE) and milliseconds."""

    kinds: Counter = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)


class Calls:
    """Calls whose right answers are known."""

    def __init__(self, db: psycopg.Connection, texts: list[str]) -> None:
        self.texts = texts
        self.vectors = [db.execute("SELECT lore.embed(%s)::text", [text]).fetchone()[0] for text in texts]
        self.tokens = [db.execute("SELECT lore.tokens(%s)", [text]).fetchone()[0] for text in texts]

    def make(self, db: psycopg.Connection, source: random.Random) -> bool:
        """One call, drawn at random: whether its answer was right."""
        place, kind = source.randrange(TEXTS), source.random()
        if kind < 0.7:
            asked = ONE, [self.texts[place], self.vectors[place], TOLERANCE]
        elif kind < 0.8:
            places = [source.randrange(TEXTS) for _ in range(source.randint(2, 12))]
            texts, vectors = [self.texts[p] for p in places], [self.vectors[p] for p in places]
            asked = MANY, [len(places), TOLERANCE, texts, vectors]
        elif kind < 0.95:
            asked = TOKENS, [self.texts[place], self.tokens[place]]
        else:
            ordinal = source.randint(1, 4)
            others = source.sample([text for text in self.texts if text != self.texts[place]], 4)
            others[ordinal - 1] = self.texts[place]
            asked = RERANK, [self.texts[place], others, ordinal]
        return bool(db.execute(*asked).fetchone()[0])


def busy(
    connect: Callable[[], psycopg.Connection], calls: Calls, seed: int, ended: threading.Event, seen: Outcome
) -> None:
    """One connection that calls until the storm has ended."""
    source = random.Random(seed)
    with connect() as db:
        backend = db.execute("SELECT pg_backend_pid(), lore.tokens('load the bridge')").fetchone()[0]
        while not ended.is_set():
            started = time.perf_counter()
            try:
                kind = "right" if calls.make(db, source) else "wrong"
            except psycopg.OperationalError as error:
                kind = error.sqlstate or "lost"
            except psycopg.Error as error:
                kind = str(error.sqlstate)
            seen.times.append((time.perf_counter() - started) * 1000)
            seen.kinds[kind] += 1
            if db.closed:
                seen.kinds["lost"] += kind != "lost"
                return
        seen.kinds["lost"] += db.execute("SELECT pg_backend_pid()").fetchone()[0] != backend


def kill(db: psycopg.Connection) -> int:
    """Kill the host as a crash would, from inside the server, whose account may: its process id."""
    pid = db.execute("SELECT pid FROM lore.host_status()").fetchone()[0]
    db.execute(f"COPY (SELECT) TO PROGRAM 'cat >&2; kill -9 {int(pid)}'")
    return pid


def load_ms(db: psycopg.Connection, rounds: int = 3) -> float:
    """Milliseconds from a kill of the idle host to the first vector of the next: the model's load time."""
    times = []
    for _ in range(rounds):
        kill(db)
        times.append(common.timed(lambda: db.execute("SELECT lore.embed('loaded')"))[1])
    return median(times)


def run(
    connect: Callable[[], psycopg.Connection], calls: Calls, connections: int, kills: int, every_s: float, seed: int = 7
) -> Outcome:
    """Load from many connections, and kills at random moments, every_s seconds apart on average; 0 kills is a calm."""
    ended, source = threading.Event(), random.Random(seed)
    outcomes = [Outcome() for _ in range(connections)]
    threads = [
        threading.Thread(target=busy, args=(connect, calls, seed + number, ended, outcome))
        for number, outcome in enumerate(outcomes, 1)
    ]
    for thread in threads:
        thread.start()
    with connect() as db:
        for _ in range(kills):
            time.sleep(every_s * source.uniform(0.5, 1.5))
            try:
                kill(db)
            except psycopg.Error:  # counted where it hits a connection of the load
                continue
        time.sleep(every_s)
    ended.set()
    for thread in threads:
        thread.join()
    return Outcome(
        sum((outcome.kinds for outcome in outcomes), Counter()), [ms for outcome in outcomes for ms in outcome.times]
    )


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--connections", type=int, default=16)
    options.add_argument("--every", type=float, default=2.0, help="seconds between two kills, on average")
    options.add_argument("--seed", type=int, default=7)
    chosen = options.parse_args()
    with common.connect() as db:
        words = common.prose().split()
        calls = Calls(db, [" ".join(words[i * 20 : i * 20 + 6 + i % 12]) for i in range(TEXTS)])
        load = load_ms(db)
        calm = run(common.connect, calls, chosen.connections, 0, 10.0, chosen.seed)
        storm = run(common.connect, calls, chosen.connections, chosen.kills, chosen.every, chosen.seed)
        made = sum(storm.kinds.values())
        result: dict[str, Any] = {
            "kills": chosen.kills,
            "connections": chosen.connections,
            "calls": made,
            "wrong": storm.kinds["wrong"],
            "lost_backends": storm.kinds["lost"],
            "host_down": storm.kinds["LO301"],
            "other_errors": made - sum(storm.kinds[kind] for kind in ("right", "wrong", "lost", "LO301")),
            "kinds": dict(storm.kinds),
            "slowest_ms": max(storm.times),
            "p50_ms": metrics.percentile(storm.times, 50),
            "p99_ms": metrics.percentile(storm.times, 99),
            "calm_slowest_ms": max(calm.times),
            "calm_p50_ms": metrics.percentile(calm.times, 50),
            "load_ms": load,
            "beyond_load_ms": max(storm.times) - load,
        }
        common.table(
            f"{chosen.kills} kills under {chosen.connections} connections", ["figure", "value"], result.items()
        )
        common.finish("storm", db, result)


if __name__ == "__main__":
    main()
