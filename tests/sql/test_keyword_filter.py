"""Words beside a filter: what passes is found however few or many that are, and nothing else."""

import json
import random

import pytest

WORDS = ("pump", "valve", "steam", "boiler", "water", "piston", "gauge", "engine", "copper", "smoke", "wheel", "lever")
WEIGHTS = (1, 9, 3, 2, 9, 5, 5, 5, 1, 5, 5, 5)
QUERY = "a copper pump and the steam of a boiler"
FILTERS = {
    "n < 12": {"n": {"$lt": 12}},  # few: each is scored by itself
    "n % 100 = 7": {"part": 7},
    "n % 10 < 3": {"tenth": {"$lt": 3}},  # no index knows it
    "n < 2700": {"n": {"$lt": 2700}},
    "n % 10 = 4 AND n < 900": {"tenth": 4, "n": {"$lt": 900}},
    "n > 2960": {"n": {"$gt": 2960}},  # where no document has a word of the query but one
    "false": {"part": -1},
}  # fmt: skip
FILL = """
INSERT INTO lore_data.c_documents (key, content, metadata, content_hash)
SELECT n::text, text, jsonb_build_object('n', n, 'part', n %% 100, 'tenth', n %% 10), ''
FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS t(text, n);
INSERT INTO lore_data.c_chunks (document_id, ordinal, span, content, tokens, embedding, fingerprint, search)
SELECT d.id, 0, '[0,4)', d.content, 8, ARRAY(SELECT sin(d.id * i::float8) FROM generate_series(1, 384) AS i)::vector,
       'made', CASE %(keyword)s WHEN 'bm25' THEN d.content ELSE to_tsvector('english', d.content)::text END{cast}
FROM lore_data.c_documents AS d;
ANALYZE lore_data.c_documents, lore_data.c_chunks
"""


@pytest.fixture
def filled(db, keyword):
    db.execute(
        "SELECT lore.create_collection('c', keyword => %s, index_kind => 'exact', filterable => '{part,n}')", [keyword]
    )
    chance = random.Random(5)
    texts = [
        "smoke of a wheel" if n > 2960 and n != 2980 else " ".join(chance.choices(WORDS, WEIGHTS, k=3 + n % 9))
        for n in range(1, 3001)
    ]
    values = {"texts": texts, "keyword": keyword}
    for statement in FILL.format(cast="" if keyword == "bm25" else "::tsvector").split(";\n"):
        db.execute(statement.encode(), {name: value for name, value in values.items() if f"%({name})s" in statement})
    return keyword


def scored(db, k, filter=None, query=QUERY, match="any"):
    """Keys and scores of the keyword arm, by key."""
    rows = db.execute(
        "SELECT d.key, s.score, d.metadata FROM lore.keyword_scores('c', %s, %s, filter => %s, match => %s) AS s "
        "JOIN lore_data.c_chunks AS c ON c.id = s.chunk_id JOIN lore_data.c_documents AS d ON d.id = c.document_id",
        [query, k, None if filter is None else json.dumps(filter), match],
    ).fetchall()
    return {key: score for key, score, _ in rows}


def test_words_beside_a_filter_find_k_of_what_passes_the_best_first(db, filled):
    everything = scored(db, 3000)
    assert len(everything) > 1500
    for condition, filter in FILTERS.items():
        keys = {key for (key,) in db.execute(f"SELECT n::text FROM generate_series(1, 3000) AS n WHERE {condition}")}
        best = sorted((everything[key] for key in keys & everything.keys()), reverse=True)
        for k in (5, 40, 3000):
            found = scored(db, k, filter)
            assert found.keys() <= keys, (condition, k)
            assert len(found) == min(k, len(best)), (condition, k)
            if filled == "bm25":  # a score is the same whatever the filter
                assert sorted(found.values(), reverse=True) == pytest.approx(best[:k], rel=1e-5), (condition, k)


def test_a_hybrid_search_beside_a_filter_gives_k_rows_and_prints_the_statement_that_does(db, filled):
    for condition, filter in FILTERS.items():
        keys = {key for (key,) in db.execute(f"SELECT n::text FROM generate_series(1, 3000) AS n WHERE {condition}")}
        for mode in ("hybrid", "keyword"):
            values = {"query": QUERY, "filter": json.dumps(filter), "mode": mode}
            search = "SELECT {} lore.{}('c', %(query)s, filter => %(filter)s, mode => %(mode)s)"
            found = db.execute(search.format("key, score FROM", "search"), values).fetchall()
            assert {key for key, _ in found} <= keys
            assert len(found) == min(10, len(keys if mode == "hybrid" else keys & scored(db, 3000).keys()))
            (statement,) = db.execute(search.format("", "search_sql"), values).fetchone()
            printed = db.execute(f"SELECT key, score FROM ({statement}) AS s".encode()).fetchall()
            assert [key for key, _ in printed] == [key for key, _ in found]
            assert [score for _, score in printed] == pytest.approx([score for _, score in found])


def test_what_must_match_beside_a_filter_is_what_matches_and_passes(db, filled):
    for match, query in {"all": "valve water gauge", "phrase": "water valve", "prefix": "water val"}.items():
        everything = scored(db, 3000, query=query, match=match).keys()
        assert len(everything) > 150, match
        for condition, filter in FILTERS.items():
            keys = {
                key for (key,) in db.execute(f"SELECT n::text FROM generate_series(1, 3000) AS n WHERE {condition}")
            }
            assert scored(db, 3000, filter, query, match).keys() == everything & keys, (match, condition)
            assert len(scored(db, 5, filter, query, match)) == min(5, len(everything & keys)), (match, condition)
