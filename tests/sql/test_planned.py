"""A search's statement is planned once in a session: what its plan may not bring along, and not outlive."""

import pytest

SEARCH = "SELECT key FROM lore.search('manual', %s, mode => %s, k => 3) ORDER BY rank"
QUERY = "does a backup block writers?"


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_a_search_gives_the_same_again_and_again(db, manual, mode):
    rows = [db.execute(SEARCH, [QUERY, mode]).fetchall() for _ in range(12)]  # past the five that the server plans anew
    assert rows[0] and rows == [rows[0]] * 12


def test_a_collection_of_the_same_name_made_anew_is_searched_anew(db, manual):
    assert ("backup",) in db.execute(SEARCH, [QUERY, "hybrid"]).fetchall()
    keyword = db.execute("SELECT keyword FROM lore_data.collections").fetchone()[0]
    db.execute("SELECT lore.drop_collection('manual')")
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    db.execute("SELECT lore.add('manual', 'other', 'Backups are made at night.')")
    assert db.execute(SEARCH, [QUERY, "hybrid"]).fetchall() == [("other",)]


def test_rows_that_come_and_go_are_seen(db, manual):
    for mode in ("hybrid", "vector", "keyword"):
        db.execute(SEARCH, [QUERY, mode])
    db.execute("SELECT lore.add('manual', 'new', 'Does a backup block writers? No backup blocks writers.')")
    for mode in ("hybrid", "vector", "keyword"):
        assert ("new",) in db.execute(SEARCH, [QUERY, mode]).fetchall()
    db.execute("SELECT lore.remove('manual', 'new')")
    for mode in ("hybrid", "vector", "keyword"):
        assert ("new",) not in db.execute(SEARCH, [QUERY, mode]).fetchall()


def test_row_security_holds_for_a_role_that_takes_over_the_session(db, manual, role, connect):
    first, second = role("lore_reader"), role("lore_reader")
    session = connect()
    session.execute(f"SET ROLE {first}")
    assert ("backup",) in session.execute(SEARCH, [QUERY, "hybrid"]).fetchall()
    db.execute("ALTER TABLE lore_data.manual_documents ENABLE ROW LEVEL SECURITY")
    db.execute(
        "CREATE POLICY visible ON lore_data.manual_documents "
        f"FOR SELECT USING (key <> 'backup' OR current_user = '{first}')"
    )
    assert ("backup",) in session.execute(SEARCH, [QUERY, "hybrid"]).fetchall()
    for mode in ("hybrid", "vector", "keyword"):
        session.execute(f"RESET ROLE; SET ROLE {second}")
        assert ("backup",) not in session.execute(SEARCH, [QUERY, mode]).fetchall()
        session.execute(f"RESET ROLE; SET ROLE {first}")
        assert ("backup",) in session.execute(SEARCH, [QUERY, mode]).fetchall()


def test_a_right_that_is_taken_away_is_missed_by_the_next_search(db, manual, role, connect, fails):
    name = role("lore_reader")
    reader = connect(user=name)
    assert reader.execute(SEARCH, [QUERY, "hybrid"]).fetchall()
    db.execute("REVOKE SELECT ON lore_data.manual_chunks FROM lore_reader")
    assert fails("SELECT lore.search('manual', 'backup')", on=reader) == "42501"


def test_a_statement_planted_under_a_name_is_run_for_nobody_else(db, manual, role, connect):
    """Whoever may call the inner function can name a plan as a search would: it is run with that role's rights."""
    mallory = role("lore_reader")
    session = connect()
    run = "SELECT (lore._run_planned('n', %s, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)).hits"
    session.execute(f"SET ROLE {mallory}")
    planted = ["SELECT 'planted by ' || current_user AS hits"]
    assert session.execute(run, planted).fetchone() == (f"planted by {mallory}",)
    assert session.execute(run, [None]).fetchone() == (f"planted by {mallory}",)
    session.execute("RESET ROLE")
    assert session.execute(run, [None]).fetchone() == (None,)


def test_what_the_statement_raises_is_raised_with_its_code_and_hint(db, manual, fails):
    assert [fails("SELECT lore.search('manual', 'backup', rerank => 'absent')") for _ in range(2)] == ["LO201"] * 2
