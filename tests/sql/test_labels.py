"""Labels of a diskann index: filters on categories look them up, and find what the filter alone would find."""

import json
import random
import subprocess
import threading

import psycopg
import pytest

from .test_filter import FUZZ, document, random_filter
from .vectors import extension, nearest, points, vector_of

QUICK = '{"num_neighbors": 12, "search_list_size": 12}'
FIELDS = ["a", "b", "c.d", "c", 'x"y', "it's", "%s", "é𝄞", "\\", "a b", "1", '"', "d.e.f"]
BAND = """
    UPDATE lore_data.points_documents SET metadata = metadata || jsonb_build_object('band', (ARRAY['"low"',
         '"high"', '["low", "high"]', '[["low"]]', 'null', '2.0', 'true', '{"low": 1}', '"2"', '[]']::jsonb[])
        [1 + id % 10],
        'deep', jsonb_build_array(jsonb_build_object('er', id % 3), jsonb_build_object('er', 7)), 'half', id % 2)
"""


@pytest.fixture
def labelled(db):
    """The collection `points` with a diskann index and labels of part, band, deep.er and half."""
    extension(db, "vectorscale")
    points(db, rows=1000)
    db.execute(BAND)
    db.execute("SELECT * FROM lore.alter_collection('points', filterable => '{part,band,deep.er,half}')")
    db.execute("SELECT * FROM lore.build_index('points', 'diskann', %s)", [QUICK])
    return db


def sought(db, filter):
    """The condition on labels that a search with the filter takes to the index, or None."""
    statement = db.execute(
        "SELECT lore.search_sql('points', NULL, filter => %s, vector => %s::vector)",
        [json.dumps(filter), vector_of(db, "k77")],
    ).fetchone()[0]
    plan = "\n".join(line for (line,) in db.execute(b"EXPLAIN " + statement.encode()).fetchall())
    found = [line for line in plan.splitlines() if "Index Cond: (labels &&" in line]
    assert not found or "Index Scan using vector_1" in plan
    return found[0] if found else None


def by_plain_filter(db, vector, filter, k=10):
    rows = db.execute(
        "SELECT d.key FROM lore_data.points_chunks AS c JOIN lore_data.points_documents AS d ON d.id = c.document_id "
        "WHERE (%s = '{}' OR d.metadata @@ lore._filter(%s)) "
        "ORDER BY (c.embedding <=> %s::vector) + 0, d.key LIMIT %s",
        [json.dumps(filter), json.dumps(filter), vector, k],
    ).fetchall()
    return [key for (key,) in rows]


def test_labels_hide_nothing_that_passes_a_filter(db):
    rng = random.Random(11)
    documents = [document(rng) for _ in range(60)]
    db.execute(
        "CREATE TABLE documents AS SELECT i, d, lore._labels(%s, d) AS labels "
        "FROM unnest(%s::jsonb[]) WITH ORDINALITY AS u(d, i)",
        [FIELDS, [json.dumps(d) for d in documents]],
    )
    told = narrowed = 0
    for _ in range(FUZZ // 2):
        filter = json.dumps(random_filter(rng))
        fields = rng.sample(FIELDS, rng.randint(1, len(FIELDS)))
        hidden, wanted, kept = db.execute(
            "SELECT count(*) FILTER (WHERE passes AND NOT coalesce(labels && wanted, true)), any_value(wanted), "
            "count(*) FILTER (WHERE labels && wanted) "
            "FROM documents, "
            "(SELECT lore._filter(%(f)s) AS path, lore._filter_labels(%(n)s, %(f)s) AS wanted OFFSET 0) AS w, "
            "LATERAL (SELECT path IS NULL OR d @@ path AS passes) AS p",
            {"f": filter, "n": fields},
        ).fetchone()
        assert hidden == 0, (filter, fields)
        told += wanted is not None
        narrowed += wanted is not None and kept < 60
    assert told > FUZZ / 30 and narrowed > FUZZ / 40


def test_any_filter_finds_the_same_with_labels(db):
    extension(db, "vectorscale")
    points(db, rows=1000)
    rng = random.Random(12)
    documents = [json.dumps(document(rng)) for _ in range(60)]
    db.execute("UPDATE lore_data.points_documents SET metadata = (%s::jsonb[])[1 + id %% 60]", [documents])
    options = json.dumps({**json.loads(QUICK), "labels": FIELDS})
    db.execute("SELECT * FROM lore.build_index('points', 'diskann', %s)", [options])
    vector = vector_of(db, "k77")
    by_labels = 0
    for _ in range(FUZZ // 20):
        filter = random_filter(rng)
        # Looked up by labels however few pass: a search would compare these exactly.
        (arm,) = db.execute(
            "SELECT array_to_string(lore._vector_arm(jsonb_populate_record(lore._open('points'), jsonb_build_object("
            "'scanned', 2000, 'sought', format(s.condition, quote_literal(%(f)s) || '::jsonb'))), quote_literal(%(v)s) "
            "|| '::vector', format('d.metadata @@ %%L', lore._filter(%(f)s)), 10), ', ') "
            "FROM lore._sought(lore._open('points'), %(f)s, 0.5) AS s WHERE s.condition IS NOT NULL",
            {"f": json.dumps(filter), "v": vector},
        ).fetchone() or (None,)
        if arm:
            rows = db.execute(
                f"WITH {arm} SELECT d.key FROM vector_arm AS a JOIN lore_data.points_chunks AS c USING (id) "
                "JOIN lore_data.points_documents AS d ON d.id = c.document_id".encode()
            ).fetchall()
            found, true = [key for (key,) in rows], by_plain_filter(db, vector, filter, 1000)
            assert len(found) == min(10, len(true)) and set(found) <= set(true), filter
            by_labels += bool(found)
    assert by_labels > FUZZ / 400


def test_filters_on_categories_scan_by_labels_and_find_the_same(labelled):
    vector = vector_of(labelled, "k77")
    by_labels = [
        {"half": 1}, {"half": 1.0}, {"half": {"$in": [0, 1, 9, None]}}, {"band": {"$in": ["low", "high", 2]}},
        {"deep.er": 7}, {"deep.er": {"$eq": 1}}, {"half": 1, "n": {"$lt": 900}},
        {"$and": [{"half": 0}, {"n": {"$lt": 900}}]}, {"$or": [{"half": 1}, {"band": "low"}]},
        {"$or": [{"half": 1, "n": {"$gt": 5}}, {"$and": [{"deep.er": 2}]}]},
    ]  # fmt: skip
    for filter in by_labels:
        assert sought(labelled, filter), filter
    plain = [
        {"half": {"$ne": 1}}, {"$not": {"half": 1}}, {"half": {"$gte": 1}}, {"half": {"$exists": True}},
        {"n": {"$gt": 9}}, {"$or": [{"half": 1}, {"n": {"$gt": 5}}]},
    ]  # fmt: skip
    for filter in plain:
        assert not sought(labelled, filter), filter
    few = [
        {"half": {"$in": []}}, {"half": 7}, {"band": None}, {"band": "2"}, {"band": 2}, {"band": True},
        {"band": "x" * 5000}, {"part": 5, "half": 1}, {"part": 5, "half": 0}, {"band": "low", "half": 1, "deep.er": 0},
    ]  # fmt: skip
    for filter in by_labels + plain + few:
        found, true = nearest(labelled, vector, filter=filter), by_plain_filter(labelled, vector, filter)
        assert len(found) == len(true) and len(set(found) & set(true)) >= 0.9 * len(true), filter
        if filter in few or filter == {"half": 1}:
            everything = nearest(labelled, vector, k=1000, filter=filter)
            assert set(everything) == set(by_plain_filter(labelled, vector, filter, 1000)), filter
    ((detail,),) = labelled.execute(
        "SELECT detail FROM lore.explain_search('points', NULL, vector => %s::vector, filter => '{\"half\": 1}') "
        "WHERE stage = 'vector'",
        [vector],
    )
    assert "by labels" in detail
    found = labelled.execute("SELECT recall FROM lore.recall('points', sample => 20, filter => '{\"half\": 1}')")
    assert found.fetchone()[0] >= 0.9


def test_the_index_is_asked_for_the_rarest_category(labelled):
    labelled.execute(
        "UPDATE lore_data.points_documents SET metadata = metadata || jsonb_build_object('half', id % 2, "
        "'band', CASE WHEN id % 10 IN (1, 3, 5, 7) THEN 1 ELSE 0 END)"
    )
    labelled.execute("ANALYZE lore_data.points_chunks, lore_data.points_documents")
    assert "{band}" in sought(labelled, {"half": 1, "band": 1})
    assert "{half}" in sought(labelled, {"half": 1, "band": {"$in": [0, 1]}, "n": {"$gt": 3}})


def test_labels_follow_every_change(labelled, connect, role):
    vector = vector_of(labelled, "k77")
    new = {"half": "new"}
    writer = connect(user=role("lore_writer"))
    writer.execute(
        """UPDATE lore_data.points_documents SET metadata = metadata || '{"half": "new"}' WHERE id % 2 = 0"""
    )
    labelled.execute("ANALYZE lore_data.points_chunks, lore_data.points_documents")
    assert len(nearest(labelled, vector, filter=new)) == 10 and sought(labelled, new)
    assert nearest(labelled, vector, k=1000, filter={"half": 0}) == []
    labelled.execute("SELECT lore.remove('points', array_agg('k' || i)) FROM generate_series(2, 900, 2) AS i")
    assert len(nearest(labelled, vector, k=1000, filter=new)) == 50
    writer.execute("SELECT lore.add('points', 'one', 'A point of its own.', '{\"half\": [\"new\", 5]}')")
    assert "one" in nearest(labelled, vector, k=1000, filter=new)
    writer.execute("SELECT lore.add('points', 'one', 'A point of its own.', '{\"half\": \"old\"}')")
    assert nearest(labelled, vector, filter={"half": "old"}) == ["one"]
    labels = (
        "SELECT labels FROM lore_data.{}_chunks AS c JOIN lore_data.{}_documents AS d ON d.id = document_id "
        "WHERE key = 'one'"
    )
    assert (
        labelled.execute(labels.format("points", "points")).fetchone()
        == labelled.execute("SELECT ARRAY[lore._label('half', '\"old\"')]").fetchone()
    )
    labelled.execute("SELECT * FROM lore.alter_collection('points', name => 'renamed')")
    labelled.execute("SELECT lore.add('renamed', 'one', 'Another text of it.', '{\"band\": 3}')")
    assert (
        labelled.execute(labels.format("renamed", "renamed")).fetchone()
        == labelled.execute("SELECT ARRAY[lore._label('band', '3')]").fetchone()
    )
    assert labelled.execute("SELECT count(*) FROM lore._label_findings()").fetchone() == (0,)
    labelled.execute("UPDATE lore_data.renamed_chunks SET labels = '{}' WHERE id % 10 = 0")
    severity, finding, remedy = labelled.execute("SELECT * FROM lore.doctor() WHERE finding LIKE '%labels%'").fetchone()
    assert severity == "error" and "renamed" in finding
    assert labelled.execute(remedy.encode()).fetchone()[0] > 0
    assert labelled.execute("SELECT count(*) FROM lore._label_findings()").fetchone() == (0,)
    labelled.execute("SELECT lore.drop_collection('renamed')")


def test_other_fields_are_labelled_by_maintain_and_another_kind_has_none(labelled):
    column = (
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'lore_data.points_chunks'::regclass AND attname = 'labels'"
    )
    labelled.execute("SELECT * FROM lore.alter_collection('points', filterable => '{n,half}')")
    assert sought(labelled, {"deep.er": 7})  # the index still has them
    assert labelled.execute("SELECT count(*) FROM lore.doctor() WHERE finding LIKE '%labels are not%'").fetchone() == (
        1,
    )
    labelled.execute(
        "UPDATE lore_data.points_documents SET metadata = metadata || jsonb_build_object('n', id) WHERE id < 9"
    )
    labelled.execute("INSERT INTO lore_data.points_documents (key, content, metadata, content_hash) "
                     "SELECT 'more' || i, 'x', jsonb_build_object('n', 1e6 + i, 'half', i), '' "
                     "FROM generate_series(1, 500) AS i")  # fmt: skip
    assert labelled.execute("SELECT (lore.build_index('points', 'diskann', %s)).index_kind", [QUICK]).fetchone()
    assert sought(labelled, {"half": 1}) and not sought(labelled, {"deep.er": 7})
    assert labelled.execute("SELECT count(*) FROM lore.doctor() WHERE finding LIKE '%no labels for n%'").fetchone() == (
        1,
    )
    assert labelled.execute("SELECT * FROM lore.maintain('points')").fetchall() == []
    steps = labelled.execute("SELECT statement FROM lore.index_sql('points', 'ivfflat')").fetchall()
    for (statement,) in steps:
        labelled.execute(statement.encode())
    assert labelled.execute(column).fetchone() == (0,)
    assert len(nearest(labelled, vector_of(labelled, "k77"), filter={"half": 1})) == 10
    labelled.execute("SELECT lore.add('points', 'one', 'A point of its own.', '{\"half\": 1}')")


def test_a_field_of_forty_thousand_values_has_no_labels(db, fails):
    db.execute("SELECT lore.create_collection('many', filterable => '{n,part}')")
    db.execute(
        "INSERT INTO lore_data.many_documents (key, content, metadata, content_hash) "
        "SELECT i, 'x', jsonb_build_object('n', i, 'part', i % 1000), '' FROM generate_series(1, 40000) AS i"
    )
    assert db.execute("SELECT lore._categories(lore._open('many'), '{n,part}')").fetchone() == (["part"],)
    low, high, distinct = db.execute(
        "SELECT min(l), max(l), count(DISTINCT l) FROM generate_series(1, 40000, 7) AS i, "
        "lore._label('n', to_jsonb(i)) AS l"
    ).fetchone()
    assert (low, high) >= (0, 4000) and high < 4096 and distinct > 2500
    refused = ['{"labels": "n"}', '{"labels": [1]}', '{"labels": {"n": 1}}', '{"labels": [null]}', '{"labels": 5}']
    for options in refused:
        assert fails("SELECT lore._index_options('diskann', 1, %s)", [options]) == "LO103", options
    for options in ('{"labels": ["$or"]}', '{"labels": [""]}', '{"labels": ["a..b"]}'):
        assert fails("SELECT lore._index_options('diskann', 1, %s)", [options]) == "LO104", options
    assert fails("SELECT lore._index_options('hnsw', 1, '{\"labels\": [\"n\"]}')") == "LO103"


def test_what_no_search_can_use_yet_is_not_tuned(db, fails):
    extension(db, "vectorscale")
    points(db, rows=2400)
    half = "SELECT document_id FROM lore_data.points_chunks WHERE (ctid::text::point)[1] < 3"  # of each page
    db.execute(f"DELETE FROM lore_data.points_documents WHERE id IN ({half})")
    db.execute("VACUUM lore_data.points_chunks")  # so that the rows with labels stay on their pages
    build = "SELECT * FROM lore.build_index('points', 'diskann', %s)"
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute(build, [QUICK])
        assert fails("SELECT * FROM lore.tune('points', sample => 10)") == "LO305"
        raise ZeroDivisionError
    db.execute(build, [QUICK])
    assert db.execute("SELECT count(*) FROM lore.tune('points', sample => 10)").fetchone() == (3,)


@pytest.mark.parametrize("change", ["SELECT lore._make_labels('points', '{}')", "SELECT lore.build_index('points')"])
def test_labels_go_when_the_searches_have_ended_that_look_for_them(labelled, connect, change):
    search, builds, vector = connect(), connect(), vector_of(labelled, "k77")
    thread = threading.Thread(target=builds.execute, args=(change,))
    waits = "SELECT locktype FROM pg_locks WHERE pid = %s AND NOT granted"
    with search.transaction():
        before = nearest(search, vector, filter={"part": {"$in": [7, 8]}})
        thread.start()
        while not (waiting := labelled.execute(waits, [builds.info.backend_pid]).fetchall()):
            assert thread.is_alive()
        assert waiting == [("advisory",)]  # and holds up nobody who reads the tables meanwhile
        assert nearest(search, vector, filter={"part": {"$in": [7, 8]}}) == before
    thread.join(60)
    assert nearest(labelled, vector, filter={"part": {"$in": [7, 8]}}) == before
    assert labelled.execute("SELECT (lore._open('points')).labelled").fetchone() == ([],)


def test_row_security_holds_for_a_search_by_labels(labelled, connect, role):
    vector = vector_of(labelled, "k77")
    labelled.execute("ALTER TABLE lore_data.points_documents ENABLE ROW LEVEL SECURITY")
    labelled.execute("CREATE POLICY p ON lore_data.points_documents FOR SELECT USING (metadata ->> 'n' > '5')")
    reader = connect(user=role("lore_reader"))
    everything = set(nearest(reader, vector, k=1000, filter={"half": 1}))
    assert everything == {f"k{n}" for n in range(1, 1001, 2) if str(n) > "5"}
    assert len(nearest(reader, vector, filter={"half": 1})) == 10


def test_a_dump_restored_keeps_labels_and_goes_on_keeping_them(labelled, dsn, pg_bin, tmp_path):
    name = labelled.info.dbname + "_restored"
    labelled.execute(f"CREATE DATABASE {name}".encode())
    try:
        file, restored = tmp_path / "dump", psycopg.conninfo.make_conninfo(dsn, dbname=name)
        subprocess.run([pg_bin / "pg_dump", "-F", "custom", "-f", file, "-d", dsn], check=True)
        subprocess.run([pg_bin / "pg_restore", "--exit-on-error", "-d", restored, file], check=True)
        with psycopg.connect(restored, autocommit=True) as db:
            vector = vector_of(db, "k77")
            assert sought(db, {"half": 1}) and len(nearest(db, vector, filter={"half": 1})) == 10
            db.execute('UPDATE lore_data.points_documents SET metadata = \'{"half": "new"}\' WHERE id < 300')
            assert len(nearest(db, vector, k=1000, filter={"half": "new"})) == 299
            assert db.execute("SELECT count(*) FROM lore._label_findings()").fetchone() == (0,)
    finally:
        labelled.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
