"""lore.search and its like with match: what the keyword arm wants of the words."""

import pytest

CALLS = ("search('manual'", "search_sql('manual'", "explain_search('manual'", "search_all('{manual}'")


def keys(db, query, match, mode="keyword", call="search('manual'"):
    rows = db.execute(
        f"SELECT key FROM lore.{call}, %s, mode => %s, match => %s) ORDER BY rank".encode(), [query, mode, match]
    ).fetchall()
    return [key for (key,) in rows]


@pytest.mark.parametrize("call", ["search('manual'", "search_all('{manual}'"])
def test_the_keyword_arm_gives_what_matches_and_nothing_else(db, manual, call):
    assert len(keys(db, "write ahead log of readers", "any", call=call)) > 1
    assert keys(db, "log records", "all", call=call) == ["wal"]
    assert keys(db, "records log", "phrase", call=call) == []
    assert keys(db, "log records", "phrase", call=call) == ["wal"]
    assert keys(db, "crash recov", "prefix", call=call) == ["wal"]
    assert keys(db, "crash elephants", "all", call=call) == []


def test_any_is_the_default_and_the_vector_arm_finds_beside_it(db, manual):
    assert keys(db, "storage of tuples", "any", "hybrid") == [
        key for (key,) in db.execute("SELECT key FROM lore.search('manual', 'storage of tuples') ORDER BY rank")
    ]


@pytest.mark.parametrize("call", ["search('manual'", "search_all('{manual}'"])
def test_a_hybrid_search_gives_nothing_that_does_not_match(db, manual, call):
    assert keys(db, "dead tuples", "phrase", "hybrid", call) == ["vacuum"]
    assert keys(db, "tuples dead", "phrase", "hybrid", call) == []
    assert keys(db, "tuples dead", "all", "hybrid", call) == ["vacuum"]
    assert keys(db, "block write", "prefix", "hybrid", call) == keys(db, "block write", "prefix", "keyword", call)
    db.execute("SELECT lore.build_index('manual', 'hnsw')")
    assert keys(db, "dead tuples", "phrase", "hybrid", call) == ["vacuum"]
    score, vector_score = db.execute(
        "SELECT keyword_score, vector_score FROM lore.search('manual', 'dead tuples', match => 'phrase')"
    ).fetchone()
    assert score > 0 and 0 < vector_score < 1


def test_words_cannot_be_wanted_where_only_vectors_count(db, manual, fails):
    assert fails("SELECT lore.search('manual', 'dead tuples', mode => 'vector', match => 'phrase')") == "LO103"


def test_the_printed_statement_gives_the_same_rows(db, manual):
    for match in ("all", "phrase", "prefix", "fuzzy"):
        for mode in ("keyword", "hybrid"):
            statement = db.execute(
                "SELECT lore.search_sql('manual', 'dead tup', mode => %s, match => %s)", [mode, match]
            ).fetchone()[0]
            assert [row[1] for row in db.execute(statement.encode())] == keys(db, "dead tup", match, mode)


@pytest.mark.parametrize("call", CALLS)
def test_a_match_that_cannot_be_is_refused(db, manual, fails, call):
    for match in ("'exact'", "''", "NULL", "'ALL'", "'any'' OR true --'"):
        assert fails(f"SELECT * FROM lore.{call}, 'q', match => {match})".encode()) == "LO103"


def test_an_evaluation_compares_ways_to_match(db, manual):
    rows = db.execute(
        "SELECT variant, mrr FROM lore.evaluate('manual', %s, %s, variants => %s)",
        [
            '{"q": "crash recovery"}', '{"q": {"wal": 1}}',
            '{"any": {}, "phrase": {"match": "phrase", "mode": "keyword"}, '
            '"off": {"match": "phrase", "mode": "keyword", "filter": {"n": 1}}}',
        ],
    ).fetchall()  # fmt: skip
    assert rows == [("any", 1.0), ("phrase", 1.0), ("off", 0.0)]
