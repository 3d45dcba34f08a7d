"""lore.calls: a row for each call of a model, whatever becomes of its transaction, shown to whose call it was."""

import time

import psycopg
import pytest


def calls(connection, pid, columns="operation, model, texts, outcome"):
    """Rows of a backend's calls, oldest first."""
    return connection.execute(f"SELECT {columns} FROM lore.calls WHERE pid = %s ORDER BY id", [pid]).fetchall()


def test_each_call_is_a_row_with_its_model_tokens_times_and_role(db):
    pid, name = db.info.backend_pid, db.info.user
    db.execute("SELECT lore.embed(ARRAY['one text', NULL, 'another'])")
    db.execute("SELECT * FROM lore.rerank('a query', ARRAY['a document'])")
    assert calls(db, pid) == [
        ("embed", "all-minilm-l6-v2", 2, "ok"),
        ("rerank", "late-interaction", 1, "ok"),
    ]
    columns = "role, login, input_tokens, output_tokens, work_ms <= total_ms AND work_ms > 0, lane, input, output"
    assert calls(db, pid, columns)[0] == (name, name, 7, 0, True, "interactive", None, None)
    assert len({row[0] for row in calls(db, pid, "statement")}) == 2


def test_a_call_stays_in_the_log_when_its_transaction_is_rolled_back(db):
    with pytest.raises(psycopg.Error), db.transaction():
        db.execute("SELECT lore.embed('rolled back')")
        db.execute("SELECT 1 / 0")
    assert calls(db, db.info.backend_pid) == [("embed", "all-minilm-l6-v2", 1, "ok")]


@pytest.mark.parametrize("since", ["-infinity", "1066-10-14", "infinity"])
def test_a_log_since_any_moment_can_be_asked_for(db, since):
    db.execute("SELECT lore.embed('a')")
    count = db.execute("SELECT count(*) FROM lore.call_log(since => %s::timestamptz)", [since]).fetchone()[0]
    assert (count > 0) == (since != "infinity")


def test_the_calls_of_one_statement_share_its_name(db):
    db.execute("DO $$ BEGIN PERFORM lore.embed('one'); PERFORM lore.similarity('two', 'three'); END $$")
    assert len(calls(db, db.info.backend_pid)) == 2
    assert len({row[0] for row in calls(db, db.info.backend_pid, "statement")}) == 1


def test_what_a_model_wrote_is_counted_and_why_it_ended(db, writer):
    db.execute("SELECT lore.generate('abc', model => 'writer', max_tokens => 5)")
    db.execute("SELECT lore.generate(ARRAY['abc', 'def'], model => 'writer', max_tokens => 5)")
    db.execute("SELECT text FROM lore.generate_stream('abc', model => 'writer', max_tokens => 5)")
    rows = calls(db, db.info.backend_pid, "operation, model, texts, output_tokens, finish_reason, outcome")
    assert rows == [
        ("generate", "writer", 1, 5, "length", "ok"),
        ("generate_many", "writer", 2, 10, "length", "ok"),
        ("generate_stream", "writer", 1, 5, "length", "ok"),
    ]
    assert all(row[0] > 3 for row in calls(db, db.info.backend_pid, "input_tokens"))


def test_a_failed_call_and_a_cancelled_one_say_so(db, connect, writer, cancel, idle, fails):
    other = connect()
    assert fails("SELECT lore.embed(' ')", on=other) == "LO101"
    cancel(other, "SELECT lore.generate('abc', model => 'writer', max_tokens => 100000)")
    idle()
    rows = calls(db, other.info.backend_pid, "operation, outcome, output_tokens < 100000")
    assert rows == [("embed", "LO101", True), ("generate", "cancelled", True)]


def test_others_see_their_own_calls_alone_and_an_admin_sees_all(db, role, connect, fails):
    alice, bob, admin = (connect(user=role(group)) for group in ("lore_reader", "lore_reader", "lore_admin"))
    alice.execute("SELECT lore.embed('of alice')")
    bob.execute("SELECT lore.embed('of bob')")
    assert bob.execute("SELECT DISTINCT role FROM lore.calls").fetchall() == [(bob.info.user,)]
    for forged in ('{"role": 10, "login": 10}', '{"arguments": {"role": 10}}', '{"most": 5, "role": 10, "caller": 10}'):
        rows = bob.execute("SELECT c ->> 'role' FROM jsonb_array_elements(lore._call('calls', %s)) AS c", [forged])
        assert len({row[0] for row in rows}) == 1
    assert fails("SELECT lore._call('all_calls')", on=bob) == "LO103"
    assert fails("SELECT lore._administer('all_calls')", on=bob) == "42501"
    assert fails("SELECT lore.call_log(0)", on=bob) == "LO103"
    roles = {row[0] for row in admin.execute("SELECT role FROM lore.calls")}
    assert {alice.info.user, bob.info.user} <= roles
    assert fails("TABLE lore.calls", on=connect(user=role())) == "42501"


def test_set_role_and_security_definer_tell_both_names(db, role, connect):
    login, other = role("lore_reader"), role("lore_reader")
    db.execute(f"GRANT {other} TO {login}")
    db.execute(f"""
        CREATE FUNCTION public.wrapped() RETURNS float LANGUAGE sql SECURITY DEFINER
            AS $$SELECT lore.similarity('a', 'b')$$;
        ALTER FUNCTION public.wrapped() OWNER TO {other}""")
    session = connect(user=login)
    session.execute("SELECT public.wrapped()")
    session.execute(f"SET ROLE {other}")
    session.execute("SELECT lore.embed('as another')")
    session.execute("RESET ROLE")
    session.execute("SELECT lore.embed('as oneself')")
    rows = calls(db, session.info.backend_pid, "operation, role, login")
    assert rows == [("similarity", other, login), ("embed", other, login), ("embed", login, login)]


def test_the_log_outlives_a_killed_host(db, host, data_directory):
    def written() -> list:
        return [path.stat().st_mtime_ns for path in sorted((data_directory / "pglore").glob("ledger.sqlite*"))]

    assert calls(db, db.info.backend_pid) == []
    before, deadline = written(), time.monotonic() + 60
    db.execute("SELECT lore.embed('before the end')")
    while written() == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    host.kill()
    assert [row[0] for row in calls(db, db.info.backend_pid)] == ["embed"]


def test_who_calls_costs_a_call_next_to_nothing(db):
    db.execute("""
        CREATE FUNCTION public.cost() RETURNS float LANGUAGE plpython3u AS $$
            import time
            if 'lore 0.1.0' not in GD: plpy.execute('SELECT lore._load()')
            from pglore_bridge.caller import caller
            started = time.perf_counter()
            for _ in range(1000): caller(plpy)
            return (time.perf_counter() - started) * 1000
        $$""")
    assert min(db.execute("SELECT public.cost()").fetchone()[0] for _ in range(3)) < 1000  # microseconds


def test_without_the_servers_functions_a_query_tells_the_same(db):
    db.execute("""
        CREATE FUNCTION public.asked() RETURNS text LANGUAGE plpython3u AS $$
            if 'lore 0.1.0' not in GD: plpy.execute('SELECT lore._load()')
            from pglore_bridge import caller
            told = caller.caller(plpy)
            before, caller._server = caller._server, None
            try: return str(told == caller.caller(plpy) or [told, caller.caller(plpy)])
            finally: caller._server = before
        $$""")
    told = db.execute("SELECT public.asked()").fetchone()[0]
    assert told == "True" or told.count(f'"role": 10, "login": 10, "statement": "{db.info.backend_pid}.') == 2
