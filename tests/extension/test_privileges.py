"""Privileges: a role without lore_reader can do nothing, a reader can call, and nobody sees more by calling."""

import psycopg
import pytest

CALLS = [
    "SELECT lore.embed('abc')",
    "SELECT lore.embed(ARRAY['abc'])",
    "SELECT lore.tokens('abc')",
    "SELECT lore.similarity('abc', 'abd')",
    "SELECT * FROM lore.rerank('a', ARRAY['a', 'b'])",
    "SELECT * FROM lore.chunk('abc')",
    "SELECT lore.prompt('a', ARRAY['b'])",
    "SELECT * FROM lore.models",
    "SELECT * FROM lore.host_status()",
    "SELECT lore.host_start()",
]


@pytest.mark.parametrize("call", CALLS)
def test_a_role_without_privileges_cannot_call(connect, role, call):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect(user=role()).execute(call)


def test_a_reader_can_call(connect, role):
    reader = connect(user=role("lore_reader"))
    for call in CALLS:
        assert reader.execute(call).fetchone() is not None


def test_the_inner_functions_are_closed_to_a_role_without_privileges(connect, role):
    nobody = connect(user=role())
    for call in (
        "SELECT lore._host('status', '{}')",
        "SELECT lore._load()",
        "SELECT lore._embed(ARRAY['a'], NULL, NULL, NULL, NULL)",
        "SELECT lore._raise('LO101', 'x')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            nobody.execute(call)


def test_writers_are_readers_and_admins_are_writers(db):
    has = "SELECT pg_has_role('lore_writer', 'lore_reader', 'USAGE'), pg_has_role('lore_admin', 'lore_writer', 'USAGE')"
    assert db.execute(has).fetchone() == (True, True)
    assert db.execute("SELECT bool_or(rolcanlogin) FROM pg_roles WHERE rolname LIKE 'lore\\_%'").fetchone() == (False,)


def test_set_role_in_a_session_leaves_nothing_of_the_first_user(db, connect, role):
    """The module kept in the session holds a connection, no rows: what one role embedded the other cannot see."""
    first, second = role("lore_reader"), role()
    session = connect()
    session.execute(f"SET ROLE {first}")
    session.execute("SELECT lore.embed('the secret of the first role')")
    session.execute(f"RESET ROLE; SET ROLE {second}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT lore.embed('anything')")


def test_a_role_with_objects_named_like_ours_changes_nothing(db, connect, role):
    """search_path is pinned: a function of the caller's own that shadows a built-in is not run."""
    name = role("lore_reader")
    db.execute(f"CREATE SCHEMA own AUTHORIZATION {name}")
    reader = connect(user=name)
    reader.execute("SET search_path = own, pg_catalog, public")
    reader.execute(
        "CREATE FUNCTION own.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT 'taken' $$"
    )
    assert "taken" not in reader.execute("SELECT lore.prompt('q', ARRAY['s'])").fetchone()[0]


HOSTILE = [
    "SELECT lore._embed(NULL, NULL, NULL, NULL, NULL)",
    "SELECT lore._embed(ARRAY[['a', 'b'], ['c', 'd']], NULL, NULL, NULL, NULL)",
    "SELECT lore._host(NULL, NULL)",
    "SELECT lore._host('embed', NULL)",
    "SELECT lore._host(NULL, '{}')",
]


@pytest.mark.parametrize("call", HOSTILE)
def test_the_inner_functions_give_errors_as_data_whatever_they_are_given(db, call):
    reply = db.execute(call.replace("SELECT ", "SELECT * FROM ")).fetchone()
    assert "Traceback" not in str(reply)
    assert db.execute("SELECT lore.tokens('two words')").fetchone() == (2,)
