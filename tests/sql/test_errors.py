"""Errors of the model functions through SQL: each code of this layer, clean, with a hint."""

import contextlib
import json
import os
import threading
from pathlib import Path

import psycopg
import pytest


def failure(db, statement: str) -> psycopg.Error:
    """The error of a statement, checked to be clean."""
    with pytest.raises(psycopg.Error) as caught:
        db.execute(statement)
    diag = caught.value.diag
    assert "Traceback" not in (diag.context or "") and "plpy" not in diag.message_primary
    assert diag.message_hint
    return caught.value


CALLS = {
    "LO101": "SELECT lore.embed('')",
    "LO102": "SELECT lore.embed(repeat('x', 1000001))",
    "LO103": "SELECT lore.embed('a', input_type => 'x')",
    "LO201": "SELECT lore.embed('a', 'nope')",
}


@pytest.mark.parametrize("code", CALLS)
def test_the_caller_gets_the_code(db, code):
    assert failure(db, CALLS[code]).sqlstate == code


def test_the_code_can_be_caught_in_plpgsql(db):
    db.execute("""DO $$ BEGIN PERFORM lore.embed(''); RAISE EXCEPTION 'not raised';
        EXCEPTION WHEN SQLSTATE 'LO101' THEN NULL; END $$""")


def test_raise_takes_any_code_and_a_hint_may_be_missing(db):
    with pytest.raises(psycopg.Error) as caught:
        db.execute("SELECT lore._raise('LO203', 'no such %% thing {x}')", [])
    assert caught.value.sqlstate == "LO203" and caught.value.diag.message_hint is None
    assert db.execute("SELECT lore._check(NULL) IS NULL OR true").fetchone() == (True,)


@pytest.fixture
def settings(db, host, data_directory):
    """A function that gives the next host other settings; the usual ones come back with the test's end."""
    own, aside = data_directory / "pglore" / "host.json", data_directory / "pglore" / "host.json.aside"
    (shared,) = db.execute("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'").fetchone()
    assert host.pid  # makes the folder
    usual = json.loads((own if own.exists() else Path(shared) / "pglore" / "host.json").read_text())

    def use(**values) -> None:
        db.execute("SELECT lore.host_stop()")  # a host that is killed is started again as it was
        changed = {key: value(usual.get(key, {})) if callable(value) else value for key, value in values.items()}
        own.write_text(json.dumps({**usual, **changed}))
        os.chown(own, data_directory.stat().st_uid, -1)
        own.chmod(0o600)

    if own.exists():
        own.rename(aside)
    try:
        yield use
    finally:
        own.unlink(missing_ok=True)
        if aside.exists():
            aside.rename(own)
        with contextlib.suppress(psycopg.Error):
            db.execute("SELECT lore.host_stop()")


def test_a_host_that_cannot_be_started_is_lo301(db, settings):
    settings(command=["/nowhere/python"])
    for call in ("SELECT lore.embed('a')", "SELECT * FROM lore.host_status()", "SELECT * FROM lore.models"):
        error = failure(db, call)
        assert error.sqlstate == "LO301" and "host.json" in error.diag.message_hint


def test_a_device_that_is_asked_for_but_missing_is_lo204_and_no_fallback(db, settings):
    settings(device="mps")
    error = failure(db, "SELECT lore.embed('a')")
    assert error.sqlstate == "LO204" and "mps" in error.diag.message_primary


def test_a_cache_that_cannot_be_written_is_lo204(db, settings):
    settings(cache="/proc/no")
    error = failure(db, "SELECT lore.embed('a')")
    assert error.sqlstate == "LO204" and "cache" in error.diag.message_hint


def test_a_full_queue_is_lo302_at_once(db, connect, settings):
    settings(queue_texts=100)
    bulk = (
        "SELECT count(*) FROM unnest(lore.embed(ARRAY(SELECT repeat('long text ', 200) FROM generate_series(1, {}))))"
    )
    db.execute("SELECT lore.embed('load')")
    busy, raised = connect(), []

    def load():
        try:
            busy.execute(bulk.format(2000))
        except psycopg.Error as error:
            raised.append(error)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        # The load itself comes to the bound with its second group; an interactive call goes on all the while.
        thread.join(60)
        assert [error.sqlstate for error in raised] == ["LO302"]
        assert "again" in raised[0].diag.message_hint
    finally:
        busy.cancel_safe()
        thread.join()
    assert db.execute("SELECT lore.embed('a short query') IS NOT NULL").fetchone() == (True,)


def test_an_engine_that_is_not_installed_is_lo206(db, settings, tmp_path_factory):
    stub = tmp_path_factory.mktemp("stub")
    (stub / "openvino.py").write_text("raise ImportError('no openvino here')")
    for folder in (stub, stub.parent, stub.parent.parent):  # the server's account reads it
        folder.chmod(0o755)
    settings(
        engine="openvino", environment=lambda usual: {**usual, "PYTHONPATH": f"{stub}:{usual.get('PYTHONPATH', '')}"}
    )
    error = failure(db, "SELECT lore.embed('a')")
    assert error.sqlstate == "LO206" and "no openvino here" in error.diag.message_primary
