"""Who may do what: nobody by default, then reader, writer, admin. And what a caller cannot get at by any of them."""

import pytest

READS = [
    "SELECT * FROM lore.search('manual', 'storage')",
    "SELECT lore.search_sql('manual', 'storage')",
    "SELECT * FROM lore.keyword_scores('manual', 'storage')",
    "SELECT * FROM lore.context('manual', 'storage')",
    "SELECT * FROM lore.ask('manual', 'What does VACUUM reclaim?')",
    "SELECT lore.ask_stream('manual', 'What does VACUUM reclaim?')",
    "SELECT * FROM lore.documents('manual')",
    "TABLE lore.templates",
    "TABLE lore.collections",
    "SELECT * FROM lore.doctor()",
    "TABLE lore_data.manual_documents",
    "SELECT id FROM lore_data.manual_chunks",
]
WRITES = [
    "SELECT lore.add('manual', 'new', 'A new text.')",
    "SELECT lore.add_many('manual', '{new}', ARRAY['A newer text.'])",
    "SELECT lore.set_template('brief', '{sources} {question}')",
    "SELECT lore.drop_template('brief')",
    "SELECT lore.remove('manual', 'new')",
    "SELECT lore.remove('manual', ARRAY['new'])",
    "DELETE FROM lore_data.manual_documents WHERE key = 'absent'",
]
ADMINISTERS = [
    "SELECT lore.create_collection('another')",
    "SELECT lore.create_collection('bm', keyword => 'tsvector')",
    "SELECT lore.drop_collection('another')",
    "DROP TABLE lore_data.manual_chunks",
]
REFUSED = "42501"


def test_a_role_without_rights_can_do_nothing(manual, role, connect, fails):
    nobody = connect(user=role())
    assert {fails(statement, on=nobody) for statement in READS + WRITES + ADMINISTERS} == {REFUSED}


def test_a_reader_can_search_and_ask_and_cannot_add(manual, role, connect, fails):
    reader = connect(user=role("lore_reader"))
    for statement in READS:
        assert reader.execute(statement).fetchall()
    assert {fails(statement, on=reader) for statement in WRITES + ADMINISTERS} == {REFUSED}


def test_a_writer_can_add_and_cannot_create(db, manual, role, connect, fails):
    writer = connect(user=role("lore_writer"))
    for statement in READS + WRITES:
        writer.execute(statement)
    assert {fails(statement, on=writer) for statement in ADMINISTERS} == {REFUSED}


def test_an_admin_can_create_and_drop(manual, role, connect):
    admin = connect(user=role("lore_admin"))
    for statement in READS + WRITES + ADMINISTERS:
        admin.execute(statement)


def test_what_an_admin_makes_belongs_to_the_group_and_others_can_use_it(db, role, connect):
    first, second, writer = role("lore_admin"), role("lore_admin"), role("lore_writer")
    connect(user=first).execute("SELECT lore.create_collection('shared')")
    connect(user=writer).execute("SELECT lore.add('shared', 'k', 'text')")
    assert connect(user=second).execute("SELECT lore.drop_collection('shared')").fetchone() == (True,)


def test_a_collection_that_is_closed_to_a_reader_leaves_the_others_in_the_list(db, manual, role, connect, fails):
    db.execute("SELECT lore.create_collection('closed')")
    db.execute("REVOKE SELECT ON lore_data.closed_documents, lore_data.closed_chunks FROM lore_reader")
    reader = connect(user=role("lore_reader"))
    listed = dict(reader.execute("SELECT name, documents FROM lore.collections").fetchall())
    assert listed["closed"] is None and listed["manual"] > 0
    assert fails("SELECT * FROM lore.search('closed', 'pump')", on=reader) == "42501"
    assert not [row for row in reader.execute("SELECT finding FROM lore.doctor()").fetchall() if "closed" in row[0]]
    db.execute("SELECT lore.add('closed', 'k', 'a secret word'), lore._build_vocabulary('closed')")
    assert reader.execute("SELECT word FROM lore_data.closed_words").fetchall() == []


def test_row_security_on_documents_hides_them_from_a_search(db, manual, role, connect):
    name = role("lore_reader")
    db.execute("ALTER TABLE lore_data.manual_documents ENABLE ROW LEVEL SECURITY")
    db.execute("CREATE POLICY visible ON lore_data.manual_documents FOR SELECT TO lore_reader USING (key <> 'vacuum')")
    rows = connect(user=name).execute("SELECT key FROM lore.search('manual', 'reclaim storage', k => 10)").fetchall()
    assert len(rows) == 5 and ("vacuum",) not in rows


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_row_security_that_hides_what_fits_best_leaves_k_rows(db, keyword, role, connect, mode):
    db.execute("SELECT lore.create_collection('notes', keyword => %s)", [keyword])
    db.execute(
        "SELECT lore.add_many('notes', array_agg('n' || i), array_agg(CASE WHEN i <= 230 THEN 'Pumps.' "
        "ELSE 'Of all the things in this cellar, pumps are the smallest.' END)) FROM generate_series(1, 240) AS i"
    )
    db.execute("ALTER TABLE lore_data.notes_documents ENABLE ROW LEVEL SECURITY")
    db.execute("CREATE POLICY last ON lore_data.notes_documents FOR SELECT TO lore_reader USING (id > 230)")
    reader = connect(user=role("lore_reader"))
    found = reader.execute("SELECT count(*) FROM lore.search('notes', 'pumps', mode => %s)", [mode])
    assert found.fetchone() == (10,)


def test_row_security_on_the_chunks_too_hides_them_from_every_function(db, manual, role, connect):
    reader = connect(user=role("lore_reader"))
    for table, shown in (
        ("documents", "key = 'cats'"),
        ("chunks", "EXISTS (SELECT FROM lore_data.manual_documents AS d WHERE d.id = document_id)"),
    ):
        db.execute(f"ALTER TABLE lore_data.manual_{table} ENABLE ROW LEVEL SECURITY")
        db.execute(f"CREATE POLICY own ON lore_data.manual_{table} USING ({shown})".encode())
    assert reader.execute("SELECT count(*) FROM lore_data.manual_chunks").fetchone() == (1,)
    for call in (
        "lore.keyword_scores('manual', 'reclaim storage cats')", "lore.search('manual', 'reclaim storage')",
        "lore.search('manual', 'storage cats', mode => 'keyword')",
        "lore.search_all('{manual}', 'storage', diversity => 1)",
    ):  # fmt: skip
        assert reader.execute(f"SELECT count(*) FROM {call}").fetchone() == (1,), call


@pytest.mark.parametrize(
    "function", ["lore.search", "lore.ask", "lore.add_many", "lore.remove", "lore.create_collection"]
)
def test_functions_run_with_the_callers_rights(db, function):
    assert db.execute(
        "SELECT bool_or(prosecdef) FROM pg_proc WHERE oid::regproc::text = %s", [function]
    ).fetchone() == (False,)


def test_a_function_in_the_way_of_the_search_path_is_not_called(db, manual, role, connect):
    reader = connect(user=role("lore_reader"))
    reader.execute("CREATE FUNCTION pg_temp.lower(int4range) RETURNS integer LANGUAGE sql AS 'SELECT 1/0'")
    reader.execute("CREATE FUNCTION pg_temp.length(text) RETURNS integer LANGUAGE sql AS 'SELECT 1/0'")
    reader.execute("SET search_path = pg_temp, pg_catalog")
    assert reader.execute("SELECT answer FROM lore.ask('manual', 'What does VACUUM reclaim?')").fetchone()
