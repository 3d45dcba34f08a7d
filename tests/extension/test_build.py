"""The build: SQL files in order, one version everywhere, one list of errors."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^(LO\d{3})\s*\|\s*(\w+)\s*\|\s*(yes|no)\s*\|\s*(.+?)\s*\|\s*(.+?)\s*$", re.MULTILINE)


def module(path: Path):
    """A module from its file, without touching sys.path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def build():
    return module(ROOT / "extension" / "build.py")


@pytest.fixture(scope="module")
def errcodes() -> dict[str, str]:
    """Codes to names, from the one list."""
    return {code: name for code, name, *_ in LINE.findall((ROOT / "sql" / "errcodes.txt").read_text())}


def test_every_sql_file_is_in_the_script_in_the_order_of_its_number(build):
    named = re.findall(r"^-- sql/(\S+)$", build.script(), re.MULTILINE)
    assert named == sorted(path.name for path in (ROOT / "sql").glob("*.sql"))


def test_nothing_is_left_to_fill_in(build):
    assert "@VERSION@" not in build.script()


def test_two_files_of_one_number_are_refused(build, tmp_path, monkeypatch):
    for name in ("300_embed.sql", "300_other.sql"):
        (tmp_path / name).write_text("SELECT 1;")
    monkeypatch.setattr(build, "SQL", tmp_path)
    with pytest.raises(SystemExit, match="300"):
        build.sources()


def test_one_version_is_stated_everywhere(build, db):
    bridge = re.search(r'VERSION = "(.+)"', (ROOT / "extension" / "pglore_bridge" / "__init__.py").read_text()).group(1)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    host = re.search(r'__version__ = "(.+)"', (ROOT / "modelhost" / "pglore_host" / "__init__.py").read_text()).group(1)
    (running,) = db.execute("SELECT version FROM lore.host_status()").fetchone()
    (installed,) = db.execute("SELECT extversion FROM pg_extension WHERE extname = 'pglore'").fetchone()
    assert {build.version(), bridge, project, host, running, installed} == {build.version()}


def test_every_line_of_the_list_of_errors_is_read(errcodes):
    lines = [line for line in (ROOT / "sql" / "errcodes.txt").read_text().splitlines() if line.startswith("LO")]
    assert len(lines) == len(errcodes) == len(set(errcodes.values()))


def test_the_hosts_constants_are_the_list(errcodes):
    errors = module(ROOT / "modelhost" / "pglore_host" / "errors.py")
    constants = {
        value: name.lower()
        for name, value in vars(errors).items()
        if isinstance(value, str) and re.fullmatch(r"LO\d{3}", value)
    }
    assert constants == errcodes


def test_no_layer_uses_a_code_that_is_not_in_the_list(errcodes):
    folders = ("sql", "extension", "modelhost", "migrations", "pyclient", "cli")
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".sql"):
                assert set(re.findall(r"\bLO[1-9]\d\d\b", path.read_text())) <= set(errcodes), path


def test_sql_files_are_short():
    assert [path.name for path in (ROOT / "sql").glob("*.sql") if len(path.read_text().splitlines()) > 150] == []
