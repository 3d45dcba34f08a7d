"""Stopping the model host: the one request that must not start it, and that waits for its end."""

import contextlib
import json
import select

from . import channel
from .failure import Failure, HostGone
from .waits import wait


def stop(plpy):
    """Ask the host to finish what is running and end, and wait until it has.

    returns  whether one was running
    raises   Failure: an error from the host, or an interrupt, after which the host ends all the same
    """
    try:
        link = channel.dial(plpy)
    except HostGone:
        return False
    with contextlib.closing(link):
        channel.close()  # the session's own: the host waits for nobody who may still ask
        got = b""
        try:
            link.sendall(channel.frame(b'{"id": 0, "op": "stop", "arguments": {}}'))
            while True:
                wait(plpy, link.fileno(), select.POLLIN)
                data = link.recv(1 << 16)
                if not data:
                    return True
                got += data
                if _error(got):
                    raise Failure(**_error(got))
        except ConnectionError:  # it went away more quickly than it answered
            return True


def _error(got):
    """The error in a reply, None while there is none."""
    head, _ = channel.LENGTHS.unpack_from(got) if len(got) >= channel.LENGTHS.size else (0, 0)
    end = channel.LENGTHS.size + head
    return json.loads(got[channel.LENGTHS.size : end]).get("error") if head and len(got) >= end else None
