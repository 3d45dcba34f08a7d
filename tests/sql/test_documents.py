"""Documents of a collection, read as they were added."""

import pytest

DOCUMENTS = "SELECT key, content, metadata FROM lore.documents"


@pytest.fixture
def notes(db):
    """A collection of three documents, one of them in pieces."""
    db.execute("SELECT lore.create_collection('notes', chunk_size => 16, chunk_overlap => 0)")
    long = "One sentence stands here. Another one follows it. A third one ends it. " * 3
    contents = ["It's \\ 100 % \u00e9 \U0001d11e.", long, "Cats sleep."]
    db.execute("SELECT lore.add_many('notes', '{b,a,it''s}', %s, %s)", [contents, ['{"n": 1}', "{}", "{}"]])
    return contents


def test_documents_come_whole_in_the_order_of_their_keys(db, notes):
    assert db.execute(f"{DOCUMENTS}('notes')").fetchall() == [
        ("a", notes[1], {}),
        ("b", notes[0], {"n": 1}),
        ("it's", notes[2], {}),
    ]
    found = db.execute(f"{DOCUMENTS}('notes', %s)", [["it's", "none", "b", None, "b", "'; DROP TABLE x; --"]])
    assert [row[0] for row in found.fetchall()] == ["b", "it's"]
    assert db.execute(f"{DOCUMENTS}('notes', '{{}}')").fetchall() == []
    added, updated = db.execute("SELECT added_at, updated_at FROM lore.documents('notes', '{a}')").fetchone()
    assert added <= updated


def test_a_collection_that_is_not_there_has_no_documents(notes, fails):
    assert fails(f"{DOCUMENTS}('nothing')") == "LO203"
    assert fails(f"{DOCUMENTS}('no name; at all')") == "LO103"


def test_row_security_hides_documents(db, notes, role, connect):
    reader = role("lore_reader")
    db.execute("ALTER TABLE lore_data.notes_documents ENABLE ROW LEVEL SECURITY")
    db.execute("CREATE POLICY one ON lore_data.notes_documents USING (key = 'b')")
    assert [row[0] for row in connect(user=reader).execute(f"{DOCUMENTS}('notes')").fetchall()] == ["b"]
