"""lore.host_metrics: what is counted for each model. lore.traceparent: whose trace the host's spans carry on."""

import json
import os
import signal
import socket
import time
import urllib.request

import psycopg
import pytest

from ..ports import free_port

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
SENTENCES = "ARRAY(SELECT 'sentence number ' || i FROM generate_series(1, 40) AS i)"


def row(db, alias="all-minilm-l6-v2") -> dict:
    """The row of a model."""
    with db.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute("SELECT * FROM lore.host_metrics() WHERE alias = %s", [alias]).fetchone()


@pytest.fixture
def fresh(db, host):
    """A database whose model host has answered nothing yet."""
    host.kill()
    return db


def test_a_model_that_was_used_tells_what_it_did_and_others_have_no_row(fresh):
    assert fresh.execute("SELECT count(*) FROM lore.host_metrics()").fetchone() == (0,)
    for _ in range(3):
        fresh.execute("SELECT lore.embed('one short text')")
    fresh.execute(f"SELECT lore.embed({SENTENCES})")
    found = row(fresh)
    assert (found["requests"], found["texts"], found["loads"], found["errors"]) == (4, 43, 1, {})
    assert found["device"] in ("cpu", "cuda", "mps") and found["memory_bytes"] > 1_000_000
    assert found["tokens"] > 43 * 4 and found["batches"] >= 4
    assert 1 <= found["batch_texts"] <= 40 and found["batch_tokens"] > 4 and 0 <= found["padding_waste"] < 1
    assert found["tokens_per_s"] > 0 and 0 < found["busy_share"] <= 1
    assert (found["interactive_queued"], found["bulk_queued"]) == (0, 0)
    for lane in ("interactive", "bulk"):
        assert 0 < found[f"{lane}_p50_ms"] <= found[f"{lane}_p95_ms"] <= found[f"{lane}_p99_ms"]
        parts = found["parts"][lane]
        assert set(parts) == {"queue", "tokenize", "infer"}
        assert parts["infer"]["p50"] < found[f"{lane}_p99_ms"] * 1.05


def test_a_method_that_borrows_a_model_has_requests_and_no_engine_of_its_own(fresh):
    fresh.execute("SELECT count(*) FROM lore.rerank('query', ARRAY['one', 'two', 'three'])")
    found = row(fresh, "late-interaction")
    assert (found["requests"], found["texts"]) == (1, 3) and found["tokens"] > 3 and found["interactive_p50_ms"] > 0
    assert found["batches"] is None and found["memory_bytes"] is None and found["interactive_queued"] is None
    assert row(fresh)["batches"] >= 1


def test_failed_calls_are_counted_by_code_and_names_that_callers_made_up_are_not(fresh, fails):
    for _ in range(2):
        assert fails("SELECT lore.embed(' ')") == "LO101"
    assert fails("SELECT lore.embed('text', model => 'a secret')") == "LO201"
    fresh.execute("SELECT lore.embed('text')")
    assert row(fresh)["errors"] == {"LO101": 2}
    assert fresh.execute("SELECT array_agg(alias) FROM lore.host_metrics() WHERE requests > 0").fetchone() == (
        ["all-minilm-l6-v2"],
    )


def test_a_cancelled_statement_is_counted(fresh, connect, cancel):
    fresh.execute("SELECT lore.embed('load')")
    cancel(
        connect(),
        "SELECT count(*) FROM unnest(lore.embed(ARRAY("
        "SELECT repeat('a long text ' || i || ' ', 200) FROM generate_series(1, 5000) AS i)))",
    )
    deadline = time.monotonic() + 60
    while not row(fresh)["cancelled"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_reader_may_see_the_numbers_and_a_role_without_rights_may_not(db, role, connect, fails):
    connect(user=role("lore_reader")).execute("SELECT * FROM lore.host_metrics()")
    assert fails("SELECT * FROM lore.host_metrics()", on=connect(user=role())) == "42501"


@pytest.fixture
def configured(db, host, data_directory):
    """A function that runs the host with these settings, until the end of the test."""
    path = data_directory / "pglore" / "host.json"
    before = path.read_text()

    def configure(**settings):
        given = json.loads(before)
        environment = {**given.get("environment", {}), "OTEL_BSP_SCHEDULE_DELAY": "50"}
        path.write_text(json.dumps({**given, "environment": environment, **settings}))
        restart(host)

    yield configure
    path.write_text(before)
    restart(host)


@pytest.fixture
def traced(configured, collector):
    """The collector that the model host sends its spans to."""
    configured(otel=collector.url)
    return collector


def restart(host) -> None:
    """Stop the host, so that the next call starts it with the settings of that moment."""
    old = host.pid
    os.kill(old, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while host.pid == old:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_prometheus_gets_the_same_numbers_and_the_host_outlives_a_port_in_use(configured, db, data_directory):
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        configured(prometheus=f"127.0.0.1:{port}")
        assert row(db) is None  # and so the host answers
        assert "no metrics for Prometheus" in (data_directory / "pglore" / "host.log").read_text()
    configured(prometheus=f"127.0.0.1:{port}")
    db.execute("SELECT lore.embed('a secret text')")
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()
    assert f'pglore_tokens_total{{model="all-minilm-l6-v2"}} {float(row(db)["tokens"])}' in text
    assert "secret" not in text


def test_the_hosts_spans_carry_on_the_trace_of_the_session(traced, role, connect):
    session = connect(user=role("lore_reader"))
    session.execute(f"SET lore.traceparent = '{TRACEPARENT}'")
    session.execute("SELECT lore.embed('a secret text')")
    session.execute("SELECT count(*) FROM lore.rerank('a secret query', ARRAY['a secret document'])")
    for name in ("lore.embed", "lore.rerank"):
        (span,) = [span for span in traced.named(name) if span.trace_id.hex() == TRACE]
        assert span.parent_span_id.hex() == PARENT
        inside = [child for child in traced.spans if child.parent_span_id == span.span_id]
        assert {"queue", "tokenize", "infer"} <= {child.name for child in inside}
        for child in inside:
            assert span.start_time_unix_nano <= child.start_time_unix_nano
            assert child.start_time_unix_nano <= child.end_time_unix_nano <= span.end_time_unix_nano
    assert b"secret" not in traced.raw


def test_a_trace_ends_with_the_transaction_that_it_was_set_for(traced, db):
    with db.transaction():
        db.execute(f"SET LOCAL lore.traceparent = '{TRACEPARENT}'")
        db.execute("SELECT lore.embed('inside')")
    db.execute("SELECT lore.embed('outside')")
    assert [span.trace_id.hex() == TRACE for span in traced.named("lore.embed", 2)] == [True, False]


@pytest.mark.parametrize("value", ["", "x", TRACEPARENT[:-1], TRACEPARENT + "\n", '", "op": "stop', "é", "0" * 100_000])
def test_what_is_no_traceparent_is_ignored(db, value):
    db.execute("SELECT set_config('lore.traceparent', %s, false)", [value])
    assert db.execute("SELECT lore.embed('text') IS NOT NULL").fetchone() == (True,)


def test_the_trace_is_read_after_errors_rollbacks_and_discards(db):
    db.execute(f"SET lore.traceparent = '{TRACEPARENT}'")
    with pytest.raises(psycopg.Error), db.transaction():
        db.execute("SELECT lore.embed('text'), 1 / (length('') * 2)")
    with db.transaction():
        with pytest.raises(psycopg.Error), db.transaction():
            db.execute("SELECT lore.embed(' ')")
        db.execute("SELECT lore.embed('text')")
    db.execute("DISCARD ALL")
    db.execute("SELECT lore.embed('text')")


def test_reading_the_trace_costs_microseconds(db):
    db.execute("SELECT lore.embed('load the bridge')")
    db.execute("""DO LANGUAGE plpython3u $$
        import time
        from pglore_bridge.trace import traceparent
        times = []
        for _ in range(5):
            started = time.perf_counter()
            for _ in range(1000): traceparent(plpy)
            times.append((time.perf_counter() - started) / 1000)
        plpy.execute("SELECT set_config('test.seconds', '%.9f', false)" % min(times))
    $$""")
    assert float(db.execute("SELECT current_setting('test.seconds')").fetchone()[0]) < 500e-6  # 3 were measured
