"""Search's further arguments: reciprocal ranks, diversity, neighbours; alone and printed."""

import json

import pytest

from .test_search import keys, search


def test_reciprocal_ranks_add_up_over_the_arms(db, manual):
    rows = search(db, "backup of a database", fusion="rrf", per_document=None)
    by_vector = sorted((row[5] for row in rows), reverse=True)
    by_words = sorted((row[6] for row in rows), reverse=True)
    for row in rows:
        expected = 1 / (61 + by_vector.index(row[5])) + (1 / (61 + by_words.index(row[6])) if row[6] > 0 else 0)
        assert row[7] == pytest.approx(expected)
    assert keys(rows)[0] == "backup"


def test_what_cannot_be_diverse_is_refused(db, manual, fails):
    refused = ("'{1,2}', '{1,2}', k => 0", "'{1,2}', '{1,2}', diversity => 7", "'{1,2}', '{1,2}', diversity => NULL")
    for arguments in (*refused, "'{1,2}', '{1,2}', diversity => 'NaN'"):
        assert fails(f"SELECT lore.diverse('manual', {arguments})") == "LO103"
    assert db.execute("SELECT count(*) FROM lore.diverse('manual', '{}', '{}')").fetchone() == (0,)


def test_diversity_puts_something_else_before_the_same_again(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    db.execute(
        "SELECT lore.add_many('manual', '{a,b,c,d}', ARRAY['Cats purr when they are content.', "
        "'Cats purr when they are content!', 'A cat that purrs can also be in pain.', 'Bread is baked at night.'])"
    )
    assert keys(search(db, "why do cats purr when content", k=3)) == ["a", "b", "c"]
    assert keys(search(db, "why do cats purr when content", k=3, diversity=0.8))[:2] in (["a", "c"], ["a", "d"])
    assert keys(search(db, "why do cats purr", k=2, diversity=0)) == keys(search(db, "why do cats purr", k=2))
    assert len(set(keys(search(db, "why do cats purr", k=4, diversity=1)))) == 4
    assert search(db, "cats", diversity=0.5, filter={"absent": 1}) == []


def test_of_chunks_that_are_not_there_or_have_no_score_no_row_is_made_up(db, manual):
    for chunks, scores in (("{1,2,99}", "{1,0.5,0.9}"), ("{1,2}", "{1}"), ("{1,1}", "{1,1}")):
        rows = db.execute("SELECT chunk_id FROM lore.diverse('manual', %s, %s)", [chunks, scores]).fetchall()
        assert rows and (None,) not in rows
    rows = db.execute("SELECT chunk_id FROM lore.diverse('manual', '{1,99,2}', '{1,0.9,0.5}')").fetchall()
    assert {1, 2} <= {row[0] for row in rows}
    rows = db.execute("SELECT chunk_id, place FROM lore.diverse('manual', '{1,NULL,2}', '{1,0.9,0.5}')").fetchall()
    assert rows == [(1, 1), (2, 2)]
    rows = db.execute("SELECT chunk_id FROM lore.diverse('manual', '{{1,2},{3,4}}', '{{4,3},{2,1}}')").fetchall()
    assert {row[0] for row in rows} == {1, 2, 3, 4}


def test_neighbours_bring_the_text_around_a_chunk(db, keyword):
    db.execute("SELECT lore.create_collection('manual', keyword => %s, chunk_size => 16)", [keyword])
    lines = [f"Line {i} tells of {thing} and of nothing else at all." for i, thing in enumerate(
        ("bread", "cats", "rivers", "wars", "stars"))]  # fmt: skip
    text = "\n\n".join(lines)
    db.execute("SELECT lore.add('manual', 'k', %s)", [text])
    found = "SELECT content, lower(span), upper(span), ordinal FROM lore.search('manual', 'rivers', neighbours => %s)"
    alone = db.execute(found, [0]).fetchone()
    assert "rivers" in alone[0] and "wars" not in alone[0]
    wide = db.execute(found, [1]).fetchone()
    assert "cats" in wide[0] and "wars" in wide[0] and "stars" not in wide[0]
    assert wide[0] == text[wide[1] : wide[2]] and wide[3] == alone[3]
    assert db.execute(found, [100]).fetchone()[0] == text


@pytest.mark.parametrize(
    "arguments",
    [
        ", fusion => 'rrf'",
        ", diversity => 0.4, k => 3",
        ", neighbours => 2",
        ", diversity => 1, neighbours => 1, mode => 'vector', k => 2",
        ", diversity => 0.2, rerank => 'default', mode => 'keyword'",
    ],
)
def test_the_printed_statement_gives_the_same_rows_to_a_reader(db, manual, role, connect, arguments):
    query = 'what\'s "the" $1 of a %s database \\?'
    statement = db.execute(f"SELECT lore.search_sql('manual', %s{arguments})", [query]).fetchone()[0]
    reader = connect(user=role("lore_reader"))
    reader.execute("SET search_path = pg_temp")
    expected = db.execute(f"SELECT * FROM lore.search('manual', %s{arguments})", [query]).fetchall()
    assert reader.execute(statement.encode()).fetchall() == expected and expected


def test_arguments_out_of_range_are_refused(db, manual, fails):
    for call in (
        "fusion => 'sum'", "fusion => NULL", "diversity => -0.1", "diversity => 2", "diversity => 'NaN'",
        "neighbours => -1", "neighbours => 101", "neighbours => NULL", "fusion => ''' || x'",
    ):  # fmt: skip
        assert fails(f"SELECT lore.search('manual', 'q', {call})") == "LO103"


def test_a_vector_without_a_direction_is_refused_where_cosines_are_compared(db, manual, fails):
    zeros = "array_fill(0, ARRAY[384])::vector"
    assert fails(f"SELECT lore.search('manual', 'reclaim storage', vector => {zeros})") == "LO103"
    assert fails(f"SELECT lore.search('manual', NULL, vector => {zeros})") == "LO103"
    db.execute("SELECT lore.create_collection('far', metric => 'l2'), lore.add('far', 'a', 'Cats purr.')")
    assert db.execute(f"SELECT key FROM lore.search('far', NULL, vector => {zeros})").fetchall() == [("a",)]


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_a_reranker_that_is_not_there_is_told_though_there_is_nothing_to_rerank(db, manual, fails, mode):
    db.execute("SELECT lore.create_collection('bare')")
    for collection, options in (("manual", {}), ("manual", {"absent": 1}), ("bare", {})):
        search = "SELECT lore.search(%s, 'storage', mode => %s, rerank => %s, filter => %s)"
        given = json.dumps(options) if options else None
        assert fails(search, [collection, mode, "absent", given]) == "LO201"
        found = db.execute(search, [collection, mode, "default", given]).fetchall()
        assert bool(found) == (collection == "manual" and not options)


def test_without_a_query_there_is_nothing_to_rerank_by_and_no_statement(db, manual, fails):
    vector = ", vector => lore.embed('reclaim storage')"
    for call in ("search('manual'", "search_sql('manual'", "explain_search('manual'", "search_all('{manual}'"):
        assert fails(f"SELECT lore.{call}, NULL, rerank => 'default'{vector})") == "LO103"
    for options in ("", ", mode => 'keyword'", ", rerank => 'default'"):
        assert db.execute(f"SELECT lore.search_sql('manual', NULL{options})").fetchone() == (None,)
        assert db.execute(f"SELECT count(*) FROM lore.search('manual', NULL{options})").fetchone() == (0,)
    statement = db.execute(f"SELECT lore.search_sql('manual', NULL{vector})").fetchone()[0]
    assert db.execute(statement.encode()).fetchone()[1] == "vacuum"
