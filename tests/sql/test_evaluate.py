"""Evaluation: variants side by side, what is kept, golden sets, what is refused."""

import json

import psycopg
import pytest


@pytest.fixture
def keyword():
    """One kind of keyword index: which of them makes no difference here."""
    return "tsvector"


QUERIES = {
    "space": "how to reclaim storage",
    "copy": "backup of a database",
    "rest": "when do cats sleep",
    "unjudged": "nobody has looked at this",
}
JUDGEMENTS = {"space": {"vacuum": 2, "absent": 1}, "copy": {"backup": 1, "wal": 0}, "rest": {"cats": 1}}
VARIANTS = {"default": {}, "by vector": {"mode": "vector"}, "a'b": {"mode": "keyword", "filter": {"n": {"$gt": 99}}}}


def evaluate(db, collection="manual", queries=QUERIES, judgements=JUDGEMENTS, **arguments):
    values = {"queries": queries, "judgements": judgements, **arguments}
    values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in values.items()}
    named = "".join(f", {name} => %({name})s" for name in values)
    with db.cursor(row_factory=psycopg.rows.namedtuple_row) as cursor:
        return cursor.execute(
            f"SELECT * FROM lore.evaluate(%(c)s{named})", {"c": collection, **values}
        ).fetchall()  # fmt: skip


def test_each_variant_is_a_row_in_the_order_given_and_the_first_is_compared_with(db, manual):
    first, vector, none = evaluate(db, variants=VARIANTS)
    assert [row.variant for row in (first, vector, none)] == list(VARIANTS)
    assert (first.judged, first.mrr, first.missing) == (3, 1.0, 1)
    assert first.recall == pytest.approx((0.5 + 1 + 1) / 3)
    assert 0 < first.p50_ms <= first.p95_ms <= first.p99_ms
    assert (first.ndcg_p, first.recall_p, first.mrr_p) == (None, None, None)
    assert (vector.ndcg_p, vector.mrr_p) == (1, 1)
    assert (none.ndcg, none.recall, none.mrr) == (0, 0, 0)
    assert 0 <= none.ndcg_p < 0.05


def test_the_rows_are_what_the_searches_give(db, manual):
    [row] = evaluate(db, k=2, variants={"plain": {"mode": "vector"}})
    for query, keys in db.execute(
        "SELECT query, keys FROM lore.evaluation_queries WHERE evaluation = %s", [row.evaluation]
    ):
        found = db.execute("SELECT key FROM lore.search('manual', %s, k => 2, mode => 'vector')", [query])
        assert keys == [key for (key,) in found]


def test_a_variant_may_be_another_collection(db, manual):
    db.execute("SELECT lore.create_collection('half'), lore.add('half', 'cats', 'Cats sleep and purr.')")
    all_of_it, half = evaluate(db, variants={"manual": {}, "half": {"collection": "half", "rerank": "default"}})
    assert half.recall < all_of_it.recall and half.missing == 3
    kept = "SELECT collection, arguments, reranker FROM lore.evaluations WHERE variant = 'half'"
    assert db.execute(kept).fetchone() == ("half", {"rerank": "default"}, "late-interaction")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"mode": "magic"}, "LO103"), ({"candidates": "x"}, "LO103"), ({"candidates": 1.5}, "LO103"),
        ({"filter": {"$bad": 1}}, "LO104"), ({"rerank": "absent"}, "LO201"), ({"collection": "absent"}, "LO203"),
        ({"expand": "queries"}, "LO206"), ({"fusion": None}, "LO103"),
    ],
)  # fmt: skip
def test_the_variant_that_cannot_be_searched_with_is_named(db, manual, arguments, code):
    with pytest.raises(psycopg.Error, match='variant "odd": ') as caught:
        evaluate(db, variants={"plain": {}, "odd": arguments})
    assert caught.value.sqlstate == code and caught.value.diag.message_hint


def test_a_variant_may_set_every_argument_of_search_but_the_query_and_k(db):
    names = {name for (name,) in db.execute("SELECT name FROM lore._search_arguments()")}
    signature = db.execute(
        "SELECT proargnames[:pronargs] FROM pg_proc WHERE proname = 'search' AND proargnames[1] = 'collection'"
    ).fetchone()[0]
    assert names == set(signature) - {"query", "k", "vector"}
    assert {"collection", "mode", "filter", "rerank", "candidates", "per_document"} <= names


def test_what_is_found_is_kept_with_the_model_and_the_settings(db, manual):
    evaluate(db, variants=VARIANTS)
    columns = "variant, arguments, fingerprint, settings, baseline, ndcg_change, k, judged"
    rows = db.execute(f"SELECT {columns} FROM lore.evaluations ORDER BY evaluation").fetchall()
    model = db.execute("SELECT fingerprint FROM lore.models WHERE task = 'embed' AND is_default").fetchone()[0]
    assert [(row[0], row[1]) for row in rows] == list(VARIANTS.items())
    assert rows[0][2] == model and {"keyword", "chunk_size"} <= set(rows[0][3])
    assert [row[4] is None for row in rows] == [True, False, False]
    assert {row[5] for row in rows} == {None}
    counts = "SELECT evaluation, count(*) FROM lore.evaluation_queries GROUP BY evaluation"
    assert [count for _, count in db.execute(counts)] == [3, 3, 3]


def test_the_same_test_again_shows_what_changed(db, manual):
    evaluate(db)
    db.execute("SELECT lore.remove('manual', 'cats')")
    evaluate(db)
    evaluate(db, k=3)
    changes = db.execute("SELECT recall_change FROM lore.evaluations ORDER BY evaluation").fetchall()
    assert changes == [(None,), (pytest.approx(-1 / 3),), (None,)]


def test_what_was_kept_outlives_the_collection(db, manual):
    evaluate(db)
    db.execute("SELECT lore.drop_collection('manual')")
    assert db.execute("SELECT collection FROM lore.evaluations").fetchall() == [("manual",)]


def test_a_reader_evaluates_and_keeps_nothing(db, manual, role, connect, fails):
    reader = connect(user=role("lore_reader"))
    [row] = evaluate(reader)
    assert row.mrr == 1 and row.evaluation is None
    statement = f"SELECT lore.evaluate('manual', '{json.dumps(QUERIES)}', '{json.dumps(JUDGEMENTS)}', keep => true)"
    assert fails(statement, on=reader) == "42501"
    assert db.execute("SELECT count(*) FROM lore.evaluations").fetchone() == (0,)


def test_in_a_read_only_transaction_nothing_is_kept(db, manual):
    db.execute("BEGIN READ ONLY")
    assert [row.evaluation for row in evaluate(db)] == [None]
    db.execute("COMMIT")
    assert [row.evaluation for row in evaluate(db, keep=False)] == [None]


def test_who_evaluated_cannot_be_feigned_and_others_do_not_see_the_keys(db, manual, role, connect, fails):
    name = role("lore_writer")
    writer, reader, admin = (connect(user=name), connect(user=role("lore_reader")), connect(user=role("lore_admin")))
    evaluate(writer)
    assert reader.execute("SELECT evaluated_by FROM lore.evaluations").fetchall() == [(name,)]
    seen = "SELECT count(*) FROM lore.evaluation_queries"
    assert [on.execute(seen).fetchone()[0] for on in (writer, reader, admin)] == [3, 0, 3]
    for statement in (
        "INSERT INTO lore_data.evaluations (evaluated_by) VALUES ('somebody')",
        "UPDATE lore_data.evaluations SET ndcg = 1",
        "DELETE FROM lore_data.evaluations",
    ):
        assert fails(statement, on=writer) == "42501"


def test_a_golden_set_is_stored_changed_and_used(db, manual):
    add = "SELECT lore.add_golden('daily', %s, %s)"
    assert db.execute(add, [json.dumps(QUERIES), json.dumps(JUDGEMENTS)]).fetchone() == (4,)
    [row] = evaluate(db, queries=None, judgements=None, golden="daily")
    [same] = evaluate(db)
    assert (row.judged, row.ndcg) == (3, same.ndcg)
    kept = db.execute("SELECT golden, test FROM lore.evaluations ORDER BY evaluation").fetchall()
    assert [golden for golden, _ in kept] == ["daily", None]
    assert kept[0][1] == kept[1][1]
    db.execute(add, ['{"space": "dead tuples"}', '{"space": {"vacuum": 1}}'])
    assert db.execute("SELECT query, judgements FROM lore.golden WHERE query_id = 'space'").fetchall() == [
        ("dead tuples", {"vacuum": 1})
    ]
    assert db.execute("SELECT lore.drop_golden('daily')").fetchone() == (True,)
    assert db.execute("SELECT lore.drop_golden('daily', if_exists => true)").fetchone() == (False,)


def test_an_empty_query_without_judgements_is_left_out(db, manual):
    db.execute("SELECT lore.add_golden('daily', '{\"q\": \"cats\", \"e\": \" \"}', '{\"q\": {\"cats\": 1}}')")
    assert [row.judged for row in evaluate(db, queries=None, judgements=None, golden="daily")] == [1]


def test_only_a_writer_stores_golden_sets_and_a_reader_uses_them(db, manual, role, connect, fails):
    statement = """SELECT lore.add_golden('daily', '{"q": "cats"}', '{"q": {"cats": 1}}')"""
    reader = connect(user=role("lore_reader"))
    assert {fails(call, on=reader) for call in (statement, "SELECT lore.drop_golden('daily')")} == {"42501"}
    connect(user=role("lore_writer")).execute(statement)
    assert [row.mrr for row in evaluate(reader, queries=None, judgements=None, golden="daily")] == [1]


REFUSED = {
    "queries => '[]'": "LO103",
    "queries => '{}', judgements => '{}'": "LO103",
    "queries => '{\"a\": 1}', judgements => '{}'": "LO103",
    'queries => \'{"a": "b"}\'': "LO103",
    'queries => \'{"a": "b"}\', judgements => \'{"a": ["cats"]}\'': "LO103",
    'queries => \'{"a": "b"}\', judgements => \'{"a": {"cats": "1"}}\'': "LO103",
    'queries => \'{"a": "b"}\', judgements => \'{"c": {}}\'': "LO103",
    'queries => \'{"a": "b"}\', judgements => \'{"a": {"cats": 0}}\'': "LO103",
    'queries => \'{"a": "b"}\', judgements => \'{"a": {"cats": 1e400}}\'': "LO103",
    'queries => \'{"a": "b"}\', judgements => \'{"a": {"cats": 1, "dogs": 1e-400}}\'': "LO103",
    'queries => \'{"a": " "}\', judgements => \'{"a": {"cats": 1}}\'': "LO101",
    "queries => jsonb_build_object('a', repeat('b', 32001)), judgements => '{\"a\": {\"cats\": 1}}'": "LO102",
    "queries => jsonb_build_object(repeat('a', 2001), 'b'), judgements => '{}'": "LO103",
    "golden => 'absent'": "LO103",
    "golden => 'absent', queries => '{}'": "LO103",
    ", k => 0": "LO103",
    ", k => NULL": "LO103",
    ", variants => NULL": "LO103",
    ", variants => '{}'": "LO103",
    ", variants => '[]'": "LO103",
    ", variants => '{\"a\": null}'": "LO103",
    ', variants => \'{"a": {}, "a": {}}\'': "LO103",
    ', variants => \'{"a": {"k": 3}}\'': "LO103",
    ', variants => \'{"a": {"mode) --": 3}}\'': "LO103",
    ', variants => \'{"a": {"candidates": "many"}}\'': "LO103",
    ', variants => \'{"a": {"mode": "magic"}}\'': "LO103",
    ', variants => \'{"a": {"filter": []}}\'': "LO104",
    ', variants => \'{"a": {"rerank": "absent"}}\'': "LO201",
    ', variants => \'{"a": {"collection": "absent"}}\'': "LO203",
}


def test_what_cannot_be_evaluated_is_refused(db, manual, fails):
    good = """queries => '{"q": "cats"}', judgements => '{"q": {"cats": 1}}'"""
    calls = {call: good + call if call.startswith(",") else call for call in REFUSED}
    assert {call: fails(f"SELECT lore.evaluate('manual', {whole})") for call, whole in calls.items()} == REFUSED
    assert fails("SELECT lore.evaluate('absent', '{}', '{}')") == "LO203"
    for name in ("NULL", "''", "'a b'", "repeat('a', 49)"):
        assert fails(f"SELECT lore.add_golden({name}, '{{\"q\": \"cats\"}}', '{{}}')") == "LO103"
    assert fails("SELECT lore.drop_golden('absent')") == "LO103"
