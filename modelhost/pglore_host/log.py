"""The log: one JSON object a line on stderr, which is pglore/host.log. Texts of users never go there."""

import json
import logging
import sys
import threading
import time
import traceback

SELDOM_S = 1.0

_last: dict[str, tuple[float, int]] = {}  # event: when it was last written, and how many were left out since


def write(event: str, **details: object) -> None:
    """One line: when, what, and its details."""
    entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z", "event": event, **details}
    print(json.dumps(entry, default=str), file=sys.stderr, flush=True)


def seldom(event: str, **details: object) -> None:
    """A line for what a client can bring about as often as it likes: one a second, with the count of those left out."""
    last, left_out = _last.get(event, (0.0, 0))
    if (now := time.monotonic()) - last < SELDOM_S:
        _last[event] = last, left_out + 1
        return
    _last[event] = now, 0
    write(event, **details, **({"left_out": left_out} if left_out else {}))


def fault(event: str, error: BaseException, **details: object) -> None:
    """A line for what should not happen, with its traceback."""
    write(event, error=repr(error), traceback="".join(traceback.format_exception(error)), **details)


class _Lines(logging.Handler):
    """What libraries log, as lines of the same kind."""

    def emit(self, record: logging.LogRecord) -> None:
        details = {"traceback": logging.Formatter().formatException(record.exc_info)} if record.exc_info else {}
        write("library", name=record.name, level=record.levelname.lower(), message=record.getMessage(), **details)


def take_all() -> None:
    """Make lines of the log of what libraries log and warn of, and of what ends a thread."""
    logging.basicConfig(handlers=[_Lines()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    threading.excepthook = lambda what: fault("thread ended", what.exc_value or what.exc_type(), thread=what.thread)
