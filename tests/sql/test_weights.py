"""Weights of the stages of a search."""

import json

import numpy as np
import pytest

QUERY = "storage of dead tuples in a database"


def search(db, weights=None, **arguments):
    named = "".join(f", {name} => %({name})s" for name in arguments)
    values = {"query": QUERY, "weights": None if weights is None else json.dumps(weights), **arguments}
    return db.execute(
        "SELECT key, score, vector_score, keyword_score, fusion_score, rerank_score, rank "
        f"FROM lore.search('manual', %(query)s, k => 6, weights => %(weights)s{named})".encode(),
        values,
    ).fetchall()


def normalised(values):
    return (np.array(values) - np.mean(values)) / np.std(values)


def test_the_default_weights_named_are_the_default(db, manual):
    named = {"vector": 1, "keyword": 0.5, "wording": 0.5, "rerank": 1}
    for options in ({}, {"rerank": "default"}, {"fusion": "rrf"}):
        assert search(db, named, **options) == search(db, {}, **options) == search(db, **options)


def test_score_fusion_is_the_weighted_sum(db, manual):
    hits = search(db, {"vector": 2, "keyword": 3, "wording": 0})
    total = 2 * normalised([hit[2] for hit in hits]) + 3 * normalised([hit[3] for hit in hits])
    np.testing.assert_allclose([hit[4] for hit in hits], total, atol=1e-6)


def test_one_arm_alone_orders_as_it_does_without_the_others(db, manual):
    for stage, column, mode in (("vector", 2, "vector"), ("keyword", 3, "keyword")):
        weights = dict.fromkeys(("vector", "keyword", "wording"), 0) | {stage: 1}
        hits = [hit for hit in search(db, weights) if hit[column] > 0]
        alone = db.execute(f"SELECT key FROM lore.search('manual', %s, k => 6, mode => '{mode}')".encode(), [QUERY])
        assert [hit[0] for hit in hits] == [key for (key,) in alone.fetchall()]


def test_reciprocal_ranks_are_weighed_too(db, manual):
    hits = search(db, {"vector": 3, "keyword": 2, "wording": 0}, fusion="rrf")
    rank = {column: sorted((hit[column] for hit in hits), reverse=True) for column in (2, 3)}
    for hit in hits:
        expected = 3 / (61 + rank[2].index(hit[2])) + (2 / (61 + rank[3].index(hit[3])) if hit[3] > 0 else 0)
        assert hit[4] == pytest.approx(expected)


def test_a_reranker_without_weight_changes_no_order_and_with_all_of_it_gives_the_order(db, manual):
    assert [hit[0] for hit in search(db, {"rerank": 0}, rerank="default")] == [hit[0] for hit in search(db)]
    hits = search(db, {"rerank": 1000}, rerank="default")
    assert [hit[5] for hit in hits] == sorted((hit[5] for hit in hits), reverse=True)


def test_the_statement_of_a_weighted_search_gives_the_same_rows(db, manual):
    weights = '{"vector": 0.25, "wording": 2.5}'
    statement = db.execute("SELECT lore.search_sql('manual', %s, weights => %s)", [QUERY, weights]).fetchone()[0]
    assert "2.5 *" in statement
    expected = db.execute("SELECT key, score FROM lore.search('manual', %s, weights => %s)", [QUERY, weights])
    assert [(row[1], pytest.approx(row[8])) for row in db.execute(statement.encode())] == expected.fetchall()


def test_several_collections_are_weighed_alike(db, manual):
    rows = db.execute(
        "SELECT key, score, vector_score FROM lore.search_all('{manual}', %s, weights => %s)",
        [QUERY, '{"keyword": 0, "wording": 0, "vector": 2}'],
    ).fetchall()
    np.testing.assert_allclose([row[1] for row in rows], 2 * normalised([row[2] for row in rows]), atol=1e-6)


HOSTILE = [
    "[]", "null", "1", '"vector"', '{"bm25": 1}', '{"Vector": 1}', '{"": 1}', '{"vector": "1"}', '{"vector": null}',
    '{"vector": -1}', '{"vector": -0.0001}', '{"vector": "NaN"}', '{"vector": "Infinity"}', '{"vector": 1e400}',
    '{"vector": 1e-400}', '{"vector": 1001}', '{"vector": true}', '{"vector": [1]}', '{"vector": {"a": 1}}',
    '{"vector": 0, "keyword": 0, "wording": 0}', '{"vector": 0, "keyword": 0, "wording": 0, "rerank": 1}',
    '{"vector": 0.0, "keyword": -0, "wording": 0e9}', '{"vector); DROP TABLE x; --": 1}',
]  # fmt: skip


@pytest.mark.parametrize(
    "call", ["search('manual'", "search_sql('manual'", "search_all('{manual}'", "explain_search('manual'"]
)
def test_weights_that_cannot_be_are_refused(db, manual, fails, call):
    found = {text: fails(f"SELECT * FROM lore.{call}, 'q', weights => %s)".encode(), [text]) for text in HOSTILE}
    assert found == dict.fromkeys(HOSTILE, "LO103")
    for text in ('{"vector": 1000, "keyword": 0.000001}', '{"wording": 0.5}', "{}", '{"keyword": 1e2}'):
        assert db.execute(f"SELECT * FROM lore.{call}, 'q', weights => %s)".encode(), [text]).fetchall()


def test_weights_are_a_setting_that_an_evaluation_compares(db, manual):
    variants = '{"default": {}, "words": {"weights": {"vector": 0}}, "plain": {"weights": null}}'
    rows = db.execute(
        "SELECT variant, mrr FROM lore.evaluate('manual', %s, %s, variants => %s)",
        ['{"q": "crash recovery"}', '{"q": {"wal": 1}}', variants],
    ).fetchall()
    assert rows == [("default", 1.0), ("words", 1.0), ("plain", 1.0)]
    assert db.execute("SELECT arguments FROM lore.evaluations WHERE variant = 'words'").fetchone() == (
        {"weights": {"vector": 0}},
    )


def test_an_evaluation_refuses_weights_that_cannot_be(db, manual, fails):
    for weights in ('{"vector": -1}', "1", '{"nope": 1}'):
        statement = 'SELECT * FROM lore.evaluate(\'manual\', \'{"q": "x"}\', \'{"q": {"wal": 1}}\', variants => %s)'
        assert fails(statement, [f'{{"w": {{"weights": {weights}}}}}']) == "LO103"
