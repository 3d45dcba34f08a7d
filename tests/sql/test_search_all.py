"""Search over several collections at once."""

import pytest

SEARCH = "SELECT collection, key, score FROM lore.search_all(%s, %s, mode => %s, k => %s) ORDER BY rank"


@pytest.fixture
def both(db, manual, keyword):
    db.execute("SELECT lore.create_collection('other', keyword => %s)", [keyword])
    db.execute(
        "SELECT lore.add_many('other', '{dogs,bread,cats}', ARRAY['Dogs bark at strangers.', "
        "'Bread is baked at night.', 'Cats hunt mice in the barn.'])"
    )
    return ["manual", "other"]


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_the_best_of_all_collections_comes_first(db, both, mode):
    for query, first in [
        ("reclaim storage of dead tuples", ("manual", "vacuum")),
        ("at what do dogs bark", ("other", "dogs")),
    ]:
        rows = db.execute(SEARCH, [both, query, mode, 20]).fetchall()
        assert rows[0][:2] == first
        assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)
        assert mode == "keyword" or len(rows) == 9


def test_a_collection_named_twice_counts_once_and_k_is_of_all(db, both):
    once = db.execute(SEARCH, [both, "cats", "hybrid", 4]).fetchall()
    assert db.execute(SEARCH, [[*both, "other"], "cats", "hybrid", 4]).fetchall() == once
    assert len(once) == 4 and {row[0] for row in once if row[1] == "cats"} == set(both)


def test_what_cannot_be_searched_is_refused_or_gives_no_rows(db, both, fails):
    assert fails("SELECT lore.search_all('{manual,absent}', 'q')") == "LO203"
    assert fails("SELECT lore.search_all('{manual}', '')") == "LO101"
    assert fails("SELECT lore.search_all('{manual}', 'q', k => 0)") == "LO103"
    db.execute("UPDATE lore_data.collections SET fingerprint = 'another' WHERE name = 'other'")
    assert fails("SELECT lore.search_all('{manual,other}', 'q')") == "LO205"
    assert db.execute(SEARCH, [both, "dogs", "keyword", 5]).fetchall()[0][:2] == ("other", "dogs")
    for collections, query in ((None, "q"), (both, None), ([], "q")):
        assert db.execute(SEARCH, [collections, query, "hybrid", 5]).fetchall() == []


SILENT = [("keyword", '{"keyword": 0, "wording": 0}'), ("vector", '{"vector": 0}')]


@pytest.mark.parametrize(("mode", "weights"), SILENT)
def test_a_weight_does_not_silence_the_only_arm(db, both, mode, weights):
    search = "SELECT collection, key, score FROM lore.search_all(%s, 'dogs, cats', mode => %s, weights => %s)"
    plain = db.execute(search, [both, mode, None]).fetchall()
    assert db.execute(search, [both, mode, weights]).fetchall() == plain and plain[0][2] != 0
