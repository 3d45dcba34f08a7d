"""One connection a backend to the model host, and the frames on it.

A frame is u32le header length, u32le body length, header (JSON, UTF-8), body (bytes).
"""

import contextlib
import errno
import json
import os
import select
import socket
import struct
import time
from collections import deque

from . import launch
from .failure import Failure, HostGone
from .waits import wait

SOCKET = "pglore/host.sock"  # relative to the data directory, where every backend runs: short at any depth
LENGTHS = struct.Struct("<II")
HEADER_LIMIT = 32 << 20  # bytes, the same on both sides
BODY_LIMIT = 256 << 20
READ_SIZE = 1 << 18
TRIES = 4  # the first, and silent ones when the host has died; the count starts anew with each reply
PATIENCE_S = 2  # after the first death under a call another is not borne with: it may be the call that kills

_connection = None  # (socket, process id that opened it)


def frame(header, body=b""):
    """Bytes of one frame; a header over the limit is the caller's error."""
    if len(header) > HEADER_LIMIT:
        raise Failure(
            "LO102", f"the request is {len(header):,} bytes, over the limit of {HEADER_LIMIT:,}", "Split the input."
        )
    return LENGTHS.pack(len(header), len(body)) + header + body


def exchange(plpy, count, encode, receive, window=4, again=True):
    """Send requests 0 to count - 1, at most `window` unanswered, and hand each reply on as it comes.

    encode   index -> frame; called only when the frame is to be sent, so memory stays small
    receive  (index, header dict, body bytes) -> None
    again    whether a request that the host died under may be sent once more; not if doing it twice does harm
    raises   Failure: an error from the host, LO301, or an interrupt. The connection is closed unless it is clean.
    """
    todo = deque(range(count))
    tries, first_death = 0, None
    while True:
        flight = {}  # index: whether all of its frame has been sent
        before = len(todo)
        try:
            _run(plpy, _connect(plpy), todo, flight, encode, receive, window)
            return
        except HostGone as gone:
            close()
            todo.extendleft(sorted(flight, reverse=True))
            if len(todo) < before:
                tries, first_death = 0, None
            tries += 1
            sent = any(flight.values())  # if not, the host had gone before: on a connection of an earlier call
            if sent and first_death is None:
                first_death = time.monotonic()
            if sent and not again:
                raise Failure(
                    "LO301",
                    f"the model host went away before it answered: {gone}",
                    "Look whether it was done before you call again.",
                ) from None
            if tries >= TRIES or (first_death and time.monotonic() - first_death > PATIENCE_S):
                raise Failure("LO301", f"the model host went away: {gone}", launch.LOG_HINT) from None
            wait(plpy, -1, 0, 0.005)
        except BaseException:
            # Anything in flight would be read by the next call as its own; and closing is what stops the work.
            if flight:
                close()
            raise


def _run(plpy, link, todo, flight, encode, receive, window):
    """Drive one connection until every request is answered; `todo` and `flight` tell how far it got."""
    out, got, descriptor, index = memoryview(b""), bytearray(), link.fileno(), 0
    while todo or flight:
        if todo and not out and len(flight) < window:
            index = todo.popleft()
            flight[index] = False
            out = memoryview(encode(index))
        if out:
            out = out[_send(link, out) :]
            flight[index] = not out
            if todo and not out and len(flight) < window:
                continue
        seen = wait(plpy, descriptor, select.POLLIN | (select.POLLOUT if out else 0))
        if not seen & ~select.POLLOUT:
            continue
        got += _receive(link)
        for header, body in _frames(got):
            if header.get("id") not in flight:
                error = header.get("error") or {}
                raise Failure(
                    error.get("code", "LO901"),
                    error.get("message", "the model host sent a stray reply"),
                    error.get("hint"),
                )
            del flight[header["id"]]
            if header.get("error"):
                raise Failure(**header["error"])
            receive(header["id"], header, body)


def _frames(got):
    """Take the whole frames off the front of a buffer."""
    while len(got) >= LENGTHS.size:
        head, body = LENGTHS.unpack_from(got)
        if head > HEADER_LIMIT or body > BODY_LIMIT:
            raise HostGone("it sent a frame over the limit")
        start, end = LENGTHS.size + head, LENGTHS.size + head + body
        if len(got) < end:
            return
        header = json.loads(bytes(got[LENGTHS.size : start]))
        payload = bytes(got[start:end])
        del got[:end]
        yield header, payload


def _send(link, out):
    try:
        return link.send(out[:READ_SIZE])
    except (BlockingIOError, InterruptedError):
        return 0
    except OSError as error:
        raise HostGone(error.strerror) from None


def _receive(link):
    try:
        data = link.recv(READ_SIZE)
    except (BlockingIOError, InterruptedError):
        return b""
    except OSError as error:
        raise HostGone(error.strerror) from None
    if not data:
        raise HostGone("it closed the connection")
    return data


def _connect(plpy):
    """The backend's connection, opened (and the host started) where there is none."""
    global _connection
    if not _connection or _connection[1] != os.getpid():
        _connection = (launch.connect_or_start(plpy, lambda: dial(plpy)), os.getpid())
    return _connection[0]


def dial(plpy):
    """Connect to the host's socket, whose owner must be this account; HostGone where nobody listens."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.setblocking(False)
    try:
        while True:
            code = link.connect_ex(SOCKET)
            if code == 0:
                break
            if code != errno.EAGAIN:  # EAGAIN: its backlog is full just now
                raise HostGone(os.strerror(code))
            wait(plpy, -1, 0, 0.01)
        if owner(link) not in (os.geteuid(), None):
            raise Failure(
                "LO301",
                "the model host's socket belongs to another account",
                "The model host must run as the account that runs the server.",
            )
        return link
    except BaseException:
        link.close()
        raise


def owner(link):
    """User id at the other end; None where the system cannot tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    return struct.unpack("iII", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]


def close():
    """Drop the connection; the host cancels what is still running for it."""
    global _connection
    if _connection:
        with contextlib.suppress(OSError):
            _connection[0].close()
    _connection = None
