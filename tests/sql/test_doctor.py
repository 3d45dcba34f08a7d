"""lore.doctor(): each thing that can be wrong is found, with a remedy."""

import pytest


def findings(db):
    return db.execute("SELECT severity, finding, remedy FROM lore.doctor()").fetchall()


def about(db, words):
    return [row for row in findings(db) if words in row[1]]


def test_each_finding_has_a_severity_and_a_remedy_worst_first(db):
    rows = findings(db)
    order = ["error", "warning", "info"]
    assert [order.index(row[0]) for row in rows] == sorted(order.index(row[0]) for row in rows)
    assert all(finding and remedy for _, finding, remedy in rows)
    assert not [row for row in rows if row[0] == "error"]


def test_a_missing_catalog_is_an_error(db):
    db.execute("DROP SCHEMA lore_data CASCADE")
    assert [row[0] for row in about(db, "catalog")] == ["error"]


def test_an_outdated_catalog_is_an_error(db):
    db.execute("UPDATE lore_data.alembic_version SET version_num = '0000'")
    assert about(db, "revision 0000")[0][0] == "error"


def test_a_missing_keyword_engine_is_named(db):
    assert about(db, "pg_textsearch is not installed")[0][0] == "info"


def test_settings_and_versions_are_looked_at(db):
    db.execute("SET client_connection_check_interval = 0")
    assert about(db, "client_connection_check_interval")[0][0] == "warning"
    db.execute("SET client_connection_check_interval = '1s'")
    assert not about(db, "client_connection_check_interval")
    version = db.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()[0]
    old = [int(part) for part in version.split(".")] < [0, 8, 4]
    assert bool(about(db, "pgvector")) == old


def test_large_indexes_without_huge_pages_are_told(db):
    db.execute("CREATE TABLE lore_data.many (i int); CREATE INDEX vector_999_1 ON lore_data.many (i)")
    assert not about(db, "huge pages")
    db.execute("UPDATE pg_class SET relpages = 20000 WHERE relname = 'vector_999_1'")
    (status,) = db.execute("SELECT current_setting('huge_pages_status', true)").fetchone()
    assert [row[0] for row in about(db, "huge pages are off, and the vector indexes take 156 MB")] == (
        ["info"] if status == "off" else []
    )


def test_a_collection_without_a_chunk_lacks_no_index(db):
    db.execute("SELECT lore.create_collection('a', index_kind => 'hnsw')")
    assert not about(db, "no vector index")
    db.execute("SELECT lore.add('a', 'k', 'text')")
    assert about(db, "has 1 chunks and no vector index")[0][0] == "warning"


def test_vectors_of_another_state_of_the_model_are_counted(db):
    db.execute("SELECT lore.create_collection('a'), lore.add('a', 'k', 'text')")
    assert not about(db, "another state")
    db.execute("UPDATE lore_data.a_chunks SET fingerprint = 'other'")
    assert about(db, '1 chunks of collection "a"')[0][0] == "warning"


def test_a_model_that_the_host_does_not_have_is_an_error(db):
    db.execute("SELECT lore.create_collection('a')")
    db.execute("UPDATE lore_data.collections SET model = 'gone'")
    assert about(db, 'model "gone"')[0][0] == "error"


@pytest.mark.parametrize("missing", ["extension", "build"])
def test_a_keyword_index_that_cannot_be_used_yet_is_named(db, missing):
    from .conftest import use_textsearch

    use_textsearch(db)
    db.execute("SELECT lore.create_collection('a')")
    if missing == "build":
        db.execute("DELETE FROM lore_data.keyword_indexes")
        assert about(db, "has not been used since the server started")[0][0] == "info"
    else:
        db.execute("DROP EXTENSION pg_textsearch CASCADE")
        assert about(db, "pg_textsearch is not installed: only mode")[0][0] == "error"
