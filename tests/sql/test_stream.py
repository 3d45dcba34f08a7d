"""Streams: rows as tokens come, through a cursor; an abandoned one is a cancelled one."""

import statistics

import psycopg
import pytest

from .test_generate import TALK, one

STREAM = "SELECT (lore.generate_stream('hello', model => 'writer', max_tokens => {})).text"


def active(db):
    return db.execute("SELECT active FROM lore.host_status()").fetchone()[0]


def test_a_cursor_sees_the_first_piece_long_before_the_last(db, writer):
    with db.transaction():
        db.execute("DECLARE pieces CURSOR FOR " + STREAM.format(100000))
        assert db.execute("FETCH 1 FROM pieces").fetchone()[0]
        assert active(db) == 1  # the rest is still being written
    with db.transaction():
        db.execute("DECLARE pieces CURSOR FOR " + STREAM.format(200))
        first = db.execute("FETCH 1 FROM pieces").fetchone()
        rest = db.execute("FETCH ALL FROM pieces").fetchall()
    assert "".join([first[0], *(text for (text,) in rest)]) == one(
        db, "SELECT lore.generate('hello', model => 'writer', max_tokens => 200)"
    )


def test_the_last_row_alone_tells_of_the_whole(db, writer):
    rows = db.execute(
        "SELECT text, finish_reason, completion_tokens, model FROM lore.generate_stream("
        "'hello', model => 'writer', max_tokens => 9)"
    ).fetchall()
    assert [row[1:] for row in rows[:-1]] == [(None, None, None)] * (len(rows) - 1)
    assert rows[-1][1:] == ("length", 9, "writer")
    chat = db.execute("SELECT finish_reason FROM lore.chat_stream(%s, model => 'writer', max_tokens => 9)", [TALK])
    assert chat.fetchall()[-1] == ("length",)


def test_the_session_goes_on_between_two_rows(db, writer):
    with db.transaction():
        db.execute("DECLARE pieces CURSOR FOR " + STREAM.format(300))
        rows = db.execute("FETCH 1 FROM pieces").fetchall()
        assert one(db, "SELECT vector_dims(lore.embed('a text'))") == 384
        assert one(db, "SELECT lore.generate('b', model => 'writer', max_tokens => 2)") is not None
        rows += db.execute("FETCH ALL FROM pieces").fetchall()
    assert "".join(text for (text,) in rows) == one(
        db, "SELECT lore.generate('hello', model => 'writer', max_tokens => 300)"
    )


@pytest.mark.parametrize("end", ["CLOSE pieces", "ROLLBACK", "COMMIT"])
def test_a_closed_cursor_cancels_the_request(db, writer, end, idle):
    db.execute("BEGIN")
    db.execute("DECLARE pieces CURSOR FOR " + STREAM.format(100000))
    db.execute("FETCH 2 FROM pieces")
    assert active(db) == 1
    db.execute(end)
    idle()
    if end.startswith("CLOSE"):
        db.execute("ROLLBACK")
    assert one(db, "SELECT lore.generate('hello', model => 'writer', max_tokens => 3)")


def test_a_limit_cancels_the_request(db, writer, idle):
    assert len(db.execute(STREAM.format(100000) + " LIMIT 3").fetchall()) == 3
    idle()


def test_an_error_in_the_middle_of_a_transaction_cancels_the_request(db, writer, idle):
    db.execute("BEGIN")
    db.execute("DECLARE pieces CURSOR FOR " + STREAM.format(100000))
    db.execute("FETCH 1 FROM pieces")
    with pytest.raises(psycopg.errors.DivisionByZero):
        db.execute("SELECT 1 / 0")
    db.execute("ROLLBACK")
    idle()


def test_a_client_that_goes_away_cancels_the_request(db, writer, connect, idle):
    other = connect()
    other.execute("BEGIN")
    other.execute("DECLARE pieces CURSOR FOR " + STREAM.format(100000))
    other.execute("FETCH 1 FROM pieces")
    other.close()
    idle()


def test_a_cancel_in_mid_stream_is_heard_at_once(writer, connect, cancel, idle):
    other = connect()
    took = [cancel(other, STREAM.format(100000), after_s=0.03 * round) for round in range(10)]
    assert statistics.median(took) < 5  # of minutes; bench/cancel.py measures it
    idle()


def test_several_streams_go_on_side_by_side(db, writer):
    with db.transaction():
        for name in ("a", "b"):
            db.execute(f"DECLARE {name} CURSOR FOR {STREAM.format(60)}")
        texts = {"a": "", "b": ""}
        for _ in range(4):
            for name in texts:
                texts[name] += "".join(text for (text,) in db.execute(f"FETCH 3 FROM {name}").fetchall())
        for name in texts:
            texts[name] += "".join(text for (text,) in db.execute(f"FETCH ALL FROM {name}").fetchall())
    assert texts["a"] == texts["b"] and texts["a"]


def test_a_stream_for_each_row(db, writer):
    rows = db.execute(
        "SELECT p, (lore.generate_stream(p, model => 'writer', max_tokens => 3)).finish_reason "
        "FROM unnest('{a,b}'::text[]) AS p"
    ).fetchall()
    assert [row for row in rows if row[1]] == [("a", "length"), ("b", "length")]


def test_a_host_that_dies_in_mid_stream_is_an_error_and_before_it_none(db, writer, host, fails):
    host.kill()
    assert db.execute(STREAM.format(3)).fetchall()
    db.execute("BEGIN")
    db.execute("DECLARE pieces CURSOR FOR " + STREAM.format(100000))
    db.execute("FETCH 1 FROM pieces")
    host.kill()
    assert fails("FETCH ALL FROM pieces") == "LO301"
    db.execute("ROLLBACK")
    assert db.execute(STREAM.format(3)).fetchall()


def test_copy_writes_a_stream(db, writer):
    with db.cursor().copy(f"COPY ({STREAM.format(20)}) TO STDOUT") as copy:
        assert len([row for row in copy.rows()]) >= 1
