"""Misspelt words: mended by a collection's vocabulary where it has one, told, and left alone where they are known."""

import pytest


@pytest.fixture
def spelt(db, manual):
    """The six documents with their words counted."""
    db.execute("CREATE EXTENSION pg_trgm")
    assert [action for (action,) in db.execute("SELECT action FROM lore.maintain('manual')")] == ["counted 78 words"]
    return manual


def corrected(db, query, match="any"):
    return db.execute("SELECT lore.corrected('manual', %s, %s)", [query, match]).fetchone()[0]


def found(db, query, match="any"):
    return [
        key
        for (key,) in db.execute(
            "SELECT d.key FROM lore.keyword_scores('manual', %s, match => %s) AS s "
            "JOIN lore_data.manual_chunks AS c ON c.id = s.chunk_id "
            "JOIN lore_data.manual_documents AS d ON d.id = c.document_id ORDER BY s.score DESC, d.key",
            [query, match],
        )
    ]


def test_a_misspelt_word_is_replaced_by_the_likest_of_the_collection(db, spelt):
    for query, mended in [
        ("databse", "database"),
        ("a consistnet bakcup", "a consistent backup"),
        ("How to Recliams storrage?", "How to reclaims storage?"),
        ("exculsive", "exclusive"),
    ]:
        assert corrected(db, query) == mended


def test_a_word_of_any_script_is_mended(db, spelt):
    texts = ["База данных ускоряет поиск.", "Die Größe der Bücher.", "Η βάση επιταχύνει.", "قاعدة البيانات تسرع البحث.",
             "डेटाबेस खोज को तेज़ बनाता है।", "İstanbul büyük bir şehirdir."]  # fmt: skip
    db.execute("SELECT lore.add_many('manual', %s, %s)", [[f"k{n}" for n in range(len(texts))], texts])
    db.execute("SELECT FROM lore.maintain('manual')")
    for n, (query, mended) in enumerate([
        ("Ускорает поиск", "ускоряет поиск"), ("GRÖßEE", "größe"), ("επιταχύνι", "επιταχύνει"),
        ("البينات", "البيانات"), ("डेटाबस", "डेटाबेस"), ("İstanbil", "istanbul"),
    ]):  # fmt: skip
        assert corrected(db, query) == mended
        assert found(db, query) == [f"k{n}"]


def test_what_is_known_is_left_as_it_is(db, spelt):
    for query in (
        "database", "databases", "DATABASE", "which of the", "cat", "zebra crossing", "pg_dmup", "databse2",
        "a_databse", "http://databse.org/x", "databse.org", "-databse", "123", "'", "🙂", "базаданных", "(((", "\\y",
    ):  # fmt: skip
        assert corrected(db, query) == query
    assert corrected(db, None) is None


def test_the_search_finds_it_and_tells(db, spelt):
    notices = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    assert found(db, "consistnet") == ["backup"]
    assert notices == ['no chunk of collection "manual" has "consistnet": searched for "consistent"']
    del notices[:]
    assert db.execute("SELECT key FROM lore.search('manual', 'consistnet', mode => 'keyword')").fetchall() == [
        ("backup",)
    ]
    assert len(notices) == 1
    del notices[:]
    assert found(db, "consistent database") and notices == []


def test_all_words_and_phrases_are_taken_as_they_are(db, spelt):
    for match in ("all", "phrase", "prefix"):
        assert corrected(db, "consistnet", match) == "consistnet"
        assert found(db, "consistnet", match) == []


def test_fuzzy_takes_more_words_that_are_less_like(db, spelt):
    assert corrected(db, "cts", "any") == "cts"
    assert "cats" in corrected(db, "cts", "fuzzy").split()
    assert found(db, "recoverage", "fuzzy") == ["wal"] and found(db, "recoverage") == []
    assert len(corrected(db, "recrods", "fuzzy").split()) <= 3


def test_without_a_vocabulary_or_the_extension_nothing_is_replaced(db, manual):
    assert corrected(db, "databse") == "databse"
    assert db.execute("SELECT * FROM lore.maintain()").fetchall() == []
    assert any("pg_trgm" in finding for _, finding, _ in db.execute("SELECT * FROM lore.doctor()"))
    db.execute("CREATE EXTENSION pg_trgm")
    assert corrected(db, "databse") == "databse"
    assert any("vocabulary" in finding for _, finding, _ in db.execute("SELECT * FROM lore.doctor()"))
    db.execute("SELECT * FROM lore.maintain()")
    assert not any("vocabulary" in finding for _, finding, _ in db.execute("SELECT * FROM lore.doctor()"))
    db.execute("DROP EXTENSION pg_trgm CASCADE")
    assert corrected(db, "databse") == "databse"


def test_words_are_counted_anew_when_many_chunks_have_come_or_gone(db, spelt):
    assert db.execute("SELECT * FROM lore.maintain()").fetchall() == []
    db.execute("SELECT lore.add('manual', 'new1', 'Zebras graze.'), lore.add('manual', 'new2', 'Giraffes browse.')")
    assert corrected(db, "zebars") == "zebars"
    ((name, _, reason),) = db.execute("SELECT * FROM lore.maintain()").fetchall()
    assert (name, reason) == ("manual", "has a vocabulary that was counted before 25 % of its chunks came")
    assert corrected(db, "zebars") == "zebras"
    db.execute("SELECT lore.remove('manual', ARRAY['new1', 'new2', 'cats'])")
    assert len(db.execute("SELECT * FROM lore.maintain()").fetchall()) == 1
    assert corrected(db, "zebars") == "zebars"


def test_a_beginning_is_found_by_the_vocabulary_and_among_newer_chunks(db, spelt):
    db.execute("SELECT lore.add('manual', 'new', 'Storks stalk.')")
    assert sorted(found(db, "sto", "prefix")) == ["new", "vacuum"]
    assert found(db, "stalk", "prefix") == ["new"]


def test_words_of_hidden_rows_or_tables_are_not_told(db, spelt, role, connect):
    reader = connect(user=role("lore_reader"))
    assert corrected(reader, "databse") == "database"
    db.execute("ALTER TABLE lore_data.manual_documents ENABLE ROW LEVEL SECURITY")
    assert corrected(reader, "databse") == "databse"
    assert reader.execute("TABLE lore_data.manual_words").fetchall() == []
    db.execute("ALTER TABLE lore_data.manual_documents DISABLE ROW LEVEL SECURITY")
    assert corrected(reader, "databse") == "database"
    db.execute("REVOKE SELECT ON lore_data.manual_chunks FROM lore_reader")
    assert corrected(reader, "databse") == "databse"
    assert reader.execute("TABLE lore_data.manual_words").fetchall() == []


def test_the_vocabulary_goes_with_its_collection(db, spelt):
    db.execute("SELECT lore.drop_collection('manual')")
    assert db.execute("SELECT to_regclass('lore_data.manual_words')").fetchone() == (None,)
    assert db.execute("TABLE lore_data.vocabularies").fetchall() == []
