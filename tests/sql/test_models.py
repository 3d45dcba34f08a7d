"""lore.models, lore.host_status, lore.tokens: what the host says about itself and about texts."""

import os

import psycopg
import pytest


def test_the_default_models_are_listed_with_where_they_run(db):
    db.execute("SELECT lore.embed('load')")
    columns = "alias, task, engine, state, dimensions, window_tokens, is_default"
    rows = db.execute(f"SELECT {columns} FROM lore.models ORDER BY task").fetchall()
    assert [row[:2] for row in rows] == [
        ("all-minilm-l6-v2", "embed"),
        ("extractive", "generate"),
        ("late-interaction", "rerank"),
    ]
    assert {row[3] for row in rows} == {"ready"} and all(row[6] for row in rows)
    assert rows[0][4:6] == (384, 256)
    device, reason, dtype, fingerprint = db.execute(
        "SELECT device, device_reason, dtype, fingerprint FROM lore.models WHERE task = 'embed'"
    ).fetchone()
    assert device in ("cpu", "cuda", "mps") and reason and dtype in ("float32", "bfloat16", "float16")
    assert len(fingerprint) == 64


def test_the_fingerprint_is_there_before_the_model_is_loaded_and_stays(db, host):
    before = db.execute("SELECT fingerprint FROM lore.models ORDER BY alias").fetchall()
    host.kill()
    assert db.execute("SELECT fingerprint FROM lore.models ORDER BY alias").fetchall() == before
    assert db.execute("SELECT DISTINCT state FROM lore.models").fetchall() == [("unloaded",)]


def test_host_status_is_one_row_about_the_process(db, idle):
    db.execute("SELECT lore.embed('load')")
    idle()  # an earlier test may have left something to be dropped
    cursor = db.execute("SELECT * FROM lore.host_status()")
    row = dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))
    os.kill(row["pid"], 0)
    assert row["version"] and row["uptime"].total_seconds() > 0 and row["device"] and row["device_reason"]
    assert "all-minilm-l6-v2" in row["loaded"]
    assert row["active"] == 0 and row["queued"] == 0 and row["connections"] >= 1
    assert row["requests"] >= 1 and row["memory_bytes"] > 1 << 20


def test_tokens_counts_content_tokens(db):
    assert db.execute("SELECT lore.tokens('hello world'), lore.tokens(''), lore.tokens(NULL)").fetchone() == (
        2,
        0,
        None,
    )
    assert db.execute("SELECT lore.tokens(repeat('word ', 50000))").fetchone() == (50_000,)
    with pytest.raises(psycopg.Error) as caught:
        db.execute("SELECT lore.tokens('a', 'late-interaction')")
    assert caught.value.sqlstate == "LO201"
    with pytest.raises(psycopg.Error) as caught:
        db.execute("SELECT lore.tokens(repeat('word ', 2000001))")
    assert caught.value.sqlstate == "LO102"


@pytest.mark.parametrize("op", ["", "nope", "status; DROP TABLE x", "x" * 10_000, '"quoted"'])
def test_an_operation_that_is_not_there_is_lo103(db, op):
    with pytest.raises(psycopg.Error) as caught:
        db.execute("SELECT lore._call(%s)", [op])
    assert caught.value.sqlstate == "LO103"


@pytest.mark.parametrize("arguments", ["[]", "1", "null", '"x"'])
def test_arguments_that_are_no_object_are_a_listed_error(db, arguments):
    with pytest.raises(psycopg.Error) as caught:
        db.execute("SELECT lore._call('status', %s::jsonb)", [arguments])
    assert caught.value.sqlstate in ("LO103", "LO901")
    assert db.execute("SELECT lore.tokens('the host lives')").fetchone() == (3,)


WRONG = [
    "{}",
    '{"texts": 1}',
    '{"texts": [1]}',
    '{"texts": ["a"], "lane": "x"}',
    '{"texts": ["a"], "model": {}}',
    '{"texts": [["a"]]}',
    '{"texts": ["a"], "input_type": 7}',
]


@pytest.mark.parametrize("arguments", WRONG)
def test_arguments_of_the_wrong_kind_are_lo103(db, arguments):
    with pytest.raises(psycopg.Error) as caught:
        db.execute("SELECT lore._call('embed', %s::jsonb)", [arguments])
    assert caught.value.sqlstate == "LO103"
