"""Search: order, modes, filters, limits, the statement behind it, what is refused; with each keyword index."""

import json

import pytest

COLUMNS = "rank, key, chunk_id, ordinal, score, vector_score, keyword_score, fusion_score, rerank_score"


def search(db, query, **arguments):
    named = "".join(f", {name} => %({name})s" for name in arguments)
    values = {name: json.dumps(value) if name == "filter" else value for name, value in arguments.items()}
    return db.execute(
        f"SELECT {COLUMNS} FROM lore.search('manual', %(query)s{named})", {"query": query, **values}
    ).fetchall()


def keys(rows):
    return [row[1] for row in rows]


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_each_mode_finds_what_the_query_is_about(db, manual, mode):
    for query, key in [
        ("how to reclaim storage", "vacuum"),
        ("backup of a database", "backup"),
        ("when do cats sleep", "cats"),
    ]:
        assert keys(search(db, query, mode=mode))[0] == key
    rows = search(db, "how to reclaim storage", mode=mode)
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert [row[4] for row in rows] == sorted((row[4] for row in rows), reverse=True)
    assert {"hybrid": (True, True, True), "vector": (True, False, False), "keyword": (False, True, False)}[
        mode
    ] == tuple(value is not None for value in rows[0][5:8])


def test_a_natural_question_is_never_read_as_all_words(db, manual):
    question = "please tell me, dear database, what on earth are the purring creatures doing all of the day long?"
    assert keys(search(db, question, mode="keyword"))[0] == "cats"


def test_the_same_search_gives_the_same_rows(db, manual):
    rows = search(db, "what does a database do with the data", k=6)
    assert len(rows) == 6
    assert all(search(db, "what does a database do with the data", k=6) == rows for _ in range(3))


def test_equal_chunks_are_ordered_by_key(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    db.execute(
        "SELECT lore.add_many('manual', '{b,ä,a,C}', ARRAY['Same text.', 'Same text.', 'Same text.', 'Same text.'])"
    )
    for mode in ("hybrid", "vector", "keyword"):
        assert keys(search(db, "same text", mode=mode)) == ["C", "a", "b", "ä"]


def test_a_query_without_a_word_to_look_for_still_searches(db, manual):
    for query in ("the of and", "!!! :& |", "'", "\\", "%s", "a:b & !c", "🙂"):
        assert len(search(db, query)) == 6
        search(db, query, mode="keyword")
    assert search(db, "the of and", mode="keyword") == []


def test_a_single_candidate_and_equal_scores_have_finite_scores(db, keyword):
    db.execute(
        "SELECT lore.create_collection('manual', keyword => %s), lore.add('manual', 'k', 'Only text.')", [keyword]
    )
    rows = search(db, "something else")
    assert keys(rows) == ["k"]
    assert rows[0][4] == rows[0][4] and abs(rows[0][4]) < 100


def test_an_empty_collection_gives_no_rows(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    assert search(db, "text") == search(db, "text", rerank="default") == []


def test_null_query_gives_no_rows(db, manual):
    assert search(db, None) == []


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_a_filter_applies_before_the_limit(db, keyword, mode):
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    db.execute(
        "SELECT lore.add_many('manual', array_agg('k' || i), "
        "array_agg('Water boils at a high temperature ' || i || '.'), "
        "array_agg(jsonb_build_object('n', i))) FROM generate_series(1, 400) AS i"
    )
    db.execute("SELECT lore.add_many('manual', array_agg('far ' || i), "
               "array_agg('Boats sail on water, said number ' || i || '.'), "
               "array_agg('{\"n\": 1000}'::jsonb)) FROM generate_series(1, 12) AS i")  # fmt: skip
    rows = search(db, "water boils temperature", mode=mode, k=10, filter={"n": {"$gte": 1000}})
    assert len(rows) == 10 and all(key.startswith("far") for key in keys(rows))
    assert set(
        keys(search(db, "water boils temperature", mode=mode, k=10, filter={"n": {"$lt": 1000, "$gt": 395}}))
    ) == {f"k{i}" for i in range(396, 401)}
    assert search(db, "water", mode=mode, filter={"absent": 1}) == []


def test_rows_of_one_document_are_limited_but_k_rows_come_back(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s, chunk_size => 16)", [keyword])
    long = "\n\n".join(f"Pumps move water to place {i} of the village every day." for i in range(300))
    db.execute("SELECT lore.add('manual', 'long', %s)", [long])
    db.execute(
        "SELECT lore.add_many('manual', array_agg('k' || i), array_agg('A note on the sea ' || i)) "
        "FROM generate_series(1, 9) AS i"
    )
    rows = search(db, "pumps move water", k=5, per_document=2, candidates=20)
    assert keys(rows)[:2] == ["long", "long"] and len(rows) == 5 and keys(rows).count("long") == 2
    assert keys(search(db, "pumps move water", k=20, per_document=None)).count("long") == 20
    assert len(search(db, "pumps move water", k=10, rerank="default")) == 10


def test_reranking_adds_its_score_and_keeps_the_order_by_score(db, manual):
    rows = search(db, "how to reclaim storage", rerank="default")
    assert keys(rows)[0] == "vacuum"
    assert [row[4] for row in rows] == sorted((row[4] for row in rows), reverse=True)
    assert rows[0][8] == max(row[8] for row in rows)
    assert search(db, "how to reclaim storage", rerank="late-interaction") == rows


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        ", k => 2, mode => 'vector'",
        ", mode => 'keyword'",
        ", filter => '{\"n\": {\"$lt\": 4}}', rerank => 'default', per_document => 1",
    ],
)
def test_the_printed_statement_gives_the_same_rows_to_a_reader(db, manual, role, connect, arguments):
    query = 'what\'s "the" $1 of a %s database \\?'
    statement = db.execute(f"SELECT lore.search_sql('manual', %s{arguments})", [query]).fetchone()[0]
    reader = connect(user=role("lore_reader"))
    reader.execute("SET search_path = pg_temp")
    expected = db.execute(f"SELECT * FROM lore.search('manual', %s{arguments})", [query]).fetchall()
    assert reader.execute(statement.encode()).fetchall() == expected and expected


def test_the_query_is_embedded_once(db, manual):
    plan = db.execute("SELECT lore.search_sql('manual', 'reclaim storage')").fetchone()[0]
    assert plan.count("lore.embed(") == 1
    before = db.execute("SELECT requests FROM lore.host_status()").fetchone()[0]
    search(db, "reclaim storage")
    assert (
        db.execute("SELECT requests FROM lore.host_status()").fetchone()[0] - before <= 2
    )  # the embedding, and this question


def test_arguments_out_of_range_are_refused(db, manual, fails):
    refused = {
        "''": "LO101", "' \n'": "LO101", "repeat('a ', 20000)": "LO102", "'q', k => 0": "LO103",
        "'q', k => 1001": "LO103", "'q', k => NULL": "LO103",
        "'q', mode => 'magic'": "LO103", "'q', mode => NULL": "LO103", "'q', candidates => 0": "LO103",
        "'q', per_document => 0": "LO103",
        "'q', rerank => 'absent'": "LO201", "'q', rerank => '''; DROP TABLE y'": "LO201",
        "'q', filter => '[]'": "LO104",
    }  # fmt: skip
    assert {call: fails(f"SELECT lore.search('manual', {call})") for call in refused} == refused


def test_removed_and_changed_documents_are_found_as_they_are_now(db, manual):
    db.execute("SELECT lore.remove('manual', 'cats'), lore.add('manual', 'backup', 'Kittens purr when they sleep.')")
    for mode in ("hybrid", "vector", "keyword"):
        rows = search(db, "purr", mode=mode)
        assert keys(rows)[0] == "backup" and "cats" not in keys(rows)


def test_bm25_scores_of_the_index_are_those_of_the_operator(db):
    from .conftest import TEXTS, use_textsearch

    use_textsearch(db)
    db.execute("SELECT lore.create_collection('manual')")
    db.execute("SELECT lore.add_many('manual', %s, %s)", [list(TEXTS), list(TEXTS.values())])
    rows = db.execute(
        "SELECT s.score, -(c.search <@> to_bm25query('database index', 'lore_data.keyword_1')) "
        "FROM lore.keyword_scores('manual', 'database index') AS s "
        "JOIN lore_data.manual_chunks AS c ON c.id = s.chunk_id"
    ).fetchall()
    assert len(rows) == 3
    assert all(score == pytest.approx(true, rel=0.1) for score, true in rows)


@pytest.mark.parametrize("mode", ["hybrid", "vector"])
def test_a_search_does_not_look_wider_for_documents_that_are_not_there(db, keyword, mode):
    db.execute("SELECT lore.create_collection('books', keyword => %s, chunk_size => 8)", [keyword])
    for key in "ab":
        text = "\n\n".join(f"Storage is told of on page {n}." for n in range(120))
        db.execute("SELECT lore.add('books', %s, %s, %s)", [key, text, json.dumps({"book": key})])
    filtered = ', filter => \'{"book": "b"}\''
    for options, keys in (("", ["a", "b"]), (filtered, ["b"]), (", per_document => 3", ["a", "b"])):
        asked = f"SELECT key FROM lore.search('books', 'storage', mode => '{mode}'{options})"
        assert sorted({key for (key,) in db.execute(asked)}) == keys  # planned now
        with db.transaction():
            db.execute("SET LOCAL track_functions = 'all'")
            runs = [
                db.execute("SELECT pg_stat_get_xact_function_calls('lore._run_planned'::regproc)").fetchone()[0]
                for _ in (1, 2)
                if db.execute(asked)
            ]
        assert runs[1] - runs[0] == 1, options
