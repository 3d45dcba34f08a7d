"""Statements that are planned once in a session: planning a search takes longer than running it.

A plan holds no row and no right: the server checks anew at each run what the role may read, and plans again when a
table has changed. It is kept for the role that made it: what another role ran under the same name is never run with
this one's rights.
"""

import ctypes
import json
from collections import OrderedDict

KEPT = 64  # plans a session
TYPES = ("text", "jsonb", "text", "jsonpath", "text", "text", "text[]", "float8[]")
_plans = OrderedDict()  # (id of the role, name): plan, the least recently used first
_server = ctypes.PyDLL(None)


def run_planned(plpy, name, statement, values):
    """Run the statement that has its plan under a name; where there is none, plan it first.

    statement  SQL text with one row of one column, or None
    values     of its parameters, as lore._run_planned tells them
    returns    dict: error JSON or None, hits text or None; both are None where there is neither plan nor statement
    """
    try:
        key = _server.GetUserId(), name  # asking by a statement takes 20 microseconds
        plan = _plans.get(key)
        if plan is None:
            if statement is None:
                return {"error": None, "hits": None}
            plan = _plans[key] = plpy.prepare(statement, TYPES)
            if len(_plans) > KEPT:
                _plans.popitem(last=False)
        else:
            _plans.move_to_end(key)
        return {"error": None, "hits": plpy.execute(plan, values)[0]["hits"]}
    except plpy.SPIError as error:  # of the statement: handed on as data, raised in plpgsql
        code, detail, hint = error.spidata[:3]
        return {
            "error": json.dumps({"code": _sqlstate(code), "message": str(error), "hint": hint or detail}),
            "hits": None,
        }


def _sqlstate(number):
    """The five characters of an error code as the server keeps it, six bits each (MAKE_SQLSTATE)."""
    return "".join(chr(48 + (number >> shift & 63)) for shift in range(0, 30, 6))
