"""What a call does when the host dies under it: sent again in silence, but not for long, and never what must not be."""

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALL = """
import json, os, select, sys
os.chdir(sys.argv[1])
sys.path.insert(0, sys.argv[2])
import pglore_bridge
from pglore_bridge import channel
class plpy:
    prepare = staticmethod(lambda statement: statement)
    execute = staticmethod(lambda plan: [{"traceparent": None, "role": 10, "login": 10, "started": 0}])
op, admin = sys.argv[3], sys.argv[3] == "add_model"
replies = []
for left in reversed(range(int(sys.argv[4]))):
    replies.append(pglore_bridge.host(plpy, op, "{}", admin))
    if left:  # until the other end has closed it
        select.select([channel._connection[0]], [], [], 60)
print(json.dumps(replies))
"""
REPLY = b'{"id": 0}'


class Host:
    """A stand-in that takes a request on each connection and then dies, that many times, before it answers."""

    def __init__(self, folder: Path, deaths: int, after_s: float = 0.0, reads: bool = True) -> None:
        self.deaths, self.after_s, self.reads, self.requests = deaths, after_s, reads, 0
        (folder / "pglore").mkdir(mode=0o700)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / "pglore" / "host.sock"))
        self._listening.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listening.accept()
                if not self.reads and self.deaths:
                    self.deaths -= 1
                    link.close()
                    continue
                while head := link.recv(8):
                    link.recv(sum(struct.unpack("<II", head)))
                    self.requests += 1
                    if self.deaths:
                        self.deaths -= 1
                        time.sleep(self.after_s)
                        break
                    link.sendall(struct.pack("<II", len(REPLY), 2) + REPLY + b"{}")
                link.close()

    def call(self, folder: Path, op: str = "status", times: int = 1) -> list[dict]:
        """What the bridge makes of calls in one session."""
        done = subprocess.run(
            [sys.executable, "-c", CALL, folder, ROOT / "extension", op, str(times)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def test_a_call_is_sent_again_in_silence(tmp_path: Path):
    host = Host(tmp_path, deaths=3)
    assert host.call(tmp_path) == [{"error": None, "result": "{}"}]
    assert host.requests == 4


def test_a_call_that_kills_the_host_each_time_does_not_do_so_for_ever(tmp_path: Path):
    host = Host(tmp_path, deaths=100)
    error = json.loads(host.call(tmp_path)[0]["error"])
    assert error["code"] == "LO301" and "went away" in error["message"] and "host.log" in error["hint"]
    assert host.requests == 4


def test_two_seconds_after_the_first_death_no_other_is_borne_with(tmp_path: Path):
    host = Host(tmp_path, deaths=100, after_s=1.2)
    assert json.loads(host.call(tmp_path)[0]["error"])["code"] == "LO301"
    assert host.requests in (2, 3)  # that died at 1.2, 2.4 and 3.6 s, or later on a slow machine


def test_what_must_not_be_done_twice_is_not_sent_twice(tmp_path: Path):
    host = Host(tmp_path, deaths=1)
    error = json.loads(host.call(tmp_path, "add_model")[0]["error"])
    assert error["code"] == "LO301" and "Look whether it was done" in error["hint"]
    assert host.requests == 1


@pytest.mark.parametrize("op", ["status", "add_model"])
def test_a_connection_that_broke_since_the_last_call_is_opened_anew(tmp_path: Path, op: str):
    """Also for what must not be done twice: nothing of it has been sent."""

    class Closing(Host):
        def _serve(self) -> None:
            for _ in range(3):
                link, _ = self._listening.accept()
                head = link.recv(8)
                link.recv(sum(struct.unpack("<II", head)))
                self.requests += 1
                link.sendall(struct.pack("<II", len(REPLY), 2) + REPLY + b"{}")
                link.close()

    host = Closing(tmp_path, deaths=0)
    assert host.call(tmp_path, op, times=3) == [{"error": None, "result": "{}"}] * 3
    assert host.requests == 3
