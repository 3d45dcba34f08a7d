"""lore.rerank and lore.similarity: the order of documents for a query."""

import psycopg
import pytest

DOCUMENTS = ["Cats are kept as pets.", "VACUUM FULL rewrites the table and gives disk space back.", "The sea is blue."]
QUERY = "how do I reclaim disk space?"


def rerank(db, query, documents, **arguments) -> list[tuple]:
    """Rows of lore.rerank: ordinal, score, document."""
    named = "".join(f", {name} => %({name})s" for name in arguments)
    statement = f"SELECT * FROM lore.rerank(%(query)s, %(documents)s::text[]{named})"
    return db.execute(statement, {"query": query, "documents": documents, **arguments}).fetchall()


def code(db, query, documents, **arguments) -> str:
    """SQLSTATE of a rerank that fails."""
    with pytest.raises(psycopg.Error) as caught:
        rerank(db, query, documents, **arguments)
    assert caught.value.diag.message_hint
    return caught.value.sqlstate


def test_the_document_that_answers_comes_first(db):
    rows = rerank(db, QUERY, DOCUMENTS)
    assert rows[0][0] == 2 and rows[0][2] == DOCUMENTS[1]
    assert sorted(row[0] for row in rows) == [1, 2, 3]
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)


def test_top_k_cuts(db):
    assert [row[0] for row in rerank(db, QUERY, DOCUMENTS, top_k=1)] == [2]
    assert len(rerank(db, QUERY, DOCUMENTS, top_k=99)) == 3


def test_equal_documents_keep_their_order(db):
    assert [row[0] for row in rerank(db, QUERY, ["the same text"] * 5)] == [1, 2, 3, 4, 5]


def test_null_documents_are_left_out_and_empty_ones_come_last(db):
    assert [row[0] for row in rerank(db, QUERY, [None, "", DOCUMENTS[1]])] == [3, 2]
    assert rerank(db, QUERY, [None]) == []
    assert rerank(db, QUERY, []) == []
    assert rerank(db, None, DOCUMENTS) == []
    assert rerank(db, QUERY, None) == []


def test_the_text_comes_back_whatever_the_bounds_of_the_array(db):
    rows = db.execute("SELECT ordinal, document FROM lore.rerank('x', '[0:1]={x,y}'::text[]) ORDER BY 1").fetchall()
    assert rows == [(1, "x"), (2, "y")]


def test_a_match_at_the_end_of_a_long_document_is_found(db):
    filler = "The weather was fine and nothing happened. " * 60
    rows = rerank(db, QUERY, [filler, filler + DOCUMENTS[1]])
    assert rows[0][0] == 2


def test_wrong_input_is_the_listed_error(db):
    assert code(db, "", DOCUMENTS) == "LO101"
    assert code(db, QUERY, DOCUMENTS, top_k=0) == "LO103"
    assert code(db, QUERY, DOCUMENTS, top_k=-1) == "LO103"
    assert code(db, QUERY, [["a"], ["b"]]) == "LO103"
    assert code(db, QUERY, DOCUMENTS, model="all-minilm-l6-v2") == "LO201"
    assert code(db, QUERY, ["a"] * 10_001) == "LO102"
    assert code(db, QUERY, ["long " * 200_000] * 9) == "LO102"


def test_similarity_is_a_cosine(db):
    near, far, same = db.execute("""SELECT lore.similarity('a cat sleeps', 'a sleeping kitten'),
        lore.similarity('a cat sleeps', 'tax law'), lore.similarity('abc', 'abc')""").fetchone()
    assert near > far
    assert same == pytest.approx(1, abs=1e-3)
    assert db.execute("SELECT lore.similarity(NULL, 'a'), lore.similarity('a', NULL)").fetchone() == (None, None)
    with pytest.raises(psycopg.Error) as caught:
        db.execute("SELECT lore.similarity('a', ' ')")
    assert caught.value.sqlstate == "LO101"
