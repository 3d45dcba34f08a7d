"""The pages in docs/reference are what their sources give now."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AGAIN = "run: python docs/reference.py"


@pytest.fixture(scope="module")
def reference():
    """The module docs/reference.py."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_sql_reference_is_up_to_date(reference, db):
    assert (ROOT / "docs/reference/sql.md").read_text() == reference.sql_reference(db), AGAIN


def test_the_list_of_errors_is_up_to_date(reference):
    assert (ROOT / "docs/reference/errors.md").read_text() == reference.errors_reference(), AGAIN


def test_the_command_line_reference_is_up_to_date(reference):
    assert (ROOT / "docs/reference/cli.md").read_text() == reference.cli_reference(), AGAIN


def test_the_python_reference_is_up_to_date(reference):
    assert (ROOT / "docs/reference/python.md").read_text() == reference.python_reference(), AGAIN


def test_the_sql_reference_shows_every_public_function_and_view(reference, db):
    text = reference.sql_reference(db)
    names = db.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'lore'::regnamespace AND proname NOT LIKE '\\_%'"
        " UNION SELECT relname FROM pg_class WHERE relnamespace = 'lore'::regnamespace AND relkind = 'v'"
    ).fetchall()
    assert [name for (name,) in names if f"### lore.{name}\n" not in text] == []
