"""Fixtures that every test shares: databases with pglore on the test server, roles, the model host, outside data.

The server is the one named by PGLORE_TEST_DSN (`make test` makes one for each of its processes, and names each in a
line), else PGLORE_DSN or the local server of `make up`, on which the tests use databases of their own. Every test gets
a fresh copy of a template database.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor

ROOT = Path(__file__).resolve().parent.parent

# A run in the background of a shell ignores Ctrl-C, and so would the programs that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Server(NoopExecutor):
    """A server that is there already, without a template of its own: the test database is made from nothing."""

    template_dbname = None


@pytest.fixture(scope="session")
def server() -> NoopExecutor:
    """Where the server under test listens."""
    if dsns := os.environ.get("PGLORE_TEST_DSN", "").splitlines():
        dsn = dsns[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])]
    else:
        up = subprocess.run([ROOT / "dev" / "up.sh"], stdout=subprocess.PIPE, text=True, check=True)
        dsn = up.stdout.splitlines()[-1]
    found = conninfo_to_dict(dsn)
    server = Server(
        host=found["host"],
        port=found.get("port", 5432),
        user=found.get("user", "postgres"),
        password=found.get("password"),
        dbname="postgres",
        options="",
    )
    return server


def load_pglore(**parameters) -> None:
    """Put the extension and the catalog into the template database."""
    from pglore_migrations import upgrade

    with psycopg.connect(**{**parameters, "autocommit": True}) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("CREATE EXTENSION pglore CASCADE")
        upgrade(connection)


# The process id in the name: two runs may share a server.
postgresql_noproc = factories.postgresql_noproc(
    depends_on="server", dbname=f"pglore_test_{os.getpid()}", load=[load_pglore]
)
postgresql = factories.postgresql("postgresql_noproc")


@pytest.fixture
def db(postgresql: psycopg.Connection) -> psycopg.Connection:
    """An autocommit connection of the superuser to a fresh database with the extension and the catalog."""
    postgresql.autocommit = True
    return postgresql


@pytest.fixture
def dsn(db: psycopg.Connection) -> str:
    """The connection string of the test's database."""
    info = db.info
    return make_conninfo(host=info.host, port=info.port, user=info.user, dbname=info.dbname)


@pytest.fixture
def connect(dsn: str) -> Iterator[Callable[..., psycopg.Connection]]:
    """A function that opens further autocommit connections to the test's database: connect(user='reader')."""
    opened: list[psycopg.Connection] = []

    def opener(**parameters) -> psycopg.Connection:
        opened.append(psycopg.connect(make_conninfo(dsn, **parameters), autocommit=True))
        return opened[-1]

    yield opener
    for connection in opened:
        connection.close()


@pytest.fixture
def role(db: psycopg.Connection) -> Iterator[Callable[..., str]]:
    """A function that makes a role for this test, which may log in: role('lore_reader') is a member of that group."""
    names: list[str] = []

    def make(*groups: str) -> str:
        names.append(f"test_{os.getpid()}_{len(names)}")
        name = sql.Identifier(names[-1])
        db.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        for group in groups:
            db.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), name))
        return names[-1]

    yield make
    with psycopg.connect(db.info.dsn, autocommit=True) as owner:  # the test may have broken its own connection
        for name in names:
            owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


class Host:
    """The model host of the server under test."""

    def __init__(self, db: psycopg.Connection):
        self.db = db

    @property
    def pid(self) -> int:
        """Process id, after starting the host if need be."""
        return self.db.execute("SELECT pid FROM lore.host_status()").fetchone()[0]

    def kill(self) -> int:
        """End the host as a crash would, wait until the process has gone, and return its process id."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while _alive(pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return pid


def _alive(pid: int) -> bool:
    """Whether the process runs: a zombie whose parent is slow does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def host(db: psycopg.Connection) -> Host:
    """The model host: host.pid, host.kill()."""
    return Host(db)


class Collector:
    """An OTLP/HTTP collector that keeps the spans it is sent."""

    def __init__(self):
        self.spans, self.resources, self.raw = [], [], b""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                collector._take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _take(self, path: str, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        assert path == "/v1/traces"
        self.raw += body
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(group.resource)
            self.spans += [span for scope in group.scope_spans for span in scope.spans]

    def named(self, name: str, count: int = 1) -> list:
        """The spans of a name, in the order of their ends, waiting until there are so many."""
        deadline = time.monotonic() + 60
        while len(found := [span for span in self.spans if span.name == name]) < count:
            assert time.monotonic() < deadline, [span.name for span in self.spans]
            time.sleep(0.02)
        return sorted(found, key=lambda span: span.end_time_unix_nano)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of spans: collector.url, collector.named(name)."""
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


@pytest.fixture(scope="session")
def data_directory(server: NoopExecutor) -> Path:
    """The data directory of the server under test."""
    with psycopg.connect(host=server.host, port=server.port, user=server.user, dbname="postgres") as connection:
        return Path(connection.execute("SHOW data_directory").fetchone()[0])


@pytest.fixture(scope="session")
def pg_bin() -> Path:
    """The folder of psql, pg_dump and pg_restore that fit the server under test."""
    if folder := os.environ.get("PGLORE_TEST_BIN"):
        return Path(folder)
    pg_config = subprocess.run(
        [ROOT / "dev" / "server.sh", "pg_config", "demo"], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(pg_config.stdout.strip()).parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Test collections that lie outside the repository, in ../shared/data; tests that need them are skipped without."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is missing")
    return folder


@pytest.fixture(scope="session")
def chat_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and model's name of a running tests/chat_server.py: a tiny language model behind a real server."""
    folder = tmp_path_factory.mktemp("chat")
    command = [sys.executable, ROOT / "tests" / "chat_server.py", folder]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    port = int(process.stdout.readline())
    deadline = time.monotonic() + 120
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", port)):
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/v1", str(folder / "model")
    process.stdin.close()
    process.wait(60)


@pytest.fixture
def writer(db: psycopg.Connection, chat_server: tuple[str, str]) -> Iterator[str]:
    """The alias of a language model: tiny and untrained, behind a server that keeps to no schema.

    It never comes to an end by itself: 100,000 tokens take a quarter of an hour, so a text of that length that is over
    within a minute has been stopped. Its time-out is as long.
    """
    url, name = chat_server
    options = {"name": name, "timeout_s": 3600, "structured": "none"}
    db.execute("SELECT lore.add_model('writer', 'generate', %s, %s, replace => true)", [url, json.dumps(options)])
    yield "writer"
    with psycopg.connect(db.info.dsn, autocommit=True) as owner:  # the test may have broken its own connection
        owner.execute("SELECT lore.drop_model('writer', if_exists => true)")


@pytest.fixture
def cancel(db: psycopg.Connection) -> Callable[..., float]:
    """A function that cancels a statement which the model host works on: cancel(link, 'SELECT ...', after_s=0.1).

    It gives the seconds from the cancel to the statement's error.
    """

    def run(link: psycopg.Connection, statement: str, after_s: float = 0.0) -> float:
        asked, ended = [], threading.Event()
        db.execute("SELECT lore.embed('before')")  # so that the host and the default model are there

        def when_active() -> None:
            while not db.execute("SELECT active FROM lore.host_status()").fetchone()[0]:
                if ended.wait(0.01):
                    return
            time.sleep(after_s)
            asked.append(time.monotonic())
            link.cancel_safe()

        thread = threading.Thread(target=when_active)
        thread.start()
        try:
            with pytest.raises(psycopg.errors.QueryCanceled):
                link.execute(statement)
            return time.monotonic() - asked[0]
        finally:
            ended.set()
            thread.join()

    return run


@pytest.fixture
def idle(db: psycopg.Connection) -> Callable[[], None]:
    """A function that waits until the model host works on nothing: a minute, so what is stopped has to take longer."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        while db.execute("SELECT active + queued FROM lore.host_status()").fetchone()[0]:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return wait
