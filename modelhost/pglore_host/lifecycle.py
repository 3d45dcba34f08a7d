"""Life of the host: into the background, one at a time, listening, and gone when the postmaster is gone."""

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import NoReturn

from . import log

SOCKET = "host.sock"
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # what asks for a stop
LOCK_TIMEOUT_S = 20  # an older host may still be finishing its last requests
LOG_LIMIT = 16 << 20  # bytes; a longer log is set aside at the start


def into_background() -> Callable[[], None]:
    """Double fork. The first process waits and ends once the daemon calls what this returns, or with 1 when it dies."""
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        os._exit(0 if os.read(read, 1) else 1)
    os.close(read)
    os.setsid()
    if os.fork():
        os._exit(0)

    def ready() -> None:
        with contextlib.suppress(OSError):
            os.write(write, b"1")
        os.close(write)

    return ready


def settle(folder: Path) -> None:
    """Private files, the folder as working directory, the log on stdout and stderr, first to go when memory ends."""
    os.umask(0o077)
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chdir(folder)  # so that the socket's path stays short however deep the data directory lies
    with contextlib.suppress(OSError):
        if os.path.getsize("host.log") > LOG_LIMIT:
            os.replace("host.log", "host.log.1")
    with open("host.log", "ab", buffering=0) as file, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # A connection for each backend that has ever called: the usual 1,024 descriptors can be too few.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def take_lock() -> int:
    """The lock that makes this the only host of the cluster; SystemExit 0 where another host already listens.

    returns  its file descriptor, to be kept open
    """
    lock = os.open("host.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if _listens():
                log.write("another host is running")
                raise SystemExit(0) from None
            if time.monotonic() > deadline:
                log.write("another host holds the lock but does not listen")
                raise SystemExit(1) from None
            time.sleep(0.02)


def _listens() -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(SOCKET) == 0


def listen(backlog: int) -> socket.socket:
    """A listening socket under its final name; a stale one is replaced in the same step."""
    name = f"{SOCKET}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(name)
    os.chmod(name, 0o600)
    listening.listen(backlog)
    os.rename(name, SOCKET)
    return listening


def postmaster(data_directory: Path) -> int:
    """Process id of the server that owns the data directory; SystemExit 1 where none runs."""
    try:
        pid = int((data_directory / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        os.kill(pid, 0)
        return pid
    except (OSError, ValueError) as error:
        log.write("no server runs on this data directory", folder=str(data_directory), error=str(error))
        raise SystemExit(1) from None


def handle(pid: int) -> int | None:
    """A descriptor that becomes readable when a process ends; None where the system has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def watch(pid: int, descriptor: int | None) -> None:
    """End this process at once when the postmaster ends: by its descriptor, or by a look each second without one."""
    loop = asyncio.get_running_loop()
    if descriptor is None:
        loop.call_later(1, _look, pid)
    else:
        loop.add_reader(descriptor, _leave)


def _look(pid: int) -> None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        _leave()
    asyncio.get_running_loop().call_later(1, _look, pid)


def _leave() -> None:
    log.write("the server has ended")
    unlink_socket()
    os._exit(0)  # engines' threads are not waited for: nothing of theirs is to be kept


def unlink_socket() -> None:
    """Take the socket's name away; only for who holds the lock."""
    with contextlib.suppress(OSError):
        os.unlink(SOCKET)


def run(serve: Callable[[asyncio.Event], Coroutine], pid: int, descriptor: int | None) -> NoReturn:
    """Run `serve` until one of STOPS asks for a stop; ends the process.

    pid, descriptor  of the postmaster; see watch
    """

    async def main() -> None:
        stopped = asyncio.Event()
        for number in STOPS:
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        watch(pid, descriptor)
        await serve(stopped)
        log.write("drained")
        sys.stderr.flush()
        os._exit(0)  # here: asyncio.run would wait for threads that are still at work

    asyncio.run(main())
    raise AssertionError("main ends the process")
