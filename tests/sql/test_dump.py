"""A dump restored into a new database gives the same search results; a restart of the server loses nothing."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from .conftest import TEXTS, use_textsearch

ROOT = Path(__file__).resolve().parents[2]
RESULT = (
    "SELECT rank, key, chunk_id, content, round(score::numeric, 6), round(vector_score::numeric, 6), "
    "round(keyword_score::numeric, 3) "
    "FROM lore.search('manual', 'reclaim storage of a database', k => 6)"
)


@pytest.fixture
def other(db):
    """The name of another, empty database."""
    name = f"pglore_restored_{os.getpid()}"
    db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield name
    db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.parametrize("style", ["plain", "custom"])
def test_a_dump_restored_into_a_new_database_gives_the_same_results(db, manual, dsn, other, pg_bin, tmp_path, style):
    db.execute(
        "SELECT lore.add('manual', 'changed', 'First text.'), lore.add('manual', 'changed', 'A text that was changed.')"
    )
    db.execute("SELECT lore.set_template('brief', '{sources} {question}', collection => 'manual')")
    expected = db.execute(RESULT).fetchall()
    file = tmp_path / "dump"
    restored = psycopg.conninfo.make_conninfo(dsn, dbname=other)
    subprocess.run([pg_bin / "pg_dump", "-F", style, "-f", file, "-d", dsn], check=True)
    if style == "plain":
        text = file.read_text()
        assert "CREATE EXTENSION IF NOT EXISTS pglore" in text and "CREATE FUNCTION lore." not in text
        with psycopg.connect(restored, autocommit=True) as connection:
            connection.execute("SET client_min_messages = error")
        load = [pg_bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, "-d", restored]
    else:
        load = [pg_bin / "pg_restore", "--exit-on-error", "-j", "2", "-d", restored, file]
    if load[0].name == "psql" and subprocess.run([load[0], "--version"], capture_output=True).returncode:
        load[0] = "psql"
    subprocess.run(load, check=True, stdout=subprocess.DEVNULL)
    with psycopg.connect(restored, autocommit=True) as connection:
        found = connection.execute(RESULT).fetchall()
        assert [row[:4] for row in found] == [row[:4] for row in expected]
        if "tsvector" in str(connection.execute("SELECT keyword FROM lore.collections").fetchone()):
            assert found == expected
        assert connection.execute("SELECT lore.add('manual', 'new', 'Kittens purr.')").fetchone() == ("added",)
        assert connection.execute(
            "SELECT lore.add('manual', 'vacuum', %s, '{\"n\": 1}')", [TEXTS["vacuum"]]
        ).fetchone() == ("unchanged",)
        assert connection.execute("SELECT key FROM lore.search('manual', 'kittens', mode => 'keyword')").fetchall() == [
            ("new",)
        ]
        owners = connection.execute(
            "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'lore_data'::regnamespace"
        )
        assert owners.fetchall() == [("lore_admin",)]


def test_an_index_that_is_not_in_order_is_built_anew_by_whoever_comes_first(db, role, connect, fails):
    use_textsearch(db)
    db.execute("SELECT lore.create_collection('manual')")
    db.execute("SELECT lore.add_many('manual', %s, %s)", [list(TEXTS), list(TEXTS.values())])
    expected = db.execute(RESULT).fetchall()
    for state in (
        "DELETE FROM lore_data.keyword_indexes",
        "DROP INDEX lore_data.keyword_1; DELETE FROM lore_data.keyword_indexes",
    ):
        db.execute(state)
        reader = connect(user=role("lore_reader"))
        assert fails("BEGIN READ ONLY; SELECT lore.search('manual', 'storage')", on=reader) == "25006"
        reader.execute("ROLLBACK")
        assert [row[1] for row in reader.execute(RESULT).fetchall()] == [row[1] for row in expected]
        assert db.execute("SELECT count(*) FROM lore_data.keyword_indexes").fetchone() == (1,)


@pytest.fixture
def cluster():
    """A server of this test alone that can be stopped and started: a function that (re)starts it and gives its DSN."""
    name = f"restart-{os.getpid()}"
    script = ROOT / "dev" / "server.sh"

    def start():
        run = subprocess.run([script, "start", name], stdout=subprocess.PIPE, text=True)
        if run.returncode:
            pytest.skip("no local server can be made here")
        return run.stdout.splitlines()[-1]

    def stop():
        subprocess.run([script, "stop", name], check=True)

    start.stop = stop
    yield start
    subprocess.run([script, "remove", name], check=True)


def test_after_a_restart_and_after_a_crash_searches_and_writes_go_on(cluster):
    dsn = cluster()
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("SET client_min_messages = error")
        db.execute("CREATE EXTENSION pglore CASCADE")
        use_textsearch(db)
        from pglore_migrations import upgrade

        upgrade(db)
        for kind in ("bm25", "tsvector"):
            db.execute("SELECT lore.create_collection(%s, keyword => %s)", [kind, kind])
            db.execute("SELECT lore.add_many(%s, %s, %s)", [kind, list(TEXTS), list(TEXTS.values())])
        folder = Path(db.execute("SHOW data_directory").fetchone()[0])
    for turn, end in enumerate(("stop", "crash", "crash")):
        if end == "stop":
            cluster.stop()
        else:
            pid = int((folder / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGQUIT)  # an immediate shutdown: no checkpoint, recovery at the next start
            deadline = time.monotonic() + 60
            while Path(f"/proc/{pid}").exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
        with psycopg.connect(cluster(), autocommit=True) as db:
            for kind in ("bm25", "tsvector"):
                search = "SELECT key FROM lore.search(%s, %s, mode => 'keyword')"
                if turn != 1:  # once the write comes first
                    assert db.execute(search, [kind, "purr"]).fetchone() == ("cats",)
                db.execute("SELECT lore.add(%s, %s, %s)", [kind, f"turn {turn}", f"Fish number {turn} swim."])
                assert len(db.execute(search, [kind, "fish swim"]).fetchall()) == turn + 1
                assert db.execute(search, [kind, "purr"]).fetchone() == ("cats",)
