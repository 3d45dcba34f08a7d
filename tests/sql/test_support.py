"""Support: what the other chunks of a document add to the score of each, checked against the same sums in Python."""

import pytest

SEARCH = """
    SELECT key, ordinal, score, fusion_score, rerank_score
    FROM lore.search('manual', %s, k => 1000, per_document => NULL, candidates => %s)
    ORDER BY rank
"""


@pytest.fixture
def village(db, keyword):
    """One long document, one of two chunks, several of one; all about water."""
    db.execute("SELECT lore.create_collection('manual', keyword => %s, chunk_size => 16)", [keyword])
    long = "\n\n".join(f"Pumps move the water of well {i} to the village every day." for i in range(12))
    two = "Pumps move water uphill to the upper part of town.\n\nThe lower part of town is supplied from a river."
    db.execute("SELECT lore.add('manual', 'long', %s), lore.add('manual', 'two', %s)", [long, two])
    db.execute(
        "SELECT lore.add_many('manual', array_agg('note ' || i), array_agg('A note on pumps and the sea ' || i)) "
        "FROM generate_series(1, 9) AS i"
    )
    return {"long": 12, "two": 2} | {f"note {i}": 1 for i in range(1, 10)}


@pytest.mark.parametrize("candidates", [5, 100])
def test_the_score_is_the_gain_and_a_share_of_the_gains_of_the_documents_other_chunks(db, village, candidates):
    rows = db.execute(SEARCH, ["how do pumps move water?", candidates]).fetchall()
    assert len(rows) >= min(candidates, sum(village.values()))
    weakest = min(row[3] for row in rows)
    for key, ordinal, score, fusion, _ in rows:
        gain = fusion - weakest
        others = sorted((r[3] - weakest for r in rows if r[0] == key and r[1] != ordinal), reverse=True)[:2]
        missing = max(0, 2 - (village[key] - 1))
        assert score == pytest.approx(gain + 0.2 * (sum(others) + 0.5 * missing * gain))


def test_a_document_with_several_good_chunks_comes_before_one_with_a_single_as_good_chunk(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s, chunk_size => 16)", [keyword])
    line = "Pumps move the water of the well to the village every day."
    filler = "The baker of the village bakes bread in the early morning."
    db.execute(
        "SELECT lore.add('manual', 'a single', %s), lore.add('manual', 'b several', %s), "
        "lore.add('manual', 'c none', %s)",
        ["\n\n".join([line, filler, filler, filler]), "\n\n".join([line, line, line, line]), "\n\n".join([filler] * 9)],
    )
    best = {row[0]: row[3] for row in reversed(db.execute(SEARCH, ["pumps move water", 100]).fetchall())}
    assert best["a single"] == pytest.approx(best["b several"])
    ranking = db.execute("SELECT key FROM lore.search('manual', 'pumps move water') ORDER BY rank").fetchall()
    assert [key for (key,) in ranking] == ["b several", "a single", "c none"]
