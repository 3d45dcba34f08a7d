"""The ledger: a row for each call of a model, and what roles have spent, in a SQLite file in the host's folder.

It is outside of every transaction, so that a rollback undoes nothing of it. A thread of its own writes: what a model
took long for at once, the rest together after WAIT_S, so that a short query is not held up. It is bounded: the oldest
rows go.
"""

import contextlib
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from . import log

NAME = "ledger.sqlite"
WAIT_S = 0.1
CLOSE_S = 2
WAITING = 1 << 16  # rows not yet written; more are lost, and counted
COLUMNS = (
    "at", "role", "login", "statement", "op", "model", "lane", "texts", "input_tokens", "output_tokens",
    "cached_tokens", "queue_ms", "work_ms", "total_ms", "outcome", "finish_reason", "input", "output",
)  # fmt: skip
SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, role INTEGER, login INTEGER, statement TEXT, op TEXT, model TEXT,
    lane TEXT, texts INTEGER, input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER,
    queue_ms REAL, work_ms REAL, total_ms REAL, outcome TEXT, finish_reason TEXT, input TEXT, output TEXT
);
CREATE INDEX IF NOT EXISTS calls_of_role ON calls (role, id);
CREATE TABLE IF NOT EXISTS spent (role INTEGER PRIMARY KEY, since REAL, tokens INTEGER, seconds REAL);
"""
INSERT = f"INSERT INTO calls ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
SPENT = """
INSERT INTO spent VALUES (?, ?, ?, ?) ON CONFLICT (role)
DO UPDATE SET since = excluded.since, tokens = excluded.tokens, seconds = excluded.seconds
"""

Found = TypeVar("Found")
Spent = tuple[int, float, int, float]  # role, since, tokens, seconds


class Ledger:
    """Takes rows on the event loop and writes them elsewhere; reads what it wrote."""

    def __init__(self, folder: Path, limit: int, row: Callable[[Any], tuple] = tuple) -> None:
        """limit: rows that are kept, 0 keeps none; row: makes one of what `add` takes, in the thread that writes."""
        self._path, self._limit, self._row = folder / NAME, limit, row
        self._rows: deque[Any] = deque()
        self._spent: dict[int, Spent] = {}
        self._asked: deque[Callable[[sqlite3.Connection], None]] = deque()
        self._lock = threading.Lock()
        self._some, self._soon = threading.Event(), threading.Event()
        self._closing = False
        self.lost = 0  # rows that were not written
        self._written = 0
        self._thread = threading.Thread(target=self._run, daemon=True, name="ledger")
        self._thread.start()

    def add(self, call: Any, spent: Iterable[Spent] = (), soon: bool = False) -> None:
        """Take a call (None for none), and what roles have spent by now. It costs the caller a microsecond."""
        if call is not None and self._limit:
            if len(self._rows) < WAITING:
                self._rows.append(call)
            else:
                self.lost += 1
        if spent:
            with self._lock:
                for account in spent:
                    self._spent[account[0]] = account
        if not self._some.is_set():
            self._some.set()
        if soon:
            self._soon.set()

    def ask(self, question: Callable[[sqlite3.Connection], Found], timeout_s: float = 30.0) -> Found:
        """What a function finds once everything so far is written; blocking. Raises what it raises, TimeoutError."""
        done, found = threading.Event(), []

        def answer(connection: sqlite3.Connection) -> None:
            try:
                found.append(question(connection))
            except Exception as error:
                found.append(error)
            done.set()

        with self._lock:
            self._asked.append(answer)
        self._some.set()
        self._soon.set()
        if not done.wait(timeout_s):
            raise TimeoutError("the ledger does not answer")
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    def calls(self, role: int | None, most: int, since: float) -> list[dict]:
        """The last rows, newest first: of one role, or without texts of all but `own`; blocking."""
        return self.ask(lambda connection: _calls(connection, role, most, since))

    def spent(self) -> list[Spent]:
        """What roles had spent when it was last written; blocking."""
        return self.ask(
            lambda connection: connection.execute("SELECT role, since, tokens, seconds FROM spent").fetchall()
        )

    def close(self) -> None:
        """Write what there is, in CLOSE_S at most."""
        self._closing = True
        self._some.set()
        self._soon.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        connection = _opened(self._path)
        while True:
            self._some.wait()
            self._soon.wait(0 if self._closing else WAIT_S)
            self._some.clear()
            self._soon.clear()
            rows = [self._rows.popleft() for _ in range(len(self._rows))]
            with self._lock:
                spent, self._spent = self._spent, {}
                asked, self._asked = self._asked, deque()
            try:
                self._write(connection, list(map(self._row, rows)), spent)
            except Exception as error:  # whatever it is, the next rows are another matter
                self.lost += len(rows)
                log.seldom("ledger not written", error=str(error), rows=len(rows))
                if isinstance(error, sqlite3.DatabaseError) and "malformed" in str(error):
                    connection = _anew(self._path, connection)
            for answer in asked:
                answer(connection)
            if self._closing and not self._some.is_set():
                connection.close()
                return

    def _write(self, connection: sqlite3.Connection, rows: list, spent: dict[int, Spent]) -> None:
        if not rows and not spent:
            return
        with connection:
            connection.executemany(INSERT, rows)
            connection.executemany(SPENT, list(spent.values()))
            self._written += len(rows)
            if self._written >= min(1000, self._limit) and self._limit:
                self._written = 0
                connection.execute("DELETE FROM calls WHERE id <= (SELECT max(id) FROM calls) - ?", [self._limit])


def _opened(path: Path) -> sqlite3.Connection:
    """The file, opened; one that is damaged is set aside."""
    try:
        return _connected(path)
    except sqlite3.Error as error:
        log.write("ledger damaged", path=str(path), error=str(error))
        return _anew(path, None)


def _anew(path: Path, before: sqlite3.Connection | None) -> sqlite3.Connection:
    """A new file, the old one set aside; in memory where that cannot be."""
    with contextlib.suppress(sqlite3.Error):
        if before is not None:
            before.close()
    try:
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{path}{end}", f"{path}.damaged-{int(time.time())}{end}")
        return _connected(path)
    except (sqlite3.Error, OSError) as error:
        log.write("no ledger", path=str(path), error=str(error))
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.executescript(SCHEMA)
        return connection


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(SCHEMA)
    return connection


def _calls(connection: sqlite3.Connection, role: int | None, most: int, since: float) -> list[dict]:
    names = ["id", *COLUMNS]
    found = connection.execute(
        f"SELECT {', '.join(names)} FROM calls WHERE at >= ? AND (? IS NULL OR role = ?) ORDER BY id DESC LIMIT ?",
        [since, role, role, most],
    )
    return [dict(zip(names, row, strict=True)) for row in found]
