"""Evaluating, golden sets and explaining, sync and async."""

import psycopg
import pytest

import pglore
from pglore.evaluate import told

QUERIES = {"space": "reclaim storage", "copy": "backup of a database"}
JUDGEMENTS = {"space": {"vacuum": 1}, "copy": {"backup": 2, "gone": 1}}


def test_variants_are_compared_in_the_order_given(pages):
    rows = pages.evaluate(QUERIES, JUDGEMENTS, variants={"zero": {"filter": {"year": 1}}, "all": {}}, k=3)
    assert [row.variant for row in rows] == ["zero", "all"]
    assert isinstance(rows[0], pglore.Evaluation)
    assert (rows[0].ndcg, rows[0].ndcg_p, rows[1].mrr, rows[1].missing) == (0, None, 1, 1)
    assert 0 <= rows[1].ndcg_p < 0.2


def test_what_was_found_is_kept(lore, pages):
    [row] = pages.evaluate(QUERIES, JUDGEMENTS)
    [kept] = lore.evaluations("pages")
    assert isinstance(kept, pglore.KeptEvaluation)
    assert (kept.evaluation, kept.ndcg, kept.judged) == (row.evaluation, row.ndcg, 2)
    assert pages.evaluate(QUERIES, JUDGEMENTS, keep=False)[0].evaluation is None
    assert len(lore.evaluations()) == 1 and lore.evaluations("other") == []


def test_a_golden_set_is_stored_used_and_dropped(lore, pages):
    assert lore.add_golden("daily", QUERIES, JUDGEMENTS) == 2
    assert {row.query_id: row.judgements for row in lore.golden("daily")} == JUDGEMENTS
    assert isinstance(lore.golden("daily")[0], pglore.GoldenQuery)
    assert pages.evaluate(golden="daily")[0].judged == 2
    assert lore.drop_golden("daily") and not lore.drop_golden("daily", if_exists=True)
    assert lore.golden("daily") == []
    with pytest.raises(pglore.BadArgument):
        pages.evaluate(golden="daily")


def test_progress_is_told_about_each_second(lore, pages):
    slow = """
        ALTER FUNCTION lore._keyword_scores(lore._collection, text, jsonb, jsonpath, integer, text)
            RENAME TO _quick_scores;
        CREATE FUNCTION lore._keyword_scores(
            c lore._collection, query text, filter jsonb, path jsonpath, k integer, match text = 'any')
        RETURNS TABLE (chunk_id bigint, score double precision) LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.1); RETURN QUERY SELECT * FROM lore._quick_scores($1, $2, $3, $4, $5, $6); END $$"""
    with psycopg.connect(lore.connection.info.dsn, autocommit=True) as owner:
        owner.execute(slow)
    seen = []
    many = {str(number): f"query number {number} about storage" for number in range(25)}
    judged = {number: {"vacuum": 1} for number in many}
    pages.evaluate(many, judged, variants={"a": {"mode": "keyword"}}, progress=lambda *told: seen.append(told))
    assert seen and seen == sorted(seen)
    assert all(0 < done <= of == 25 for done, of in seen)


def test_only_the_notice_of_progress_is_taken_for_it():
    class Connection:
        def add_notice_handler(self, handler):
            self.handler = handler

        def remove_notice_handler(self, handler):
            del self.handler

    class Notice:
        def __init__(self, text):
            self.message_primary = text

    connection, seen = Connection(), []
    with told(connection, lambda *numbers: seen.append(numbers)):
        for text in ("evaluated 3 of 40 queries", "evaluated 3 of 40 queries, or not", None):
            connection.handler(Notice(text))
    assert seen == [(3, 40)] and not hasattr(connection, "handler")


def test_explaining_a_search_gives_its_stages(lore, pages):
    stages = pages.explain_search("reclaim storage", k=2, rerank="default")
    assert [stage.stage for stage in stages][-3:] == ["rerank", "documents", "total"]
    assert isinstance(stages[0], pglore.Stage)
    assert stages[-1].rows == 2 and stages[-1].ms > 0
    given = pages.explain_search(None, vector=lore.embed("reclaim storage", input_type="query"))
    assert [stage.stage for stage in given] == ["plan", "embed", "vector", "documents", "total"]
