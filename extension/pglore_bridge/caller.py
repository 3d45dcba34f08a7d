"""Who calls, and in which statement: what the model host counts, limits and refuses by.

It goes into a request's header, beside the arguments, which are all that SQL can say: nobody calls in another's name.
The server's own functions tell it in a microsecond, where a query took sixty (measured). They only read a
variable each, so that none of them can raise an error through this code.
"""

import ctypes
import os

from .failure import Failure

WHO = (
    "SELECT r.oid::bigint AS role, l.oid::bigint AS login, "
    "(extract(epoch FROM pg_catalog.statement_timestamp()) * 1000000)::bigint AS started "
    "FROM pg_catalog.pg_roles AS r, pg_catalog.pg_roles AS l "
    "WHERE r.rolname = current_user AND l.rolname = session_user"
)
MEMBER = (
    "SELECT r.oid::bigint AS oid FROM pg_catalog.unnest($1::bigint[]) AS r(oid) "
    "WHERE pg_catalog.pg_has_role(current_user, r.oid::oid, 'USAGE')"
)

_plan = None


def _functions():
    """GetUserId, GetSessionUserId, GetCurrentStatementStartTimestamp; None where one is not exported."""
    try:
        server = ctypes.PyDLL(None)
        found = server.GetUserId, server.GetSessionUserId, server.GetCurrentStatementStartTimestamp
    except (OSError, AttributeError):
        return None
    for function, kind in zip(found, (ctypes.c_uint, ctypes.c_uint, ctypes.c_int64)):  # noqa: B905  # Python 3.9
        function.restype, function.argtypes = kind, ()
    return found


_server = _functions()


def caller(plpy):
    """The members `, "role": ..., "login": ..., "statement": "..."` of a request's header.

    role       oid of current_user, whose rights count
    login      oid of session_user, so that SET ROLE leaves no budget behind
    statement  process id and start of the statement that the client sent
    """
    if _server is not None:
        role, login, started = _server[0](), _server[1](), _server[2]()
    else:
        role, login, started = _asked(plpy)
    return f', "role": {role}, "login": {login}, "statement": "{os.getpid()}.{started}"'


def _asked(plpy):
    global _plan
    if _plan is None:
        _plan = _query(plpy.prepare, WHO)
    row = _query(plpy.execute, _plan)[0]
    return row["role"], row["login"], row["started"]


def memberships(plpy, roles):
    """Which of the roles (a list of oids) the caller is, or is a member of with their rights."""
    return [row["oid"] for row in _query(plpy.execute, _query(plpy.prepare, MEMBER, ["bigint[]"]), [roles])]


def _query(run, *arguments):
    try:
        return run(*arguments)
    except Exception as error:  # 57014 and its like: handed back as data, never swallowed
        code = getattr(error, "sqlstate", None) or "57014"
        raise Failure(code, str(error), getattr(error, "hint", None)) from None
