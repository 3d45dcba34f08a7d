"""Many connections at once: one host, right rows for each, a quick first call."""

import os
import signal
import threading
import time
from pathlib import Path

import psycopg


def all_at_once(connections, call) -> tuple[list, list]:
    """Run call(connection, number) on each connection at the same instant: what they gave, and what they raised."""
    barrier, results, raised = threading.Barrier(len(connections)), [None] * len(connections), []

    def run(number):
        barrier.wait()
        try:
            results[number] = call(connections[number], number)
        except psycopg.Error as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results, raised


def hosts(data_directory: Path) -> list[str]:
    """Process ids of the model hosts that serve a data directory: supervisors and workers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"pglore_host" in words and str(data_directory).encode() in words:
            found.append(path.parent.name)
    return found


def supervised(data_directory: Path, worker: int) -> bool:
    """Whether a worker and its supervisor are all that serves a data directory."""
    parent = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1]
    return sorted(hosts(data_directory)) == sorted([str(worker), parent])


def stop(host, data_directory: Path) -> None:
    """Stop the host, and wait until it has ended."""
    os.kill(host.pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while hosts(data_directory):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_50_first_calls_at_the_same_instant_start_one_host(db, host, connect, data_directory):
    stop(host, data_directory)
    connections = [connect() for _ in range(50)]
    pids, raised = all_at_once(
        connections, lambda link, _: link.execute("SELECT pid FROM lore.host_status()").fetchone()[0]
    )
    assert raised == []
    assert len(set(pids)) == 1
    assert supervised(data_directory, pids[0])


def test_a_stop_under_load_loses_no_call(db, host, connect, data_directory):
    """What is running is finished, and what comes later goes to the next host."""
    ask = (
        "SELECT count(*), lore.tokens('two words') FROM unnest(lore.embed(array_fill('a short text'::text, ARRAY[20])))"
    )
    db.execute(ask)
    connections, ended = [connect() for _ in range(8)], threading.Event()

    def calls(link, _):
        seen = [link.execute(ask).fetchone()]
        while not ended.is_set():
            seen.append(link.execute(ask).fetchone())
        return seen

    def stops():
        for _ in range(3):
            time.sleep(0.7)
            os.kill(host.pid, signal.SIGTERM)
        time.sleep(0.7)
        ended.set()

    thread = threading.Thread(target=stops)
    thread.start()
    results, raised = all_at_once(connections, calls)
    thread.join()
    assert raised == []
    assert all(row == (20, 2) for seen in results for row in seen) and all(results)


def test_32_connections_get_each_their_own_vectors(db, host, connect, data_directory):
    def same(number):
        text = f"'sentence {number}'"
        return f"SELECT lore.similarity({text}, {text}), lore.embed(ARRAY['a {number}', 'b {number}'])::text[]"

    connections = [connect() for _ in range(32)]
    expected = [db.execute(same(number)).fetchone()[1] for number in range(32)]
    results, raised = all_at_once(connections, lambda link, number: link.execute(same(number)).fetchone())
    assert raised == []
    for (alike, got), want in zip(results, expected, strict=True):
        assert alike > 0.999
        for one, other in zip(got, want, strict=True):
            assert db.execute("SELECT %s::vector <=> %s::vector < 0.002", (one, other)).fetchone() == (True,)
    assert supervised(data_directory, host.pid)


def test_the_first_call_of_a_new_connection_is_quick_once_the_model_is_loaded(db, connect):
    db.execute("SELECT lore.embed('warm')")
    took = []
    while not took or (min(took) >= 1 and len(took) < 20):  # other work on the machine makes some slow
        link = connect()
        started = time.perf_counter()
        link.execute("SELECT lore.embed('first call')")
        took.append(time.perf_counter() - started)
    assert min(took) < 1  # bench/ measures it; where the model is loaded anew it takes longer


def test_calls_inside_a_parallel_capable_plan_stay_in_one_process(db):
    db.execute("CREATE TABLE texts AS SELECT i, 'text ' || i AS content FROM generate_series(1, 50) i")
    db.execute(
        """SET debug_parallel_query = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
        SET min_parallel_table_scan_size = 0"""
    )
    assert db.execute("SELECT count(lore.tokens(content)) FROM texts").fetchone() == (50,)
