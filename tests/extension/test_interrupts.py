"""A call that waits for the model host hears a cancel, a timeout, a lost client and the death of the host."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from statistics import median

import psycopg
import pytest

from bench import cancel, common

BULK = """SELECT count(*) FROM unnest(lore.embed(ARRAY(
    SELECT repeat('a sentence of the long text number ' || i || '. ', 40) FROM generate_series(1, {texts}) i)))"""


def until(condition, timeout_s: float = 60.0):
    """Wait until a condition holds, and return what it gave."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)
    return result


def idle(db) -> bool:
    """Whether the host has nothing to do."""
    return db.execute("SELECT active = 0 AND queued = 0 FROM lore.host_status()").fetchone()[0]


@pytest.fixture
def warm(db):
    """A connection to a database whose model host has its model loaded and nothing to do."""
    db.execute("SELECT lore.embed('warm')")
    until(lambda: idle(db))
    return db


def in_thread(connection, statement) -> tuple[threading.Thread, list]:
    """Run a statement in a thread; what it raised is in the list."""
    raised: list = []

    def run():
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            raised.append((error, time.monotonic()))

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_statement_timeout_ends_a_bulk_call_soon_and_the_host_is_idle_after(warm, connect):
    busy = connect()
    busy.execute("SELECT lore.embed('first call of this connection')")
    busy.execute("SET statement_timeout = '500ms'")
    with pytest.raises(psycopg.errors.QueryCanceled, match=r"^canceling statement due to statement timeout") as caught:
        busy.execute(BULK.format(texts=20_000))
    until(lambda: idle(warm))
    assert "Traceback" not in str(caught.value.diag.context)
    busy.execute("RESET statement_timeout")
    assert busy.execute("SELECT vector_dims(lore.embed('the connection goes on'))").fetchone() == (384,)


def test_a_cancel_is_heard_at_once(warm, connect):
    busy = connect()
    thread, raised = in_thread(busy, BULK.format(texts=20_000))
    until(lambda: not idle(warm))
    asked = time.monotonic()
    busy.cancel_safe()
    thread.join(60)
    assert raised[0][0].sqlstate == "57014"
    assert raised[0][1] - asked < 10  # of a minute
    until(lambda: idle(warm))


def test_many_cancels_at_odd_moments_are_all_clean(warm, connect):
    busy = connect()
    for number in range(20):
        thread, raised = in_thread(busy, BULK.format(texts=400))
        time.sleep(0.003 * number)
        while thread.is_alive():  # a cancel that comes before the statement is lost: ask again
            busy.cancel_safe()
            thread.join(0.05)
        assert not raised or raised[0][0].sqlstate == "57014", raised
        assert busy.execute("SELECT lore.embed('same text') = lore.embed('same text')").fetchone() == (True,)
    until(lambda: idle(warm))


def test_cancels_at_random_moments_are_heard_at_once_and_end_the_work(warm, connect, dsn, monkeypatch):
    monkeypatch.setenv("PGLORE_DSN", dsn)
    seen = cancel.cancels(connect(), 15, " " + common.prose()[:2000], seed=7)
    assert {entry["sqlstate"] for entry in seen} == {"57014"}, seen
    # bench/cancel.py measures both; on a crowded machine they are longer, but never what the work would take.
    assert median(entry["error_ms"] for entry in seen) < 2000, seen
    assert median(math.inf if entry["work_ms"] is None else entry["work_ms"] for entry in seen) < 5000, seen
    until(lambda: idle(warm))


def test_a_caught_cancel_leaves_the_session_usable(warm, connect):
    busy = connect()
    busy.execute("SET statement_timeout = '200ms'")
    busy.execute(f"""DO $$ BEGIN {BULK.replace("SELECT count(*)", "PERFORM count(*)").format(texts=2000)};
        EXCEPTION WHEN query_canceled THEN RAISE NOTICE 'caught'; END $$""")
    busy.execute("RESET statement_timeout")
    assert busy.execute("SELECT lore.tokens('two words')").fetchone() == (2,)


def test_a_killed_client_ends_its_backend_and_its_work(warm, dsn):
    # Without the server's own check: the wait for the model host looks after the client itself.
    doomed = dsn + " application_name=doomed options='-c client_connection_check_interval=0'"
    program = f"import psycopg; psycopg.connect({doomed!r}).execute({BULK.format(texts=5000)!r})"
    client = subprocess.Popen([sys.executable, "-c", program])
    alive = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'doomed' AND state = 'active'"
    until(lambda: warm.execute(alive).fetchone()[0] and not idle(warm))
    client.kill()
    client.wait()
    until(
        lambda: (
            not warm.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'doomed'").fetchone()[0]
        ),
    )
    until(lambda: idle(warm))


def test_a_terminated_backend_stops_its_work(warm, connect):
    busy = connect()
    thread, raised = in_thread(busy, BULK.format(texts=20_000))
    until(lambda: not idle(warm))
    warm.execute("SELECT pg_terminate_backend(%s)", (busy.info.backend_pid,))
    thread.join(60)
    assert raised[0][0].sqlstate == "57P01"
    until(lambda: idle(warm))


def test_a_killed_host_is_started_again_by_the_next_call(warm, host):
    before = warm.execute("SELECT lore.embed('abc')::text").fetchone()
    killed = host.kill()
    assert warm.execute("SELECT lore.embed('abc')::text").fetchone() == before
    assert host.pid != killed


def test_a_call_that_is_running_when_the_host_dies_is_sent_again(warm, connect, host):
    embedded = """CREATE TABLE {} AS SELECT place, vector FROM unnest(lore.embed(ARRAY(
        SELECT 'text number ' || i FROM generate_series(1, 600) i))) WITH ORDINALITY AS v(vector, place)"""
    warm.execute(embedded.format("calm"))
    pid = host.pid
    thread, raised = in_thread(connect(), embedded.format("disturbed"))
    until(lambda: not idle(warm))
    os.kill(pid, signal.SIGKILL)
    thread.join(60)
    assert raised == []
    # Batches differ between the runs, and with them the last bits of bfloat16.
    compared = "SELECT count(*), max(c.vector <=> d.vector) < 0.002 FROM calm c JOIN disturbed d USING (place)"
    assert warm.execute(compared).fetchone() == (600, True)
    assert host.pid != pid


def test_an_interrupted_wait_for_a_model_that_loads_ends_at_once(warm, connect, host):
    host.kill()
    busy = connect()
    busy.execute("SET statement_timeout = '50ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        busy.execute("SELECT lore.embed('the host starts and the model loads meanwhile')")
    assert warm.execute("SELECT lore.embed('x') IS NOT NULL").fetchone() == (True,)


def test_a_host_that_hangs_does_not_hold_a_statement_beyond_its_timeout(warm, connect, host):
    pid = host.pid
    busy = connect()
    busy.execute("SET statement_timeout = '100ms'")
    os.kill(pid, signal.SIGSTOP)
    try:
        for call in ("lore.embed('abc')", "lore.embed(ARRAY(SELECT repeat('x', 1000) FROM generate_series(1, 9000)))"):
            with pytest.raises(psycopg.errors.QueryCanceled):
                busy.execute(f"SELECT {call}")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert warm.execute("SELECT lore.embed('abc') IS NOT NULL").fetchone() == (True,)


def test_without_the_servers_flag_interrupts_are_heard_all_the_same(warm, connect):
    """Where InterruptPending or poll cannot be reached, the bridge sleeps in shorter slices and asks each time."""
    busy = connect()
    busy.execute("SELECT lore.tokens('load the bridge')")
    busy.execute("DO LANGUAGE plpython3u 'from pglore_bridge import waits; waits._poll = waits._pending = None'")
    assert busy.execute("SELECT vector_dims(lore.embed('abc'))").fetchone() == (384,)
    thread, raised = in_thread(busy, BULK.format(texts=20_000))
    until(lambda: not idle(warm))
    asked = time.monotonic()
    busy.cancel_safe()
    thread.join(60)
    assert raised[0][0].sqlstate == "57014"
    assert raised[0][1] - asked < 10  # of a minute
    until(lambda: idle(warm))
