"""Engines of the keyword index that are not installed here: their SQL as text, and what is refused without them."""

import pytest

ENGINE = "SELECT (lore._keyword_engine(%s, %s, 'lore_data.keyword_7', 'lore_data.manual_chunks', %s)).*"


def engine(db, kind, language="english", match="any"):
    cursor = db.execute(ENGINE, [kind, language, match])
    return dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))


def test_pg_search_is_asked_as_its_documentation_says(db):
    found = engine(db, "pg_search", match="phrase")
    assert found["column_type"] == "text" and found["value"] == "%"
    assert found["index"] == "USING bm25 (id, (search::pdb.simple('stemmer=english'))) WITH (key_field = 'id')"
    assert found["scores"] == (
        "SELECT n.id, pdb.score(n.id)::double precision AS score FROM lore_data.manual_chunks AS n "
        "WHERE n.search OPERATOR(pg_catalog.###) $1% ORDER BY score DESC, n.id LIMIT $3"
    )
    assert engine(db, "pg_search", "simple")["index"] == (
        "USING bm25 (id, (search::pdb.simple)) WITH (key_field = 'id')"
    )
    for match, operator in {"any": "|||", "all": "&&&", "fuzzy": "|||"}.items():
        assert f"OPERATOR(pg_catalog.{operator}) $1" in engine(db, "pg_search", match=match)["scores"]


def test_vchord_bm25_is_asked_as_its_documentation_says(db):
    found = engine(db, "vchord_bm25")
    assert found["column_type"] == "bm25_catalog.bm25vector"
    assert found["value"] == "tokenizer_catalog.tokenize(%, 'lore')::bm25_catalog.bm25vector"
    assert found["index"] == "USING bm25 (search bm25_catalog.bm25_ops)"
    assert found["scores"] == (
        "SELECT s.id, -s.distance::double precision AS score FROM (SELECT n.id, n.search OPERATOR(bm25_catalog.<&>) "
        "bm25_catalog.to_bm25query('lore_data.keyword_7'::regclass, "
        "tokenizer_catalog.tokenize($1, 'lore')::bm25_catalog.bm25vector) AS distance "
        "FROM lore_data.manual_chunks AS n WHERE true% ORDER BY distance LIMIT $3) AS s"
    )


@pytest.mark.parametrize("kind", ["pg_search", "vchord_bm25"])
def test_without_its_extension_an_engine_is_refused(db, fails, kind):
    assert fails("SELECT lore.create_collection('manual', keyword => %s)", [kind]) == "LO206"
    db.execute("SELECT lore.create_collection('manual'), lore.add('manual', 'a', 'A text.')")
    db.execute("UPDATE lore_data.collections SET keyword = %s", [kind])
    assert fails("SELECT * FROM lore.keyword_scores('manual', 'text')") == "LO206"
    assert fails("SELECT * FROM lore.search('manual', 'text', mode => 'keyword')") == "LO206"
