"""The supervisor: a parent without threads or models, which keeps lock and socket and forks the worker that serves.

A worker that crashes is replaced at once; connections that come in between wait in the socket's backlog. A worker that
was asked to stop ends the supervisor too. If the supervisor is killed, its worker serves on, with lock and socket.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

from . import lifecycle, log

SIGNALS = (signal.SIGCHLD, *lifecycle.STOPS)
MANY, SOON_S = 5, 5.0  # so many deaths within so many seconds, and the next start waits a little
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0
LATER_S = 30  # by then the first worker has imported what it needs
STOP_S = 15  # a worker that has not ended by then is killed; it bounds its own draining below that
SERVING, STOPPING = b"s", b"t"  # what a worker tells


class Worker:
    """The worker's way to tell its supervisor how far it is."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def serving(self) -> None:
        """It accepts connections."""
        self._tell(SERVING)

    def stopping(self) -> None:
        """It accepts no more: let the next host have the socket's name."""
        if not self._tell(STOPPING):
            lifecycle.unlink_socket()

    def _tell(self, what: bytes) -> bool:
        try:
            return bool(os.write(self._pipe, what))
        except OSError:  # the supervisor was killed
            return False


class Supervisor:
    """Forks workers, one at a time, until one ends because it was asked to."""

    def __init__(
        self, listening: socket.socket, work: Callable[[Worker], None], meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """work is a worker's whole life; meanwhile is called once, LATER_S after the start, for the workers to come."""
        self._listening, self._work = listening, work
        self._meanwhile: Callable[[], None] | None = meanwhile
        self._later = time.monotonic() + LATER_S
        self._signals, self._wake = os.pipe()
        os.set_blocking(self._signals, False)
        os.set_blocking(self._wake, False)
        self._told = -1  # the reading end of the worker's pipe
        self._served = self._stopping = False
        self._deadline = float("inf")

    def run(self) -> NoReturn:
        """Serve through workers; ends the process."""
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()  # so that no collection in a worker copies pages of what was imported
        deaths: deque[float] = deque(maxlen=MANY)
        pause, unserved = FIRST_PAUSE_S, 0
        while not self._stopping:
            born = time.monotonic()
            pid = self._fork()
            status = self._until_end(pid)
            ended_by = -status if status < 0 else None
            if self._stopping or status == 0 or ended_by in lifecycle.STOPS:
                break
            now = time.monotonic()
            log.write("worker died", pid=pid, after_s=round(now - born, 3), **_cause(status))
            unserved = 0 if self._served else unserved + 1
            if unserved and (ended_by is None or unserved == MANY):
                log.write("giving up", reason="the worker died before it could serve")
                self._end(1)
            deaths.append(now)
            if len(deaths) == MANY and now - deaths[0] < SOON_S:
                log.write("waiting before the next start", seconds=pause)
                while not self._stopping and (left := now + pause - time.monotonic()) > 0:
                    self._wait(left)
                pause = min(LONGEST_PAUSE_S, pause * 2)
            else:
                pause = FIRST_PAUSE_S
        log.write("stopped")
        self._end(0)

    def _fork(self) -> int:
        """A new worker's process id."""
        self._told, telling = os.pipe()
        os.set_blocking(self._told, False)
        self._served = False
        while True:
            try:
                pid = os.fork()
                break
            except OSError as error:
                log.write("no worker can be started", error=str(error))
                self._wait(LONGEST_PAUSE_S)
        if pid:
            os.close(telling)
            return pid
        try:
            signal.set_wakeup_fd(-1)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            for descriptor in (self._signals, self._wake, self._told):
                os.close(descriptor)
            self._work(Worker(telling))
        except BaseException as error:
            log.fault("worker failed", error)
        finally:
            os._exit(1)

    def _prepare(self) -> None:
        if self._meanwhile and time.monotonic() > self._later and not self._stopping:
            try:
                self._meanwhile()
            except Exception as error:  # a worker will say more about it
                log.write("not prepared", error=repr(error))
            self._meanwhile = None

    def _until_end(self, pid: int) -> int:
        """How the worker ended: its exit status, or minus the number of the signal that killed it."""
        try:
            while True:
                with contextlib.suppress(ChildProcessError):
                    # Any child: as the first process of a container it has others' orphans to see off too.
                    while (found := os.waitpid(-1, os.WNOHANG))[0]:
                        if found[0] == pid:
                            self._hear()
                            return os.waitstatus_to_exitcode(found[1])
                if self._stopping and self._deadline == float("inf"):
                    self._deadline = time.monotonic() + STOP_S
                    os.kill(pid, signal.SIGTERM)
                if time.monotonic() > self._deadline:
                    log.write("the worker does not end: killed", pid=pid)
                    os.kill(pid, signal.SIGKILL)
                    self._deadline = time.monotonic() + STOP_S
                self._wait(1.0)
                self._prepare()
        finally:
            os.close(self._told)
            self._told = -1

    def _wait(self, seconds: float) -> None:
        """Sleep until a signal, a word of the worker, or the time is up."""
        watched = [self._signals] + [self._told] * (self._told >= 0)
        ready = select.select(watched, [], [], seconds)[0]
        if self._told in ready and not self._hear():
            time.sleep(0.01)  # its end of the pipe is closed: it is about to be reaped
        if self._signals in ready and set(os.read(self._signals, 4096)) & set(lifecycle.STOPS):
            self._stop()

    def _hear(self) -> bytes:
        """What the worker has told."""
        try:
            told = os.read(self._told, 64)
        except BlockingIOError:
            return b""
        self._served = self._served or SERVING in told
        if STOPPING in told:
            self._stop()
        return told

    def _stop(self) -> None:
        """Take no more connections: who comes from now on starts the next host, which waits for the lock."""
        if not self._stopping:
            self._stopping = True
            lifecycle.unlink_socket()
            self._listening.close()

    def _end(self, status: int) -> NoReturn:
        lifecycle.unlink_socket()  # the lock is still held: this is nobody else's socket
        sys.stderr.flush()
        os._exit(status)


def _cause(status: int) -> dict:
    if status >= 0:
        return {"status": status}
    with contextlib.suppress(ValueError):
        return {"signal": signal.Signals(-status).name}
    return {"signal": -status}
