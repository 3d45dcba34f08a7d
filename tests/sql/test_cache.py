"""The result cache: opt-in, one's own, bounded; what is in it is computed by nobody, and shown to nobody else."""

import threading

import pytest

GENERATE = "SELECT lore.generate('abc', model => 'writer', max_tokens => 6)"


@pytest.fixture
def cached(db):
    """The test's connection with the cache on."""
    db.execute("SET lore.result_cache = on")
    return db


def computed(connection):
    """How many calls the session has had computed."""
    query = "SELECT count(*) FROM lore.calls WHERE pid = pg_backend_pid()"
    return connection.execute(query).fetchone()[0]


def entries(connection):
    return connection.execute("SELECT count(*) FROM lore.cache").fetchone()[0]


def test_nothing_is_kept_unless_it_is_asked_for(db, writer):
    for _ in range(2):
        db.execute(GENERATE)
    assert (computed(db), entries(db)) == (2, 0)
    db.execute("SET lore.result_cache = off")
    db.execute(GENERATE)
    assert (computed(db), entries(db)) == (3, 0)


def test_the_same_call_is_computed_once(cached, writer):
    first = cached.execute(GENERATE).fetchone()
    assert cached.execute(GENERATE).fetchone() == first and computed(cached) == 1
    for other in (
        "SELECT lore.generate('abd', model => 'writer', max_tokens => 6)",
        "SELECT lore.generate('abc', model => 'writer', max_tokens => 7)",
        "SELECT lore.generate('abc', model => 'writer', max_tokens => 6, system => 'x')",
        "SELECT lore.generate('abc', model => 'extractive', max_tokens => 6)",
        """SELECT lore.chat('[{"role": "user", "content": "abc"}]', model => 'writer', max_tokens => 6)""",
    ):
        before = computed(cached)
        for _ in range(2):
            cached.execute(other)
        assert computed(cached) == before + 1, other
    result = "SELECT timings, completion_tokens FROM lore.generate_result('abc', model => 'writer', max_tokens => 6)"
    assert cached.execute(result).fetchone() == ({"cached": True}, 6)


def test_of_an_array_what_is_missing_is_computed(cached, writer):
    cached.execute(GENERATE)
    statement = "SELECT lore.generate(%s::text[], model => 'writer', max_tokens => 6)"
    found = cached.execute(statement, [["abc", None, "new", "newer"]]).fetchone()[0]
    rows = cached.execute("SELECT operation, texts FROM lore.calls WHERE pid = pg_backend_pid() ORDER BY id").fetchall()
    assert rows == [("generate", 1), ("generate_many", 2)] and found[1] is None and all(found[n] for n in (0, 2, 3))
    assert cached.execute(statement, [["newer", "new", "abc"]]).fetchone()[0] == [found[3], found[2], found[0]]
    assert computed(cached) == 2
    assert cached.execute(statement, [[]]).fetchone()[0] == []


def test_an_operator_over_the_same_rows_computes_nothing_the_second_time(cached, role, connect, fails):
    texts = "ARRAY(SELECT CASE WHEN i % 2 = 0 THEN 'The team won match ' ELSE 'Prices rose by ' END || i "
    texts += "FROM generate_series(1, 200) AS i)"
    classify = f"SELECT lore.classify({texts}, ARRAY['sports', 'finance'])"
    first = cached.execute(classify).fetchone()
    assert (computed(cached), entries(cached)) == (1, 200)
    assert cached.execute(classify).fetchone() == first and computed(cached) == 1
    cached.execute(f"SELECT lore.classify({texts} || 'A new one.'::text, ARRAY['sports', 'finance'])")
    assert cached.execute("SELECT texts FROM lore.calls WHERE pid = pg_backend_pid()").fetchall() == [(200,), (1,)]
    cached.execute(f"SELECT lore.classify({texts}, ARRAY['finance', 'sports'])")
    assert computed(cached) == 3
    reader = connect(user=role("lore_reader"))
    reader.execute("SET lore.result_cache = on")
    cached.execute("SELECT lore.revoke_model('all-minilm-l6-v2', 'public')")
    try:
        assert fails(classify, on=reader) == "42501"
    finally:
        cached.execute("SELECT lore.grant_model('all-minilm-l6-v2', 'public')")


def test_rows_that_an_operator_has_seen_one_by_one_are_computed_once(cached):
    cached.execute("CREATE TABLE public.notes AS SELECT i, 'note number ' || i AS body FROM generate_series(1, 5) AS i")
    for _ in range(2):
        cached.execute("SELECT i, lore.sentiment(body) FROM public.notes")
    assert computed(cached) == 5


def test_what_chance_decides_is_never_kept_unless_a_seed_does(cached, writer):
    for _ in range(2):
        cached.execute("SELECT lore.generate('abc', model => 'writer', max_tokens => 3, temperature => 1)")
        cached.execute("SELECT lore.generate('abc', model => 'writer', max_tokens => 3, temperature => NULL)")
    assert (computed(cached), entries(cached)) == (4, 0)
    for _ in range(2):
        cached.execute("SELECT lore.generate('abc', model => 'writer', max_tokens => 3, temperature => 1, seed => 4)")
    assert (computed(cached), entries(cached)) == (5, 1)


def test_a_failure_is_not_kept(cached, writer, fails):
    for _ in range(2):
        assert fails("SELECT lore.generate(' ', model => 'writer')") == "LO101"
        assert fails("SELECT lore.generate(ARRAY['abc', ' '], model => 'writer', max_tokens => 2)") == "LO101"
    assert entries(cached) == 0  # the error undid the statement, the good result with it


def test_a_model_that_was_changed_answers_anew(cached, writer, chat_server):
    cached.execute(GENERATE)
    options = f'{{"name": "{chat_server[1]}", "timeout_s": 600, "structured": "none"}}'
    cached.execute("SELECT lore.add_model('writer', 'generate', %s, %s, replace => true)", [chat_server[0], options])
    cached.execute(GENERATE)
    assert computed(cached) == 2
    assert cached.execute("SELECT count(DISTINCT fingerprint) FROM lore.cache").fetchone()[0] == 2


def test_a_role_gets_and_sees_its_own_results_alone(cached, writer, role, connect, fails):
    alice, bob, admin = (connect(user=role(group)) for group in ("lore_reader", "lore_reader", "lore_admin"))
    for session in (alice, bob, admin):
        session.execute("SET lore.result_cache = on")
        session.execute(GENERATE)
        assert computed(session) if session is not admin else True
        assert session.execute("SELECT count(*) FROM lore.cache WHERE result IS NOT NULL").fetchone()[0] == 1
    assert computed(bob) == 1
    assert bob.execute("SELECT DISTINCT role FROM lore_data.results").fetchall() == [(bob.info.user,)]
    assert admin.execute("SELECT count(*), count(result) FROM lore.cache").fetchone() == (3, 1)
    columns = "key, operation, model, fingerprint, result, bytes"
    insert = f"INSERT INTO lore_data.results ({{}}{columns}) VALUES ({{}}'a', 'a', 'a', 'a', '1', 1)"
    assert fails(insert.format("role, ", f"'{alice.info.user}', "), on=bob) == "42501"
    assert fails("UPDATE lore_data.results SET role = 'x'", on=bob) == "42501"
    assert fails("SELECT lore.cache_clear(role => %s)", [alice.info.user], on=bob) == "42501"
    assert bob.execute("SELECT lore.cache_clear()").fetchone()[0] == 1
    assert admin.execute("SELECT lore.cache_clear(role => 'public')").fetchone()[0] == 2


def test_a_dropped_roles_results_are_not_its_namesakes(cached, db, writer, role, connect):
    name = role("lore_reader")
    first = connect(user=name)
    first.execute("SET lore.result_cache = on")
    first.execute(GENERATE)
    first.close()
    db.execute(f"DROP OWNED BY {name}; DROP ROLE {name}; CREATE ROLE {name} LOGIN; GRANT lore_reader TO {name}")
    second = connect(user=name)
    second.execute("SET lore.result_cache = on")
    assert entries(second) == 0
    second.execute(GENERATE)
    assert computed(second) == 1


def test_who_may_no_longer_use_the_model_gets_no_result_of_it(cached, db, writer, role, connect, fails):
    reader = connect(user=role("lore_reader"))
    reader.execute("SET lore.result_cache = on")
    db.execute("SELECT lore.revoke_model('writer', 'public')")
    db.execute("SELECT lore.grant_model('writer', %s)", [reader.info.user])
    reader.execute(GENERATE)
    reader.execute(GENERATE)
    db.execute("SELECT lore.revoke_model('writer', %s)", [reader.info.user])
    assert fails(GENERATE, on=reader) == "42501"


def test_a_read_only_transaction_reads_the_cache_and_a_serializable_one_writes_nothing(cached, writer):
    cached.execute("BEGIN READ ONLY")
    cached.execute(GENERATE)
    cached.execute("COMMIT")
    assert (computed(cached), entries(cached)) == (1, 0)
    cached.execute(GENERATE)
    for mode in ("READ ONLY", "ISOLATION LEVEL SERIALIZABLE", "ISOLATION LEVEL REPEATABLE READ"):
        cached.execute(f"BEGIN {mode}")
        cached.execute(GENERATE)
        cached.execute("COMMIT")
    assert (computed(cached), entries(cached)) == (2, 1)
    cached.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    cached.execute("SELECT lore.generate('new', model => 'writer', max_tokens => 2)")
    cached.execute("COMMIT")
    assert entries(cached) == 1


def test_sessions_that_compute_the_same_at_once_wait_for_nobody(cached, writer, connect):
    sessions = [connect() for _ in range(4)]
    for session in sessions:
        session.execute("SET lore.result_cache = on; SET lock_timeout = '60s'; BEGIN")

    def run(session):
        session.execute("SELECT lore.generate(ARRAY['a', 'b', 'c'], model => 'writer', max_tokens => 2)")

    threads = [threading.Thread(target=run, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for session in sessions:  # all of them open until here
        session.execute("COMMIT")
    before = computed(cached)
    run(cached)
    assert computed(cached) == before


def test_the_cache_stays_within_its_size_and_what_was_not_used_goes_first(cached, fails):
    cached.execute("""
        INSERT INTO lore_data.results (key, operation, model, fingerprint, result, bytes, used_at)
        SELECT sha256(i::text::bytea), 'generate', 'm', 'f', to_jsonb(repeat('x', 1000)), 1300,
               now() - i * interval '1 minute'
        FROM generate_series(1, 2000) AS i""")
    cached.execute("SELECT lore.set_cache_size(1)")
    count, oldest = cached.execute("SELECT count(*), max(now() - used_at) FROM lore.cache").fetchone()
    assert 650 < count <= 1048576 / 1300 and oldest.total_seconds() < 60 * (count + 1)
    cached.execute("""
        SELECT lore._remember('{"model": "m", "fingerprint": "f"}', 'generate',
            ARRAY(SELECT sha256(('new' || i)::bytea) FROM generate_series(1, 150) AS i),
            ARRAY(SELECT to_jsonb(repeat('y', 1000)) FROM generate_series(1, 150)))""")
    query = "SELECT sum(bytes), count(*) FILTER (WHERE used_at = made_at) FROM lore.cache"
    taken, new = cached.execute(query).fetchone()
    assert taken <= 1048576 and new == 150  # made room by itself
    assert cached.execute("SELECT lore.cache_clear(unused_for => '5 minutes')").fetchone()[0] > 500
    assert cached.execute("SELECT lore.cache_clear(model => 'another')").fetchone()[0] == 0
    cached.execute("SELECT lore.set_cache_size(0)")
    assert entries(cached) == 0
    assert {fails(f"SELECT lore.set_cache_size({wrong})") for wrong in ("-1", "NULL", "'NaN'")} == {"LO103"}


def test_a_setting_that_is_none_is_refused(db, fails):
    db.execute("SET lore.result_cache = 'perhaps'")
    assert fails("SELECT lore.generate('a')") == "LO103"
