"""The trace that a session carries on: W3C Trace Context in its setting lore.traceparent, which any role may set."""

import ctypes
import re

from .failure import Failure

TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
SETTING = "SELECT pg_catalog.current_setting('lore.traceparent', true) AS traceparent"

_plan = None


def _reader():
    """The server's own function that reads a setting, or None where it is not exported (and outside a server).

    It costs a hundredth of a query. Asked for a setting that may be missing, it returns NULL and raises nothing.
    """
    try:
        read = ctypes.PyDLL(None).GetConfigOption
    except (OSError, AttributeError):
        return None
    read.restype, read.argtypes = ctypes.c_char_p, (ctypes.c_char_p, ctypes.c_bool, ctypes.c_bool)
    return read


_read = _reader()


def traceparent(plpy):
    """The member `, "traceparent": "..."` of a request's header, or nothing where none is set or it is not valid."""
    global _plan
    if _read is not None:
        value = _read(b"lore.traceparent", True, False)
        if not value:
            return ""
        value = value.decode("ascii", "replace")
        return f', "traceparent": "{value}"' if TRACEPARENT.fullmatch(value) else ""
    try:
        if _plan is None:
            _plan = plpy.prepare(SETTING)
        value = plpy.execute(_plan)[0]["traceparent"]
    except Exception as error:  # 57014 and its like: handed back as data, never swallowed
        code = getattr(error, "sqlstate", None) or "57014"
        raise Failure(code, str(error), getattr(error, "hint", None)) from None
    return f', "traceparent": "{value}"' if value and TRACEPARENT.fullmatch(value) else ""
