"""The systemd unit: systemd reads it, and its command runs a host that a stop drains."""

import configparser
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "extension" / "pglore-host@.service"


def settings(path: Path) -> configparser.ConfigParser:
    """A unit's settings."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(path.read_text())
    return parser


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing")
def test_systemd_finds_nothing_to_object_to(tmp_path: Path):
    unit = tmp_path / "pglore-host@17-main.service"
    unit.write_text(UNIT.read_text().replace("/opt/pglore/bin/python", sys.executable))
    outcome = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_its_command_runs_a_host_that_ends_well_when_systemd_stops_it(tmp_path: Path):
    """systemd's part by hand: %I is the instance's name unescaped, and KillMode=mixed tells the first process alone."""
    cluster = tmp_path / "17" / "main"
    cluster.mkdir(parents=True)
    postmaster = subprocess.Popen(["sleep", "600"])
    (cluster / "postmaster.pid").write_text(f"{postmaster.pid}\n")
    service = settings(UNIT)["Service"]
    assert service["KillMode"] == "mixed" and service["Restart"] == "on-failure"
    program, *arguments = shlex.split(service["ExecStart"].replace("/var/lib/postgresql/%I", str(cluster)))
    assert program == "/opt/pglore/bin/python"
    host = subprocess.Popen([sys.executable, *arguments], env={"PYTHONPATH": str(ROOT / "modelhost")}, cwd="/")
    try:
        log = cluster / "pglore" / "host.log"
        deadline = time.monotonic() + 60
        while not (log.exists() and '"serving"' in log.read_text()):
            assert host.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        host.send_signal(signal.SIGTERM)
        assert host.wait(60) == 0
        assert '"drained"' in log.read_text()
    finally:
        host.kill()
        postmaster.kill()
        postmaster.wait()
