"""Altering a collection: what changes, what stays, what is refused, and who works meanwhile."""

import threading

import psycopg
import pytest

from .conftest import TEXTS, use_textsearch

ROWS = "SELECT key, chunk_id, content, score FROM lore.search(%s, %s, k => 6) ORDER BY rank"
OPPOSITE = {"bm25": "tsvector", "tsvector": "bm25"}


def alter(db, arguments, collection="manual"):
    return db.execute(f"SELECT * FROM lore.alter_collection('{collection}', {arguments})".encode()).fetchall()


def found(db, query="storage of dead tuples", collection="manual"):
    return db.execute(ROWS, [collection, query]).fetchall()


def test_a_renamed_collection_holds_what_it_held_and_its_old_name_is_free(db, manual, fails):
    before = found(db)
    assert alter(db, "name => 'handbook'") == [("name", "manual", "handbook")]
    assert found(db, collection="handbook") == before
    assert fails("SELECT lore.search('manual', 'x')") == "LO203"
    assert db.execute("SELECT lore.add('handbook', 'vacuum', %s, '{\"n\": 1}')", [TEXTS["vacuum"]]).fetchone() == (
        "unchanged",
    )
    db.execute("SELECT lore.create_collection('manual'), lore.add('manual', 'k', 'another')")
    assert db.execute("SELECT name, documents FROM lore.collections").fetchall() == [("handbook", 6), ("manual", 1)]


def test_the_words_that_were_counted_go_with_the_name_and_are_still_a_readers(db, manual, connect, role):
    db.execute("SELECT lore._build_vocabulary('manual')")
    alter(db, "name => 'handbook'")
    words = "SELECT count(*) FROM lore_data.handbook_words"
    assert connect(user=role("lore_reader")).execute(words).fetchone() == db.execute(words).fetchone()
    assert db.execute(words).fetchone()[0] > 20
    db.execute("SELECT lore.create_collection('manual'), lore._build_vocabulary('manual')")
    db.execute("SELECT lore.drop_collection('handbook')")
    assert db.execute("SELECT to_regclass('lore_data.handbook_words')").fetchone() == (None,)


def test_two_collections_change_places_in_one_transaction(db, manual):
    db.execute("SELECT lore.create_collection('next'), lore.add('next', 'new', 'A new text.')")
    with db.transaction():
        alter(db, "name => 'before'")
        alter(db, "name => 'manual'", "next")
    assert [row[0] for row in found(db)] == ["new"]
    assert len(found(db, collection="before")) == 6


def test_a_name_that_is_taken_or_impossible_is_refused_and_nothing_changes(db, manual, fails):
    db.execute("SELECT lore.create_collection('other')")
    names = ['x"; DROP TABLE y; --', "", " ", "%s", "a'b", "-a", "ä", "a" * 49, "a\n", "other"]
    for name in names:
        assert fails("SELECT * FROM lore.alter_collection('manual', name => %s, chunk_size => 64)", [name]) == "LO103"
    assert len(found(db)) == 6
    assert db.execute("SELECT chunk_size FROM lore.collections WHERE name = 'manual'").fetchone() != (64,)


def test_what_was_measured_of_a_collection_goes_with_its_name(db, manual):
    evaluate = 'SELECT * FROM lore.evaluate(\'{}\', \'{{"q": "pg_dump"}}\', \'{{"q": {{"backup": 1}}}}\')'
    db.execute(evaluate.format("manual"))
    db.execute("SELECT lore.drop_collection('manual'), lore.create_collection('manual')")  # another of that name
    db.execute("SELECT lore.add('manual', 'backup', %s)", [TEXTS["backup"]])
    db.execute(evaluate.format("manual"))
    alter(db, "name => 'handbook'")
    assert db.execute("SELECT collection FROM lore.evaluations").fetchall() == [("manual",), ("handbook",)]


def test_another_keyword_engine_searches_the_same_text(db, manual, keyword):
    use_textsearch(db) if keyword == "tsvector" else None
    other = OPPOSITE[keyword]
    db.execute("SELECT lore.add('manual', 'titled', 'It is fast.', '{\"title\": \"Zebra\"}')")
    before = db.execute("SELECT chunk_id FROM lore.keyword_scores('manual', 'zebra storage')").fetchall()
    assert alter(db, f"keyword => '{other}'") == [("keyword", keyword, other)]
    assert db.execute("SELECT chunk_id FROM lore.keyword_scores('manual', 'zebra storage')").fetchall() == before
    assert {row[0] for row in found(db, "zebra")[:1]} == {"titled"}
    assert db.execute(
        "SELECT lore.add('manual', 'titled', 'It is fast.', '{\"title\": \"Zebra\"}'),"
        " lore.add('manual', 'later', 'Quokkas smile.')"
    ).fetchone() == ("unchanged", "added")
    assert found(db, "quokkas")[0][0] == "later"
    alter(db, f"keyword => '{keyword}'")
    assert db.execute("SELECT chunk_id FROM lore.keyword_scores('manual', 'zebra storage')").fetchall() == before


def test_another_language_stems_what_is_there_and_what_comes(db, manual):
    words = "SELECT count(*) FROM lore.keyword_scores('manual', %s)"
    db.execute("SELECT lore.add('manual', 'de', 'Die Häuser stehen am Fluss.', '{\"title\": \"Städte\"}')")
    assert db.execute(words, ["Stadt Haus"]).fetchone() == (0,)
    assert alter(db, "language => 'german'") == [("language", "english", "german")]
    assert db.execute(words, ["Stadt Haus"]).fetchone() == (1,)
    db.execute("SELECT lore.add('manual', 'de2', 'Das Haus steht.')")
    assert db.execute(words, ["Häuser"]).fetchone() == (2,)
    assert alter(db, "language => 'german'") == []


def test_a_vector_index_lives_through_another_keyword_engine(db, keyword):
    use_textsearch(db) if keyword == "tsvector" else None
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    db.execute("SELECT lore.add_many('manual', %s, %s)", [list(TEXTS), list(TEXTS.values())])
    db.execute("SELECT * FROM lore.build_index('manual', 'hnsw')")
    before = db.execute("SELECT key, score FROM lore.search('manual', 'cats', mode => 'vector')").fetchall()
    alter(db, f"keyword => '{OPPOSITE[keyword]}'")
    assert db.execute("SELECT (lore._open('manual')).searched").fetchone() == ("hnsw",)
    assert db.execute("SELECT key, score FROM lore.search('manual', 'cats', mode => 'vector')").fetchall() == before
    db.execute("SET enable_seqscan = off; SET enable_sort = off")  # so that the index is used on few rows
    plan = db.execute("SELECT string_agg(index, '') FROM lore.explain_search('manual', 'cats', mode => 'vector')")
    assert "vector_1_1" in plan.fetchone()[0]


def test_chunk_settings_hold_for_what_comes_later_and_adding_again_cuts_anew(db, manual):
    notices = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    db.execute("SELECT lore.add('manual', 'long', %s)", ["A sentence of some words stands here. " * 20])
    changed = alter(db, "chunk_size => 32, chunk_overlap => 4, chunk_strategy => 'text'")
    assert [row[0] for row in changed] == ["chunk_strategy", "chunk_size", "chunk_overlap"]
    assert changed[1][2] == "32" and "7 chunks" in notices[-1]
    assert db.execute("SELECT chunks FROM lore.collections").fetchone() == (7,)
    db.execute(
        "SELECT lore.add_many('manual', array_agg(key), array_agg(content), array_agg(metadata)) "
        "FROM lore_data.manual_documents"
    )
    documents, chunks = db.execute("SELECT documents, chunks FROM lore.collections").fetchone()
    assert documents == 7 and chunks > 10
    assert found(db)[0][0] == "vacuum"


def test_filterable_fields_get_and_lose_their_indexes(db, manual):
    indexes = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'filter%'"
    assert alter(db, "filterable => '{n,title}'") == [("filterable", "[]", '["n", "title"]')]
    assert db.execute(indexes).fetchone() == (3,)
    rows = db.execute("""SELECT key FROM lore.search('manual', 'cats', filter => '{"n": {"$gte": 6}}')""").fetchall()
    assert rows == [("cats",)]
    assert alter(db, "filterable => '{}'") == [("filterable", '["n", "title"]', "[]")]
    assert db.execute(indexes).fetchone() == (0,)


def test_another_index_kind_is_left_to_maintain_and_exact_takes_effect_at_once(db, manual):
    notices = []
    db.add_notice_handler(lambda notice: notices.append((notice.message_primary, notice.message_hint)))
    kinds = "SELECT index_kind, (lore._open(name)).searched FROM lore.collections"
    assert alter(db, "index_kind => 'hnsw'") == [("index_kind", "auto", "hnsw")]
    assert "no vector index" in notices[-1][0] and "lore.maintain('manual')" in notices[-1][1]
    assert db.execute(kinds).fetchone() == ("hnsw", "exact")
    assert db.execute("SELECT count(*) FROM lore.maintain('manual')").fetchone() == (1,)
    assert db.execute(kinds).fetchone() == ("hnsw", "hnsw")
    assert alter(db, "index_kind => 'exact'") == [("index_kind", "hnsw", "exact")]
    assert db.execute(kinds).fetchone() == ("exact", "exact")
    assert db.execute("SELECT count(*) FROM lore.maintain('manual')").fetchone() == (0,)


def test_another_metric_drops_the_index_of_the_one_before_and_scores_by_the_new(db, manual):
    db.execute("SELECT * FROM lore.build_index('manual', 'hnsw')")
    scores = "SELECT array_agg(score ORDER BY rank) FROM lore.search('manual', 'cats', mode => 'vector')"
    cosine = db.execute(scores).fetchone()[0]
    assert alter(db, "metric => 'l2'") == [("metric", "cosine", "l2")]
    assert db.execute("SELECT (lore._open('manual')).searched, index_kind FROM lore.collections").fetchone() == (
        "exact",
        "hnsw",
    )
    distances = db.execute(scores).fetchone()[0]
    assert distances == pytest.approx([-((2 - 2 * score) ** 0.5) for score in cosine], abs=1e-3)
    db.execute("SELECT * FROM lore.maintain('manual')")
    assert db.execute(scores).fetchone()[0] == pytest.approx(distances, abs=1e-3)


def test_nothing_named_or_nothing_new_changes_nothing(db, manual, keyword):
    row = db.execute("SELECT ctid, xmin, * FROM lore_data.manual_chunks LIMIT 1").fetchone()
    assert db.execute("SELECT * FROM lore.alter_collection('manual')").fetchall() == []
    assert alter(db, f"name => 'manual', keyword => '{keyword}', metric => 'cosine', filterable => '{{}}'") == []
    assert db.execute("SELECT ctid, xmin, * FROM lore_data.manual_chunks LIMIT 1").fetchone() == row


def test_what_cannot_be_is_refused_and_nothing_of_the_rest_is_done(db, manual, fails):
    refused = {
        "keyword => 'grep'": "LO103",
        "language => 'klingon'": "LO103",
        "language => ''": "LO103",
        "chunk_strategy => 'magic'": "LO103",
        "chunk_size => 0": "LO103",
        "chunk_size => 255": "LO103",
        "chunk_overlap => -1": "LO103",
        "chunk_overlap => 1000": "LO103",
        "index_kind => 'btree'": "LO103",
        "metric => 'manhattan'": "LO103",
        "filterable => '{\"\"}'": "LO104",
        "filterable => '{NULL}'": "LO103",
        "filterable => '{$and}'": "LO104",
    }
    rows = db.execute("TABLE lore.collections").fetchall()
    assert {
        setting: fails(f"SELECT * FROM lore.alter_collection('manual', name => 'other', {setting})".encode())
        for setting in refused
    } == refused
    assert db.execute("TABLE lore.collections").fetchall() == rows
    assert fails("SELECT * FROM lore.alter_collection('nowhere', chunk_size => 9)") == "LO203"
    assert fails("SELECT * FROM lore.alter_collection(NULL, chunk_size => 9)") == "LO103"
    db.execute("DROP SCHEMA lore_data CASCADE")
    assert fails("SELECT * FROM lore.alter_collection('manual', chunk_size => 9)") == "LO202"


def test_bm25_without_its_extension_is_refused(db, fails):
    db.execute("SELECT lore.create_collection('a')")
    assert fails("SELECT * FROM lore.alter_collection('a', keyword => 'bm25')") == "LO206"


def test_only_an_admin_alters_and_keeps_every_right_on_the_tables(db, manual, keyword, connect, role):
    use_textsearch(db) if keyword == "tsvector" else None
    db.execute("CREATE POLICY few ON lore_data.manual_documents USING (key <> 'cats')")
    rights = (
        "SELECT relname, relowner::regrole::text, relacl::text FROM pg_class WHERE relname ~ '_(documents|chunks)$'"
    )
    before = db.execute(rights).fetchall()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect(user=role("lore_writer")).execute("SELECT * FROM lore.alter_collection('manual', chunk_size => 64)")
    admin = connect(user=role("lore_admin"))
    change = f"name => 'm2', keyword => '{OPPOSITE[keyword]}', chunk_size => 64, filterable => '{{n}}', metric => 'ip'"
    changed = alter(admin, change)
    assert len(changed) == 5
    after = db.execute(rights).fetchall()
    assert sorted((name.replace("m2_", "manual_"), *rest) for name, *rest in after) == sorted(before)
    assert db.execute("SELECT polrelid::regclass::text FROM pg_policy WHERE polname = 'few'").fetchall() == [
        ("lore_data.m2_documents",)
    ]


def test_writers_wait_for_the_new_keyword_index_and_use_it(db, manual, keyword, connect):
    use_textsearch(db) if keyword == "tsvector" else None
    other = connect()
    reader, writer = connect(), connect()
    outcomes = {}

    def run(name, connection, statement):
        try:
            outcomes[name] = connection.execute(statement).fetchall()
        except psycopg.Error as error:
            outcomes[name] = error

    with other.transaction():
        alter(other, f"keyword => '{OPPOSITE[keyword]}'")
        threads = [
            threading.Thread(target=run, args=("add", writer, "SELECT lore.add('manual', 'new', 'Quokkas smile.')")),
            threading.Thread(
                target=run, args=("search", reader, "SELECT key FROM lore.search('manual', 'cats purr', k => 1)")
            ),
        ]
        for thread in threads:
            thread.start()
        deadline = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while db.execute(deadline).fetchone()[0] < 2:
            pass
    for thread in threads:
        thread.join(60)
    assert outcomes == {"add": [("added",)], "search": [("cats",)]}
    assert found(db, "quokkas smile")[0][0] == "new"


@pytest.mark.parametrize("keyword", ["tsvector"], indirect=True)
def test_a_search_that_waits_for_another_name_is_told_of_it_and_finds_who_has_the_name_now(db, manual, connect):
    db.execute("SELECT lore.create_collection('next'), lore.add('next', 'new', 'A new text.')")
    other, outcomes = connect(), {}

    def search(name, connection):
        try:
            outcomes[name] = connection.execute("SELECT key FROM lore.search(%s, 'text', k => 1)", [name]).fetchall()
        except psycopg.Error as error:
            outcomes[name] = error.sqlstate

    with other.transaction():
        alter(other, "name => 'before'")
        alter(other, "name => 'manual'", "next")
        threads = [threading.Thread(target=search, args=(name, connect())) for name in ("manual", "next")]
        for thread in threads:
            thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while db.execute(waiting).fetchone()[0] < 2:
            pass
    for thread in threads:
        thread.join(60)
    assert outcomes == {"manual": [("new",)], "next": "LO203"}


def test_a_change_that_is_rolled_back_leaves_no_trace(db, manual, keyword):
    change = "name => 'm2', chunk_size => 32, filterable => '{n}'"
    if keyword == "tsvector":  # an index of pg_textsearch does not survive a rollback of its end
        use_textsearch(db)
        change += ", keyword => 'bm25', language => 'german'"
    before = found(db)
    with pytest.raises(ZeroDivisionError), db.transaction():
        alter(db, change)
        raise ZeroDivisionError
    assert found(db) == before
    db.execute("SELECT lore.add('manual', 'new', 'Quokkas smile.')")
    assert found(db, "quokkas smile")[0][0] == "new"
