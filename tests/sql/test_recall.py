"""Recall against exact search, and tuning to a recall."""

import json

import pytest

from .vectors import nearest, points


@pytest.fixture(params=["hnsw", "hnsw_bit", "ivfflat"])
def kind(request, db):
    """3,000 points with each kind of index in turn."""
    points(db, rows=3000)
    db.execute("SELECT lore.build_index('points', %s)", [request.param])
    return request.param


def recall(db, **arguments):
    named = "".join(f", {name} => %({name})s" for name in arguments)
    return db.execute(
        f"SELECT recall, searched, effort, sampled FROM lore.recall('points'{named})", arguments
    ).fetchone()


def test_exact_search_finds_all(db):
    points(db, rows=300)
    assert recall(db, sample=20) == (1.0, "exact", None, 20)


def test_what_recall_compares_with_are_the_nearest_in_their_order(db):
    points(db, rows=3000)
    # Copies, more of them than a query looks for; and two chunks that no direction leads to.
    db.execute(
        "UPDATE lore_data.points_chunks SET embedding = (SELECT embedding FROM lore_data.points_chunks WHERE id = 1) "
        "WHERE id <= 900"
    )
    db.execute(
        "UPDATE lore_data.points_chunks SET embedding = array_fill(0::real, ARRAY[384])::vector WHERE id IN (950, 951)"
    )
    differing = """
        SELECT count(*), count(*) FILTER (WHERE p.near IS DISTINCT FROM n.near)
        FROM unnest(lore._probes(lore._open('points'), 60, NULL, %(depth)s, %(passing)s, NULL)) AS p, LATERAL (
            SELECT array_agg(c.id ORDER BY c.distance, c.id) AS near FROM (
                SELECT c.id, (c.embedding <=> p.embedding) + 0 AS distance
                FROM lore_data.points_chunks AS c JOIN lore_data.points_documents AS d ON d.id = c.document_id
                WHERE c.id <> p.own AND (%(passing)s::text IS NULL OR d.id %% 3 = 0)
                ORDER BY 2, 1 LIMIT %(depth)s) AS c) AS n"""
    for depth, passing in [(1, None), (10, None), (700, "d.id % 3 = 0"), (5000, None)]:
        assert db.execute(differing, {"depth": depth, "passing": passing}).fetchone() == (60, 0), depth


def test_copies_of_a_text_are_all_as_near(db, kind):
    db.execute(
        "UPDATE lore_data.points_chunks SET embedding = (SELECT embedding FROM lore_data.points_chunks WHERE id = 1) "
        "WHERE id <= 300"
    )
    db.execute("SELECT lore.build_index('points', %s)", [kind])
    copied = "ARRAY(SELECT embedding FROM lore_data.points_chunks WHERE id = 1)"
    assert db.execute(f"SELECT recall FROM lore.recall('points', queries => {copied})").fetchone() == (1.0,)
    rows = db.execute("SELECT effort, reached FROM lore.tune('points', 0.9, sample => 60)").fetchall()
    assert rows[0][0] < 1000 and rows[0][1]


def test_where_there_is_nothing_to_find_recall_is_not_known(db):
    points(db, rows=1)
    db.execute("SELECT lore.build_index('points', 'hnsw')")
    assert recall(db)[::3] == (None, 0)


def test_recall_is_measured_as_the_search_goes_about_it(db, kind):
    found, searched, effort, sampled = recall(db, sample=40)
    assert 0.9 < found <= 1 and searched == kind and effort > 0 and sampled == 40
    assert recall(db, sample=10, filter='{"part": 3}')[:2] == (1.0, "exact")
    assert recall(db, sample=20, filter='{"part": {"$lt": 60}}')[0] > 0.9
    found, searched, _, _ = recall(db, sample=20, filter='{"part": {"$gte": 0}}')
    assert found > 0.9 and searched == kind
    assert recall(db, sample=5, filter='{"part": -1}')[0] is None


def test_tuning_finds_the_least_effort_and_search_uses_it(db, kind):
    before = recall(db)[2]
    rows = db.execute("SELECT share, effort, recall, reached FROM lore.tune('points', 0.9, sample => 60)").fetchall()
    assert rows[0][0] == 1 and all(recall >= 0.9 for _, _, recall, reached in rows if reached)
    found, _, effort, _ = recall(db)
    assert effort == rows[0][1] <= before and found >= 0.87
    kept = db.execute("SELECT tuning FROM lore_data.vector_indexes").fetchone()[0]
    assert kept["target"] == 0.9 and kept["bands"][0]["share"] == 1
    (more,) = db.execute("SELECT effort FROM lore.tune('points', 0.99, sample => 60)").fetchmany(1)
    assert more[0] >= effort


def test_search_compares_what_passes_where_tune_saw_that_to_be_quicker(db):
    points(db)
    db.execute("SELECT lore.build_index('points', 'hnsw')")
    rows = db.execute("SELECT share, effort, recall, reached FROM lore.tune('points', 0.9, sample => 60)").fetchall()
    assert all(found == 1 and reached for _, effort, found, reached in rows if effort is None)
    (bands,) = db.execute("SELECT tuning -> 'bands' FROM lore_data.vector_indexes").fetchone()
    assert all("ms" in band and ("exact_ms" in band) == (band["share"] < 1) for band in bands)
    half = '{"part": {"$lt": 50}}'
    for exact_ms, searched in ((0.1, "exact"), (50, "hnsw")):
        seen = json.dumps([{"share": share, "effort": 80, "ms": 5, "exact_ms": exact_ms} for share in (1, 0.5, 0.1)])
        db.execute("UPDATE lore_data.vector_indexes SET tuning = jsonb_set(tuning, '{bands}', %s)", [seen])
        found, way = recall(db, sample=20, filter=half)[:2]
        assert way == searched and found > (0.999 if way == "exact" else 0.8)


@pytest.mark.parametrize("graph", ["hnsw", "hnsw_bit"])
def test_what_is_tuned_for_many_rows_does_for_few(db, graph):
    points(db, rows=3000)
    db.execute("SELECT lore.build_index('points', %s, '{\"m\": 4, \"ef_construction\": 20}')", [graph])
    (effort,) = db.execute("SELECT effort FROM lore.tune('points', 0.5, 200, sample => 60)").fetchone()
    assert effort >= 200 and recall(db, k=10)[1:3] == (graph, effort)


def test_a_small_graph_is_tuned_without_many_of_its_own_chunks(db):
    points(db, rows=1000)
    db.execute("SELECT lore.build_index('points', 'hnsw')")
    db.execute("SELECT lore.tune('points')")
    assert db.execute("SELECT tuning -> 'sample' FROM lore_data.vector_indexes").fetchone() == (200,)


@pytest.mark.parametrize("graph", ["hnsw", "hnsw_bit"])
def test_tuning_foresees_what_new_queries_find_by_a_graph_that_does_not_know_them(db, graph):
    points(db, rows=3000)
    fresh = db.execute("SELECT array_agg(embedding::text) FROM lore_data.points_chunks WHERE id % 10 = 0").fetchone()[0]
    db.execute(
        "DELETE FROM lore_data.points_documents "
        "WHERE id IN (SELECT document_id FROM lore_data.points_chunks WHERE id % 10 = 0)"
    )
    db.execute("SELECT lore.build_index('points', %s, '{\"m\": 4, \"ef_construction\": 20}')", [graph])
    claimed, effort = db.execute("SELECT recall, effort FROM lore.tune('points', 0.9, sample => 600)").fetchone()
    found = recall(db, sample=300, queries=fresh)
    assert found[0] == pytest.approx(claimed, abs=0.08) and found[1:] == (graph, effort, 300)
    tuning, left = db.execute(
        "SELECT tuning, to_regclass('lore_data.twin_' || collection_id) FROM lore_data.vector_indexes"
    ).fetchone()
    assert left is None and tuning["sample"] == 540  # a fifth of the chunks
    # What new queries miss is taken off what chunks in the graph find.
    (chunks,) = recall(db, sample=300)[:1]
    db.execute("UPDATE lore_data.vector_indexes SET tuning = tuning #- '{bands,0,unseen}'")
    assert recall(db, sample=300)[0] == pytest.approx(chunks + tuning["bands"][0]["unseen"])
    db.execute("UPDATE lore_data.vector_indexes SET tuning = jsonb_set(tuning, '{bands,0,unseen}', '-0.9')")
    assert recall(db, sample=300)[0] == 1  # where these happen to find more


@pytest.mark.parametrize("graph", ["hnsw", "hnsw_bit"])
def test_recall_is_that_of_the_exact_search_where_rows_that_are_gone_crowd_the_index(db, graph):
    points(db, rows=3000)
    db.execute("SELECT lore.build_index('points', %s)", [graph])
    near = "ARRAY(SELECT embedding FROM lore_data.points_chunks WHERE id = 1)"
    (own,) = db.execute(f"SELECT ({near})::text[]").fetchone()
    db.execute("SET enable_seqscan = off")  # so that the index is used on few rows
    db.execute("ALTER TABLE lore_data.points_chunks SET (autovacuum_enabled = off)")
    gone = "DELETE FROM lore_data.points_documents WHERE id IN (SELECT document_id FROM lore_data.points_chunks"
    db.execute(f"{gone} ORDER BY (embedding <=> %s::vector) + 0 LIMIT 2800)", own)
    assert len(nearest(db, own[0])) == 10
    assert recall(db, queries=own)[:2] == (1.0, graph)


def test_probes_follow_the_lists_that_an_index_was_told_to_have(db):
    points(db, rows=2000)
    random = "SELECT l2_normalize(ARRAY(SELECT random() - 0.5 FROM generate_series(1, 384) WHERE c.id > 0)::vector)"
    db.execute(f"UPDATE lore_data.points_chunks AS c SET embedding = ({random})")
    db.execute("SELECT lore.build_index('points', 'ivfflat', '{\"lists\": 200}')")
    assert recall(db, sample=1)[2] == 22  # 1.5 times the root
    (without, *_) = db.execute("SELECT effort, reached FROM lore.tune('points', 0.9, sample => 60)").fetchall()
    assert without[0] > 22 and without[1]
    assert recall(db, sample=100)[0] > 0.85


def test_a_collection_that_has_outgrown_its_tuning_is_told_of(db):
    points(db, rows=1000)
    db.execute("SELECT lore.build_index('points', 'hnsw')")
    db.execute("SELECT lore.tune('points', 0.9, 5, sample => 20)")
    findings = "SELECT severity, finding, remedy FROM lore.doctor() WHERE finding LIKE '%tuned%'"
    assert db.execute(findings).fetchall() == []
    db.execute(
        "INSERT INTO lore_data.points_chunks "
        "(document_id, ordinal, span, content, tokens, embedding, fingerprint, search) "
        "SELECT document_id, n, span, content, tokens, embedding, fingerprint, search "
        "FROM lore_data.points_chunks, generate_series(1, 2) AS n"
    )
    ((severity, finding, remedy),) = db.execute(findings).fetchall()
    assert severity == "warning" and "a recall of 0.9 when it had 1000 chunks, and has 3000 now" in finding
    db.execute(remedy)
    assert db.execute(findings).fetchall() == []


def test_an_index_that_could_not_reach_its_target_is_told_of(db):
    points(db, rows=1000)
    db.execute("SELECT lore.build_index('points', 'hnsw')")
    db.execute("SELECT lore.tune('points', 0.9, sample => 20)")
    findings = "SELECT severity, finding FROM lore.doctor() WHERE finding LIKE '%at most, where lore.tune%'"
    assert db.execute(findings).fetchall() == []
    db.execute("UPDATE lore_data.vector_indexes SET tuning = jsonb_set(tuning, '{bands,0,recall}', '0.8123')")
    ((severity, finding),) = db.execute(findings).fetchall()
    assert severity == "warning" and "0.8123 of the nearest chunks" in finding and "was to reach 0.9" in finding


def test_queries_from_outside_can_be_given(db, kind):
    vectors = [json.dumps([1.0] + [0.0] * 383), json.dumps([0.0] * 383 + [1.0])]
    assert recall(db, queries=vectors)[3] == 2
    assert db.execute("SELECT lore.tune('points', 0.9, queries => %s::vector[])", [vectors]).fetchall()


def test_what_cannot_be_measured_is_refused(db, fails):
    points(db, rows=10)
    refused = {
        "recall('points', k => 0)": "LO103", "recall('points', sample => 0)": "LO103", "recall('absent')": "LO203",
        "recall('points', filter => '[]')": "LO104", "recall('points', queries => '{\"[1,2]\"}')": "LO205",
        "recall('points', queries => '{}')": "LO103", "recall('points', queries => '{NULL}')": "LO103",
        "tune('points', queries => '{}')": "LO103",
        "tune('points')": "LO103", "tune('points', 1.5)": "LO103", "tune('points', NULL)": "LO103",
    }  # fmt: skip
    assert {call: fails(f"SELECT * FROM lore.{call}") for call in refused} == refused
