"""Answers in pieces: rows as tokens come, citations numbered as they come, a closed cursor is a stopped model."""

import pytest

PIECES = "SELECT (s.piece).* FROM (SELECT lore.ask_stream('manual', 'What reclaims storage?'{}) AS piece OFFSET 0) AS s"
WRITER = ", model => 'writer', answer_tokens => 80"
ENDLESS = ", model => 'writer', answer_tokens => 100000"


@pytest.fixture
def collection(db):
    """One collection, of the keyword index that is always there."""
    db.execute("SELECT lore.create_collection('manual', keyword => 'tsvector')")
    db.execute("SELECT lore.add('manual', 'vacuum', 'VACUUM reclaims storage occupied by dead tuples.')")
    return "manual"


def test_an_answer_that_is_quoted_is_one_row_and_the_same_as_at_once(db, collection):
    whole = db.execute("SELECT answer, sources, finish_reason FROM lore.ask('manual', 'What reclaims storage?')")
    rows = db.execute(PIECES.format("")).fetchall()
    assert [(row[0], row[1], row[4]) for row in rows] == whole.fetchall()
    assert rows[0][2]["passages"] == 1 and rows[0][3]["total"] > 0


def test_the_first_piece_comes_before_the_last_and_that_one_tells_the_rest(db, collection, writer, idle):
    with db.transaction():
        db.execute("DECLARE pieces CURSOR FOR " + PIECES.format(ENDLESS))
        first = db.execute("FETCH 1 FROM pieces").fetchone()
        assert first[0] and first[1:] == (None, None, None, None)
        assert db.execute("SELECT active FROM lore.host_status()").fetchone() == (1,)  # the rest is still being written
    idle()
    rows = db.execute(PIECES.format(WRITER)).fetchall()
    answer, (_, sources, usage, timings, reason) = "".join(row[0] for row in rows), rows[-1]
    assert reason in ("stop", "length") and timings["generate"] > 0 and usage["completion_tokens"] > 1
    assert all(f"[{source['n']}]" in answer for source in sources)
    assert all(row[4] is None for row in rows[:-1])


@pytest.mark.parametrize("end", ["CLOSE pieces", "ROLLBACK"])
def test_a_closed_cursor_stops_the_model(db, collection, writer, idle, end):
    db.execute("BEGIN")
    db.execute("DECLARE pieces CURSOR FOR " + PIECES.format(ENDLESS))
    db.execute("FETCH 2 FROM pieces")
    db.execute(end)
    idle()


def test_a_question_that_finds_nothing_or_is_null_streams_what_ask_says(db, collection):
    rows = db.execute(PIECES.format(""", filter => '{"absent": 1}'""")).fetchall()
    assert [(row[0], row[1], row[4]) for row in rows] == [
        ('Nothing found in collection "manual" for this question.', [], "no_answer")
    ]
    assert db.execute("SELECT lore.ask_stream('manual', NULL)").fetchall() == []


def test_errors_of_a_stream_are_those_of_ask(db, collection, fails):
    refused = {
        ", k => 0": "LO103", ", model => 'absent'": "LO201", ", template => 'absent'": "LO103",
        """, history => '{"role": "user"}'""": "LO103", ", language => 'x\ny'": "LO103", ", max_tokens => 0": "LO103",
    }  # fmt: skip
    assert {given: fails(PIECES.format(given)) for given in refused} == refused
