"""Search over several collections at once."""

import numpy as np
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


def test_it_takes_what_a_search_takes(db):
    arguments = (
        "SELECT array_remove(proargnames[:pronargs], proargnames[1]), pronargdefaults FROM pg_proc WHERE oid = %s"
    )
    one, all_ = (
        db.execute(arguments, [db.execute("SELECT %s::regproc::oid", [name]).fetchone()[0]]).fetchone()
        for name in ("lore.search", "lore.search_all")
    )
    assert one == all_


def test_reciprocal_ranks_are_those_among_the_rows_of_all(db, both):
    rows = db.execute(
        "SELECT vector_score, keyword_score, score FROM lore.search_all(%s, 'dogs and cats', k => 20, fusion => 'rrf')",
        [both],
    ).fetchall()
    near, worded = (sorted((row[n] for row in rows), reverse=True) for n in (0, 1))
    for vector, words, score in rows:
        ranks = [61 + near.index(vector)] + ([61 + worded.index(words)] if words else [])
        assert score == pytest.approx(sum(1 / rank for rank in ranks))
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True) and len(rows) == 9


def test_diversity_is_that_of_the_rows_of_all(db, both):
    db.execute("SELECT lore.add('other', 'same', content) FROM lore.documents('manual', '{cats}')")
    asked = (
        "SELECT collection, key, score "
        "FROM lore.search_all('{manual,other}', 'cats that purr', k => %s, diversity => %s)"
    )
    plain = db.execute(asked, [10, 0]).fetchall()
    assert [row[1] for row in plain[:2]] == ["cats", "same"] and plain == db.execute(asked, [10, None]).fetchall()
    varied = db.execute(asked, [10, 0.7]).fetchall()
    assert varied[0] == plain[0] and varied[1][1] != "same" and sorted(varied) == sorted(plain)
    vectors = {
        (name, key): np.array(vector)
        for name in both
        for key, vector in db.execute(
            f"SELECT d.key, c.embedding::real[] FROM lore_data.{name}_chunks AS c "
            f"JOIN lore_data.{name}_documents AS d ON d.id = c.document_id"
        ).fetchall()
    }
    gain = {row[:2]: (row[2] - plain[-1][2]) / (plain[0][2] - plain[-1][2]) for row in plain}
    chosen = []
    while gain:  # maximal marginal relevance, by hand
        worth = {one: 0.3 * g - 0.7 * max([0, *(vectors[one] @ vectors[o] for o in chosen)]) for one, g in gain.items()}
        chosen.append(max(worth, key=worth.get))
        del gain[chosen[-1]]
    assert [row[:2] for row in varied] == chosen
    assert [row[:2] for row in db.execute(asked, [3, 0.7]).fetchall()] == chosen[:3]


def test_each_row_is_widened_by_its_neighbours(db, keyword):
    text = "Dogs bark at strangers.\n\nCats purr when content.\n\nBread is baked at night."
    for name in ("manual", "other"):
        db.execute("SELECT lore.create_collection(%s, keyword => %s, chunk_size => 8)", [name, keyword])
        db.execute("SELECT lore.add(%s, 'k', %s)", [name, text])
    for neighbours, content in ((0, "Cats purr when content."), (1, text)):
        rows = db.execute(
            "SELECT collection, content FROM lore.search_all('{manual,other}', 'cats purr', neighbours => %s)",
            [neighbours],
        ).fetchall()
        assert rows == [("manual", content), ("other", content)]


def test_a_vector_alone_is_enough(db, both):
    asked = (
        "SELECT collection, key, vector_score, keyword_score "
        "FROM lore.search_all(%s, NULL, vector => lore.embed('Dogs bark.'))"
    )
    rows = db.execute(asked, [both]).fetchall()
    assert rows[0][:2] == ("other", "dogs") and {row[3] for row in rows} == {None}


def test_what_the_further_arguments_cannot_be_is_refused(db, both, fails):
    for wrong in ("diversity => 'NaN'", "diversity => 2", "fusion => 'sum'", "neighbours => -1", "neighbours => NULL"):
        assert fails(f"SELECT lore.search_all('{{manual,other}}', 'q', {wrong})") == "LO103"
    assert fails("SELECT lore.search_all('{manual,other}', NULL, vector => '[1,2]')") == "LO205"
    db.execute("UPDATE lore_data.collections SET fingerprint = 'another' WHERE name = 'other'")
    assert fails("SELECT lore.search_all('{manual,other}', 'q', mode => 'keyword', diversity => 0.5)") == "LO205"
    assert fails("SELECT lore.search_all('{manual,other}', NULL, vector => lore.embed('q'))") == "LO205"
