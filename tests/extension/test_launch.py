"""Starting the host: what the bridge does where nobody listens. Run in a process of its own, outside a server, so that
any data directory can be tried; plpy is the only stand-in."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALL = """
import os, sys
os.chdir(sys.argv[1])
sys.path.insert(0, sys.argv[2])
import pglore_bridge
class plpy:
    prepare = staticmethod(lambda statement: statement)
    execute = staticmethod(lambda plan: [{"traceparent": None, "role": 10, "login": 10, "started": 0}])
print(__import__("json").dumps(pglore_bridge.host(plpy, "status", "{}")))
"""


def call(folder: Path, python: str = sys.executable) -> dict:
    """One call of the bridge with `folder` as data directory: its error, or its result."""
    done = subprocess.run(
        [python, "-c", CALL, folder, ROOT / "extension"], capture_output=True, text=True, timeout=120, check=True
    )
    reply = json.loads(done.stdout)
    return json.loads(reply["error"] or reply["result"])


@pytest.fixture
def folder(tmp_path: Path):
    """A data directory with a postmaster.pid of a process that lives as long as the test."""
    postmaster = subprocess.Popen(["sleep", "600"])
    (tmp_path / "postmaster.pid").write_text(f"{postmaster.pid}\n{tmp_path}\n")
    (tmp_path / "pglore").mkdir(mode=0o700)
    yield tmp_path
    postmaster.kill()
    postmaster.wait()


def settings(folder: Path, **values) -> Path:
    """Write a host.json that starts this checkout's host."""
    path = folder / "pglore" / "host.json"
    given = {
        "command": [sys.executable, "-m", "pglore_host"],
        "environment": {"PYTHONPATH": str(ROOT / "modelhost")},
        **values,
    }
    path.write_text(json.dumps(given))
    path.chmod(0o600)
    return path


def gone(pid: int, timeout_s: float = 60) -> bool:
    """Whether a process ends within the time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if (
            Path(f"/proc/{pid}/stat").exists()
            and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        ):
            return True
        time.sleep(0.01)
    return False


def test_the_host_starts_and_ends_with_the_postmaster(folder):
    settings(folder)
    status = call(folder)
    assert status["connections"] == 1 and status["version"]
    assert call(folder)["pid"] == status["pid"]
    os.kill(int((folder / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    assert gone(status["pid"])
    assert not (folder / "pglore" / "host.sock").exists()


def test_the_socket_and_its_folder_are_the_owners_alone(folder):
    settings(folder)
    call(folder)
    assert (folder / "pglore" / "host.sock").stat().st_mode & 0o777 == 0o600
    assert (folder / "pglore").stat().st_mode & 0o077 == 0
    assert (folder / "pglore" / "host.log").stat().st_mode & 0o077 == 0


def test_a_host_may_open_as_many_connections_as_the_system_lets_it(folder):
    settings(folder)
    limits = Path(f"/proc/{call(folder)['pid']}/limits").read_text()
    soft, hard = next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))
    assert soft == hard


def test_a_terminated_host_stops_in_order_and_the_next_call_starts_another(folder):
    settings(folder)
    first = call(folder)["pid"]
    os.kill(first, signal.SIGTERM)
    assert gone(first)
    assert call(folder)["pid"] != first


def test_a_stale_socket_is_replaced(folder):
    settings(folder)
    first = call(folder)["pid"]
    os.kill(first, signal.SIGKILL)
    assert gone(first)
    assert (folder / "pglore" / "host.sock").exists()
    assert call(folder)["pid"] != first


def test_callers_at_the_same_instant_start_one_host(folder):
    settings(folder)
    pids: list = []
    threads = [threading.Thread(target=lambda: pids.append(call(folder)["pid"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 8 and len(set(pids)) == 1


def test_a_data_directory_with_a_long_path_works(tmp_path, folder):
    deep = tmp_path.joinpath(*["a_folder_with_a_long_name"] * 6)
    deep.mkdir(parents=True)
    (deep / "postmaster.pid").write_text((folder / "postmaster.pid").read_text())
    (deep / "pglore").mkdir(mode=0o700)
    settings(deep)
    assert call(deep)["pid"]


def test_no_host_json_is_host_down_with_what_to_write(folder):
    error = call(folder)
    assert error["code"] == "LO301" and "host.json" in error["hint"]


def test_a_command_that_is_not_there_is_host_down(folder):
    settings(folder, command=["/nowhere/python", "-m", "pglore_host"])
    error = call(folder)
    assert error["code"] == "LO301" and "/nowhere/python" in error["message"] and "host.json" in error["hint"]


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-c", "raise SystemExit(3)"],
        [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"],
        [sys.executable, "-m", "no_such_module"],
    ],
)
def test_a_host_that_dies_at_its_start_is_host_down_and_the_hint_names_the_log(folder, command):
    settings(folder, command=command)
    error = call(folder)
    assert error["code"] == "LO301" and "pglore/host.log" in error["hint"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"command": []}',
        '{"command": "sh"}',
        '{"command": [1]}',
        '{"command": ["sh"], "environment": []}',
        "\x00",
    ],
)
def test_a_host_json_that_cannot_be_used_is_host_down(folder, content):
    settings(folder).write_text(content)
    assert call(folder)["code"] == "LO301"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_host_json_that_others_can_write_is_refused(folder, mode):
    settings(folder).chmod(mode)
    error = call(folder)
    assert error["code"] == "LO301" and "not the server's own" in error["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_a_host_json_of_another_account_is_refused(folder):
    os.chown(settings(folder), 12345, 12345)
    folder.chmod(0o755)
    error = call(folder)
    assert error["code"] == "LO301" and "not the server's own" in error["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_a_host_of_another_account_is_not_talked_to(folder):
    listen = f"""
import os, socket, time
server = socket.socket(socket.AF_UNIX)
server.bind({str(folder / "pglore" / "host.sock")!r})
os.setuid(65534)
server.listen()
print("ready", flush=True)
time.sleep(600)
"""
    impostor = subprocess.Popen([sys.executable, "-c", listen], stdout=subprocess.PIPE, text=True)
    try:
        assert impostor.stdout.readline() == "ready\n"
        error = call(folder)
        assert error["code"] == "LO301" and "another account" in error["message"]
    finally:
        impostor.kill()
        impostor.wait()


def test_a_setting_that_is_not_allowed_ends_the_start_with_the_reason_in_the_log(folder):
    settings(folder, device="tpu")
    assert call(folder)["code"] == "LO301"
    assert "'tpu'" in (folder / "pglore" / "host.log").read_text()


def test_a_host_does_not_start_without_a_server(folder):
    settings(folder)
    (folder / "postmaster.pid").unlink()
    assert call(folder)["code"] == "LO301"
    assert "no server runs" in (folder / "pglore" / "host.log").read_text()


def test_the_bridge_runs_on_the_oldest_python_it_promises():
    import ast

    for path in (ROOT / "extension" / "pglore_bridge").glob("*.py"):
        tree = ast.parse(path.read_text(), feature_version=(3, 9))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Match)]


def test_the_bridge_imports_nothing_but_the_standard_library():
    import ast

    for path in (ROOT / "extension" / "pglore_bridge").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else ([node.module] if isinstance(node, ast.ImportFrom) and not node.level else [])
            )
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
