"""Collections: made, listed, dropped, and what is refused."""

import itertools

HOSTILE = ['x"; DROP TABLE y; --', "", " ", "%s", "a'b", ".a", "-a", "a b", "ä", "a" * 49, "x" * 10_000_000, "a\n"]


def test_a_collection_is_listed_with_its_settings_and_size(db):
    assert db.execute(
        "SELECT lore.create_collection('a.b-c_1', chunk_size => 64, language => 'german')"
    ).fetchone() == (True,)
    db.execute("SELECT lore.add('a.b-c_1', 'k', 'Ein Text.')")
    row = db.execute(
        "SELECT name, model, dimensions, documents, chunks, language, chunk_strategy, chunk_size, chunk_overlap "
        "FROM lore.collections"
    ).fetchone()
    assert row == ("a.b-c_1", "all-minilm-l6-v2", 384, 1, 1, "german", "auto", 64, 0)


def test_a_name_that_cannot_be_is_refused_and_nothing_is_lost(db, fails):
    db.execute("SELECT lore.create_collection('y'), lore.add('y', 'k', 'text')")
    calls = (
        "create_collection(%s)",
        "drop_collection(%s)",
        "alter_collection(%s, chunk_size => 64)",
        "search(%s, 'text')",
        "add(%s, 'k', 'text')",
        "remove(%s, 'k')",
    )
    for name, call in itertools.product(HOSTILE, calls):
        assert fails(f"SELECT lore.{call}", [name]) == "LO103"
    assert db.execute("SELECT documents FROM lore.collections").fetchall() == [(1,)]


def test_names_as_long_as_can_be_and_names_of_catalog_tables_work(db):
    for name in ("a" * 48, "collections", "alembic_version", "a_documents"):
        db.execute("SELECT lore.create_collection(%s), lore.add(%s, 'k', 'text')", [name, name])
    db.execute("SELECT lore.create_collection('a'), lore.add('a', 'k', 'text')")
    assert db.execute("SELECT count(*), sum(documents) FROM lore.collections").fetchone() == (5, 5)


def test_making_it_twice_is_an_error_unless_asked_for(db, fails):
    db.execute("SELECT lore.create_collection('a')")
    assert fails("SELECT lore.create_collection('a')") == "LO103"
    assert db.execute("SELECT lore.create_collection('a', if_not_exists => true)").fetchone() == (False,)


def test_dropping_one_leaves_no_table(db, fails):
    db.execute("SELECT lore.create_collection('a'), lore.create_collection('b'), lore.add('a', 'k', 'text')")
    assert db.execute("SELECT lore.drop_collection('a')").fetchone() == (True,)
    assert db.execute("SELECT to_regclass('lore_data.a_documents'), to_regclass('lore_data.a_chunks')").fetchone() == (
        None,
        None,
    )
    assert fails("SELECT lore.drop_collection('a')") == "LO203"
    assert db.execute("SELECT lore.drop_collection('a', if_exists => true)").fetchone() == (False,)
    assert db.execute("SELECT name FROM lore.collections").fetchall() == [("b",)]


def test_a_setting_that_cannot_be_is_refused(db, fails):
    refused = {
        "model => 'absent'": "LO201",
        "model => 'extractive'": "LO201",
        "language => 'klingon'": "LO103",
        "language => NULL": "LO103",
        "chunk_strategy => 'magic'": "LO103",
        "chunk_size => 0": "LO103",
        "chunk_size => 255": "LO103",
        "chunk_overlap => 1000": "LO103",
        "keyword => 'grep'": "LO103",
    }
    assert {setting: fails(f"SELECT lore.create_collection('a', {setting})") for setting in refused} == refused
    assert db.execute("TABLE lore.collections").fetchall() == []


def test_bm25_is_taken_where_it_is_installed(db):
    from .conftest import use_textsearch

    db.execute("SELECT lore.create_collection('before')")
    use_textsearch(db)
    db.execute("SELECT lore.create_collection('after')")
    kinds = dict(db.execute("SELECT name, keyword FROM lore.collections").fetchall())
    assert kinds == {"before": "tsvector", "after": "bm25"}


def test_bm25_asked_for_but_missing_is_an_error(db, fails):
    assert fails("SELECT lore.create_collection('a', keyword => 'bm25')") == "LO206"


CALLS = (
    "create_collection('a')", "drop_collection('a')", "add('a', 'k', 't')", "add_many('a', '{k}', '{t}')",
    "remove('a', 'k')",
    "search('a', 'q')", "search_sql('a', 'q')", "context('a', 'q')", "ask('a', 'q')", "keyword_scores('a', 'q')",
)  # fmt: skip


def test_before_init_each_function_says_what_to_run_and_after_it_which_collection_is_missing(db, fails):
    assert {call: fails(f"SELECT lore.{call}") for call in CALLS[1:]} == dict.fromkeys(CALLS[1:], "LO203")
    db.execute("DROP SCHEMA lore_data CASCADE")
    assert {call: fails(f"SELECT lore.{call}") for call in CALLS} == dict.fromkeys(CALLS, "LO202")
    assert fails("TABLE lore.collections") == "LO202"
