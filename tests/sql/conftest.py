"""Collections for the tests of storing, searching and answering."""

import psycopg
import pytest

TEXTS = {
    "vacuum": "VACUUM reclaims storage occupied by dead tuples. "
    "VACUUM FULL rewrites the whole table and needs an exclusive lock.",
    "index": "A B-tree index speeds up equality and range queries. CREATE INDEX CONCURRENTLY does not block writes.",
    "backup": "pg_dump makes a consistent backup of a database. It does not block readers or writers.",
    "role": "A role can own database objects. CREATE ROLE adds a role; GRANT gives it membership in another.",
    "wal": "The write-ahead log records every change before it reaches the data files. "
    "It makes crash recovery possible.",
    "cats": "Cats sleep for most of the day. They purr when they are content.",
}


@pytest.fixture(params=["tsvector", "bm25"])
def keyword(request, db):
    """Each kind of keyword index in turn; bm25 where pg_textsearch can be had."""
    if request.param == "bm25":
        use_textsearch(db)
    return request.param


def use_textsearch(db):
    """Install pg_textsearch in the test's database, or skip the test."""
    try:
        db.execute("SET client_min_messages = error; CREATE EXTENSION pg_textsearch; RESET client_min_messages")
    except psycopg.Error as error:
        pytest.skip(f"pg_textsearch cannot be had: {error}")


@pytest.fixture
def manual(db, keyword):
    """The name of a collection of six small documents with a number each, with each kind of keyword index in turn."""
    db.execute("SELECT lore.create_collection('manual', keyword => %s)", [keyword])
    db.execute(
        "SELECT lore.add_many('manual', %s, %s, "
        "ARRAY(SELECT jsonb_build_object('n', i) FROM generate_series(1, 6) AS i))",
        [list(TEXTS), list(TEXTS.values())],
    )
    return "manual"


@pytest.fixture
def fails(db):
    """A function that runs a statement that must fail, and returns its SQLSTATE; there is a hint, and no traceback."""

    def run(statement, parameters=None, on=None):
        with pytest.raises(psycopg.Error) as caught:
            (on or db).execute(statement, parameters)
        error = caught.value.diag
        if error.sqlstate.startswith("LO"):
            assert error.message_hint
        assert "Traceback" not in str(caught.value) + (error.context or "")
        return error.sqlstate

    return run
