"""Ways to match words: any, all, a phrase, a beginning; the same chunks by both kinds of keyword index."""

import json

import psycopg
import pytest

HOSTILE = [
    "'", '"', "''", "\\", "%s", "%", "a:b & !c | (d <-> e):*", ":*", "<b>bold", "<", "a <b c> d", "[[:alnum:]",
    "(?i)x", "\\m", "\x01", "!!! ... ---", "🙂", "🙂 🙂 vac🙂", "真空 清理", "вакуум", "مكنسة", "a\u00a0b",
    "a\u3000b", "é" * 3000, "x" * 5000, "don't", "pg_dump's", "C++ & C#", "http://a.b/c?d=e&f", "a@b.cd",
    "1e10 -5 .5", "'; DROP TABLE x --", "$1 $$", "a\tb\nc",
]  # fmt: skip


def found(db, query, match, **arguments):
    values = {name: json.dumps(value) if name == "filter" else value for name, value in arguments.items()}
    named = "".join(f", {name} => %({name})s" for name in values)
    rows = db.execute(
        f"SELECT d.key, s.score FROM lore.keyword_scores('manual', %(query)s, match => %(match)s{named}) AS s "
        "JOIN lore_data.manual_chunks AS c ON c.id = s.chunk_id "
        "JOIN lore_data.manual_documents AS d ON d.id = c.document_id "
        "ORDER BY s.score DESC, s.chunk_id",
        {"query": query, "match": match, **values},
    ).fetchall()
    assert all(score > 0 for _, score in rows)
    return [key for key, _ in rows]


@pytest.fixture
def village(db, keyword):
    """A hundred documents: words in both orders, in several forms."""
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    texts = [
        f"{'Steam pumps' if i % 2 else 'Pumps of steam'} drive mill {i}. "
        f"{'It was related by the miller.' if i % 5 == 0 else 'The relationship with the miller is good.'}"
        for i in range(100)
    ]
    db.execute(
        "SELECT lore.add_many('manual', %s, %s, "
        "ARRAY(SELECT jsonb_build_object('n', i) FROM generate_series(0, 99) AS i))",
        [[f"{i:02}" for i in range(100)], texts],
    )
    return texts


def test_all_words_must_match_in_any_form_and_order(db, manual):
    assert found(db, "block writers backups", "all") == ["backup"]
    assert found(db, "reclaiming the storages", "all") == ["vacuum"]
    assert set(found(db, "block", "all")) == {"index", "backup"}
    assert found(db, "block zebra", "all") == []
    assert len(found(db, "block zebra", "any")) == 2


def test_the_words_of_a_phrase_stand_in_a_row(db, manual):
    assert found(db, "does not block", "phrase") == found(db, "not blocking", "phrase")
    assert found(db, "exclusive lock", "phrase") == ["vacuum"]
    assert found(db, "lock exclusive", "phrase") == []
    assert found(db, "occupied by dead tuples", "phrase") == ["vacuum"]
    assert found(db, "occupied dead tuples", "phrase") == []
    assert found(db, "B-tree index", "phrase") == ["index"]


def test_the_last_word_of_a_prefix_is_a_beginning(db, manual):
    for typed in ("st", "sto", "stor", "stora", "storag", "storage"):
        assert "vacuum" in found(db, f"reclaims {typed}", "prefix")
    assert found(db, "purr cont", "prefix") == ["cats"]
    assert found(db, "cont purr", "prefix") == []
    assert found(db, "write-ah", "prefix") == ["wal"]
    assert found(db, "PG_DU", "prefix") == ["backup"]


def test_a_stop_word_typed_behind_other_words_does_not_empty_the_list(db, manual):
    for typed in ("purr when", "purr when t", "purr when they", "purr when they are"):
        assert found(db, typed, "prefix") == ["cats"], typed
    assert found(db, "dead the", "prefix") == ["vacuum"]
    assert found(db, "dead they", "prefix") == found(db, "they", "prefix") == []


def test_a_stop_word_that_is_half_typed_does_not_empty_the_list(db, manual):
    for typed in ("purr w", "purr wh", "purr whe", "purr the", "cats purr content ar", "sleep for mos"):
        assert found(db, typed, "prefix") == ["cats"], typed
    assert found(db, "dead whe", "prefix") == found(db, "whe", "prefix") == []


def test_each_letter_typed_of_a_word_finds_it_though_its_stem_is_shorter(db, village):
    for word in ("relationship", "related"):
        for end in range(1, len(word) + 1):
            whole = [f"{i:02}" for i, text in enumerate(village) if f" {word[:end]}" in text.lower()]
            assert set(whole) <= set(found(db, word[:end], "prefix")), word[:end]
    assert len(found(db, "relationsh", "prefix")) == 80


def test_as_many_rows_come_back_as_match(db, village):
    assert len(found(db, "steam pumps", "phrase", k=1000)) == 50
    assert len(found(db, "steam pumps", "phrase", k=7)) == 7
    assert len(found(db, "steam pumps", "all", k=1000)) == 100
    assert set(found(db, "mill 7", "all")) == {"07"}
    assert len(found(db, "steam pum", "prefix", k=1000)) == 100


def test_as_many_rows_come_back_as_are_asked_for_where_many_match(db, manual):
    db.execute(
        "INSERT INTO lore_data.manual_chunks (document_id, ordinal, span, content, tokens, embedding, fingerprint, "
        "search) SELECT document_id, i, span, content, tokens, embedding, fingerprint, search "
        "FROM lore_data.manual_chunks, generate_series(1, 12200) AS i WHERE content LIKE 'Cats %'"
    )
    for match in ("any", "all", "phrase", "prefix"):
        assert len(found(db, "cats sleep", match, k=20000)) == 12201


def test_a_filter_narrows_every_way_to_match(db, village):
    few = {"n": {"$lt": 10}}
    for match, query, count in [
        ("all", "pumps steam", 10),
        ("phrase", "steam pumps", 5),
        ("prefix", "steam pu", 10),
        ("prefix", "relationsh", 8),
    ]:
        assert sorted(found(db, query, match, filter=few)) == [
            key for key in sorted(found(db, query, match, k=1000)) if int(key) < 10
        ]
        assert len(found(db, query, match, filter=few)) == count


def test_the_title_and_the_headings_count(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    db.execute("SELECT lore.add('manual', 'a', E'# Valves\\n\\nThey turn.', '{\"title\": \"Waterworks handbook\"}')")
    for match, query in [
        ("all", "handbook turn"),
        ("phrase", "waterworks handbook"),
        ("prefix", "turn waterw"),
        ("prefix", "valv"),
    ]:
        assert found(db, query, match) == ["a"]


def test_both_keyword_indexes_find_the_same_chunks(db):
    from .conftest import TEXTS, use_textsearch

    use_textsearch(db)
    queries = [
        "block",
        "database objects",
        "a role",
        "write-ahead log",
        "does not block wri",
        "pg_d",
        "it",
        "cr",
        "data files",
        "the of",
    ]
    rows = {}
    for kind in ("tsvector", "bm25"):
        db.execute("SELECT lore.drop_collection('manual', if_exists => true)")
        db.execute("SELECT lore.create_collection('manual', keyword => %s)", [kind])
        db.execute("SELECT lore.add_many('manual', %s, %s)", [list(TEXTS), list(TEXTS.values())])
        rows[kind] = {(q, m): set(found(db, q, m)) for q in queries for m in ("all", "phrase", "prefix")}
    assert rows["tsvector"] == rows["bm25"]


@pytest.mark.parametrize("match", ["any", "all", "phrase", "prefix", "fuzzy"])
def test_any_text_is_only_text(db, manual, match):
    for query in HOSTILE:
        try:
            found(db, query, match)
        except psycopg.Error as error:
            assert error.sqlstate in ("LO101", "LO102"), (query, error)
    assert found(db, None, match) == []
    for query in ("the of and", "!!!", "🙂", "?"):
        assert found(db, query, match) == []


@pytest.mark.parametrize("match", ["any", "all", "phrase", "prefix", "fuzzy"])
def test_a_query_as_long_as_can_be_is_answered(db, manual, match, fails):
    for query in (
        "storage " * 4000,
        " ".join(f"w{i}" for i in range(4600)),
        "a" * 32000,
        "x1 " * 10000,
        "'" * 32000,
        "é " * 16000,
    ):
        try:
            found(db, query[:32000], match)
        except psycopg.Error as error:
            assert error.sqlstate == "LO102" and match in ("all", "phrase", "prefix")
    assert fails("SELECT * FROM lore.keyword_scores('manual', %s, match => %s)", ["x" * 32001, match]) == "LO102"
    assert fails("SELECT * FROM lore.keyword_scores('manual', %s, match => %s)", [" \n", match]) == "LO101"


def test_another_way_to_match_is_refused(db, manual, fails):
    for match in ("exact", "", None, "ALL", "x" * 10000):
        assert fails("SELECT * FROM lore.keyword_scores('manual', 'text', match => %s)", [match]) == "LO103"


def test_the_best_k_are_the_first_k_of_all_and_none_for_0(db, village):
    for match in ("any", "all", "phrase", "prefix", "fuzzy"):
        for filter in ({}, {"n": {"$gte": 50}}, {"n": -1}):
            every = found(db, "steam pumps", match, k=2147483647, filter=filter)
            for k in (0, 1, 7):
                assert found(db, "steam pumps", match, k=k, filter=filter) == every[:k]


def test_a_number_of_rows_that_cannot_be_is_refused(db, manual, fails):
    for k in (None, -1):
        assert fails("SELECT * FROM lore.keyword_scores('manual', 'text', %s)", [k]) == "LO103"


def test_each_part_of_an_identifier_and_a_number_are_found_by_their_beginnings(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    texts = ["The view pg_stat_activity and the method __init__ came in 1999.", "No such thing."]
    db.execute("SELECT lore.add_many('manual', '{a,b}', %s)", [texts])
    for maintained in (False, True):
        for typed in ("pg_s", "sta", "stat_ac", "activ", "__in", "ini", "view acti", "19", "199", "1999", "view 19"):
            assert found(db, typed, "prefix") == ["a"], (maintained, typed)
        assert found(db, "tat", "prefix") == found(db, "99", "prefix") == []
        db.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        db.execute("SELECT FROM lore.maintain('manual')")


def test_another_language_has_its_own_stems(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s, language => 'german')", [keyword])
    db.execute("SELECT lore.add('manual', 'a', 'Die Häuser stehen am Wasser.'), lore.add('manual', 'b', 'Das Wasser.')")
    assert found(db, "Haus Wasser", "all") == ["a"]
    assert found(db, "häuser stehen", "phrase") == ["a"]
    for typed in ("Hä", "Häus", "Häuse"):
        assert found(db, f"wasser {typed}", "prefix") == ["a"]


def test_a_word_behind_an_elided_article_is_found_by_its_beginning(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s, language => 'french')", [keyword])
    db.execute("SELECT lore.add('manual', 'a', 'Les élèves vont à l''école.'), lore.add('manual', 'b', 'Le livre.')")
    for maintained in (False, True):
        for typed in ("l'é", "l'éco", "élèves l'éco"):
            assert found(db, typed, "prefix") == ["a"], (maintained, typed)
        db.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        db.execute("SELECT FROM lore.maintain('manual')")


def test_a_word_that_is_written_as_one_with_its_article_is_found_by_its_beginning(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s, language => 'arabic')", [keyword])
    texts = ["الكتاب على الطاولة في المدرسة", "ذهب الولد إلى المدرسة"]
    db.execute("SELECT lore.add_many('manual', '{a,b}', %s)", [texts])
    assert set(found(db, "المدرسة ال", "prefix")) == {"a", "b"}
    for end in range(3, len("الكتاب") + 1):
        assert found(db, "الكتاب"[:end], "prefix") == found(db, f"المدرسة {'الكتاب'[:end]}", "prefix") == ["a"], end


def test_a_beginning_is_compared_letter_by_letter_and_a_whole_word_by_its_stem(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s, language => 'german')", [keyword])
    texts = ["Fußgänger gehen über die Straße.", "Das Wasser."]
    db.execute("SELECT lore.add_many('manual', '{a,b}', %s)", [texts])
    for typed, keys in [("fuß", ["a"]), ("Fußg", ["a"]), ("fussg", []), ("fussgänger", ["a"]), ("strass", ["a"])]:
        assert found(db, typed, "prefix") == keys, typed


def test_paths_addresses_numbers_and_short_stems_are_found_by_their_beginnings(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    text = "Pumps were going to /usr/local/lib/x.so and https://www.example.com/page.html at -2.5e3 degrees."
    db.execute("SELECT lore.add_many('manual', '{a,b}', %s)", [[text, "Pumps stand still."]])
    words = {"going": 1, "/usr/local/lib/x.so": 2, "https://www.example.com/page": 9, "-2.5e3": 2}
    for maintained in (False, True):
        for word, start in words.items():
            for end in range(start, len(word) + 1):
                for typed in (word[:end], f"pump {word[:end]}"):
                    assert found(db, typed, "prefix") == ["a"], (maintained, typed)
        db.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        db.execute("SELECT FROM lore.maintain('manual')")


def test_a_capital_that_is_written_with_a_mark_of_its_own_begins_a_word_too(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s, language => 'turkish')", [keyword])
    texts = ["İstanbul büyük bir şehirdir. İKİ DİL. HAUPTSTRAẞE.", "Ankara başkenttir."]
    db.execute("SELECT lore.add_many('manual', '{a,b}', %s)", [texts])
    for maintained in (False, True):
        for typed in ("İst", "ist", "İSTANB", "istanb", "iki di", "İKİ Dİ", "hauptstraß"):
            assert found(db, typed, "prefix") == ["a"], (maintained, typed)
        db.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        db.execute("SELECT FROM lore.maintain('manual')")


def test_a_tag_in_a_query_is_not_looked_for_since_none_in_a_text_is(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    texts = ["A vector<int> is long. <p>Use <b>bold words</b> with care.</p>", "If a < b then the limit is high."]
    db.execute("SELECT lore.add_many('manual', '{a,b}', %s)", [texts])
    for query in ("vector<int>", "vector<int> is long", "<b>bold words</b> with care", "Use <b>bold", "bold words</b>"):
        for match in ("all", "phrase", "prefix"):
            assert found(db, query, match) == ["a"], (query, match)
    assert found(db, "if a < b then the limit", "phrase") == ["b"]
    assert found(db, "<limit>", "all") == ["b"]  # a tag alone is looked for as words


@pytest.mark.parametrize("match", ["any", "all", "phrase", "prefix", "fuzzy"])
def test_the_time_of_a_query_does_not_grow_by_the_square_of_a_run_without_spaces(db, manual, match, fails):
    db.execute("SET statement_timeout = '10s'")  # far more than linear work takes; PostgreSQL's parser alone took 20 s
    query = "1a@" * 10_660
    if match in ("any", "fuzzy"):
        assert found(db, query, match) == [] and found(db, "storage_of_" * 2900, match) == ["vacuum"]
    else:
        assert fails("SELECT * FROM lore.keyword_scores('manual', %s, match => %s)", [query, match]) == "LO102"
