"""Vector indexes: each kind is built, used by the statement and as good as exact search; what is refused; care."""

import json
import threading

import psycopg
import pytest

from .vectors import extension, nearest, points, vector_of

KINDS = ["hnsw", "hnsw_bit", "ivfflat", "diskann"]


@pytest.fixture(params=KINDS)
def kind(request, db):
    """A collection of 2,000 points with each kind of index in turn."""
    if request.param == "diskann":
        extension(db, "vectorscale")
    points(db, rows=2000)
    options = '{"labels": []}' if request.param == "diskann" else "{}"  # test_labels has those
    built = db.execute(
        "SELECT index_kind, chunks, index_bytes > 0 FROM lore.build_index('points', %s, %s)", [request.param, options]
    )
    assert built.fetchone() == (request.param, 2000, True)
    return request.param


def plan(db, statement):
    return "\n".join(line for (line,) in db.execute(b"EXPLAIN (VERBOSE) " + statement.encode()).fetchall())


def exact(db, vector, k=10, condition="true"):
    rows = db.execute(
        f"SELECT d.key FROM lore_data.points_chunks AS c JOIN lore_data.points_documents AS d ON d.id = c.document_id "
        f"WHERE {condition} ORDER BY (c.embedding <=> %s::vector) + 0, c.id LIMIT {k}",
        [vector],
    ).fetchall()
    return [key for (key,) in rows]


def test_the_statement_uses_the_index_and_embeds_once(db, kind):
    statement = db.execute("SELECT lore.search_sql('points', 'what is near', mode => 'vector')").fetchone()[0]
    found = plan(db, statement)
    assert "Index Scan using vector_1_1" in found
    assert found.count("lore.embed(") == 1
    before = db.execute("SELECT requests FROM lore.host_status()").fetchone()[0]
    assert len(db.execute(statement.encode()).fetchall()) == 10
    asked = db.execute("SELECT requests FROM lore.host_status()").fetchone()[0] - before
    assert asked <= 2  # the embedding, and this question


def test_a_search_by_index_finds_nearly_what_exact_search_finds_in_its_order(db, kind):
    shared = 0
    for i in range(1, 21):
        vector = vector_of(db, f"k{i * 95}")
        found = nearest(db, vector)
        true = exact(db, vector)
        assert len(found) == 10 and found[0] == f"k{i * 95}"
        assert [key for key in found if key in true] == [key for key in true if key in found]
        shared += len(set(found) & set(true))
    assert shared >= 190


@pytest.mark.parametrize("share", [1, 10, 50])
def test_a_filter_leaves_k_rows_where_k_match(db, kind, share):
    vector = vector_of(db, "k77")
    shared = 0
    for filter, condition in [
        ({"part": {"$lt": share}}, f"(metadata ->> 'part')::int < {share}"),
        ({"part": {"$in": list(range(share))}}, f"(metadata ->> 'part')::int < {share}"),
        ({"n": {"$lte": 40 * share}}, f"(metadata ->> 'n')::int <= {40 * share}"),
    ]:
        found, true = nearest(db, vector, filter=filter), exact(db, vector, condition=condition)
        assert len(found) == 10
        shared += len(set(found) & set(true))
    assert shared >= 27


def test_where_the_index_gives_fewer_than_it_was_asked_for_all_that_pass_are_compared(db, kind):
    vector = vector_of(db, "k77")
    (arm,) = db.execute(
        "SELECT array_to_string(lore._vector_arm(jsonb_populate_record(lore._open('points'), '{\"scanned\": 1}'), %s, "
        "'d.metadata @@ $$$.part >= 30 && $.part < 32$$', 150), ', ')",
        [f"'{vector}'::vector"],
    ).fetchone()
    keys = db.execute(
        f"WITH {arm} SELECT d.key FROM vector_arm AS a JOIN lore_data.points_chunks AS c USING (id) "
        "JOIN lore_data.points_documents AS d ON d.id = c.document_id ORDER BY a.distance, a.id".encode()
    ).fetchall()
    assert [key for (key,) in keys] == exact(db, vector, k=150, condition="(metadata ->> 'part')::int IN (30, 31)")
    assert len(keys) == 40


def test_what_an_exact_search_compares_is_what_passes_however_much_that_is(db):
    points(db, rows=4000)
    vector = vector_of(db, "k77")
    db.execute("DELETE FROM lore_data.points_chunks WHERE id % 7 = 0")  # a document without a chunk is no row
    for part in (0, 40, 98):
        condition, filter = f"(metadata ->> 'part')::int >= {part}", {"part": {"$gte": part}}
        assert nearest(db, vector, filter=filter) == exact(db, vector, condition=condition)
        statement = db.execute(
            "SELECT lore.search_sql('points', NULL, vector => %s::vector, filter => %s)", [vector, json.dumps(filter)]
        ).fetchone()[0]
        plan = "\n".join(row[0] for row in db.execute(b"EXPLAIN " + statement.encode()).fetchall())
        assert "Seq Scan on points_chunks" not in plan  # each chunk that passes is looked up, in one pass of the index


def test_fewer_than_k_rows_come_back_only_when_fewer_match(db, kind):
    vector = vector_of(db, "k77")
    assert sorted(nearest(db, vector, filter={"n": {"$in": [1, 2, 1999]}})) == ["k1", "k1999", "k2"]
    assert nearest(db, vector, filter={"n": -1}) == []
    assert len(nearest(db, vector, k=1000, per_document=None)) == 1000
    assert len(nearest(db, vector, k=1000, filter={"part": {"$gte": 20}})) == 1000


def test_settings_of_a_search_do_not_stay(db, kind):
    with db.transaction():
        nearest(db, vector_of(db, "k1"), filter={"part": {"$gte": 20}})
        assert db.execute("SHOW hnsw.ef_search").fetchone() == ("40",)
        assert db.execute("SHOW hnsw.iterative_scan").fetchone() == ("off",)


def test_an_index_that_is_gone_or_broken_leaves_exact_search_and_a_finding(db, kind):
    vector = vector_of(db, "k1234")
    db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'lore_data.vector_1_1'::regclass")
    assert nearest(db, vector) == exact(db, vector)
    db.execute("UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'lore_data.vector_1_1'::regclass")
    db.execute("DROP INDEX lore_data.vector_1_1")
    assert nearest(db, vector) == exact(db, vector)
    (finding,) = [
        row[0] for row in db.execute("SELECT finding FROM lore.doctor()") if '"points"' in row[0] and "index" in row[0]
    ]
    assert "missing" in finding
    assert db.execute("SELECT name, action FROM lore.maintain()").fetchall() == [
        ("points", f"built an index of kind {kind}")
    ]
    assert db.execute("SELECT * FROM lore.maintain('points')").fetchall() == []


def test_an_index_over_another_sketch_than_this_versions_is_as_good_as_none(db):
    points(db, rows=1000)
    db.execute("SELECT lore.build_index('points', 'hnsw_bit')")
    db.execute("DROP INDEX lore_data.vector_1_1")
    db.execute(
        "CREATE INDEX vector_1_1 ON lore_data.points_chunks "
        "USING hnsw ((binary_quantize(embedding)::bit(384)) bit_hamming_ops)"
    )
    assert db.execute("SELECT searched FROM lore.recall('points', sample => 1)").fetchone() == ("exact",)
    assert [row[0] for row in db.execute("SELECT name FROM lore.maintain()")] == ["points"]
    assert db.execute("SELECT searched FROM lore.recall('points', sample => 1)").fetchone() == ("hnsw_bit",)


def test_rows_added_later_are_found(db, kind):
    db.execute("INSERT INTO lore_data.points_documents (key, content, content_hash) VALUES ('new', 'new', '')")
    db.execute(
        "INSERT INTO lore_data.points_chunks "
        "(document_id, ordinal, span, content, tokens, embedding, fingerprint, search) "
        "SELECT (SELECT id FROM lore_data.points_documents WHERE key = 'new'), 0, '[0,3)', 'new', 1, c.embedding, "
        "'made', '' FROM lore_data.points_chunks AS c JOIN lore_data.points_documents AS d ON d.id = c.document_id "
        "WHERE d.key = 'k5'"
    )
    assert set(nearest(db, vector_of(db, "k5"))[:2]) == {"k5", "new"}


@pytest.mark.parametrize("metric", ["ip", "l2"])
@pytest.mark.parametrize("kind", ["exact", *KINDS[:3]])
def test_every_metric_orders_unit_vectors_alike(db, metric, kind):
    points(db, rows=2000, metric=metric)
    db.execute("SELECT lore.build_index('points', %s)", [kind])
    vector = vector_of(db, "k5")
    assert len(set(nearest(db, vector)) & set(exact(db, vector))) >= 9
    (score,) = db.execute(
        "SELECT vector_score FROM lore.search('points', NULL, k => 1, vector => %s::vector)", [vector]
    ).fetchone()
    assert score == pytest.approx({"ip": 1, "l2": 0}[metric], abs=1e-3)


def test_statements_build_beside_others_and_replace_the_old_index(db, connect):
    points(db, rows=1000)
    for options in ("{}", '{"m": 64}', '{"m": 8, "ef_construction": 32}'):
        steps = db.execute("SELECT statement FROM lore.index_sql('points', 'hnsw', %s)", [options]).fetchall()
        assert any("CONCURRENTLY" in statement for (statement,) in steps)
        for (statement,) in steps:
            db.execute(statement.encode())
    indexes = db.execute("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'vector_1_%'").fetchall()
    assert len(indexes) == 1 and "m='8'" in indexes[0][0] and "vector_1_3" in indexes[0][0]
    assert db.execute("SELECT index_kind FROM lore.build_index('points', 'exact')").fetchone() == ("exact",)
    assert db.execute("SELECT 1 FROM pg_indexes WHERE indexname LIKE 'vector_1_%'").fetchall() == []


@pytest.mark.parametrize("kind", ["hnsw", "hnsw_bit", "ivfflat", "vchordrq"])
def test_numbers_that_are_no_vectors_have_no_index(db, fails, kind):
    db.execute("SELECT lore.create_collection('numbers')")
    db.execute("UPDATE lore_data.collections SET dimensions = 1")
    assert fails("SELECT * FROM lore.build_index('numbers', %s)", [kind]) in ("LO103", "LO206")
    assert db.execute("SELECT index_kind FROM lore.build_index('numbers', 'auto')").fetchone() == ("exact",)


def waits_for_advisory_lock(db, thread):
    """Whether a thread's session has come to wait for an advisory lock; the thread has ended otherwise."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while thread.is_alive() and not db.execute(waiting).fetchone()[0]:
        pass
    return thread.is_alive()


@pytest.mark.parametrize("call", ["build_index('points', 'hnsw')", "maintain('points')"])
def test_who_builds_while_another_does_waits_for_it_and_builds_anew(db, connect, call):
    db.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    points(db, rows=1000)
    other, waits, outcome = connect(), connect(), []

    def build():
        try:
            outcome.extend(waits.execute(f"SELECT 1 FROM lore.{call}").fetchall())
        except psycopg.Error as error:
            outcome.append(error)

    thread = threading.Thread(target=build)
    with other.transaction():
        other.execute(f"SELECT FROM lore.{call}")
        thread.start()
        assert waits_for_advisory_lock(db, thread), outcome
    thread.join(30)
    assert outcome == [(1,)]


def test_who_builds_while_another_builds_beside_others_is_refused_at_once(db, connect, fails):
    points(db, rows=1000)
    statements = "SELECT statement FROM lore.index_sql('points', 'hnsw')"
    first, second = connect(), connect()
    ours, theirs = first.execute(statements).fetchall(), second.execute(statements).fetchall()
    for at, (statement,) in enumerate(ours):
        first.execute(statement.encode())
        if at < len(ours) - 1:
            assert fails(theirs[0][0], on=second) == "LO305", statement
            assert fails("SELECT FROM lore.build_index('points')", on=second) == "LO305", statement
    assert fails(theirs[0][0], on=second) == "LO305"  # it would drop the index that is in use now
    assert second.execute("SELECT index_kind FROM lore.build_index('points', 'hnsw')").fetchone() == ("hnsw",)
    for (statement,) in second.execute(statements).fetchall():
        second.execute(statement.encode())
    indexes = db.execute("SELECT indexname FROM pg_indexes WHERE indexname LIKE 'vector_1_%'").fetchall()
    assert indexes == [("vector_1_3",)]


def test_a_session_that_failed_while_it_built_beside_others_begins_anew(db, connect):
    points(db, rows=1000)
    statements = [row[0] for row in db.execute("SELECT statement FROM lore.index_sql('points', 'hnsw')").fetchall()]
    first, second = connect(), connect()
    for statement in [*statements[:2], *statements]:
        first.execute(statement.encode())
    assert second.execute("SELECT index_kind FROM lore.build_index('points', 'exact')").fetchone() == ("exact",)
    first.execute(db.execute("SELECT statement FROM lore.index_sql('points', 'hnsw')").fetchone()[0].encode())
    first.close()
    while db.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()[0]:
        pass
    assert second.execute("SELECT index_kind FROM lore.build_index('points', 'hnsw')").fetchone() == ("hnsw",)


@pytest.mark.parametrize("first", ["tune('points', sample => 20)", "build_index('points', 'hnsw_bit')"])
@pytest.mark.parametrize(
    "second",
    ["build_index('points', 'hnsw')", "alter_collection('points', name => 'other')", "drop_collection('points')"],
)
def test_who_changes_a_collection_waits_for_a_build_and_for_a_tuning(db, connect, first, second):
    points(db, rows=1000)
    db.execute("SELECT lore.build_index('points', 'hnsw')")
    other, waits, outcome = connect(), connect(), []
    thread = threading.Thread(target=lambda: outcome.extend(waits.execute(f"SELECT 1 FROM lore.{second}").fetchall()))
    with other.transaction():
        other.execute(f"SELECT FROM lore.{first}")
        thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        held = (
            "SELECT count(*) FROM pg_locks WHERE pid = %s AND relation = 'lore_data.points_chunks'::regclass "
            "AND mode ~ 'Exclusive'"
        )
        while thread.is_alive() and not db.execute(waiting).fetchone()[0]:
            pass
        assert db.execute(held, [waits.info.backend_pid]).fetchone() == (0,)
        other.execute("SELECT count(*) FROM lore_data.points_documents, lore_data.points_chunks")
    thread.join(60)
    assert outcome == [(1,)]


@pytest.mark.parametrize(
    "write", ["add('points', 'new', 'Water.')", "remove('points', 'k1')", "tune('points')", "build_index('points')"]
)
def test_who_has_read_a_collection_does_not_wait_for_who_waits_for_its_transaction(db, connect, fails, write):
    points(db, rows=1000)
    db.execute("SELECT lore.build_index('points', 'hnsw')")
    other, builds, outcome = connect(), connect(), []
    rebuild = "SELECT index_kind FROM lore.build_index('points', 'ivfflat')"
    thread = threading.Thread(target=lambda: outcome.extend(builds.execute(rebuild).fetchall()))
    vector = vector_of(db, "k1")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction), other.transaction():
        assert len(nearest(other, vector)) == 10
        thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted"  # to drop the one before
        while thread.is_alive() and not db.execute(waiting).fetchone()[0]:
            pass
        assert fails(f"SELECT FROM lore.{write}", on=other) == "LO305"
        other.execute("SELECT 1")
    thread.join(60)
    assert outcome == [("ivfflat",)]
    assert other.execute(f"SELECT 1 FROM lore.{write}").fetchall()


def test_two_that_maintain_what_has_an_index_already_wait_for_each_other(db, connect):
    points(db, rows=1000)
    db.execute("SELECT lore.build_index('points', 'hnsw')")
    db.execute("UPDATE lore_data.collections SET index_kind = 'ivfflat'")
    first, second, outcome = connect(), connect(), []
    maintain = "SELECT action FROM lore.maintain() WHERE action LIKE '%index%'"
    thread = threading.Thread(target=lambda: outcome.append(second.execute(maintain).fetchall()))
    with first.transaction():
        first.execute("SELECT lore._lock_collection('points')")
        thread.start()
        assert waits_for_advisory_lock(db, thread)
        assert first.execute(maintain).fetchall() == [("built an index of kind ivfflat",)]
    thread.join(60)
    assert outcome == [[]]


def test_who_maintains_waits_for_writers(db, connect):
    points(db, rows=1000)
    db.execute("UPDATE lore_data.collections SET index_kind = 'hnsw'")
    other, maintains, outcome = connect(), connect(), []
    maintain = "SELECT action FROM lore.maintain('points') WHERE action LIKE '%index%'"
    thread = threading.Thread(target=lambda: outcome.extend(maintains.execute(maintain).fetchall()))
    with other.transaction():
        other.execute("SELECT lore.remove('points', 'k1')")
        thread.start()
        assert waits_for_advisory_lock(db, thread)
        assert len(nearest(other, vector_of(db, "k2"))) == 10
        other.execute("SELECT lore.remove('points', 'k3')")
    thread.join(60)
    assert outcome == [("built an index of kind hnsw",)]


def test_a_collection_is_altered_and_maintained_while_another_ones_tables_are_locked(db, connect):
    points(db, rows=10)
    db.execute("SELECT lore.create_collection('other', keyword => 'tsvector')")
    blocks = connect()
    with blocks.transaction():
        blocks.execute("LOCK TABLE lore_data.points_chunks IN ACCESS EXCLUSIVE MODE")
        db.execute("SET lock_timeout = '20s'")
        assert len(db.execute("SELECT * FROM lore.alter_collection('other', metric => 'ip')").fetchall()) == 1
        assert db.execute("SELECT * FROM lore.maintain('other')").fetchall() == []


def test_a_kind_that_could_never_be_built_is_refused_when_it_is_asked_for(db, fails):
    create = "SELECT lore.create_collection('c', index_kind => %s)"
    alter = "SELECT * FROM lore.alter_collection('points', index_kind => %s)"
    points(db, rows=10)
    assert fails(create, ["vchordrq"]) == fails(alter, ["vchordrq"]) == "LO206"
    assert db.execute("SELECT name FROM lore.collections").fetchall() == [("points",)]
    # As a dump leaves it that is restored where the extension is missing: what it is stays, and it can be altered.
    db.execute("UPDATE lore_data.collections SET index_kind = 'vchordrq'")
    assert db.execute(alter, ["vchordrq"]).fetchall() == []
    assert db.execute("SELECT * FROM lore.alter_collection('points', chunk_size => 100)").fetchall()
    assert db.execute(alter, ["ivfflat"]).fetchall() == [("index_kind", "vchordrq", "ivfflat")]  # of few rows, so far
    db.execute("UPDATE lore_data.collections SET dimensions = 5000")
    assert fails(alter, ["hnsw"]) == "LO103"
    assert db.execute(alter, ["hnsw_bit"]).fetchall() == [("index_kind", "ivfflat", "hnsw_bit")]
    db.execute("UPDATE lore_data.collections SET dimensions = 1")
    assert fails(alter, ["hnsw"]) == "LO103"
    assert db.execute(alter, ["exact"]).fetchall() == [("index_kind", "hnsw_bit", "exact")]


def test_what_cannot_be_built_is_refused(db, fails):
    db.execute("SELECT lore.create_collection('empty')")
    refused = {
        "'empty', 'magic'": "LO103", "'empty', 'ivfflat'": "LO103", "'absent'": "LO203", "'empty', 'vchordrq'": "LO206",
        "'empty', 'hnsw', '{\"m\": 1}'": "LO103", "'empty', 'hnsw', '[]'": "LO103",
        "'empty', 'hnsw', '{\"lists\": 5}'": "LO103", "'empty', 'hnsw', '{\"ef_construction\": 20}'": "LO103",
        "'empty', 'hnsw', '{\"m\": \"16) ; DROP TABLE x\"}'": "LO103",
        "'empty', 'hnsw', '{\"x = 1); --\": 1}'": "LO103",
    }  # fmt: skip
    for function in ("build_index", "index_sql"):
        assert {call: fails(f"SELECT * FROM lore.{function}({call})") for call in refused} == refused
    for rows in (-1, 10**11, 2**63 - 1):
        assert fails("SELECT * FROM lore.index_estimate('empty', rows => %s::bigint)", [rows]) == "LO103"
    assert fails("SELECT lore.create_collection('c', index_kind => 'magic')") == "LO103"
    assert fails("SELECT lore.create_collection('c', metric => 'hamming')") == "LO103"


def test_a_vector_of_another_size_is_refused(db, fails):
    points(db, rows=10)
    assert fails("SELECT * FROM lore.search('points', NULL, vector => '[1,2,3]')") == "LO205"


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_a_vector_beyond_half_precision_is_refused_with_an_index_and_without(db, fails, metric):
    points(db, rows=10, metric=metric)
    for kind in ("exact", "hnsw"):
        db.execute("SELECT lore.build_index('points', %s)", [kind])
        for number in (7e4, -7e4, 1e38, 1e-5):
            sought = None if metric == "l2" and number == 1e-5 else "LO103"
            vector = json.dumps([number] * 384)
            calls = ["search('points', NULL, vector => %s)", "recall('points', queries => ARRAY[%s]::vector[])"]
            for call in calls + ["tune('points', queries => ARRAY[%s]::vector[])"] * (kind == "hnsw"):
                if sought:
                    assert fails(f"SELECT * FROM lore.{call}", [vector]) == sought, (kind, number, call)
                else:
                    assert db.execute(f"SELECT 1 FROM lore.{call}", [vector]).fetchall()
        assert len(nearest(db, json.dumps([6e4] * 384))) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_who_sees_few_documents_finds_k_of_them(db, role, connect, kind):
    extension(db, "vectorscale") if kind == "diskann" else None
    points(db, rows=2000)
    db.execute("SELECT lore.build_index('points', %s, %s)", [kind, '{"labels": []}' if kind == "diskann" else "{}"])
    db.execute("ALTER TABLE lore_data.points_documents ENABLE ROW LEVEL SECURITY")
    db.execute("CREATE POLICY few ON lore_data.points_documents USING ((metadata ->> 'part')::int = 3)")
    reader, vector = connect(user=role("lore_reader")), vector_of(db, "k77")
    seen = exact(db, vector, condition="(metadata ->> 'part')::int = 3")
    assert nearest(reader, vector) == nearest(reader, vector, per_document=None) == seen
    assert reader.execute("SELECT recall FROM lore.recall('points', sample => 10)").fetchone() == (1.0,)
    db.execute("SELECT lore.alter_collection('points', index_kind => 'exact')")
    assert nearest(reader, vector) == seen


def test_statements_for_vectorchord_name_its_operators_and_settings(db):
    points(db, rows=2000)
    steps = "\n".join(
        row[0]
        for row in db.execute(
            "SELECT statement FROM lore._index_statements(lore._open('points'), 'vchordrq', '{}', true)"
        )
    )
    assert "USING vchordrq ((embedding) public.vector_cosine_ops) WITH (options = " in steps and "lists = [10]" in steps
    arm = db.execute(
        "SELECT array_to_string(lore._vector_arm(jsonb_populate_record(lore._open('points'), "
        "'{\"searched\": \"vchordrq\", \"lists\": 10}'), '$3', NULL, 10), ', ')"
    ).fetchone()[0]
    assert "set_config('vchordrq.probes', '8', true)" in arm and "ORDER BY c.embedding OPERATOR(public.<=>)" in arm


def test_auto_follows_size_dimensions_memory_and_what_is_installed(db):
    gigabyte = 1 << 30
    chosen = {
        (10_000, 384, 8, False): "exact", (1_000_000, 384, 8, False): "hnsw", (10_000_000, 384, 8, False): "hnsw_bit",
        (10_000_000, 128, 2, True): "diskann", (100_000, 8000, 8, True): "hnsw_bit",
    }  # fmt: skip
    for (rows, dimensions, memory, diskann), kind in chosen.items():
        found = db.execute("SELECT lore._choose_kind(%s, %s, %s, %s)", [rows, dimensions, memory * gigabyte, diskann])
        assert found.fetchone() == (kind,)


def test_maintain_builds_what_is_wanted_and_again_when_most_rows_are_new(db):
    points(db, rows=1000)
    db.execute("UPDATE lore_data.collections SET index_kind = 'ivfflat'")
    assert [row[1] for row in db.execute("SELECT * FROM lore.maintain()")] == ["built an index of kind ivfflat"]
    assert db.execute("SELECT * FROM lore.maintain()").fetchall() == []
    db.execute(
        "WITH d AS (INSERT INTO lore_data.points_documents (key, content, content_hash) "
        "SELECT 'new' || i, 'new', '' FROM generate_series(1, 1500) AS i RETURNING id) "
        "INSERT INTO lore_data.points_chunks "
        "(document_id, ordinal, span, content, tokens, embedding, fingerprint, search) "
        "SELECT d.id, 0, '[0,3)', 'new', 1, (SELECT embedding FROM lore_data.points_chunks LIMIT 1), 'made', '' FROM d"
    )
    ((finding,),) = db.execute("SELECT finding FROM lore.doctor() WHERE finding LIKE '%points%before%'").fetchall()
    assert "60 %" in finding
    assert [row[2] for row in db.execute("SELECT * FROM lore.maintain('points')")] == [
        "has an index that was built before 60 % of its chunks came"
    ]
    assert db.execute("SELECT * FROM lore.maintain()").fetchall() == []


def test_what_cannot_be_built_holds_up_no_other_collection(db, fails):
    points(db, rows=1000)
    db.execute("UPDATE lore_data.collections SET index_kind = 'hnsw'")
    db.execute("SELECT lore.create_collection('never', index_kind => 'hnsw', keyword => 'tsvector')")
    db.execute("SELECT lore.add('never', 'k', 'text')")
    db.execute("UPDATE lore_data.collections SET dimensions = 5000 WHERE name = 'never'")
    assert [row[:2] for row in db.execute("SELECT * FROM lore.maintain() WHERE reason LIKE '%index'")] == [
        (
            "never",
            'built no index: hnsw takes at most 4000 dimensions, and the vectors of collection "never" have 5000',
        ),
        ("points", "built an index of kind hnsw"),
    ]
    assert fails("SELECT * FROM lore.maintain('never')") == "LO103"


def test_what_a_build_left_that_was_ended_before_its_time_goes_with_the_next(db):
    points(db, rows=1000)
    left = "CREATE INDEX vector_1_%s ON lore_data.points_chunks USING hnsw (embedding vector_cosine_ops)"
    named = "SELECT array_agg(indexname::text ORDER BY indexname) FROM pg_indexes WHERE indexname ~ '^vector_[0-9]'"
    for kind, expected in [("hnsw", ["vector_1_1"]), ("hnsw_bit", ["vector_1_2"]), ("exact", None)]:
        for number in (7, 8):
            db.execute(left % number)
        db.execute("SELECT lore.build_index('points', %s)", [kind])
        assert db.execute(named).fetchone() == (expected,)


def test_the_estimate_of_an_index_is_close_to_its_size(db):
    points(db, rows=4000)
    for kind in ("hnsw", "hnsw_bit", "ivfflat"):
        estimate = db.execute("SELECT index_bytes FROM lore.index_estimate('points', %s)", [kind]).fetchone()[0]
        built = db.execute("SELECT index_bytes FROM lore.build_index('points', %s)", [kind]).fetchone()[0]
        assert built == pytest.approx(estimate, rel=0.15)
    assert db.execute("SELECT index_kind FROM lore.index_estimate('points', rows => 10000000) WHERE chosen").fetchone()


def test_an_inverted_file_is_built_with_the_memory_that_it_needs(db, fails):
    points(db, rows=4000)
    db.execute("SET maintenance_work_mem = '1MB'")
    built = db.execute("SELECT index_kind FROM lore.build_index('points', 'ivfflat', '{\"lists\": 300}')")
    assert built.fetchone() == ("ivfflat",)
    for function in ("build_index", "index_sql"):  # 4 GB
        assert fails(f"SELECT * FROM lore.{function}('points', 'ivfflat', '{{\"lists\": 32768}}')") == "LO103"


def test_an_estimate_says_what_cannot_be_built(db):
    db.execute("SELECT lore.create_collection('numbers')")
    notes = "SELECT array_agg(note) FROM lore.index_estimate('numbers', rows => 5000) WHERE index_kind LIKE 'hnsw%'"
    assert db.execute(notes).fetchone() == ([None, None],)
    db.execute("UPDATE lore_data.collections SET dimensions = 1")
    assert db.execute(notes).fetchone() == (["is not made for vectors of one dimension"] * 2,)


def test_a_writer_cannot_build(db, role, connect):
    points(db, rows=10)
    for call in ("lore.build_index('points', 'hnsw')", "lore.maintain()"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connect(user=role("lore_writer")).execute(f"SELECT {call}")
    connect(user=role("lore_admin")).execute("SELECT lore.build_index('points', 'hnsw')")
