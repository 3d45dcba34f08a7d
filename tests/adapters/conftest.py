"""One database for the suites of LangChain and LlamaIndex, which PGLORE_DSN names, and a model that answers them."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pytest_postgresql.janitor import DatabaseJanitor

import pglore
from pglore import pool

PAGES = [
    ("vacuum", "VACUUM reclaims storage occupied by dead tuples.", {"title": "Vacuum", "year": 2020}),
    ("backup", "pg_dump writes a backup of one database to a file.", {"title": "Backup", "year": 2024}),
    ("index", "An index lets the server find rows quickly.", {"title": "Indexes", "year": 2024}),
    ("role", "A role may own tables and may be a member of other roles.", {}),
]


@pytest.fixture(scope="session")
def dsn(postgresql_noproc) -> Iterator[str]:
    """A database with a collection of four short documents, "pages"."""
    server, name = postgresql_noproc, f"pglore_adapters_{os.getpid()}"
    place = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
    with DatabaseJanitor(dbname=name, template_dbname=server.template_dbname, **place):
        dsn = make_conninfo(dbname=name, **{key: value for key, value in place.items() if value})
        with pglore.connect(dsn) as lore:
            lore.create_collection("pages").add_many(PAGES)
        yield dsn
        pool.shared(dsn).close()


@pytest.fixture(autouse=True)
def environment(monkeypatch, dsn: str) -> None:
    """What names no database means this one."""
    monkeypatch.setenv("PGLORE_DSN", dsn)


@pytest.fixture(scope="session")
def taught_folder(data_directory: Path) -> Iterator[Path]:
    """A tiny model that knows what the suites ask by heart."""
    from . import taught

    folder = taught.make(data_directory / "pglore" / f"taught-{os.getpid()}")
    owner = data_directory.stat()
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner.st_uid, owner.st_gid)
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.fixture(scope="module")  # tests of other folders, which may come between, take all models away
def taught(dsn: str, taught_folder: Path) -> Iterator[str]:
    """The alias of the model in taught_folder."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT lore.add_model('taught', 'generate', %s, replace => true)", [str(taught_folder)])
        yield "taught"
        connection.execute("SELECT lore.drop_model('taught', if_exists => true)")


@pytest.fixture(scope="module")
def babbler(dsn: str, chat_server: tuple[str, str]) -> Iterator[str]:
    """The alias of an untrained model behind a server: it writes without end."""
    url, name = chat_server
    options = {"name": name, "timeout_s": 3600, "structured": "none"}
    with psycopg.connect(dsn, autocommit=True) as connection:
        statement = "SELECT lore.add_model('babbler', 'generate', %s, %s, replace => true)"
        connection.execute(statement, [url, json.dumps(options)])
        yield "babbler"
        connection.execute("SELECT lore.drop_model('babbler', if_exists => true)")


@pytest.fixture
def working(dsn: str) -> Iterator[Callable[[], int]]:
    """A function that tells on how many requests the model host works."""
    with pglore.connect(dsn) as lore:
        yield lambda: lore.host_status().active


@pytest.fixture
def idle_soon(working: Callable[[], int]) -> Callable[[], None]:
    """A function that waits until the model host works on nothing: a minute, so what is stopped has to take longer."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        while working():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    return wait
