"""`pglore ingest`: what is loaded under which key, what is skipped, and going on after a stop."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from pglore_cli.files import find


def contents(db, collection: str = "documents") -> dict[str, str]:
    return dict(db.execute(f'SELECT key, content FROM lore_data."{collection}_documents"').fetchall())


def test_a_folder_is_loaded_under_its_relative_paths(pglore, folder, db):
    result = pglore("ingest", folder, "-c", "pages")
    assert result.exit_code == 0
    assert "3 added, 0 updated, 0 unchanged" in result.stdout
    found = contents(db, "pages")
    assert set(found) == {"vacuum.html", "admin/backup.md", "admin/roles.txt"}
    assert "dead tuples" in found["vacuum.html"] and "<p>" not in found["vacuum.html"]


def test_a_file_named_outright_is_taken_whatever_its_name(pglore, tmp_path, db):
    path = tmp_path / "README"
    path.write_text("A text without a suffix.")
    assert pglore("ingest", path).exit_code == 0
    assert set(contents(db)) == {"README"}


def test_the_same_again_adds_nothing_and_a_change_is_noticed(pglore, folder, db):
    pglore("ingest", folder)
    again = json.loads(pglore("ingest", folder, "--json").stdout)
    assert (again["added"], again["updated"], again["unchanged"], again["tokens"]) == (0, 0, 3, 0)
    (folder / "admin" / "roles.txt").write_text("A role may log in.")
    changed = json.loads(pglore("ingest", folder, "--json").stdout)
    assert (changed["added"], changed["updated"], changed["unchanged"]) == (0, 1, 2)
    assert contents(db)["admin/roles.txt"].strip() == "A role may log in."


def test_a_file_that_is_there_is_not_even_parsed(loaded, folder, db):
    db.execute("ALTER EXTENSION pglore DROP FUNCTION lore.parse(bytea, text); DROP FUNCTION lore.parse(bytea, text)")
    assert loaded("ingest", folder).exit_code == 0


def test_metadata_is_put_on_every_document_beside_the_title(pglore, folder):
    pglore("ingest", folder, "--metadata", '{"year": 2026}')
    hits = json.loads(pglore("search", "storage", "--filter", '{"year": 2026}', "--json").stdout)
    assert {hit["key"] for hit in hits} == {"vacuum.html", "admin/backup.md", "admin/roles.txt"}
    assert hits[0]["metadata"]["title"] == "Vacuum"


def test_bad_files_are_reported_and_skipped_and_the_exit_code_says_so(pglore, folder, db):
    (folder / "empty.txt").write_text("")
    (folder / "binary.html").write_bytes(bytes(range(256)) * 20)
    (folder / "unreadable.md").symlink_to("/no/such/file")
    result = pglore("ingest", folder)
    assert result.exit_code == 1
    assert "3 added" in result.stdout and "3 skipped" in result.stdout
    for name in ("empty.txt", "binary.html", "unreadable.md"):
        assert f"Skipped {name}: " in result.stderr
    assert len(contents(db)) == 3
    failed = json.loads(pglore("ingest", folder, "--json").stdout)["failed"]
    assert [one["key"] for one in failed] == ["unreadable.md", "binary.html", "empty.txt"]


def refuse(db, key: str, code: str) -> None:
    """Let the collection "documents" raise an error for a document."""
    db.execute(f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.key = '{key}' THEN PERFORM lore._raise('{code}', 'not this one', 'change it'); END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON lore_data."documents_documents"
            FOR EACH ROW EXECUTE FUNCTION refuse()""")


def test_a_document_that_the_server_refuses_does_not_harm_the_others_of_its_batch(pglore, folder, db):
    pglore("ingest", folder / "vacuum.html")
    refuse(db, "admin/backup.md", "LO102")
    result = pglore("ingest", folder)
    assert result.exit_code == 1
    assert "Skipped admin/backup.md: not this one (change it)" in result.stderr
    assert set(contents(db)) == {"vacuum.html", "admin/roles.txt"}


@pytest.mark.parametrize(("code", "exit_code"), [("LO302", 75), ("LO204", 1), ("42501", 1)])
def test_an_error_that_skipping_does_not_help_ends_the_load(pglore, folder, db, monkeypatch, code, exit_code):
    monkeypatch.setattr("pglore_cli.load.PATIENCE_S", (0.01,))
    pglore("ingest", folder / "vacuum.html")
    refuse(db, "admin/backup.md", code)
    result = pglore("ingest", folder)
    assert result.exit_code == exit_code
    assert f"Error: not this one ({code})" in result.stderr


def test_a_busy_server_is_asked_again(pglore, folder, db, monkeypatch):
    class Healing:
        """Pauses, after two of which the server is busy no more."""

        def __iter__(self):
            yield from (0.01, 0.01)
            db.execute('DROP TRIGGER refuse ON lore_data."documents_documents"')
            yield 0.01

    pglore("ingest", folder / "vacuum.html")
    monkeypatch.setattr("pglore_cli.load.PATIENCE_S", Healing())
    refuse(db, "admin/backup.md", "LO302")
    result = pglore("ingest", folder)
    assert result.exit_code == 0
    assert len(contents(db)) == 3


def test_a_writer_loads_into_a_collection_that_it_may_not_make(loaded, folder, role, dsn):
    writer = f"{dsn} user={role('lore_writer')}"
    (folder / "new.md").write_text("# New\n\nA new page.")
    assert "1 added" in loaded("ingest", folder, "--dsn", writer).stdout
    refused = loaded("ingest", folder, "-c", "other", "--dsn", writer)
    assert refused.exit_code == 1
    assert "lore_admin" in refused.stderr


def test_a_folder_without_documents_is_told(pglore, tmp_path):
    result = pglore("ingest", tmp_path)
    assert result.exit_code == 1
    assert "No HTML, Markdown or text files" in result.stderr


def test_two_files_of_one_key_are_told_and_base_sets_them_apart(pglore, tmp_path, db):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.md").write_text(f"# {name}\n\nText of {name}.")
    result = pglore("ingest", tmp_path / "a", tmp_path / "b")
    assert result.exit_code == 1
    assert "--base" in result.stderr
    assert pglore("ingest", tmp_path / "a", tmp_path / "b", "--base", tmp_path, "-c", "both").exit_code == 0
    assert set(contents(db, "both")) == {"a/index.md", "b/index.md"}


def test_a_name_that_is_not_utf8_is_a_failure_and_a_loop_of_links_ends(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.md")).write_text("Coffee.")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "tea.md").write_text("Tea.")
    files, failures = find([tmp_path])
    assert [file.key for file in files] == ["tea.md"]
    assert [failure.error for failure in failures] == ["the file's name is not UTF-8"]


def test_progress_is_told_in_lines_where_there_is_no_terminal(pglore, folder, monkeypatch):
    assert pglore("ingest", folder).stderr == ""
    monkeypatch.setattr("pglore_cli.ingest.PAUSE_S", 0)
    result = pglore("ingest", folder)
    assert "100 %  3 of 3 files" in result.stderr


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_load_that_is_stopped_goes_on_where_it_was(start, pglore, tmp_path, db, stop):
    total = write_many(tmp_path)
    process = start("ingest", tmp_path, "-c", "many")
    kept = wait_for_documents(db, process)
    process.send_signal(stop)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    if stop == signal.SIGINT:
        assert process.returncode == 130
        assert "Stopped" in err
    wait_until_idle(db)
    kept = db.execute('SELECT count(*) FROM lore_data."many_documents"').fetchone()[0]
    assert 0 < kept < total
    rest = json.loads(pglore("ingest", tmp_path, "-c", "many", "--json").stdout)
    assert (rest["unchanged"], rest["added"], rest["failed"]) == (kept, total - kept, [])


def write_many(folder: Path, count: int = 300) -> int:
    """Documents enough for several batches; their number."""
    words = ["table", "index", "vacuum", "role", "backup", "query", "row", "page", "lock", "plan", "cost", "buffer"]
    choose = random.Random(1)
    for number in range(count):
        sentences = (" ".join(choose.choices(words, k=12)).capitalize() + "." for _ in range(6))
        (folder / f"{number:03}.txt").write_text(f"Page {number}. " + " ".join(sentences))
    return count


def wait_for_documents(db, process) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if db.execute("SELECT to_regclass('lore_data.many_documents')").fetchone()[0]:
            count = db.execute('SELECT count(*) FROM lore_data."many_documents"').fetchone()[0]
            if count:
                return count
        time.sleep(0.05)
    raise AssertionError("no document came")


def wait_until_idle(db) -> None:
    """Until the server has noticed that the loader has gone."""
    deadline = time.monotonic() + 60
    others = """SELECT count(*) FROM pg_stat_activity
                WHERE application_name = 'pglore ingest' AND datname = current_database()"""
    while db.execute(others).fetchone()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
