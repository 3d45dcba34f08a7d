"""Documents in and out: what is counted, what is embedded again, what is refused."""

import threading

import psycopg
import pytest


@pytest.fixture
def notes(db):
    db.execute("SELECT lore.create_collection('notes')")
    return "notes"


def add(db, key, content, metadata="{}"):
    return db.execute("SELECT lore.add('notes', %s, %s, %s)", [key, content, metadata]).fetchone()[0]


def add_many(db, keys, contents, metadata=None):
    statement = "SELECT * FROM lore.add_many('notes', %s::text[], %s::text[], %s::jsonb[])"
    return db.execute(statement, [keys, contents, metadata]).fetchone()


def vectors(db):
    return db.execute("SELECT id, xmin::text FROM lore_data.notes_chunks ORDER BY id").fetchall()


def test_a_document_is_added_then_unchanged_then_updated(db, notes):
    assert [add(db, "k", text) for text in ("one text", "one text", "another text", "one text")] == [
        "added", "unchanged", "updated", "updated",
    ]  # fmt: skip
    assert db.execute("SELECT content FROM lore_data.notes_chunks").fetchall() == [("one text",)]


def test_metadata_that_is_not_embedded_changes_without_a_new_vector(db, notes):
    add(db, "k", "text", '{"year": 1}')
    before = vectors(db)
    assert add(db, "k", "text", '{"year": 2}') == "updated"
    assert vectors(db) == before
    assert db.execute("SELECT metadata FROM lore_data.notes_documents").fetchone() == ({"year": 2},)
    assert add(db, "k", "text", '{"year": 2, "title": "T"}') == "updated"
    assert vectors(db) != before


def test_unchanged_documents_do_not_reach_the_model(db, notes, host):
    add_many(db, ["a", "b"], ["text a", "text b"])
    before = db.execute("SELECT count(*) FROM lore_data.notes_chunks").fetchone()
    assert add_many(db, ["a", "b"], ["text a", "text b"]) == (0, 0, 2, 0, 0)
    assert db.execute("SELECT count(*) FROM lore_data.notes_chunks").fetchone() == before


def test_many_are_counted_and_of_two_with_one_key_the_later_counts(db, notes):
    add(db, "a", "text a")
    assert add_many(db, ["a", "b", "c", "c"], ["text a", "text b", "first", "second"])[:4] == (2, 0, 1, 2)
    assert db.execute("SELECT content FROM lore_data.notes_documents WHERE key = 'c'").fetchone() == ("second",)
    assert add_many(db, [], []) == (0, 0, 0, 0, 0)


def test_null_metadata_is_an_empty_object(db, notes):
    add_many(db, ["a", "b"], ["text", "text"], [None, '{"x": 1}'])
    add(db, "c", "text", None)
    rows = db.execute("SELECT key, metadata FROM lore_data.notes_documents").fetchall()
    assert dict(rows) == {"a": {}, "b": {"x": 1}, "c": {}}


def test_a_document_that_cannot_be_is_refused_with_all_of_its_batch(db, notes, fails):
    refused = [
        (None, "text", "{}", "LO103"),
        ("", "text", "{}", "LO103"),
        ("k" * 2001, "text", "{}", "LO103"),
        ("k", None, "{}", "LO101"),
        ("k", "", "{}", "LO101"),
        ("k", " \n\t ", "{}", "LO101"),
        ("k", "ab" * 4_000_001, "{}", "LO102"),
        ("k", "text", "[]", "LO103"),
        ("k", "text", '"text"', "LO103"),
    ]
    many = "SELECT lore.add_many('notes', ARRAY['good', %s], ARRAY['good', %s], ARRAY[NULL, %s]::jsonb[])"
    for key, content, metadata, code in refused:
        assert fails("SELECT lore.add('notes', %s, %s, %s)", [key, content, metadata]) == code
        assert fails(many, [key, content, metadata]) == code
    assert db.execute("SELECT documents FROM lore.collections").fetchone() == (0,)


def test_arrays_of_unequal_length_are_refused(db, notes, fails):
    arrays = ["'{a,b}', '{x}'", "'{a}', '{x}', '{NULL,NULL}'", "NULL, '{x}'", "'{a}', NULL", "'{{a},{b}}', '{{x},{y}}'"]
    assert [fails(f"SELECT lore.add_many('notes', {arguments})") for arguments in arrays] == ["LO103"] * 5


def test_removing_tells_how_many_were_there(db, notes):
    add_many(db, ["a", "b", "c"], ["x", "y", "z"])
    assert db.execute("SELECT lore.remove('notes', 'a')").fetchone() == (True,)
    assert db.execute("SELECT lore.remove('notes', key => 'a')").fetchone() == (False,)
    assert db.execute("SELECT lore.remove('notes', keys => ARRAY['a', 'b', NULL, 'c', 'c'])").fetchone() == (2,)
    assert db.execute("SELECT count(*) FROM lore_data.notes_chunks").fetchone() == (0,)


def test_a_chunk_says_where_it_stands_and_what_is_embedded_fits_the_window(db, notes):
    text = "# Head\n\n" + "\n\n".join(
        f"## Part {i}\n\n" + "The quick brown fox jumps over the lazy dog. " * 20 for i in range(8)
    )
    notices = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    add(db, "k", text, '{"title": "%s"}' % ("A long title of this document. " * 20))
    rows = db.execute(
        "SELECT content, substr(%s, lower(span) + 1, upper(span) - lower(span)), tokens, heading "
        "FROM lore_data.notes_chunks",
        [text],
    ).fetchall()
    assert len(rows) > 4
    assert all(content == found for content, found, _, _ in rows)
    assert all(heading.startswith("Head") for *_, heading in rows)
    assert not [notice for notice in notices if "window" in notice and "read" in notice]  # none was read in windows
    assert any("shortened" in notice for notice in notices)


def test_two_sessions_that_add_the_same_keys_neither_deadlock_nor_lose_an_update(db, notes, connect):
    keys = [f"key {i}" for i in range(12)]
    errors = []

    def work(number):
        connection = connect()
        try:
            for turn in range(4):
                order = keys if (number + turn) % 2 else keys[::-1]
                statement = "SELECT lore.add_many('notes', %s, %s)"
                connection.execute(statement, [order, [f"{key} by {number} in turn {turn}" for key in order]])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    rows = db.execute(
        "SELECT d.content, c.content, count(*) OVER (PARTITION BY d.id) FROM lore_data.notes_documents AS d "
        "JOIN lore_data.notes_chunks AS c ON c.document_id = d.id"
    ).fetchall()
    assert len(rows) == len(keys)
    assert all(document == chunk and count == 1 for document, chunk, count in rows)


def test_an_add_that_waited_for_another_sees_what_it_left(db, notes, connect):
    first, second = connect(), connect()
    first.execute("BEGIN")
    first.execute("SELECT lore.add('notes', 'k', 'from the first')")
    done = []
    thread = threading.Thread(
        target=lambda: done.append(second.execute("SELECT lore.add('notes', 'k', 'from the second')").fetchone())
    )
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    first.execute("COMMIT")
    thread.join()
    assert done == [("updated",)]
    assert db.execute("SELECT content FROM lore_data.notes_chunks").fetchall() == [("from the second",)]


def test_a_document_over_the_limit_is_refused_by_name(db, notes):
    with pytest.raises(psycopg.Error, match='document "huge" has 4000001 characters') as caught:
        add(db, "huge", "a" * 4_000_001)
    assert (caught.value.sqlstate, caught.value.diag.message_hint) == ("LO102", "Add it as several documents.")
    assert vectors(db) == []


def test_plain_text_is_cut_by_a_collection_as_by_chunk(db, notes):
    text = "The quick brown fox jumps over the lazy dog. " * 200
    add(db, "fox", text)
    chunked = db.execute("SELECT span FROM lore.chunk(%s) ORDER BY ordinal", [text]).fetchall()
    assert len(chunked) > 1
    assert db.execute("SELECT span FROM lore_data.notes_chunks ORDER BY ordinal").fetchall() == chunked
