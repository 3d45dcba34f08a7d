"""The log: one JSON object a line on stderr, which is pglore/host.log. Texts of users never go there."""

import json
import sys
import time
import traceback


def write(event: str, **details: object) -> None:
    """One line: when, what, and its details."""
    entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z", "event": event, **details}
    print(json.dumps(entry, default=str), file=sys.stderr, flush=True)


def fault(event: str, error: BaseException, **details: object) -> None:
    """A line for what should not happen, with its traceback."""
    write(event, error=repr(error), traceback="".join(traceback.format_exception(error)), **details)
