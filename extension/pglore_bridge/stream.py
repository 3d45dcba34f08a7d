"""A request with several replies, handed on as they come: each stream has a connection of its own.

So other calls of the session go on between two rows of a cursor, and an abandoned stream is a closed connection, which
is what cancels the request.
"""

import contextlib
import json
import select
import time
from json.encoder import encode_basestring as quoted

from . import channel, launch
from .caller import caller, memberships
from .failure import Failure, HostGone
from .trace import traceparent
from .waits import wait

OPS = ("generate_stream", "chat_stream", "answer_stream")
REPORT = "Please report it, with the server's log."


def stream(plpy, op, arguments):
    """Rows for lore._reply as replies come; the last may be an error, as data.

    Replies that have come by the time a row is asked for are joined to one, so that a slow reader never lags.
    """
    try:
        yield from _rows(plpy, op, arguments)
    except Failure as failure:
        yield json.dumps(failure.error), None
    except MemoryError:
        yield json.dumps(Failure("LO303", "the backend's memory is not enough").error), None
    except Exception as error:
        yield json.dumps(Failure("LO901", f"the bridge failed: {error!r}", REPORT).error), None


def _rows(plpy, op, arguments):
    if op not in OPS:
        raise Failure("LO103", "this operation is no stream", "The functions of schema lore say what there is.")
    header = caller(plpy) + traceparent(plpy)
    first_death, tries, handed_on = None, 0, False
    while True:
        request = channel.frame(f'{{"id": 0, "op": {quoted(op)}{header}, "arguments": {arguments}}}'.encode())
        link = launch.connect_or_start(plpy, lambda: channel.dial(plpy))
        try:
            for row in _replies(plpy, link, request):
                handed_on = True
                yield None, row
            return
        except Failure as failure:  # as in calls._exchange
            if not failure.roles:
                raise
            header += f', "member": {memberships(plpy, list(failure.roles))}'
            continue
        except HostGone as gone:
            # As a call that is not a stream, it is sent again in silence; but not once a row has been seen.
            tries, first_death = tries + 1, first_death or time.monotonic()
            if handed_on or tries >= channel.TRIES or time.monotonic() - first_death > channel.PATIENCE_S:
                raise Failure("LO301", f"the model host went away: {gone}", launch.LOG_HINT) from None
        finally:
            with contextlib.suppress(OSError):
                link.close()
        wait(plpy, -1, 0, 0.005)


def _replies(plpy, link, request):
    """JSON texts of the replies on a connection, pieces that came together as one."""
    out, got = memoryview(request), bytearray()
    while True:
        if out:
            out = out[channel._send(link, out) :]
        seen = wait(plpy, link.fileno(), select.POLLIN | (select.POLLOUT if out else 0))
        if not seen & ~select.POLLOUT:
            continue
        got += channel._receive(link)
        pieces, last = [], None
        for header, body in channel._frames(got):
            if header.get("error"):
                if pieces:
                    yield _joined(pieces)
                raise Failure(**header["error"])
            if header.get("more"):
                pieces.append(body)
            else:
                last = body.decode("utf-8")
        if pieces:
            yield _joined(pieces)
        if last is not None:
            yield last
            return


def _joined(pieces):
    """Pieces {"text": ...} as one."""
    if len(pieces) == 1:
        return pieces[0].decode("utf-8")
    return json.dumps({"text": "".join([json.loads(piece)["text"] for piece in pieces])})
