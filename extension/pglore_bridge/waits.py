"""Waiting for a socket without making the backend deaf.

A blocking recv in PL/Python restarts after each signal (PEP 475), so pg_cancel_backend, statement_timeout and a lost
client would go unheard. libc's poll, called through ctypes, returns on a signal; the server's own flag
InterruptPending then says whether there is something to act on, and any SQL statement acts on it.
"""

import contextlib
import ctypes
import os
import select
import stat
import time

from .failure import Failure

SLICE_MS = 250  # longest sleep: bounds the one race, a signal between the check and the poll
SLICE_WITHOUT_FLAG_MS = 50
GONE = 0x2000 if hasattr(select, "POLLRDHUP") else 0  # POLLRDHUP: the far end has closed its writing side


class _PollFd(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


def _server_symbol(kind, name):
    """A variable of the running server, or None where it is not exported (and outside a server)."""
    try:
        return kind.in_dll(ctypes.CDLL(None), name)
    except (OSError, ValueError):
        return None


def _libc_poll():
    """libc's poll, or None where it cannot be reached."""
    with contextlib.suppress(OSError, AttributeError):
        poll = ctypes.CDLL(None).poll
        poll.restype = ctypes.c_int
        poll.argtypes = (ctypes.POINTER(_PollFd), ctypes.c_ulong, ctypes.c_int)
        return poll
    return None


def _client_socket():
    """The client's socket, the first member of *MyProcPort, or -1 where anything looks odd or there is no client."""
    port = _server_symbol(ctypes.c_void_p, "MyProcPort")
    if not GONE or port is None or not port.value:
        return -1
    descriptor = ctypes.c_int.from_address(port.value).value
    with contextlib.suppress(OSError, OverflowError):
        if descriptor > 2 and stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return descriptor
    return -1


_pending = _server_symbol(ctypes.c_int, "InterruptPending")
_poll = _libc_poll() if _pending is not None else None
_client = _client_socket()
_watched = (_PollFd * 2)()


def check(plpy):
    """Let the server act on a cancel, a timeout or a shutdown; what it raises becomes a Failure."""
    if _pending is not None and not _pending.value:
        return
    try:
        plpy.execute("SELECT 1")
    except Exception as error:  # 57014 and its like: handed back as data, never swallowed
        code = getattr(error, "sqlstate", None) or "57014"
        raise Failure(code, str(error), getattr(error, "hint", None)) from None


def wait(plpy, descriptor, events, timeout_s=None):
    """Sleep until `descriptor` shows one of `events` (select.POLLIN, POLLOUT), a problem, or the time is up.

    descriptor  a file descriptor, or -1 to sleep only
    returns     the events seen, 0 when the time is up
    raises      Failure with 57014 and its like, or 08006 when the client has gone
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        check(plpy)
        slice_ms = SLICE_MS if _poll else SLICE_WITHOUT_FLAG_MS
        if deadline is not None:
            slice_ms = min(slice_ms, max(0, int((deadline - time.monotonic()) * 1000)))
        seen, gone = _sleep(descriptor, events, slice_ms)
        if gone:
            raise Failure("08006", "connection to client lost")
        if seen:
            return seen
        if deadline is not None and time.monotonic() >= deadline:
            check(plpy)
            return 0


def _sleep(descriptor, events, slice_ms):
    """One slice of sleep: the events seen on `descriptor`, and whether the client has gone."""
    if not _poll:
        return _sleep_without_flag(descriptor, events, slice_ms)
    watched = _watched
    watched[0].fd, watched[0].events, watched[0].revents = descriptor, events, 0
    watched[1].fd, watched[1].events, watched[1].revents = _client, GONE, 0
    if _poll(watched, 2, slice_ms) <= 0:  # time is up, or a signal: the caller checks which
        return 0, False
    return watched[0].revents, watched[1].revents != 0


def _sleep_without_flag(descriptor, events, slice_ms):
    """The same through Python's own poll, which sleeps through signals: hence the short slice."""
    poll = select.poll()
    if descriptor >= 0:
        poll.register(descriptor, events)
    if _client >= 0:
        poll.register(_client, GONE)
    seen = dict(poll.poll(slice_ms))
    return seen.get(descriptor, 0), _client >= 0 and bool(seen.get(_client, 0))
