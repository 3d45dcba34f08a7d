"""The supervisor: a worker that crashes is replaced at once, one that is asked to stop drains; there is one host."""

import contextlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ROOT, Link, Running, start

LONG = "a sentence of a long text that takes a while to read. " * 10
DIES = """
import os, sys
from pglore_host import lifecycle, supervise
os.chdir(sys.argv[1])
def work(worker):
    {0}
supervise.Supervisor(lifecycle.listen(16), work).run()
"""


@pytest.fixture
def host(cache: Path) -> Iterator[Running]:
    """A host of this test alone, no model loaded, and the process that it takes for the postmaster."""
    with tempfile.TemporaryDirectory(prefix="pglore-") as name:
        postmaster = subprocess.Popen(["sleep", "600"])
        host = start(Path(name), cache, postmaster.pid)
        host.postmaster = postmaster
        yield host
        for link in host.links:
            link.close()
        postmaster.kill()
        postmaster.wait()
        host.process.wait(60)


def events(folder: Path) -> list[dict]:
    """The lines of the log."""
    return [json.loads(line) for line in (folder / "pglore" / "host.log").read_text().splitlines()]


def gone(pid: int, timeout_s: float = 60) -> bool:
    """Whether a process ends within the time, which may be none."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)


def until(condition, timeout_s: float = 60) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


def test_a_killed_worker_is_replaced_at_once(host: Running):
    for _ in range(3):
        link = host.connect()
        killed = link.call("status")["pid"]
        assert killed != host.process.pid
        os.kill(killed, signal.SIGKILL)
        assert link.read() is None
        assert host.pid != killed
    log = events(host.folder)
    assert [event["signal"] for event in log if event["event"] == "worker died"] == ["SIGKILL"] * 3
    assert "waiting before the next start" not in [event["event"] for event in log]


def test_a_connection_that_comes_between_two_workers_waits_and_is_served(host: Running):
    killed = host.pid
    os.kill(host.process.pid, signal.SIGSTOP)
    os.kill(killed, signal.SIGKILL)
    assert gone(killed)
    link = host.connect()
    link.send("status")
    os.kill(host.process.pid, signal.SIGCONT)
    assert json.loads(link.read()[1])["pid"] != killed


def test_the_supervisor_has_one_thread_and_no_engine(host: Running):
    host.connect().call("embed", texts=["the worker loads its model"])
    assert next(event for event in events(host.folder) if event["event"] == "ready to fork")["threads"] == 1
    assert len(os.listdir(f"/proc/{host.process.pid}/task")) == 1
    assert "libopenvino_intel_cpu_plugin" not in Path(f"/proc/{host.process.pid}/maps").read_text()
    assert "libopenvino_intel_cpu_plugin" in Path(f"/proc/{host.pid}/maps").read_text()


@pytest.mark.parametrize("whom", ["supervisor", "worker"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_who_is_asked_to_stop_ends_both(host: Running, whom: str, how: signal.Signals):
    worker = host.pid
    os.kill(host.process.pid if whom == "supervisor" else worker, how)
    assert host.process.wait(60) == 0
    assert gone(worker, 0)
    assert not (host.folder / "pglore" / "host.sock").exists()
    assert [event["event"] for event in events(host.folder)][-3:] == ["draining", "drained", "stopped"]


def test_both_end_with_the_postmaster(host: Running):
    worker = host.pid
    host.postmaster.kill()
    assert host.process.wait(60) == 0
    assert gone(worker, 0)
    assert not (host.folder / "pglore" / "host.sock").exists()


def test_a_worker_serves_on_without_its_supervisor_and_holds_the_lock(host: Running, cache: Path):
    worker = host.pid
    host.process.kill()
    host.process.wait()
    assert host.pid == worker
    second = start(host.folder, cache, host.postmaster.pid)
    assert second.process.wait(60) == 0
    assert events(host.folder)[-1]["event"] == "another host is running"
    os.kill(worker, signal.SIGKILL)
    assert gone(worker)
    third = start(host.folder, cache, host.postmaster.pid)

    def served() -> bool:  # the old socket is there until the new host has replaced it
        with contextlib.suppress(OSError):
            return third.pid != worker
        return False

    until(served)
    host.process = third.process


def test_a_worker_without_its_supervisor_stops_in_order(host: Running):
    worker = host.pid
    host.process.kill()
    host.process.wait()
    os.kill(worker, signal.SIGTERM)
    assert gone(worker)
    assert not (host.folder / "pglore" / "host.sock").exists()
    assert events(host.folder)[-1]["event"] == "drained"


def test_workers_that_die_one_after_the_other_are_started_a_little_later(tmp_path: Path):
    program = DIES.format("worker.serving(); os.kill(os.getpid(), 9)")
    program = program.replace("supervise.Supervisor", "supervise.SOON_S = 600; supervise.Supervisor")  # on any machine
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "modelhost")},
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = (json.loads(line) for line in process.stderr)
    found = list(itertools.islice((event.get("seconds") for event in seen if event["event"] != "ready to fork"), 7))
    process.kill()
    process.wait()
    assert found == [None] * 5 + [0.1, None]


@pytest.mark.parametrize("how", ["1 / 0", "os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_workers_that_cannot_come_to_serve_end_the_host_with_a_word(tmp_path: Path, how: str):
    done = subprocess.run(
        [sys.executable, "-c", DIES.format(how), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "modelhost")},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()][-1] == "giving up"
    assert not list(tmp_path.glob("host.sock*"))


def test_what_is_done_while_the_first_worker_serves_is_there_for_the_next(tmp_path: Path):
    program = """
import os, sys, time
from pglore_host import lifecycle, supervise
os.chdir(sys.argv[1])
done = []
def work(worker):
    worker.serving()
    print(len(done), flush=True)
    if done:
        os._exit(0)
    while not os.path.exists("done"):
        time.sleep(0.01)
    os.kill(os.getpid(), 9)
def meanwhile():
    done.append(1)
    open("done", "w").close()
supervise.LATER_S = 0
supervise.Supervisor(lifecycle.listen(16), work, meanwhile).run()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "modelhost")},
        stdout=subprocess.PIPE,
        timeout=120,
    )
    assert (done.returncode, done.stdout.split()) == (0, [b"0", b"1"])


def test_a_stop_finishes_what_is_running_and_closes_every_connection(host: Running):
    links = [host.connect() for _ in range(4)]
    links[0].call("embed", texts=["load"])
    for link in links:
        for number in range(3):
            link.send("embed", number=number, texts=[LONG] * 4, lane="bulk")
    # All have come in; those that have been answered are counted first, so that none is counted twice.
    until(lambda: host.connect().call("metrics")[0]["requests"] - 1 + host.status()["active"] == 12)
    assert "pid" in host.connect().call("stop")  # answered when the others have been
    for link in links:
        link.socket.settimeout(60)
        replies = [link.read() for _ in range(3)]
        assert sorted(header["id"] for header, _ in replies) == [0, 1, 2]
        assert all(len(body.split(b"\n")) == 4 for _, body in replies)
        assert link.read() is None
    assert host.process.wait(60) == 0


def at_work(host: Running, link: Link) -> None:
    """Wait until the host has work of a connection to do: a request, and another one where that was answered before."""
    link.send("embed", texts=[LONG] * 40, lane="bulk")
    while not host.status()["queued"]:
        if select.select([link.socket], [], [], 0)[0]:
            assert "error" not in link.read()[0]
            link.send("embed", texts=[LONG] * 40, lane="bulk")


def test_requests_sent_after_a_stop_get_no_answer_but_a_closed_connection(host: Running):
    busy, idle = host.connect(), host.connect()
    for link in (busy, idle):
        link.call("embed", texts=["load"])
    at_work(host, busy)
    os.kill(host.process.pid, signal.SIGTERM)
    assert idle.read() is None  # while the other is still running
    with contextlib.suppress(OSError):
        busy.send("status", number=2)
    assert busy.read()[0]["id"] == 1
    assert busy.read() is None
    assert host.process.wait(60) == 0


def test_a_host_started_during_a_stop_waits_for_it(host: Running, cache: Path):
    link = host.connect()
    link.call("embed", texts=["load"])
    at_work(host, link)
    os.kill(host.process.pid, signal.SIGTERM)
    until(lambda: not (host.folder / "pglore" / "host.sock").exists())
    replies: list = []
    reader = threading.Thread(target=lambda: replies.extend((link.read(), link.read(), host.process.wait())))
    reader.start()
    following = start(host.folder, cache, host.postmaster.pid)
    assert following.pid
    reader.join(60)
    assert replies[0][0]["id"] == 1 and replies[1:] == [None, 0]
    host.process = following.process


def test_libraries_log_lines_of_the_same_kind(tmp_path: Path):
    program = (
        "import logging, threading, warnings; from pglore_host import log; log.take_all();"
        "logging.getLogger('asyncio').warning('one'); warnings.warn('two');"
        "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT / "modelhost")},
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["library", "library", "thread ended"]
