"""What goes wrong is told with message and hint, never with a traceback; the exit code says what may help."""

import json
from pathlib import Path

import psycopg
import pytest

from pglore_cli.failure import describe
from pglore_cli.main import COMMANDS

ERRCODES = Path(__file__).resolve().parents[2] / "sql" / "errcodes.txt"
LISTED = [[cell.strip() for cell in line.split("|")] for line in ERRCODES.read_text().splitlines() if line[:2] == "LO"]
ARGUMENTS = {
    "host": ["status"],
    "index": ["pages"],
    "ask": ["why?"],
    "chat": ["pages"],
    "estimate": ["embed", "pages", "content"],
    "generate": ["why?"],
    "search": ["why"],
    "drop": ["pages", "--yes"],
    "ingest": ["."],
}


def break_doctor(db, code: str) -> None:
    """Let the function behind `pglore doctor` raise an error."""
    db.execute(
        "CREATE OR REPLACE FUNCTION lore.doctor() RETURNS TABLE (severity text, finding text, remedy text)"
        f" LANGUAGE plpgsql AS $$ BEGIN PERFORM lore._raise('{code}', 'it [red]broke[/red]', 'mend it'); END $$"
    )


@pytest.mark.parametrize(("code", "again"), [(row[0], row[2]) for row in LISTED])
def test_a_listed_error_is_printed_with_its_hint_and_gives_its_exit_code(pglore, db, code, again):
    break_doctor(db, code)
    result = pglore("doctor")
    assert result.exit_code == (75 if again == "yes" else 1)
    assert (result.stdout, result.stderr) == ("", f"Error: it [red]broke[/red] ({code})\nHint:  mend it\n")


def test_an_error_of_the_driver_is_told_as_the_clients_of_its_code(db):
    for code, _, again, *_ in [*LISTED, ["LO399", "", "yes"], ["LO299", "", "no"]]:  # two that are not known yet
        with pytest.raises(psycopg.Error) as caught:
            db.execute("SELECT lore._raise(%s, 'it broke', 'mend it')", [code])
        assert describe(caught.value) == ("it broke", "mend it", code, 75 if again == "yes" else 1)


def test_with_json_an_error_is_json_on_standard_error(pglore, db):
    break_doctor(db, "LO302")
    result = pglore("doctor", "--json")
    assert (result.exit_code, result.stdout) == (75, "")
    assert json.loads(result.stderr) == {
        "error": {"code": "LO302", "message": "it [red]broke[/red]", "hint": "mend it"}
    }


# `eval` reads its folder before it connects.
@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "eval"])
def test_a_server_that_is_not_there_is_told_with_a_hint(start, command):
    process = start(command, *ARGUMENTS.get(command, []), PGLORE_DSN="host=/nowhere dbname=x")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "/nowhere" in err and "--dsn" in err
    assert "Traceback" not in err


def test_a_missing_privilege_is_told_with_the_roles_that_help(pglore, role, dsn):
    result = pglore("search", "anything", "--dsn", f"{dsn} user={role()}")
    assert result.exit_code == 1
    assert "(42501)" in result.stderr and "lore_reader" in result.stderr


@pytest.mark.parametrize("filter", ["{", "[1]", "nonsense"])
def test_a_filter_that_is_no_json_object_is_a_usage_error(start, filter):
    process = start("search", "anything", "--filter", filter)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in err


def test_a_path_that_is_not_there_is_a_usage_error(pglore):
    assert pglore("ingest", "/no/such/folder").exit_code == 2


def test_an_unknown_collection_is_told(pglore):
    result = pglore("ask", "why?", "-c", "nowhere")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr and "(LO203)" in result.stderr
