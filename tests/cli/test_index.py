"""`pglore index`."""

import json
import threading


def test_index_builds_beside_others_and_tells_what_is_there(loaded, db):
    result = loaded("index", "documents", "--kind", "hnsw", "--options", '{"m": 8}', "--tune", "0.9")
    assert result.exit_code == 0, result.output
    assert 'Collection "documents": hnsw, 3 chunks.' in result.stdout and "recall" in result.stdout
    assert "m='8'" in db.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'vector_1_1'").fetchone()[0]


def test_of_two_that_index_one_collection_the_second_is_told_to_try_again(loaded, db):
    db.execute(db.execute("SELECT statement FROM lore.index_sql('documents', 'hnsw')").fetchone()[0].encode())
    result = loaded("index", "documents", "--kind", "hnsw")
    assert result.exit_code == 75 and "LO305" in result.stderr and "pg_stat_progress_create_index" in result.stderr


def test_index_prints_json_and_auto_leaves_a_small_collection_exact(loaded):
    found = json.loads(loaded("index", "documents", "--json").stdout)
    assert found == {"collection": "documents", "index_kind": "auto: exact", "tuned": []}


def test_index_prints_estimates_and_statements(loaded):
    lines = loaded("index", "documents", "--estimate").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines[1:]] == [
        "exact",
        "hnsw",
        "hnsw_bit",
        "ivfflat",
        "diskann",
        "vchordrq",
    ]
    assert "CREATE INDEX CONCURRENTLY" in loaded("index", "documents", "--kind", "hnsw_bit", "--sql").stdout


def test_a_build_that_is_cancelled_leaves_no_index(loaded, db, connect):
    other, result = connect(), []
    build = threading.Thread(target=lambda: result.append(loaded("index", "documents", "--kind", "hnsw")))
    with other.transaction():  # which the build waits for
        other.execute("UPDATE lore_data.documents_chunks SET tokens = tokens")
        build.start()
        waits = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'"
        while not (found := db.execute(waits).fetchone()):
            assert build.is_alive()
        db.execute("SELECT pg_cancel_backend(%s)", found)
    build.join(60)
    assert result[0].exit_code == 1
    assert db.execute("SELECT indexname FROM pg_indexes WHERE indexname ~ '^vector_[0-9]'").fetchall() == []


def test_an_index_that_cannot_be_built_is_an_error_with_a_hint(loaded):
    result = loaded("index", "documents", "--kind", "ivfflat")
    assert result.exit_code == 1 and "learns from" in result.stderr
