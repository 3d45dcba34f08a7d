"""The catalog's revisions: what they make is what is written down, and they come and go without a trace."""

import json
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from pglore_migrations import SCHEMA, check, downgrade, upgrade

SNAPSHOT = Path(__file__).parent / "catalog.json"

COLUMNS = """
    SELECT c.relname || '.' || a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                     CASE WHEN a.attcollation NOT IN (0, 100) THEN 'COLLATE ' || a.attcollation::regcollation END,
                     'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), nullif(a.attidentity, ''))
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'lore_data'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"""
CONSTRAINTS = """
    SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'lore_data'::regnamespace AND contype <> 'n'"""
TABLES = """
    SELECT c.relname, concat_ws(' ', c.relkind, c.relpersistence, 'owner', pg_get_userbyid(c.relowner), 'rights',
           (SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(c.relacl) AS x), obj_description(c.oid))
    FROM pg_class AS c WHERE c.relnamespace = 'lore_data'::regnamespace
    UNION ALL
    SELECT 'schema ' || nspname, concat_ws(' ', 'owner', pg_get_userbyid(nspowner), 'rights',
           (SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(nspacl) AS x))
    FROM pg_namespace WHERE nspname = 'lore_data'"""


def catalog(db):
    """Everything in schema lore_data: columns, constraints, owners and rights."""
    parts = {"columns": COLUMNS, "constraints": CONSTRAINTS, "tables": TABLES}
    return {part: dict(sorted(db.execute(query).fetchall())) for part, query in parts.items()}


def test_the_revisions_make_the_catalog_that_is_written_down(db):
    assert catalog(db) == json.loads(SNAPSHOT.read_text())


def test_the_revision_that_the_extension_expects_is_the_newest(db):
    expected, found = db.execute(
        "SELECT lore._catalog_revision(), version_num FROM lore_data.alembic_version"
    ).fetchone()
    assert expected == found


def test_upgrading_again_changes_nothing(db):
    before = catalog(db)
    upgrade(db)
    assert catalog(db) == before


def test_downgrade_and_upgrade_give_the_same_catalog(db):
    before = catalog(db)
    downgrade(db)
    assert db.execute("SELECT to_regnamespace('lore_data')").fetchone() == (None,)
    upgrade(db)
    assert catalog(db) == before


def test_check_tells_whether_the_catalog_is_there(db, dsn):
    assert check(db)
    assert check(dsn)
    downgrade(db)
    assert not check(db)


def test_downgrade_removes_every_collection_and_names_them(db):
    db.execute("SELECT lore.create_collection('a'), lore.create_collection('b.c'), lore.add('a', 'k', 'text')")
    assert downgrade(db) == ["a", "b.c"]
    upgrade(db)
    assert db.execute("TABLE lore.collections").fetchall() == []


def test_the_revision_of_vocabularies_goes_back_and_forth(db):
    db.execute("CREATE EXTENSION pg_trgm")
    db.execute("SELECT lore.create_collection('a', keyword => 'tsvector'), lore.add('a', 'k', 'text')")
    db.execute("SELECT * FROM lore.maintain()")
    before = catalog(db)
    assert "a_words.word" in before["columns"]
    downgrade(db, "0003")
    assert db.execute("SELECT to_regclass('lore_data.a_words'), to_regclass('lore_data.vocabularies')").fetchone() == (
        None,
        None,
    )
    upgrade(db)
    db.execute("SELECT * FROM lore.maintain()")
    assert catalog(db) == before


def test_upgrade_is_part_of_the_callers_transaction(db, dsn):
    downgrade(db)
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        connection.execute("SELECT 1")  # opens a transaction
        upgrade(connection)
        connection.rollback()
        assert not check(connection)
    upgrade(dsn)
    assert check(db)


def test_without_the_extension_upgrade_says_what_to_do(db):
    downgrade(db)
    db.execute("DROP EXTENSION pglore")
    with pytest.raises(RuntimeError, match="CREATE EXTENSION pglore"):
        upgrade(db)
    assert db.execute("SELECT to_regnamespace(%s)", [SCHEMA]).fetchone() == (None,)


def test_the_extension_can_be_made_anew_without_touching_what_is_stored(db):
    db.execute("SELECT lore.create_collection('kept'), lore.add('kept', 'k', 'kept text')")
    db.execute("DROP EXTENSION pglore")
    db.execute("CREATE EXTENSION pglore")
    assert db.execute("SELECT key FROM lore.search('kept', 'text')").fetchall() == [("k",)]
