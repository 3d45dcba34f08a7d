"""`pglore init`: from an empty database to one that is ready, and back."""

import json
import sys

import pytest


@pytest.fixture
def bare(db):
    """The database without catalog and extension."""
    from pglore_migrations import downgrade

    downgrade(db)
    db.execute("DROP EXTENSION pglore")
    return db


def test_init_makes_extension_and_catalog_and_may_be_run_again(pglore, bare):
    for _ in range(2):
        result = pglore("init")
        assert result.exit_code == 0, result.stderr
        assert "Ready" in result.stdout
    assert bare.execute("SELECT lore.create_collection('pages') IS NULL, count(*) FROM lore.models").fetchone()


def test_check_tells_whether_all_is_there_and_changes_nothing(pglore, bare):
    assert pglore("init", "--check").exit_code == 1
    assert bare.execute("SELECT count(*) FROM pg_extension WHERE extname = 'pglore'").fetchone() == (0,)
    pglore("init")
    result = pglore("init", "--check", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["current"] is True


def test_downgrade_asks_removes_the_catalog_and_init_makes_it_anew(loaded, db):
    assert loaded("init", "--downgrade", input="n\n").exit_code == 1
    assert loaded("init", "--downgrade", "--yes").exit_code == 0
    assert loaded("init", "--check").exit_code == 1
    assert loaded("init").exit_code == 0
    assert json.loads(loaded("collections", "--json").stdout) == []


def test_without_alembic_init_says_what_to_install(pglore, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] in ("pglore_migrations", "alembic")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "alembic", None)
    result = pglore("init")
    assert result.exit_code == 1
    assert "pglore[catalog]" in result.stderr


def test_one_who_may_not_make_the_extension_is_told_who_may(pglore, bare, role, dsn):
    result = pglore("init", "--dsn", f"{dsn} user={role()}")
    assert result.exit_code == 1
    assert "superuser" in result.stderr and "CREATE EXTENSION pglore CASCADE" in result.stderr


def test_init_makes_pg_textsearch_where_the_server_has_it_so_that_collections_use_bm25(pglore, bare):
    bare.execute("DROP EXTENSION IF EXISTS pg_textsearch CASCADE")
    available = bare.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_textsearch'").fetchone()
    assert pglore("init").exit_code == 0
    bare.execute("SELECT lore.create_collection('pages')")
    keyword = bare.execute("SELECT keyword FROM lore.collections").fetchone()[0]
    assert keyword == ("bm25" if available else "tsvector")


def test_init_makes_pg_trgm_where_the_server_has_it_so_that_misspelt_words_can_be_mended(pglore, bare):
    available = bare.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'").fetchone()
    assert pglore("init").exit_code == 0
    assert bare.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'").fetchone() == available
