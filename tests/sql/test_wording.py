"""The wording of a query in the candidates: words, pairs and triples in a row; its place in the fusion."""

import pytest

SCORES = "SELECT lore.wording_scores('manual', %s, %s)"


def scores(db, query, texts):
    return db.execute(SCORES, [query, texts]).fetchone()[0]


def test_words_in_a_row_count_more_than_the_same_words_apart(db, manual):
    row, apart, part, none = scores(
        db,
        "database objects of a role",
        ["The Database objects of a role.", "A role of objects; a database.", "a database", "-"],
    )
    assert row > apart > part > none == 0


def test_the_form_and_the_borders_of_a_word_count(db, manual):
    assert scores(db, "purring", ["Cats purr.", "The purringness", "un-purring, though"])[:2] == [0, 0]
    assert scores(db, "purr", ["They purr.", "(PURR)", "a\npurr\tb"])[0] > 0
    assert len(set(scores(db, "purr", ["They purr.", "(PURR)", "a\npurr\tb"]))) == 1
    assert scores(db, "ÉTÉ", ["un été", "un ete"])[0] > 0


def test_a_pair_adds_the_mean_weight_of_its_words_and_a_triple_of_its_three(db, manual):
    a, b, c = (scores(db, word, [word, "x", "y"])[0] for word in ("vacuum", "reclaims", "storage"))
    if db.execute("SELECT keyword FROM lore_data.collections").fetchone() == ("tsvector",):
        assert a == b == c  # by the texts, of which one each has it
    total = a + b + c + (a + b) / 2 + (b + c) / 2 + (a + b + c) / 3
    assert scores(db, "vacuum reclaims storage", ["VACUUM reclaims storage", "x", "y"])[0] == pytest.approx(total)


def test_null_gives_null_and_any_text_is_only_text(db, manual, fails):
    assert scores(db, None, ["a"]) is None and scores(db, "a", None) is None
    assert scores(db, "a", []) == []
    for query in ("'; DROP TABLE x --", "\\", "%s", "a:b & !c | <->", "🙂", "(((", "[[:alnum:]", "\x01", "x" * 5000):
        assert len(scores(db, query, ["(((", query])) == 2
    assert db.execute(SCORES, ["cats", ["Cats purr.", None, ""]]).fetchone()[0][1:] == [0, 0]
    assert fails("SELECT lore.wording_scores('manual', '', '{a}')") == "LO101"
    assert fails("SELECT lore.wording_scores('manual', 'a', '{{a,b},{c,d}}')") == "LO103"


def test_of_chunks_with_the_same_words_the_one_with_their_order_comes_first(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    db.execute(
        "SELECT lore.add_many('manual', '{a,b,c}', ARRAY['Long after the war the king came before all others.', "
        "'The king came long before the war, after all others.', 'Bread is baked in the morning.'])"
    )
    found = db.execute("SELECT key FROM lore.search('manual', 'who came long before the war?')").fetchall()
    assert found[0] == ("b",)
