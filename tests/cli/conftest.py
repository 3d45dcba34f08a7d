"""The command line under test: in this process, and as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pglore_cli.main import main

FILES = {
    "vacuum.html": "<html><head><title>Vacuum</title></head><body><h1>Vacuum</h1>"
    "<p>VACUUM reclaims storage occupied by dead tuples.</p></body></html>",
    "admin/backup.md": "# Backup\n\nThe program pg_dump writes a backup of one database to a file.\n",
    "admin/roles.txt": "A role may own tables and may be a member of other roles.\n",
    "admin/picture.png": "not a document",
    ".hidden/secret.md": "# Secret\n\nNot to be loaded.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three documents, and two files that are none."""
    root = tmp_path / "pages"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def pglore(dsn: str, monkeypatch) -> Callable[..., Result]:
    """A function that runs a command in this process: pglore('ask', 'why?')."""
    monkeypatch.setenv("PGLORE_DSN", dsn)

    def run(*arguments: object, **options) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="pglore", **options)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def start(dsn: str) -> Callable[..., subprocess.Popen]:
    """A function that starts a command as a process: start('ask', 'why?')."""

    def run(*arguments: object, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "pglore_cli", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PGLORE_DSN": dsn, **environment},
        )  # fmt: skip

    return run


@pytest.fixture
def loaded(pglore, folder) -> Callable[..., Result]:
    """`pglore` on a database whose collection "documents" holds the folder."""
    result = pglore("ingest", folder)
    assert result.exit_code == 0, result.stderr
    return pglore
