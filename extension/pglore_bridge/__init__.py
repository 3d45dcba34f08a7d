"""The backend's side of the model host: standard library only, Python 3.9 or later, always cancellable.

PL/Python functions call what is listed below. Errors are returned as data ({"code", "message", "hint"}): an error
raised inside PL/Python would carry a Python traceback, so the SQL wrappers raise it instead.
Nothing that comes from rows or depends on the user is kept between calls: the session outlives SET ROLE.
"""

from .calls import embed, host
from .plans import run_planned
from .spelling import spelling
from .stop_words import stop_words
from .stream import stream
from .wording import wording

VERSION = "0.1.0"

__all__ = ["VERSION", "embed", "host", "run_planned", "spelling", "stop_words", "stream", "wording"]
